;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.dwellers-test
  "Namespaces found through all who can keep one."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.netns :as netns]
            [ontap.kernel.dwellers :as dwellers]
            [ontap.kernel.ipv4 :as ipv4]
            [ontap.kernel.links :as links]
            [ontap.testing :as testing])
  (:import (java.util.concurrent CountDownLatch)
           (ontap.sys Fd Namespaces NsThread)))

(set! *warn-on-reflection* true)

(defn- found?
  "Is namespace `id` found, and is it that one?"
  ([id] (found? id nil))
  ([id pid]
   (when-let [fd (dwellers/open-netns id pid)]
     (with-open [^Fd fd fd]
       (is (Namespaces/isNetwork fd))
       (= id (links/ns-id fd))))))

(defn- eventually-ended
  "Waits until nobody finds `id`: the kernel takes a moment to end a thread or a process."
  [id]
  (testing/wait-for "the namespace's end" #(not (found? id))))

(deftest kept-by-a-process
  (netns/with-netns [ns]
    (is (found? (netns/id ns) (:pid ns)))
    (is (found? (netns/id ns)) "though nobody says by whom")
    (is (found? (netns/id ns) (Namespaces/CLONE_NEWNET)) "or names another who is gone")
    (is (not (found? (update (netns/id ns) :dev inc))) "the number alone does not tell")))

(deftest kept-by-ourselves
  (testing "by a descriptor"
    (let [^Fd fd (NsThread/call "test" #(do (Namespaces/unshare Namespaces/CLONE_NEWNET) (Namespaces/ofThread "net")))
          id (links/ns-id fd)]
      (is (found? id))
      (.close fd)
      (eventually-ended id)
      (is (nil? (dwellers/open-netns id nil)))
      (is (= {:found {} :hidden? false} (dwellers/open-all [[id nil]])))))
  (testing "by a thread"
    (let [id (promise), end (CountDownLatch. 1)]
      (NsThread/start "test-dweller" #(do (Namespaces/unshare Namespaces/CLONE_NEWNET)
                                          (with-open [fd (Namespaces/ofThread "net")] (deliver id (links/ns-id fd)))
                                          (.await end)))
      (is (found? @id))
      (.countDown end)
      (eventually-ended @id))))

(deftest kept-by-a-descriptor-of-a-process
  (netns/with-netns [ns]
    (let [holder (netns/keep! "sh" "-c" (str "exec 9</proc/" (:pid ns) "/ns/net; exec \"$@\"") "sh")
          id     (netns/id ns)]
      (try
        (netns/end! ns)
        (is (found? id (:pid holder)))
        (is (found? id))
        (finally (netns/end! holder)))
      (eventually-ended id))))

(deftest kept-by-a-mount
  (testing/with-temp-dir [dir]
    (let [file (io/file dir "a b")
          id (netns/with-netns [ns]
               (spit file "")
               (when-not (= 0 (:exit (testing/run {} "mount" "--bind" (str "/proc/" (:pid ns) "/ns/net") file)))
                 (testing/not-applicable! "a mount needs CAP_SYS_ADMIN"))
               (netns/id ns))]
      (try
        (is (found? id))
        (finally
          (is (= 0 (:exit (testing/run {} "umount" file))))))
      (eventually-ended id))))

(deftest of-another-user
  (let [ns (netns/keep! "setpriv" "--reuid=65534" "--regid=65534" "--clear-groups"
                        "unshare" "--user" "--map-root-user" "--net")]
    (try
      (let [id (netns/id ns)
            place {:place/netns id :place/index 1 :place/pid (:pid ns)}]
        (is (found? id (:pid ns)))
        (is (found? id))
        (is (= [{:job/id 1 :job/outcome :done}]
               (ipv4/carry-out! [{:job/id 1 :job/place place
                                  :job/do [:apply {:dhcp/ip "10.0.0.5" :dhcp/prefix 32 :dhcp/routes []} 0]}])))
        (is (re-find #"10\.0\.0\.5/32" (netns/ip ns "addr" "show" "dev" "lo")))
        (testing "who may not look says so"
          (let [{:keys [exit out err]}
                (testing/run {} "setpriv" "--bounding-set=-sys_ptrace" "--inh-caps=-sys_ptrace"
                             (str (System/getProperty "java.home") "/bin/java") "-XX:-UsePerfData" "-XX:TieredStopAtLevel=1"
                             "-cp" (System/getProperty "java.class.path") "clojure.main" "-e"
                             (pr-str '(require 'ontap.kernel.ipv4)
                                     (list 'prn (list 'ontap.kernel.ipv4/carry-out!
                                                      [{:job/id 1 :job/place place :job/do [:look]}]))))]
            (is (= 0 exit) err)
            (is (re-find #":kernel \"nobody who can be seen keeps the network namespace .* CAP_SYS_PTRACE" out)))))
      (finally (netns/end! ns)))))

(deftest many-with-one-look
  (let [kept (vec (repeatedly 20 netns/make))]
    (try
      (let [ids (mapv netns/id kept)
            {:keys [found hidden?]} (dwellers/open-all (for [[id ns] (map vector ids kept)] [id (when (even? (:pid ns)) (:pid ns))]))]
        (try
          (is (= (set ids) (set (keys found))))
          (is (every? (fn [[id fd]] (= id (links/ns-id fd))) found))
          (is (false? hidden?))
          (finally (run! #(.close ^Fd %) (vals found)))))
      (finally (run! netns/end! kept)))))

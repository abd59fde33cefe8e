;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.cycles-test
  "Links that come and go by the hundred, their holders killed at random moments: ontapd holds
  afterwards what it held before. ipvlan and ipvtap in a User Mode Linux kernel (test/harness/
  uml-cycles.sh), macvlan and macvtap on the machine's own."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.uml :as uml]
            [ontap.testing :as testing-tools])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(defn- ipvlan-and-ipvtap!
  "`n` cycles of each by the small client, and six by the program, in a kernel of their own."
  [n]
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (uml/build-program!)
    (uml/assert-passed
     (uml/in-kernel {:seconds 600 :modules "ipvlan ipvtap macvlan veth" :script "uml-cycles.sh"} "bin" clients n)
     (for [after [(str n " cycles of ipvlan") (str n " cycles of ipvtap") "ontap, six times"]
           check ["no lease is left" "no link, address, descriptor, namespace or file is left"
                  "no ipvlan link is left on the port, in whatever namespace"]]
       (str after ": " check)))))

(deftest ^{:slow true :apart true :timeout 700 :jdk :floor} ipvlan-and-ipvtap (ipvlan-and-ipvtap! 100))

(deftest ^{:long true :apart true :timeout 700 :jdk :floor} ipvlan-and-ipvtap-two-hundred-times (ipvlan-and-ipvtap! 200))

;; --- the machine's own kernel

(defn- kind
  "What a descriptor leads to, without the numbers that differ from time to time."
  [to]
  (str/replace to #"\[\d+\]" ""))

(defn- held
  "What a lease could leave behind, each with how many there are."
  [lan {:keys [pid]}]
  {:descriptors (frequencies (map kind (vals (process/descriptors pid))))
   :links       (mapv #(vec (sort (map second (re-seq #"\"ifname\":\"([^\"]+)\"" %))))
                      [(lan/sh! lan :host "ip" "-j" "link") (lan/sh! lan :peer "ip" "-j" "link") (ontapd/taps lan "ip" "-j" "link")])
   :ids         [(lan/sh! lan :host "ip" "netns" "list-id") (ontapd/taps lan "ip" "netns" "list-id")]
   :files       (sort (map str (file-seq (io/file (ontapd/path lan)))))})

(defn- no-lease? [lan] (empty? (ontapd/book lan)))

(defn- await-held
  "Waits, 30 s at most, until what is held satisfies `f` and there is no lease; what is held."
  [lan daemon f]
  (let [seen (volatile! nil)]
    (try (testing-tools/wait-for "what is held" 30000 #(and (no-lease? lan) (f (vreset! seen (held lan daemon)))))
         (catch clojure.lang.ExceptionInfo _ nil))
    @seen))

(defn- settled
  "What is held once it has not changed for a second."
  [lan daemon]
  (let [since (volatile! nil)]
    (await-held lan daemon
                #(let [at (System/nanoTime)
                       [what from] @since]
                   (if (= % what)
                     (< 1000000000 (- at (long from)))
                     (do (vreset! since [% at]) false))))))

(def ^:private witness
  "What the program that `ontap` becomes looks at: its link, or its tap and lease."
  {"macvlan" "ip -o link show dev \"$ONTAP_IFNAME\" | grep -qi \"$ONTAP_HWADDR\""
   "macvtap" "test -c /proc/self/fd/$ONTAP_FD0 && test -p /proc/self/fd/$ONTAP_LEASE_FD && test -n \"$ONTAP_HWADDR\""})

(defn- client
  "Starts `ontap` in a namespace of its own, which becomes a shell that runs `command`; see `lan/spawn`."
  [lan type command]
  (apply lan/spawn {:env (:env lan)}
         (apply lan/in (:host lan) "unshare" "--net" (ontapd/attach lan type [] "sh" "-c" command))))

(defn- cycle!
  "One `ontap` in a namespace of its own. It ends by itself, or is killed after `kill-ms`. Returns its exit
  status, milliseconds and what it said."
  [lan type kill-ms]
  (let [began  (System/nanoTime)
        ontap  (client lan type (if kill-ms "exec sleep 300" (witness type)))
        status (if kill-ms
                 (do (Thread/sleep (long kill-ms)) (lan/end! ontap "KILL"))
                 (lan/await-end ontap 60))]
    {:status status :ms (quot (- (System/nanoTime) began) 1000000) :said (lan/said ontap)}))

(defn- small-client!
  "Runs test/client's `ontap-client`, compiled in `clients`, against the daemon of `lan`: {:exit :out :err}."
  [lan clients & words]
  (apply testing-tools/run {:limit-s 120 :env (:env lan)}
         (apply lan/in (:host lan) (io/file clients "ontap-client") (ontapd/socket lan) words)))

(defn- tells-of-a-lease
  "While there is one, what is held differs by its link, its lease and its descriptors."
  [lan daemon before]
  (let [holder (client lan "macvtap" "echo held; exec sleep 300")]
    (try
      (lan/await-line holder #"^held$" 60)
      (is (not (no-lease? lan)))
      (is (= (inc (count (last (:links before)))) (count (last (:links (held lan daemon))))))
      (is (not= (:descriptors before) (:descriptors (held lan daemon))))
      (finally (lan/end! holder "KILL")))
    (is (= before (await-held lan daemon #(= before %))))))

(defn- by-the-program
  "`n` of them, two at a time, half of them killed within twice the `usual` milliseconds."
  [lan n usual ^Random random]
  (testing-tools/two-at-a-time
   (fn [[type kill-ms]] (assoc (cycle! lan type kill-ms) :killed kill-ms))
   (for [n (range n)]
     [(if (even? (quot n 2)) "macvlan" "macvtap")
      (when (odd? n) (.nextInt random (int (* 2 (long usual)))))])))

(defn- macvlan-and-macvtap!
  "Cycles by the program, `n` of them, and by the small client, on this machine's kernel."
  [n]
  (lan/needs-root!)
  (uml/build-program!)
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (lan/with-lan [lan]
      (ontapd/with-ontapd [daemon lan {:verbosity "info"} "up0"]
        ;; once each, so that everything has been used; and how long one takes
        (small-client! lan clients "cycle" "4" "macvlan")
        (small-client! lan clients "cycle" "4" "macvtap")
        (let [usual  (apply max (map #(:ms (cycle! lan % nil)) ["macvlan" "macvtap" "macvlan" "macvtap"]))
              seed   (rand-int Integer/MAX_VALUE)
              before (settled lan daemon)]
          (tells-of-a-lease lan daemon before)
          (testing (str n " by the program, seed " seed)
            (let [ends (by-the-program lan n usual (Random. seed))]
              (is (= [] (remove #(or (:killed %) (= 0 (:status %))) ends))
                  "Those that were not killed had their link and ended well.")
              (is (= (quot n 2) (count (filter #(and (:killed %) (= 137 (:status %))) ends))) "Half of them were killed.")
              (is (= before (await-held lan daemon #(= before %)))
                  "Nothing is left: no link, descriptor, id, file or lease.")))
          (doseq [type ["macvlan" "macvtap"]]
            (testing (str "200 of " type " by a client of doc/protocol.md, seed " seed)
              (let [{:keys [exit out err]} (small-client! lan clients "cycle" "200" type "--kill-half" seed)]
                (is (= 0 exit) (str out err)))
              (is (= before (await-held lan daemon #(= before %))) "Nothing is left."))))
        (is (= 0 (ontapd/stop! daemon)) (str "SIGTERM ends ontapd with 0; it said:\n" (lan/said daemon)))))))

(deftest ^{:slow true :timeout 600 :jdk :floor} macvlan-and-macvtap (macvlan-and-macvtap! 60))

(deftest ^{:long true :timeout 900 :jdk :floor} macvlan-and-macvtap-two-hundred-times (macvlan-and-macvtap! 200))

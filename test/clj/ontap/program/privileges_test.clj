;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.privileges-test
  "What ontapd may do: the capabilities of each of its threads, and what fails when one of
  them is missing, so that none is there for nothing. CAP_NET_RAW is needed for ipvtap
  alone: test/harness/uml-authority.sh looks at it."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.wire :as wire]
            [ontap.ops.privileges :as privileges])
  (:import (java.io File IOException)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

;; capabilities(7), linux/capability.h
(def ^:private numbers
  {"chown" 0, "net_broadcast" 11, "net_admin" 12, "net_raw" 13, "sys_ptrace" 19, "sys_admin" 21, "mknod" 27})

(def ^:private expected
  (format "%016x" (reduce bit-or (map #(bit-shift-left 1 (long %)) (vals numbers)))))

(defn- text-of
  "A file of the thread, or nil when it is gone."
  [^File task name]
  (try (String. (Files/readAllBytes (.toPath (File. task ^String name)))) (catch IOException _ nil)))

(defn- fields
  "The sets of capabilities, and no_new_privs, of one thread; nil when it is gone."
  [task]
  (some->> (text-of task "status")
           (re-seq #"(?m)^(Cap\w+|NoNewPrivs):\s+(\w+)$")
           (into {} (map (fn [[_ k v]] [k v])))
           not-empty))

(defn- threads [pid] (.listFiles (File. (str "/proc/" pid "/task"))))

(defn- sampled
  "name -> what was seen of the threads of that name while `f` runs."
  [pid f]
  (let [running (future (f))
        seen    (volatile! {})]
    (loop []
      (let [over? (realized? running)]
        (doseq [^File task (threads pid)
                :let [now (fields task), name (text-of task "comm")]
                :when (and now name)]
          (vswap! seen update (str/trim name) (fnil conj #{}) now))
        (when-not over? (recur))))
    [@running @seen]))

(deftest ^{:timeout 120} of-every-thread
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "up0"]
      (let [one (wire/message "attach" "type" "macvtap")
            net (wire/message "attach" "type" "macvlan" "lease" "holder")
            [answers seen] (sampled (:pid daemon)
                                    (fn []
                                      (doall (for [_ (range 60)
                                                   answer [(wire/ask (ontapd/socket lan) nil one)
                                                           (with-open [peer (wire/namespace-of (:peer lan) "net")]
                                                             (wire/ask (ontapd/socket lan) nil net peer))]]
                                               (get answer "")))))]
        (is (= {"ontap 1 ok" 120} (frequencies answers)) "It was at work.")
        (is (some #(str/starts-with? % "ontap-") (keys seen)) (str "Threads that make links were seen: " (keys seen)))
        (is (= #{{"CapInh" "0000000000000000", "CapPrm" expected, "CapEff" expected, "CapBnd" expected
                  "CapAmb" "0000000000000000", "NoNewPrivs" "1"}}
               (reduce into #{} (vals seen))))))))

(defn- without [capability] {:wrap ["setpriv" (str "--bounding-set=-" capability) "--"] :verbosity "warning"})

(defn- fails-to-start
  "What an ontapd without `capability` says when it ends."
  [lan capability & words]
  (let [{:keys [exit err]} (apply lan/sh lan :host (concat (:wrap (without capability)) [ontapd/program] words))]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(defn- refuses
  "What an ontapd without `capability` answers to a request for a link of `type`."
  [lan capability type]
  (ontapd/with-ontapd [daemon lan (without capability) "up0"]
    (let [ask (partial wire/ask (ontapd/socket lan) nil (wire/message "attach" "type" type))]
      (wire/refusal (if (= "macvlan" type)
                      (with-open [peer (wire/namespace-of (:peer lan) "net")] (ask peer))
                      (ask))))))

(deftest ^{:timeout 120} none-is-there-for-nothing
  (lan/needs-root!)
  (lan/with-lan [lan]
    (testing "without it ontapd does not start"
      (are [capability says] (let [[status text] (fails-to-start lan capability "--config" (ontapd/config! lan {"up0" {:group "nogroup"}}))]
                               (and (= 111 status) (or (re-find says text) (println text))))
        "net_broadcast" #"this takes root"
        "chown"         #"^chown\(.*port\.up0.*\): Operation not permitted \(EPERM\)$"))
    (testing "without it there are no links"
      (are [capability type says] (let [[rule text] (refuses lan capability type)]
                                    (or (re-find says (str rule ": " text)) (println capability rule text)))
        "net_admin" "macvtap" #"^kernel: .*Operation not permitted \(EPERM\)$"
        "mknod"     "macvtap" #"^kernel: mknod.*Operation not permitted \(EPERM\)$"
        "sys_admin" "macvtap" #"^kernel: .*Operation not permitted \(EPERM\)$"
        "sys_admin" "macvlan" #"^(descriptor|kernel): "))
    (is (= (set (keys numbers)) (set (map first privileges/of-ontapd))) "These are all, but for net_raw and sys_ptrace.")))

(deftest ^{:timeout 120} the-way-back-to-a-workload
  (lan/needs-root!)
  (dhcp/needs! "dnsmasq")
  (lan/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [port   (:port network)
            server (dhcp/serve network "dnsmasq" {})]
        (try
          (let [daemon (ontapd/start lan {} port)
                {:keys [pid]} (dhcp/client! lan network "www")
                ip (dhcp/await-address pid)]
            (ontapd/stop! daemon "KILL")
            (ontapd/with-ontapd [daemon lan (without "sys_ptrace") port]
              (lan/await-line daemon #"www: unable to set .*nobody who can be seen keeps the network namespace .*CAP_SYS_PTRACE"))
            (is (= ip (dhcp/await-address pid)) "It had it before, and keeps it as long as the lease lasts."))
          (finally (dhcp/stop! server)))))))

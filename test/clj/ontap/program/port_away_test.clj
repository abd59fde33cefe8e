;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.port-away-test
  "The port goes away and comes back, as a Wi-Fi adapter does over a suspend: services on it
  are told why they have no link, and `ontap up` brings them back."
  (:require [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(def ^:private services
  [{:name "web" :port "up0" :type "macvlan" :user "nobody" :ipv4 "10.77.0.11/24" :acd false :ipv6 :none
    :exec ["sh" "-c" "exec sleep 300"]}
   {:name "vm" :port "up0" :type "macvtap" :queues 2 :user "nobody"
    :exec ["sh" "-c" "exec sleep 300"]}])

(defn- await-rows [lan what f]
  (testing-tools/wait-for what 40000 #(let [rows (lan/status lan)] (when (every? f (vals rows)) rows))))

(defn- ready? [{:keys [state]}] (= :ready state))
(defn- says-why? [{:keys [state reason]}] (and (not= :ready state) (re-find #"port up0" (str reason))))

(defn- goes-and-comes [lan up]
  (let [before (await-rows lan "the services" ready?)]
    (lan/sh! lan :host "ip" "link" "del" "up0")
    (is (some? (await-rows lan "the services to be down and to say why" says-why?)))
    (is (re-find #"port up0" (lan/said up)) "So does the log.")
    (lan/sh! lan :host "ip" "link" "add" "up0" "type" "veth" "peer" "name" "lan0" "netns" (str (:peer lan)))
    (lan/sh! lan :peer "ip" "addr" "add" "10.77.0.1/24" "dev" "lan0")
    (lan/sh! lan :peer "ip" "link" "set" "lan0" "up")
    (let [after (await-rows lan "the services to come back" ready?)
          vm    (process/environment (:pid (after "vm")))]
      (doseq [name ["web" "vm"]]
        (is (not= (:pid (before name)) (:pid (after name))) (str name " was started again.")))
      (is (= 0 (:exit (testing-tools/wait-for "the LAN to reach web" 10000
                        #(let [r (lan/sh lan :peer "busybox" "ping" "-c" "1" "-W" "1" "10.77.0.11")]
                           (when (= 0 (:exit r)) r))))))
      (is (every? vm ["ONTAP_FD0" "ONTAP_FD1" "ONTAP_LEASE_FD" "ONTAP_HWADDR"]))
      (is (some? (re-find #"^/.*leases/\d+$" ((process/descriptors (:pid (after "vm"))) (parse-long (vm "ONTAP_LEASE_FD")))))))))

(deftest ^{:timeout 180} with-ontapd
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (let [up (lan/up lan (lan/write-file lan services))]
        (try
          (lan/await-listening lan up)
          (goes-and-comes lan up)
          (goes-and-comes lan up)
          (let [names (map (juxt :lease/name :lease/type) (vals (ontapd/book lan)))]
            (is (= #{["web" "macvlan"] ["vm" "macvtap"]} (set names)) "ontapd lends what is used, and nothing else."))
          (is (= 0 (lan/end! up "TERM")))
          (is (= {} (ontapd/await-book lan "no lease" empty?)))
          (finally (lan/end! up "KILL")))))))

(deftest ^{:timeout 180} without-ontapd
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up (lan/up lan (lan/write-file lan services))]
      (try
        (lan/await-listening lan up)
        (goes-and-comes lan up)
        (is (= 0 (lan/end! up "TERM")))
        (is (not (.exists (java.io.File. (ontapd/path lan "up" "netns")))) "Its namespace of taps ends with it.")
        (finally (lan/end! up "KILL"))))))

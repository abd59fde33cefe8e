;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.network-test
  "Ports that come and go, addresses that are taken, late or stable; by `ontap up` and
  by `ontap exec`."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.harness.router :as router]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- service
  "A declaration that needs no router, no DHCP server and no time; `more` overrides."
  [name & {:as more}]
  (merge {:name name :port "up0" :type "macvlan" :ipv6 :none :user "nobody" :exec ["sleep" "1000"]}
         (if (:ipv4 more) {:acd false} {:ipv4 :none})
         more))

(defn- start [lan services]
  (let [up (lan/up lan (lan/write-file lan services))]
    (lan/await-listening lan up)
    up))

(defn- exec! [lan name]
  (apply lan/spawn {:env (:env lan)}
         (lan/in (:host lan) lan/program "exec" (str (:dir lan) "/services.edn") name)))

(defn- row [lan name] ((lan/status lan) name))

(defn- await-row
  "The row of service `name`, once `ok?` holds of it."
  [lan name what ok?]
  (t/wait-for (str name " to be " what) 30000 #(let [r (row lan name)] (when (ok? r) r))))

(defn- await-exec
  "Blocks until the `exec!` is its workload."
  [{:keys [pid ^Process process] :as spawned}]
  (t/wait-for "`ontap exec` to become sleep" 60000
              #(or (= ["sleep" "1000"] (process/command pid))
                   (when-not (.isAlive process)
                     (throw (ex-info (str "`ontap exec` ended: " (lan/said spawned)) {}))))))

(defn- inside
  "What `ip WORDS…` says in the network namespace of `pid`."
  [pid & words]
  (:out (apply t/run {} "nsenter" (str "--net=/proc/" pid "/ns/net") "ip" words)))

(defn- ip! [lan & words] (apply lan/sh! lan :host "ip" words))

(deftest ^{:timeout 120} the-link-is-as-declared
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up  (start lan [(service "full" :link "eth7" :mode "private" :ipv4 "10.77.0.5/24" :ipv6 "fd77::5/64"
                                   :gateway ["10.77.0.1" "fd77::1"])])
          _   (lan/await-ready lan "full")
          {:keys [pid addresses]} (row lan "full")
          has (fn [pattern & words]
                (let [out (apply inside pid words)] (is (re-find pattern out) out)))]
      (has #"(?s)eth7@if\d+: <\S*UP.*macvlan mode private" "-d" "link" "show" "eth7")
      (has #"alias full" "link" "show" "eth7")
      (has #"inet 10\.77\.0\.5/24" "addr" "show" "eth7")
      (has #"inet6 fd77::5/64 scope global" "addr" "show" "eth7")
      (has #"lo: <LOOPBACK,UP" "link" "show" "lo")
      (has #"default via 10\.77\.0\.1 dev eth7" "-4" "route")
      (has #"default via fd77::1 dev eth7" "-6" "route")
      (is (every? (set addresses) ["10.77.0.5" "fd77::5"]) (str "status shows " addresses))
      (is (= 0 (lan/end! up "TERM"))))))

(deftest ^{:timeout 180} a-port-is-waited-for
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up   (start lan [(service "later" :port "late0" :ipv4 "10.78.0.5/24")
                           (service "now" :ipv4 "10.77.0.5/24")
                           (service "solo" :port "late0" :ipv4 "10.78.0.6/24" :restart {:policy :never})])
          _    (lan/await-ready lan "now")
          solo (exec! lan "solo")]
      (try
        (testing "while it is not there"
          (is (= [:waiting "port late0 is not there yet"] ((juxt :state :reason) (row lan "later"))))
          (let [{:keys [exit err]} (lan/ontap lan "start" "later")]
            (is (= 1 exit) "`ontap start` does not wait for ever")
            (is (re-find #"later is waiting: port late0 is not there yet" err) err))
          (lan/await-line solo #"port late0 is not there yet; waiting for it" 60))
        (testing "once it is"
          (ip! lan "link" "add" "late0" "type" "veth" "peer" "name" "late1")
          (lan/await-line up #"later: started")
          (await-exec solo)
          (is (re-find #"10\.78\.0\.6/24" (inside (:pid solo) "addr" "show" "eth0"))))
        (testing "when it goes away"
          (let [before (:pid (row lan "later"))
                other  (:pid (row lan "now"))]
            (ip! lan "link" "del" "late0")
            (lan/await-line up #"later: its link went away \(port late0\)")
            (await-row lan "later" "waiting" #(= :waiting (:state %)))
            (is (not (process/alive? before)) "its workload is stopped")
            (ip! lan "link" "add" "late0" "type" "veth" "peer" "name" "late1")
            (let [{:keys [pid]} (await-row lan "later" "ready" #(= :ready (:state %)))]
              (is (not= before pid) "and started again once the port is back")
              (is (re-find #"10\.78\.0\.5/24" (inside pid "addr" "show" "eth0"))))
            (is (= other (:pid (row lan "now"))) "a service of another port is left alone")))
        (finally (lan/end! solo "KILL")))
      (is (= 0 (lan/end! up "TERM")))
      (is (not (re-find #"bug" (lan/said up))) (lan/said up)))))

(deftest ^{:timeout 120} an-address-that-is-taken
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up (start lan [(service "twin" :ipv6 "fd77::1/64" :restart {:delay "100ms" :limit 2 :window "10m"})
                         (service "free" :ipv6 "fd77::9/64")])]
      (lan/await-ready lan "free")
      (lan/await-line up #"twin: address fd77::1 is in use by another host on port up0")
      (let [{:keys [reason pid]} (await-row lan "twin" "failed" #(= :failed (:state %)))]
        (is (re-find #"address fd77::1 is in use by another host on port up0" reason))
        (is (nil? pid) "its workload was never started"))
      (is (not (re-find #"twin: started" (lan/said up))))
      (let [twin (exec! lan "twin")]
        (lan/await-line twin #"fatal: .*twin: address fd77::1 is in use by another host on port up0" 60)
        (is (= 111 (lan/await-end twin 60)) "`ontap exec` is refused"))
      (is (= 0 (lan/end! up "TERM"))))))

(deftest ^{:timeout 120} no-address-in-time
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up   (start lan [(service "alone" :ipv6 :slaac :address-timeout "1s")])
          warn #"no usable address after 1\.0 s \(is there a router that advertises a prefix on up0\?\); it is started without one"]
      (lan/await-line up warn)
      (lan/await-ready lan "alone")
      (is (re-find #"inet6 fe80::" (inside (:pid (row lan "alone")) "addr" "show" "eth0")) "but that of the link")
      (is (= 0 (lan/end! up "TERM")))
      (let [alone (exec! lan "alone")]
        (try
          (lan/await-line alone warn 60)
          (await-exec alone)
          (finally (lan/end! alone "KILL")))))))

(defn- addresses-of
  "The IPv6 addresses of eth0 in the namespace of `pid`, sorted; the link's own too."
  [pid]
  (sort (map second (re-seq #"inet6 (\S+) scope" (inside pid "addr" "show" "eth0")))))

(deftest ^{:timeout 180 :jdk :floor} stable-addresses
  (lan/needs-root!)
  (lan/with-lan [lan]
    (router/with-router [lan "fd77:1::/64"]
      (let [services [(service "one" :ipv6 :slaac) (service "two" :ipv6 :slaac)]
            run      (fn []
                       (let [up (start lan services)]
                         (lan/await-ready lan "one" "two")
                         (let [found (update-vals (lan/status lan)
                                                  (fn [{:keys [pid addresses]}]
                                                    (is (some #(str/starts-with? % "fd77:1:") addresses)
                                                        (str "status shows the address: " addresses))
                                                    (addresses-of pid)))]
                           (is (= 0 (lan/end! up "TERM")))
                           found)))
            first-run (run)
            exec      (exec! lan "one")]
        (is (= [2 2] (map count (vals first-run))) (str "one of the prefix, one of the link: " first-run))
        (is (apply distinct? (mapcat val first-run)) "each name has its own")
        (is (not-any? #(re-find #"ff:fe" %) (mapcat val first-run)) "none is made of a hardware address")
        (try
          (await-exec exec)
          (is (= (first-run "one") (addresses-of (:pid exec))) "`ontap exec` gives the same name the same addresses")
          (finally (lan/end! exec "KILL")))
        (is (= first-run (run)) "and so does the next `ontap up`")))))

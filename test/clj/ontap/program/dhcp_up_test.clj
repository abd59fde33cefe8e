;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.dhcp-up-test
  "IPv4 by DHCP as a person meets it: services of `ontap up`, the host's own link, and `ontap -t`,
  with dnsmasq as the server. The witnesses are ip(8), the wire and the server's lease file."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(def ^:private names ["alpha" "beta" "gamma"])

(defn- service [name]
  {:name name :port "up1" :type "macvlan" :ipv6 :none :acd false :start-delay false :user "root" :exec ["sleep" "3600"]})

(defn- pids [lan] (update-vals (lan/status lan) :pid))

(defn- address-of [pid] (first (keys (dhcp/addresses pid))))

(defn- agree?
  "Do kernel, status and the server agree on the addresses of all?"
  [lan server]
  (let [given (dhcp/given server)]
    (doseq [[name {:keys [pid state addresses]}] (lan/status lan)
            :let [ip (address-of pid)]]
      (is (= :ready state))
      (is (some? ip) (str name " has an address."))
      (is (contains? (set addresses) ip) (str "status shows it: " addresses))
      (is (= name (:hostname (given ip))) "The server has it so too."))))

(defn- asked
  "Names of those of whom the witness saw a REQUEST of INIT-REBOOT since `from`, with the address."
  [witness from]
  (into {} (for [p (drop from (dhcp/packets witness))
                 :when (and (= "request" (p "type")) (= "0.0.0.0" (p "ciaddr")) (nil? (p "server")))]
             [(p "hostname") (p "requested")])))

(deftest ^{:slow true :jdk :floor :timeout 180} services-with-dhcp
  (lan/needs-root!)
  (dhcp/needs-python!)
  (dhcp/needs! "dnsmasq")
  (lan/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [terms   {:lease 120 :more ["t1=4" "t2=90"]}
            server  (volatile! (dhcp/serve network "dnsmasq" terms))
            witness (dhcp/scripted network :peer "watch")
            file    (lan/write-file lan (mapv service names))
            up      (lan/up lan file)]
        (try
          (apply lan/await-ready lan names)
          (agree? lan @server)
          (let [before (pids lan)
                ips    (update-vals before address-of)]
            (is (= 3 (count (set (vals ips)))))
            (testing "kill -9 of `ontap up`: the next one takes the leases up"
              (lan/end! up "KILL")
              (is (= ips (update-vals before address-of)) "The addresses stay meanwhile.")
              (let [from (dhcp/now witness)]
                (lan/up lan file)
                ;; the socket of the one before is there all the time
                (testing-tools/wait-for "`ontap up` to answer" 60000 #(= 0 (:exit (lan/ontap lan "status"))))
                (apply lan/await-ready lan names)
                (dhcp/await-packets witness from 3 #(dhcp/dhcp? % "ack"))
                (is (= ips (asked witness from)) "INIT-REBOOT, of each")
                (is (= [] (filter #(dhcp/dhcp? % "discover") (drop from (dhcp/packets witness)))))
                (is (= before (pids lan)))
                (is (= ips (update-vals before address-of)))))
            (testing "a service that starts again has its address again"
              (lan/ontap lan "stop" "beta")
              (lan/await-ready lan "beta")
              (is (= (ips "beta") (address-of ((pids lan) "beta"))))
              (is (= [] (dhcp/packets witness #(dhcp/dhcp? % "release")))))
            (testing "the server forgets"
              (dhcp/stop! @server)
              (dhcp/forget! @server)
              (vreset! server (dhcp/serve network "dnsmasq" (assoc terms :pool [200 249])))
              (let [pid (before "alpha")
                    new (dhcp/await-address pid (complement #{(ips "alpha")}) 20)
                    row (fn [] ((lan/status lan) "alpha"))]
                (is (= [new] (keys (dhcp/addresses pid))))
                (testing-tools/wait-for "status" #(= [new] (:addresses (row))))
                (is (= new (:dhcp/ip (:dhcp (row))))))))
          (finally (run! dhcp/stop! [@server witness])))))))

(deftest ^{:slow true :jdk :floor :timeout 180} the-hosts-own-link-and-a-program
  (lan/needs-root!)
  (dhcp/needs! "dnsmasq")
  (lan/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [server (dhcp/serve network "dnsmasq" {})
            config (ontapd/config! lan {"up1" {:host-link {:link "host0" :type "macvlan"}}})
            link   (fn [] (first (dhcp/addresses (:host lan) "host0")))]
        (try
          (ontapd/with-ontapd [_ lan {} "--config" config]
            (testing "`ontap -t`"
              (let [{:keys [exit out err]}
                    (lan/ontap lan "-t" "macvlan" "--name" "probe" "--no-acd" (ontapd/socket lan "up1") "--"
                               "sh" "-c" "until ip -4 -o addr show dev eth0 | grep -o '10.77.1.[0-9]*/24'; do sleep 0.05; done")]
                (is (= [0 ""] [exit err]))
                (is (= "probe" (:hostname ((dhcp/given server) (str/replace out #"/24\s*" "")))) out)))
            (testing "the host's link"
              (let [[ip {:keys [prefix valid]}] (testing-tools/wait-for "an address of host0" 20000 link)
                    rows (edn/read-string (:out (lan/ontap lan "leases" "--format" "edn")))]
                (is (= 24 prefix))
                (is (< 3500 valid 3601))
                (is (contains? (dhcp/given server) ip))
                (is (= [ip] (keep :dhcp/ip rows)) "`ontap leases` shows it.")
                (is (= 0 (:exit (lan/sh network :peer "busybox" "ping" "-c" "1" "-W" "3" ip))) "Others of the LAN reach it."))))
          (finally (dhcp/stop! server)))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.macvlan-test
  "Three services on macvlan links of this machine's own kernel, seen from outside:
  by ip(8) in their namespaces, and by curl from another host of the LAN."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.router :as router]
            [ontap.testing :as testing-tools])
  (:import (java.util.regex Pattern)))

(set! *warn-on-reflection* true)

(defn- service [root n name]
  {:name name :port "up0" :type "macvlan" :user "nobody" :caps "+net_bind_service"
   :ipv4 (str "10.77.0.1" n "/24") :acd false
   :exec ["busybox" "httpd" "-f" "-p" "80" "-h" root]})

(def ^:private names ["alpha" "beta" "gamma"])

(defn- inside [pid & words]
  (:out (apply testing-tools/run {} (apply lan/in pid words))))

(defn- slaac
  "The address by router advertisement that ip(8) shows in the namespace of `pid`."
  [pid]
  (some->> (inside pid "ip" "-j" "-6" "addr" "show" "dev" "eth0" "scope" "global" "-tentative")
           (re-find #"\"local\":\"(fd77:[0-9a-f:]+)\"")
           second))

(deftest ^{:timeout 120} three-services-on-macvlan
  (lan/needs-root!)
  (lan/with-lan [lan]
    (router/with-router [lan "fd77::/64"]
      (spit (io/file (:dir lan) "page") "a page for the LAN")
      (let [up (lan/up lan (lan/write-file lan (mapv #(service (str (:dir lan)) %1 %2)
                                                     (range 1 4) names)))]
        (try
          (apply lan/await-ready lan names)
          (let [rows (lan/status lan)]
            (doseq [[n name] (map vector (range 1 4) names)
                    :let [{:keys [pid state]} (rows name)
                          ipv4 (str "10.77.0.1" n)
                          link (inside pid "ip" "-j" "-d" "link" "show" "dev" "eth0")
                          ipv6 (testing-tools/wait-for (str name "'s address by SLAAC") 15000 #(slaac pid))]]
              (testing name
                (is (= :ready state))
                (is (str/includes? link "\"info_kind\":\"macvlan\""))
                (is (str/includes? link (str "\"ifalias\":\"" name "\"")))
                (is (= ["lo" "eth0"] (map second (re-seq #"\"ifname\":\"(\w+)\"" (inside pid "ip" "-j" "link")))))
                (is (re-find (re-pattern (str "\"local\":\"" (Pattern/quote ipv4) "\",\"prefixlen\":24"))
                             (inside pid "ip" "-j" "-4" "addr" "show" "dev" "eth0")))
                (is (= name (str/trim (:out (testing-tools/run {} "nsenter" (str "--uts=/proc/" pid "/ns/uts") "hostname")))))
                (is (re-find #"(?m)^Uid:\t65534" (:out (testing-tools/run {} "cat" (str "/proc/" pid "/status")))))
                (is (str/includes? (lan/sh! lan :peer "curl" "-gsS" "--max-time" "5" (str "http://" ipv4 "/page"))
                                   "a page for the LAN"))
                (is (str/includes? (lan/sh! lan :peer "curl" "-gsS" "--max-time" "5" (str "http://[" ipv6 "]/page"))
                                   "a page for the LAN"))
                (is (contains? (set (:addresses ((lan/status lan) name))) ipv6)
                    "ontap status names the address that the kernel shows")))
            (is (= 0 (lan/end! up "TERM")) "SIGTERM stops all and exits 0")
            (is (not (str/includes? (lan/sh! lan :host "ip" "link") "macvlan")) "no link is left"))
          (finally (lan/end! up "KILL")))))))

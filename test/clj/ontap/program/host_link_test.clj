;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.host-link-test
  "The host's own link on a port (:host-link): ontapd makes it and keeps it, whatever becomes
  of ontapd, of the link and of the port. macvlan, on this machine's own kernel."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.router :as router]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(defn- links [lan]
  (set (map second (re-seq #"(?m)^\d+: ([^:@]+)" (lan/sh! lan :host "ip" "-o" "link")))))

(defn- index [lan link]
  (some->> (:out (lan/sh lan :host "ip" "-o" "link" "show" "dev" link)) (re-find #"^(\d+): ") second parse-long))

(defn- address
  "The address by router advertisement of `link` on the host."
  [lan link]
  (some->> (:out (lan/sh lan :host "ip" "-j" "-6" "addr" "show" "dev" link "scope" "global" "-tentative"))
           (re-find #"\"local\":\"(fd77:[0-9a-f:]+)\"")
           second))

(defn- await-address [lan link]
  (testing-tools/wait-for (str "an address of " link) 20000 #(address lan link)))

(defn- await-link [lan link]
  (testing-tools/wait-for (str "the link " link) 20000 #(index lan link)))

(defn- ping? [lan address]
  (= 0 (:exit (lan/sh lan :peer "busybox" "ping" "-c" "1" "-W" "3" address))))

(defn- reload! [daemon lan ports]
  (ontapd/config! lan ports)
  (testing-tools/run {} "kill" "-HUP" (:pid daemon))
  (lan/await-line daemon #"^ontap: (error: )?(not )?reloaded"))

(def ^:private host0 {"up0" {:host-link {:link "host0" :type "macvlan"}}})

(deftest ^{:timeout 180} is-made-and-kept
  (lan/needs-root!)
  (lan/with-lan [lan]
    (router/with-router [lan "fd77::/64"]
      (let [config (ontapd/config! lan host0)
            daemon (volatile! (ontapd/start lan {} "--config" config))
            next!  #(vreset! daemon (ontapd/start lan {} "--config" config))]
        (try
          (let [first-index (await-link lan "host0")
                first-address (await-address lan "host0")
                same? #(= [first-index first-address] [(index lan "host0") (address lan "host0")])]
            (testing "made"
              (let [seen (lan/sh! lan :host "ip" "-j" "-d" "link" "show" "dev" "host0")]
                (is (str/includes? seen "\"info_kind\":\"macvlan\""))
                (is (str/includes? seen "\"link\":\"up0\""))
                (is (str/includes? seen "\"LOWER_UP\"")))
              (is (ping? lan first-address) "Others of the LAN reach it."))
            (testing "shown, and not for release"
              (let [row (second (str/split-lines (:out (lan/ontap lan "leases"))))]
                (is (= ["1" "-" "macvlan" "up0" "host0" "host" "root" "-"] (take 8 (str/split row #"\s+")))))
              (is (= [111 "ontap: fatal: refused: lease 1 is the host's own link; taking :host-link out of the configuration ends it\n"]
                     ((juxt :exit :err) (lan/ontap lan "release" "1")))))
            (testing "kept"
              (doseq [signal ["TERM" "KILL"]]
                (testing (str "over SIG" signal)
                  (ontapd/stop! @daemon signal)
                  (is (same?) "It is there while ontapd is not,")
                  (next!)
                  (is (same?) "and the next one takes it up."))))
            (testing "made again"
              (testing "when somebody deletes it"
                (lan/sh! lan :host "ip" "link" "del" "host0")
                (is (not= first-index (testing-tools/wait-for "the link" 20000 #(index lan "host0"))))
                (is (= first-address (await-address lan "host0")) "Its address is the same."))
              (testing "when its port comes back"
                (lan/sh! lan :host "ip" "link" "del" "up0")
                (testing-tools/wait-for "the link to go" #(nil? (index lan "host0")))
                (lan/sh! lan :host "ip" "link" "add" "up0" "type" "veth" "peer" "name" "lan0" "netns" (str (:peer lan)))
                (await-link lan "host0")
                (is (str/includes? (lan/sh! lan :host "ip" "-j" "-d" "link" "show" "dev" "host0") "\"link\":\"up0\"")))
              (testing "when that happened while nobody looked"
                (ontapd/stop! @daemon "KILL")
                (lan/sh! lan :host "ip" "link" "del" "host0")
                (next!)
                (await-link lan "host0")))
            (testing "another name, none"
              (reload! @daemon lan {"up0" {:host-link {:link "host1" :type "macvlan"}}})
              (await-link lan "host1")
              (testing-tools/wait-for "the old one to go" #(nil? (index lan "host0")))
              (reload! @daemon lan {"up0" {}})
              (testing-tools/wait-for "the link to go" #(nil? (index lan "host1")))
              (is (= #{"lo" "up0"} (links lan))))
            (testing "gone from the configuration while nobody looked"
              (reload! @daemon lan host0)
              (await-link lan "host0")
              (ontapd/stop! @daemon)
              (ontapd/config! lan {"up0" {}})
              (next!)
              (testing-tools/wait-for "the link to go" #(nil? (index lan "host0")))))
          (finally (ontapd/clean! lan @daemon)))))))

(deftest ^{:timeout 120} a-name-that-is-taken
  (lan/needs-root!)
  (lan/with-lan [lan]
    (lan/sh! lan :host "ip" "link" "add" "host0" "type" "veth" "peer" "name" "other0")
    (let [theirs (index lan "host0")]
      (ontapd/with-ontapd [daemon lan {} "--config" (ontapd/config! lan host0)]
        (lan/await-line daemon #"^ontap: warning: no link host0 on port up0: a link host0, or one with the number it should have, is already in that network namespace$")
        (is (= theirs (index lan "host0")) "Their link is not touched.")
        (is (= {} (ontapd/book lan)))
        (lan/sh! lan :host "ip" "link" "del" "host0")
        (is (not= theirs (await-link lan "host0")) "Once the name is free ontapd has it.")))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.terms-test
  "What the options of a server come to."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(defn- message [ip opts]
  {:message/your-ip ip :message/server-id "10.0.0.1" :message/from-hwaddr "02:00:00:00:00:99" :message/options opts})

(defn- lease [ip opts] (terms/lease (message ip opts) 1000 nil))
(defn- via [to gw] {:route/to to :route/via gw})

(deftest all-of-it
  (is (= {:dhcp/ip "10.0.0.5" :dhcp/prefix 24 :dhcp/broadcast "10.0.0.255"
          :dhcp/routes [(via "0.0.0.0/0" "10.0.0.1")]
          :dhcp/mtu 1400 :dhcp/dns ["10.0.0.2" "9.9.9.9"] :dhcp/domain "example.net" :dhcp/search ["a.example"]
          :dhcp/ntp ["10.0.0.3"] :dhcp/server "10.0.0.1" :dhcp/server-hwaddr "02:00:00:00:00:99"
          :dhcp/valid-until 101000 :dhcp/t1-at 51000 :dhcp/t2-at 88500 :dhcp/gateway-hwaddr nil :dhcp/let-go-at nil}
         (lease "10.0.0.5" {:option/prefix 24 :option/routers ["10.0.0.1" "10.0.0.4"] :option/mtu 1400
                            :option/dns ["10.0.0.2" "127.0.0.53" "9.9.9.9" "0.0.0.0"] :option/domain "example.net"
                            :option/search ["a.example"] :option/ntp ["10.0.0.3" "224.0.1.1"] :option/lease-s 100})))
  (is (= (set terms/term-keys) (set (keys (terms/terms (lease "10.0.0.5" {})))))))

(deftest without-a-mask-the-class-counts
  (are [ip prefix] (= prefix (:dhcp/prefix (lease ip {})))
    "10.0.0.5" 8, "127.9.9.9" 8, "128.0.0.5" 16, "172.16.0.5" 16, "191.255.0.5" 16, "192.168.1.5" 24, "223.1.2.3" 24)
  (is (= 25 (:dhcp/prefix (terms/lease (message "10.0.0.5" {}) 0 {:dhcp/ip "10.0.0.5" :dhcp/prefix 25})))
      "A renewal without one keeps it.")
  (is (= 8 (:dhcp/prefix (terms/lease (message "10.0.0.6" {}) 0 {:dhcp/ip "10.0.0.5" :dhcp/prefix 25})))))

(deftest what-cannot-be-used
  (are [ip opts words] (= words (terms/fault (message ip opts) nil))
    "10.0.0.5" {:option/prefix 24} nil
    "10.0.0.0" {:option/prefix 31} nil
    "10.0.0.5" {:option/prefix 32} nil
    "169.254.1.1" {:option/prefix 16} nil
    nil {} "no address"
    "fd00::1" {} "no address"
    "nonsense" {} "no address"
    "0.0.0.0" {:option/prefix 24} "the unspecified address"
    "127.0.0.1" {:option/prefix 8} "a loopback address"
    "224.0.0.5" {:option/prefix 24} "a multicast address"
    "255.255.255.255" {} "a reserved address"
    "10.0.0.0" {:option/prefix 24} "the address of the network itself"
    "10.0.0.255" {:option/prefix 24} "the broadcast address of its network"
    "10.0.0.5" {:option/prefix 0} "on a network of all addresses"
    "10.0.0.5" {:option/lease-s 0} "given for 0 s only"
    "10.0.0.5" {:option/lease-s 4} "given for 4 s only"
    "10.0.0.5" {:option/lease-s 5} nil
    "10.0.0.5" {:option/lease-s :infinite} nil))

(deftest broadcast-addresses
  (are [ip prefix given expected] (= expected (:dhcp/broadcast (lease ip {:option/prefix prefix :option/broadcast given})))
    "10.0.0.5" 24 nil "10.0.0.255"
    "10.0.5.5" 22 nil "10.0.7.255"
    "10.0.0.5" 8 nil "10.255.255.255"
    "10.0.0.5" 30 nil "10.0.0.7"
    "10.0.0.5" 31 nil nil
    "10.0.0.5" 32 nil nil
    "10.0.0.5" 24 "10.0.0.0" "10.0.0.0"
    "10.0.0.5" 24 "255.255.255.255" "10.0.0.255"))

(deftest routes
  (are [opts expected] (= expected (terms/routes "10.0.0.5" 24 opts))
    {} []
    {:option/routers ["10.0.0.1"]} [(via "0.0.0.0/0" "10.0.0.1")]
    {:option/routers ["0.0.0.0" "10.0.0.255" "10.0.0.2"]} [(via "0.0.0.0/0" "10.0.0.2")]
    {:option/routers ["224.0.0.1"]} []
    ;; option 33 tells no default route
    {:option/routers ["10.0.0.1"] :option/static-routes [(via "10.9.0.0/16" "10.0.0.9") (via "0.0.0.0/0" "10.0.0.9")]}
    [(via "10.9.0.0/16" "10.0.0.9") (via "0.0.0.0/0" "10.0.0.1")]
    ;; option 121 alone
    {:option/routes [(via "10.9.0.0/16" "10.0.0.9")] :option/routers ["10.0.0.1"]
     :option/static-routes [(via "10.8.0.0/16" "10.0.0.8")]}
    [(via "10.9.0.0/16" "10.0.0.9")]
    {:option/routes [] :option/routers ["10.0.0.1"]} []
    ;; host bits are cleared; the first of two counts
    {:option/routes [(via "10.9.1.2/16" "10.0.0.9") (via "10.9.0.0/16" "10.0.0.8")]} [(via "10.9.0.0/16" "10.0.0.9")]
    ;; on the link, first, whatever the order
    {:option/routes [(via "0.0.0.0/0" "10.7.0.1") (via "10.7.0.0/24" nil)]}
    [(via "10.7.0.0/24" nil) (via "0.0.0.0/0" "10.7.0.1")]
    {:option/routes [(via "10.7.0.1/32" nil) (via "0.0.0.0/0" "10.7.0.1")]}
    [(via "10.7.0.1/32" nil) (via "0.0.0.0/0" "10.7.0.1")]
    {:option/routes [(via "0.0.0.0/0" nil)]} [(via "0.0.0.0/0" nil)]
    ;; a gateway that is elsewhere
    {:option/routers ["192.168.1.1"]} [(via "192.168.1.1/32" nil) (via "0.0.0.0/0" "192.168.1.1")]
    {:option/routes [(via "10.1.0.0/16" "172.16.0.1") (via "10.2.0.0/16" "172.16.0.1")]}
    [(via "172.16.0.1/32" nil) (via "10.1.0.0/16" "172.16.0.1") (via "10.2.0.0/16" "172.16.0.1")]
    ;; the gateway is the client: everybody is on the link
    {:option/routers ["10.0.0.5"]} [(via "0.0.0.0/0" nil)]
    ;; nonsense
    {:option/routes [(via "127.0.0.0/8" "10.0.0.1") (via "224.0.0.0/4" nil) (via "x" "10.0.0.1") (via "10.1.0.0/16" "y")]} []
    {:option/routes [(via "10.0.0.0/24" nil)]} []
    {:option/routes [(via "128.0.0.0/1" "10.0.0.1")]} [(via "128.0.0.0/1" "10.0.0.1")]))

(deftest an-address-that-is-a-network-of-its-own
  (is (= [(via "10.0.0.1/32" nil) (via "0.0.0.0/0" "10.0.0.1")]
         (terms/routes "10.0.0.5" 32 {:option/routers ["10.0.0.1"]})))
  (is (= [(via "0.0.0.0/0" "10.0.0.4")] (terms/routes "10.0.0.5" 31 {:option/routers ["10.0.0.4"]}))))

(deftest mtu
  (are [given expected] (= expected (:dhcp/mtu (lease "10.0.0.5" {:option/mtu given})))
    nil nil, 575 nil, 576 576, 1500 1500, 9000 9000, 65535 65535, 65536 nil, 0 nil))

(deftest what-goes-on-from-the-lease-before
  (let [opts   {:option/prefix 24 :option/routers ["10.0.0.1"]}
        before (assoc (lease "10.0.0.5" opts) :dhcp/gateway-hwaddr "02:00:00:00:00:77")
        after  (fn [m] (terms/lease m 0 before))]
    (is (= "02:00:00:00:00:77" (:dhcp/gateway-hwaddr (after (message "10.0.0.5" opts)))))
    (is (nil? (:dhcp/gateway-hwaddr (after (message "10.0.0.5" (assoc opts :option/routers ["10.0.0.2"]))))))
    (is (= "10.0.0.1" (:dhcp/server (after (assoc (message "10.0.0.5" opts) :message/server-id nil)))))))

(deftest an-address-of-a-person
  (is (= [(via "0.0.0.0/0" "10.0.0.1")] (:dhcp/routes (terms/static {:ip "10.0.0.5" :prefix 24 :gateway "10.0.0.1"}))))
  (is (= [(via "10.9.0.1/32" nil) (via "0.0.0.0/0" "10.9.0.1")]
         (:dhcp/routes (terms/static {:ip "10.0.0.5" :prefix 24 :gateway "10.9.0.1"}))))
  (is (= [] (:dhcp/routes (terms/static {:ip "10.0.0.5" :prefix 24 :gateway nil}))))
  (is (= (set (keys (lease "10.0.0.5" {}))) (set (keys (terms/static {:ip "10.0.0.5" :prefix 24}))))))

(deftest times-move-together
  (testing "and those there are none of stay so"
    (is (= {:dhcp/t1-at 15 :dhcp/t2-at 16 :dhcp/valid-until 17 :dhcp/let-go-at nil}
           (terms/rebase {:dhcp/t1-at 5 :dhcp/t2-at 6 :dhcp/valid-until 7 :dhcp/let-go-at nil} 10)))
    (is (= {:dhcp/t1-at nil :dhcp/valid-until nil :dhcp/let-go-at 4} (terms/rebase {:dhcp/t1-at nil :dhcp/valid-until nil :dhcp/let-go-at 14} -10)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-place-test
  "Who is on the link."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.mdns-place :as place]))

(def ^:private addresses
  (into {} (map (fn [[ip prefix]] [ip {:addr/ip ip :addr/prefix prefix}]))
        [["10.0.0.5" 24] ["192.168.4.1" 22] ["fd00:1::5" 64] ["2001:db8:7::5" 64] ["2001:db8:9::1" 128] ["fe80::5" 64]]))

(deftest who-is-on-the-link
  (are [ip] (place/on-link? addresses ip)
    "10.0.0.5" "10.0.0.255" "10.0.0.1" "192.168.7.254" "169.254.1.2"
    "fe80::1" "fe80:1::1" "fd00:1::ffff" "2001:db8:7:0:1::" "2001:db8:9::1")
  (are [ip] (not (place/on-link? addresses ip))
    "10.0.1.5" "192.168.8.1" "8.8.8.8" "127.0.0.1"
    "fd00:2::1" "2001:db8:8::1" "2001:db8:9::2" "::1" "::ffff:10.0.0.1"))

(deftest without-a-family-nobody-of-it-is
  (let [only (fn [ip] (select-keys addresses [ip]))]
    (is (not (place/on-link? (only "fd00:1::5") "10.0.0.1")))
    (is (not (place/on-link? (only "fd00:1::5") "169.254.1.2")))
    (is (not (place/on-link? (only "10.0.0.5") "fd00:1::1")))
    (is (not (place/on-link? {} "10.0.0.1")))))

(deftest families-and-own
  (is (= [:ipv4 :ipv6] (map place/family ["10.0.0.5" "::1"])))
  (is (place/own? addresses "fe80::5"))
  (is (not (place/own? addresses "fe80::6"))))

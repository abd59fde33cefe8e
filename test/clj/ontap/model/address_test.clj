;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.address-test
  "Texts and numbers of addresses: what is read, what is refused, the canonical text."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.address :as address])
  (:import (java.net InetAddress UnknownHostException)))

(set! *warn-on-reflection* true)

(defn- witness
  "The octets that the JDK reads in an IPv6 literal (a text with a colon is never looked up), nil when it reads none."
  [^String s]
  (try (mapv #(bit-and 0xff %) (.getAddress (InetAddress/getByName s)))
       (catch UnknownHostException _ nil)))

(deftest canonical-text-is-that-of-rfc-5952
  (are [given canonical] (= canonical (address/canonical given))
    "10.0.0.5"                        "10.0.0.5"
    "0.0.0.0"                         "0.0.0.0"
    "::"                              "::"
    "::1"                             "::1"
    "1::"                             "1::"
    "FD00::0005"                      "fd00::5"
    "2001:db8:0:0:1:0:0:1"            "2001:db8::1:0:0:1"
    "2001:db8:0:1:1:1:1:1"            "2001:db8:0:1:1:1:1:1"
    "2001:0:0:1:0:0:0:1"              "2001:0:0:1::1"
    "1:2:3:4:5:6:7::"                 "1:2:3:4:5:6:7:0"
    "::2:3:4:5:6:7:8"                 "0:2:3:4:5:6:7:8"
    "0:0:0:0:0:ffff:10.0.0.5"         "::ffff:10.0.0.5"
    "64:ff9b::192.0.2.33"             "64:ff9b::c000:221"))

(deftest what-is-no-address-is-none
  (are [given] (nil? (address/octets given))
    nil "" ":" ":::" "1" "1.2.3" "1.2.3.4.5" "01.2.3.4" "1.2.3.256" "1.2.3.-4" " 1.2.3.4" "1.2.3.4 " "0x1.2.3.4"
    "1:2:3:4:5:6:7" "1:2:3:4:5:6:7:8:9" "1::2::3" "1:2:3:4:5:6:7:8::" "::1:2:3:4:5:6:7:8" "12345::" "g::" "fe80::1%eth0"
    "::1.2.3" "1.2.3.4::" "::1.2.3.4:5" ":1::2" "1::2:" "example.org" "localhost" 7 :none "[::1]" "1:::2"))

(def ^:private gen-octet (gen/frequency [[3 (gen/return 0)] [1 (gen/choose 0 255)]]))
(def ^:private gen-v4 (gen/vector (gen/choose 0 255) 4))
(def ^:private gen-v6 (gen/vector gen-octet 16))

(defspec text-and-octets-go-round 500
  (prop/for-all [os (gen/one-of [gen-v4 gen-v6])]
    (let [t (address/text os)]
      (and (= os (address/octets t))
           (= t (address/canonical t))
           (= t (address/from-bytes (address/to-bytes t)))))))

(defspec ipv6-is-read-as-the-jdk-reads-it 500
  (prop/for-all [os gen-v6]
    (or (= :mapped (address/kind (address/text os)))   ; the JDK makes an IPv4 address of it
        (= os (witness (address/text os))))))

(defspec a-longer-spelling-is-the-same-address 300
  (prop/for-all [os gen-v6, upper? gen/boolean]
    (let [full (str/join ":" (map (fn [[a b]] (format "%02x%02x" a b)) (partition 2 os)))]
      (= (address/text os) (address/canonical (if upper? (str/upper-case full) full))))))

(def ^:private gen-almost
  "Texts that look like IPv6 addresses, good and bad."
  (gen/fmap str/join (gen/vector (gen/elements [":" "::" "0" "1" "ab" "ffff" "1.2.3.4"]) 1 14)))

(defspec good-and-bad-texts-are-told-apart-as-the-jdk-does 3000
  (prop/for-all [t (gen/fmap #(str ":" %) gen-almost)]
    (let [ours (address/octets t)]
      (or (= ours (witness t))
          ;; the JDK lets leading zeros pass where RFC 4291 has at most four digits, and in IPv4 parts
          (and (nil? ours) (re-find #"[0-9a-f]{5}|[0a-f][0-9]+\." t))
          (and ours (= :mapped (address/kind t)))))))

(deftest prefixes
  (are [given expected] (= expected (address/prefixed given))
    "10.0.0.5/24"  {:family 4 :ip "10.0.0.5" :prefix 24}
    "FD00::5/64"   {:family 6 :ip "fd00::5" :prefix 64}
    "10.0.0.5/33"  nil
    "fd00::5/129"  nil
    "10.0.0.5/"    nil
    "10.0.0.5/024" nil
    "10.0.0.5"     nil
    "/24"          nil
    24             nil))

(defn- bit-text [os] (str/join (map #(subs (Integer/toBinaryString (+ 256 (long %))) 1) os)))

(defspec networks-are-equal-first-bits 300
  (prop/for-all [a gen-v4, b gen-v4, keep-bits (gen/choose 0 32), prefix (gen/choose 0 32)]
    (let [same (str (subs (bit-text a) 0 keep-bits) (subs (bit-text b) keep-bits))
          b (mapv #(Integer/parseInt (str/join %) 2) (partition 8 same))]
      (and (= (address/same-network? (address/text a) (address/text b) prefix)
              (= (subs (bit-text a) 0 prefix) (subs (bit-text b) 0 prefix)))
           (= (bit-text (address/octets (first (str/split (address/network (address/text a) prefix) #"/"))))
              (str (subs (bit-text a) 0 prefix) (str/join (repeat (- 32 prefix) "0"))))))))

(deftest addresses-no-link-can-have
  (are [ip prefix fault] (= fault (some? (address/host-fault ip prefix)))
    "10.0.0.5" 24 false, "10.0.0.0" 24 true, "10.0.0.255" 24 true, "10.0.0.0" 31 false, "10.0.0.1" 31 false
    "10.0.0.5" 32 false, "127.0.0.1" 8 true, "224.0.0.1" 24 true, "255.255.255.255" 32 true, "0.0.0.0" 32 true
    "169.254.3.4" 16 false, "10.0.0.5" 0 true
    "fd00::5" 64 false, "fd00::" 64 true, "fd00::" 127 false, "fd00::" 128 false, "::1" 128 true, "ff02::1" 64 true
    "fe80::5" 64 false, "::ffff:10.0.0.5" 96 true, "::" 128 true))

(deftest families
  (is (= 4 (address/family "10.0.0.1")))
  (is (= 6 (address/family "::1")))
  (is (nil? (address/family "eth0"))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-record-test
  "Names and records of multicast DNS, against bytes written by hand."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check :as tc]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(defn- hex [s] (apply str (map #(format "%02x" (int %)) s)))

(deftest names-and-their-bytes
  (are [text bytes] (= bytes (hex (mdns-name/of-text text)))
    "local"            "056c6f63616c00"
    "local."           "056c6f63616c00"
    "wiki.local"       "0477696b69056c6f63616c00"
    "Wiki.local"       "0457696b69056c6f63616c00"
    "ü.local"          "02c3bc056c6f63616c00"
    "a\\.b.local"      "03612e62056c6f63616c00"
    "a\\\\.local"      "02615c056c6f63616c00")
  (are [text] (nil? (mdns-name/of-text text))
    "" "." "a..b" ".a" "a\\" (str/join (repeat 64 "x")) (str/join "." (repeat 52 "four")))
  (is (= 256 (count (mdns-name/of-labels (concat (repeat 3 (str/join (repeat 63 "x"))) [(str/join (repeat 62 "y"))])))))
  (is (nil? (mdns-name/of-labels (repeat 4 (str/join (repeat 63 "x"))))))
  (is (= "." (mdns-name/text mdns-name/root)))
  (is (= ["a.b" "local"] (mdns-name/labels (mdns-name/of-text "a\\.b.local"))))
  (is (= "a\ufffd" (first (mdns-name/labels "\u0002a\u00ff\u0000"))) "What is no UTF-8 can be shown."))

(deftest names-and-texts-are-the-same
  (let [label (gen/such-that #(<= 1 (alength (.getBytes ^String % "UTF-8")) 63)
                             (gen/fmap str/join (gen/vector (gen/elements [\a \Z \- \_ \space \. \\ \" \ü \語 \u0000 \1]) 1 20)))
        {:keys [pass? seed shrunk]}
        (tc/quick-check 500 (prop/for-all [labels (gen/vector label 1 6)]
                              (let [n (mdns-name/of-labels labels)]
                                (and (= labels (mdns-name/labels n))
                                     (= n (mdns-name/of-text (mdns-name/text n)))
                                     (= (mdns-name/fold n) (mdns-name/fold (mdns-name/fold n)))))))]
    (is pass? (str "seed " seed ": " (:smallest shrunk)))))

(deftest comparing
  (is (= (mdns-name/fold (mdns-name/of-text "WIKI.Local")) (mdns-name/of-text "wiki.local")))
  (is (not= (mdns-name/fold (mdns-name/of-text "Ü.local")) (mdns-name/fold (mdns-name/of-text "ü.local"))) "ASCII only.")
  (let [long-label (str/join (repeat 63 "A"))] ; lengths up to 63 are below the letters
    (is (= 63 (int (first (mdns-name/fold (mdns-name/of-labels [long-label])))))))
  (are [name apex] (mdns-name/below? (mdns-name/of-text name) (mdns-name/of-text apex))
    "a.b.local" "b.LOCAL", "local" "local", "A.Local" "local")
  (are [name apex] (not (mdns-name/below? (mdns-name/of-text name) (mdns-name/of-text apex)))
    "alocal" "local", "local" "a.local", "a.local.b" "local"))

(def ^:private wiki (mdns-name/of-text "wiki.local"))

(deftest data-of-records
  (are [rr type ttl bytes flush?] (= [type ttl bytes flush?] ((juxt :mdns/type :mdns/ttl (comp hex :mdns/rdata) :mdns/flush?) rr))
    (record/address-record wiki "10.0.0.5")                                1 120 "0a000005" true
    (record/address-record wiki "fd00::1")                                28 120 "fd000000000000000000000000000001" true
    (record/ptr-record wiki mdns-name/local 4500 false)                   12 4500 "056c6f63616c00" false
    (record/srv-record wiki 8080 mdns-name/local)                         33 120 "000000001f90056c6f63616c00" true
    (record/txt-record wiki [])                                           16 4500 "00" true
    (record/txt-record wiki ["a=1" "ü"])                                  16 4500 "03613d3102c3bc" true
    ;; RFC 4034, section 4.1.2: types 1 and 28 are bits 1 and 28 of the map
    (record/nsec-record mdns-name/local [1 28] 120)                       47 120 "056c6f63616c00000440000008" true
    (record/nsec-record mdns-name/local [] 120)                           47 120 "056c6f63616c00000100" true)
  (is (= {:srv/priority 0 :srv/weight 0 :srv/port 8080 :srv/target wiki} (record/srv-data (record/srv-record wiki 8080 wiki))))
  (is (nil? (record/srv-data {:mdns/rdata "\u0000\u0000\u0000\u0000\u0000\u0001"})))
  (is (= ["a=1" "ü"] (record/txt-strings (record/txt-record wiki ["a=1" "ü"]))))
  (is (= ["a"] (record/txt-strings {:mdns/rdata "\u0001a\u0005cut"})) "What is cut off is left out.")
  (are [types] (= (set types) (record/nsec-types (record/nsec-record wiki types 120))) [] [1] [1 28 33] [16 33 255])
  (is (nil? (record/nsec-types {:mdns/rdata "\u0004"})))
  (are [ip] (= ip (record/ip (record/address-record wiki ip))) "10.0.0.5" "fd00::1" "fe80::1:2")
  (is (nil? (record/ip {:mdns/type record/a :mdns/rdata "abc"}))))

(deftest reverse-names
  (is (= "5.0.0.10.in-addr.arpa" (mdns-name/text (record/reverse-name "10.0.0.5"))))
  ;; RFC 3596, section 2.5
  (is (= "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
         (mdns-name/text (record/reverse-name "4321:0:1:2:3:4:567:89ab")))))

(deftest what-is-the-same
  (let [same? #(= (record/identity-of %1) (record/identity-of %2))
        upper (mdns-name/of-text "WIKI.local")]
    (testing "whatever TTL, case and cache-flush bit"
      (is (same? (record/address-record wiki "10.0.0.5")
                 (assoc (record/address-record upper "10.0.0.5") :mdns/ttl 1 :mdns/flush? false)))
      (is (same? (record/ptr-record mdns-name/local wiki 120 true) (record/ptr-record mdns-name/local upper 120 true)))
      (is (same? (record/srv-record wiki 80 wiki) (record/srv-record wiki 80 upper))))
    (testing "but not whatever data"
      (is (not (same? (record/address-record wiki "10.0.0.5") (record/address-record wiki "10.0.0.6"))))
      (is (not (same? (record/txt-record wiki ["a"]) (record/txt-record wiki ["A"]))) "A text is not a name.")
      (is (not (same? (record/srv-record wiki 0x41 wiki) (record/srv-record wiki 0x61 wiki))) "Nor is a port."))
    (is (= (record/set-of (record/address-record wiki "10.0.0.5")) (record/set-of (record/address-record upper "10.0.0.6"))))
    (is (not= (record/set-of (record/address-record wiki "10.0.0.5")) (record/set-of (record/address-record wiki "fd00::1"))))
    (is (= 0 (:mdns/ttl (record/goodbye (record/address-record wiki "10.0.0.5")))))))

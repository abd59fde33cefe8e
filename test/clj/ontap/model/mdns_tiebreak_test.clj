;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-tiebreak-test
  "Tie-breaks: the examples of RFC 6762 sections 8.2 and 8.2.1, and what holds of any sets of records."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-tiebreak :as tiebreak]))

(set! *warn-on-reflection* true)

(def ^:private name-of (mdns-name/of-labels ["MyPrinter" "local"]))

(defn- address [ip] (record/address-record name-of ip))

(defn- data [type rdata] (record/record name-of type 120 rdata true))

(deftest the-example-of-the-rfc
  (is (= :wins (tiebreak/verdict [(address "169.254.200.50")] [(address "169.254.99.200")])))
  (is (= :loses (tiebreak/verdict [(address "169.254.99.200")] [(address "169.254.200.50")]))))

(deftest one-against-one
  (doseq [[text ours theirs]
          [["bytes are unsigned"                    (data 16 "\u0080") (data 16 "\u007f")]
           ["data that goes on is later"            (data 16 "abc\u0000") (data 16 "abc")]
           ["a greater type, whatever the data"     (data 33 "\u0000") (data 16 "\u00ff")]
           ["a greater class, whatever the type"    (assoc (data 1 "a") :mdns/class 3) (data 33 "b")]
           ["AAAA is after A"                       (address "fe80::1") (address "255.255.255.255")]]]
    (testing text
      (is (= :wins (tiebreak/verdict [ours] [theirs])))
      (is (= :loses (tiebreak/verdict [theirs] [ours]))))))

(deftest sets-are-sorted-and-compared-in-pairs
  (doseq [[text ours theirs verdict]
          [["order does not matter" [(address "10.0.0.1") (address "10.0.0.9")] [(address "10.0.0.9") (address "10.0.0.1")] :equal]
           ["the first difference decides, not the greatest record"
            [(address "10.0.0.1") (address "10.0.0.200")] [(address "10.0.0.2") (address "10.0.0.3")] :loses]
           ["who has records left over wins" [(address "10.0.0.1") (address "fe80::1")] [(address "10.0.0.1")] :wins]
           ["TXT comes before SRV" [(data 33 "z") (data 16 "a")] [(data 33 "a") (data 16 "b")] :loses]
           ["the cache-flush bit and the TTL do not count"
            [(address "10.0.0.1")] [(assoc (address "10.0.0.1") :mdns/flush? false :mdns/ttl 5)] :equal]
           ["nor what is said twice" [(address "10.0.0.1") (address "10.0.0.1")] [(address "10.0.0.1")] :equal]
           ["nothing against nothing" [] [] :equal]]]
    (testing text (is (= verdict (tiebreak/verdict ours theirs))))))

;; --- any sets

(def ^:private gen-record
  "Few possibilities, so that sets are equal, and begin the same, often."
  (gen/let [class (gen/elements [1 1 1 3 255])
            type (gen/elements [1 16 28 33 65280])
            bytes (gen/vector (gen/elements [0 1 0x7f 0x80 0xff]) 0 3)
            ttl (gen/elements [0 120 4500])
            flush? gen/boolean]
    {:mdns/name name-of :mdns/class class :mdns/type type :mdns/ttl ttl :mdns/rdata (apply str (map char bytes)) :mdns/flush? flush?}))

(def ^:private gen-set (gen/vector gen-record 0 4))

(def ^:private opposite {:wins :loses, :loses :wins, :equal :equal})

(defn- said [records] (into #{} (map (juxt :mdns/class :mdns/type :mdns/rdata)) records))

(defn- holds [property]
  (let [result (check/quick-check 2000 property)]
    (is (:pass? result) (pr-str (select-keys result [:seed :shrunk])))))

(deftest it-is-total-and-symmetric
  (holds (prop/for-all [a gen-set, b gen-set]
           (and (= (tiebreak/verdict a b) (opposite (tiebreak/verdict b a)))
                (= (= :equal (tiebreak/verdict a b)) (= (said a) (said b)))))))

(deftest it-is-an-order
  (holds (prop/for-all [a gen-set, b gen-set, c gen-set]
           (let [after? #(contains? #{:wins :equal} (tiebreak/verdict %1 %2))]
             (or (not (and (after? a b) (after? b c))) (after? a c))))))

(deftest it-does-not-depend-on-how-the-records-are-put
  (holds (prop/for-all [[a shuffled] (gen/let [a gen-set, s (gen/shuffle a)] [a s]), b gen-set]
           (= (tiebreak/verdict a b) (tiebreak/verdict shuffled b)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-catalog-test
  "Lines 16, 18, 19, 20 and the words on DNSSEC of the checklist, for records that no host of ours has
  today: `ontap.model.mdns-answer` over a catalog made by hand."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-name :as mdns-name]))

(set! *warn-on-reflection* true)

(defn- catalog [owned records]
  {:catalog/records (group-by #(mdns-name/fold (:mdns/name %)) records)
   :catalog/owned   (into #{} (map #(mdns-name/fold (peer/name-of %))) owned)})

(defn- answers
  "The messages by which a machine with `catalog` answers a question within 2 s."
  [catalog question]
  (let [packet {:event/type :packet :packet/message (peer/query [question]) :packet/ip "10.0.0.9" :packet/port 5353
                :packet/family :ipv4 :packet/multicast? true :packet/on-link? true :packet/own? false}
        now    100000
        [a effects] (mdns-answer/asked (mdns-answer/answering) catalog packet now 7)]
    (loop [a a, effects effects]
      (let [at (mdns-answer/due a)]
        (if (and at (<= (long at) (+ now 2000)))
          (let [[a more] (mdns-answer/time a catalog at)] (recur a (into (vec effects) more)))
          (mapv #(hash-map :at now :kind :response :to (:send/to %) :message (:send/message %)) (filter :send/message effects)))))))

(defn- said [catalog question] (peer/facts (answers catalog question) :answers))
(defn- added [catalog question] (peer/facts (answers catalog question) :additionals))

(deftest line-18-an-alias
  (let [c (catalog ["www.local" "web.local"]
                   [(peer/record ["www.local" :cname "web.local"]) (peer/record ["web.local" :a "10.0.0.5"])])]
    (testing "CNAME answers a question for any type (6)"
      (doseq [type [:a :aaaa :txt :cname :any]]
        (is (contains? (said c ["www.local" type]) ["www.local" :cname "web.local"]) (str type))))
    (is (not-any? #(= "www.local" (first %)) (said c ["web.local" :cname])))
    (testing "nothing is denied that the alias may have (RFC 2308 2.1)"
      (is (not-any? #(and (= "www.local" (first %)) (= :nsec (second %))) (said c ["www.local" :aaaa]))))))

(deftest line-20-types-above-255
  (let [big ["web.local" 65280 "data"]
        a   ["web.local" :a "10.0.0.5"]
        c   (catalog ["web.local"] [(peer/record a) (peer/record big)])
        nsec? #(= :nsec (second %))]
    (testing "no restricted NSEC for such a name: it would say that there is no type 65280 (6.1)"
      (doseq [type [:aaaa :txt 300]
              s    (answers c ["web.local" type])
              r    (peer/records s)
              :when (= 47 (:mdns/type r))
              :let [data (subs (:mdns/rdata r) (count (:mdns/name r)))]]
        ;; (b) of 6.1: a full one, whose last block is that of the type
        (is (= [255 1 0x80] (map int (take-last 3 data))) (str "6.1 " type)))
      (is (not-any? nsec? (filter #(= #{:a} (nth % 2)) (added c ["web.local" :a])))))
    (is (= #{big} (into #{} (remove nsec?) (said c ["web.local" 65280]))))
    (is (= #{a big} (into #{} (remove nsec?) (said c ["web.local" :any]))) "6.5")))

(deftest signatures-are-records
  (let [rrsig ["web.local" :rrsig "\u0000\u0001signature"]
        key   ["web.local" 48 "\u0001\u0001\u0003\u000dkey"]
        a     ["web.local" :a "10.0.0.5"]
        c     (catalog ["web.local"] [(peer/record a) (peer/record rrsig) (peer/record key)])]
    (testing "they are told when asked for, with the bit, and the NSEC knows them (6.1, 21)"
      (is (= #{rrsig} (said c ["web.local" :rrsig])))
      (is (= #{key} (said c ["web.local" 48])))
      (is (= #{a rrsig key} (said c ["web.local" :any])) "6.5: all of them")
      (is (= #{["web.local" :nsec #{:a :rrsig 48}]} (said c ["web.local" :aaaa])))
      (is (every? :mdns/flush? (mapcat peer/records (answers c ["web.local" :any]))) "10.2"))))

(deftest line-6-5-all-of-them
  (testing "however many there are, shared and unique (6.5)"
    (let [ptrs (for [i (range 300)] ["_http._tcp.local" :ptr (str "i" i "._http._tcp.local")])
          c    (catalog [] (map peer/record ptrs))]
      (is (= (set ptrs) (said c ["_http._tcp.local" :any])))
      (is (= (set ptrs) (said c ["_http._tcp.local" :ptr 255]))))))

(deftest line-3-no-authority
  (let [c (catalog ["web.local"] [(peer/record ["web.local" :a "10.0.0.5"])])]
    (doseq [{{:message/keys [authoritative? rcode truncated? questions authorities]} :message} (answers c ["web.local" :any])]
      (is authoritative? "18.4")
      (is (= 0 (or rcode 0)) "18.11")
      (is (not truncated?) "18.5")
      (is (empty? questions) "6")
      (is (empty? authorities)))))

(deftest owned-or-not
  (testing "only what is exclusively ours is denied (6.1)"
    (let [records [(peer/record ["web.local" :a "10.0.0.5"])]]
      (is (= #{["web.local" :nsec #{:a}]} (said (catalog ["web.local"] records) ["web.local" :txt])))
      (is (= #{} (said (catalog [] records) ["web.local" :txt])))
      (is (= [] (answers (catalog [] []) ["web.local" :txt]))))))


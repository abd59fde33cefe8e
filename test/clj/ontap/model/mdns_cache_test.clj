;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-cache-test
  "What was heard on a link, and how long that counts: RFC 6762 sections 10, 10.1, 10.2, 10.4 and 10.5."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-cache :as cache]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private a ["web.local" :a "10.0.0.9"])
(def ^:private b ["web.local" :a "10.0.0.10"])
(def ^:private six ["web.local" :aaaa "fd00::9"])

(defn- n [text] (peer/name-of text))

(defn- hear
  "`cache` after facts that were heard at `now`."
  [cache now & facts]
  (cache/heard cache (map peer/record facts) now))

(defn- told
  "The facts that are known at `now`."
  [cache now]
  (into #{} (map (comp peer/fact :cache/record val)) (cache/alive cache now)))

(def ^:private one (hear cache/empty-cache 0 a))

(deftest how-long-it-counts
  (are [now facts] (= facts (told one now))
    0      #{a}
    119999 #{a}
    120000 #{})
  (is (= #{a} (told (hear one 100000 a) 219999)) "Heard again.")
  (is (= 120000 (cache/due one)))
  (is (nil? (cache/due cache/empty-cache)))
  (is (= 20000 (cache/left-ms (val (first one)) 100000))))

(deftest goodbyes
  (let [bye (cache/heard one [(peer/record a :ttl 0)] 5000)]
    (is (= [#{a} #{}] [(told bye 5999) (told bye 6000)]))
    (is (= #{a} (told (hear bye 5500 a) 60000)) "Somebody has it still."))
  (is (= {} (cache/heard cache/empty-cache [(peer/record a :ttl 0)] 0)) "Of what was never there."))

(deftest the-cache-flush-bit
  (are [at fact now facts] (= facts (told (hear one at fact) now))
    1001 b 2000 #{a b}
    1001 b 2001 #{b}
    1000 b 5000 #{a b}
    5000 six 7000 #{a six}
    5000 ["x.local" :a "10.0.0.1"] 7000 #{a ["x.local" :a "10.0.0.1"]})
  (is (= #{a b} (told (cache/heard one [(peer/record b :flush? false)] 5000) 60000)))
  (is (= #{b six} (told (hear one 5000 b six) 60000)))
  (is (= #{["WEB.local" :a "10.0.0.9"]} (told (hear one 5000 ["WEB.local" :a "10.0.0.9"]) 60000)) "Whatever the case, it is the same.")
  (is (= #{a b} (told (hear one 5000 a b) 60000)) "A set that is said as a whole stays whole."))

(deftest other-classes-are-none-of-it
  (is (= {} (cache/heard cache/empty-cache [(peer/record a :class 3)] 0))))

(deftest doubts
  (are [type now facts] (= facts (told (cache/doubted (hear one 0 six) [(n "web.local") type] 15000) now))
    record/a 14999 #{a six}
    record/a 15000 #{six}
    record/any 15000 #{})
  (is (= #{a} (told (hear (cache/doubted one [(n "web.local") record/a] 15000) 12000 a) 20000))))

(deftest questions-that-nobody-answers
  (let [q [(n "web.local") record/a], id (record/identity-of (peer/record a))
        asked (fn [cache known & times] (reduce #(cache/unanswered %1 q known %2) cache times))]
    (is (= #{a} (told (asked one #{} 5000) 60000)) "One may be lost.")
    (is (= [#{a} #{}] (map #(told (asked one #{} 5000 7000) %) [16999 17000])))
    (is (= #{a} (told (asked one #{id} 5000 7000 9000) 60000)) "Who knows it gets no answer.")
    (is (= #{a} (told (asked (hear (asked one #{} 5000) 6000 a) #{} 7000) 60000)))
    (is (= #{six} (told (asked (hear cache/empty-cache 0 six) #{} 5000 7000) 60000)))))

(deftest looking-things-up
  (let [c (hear one 0 b six)]
    (is (= [a b] (map peer/fact (cache/of c (n "web.local") record/a))) "Sorted.")
    (is (= 3 (count (cache/of c (n "web.local") nil))))
    (is (= [] (cache/of c (n "x.local") nil)))
    (is (= {[(n "web.local") record/a] [a b], [(n "web.local") record/aaaa] [six]}
           (update-vals (cache/index c) #(mapv peer/fact %)))))
  (testing "what somebody says that he has not"
    (let [i (cache/index (hear one 0 ["web.local" :nsec #{:a}]))]
      (is (cache/denied? i (n "web.local") record/aaaa))
      (is (not (cache/denied? i (n "web.local") record/a)))
      (is (not (cache/denied? i (n "x.local") record/aaaa))))))

(deftest it-is-bounded
  (let [short-lived (fn [i] (peer/record [(str "h" i ".local") :a "10.0.0.1"] :ttl 10))
        c (reduce (fn [c is] (cache/heard c (map short-lived is) 1)) one (partition-all 300 (range 3000)))]
    (is (= cache/most (count c)))
    (is (= #{a} (into #{} (map peer/fact) (cache/of c (n "web.local") nil))) "What ends soonest goes first.")))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-querier-test
  "What a querier does beyond RFC 6762's rules for when it asks (`ontap.model.mdns-asking-test`): answers that came along before
  they were asked for, denials, doubts, and a machine on which others have port 5353, too."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-querier :as querier]))

(set! *warn-on-reflection* true)

(def ^:private ptr ["_http._tcp.local" :ptr "web._http._tcp.local"])
(def ^:private srv ["web._http._tcp.local" :srv [80 "web.local"]])
(def ^:private a ["web.local" :a "10.0.0.9"])

(defn- ask [w & questions]
  (peer/give w {:event/type :ask :ask/questions (into #{} (map (fn [[n t]] [(peer/name-of n) (peer/type-of t)])) questions)}))

(defn- world
  ([seed] (world seed true))
  ([seed alone?] (-> (peer/world-of (querier/querier alone?) querier/step querier/due seed) (peer/link :ipv4) (peer/later 60000))))

(defn- queries [before after] (peer/of (peer/after before after) :kind :query :family :ipv4))

(defn- asks
  "[ms name] of each question between two states of a world, ms since the first."
  [before after]
  (for [s (queries before after), name (peer/asked s)] [(- (long (:at s)) (long (:now before))) name]))

(deftest what-came-along-is-not-asked-for
  (doseq [seed (range 10)]
    (let [w     (-> (world seed) (ask ["_http._tcp.local" :ptr]) (peer/later 300)
                    (peer/hear (peer/response [(peer/record ptr)] :more [(peer/record srv)]))
                    (peer/later 30000))
          asked (ask w ["_http._tcp.local" :ptr] ["web._http._tcp.local" :srv] ["web.local" :a])
          of    (fn [name ms] (map first (filter #(= name (second %)) (asks asked (peer/later asked ms)))))]
      (testing "but again before it ends, counted from when it came"
        (is (= [] (of "web._http._tcp.local" 60000)))
        (let [[first-ms & more] (of "web._http._tcp.local" 89000)]
          (is (<= 66000 (long first-ms) 68400))
          (is (= 3 (count more)))))
      (testing "what is not known is, soon"
        (is (<= 20 (long (first (of "web.local" 200))) 120))))))

(deftest what-nearly-ends-is-asked-for-in-what-is-left
  (let [w     (-> (world 1) (ask ["x.local" :a]) (peer/later 300) (peer/hear (peer/response [(peer/record a)])) (peer/later 111000))
        asked (ask w ["web.local" :a])]
    (is (= 1 (count (asks asked (peer/later asked 8000)))))
    (is (seq (asks asked (peer/later asked 9300))) "and when it is over, as anything that is not known.")))

(deftest a-denial-is-an-answer
  (let [w      (-> (world 1) (ask ["web.local" :a] ["web.local" :aaaa]) (peer/later 300))
        denied (peer/hear w (peer/response [(peer/record a)] :more [(peer/record ["web.local" :nsec #{:a}])]))]
    (is (= [] (asks denied (peer/later denied 90000))))
    (is (contains? (set (map second (asks denied (peer/later denied 121000)))) "web.local") "It ends as others do.")
    (testing "of others it says nothing"
      (let [denied (peer/hear w (peer/response [(peer/record ["x.local" :nsec #{:a}])]))]
        (is (seq (asks denied (peer/later denied 5000))))))))

(deftest doubts
  (let [w (-> (world 1) (ask ["web.local" :a]) (peer/later 300) (peer/hear (peer/response [(peer/record a)])) (peer/later 10000))
        doubted (peer/give w {:event/type :doubt :ask/questions #{[(peer/name-of "web.local") 1]}})
        known   (fn [w] (count (querier/heard (:state w) (+ (long peer/began) (long (:now w))))))]
    (is (= [0 1000] (take 2 (map first (asks doubted (peer/later doubted 5000))))) "Asked at once, and again.")
    (is (= [1 0] (map #(known (peer/later doubted %)) [9900 10100])))
    (is (= 1 (known (-> doubted (peer/later 500) (peer/hear (peer/response [(peer/record a)])) (peer/later 20000)))))))

(deftest beside-another-program-on-the-port
  (let [unicast? (fn [s] (boolean (some :mdns/unicast? (:message/questions (:message s)))))
        firsts   (fn [alone?] (let [w (ask (world 1 alone?) ["web.local" :a])] (map unicast? (queries w (peer/later w 4000)))))]
    (is (= [true false false] (firsts true)))
    (is (= [false false false] (firsts false)) "A unicast answer might be the other's to hear.")
    (testing "nor where what is sent to us comes in elsewhere"
      (let [w (-> (world 1) (peer/give {:event/type :link :link/families #{:ipv4} :link/unicast? false}) (ask ["web.local" :a]))]
        (is (= [false false false] (map unicast? (queries w (peer/later w 4000)))))))))

(deftest a-link-that-comes-back
  (let [w    (-> (world 1) (ask ["web.local" :a]) (peer/later 4000) (peer/link) (peer/later 1000))
        back (peer/link w :ipv4)]
    (is (= [true false] (map (fn [s] (boolean (some :mdns/unicast? (:message/questions (:message s))))) (queries back (peer/later back 1500)))))))

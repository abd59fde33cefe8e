;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-asking-test
  "Who asks, and what is believed: RFC 6762 sections 5.2 to 5.4, 6, 7.1, 7.3, 10 and 11 (line 31 of the
  checklist), of `ontap.model.mdns-querier`."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns-cache :as mdns-cache]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-querier :as mdns-querier]))

(set! *warn-on-reflection* true)

(def ^:private a-fact ["web.local" :a "10.0.0.9"])
(def ^:private ptr-fact ["_http._tcp.local" :ptr "web._http._tcp.local"])

(defn- ask [w & questions]
  (peer/give w {:event/type :ask
                :ask/questions (into #{} (map (fn [[n t]] [(mdns-name/fold (peer/name-of n)) (peer/type-of t)])) questions)}))

(defn- asking
  "A world whose link has been up for a while, in which these questions are asked now."
  [seed & questions]
  (let [w (-> (peer/world-of (mdns-querier/querier) mdns-querier/step mdns-querier/due seed) (peer/link :ipv4 :ipv6) (peer/later 60000))]
    (apply ask w questions)))

(defn- known
  "The facts that are known of a name now."
  [w [name type]]
  (into #{} (map peer/fact) (mdns-cache/of (mdns-querier/heard (:state w) (+ (long peer/began) (long (:now w))))
                                           (mdns-name/fold (peer/name-of name)) (when type (peer/type-of type)))))

(defn- queries [sendings] (peer/of sendings :kind :query :family :ipv4))
(defn- hear-fact [w fact & opts] (apply peer/hear w (peer/response [(peer/record fact)]) opts))
(defn- unicast? [s] (boolean (some :mdns/unicast? (:message/questions (:message s)))))

(deftest line-31-when-it-asks
  (let [firsts (doall (for [seed (range 60)
                            :let [w    (asking seed ["web.local" :a])
                                  ts   (peer/times (queries (peer/after w (peer/later w 1000))))]]
                        (- (long (first ts)) (long (:now w)))))]
    (is (every? #(<= 20 (long %) 120) firsts) "5.2")
    (is (and (< (long (apply min firsts)) 40) (< 100 (long (apply max firsts)))) "5.2: random"))
  (let [w    (asking 1 ["web.local" :a])
        end  (peer/later w (* 24 3600 1000))
        sent (queries (peer/after w end))
        gaps (peer/gaps (peer/times sent))]
    (testing "intervals: a second at least, then twice as long, an hour at most (5.2)"
      (is (<= 1000 (long (first gaps))))
      (is (every? true? (map (fn [x y] (or (<= (* 2 (long x)) (long y)) (<= 3600000 (long y)))) gaps (rest gaps))) (str gaps))
      (is (< 20 (count gaps)) "It goes on.")
      (is (<= 3600000 (long (last gaps)) 3700000)))
    (testing "what a query is (5.2, 18)"
      (is (= [] (rules/faults (peer/after w end))))
      (is (= ["web.local"] (distinct (mapcat peer/asked sent))))
      (is (= (peer/times sent) (peer/times (peer/of (peer/after w end) :family :ipv6))) "on both families (20)"))
    (testing "a unicast answer is wanted in no query but the first (5.4)"
      (is (not-any? unicast? (rest sent))))
    (testing "nor in that of a question that comes up later (5.4)"
      (let [more (ask end ["web.local" :a] ["x.local" :a])]
        (is (not-any? #(and (unicast? %) (some #{"x.local"} (peer/asked %))) (queries (peer/after more (peer/later more 200))))))))
  (testing "several questions, one message (5.3)"
    (let [w (asking 1 ["web.local" :a] ["web.local" :aaaa] ["_http._tcp.local" :ptr])]
      (is (= [3] (distinct (map (comp count peer/asked) (queries (peer/after w (peer/later w 200)))))))))
  (testing "nobody wants to know: no question (5.2)"
    (let [w (-> (asking 1 ["web.local" :a]) (peer/later 500) (ask))]
      (is (= [] (peer/after w (peer/later w 10000000)))))
    (let [w (-> (asking 1 ["web.local" :a]) (peer/later 500) (hear-fact a-fact) (ask))]
      (is (= [] (peer/after w (peer/later w 10000000))) "MUST NOT refresh without interest")))
  (testing "no family, no question; a link that comes back is asked anew"
    (let [w (-> (asking 1 ["web.local" :a]) (peer/later 500) (peer/link))
          up (peer/link (peer/later w 100000) :ipv4 :ipv6)]
      (is (= [] (peer/after w (peer/later w 100000))))
      (is (seq (queries (peer/after up (peer/later up 200))))))))

(deftest line-31-refreshing
  (doseq [seed (range 20)
          :let [w     (-> (asking seed ["web.local" :a]) (peer/later 500) (hear-fact a-fact))
                at    (long (:now w))
                end   (peer/later w 119999)
                asks  (mapv #(- (long %) at) (peer/times (queries (peer/after w end))))]]
    (testing (str "seed " seed)
      (is (= 4 (count asks)) (str "5.2: a unique answer ends the series: " asks))
      (is (every? true? (map (fn [a [from to]] (<= (long from) (long a) (long to)))
                             asks [[96000 98400] [102000 104400] [108000 110400] [114000 116400]])) (str "5.2 " asks))
      (is (not-any? unicast? (queries (peer/after w end))) "5.4")
      (is (= #{a-fact} (known end a-fact)))
      (is (= #{} (known (peer/later w 120001) a-fact)) "5.2: it ends with its TTL")))
  (testing "answered, its life begins again (5.2)"
    (let [w  (-> (asking 3 ["web.local" :a]) (peer/later 500) (hear-fact a-fact) (peer/later 99000) (hear-fact a-fact))
          at (long (:now w))
          asks (mapv #(- (long %) at) (peer/times (queries (peer/after w (peer/later w 100000)))))]
      (is (<= 96000 (long (first asks)) 98400) (str asks))
      (is (= #{a-fact} (known (peer/later w 100000) a-fact)))))
  (testing "shared ones: the series goes on, others may come (5.2)"
    (let [w (-> (asking 3 ["_http._tcp.local" :ptr]) (peer/later 300) (hear-fact ptr-fact))]
      (is (< 2 (count (queries (peer/after w (peer/later w 30000)))))))))

(deftest line-31-known-answers
  (let [w (-> (asking 1 ["_http._tcp.local" :ptr]) (peer/later 300) (hear-fact ptr-fact))]
    (testing "what is known is said, with what is left of its TTL, without the bit (7.1, 10.2)"
      (let [s (first (queries (peer/after w (peer/later w 5000))))
            r (first (peer/records s :answers))]
        (is (= ptr-fact (some-> r peer/fact)))
        (is (<= 4494 (long (:mdns/ttl r)) 4500))
        (is (not (:mdns/flush? r)))))
    (testing "not when less than half is left (7.1)"
      (doseq [s (queries (peer/after w (peer/later w 4499000)))
              r (peer/records s :answers)
              :let [age (/ (- (long (:at s)) (long (:now w))) 1000.0)]]
        (is (<= age 2251) "7.1")
        (is (<= (abs (- 4500.0 age (long (:mdns/ttl r)))) 1.01) "7.1: what is left")))
    (testing "not what nobody asks for"
      (let [w (hear-fact w a-fact)]
        (is (not-any? #(= a-fact (peer/fact %)) (mapcat peer/records (queries (peer/after w (peer/later w 20000))))))))))

(deftest line-31-what-is-believed
  (let [w (-> (asking 1 ["web.local" :a]) (peer/later 10000))]
    (testing "by multicast, asked for or not, from anywhere on the link (18.1, 11)"
      (is (= #{a-fact} (known (hear-fact w a-fact) a-fact)))
      (is (= #{a-fact} (known (hear-fact w a-fact :ip "192.0.2.1" :on-link? false) a-fact)))
      (is (= #{a-fact} (known (peer/hear w (peer/response [(peer/record a-fact)] :id 99 :questions [["x.local" :a]])) a-fact)))
      (is (= #{a-fact} (known (peer/hear w (peer/response [(peer/record ["x.local" :a "10.0.0.1"])] :more [(peer/record a-fact)])) a-fact)))
      (is (= 1 (count (known (hear-fact w ["WEB.Local" :a "10.0.0.9"]) a-fact))) "16: whatever its case")
      (is (= 1 (count (known (hear-fact (hear-fact w ["WEB.Local" :a "10.0.0.9"]) a-fact) a-fact))) "16"))
    (testing "what is not"
      (doseq [[why opts message]
              [["another port (6)"          [:port 5354] (peer/response [(peer/record a-fact)])]
               ["OPCODE (18.3)"             [] (peer/response [(peer/record a-fact)] :opcode 4)]
               ["RCODE (18.11)"             [] (peer/response [(peer/record a-fact)] :rcode 3)]
               ["by unicast, unasked (6)"   [:multicast? false] (peer/response [(peer/record a-fact)])]
               ["by unicast, off-link (11)" [:multicast? false :on-link? false :ip "192.0.2.1"] (peer/response [(peer/record a-fact)])]
               ["a query's known answers (7.1)" [] (peer/query [["web.local" :a]] :known [(peer/record a-fact :flush? false)])]
               ["a probe's proposals (8.2)" [] (peer/probe [a-fact])]]]
        (is (= #{} (known (apply peer/hear w message opts) a-fact)) why)))
    (testing "by unicast within two seconds of a query that wanted it (6, 5.4)"
      (let [w     (asking 1 ["web.local" :a])
            asked (peer/later w 120)
            qu?   (some unicast? (queries (peer/after w asked)))]
        (when qu?
          (is (= #{a-fact} (known (hear-fact asked a-fact :multicast? false) a-fact)))
          (is (= #{} (known (hear-fact (peer/later asked 2500) a-fact :multicast? false) a-fact)))
          (is (= #{} (known (hear-fact asked a-fact :multicast? false :on-link? false :ip "192.0.2.1") a-fact)) "11"))))))

(deftest line-31-what-ends
  (let [w     (-> (asking 1 ["web.local" :a]) (peer/later 5000) (hear-fact a-fact))
        other ["web.local" :a "10.0.0.10"]
        after (fn [w ms] (known (peer/later w ms) a-fact))]
    (testing "goodbye: one second more (10.1)"
      (let [bye (peer/hear (peer/later w 3000) (peer/response [(peer/record a-fact :ttl 0)]))]
        (is (= [#{a-fact} #{a-fact} #{}] (mapv #(after bye %) [0 990 1010])))
        (is (= #{a-fact} (after (hear-fact (peer/later bye 500) a-fact) 5000)) "10.1: rescued")))
    (testing "of what is not known it is no news"
      (is (= #{} (known (peer/hear (asking 1 ["web.local" :a]) (peer/response [(peer/record a-fact :ttl 0)])) other))))
    (testing "the cache-flush bit: what is older than a second has one more (10.2)"
      (let [new (hear-fact (peer/later w 3000) other)]
        (is (= [#{a-fact other} #{other}] [(after new 990) (after new 1010)]))))
    (testing "not what came within the last second (10.2)"
      (is (= #{a-fact other} (after (hear-fact (peer/later w 900) other) 5000))))
    (testing "not without the bit, of another type or of another name (10.2)"
      (is (= #{a-fact other} (after (peer/hear (peer/later w 3000) (peer/response [(peer/record other :flush? false)])) 5000)))
      (is (= #{a-fact} (after (hear-fact (peer/later w 3000) ["web.local" :aaaa "fd00::9"]) 5000)))
      (is (= #{a-fact} (after (hear-fact (peer/later w 3000) ["x.local" :a "10.0.0.9"]) 5000))))))

(deftest line-31-duplicate-questions
  (testing "somebody else asks just that, and knows no more: taken as asked (7.3)"
    (let [w      (asking 1 ["web.local" :a])
          heard  (peer/hear w (peer/query [["web.local" :a]]))]
      (is (= [] (queries (peer/after heard (peer/later heard 900)))))))
  (testing "not when its answers would come by unicast, or it knows what we do not (7.3)"
    (doseq [q [(peer/query [["web.local" :a :qu]]) (peer/query [["web.local" :aaaa]])
               (peer/query [["web.local" :a]] :known [(peer/record a-fact :flush? false)])]]
      (let [heard (peer/hear (asking 1 ["web.local" :a]) q)]
        (is (seq (queries (peer/after heard (peer/later heard 130)))))))))

(deftest line-31-failures-of-others
  (testing "two questions of others, and no answer within ten seconds: it is gone (10.5)"
    (let [w   (-> (asking 1 ["web.local" :a]) (peer/later 5000) (hear-fact a-fact) (peer/later 5000))
          q   (peer/query [["web.local" :a]])
          two (-> w (peer/hear q) (peer/later 1000) (peer/hear q))]
      (is (= #{} (known (peer/later two 10500) a-fact)))
      (testing "one is too few; an answer keeps it"
        (is (= #{a-fact} (known (peer/later (peer/hear w q) 10500) a-fact)))
        (is (= #{a-fact} (known (-> two (peer/later 100) (hear-fact a-fact) (peer/later 10500)) a-fact)))))))

(deftest line-31-a-failure-of-ours
  (let [w     (-> (asking 1 ["web.local" :a]) (peer/later 5000) (hear-fact a-fact) (peer/later 5000))
        doubt (peer/give w {:event/type :doubt :ask/questions #{[(mdns-name/fold (peer/name-of "web.local")) 1]}})
        end   (peer/later doubt 10500)]
    (testing "what did not serve is asked for twice or more, and is gone when nobody answers within ten seconds (10.4)"
      (is (<= 2 (count (queries (peer/after w (peer/later doubt 10000))))))
      (is (= [] (rules/faults (peer/after w end))))
      (is (= #{a-fact} (known (peer/later doubt 9000) a-fact)))
      (is (= #{} (known end a-fact))))
    (testing "an answer keeps it"
      (is (= #{a-fact} (known (-> doubt (peer/later 1000) (hear-fact a-fact) (peer/later 10000)) a-fact))))))

(deftest line-31-a-flood
  (testing "the cache is bounded, and what is wanted can still be learned"
    (let [w (reduce (fn [w is] (peer/hear w (peer/response (for [i is] (peer/record [(str "h" i ".local") :a "10.0.0.1"])))))
                    (asking 1 ["web.local" :a]) (partition-all 500 (range (+ 500 (long mdns-cache/most)))))]
      (is (<= (count (mdns-querier/heard (:state w) (+ (long peer/began) (long (:now w))))) (long mdns-cache/most)))
      (is (= #{a-fact} (known (hear-fact w a-fact) a-fact))))))

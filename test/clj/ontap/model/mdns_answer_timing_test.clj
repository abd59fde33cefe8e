;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-timing-test
  "When a responder of multicast DNS answers and to whom, and when it is silent (RFC 6762 sections 5.4, 6, 6.3, 6.4, 6.6, 7)."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-answer-world :as w]
            [ontap.model.mdns-record :as record]))

(def ^:private a? (w/query (w/question "web.local" record/a)))
(def ^:private four? (w/query (w/question "four.local" record/a)))
(def ^:private http? (w/query (w/question "_http._tcp.local" record/ptr)))
(def ^:private sub? (w/query (w/question "_printer._sub._http._tcp.local" record/ptr)))
(def ^:private types? (w/query (w/question "_services._dns-sd._udp.local" record/ptr)))
(def ^:private other "10.0.0.8")

(defn- qu [packet] (update-in packet [:packet/message :message/questions] (fn [qs] (mapv #(assoc % :mdns/unicast? true) qs))))
(defn- short-seen [events] (mapv (fn [e] [(:at e) (let [to (:send/to e)] (if (map? to) (:ip to) to)) (w/answers e)]) (:sent (w/run events))))
(defn- times
  "When something is sent, with each of 200 seeds."
  [& events]
  (mapcat (fn [seed] (map :at (:sent (w/run events :seed (* 7919 seed))))) (range 200)))

(deftest line-16-delays
  (testing "section 6: who alone can answer does so at once"
    (are [packet] (= #{1000} (set (times [1000 packet])))
      a? four?
      (w/query (w/question "web.local" record/any))
      (w/query (w/question "four.local" record/aaaa))
      (w/query (w/question "web._http._tcp.local" record/txt))
      (w/query (w/question "5.0.0.10.in-addr.arpa" record/ptr))))
  (testing "20 to 120 ms among others, or for several questions (6.3), each time of it by chance"
    (doseq [packet [http? types? (w/query (w/question "web.local" record/a) (w/question "four.local" record/a))
                    (w/query (w/question "web.local" record/a) (w/question "nobody.local" record/a))]]
      (let [ts (times [1000 packet])]
        (is (= 200 (count ts)))
        (is (<= 1020 (apply min ts) 1025))
        (is (<= 1115 (apply max ts) 1120))
        (is (< 60 (count (set ts)))))))
  (testing "400 to 500 ms with TC"
    (doseq [packet [http? a?]]
      (let [ts (times [1000 (w/tc packet)])]
        (is (<= 1400 (apply min ts) 1405))
        (is (<= 1495 (apply max ts) 1500)))))
  (testing "each further packet with TC puts it off (7.2), one without does not; nor do those of others"
    (let [ts (times [1000 (w/tc http?)] [1399 (w/tc (w/query))] [1790 (w/tc (w/query))])]
      (is (<= 2190 (apply min ts)))
      (is (>= 2290 (apply max ts))))
    (is (<= 1400 (apply min (times [1000 (w/tc http?)] [1399 (w/query)])) (apply max (times [1000 (w/tc http?)] [1399 (w/query)])) 1500))
    (is (>= 1500 (apply max (times [1000 (w/tc http?)] [1399 (w/tc (w/from (w/query) other))])))))
  (testing "but not for somebody else who asks"
    (is (>= 1320 (apply max (times [1000 (w/tc http?)] [1200 (w/from http? other)] [1210 (w/tc (w/query))]))))))

(deftest aggregation
  (testing "6.4: what comes a little later goes along, and the first waits 500 ms more at most"
    (doseq [seed (range 50)]
      (let [{:keys [sent]} (w/run [[1000 http?] [1015 (w/from types? other)]] :seed seed)]
        (is (= 1 (count sent)))
        (is (= #{w/http-ptr w/types-ptr} (w/answers (first sent))))
        (is (<= 1035 (:at (first sent)) 1135))))
    (let [{:keys [sent]} (w/run [[1000 http?] [1005 (w/tc (w/from types? other))] [1010 (w/from (w/query (w/question "web.local" record/a)
                                                                                                         (w/question "x.local" record/a))
                                                                                                "10.0.0.7")]])]
      (is (= [#{w/http-ptr w/types-ptr w/web-a}] (map w/answers sent)))
      (is (<= 1405 (:at (first sent)) 1505)))
    (let [extended (concat [[1000 http?]] (for [i (range 1 9)] [(+ 1000 (* 90 i)) (w/tc (w/from types? (str "10.1.0." i)))]))
          {:keys [sent]} (w/run extended)]
      (is (= #{w/http-ptr w/types-ptr} (into #{} (mapcat w/answers) sent)))
      (is (>= 1620 (:at (first (filter #(contains? (w/answers %) w/http-ptr) sent)))))))
  (testing "who answers at once does not wait"
    (is (= 1001 (:at (first (:sent (w/run [[1000 http?] [1001 a?]]))))))))

(deftest line-17-once-a-second
  (are [events sent] (= sent (short-seen events))
    [[1000 a?] [1999 (w/from a? other)]]              [[1000 :multicast #{w/web-a}]]
    [[1000 a?] [2000 (w/from a? other)]]              [[1000 :multicast #{w/web-a}] [2000 :multicast #{w/web-a}]]
    [(w/told 1000 w/web-a) [1999 a?]]                 []
    [(w/told 1000 w/web-a) [2000 a?]]                 [[2000 :multicast #{w/web-a}]]
    ;; what went along counts
    [[1000 a?] [1999 (w/query (w/question "web.local" record/aaaa))]] [[1000 :multicast #{w/web-a}]]
    [[1000 (w/query (w/question "four.local" record/a))] [1500 (w/query (w/question "four.local" record/aaaa))]]
    [[1000 :multicast #{w/four-a}]]
    ;; the other family is another matter
    [[1000 a?] [1500 (assoc (w/from a? "fe80::9") :packet/family :ipv6)]] [[1000 :multicast #{w/web-a}] [1500 :multicast #{w/web-a}]])
  (testing "what was said a moment ago does not go along either"
    (is (= [[1000 :multicast #{w/web-ll w/web-ula} #{}]]
           (w/seen (w/told 900 w/web-a) [1000 (w/query (w/question "web.local" record/aaaa))]))))
  (testing "250 ms for a probe (section 6)"
    (let [probe (fn [ip] (-> (w/query (w/question "four.local" record/any)) (w/probing (record/address-record (w/n "four.local") "10.0.0.99"))
                             (w/from ip)))
          [p1 p2] [(probe other) (probe "10.0.0.7")]]
      (are [events sent] (= sent (short-seen events))
        [[1000 p1]]                                   [[1000 :multicast #{w/four-a}]]
        [(w/told 900 w/four-a) [1000 p1]]             [[1150 :multicast #{w/four-a}]]
        [(w/told 700 w/four-a) [1000 p1]]             [[1000 :multicast #{w/four-a}]]
        [[1000 p1] [1001 p2] [1250 p1] [1400 four?]]  [[1000 :multicast #{w/four-a}] [1250 :multicast #{w/four-a}]]
        ;; line 23: who probes with QU is told at once
        [(w/told 900 w/four-a) [1000 (qu p1)]]        [[1000 other #{w/four-a}]]
        [(w/told 900 w/four-a) [1000 (w/tc p1)] [1001 (w/tc (w/from (w/query) other))]] [[1150 :multicast #{w/four-a}]]
        [[1000 (qu p1)]]                              [[1000 :multicast #{w/four-a}] [1000 other #{w/four-a}]]
        [(w/told 900 w/four-a) [1000 (qu (w/tc p1))]] [[1000 other #{w/four-a}]]
        ;; not across subnets
        [(w/told 900 w/four-a) [1000 (assoc (qu p1) :packet/on-link? false)]] [[1150 :multicast #{w/four-a}]]
        ;; the core settles it itself
        [(w/told 900 w/four-a) [1000 (assoc p1 :packet/tie? true)]] []
        ;; several names: each is defended at once
        [[1000 (-> (w/query (w/question "four.local" record/any) (w/question "x.local" record/any))
                   (w/probing (record/address-record (w/n "x.local") "10.0.0.1") (record/address-record (w/n "four.local") "10.0.0.1")))]]
        [[1000 :multicast #{w/four-a}]]
        ;; another name is proposed than the one that is asked for
        [(w/told 900 w/four-a) [1000 (w/probing four? (record/address-record (w/n "x.local") "10.0.0.1"))]] []
        ;; a shared record needs no defence
        [(w/told 900 w/http-ptr) [1000 (w/probing http? w/http-ptr)]] []))))

(deftest line-21-known-answers
  (are [known sent] (= sent (map w/answers (:sent (w/run [[1000 (apply w/knows http? known)]]))))
    [w/http-ptr]                       []
    [(w/ttl w/http-ptr 2250)]          []
    [(w/ttl w/http-ptr 2249)]          [#{w/http-ptr}]
    [w/types-ptr]                      [#{w/http-ptr}]
    [(assoc w/http-ptr :mdns/name (w/n "_HTTP._tcp.local"))] [])
  (testing "of a unique RRset all or nothing (10.2)"
    (let [aaaa? (w/query (w/question "web.local" record/aaaa))]
      (is (= [] (short-seen [[1000 (w/knows aaaa? w/web-ll w/web-ula)]])))
      (is (= [[1000 :multicast #{w/web-ll w/web-ula}]] (short-seen [[1000 (w/knows aaaa? w/web-ll)]])))))
  (testing "what is known does not go along either"
    (is (= [[1000 :multicast #{w/web-ll w/web-ula} #{}]]
           (w/seen [1000 (w/knows (w/query (w/question "web.local" record/any)) w/web-a)])))
    (is (= [#{}] (map w/additionals (:sent (w/run [[1000 (w/knows (w/query (w/question "web.local" record/a) (w/question "web.local" record/aaaa))
                                                                  w/web-a)]]))))))
  (testing "7.2: packets that follow"
    (are [events sent] (= sent (into #{} (mapcat w/answers) (:sent (w/run events))))
      [[1000 (w/tc http?)] [1100 (w/knows (w/query) w/http-ptr)]]                          #{}
      [[1000 (w/tc http?)] [1100 (w/tc (w/knows (w/query) w/types-ptr))] [1500 (w/knows (w/query) w/http-ptr)]] #{}
      [[1000 (w/tc http?)] [1100 (w/knows (w/query) (w/ttl w/http-ptr 2000))]]             #{w/http-ptr}
      [[1000 (w/tc http?)] [1100 (w/from (w/knows (w/query) w/http-ptr) other)]]           #{w/http-ptr}
      ;; somebody else waits for it
      [[1000 (w/tc http?)] [1050 (w/tc (w/from http? other))] [1100 (w/knows (w/query) w/http-ptr)]] #{w/http-ptr}
      [[1000 (w/tc http?)] [1050 (w/tc (w/from http? other))] [1100 (w/from (w/knows (w/query) w/http-ptr) other)]] #{w/http-ptr}
      [[1000 http?] [1001 (w/from http? other)] [1002 (w/knows (w/query) w/http-ptr)]]     #{w/http-ptr}
      ;; one of two
      [[1000 (w/tc (w/query (w/question "_http._tcp.local" record/ptr) (w/question "_services._dns-sd._udp.local" record/ptr)))]
       [1001 (w/knows (w/query) w/http-ptr)]]                                              #{w/types-ptr}
      ;; an RRset, told in two packets, and not wholly
      [[1000 (w/tc (w/query (w/question "web.local" record/aaaa)))] [1001 (w/tc (w/knows (w/query) w/web-ll))]
       [1002 (w/knows (w/query) w/web-ula)]]                                               #{}
      [[1000 (w/tc (w/query (w/question "web.local" record/aaaa)))] [1001 (w/tc (w/knows (w/query) w/web-ll))]] #{w/web-ll w/web-ula}
      [[1000 (w/tc (w/query (w/question "web.local" record/aaaa)))] [1001 (w/tc (w/knows (w/query) w/web-ll))]
       [1002 (w/tc (w/from (w/query (w/question "web.local" record/aaaa)) other))] [1003 (w/response w/web-ula)]]
      #{w/web-ll w/web-ula}
      ;; of a reply to one
      [(w/told 900 w/http-ptr) [1000 (w/tc (qu http?))] [1001 (w/knows (w/query) w/http-ptr)]] #{}
      ;; who has told that it knows, and asks anew as if it did not, is answered
      [[1000 http?] [1001 (w/knows (w/query) w/http-ptr)] [1002 http?]]                    #{w/http-ptr}
      [(w/told 900 w/http-ptr) [1000 (qu http?)] [1001 (w/knows (w/query) w/http-ptr)] [1002 (qu http?)]] #{w/http-ptr}
      [[1000 (w/tc http?)] [1100 (w/knows (w/query) w/http-ptr)] [1200 http?]]             #{w/http-ptr}))
  (testing "what was told in one does not go along"
    (is (= #{} (nth (first (w/seen [1000 (w/knows a? w/web-ll w/web-ula)])) 3)))
    (doseq [events [[[1000 (w/knows (qu (w/query (w/question "web.local" record/a) (w/question "web.local" record/aaaa))) w/web-a)]]
                    [[1000 (w/tc (qu (w/query (w/question "web.local" record/any))))] [1001 (w/knows (w/query) w/web-a)]]]]
      (is (= [["10.0.0.9" #{w/web-ll w/web-ula} #{}]] (map rest (apply w/seen (w/told 900 w/web-a w/web-ll w/web-ula) events)))))
    (is (= [[#{w/web-ll w/web-ula} #{}]]
           (map (juxt w/answers w/additionals)
                (:sent (w/run [[1000 (w/tc (w/query (w/question "web.local" record/any)))] [1001 (w/knows (w/query) w/web-a)]])))))))

(deftest line-22-others-say-it
  (are [events sent] (= sent (into #{} (mapcat w/answers) (:sent (w/run events))))
    [[1000 http?] [1010 (w/response w/http-ptr)]]                      #{}
    [[1000 http?] [1010 (w/response (w/ttl w/http-ptr 9000))]]         #{}
    [[1000 http?] [1010 (w/response (w/ttl w/http-ptr 4499))]]         #{w/http-ptr}
    [[1000 http?] [1010 (w/response w/types-ptr)]]                     #{w/http-ptr}
    [[1000 http?] [1010 (assoc (w/response w/http-ptr) :packet/multicast? false)]] #{w/http-ptr}
    [[1000 http?] [1010 (assoc (w/response w/http-ptr) :packet/family :ipv6)]] #{w/http-ptr}
    ;; heard by all: as if we had said it
    [[1000 http?] [1010 (w/response w/http-ptr)] [1500 http?]]         #{}
    [[1000 (w/tc (w/query (w/question "web.local" record/aaaa)))] [1010 (w/response w/web-ll)]] #{w/web-ll w/web-ula}
    [[1000 (w/tc (w/query (w/question "web.local" record/aaaa)))] [1010 (w/response w/web-ll w/web-ula)]] #{})
  (testing "6.6: with less than half of the time: all hear ours, even if nobody asks"
    (are [ttl n] (= n (count (:sent (w/run [[1000 (w/response (w/ttl w/web-a ttl))]]))))
      0 1, 59 1, 60 0, 120 0)
    (are [event] (empty? (:sent (w/run [event])))
      [1000 (w/response (record/address-record (w/n "web.local") "10.0.0.1"))]
      [1000 (w/response (w/ttl (record/ptr-record (w/n "_http._tcp.local") (w/n "x.local") 4500 false) 0))])
    (let [[[at to answers]] (short-seen [(w/told 900 w/web-ll w/web-ula) [1000 (w/response (w/ttl w/web-ll 1))]])]
      (is (= [:multicast #{w/web-ll w/web-ula}] [to answers]) "the whole RRset")
      (is (<= 1900 at 2400) "a second after its last"))
    (is (empty? (short-seen [[1000 (w/response (w/ttl w/http-ptr 1))] [1001 (w/response w/http-ptr)]])) "somebody else has done it")))

(deftest line-23-unicast-if-they-wish
  (are [events sent] (= sent (mapv rest (short-seen events)))
    ;; not multicast for a quarter of its TTL: 30 s, 1125 s
    [[40000 (qu a?)]]                                         [[:multicast #{w/web-a}]]
    [(w/told 1000 w/web-a) [30999 (qu a?)]]                   [["10.0.0.9" #{w/web-a}]]
    [(w/told 1000 w/web-a) [31000 (qu a?)]]                   [[:multicast #{w/web-a}]]
    [(w/told 1000 w/http-ptr) [1125999 (qu http?)]]           [["10.0.0.9" #{w/http-ptr}]]
    [(w/told 1000 w/http-ptr) [1126000 (qu http?)]]           [[:multicast #{w/http-ptr}]]
    ;; each record for itself
    [(w/told 1000 w/web-a) [2000 (qu (w/query (w/question "web.local" record/any)))]]
    [[:multicast #{w/web-ll w/web-ula}] ["10.0.0.9" #{w/web-a}]]
    ;; again and again
    [(w/told 1000 w/web-a) [1100 (qu a?)] [1101 (qu a?)] [1102 (w/from (qu a?) other)]]
    [["10.0.0.9" #{w/web-a}] ["10.0.0.9" #{w/web-a}] [other #{w/web-a}]]
    ;; 5.5: a query by unicast
    [(w/told 1000 w/web-a) [1100 (assoc a? :packet/multicast? false)]] [["10.0.0.9" #{w/web-a}]]
    ;; line 5: from another subnet (section 11)
    [(w/told 1000 w/web-a) [9000 (assoc (qu a?) :packet/on-link? false)]] [[:multicast #{w/web-a}]]
    [(w/told 1000 w/web-a) [1100 (assoc (qu a?) :packet/on-link? false)]] []
    ;; known answers count
    [(w/told 1000 w/web-a) [1100 (w/knows (qu a?) w/web-a)]]  [])
  (testing "delayed as by multicast (5.4), all of one asker together"
    (let [ts (times (w/told 1000 w/http-ptr) [2000 (qu http?)])]
      (is (<= 2020 (apply min ts) 2025))
      (is (<= 2115 (apply max ts) 2120)))
    (is (= [[#{w/http-ptr w/types-ptr} {:ip "10.0.0.9" :port 5353}]]
           (map (juxt w/answers :send/to) (:sent (w/run [(w/told 1000 w/http-ptr w/types-ptr) [2000 (qu http?)] [2010 (qu types?)]])))))
    (let [ts (times (w/told 1000 w/http-ptr) [2000 (w/tc (qu http?))] [2390 (w/tc (w/query))])]
      (is (<= 2790 (apply min ts)))
      (is (>= 2890 (apply max ts))))))

(deftest a-question-again-and-again
  (testing "costs nothing, and is answered whenever it may be"
    (let [{:keys [sent]} (w/run (for [i (range 3000)] [(+ 1000 i) (w/from sub? (str "10.0.0." (mod i 3)))]))
          ts (map :at sent)]
      (is (<= 3 (count ts) 4))
      (is (every? #(<= 1000 % 1620) (map - (rest ts) ts))))
    (is (= [1000 2000 3000] (map :at (:sent (w/run (for [i (range 2500)] [(+ 1000 i) a?])))))))
  (testing "what is new is said at once all the same"
    (let [more (w/catalog-of (conj w/everything (record/ptr-record (w/n "_printer._sub._http._tcp.local") (w/n "x.local") 4500 false)))
          [s _] (mdns-answer/asked (mdns-answer/answering) w/catalog sub? 1000 1)
          [s _] (mdns-answer/asked s more sub? 1001 2)
          [_ fx] (mdns-answer/time s more (mdns-answer/due s))]
      (is (= 2 (count (w/answers (first fx))))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mirror-dhcp-test
  "What DHCP tells of a guest's addresses, and that it tells nothing of its siblings', who have the same hardware
  address and hear the same frames."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.mirror :as mirror]))

(def ^:private mac "02:00:00:00:00:01")
(def ^:private fresh (mirror/mirror mac #{"10.9.0.1"} []))

(defn- guest [kind & kvs] (apply assoc {:seen/from :guest :seen/kind kind :seen/hwaddr mac} kvs))
(defn- lan [kind & kvs] (apply assoc (guest kind :seen/from :lan) kvs))
(defn- discover [xid & kvs] (apply guest :dhcp-discover :seen/xid xid kvs))
(defn- requests [xid ip & kvs] (apply guest :dhcp-request :seen/xid xid :seen/ip ip kvs))
(defn- offer [xid ip & kvs] (apply lan :dhcp-offer :seen/xid xid :seen/ip ip kvs))
(defn- ack [xid ip & kvs] (apply lan :dhcp-ack :seen/xid xid :seen/ip ip kvs))
(def ^:private tick {:seen/kind :tick})

(defn- bare [effects]
  (into [] (comp (remove #(= :note (first %))) (map #(if (= :timer (first %)) % (subvec % 0 2)))) effects))

(defn- play [state script]
  (loop [s state, now 0, [[later event effects] & more] script]
    (if-not event
      s
      (let [now    (+ now (long later))
            [s fx] (mirror/step s event now)]
        (is (= effects (bare fx)) (str (:seen/kind event) " at " now " ms has its effects."))
        (recur s now more)))))

(deftest a-lease
  (testing "begins, is renewed, and runs out"
    (play fresh
          [[0      (discover 1)                          []]
           [10     (requests 1 "10.9.0.5")               []]
           [10     (ack 1 "10.9.0.5" :seen/seconds 100)  [[:add "10.9.0.5"] [:timer 100020]]]
           [49980  (requests 2 "10.9.0.5")               []]
           [0      (ack 2 "10.9.0.5" :seen/seconds 100)  [[:timer 150000]]]
           [50020  tick                                  []]
           [49980  tick                                  [[:remove "10.9.0.5"] [:timer nil]]]]))
  (testing "that the guest still speaks from is learnt again"
    (play fresh
          [[0      (requests 1 "10.9.0.5")               []]
           [0      (ack 1 "10.9.0.5" :seen/seconds 10)   [[:add "10.9.0.5"] [:timer 10000]]]
           [10000  tick                                  [[:remove "10.9.0.5"] [:timer nil]]]
           [1      (guest :arp-request :seen/ip "10.9.0.5" :seen/target "10.9.0.1") [[:add "10.9.0.5"]]]]))
  (testing "for ever, also after one that was not"
    (play fresh
          [[0      (requests 1 "10.9.0.5")               []]
           [0      (ack 1 "10.9.0.5" :seen/seconds 10)   [[:add "10.9.0.5"] [:timer 10000]]]
           [5000   (requests 2 "10.9.0.5")               []]
           [0      (ack 2 "10.9.0.5")                    [[:timer nil]]]]))
  (testing "of an address the guest had without one"
    (play fresh
          [[0      (guest :arp-announce :seen/ip "10.9.0.5") [[:add "10.9.0.5"]]]
           [0      (requests 1 "10.9.0.5")               []]
           [0      (ack 1 "10.9.0.5" :seen/seconds 10)   [[:timer 10000]]]])))

(deftest given-back
  (are [kind] (let [[s _]  (mirror/step fresh (guest :arp-announce :seen/ip "10.9.0.5") 0)
                    [s' fx] (mirror/step s (guest kind :seen/xid 3 :seen/ip "10.9.0.5") 1)]
                (and (= [[:remove "10.9.0.5"]] (bare fx))
                     (= #{} (mirror/addresses s'))))
    :dhcp-release
    :dhcp-decline)
  (let [[s _] (mirror/step fresh (guest :arp-announce :seen/ip "10.9.0.5") 0)]
    (is (= [] (second (mirror/step s (lan :dhcp-release :seen/xid 3 :seen/ip "10.9.0.5") 1)))
        "Nobody else gives it back.")))

(deftest denied
  (play fresh
        [[0 (guest :arp-announce :seen/ip "10.9.0.5") [[:add "10.9.0.5"]]]
         [0 (lan :dhcp-nak :seen/xid 4)                []]
         [0 (requests 4 "10.9.0.5")                    []]
         [0 (lan :dhcp-nak :seen/xid 5)                []]
         [0 (lan :dhcp-nak :seen/xid 4)                [[:remove "10.9.0.5"]]]
         [0 (ack 4 "10.9.0.5")                         []]]))

(deftest offers
  (testing "are taken up, so that a server's unicast arrives"
    (play fresh
          [[0     (discover 1)                          []]
           [10    (offer 1 "10.9.0.5")                  [[:add "10.9.0.5"] [:timer 30010]]]
           [0     (offer 1 "10.9.0.5")                  []]
           [10    (requests 1 "10.9.0.5")               []]
           [10    (ack 1 "10.9.0.5" :seen/seconds 3600) [[:timer 3600030]]]
           [0     (ack 1 "10.9.0.5" :seen/seconds 1)    []]]))
  (testing "that the guest does not take go"
    (play fresh
          [[0     (discover 1)                          []]
           [10    (offer 1 "10.9.0.5")                  [[:add "10.9.0.5"] [:timer 30010]]]
           [0     (offer 1 "10.9.0.6")                  [[:add "10.9.0.6"]]]
           [0     (offer 1 "10.9.0.7")                  []]
           [10    (requests 1 "10.9.0.6")               [[:remove "10.9.0.5"]]]
           [29990 tick                                  [[:remove "10.9.0.6"] [:timer nil]]]]))
  (testing "stay when the guest shows that it took them"
    (play fresh
          [[0     (discover 1)                          []]
           [10    (offer 1 "10.9.0.5")                  [[:add "10.9.0.5"] [:timer 30010]]]
           [900   (guest :arp-announce :seen/ip "10.9.0.5") [[:timer nil]]]]))
  (testing "change nothing for an address that is there"
    (play fresh
          [[0     (guest :arp-announce :seen/ip "10.9.0.5") [[:add "10.9.0.5"]]]
           [0     (discover 1)                          []]
           [0     (offer 1 "10.9.0.5")                  []]
           [0     (requests 1 "10.9.0.9")               []]])))

(deftest only-answers-to-the-guest-count
  (are [events] (= #{} (mirror/addresses (reduce #(first (mirror/step %1 %2 0)) fresh events)))
    [(ack 1 "10.9.0.5")]
    [(offer 1 "10.9.0.5")]
    [(discover 1) (ack 2 "10.9.0.5")]
    [(lan :dhcp-discover :seen/xid 1) (ack 1 "10.9.0.5")]
    [(lan :dhcp-request :seen/xid 1) (ack 1 "10.9.0.5")]
    [(discover 1) (ack 1 "10.9.0.5" :seen/hwaddr "02:00:00:00:00:02")]
    [(discover 1 :seen/hwaddr "02:00:00:00:00:02") (ack 1 "10.9.0.5" :seen/hwaddr "02:00:00:00:00:02")]
    [(discover 1 :seen/client "01aa") (ack 1 "10.9.0.5" :seen/client "01bb")]
    [(discover 1) (ack 1 "10.9.0.1")])
  (are [events] (= #{"10.9.0.5"} (mirror/addresses (reduce #(first (mirror/step %1 %2 0)) fresh events)))
    [(discover 1) (ack 1 "10.9.0.5")]
    [(discover 1 :seen/client "01aa") (ack 1 "10.9.0.5" :seen/client "01aa")]
    [(discover 1 :seen/client "01aa") (ack 1 "10.9.0.5")]      ; a server of before RFC 6842
    [(discover 1) (ack 1 "10.9.0.5" :seen/client "01aa")]))

(deftest an-answer-counts-once-and-not-for-ever
  (let [s (reduce #(first (mirror/step %1 %2 0)) fresh [(discover 1) (ack 1 "10.9.0.5")])]
    (is (= [] (second (mirror/step s (ack 1 "10.9.0.6") 1))) "The second answer to one request is somebody's invention."))
  (let [[s _] (mirror/step fresh (discover 1) 0)]
    (is (= [] (second (mirror/step s (ack 1 "10.9.0.5") 120000))) "A server does not take two minutes.")
    (is (= [[:add "10.9.0.5"]] (bare (second (mirror/step s (ack 1 "10.9.0.5") 119999)))))))

(deftest the-oldest-transaction-gives-way
  (let [s (reduce (fn [s n] (first (mirror/step s (discover n) n))) fresh (range 5))]
    (is (= #{1 2 3 4} (set (keys (:mirror/armed s)))) "Four at one time.")))

;; --- two guests on one port: each hears the other's frames

(defn- both
  "Two mirrors of one port, :a and :b, after frames [who event], which the other one hears."
  [frames]
  (reduce (fn [{:keys [mirrors now]} [who event]]
            {:now     (inc now)
             :mirrors (into {} (for [[name s] mirrors]
                                 [name (first (mirror/step s (assoc event :seen/from (if (= who name) :guest :lan)) now))]))})
          {:now 0 :mirrors {:a fresh :b fresh}} frames))

(deftest siblings-are-told-apart
  (let [client {:a "01aa" :b "01bb"}
        xid    {:a 0xaaaa :b 0xbbbb}
        ip     {:a "10.9.0.5" :b "10.9.0.6"}
        ip6    {:a "fd00::5" :b "fd00::6"}
        life   (fn [who]
                 [[who (discover (xid who) :seen/client (client who))]
                  [:lan (offer (xid who) (ip who))]
                  [who (requests (xid who) (ip who) :seen/client (client who))]
                  [:lan (ack (xid who) (ip who) :seen/seconds 3600)]
                  [who (guest :arp-probe :seen/target (ip who))]
                  [who (guest :arp-announce :seen/ip (ip who))]
                  [who (guest :dad :seen/target (ip6 who))]
                  [who (guest :na :seen/ip (ip6 who))]
                  [who (guest :ns :seen/ip (ip6 who) :seen/target "fd00::1")]
                  [who (guest :arp-request :seen/ip (ip who) :seen/target "10.9.0.1")]
                  [who (guest :arp-reply :seen/ip (ip who))]])]
    (doseq [frames [(concat (life :a) (life :b))
                    (concat (life :b) (life :a))
                    (interleave (life :a) (life :b))]
            [who s] (:mirrors (both frames))]
      (is (= #{(ip who) (ip6 who)} (mirror/addresses s)) (str who " has its own addresses, and no other.")))
    (testing "what the one gives back, the other keeps"
      (let [{:keys [mirrors]} (both (concat (life :a) (life :b)
                                            [[:b (guest :dhcp-release :seen/xid 9 :seen/ip (ip :a))]
                                             [:b (guest :dhcp-decline :seen/xid 9 :seen/ip (ip :a))]
                                             [:b (guest :na :seen/ip (ip6 :a))]
                                             [:b (guest :arp-announce :seen/ip (ip :a))]]))]
        (is (contains? (mirror/addresses (:a mirrors)) (ip :a)))
        (is (contains? (mirror/addresses (:a mirrors)) (ip6 :a)))))))

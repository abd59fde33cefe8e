;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-test
  "The course of a lease, row by row: getting it, keeping it, losing it, stopping."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.lease :as lease]
            [ontap.model.lease-script :as script :refer [bound briefly careful client play says]]))

(set! *warn-on-reflection* true)

(defn- sent [fx] (some (fn [[k m]] (when (= :send k) m)) fx))

(defn- ticks
  "[[at brief-effects] ..] of `state` while only time passes until `end`; the last state too."
  [state end]
  (loop [s state, out []]
    (let [at (lease/deadline s)]
      (if (or (nil? at) (< end at))
        [out s]
        (let [[s fx] (lease/step s [:tick] at)] (recur s (conj out [at (briefly fx)])))))))

(defn- gaps [times] (mapv - (rest times) times))

;; --- the tables

(deftest every-cell-is-there
  (is (= (set (keys lease/states)) (set (keys lease/table)) (set (keys lease/timely))))
  (doseq [[state row] lease/table]
    (is (= (set (keys lease/events)) (set (keys row))) (str state " has an action for each event."))))

;; --- getting a lease

(deftest the-first-lease
  (is (= :bound (:dhcp/state @bound)))
  (is (= {:dhcp/state :bound :dhcp/ip "10.0.0.5" :dhcp/prefix 24 :dhcp/server "10.0.0.1" :dhcp/left-s 3600
          :dhcp/method :dhcp :dhcp/says nil}
         (lease/summary @bound 20)))
  (is (= "10.0.0.5" (lease/claim @bound)))
  (is (nil? (lease/xid @bound)) "No transaction is under way."))

(deftest what-is-sent
  (let [[s fx]   (lease/step (client) [:start] 0)
        discover (sent fx)
        [s2 fx2] (lease/step s [:message (script/message s :offer "10.0.0.5")] 2500)
        request  (sent fx2)]
    (is (= {:message/type :discover :message/xid (lease/xid s) :message/secs 0 :message/broadcast? true
            :message/hwaddr script/mac :message/client-id script/id :message/client-ip nil :message/requested-ip nil
            :message/server-id nil :message/hostname "www" :message/text nil :message/to nil :message/from nil}
           discover))
    (is (= (assoc discover :message/type :request :message/requested-ip "10.0.0.5" :message/server-id "10.0.0.1")
           request)
        "The REQUEST has the xid and secs of its DISCOVER.")
    (is (= (lease/xid s) (lease/xid s2)))))

(deftest a-new-transaction-has-a-new-xid
  (let [seen (loop [s (first (lease/step @bound [:resumed] 100)), xids [], n 0]
               (if (= 200 n) xids
                   (let [[s _] (lease/step s [:tick] (lease/deadline s))]
                     (recur s (conj xids (lease/xid s)) (inc n)))))]
    (is (every? #(<= 1 % 0xffffffff) (remove nil? seen)))
    (is (= 3 (count (distinct seen))) "Those of INIT-REBOOT, of none and of DISCOVER.")))

(deftest asking-again-takes-longer-each-time
  (let [[out _] (ticks (first (lease/step (client) [:start] 0)) 500000)
        sends   (into [0] (keep (fn [[at fx]] (when (some #{[:discover]} fx) at))) out)]
    (doseq [[gap about] (map vector (gaps sends) [4000 8000 16000 32000 64000 64000 64000])]
      (is (<= (- about 1000) gap (+ about 1000)) (str gap " ms is about " about)))
    (is (not= 0 (mod (apply + (gaps sends)) 1000)) "By chance.")))

(deftest secs-grow
  (let [s0 (first (lease/step (client) [:start] 0))
        secs (loop [s s0, out []]
               (if (= 5 (count out)) out
                   (let [at (lease/deadline s), [s fx] (lease/step s [:tick] at)]
                     (recur s (conj out [(quot at 1000) (:message/secs (sent fx))])))))]
    (doseq [[at s] secs] (is (= at s)))))

(deftest an-offer-that-is-never-acknowledged
  (let [s (play (client) [0 [:start]] [0 (says :offer "10.0.0.5") {:requesting [[:request "10.0.0.5"]]}])
        [out s'] (ticks s 66000)]
    (is (= [[:request "10.0.0.5"] [:request "10.0.0.5"] [:request "10.0.0.5"] [:discover]]
           (take 4 (mapcat second out))) "It is asked four times, then others are.")
    (is (not= (lease/xid s) (lease/xid s')))
    (is (nil? (lease/claim s')))))

(deftest waiting-by-chance-at-the-start
  (let [delays (for [seed (range 50)]
                 (lease/deadline (first (lease/step (client :dhcp/start-delay? true :dhcp/seed seed) [:start] 0))))]
    (is (every? #(<= 1000 % 10000) delays))
    (is (< 40 (count (distinct delays)))))
  (is (= {:init []} (let [[s fx] (lease/step (client :dhcp/start-delay? true) [:start] 0)] {(:dhcp/state s) (briefly fx)})))
  (testing "not with a lease that is in use"
    (play (client :dhcp/start-delay? true :dhcp/saved (lease/saved @bound) :dhcp/configured "10.0.0.5")
          [1000 [:start] {:rebooting [[:request "10.0.0.5"] ]}])))

(deftest only-the-first-start-counts
  (play @bound [100 [:start] {:bound []}]))

;; --- what is no answer

(deftest foreign-messages-change-nothing
  (let [selecting  (play (client) [0 [:start]])
        requesting (play selecting [0 (says :offer "10.0.0.5")])
        rebooting  (play @bound [2000 [:resumed]])
        renewing   (play @bound [1800020 [:tick]])
        rebinding  (play renewing [3150020 [:tick]])
        wrong      (fn [s type & kvs] [:message (apply script/message s type "10.0.0.5" kvs)])]
    (is (= [:selecting :requesting :rebooting :renewing :rebinding]
           (map :dhcp/state [selecting requesting rebooting renewing rebinding])))
    (doseq [s    [selecting requesting rebooting renewing rebinding @bound (client)]
            type [:offer :ack :nak]
            :let [xid (or (lease/xid s) 1)]
            kvs  [[:message/xid (bit-xor 1 xid)] [:message/xid nil] [:message/hwaddr "02:00:00:00:00:02"]
                  [:message/client-id "ff00"] [:message/type :discover] [:message/type nil]]
            :let [[s' fx] (lease/step s (apply wrong s type kvs) (:dhcp/now s 0))]]
      (is (= [] fx) (str (:dhcp/state s) " " type " " kvs))
      (is (= (assoc s :dhcp/now (:dhcp/now s 0)) s')))
    (are [s type kvs] (= [s []] (lease/step s (apply wrong s type kvs) (:dhcp/now s)))
      selecting :offer [:message/server-id nil]
      selecting :offer [:message/your-ip nil]
      selecting :offer [:message/your-ip "nonsense"]
      selecting :ack []
      selecting :nak []
      requesting :offer []
      requesting :ack [:message/server-id nil]
      requesting :ack [:message/server-id "10.0.0.9"]
      requesting :ack [:message/your-ip "10.0.0.6"]
      requesting :ack [:message/your-ip nil]
      requesting :nak [:message/server-id "10.0.0.9"]
      requesting :nak [:message/server-id nil]
      rebooting :ack [:message/your-ip "10.0.0.6"]
      rebooting :nak [:message/server-id nil]
      renewing :ack [:message/your-ip "10.0.0.6"]
      renewing :nak [:message/server-id "10.0.0.9"]
      rebinding :ack [:message/your-ip "10.0.0.6"])
    (testing "no event"
      (is (= [selecting []] (lease/step selecting [:nonsense 1 2] 0))))))

(deftest what-cannot-be-used-is-not-taken
  (let [s (play (client) [0 [:start]])]
    (doseq [[ip opts] [["10.0.0.255" {}] ["10.0.0.0" {}] ["127.0.0.1" {}] ["224.0.0.1" {}] ["0.0.0.0" {}]
                       ["255.255.255.255" {}] ["10.0.0.5" {:option/prefix 0}] ["10.0.0.5" {:option/lease-s 0}]
                       ["10.0.0.5" {:option/lease-s 4}]]]
      (let [[s' fx] (lease/step s [:message (script/message s :offer ip :message/options (merge script/options opts))] 10)]
        (is (= :selecting (:dhcp/state s')))
        (is (= [] (briefly fx)))
        (is (= [:note] (map first fx)) "It is told once.")
        (is (= [] (second (lease/step s' [:message (script/message s :offer ip :message/options (merge script/options opts))] 11))))))))

(deftest two-servers
  (let [s (play (client) [0 [:start]]
                [5 (says :offer "10.0.0.5") {:requesting [[:request "10.0.0.5"]]}]
                [6 (says :offer "10.0.0.77" :message/server-id "10.0.0.9") {:requesting []}])]
    (is (= "10.0.0.5" (lease/claim s)) "The first offer was taken.")
    (play s [7 (says :nak nil :message/server-id "10.0.0.9") {:requesting []}]
          [8 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]
          [9 (says :ack "10.0.0.5") {:applying []}])))

(deftest an-echoed-client-identifier
  (play (client) [0 [:start]]
        [1 (says :offer "10.0.0.5" :message/client-id script/id) {:requesting [[:request "10.0.0.5"]]}]))

(deftest a-storm-of-offers
  (let [s (play (client) [0 [:start]])
        [_ fx] (reduce (fn [[s fx] i]
                         (let [[s more] (lease/step s [:message (script/message s :offer (str "10.0.0." (+ 5 (mod i 200))))] i)]
                           [s (into fx more)]))
                       [s []] (range 2000))]
    (is (= [[:request "10.0.0.5"]] (briefly fx)))))

;; --- keeping it

(deftest renewing-and-rebinding
  (let [[s fx] (lease/step @bound [:tick] 1800020)]
    (is (= :renewing (:dhcp/state s)))
    (is (= {:message/type :request :message/client-ip "10.0.0.5" :message/requested-ip nil :message/server-id nil
            :message/broadcast? false :message/to {:ip "10.0.0.1" :hwaddr "02:00:00:00:00:99"} :message/from "10.0.0.5"}
           (select-keys (sent fx) [:message/type :message/client-ip :message/requested-ip :message/server-id
                                   :message/broadcast? :message/to :message/from])))
    (testing "renewed"
      (let [s (play s [1800100 (says :ack "10.0.0.5") {:bound [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}])]
        (is (= 3599 (:dhcp/left-s (lease/summary s 1800100))) "It counts from when it was asked for.")
        (play s [1800200 [:applied "10.0.0.5"] {:bound []}])))
    (testing "asked again after half of what remains, at least a minute"
      (let [[out s] (ticks s 3150020)]
        (is (= [675000 337500 168750 84375 60000] (take 5 (gaps (cons 1800020 (map first out))))))
        (is (= :rebinding (:dhcp/state s)) "Then any server is asked.")
        (let [[s2 fx] (lease/step (first (lease/step @bound [:tick] 1800020)) [:tick] 3150020)]
          (is (= {:message/to nil :message/broadcast? true :message/client-ip "10.0.0.5"}
                 (select-keys (sent fx) [:message/to :message/broadcast? :message/client-ip])))
          (play s2 [3150100 (says :ack "10.0.0.5" :message/server-id "10.0.0.9" :message/from-hwaddr "02:00:00:00:00:88")
                    {:bound [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]
                [4950020 [:tick] {:renewing [[:request "10.0.0.5"]]}])
          (testing "and at the end it goes"
            (let [[out s] (ticks s2 3600020)]
              (is (= [[:remove "10.0.0.5" 24] [:event :lost] [:discover "10.0.0.5"]] (second (last out)))
                  "It is asked for again.")
              (is (= 3600020 (first (last out))))
              (is (= [:selecting nil] [(:dhcp/state s) (lease/claim s)])))))))))

(deftest without-the-servers-hardware-address-any-is-asked
  (let [s (assoc-in @bound [:dhcp/lease :dhcp/server-hwaddr] nil)
        m (sent (script/effects s [:tick] 1800020))]
    (is (= [nil true] [(:message/to m) (:message/broadcast? m)]))))

(defn- with-lease [opts]
  (play (client) [0 [:start]]
        [0 (says :offer "10.0.0.5" :message/options (merge script/options opts))]
        [0 (says :ack "10.0.0.5" :message/options (merge script/options opts))]
        [0 [:applied "10.0.0.5"]]))

(deftest a-lease-of-ten-seconds
  (let [[out s] (ticks (with-lease {:option/lease-s 10}) 10000)
        renewals (keep (fn [[at fx]] (when (some #{[:request "10.0.0.5"]} fx) at)) out)]
    (is (= [5000 6875 7875 8750 9750] renewals))
    (is (= [10000 [[:remove "10.0.0.5" 24] [:event :lost] [:discover "10.0.0.5"]]] (last out)))
    (is (= :selecting (:dhcp/state s)))))

(deftest times-that-make-no-sense
  (are [opts times] (= times ((juxt :dhcp/t1-at :dhcp/t2-at :dhcp/valid-until) (lease/saved (with-lease opts))))
    {:option/lease-s 1000}                                      [500000 875000 1000000]
    {:option/lease-s 1000 :option/t1-s 100 :option/t2-s 200}    [100000 200000 1000000]
    {:option/lease-s 1000 :option/t1-s 100}                     [100000 875000 1000000]
    {:option/lease-s 1000 :option/t1-s 900}                     [500000 875000 1000000]
    {:option/lease-s 1000 :option/t1-s 800 :option/t2-s 200}    [500000 875000 1000000]
    {:option/lease-s 1000 :option/t1-s 0 :option/t2-s 0}        [500000 875000 1000000]
    {:option/lease-s 1000 :option/t1-s 4294967295}              [500000 875000 1000000]
    {:option/lease-s 1000 :option/t2-s 1000}                    [500000 875000 1000000]
    {:option/lease-s 4294967294}                                [2147483647000 3758096382250 4294967294000]
    {:option/lease-s nil}                                       [1800000 3150000 3600000]
    {:option/lease-s :infinite :option/t1-s 5}                  [nil nil nil]))

(deftest a-lease-for-ever
  (let [[_ s] (ticks (with-lease {:option/lease-s :infinite}) 60000)]
    (is (nil? (lease/deadline s)))
    (is (= :infinite (:dhcp/left-s (lease/summary s 1e15))))))

(deftest what-changes-is-told
  (let [s   (play @bound [1800020 [:tick]])
        ack (fn [opts] [:message (script/message s :ack "10.0.0.5" :message/options (merge script/options opts))])]
    (play s [1800100 (ack {:option/dns ["10.0.0.3"]}) {:bound [[:save "10.0.0.5"] [:apply "10.0.0.5"] [:event :changed]]}])
    (is (= {:ip "10.0.0.5" :says "DHCP server 10.0.0.1 changed what goes with 10.0.0.5: nameservers, routes"}
           (last (last (script/effects s (ack {:option/dns ["10.0.0.3"] :option/routers ["10.0.0.4"]}) 1800100)))))
    (testing "another prefix is another address to the kernel"
      (play s [1800100 (ack {:option/prefix 25})
               {:bound [[:save "10.0.0.5"] [:remove "10.0.0.5" 24] [:apply "10.0.0.5"] [:event :changed]]}]))))

;; --- denied

(defn- until-discover [s]
  (let [at (lease/deadline s), [s fx] (lease/step s [:tick] at)]
    (if (some #{[:discover]} (briefly fx)) [s at] (recur s))))

(deftest denied-while-requesting
  (let [s (play (client) [0 [:start]] [5 (says :offer "10.0.0.5")])]
    (testing "the first time it asks again at once, but no two DISCOVER within a second"
      (let [s (play s [6 (says :nak nil) {:selecting []}])]
        (is (= 1000 (lease/deadline s)))))
    (testing "then more and more slowly"
      (let [at (loop [s s, now (identity 6), out []]
                 (if (= 9 (count out))
                   out
                   (let [[s _]  (lease/step s [:message (script/message s :nak nil)] now)
                         [s at] (until-discover s)
                         [s _]  (lease/step s [:message (script/message s :offer "10.0.0.5")] at)]
                     (recur s at (conj out at)))))]
        (is (= [1000 2000 4000 8000 16000 32000 64000 64000] (gaps at)))))))

(deftest denied-while-in-use
  (doseq [[s now] [[(play @bound [2000 [:resumed] {:rebooting [[:request "10.0.0.5"]]}]) 2100]
                   [(play @bound [1800020 [:tick]]) 1800100]
                   [(play @bound [1800020 [:tick]] [3150020 [:tick]]) 3150100]]]
    (play s [now (says :nak nil) {:selecting [[:remove "10.0.0.5" 24] [:event :lost] [:unsave] [:discover]]}]))
  (let [s (play @bound [2000 [:resumed]])
        fx (script/effects s [:message (script/message s :nak nil :message/options {:option/message "not here"})] 2100)]
    (is (some #{[:event :lost {:ip "10.0.0.5" :says "10.0.0.5 is lost: DHCP server 10.0.0.1 denied it: not here"}]} fx))))

;; --- stopping

(deftest stopping
  (testing "the address stays ours"
    (let [s (play @bound [5000 [:stop {:release? false}] {:stopped [[:save "10.0.0.5"] [:remove "10.0.0.5" 24]]}])]
      (is (= 5000 (:dhcp/let-go-at (lease/saved s))))
      (is (= [nil nil nil #{}] ((juxt lease/deadline lease/xid lease/claim lease/watched) s)))
      (doseq [event [[:start] [:tick] [:resumed] [:carrier true] [:stop {:release? true}] [:applied "10.0.0.5"]]]
        (is (= [(assoc s :dhcp/now 6000) []] (lease/step s event 6000))))))
  (testing "or is given back"
    (let [fx (script/effects @bound [:stop {:release? true}] 5000)
          s  (play @bound [5000 [:stop {:release? true}] {:stopped [[:remove "10.0.0.5" 24] [:release "10.0.0.5"] [:unsave]]}])]
      (is (= {:message/client-id script/id :message/server-id "10.0.0.1" :message/client-ip "10.0.0.5" :message/from "10.0.0.5"
              :message/to {:ip "10.0.0.1" :hwaddr "02:00:00:00:00:99"} :message/broadcast? false :message/hostname nil}
             (select-keys (sent fx) [:message/client-id :message/server-id :message/client-ip :message/from :message/to
                                     :message/broadcast? :message/hostname])))
      (is (nil? (lease/saved s)))))
  (testing "when there is nothing"
    (play (client) [0 [:start]] [1 [:stop {:release? true}] {:stopped []}])
    (play (client) [1 [:stop nil] {:stopped []}])
    (play (client) [0 [:start]] [0 (says :offer "10.0.0.5")] [1 [:stop {:release? true}] {:stopped []}]))
  (testing "when the lease was not used yet"
    (let [s (play careful [0 [:start]] [0 (says :offer "10.0.0.5")] [0 (says :ack "10.0.0.5") {:probing []}])]
      (play s [1 [:stop {:release? true}] {:stopped [[:release "10.0.0.5"] [:unsave]]}])
      (play s [1 [:stop {:release? false}] {:stopped []}])))
  (testing "when it is over"
    (play @bound [4000000 [:stop {:release? true}] {:stopped [[:remove "10.0.0.5" 24] [:event :lost]]}])))

(deftest complaints-do-not-flood
  (let [s     (play (client) [0 [:start]])
        offer (fn [i] [:message (script/message s :offer "10.0.0.5" :message/server-id (str "10.1.0." (inc i))
                                         :message/options {:option/prefix 24 :option/lease-s 1})])
        notes (fn [[n s] i]
                (let [[s' effects] (lease/step s (offer i) (+ 100 i))]
                  [(+ n (count (filter #(= :note (first %)) effects))) s']))]
    (is (= 1 (first (reduce notes [0 s] (range 200)))) "However many bad offers a stranger makes up.")))

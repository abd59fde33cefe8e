;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-again-test
  "A lease that is taken up again: after a restart, a sleep, a pulled plug; and addresses
  that siblings have."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.lease :as lease]
            [ontap.model.lease-script :as script :refer [bound careful client play says]]))

(set! *warn-on-reflection* true)

(def ^:private saved (delay (lease/saved @bound)))
(def ^:private gateway-mac "02:00:00:00:00:77")

(defn- request [fx] (some (fn [[k m]] (when (= :send k) m)) fx))
(defn- gateway-says [hwaddr] {:arp/op :reply :arp/sender-ip "10.0.0.1" :arp/sender-hwaddr hwaddr :arp/target-ip "10.0.0.5" :arp/outgoing? false})

(deftest across-a-restart
  (let [s (client :dhcp/saved @saved)]
    (is (= "10.0.0.5" (lease/claim s)) "Nobody gets it meanwhile.")
    (let [m (request (script/effects s [:start] 5000))]
      (is (= {:message/type :request :message/requested-ip "10.0.0.5" :message/server-id nil :message/client-ip nil :message/to nil
              :message/broadcast? true :message/from nil}
             (select-keys m [:message/type :message/requested-ip :message/server-id :message/client-ip :message/to
                             :message/broadcast? :message/from]))))
    (play s [5000 [:start] {:rebooting [[:request "10.0.0.5"]]}]
          [5010 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}])
    (play s [5000 [:start] {:rebooting [[:request "10.0.0.5"]]}]
          [5010 (says :nak nil) {:selecting [[:unsave] [:discover]]}])
    (testing "the daemon's own, with the address on the link"
      (let [s (client :dhcp/acd? true :dhcp/saved @saved :dhcp/configured "10.0.0.5")]
        (play s [5000 [:start] {:rebooting [[:request "10.0.0.5"]]}]
              [5010 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]
              [5011 [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"] [:request "10.0.0.1"]]}])
        (play s [5000 [:start] {:rebooting [[:request "10.0.0.5"]]}]
              [5010 (says :nak nil) {:selecting [[:remove "10.0.0.5" 24] [:unsave] [:discover]]}])))
    (testing "after the lease is over"
      (play s [9000000 [:start] {:selecting [[:discover "10.0.0.5"]]}])
      (play (client :dhcp/saved @saved :dhcp/configured "10.0.0.5")
            [9000000 [:start] {:selecting [[:remove "10.0.0.5" 24] [:discover "10.0.0.5"]]}]))
    (testing "with another address on the link"
      (play (client :dhcp/saved @saved :dhcp/configured "10.0.0.77")
            [5000 [:start] {:rebooting [[:remove "10.0.0.77" nil] [:request "10.0.0.5"]]}]))
    (testing "with a damaged file"
      (doseq [damaged [{} {:dhcp/ip "x" :dhcp/prefix 24} {:dhcp/ip "10.0.0.5"} {:dhcp/ip "10.0.0.5" :dhcp/prefix "a"}]]
        (play (client :dhcp/saved damaged) [5000 [:start] {:selecting [[:discover]]}])))))

(defn- until-not
  "[state at effects] after ticks until the state is another."
  [s]
  (let [was (:dhcp/state s)]
    (loop [s s, out []]
      (let [at (lease/deadline s), [s fx] (lease/step s [:tick] at), out (into out fx)]
        (if (= was (:dhcp/state s)) (recur s out) [s at (script/briefly out)])))))

(deftest nobody-answers
  (testing "an unexpired lease is used, after a look"
    (let [s (play (client :dhcp/acd? true :dhcp/saved @saved) [5000 [:start]])
          [s at fx] (until-not s)]
      (is (= [:probing [[:request "10.0.0.5"]]] [(:dhcp/state s) fx]) "It was asked twice.")
      (is (<= 15000 at 19000))))
  (testing "at once when it is on the link"
    (let [s (play (client :dhcp/acd? true :dhcp/saved @saved :dhcp/configured "10.0.0.5") [5000 [:start]])
          [s at fx] (until-not s)]
      (is (= [:applying [[:request "10.0.0.5"] [:save "10.0.0.5"] [:apply "10.0.0.5"]]] [(:dhcp/state s) fx]))
      (play s [at [:applied "10.0.0.5"] nil] [100000 [:tick] nil]
            [1800020 [:tick] {:renewing [[:request "10.0.0.5"]]}])))
  (testing "only for what is left of it"
    (let [s (play (client :dhcp/saved @saved :dhcp/configured "10.0.0.5")
                  [3599000 [:start] nil]
                  [3600020 [:tick] {:selecting [[:remove "10.0.0.5" 24] [:discover "10.0.0.5"]]}])]
      (is (nil? (lease/claim s))))))

(deftest let-go-just-now
  (let [kept (fn [at] (lease/saved (play @bound [at [:stop {}] nil])))
        s    (fn [at] (client :dhcp/acd? true :dhcp/saved (kept at)))]
    (testing "the server's word is enough"
      (play (s 100000)
            [159000 [:start] nil]
            [160000 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]))
    (testing "longer ago, or without that word, it is not"
      (play (s 100000)
            [159000 [:start] nil]
            [160001 (says :ack "10.0.0.5") {:probing []}])
      (let [[s] (until-not (play (s 100000) [101000 [:start] nil]))]
        (is (= :probing (:dhcp/state s)))))
    (testing "another address is looked at"
      (play (s 100000)
            [101000 [:start] nil]
            [101001 (says :nak nil) {:selecting [[:unsave] [:discover]]}]
            [101002 (says :offer "10.0.0.6") {:requesting [[:request "10.0.0.6"]]}]
            [101003 (says :ack "10.0.0.6") {:probing []}]))
    (testing "what is written once it is used says nothing of that"
      (let [s' (play (s 100000) [101000 [:start] nil] [101001 (says :ack "10.0.0.5") nil])]
        (is (nil? (:dhcp/let-go-at (lease/saved s'))))))))

(deftest times-of-another-boot
  (is (= (- 3600020 1000000) (:dhcp/valid-until (lease/rebase @saved -1000000)))))

;; --- a sleep, a plug, another hardware address

(deftest after-a-sleep
  (testing "the address is asked for, and stays on the link"
    (play @bound [100000 [:resumed] {:rebooting [[:request "10.0.0.5"]]}]
          [100010 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]
          [100011 [:applied "10.0.0.5"] {:bound [[:announce "10.0.0.5"] [:request "10.0.0.1"]]}]))
  (testing "past T1 and T2 too, without waiting for the tick"
    (doseq [at [1900000 3200000]]
      (play @bound [at [:resumed] {:rebooting [[:request "10.0.0.5"]]}])))
  (testing "past T1 and T2, by the tick alone"
    (play @bound [1900000 [:tick] {:renewing [[:request "10.0.0.5"]]}])
    (play @bound [3200000 [:tick] {:rebinding [[:request "10.0.0.5"]]}]))
  (testing "past the end it goes at once, whatever comes first"
    (doseq [event [[:tick] [:resumed] [:carrier true] [:hwaddr "02:00:00:00:00:02"] [:nonsense]]]
      (play @bound [5000000 event {:selecting [[:remove "10.0.0.5" 24] [:event :lost] [:discover "10.0.0.5"]]}])))
  (testing "an acknowledgement that comes after the end is too late"
    (let [s (play @bound [1800020 [:tick] nil])]
      (play s [3600020 (says :ack "10.0.0.5") {:selecting [[:remove "10.0.0.5" 24] [:event :lost] [:discover "10.0.0.5"]]}])))
  (testing "in other states"
    (are [s at effects] (= effects (script/briefly (script/effects s [:resumed] at)))
      (play (client) [0 [:start] nil]) 5000 [[:discover]]
      (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.5") nil]) 5000 [[:discover]]
      (play @bound [2000 [:resumed] nil]) 4000 [[:request "10.0.0.5"]]
      (client) 100 [])))

(deftest no-storm-when-the-carrier-flaps
  (let [flaps (fn [s] (reduce (fn [[s out] i]
                                (let [[s fx] (lease/step s [:carrier (odd? i)] (+ 2000 i))]
                                  [s (into out (filter #(= :send (first %))) fx)]))
                              [s []] (range 5000)))]
    (is (<= (count (second (flaps @bound))) 6))
    (is (<= (count (second (flaps (play (client) [0 [:start] nil])))) 6))))

(deftest without-a-carrier
  (testing "nothing is asked, and nothing is lost before its time"
    (let [s (play @bound [1000 [:carrier false] {:bound []}])]
      (is (= 1800020 (lease/deadline s)))
      (play s [2000 [:carrier true] {:rebooting [[:request "10.0.0.5"]]}])
      (play s [2000 [:carrier false] {:bound []}] [4000000 [:tick] {:selecting [[:remove "10.0.0.5" 24] [:event :lost]]}])))
  (testing "there is nothing to wake up for"
    (let [s (play (client) [0 [:carrier false] {:init []}] [0 [:start] {:selecting []}])]
      (is (nil? (lease/deadline s)))
      (play s [70000 [:carrier true] {:selecting [[:discover]]}])))
  (testing "silence is no sign that an address is free"
    (let [s (play careful [0 [:start] nil] [0 (says :offer "10.0.0.5") nil] [0 (says :ack "10.0.0.5") {:probing []}]
                  [500 [:carrier false] nil])]
      (is (= 3600000 (lease/deadline s)))
      (play s [2000 [:carrier true] {:rebooting [[:request "10.0.0.5"]]}])))
  (testing "a carrier that was there is no news"
    (play @bound [1000 [:carrier true] {:bound []}])))

(deftest another-hardware-address
  (let [mac "02:00:00:00:00:0a"
        s   (play @bound [2000 [:hwaddr mac] {:rebooting [[:announce "10.0.0.5"] [:request "10.0.0.5"]]}])]
    (play s [2001 (says :ack "10.0.0.5") {:rebooting []}]
          [2002 (says :ack "10.0.0.5" :message/hwaddr mac) {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}])
    (play @bound [2000 [:hwaddr script/mac] {:bound []}])))

(deftest a-clock-that-goes-back
  (let [s  (play @bound [1000000 [:tick] nil])
        [s fx] (lease/step s [:tick] 400000)]
    (is (= [[:save "10.0.0.5"]] (script/briefly fx)) "What is written moves too.")
    (is (= (- 3600020 600000) (:dhcp/valid-until (lease/saved s))) "The lease does not last longer for it.")
    (is (= (- 1800020 600000) (lease/deadline s)))
    (testing "a little is no more than disorder"
      (is (= [s []] (lease/step s [:tick] 399500))))))

;; --- RFC 4436

(deftest the-gateway-tells-the-network
  (let [learnt (play @bound [60 [:arp (gateway-says gateway-mac)] {:bound [[:save "10.0.0.5"]]}])
        kept   (lease/saved learnt)]
    (is (= #{"10.0.0.1"} (lease/watched @bound)))
    (is (= #{} (lease/watched learnt)))
    (is (= gateway-mac (:dhcp/gateway-hwaddr kept)))
    (play learnt [70 [:arp (gateway-says "02:00:00:00:00:66")] {:bound []}])
    (testing "is asked in parallel"
      (let [fx (script/effects (client :dhcp/saved kept) [:start] 5000)]
        (is (= [:arp {:arp/kind :request :arp/sender-ip "10.0.0.5" :arp/target-ip "10.0.0.1" :arp/hwaddr script/mac :arp/to gateway-mac}]
               (last fx))))
      (let [s (play (client :dhcp/saved kept) [5000 [:start] {:rebooting [[:request "10.0.0.5"] [:request "10.0.0.1"]]}]
                    [5001 [:arp (gateway-says "02:00:00:00:00:66")] {:rebooting []}]
                    [5002 [:arp (gateway-says gateway-mac)] {:rebooting []}])]
        (is (= #{"10.0.0.1"} (lease/watched s)))
        (testing "its answer is enough when no server says more"
          (play s [6002 [:tick] {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]))
        (testing "but a server's word counts more"
          (play s [5003 (says :nak nil) {:selecting [[:unsave] [:discover]]}])
          (play s [5003 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]))))
    (testing "the question is asked once"
      (play @bound [5040 [:tick] {:bound []}] [5050 [:arp (gateway-says gateway-mac)] {:bound []}]))))

;; --- siblings

(defn- of-sibling [ip sibling] (says :offer ip :message/sibling sibling))

(defn- judged
  "[state at effects] after ticks until something is sent or said, or the state is :refused."
  [s]
  (let [at (lease/deadline s), [s fx] (lease/step s [:tick] at), fx (script/briefly fx)]
    (if (or (seq fx) (= :refused (:dhcp/state s))) [s at fx] (recur s))))

(defn- insisted
  "[state at effects n] after the address of db was offered to each DISCOVER, the first one
  answered `at`, until the state is :refused: n times."
  [s at]
  (loop [s s, at at, n 1]
    (let [[s at fx] (judged (play s [at (of-sibling "10.0.0.7" "db") {:selecting []}]))]
      (if (= :refused (:dhcp/state s)) [s at fx n] (recur s at (inc n))))))

(deftest what-a-sibling-has
  (let [s    (play (client) [0 [:start] nil])
        says* (str "DHCP server 10.0.0.1 gives every link of this port the same address (10.0.0.7, which db has): it ignores "
                   "client identifiers; let it use them, or give www a static address")]
    (testing "is not asked for; another offer is taken"
      (play s [5 (of-sibling "10.0.0.7" "db") {:selecting []}] [6 (of-sibling "10.0.0.7" "db") {:selecting []}]
            [10 (says :offer "10.0.0.8" :message/server-id "10.0.0.9") {:requesting [[:request "10.0.0.8"]]}]))
    (testing "offered to siblings that ask at the same time, which is no fault"
      (let [offer (fn [[s at fx] ip sibling]
                    (is (= [:selecting [[:discover]]] [(:dhcp/state s) fx]))
                    (judged (play s [at (of-sibling ip sibling) {:selecting []}])))
            [s at] (reduce (fn [at-it n] (-> at-it (offer (str "10.0.0." n) (str "s" n)) (offer (str "10.0.0." n) (str "s" n))))
                           [s 5 [[:discover]]] (range 7 17))]
        (is (< at 60000))
        (play s [at (says :offer "10.0.0.17") {:requesting [[:request "10.0.0.17"]]}])))
    (testing "told in one sentence, when there is no other, and asked again later and later"
      (let [[s' at fx n] (insisted s 5)]
        (is (= [3 [[:event :refused]]] [n fx]))
        (is (< 1500 at 7600))
        (is (= says* (:dhcp/says (lease/summary s' at))))
        (let [pauses (loop [s s', at at, out []]
                       (if (= 6 (count out)) out
                           (let [again  (lease/deadline s)
                                 s      (play s [again [:tick] {:selecting [[:discover]]}])
                                 [s at' fx] (insisted s again)]
                             (is (= [] fx) "It was told already.")
                             (recur s at' (conj out (- again at))))))]
          (is (= [64000 128000 256000 512000 600000 600000] pauses)))))
    (testing "acknowledged, it is not used, declined or given back"
      (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.7") nil]
            [5 (says :ack "10.0.0.7" :message/sibling "db") {:refused [[:event :refused]]}]
            [6 [:stop {:release? true}] {:stopped []}])
      (play (client :dhcp/saved @saved) [5000 [:start] nil]
            [5001 (says :ack "10.0.0.5" :message/sibling "db") {:selecting [[:unsave] [:discover]]}])
      (doseq [[s at] [[(play @bound [1800020 [:tick] nil]) 1800100]
                      [(play @bound [1800020 [:tick] nil] [3150020 [:tick] nil]) 3150100]]]
        (play s [at (says :ack "10.0.0.5" :message/sibling "db") {(:dhcp/state s) []}])))
    (testing "the kernel knows it"
      (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.7") nil] [5 (says :ack "10.0.0.7") nil]
            [6 [:not-applied "10.0.0.7" :in-use "another link of the port has it"] {:refused [[:unsave] [:event :refused]]}]))))

;; --- what becomes of the address on the link

(deftest what-cannot-be-set
  (let [s (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.5") nil] [5 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}])]
    (play s [6 [:applied "10.0.0.6"] {:applying []}]
          [7 [:not-applied "10.0.0.6" :kernel "x"] {:applying []}])
    (let [s (play s [6 [:not-applied "10.0.0.5" :kernel "no buffer"] {:applying []}])]
      (is (= "unable to set 10.0.0.5: no buffer" (:dhcp/says (lease/summary s 6))))
      (play s [10006 [:tick] {:applying [[:apply "10.0.0.5"]]}]
            [10007 [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"] [:request "10.0.0.1"]]}]))
    (testing "its link is gone"
      (let [s (play s [6 [:not-applied "10.0.0.5" :gone "the link is gone"] {:gone []}])]
        (is (= ["10.0.0.5" #{}] [(lease/claim s) (lease/watched s)]) "It may still be given back.")
        (play s [7 [:tick] {:gone []}] [8 [:resumed] {:gone []}]
              [9 [:stop {:release? true}] {:stopped [[:release "10.0.0.5"] [:unsave]]}])
        (play s [9 [:stop nil] {:stopped []}])
        (play s [4000000 [:tick] {:gone []}]))))
  (testing "taken off by somebody else, it is set again, not all the time"
    (play @bound [20000 [:address-lost "10.0.0.6"] {:bound []}]
          [20000 [:address-lost "10.0.0.5"] {:bound [[:apply "10.0.0.5"]]}]
          [20100 [:applied "10.0.0.5"] {:bound []}]
          [20200 [:address-lost "10.0.0.5"] {:bound []}]
          [30000 [:tick] {:bound [[:apply "10.0.0.5"]]}])))

(deftest what-is-due-while-it-is-renewed
  (testing "an announcement, the end of a question, an address to be set"
    (doseq [state [:renewing :rebinding]
            :let [s (-> @bound (assoc :dhcp/state state :dhcp/announcements 1)
                      (update :dhcp/due #(-> (dissoc % :t1 :t2) (assoc :announce 2040))))]]
      (play s [2040 [:tick] {state [[:announce "10.0.0.5"]]}]
            [3000 [:address-lost "10.0.0.5"] {state []}]
            [5040 [:tick] {state []}]
            [10040 [:tick] {state [[:apply "10.0.0.5"]]}]
            [3600020 [:tick] {:selecting [[:remove "10.0.0.5" 24] [:event :lost] [:discover "10.0.0.5"]]}])
      (is (= #{} (lease/watched (play s [2040 [:tick] nil] [5040 [:tick] nil]))))))
  (testing "the end of a lease whose address is still being set"
    (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.5") nil] [5 (says :ack "10.0.0.5") nil]
          [3600000 [:tick] {:selecting [[:remove "10.0.0.5" 24] [:discover "10.0.0.5"]]}]
          [3600001 [:applied "10.0.0.5"] {:selecting []}]))
  (testing "an address that goes while it is being set is set again"
    (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.5") nil] [5 (says :ack "10.0.0.5") nil]
          [6 [:address-lost "10.0.0.5"] {:applying []}]
          [7 [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"] [:request "10.0.0.1"]]}]
          [10005 [:tick] nil])
    (let [s (play (client) [0 [:start] nil] [0 (says :offer "10.0.0.5") nil] [5 (says :ack "10.0.0.5") nil]
                  [6 [:address-lost "10.0.0.5"] nil] [7 [:applied "10.0.0.5"] nil] [6000 [:tick] nil])]
      (play s [10005 [:tick] {:bound [[:apply "10.0.0.5"]]}])))
  (testing "one that the kernel could not set again may still be there"
    (play @bound [2000 [:resumed] nil]
          [2001 [:not-applied "10.0.0.5" :kernel "no memory"] {:rebooting []}]
          [2002 (says :nak nil) {:selecting [[:remove "10.0.0.5" 24] [:event :lost] [:unsave] [:discover]]}])))

(defn- declared [saved]
  (lease/client {:dhcp/name "www" :dhcp/hwaddr "02:00:00:00:00:05" :dhcp/client-id "ff00" :dhcp/seed 1
                 :dhcp/acd? true :dhcp/static {:ip "10.0.0.5" :prefix 24 :gateway nil} :dhcp/saved saved}))

(defn- bound-and-stopped
  "What is saved of a declared address that was used, and when it was let go."
  []
  (loop [[s fx] (lease/step (declared nil) [:start] 1000)]
    (if (some #{:apply} (map first fx))
      (let [now    (:dhcp/now s)
            [s _]  (lease/step s [:applied "10.0.0.5"] now)
            [_ fx] (lease/step s [:stop {}] (+ now 5000))]
        [(second (first (filter #(= :save (first %)) fx))) (+ now 5000)])
      (recur (lease/step s [:tick] (lease/deadline s))))))

(deftest a-declared-address-that-was-just-let-go
  (let [[saved at] (bound-and-stopped)
        begun (fn [now] (set (map first (second (lease/step (declared saved) [:start] now)))))]
    (is (contains? (begun (+ at 59000)) :apply) "A restart does not probe it again,")
    (is (not (contains? (begun (+ at 61000)) :apply)) "later it is probed.")
    (testing "is no lease of a DHCP server's"
      (let [[s _] (lease/step (assoc (lease/client {:dhcp/name "www" :dhcp/hwaddr "02:00:00:00:00:05" :dhcp/client-id "ff00"
                                                    :dhcp/seed 1 :dhcp/saved saved})
                                     :dhcp/now at)
                              [:start] (+ at 1000))]
        (is (= :selecting (:dhcp/state s)))))))

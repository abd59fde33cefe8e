;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.acd-test
  "Conflicts about addresses: which frame is one, and what a link does about it."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.acd :as acd]
            [ontap.model.lease :as lease]
            [ontap.model.lease-script :as script :refer [briefly careful mac play says]]))

(set! *warn-on-reflection* true)

(def ^:private other "02:00:00:00:00:42")

(defn- arp [op ip hwaddr target & kvs]
  (merge {:arp/op op :arp/sender-ip ip :arp/sender-hwaddr hwaddr :arp/target-ip target :arp/outgoing? false}
         (apply hash-map kvs)))

(defn- reply [& kvs] (apply arp :reply "10.0.0.5" other "10.0.0.9" kvs))

;; --- which frame is a conflict

(deftest while-probing
  (are [frame who] (= who (acd/conflict-while-probing "10.0.0.5" mac frame))
    (arp :reply "10.0.0.5" other "10.0.0.9")                                 {:who other :sibling nil}
    (arp :request "10.0.0.5" other "10.0.0.5")                               {:who other :sibling nil}
    (arp :reply "10.0.0.6" other "10.0.0.5")                                 nil
    (arp :request "10.0.0.6" other "10.0.0.5")                               nil
    ;; the same probe at the same time
    (arp :request nil other "10.0.0.5")                                      {:who other :sibling nil}
    (arp :request nil other "10.0.0.5" :arp/outgoing? true)                  {:who other :sibling nil}
    (arp :request nil other "10.0.0.6")                                      nil
    (arp :request nil mac "10.0.0.5")                                        nil
    (arp :request nil mac "10.0.0.5" :arp/outgoing? true)                    nil
    (arp :request nil nil "10.0.0.5")                                        nil
    ;; our own hardware address: a reflection, or a sibling's
    (arp :request "10.0.0.5" mac "10.0.0.5")                                 nil
    (arp :request "10.0.0.5" mac "10.0.0.5" :arp/sibling "db")               {:who mac :sibling "db"}
    ;; what another local link sends: the host itself, or a link of somebody else
    (arp :request "10.0.0.5" mac "10.0.0.9" :arp/outgoing? true)             {:who mac :sibling nil}
    (arp :request "10.0.0.5" mac "10.0.0.9" :arp/outgoing? true :arp/sibling "db") {:who mac :sibling "db"}
    {} nil))

(deftest while-in-use
  (are [frame who] (= who (acd/conflict-in-use "10.0.0.5" mac frame))
    (arp :reply "10.0.0.5" other "10.0.0.9")                                 {:who other :sibling nil}
    (arp :request "10.0.0.5" other "10.0.0.5")                               {:who other :sibling nil}
    (arp :request nil other "10.0.0.5")                                      nil
    (arp :request "10.0.0.6" other "10.0.0.5")                               nil
    (arp :request "10.0.0.5" mac "10.0.0.9")                                 nil
    (arp :request "10.0.0.5" mac "10.0.0.9" :arp/outgoing? true)             nil
    (arp :request "10.0.0.5" mac "10.0.0.9" :arp/sibling "db")               {:who mac :sibling "db"}
    {} nil))

(deftest when-to-defend
  (are [seen defended keep? now what] (= what (acd/defence seen defended keep? now))
    nil   nil   false 50000 :defend
    45000 45000 false 50000 :yield
    40000 40000 false 50000 :defend
    40001 nil   false 50000 :yield
    nil   nil   true  50000 :defend
    49000 45000 true  50000 :wait
    49000 40000 true  50000 :defend))

;; --- getting an address

(defn- probing [] (play careful
                        [0 [:start]]
                        [0 (says :offer "10.0.0.5") {:requesting [[:request "10.0.0.5"]]}]
                        [0 (says :ack "10.0.0.5") {:probing []}]))

(defn- until
  "[state at effects-so-far] of ticks until `done?` of the state."
  [s done?]
  (loop [s s, at (:dhcp/now s), out []]
    (if (done? s) [s at out]
        (let [at (lease/deadline s), [s fx] (lease/step s [:tick] at)] (recur s at (into out (map #(vector at %)) fx))))))

(deftest three-probes-and-two-announcements
  (doseq [seed (range 20)]
    (let [[s at fx] (until (assoc (probing) :dhcp/random seed) #(= :applying (:dhcp/state %)))
          times     (keep (fn [[at [k m]]] (when (= :arp k) at)) fx)
          [a b c]   times]
      (is (= [[:probe "10.0.0.5"] [:probe "10.0.0.5"] [:probe "10.0.0.5"] [:save "10.0.0.5"] [:apply "10.0.0.5"]]
             (briefly (map second fx))) "Nothing is announced and nothing written before.")
      (is (<= 0 a 1000))
      (is (<= 1000 (- b a) 2000))
      (is (<= 1000 (- c b) 2000))
      (is (= 2000 (- at c)))
      (is (= {:arp/kind :probe :arp/sender-ip nil :arp/target-ip "10.0.0.5" :arp/hwaddr mac :arp/to nil}
             (second (second (first fx)))))
      (play s [(+ at 10) [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"] [:request "10.0.0.1"]]}]
            [(+ at 2010) [:tick] {:bound [[:announce "10.0.0.5"]]}]
            [(+ at 5010) [:tick] {:bound []}]))))

(deftest an-address-that-another-host-has
  (let [s  (play (probing) [3000 [:tick] nil])
        [s fx] (lease/step s [:arp (reply)] 3100)
        decline (second (first fx))]
    (is (= [[:decline "10.0.0.5"] [:unsave] [:event :conflict]] (briefly fx)))
    (is (= {:message/requested-ip "10.0.0.5" :message/server-id "10.0.0.1" :message/client-id script/id :message/client-ip nil
            :message/broadcast? true :message/to nil :message/text (str "10.0.0.5 is in use by " other " on this LAN")}
           (select-keys decline [:message/requested-ip :message/server-id :message/client-id :message/client-ip
                                 :message/broadcast? :message/to :message/text])))
    (is (= [nil nil] [(lease/claim s) (lease/saved s)]))
    (is (= 13100 (lease/deadline s)) "Ten seconds pass.")
    (play s [3200 [:arp (reply)] {:conflicted []}]
          [13100 [:tick] {:selecting [[:discover]]}]
          [13200 (says :offer "10.0.0.6") {:requesting [[:request "10.0.0.6"]]}]
          [13300 (says :ack "10.0.0.6") {:probing []}])))

(deftest ten-conflicts-in-a-row
  (let [pauses (loop [s (probing), n 0, out []]
                 (if (= 12 n) out
                     (let [now   (:dhcp/now s)
                           [s _] (lease/step s [:arp (reply)] now)
                           at    (lease/deadline s)
                           s     (play s [at [:tick] nil] [at (says :offer "10.0.0.5") nil] [at (says :ack "10.0.0.5") nil])]
                       (is (= :probing (:dhcp/state s)))
                       (recur s (inc n) (conj out (- at now))))))]
    (is (= (concat (repeat 9 10000) (repeat 3 60000)) pauses))))

(deftest one-of-a-sibling-is-not-declined
  (let [[s fx] (lease/step (probing) [:arp (arp :request "10.0.0.5" mac "10.0.0.9" :arp/outgoing? true :arp/sibling "db")] 100)]
    (is (= [[:unsave] [:event :refused]] (briefly fx)))
    (is (= :refused (:dhcp/state s)))))

;; --- defending it

(def ^:private holding
  (delay (let [[s at _] (until (probing) #(= :applying (:dhcp/state %)))]
           (play s [at [:applied "10.0.0.5"] nil] [10000 [:tick] nil] [15000 [:tick] nil]))))

(deftest defended-once-and-then-given-up
  (let [s @holding]
    (is (= #{"10.0.0.5"} (lease/watched s)))
    (testing "two within ten seconds"
      (play s [20000 [:arp (reply)] {:bound [[:event :conflict] [:announce "10.0.0.5"]]}]
            [29999 [:arp (reply)] {:conflicted [[:remove "10.0.0.5" 24] [:decline "10.0.0.5"] [:event :lost] [:unsave]]}]
            [39999 [:tick] {:selecting [[:discover]]}]))
    (testing "one each eleven seconds"
      (play s [20000 [:arp (reply)] {:bound [[:event :conflict] [:announce "10.0.0.5"]]}]
            [31000 [:arp (reply)] {:bound [[:announce "10.0.0.5"]]}]
            [42000 [:arp (reply)] {:bound [[:announce "10.0.0.5"]]}]
            [142000 [:arp (reply)] {:bound [[:event :conflict] [:announce "10.0.0.5"]]}]))
    (testing "by a sibling: the server's word is not to be taken back"
      (play s [20000 [:arp (arp :request "10.0.0.5" mac nil :arp/sibling "db")] {:bound [[:event :conflict] [:announce "10.0.0.5"]]}]
            [21000 [:arp (arp :request "10.0.0.5" mac nil :arp/sibling "db")]
             {:refused [[:remove "10.0.0.5" 24] [:event :lost] [:unsave] [:event :refused]]}]))
    (testing "what is ours is none"
      (doseq [frame [(arp :request "10.0.0.5" mac "10.0.0.1") (arp :reply "10.0.0.5" mac "10.0.0.9" :arp/outgoing? true)
                     (arp :request nil other "10.0.0.5") (arp :request "10.0.0.9" other "10.0.0.5")]]
        (play s [20000 [:arp frame] {:bound []}])))))

;; --- an address that a person gave

(def ^:private static {:ip "10.0.0.5" :prefix 24 :gateway "10.0.0.1"})

(deftest static-addresses
  (let [fresh (script/client :dhcp/acd? true :dhcp/static static)
        s     (play fresh [0 [:start] nil])]
    (is (= :probing (:dhcp/state s)))
    (is (= #{"10.0.0.5"} (lease/watched s)))
    (testing "are set for ever, and no DHCP is spoken"
      (let [[s at fx] (until s #(= :applying (:dhcp/state %)))]
        (is (= [[:probe "10.0.0.5"] [:probe "10.0.0.5"] [:probe "10.0.0.5"] [:apply "10.0.0.5"]] (briefly (map second fx))))
        (is (= {:dhcp/routes [{:route/to "0.0.0.0/0" :route/via "10.0.0.1"}] :dhcp/valid-until nil :dhcp/server nil}
               (select-keys (second (second (last fx))) [:dhcp/routes :dhcp/valid-until :dhcp/server])))
        (let [s (play s [at [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"]]}]
                      [(+ at 2000) [:tick] {:bound [[:announce "10.0.0.5"]]}])]
          (is (nil? (lease/deadline s)))
          (is (= {:dhcp/state :bound :dhcp/ip "10.0.0.5" :dhcp/prefix 24 :dhcp/server nil :dhcp/left-s :infinite
                  :dhcp/method :static :dhcp/says nil}
                 (lease/summary s 99999)))
          (is (nil? (lease/saved s)))
          (testing "kept and defended, whoever else wants them"
            (play s [50000 [:arp (reply)] {:bound [[:event :conflict] [:announce "10.0.0.5"]]}]
                  [51000 [:arp (reply)] {:bound []}]
                  [59999 [:arp (reply)] {:bound []}]
                  [60000 [:arp (reply)] {:bound [[:announce "10.0.0.5"]]}]))
          (testing "announced when the carrier comes back"
            (play s [50000 [:carrier false] {:bound []}]
                  [51000 [:carrier true] {:bound [[:announce "10.0.0.5"]]}]
                  [53000 [:tick] {:bound [[:announce "10.0.0.5"]]}]))
          (play s [50000 [:stop {:release? true}] {:stopped [[:save "10.0.0.5"] [:remove "10.0.0.5" 24]]}]))))
    (testing "of others are refused, in a sentence, once"
      (let [[s fx] (lease/step s [:arp (reply)] 500)]
        (is (= {:conflicted [[:event :refused]]} {(:dhcp/state s) (briefly fx)}))
        (is (= {:ip "10.0.0.5" :says (str "10.0.0.5 is in use by " other " on this LAN")} (last (last fx))))
        (is (= "10.0.0.5" (lease/claim s)) "It was declared: no sibling gets it.")
        (play s [10500 [:tick] nil]
              [11700 [:arp (reply)] {:conflicted []}])
        (let [[_ at fx] (until s #(= :applying (:dhcp/state %)))]
          (is (<= 14500 at 17500) "It is tried again."))))
    (testing "of a sibling"
      (play s [100 [:arp (arp :request "10.0.0.5" mac nil :arp/outgoing? true :arp/sibling "db")] {:conflicted [[:event :refused]]}]))
    (testing "that another link of the port has"
      (let [[s at _] (until s #(= :applying (:dhcp/state %)))]
        (play s [at [:not-applied "10.0.0.5" :in-use "another link of the port has it"] {:conflicted [[:event :refused]]}]
              [(+ at 10000) [:tick] nil])))
    (testing "without looking for conflicts"
      (play (script/client :dhcp/static static)
            [0 [:start] {:applying [[:apply "10.0.0.5"]]}]
            [1 [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"]]}]
            [2 [:arp (reply)] {:bound []}]))
    (testing "that are on the link already"
      (play (script/client :dhcp/acd? true :dhcp/static static :dhcp/configured "10.0.0.5")
            [0 [:start] {:applying [[:apply "10.0.0.5"]]}])
      (play (script/client :dhcp/acd? true :dhcp/static static :dhcp/configured "10.0.0.6")
            [0 [:start] {:probing [[:remove "10.0.0.6" nil]]}]))))

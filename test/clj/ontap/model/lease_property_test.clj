;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-property-test
  "What holds of leases whatever servers, other hosts, the LAN and the clock do: see
  `ontap.model.lease-world`, in which it is judged after every step."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.lease :as lease]
            [ontap.model.lease-world :as world])
  (:import (java.lang.management ManagementFactory)))

(set! *warn-on-reflection* true)

;; --- thirty days

(def ^:private day 86400000)

(deftest thirty-days-of-leases
  (let [cpu  (fn [] (.getCurrentThreadCpuTime (ManagementFactory/getThreadMXBean)))
        run  (fn [] (-> (world/world 42 {"www" {:dhcp/acd? true :dhcp/start-delay? true}} {"10.0.0.1" {:lease-s 3600}})
                        (world/born "www")
                        (assoc :loss 5)
                        (world/advance (* 30 day))))
        ;; the compiler of the JVM is not what is measured
        _    (run)
        from (long (cpu))
        w    (run)
        ms   (quot (- (long (cpu)) from) 1000000)]
    (println (str "30 days of leases of an hour took " ms " ms of one processor"))
    (is (= [] (:wrong w)))
    (is (= :bound (get-in w [:links "www" :state :dhcp/state])))
    (is (< ms 1000) "It takes less than a second.")))

;; --- whatever happens

(def ^:private gen-move
  "[kind n m]: the numbers choose among what there is."
  (gen/tuple (gen/frequency [[20 (gen/return :wait)] [8 (gen/return :wait-long)] [2 (gen/return :server-up-or-down)] [2 (gen/return :server-forgets)]
                             [2 (gen/return :server-learns)] [2 (gen/return :lease-length)] [3 (gen/return :other-claims)]
                             [2 (gen/return :other-leaves)] [2 (gen/return :sleep)] [1 (gen/return :clock-back)]
                             [1 (gen/return :clock-on)] [3 (gen/return :carrier)] [2 (gen/return :restart)] [1 (gen/return :reboot)]
                             [2 (gen/return :stop)] [3 (gen/return :start)] [2 (gen/return :delete)] [2 (gen/return :not-set)]
                             [1 (gen/return :hwaddr)] [6 (gen/return :garbage)]])
             (gen/choose 0 1000) (gen/choose 0 1000)))

(def ^:private links
  {"a" {:dhcp/acd? true :dhcp/start-delay? true} "b" {:dhcp/acd? false} "c" {:dhcp/acd? true}
   "s" {:dhcp/acd? true :dhcp/static {:ip "10.0.0.50" :prefix 24 :gateway world/gateway}}})

(defn- pick [coll n] (nth (vec coll) (mod n (count coll))))

(defn- garbage
  "A message that is none for the link in `state`."
  [state n]
  (let [m {:message/type (pick [:offer :ack :nak] n) :message/xid (or (lease/xid state) 1) :message/hwaddr (:dhcp/hwaddr state)
           :message/client-id nil :message/your-ip (or (lease/claim state) "10.0.0.100") :message/server-id "10.0.0.2"
           :message/from-hwaddr "02:00:00:00:00:66" :message/options {:option/prefix 24 :option/lease-s 7200}}
        change (pick [[:message/xid 0] [:message/xid nil] [:message/hwaddr "02:00:00:00:00:0f"] [:message/client-id "ff00"]
                      [:message/type :discover] [:message/type nil] [:message/hwaddr nil]] (quot n 3))]
    (if (zero? (mod n 11)) {} (apply assoc m change))))

(defn- unmoved [w name event]
  (let [{:keys [state]} (get-in w [:links name])
        now    (world/clock w)]
    (if (or (nil? state) (not (:awake? w)) (some-> (lease/deadline state) (<= now)))
      w
      (let [[s fx] (lease/step state event now)]
        (if (and (= [] fx) (= (dissoc s :dhcp/now) (dissoc state :dhcp/now)))
          w
          (world/wrong w name " is moved by " event))))))

(defn- all-told [w event] (reduce #(world/tell %1 %2 event) w (keys (:links w))))

(defn- with-clock
  "The world whose machine's clock is set, which is noticed."
  [w delta]
  (-> w (all-told [:tick]) (update :skew + delta)
      ;; one that goes on looks like time to the link, one that goes back is noticed
      (cond-> (neg? delta) (update :links update-vals #(-> (update % :discovered (fn [at] (some-> at (+ delta))))
                                                           (update :disk (fn [saved] (some-> saved (lease/rebase delta)))))))
      (all-told [:tick])))

(defn- move [w [kind n m]]
  (let [name (pick (keys links) n), server (pick (keys (:servers w)) m)
        state (get-in w [:links name :state])
        shortest (fn [] (reduce min (map #(let [s (:lease-s %)] (if (number? s) s 600)) (vals (:servers w)))))]
    (case kind
      :wait          (world/advance w (+ (:now w) (* n 20)))
      :wait-long     (world/advance w (+ (:now w) (* n 10 (long (shortest)))))
      :server-up-or-down (update-in w [:servers server :up?] not)
      :server-forgets (assoc-in w [:servers server :leases] {})
      :server-learns (update-in w [:servers server] merge {:ids? (even? n) :echo? (zero? (mod n 3)) :bold? (zero? (mod n 5))})
      :lease-length  (assoc-in w [:servers server :lease-s] (pick [10 10 30 120 600 3600 :infinite] n))
      :other-claims  (let [ip (or (when (even? m) (some-> state lease/claim)) (pick world/pool n))
                           w  (assoc-in w [:others ip] "02:00:00:00:00:42")]
                       (if (some-> state lease/watched (contains? ip))
                         (world/tell w name [:arp {:arp/op :request :arp/sender-ip ip :arp/sender-hwaddr "02:00:00:00:00:42"
                                                   :arp/target-ip ip :arp/outgoing? false}])
                         w))
      :other-leaves  (assoc w :others {})
      :sleep         (let [w (-> (assoc w :awake? false) (world/advance (+ (:now w) (* n m 20))) (assoc :awake? true))]
                       (all-told w (if (even? n) [:resumed] [:tick])))
      :clock-back    (with-clock w (- (* n 10000)))
      :clock-on      (with-clock w (* n 10000))
      :carrier       (-> w (update :carrier? not) (as-> w (all-told w [:carrier (:carrier? w)])))
      :restart       (cond-> w state (world/born name))
      :reboot        (let [delta (- 5000 (world/clock w))]
                       (reduce (fn [w name] (cond-> (-> w (assoc-in [:links name :on] {})
                                                        (update-in [:links name :disk] #(some-> % (lease/rebase delta)))
                                                        (assoc-in [:links name :state] nil))
                                              (get-in w [:links name :state]) (world/born name)))
                               (update w :skew + delta) (keys links)))
      :stop          (let [w (-> (world/tell w name [:stop {:release? (even? m)}]) (world/tell name [:tick]))]
                       (cond-> (assoc-in w [:links name :state] nil)
                         (seq (get-in w [:links name :on])) (world/wrong name " left its address when it stopped")))
      :start         (cond-> w (nil? state) (world/born name))
      :delete        (let [ip (first (keys (get-in w [:links name :on])))]
                       (-> (assoc-in w [:links name :on] {}) (world/tell name [:address-lost (or ip "10.0.0.9")])))
      :not-set       (let [ip (or (:dhcp/ip (:dhcp/applied state)) "10.0.0.9"), kind (pick [:kernel :kernel :in-use :gone] n)]
                       (-> (if (= "10.0.0.9" ip) w (assoc-in w [:links name :on] {}))
                           (world/tell name [:not-applied ip kind "so it is"])))
      :hwaddr        (world/tell w name [:hwaddr (pick [world/mac "02:00:00:00:00:02"] n)])
      :garbage       (-> w (unmoved name [:message (garbage (or state {}) (+ n m))])
                         (unmoved name [:arp {:arp/op :reply :arp/sender-ip "10.0.0.99" :arp/sender-hwaddr "x"}])
                         (unmoved name [:applied "10.0.0.99"])
                         (unmoved name [:nonsense n])))))

(defn- in-peace
  "The world after all is well for 30 minutes; every link has an address then."
  [w]
  (let [leases (into {} (map (fn [[n ip]] [(str "ff" n) {:ip ip :until ##Inf}])) (world/claims w))
        w (-> w (assoc :loss nil :failing? false :others {} :awake? true)
              (update :servers update-vals #(assoc % :up? true :ids? true :bold? true :leases leases :declined {} :lease-s 600))
              ;; two that give the same addresses never agree
              (assoc-in [:servers "10.0.0.2" :up?] false))
        w (if (:carrier? w) w (all-told (assoc w :carrier? true) [:carrier true]))
        ;; what is under way arrives; one whose link was said to be gone gets another
        w (world/advance w (+ (:now w) 10000))
        w (reduce (fn [w n] (if (contains? #{nil :gone} (get-in w [:links n :state :dhcp/state])) (world/born w n) w)) w (keys links))
        w (world/advance w (+ (:now w) 1800000))]
    (reduce (fn [w [n {:keys [state on]}]]
              (if (and (contains? #{:bound :renewing :rebinding} (:dhcp/state state)) (= 1 (count on)))
                w
                (world/wrong w n " has no address in peace: " (dissoc state :dhcp/given))))
            w (if (seq (:wrong w)) {} (:links w)))))

(defn- after [moves seed]
  (let [w (reduce world/born (assoc (world/world seed links {"10.0.0.1" {:lease-s 60} "10.0.0.2" {:lease-s 600 :echo? false :bold? false}}) :loss 8 :failing? true)
                  (keys links))]
    (in-peace (reduce (fn [w m] (let [w (move w m)] (if (seq (:wrong w)) (reduced w) w))) w moves))))

(defn- run-worlds
  "Result of `runs` worlds, with :seed and the set of :cells that were used."
  [runs seed]
  (let [cells (volatile! #{})]
    (assoc (check/quick-check runs (prop/for-all [moves (gen/vector gen-move 5 60), n gen/nat]
                                     (let [w (after moves n)] (vswap! cells into (:cells w)) (empty? (:wrong w))))
                              :seed seed)
           :seed seed :cells @cells)))

(defn- is-right [{:keys [pass? shrunk seed]}]
  (let [[moves n :as smallest] (:smallest shrunk)]
    (is pass? (str "seed " seed ": " (pr-str (when moves (:wrong (after moves n)))) " after " (pr-str smallest)))))

(deftest whatever-happens
  (let [from   (System/nanoTime)
        result (run-worlds 200 from)]
    (println (str "200 worlds of leases, seed " from ": " (quot (- (System/nanoTime) from) 1000000) " ms"))
    (is-right result)))

(def ^:private rare
  "What is due too seldom where it is to wait for: `ontap.model.lease-again-test` has it."
  (into #{[:renewing :due :gateway] [:rebinding :due :gateway] [:applying :due :expiry] [:gone :due :expiry]}
        (for [state [:renewing :rebinding], what [:announce :reapply :expiry]] [state :due what])))

(deftest nothing-in-the-tables-is-unreachable
  (let [{:keys [cells] :as result} (run-worlds 100 1)]
    (is-right result)
    (is (= (set (keys lease/states)) (into #{} (comp (filter #(= 1 (count %))) (map first)) cells))
        "Every state was reached.")
    (is (= #{} (set/difference (set (for [[state row] lease/timely, [what _] row] [state :due what])) cells rare))
        "Everything that may be due somewhere was.")))

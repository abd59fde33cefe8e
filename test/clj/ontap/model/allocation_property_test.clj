;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.allocation-property-test
  "What holds of leases whatever is asked, and in whatever order the kernel, the holders
  and time answer. A small world carries the effects out: it has links, holders and
  clients of its own, things under way that succeed or fail later, and restarts, after
  which only what was written down is known."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is]]
            [clojure.test.check :as check]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.allocation :as allocation]
            [ontap.model.network :as network]))

(set! *warn-on-reflection* true)

;; --- who asks for what

(def ^:private limit 3)

(def ^:private port
  {:port/name "up0" :port/host-link nil :port/own-netns? false
   :port/allow [{:rule/user nil :rule/group "kvm" :rule/types #{"ipvlan" "macvtap" "tap"} :rule/limit limit
                 :rule/names ["*"]}]})

(def ^:private ports-of
  "How the configuration may read."
  [{"up0" port}
   {"up0" (assoc port :port/host-link {:link "host0" :type "macvlan" :ipv4 {:method :none}})}
   {"up0" (assoc port :port/host-link {:link "host1" :type "macvlan" :ipv4 {:method :none}})}
   {}])

(def ^:private peers
  [{:peer/uid 0 :peer/user "root" :peer/groups #{} :peer/pid 1 :peer/ticks 1}
   {:peer/uid 1000 :peer/user "alice" :peer/groups #{"kvm"} :peer/pid 2 :peer/ticks 2}
   {:peer/uid 1001 :peer/user "bob" :peer/groups #{"kvm"} :peer/pid 3 :peer/ticks 3}
   {:peer/uid 1002 :peer/user "eve" :peer/groups #{} :peer/pid 4 :peer/ticks 4}])

(def ^:private gen-request
  (gen/let [type (gen/elements ["ipvlan" "ipvlan" "macvtap" "macvtap" "tap"])
            name (gen/elements [nil "a" "b" "c"])
            keep? gen/boolean, holder? gen/boolean]
    (let [tap? (network/tap-type? type)]
      {:request/verb :attach :request/type type :request/name name :request/queues 1 :request/mode nil
       :request/link (when-not tap? "eth0") :request/setup (if tap? :none :slaac) :request/keep? keep?
       :request/lease (if (or tap? keep? holder?) :holder :namespace)})))

(def ^:private gen-move
  "[kind number number]: the numbers choose among what there is."
  (gen/let [kind (gen/frequency [[8 (gen/return :ask)] [12 (gen/return :finish)] [4 (gen/return :hang-up)]
                                 [3 (gen/return :asker-ends)] [2 (gen/return :link-ends)] [2 (gen/return :ns-ends)]
                                 [1 (gen/return :link-moves)]
                                 [4 (gen/return :release)] [1 (gen/return :port-away)] [2 (gen/return :port-back)]
                                 [1 (gen/return :read-ports)] [3 (gen/return :wait)] [1 (gen/return :restart)]])
            n (gen/choose 0 1000), m (gen/choose 0 1000), peer (gen/elements peers), request gen-request]
    {:kind kind :n n :m m :peer peer :request request}))

;; --- the world: :state, :now, :under-way [[:make id] ..], :links id -> [nsid index],
;; --- :holders ids, :asked token -> {:answers n}, :timers, :wrong sentences

(defn- wrong [world & words] (update world :wrong conj (apply str words)))

(defn- answered [world token]
  (if (get-in world [:asked token])
    (update-in world [:asked token :answers] inc)
    (wrong world "an answer to nobody: " token)))

(declare tell)

(defn- carry-out [{:keys [state m] :as world} [kind a b]]
  (case kind
    (:look :make :delete) (update world :under-way conj [kind a])
    :refuse   (answered world a)
    :released (answered world a)
    :timer    (update world :timers conj a)
    :record   (assoc world :recorded (allocation/written state))
    :note     world
    :forget   (-> world (update-in [:forgotten (:lease/id a)] (fnil inc 0)) (update :holders disj (:lease/id a)))
    :answer   (let [{:lease/keys [token held]} (allocation/lease state a)
                    world (answered world token)]
                (if (zero? (mod m 7)) ; whoever asked is gone
                  (tell world [:unanswered a])
                  (cond-> world (= :holder held) (update :holders conj a))))
    (wrong world "no effect: " kind)))

(defn- judge
  "`world`, after a step from `before`."
  [{:keys [state links forgotten born recorded asked] :as world} before]
  (let [leases (:alloc/leases state)
        gone   (set/difference (set (keys (:alloc/leases before))) (set (keys leases)))
        new    (set/difference (set (keys leases)) (set (keys (:alloc/leases before))))
        names  (keep :lease/name (vals leases))]
    (cond-> (update world :born into new)
      (not= names (distinct names)) (wrong "two leases have one name: " names)
      (some born new) (wrong "an id is given twice: " new)
      (some #(<= (:alloc/next state) %) (keys leases)) (wrong "the next id is taken")
      (not-every? #(= 1 (forgotten %)) gone) (wrong "not forgotten once: " gone)
      (some forgotten (keys leases)) (wrong "forgotten, and there")
      (not= (:alloc/leases (allocation/written state)) (:alloc/leases recorded)) (wrong "not written down")
      (not-every? leases (keys links)) (wrong "a link without a lease: " (keys links))
      (some #(< 1 (:answers %)) (vals asked)) (wrong "answered twice")
      (some (fn [[[_ uid] those]] (and (pos? uid) (< limit (count those))))
            (group-by (juxt :lease/port :lease/uid) (vals leases)))
      (wrong "more than the limit"))))

(defn- tell [{:keys [state now] :as world} event]
  (let [[after effects] (allocation/step state event now)
        {:keys [timers] :as world} (reduce carry-out (assoc world :state after) effects)]
    (cond-> (judge world state)
      (not-every? (fn [[_ {:ask/keys [until]}]] (and (< now until) (some #{until} timers))) (:alloc/parked after))
      (wrong "parked, and nothing wakes it"))))

;; --- what may happen

(defn- nth-of [xs n] (when (seq xs) (nth (vec (sort xs)) (mod n (count xs)))))

(defn- where
  "Facts of the link that is made for `lease`."
  [{:lease/keys [id type nsid index]}]
  #:lease{:nsid (case type "tap" nil, "macvtap" 1, nsid) :index (or index (+ 50 id)) :parent 2
          :hwaddr "02:00:00:00:00:01" :mtu 1500 :netns nil})

(def ^:private no {:refusal/rule :kernel :refusal/says "no"})

(defn- link-made [world id]
  (let [facts (where (allocation/lease (:state world) id))]
    (update world :links assoc id [(:lease/nsid facts) (:lease/index facts)])))

(defn- finish
  "What is under way succeeds, or not."
  [world [kind id :as work] ok? m]
  (let [world (update world :under-way #(let [[before after] (split-with (partial not= work) %)]
                                          (vec (concat before (rest after)))))
        {:lease/keys [uid] :as lease} (allocation/lease (:state world) id)]
    (case kind
      :look   (tell world (if ok?
                            [:looked id {:net/nsid (+ 10 (mod m 3)) :net/id {:dev 4 :ino (inc m)} :net/own? (zero? (mod m 11))
                                         :net/owner (if (zero? (mod m 5)) 77 uid)}]
                            [:not-looked id no]))
      :make   (if ok?
                (tell (link-made world id) [:made id (where lease)])
                (let [world (tell world [:not-made id no])
                      {:lease/keys [nsid index] :as kept} (allocation/lease (:state world) id)]
                  ;; whoever carries this out looks whether what is kept on is still there
                  (if (and kept (not (contains? (:links world) id))) (tell world [:link-gone nsid index]) world)))
      ;; a lease whose link went away by itself is gone already
      :delete (tell (update world :links dissoc id) [:deleted id]))))

(defn- link-ends [{:keys [links] :as world} id]
  (if-let [[nsid index] (links id)]
    (tell (update world :links dissoc id) [:link-gone nsid index])
    world))

(defn- tick [{:keys [now timers] :as world}]
  (if (some #(<= % now) timers)
    (tell (assoc world :timers (vec (remove #(<= % now) timers))) [:tick])
    world))

(defn- later
  "Time passes, up to each timer in turn."
  [{:keys [now timers] :as world} ms]
  (let [end (+ now ms)]
    (if-let [at (first (sort (filter #(<= now % end) timers)))]
      (recur (tick (assoc world :now at)) (- end at))
      (assoc world :now end))))

(defn- making [{:keys [under-way]}] (into #{} (keep (fn [[kind id]] (when (= :make kind) id))) under-way))

(defn- restart
  "The process is killed: what was under way happened, or not; nobody is answered any more."
  [{:keys [recorded holders m] :as world}]
  (let [before (:state world)
        killed (reduce (fn [w [kind id]]
                         (cond
                           (zero? (mod (+ m id) 2)) w
                           (= :make kind)   (link-made w id)
                           (= :delete kind) (update w :links dissoc id)
                           :else            w))
                       (assoc world :asked {} :under-way [] :timers []) (:under-way world))
        found  (into {} (for [id (keys (:alloc/leases recorded))]
                          [id {:link? (contains? (:links killed) id) :held? (contains? holders id) :asker? (even? (+ m id))}]))
        [state effects] (allocation/taken-up recorded found)
        unwritten (set/difference (set (keys (:alloc/leases before))) (set (keys (:alloc/leases recorded))))
        ;; what was not written down has no link, and nobody knows its id, which may be given again
        known? #(< % (:alloc/next recorded))
        killed (-> killed (assoc :state state)
                   (update :born #(into #{} (filter known?) %))
                   (update :forgotten #(into {} (filter (comp known? key)) %)))
        world  (judge (reduce carry-out killed effects) (update before :alloc/leases #(apply dissoc % unwritten)))]
    (-> world (tell [:there #{"lo" "up0"}]) (tell [:ports (:ports world)]))))

(defn- move [world {:keys [kind n m peer request]}]
  (let [{:keys [state under-way links holders] :as world} (assoc world :m m)
        token (:tokens world)
        fresh #(-> % (update :tokens inc) (assoc-in [:asked token] {:answers 0}))]
    (case kind
      :ask        (tell (fresh world) [:asked token {:ask/port "up0" :ask/peer peer :ask/request request}])
      :release    (tell (fresh world) [:release token peer (inc (mod n (:alloc/next state)))])
      :finish     (if-let [work (nth-of under-way n)] (finish world work (pos? (mod m 4)) m) world)
      :hang-up    (if-let [id (nth-of holders n)] (tell (update world :holders disj id) [:hung-up id]) world)
      :asker-ends (if-let [id (nth-of (keys (:alloc/leases state)) n)] (tell world [:asker-gone id]) world)
      :link-ends  (if-let [id (nth-of (keys links) n)] (link-ends world id) world)
      :link-moves (let [[nsid index :as at] (get links (nth-of (remove (making world) (keys links)) n))]
                    ;; from a namespace that was passed, where its owner may carry it elsewhere
                    (if (and nsid (< 9 nsid)) (tell (update world :links #(into {} (remove (comp #{at} val)) %)) [:link-moved nsid index]) world))
      :ns-ends    (let [busy (into #{} (map #(:lease/nsid (allocation/lease state %))) (making world))
                        nsid (nth-of (remove busy (keep first (vals links))) n)]
                    (if nsid
                      (tell (update world :links #(into {} (remove (fn [[_ [at]]] (= nsid at))) %)) [:ns-gone nsid])
                      world))
      :port-away  (reduce link-ends (tell world [:there #{"lo"}]) (remove (making world) (keys links)))
      :port-back  (tell world [:there #{"lo" "up0"}])
      :read-ports (let [ports (nth ports-of (mod n (count ports-of)))] (tell (assoc world :ports ports) [:ports ports]))
      :wait       (later world (* 7 n))
      :restart    (restart world))))

(def ^:private new-world
  (-> {:state allocation/empty-state :recorded (allocation/written allocation/empty-state) :now 0 :under-way [] :links {}
       :holders #{} :asked {} :timers [] :forgotten {} :born #{} :tokens 1 :wrong [] :m 1 :ports {"up0" port}}
      (tell [:there #{"lo" "up0"}])
      (tell [:ports {"up0" port}])))

(defn- in-the-end
  "All that is under way succeeds, and time passes."
  [world]
  (let [{:keys [under-way] :as world} (later (assoc world :m 1) 6000)]
    (if (seq under-way) (recur (finish world (first under-way) true 1)) world)))

(defn- at-rest
  "What is wrong when nothing is under way any more."
  [{:keys [state links asked holders] :as world}]
  (let [leases (:alloc/leases state)]
    (cond-> world
      (not-every? #(= 1 (:answers %)) (vals asked)) (wrong "not answered: " (remove #(= 1 (:answers (val %))) asked))
      (not= (set (keys links)) (into #{} (remove #(= :moved (:lease/state (leases %)))) (keys leases)))
      (wrong "links " (keys links) ", leases " (keys leases))
      (not-every? #{:held :kept :moved} (map :lease/state (vals leases))) (wrong "not at rest: " (map :lease/state (vals leases)))
      (not-every? leases holders) (wrong "a holder of nothing")
      (some (fn [{:lease/keys [held link type]}]
              (and (= :host held) (not= {:link link :type type :ipv4 {:method :none}} (get-in state [:alloc/ports "up0" :port/host-link]))))
            (vals leases))
      (wrong "a link of the host's own that nobody wants")
      (not= (into #{} (remove #(= :moved (:lease/state (leases %)))) holders)
            (into #{} (keep (fn [[id l]] (when (and (= :holder (:lease/held l)) (= :held (:lease/state l))) id))) leases))
      (wrong "holders " holders " of " (vals leases)))))

(def ^:private gen-moves (gen/vector gen-move 0 120))

(defn- wrong-after [moves] (:wrong (at-rest (in-the-end (reduce move new-world moves)))))

(defspec whatever-happens 400
  (prop/for-all [moves gen-moves] (= [] (wrong-after moves))))

(deftest ^:long whatever-happens-for-long
  (let [seed (System/nanoTime)
        {:keys [pass? shrunk]} (check/quick-check 10000 (prop/for-all [moves gen-moves] (= [] (wrong-after moves))) :seed seed)]
    (is pass? (str "seed " seed ": " (pr-str (wrong-after (first (:smallest shrunk)))) " " (pr-str (:smallest shrunk))))))

(deftest the-world-sees-all-of-it
  (let [seen (atom #{})]
    (with-redefs [carry-out (let [f carry-out] (fn [world [kind :as effect]] (swap! seen conj kind) (f world effect)))]
      (run! wrong-after (gen/sample gen-moves 100)))
    (is (= (set (keys allocation/effects)) @seen) "Every effect was carried out.")))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.allocation-test
  "What is handed out, told by tables: every event in every state of a lease, names that
  are in use or about to be free, ports that come and go, authority, and what a restart
  makes of each lease that was written down. What holds in any order of events is in
  `ontap.model.allocation-property-test`."
  (:require [clojure.edn :as edn]
            [clojure.set :as set]
            [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is testing]]
            [ontap.model.allocation :as allocation]
            [ontap.model.link-lease :as link-lease]
            [ontap.model.network :as network]
            [ontap.model.spec :as spec]
            [ontap.model.text :as text]))

(set! *warn-on-reflection* true)

;; --- one port, those who ask, what they ask for

(def ^:private port
  {:port/name "up0" :port/host-link nil :port/own-netns? false
   :port/allow [{:rule/user nil :rule/group "kvm" :rule/types #{"ipvlan" "ipvtap" "macvtap" "tap"}
                 :rule/limit 3 :rule/names ["*"]}]})

(def ^:private root {:peer/uid 0 :peer/gid 0 :peer/user "root" :peer/groups #{"root"} :peer/pid 10 :peer/ticks 1})
(def ^:private alice {:peer/uid 1000 :peer/gid 1000 :peer/user "alice" :peer/groups #{"kvm"} :peer/pid 11 :peer/ticks 2})
(def ^:private bob {:peer/uid 1001 :peer/gid 1001 :peer/user "bob" :peer/groups #{"kvm"} :peer/pid 12 :peer/ticks 3})

(defn- request [type & {:as more}]
  (let [tap? (network/tap-type? type)]
    (merge {:request/verb :attach :request/type type :request/name nil :request/queues 1
            :request/link (when-not tap? "eth0") :request/mode nil :request/setup (if tap? :none :slaac)
            :request/ipv4 {:method :none}
            :request/lease (if tap? :holder :namespace) :request/keep? false}
           more)))

(defn- ask [peer request] {:ask/port "up0" :ask/peer peer :ask/request request})

(defn- play
  "The last [state effects] of `events`, each [kind & arguments], all at `now`."
  ([state events] (play state 0 events))
  ([state now events]
   (reduce (fn [[state _] event] (allocation/step state event now)) [state []] events)))

(defn- quiet
  "The effects without the notes, and leases by their id."
  [effects]
  (for [[kind & more] effects :when (not= :note kind)]
    (into [kind] (map #(if (:lease/id %) (:lease/id %) %)) more)))

(def ^:private served
  "The state with the port, before anybody asked."
  (first (play allocation/empty-state [[:ports {"up0" port}] [:there #{"lo" "up0"}]])))

(def ^:private net {:net/nsid 5 :net/id {:dev 4 :ino 99} :net/own? false :net/owner 1000})
(def ^:private own-net {:net/nsid nil :net/id {:dev 4 :ino 1} :net/own? true :net/owner 0})
(def ^:private facts #:lease{:nsid 5 :netns {:dev 4 :ino 99} :parent 2 :hwaddr "02:00:00:00:00:01" :mtu 1500})
(def ^:private no {:refusal/rule :kernel :refusal/says "no"})

;; --- every event in every state of lease 1, asked for by token :t

(def ^:private kinds
  "What is asked for: by whom, and what it ends with."
  {:namespace (request "ipvlan" :request/name "web")
   :holder    (request "macvtap" :request/name "web")
   :keep      (request "macvtap" :request/name "web" :request/keep? true)})

(defn- in-state
  "The state with lease 1 of `kind` in `state`."
  [kind state]
  (let [asked  [:asked 90 (ask alice (kinds kind))]
        ;; a namespace is looked at first
        making (cond-> [asked] (= :namespace kind) (conj [:looked 1 net]))
        held   (conj making [:made 1 facts])]
    (first (play served (case state
                          :absent  []
                          :looking [asked]
                          :making  making
                          :held    held
                          :kept    (conj held [:hung-up 1])
                          :ending  (conj held [:release 92 alice 1])
                          :moved   (conj held [:link-moved 5 1001])
                          :resumed (conj held [:hung-up 1] [:asked 90 (ask alice (kinds kind))]))))))

(defn- state-now [state] (:lease/state (allocation/lease state 1) :absent))

(def ^:private over "The effects when lease 1 is gone." [[:record] [:forget 1]])

(def ^:private rows
  "kind -> state -> event -> [the next state, its effects]. An event that is not there
  changes nothing. :looked-no: somebody without authority."
  (let [goes   {:hung-up    [:ending [[:record] [:delete 1]]]
                :unanswered [:ending [[:record] [:delete 1]]]
                :release    [:ending [[:record] [:delete 1]]]
                :link-moved [:moved [[:record]]]
                :link-gone  [:absent over]
                :ns-gone    [:absent over]}
        ending {:release   [:ending []]
                :deleted   [:absent (conj over [:released 92 1])]
                :link-gone [:absent (conj over [:released 92 1])]
                :ns-gone   [:absent (conj over [:released 92 1])]}
        busy   [:refuse 91 {:refusal/rule :busy}]
        making {:made     [:held [[:record] [:answer 1]]]
                :not-made [:absent (conj over [:refuse 90 no])]}
        absent {:release [:absent [[:refuse 91 {:refusal/rule :lease}]]]}]
    {:namespace {:absent  absent
                 :looking {:looked     [:making [[:record] [:make 1]]]
                           :looked-no  [:absent [[:refuse 90 {:refusal/rule :authority}] [:forget 1]]]
                           :not-looked [:absent (conj over [:refuse 90 no])]
                           :release    [:looking [busy]]}
                 :making  (assoc making :release [:making [busy]])
                 :held    goes
                 ;; nobody hears of its link any more; its owner cannot get rid of its count
                 :moved   {:release [:moved [[:refuse 91 {:refusal/rule :lease}]]]}
                 :ending  ending}
     :holder    {:absent  absent
                 :making  (assoc making :release [:making [busy]])
                 :held    goes
                 :ending  ending}
     :keep      {:absent  absent
                 :making  (assoc making :release [:making [busy]])
                 :held    (assoc goes :hung-up [:kept [[:record]]])
                 :kept    (dissoc goes :hung-up)
                 ;; asked for again: what was kept stays when it cannot be handed on
                 :resumed {:made     [:held [[:record] [:answer 1]]]
                           :not-made [:kept [[:record] [:refuse 90 no]]]
                           :release  [:making [busy]]}
                 :ending  ending}}))

(def ^:private told
  "The events of a lease, each as [kind & arguments]."
  {:looked     [:looked 1 net]
   :looked-no  [:looked 1 (assoc net :net/owner 77)]
   :not-looked [:not-looked 1 no]
   :made       [:made 1 facts]
   :not-made   [:not-made 1 no]
   :unanswered [:unanswered 1]
   :hung-up    [:hung-up 1]
   :asker-gone [:asker-gone 1]
   :deleted    [:deleted 1]
   :link-gone  [:link-gone 5 1001]
   :link-moved [:link-moved 5 1001]
   :ns-gone    [:ns-gone 5]
   :release    [:release 91 alice 1]
   :ports      [:ports {"up0" port}]
   :there      [:there #{"lo" "up0"}]
   :tick       [:tick]})

(defn- rough
  "Effects with no more of a refusal than its rule, but for the one given."
  [effects]
  (map (fn [effect] (mapv #(if (and (:refusal/rule %) (not= no %)) (select-keys % [:refusal/rule]) %) effect))
       effects))

(deftest a-link-that-was-carried-elsewhere
  (let [moved (in-state :namespace :moved)
        again [:asked 93 (ask alice (kinds :namespace))]]
    (is (= [[:refuse 93 {:refusal/rule :name}]] (rough (quiet (second (allocation/step moved again 0)))))
        "its name is not free")
    (is (= [:ending [[:record] [:delete 1]]]
           (let [[state effects] (allocation/step moved [:release 94 {:peer/uid 0} 1] 0)]
             [(state-now state) (quiet effects)]))
        "root ends it")
    (is (= [:absent over]
           (let [[state effects] (allocation/step moved [:there #{"lo"}] 0)]
             [(state-now state) (quiet effects)]))
        "it went with its port")
    (is (= :moved (state-now (first (allocation/taken-up (allocation/written moved) {1 {:link? false}}))))
        "it counts after a restart too")))

(deftest a-tap-whose-bridge-went-away
  (let [tap  (first (play served [[:asked 90 (ask alice (request "tap"))]
                                  [:made 1 #:lease{:nsid nil :index 9 :hwaddr "02:00:00:00:00:01" :mtu 1500}]]))
        [state effects] (allocation/step tap [:there #{"lo"}] 0)]
    (is (= [:ending [[:record] [:delete 1]]] [(state-now state) (quiet effects)])
        "nothing would put it on the next one")))

(deftest every-event-in-every-state
  (is (= (set (keys allocation/events)) (into #{:asked} (disj (set (keys told)) :looked-no)))
      "Every event of a lease is told; the one that begins it has tests of its own.")
  (doseq [[kind states] rows, [state row] states, [event told] told
          :let [before (in-state kind state)
                [next-state expected] (get row event [nil []])
                [after effects] (allocation/step before told 0)]]
    (testing (str event " of a lease of " kind " that is " state)
      (is (= expected (rough (quiet effects))) "Its effects.")
      (is (= (or next-state (state-now before)) (state-now after)) "Its next state.")
      (is (set/subset? (set (map first effects)) (set (keys allocation/effects))) "They are effects.")
      (when-not (contains? row event)
        (is (= (update-vals (:alloc/leases before) #(dissoc % :lease/asker-gone?))
               (update-vals (:alloc/leases after) #(dissoc % :lease/asker-gone?)))
            "The lease is as it was."))
      (is (= (and (= :asker-gone event) (not= :absent state))
             (not= (:lease/asker-gone? (allocation/lease before 1)) (:lease/asker-gone? (allocation/lease after 1))))
          "Only the end of who asked is remembered.")))
  (testing "another's words do not count"
    (doseq [state [:held :kept :ending], peer [bob]]
      (is (= [[:refuse 91 {:refusal/rule :lease :refusal/says "you have no lease 1"}]]
             (second (allocation/step (in-state :keep state) [:release 91 peer 1] 0)))))
    (is (= [[:record] [:delete 1]] (quiet (second (allocation/step (in-state :keep :held) [:release 91 root 1] 0))))
        "But for root's."))
  (testing "a lease that is elsewhere"
    (doseq [event [[:link-gone 6 1001] [:link-gone 5 1002] [:link-gone nil 1001] [:ns-gone 6] [:ns-gone nil]]]
      (is (= [] (second (allocation/step (in-state :namespace :held) event 0))) (pr-str event)))))

(deftest what-is-asked-becomes-a-lease
  (let [[state effects] (allocation/step served [:asked 90 (ask alice (kinds :namespace))] 0)]
    (is (= [[:look 1]] effects) "A namespace is looked at before anything is written down.")
    (is (= {} (:alloc/leases (allocation/written state)))))
  (let [[state effects] (allocation/step served [:asked 90 (ask alice (request "ipvtap" :request/queues 4 :request/mode "l2"))] 0)]
    (is (= [[:record] [:make 1]] effects) "It is written down before it is made.")
    (is (= #:lease{:id 1 :port "up0" :type "ipvtap" :mode "l2" :name nil :uid 1000 :pid 11 :ticks 2 :held :holder
                   :keep? false :setup :none :queues 4 :link "ontap1" :index 1001 :state :making}
           (get-in (allocation/written state) [:alloc/leases 1]))))
  (doseq [[kind states] rows, state (keys states) :when (not= :absent state)
          :let [state (in-state kind state), written (allocation/written state)]]
    (is (s/valid? ::spec/lease (allocation/lease state 1)) (s/explain-str ::spec/lease (allocation/lease state 1)))
    (is (= written (edn/read-string (text/edn written))) "What is written is plain data.")))

(deftest both-who-wait-are-told
  (let [[state effects] (play (in-state :holder :ending) [[:release 93 root 1]])]
    (is (= [] effects) "It is ending already.")
    (is (= [[:record] [:forget 1] [:released 92 1] [:released 93 1]]
           (quiet (second (allocation/step state [:deleted 1] 0)))))))

;; --- asking: who may not, what is in use, what will be free

(defn- refusal-of [state peer request]
  (let [[after effects] (allocation/step state [:asked 94 (ask peer request)] 0)
        [[kind token refusal] & more] effects]
    (is (= [:refuse 94 nil] [kind token more]) (str "It is refused: " (pr-str effects)))
    (is (= state after) "Nothing else changes.")
    refusal))

(deftest asking-in-vain
  (are [state peer request refusal] (= refusal (refusal-of state peer request))
    (assoc served :alloc/ports {}) root (request "macvtap")
    #:refusal{:rule :port :says "port up0 is not one of ontapd's any more"}
    (assoc served :alloc/there #{"lo"}) root (request "macvtap")
    #:refusal{:rule :port :says "port up0 is not there yet" :wait? true}
    (in-state :holder :held) bob (request "ipvlan" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use on this machine"}
    (in-state :holder :held) alice (request "ipvlan" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use by lease 1"}
    (in-state :namespace :looking) root (request "ipvlan" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use by lease 1"}
    (in-state :keep :kept) alice (request "ipvtap" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use by lease 1, which was kept: `ontap release 1` ends it"}
    (in-state :keep :kept) bob (request "macvtap" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use on this machine"}
    (in-state :holder :ending) bob (request "macvtap" :request/name "web")
    #:refusal{:rule :name :says "the name web is in use on this machine"})
  (testing "the limit counts what is being made and what is ending"
    (let [asked (fn [n] [:asked n (ask alice (request "macvtap"))])
          [state] (play served [(asked 1) (asked 2) (asked 3) [:made 1 facts] [:release 91 alice 1] [:made 2 facts]])]
      (is (= #:refusal{:rule :limit :says "port up0 gives members of kvm 3 links each, and alice holds 3"}
             (refusal-of state alice (request "macvtap"))))
      (is (= [[:record] [:make 4]] (second (allocation/step (first (play state [[:deleted 1]])) (asked 4) 0)))
          "One that is gone counts no more."))))

(deftest a-name-that-is-about-to-be-free
  (let [again [:asked 94 (ask alice (request "ipvlan" :request/name "web"))]]
    (doseq [[what state] {"its process ended" (first (play (in-state :namespace :held) [[:asker-gone 1]]))
                          "it is being deleted" (in-state :namespace :ending)}]
      (testing what
        (let [[parked effects] (allocation/step state again 100)]
          (is (= [[:timer 5100]] effects) "It is waited for.")
          (is (= [[:record] [:forget 1] [:look 2]]
                 (remove #(= :released (first %)) (quiet (second (allocation/step parked [:ns-gone 5] 200)))))
              "Then it is given.")
          (is (= [] (second (allocation/step parked [:tick] 5099))) "Until then it waits.")
          (is (= [[:refuse 94 {:refusal/rule :name}]] (rough (second (allocation/step parked [:tick] 5100))))
              "In the end it is refused.")
          (is (= [[:refuse 94 {:refusal/rule :port}]]
                 (rough (remove #(= [:record] %) (quiet (second (allocation/step parked [:ports {}] 200))))))
              "When the port is no longer lent, at once.")
          (let [[two] (allocation/step parked (assoc-in again [1] 95) 150)]
            (is (= [[:look 2] [:refuse 95 {:refusal/rule :name}]]
                   (rough (drop-while #(not= :look (first %)) (quiet (second (allocation/step two [:ns-gone 5] 200))))))
                "Of two that wait, the first gets it.")))))
    (is (= :name (:refusal/rule (refusal-of (first (play (in-state :namespace :held) [[:asker-gone 1]])) bob
                                            (request "ipvlan" :request/name "web"))))
        "Nobody waits for another's.")))

(deftest a-kept-link-is-taken-again
  (let [again  #(ask %1 (request %2 :request/name "web" :request/queues 2))
        state  (in-state :keep :kept)
        [after effects] (allocation/step state [:asked 94 (again (assoc alice :peer/pid 44) "macvtap")] 0)]
    (is (= [[:record] [:make 1]] effects) "By its name, by the same user, on the same port, of the same type.")
    (is (= [44 2 false 94] ((juxt :lease/pid :lease/queues :lease/keep? :lease/token) (allocation/lease after 1))))
    (is (= [:ending [[:record] [:delete 1]]]
           (let [[after effects] (play after [[:made 1 facts] [:hung-up 1]])] [(state-now after) (quiet effects)]))
        "Not asked to be kept this time, it is not.")
    (let [[after] (allocation/step after [:not-made 1 no] 0)]
      (is (= [:kept true] ((juxt :lease/state :lease/keep?) (allocation/lease after 1))) "It is kept as before."))
    (let [[after effects] (play after [[:made 1 facts] [:unanswered 1]])]
      (is (= [[:record]] effects))
      (is (= [:kept true] ((juxt :lease/state :lease/keep?) (allocation/lease after 1)))
          "Nor does it end because whoever asked is gone before the answer."))))

;; --- whose namespace is it?

(deftest authority
  (are [own-netns? net type uid rule] (= rule (:refusal/rule (link-lease/authority (assoc port :port/own-netns? own-netns?)
                                                                                   net type {:peer/uid uid})))
    false net     "ipvlan"  1000 nil
    false net     "macvlan" 1000 :authority
    false net     "ipvlan"  1001 :authority
    false (assoc net :net/owner nil) "ipvlan" 1000 :authority
    false (assoc net :net/owner 0) "ipvlan" 1000 :authority
    false net     "macvlan" 0    nil
    false (assoc net :net/owner nil) "macvlan" 0 nil
    false own-net "macvlan" 0    :namespace
    false own-net "ipvlan"  1000 :namespace
    true  own-net "macvlan" 0    nil
    true  own-net "ipvlan"  1000 :authority))

;; --- the host's own link

(deftest the-hosts-own-link
  (let [lent      (assoc port :port/host-link {:link "host0" :type "macvlan" :ipv4 {:method :none}})
        ports     [:ports {"up0" lent}]
        [made]    (play served [ports [:made 1 (dissoc facts :lease/nsid :lease/netns)]])
        quietly   (comp quiet second)]
    (is (= [[:record] [:make 1]] (quietly (play served [ports]))) "It is made when it is wanted,")
    (is (= [] (quietly (play (assoc served :alloc/there #{"lo"}) [ports]))) "and its port is there.")
    (is (= [] (quietly (play made [ports [:there #{"lo" "up0" "host0"}]]))) "Once.")
    (is (= [:held :host "host0" 1001] ((juxt :lease/state :lease/held :lease/link :lease/index) (allocation/lease made 1))))
    (is (= [[:record] [:forget 1] [:record] [:make 2]] (quietly (play made [[:link-gone nil 1001]]))) "It comes back.")
    (is (= [[:record] [:forget 1]] (quietly (play made [[:there #{"lo"}] [:link-gone nil 1001]])))
        "Not without its port.")
    (is (= [[:record] [:delete 1]] (quietly (play made [[:ports {"up0" port}]]))) "Not wanted any more, it goes.")
    (let [renamed [:ports {"up0" (assoc-in lent [:port/host-link :link] "host1")}]]
      (is (= [[:record] [:delete 1]] (quietly (play made [renamed]))) "Wanted otherwise, it goes,")
      (is (= [[:record] [:forget 1] [:record] [:make 2]] (quietly (play made [renamed [:deleted 1]]))) "and is made anew."))
    (is (= [[:refuse 91 {:refusal/rule :lease}]] (rough (quietly (play made [[:release 91 root 1]])))) "Nobody releases it.")
    (is (= [[:record] [:forget 1]] (quietly (play served [ports [:not-made 1 no]]))) "It is not tried again and again.")
    (let [[failed] (play served [ports [:not-made 1 no]])]
      (is (= [] (quietly (play failed [[:link-gone 7 12]])) (quietly (play failed [[:ns-gone 7]])))
          "What others' links and namespaces do is no reason."))))

;; --- across a restart

(deftest taking-up
  (doseq [[kind was] (for [[kind states] rows, state (keys states) :when (not (#{:absent :looking} state))] [kind state])
          link? [true false], held? [true false], asker? [true false]
          :let [written (allocation/written (in-state kind was))
                [state effects] (allocation/taken-up written {1 {:link? link? :held? held? :asker? asker?}})
                lease    (allocation/lease state 1)
                expected (cond
                           (= :moved was)                         :moved
                           (not link?)                            :absent
                           (= :resumed was)                       :kept
                           (#{:making :ending} was)               :ending
                           (or (= :namespace kind) held?)         :held
                           (= :keep kind)                         :kept
                           :else                                  :ending)]]
    (testing (str "a lease of " kind " that was " was ", link " link? ", holder " held? ", asker " asker?)
      (is (= expected (state-now state)))
      (is (= (case expected
               :absent [[:record] [:forget 1]]
               :ending [[:record] [:record] [:delete 1]]
               [[:record]])
             (quiet effects)))
      (when lease
        (is (= (not asker?) (:lease/asker-gone? lease)))
        (is (= (get-in written [:alloc/leases 1 :lease/keep?] ) (or (= :resumed was) (:lease/keep? lease)))
            "What was asked for stands.")
        (is (nil? (:lease/token lease)) "Nobody waits any more."))
      (is (= 2 (:alloc/next state)) "No id is given again.")))
  (is (= [allocation/empty-state [[:record]]] (allocation/taken-up {:alloc/next 1 :alloc/leases {}} {})))
  (testing "the host's own link is never without a holder"
    (let [[made]  (play served [[:ports {"up0" (assoc port :port/host-link {:link "host0" :type "macvlan" :ipv4 {:method :none}})}] [:made 1 facts]])
          [state] (allocation/taken-up (allocation/written made) {1 {:link? true :held? false :asker? false}})]
      (is (= :held (state-now state))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.allocation
  "Which links were handed out, to whom, and what follows from what is heard. Pure: a
  state and an event give the next state and effects as data.

  State: :alloc/next the next id, :alloc/leases id -> lease (doc/data.md, Lease),
  :alloc/ports name -> port (`ontap.model.port`), :alloc/there the names of the links
  of the machine's own namespace, :alloc/parked requests that wait for a name.

  A lease is :looking (who has authority over its namespace?), :making, :held, :kept
  (its holder is gone, it was asked to stay) or :ending."
  (:require [ontap.model.policy :as policy]))

(set! *warn-on-reflection* true)

(def events
  "event -> its arguments, for those who send them."
  {:asked      '[token {:ask/port name :ask/peer peer :ask/request request}]
   :looked     '[id {:net/nsid n :net/id {:dev :ino} :net/own? boolean :net/owner uid}]
   :not-looked '[id refusal]
   :made       '[id facts "keys of a lease: link index nsid netns parent hwaddr mtu"]
   :not-made   '[id refusal]
   :unanswered '[id "whoever asked was gone before it could be told"]
   :hung-up    '[id "the last holder closed the lease descriptor"]
   :asker-gone '[id "the process that asked has ended"]
   :deleted    '[id]
   :link-gone  '[nsid index]
   :ns-gone    '[nsid]
   :release    '[token peer id]
   :ports      '[ports "name -> port: the configuration was read (again)"]
   :there      '[names "of the links there are now"]
   :tick       '["a timer that an effect asked for"]})

(def effects
  "effect -> its arguments."
  {:look     '[id]
   :make     '[id]
   :answer   '[id]
   :refuse   '[token refusal]
   :released '[token id]
   :delete   '[id]
   :forget   '[lease "it is over: let go of what is held for it"]
   :record   '["write the state down"]
   :timer    '[at-ms]
   :note     '[level text]})

(def tap? "Types whose link is reached through a descriptor." #{"ipvtap" "macvtap" "tap"})

(def empty-state
  "Nothing handed out, no port."
  {:alloc/next 1 :alloc/leases (sorted-map) :alloc/ports {} :alloc/there #{} :alloc/parked []})

(def ^:private patience-ms
  "How long a request waits for a name whose last process has just ended: the kernel
  takes its time to end a namespace."
  5000)

(def ^:private first-index
  "The kernel numbers links from 1: a link with an index that was chosen beforehand can
  be told from every other after a crash."
  1000)

(defn lease "Lease `id` of `state`, or nil." [state id] (get-in state [:alloc/leases id]))
(defn- leases [state] (vals (:alloc/leases state)))

(defn refusal
  "The data of a refusal: a rule of doc/protocol.md and a sentence."
  [rule says & {:as more}]
  (merge {:refusal/rule rule :refusal/says says} more))

(defn title
  "A lease in a person's words: \"lease 3 (vm1, ipvtap on wlp3s0)\"."
  [{:lease/keys [id name type port]}]
  (str "lease " id " (" (when name (str name ", ")) type " on " port ")"))

;; --- a new lease

(defn- held-by [state port uid]
  (count (filter #(and (= port (:lease/port %)) (= uid (:lease/uid %)) (not= :host (:lease/held %)))
                 (leases state))))

(defn- resumable?
  "May `request` of `peer` take the kept link of `lease` again?"
  [lease port {:request/keys [type]} {:peer/keys [uid]}]
  (and (= :kept (:lease/state lease)) (tap? type)
       (= [type port uid] ((juxt :lease/type :lease/port :lease/uid) lease))))

(defn- name-taken
  "The refusal of a name that `holder` has."
  [{:lease/keys [id name uid state]} peer]
  (refusal :name
           (if (or (= 0 (:peer/uid peer)) (= uid (:peer/uid peer)))
             (str "the name " name " is in use by lease " id
                  (when (= :kept state) (str ", which was kept: `ontap release " id "` ends it")))
             (str "the name " name " is in use on this machine"))))

(defn- make-lease [id port request peer]
  (let [{:request/keys [type name mode queues link keep?] kind :request/lease} request
        taps? (tap? type)]
    {:lease/id     id
     :lease/port   port
     :lease/type   type
     :lease/mode   mode
     :lease/name   name
     :lease/uid    (:peer/uid peer)
     :lease/pid    (:peer/pid peer)
     :lease/ticks  (:peer/ticks peer)
     :lease/held   (if taps? :holder (or kind :namespace))
     :lease/keep?  (boolean keep?)
     :lease/setup  (:request/setup request)
     :lease/queues (when taps? (or queues 1))
     :lease/link   (if taps? (str "ontap" id) link)
     :lease/index  (when-not (= "tap" type) (+ first-index id))
     :lease/state  (if taps? :making :looking)}))

(defn- put [state lease]
  (assoc-in state [:alloc/leases (:lease/id lease)] lease))

(defn- begin [state port request peer token]
  (let [id    (:alloc/next state)
        lease (assoc (make-lease id port request peer) :lease/token token)
        state (-> state (assoc :alloc/next (inc id)) (put lease))]
    (if (tap? (:request/type request))
      [state [[:record] [:make id]]]
      [state [[:look id]]])))

(defn- resume [state {:lease/keys [id]} {:request/keys [queues keep?]} peer token]
  [(update-in state [:alloc/leases id] assoc
              :lease/state :making :lease/token token :lease/queues (or queues 1)
              :lease/keep? (boolean keep?) :lease/asker-gone? false
              :lease/pid (:peer/pid peer) :lease/ticks (:peer/ticks peer))
   [[:record] [:make id]]])

(defn- freed-soon?
  "Is the name of `holder` about to be free: its process is gone, or its link is?"
  [holder {:peer/keys [uid]}]
  (and (= uid (:lease/uid holder))
       (or (= :ending (:lease/state holder)) (:lease/asker-gone? holder))
       (not= :kept (:lease/state holder))))

(defn- asked [state [token {:ask/keys [port peer request until] :as ask}] now]
  (let [config (get-in state [:alloc/ports port])
        holder (when-let [n (:request/name request)]
                 (some #(when (= n (:lease/name %)) %) (leases state)))
        again? (boolean (and holder (resumable? holder port request peer)))
        no     (fn [r] [state [[:refuse token r]]])]
    (cond
      (nil? config) (no (refusal :port (str "port " port " is not one of ontapd's any more")))
      (not (contains? (:alloc/there state) port))
      (no (refusal :port (str "port " port " is not there yet") :refusal/wait? true))
      :else
      (if-let [r (policy/judge config request peer
                               (cond-> (held-by state port (:peer/uid peer)) again? dec))]
        (no r)
        (cond
          again?        (resume state holder request peer token)
          (nil? holder) (begin state port request peer token)

          (and (freed-soon? holder peer) (< now (or until (+ now patience-ms))))
          (let [until (or until (+ now patience-ms))]
            [(update state :alloc/parked conj [token (assoc ask :ask/until until)])
             [[:timer until]]])

          :else (no (name-taken holder peer)))))))

(defn authority
  "The refusal of a link of `type` in the namespace of facts `net` for `peer`, or nil
  (DESIGN.md, decision 5: root, or the owner of its user namespace, and ipvlan only)."
  [port-config {:net/keys [own? owner]} type {:peer/keys [uid]}]
  (cond
    (and own? (not (:port/own-netns? port-config)))
    (refusal :namespace
             (str "that is ontapd's own network namespace, and port " (:port/name port-config)
                  " puts no links there; :own-netns true in its configuration would allow it"))
    (zero? (long uid)) nil
    (not= owner uid)
    (refusal :authority
             (str "that network namespace is not yours: a link goes to a namespace of root's for"
                  " root only, and to one that you made yourself (unshare -Urn) for you"))
    (not= "ipvlan" type)
    (refusal :authority (str "only ipvlan links go to an ordinary user's namespace: on a " type
                             " one could stack more without limit"))))

(defn- drop-lease [state id] (update state :alloc/leases dissoc id))

(defn- was-kept?
  "Was the link of `lease` there before it is made now?"
  [{:lease/keys [state mtu]}]
  (and (= :making state) (some? mtu)))

(defn- keep-on
  "Leaves `lease`, which was kept, so: it could not be handed on."
  [state lease]
  (put state (-> lease (assoc :lease/state :kept :lease/keep? true) (dissoc :lease/token :lease/resumed?))))

(defn- looked [state [id net] _]
  (let [{:lease/keys [port type uid token] :as lease} (lease state id)]
    (if-let [refused (authority (get-in state [:alloc/ports port]) net type {:peer/uid uid})]
      [(drop-lease state id) [[:refuse token refused] [:forget lease]]]
      [(put state (assoc lease :lease/state :making :lease/nsid (:net/nsid net) :lease/netns (:net/id net)))
       [[:record] [:make id]]])))

(defn- not-made [state [id refused] _]
  (let [{:lease/keys [token held port] :as lease} (lease state id)]
    (if (was-kept? lease)
      [(keep-on state lease) [[:record] [:refuse token refused]]]
      [(drop-lease state id)
       (cond-> [[:record] [:forget lease]]
         token           (conj [:refuse token refused])
         (= :host held) (conj [:note :warning (str "no link " (:lease/link lease) " on port " port ": "
                                                   (:refusal/says refused))]))])))

(defn- made [state [id facts] _]
  (let [{:lease/keys [held link port] :as lease} (lease state id)]
    [(put state (cond-> (assoc (merge lease facts) :lease/state :held)
                  (was-kept? lease) (assoc :lease/resumed? true)))
     [[:record] (if (= :host held) [:note :info (str "link " link " on port " port " is there")] [:answer id])]]))

;; --- the end of one

(defn- ending [state id & effects]
  [(-> state (assoc-in [:alloc/leases id :lease/state] :ending))
   (into [[:record] [:delete id]] effects)])

(defn- active? [{:lease/keys [state]}] (contains? #{:held :kept} state))

(defn- unanswered [state [id] _]
  (let [lease (lease state id)]
    (cond (not (active? lease))   [state []]
          (:lease/resumed? lease) [(keep-on state lease) [[:record]]]
          :else                   (ending state id))))

(defn- hung-up [state [id] _]
  (let [{:lease/keys [keep?] :as lease} (lease state id)]
    (cond
      (not= :held (:lease/state lease)) [state []]
      keep? [(assoc-in state [:alloc/leases id :lease/state] :kept)
             [[:record] [:note :info (str (title lease) " has no holder any more and is kept")]]]
      :else (ending state id [:note :info (str (title lease) " ended: its last holder is gone")]))))

(defn- asker-gone [state [id] _]
  [(cond-> state (lease state id) (assoc-in [:alloc/leases id :lease/asker-gone?] true)) []])

(defn- over
  "`lease` has no link any more."
  [state {:lease/keys [id waiters] :as lease}]
  [(drop-lease state id)
   (into [[:record] [:forget lease]] (map #(vector :released % id)) waiters)])

(defn- deleted [state [id] _] (over state (lease state id)))

(defn- gone
  "The links of `those` leases went away by themselves."
  [state those why]
  (reduce (fn [[state effects] lease]
            (let [[state more] (over state lease)]
              [state (cond-> (into effects more)
                       (active? lease) (conj [:note :info (str (title lease) " ended: " (why lease))]))]))
          [state []] those))

(defn- at-link? [nsid index lease]
  (and (= nsid (:lease/nsid lease)) (= index (:lease/index lease))
       (not (contains? #{:looking :making} (:lease/state lease)))))

(defn- link-gone [state [nsid index] _]
  (gone state (filter #(at-link? nsid index %) (leases state))
        #(str "its link went away (was port " (:lease/port %) " removed?)")))

(defn- ns-gone [state [nsid] _]
  (gone state
        (filter #(and nsid (= nsid (:lease/nsid %)) (not (contains? #{:looking :making} (:lease/state %))))
                (leases state))
        (constantly "with its network namespace")))

(defn- release [state [token {:peer/keys [uid]} id] _]
  (let [{:lease/keys [held] :as lease} (lease state id)]
    (cond
      (or (nil? lease) (not (or (= 0 uid) (= uid (:lease/uid lease)))))
      [state [[:refuse token (refusal :lease (str "you have no lease " id))]]]
      (= :host held)
      [state [[:refuse token (refusal :lease (str "lease " id " is the host's own link; taking :host-link out"
                                                  " of the configuration ends it"))]]]
      (contains? #{:looking :making} (:lease/state lease))
      [state [[:refuse token (refusal :busy (str (title lease) " is being made; ask again"))]]]
      :else
      (let [state (update-in state [:alloc/leases id :lease/waiters] (fnil conj []) token)]
        (if (= :ending (:lease/state lease))
          [state []]
          (ending state id [:note :info (str (title lease) " is released")]))))))

;; --- ports and the host's own links

(defn- host-lease [id {:port/keys [name host-link]}]
  {:lease/id id, :lease/port name, :lease/type (:type host-link), :lease/mode nil, :lease/name nil
   :lease/uid 0, :lease/pid nil, :lease/held :host, :lease/keep? true, :lease/setup :slaac
   :lease/queues nil, :lease/link (:link host-link), :lease/index (+ first-index id)
   :lease/nsid nil, :lease/netns nil, :lease/state :making})

(defn- host-links
  "Makes what is wanted of the host's own links and is not there; ends what is not wanted."
  [{:alloc/keys [ports there] :as state}]
  (let [ours    (filter #(= :host (:lease/held %)) (leases state))
        wanted? (fn [{:lease/keys [port type link]}]
                  (= {:link link :type type} (:port/host-link (ports port))))
        there?  (fn [{:port/keys [name]}] (some #(= name (:lease/port %)) ours))
        [state effects]
        (reduce (fn [[state effects] lease]
                  (let [[state more] (ending state (:lease/id lease))] [state (into effects more)]))
                [state []] (filter #(and (active? %) (not (wanted? %))) ours))]
    (reduce (fn [[state effects] port]
              (let [id (:alloc/next state)]
                [(-> state (assoc :alloc/next (inc id)) (put (host-lease id port)))
                 (conj effects [:record] [:make id])]))
            [state effects]
            (sort-by :port/name
                     (filter #(and (:port/host-link %) (contains? there (:port/name %)) (not (there? %)))
                             (vals ports))))))

(defn- ports-read [state [ports] _]
  (host-links (assoc state :alloc/ports ports)))

(defn- there [state [names] _]
  (host-links (assoc state :alloc/there (set names))))

;; --- all of it

(defn- unpark
  "Asks again what waited, after `step-one` left a name free or time passed."
  [[state effects] now]
  (reduce (fn [[state effects] [token ask]]
            (let [[state more] (asked state [token ask] now)]
              [state (into effects (remove #(= :timer (first %))) more)]))
          [(assoc state :alloc/parked []) effects]
          (:alloc/parked state)))

(def ^:private table
  {:asked asked, :looked looked, :not-looked not-made, :made made, :not-made not-made
   :unanswered unanswered, :hung-up hung-up, :asker-gone asker-gone, :deleted deleted
   :link-gone link-gone, :ns-gone ns-gone, :release release, :ports ports-read, :there there
   :tick (fn [state _ _] [state []])})

(defn- with-host-links [[state effects :as done] before]
  (if (identical? state before) done (let [[state more] (host-links state)] [state (into effects more)])))

(def ^:private awaited
  "event -> the state of the lease that waits for it; told of another it changes nothing."
  {:looked :looking, :not-looked :looking, :made :making, :not-made :making, :deleted :ending})

(defn- late? [state [kind id]]
  (when-let [awaits (awaited kind)] (not= awaits (:lease/state (lease state id)))))

(defn step
  "[state' effects] after event [kind & arguments] (see `events`) at `now`, ms."
  [state [kind & arguments :as event] now]
  (cond-> (if (late? state event) [state []] ((table kind) state (vec arguments) now))
    (contains? #{:link-gone :ns-gone :deleted :made} kind) (with-host-links state)
    (contains? #{:deleted :link-gone :ns-gone :not-made :not-looked :asker-gone :tick :ports} kind)
    (unpark now)))

;; --- across a restart

(defn written-lease
  "What of `lease` is written down; nil before anything was begun for it."
  [{:lease/keys [state] :as lease}]
  (when-not (= :looking state) (dissoc lease :lease/token :lease/waiters :lease/asker-gone? :lease/resumed?)))

(defn written
  "What of `state` is written down: the next id and the leases."
  [{:alloc/keys [next leases]}]
  {:alloc/next   next
   :alloc/leases (into (sorted-map) (keep (fn [[id l]] (some->> (written-lease l) (vector id)))) leases)})

(defn taken-up
  "[state effects] of what was written, after looking: `found` is id -> {:link? is its
  link there? :held? does a holder live? :asker? does the process that asked live?}."
  [{:alloc/keys [next leases]} found]
  (reduce
   (fn [[state effects] {:lease/keys [id held keep?] was :lease/state :as lease}]
     (let [{:keys [link? held? asker?]} (found id)
           lease (assoc lease :lease/asker-gone? (not asker?))
           state (put state (assoc lease :lease/state :held))]
       (cond
         (not link?)
         [(drop-lease state id)
          (conj effects [:forget lease] [:note :info (str (title lease) " ended while nobody looked")])]

         (was-kept? lease)
         [(keep-on state lease) effects]

         (or (contains? #{:making :ending} was)
             (and (= :holder held) (not held?) (not keep?)))
         (let [[state more] (ending state id)] [state (into effects more)])

         (and (= :holder held) (not held?))
         [(put state (assoc lease :lease/state :kept)) effects]

         :else [state effects])))
   [(assoc empty-state :alloc/next next) [[:record]]]
   (vals leases)))

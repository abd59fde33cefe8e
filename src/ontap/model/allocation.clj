;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.allocation
  "Which links were handed out, to whom, and what follows from what is heard. Pure: a
  state and an event give the next state and effects as data.

  State: :alloc/next the next id, :alloc/leases id -> lease (doc/data.md, Lease),
  :alloc/ports name -> port (`ontap.model.port`), :alloc/there the names of the links
  of the machine's own namespace, :alloc/parked requests that wait for a name.

  A lease is :looking (who has authority over its namespace?), :making, :held, :kept
  (its holder is gone, it was asked to stay), :moved (its owner carried the link to
  another namespace) or :ending."
  (:require [ontap.model.link-lease :as link-lease]
            [ontap.model.network :as network]
            [ontap.model.policy :as policy]))

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
   :link-moved '[nsid index "into another network namespace"]
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

(def empty-state
  "Nothing handed out, no port. Allocators that make taps in one namespace need other
  :alloc/prefix for the names of their links."
  {:alloc/prefix "ontap" :alloc/next 1 :alloc/leases (sorted-map) :alloc/ports {} :alloc/there #{} :alloc/parked []})

(def ^:private patience-ms
  "How long a request waits for a name whose last process has just ended: the kernel
  takes its time to end a namespace."
  5000)

(defn lease "Lease `id` of `state`, or nil." [state id] (get-in state [:alloc/leases id]))
(defn- leases [state] (vals (:alloc/leases state)))

;; --- a new lease

(defn- held-by [state port uid]
  (count (filter #(and (= port (:lease/port %)) (= uid (:lease/uid %)) (not= :host (:lease/held %)))
                 (leases state))))

(defn- put [state lease]
  (assoc-in state [:alloc/leases (:lease/id lease)] lease))

(defn- begin [state port request peer token]
  (let [id    (:alloc/next state)
        lease (assoc (link-lease/of-request id port request peer (:alloc/prefix state)) :lease/token token)
        state (-> state (assoc :alloc/next (inc id)) (put lease))]
    (if (network/tap-type? (:request/type request))
      [state [[:record] [:make id]]]
      [state [[:look id]]])))

(defn- resume [state {:lease/keys [id]} {:request/keys [queues keep?]} peer token]
  [(update-in state [:alloc/leases id] assoc
              :lease/state :making :lease/token token :lease/queues (or queues 1)
              :lease/keep? (boolean keep?) :lease/asker-gone? false
              :lease/pid (:peer/pid peer) :lease/ticks (:peer/ticks peer))
   [[:record] [:make id]]])

(defn- asked [state [token {:ask/keys [port peer request until] :as ask}] now]
  (let [config (get-in state [:alloc/ports port])
        holder (when-let [n (:request/name request)]
                 (some #(when (= n (:lease/name %)) %) (leases state)))
        again? (boolean (and holder (link-lease/resumable? holder port request peer)))
        no     (fn [r] [state [[:refuse token r]]])]
    (cond
      (nil? config) (no (link-lease/refusal :port (str "port " port " is not one of ontapd's any more")))
      (not (contains? (:alloc/there state) port))
      (no (link-lease/refusal :port (str "port " port " is not there yet") :refusal/wait? true))
      :else
      (if-let [r (policy/judge config request peer
                               (cond-> (held-by state port (:peer/uid peer)) again? dec))]
        (no r)
        (cond
          again?        (resume state holder request peer token)
          (nil? holder) (begin state port request peer token)

          (and (link-lease/freed-soon? holder peer) (< now (or until (+ now patience-ms))))
          (let [until (or until (+ now patience-ms))]
            [(update state :alloc/parked conj [token (assoc ask :ask/until until)])
             [[:timer until]]])

          :else (no (link-lease/name-taken holder peer)))))))

(defn- drop-lease [state id] (update state :alloc/leases dissoc id))

(defn- keep-on
  "Leaves `lease`, which was kept, so: it could not be handed on."
  [state lease]
  (put state (-> lease (assoc :lease/state :kept :lease/keep? true) (dissoc :lease/token :lease/resumed?))))

(defn- looked [state [id net] _]
  (let [{:lease/keys [port type uid token] :as lease} (lease state id)]
    (if-let [refused (link-lease/authority (get-in state [:alloc/ports port]) net type {:peer/uid uid})]
      [(drop-lease state id) [[:refuse token refused] [:forget lease]]]
      [(put state (assoc lease :lease/state :making :lease/nsid (:net/nsid net) :lease/netns (:net/id net)))
       [[:record] [:make id]]])))

(defn- not-made [state [id refused] _]
  (let [{:lease/keys [token held port] :as lease} (lease state id)]
    (if (link-lease/was-kept? lease)
      [(keep-on state lease) [[:record] [:refuse token refused]]]
      [(cond-> (drop-lease state id)
         (= :host held) (assoc-in [:alloc/unmade port] (:refusal/says refused)))
       (cond-> [[:record] [:forget lease]]
         token (conj [:refuse token refused])
         ;; it is tried again whenever something changes: one sentence is enough
         (and (= :host held) (not= (:refusal/says refused) (get-in state [:alloc/unmade port])))
         (conj [:note :warning (str "no link " (:lease/link lease) " on port " port ": "
                                    (:refusal/says refused))]))])))

(defn- made [state [id facts] _]
  (let [{:lease/keys [held link port] :as lease} (lease state id)]
    [(put (update state :alloc/unmade dissoc port)
          (cond-> (assoc (merge lease facts) :lease/state :held)
                  (link-lease/was-kept? lease) (assoc :lease/resumed? true)))
     [[:record] (if (= :host held) [:note :info (str "link " link " on port " port " is there")] [:answer id])]]))

;; --- the end of one

(defn- ending [state id & effects]
  [(-> state (assoc-in [:alloc/leases id :lease/state] :ending))
   (into [[:record] [:delete id]] effects)])

(defn- unanswered [state [id] _]
  (let [lease (lease state id)]
    (cond (not (link-lease/active? lease))   [state []]
          (:lease/resumed? lease) [(keep-on state lease) [[:record]]]
          :else                   (ending state id))))

(defn- hung-up [state [id] _]
  (let [{:lease/keys [keep?] :as lease} (lease state id)]
    (cond
      (not= :held (:lease/state lease)) [state []]
      keep? [(assoc-in state [:alloc/leases id :lease/state] :kept)
             [[:record] [:note :info (str (link-lease/title lease) " has no holder any more and is kept")]]]
      :else (ending state id [:note :info (str (link-lease/title lease) " ended: its last holder is gone")]))))

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
                       (link-lease/active? lease) (conj [:note :info (str (link-lease/title lease) " ended: " (why lease))]))]))
          [state []] those))

(defn- link-gone [state [nsid index] _]
  (gone state (filter #(link-lease/at-link? nsid index %) (leases state))
        #(str "its link went away (was port " (:lease/port %) " removed?)")))

(defn- link-moved
  "Whoever owns the namespace of a lease can carry its link elsewhere, where nobody hears
  of it: it goes on counting, under its name, until its port goes away."
  [state [nsid index] _]
  (reduce (fn [[state effects] lease]
            [(put state (assoc lease :lease/state :moved :lease/nsid nil :lease/netns nil :lease/index nil))
             (conj effects [:record]
                   [:note :warning (str (link-lease/title lease) ": its link was moved to another network"
                                        " namespace; it counts on until its port goes away, or root releases it")])])
          [state []]
          (filter #(and (link-lease/at-link? nsid index %) (link-lease/active? %)) (leases state))))

(defn- ns-gone [state [nsid] _]
  (gone state
        (filter #(and nsid (= nsid (:lease/nsid %)) (not (contains? #{:looking :making} (:lease/state %))))
                (leases state))
        (constantly "with its network namespace")))

(defn- release [state [token {:peer/keys [uid] :as peer} id] _]
  (let [{:lease/keys [held] :as lease} (lease state id)]
    (cond
      (not (and lease (policy/may-see? peer lease)))
      [state [[:refuse token (link-lease/refusal :lease (str "you have no lease " id))]]]
      (= :host held)
      [state [[:refuse token (link-lease/refusal :lease (str "lease " id " is the host's own link; taking :host-link out"
                                                  " of the configuration ends it"))]]]
      (and (= :moved (:lease/state lease)) (not= 0 uid))
      [state [[:refuse token (link-lease/refusal :lease (str "the link of lease " id " was moved to another network"
                                                             " namespace; only root can release it now"))]]]
      (contains? #{:looking :making} (:lease/state lease))
      [state [[:refuse token (link-lease/refusal :busy (str (link-lease/title lease) " is being made; ask again"))]]]
      :else
      (let [state (update-in state [:alloc/leases id :lease/waiters] (fnil conj []) token)]
        (if (= :ending (:lease/state lease))
          [state []]
          (ending state id [:note :info (str (link-lease/title lease) " is released")]))))))

;; --- ports and the host's own links

(defn- host-links
  "Makes what is wanted of the host's own links and is not there; ends what is not wanted."
  [{:alloc/keys [ports there] :as state}]
  (let [ours    (filter #(= :host (:lease/held %)) (leases state))
        wanted? (fn [{:lease/keys [port type link ipv4]}]
                  (= [link type ipv4] ((juxt :link :type :ipv4) (:port/host-link (ports port)))))
        there?  (fn [{:port/keys [name]}] (some #(= name (:lease/port %)) ours))
        [state effects]
        (reduce (fn [[state effects] lease]
                  (let [[state more] (ending state (:lease/id lease))] [state (into effects more)]))
                [state []] (filter #(and (link-lease/active? %) (not (wanted? %))) ours))]
    (reduce (fn [[state effects] port]
              (let [id (:alloc/next state)]
                [(-> state (assoc :alloc/next (inc id)) (put (link-lease/of-host id port)))
                 (conj effects [:record] [:make id])]))
            [state effects]
            (sort-by :port/name
                     (filter #(and (:port/host-link %) (contains? there (:port/name %)) (not (there? %)))
                             (vals ports))))))

(defn- ports-read [state [ports] _]
  (host-links (assoc state :alloc/ports ports)))

(defn- unplugged
  "What a port that went away leaves behind: a tap that no bridge has any more, and links
  of which nobody would hear."
  [state names]
  (reduce (fn [[state effects] {:lease/keys [id] :as lease}]
            (let [[state more] (if (= :moved (:lease/state lease)) (over state lease) (ending state id))]
              [state (into (conj effects [:note :info (str (link-lease/title lease) " ended: its port went away")]) more)]))
          [state []]
          (filter (fn [{:lease/keys [type port] :as lease}]
                    (and (not (contains? names port))
                         (or (= :moved (:lease/state lease))
                             (and (= "tap" type) (link-lease/active? lease)))))
                  (leases state))))

(defn- there [state [names] _]
  (let [names (set names)
        [state effects] (unplugged (assoc state :alloc/there names) names)
        [state more] (host-links state)]
    [state (into effects more)]))

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
   :link-gone link-gone, :link-moved link-moved, :ns-gone ns-gone, :release release, :ports ports-read, :there there
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
    (contains? #{:deleted :link-gone :ns-gone :not-made :not-looked :asker-gone :tick :ports :there} kind)
    (unpark now)))

;; --- across a restart

(defn written
  "What of `state` is written down: the next id and the leases."
  [{:alloc/keys [next leases]}]
  {:alloc/next   next
   :alloc/leases (into (sorted-map) (keep (fn [[id l]] (some->> (link-lease/written l) (vector id)))) leases)})

(defn taken-up
  "[state effects] of what was written, after looking: `found` is id -> {:link? is its
  link there? :held? does a holder live? :asker? does the process that asked live?};
  `prefix` as in `empty-state`."
  [{:alloc/keys [next leases]} found & {:keys [prefix] :or {prefix "ontap"}}]
  (reduce
   (fn [[state effects] {:lease/keys [id held keep?] was :lease/state :as lease}]
     (let [{:keys [link? held? asker?]} (found id)
           lease (assoc lease :lease/asker-gone? (not asker?))
           state (put state (assoc lease :lease/state :held))]
       (cond
         (= :moved was)
         [(put state (assoc lease :lease/state :moved)) effects]

         (not link?)
         [(drop-lease state id)
          (conj effects [:forget lease] [:note :info (str (link-lease/title lease) " ended while nobody looked")])]

         (link-lease/was-kept? lease)
         [(keep-on state lease) effects]

         (or (contains? #{:making :ending} was)
             (and (= :holder held) (not held?) (not keep?)))
         (let [[state more] (ending state id)] [state (into effects more)])

         (and (= :holder held) (not held?))
         [(put state (assoc lease :lease/state :kept)) effects]

         :else [state effects])))
   [(assoc empty-state :alloc/next next :alloc/prefix prefix) [[:record]]]
   (vals leases)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-proxy
  "The seed's way: who asks the link for NAME.local gets what an ordinary DNS server says of NAME.DOMAIN. A pure machine.

    (step state event now seed) -> {:mdns/state state' :mdns/effects [effect]}

  Events: {:event/type :link :link/families #{family}}, packets as for `ontap.model.mdns`, {:event/type :reply :reply/message m}
  (of the DNS server), {:event/type :time}. Effects: :send as there, and {:effect/type :ask :ask/message m}, a query for the server.

  The names are nobody's by a probe, so nothing is said to be exclusive: no cache-flush bit, no NSEC, no word about what the
  server does not know. What it says is kept no longer than its TTL, and at most two minutes; what it denies ten
  seconds. When and to whom is answered, is as for names of our own (`ontap.model.mdns-answer`)."
  (:require [ontap.model.chance :as chance]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private longest-s 120)
(def ^:private denied-ms 10000)
(def ^:private patience-ms "After each of these the server is asked again; after the last it is given up." [1000 2000 3000])
(def ^:private most-pending "Questions to the server at once; who floods the link gets no more." 64)
(def ^:private most-kept 1000)
(def ^:private most-waiting "Askers that wait for one answer." 8)
(def ^:private port 5353)
(def ^:private types "What is asked of the server." #{record/a record/aaaa record/ptr record/txt record/srv})
(def ^:private edns "Up to 1232 bytes by UDP (RFC 6891)." {:mdns/name mdns-name/root :mdns/type 41 :mdns/class 1232 :mdns/ttl 0 :mdns/rdata "" :mdns/flush? false})

(defn proxy-machine
  "Nothing was asked. `domain`: the name of the domain at the server."
  [domain]
  {:proxy/domain (mdns-name/fold domain) :proxy/families #{} :proxy/kept {} :proxy/pending {}
   :proxy/answering (mdns-answer/answering) :proxy/catalog {:catalog/records {} :catalog/owned #{}}})

;; --- names here and there

(defn- moved
  "`name` below `from` as it is called below `to`; nil when it is not below, or would be too long."
  [name from to]
  (let [folded (mdns-name/fold name)]
    (when (and (mdns-name/below? folded from) (not= folded from))
      (let [front (subs name 0 (- (count name) (count from)))]
        (when (<= (+ (count front) (count to)) (long mdns-name/longest)) (str front to))))))

(defn- arpa? [name]
  (some #(mdns-name/below? name (mdns-name/of-text %)) ["in-addr.arpa" "ip6.arpa"]))

(defn- there
  "What the server is asked for instead of [folded-name type], or nil."
  [{:proxy/keys [domain]} [name type]]
  (cond (not (contains? types type)) nil
        (and (arpa? name) (= record/ptr type)) name
        :else (moved name mdns-name/local domain)))

(defn- wanted
  "The [folded-name type] that have to be known for a question."
  [{:mdns/keys [name type]}]
  (let [n (mdns-name/fold name)]
    (if (= record/any type) [[n record/a] [n record/aaaa]] [[n type]])))

;; --- what is kept

(defn- catalog-of [kept]
  {:catalog/owned   #{}
   :catalog/records (reduce-kv (fn [m [name _] {:keys [records]}] (if (seq records) (update m name (fnil into []) records) m)) {} kept)})

(defn- keeping [state kept]
  (assoc state :proxy/kept kept :proxy/catalog (catalog-of kept)))

(defn- forgetful [{:proxy/keys [kept] :as state} now]
  (let [gone (keep (fn [[q {:keys [until]}]] (when (<= (long until) (long now)) q)) kept)]
    (if (empty? gone) state (keeping state (reduce dissoc kept gone)))))

(defn- aged
  "With what is kept of `names` as it is now: good for no longer than the server said."
  [{:proxy/keys [kept] :as state} names now]
  (reduce (fn [state name]
            (let [records (for [type types
                                :let [{:keys [records until]} (get kept [name type])]
                                r records]
                            (assoc r :mdns/ttl (max 1 (quot (- (long until) (long now)) 1000))))]
              (cond-> state (seq records) (assoc-in [:proxy/catalog :catalog/records name] (vec records)))))
          state names))

(defn- local-record
  "What the server says in `r` about [name type], as it is said here, or nil."
  [{:proxy/keys [domain]} [name type] {:mdns/keys [rdata ttl] :as r}]
  (let [ttl  (min (long ttl) (long longest-s))
        data (condp = type
               record/ptr (moved rdata domain mdns-name/local)
               record/srv (when-let [t (moved (subs rdata 6) domain mdns-name/local)] (str (subs rdata 0 6) t))
               rdata)]
    (when (and data (pos? ttl))
      (assoc r :mdns/name name :mdns/class record/in :mdns/ttl ttl :mdns/rdata data :mdns/flush? false))))

;; --- the server

(defn- ask-message [id name type]
  {:message/id id
   :message/questions [{:mdns/name name :mdns/type type :mdns/class record/in :mdns/unicast? false}]
   :message/additionals [edns]})

(defn- ask [{:proxy/keys [pending] :as state} q packet now seed]
  (let [name (there state q)]
    (cond
      (contains? pending q) [(update-in state [:proxy/pending q :waiting] #(if (< (count %) (long most-waiting)) (conj % packet) %)) []]
      (or (nil? name) (<= (long most-pending) (count pending))) [state []]
      :else
      (let [[id] (chance/between (+ (long seed) (hash q)) 0 65535)]
        [(assoc-in state [:proxy/pending q] {:id id :name name :tries 0 :at (+ (long now) (long (first patience-ms))) :waiting [packet]})
         [{:effect/type :ask :ask/message (ask-message id name (second q))}]]))))

(defn- ask-again [state now]
  (reduce
   (fn [[state effects] [q {:keys [id name tries at]}]]
     (let [tries (inc (long tries)), wait (get patience-ms tries)]
       (cond
         (< (long now) (long at)) [state effects]
         (nil? wait) [(update state :proxy/pending dissoc q) (conj effects {:effect/type :silent})]
         :else [(update-in state [:proxy/pending q] assoc :tries tries :at (+ (long now) (long wait)))
                (conj effects {:effect/type :ask :ask/message (ask-message id name (second q))})])))
   [state []] (:proxy/pending state)))

;; --- the link

(defn- answer [state {:packet/keys [message] :as packet} now seed]
  (let [{:proxy/keys [answering catalog] :as state} (aged state (into #{} (map (comp mdns-name/fold :mdns/name)) (:message/questions message)) now)
        [answering effects] (mdns-answer/asked answering catalog packet now seed)]
    [(assoc state :proxy/answering answering) effects]))

(defn- both [[state effects] f]
  (let [[state more] (f state)] [state (into effects more)]))

(defn- query
  "Questions whose answers are kept are answered; for the others the server is asked first."
  [{:proxy/keys [kept] :as state} {:packet/keys [message] :as packet} now seed]
  (let [questions (:message/questions message)
        missing   (into [] (comp (mapcat wanted) (distinct) (remove #(contains? kept %))) questions)]
    (reduce (fn [so-far q] (both so-far #(ask % q packet now seed)))
            (answer state packet now seed) missing)))

(defn- hears? [{:proxy/keys [families]} {:packet/keys [message family on-link? multicast?]}]
  (and (contains? families family)
       (= 0 (:message/opcode message)) (= 0 (:message/rcode message))
       (or on-link? multicast?)))

(defn- packet [state {:packet/keys [message] from :packet/port :as event} now seed]
  (cond
    (not (hears? state event)) [state []]
    (not (:message/response? message)) (query state event now seed)
    (= port from) (let [[answering effects] (mdns-answer/answered (:proxy/answering state) (:proxy/catalog state) event now)]
                    [(assoc state :proxy/answering answering) effects])
    :else [state []]))

(defn- about-it
  "The question that `message` of the server answers, or nil: [q pending]."
  [{:proxy/keys [pending]} {:message/keys [id response? questions]}]
  (let [{:mdns/keys [name type]} (first questions)]
    (when (and response? name)
      (some (fn [[[_ t :as q] p]]
              (when (and (= id (:id p)) (= t type) (= (mdns-name/fold name) (mdns-name/fold (:name p)))) [q p]))
            pending))))

(defn- reply [state {:message/keys [rcode answers] :as message} now seed]
  (if-let [[[_ type :as q] {:keys [waiting]}] (about-it state message)]
    (let [records (if (= 0 rcode) (into [] (comp (filter #(= type (:mdns/type %))) (keep #(local-record state q %))) answers) [])
          ttl     (reduce min (long longest-s) (map :mdns/ttl records))
          until   (+ (long now) (if (seq records) (* 1000 (long ttl)) (long denied-ms)))
          state   (update state :proxy/pending dissoc q)
          state   (if (< (count (:proxy/kept state)) (long most-kept))
                    (keeping state (assoc (:proxy/kept state) q {:until until :records records}))
                    state)]
      (if (seq records)
        (reduce (fn [so-far event] (both so-far #(answer % event now seed))) [state []] waiting)
        [state []]))
    [state []]))

(defn due
  "The ms at which {:event/type :time} is wanted, or nil."
  [{:proxy/keys [pending kept answering]}]
  (let [times (cond-> (into (mapv :at (vals pending)) (map :until) (vals kept))
                (mdns-answer/due answering) (conj (mdns-answer/due answering)))]
    (when (seq times) (reduce min times))))

(defn step
  "What becomes of it, and what is to be done."
  [state event now seed]
  (let [state (forgetful state now)
        [state effects]
        (case (:event/type event)
          :link   [(assoc state :proxy/families (:link/families event)) []]
          :packet (packet state event now seed)
          :reply  (reply state (:reply/message event) now seed)
          :time   (both (ask-again state now)
                        (fn [state]
                          (let [[answering effects] (mdns-answer/time (:proxy/answering state) (:proxy/catalog state) now)]
                            [(assoc state :proxy/answering answering) effects]))))]
    {:mdns/state state :mdns/effects effects}))

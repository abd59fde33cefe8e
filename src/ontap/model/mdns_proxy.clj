;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-proxy
  "The seed's way: who asks the link for NAME.local gets what an ordinary DNS server says of NAME.DOMAIN. A pure machine.

    (step state event now seed) -> {:mdns/state state' :mdns/effects [effect]}

  Events: {:event/type :link :link/families #{family}}, packets as for `ontap.model.mdns`, {:event/type :reply :reply/message m}
  (of the DNS server), {:event/type :time}. Effects: :send as there, {:effect/type :ask :ask/message m}, a query for the server,
  {:effect/type :silent}, it did not answer about a name of its domain, and {:effect/type :cut :cut/name name}, its answer about
  that one was too long for a datagram.

  The names are nobody's by a probe, so nothing is said to be exclusive: no cache-flush bit, no NSEC, no word about what the
  server does not know. What it says is kept no longer than its TTL, and at most two minutes; what it denies ten
  seconds. When and to whom is answered, is as for names of our own (`ontap.model.mdns-answer`); a legacy resolver, which takes
  one answer only, waits for all of it.

  :proxy/kept {[folded-name type] {:until ms :records [record]}}, without records what is denied; :proxy/next the ms when the
  first of them ends. :proxy/pending {[folded-name type] {:id :name (at the server) :tries :at ms :waiting [packet]}}."
  (:require [ontap.model.chance :as chance]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private longest-s 120)
(def ^:private denied-ms 10000)
(def ^:private unanswered-ms
  "Of names that are not its own a server may say nothing at all, as tinydns does: so long it is not asked again."
  60000)
(def ^:private patience-ms "After each of these the server is asked again; after the last it is given up." [700 1300 2000])
(def ^:private most-pending "Questions to the server at once; who floods the link gets no more." 64)
(def ^:private most-kept 1000)
(def ^:private most-waiting "Askers that wait for one answer." 8)
(def ^:private port 5353)
(def ^:private types "What is asked of the server." #{record/a record/aaaa record/ptr record/txt record/srv})
(def ^:private edns
  "Up to 1232 bytes by UDP (RFC 6891)."
  {:mdns/name mdns-name/root :mdns/type 41 :mdns/class 1232 :mdns/ttl 0 :mdns/rdata "" :mdns/flush? false})

(defn proxy-machine
  "Nothing was asked. `domain`: the name of the domain at the server."
  [domain]
  {:proxy/domain (mdns-name/fold domain) :proxy/families #{} :proxy/kept {} :proxy/next nil :proxy/pending {}
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
   :catalog/records (reduce-kv (fn [m [name _] {:keys [records]}] (cond-> m (seq records) (update name (fnil into []) records)))
                               {} kept)})

(defn- keeping [state kept]
  (assoc state :proxy/kept kept :proxy/catalog (catalog-of kept)
         :proxy/next (when (seq kept) (reduce min (map (comp long :until) (vals kept))))))

(defn- forgetful [{:proxy/keys [kept] soonest :proxy/next :as state} now]
  (if (and soonest (<= (long soonest) (long now)))
    (keeping state (into {} (remove (fn [[_ {:keys [until]}]] (<= (long until) (long now)))) kept))
    state))

(defn- first-to-go
  "Who asks for thousands of names that are none drives out others of that sort."
  [kept]
  (key (apply min-key (fn [[_ {:keys [until records]}]] (+ (long until) (if (seq records) 1e9 0))) kept)))

(defn- kept-with
  "With the answer to `q`."
  [{:proxy/keys [kept] soonest :proxy/next :as state} q records until]
  (let [out   (when (<= (long most-kept) (count kept)) (first-to-go kept))
        after (assoc (dissoc kept out) q {:until until :records records})]
    (if (or (seq records) (seq (get-in kept [out :records])))
      (keeping state after)
      ;; the catalog is as it was
      (assoc state :proxy/kept after :proxy/next (if soonest (min (long soonest) (long until)) until)))))

(defn- local-record
  "What the server says in `r` about [name type], as it is said here, or nil."
  [{:proxy/keys [domain]} [name type] {:mdns/keys [rdata ttl] :as r}]
  (let [ttl  (max 1 (min (long ttl) (long longest-s))) ; 0 would be a goodbye
        data (condp = type
               record/ptr (moved rdata domain mdns-name/local)
               record/srv (when-let [t (moved (subs rdata 6) domain mdns-name/local)] (str (subs rdata 0 6) t))
               rdata)]
    (when data
      (assoc r :mdns/name name :mdns/class record/in :mdns/ttl ttl :mdns/rdata data :mdns/flush? false))))

;; --- the server

(defn- ask-message [id name type]
  {:message/id id
   :message/questions [{:mdns/name name :mdns/type type :mdns/class record/in :mdns/unicast? false}]
   :message/additionals [edns]})

(defn- ask [{:proxy/keys [pending] :as state} q packet now seed]
  (let [name (there state q)]
    (cond
      (contains? pending q)
      [(update-in state [:proxy/pending q :waiting] #(cond-> % (< (count %) (long most-waiting)) (conj packet))) []]

      (or (nil? name) (<= (long most-pending) (count pending)))
      [state []]

      :else
      (let [[id] (chance/between (+ (long seed) (hash q)) 0 65535)]
        [(assoc-in state [:proxy/pending q]
                   {:id id :name name :tries 0 :at (+ (long now) (long (first patience-ms))) :waiting [packet]})
         [{:effect/type :ask :ask/message (ask-message id name (second q))}]]))))

;; --- the link

(defn- both [[state effects] f]
  (let [[state more] (f state)] [state (into effects more)]))

(defn- complete?
  "Is the server asked for nothing any more that `packet` wants to know?"
  [{:proxy/keys [pending]} {:packet/keys [message]}]
  (not-any? #(contains? pending %) (mapcat wanted (:message/questions message))))

(defn- answer [state {from :packet/port :as packet} now seed]
  (if (or (= port from) (complete? state packet))
    (let [{:proxy/keys [answering catalog]} state
          [answering effects] (mdns-answer/asked answering catalog packet now seed)]
      [(assoc state :proxy/answering answering) effects])
    [state []]))

(defn- query
  "Questions whose answers are kept are answered; for the others the server is asked first."
  [{:proxy/keys [kept] :as state} {:packet/keys [message] :as packet} now seed]
  (let [missing (into [] (comp (mapcat wanted) (distinct) (remove #(contains? kept %))) (:message/questions message))]
    (both (reduce (fn [so-far q] (both so-far #(ask % q packet now seed))) [state []] missing)
          #(answer % packet now seed))))

(defn- settled
  "The server is asked for `q` no more: who waits is answered."
  [state q now seed]
  (let [{:keys [waiting]} (get-in state [:proxy/pending q])]
    (reduce (fn [so-far packet] (both so-far #(answer % packet now seed)))
            [(update state :proxy/pending dissoc q) []] waiting)))

(defn- give-up [state [name _ :as q] now seed]
  (if (arpa? name)
    (settled (kept-with state q [] (+ (long now) (long unanswered-ms))) q now seed)
    (both [state [{:effect/type :silent}]] #(settled % q now seed))))

(defn- ask-again [state now seed]
  (reduce
   (fn [so-far [q {:keys [id name tries at]}]]
     (let [tries (inc (long tries)), wait (get patience-ms tries)]
       (cond
         (< (long now) (long at)) so-far
         (nil? wait) (both so-far #(give-up % q now seed))
         :else (both so-far (fn [state]
                              [(update-in state [:proxy/pending q] assoc :tries tries :at (+ (long now) (long wait)))
                               [{:effect/type :ask :ask/message (ask-message id name (second q))}]])))))
   [state []] (:proxy/pending state)))

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

(defn- reply [state {:message/keys [rcode answers truncated?] :as message} now seed]
  (if-let [[[name type :as q] _] (about-it state message)]
    (let [answers (when (= 0 rcode) (filter #(= type (:mdns/type %)) answers))
          records (into [] (keep #(local-record state q %)) answers)
          ttl     (reduce min (long longest-s) (map :mdns/ttl records))
          until   (+ (long now) (if (seq records) (* 1000 (long ttl)) (long denied-ms)))]
      (both [(kept-with state q records until) (if truncated? [{:effect/type :cut :cut/name name}] [])]
            #(settled % q now seed)))
    [state []]))

(defn due
  "The ms at which {:event/type :time} is wanted, or nil."
  [{:proxy/keys [pending answering] soonest :proxy/next}]
  (let [times (cond-> (mapv :at (vals pending))
                soonest (conj soonest)
                (mdns-answer/due answering) (conj (mdns-answer/due answering)))]
    (when (seq times) (reduce min times))))

(defn- no-longer
  "The effect with no record that is said to live longer than the server said: an answer waits, and others go along with it."
  [{:proxy/keys [kept]} now {:send/keys [message] :as effect}]
  (let [cap (fn [{:mdns/keys [name type] :as r}]
              (if-let [until (:until (get kept [(mdns-name/fold name) type]))]
                (update r :mdns/ttl min (max 1 (quot (- (long until) (long now)) 1000)))
                r))]
    (cond-> effect
      message (assoc :send/message (-> message (update :message/answers #(mapv cap %)) (update :message/additionals #(mapv cap %)))))))

(defn step
  "What becomes of it, and what is to be done."
  [state event now seed]
  (let [state (forgetful state now)
        [state effects]
        (case (:event/type event)
          :link   [(assoc state :proxy/families (:link/families event)) []]
          :packet (packet state event now seed)
          :reply  (reply state (:reply/message event) now seed)
          :time   (both (ask-again state now seed)
                        (fn [state]
                          (let [[answering effects] (mdns-answer/time (:proxy/answering state) (:proxy/catalog state) now)]
                            [(assoc state :proxy/answering answering) effects]))))]
    {:mdns/state state :mdns/effects (mapv #(no-longer state now %) effects)}))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-querier
  "Somebody who asks on one link, and goes on asking as long as somebody wants to know (RFC 6762 sections 5.2, 5.4, 7.1 and 10).
  A pure machine, as `ontap.model.mdns` is; times are whole ms, `seed` is a fresh random long for each step.

    (step state event now seed) -> {:mdns/state state' :mdns/effects [{:effect/type :send :send/to :multicast :send/families
                                    :send/message}]}

  Events: {:event/type :link :link/families #{family} :link/unicast? b} (does what is sent to our address come to us? Else no such
  answer is asked for), {:event/type :ask :ask/questions #{[folded-name type]}} (all that is wanted from now on), {:event/type
  :doubt :ask/questions #{…}} (what was heard of these did not serve: it is asked for again, and ends in ten seconds if nobody
  answers), packets as for `ontap.model.mdns`, and {:event/type :time}. What was heard is in :querier/cache.

  :querier/asked {[folded-name type] {:at ms, nil while a unique answer is known; :wait ms until the one after}},
  :querier/refresh {identity [ms]} when what was heard is asked for again, :querier/unicast ms when a unicast answer was asked
  for, or nil."
  (:require [ontap.model.chance :as chance]
            [ontap.model.mdns-cache :as cache]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private first-ms "The first query waits, lest all ask at once (RFC 6762 section 5.2)." [20 120])
(def ^:private again-ms "The second comes after this; each later one after twice as long as the one before." 1000)
(def ^:private longest-ms "But not longer." 3600000)
(def ^:private refreshes
  "A record that is wanted is asked for again at these parts of its life, in hundredths, and up to 2 more."
  [80 85 90 95])
(def ^:private port 5353)

(def ^:private unicast-ms "So long after a query that wanted them unicast answers are believed (RFC 6762 section 6)." 2000)

(defn querier
  "Nothing is asked and nothing was heard. `alone?`: no other program of this machine has port 5353, so that what is sent to this
  machine alone comes to us (RFC 6762 sections 5.4 and 15.1)."
  ([] (querier true))
  ([alone?]
   {:querier/families #{} :querier/asked {} :querier/cache cache/empty-cache :querier/refresh {}
    :querier/alone? (boolean alone?) :querier/reached? true :querier/first? true :querier/unicast nil}))

;; --- what is wanted

(defn- soon [now seed]
  (let [[wait] (apply chance/between seed first-ms)]
    {:at (+ (long now) (long wait)) :wait again-ms}))

(defn- wanted?
  "Is a record an answer to one of the questions?"
  [asked {:mdns/keys [name type]}]
  (or (contains? asked [(mdns-name/fold name) type])
      (contains? asked [(mdns-name/fold name) record/any])))

(defn- refresh-times
  "When a record heard at `heard` is asked for again, from `now` on."
  [heard ttl now seed]
  (let [[more] (chance/between seed 0 20)]
    (into [] (comp (map #(+ (long heard) (* (long ttl) (+ (* 10 (long %)) (long more))))) (filter #(< (long now) (long %))))
          refreshes)))

(defn- refreshing
  "With the times at which what was just heard is asked for again; of a record that is not wanted none."
  [{:querier/keys [asked] known :querier/cache :as state} records now seed]
  (update state :querier/refresh
          (fn [times]
            (reduce (fn [times {:mdns/keys [ttl] :as r}]
                      (let [id (record/identity-of r)]
                        (if (and (pos? (long ttl)) (contains? known id) (wanted? asked r))
                          (assoc times id (refresh-times now ttl now seed))
                          (dissoc times id))))
                    (select-keys times (keys known)) records))))

(defn- settled?
  "Is there an answer in the `index` beside which there is no other?"
  [index [name type :as q]]
  (or (some :mdns/flush? (get index q)) (cache/denied? index name type)))

(defn- ask [{:querier/keys [asked refresh] known :querier/cache :as state} questions now seed]
  (let [index (cache/index known)
        asked (into {} (map (fn [q] [q (cond (contains? asked q)    (get asked q)
                                             ;; it came along with an answer to something else
                                             (settled? index q) {:at nil :wait again-ms}
                                             :else                  (soon now seed))]))
                    questions)]
    (assoc state
           :querier/asked asked
           ;; what nobody wants to know is not asked for again
           :querier/refresh (into {} (for [[id {:cache/keys [heard-ms] there :cache/record}] known :when (wanted? asked there)]
                                       [id (or (get refresh id) (refresh-times heard-ms (:mdns/ttl there) now seed))])))))

(defn- link [{:querier/keys [families] :as state} {now-there :link/families :link/keys [unicast?] :or {unicast? true}} now seed]
  (cond-> (assoc state :querier/families now-there :querier/reached? unicast?)
    ;; what is on it is to be learned anew
    (and (empty? families) (seq now-there))
    (-> (assoc :querier/first? true :querier/unicast nil)
        (update :querier/asked update-vals (fn [_] (soon now seed))))))

(defn- doubt [state questions now]
  (let [known (reduce #(cache/doubted %1 %2 (+ (long now) (long cache/failure-ms))) (:querier/cache state) questions)
        about (set questions)]
    (-> state
        (assoc :querier/cache known)
        (update :querier/refresh
                into (for [[id {:cache/keys [record]}] known :when (wanted? about record)]
                       [id [now (+ (long now) (long again-ms))]])))))

;; --- asking

(defn- known-answers
  "What is known to be an answer to `questions` and good for more than half of its life (RFC 6762 section 7.1)."
  [known questions now]
  (into [] (keep (fn [[_ {there :cache/record :as entry}]]
                   (let [left (quot (long (cache/left-ms entry now)) 1000)]
                     (when (and (wanted? questions there) (< (:mdns/ttl there) (* 2 left)))
                       (assoc there :mdns/ttl left :mdns/flush? false)))))
        (sort-by key known)))

(defn- query [known questions unicast now]
  (let [qs (into {} (map (juxt identity identity)) questions)]
    {:message/questions (mapv (fn [[name type :as q]]
                                {:mdns/name name :mdns/type type :mdns/class record/in :mdns/unicast? (contains? unicast q)})
                              questions)
     :message/answers   (known-answers known qs now)}))

(defn- due-questions [asked now]
  (into (sorted-set) (keep (fn [[q {:keys [at]}]] (when (and at (<= (long at) (long now))) q))) asked))

(defn- due-refreshes [refresh now]
  (into (sorted-map) (filter (fn [[_ [at]]] (and at (<= (long at) (long now))))) refresh))

(defn- advanced [{:keys [wait]} now]
  {:at (+ (long now) (long wait)) :wait (min (* 2 (long wait)) (long longest-ms))})

(defn- unanswered
  "Questions whose unique answer has ended, asked again."
  [asked known now seed]
  (let [index (delay (cache/index known))]
    (into {} (map (fn [[[name type :as q] {:keys [at]} :as entry]]
                    (if (or at (contains? @index q) (cache/denied? @index name type)) entry [q (soon now seed)])))
          asked)))

(defn- time-passes [{:querier/keys [families alone? reached? first? unicast] :as state} now seed]
  (let [known     (cache/alive (:querier/cache state) now)
        asked     (unanswered (:querier/asked state) known now seed)
        refresh   (select-keys (:querier/refresh state) (keys known))
        state     (assoc state :querier/cache known :querier/asked asked :querier/refresh refresh)
        questions (due-questions asked now)
        old       (due-refreshes refresh now)
        again     (into questions (map (fn [[[name type] _]] [name type])) old)
        ;; a unicast answer is wanted by the first query of all alone (RFC 6762 section 5.4)
        unicast?  (and alone? reached? first?)]
    (if (or (empty? families) (empty? again))
      [state []]
      [(-> state
           (assoc :querier/first? false :querier/unicast (if unicast? now unicast))
           (update :querier/asked #(reduce (fn [asked q] (update asked q advanced now)) % questions))
           (update :querier/refresh
                   #(reduce (fn [times id] (update times id (fn [ats] (into [] (drop-while (fn [at] (<= (long at) (long now)))) ats))))
                            % (keys old))))
       [{:effect/type :send :send/to :multicast :send/families families
         :send/message (query known again (if unicast? questions #{}) now)}]])))

(defn due
  "The ms at which {:event/type :time} is wanted, or nil."
  [{:querier/keys [families asked refresh] known :querier/cache}]
  (let [times (cond-> (if-let [at (cache/due known)] [at] [])
                (seq families) (into (concat (keep :at (vals asked)) (keep first (vals refresh)))))]
    (when (seq times) (reduce min times))))

;; --- hearing

(defn- of-the-link?
  "Is it a message of multicast DNS from this link (RFC 6762 sections 11 and 18)?"
  [{:packet/keys [message on-link? multicast?]}]
  (let [{:message/keys [opcode rcode]} message]
    (and (= 0 opcode) (= 0 rcode) (or on-link? multicast?))))

(defn- believed? [{:querier/keys [unicast]} {:packet/keys [multicast?] from :packet/port} now]
  (and (= port from)
       (or multicast?
           (and unicast (<= (- (long now) (long unicast)) (long unicast-ms))))))

(defn- answered
  "Whose answer is unique is asked no more until that ends (RFC 6762 section 5.2); a denial is one, too (section 6.1)."
  [asked records]
  (reduce (fn [asked {:mdns/keys [name type ttl flush?] :as r}]
            (let [n (mdns-name/fold name)]
              (if-not (and flush? (pos? (long ttl)))
                asked
                (reduce (fn [asked q] (if (contains? asked q) (update asked q assoc :at nil) asked))
                        asked
                        (if (= record/nsec type)
                          (when-let [there (some-> (record/nsec-types r) (conj record/any))]
                            (filter (fn [[name type]] (and (= n name) (not (contains? there type)))) (keys asked)))
                          [[n type]])))))
          asked records))

(defn- hear [state {:packet/keys [message]} now seed]
  (let [records (concat (:message/answers message) (:message/additionals message))]
    (-> state
        (update :querier/cache cache/heard records now)
        (update :querier/asked answered records)
        (refreshing records now seed))))

(defn- overhear
  "Somebody else asks by multicast. What is just what is to be asked soon was asked with it (RFC 6762 section 7.3); and what it gets no
  answer to may be gone (section 10.5)."
  [{known :querier/cache :as state} {:message/keys [questions answers truncated?]} now]
  (let [theirs (into #{} (map record/identity-of) answers)]
    (reduce (fn [state {:mdns/keys [name type unicast?]}]
              (let [q    [(mdns-name/fold name) type]
                    at   (get-in state [:querier/asked q :at])
                    ours (into #{} (map record/identity-of) (known-answers known {q q} now))]
                (cond-> state
                  (not (or unicast? truncated?)) (update :querier/cache cache/unanswered q theirs now)
                  (and at (not unicast?) (not truncated?) (<= (- (long at) (long now)) (long again-ms)) (every? ours theirs))
                  (update-in [:querier/asked q] advanced now))))
            state questions)))

(defn- packet [state {:packet/keys [message multicast? own?] :as event} now seed]
  (cond
    (not (of-the-link? event))   state
    (:message/response? message) (if (believed? state event now) (hear state event now seed) state)
    (and multicast? (not own?) (empty? (:message/authorities message))) (overhear state message now)
    :else state))

(defn step
  "What becomes of it, and what is to be sent."
  [state event now seed]
  (let [[state effects]
        (case (:event/type event)
          :link   [(link state event now seed) []]
          :ask    [(ask state (:ask/questions event) now seed) []]
          :doubt  [(doubt state (:ask/questions event) now) []]
          :packet [(packet state event now seed) []]
          :time   (time-passes state now seed))]
    {:mdns/state state :mdns/effects effects}))

(defn heard
  "What is known at `now`: the cache."
  [{known :querier/cache} now]
  (cache/alive known now))

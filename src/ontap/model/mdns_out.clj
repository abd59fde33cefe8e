;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-out
  "What one step of a link's machine (`ontap.model.mdns`) has to send, gathered, and put into as few messages as there are places
  to send to. Header data are those of RFC 6762 section 18. Pure.

  Gathered below :out of the state: :probes [[name records]], :goodbyes [record], :told and :extra [record],
  :asks [question], :effects [effect]."
  (:require [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(defn- gather [state kind things] (update-in state [:out kind] (fnil into []) things))

(defn probe "Probes for `name` with the proposed `records`." [state name records] (gather state :probes [[name records]]))

(def again-ms "What was multicast is not multicast again sooner, if it has not changed (RFC 6762 section 6)." 1000)

(defn gone?
  "Has nobody of ours the record `r` any more, and will nothing of ours flush it from caches (RFC 6762 section 8.4)?"
  [state r]
  (not (or (units/listed? state (record/identity-of r))
           (and (:mdns/flush? r) (units/replaced? state r)))))

(defn goodbye
  "Takes `records` back, unless others of ours say the same, or say what flushes them from caches, when this step is over."
  [state records]
  (gather state :goodbyes records))

(defn tell
  "Announces `records`, in whole RRsets, and `extra` ones in the Additional section; what was multicast in the last second is left out
  (RFC 6762 section 6)."
  [state records extra]
  (-> state (gather :told records) (gather :extra extra)))

(defn forget
  "What was multicast of the RRsets of `records` is of no account: they have become others (RFC 6762 section 8.4)."
  [state records]
  (update state :answering mdns-answer/without (into #{} (mapcat (juxt record/identity-of match/key-of)) records)))

(defn ask "Asks `question` of everybody." [state question] (gather state :asks [question]))

(defn effect "Another effect." [state effect] (gather state :effects [effect]))

(defn note "Something to be told to a person." [state text]
  (effect state {:effect/type :note :note/level :warning :note/text text}))

;; --- messages

(defn- multicast [families message]
  {:effect/type :send :send/to :multicast :send/families families :send/message message})

(defn- probe-message [probes unicast?]
  {:message/questions   (mapv (fn [[name _]] {:mdns/name name :mdns/type record/any :mdns/class record/in :mdns/unicast? unicast?})
                              probes)
   :message/authorities (into [] (comp (mapcat second) (map #(assoc % :mdns/flush? false))) probes)})

(defn- response [answers additionals]
  {:message/response? true :message/authoritative? true
   :message/answers answers :message/additionals additionals})

(defn- distinct-records [records]
  (let [seen (volatile! #{})]
    (into [] (filter (fn [r] (let [k (record/identity-of r)]
                               (when-not (contains? @seen k) (vswap! seen conj k) true))))
          records)))

(defn- sayable
  "What of `records` may be multicast on `family` now."
  [answering records family now]
  (distinct-records (filter #(mdns-answer/may-tell? answering % family now again-ms) records)))

(defn- gone [state records] (into [] (filter #(gone? state %)) (distinct-records records)))

(defn- responses
  "[families answers additionals] of each response that is to be sent; `goodbyes` come before what is new (section 8.4)."
  [{:keys [families answering] {:keys [told extra]} :out} goodbyes now]
  (let [gone (into #{} (map record/identity-of) goodbyes)
        by-what (group-by (fn [family]
                            [(into [] (remove (comp gone record/identity-of)) (sayable answering told family now))
                             (sayable answering extra family now)])
                          (sort families))]
    (for [[[records extra] families] by-what
          :let [answers (into (mapv record/goodbye goodbyes) records)]
          :when (seq answers)]
      [(set families) answers extra])))

(defn- same-place [{:send/keys [to families message]}]
  (when (and (= :multicast to) (:message/response? message)) families))

(defn merged
  "`effects` with multicast responses to the same families put together."
  [effects]
  (let [places (frequencies (keep same-place effects))]
    (if (every? #(= 1 %) (vals places))
      effects
      (reduce
       (fn [out e]
         (let [place (same-place e)
               at (when place (first (keep-indexed (fn [i other] (when (= place (same-place other)) i)) out)))]
           (if at
             (update-in out [at :send/message]
                        (fn [m]
                          (let [{:message/keys [answers additionals]} (:send/message e)
                                answers (distinct-records (concat (:message/answers m) answers))
                                said (into #{} (map record/identity-of) answers)]
                            (assoc m :message/answers answers
                                   :message/additionals (into [] (remove (comp said record/identity-of))
                                                              (distinct-records (concat (:message/additionals m) additionals)))))))
             (conj out e))))
       [] effects))))

(defn flush-out
  "[state' effects]: all that was gathered. Nothing is sent on a link that is down. `unicast?`: may answers to probes be sent to us
  alone?"
  [{:keys [families out] :as state} now unicast?]
  (if (nil? out)
    [state []]
    (let [goodbyes (gone state (:goodbyes out))
          said  (if (seq families) (responses state goodbyes now) [])
          ;; what is taken back as a whole may be said again at any time
          state (forget state goodbyes)
          state (reduce (fn [state [families answers additionals]]
                          (update state :answering mdns-answer/told
                                  (into (filterv #(pos? (long (:mdns/ttl %))) answers) additionals) families now))
                        (assoc state :out nil) said)]
      [state
       (cond-> (into [] (map (fn [[families answers additionals]] (multicast families (response answers additionals)))) said)
         (and (seq families) (seq (:probes out))) (conj (multicast families (probe-message (:probes out) unicast?)))
         (and (seq families) (seq (:asks out)))   (conj (multicast families {:message/questions (vec (distinct (:asks out)))}))
         :always                                  (into (:effects out)))])))

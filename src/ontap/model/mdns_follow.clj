;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-follow
  "The names that renamed units would rather have: what others say of them is followed as a querier does (RFC 6762 sections 5.2
  and 10), so that such a name can be taken back when it is free. In the terms of `ontap.model.mdns-units`. Pure.

  :follow of a unit: {:name name :folded folded :heard {identity {:at ms :until ms :dying? b}} :asked n :asked-at ms
  :tries n :not-before ms}."
  (:require [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-out :as out]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(def ^:private records-kept "Records of one name that are followed." 16)
(def ^:private ttl-most "Seconds that a record is believed, at most." record/other-ttl)
(def ^:private free-ms "A name of which nothing is heard is probed for after this time." 1000)
(def ^:private tries-ms "Between the first two tries; it doubles." 2000)
(def ^:private tries-most-ms 600000)

(defn- alive [heard now] (into {} (filter (fn [[_ h]] (< (long now) (long (:until h))))) heard))

(defn- last-heard [{:keys [heard]}] (when (seq heard) (apply max-key :until (vals heard))))

(defn- plan
  "When the next query, or the next try for the name of the unit `id`, is due."
  [state id now]
  (let [{:keys [asked asked-at not-before] :as follow} (:follow (units/unit state id))
        [extra state] (units/draw state 0 20)
        {:keys [at until dying?]} (last-heard follow)
        query (when (and at (not dying?) (< (long asked) 4))
                (max (+ (long at) (quot (* (- (long until) (long at)) (+ 800 (* 50 (long asked)) (long extra))) 1000))
                     (+ (long asked-at) 1000)))]
    (units/timer state id :follow
                 (cond
                   (nil? at)                                 (max (+ (long now) (long free-ms)) (long not-before))
                   (and query (< (long query) (long until))) (max (long now) (long query))
                   :else                                     (max (long until) (long not-before))))))

(defn begin
  "The unit `id` goes by another name than it wants. Goes on when it did before, also when a try was broken off."
  [state id now]
  (if (:follow (units/unit state id))
    (if (:follow (:timers (units/unit state id))) state (plan state id now))
    (let [name (hosts/unit-name id (hosts/wish id)), folded (mdns-name/fold name)]
      (-> state
          (units/change id assoc :follow {:name name :folded folded :heard {} :asked 0 :asked-at now :tries 0 :not-before now})
          (update-in [:wishes folded] (fnil conj #{}) id)
          (units/name+ folded)
          (plan id now)))))

(defn end
  "The unit `id` has the name it wants, or wants none any more."
  [state id]
  (if-let [{:keys [folded]} (:follow (units/unit state id))]
    (-> state
        (units/timer id :follow nil)
        (units/change id dissoc :follow)
        (update :wishes (fn [wishes] (let [left (disj (get wishes folded) id)]
                                       (if (seq left) (assoc wishes folded left) (dissoc wishes folded)))))
        (units/name- folded))
    state))

(defn forget
  "What the unit `id` heard of its name was on another network."
  [state id now]
  (if (:follow (units/unit state id))
    (-> state
        (units/change id update :follow assoc :heard {} :asked 0 :tries 0 :not-before now)
        (plan id now))
    state))

(defn- note-record [now]
  (fn [heard {:mdns/keys [ttl flush?] :as r}]
    (let [[_ type class :as identity] (record/identity-of r)
          soon  (+ (long now) 1000)
          heard (cond->> heard
                  ;; the whole truth of this type: what is older than a second goes in a second (section 10.2)
                  flush? (into {} (map (fn [[k h]]
                                         [k (if (and (= type (nth k 1)) (= class (nth k 2)) (not= k identity)
                                                     (< (+ (long (:at h)) 1000) (long now)))
                                              (-> h (update :until min soon) (assoc :dying? true))
                                              h)]))))]
      (cond
        (zero? (long ttl))
        (cond-> heard (contains? heard identity) (update identity #(-> % (update :until min soon) (assoc :dying? true))))

        (or (contains? heard identity) (< (count heard) (long records-kept)))
        (assoc heard identity {:at now :until (+ (long now) (* 1000 (min (long ttl) (long ttl-most))))})

        :else heard))))

(defn heard
  "Somebody said `records` of the name that the unit `id` would rather have."
  [state id records now]
  (let [before (:heard (:follow (units/unit state id)))
        after  (alive (reduce (note-record now) before records) now)]
    (if (= before after)
      state
      (-> state
          (units/change id update :follow assoc :heard after :asked 0)
          (plan id now)))))

(defn failed
  "A try for the name was in vain."
  [state id now]
  (let [{:keys [tries]} (:follow (units/unit state id))
        wait (min (long tries-most-ms) (* (long tries-ms) (bit-shift-left 1 (min 10 (long tries)))))]
    (-> state
        (units/change id update :follow assoc :tries (inc (long tries)) :not-before (+ (long now) wait))
        (plan id now))))

(defn released
  "A unit of ours has let the name `folded` go: others of ours may want it."
  [state folded now]
  (reduce #(plan %1 %2 now) state (get (:wishes state) folded)))

(defn due
  "It is time to look after the name that the unit `id` would rather have. [state' free?]; when it is free somebody has to probe for
  it."
  [state id now]
  (let [{:keys [heard name asked]} (:follow (units/unit state id))
        heard (alive heard now)
        state (units/change state id assoc-in [:follow :heard] heard)]
    (if (empty? heard)
      [(units/timer state id :follow nil) true]
      [(-> state
           (out/ask {:mdns/name name :mdns/type record/any :mdns/class record/in :mdns/unicast? false})
           (units/change id update :follow #(assoc % :asked (inc (long asked)) :asked-at now))
           (plan id now))
       false])))

(defn free-again
  "The name could not be probed for yet: later."
  [state id now]
  (plan state id now))

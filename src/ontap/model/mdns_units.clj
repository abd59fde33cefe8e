;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-units
  "The memory of the machine of a link (`ontap.model.mdns`): its units (`ontap.model.mdns-hosts`), the names they
  hold, when something is due, the catalog of what may be answered, and what is to be sent. Pure.

  The state, opaque to all others:
    :families #{}        spoken now; empty: the link is down
    :wanted  {label host}
    :units   {id unit}
    :holders {folded id} a name that a unit has, or probes for
    :wishes  {folded #{id}}  names that renamed units would rather have
    :by-ip   {ip sorted #{label}}  hosts with this address; the first tells its reverse PTR
    :agenda  sorted #{[ms id kind]}  kind :probe :announce :update :follow
    :catalog, :counts {identity n}  how many units say a record; :identities of the catalog
    :stale   {identity ms}  what was said lately and is no more: an echo of it is no conflict, until then
    :names   #{folded}, :name-counts
    :saved   {label text}, :conflicts [ms], :slow? (`ontap.model.mdns-probe`), :answering, :seed, :wait, :out (`ontap.model.mdns-out`)
  A unit:
    :text :name :folded  what it goes by, or is about to
    :number      how often it was renamed, and 1
    :own :along  its records by that name; :told-types those of the last NSEC
    :claimed?    probed for: it is in the catalog; :since when that changed
    :listed      its records in the catalog; :said what was told and not taken back; :before what was listed before
                 it had to be probed for again
    :probe       {:text :name :folded :own :sent n}: what it probes for now
    :fresh       #{set-of} being announced, for the `:announced`th time; :updates [ms] of the last minute
    :follow      of the name it would rather have (`ontap.model.mdns-follow`)
    :by          who has that, or nil; :told the text that was reported last
    :trying :complained?  since when no name is found, and whether that was said
    :timers      {kind ms}"
  (:require [ontap.model.chance :as chance]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def empty-catalog "Nothing is ours." {:catalog/records {} :catalog/owned #{}})

(defn state
  "A machine without a link and without names; `saved`: {label text} of an earlier one."
  [saved]
  {:families #{} :wanted {} :units {} :holders {} :wishes {} :by-ip {} :agenda (sorted-set)
   :catalog empty-catalog :counts {} :identities #{} :stale {} :names #{} :name-counts {}
   :saved (into {} saved) :conflicts [] :answering (mdns-answer/answering) :seed 0 :out nil})

(defn unit "The unit `id`, or nil." [state id] (get (:units state) id))

(defn change
  "The state with the unit `id` as `f` makes it of what it is and `args`."
  [state id f & args]
  (assoc-in state [:units id] (apply f (unit state id) args)))

(defn draw
  "[n state']: a random number from `low` to `high`."
  [{:keys [seed] :as state} low high]
  (let [[n seed] (chance/between seed low high)]
    [n (assoc state :seed seed)]))

;; --- timers

(defn timer
  "`kind` of the unit `id` is due at `ms`; never when nil."
  [{:keys [units agenda] :as state} id kind ms]
  (let [old (get-in units [id :timers kind])]
    (if (= old ms)
      state
      (-> state
          (assoc :agenda (cond-> agenda
                           old (disj [old id kind])
                           ms  (conj [ms id kind])))
          (assoc-in [:units id :timers] (if ms
                                          (assoc (:timers (unit state id)) kind ms)
                                          (dissoc (:timers (unit state id)) kind)))))))

(defn no-timers "Nothing of the unit `id` is due any more." [state id]
  (reduce #(timer %1 id %2 nil) state (keys (:timers (unit state id)))))

;; --- names of concern

(defn name+
  "One more reason to listen to the name `folded`."
  [{:keys [name-counts] :as state} folded]
  (let [n (get name-counts folded 0)]
    (cond-> (assoc state :name-counts (assoc name-counts folded (inc (long n))))
      (zero? (long n)) (update :names conj folded))))

(defn name-
  "One reason less."
  [{:keys [name-counts] :as state} folded]
  (let [n (long (get name-counts folded 0))]
    (if (< 1 n)
      (assoc state :name-counts (assoc name-counts folded (dec n)))
      (-> state (assoc :name-counts (dissoc name-counts folded)) (update :names disj folded)))))

(defn hold
  "The unit `id` holds the name `folded`."
  [{:keys [holders] :as state} id folded]
  (if (= id (get holders folded))
    state
    (-> state (assoc :holders (assoc holders folded id)) (name+ folded))))

(defn release
  "The unit `id` holds the name `folded` no more."
  [{:keys [holders] :as state} id folded]
  (if (= id (get holders folded))
    (-> state (assoc :holders (dissoc holders folded)) (name- folded))
    state))

;; --- the catalog

(def stale-ms "An echo of what was said comes back in this time, if it does." 5000)

(def ^:private stale-most 4096)

(defn- pruned [stale now]
  (if (< (count stale) (long stale-most))
    stale
    (let [left (into {} (filter (fn [[_ until]] (< (long now) (long until)))) stale)]
      (if (< (count left) (long stale-most)) left {}))))

(defn- put [{:keys [counts] :as state} r]
  (let [identity (record/identity-of r), n (long (get counts identity 0)), folded (nth identity 0)]
    (cond-> (assoc state :counts (assoc counts identity (inc n)))
      (zero? n) (-> (name+ folded)
                    (update :identities conj identity)
                    (update-in [:catalog :catalog/records folded] (fnil conj []) r))
      ;; what is unique is at a name that nobody else has: probed for, or that of an address of ours (RFC 6762 section 6.1)
      (:mdns/flush? r) (update-in [:catalog :catalog/owned] conj folded))))

(defn- take-out [{:keys [counts] :as state} now r]
  (let [identity (record/identity-of r), n (long (get counts identity 0)), folded (nth identity 0)]
    (if (< 1 n)
      (assoc state :counts (assoc counts identity (dec n)))
      (let [same? (fn [other] (and (= (count (:mdns/rdata r)) (count (:mdns/rdata other)))
                                   (= identity (record/identity-of other))))
            left  (into [] (remove same?) (get-in state [:catalog :catalog/records folded]))]
        (-> state
            (assoc :counts (dissoc counts identity))
            (update :identities disj identity)
            (name- folded)
            (assoc :stale (assoc (pruned (:stale state) now) identity (+ (long now) (long stale-ms))))
            (update :catalog #(if (seq left)
                                (assoc-in % [:catalog/records folded] left)
                                (-> % (update :catalog/records dissoc folded) (update :catalog/owned disj folded)))))))))

(defn listed
  "The records of the unit `id` in the catalog are `records` now."
  [state id records now]
  (let [before (:listed (unit state id))
        identities (fn [rs] (into #{} (map record/identity-of) rs))
        is (identities records), had (identities before)
        ;; what comes is put first, so that a name that stays is never without records
        state (reduce put state (remove (comp had record/identity-of) records))
        state (reduce #(take-out %1 now %2) state (remove (comp is record/identity-of) before))]
    (change state id assoc :listed (vec records))))

(defn listed?
  "Is a record with this identity in the catalog?"
  [state identity]
  (contains? (:counts state) identity))

(defn stale?
  "Was a record with this identity said lately, and is it no more?"
  [{:keys [stale]} identity now]
  (when-let [until (get stale identity)] (< (long now) (long until))))

(defn replaced?
  "Does the catalog have other unique records of the name and type of `r`? They flush it from caches."
  [{:keys [catalog]} {:mdns/keys [name type]}]
  (some #(and (= type (:mdns/type %)) (:mdns/flush? %)) (get-in catalog [:catalog/records (mdns-name/fold name)])))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-announce
  "What a link's machine tells without being asked (RFC 6762 sections 8.3, 8.4 and 10.1): announcements of what is new, news of
  what changed, goodbyes. In the terms of `ontap.model.mdns-units`. Pure."
  (:require [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-out :as out]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(def times "So often is said what is new, at intervals that double (RFC 6762 section 8.3 has two to eight times)." 3)
(def first-interval-ms "Between the first and the second time." 1000)
(def updates-a-minute "Changes of one unit that are told in a minute (RFC 6762 section 8.4)." 10)
(def together-ms "Changes that come one after the other are told together, when the last was told this short a time ago." 200)

(def ^:private minute 60000)

(defn- identities [records] (into #{} (map record/identity-of) records))

(defn target "The records that the unit is to tell." [{:keys [own along]}] (into (vec own) along))

(defn- of-sets [records sets] (filterv (comp sets record/set-of) records))

(defn- take-back
  "Goodbyes for those of `said` that are not among `listed`."
  [state said listed]
  (let [has (identities listed)]
    (out/goodbye state (remove (comp has record/identity-of) said))))

(defn- fresh-sets
  "The RRsets in which `listed` has more or less than what peers `said`."
  [said listed]
  (let [had (identities said), has (identities listed)
        sets (into #{} (map record/set-of) listed)]
    (into #{} (comp cat (filter sets))
          [(map record/set-of (remove (comp had record/identity-of) listed))
           (map record/set-of (filter :mdns/flush? (remove (comp has record/identity-of) said)))])))

(defn- types [records] (into #{} (map :mdns/type) records))

(defn- forget
  "What was multicast of those RRsets of the unit that have become others than `before` is no reason not to multicast them."
  [state unit before]
  (let [all  (target unit)
        sets (into #{} (filter (into #{} (map record/set-of) before)) (fresh-sets before all))]
    (out/forget state (filter :mdns/flush? (of-sets all sets)))))

(defn- tell
  "Announces those RRsets of the unit that are among `sets`. With addresses, or when a family of them is gone, goes an NSEC,
  which can be left out: another one a moment later waits for the next time."
  [state {:keys [id name own told-types] :as unit} sets]
  (let [nsec? (and (hosts/host? id)
                   (or (some (comp sets record/set-of) own)
                       (and told-types (not= told-types (types own)))))]
    (cond-> (out/tell state (of-sets (target unit) sets) (if nsec? [(hosts/nsec name own)] []))
      nsec? (units/change id assoc :told-types (types own)))))

(defn- course
  "From now on `sets` of the unit `id` are announced, with what was being announced already; the first time was now."
  [state id sets now]
  (-> state
      (units/change id (fn [u] (assoc u :fresh (into (or (:fresh u) #{}) sets) :announced 1)))
      (units/timer id :announce (+ (long now) (long first-interval-ms)))))

(defn claim
  "The names of the unit `id` are its own: it is listed, and announced in full."
  [state id now]
  (let [{:keys [said before] :as unit} (units/unit state id)
        all   (target unit)
        sets  (into #{} (map record/set-of) all)]
    (-> (units/listed state id all now)
        (take-back said all)
        (units/change id assoc :claimed? true :said all :since now :fresh #{} :updates [])
        (units/timer id :update nil)
        (forget unit before)
        (tell unit sets)
        (course id sets now))))

(defn- next-update
  "When the unit may tell of its next change."
  [{:keys [updates]} now]
  (let [updates (filterv #(< (- (long now) (long minute)) (long %)) updates)]
    (max (long now)
         (if-let [last (peek updates)] (+ (long last) (long together-ms)) 0)
         (if (<= (long updates-a-minute) (count updates))
           (+ (long (nth updates (- (count updates) (long updates-a-minute)))) (long minute))
           0))))

(defn refresh
  "The unit `id`, which is claimed, tells what is new of it: who asks hears the truth from now on, and what is gone is taken back at
  once; but news that nobody asked for wait when there were too many."
  [state id now]
  (let [{:keys [said listed] :as unit} (units/unit state id)
        all   (target unit)
        is    (identities all)
        at    (long (next-update unit now))
        state (-> state (units/listed id all now) (forget unit listed))
        sets  (fresh-sets said all)
        {gone true, others false} (group-by #(boolean (out/gone? state %)) said)]
    (cond
      (= is (identities said))
      (units/timer state id :update nil)

      (or (= at now) (empty? sets))
      (-> (take-back state said all)
          (units/change id (fn [u] (assoc u :said all
                                          :updates (vec (take-last updates-a-minute (conj (or (:updates u) []) now))))))
          (units/timer id :update nil)
          (tell unit sets)
          (cond-> (seq sets) (course id sets now)))

      :else
      (-> (out/goodbye state gone)
          (units/change id assoc :said (vec others))
          (units/timer id :update at)))))

(defn announce
  "It is time to announce the unit `id` again. If news are waiting, they say it all when it is their time."
  [state id now]
  (let [{:keys [fresh announced timers] :as unit} (units/unit state id)
        n (inc (long announced))]
    (if (:update timers)
      (units/timer state id :announce nil)
      (let [state (-> state (tell unit fresh) (units/change id assoc :announced n))]
        (if (< n (long times))
          (units/timer state id :announce (+ (long now) (* (long first-interval-ms) (bit-shift-left 1 (dec n)))))
          (-> state (units/change id assoc :fresh #{} :since now) (units/timer id :announce nil)))))))

(defn unlist
  "The unit `id` answers no more: its name has to be probed for. What peers may still have is remembered."
  [state id now]
  (-> state
      (units/change id (fn [{:keys [listed] :as u}]
                         (cond-> (assoc u :claimed? false :fresh #{}) (seq listed) (assoc :before listed))))
      (units/listed id [] now)
      (units/timer id :announce nil)
      (units/timer id :update nil)))

(defn withdraw
  "The unit `id` takes back all that it said, at once."
  [state id now]
  (let [{:keys [said]} (units/unit state id)
        state (unlist state id now)]
    (-> (out/goodbye state said)
        (units/change id assoc :said []))))

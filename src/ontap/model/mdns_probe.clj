;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-probe
  "Names that are not ours yet (RFC 6762 sections 8.1, 8.2 and 9): probed for three times, given up to who has them, contended
  for with who wants them, too. In the terms of `ontap.model.mdns-units`. Pure."
  (:require [ontap.model.mdns-announce :as announce]
            [ontap.model.mdns-follow :as follow]
            [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-out :as out]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-tiebreak :as tiebreak]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(def probes "So many are sent before a name counts as free." 3)
(def interval-ms "Between probes, and after the last." 250)
(def first-ms "The first is sent within this time, by chance." 250)
(def deferred-ms "Who lost a tie-break waits so long." 1000)
(def many-conflicts "So many within `many-within-ms` make each further attempt wait for `many-wait-ms`." 15)
(def many-within-ms "See `many-conflicts`." 10000)
(def many-wait-ms "See `many-conflicts` (RFC 6762 section 8.1)." 5000)
(def late-ms "A timer that is this late was stopped with the machine: what it waited for was not listened to." 1000)
(def failing-ms "Without a name for so long a person is told." 60000)

;; --- the records of a unit, by what it is called

(defn- target-name
  "The name that services of the host of the unit `id` lead to."
  [state id]
  (:name (units/unit state [(hosts/label id)])))

(defn- reverse-ips
  "The addresses of the host of the unit `id` whose reverse PTR is its to tell: several hosts may have the same."
  [{:keys [by-ip]} {:host/keys [label addresses]}]
  (filterv #(= label (first (get by-ip %))) (distinct addresses)))

(defn- proposal [state id name]
  (hosts/own (get (:wanted state) (hosts/label id)) id name (target-name state id)))

(defn renew
  "The records of the unit `id` as they are wanted now: what it probes for, and what it tells if it is claimed."
  [state id now]
  (let [{:keys [name claimed? probe]} (units/unit state id)
        host  (get (:wanted state) (hosts/label id))
        along (hosts/along host id name (when (hosts/host? id) (reverse-ips state host)))
        state (units/change state id assoc :own (proposal state id name) :along along)]
    (cond-> state
      probe    (units/change id assoc-in [:probe :own] (proposal state id (:name probe)))
      claimed? (announce/refresh id now))))

(defn- services
  "The units of the services of the host whose unit is `id`."
  [{:keys [wanted units]} id]
  (when (hosts/host? id)
    (filterv #(contains? units %) (next (hosts/ids (get wanted (hosts/label id)))))))

(defn- renew-services [state id now] (reduce #(renew %1 %2 now) state (services state id)))

(defn- called
  "The unit `id` goes by `text` from now on."
  [state id text now]
  (let [{:keys [folded]} (units/unit state id)
        name (hosts/unit-name id text), is (mdns-name/fold name)]
    (-> (if (or (nil? folded) (= folded is)) state (-> state (units/release id folded) (follow/released folded now)))
        (units/hold id is)
        (units/change id assoc :text text :name name :folded is)
        (renew id now)
        (renew-services id now))))

;; --- attempts

(defn- slow?
  "Were there so many conflicts that each further attempt has to wait? Till there was none for a while."
  [{:keys [slow? conflicts]} now]
  (and slow? (< (- (long now) (long (peek conflicts))) (long many-within-ms))))

(defn delay-ms
  "[ms state']: how long the next attempt waits. All that begin in one step wait for the same time, for one packet can ask for all."
  [{:keys [wait] :as state} now]
  (let [[n state] (if wait [wait state] (units/draw state 0 first-ms))]
    [(cond-> (long n) (slow? state now) (+ (long many-wait-ms))) (assoc state :wait n)]))

(defn- attempt [state id text wait now]
  (let [name (hosts/unit-name id text), folded (mdns-name/fold name)]
    (-> state
        (units/hold id folded)
        (units/change id assoc :probe {:text text :name name :folded folded :own (proposal state id name) :sent 0})
        (units/timer id :probe (+ (long now) (long wait))))))

(defn start
  "The unit `id` probes for the name it has, from its beginning, after `wait` ms; till then it does not answer. Nothing happens on a
  link that is down."
  [state id wait now]
  (let [{:keys [text probe folded trying]} (units/unit state id)
        state (cond-> (announce/unlist state id now)
                (and probe (not= folded (:folded probe))) (units/release id (:folded probe)))
        state (units/change state id (fn [u] (-> u (dissoc :probe) (assoc :since now :trying (or trying now)))))]
    (if (seq (:families state))
      (attempt state id text wait now)
      (units/timer state id :probe nil))))

(defn start-all
  "The units `ids` probe together."
  [state ids now]
  (let [[wait state] (delay-ms state now)]
    (reduce #(start %1 %2 wait now) state ids)))

(defn- complain [state id now]
  (let [{:keys [trying complained? name]} (units/unit state id)]
    (if (and trying (not complained?) (<= (long failing-ms) (- (long now) (long trying))))
      (-> state
          (units/change id assoc :complained? true)
          (out/note (str "no free name was found for " (mdns-name/text (hosts/unit-name id (hosts/wish id)))
                         " in a minute; " (mdns-name/text name) " was tried last")))
      state)))

(defn- drop-try
  "The unit `id` tries no more to have the name it wants, for now."
  [state id now]
  (let [{:keys [probe folded]} (units/unit state id)]
    (cond-> (-> state (units/change id dissoc :probe) (units/timer id :probe nil))
      (and probe (not= folded (:folded probe))) (units/release id (:folded probe))
      :always (follow/failed id now))))

(defn- taken?
  "Is the folded name another unit's, or the wish of another host?"
  [{:keys [wanted holders]} id]
  (let [hosts (fn [folded] (when-let [l (and (hosts/host? id) (first (mdns-name/labels folded)))]
                             (and (not= l (hosts/label id)) (contains? wanted l))))]
    (fn [folded]
      (or (when-let [holder (get holders folded)] (not= id holder)) (hosts folded)))))

(defn rename
  "The unit `id` looks for another name; `by` (ip, or nil) has the one it had. Its records are nobody's: no goodbyes."
  [state id by now]
  (let [{:keys [number probe folded]} (units/unit state id)
        [text n] (hosts/next-text id number (taken? state id))
        [wait state] (delay-ms state now)
        state (cond-> state
                (and probe (not= folded (:folded probe))) (units/release id (:folded probe)))]
    (-> (announce/unlist state id now)
        (units/change id (fn [u] (-> u (dissoc :probe) (assoc :said [] :number n :by by))))
        (called id text now)
        (follow/begin id now)
        (start id wait now)
        (complain id now))))

(defn- conflicting
  "One conflict more: fifteen within ten seconds, and none of ten seconds without any since, make all attempts slow."
  [state now]
  (let [slow? (slow? state now)
        recent (vec (take-last many-conflicts (conj (:conflicts state) now)))]
    (assoc state :conflicts recent
           :slow? (or slow? (and (= (long many-conflicts) (count recent))
                                 (< (- (long now) (long (first recent))) (long many-within-ms)))))))

(defn conflict
  "Somebody, at `ip`, says other records of the name `folded` that the unit `id` has or probes for."
  [state id folded ip now]
  (let [{:keys [claimed? probe] :as unit} (units/unit state id)
        state (conflicting state now)]
    (cond
      ;; its own: both probe, and who loses goes (section 9)
      (and claimed? (= folded (:folded unit)))
      (let [[wait state] (delay-ms state now)
            state (cond-> state probe (drop-try id now))]
        (start state id wait now))

      claimed?
      (-> state (units/change id assoc :by ip) (drop-try id now))

      :else
      (rename state id (if (= (:text unit) (hosts/wish id)) ip (:by unit)) now))))

(defn rivals
  "Somebody else probes for the name `folded` of the unit `id`, with the records `theirs`."
  [state id folded theirs now]
  (let [{:keys [probe]} (units/unit state id)]
    (if (and probe (= folded (:folded probe)) (pos? (long (:sent probe)))
             (= :loses (tiebreak/verdict (:own probe) theirs)))
      (-> state
          (units/change id assoc-in [:probe :sent] 0)
          (units/timer id :probe (+ (long now) (long (if (slow? state now) many-wait-ms deferred-ms))))
          (complain id now))
      state)))

;; --- time

(defn- report
  "Tells that a host goes by another name than was said last."
  [state id]
  (let [{:keys [text told by]} (units/unit state id), label (hosts/label id)]
    (cond
      (= text told) state

      (hosts/host? id)
      (-> state
          (units/change id assoc :told text)
          (update :saved #(if (= text label) (dissoc % label) (assoc % label text)))
          (out/effect {:effect/type :renamed :host/label label :host/name text :host/by (when (not= text label) by)}))

      :else
      (-> state
          (units/change id assoc :told text)
          (out/note (if (= text (hosts/wish id))
                      (str "the service " (mdns-name/text (hosts/unit-name id text)) " has its name again")
                      (str "the service " (mdns-name/text (hosts/unit-name id (hosts/wish id))) " is "
                           (mdns-name/text (hosts/unit-name id text)) ": " (if by (str by " has") "somebody has") " that name")))))))

(defn- host-ready? [state id]
  (or (hosts/host? id) (:claimed? (units/unit state [(hosts/label id)]))))

(defn- success
  "Nobody has the name that the unit `id` probed for. A service is told when its host has a name, too."
  [state id now]
  (let [{:keys [probe]} (units/unit state id)]
    (if-not (host-ready? state id)
      (units/timer state id :probe nil)
      (let [state (-> state
                      (units/change id (fn [u] (-> u (dissoc :probe :trying :complained?) (assoc :claimed? false))))
                      (units/timer id :probe nil)
                      (called id (:text probe) now)
                      (announce/claim id now))
            ours? (= (:text probe) (hosts/wish id))
            state (cond-> state
                    ours? (-> (units/change id assoc :by nil :number 1) (follow/end id)))
            state (report state id)
            state (if ours? state (follow/begin state id now))]
        (reduce (fn [state service]
                  (let [{:keys [probe timers]} (units/unit state service)]
                    (if (and probe (= (long probes) (long (:sent probe))) (nil? (:probe timers)))
                      (success state service now)
                      state)))
                state (services state id))))))

(defn due
  "The timer of the unit `id` for its probes, set to `at`, is over."
  [state id at now]
  (let [{{:keys [sent name own]} :probe} (units/unit state id)]
    (cond
      (and (pos? (long sent)) (<= (+ (long at) (long late-ms)) (long now)))
      (let [[wait state] (units/draw state 0 first-ms)]
        (-> state
            (units/change id assoc-in [:probe :sent] 0)
            (units/timer id :probe (+ (long now) (long wait)))))

      (= (long probes) (long sent))
      (success state id now)

      :else
      (-> state
          (out/probe name own)
          (units/change id assoc-in [:probe :sent] (inc (long sent)))
          (units/timer id :probe (+ (long now) (long interval-ms)))))))

(defn try-again
  "The name that the unit `id` would rather have seems to be free."
  [state id now]
  (let [{:keys [claimed? probe text]} (units/unit state id)
        {:keys [folded]} (:follow (units/unit state id))]
    (if (or (not claimed?) probe (= text (hosts/wish id)) (contains? (:holders state) folded))
      (cond-> state (not (contains? (:holders state) folded)) (follow/free-again id now))
      (let [[wait state] (delay-ms state now)]
        (attempt state id (hosts/wish id) wait now)))))

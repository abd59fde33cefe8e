;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-heard
  "What packets of others (or our own, come back) mean for the names of a link's machine: conflicts, contests, news of names that
  are followed (RFC 6762 sections 6.6, 8.1, 8.2, 9, 10.2, 11 and 18). In the terms of `ontap.model.mdns-units`. Pure."
  (:require [ontap.model.mdns-follow :as follow]
            [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-out :as out]
            [ontap.model.mdns-probe :as probe]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-tiebreak :as tiebreak]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(def ^:private pseudo "Types that are of a message, not of a name: OPT, SIG(0), TKEY, TSIG." #{41 24 249 250})

(defn kind
  "What the packet is: :query, :response, or nil: it does not count (sections 6, 11, 18.3 and 18.11)."
  [{:packet/keys [message port multicast? on-link?]}]
  (let [{:message/keys [response? opcode rcode]} message]
    (when (and (zero? (long (or opcode 0))) (zero? (long (or rcode 0))) (or multicast? on-link?))
      (cond (not response?)     :query
            (= 5353 (long port)) :response))))

;; --- responses

(defn- of-concern
  "{folded [record]}: what the message says of names that matter."
  [{:keys [holders wishes]} {:message/keys [answers authorities additionals]}]
  (reduce (fn [m {:mdns/keys [name type] :as r}]
            (if (contains? pseudo type)
              m
              (let [folded (mdns-name/fold name)]
                (if (or (contains? holders folded) (contains? wishes folded))
                  (update m folded (fnil conj []) r)
                  m))))
          {} (concat answers authorities additionals)))

(defn- identities [records] (into #{} (map record/identity-of) records))

(defn- nsec? [r] (= record/nsec (:mdns/type r)))

(defn- strange
  "Those of `records` that are neither said by us (`ours`: identities) nor an echo of what we said lately, nor a goodbye."
  [state ours records now]
  (filterv (fn [{:mdns/keys [ttl] :as r}]
             (let [identity (record/identity-of r)]
               (not (or (zero? (long ttl)) (contains? ours identity) (units/stale? state identity now)))))
           records))

(defn- conflict-with-probe?
  "Any other record of the name speaks against it (section 8.1). What is an NSEC of one that says the same as we do is not."
  [state {:keys [probe]} records elsewhere now]
  (and (pos? (long (:sent probe)))
       (let [ours (into (identities (conj (:own probe) (hosts/nsec (:name probe) (:own probe)))) elsewhere)
             same? (some #(contains? ours (record/identity-of %)) records)]
         (seq (cond->> (strange state ours records now) same? (remove nsec?))))))

(defn- conflict-with-ours?
  "Another record of a type that is ours alone (section 9): of a host both families are, for it was asked for all types."
  [state {:keys [id own listed]} records elsewhere now]
  (let [types (cond-> (into #{} (map :mdns/type) own) (hosts/host? id) (into [record/a record/aaaa]))]
    (some (fn [{:mdns/keys [type class]}] (and (= record/in class) (contains? types type)))
          (strange state (-> (identities own) (into (identities listed)) (into elsewhere)) records now))))

(defn- conflict? [state {:keys [folded probe claimed?] :as unit} name records elsewhere now]
  (cond
    (and probe (= name (:folded probe))) (conflict-with-probe? state unit records elsewhere now)
    (and claimed? (= name folded))       (conflict-with-ours? state unit records elsewhere now)))

(defn- cut-short
  "The RRsets of the unit of which somebody said that they are not what they are: caches forget the rest in a second, if it is not
  told again (section 10.2): a part of it is said to be the whole, or what we say `elsewhere`."
  [{:keys [listed]} records elsewhere]
  (let [flushed (group-by record/set-of (filter :mdns/flush? records))]
    (when (seq flushed)
      (into #{}
            (keep (fn [[set ours]]
                    (when-let [theirs (get flushed set)]
                      (let [said (identities (filter #(pos? (long (:mdns/ttl %))) theirs)), is (identities ours)]
                        (when (and (or (some is said) (some elsewhere said)) (not-every? said is)) set)))))
            (group-by record/set-of listed)))))

(defn- reinstate [state {:keys [listed claimed? timers] :as unit} records elsewhere now]
  (if-let [sets (when (and claimed?
                           ;; all of it is told in a moment
                           (not (some-> (:update timers) (< (+ 1000 (long now))))))
                  (not-empty (cut-short unit records elsewhere)))]
    ;; what was multicast in the last second is safe, and is left out (section 14)
    (out/tell state (filterv (comp sets record/set-of) listed) [])
    state))

(defn response
  "What the response `packet` changes."
  [state {:packet/keys [message ip elsewhere]} now]
  (let [said (of-concern state message)
        elsewhere (or elsewhere #{})
        state (reduce-kv (fn [state name records]
                           (let [id (get (:holders state) name), unit (units/unit state id)]
                             (cond
                               (nil? unit) state
                               (conflict? state unit name records elsewhere now) (probe/conflict state id name ip now)
                               :else (reinstate state unit records elsewhere now))))
                         state said)]
    (reduce-kv (fn [state name records]
                 ;; after the conflicts: who was just renamed follows what renamed it. One that is another unit's of ours is not heard of
                 ;; by packets.
                 (let [holder (get (:holders state) name)]
                   (reduce #(follow/heard %1 %2 records now) state
                           (filter #(or (nil? holder) (= holder %)) (get (:wishes state) name)))))
               state said)))

;; --- queries

(defn- contests
  "[[folded records]]: the names asked for of which the query itself proposes records: those of a probe."
  [{:message/keys [questions authorities]}]
  (if (empty? authorities)
    []
    (let [proposed (group-by (comp mdns-name/fold :mdns/name) authorities)]
      (into [] (comp (map (comp mdns-name/fold :mdns/name)) (distinct)
                     (keep (fn [name] (when-let [records (get proposed name)] [name records]))))
            questions))))

(defn query
  "What the query `packet` changes: the contest for a name for which both probe."
  [state {:packet/keys [message]} now]
  (reduce (fn [state [name records]]
            (if-let [id (get (:holders state) name)]
              (probe/rivals state id name records now)
              state))
          state (contests message)))

(defn tie?
  "Does the query probe for nothing of ours but with the very records that are ours? Then there is nothing to defend (section
  8.2.1)."
  [{:keys [catalog]} message]
  (let [ours (filterv (comp (:catalog/owned catalog) first) (contests message))]
    (boolean (and (seq ours)
                  (every? (fn [[name records]]
                            (= :equal (tiebreak/verdict (get-in catalog [:catalog/records name]) records)))
                          ours)))))

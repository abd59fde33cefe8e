;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-match
  "Which records answer a question of multicast DNS (RFC 6762 sections 6, 6.1, 6.5).

  The unit is an item: what is always said together.
    a unique RRset, whole (section 10.2)      key [name type class]
    one record of a shared RRset              key [name type class data]
    the NSEC of a name that is only ours      key [name NSEC IN]
  {:key k :type n :class n :unique? b :ttl s :records [record] :ids [identity of each]}

  An index {folded name -> entry} keeps the items of names that were looked up, so that a question costs no more than finding
  them; an entry is made anew when the catalog has other records there. Pure."
  (:require [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private hinfo 13)
(def ^:private host-types
  "Types whose records have the TTL of a host (RFC 6762 section 10)."
  #{record/a record/aaaa record/srv hinfo})

(defn- question-only?
  "Is `type` none that a record at a name can have: OPT, and TKEY to MAILA with the transfers between (RFC 6895 section 3.1)?"
  [type]
  (or (= 41 type) (<= 249 (long type) 254)))

(defn key-of
  "The key of the item that `record` belongs to."
  [record]
  (if (:mdns/flush? record) (record/set-of record) (record/identity-of record)))

(defn keys-of
  "The two keys that the item of a record with this `identity` may have: as a shared and as a unique one."
  [identity]
  [identity (subvec identity 0 3)])

(defn- item [key records]
  (let [{:mdns/keys [type class ttl flush?]} (first records)]
    {:key key :type type :class class :unique? flush? :ttl ttl :records records :ids (mapv record/identity-of records)}))

(defn- nsec-item
  "What `name`, which is only ours, has: nil when that cannot be said in block 0."
  [name folded records]
  (let [types (into #{} (comp (filter #(= record/in (:mdns/class %))) (map :mdns/type)) records)]
    (when (every? #(< (long %) 256) types)
      (item [folded record/nsec record/in] [(record/nsec-record name (disj types record/nsec) record/host-ttl)]))))

(defn- entry [folded owned? records]
  (let [of-key (group-by key-of records)
        items (into [] (comp (map key-of) (distinct) (map #(item % (of-key %)))) records)]
    {:of records
     :owned? owned?
     :items items
     :by-key (into {} (map (juxt :key identity)) items)
     :nsec (when owned? (nsec-item (:mdns/name (first records) folded) folded records))}))

(defn learn
  "`index` with what `catalog` has now at the name `folded`; without an entry for it, when that is nothing of ours."
  [index catalog folded]
  (let [records (get (:catalog/records catalog) folded)
        owned? (contains? (:catalog/owned catalog) folded)
        old (get index folded)]
    (cond
      (and (nil? records) (not owned?))                                   (if old (dissoc index folded) index)
      (and old (identical? records (:of old)) (= owned? (:owned? old))) index
      :else                                                               (assoc index folded (entry folded owned? records)))))

(defn- with-ttl [{:keys [ttl] :as item} wanted]
  (if (or (nil? wanted) (= ttl wanted))
    item
    (-> item (assoc :ttl wanted) (update :records (fn [rs] (mapv #(assoc % :mdns/ttl wanted) rs))))))

(defn item-at
  "The item of `key` in an index that has learnt its name, or nil. `ttl`, or nil: that of an NSEC."
  [index key ttl]
  (when-let [{:keys [by-key nsec]} (get index (nth key 0))]
    (or (get by-key key)
        (when (and nsec (= key (:key nsec))) (with-ttl nsec ttl)))))

(defn nsec?
  "Is `item` made here, to say what there is not?"
  [item]
  (= record/nsec (:type item)))

(defn- answers? [{:keys [type class]} qtype qclass]
  (and (or (= qtype type) (= record/any qtype) (= record/cname type))
       (or (= qclass class) (= record/any qclass))))

(defn answers
  "The items of `entry` that answer `question`, all of them; an NSEC when the name is only ours and has none; or []. The NSEC's
  TTL is the one that what is missing would have."
  [{:keys [items nsec]} {:mdns/keys [type class]}]
  (let [found (filterv #(answers? % type class) items)]
    (cond
      (seq found)                                                        found
      (and nsec (or (= record/in class) (= record/any class)) (not (question-only? type)))
      [(with-ttl nsec (if (host-types type) record/host-ttl record/other-ttl))]
      :else                                                              [])))

(defn of-type
  "The items of `entry` with this type, of the class IN."
  [entry type]
  (filterv #(and (= type (:type %)) (= record/in (:class %))) (:items entry)))

;; --- known answers

(defn known
  "{identity ttl} of the known answers of a query."
  [records]
  (reduce (fn [known {:mdns/keys [ttl] :as r}] (update (or known {}) (record/identity-of r) #(max (long (or % 0)) (long ttl))))
          nil records))

(defn known?
  "Does the asker know all that `item` says, with at least half of its time left (RFC 6762 section 7.1)? Of a unique RRset all
  or nothing is said."
  [known {:keys [ids ttl]}]
  (and (some? known)
       (every? (fn [id] (when-let [left (get known id)] (<= (long ttl) (* 2 (long left))))) ids)))

(defn proposed
  "{folded name [record]} of the Authority section of a probe, or nil."
  [authorities]
  (when (seq authorities) (group-by (comp mdns-name/fold :mdns/name) authorities)))

(defn proposes?
  "Does one of the `proposed` answer `question`, so that it is a probe's (RFC 6762 section 6)?"
  [proposed {:mdns/keys [name type class]}]
  (boolean
   (and proposed
        (some #(answers? {:type (:mdns/type %) :class (:mdns/class %)} type class) (get proposed (mdns-name/fold name))))))

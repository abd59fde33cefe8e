;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mdns-rules
  "What RFC 6762 wants of each packet that is sent, whatever it is for: the header, the bits of
  class, nothing said twice within a second. Over the sendings of `ontap.harness.mdns-peer`."
  (:require [clojure.string :as str]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as mdns-record]))

(set! *warn-on-reflection* true)

(defn- zero-or-none? [n] (or (nil? n) (zero? (long n))))

(defn- shared? [{:mdns/keys [name type]}]
  (and (= 12 type) (not (str/ends-with? (mdns-name/fold name) (mdns-name/fold (mdns-name/of-text "arpa"))))))

(defn- legacy? [{:keys [to]}] (and (map? to) (not= 5353 (:port to))))

(defn- of-query [{:keys [to message] :as sending}]
  (cond-> []
    (not= :multicast to)                              (conj "a query is sent to the group (5.2)")
    (not (zero-or-none? (:message/id message)))       (conj "the id of a query is 0 (18.1)")
    (:message/authoritative? message)                 (conj "AA is 0 in a query (18.4)")
    (some :mdns/flush? (peer/records sending))        (conj "no cache-flush bit in a query (10.2)")
    (and (empty? (:message/questions message)) (empty? (:message/answers message)))
    (conj "a query asks something")))

(defn- of-response [{:keys [to message] :as sending}]
  (let [records (peer/records sending)]
    (cond-> []
      (not (:message/authoritative? message))          (conj "AA is 1 in a response (18.4)")
      (empty? (:message/answers message))              (conj "only a non-null response is sent (6)")
      (seq (:message/authorities message))             (conj "a response has no authority section")
      (not= (count records) (count (distinct (map mdns-record/identity-of records))))
      (conj "no record is in a message twice")
      (some #(and (:mdns/flush? %) (shared? %)) records)
      (conj "no cache-flush bit in a shared record (10.2)")
      (some #(contains? #{2 6} (:mdns/type %)) records) (conj "no NS, no SOA (12)")

      (not (legacy? sending))
      (cond-> (seq (:message/questions message))        (conj "no question in a response (6)")
              (not (zero-or-none? (:message/id message))) (conj "the id of a response is 0 (18.1)")
              (:message/truncated? message)             (conj "TC is 0 in a response (18.5)")
              (some #(not (or (:mdns/flush? %) (shared? %) (zero? (long (:mdns/ttl %))))) records)
              (conj "each member of a unique set has the cache-flush bit (10.2)"))

      (legacy? sending)
      (cond-> (empty? (:message/questions message))     (conj "the question is repeated to a legacy querier (6.7)")
              (some :mdns/flush? records)               (conj "no cache-flush bit to a legacy querier (6.7)")
              (some #(< 10 (long (:mdns/ttl %))) records) (conj "at most 10 s to a legacy querier (6.7)"))

      (and (= :multicast to) (some #(zero? (long (:mdns/ttl %))) records)
           (some #(pos? (long (:mdns/ttl %))) records)
           (some (fn [r] (and (zero? (long (:mdns/ttl r)))
                              (some #(and (pos? (long (:mdns/ttl %))) (= (mdns-record/identity-of r) (mdns-record/identity-of %))) records)))
                 records))
      (conj "a record is not said and taken back at once"))))

(defn- of-header [{:keys [kind message] :as sending}]
  (cond-> (if (= :response kind) (of-response sending) (of-query sending))
    (not (zero-or-none? (:message/opcode message))) (conj "OPCODE is 0 (18.3)")
    (not (zero-or-none? (:message/rcode message)))  (conj "RCODE is 0 (18.11)")))

(defn- multicasts
  "[nth family identity set-key rrset-as-said at fact] of each record that was multicast in the nth sending, a
  response; nil for the set of a goodbye."
  [sendings]
  (for [[nth {:keys [at family to kind] :as s}] (map-indexed vector sendings)
        :when (and (= :multicast to) (= :response kind))
        :let [records (peer/records s)
              sets    (group-by mdns-record/set-of records)]
        r records
        :let [identity (mdns-record/identity-of r)
              ;; shared records stand for themselves
              set-key  (if (shared? r) identity (mdns-record/set-of r))]]
    [nth family identity set-key
     (when (pos? (long (:mdns/ttl r))) (if (shared? r) #{identity} (set (map mdns-record/identity-of (sets set-key)))))
     at (peer/fact r)]))

(defn repeats
  "Records that were multicast again sooner than `limit` ms after their last time on that family (RFC
  6762 section 6), as texts. A unique set with other members than it had last is another set: it has to
  go whole (10.2), at once (8.4); and a goodbye waits for nothing."
  ([sendings] (repeats sendings 1000))
  ([sendings limit]
   (:found
    (reduce (fn [{:keys [times sets] :as so-far} [nth family identity set-key members at fact]]
              (let [before (get times [family identity])
                    [set-nth was now] (get sets [family set-key])
                    was (if (= set-nth nth) was now)]
                (cond-> (-> so-far
                            (assoc-in [:times [family identity]] (when members at))
                            (assoc-in [:sets [family set-key]] [nth was members]))
                  (and before members (= was members) (< (- (long at) (long before)) (long limit)))
                  (update :found conj (str (pr-str fact) " by " (name family) " at " before " and at " at " ms")))))
            {:times {} :sets {} :found []}
            (multicasts sendings)))))

(defn faults
  "What is wrong with sendings whatever they are for, as texts; :limit as for `repeats`."
  [sendings & {:keys [limit] :or {limit 1000}}]
  (into (vec (for [s sendings, fault (of-header s)]
               (str fault ": " (name (:kind s)) " at " (:at s) " ms to " (:to s))))
        (repeats sendings limit)))

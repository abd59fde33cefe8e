;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-said
  "The state of what answers for one link: what waits, and when each item was last multicast on which family. Others of
  `ontap.model.mdns-answer-…` read and change it; elsewhere it is opaque.

  {:index (see -match) :queues {family queue} :replies (see -reply) :held {ip until-ms} :times {family {key ms}}
   :repeats (see -repeat) :room n}. Pure."
  (:require [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-answer-queue :as queue]
            [ontap.model.mdns-answer-reply :as reply]))

(set! *warn-on-reflection* true)

(def ^:private little "So many times and looked-up names more than the catalog has are no matter." 64)

(defn answering
  "Nothing was asked and nothing was said."
  []
  {:index {} :queues {:ipv4 queue/nothing :ipv6 queue/nothing} :replies reply/nothing :held {} :times {:ipv4 {} :ipv6 {}}
   :repeats {} :room little})

(defn queue-of "What waits to be multicast on `family`." [answering family] (get (:queues answering) family))

(defn with-queue "`answering` with another queue for `family`." [answering family queue]
  (assoc answering :queues (assoc (:queues answering) family queue)))

(defn last-told "When the item of `key` was last multicast on `family`, or nil." [answering family key]
  (get (get (:times answering) family) key))

(defn may?
  "Was the last multicast of the item of `key` on `family` at least `limit` ms ago?"
  [answering family key now limit]
  (let [at (last-told answering family key)]
    (or (nil? at) (<= (long limit) (- (long now) (long at))))))

(defn marked
  "The items of `ks` were multicast on `family`: who waits for one has heard it."
  [answering family ks now]
  (-> answering
      (update-in [:times family] (fn [times] (reduce #(assoc %1 %2 now) times ks)))
      (with-queue family (queue/drop-keys (queue-of answering family) ks))))

(defn without
  "The records with these `identities` are no more, as far as they were not members of an RRset that goes on."
  [answering identities]
  (-> (reduce (fn [answering family]
                (-> answering
                    (update-in [:times family] #(reduce dissoc % identities))
                    (with-queue family (queue/drop-keys (queue-of answering family) identities))))
              answering [:ipv4 :ipv6])
      (update :replies reply/drop-keys identities)))

(defn learn
  "`answering` that knows what the catalog has now at `name` (folded), and the entry of its index, or nil: [answering' entry]."
  [answering catalog name]
  (let [old (:index answering), index (match/learn old catalog name)]
    [(if (identical? old index) answering (assoc answering :index index)) (get index name)]))

(defn swept
  "Forgets what the catalog has no more, when there is so much that it is worth a look at everything."
  [{:keys [times index room] :as answering} catalog]
  (if (<= (max (count (:ipv4 times)) (count (:ipv6 times)) (count index)) (long room))
    answering
    (let [names (into #{} (comp (mapcat keys) (map first)) (vals times))
          index (reduce (fn [index name] (match/learn index catalog name)) {} names)
          kept (update-vals times (fn [times] (into {} (filter (fn [[key _]] (match/item-at index key nil))) times)))
          most (max (count index) (count (:ipv4 kept)) (count (:ipv6 kept)))]
      (assoc answering :index index :times kept :room (+ (long little) (* 2 most))))))

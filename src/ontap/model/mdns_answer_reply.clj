;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-reply
  "Answers that wait for their time to be sent to one asker, who wished so (RFC 6762 section 5.4).

  {:by-asker {[ip more?] reply} :at ms-or-nil}; reply is {:due ms :latest ms :family f :items {key waiting}}, and waiting
  {:ttl s-or-nil :left #{identity} :but #{key}} as in `ontap.model.mdns-answer-queue`. `more?`: the asker has more known answers
  to tell (TC). At most `most` replies wait. Pure."
  (:require [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-answer-queue :as queue]))

(set! *warn-on-reflection* true)

(def most
  "Replies that may wait. Who asks when there are so many is answered by multicast, which every asker hears, so that a flood
  takes no memory and no reply away from others."
  128)

(def nothing "No reply waits." {:by-asker {} :at nil})

(defn- timed [{:keys [by-asker] :as replies}]
  (assoc replies :at (when (seq by-asker) (reduce-kv (fn [m _ r] (min (long m) (long (:due r)))) Long/MAX_VALUE by-asker))))

(defn due "When `replies` have to be looked at, or nil." [replies] (:at replies))

(defn of "What waits for `asker`, or nil." [replies asker] (get (:by-asker replies) asker))

(defn room?
  "Can one more be said to `asker`?"
  [{:keys [by-asker]} asker]
  (or (< (count by-asker) (long most)) (contains? by-asker asker)))

(defn add
  "`replies` with the item of `key`, due at `due`, to `asker` [ip more?] on `family`."
  [replies asker family due key waiting]
  (let [old (get-in replies [:by-asker asker])
        latest (if old (:latest old) (+ (long due) (long queue/together-ms)))
        reply (-> (or old {:family family :latest latest :items {}})
                  (assoc :due (min (long latest) (if old (max (long due) (long (:due old))) (long due))))
                  (assoc-in [:items key] waiting))]
    (timed (assoc-in replies [:by-asker asker] reply))))

(defn later
  "`replies` where what waits for more known answers of `ip` is due at `due`."
  [replies ip due]
  (if (contains? (:by-asker replies) [ip true])
    (timed (update-in replies [:by-asker [ip true]] assoc :due due :latest (+ (long due) (long queue/together-ms))))
    replies))

(defn ready
  "[replies' [[ip reply]]]: those due at `now`."
  [{:keys [by-asker at] :as replies} now]
  (if (or (nil? at) (< (long now) (long at)))
    [replies []]
    (let [out (filterv (fn [[_ r]] (<= (long (:due r)) (long now))) by-asker)]
      [(timed (assoc replies :by-asker (reduce dissoc by-asker (map first out))))
       (mapv (fn [[[ip _] r]] [ip r]) (sort-by (fn [[asker r]] [(:due r) asker]) out))])))

(defn- settled [items index identity ttl]
  (reduce
   (fn [items key]
     (let [waiting (get items key)
           item (when waiting (match/item-at index key (:ttl waiting)))]
       (if (and item (<= (long (:ttl item)) (* 2 (long ttl))))
         (let [left (disj (or (:left waiting) (set (:ids item))) identity)]
           (if (empty? left)
             (update-vals (dissoc items key) (fn [w] (update w :but #(conj (or % #{}) key))))
             (assoc-in items [key :left] left)))
         items)))
   items (match/keys-of identity)))

(defn settle
  "`replies` when the asker `ip` says that it knows `identity` with `ttl` (RFC 6762 section 7.2)."
  [{:keys [by-asker] :as replies} index ip identity ttl]
  (reduce
   (fn [replies asker]
     (if-let [reply (get by-asker asker)]
       (let [items (settled (:items reply) index identity ttl)]
         (cond
           (identical? items (:items reply)) replies
           (empty? items)                    (timed (update replies :by-asker dissoc asker))
           :else                             (assoc-in replies [:by-asker asker :items] items)))
       replies))
   replies [[ip true] [ip false]]))

(defn drop-keys
  "`replies` without the items of `ks`."
  [{:keys [by-asker] :as replies} ks]
  (timed (assoc replies :by-asker
                (reduce-kv (fn [m asker reply]
                             (let [items (reduce dissoc (:items reply) ks)]
                               (if (empty? items) m (assoc m asker (assoc reply :items items)))))
                           {} by-asker))))

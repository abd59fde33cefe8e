;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-queue
  "Answers that wait for their time to be multicast on one family.

  {:items {key waiting} :latest ms :at ms}; waiting is
    {:due ms :latest ms :ttl s-or-nil :asker ip-or-:several :more? b :left #{identity} :but #{key}}
  It may not go before :due, and shall not wait for others beyond :latest (RFC 6762 section 6.4). :more? says that
  its asker has more known answers to tell (TC); :left, of an RRset, which members its asker
  does not know yet (nil: none of them); :but, what its asker knows besides.

  There is at most one for each item of the catalog, so that no number of askers makes it long. What is multicast meanwhile has to
  be dropped from here: then each is due late enough after its last multicast. Pure."
  (:require [ontap.model.mdns-answer-match :as match]))

(set! *warn-on-reflection* true)

(def together-ms "An answer waits so long for others to go with it (RFC 6762 section 6.4)." 500)

(def nothing "Nothing waits." {:items {} :latest Long/MAX_VALUE :at 0})

(defn- timed
  "`queue` with its :at: the last moment at which something is due that the most urgent of all can wait for."
  [{:keys [items] :as queue}]
  (let [latest (reduce-kv (fn [^long m _ p] (min m (long (:latest p)))) Long/MAX_VALUE items)
        latest (long latest)]
    (assoc queue
           :latest latest
           :at (reduce-kv (fn [^long m _ p] (let [due (long (:due p))] (if (<= due latest) (max m due) m))) 0 items))))

(defn due
  "When `queue` has to be looked at, or nil."
  [{:keys [items at]}]
  (when (pos? (count items)) at))

(defn- both
  "What waits already, and one more asker."
  [old new]
  (let [[a b] (if (<= (long (:due old)) (long (:due new))) [old new] [new old])
        same? (and (some? (:asker old)) (= (:asker old) (:asker new)))]
    {:due (:due a)
     :latest (min (long (:latest a)) (long (:latest b)))
     :ttl (when (:ttl a) (min (long (:ttl a)) (long (:ttl b))))
     :asker (if same? (:asker old) :several)
     :more? (and same? (:more? old) (:more? new))
     :left (when same? (:left old))
     :but (when same? (into (or (:but old) #{}) (:but new)))}))

(defn add
  "`queue` with `waiting` for the item of `key`."
  [{:keys [items latest at] :as queue} key {due :due own :latest :as waiting}]
  (let [latest (min (long latest) (long own))]
    (if-let [old (get items key)]
      (let [new (both old waiting)
            queue (assoc queue :items (assoc items key new))]
        (if (and (= (:due new) (:due old)) (= (:latest new) (:latest old))) queue (timed queue)))
      (let [queue (assoc queue :items (assoc items key waiting))]
        (cond
          (< latest (long at))   (timed queue)
          (<= (long due) latest) (assoc queue :latest latest :at (max (long at) (long due)))
          :else                  (assoc queue :latest latest))))))

(defn drop-keys
  "`queue` without the items of `ks`. What has waited for one of them waits on, so that it is never due in the past."
  [{:keys [items at] :as queue} ks]
  (let [left (reduce dissoc items ks)]
    (cond
      (identical? left items) queue
      (empty? left)           nothing
      :else                   (update (timed (assoc queue :items left)) :at max at))))

(defn ready
  "[queue' [[key waiting]]]: what is due at `now`, in order, once the most urgent can wait no longer for more."
  [{:keys [items at] :as queue} now]
  (if (or (zero? (count items)) (< (long now) (long at)))
    [queue []]
    (let [out (filterv (fn [[_ p]] (<= (long (:due p)) (long now))) items)]
      [(drop-keys queue (map first out))
       (vec (sort-by (fn [[k p]] [(:due p) k]) out))])))

(defn swept
  "`queue` after `settle` has taken items from it, once for all of a packet: a look at all that waits."
  [{:keys [items at] :as queue}]
  (if (empty? items) nothing (update (timed queue) :at max at)))

(defn settle
  "[queue' key-or-nil]: `queue` when whoever asked has been told `identity` with `ttl`, and the key of the item that need not be
  said any more; then `swept` has to follow. `share`: 2 when half of the true TTL is enough, else 1. `asker`: who has been told, nil: everybody."
  [{:keys [items] :as queue} index identity ttl share asker]
  (reduce
   (fn [_ key]
     (let [p (get items key)
           item (when (and p (or (nil? asker) (= asker (:asker p)))) (match/item-at index key (:ttl p)))]
       (if (and item (<= (long (:ttl item)) (* (long share) (long ttl))))
         (let [left (disj (or (:left p) (set (:ids item))) identity)]
           (reduced (if (empty? left)
                      [(assoc queue :items (dissoc items key)) key]
                      [(assoc-in queue [:items key :left] left) nil])))
         [queue nil])))
   [queue nil]
   (match/keys-of identity)))

(defn but
  "`queue` where what waits for `asker` goes without `ks` besides it."
  [{:keys [items] :as queue} asker ks]
  (let [ks   (set ks)
        ;; what was asked for together knows the same set
        with (memoize (fn [known] (if known (into known ks) ks)))]
    (assoc queue :items (reduce-kv (fn [m key p] (if (= asker (:asker p)) (assoc m key (update p :but with)) m))
                                   items items))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-cache
  "What somebody who asks has heard on a link (RFC 6762 sections 10 and 5.2). Pure.

  A cache is {identity {:cache/record record :cache/heard-ms ms :cache/until-ms ms}}, by
  `ontap.model.mdns-record/identity-of`, and :cache/asked, how often others asked for it since in
  vain. A goodbye, and what a newer record with the cache-flush bit replaces, lives for one more
  second. It holds `most` records; of more, those that end soonest are forgotten."
  (:require [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def most "Records that are held." 2000)

(def ^:private grace-ms "What is taken back or replaced is known for so long (RFC 6762 sections 10.1 and 10.2)." 1000)

(def failure-ms "So long an answer may take before there is none (RFC 6762 sections 10.4 and 10.5)." 10000)

(def empty-cache "Nothing was heard." {})

(defn alive
  "`cache` without what has ended by `now`."
  [cache now]
  (reduce-kv (fn [c id {:cache/keys [until-ms]}] (if (<= (long until-ms) (long now)) (dissoc c id) c)) cache cache))

(defn- bounded [cache]
  (if (<= (count cache) (long most))
    cache
    (into {} (take most) (sort-by (comp - :cache/until-ms val) cache))))

(defn- replaced
  "With what a record that flushes, heard now, puts an end to: others of its set that are older than a second."
  [cache {:mdns/keys [flush?] :as r} now]
  (if-not flush?
    cache
    (let [s (record/set-of r), id (record/identity-of r)]
      (reduce-kv (fn [c other {:cache/keys [heard-ms until-ms] there :cache/record}]
                   (if (and (not= id other) (= s (record/set-of there)) (< (+ (long heard-ms) (long grace-ms)) (long now)))
                     (assoc-in c [other :cache/until-ms] (min (long until-ms) (+ (long now) (long grace-ms))))
                     c))
                 cache cache))))

(defn- put [cache {:mdns/keys [ttl] :as r} now]
  (let [id (record/identity-of r)]
    (cond
      (pos? (long ttl))      (assoc cache id {:cache/record r :cache/heard-ms now :cache/until-ms (+ (long now) (* 1000 (long ttl)))})
      (contains? cache id)   (update-in cache [id :cache/until-ms] min (+ (long now) (long grace-ms)))
      :else                  cache)))

(defn heard
  "`cache` after the `records` of a response that came at `now`."
  [cache records now]
  (let [records (filter #(= record/in (:mdns/class %)) records)]
    (bounded (reduce (fn [c r] (-> c (replaced r now) (put r now))) (alive cache now) records))))

(defn doubted
  "`cache` where the records that answer the question [folded-name type] end at `until`, unless they are heard before."
  [cache [name type] until]
  (reduce-kv (fn [c [n t :as id] _]
               (if (and (= n name) (or (= t type) (= record/any type))) (update-in c [id :cache/until-ms] min until) c))
             cache cache))

(defn unanswered
  "`cache` after a query of somebody else, at `now`, for the question [folded-name type], whose known answers have the
  identities `known`: what it has here, and was not answered, is no more ten seconds after the second such query (RFC 6762
  section 10.5)."
  [cache [name type] known now]
  (reduce-kv (fn [c [n t :as id] {:cache/keys [asked]}]
               (if (and (= n name) (or (= t type) (= record/any type)) (not (contains? known id)))
                 (-> c
                     (assoc-in [id :cache/asked] (inc (long (or asked 0))))
                     (cond-> (<= 1 (long (or asked 0))) (update-in [id :cache/until-ms] min (+ (long now) (long failure-ms)))))
                 c))
             cache cache))

(defn of
  "The records of the folded `name` and `type` (nil: any) that are known, sorted."
  [cache name type]
  (->> cache
       (filter (fn [[[n t] _]] (and (= n name) (or (nil? type) (= t type)))))
       (sort-by key)
       (mapv (comp :cache/record val))))

(defn index
  "What is known by what would be asked: {[folded-name type] [record]}, each sorted. For who looks for much at once."
  [cache]
  (reduce (fn [m [[name type] {:cache/keys [record]}]] (update m [name type] (fnil conj []) record)) {} (sort-by key cache)))

(defn denied?
  "Does the owner of the folded `name` say in the `index` that it has no records of `type` (RFC 6762 section 6.1)?"
  [index name type]
  (boolean (some #(some-> (record/nsec-types %) (contains? type) not) (get index [name record/nsec]))))

(defn left-ms
  "How long an entry is still good at `now`."
  [{:cache/keys [until-ms]} now]
  (- (long until-ms) (long now)))

(defn due
  "When something ends next, or nil."
  [cache]
  (reduce (fn [a {:cache/keys [until-ms]}] (if a (min (long a) (long until-ms)) until-ms)) nil (vals cache)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-message
  "Responses of multicast DNS made of items (`ontap.model.mdns-answer-match`): the answers, and in the Additional section what
  the asker would ask for next: of a service type its instances' SRV and TXT, of an SRV the addresses of its host (RFC 6763
  section 12), of one family of addresses the other, or an NSEC that there is none (RFC 6762 section 6.2). Pure."
  (:require [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def room
  "Bytes of a message up to which records are added. What is added counts as said, and so it must not be what is left out of a
  packet that is full: this fits the smallest MTU of IPv6 (1280 less 48)."
  1200)

(def ^:private legacy-ttl "Seconds at most, for a resolver that knows no goodbyes (RFC 6762 section 6.7)." 10)

;; --- what goes with what

(defn- data-from [^String rdata ^long n] (when (< n (count rdata)) (mdns-name/fold (subs rdata n))))

(defn- targets
  "The folded names that `item` leads to."
  [{:keys [type records]}]
  (condp = type
    record/srv   (keep #(data-from (:mdns/rdata %) 6) records)
    record/ptr   (keep #(data-from (:mdns/rdata %) 0) records)
    record/cname (keep #(data-from (:mdns/rdata %) 0) records)
    nil))

(defn- addresses
  "The items of all addresses of `entry`, and an NSEC if a family is missing; nothing when it has none at all."
  [entry]
  (let [as (match/of-type entry record/a), aaaas (match/of-type entry record/aaaa)]
    (cond
      (and (empty? as) (empty? aaaas)) []
      (or (empty? as) (empty? aaaas))  (cond-> (into as aaaas) (:nsec entry) (conj (:nsec entry)))
      :else                            (into as aaaas))))

(defn- companions
  "[index' items]: what goes along with `item`."
  [index catalog {:keys [type class key] :as item}]
  (if-not (= record/in class)
    [index []]
    (condp contains? type
      #{record/a record/aaaa} [index (addresses (get index (nth key 0)))]
      #{record/ptr record/srv record/cname}
      (reduce (fn [[index items] name]
                (let [index (match/learn index catalog name), entry (get index name)]
                  [index (into items (if (= record/ptr type)
                                       (into (match/of-type entry record/srv) (match/of-type entry record/txt))
                                       (addresses entry)))]))
              [index []] (targets item))
      [index []])))

;; --- how much room it takes

(defn- data-bytes
  "[seen' n]: what the data of a record takes. A name that is in the message already takes two bytes."
  [seen {:mdns/keys [type ^String rdata]}]
  (let [head (condp = type record/srv 6, record/ptr 0, record/cname 0, nil)]
    (if (and head (< (long head) (count rdata)))
      (let [name (subs rdata head)]
        [(conj seen name) (+ (long head) (if (contains? seen name) 2 (count name)))])
      [seen (count rdata)])))

(defn- grown
  "{:seen names :bytes n} of a message with `item` too. Never less than it takes."
  [size {:keys [records]}]
  (reduce (fn [{:keys [seen bytes]} {:mdns/keys [name] :as r}]
            (let [owner (if (contains? seen name) 2 (count name))
                  [seen data] (data-bytes (conj seen name) r)]
              {:seen seen :bytes (+ (long bytes) owner 10 (long data))}))
          size records))

(defn- fits? [size] (<= (long (:bytes size)) (long room)))

;; --- messages

(defn compose
  "{:index index' :answers [item] :additionals [item]}: the `items`, each once, and what goes with them if (may? item) and there
  is room: all that goes with the first before what goes with the second. `bytes`: what the message has beside them."
  [index catalog items may? bytes]
  (let [{:keys [answers seen size]}
        (reduce (fn [{:keys [seen] :as m} {:keys [key] :as item}]
                  (if (contains? seen key)
                    m
                    {:answers (conj (:answers m) item) :seen (conj seen key)
                     :size (let [size (:size m)] (if (fits? size) (grown size item) size))}))
                {:answers [] :seen #{} :size {:seen #{} :bytes (+ 12 (long bytes))}}
                items)]
    (loop [index index, open (apply list answers), seen seen, size size, added []]
      (if (or (empty? open) (not (fits? size)))
        {:index index :answers answers :additionals added}
        (let [[index items] (companions index catalog (peek open))
              new (into [] (comp (remove #(contains? seen (:key %))) (distinct)) items)
              [size added] (reduce (fn [[size added] item]
                                     (let [larger (grown size item)]
                                       (if (and (fits? larger) (may? item)) [larger (conj added item)] [size added])))
                                   [size added] new)]
          (recur index (into (pop open) (rseq new)) (into seen (map :key) new) size added))))))

(defn- records [items] (into [] (mapcat :records) items))

(defn response
  "The response (RFC 6762 section 18) of what `compose` gives."
  [{:keys [answers additionals]}]
  (cond-> {:message/response? true :message/authoritative? true :message/answers (records answers)}
    (seq additionals) (assoc :message/additionals (records additionals))))

(defn- for-legacy [rs]
  (mapv #(assoc % :mdns/ttl (min (long legacy-ttl) (long (:mdns/ttl %))) :mdns/flush? false) rs))

(defn legacy-response
  "The response to the `query` of a resolver that does not know multicast DNS (RFC 6762 section 6.7): as a usual server's."
  [composed {:message/keys [id questions]}]
  (-> (response composed)
      (assoc :message/id id :message/questions questions :message/legacy? true)
      (update :message/answers for-legacy)
      (update :message/additionals (fnil for-legacy []))))

(def ^:private longest-chain "Aliases that are followed." 8)

(defn chased
  "[index' items]: `items`, and where one is a CNAME, what `question` asks for at its target, for a resolver that expects all of
  it among the answers (RFC 1034 section 4.3.2)."
  [index catalog items question]
  (loop [index index, found (vec items), open (vec items), n 0]
    (let [names (into [] (comp (filter #(= record/cname (:type %))) (mapcat targets)) open)]
      (if (or (empty? names) (= n longest-chain) (contains? #{record/any record/cname} (:mdns/type question)))
        [index found]
        (let [index (reduce #(match/learn %1 catalog %2) index names)
              more (into [] (comp (keep #(get index %)) (mapcat #(match/answers % question)) (remove match/nsec?)
                                  (remove (set found)))
                         names)]
          (recur index (into found more) more (inc n)))))))

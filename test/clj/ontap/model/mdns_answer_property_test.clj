;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-property-test
  "What holds of the answers of a responder of multicast DNS, whatever it is asked and whatever others say."
  (:require [clojure.set :as set]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-answer-world :as w]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

;; --- any events: a few askers and names, so that they meet

(def ^:private gen-question
  (gen/let [name (gen/elements ["web.local" "web.local" "four.local" "_http._tcp.local" "_http._tcp.local" "web._http._tcp.local"
                                "_services._dns-sd._udp.local" "_printer._sub._http._tcp.local" "nobody.local"])
            type (gen/elements [record/a record/aaaa record/ptr record/ptr record/srv record/any record/txt])
            unicast? (gen/frequency [[3 (gen/return false)] [1 (gen/return true)]])]
    (w/question name type unicast?)))

(def ^:private gen-heard
  (gen/let [r (gen/elements [w/web-a w/web-ll w/web-ula w/four-a w/http-ptr w/http-ptr w/types-ptr w/srv])
            share (gen/elements [1 1 2 3])]
    (assoc r :mdns/ttl (quot (:mdns/ttl r) share))))

(def ^:private gen-query
  (gen/let [questions (gen/frequency [[6 (gen/vector gen-question 1)] [2 (gen/vector gen-question 2 3)] [2 (gen/return [])]])
            known (gen/frequency [[3 (gen/return [])] [2 (gen/vector gen-heard 1 3)]])
            tc? (gen/frequency [[4 (gen/return false)] [1 (gen/return true)]])
            probe? (gen/frequency [[6 (gen/return false)] [1 (gen/return true)]])
            port (gen/frequency [[9 (gen/return 5353)] [1 (gen/return 4000)]])
            on-link? (gen/frequency [[9 (gen/return true)] [1 (gen/return false)]])
            [family ip] (gen/elements [[:ipv4 "10.0.0.7"] [:ipv4 "10.0.0.8"] [:ipv4 "10.0.0.9"] [:ipv6 "fe80::8"]])]
    (cond-> (assoc (apply w/knows (apply w/query questions) known)
                   :packet/port port :packet/family family :packet/ip ip :packet/on-link? on-link?)
      tc?    w/tc
      probe? (assoc-in [:packet/message :message/authorities]
                       (mapv #(record/record (:mdns/name %) record/a 120 "\u0001\u0002\u0003\u0004" false) questions)))))

(def ^:private gen-event
  (gen/frequency [[8 gen-query]
                  [1 (gen/fmap (fn [r] (w/response r)) gen-heard)]
                  [1 (gen/fmap (fn [r] {:told r}) (gen/elements [w/web-a w/http-ptr w/four-a]))]]))

(def ^:private gen-story
  (gen/vector (gen/tuple (gen/frequency [[6 (gen/choose 0 60)] [3 (gen/choose 60 700)] [1 (gen/choose 700 40000)]]) gen-event) 0 40))

(defn- timed-story [story]
  (rest (reductions (fn [[at _] [later event]] [(+ at later) event]) [1000 nil] story)))

(defn- played
  "{:sent effects :story [[ms event]] :state s} of a story."
  [story seed]
  (let [story (timed-story story)
        events (for [[at event] story]
                 [at (if-let [r (:told event)] #(mdns-answer/told % [r] #{:ipv4} at) event)])]
    (assoc (w/run events :seed seed) :story story)))

(defn- records-of [effect] (mapcat (:send/message effect) [:message/answers :message/additionals]))

(defn- sayings
  "{[family identity] [ms]}: when each record was multicast, the core's included."
  [{:keys [sent story]}]
  (update-vals
   (group-by first (concat (for [e sent, :when (= :multicast (:send/to e)), r (records-of e)]
                             [[(first (:send/families e)) (record/identity-of r)] (:at e)])
                           (for [[at {:keys [told]}] story, :when told] [[:ipv4 (record/identity-of told)] at])))
   #(sort (map second %))))

(defn- probes
  "[[ms family folded-name]] of a story."
  [story]
  (for [[at {:packet/keys [family message]}] story, :when (seq (:message/authorities message)), q (:message/questions message)]
    [at family (mdns-name/fold (:mdns/name q))]))

(defn- core-tells? [story key at] (some (fn [[ms {:keys [told]}]] (and (= ms at) told (= key [:ipv4 (record/identity-of told)]))) story))

(defspec no-record-twice-within-a-second 150
  (prop/for-all [story gen-story, seed gen/large-integer]
    (let [{:keys [story] :as play} (played story seed), probed (probes story)]
      (every? (fn [[[family [name] :as key] ts]]
                (every? (fn [[before at]]
                          (or (<= 1000 (- at before))
                              (core-tells? story key at)
                              (and (<= 250 (- at before))
                                   (some (fn [[ms f n]] (and (= [f n] [family name]) (<= (- at 250) ms at))) probed))))
                        (map vector ts (rest ts))))
              (sayings play)))))

(def ^:private ours (into {} (map (juxt record/identity-of identity)) w/everything))

(defspec only-what-is-in-the-catalog 100
  (prop/for-all [story gen-story, seed gen/large-integer]
    (every? (fn [{:send/keys [to message families]}]
              (let [legacy? (:message/legacy? message)]
                (and (if (= :multicast to) (= 1 (count families)) (= (boolean legacy?) (not= 5353 (:port to))))
                     (seq (:message/answers message))
                     (apply distinct? (map record/identity-of (mapcat message [:message/answers :message/additionals])))
                     (every? (fn [r]
                               (let [own (ours (record/identity-of r))]
                                 (cond
                                   legacy?                          (and (<= (:mdns/ttl r) 10) (not (:mdns/flush? r)))
                                   (= record/nsec (:mdns/type r)) (contains? (:catalog/owned w/catalog) (mdns-name/fold (:mdns/name r)))
                                   :else                            (= own r))))
                             (mapcat message [:message/answers :message/additionals]))
                     ;; unique RRsets whole
                     (every? (fn [[_ rs]]
                               (= (count rs) (count (filter #(= (record/set-of %) (record/set-of (first rs))) w/everything))))
                             (group-by record/set-of (filter #(and (:mdns/flush? %) (not= record/nsec (:mdns/type %)))
                                                             (mapcat message [:message/answers :message/additionals])))))))
            (:sent (played story seed)))))

(defn- groups
  "What we have for a question, as sets of identities that go together; an RRset of ours that is empty is an NSEC's."
  [{:mdns/keys [name type]}]
  (let [folded (mdns-name/fold name)
        rs (filter #(= 1 (:mdns/class %)) (get-in w/catalog [:catalog/records folded]))
        matching (filter #(or (= record/any type) (= type (:mdns/type %))) rs)]
    (cond
      (seq matching) (map #(set (map record/identity-of %)) (vals (group-by #(if (:mdns/flush? %) (record/set-of %) (record/identity-of %)) matching)))
      (contains? (:catalog/owned w/catalog) folded) [#{[folded record/nsec 1]}])))

(defn- has? [records group]
  (let [ids (into #{} (mapcat (fn [r] (let [id (record/identity-of r)] [id (subvec id 0 3)]))) records)]
    (set/subset? group ids)))

(defn- deadline
  "When who asked at `at` must have its answer: 120 + 500 ms; with TC 500 + 500 after its last packet with TC."
  [story at {:packet/keys [ip message]}]
  (if (:message/truncated? message)
    (+ 1000 (reduce (fn [last [ms {more :packet/message other :packet/ip}]]
                      (if (and (= ip other) (:message/truncated? more) (<= last ms (+ 1000 last))) ms last))
                    at story))
    (+ 620 at)))

(defn- true-ttl [[name type :as id]] (if-let [r (ours id)] (:mdns/ttl r) (if (= 47 type) 120 [name "?"])))

(defn- told-by-asker
  "Identities that `ip` says to know after `at`, or others say with our TTL, until `end`; or said within the last second when we
  were about to (section 7.4)."
  [story at end {:packet/keys [ip family]}]
  (set (for [[ms {m :packet/message other :packet/ip f :packet/family}] story
             :when (and m (<= (if (:message/response? m) (- at 999) at) ms end) (= f family))
             r (:message/answers m)
             :let [id (record/identity-of r), own (true-ttl id)]
             :when (if (:message/response? m) (>= (:mdns/ttl r) own) (and (= ip other) (>= (* 2 (:mdns/ttl r)) own)))]
         id)))

(defn- times-of
  "When the record, or any of an NSEC's RRset, was multicast on `family`."
  [said family id]
  (mapcat val (filter (fn [[[f i]]] (and (= f family) (or (= i id) (= id (subvec i 0 3))))) said)))

(defspec each-question-is-answered-or-there-is-a-rule 200
  (prop/for-all [story gen-story, seed gen/large-integer]
    (let [{:keys [sent story] :as play} (played story seed), said (sayings play)]
      (every?
       true?
       (for [[at {:packet/keys [ip port family on-link? message] :as packet}] story
             :when (and message (not (:message/response? message)))
             question (:message/questions message)
             group (groups question)
             :let [end (deadline story at packet), alone? (and on-link? (:mdns/unicast? question))]]
         (boolean
          (or
           ;; answered: to all of its family, or to it alone; a legacy resolver at once and alone
           (some (fn [{:send/keys [to families] ms :at :as e}]
                   (and (<= at ms end)
                        (if (= 5353 port)
                          (or (and (= :multicast to) (= #{family} families)) (= {:ip ip :port 5353} to))
                          (and (= {:ip ip :port port} to) (= at ms)))
                        (has? (records-of e) group)))
                 sent)
           ;; section 7: known, by this packet or a following one; or heard from somebody else
           (set/subset? group (told-by-asker story at end packet))
           ;; said by the core meanwhile, or (section 6) multicast within the last second; the latter does not keep a unicast reply
           ;; from who wants it
           (and (= 5353 port)
                (every? (fn [id] (some #(< (if alone? (dec at) (- at 1000)) % (inc end)) (times-of said family id))) group))
           ;; line 4: elsewhere
           (and (not= 5353 port) (not on-link?)))))))))

(defspec in-the-end-nothing-waits 50
  (prop/for-all [story gen-story, seed gen/large-integer]
    (let [{:keys [state]} (played story seed)]
      (and (nil? (mdns-answer/due state))
           (empty? (get-in state [:queues :ipv4 :items]))
           (empty? (get-in state [:replies :by-asker]))))))

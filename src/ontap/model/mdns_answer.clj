;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer
  "How one link's responder answers (RFC 6762 sections 5.4, 6 and 7): what of its catalog, when, by multicast or to the asker
  alone, and what it leaves unsaid.

  The catalog: {:catalog/records {folded-name [record]} :catalog/owned #{folded-name}}, the names that are exclusively ours.
  Nothing is ever said that is not in it at the moment of saying. Families are separate: what came by IPv4 is answered by IPv4,
  and a record's last multicast counts there only.

  State (opaque), and how large it may grow: what waits for multicast, at most one answer for each item of the catalog and
  family; at most `ontap.model.mdns-answer-reply/most` replies; at most `ontap.model.mdns-answer-plan/askers-held` askers whose
  known answers are not all told yet; at most `ontap.model.mdns-answer-repeat/most` questions asked a moment ago; when each item
  was last multicast, at most twice as many as the catalog has, and 64. Times are whole ms. Pure."
  (:refer-clojure :exclude [time])
  (:require [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-answer-message :as message]
            [ontap.model.mdns-answer-plan :as plan]
            [ontap.model.mdns-answer-queue :as queue]
            [ontap.model.mdns-answer-repeat :as repeat]
            [ontap.model.mdns-answer-reply :as reply]
            [ontap.model.mdns-answer-said :as said]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private port "Of multicast DNS; who asks from another one is a legacy resolver." 5353)

(def again-ms "A record is not multicast again sooner (RFC 6762 section 6)." plan/again-ms)

(defn answering
  "Nothing was asked and nothing was said."
  []
  (said/answering))

(defn told
  "The core has just multicast `records` on `families`."
  [answering records families now]
  (let [ks (into #{} (map match/key-of) records)]
    (reduce #(said/marked %1 %2 ks now) answering families)))

(defn may-tell?
  "Was the last multicast of `record` (of its RRset, if that is unique) on `family` at least `limit-ms` ago?"
  [answering record family now limit-ms]
  (said/may? answering family (match/key-of record) now limit-ms))

(defn without
  "The records with these `identities` are no more: nothing that waits says them."
  [answering identities]
  (said/without answering identities))

;; --- sending

(defn- multicast
  "[answering' effects]: the response with `items` goes to the group of `family`. It takes along what may be said again, if it
  waits itself or not; not the items of `but`, nor what is `known` to the only asker."
  [answering catalog family items but known now]
  (let [{:keys [index answers additionals] :as composed}
        (message/compose (:index answering) catalog items
                         (fn [{:keys [key] :as item}]
                           (and (said/may? answering family key now plan/again-ms)
                                (not (contains? but key)) (not (match/known? known item))))
                         0)]
    [(-> answering
         (assoc :index index)
         (said/marked family (map :key (into answers additionals)) now)
         (said/swept catalog))
     [{:effect/type :send :send/to :multicast :send/families #{family} :send/message (message/response composed)}]]))

(defn- to-asker [answering ip to-port composed message]
  [(assoc answering :index (:index composed))
   [{:effect/type :send :send/to {:ip ip :port to-port} :send/message message}]])

(defn- unicast
  "[answering' effects]: the response with `items` goes to `ip`."
  [answering catalog ip items but known]
  (let [composed (message/compose (:index answering) catalog items
                                  (fn [{:keys [key] :as item}] (not (or (contains? but key) (match/known? known item))))
                                  0)]
    (to-asker answering ip port composed (message/response composed))))

(defn- question-bytes [questions]
  (transduce (map (fn [q] (+ 4 (count (:mdns/name q))))) + 0 questions))

(defn- legacy
  "[answering' effects]: at once, to the port the query came from, and with no regard to what was multicast."
  [answering catalog {:packet/keys [ip message] from :packet/port} wishes known]
  (let [[index items] (reduce (fn [[index items] [item question]]
                                (let [[index more] (message/chased index catalog [item] question)] [index (into items more)]))
                              [(:index answering) []] wishes)
        composed (message/compose index catalog items
                                  (fn [item] (not (or (match/nsec? item) (match/known? known item))))
                                  (question-bytes (:message/questions message)))]
    (to-asker answering ip from composed (message/legacy-response composed message))))

;; --- being asked

(defn- anything-waits? [{:keys [replies] :as answering} family]
  (or (queue/due (said/queue-of answering family)) (reply/due replies)))

(defn- continued
  "What the asker of `packet` says to know need not be said to it any more, if nobody else waits for it (RFC 6762 section 7.2)."
  [answering catalog {:packet/keys [ip family message]}]
  (let [[answering dropped]
        (reduce
         (fn [[answering dropped] {:mdns/keys [ttl] :as r}]
           (let [id (record/identity-of r)
                 [answering entry] (said/learn answering catalog (nth id 0))]
             (if (nil? entry)
               [answering dropped]
               (let [[queue key] (queue/settle (said/queue-of answering family) (:index answering) id ttl 2 ip)
                     replies     (reply/settle (:replies answering) (:index answering) ip id ttl)]
                 [(cond-> (said/with-queue answering family queue)
                    (not (identical? replies (:replies answering))) (assoc :replies replies :repeats {}))
                  (if key (conj dropped key) dropped)]))))
         [answering []] (:message/answers message))]
    (if (empty? dropped)
      answering
      (-> answering
          (said/with-queue family (queue/but (queue/swept (said/queue-of answering family)) ip dropped))
          (assoc :repeats {})))))

(defn- wishes
  "[answering' [[item question]]]: which items answer the questions."
  [answering catalog questions]
  (reduce (fn [[answering found] {:mdns/keys [name] :as question}]
            (let [[answering entry] (said/learn answering catalog (mdns-name/fold name))]
              [answering (if entry (into found (map (fn [item] [item question])) (match/answers entry question)) found)]))
          [answering []] (distinct questions)))

(defn- carried-out [{:keys [answering now reply]} catalog {:packet/keys [ip family]} but known at]
  (let [[answering said] (if (seq now) (multicast answering catalog family now but known at) [answering []])
        [answering replied] (if (seq reply) (unicast answering catalog ip reply but known) [answering []])]
    [answering (into said replied)]))

(defn- answer [answering catalog {:packet/keys [message on-link?] from :packet/port :as packet} found now seed]
  (let [known (match/known (:message/answers message))
        wishes (if known (into [] (remove (fn [[item _]] (match/known? known item))) found) found)
        but (when known (into #{} (comp (map first) (filter #(match/known? known %)) (map :key)) found))]
    (cond
      (empty? wishes)             [answering []]
      (= (long port) (long from)) (carried-out (plan/of answering packet wishes but now seed) catalog packet but known now)
      ;; elsewhere nobody is answered, lest this be used to flood somebody
      (not on-link?)              [answering []]
      :else                       (legacy answering catalog packet wishes known))))

(defn- answer-one
  "As `answer`, of a query that has just one `question`, no further known answers and no proposals: such may come by thousands."
  [answering catalog packet question now seed]
  (let [folded (mdns-name/fold (:mdns/name question))
        [answering entry] (said/learn answering catalog folded)
        found (when (and entry (not (repeat/again? answering packet folded question entry now))) (match/answers entry question))]
    (if (empty? found)
      [answering []]
      (let [[answering effects] (answer answering catalog packet (mapv (fn [item] [item question]) found) now seed)]
        [(repeat/remember answering packet folded question entry found plan/again-ms now) effects]))))

(defn asked
  "[answering' effects] of a query: `packet` has QR 0, OPCODE 0 and RCODE 0, and came from this link or by multicast; queries
  without questions (more known answers) and probes are for here, too. `packet` with :packet/tie?: a probe that the core
  settles itself; it has no right to be answered sooner than others."
  [answering catalog {:packet/keys [ip family message] from :packet/port :as packet} now seed]
  (let [{:message/keys [questions answers authorities truncated?]} message
        answering (said/swept answering catalog)
        answering (if (and (seq answers) (anything-waits? answering family)) (continued answering catalog packet) answering)
        answering (if truncated? (plan/put-off answering ip now seed) answering)]
    (if (and (= 1 (count questions)) (not truncated?) (empty? authorities) (= (long port) (long from)))
      (answer-one answering catalog packet (first questions) now seed)
      (let [[answering found] (wishes answering catalog questions)]
        (if (empty? found) [answering []] (answer answering catalog packet found now seed))))))

;; --- what others say

(defn- corrected
  "Somebody said an item of ours with less than half of its time: all have to hear the true one (RFC 6762 section 6.6)."
  [answering family key now]
  (let [soon (plan/after now (hash [key now]) plan/among-others-ms)
        due (if-let [at (said/last-told answering family key)] (max (long soon) (+ (long at) (long plan/again-ms))) soon)
        waiting {:ttl nil :due due :latest (+ (long due) (long queue/together-ms)) :asker nil :more? false}]
    (said/with-queue answering family (queue/add (said/queue-of answering family) key waiting))))

(defn- heard
  "Somebody multicast the record `r` of our `entry`."
  [answering family {:mdns/keys [ttl] :as r} now]
  (let [id (record/identity-of r)
        [queue dropped] (queue/settle (said/queue-of answering family) (:index answering) id ttl 1 nil)
        answering (said/with-queue answering family queue)
        item (some #(match/item-at (:index answering) % nil) (match/keys-of id))]
    (cond
      dropped
      (said/marked answering family [dropped] now)

      (and item (not (match/nsec? item)) (some #{id} (:ids item)) (< (* 2 (long ttl)) (long (:ttl item))))
      (corrected answering family (:key item) now)

      :else answering)))

(defn answered
  "[answering' effects] of a response of somebody else: what it says and waits here need not be said again (RFC 6762 section
  7.4); what it says with too short a time is corrected. It sends nothing at once."
  [answering catalog {:packet/keys [family message multicast?]} now]
  [(if-not multicast?
     answering
     (let [after (reduce (fn [answering {:mdns/keys [name] :as r}]
                           (let [[answering entry] (said/learn answering catalog (mdns-name/fold name))]
                             (if entry (heard answering family r now) answering)))
                         answering (concat (:message/answers message) (:message/additionals message)))
           queue (said/queue-of after family)]
       (if (identical? (:items queue) (:items (said/queue-of answering family)))
         after
         (said/with-queue after family (queue/swept queue)))))
   []])

;; --- when it is time

(defn due
  "The ms at which `time` has to be called, or nil."
  [{:keys [replies] :as answering}]
  (let [earlier (fn [a b] (cond (nil? a) b, (nil? b) a, :else (min (long a) (long b))))]
    (-> (reply/due replies)
        (earlier (queue/due (said/queue-of answering :ipv4)))
        (earlier (queue/due (said/queue-of answering :ipv6))))))

(defn- learnt [answering catalog ks]
  (reduce (fn [answering key] (first (said/learn answering catalog (nth key 0)))) answering ks))

(defn- multicast-ready [answering catalog family now]
  (let [[queue out] (queue/ready (said/queue-of answering family) now)]
    (if (empty? out)
      [answering []]
      (let [{later true, out false} (group-by (fn [[_ p]] (boolean (plan/put-off? answering p now))) out)
            queue (reduce (fn [queue [key p]] (plan/put-back answering queue key p)) queue later)
            answering (learnt (said/with-queue answering family queue) catalog (map first out))
            items (into [] (keep (fn [[key p]] (match/item-at (:index answering) key (:ttl p)))) out)]
        (if (seq items)
          (multicast answering catalog family items (into #{} (mapcat (comp :but second)) out) nil now)
          [answering []])))))

(defn- reply-ready [answering catalog now]
  (let [[replies out] (reply/ready (:replies answering) now)]
    (reduce
     (fn [[answering effects] [ip {waiting :items}]]
       (let [ks (sort (keys waiting))
             answering (learnt answering catalog ks)
             items (into [] (keep #(match/item-at (:index answering) % (:ttl (get waiting %)))) ks)]
         (if (empty? items)
           [answering effects]
           (let [[answering more] (unicast answering catalog ip items (into #{} (mapcat :but) (vals waiting)) nil)]
             [answering (into effects more)]))))
     [(assoc answering :replies replies) []] out)))

(defn time
  "[answering' effects] of what is due at `now`."
  [answering catalog now]
  (let [step (fn [[answering effects] f]
               (let [[answering more] (f answering)] [answering (into effects more)]))
        [answering effects] (reduce step [(said/swept answering catalog) []]
                                    [#(multicast-ready % catalog :ipv4 now)
                                     #(multicast-ready % catalog :ipv6 now)
                                     #(reply-ready % catalog now)])]
    [(plan/let-go answering now) effects]))

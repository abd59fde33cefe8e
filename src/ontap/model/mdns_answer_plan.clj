;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-plan
  "How and when each item is said to whoever asks for it: at once or later, to all or to the asker alone, or not at all (RFC 6762
  sections 5.4, 6 and 7.2).

  A plan is {:answering state :now [item] :reply [item]}: what goes to the group and to the asker in this step; what has to wait
  is in the state. Pure."
  (:require [ontap.model.chance :as chance]
            [ontap.model.mdns-answer-match :as match]
            [ontap.model.mdns-answer-queue :as queue]
            [ontap.model.mdns-answer-reply :as reply]
            [ontap.model.mdns-answer-said :as said]))

(set! *warn-on-reflection* true)

(def again-ms "A record is not multicast again sooner (RFC 6762 section 6)." 1000)
(def ^:private defend-ms "Nor sooner than this to answer a probe (RFC 6762 section 6)." 250)
(def among-others-ms "When others may answer, too (RFC 6762 section 6)." [20 120])
(def ^:private more-to-come-ms "When more known answers are coming (RFC 6762 section 7.2)." [400 500])
(def ^:private stale-ms "A quarter of a second of TTL, as ms (RFC 6762 section 5.4)." 250)

(def askers-held "Askers whose further known answers may put off what they asked for; the one to be answered first goes." 64)

(defn after
  "`now` and a time by chance of the range `between-ms`."
  [now seed between-ms]
  (+ (long now) (long (first (chance/between seed (first between-ms) (second between-ms))))))

;; --- more known answers to come

(defn- hold
  "Remembers that `ip` has more known answers to tell, until `until`."
  [{:keys [held] :as answering} ip until]
  (let [held (if (or (contains? held ip) (< (count held) (long askers-held)))
               held
               (dissoc held (key (apply min-key val held))))]
    (assoc answering :held (assoc held ip until))))

(defn put-off
  "More known answers of `ip` are coming: what waits for them waits longer."
  [answering ip now seed]
  (if (contains? (:held answering) ip)
    (let [until (after now seed more-to-come-ms)]
      (-> answering (hold ip until) (update :replies reply/later ip until)))
    answering))

(defn put-off?
  "Has `waiting` (of a queue) been put off beyond `now`?"
  [{:keys [held]} {:keys [more? asker]} now]
  (and more? (when-let [until (get held asker)] (< (long now) (long until)))))

(defn put-back
  "`queue` with `waiting` again, which was put off."
  [{:keys [held]} queue key {:keys [asker] :as waiting}]
  (let [until (long (get held asker))]
    (queue/add queue key (assoc waiting :due until :latest (+ until (long queue/together-ms))))))

(defn let-go
  "Forgets whose known answers must all be here by `now`."
  [{:keys [held] :as answering} now]
  (if (empty? held)
    answering
    (assoc answering :held (into {} (remove (fn [[_ until]] (<= (long until) (long now)))) held))))

;; --- one item

(defn- wait
  "`plan` where the item of `key` waits to be multicast."
  [{:keys [answering] :as plan} family key waiting]
  (assoc plan :answering (said/with-queue answering family (queue/add (said/queue-of answering family) key waiting))))

(defn- defended
  "A probe is answered before it makes up its mind; to the asker at once, if it wishes so, and then to all only if they have not
  heard it for long."
  [plan family {:keys [key] :as item} alone? recent? at waiting now]
  (let [first-ms (if at (max (long now) (+ (long at) (long defend-ms))) (long now))
        plan (if alone? (update plan :reply conj item) plan)]
    (cond
      (and alone? recent?)    plan
      (= (long now) first-ms) (update plan :now conj item)
      alone?                  plan
      :else                   (wait plan family key (assoc waiting :due first-ms :latest first-ms)))))

(defn- cared-for?
  "Does `waiting` wait already for `ip`, and no longer than until `due`?"
  [waiting ip due]
  (and waiting (not (:more? waiting)) (<= (long (:due waiting)) (long due))
       (or (= :several (:asker waiting)) (= ip (:asker waiting)))))

(defn- asked-item
  [{:keys [answering] :as plan} {:packet/keys [ip family message]} {:keys [due but]} {:keys [key ttl] :as item} alone? recent? at now]
  (let [more? (boolean (:message/truncated? message))
        waiting {:ttl (when (match/nsec? item) ttl) :but but}]
    (cond
      (and alone? recent? (= now due))
      (update plan :reply conj item)

      (and alone? recent? (reply/room? (:replies answering) [ip more?]))
      (if (contains? (:items (reply/of (:replies answering) [ip more?])) key)
        plan
        (update-in plan [:answering :replies] reply/add [ip more?] family due key waiting))

      ;; all heard it a moment ago, and who did not will ask again
      (and at (< (long due) (+ (long at) (long again-ms))))
      plan

      (= now due)
      (update plan :now conj item)

      (and (not more?) (not (match/nsec? item)) (cared-for? (get (:items (said/queue-of answering family)) key) ip due))
      plan

      :else
      (wait plan family key (assoc waiting :due due :latest (+ (long due) (long queue/together-ms)) :asker ip
                                   :more? more?)))))

(defn- said-item
  [{:keys [answering] :as plan} {:packet/keys [ip family multicast? on-link? tie?] :as packet} {:keys [but proposed] :as how} now
   [{:keys [key ttl unique?] :as item} question]]
  (let [at (said/last-told answering family key)
        recent? (and at (< (- (long now) (long at)) (* (long stale-ms) (long ttl))))
        alone? (and on-link? (or (:mdns/unicast? question) (not multicast?)))]
    (if (and proposed unique? (not tie?) (match/proposes? proposed question))
      (defended plan family item alone? recent? at
                {:ttl (when (match/nsec? item) ttl) :but but :asker ip :more? false} now)
      (asked-item plan packet how item alone? recent? at now))))

(defn of
  "The plan for `wishes` [[item question]], not empty, of the query `packet`. `but`: the keys of what the asker knows."
  [answering {:packet/keys [ip message] :as packet} wishes but now seed]
  (let [more? (:message/truncated? message)
        sole? (and (= 1 (count (:message/questions message))) (every? (comp :unique? first) wishes))
        due (cond more? (after now seed more-to-come-ms), sole? now, :else (after now seed among-others-ms))
        how {:due due :but but :proposed (match/proposed (:message/authorities message))}
        plan (reduce #(said-item %1 packet how now %2) {:answering answering :now [] :reply []} wishes)]
    (if (and more? (not (identical? answering (:answering plan))))
      (update plan :answering hold ip due)
      plan)))

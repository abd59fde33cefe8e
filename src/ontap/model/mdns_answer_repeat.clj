;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-repeat
  "Questions that were asked a moment ago. As long as all that answers one waits already for whoever asks again, or was multicast
  within the last second, there is nothing to be done about it; a flood shall cost no more than to see that.

  {[family folded-name type class alone?] {:of entry :asker ip-or-:several :until ms}}. Pure."
  (:require [ontap.model.mdns-answer-reply :as reply]
            [ontap.model.mdns-answer-said :as said]))

(set! *warn-on-reflection* true)

(def most "Questions that are remembered; one more, and it begins anew." 256)

(def ^:private early-ms
  "What was multicast is left out as long as no answer to the same question could be due a second after it: 120 ms at most."
  120)

(defn- alone? [{:packet/keys [multicast? on-link?]} {:mdns/keys [unicast?]}]
  (boolean (and on-link? (or unicast? (not multicast?)))))

(defn- key-of [{:packet/keys [family] :as packet} folded {:mdns/keys [type class] :as question}]
  [family folded type class (alone? packet question)])

(defn again?
  "Is there nothing to be done at `now` about the only `question` of `packet`? `entry`: what its name has now."
  [{:keys [repeats]} packet folded question entry now]
  (when-let [{:keys [of asker until]} (get repeats (key-of packet folded question))]
    (and (identical? of entry) (< (long now) (long until))
         (or (= :several asker) (= (:packet/ip packet) asker)))))

(defn- until
  "[ms asker] until when the item of `key` is cared for, and for whom; nil: it is not. Who wants it for itself (`alone?`) has it
  only when a reply waits: what was multicast does not keep it from one."
  [answering {:packet/keys [ip family]} key alone? again-ms]
  (if alone?
    (let [{:keys [due items]} (reply/of (:replies answering) [ip false])]
      (when (contains? items key) [due ip]))
    (if-let [{:keys [due asker more?]} (get (:items (said/queue-of answering family)) key)]
      (when-not more? [due asker])
      (when-let [told (said/last-told answering family key)]
        [(- (+ (long told) (long again-ms)) (long early-ms)) :several]))))

(defn remember
  "`answering` when the only `question` of `packet`, which has TC clear and is no probe, was cared for; `items` answer it."
  [answering {:packet/keys [ip] :as packet} folded question entry items again-ms now]
  (let [[ms asker] (reduce (fn [[ms asker] {:keys [key]}]
                             (let [[at whom] (until answering packet key (alone? packet question) again-ms)]
                               (if (and at (< (long now) (long at)) (or (= :several whom) (= ip whom)))
                                 [(min (long ms) (long at)) (if (= :several whom) asker ip)]
                                 (reduced nil))))
                           [Long/MAX_VALUE :several] items)]
    (if (nil? ms)
      answering
      (let [repeats (:repeats answering)]
        (assoc answering :repeats (assoc (if (< (count repeats) (long most)) repeats {})
                                         (key-of packet folded question) {:of entry :asker asker :until ms}))))))

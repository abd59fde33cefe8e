;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.policy
  "Who may have which link of a port. Pure: the rules are data of `ontap.model.port`, the asker is data of the kernel.
  What no rule allows is refused. A refusal is {:refusal/rule kw :refusal/says sentence}."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]))

(set! *warn-on-reflection* true)

(defn matches?
  "Does `pattern`, in which * is any run of characters, match the whole of the text `s`? Takes time by the product of their
  lengths at most."
  [^String pattern ^String s]
  (let [m (count pattern), n (count s)]
    ;; star: where the last * is; mark: how far it reaches as yet
    (loop [p 0, i 0, star -1, mark 0]
      (cond
        (= i n) (str/blank? (str/replace (subs pattern p) "*" ""))
        (and (< p m) (= \* (.charAt pattern p))) (recur (inc p) i p i)
        (and (< p m) (= (.charAt pattern p) (.charAt s i))) (recur (inc p) (inc i) star mark)
        (neg? star) false
        :else (recur (inc star) (inc mark) star (inc mark))))))

(defn who
  "The peer in words: its user, or its uid when that has no name."
  [{:peer/keys [user uid]}]
  (or user (str "uid " uid)))

(defn- applies? [{:rule/keys [user group]} peer]
  (and (or user group)
       (or (nil? user) (= user (:peer/user peer)))
       (or (nil? group) (contains? (:peer/groups peer) group))))

(defn- names? [{:rule/keys [names]} label]
  (or (nil? label) (boolean (some #(matches? % label) names))))

(defn- rule-words [[i {:rule/keys [user group types]}]]
  (str "rule " (inc i) ", "
       (cond (and user group) (str "user " user " in group " group)
             user (str "user " user)
             :else (str "group " group))
       ", allows " (mistake/and-list "and" (filter types network/types))))

(defn- refusal [rule & says] {:refusal/rule rule :refusal/says (apply str says)})

(defn- links [n] (str n (if (= 1 n) " link" " links")))

(defn- limit-refusal [port {:rule/keys [user group limit]} peer held]
  (refusal :limit "port " port " gives "
           (if user (str (who peer) " " (links limit)) (str "members of " group " " (links limit) " each"))
           ", and " (who peer) " holds " held))

(defn judge
  "Nil when `peer` may have what `request` (to attach) asks of `port`, else a refusal. `held`: how many links the peer's uid
  holds on that port. One rule alone has to allow the type, the name and the number. Root may have everything."
  [{:port/keys [allow] port :port/name} {:request/keys [type] label :request/name} {:peer/keys [uid] :as peer} held]
  (let [theirs (filter #(applies? (second %) peer) (map-indexed vector allow))
        of-type (filter #(contains? (:rule/types (second %)) type) theirs)
        of-name (filter #(names? (second %) label) of-type)
        [_ most] (first (sort-by (comp - :rule/limit second) of-name))]
    (cond
      (= 0 uid) nil
      (= "macvlan" type)
      (refusal :policy "port " port " gives macvlan to root only, for a user could stack more on it without limit;"
               " take ipvlan, or macvtap")
      (empty? allow) (refusal :policy "port " port " gives links to root only")
      (empty? theirs)
      (refusal :policy "port " port " gives " (who peer) " nothing: "
               (if (next allow) (str "none of its " (count allow) " rules is") "its one rule is not")
               " for " (who peer) " or a group of theirs")
      (empty? of-type)
      (refusal :policy "port " port " gives " (who peer) " no " type " (" (str/join "; " (map rule-words theirs)) ")")
      (empty? of-name)
      (refusal :name "the name " label " is not among those that port " port " gives " (who peer) ": "
               (or (not-empty (str/join ", " (distinct (mapcat (comp :rule/names second) of-type)))) "none"))
      (<= (:rule/limit most) held) (limit-refusal port most peer held))))

(defn may-see?
  "May the peer be told of this lease, and end it? It is theirs, or they are root."
  [{:peer/keys [uid]} lease]
  (boolean (and uid (or (= 0 uid) (= uid (:lease/uid lease))))))

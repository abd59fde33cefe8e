;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-peer
  "Other name servers: the keys that are shared with them, who may transfer the zone, whom it tells of changes. Pure readers
  (see `ontap.model.shape`); the names of all keys are in :key-names of their environment. No mistake shows a secret."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]
            [ontap.model.zone-place :as zone-place]))

(set! *warn-on-reflection* true)

;; --- keys

(def algorithms "What a key can be used with (RFC 8945 section 6); the first is the usual one." [:hmac-sha256 :hmac-sha224 :hmac-sha384 :hmac-sha512])

(def ^:private shortest-secret
  "Bytes: RFC 2104 section 3 wants the length of the hash, and half of the shortest one is the least of ours."
  16)

(def ^:private key-words "{:secret \"…\"} or {:file \"/etc/ontap/xfer.key\"}, and perhaps :algorithm")

(defn key-name?
  "Is `v` the name of a key: a name in lower case without a dot at its end?"
  [v]
  (boolean (and (shape/text? v) (re-matches #"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*" v))))

(defn- base64-bytes
  "The number of bytes that the base64 text `s` stands for, or nil when it is none (RFC 4648 section 4)."
  [s]
  (when (and (string? s) (re-matches #"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?" s))
    (- (* 3 (quot (count s) 4)) (count (re-find #"=*$" s)))))

(defn- unseen
  "A mistake that does not show what it found."
  [ctx expected says]
  (mistake/bad (:path ctx) {:expected expected :says says}))

(defn- secret [ctx v]
  (let [n (base64-bytes v), expected (str "base64 of at least " shortest-secret " bytes")]
    (cond (nil? n) (unseen ctx expected (str "should be " expected ", such as `openssl rand -base64 32` prints"))
          (< n shortest-secret) (unseen ctx expected (str "should be " expected "; this is of " n (if (= 1 n) " byte" " bytes")))
          :else (shape/ok v))))

(def ^:private file (shape/text #(and (str/starts-with? % "/") (< (count %) 4096)) "an absolute path"))

(def ^:private key-map
  (shape/map-of {:noun "a key"
                 :fields [{:key :algorithm :read (shape/choice algorithms) :default (first algorithms)}
                          {:key :secret :read secret :default nil}
                          {:key :file :read file :default nil}]}
                (fn [ctx {:keys [algorithm secret file]}]
                  (cond (and secret file) (unseen ctx key-words "should have :secret or :file, not both")
                        (or secret file) (shape/ok {:key/algorithm algorithm :key/secret secret :key/file file})
                        :else (unseen ctx key-words "should have a :secret, or a :file that has it")))))

(defn- one-key [ctx k v]
  (let [n (shape/name-text k), near (some-> n str/lower-case (str/replace #"\.$" ""))]
    (cond (not (key-name? k)) (shape/wrong ctx k "the name of a key, such as \"xfer\"" {:nearest (when (key-name? near) (pr-str near))})
          (map? v) (key-map ctx v)
          :else (unseen ctx key-words (str "should be a key (a map), " key-words)))))

(defn tsig-keys
  "A reader of :keys; gives {name {:key/algorithm :key/secret base64-or-nil :key/file path-or-nil}}."
  [ctx v]
  (if-not (map? v)
    (unseen ctx "a map of keys" "should be a map of keys, such as {\"xfer\" {:file \"/etc/ontap/xfer.key\"}}")
    (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)] [k (one-key (shape/below ctx k) k x)]))]
      (if (:mistakes a) a (shape/ok (into (sorted-map) (:value a)))))))

(defn- key-named
  "A reader of :key: one of :keys."
  [{:keys [env] :as ctx} v]
  (let [names (:key-names env)]
    (if (some #(= v %) names)
      (shape/ok v)
      (let [near (some-> (mistake/nearest v names) pr-str)]
        (shape/wrong ctx v "the name of a key in :keys"
                     {:nearest near
                      :says (str "should be the name of a key in :keys; there is no " (mistake/shown v)
                                 (when near (str "; did you mean " near "?")))})))))

;; --- transfers and notifications

(defn- distinct-rows
  "A reader as `read-all`, a vector of rows, of which no two have the same `key-of`; `says` of the number of the earlier one."
  [read-all key-of says]
  (fn [ctx v]
    (let [{:keys [value mistakes] :as a} (read-all ctx v)]
      (if mistakes
        a
        (let [twice (for [group (vals (group-by (comp key-of second) (map-indexed vector value)))
                          [j] (rest group)]
                      (mistake/of (conj (:path ctx) j) {:expected "something of its own" :says (says (inc (ffirst group)))}))]
          (if (seq twice) {:mistakes (vec (sort-by (comp peek :mistake/path) twice))} a))))))

(def ^:private one-transfer
  (shape/map-of {:noun "a transfer"
                 :expected "a transfer (a map) such as {:to \"10.0.0.2\" :key \"xfer\" :view :private}"
                 :fields [{:key :to :read zone-place/askers :default nil}
                          {:key :key :read key-named :default nil}
                          {:key :view :read zone-place/view :default :foreign}]}
                (fn [ctx {:keys [to key view] :as v}]
                  (if (or to key)
                    (shape/ok {:transfer/prefix to :transfer/key key :transfer/view view})
                    (shape/wrong ctx v "a transfer with :to or :key" {:says "should say who may have the zone, by :to or :key, or both"})))))

(def transfers
  "A reader of :transfer; gives [{:transfer/prefix text-or-nil :transfer/key name-or-nil :transfer/view view} …]."
  (distinct-rows (shape/many one-transfer "a vector of transfers, such as [{:to \"10.0.0.2\" :key \"xfer\" :view :private}]")
                 (juxt :transfer/prefix :transfer/key)
                 #(str "should allow somebody else; transfer " % " is for the same")))

(def ^:private notify-words "an address such as \"10.0.0.2\", or a map such as {:to \"10.0.0.2:53\" :key \"xfer\" :view :private}")

(defn- told [_ {[ip port] :to :keys [key view]}]
  (shape/ok {:notify/ip ip :notify/port port :notify/view view :notify/key key}))

(def ^:private notify-map
  (shape/map-of {:noun "a notification"
                 :fields [{:key :to :read zone-place/notified :required? true :expected "an address"}
                          {:key :key :read key-named :default nil}
                          {:key :view :read zone-place/view :default :foreign}]}
                told))

(defn- one-notify [ctx v]
  (cond (map? v) (notify-map ctx v)
        (string? v) (let [a (zone-place/notified ctx v)]
                      (if (:mistakes a) a (told ctx {:to (:value a) :view :foreign})))
        :else (shape/wrong ctx v notify-words)))

(def notifications
  "A reader of :notify; gives [{:notify/ip :notify/port :notify/view :notify/key name-or-nil} …]."
  (distinct-rows (shape/many one-notify "a vector of addresses, such as [\"10.0.0.2\" {:to \"[fd00::2]:53\" :key \"xfer\"}]")
                 (juxt :notify/ip :notify/port :notify/view)
                 #(str "should be told to somebody else; notification " % " is for the same")))

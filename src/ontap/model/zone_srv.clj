;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-srv
  "What a service offers, by name and port, for its SRV records (RFC 2782), and what a person who browses sees of it (DNS-SD,
  RFC 6763). A pure reader (see `ontap.model.shape`).

  What it gives: a sorted map {\"_http._tcp\" {:srv/port 80 :srv/txt [text] :srv/subtypes [\"_printer\"] :srv/instance text-or-nil}}."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def expected "What :srv should be." "a map from what is offered to its port, such as {\"_http._tcp\" 80}")

(def longest-string "Bytes of one text of TXT (RFC 1035 section 3.3)." 255)
(def longest-txt "Bytes of all texts of TXT, each with one for its length: with more a packet of 1,500 has no room (RFC 6763 section 6.2)." 1300)
(def longest-instance "Bytes of a label." 63)

(defn service-name?
  "Is `s` a service name of RFC 6335 section 5.1, in lower case: 1 to 15 letters, digits and single hyphens inside, and a letter?"
  [s]
  (boolean (and (string? s) (re-matches #"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*" s))))

(defn offer?
  "Is `s` \"_NAME._tcp\" or \"_NAME._udp\"?"
  [s]
  (boolean (and (string? s) (when-let [[_ n] (re-matches #"_([^.]+)\._(?:tcp|udp)" s)] (service-name? n)))))

(defn subtype?
  "Is `s` a subtype as we let one be called: \"_\" and a label in lower case? (RFC 6763 section 7.1 allows any.)"
  [s]
  (boolean (and (string? s) (re-matches #"_[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?" s))))

(defn instance-name?
  "Can `s` be the name of a service instance (RFC 6763 section 4.1.1): a text of 1 to 63 bytes without control characters?
  \"*\" would be a wildcard."
  [s]
  (boolean (and (string? s) (not= "*" s) (<= 1 (shape/utf8-length s) (long longest-instance)) (not (re-find #"[\p{Cc}\p{Cs}]" s)))))

(defn txt-key
  "The key of a text of TXT, in lower case, as they are compared (RFC 6763 section 6.4); nil when it has none that is good."
  [s]
  (when-let [[_ k] (re-matches #"(?s)([\x20-\x3c\x3e-\x7e]+)(?:=.*)?" s)]
    (str/lower-case k)))

(defn- nearest [text]
  (when text
    (let [n (-> text str/lower-case (str/replace #"^_|\._?(?:tcp|udp|sctp|dccp|tls)?\.?$" ""))
          near (str "_" n (if (str/includes? (str/lower-case text) "udp") "._udp" "._tcp"))]
      (when (offer? near) (pr-str near)))))

;; --- TXT

(def ^:private txt-words "a vector of texts such as [\"path=/\"], or a map such as {\"path\" \"/\"}")

(defn- string [ctx v]
  (cond (not (shape/text? v)) (shape/wrong ctx v "a text without NUL, such as \"path=/\"")
        (nil? (txt-key v))
        (shape/wrong ctx v "a text such as \"path=/\"" {:says (str "should begin with a key of printable ASCII, such as \"path=/\"; is " (mistake/shown v))})
        (< (long longest-string) (shape/utf8-length v))
        (shape/wrong ctx v "a text of at most 255 bytes"
                     {:says (str "should be at most 255 bytes, key and = included; has " (shape/utf8-length v))})
        :else (shape/ok v)))

(def ^:private strings (shape/many string txt-words))

(defn- pair
  "An answer of the text that the key `k` and its value `v` make."
  [ctx k v]
  (let [ctx (shape/below ctx k), n (shape/name-text k)]
    (cond (or (nil? n) (not= (str/lower-case n) (txt-key n)))
          (shape/wrong ctx k "a key of printable ASCII without =, such as \"path\"")
          (not (shape/text? v)) (shape/wrong ctx v "a text without NUL")
          :else (string ctx (str n "=" v)))))

(defn- pairs [ctx v]
  (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)] [k (pair ctx k x)]))]
    (if (:mistakes a) a (shape/ok (mapv second (sort-by (comp txt-key second) (:value a)))))))

(defn- octets ^long [texts] (reduce (fn [^long n s] (+ n 1 (shape/utf8-length s))) 0 texts))

(defn- version-first
  "RFC 6763 section 6.7."
  [texts]
  (let [version? #(= "txtvers" (txt-key %))]
    (into (filterv version? texts) (remove version?) texts)))

(defn- txt [ctx v]
  (let [{texts :value :as a} (cond (map? v) (pairs ctx v)
                                   (sequential? v) (strings ctx v)
                                   :else (shape/wrong ctx v txt-words {:nearest (when (string? v) (str "[" (mistake/shown v) "]"))}))
        twice (when texts (some (fn [[k n]] (when (< 1 (long n)) k)) (frequencies (map txt-key texts))))]
    (cond (:mistakes a) a
          twice (shape/wrong ctx v "each key once" {:says (str "should have each key once, and case does not count; " (mistake/shown twice) " is there twice")})
          (< (long longest-txt) (octets texts))
          (shape/wrong ctx v "at most 1300 bytes" {:says (str "should be at most 1300 bytes, so that a packet has room for it; has " (octets texts))})
          :else (shape/ok (version-first texts)))))

;; --- one offer

(defn- subtype [ctx v]
  (if (subtype? v)
    (shape/ok v)
    (let [near (some-> (shape/name-text v) str/lower-case (str/replace #"^_*" "_") (str/replace #"\..*$" ""))]
      (shape/wrong ctx v "a subtype such as \"_printer\"" {:nearest (when (subtype? near) (pr-str near))}))))

(def ^:private subtype-list (shape/many subtype "a vector of subtypes, such as [\"_printer\"]"))

(defn- subtypes [ctx v]
  (let [a (subtype-list ctx v)]
    (cond (:mistakes a) a
          (and (seq (:value a)) (not (apply distinct? (:value a)))) (shape/wrong ctx v "a vector that names each once")
          :else (shape/ok (:value a)))))

(defn- instance [ctx v]
  (cond (instance-name? v) (shape/ok v)
        (and (string? v) (< (long longest-instance) (shape/utf8-length v)))
        (shape/wrong ctx v "a name of at most 63 bytes" {:says (str "should be a name of at most 63 bytes, has " (shape/utf8-length v))})
        :else (shape/wrong ctx v "a name for people, such as \"Anna's wiki\", without control characters")))

(def ^:private read-port (shape/whole 1 65535))

(def ^:private described
  (shape/map-of
   {:noun "what is offered"
    :fields [{:key :port :read read-port :required? true :expected "a whole number from 1 to 65535"}
             {:key :txt :read txt :default []}
             {:key :subtypes :read subtypes :default []}
             {:key :instance :read instance :default nil}]}
   (fn [_ {:keys [port txt subtypes instance]}]
     (shape/ok {:srv/port port :srv/txt txt :srv/subtypes subtypes :srv/instance instance}))))

(defn- offer [ctx v]
  (if (map? v)
    (described ctx v)
    (let [a (read-port ctx v)]
      (if (:mistakes a) a (shape/ok {:srv/port (:value a) :srv/txt [] :srv/subtypes [] :srv/instance nil})))))

(defn srv
  "A reader of :srv."
  [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v expected)
    (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)
                                :let [ctx (shape/below ctx k), text (shape/name-text k), n (some-> text str/lower-case)]]
                            [n (if (offer? n)
                                 (offer ctx x)
                                 (shape/wrong ctx k "what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\""
                                              {:nearest (nearest text)}))]))]
      (cond (:mistakes a) a
            (not= (count v) (count (into {} (:value a)))) (shape/wrong ctx v "a map that names each once")
            :else (shape/ok (into (sorted-map) (:value a)))))))

(defn form
  "The form, with every key stated, that `srv` reads as `offers`."
  [offers]
  (update-vals (into {} offers)
               (fn [{:srv/keys [port txt subtypes instance]}]
                 (cond-> {:port port :txt txt :subtypes subtypes} instance (assoc :instance instance)))))

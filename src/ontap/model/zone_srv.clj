;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-srv
  "What a service offers, by name and port: its SRV records (RFC 2782). A pure reader (see `ontap.model.shape`)."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def expected "What :srv should be." "a map from what is offered to its port, such as {\"_http._tcp\" 80}")

(defn service-name?
  "Is `s` a service name of RFC 6335 section 5.1, in lower case: 1 to 15 letters, digits and single hyphens inside, and a letter?"
  [s]
  (boolean (and (string? s) (re-matches #"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*" s))))

(defn offer?
  "Is `s` \"_NAME._tcp\" or \"_NAME._udp\"?"
  [s]
  (boolean (and (string? s) (when-let [[_ n] (re-matches #"_([^.]+)\._(?:tcp|udp)" s)] (service-name? n)))))

(defn- nearest [text]
  (when text
    (let [n (-> text str/lower-case (str/replace #"^_|\._?(?:tcp|udp|sctp|dccp|tls)?\.?$" ""))
          near (str "_" n (if (str/includes? (str/lower-case text) "udp") "._udp" "._tcp"))]
      (when (offer? near) (pr-str near)))))

(defn srv
  "A reader of :srv; gives a sorted map {\"_http._tcp\" port}."
  [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v expected)
    (let [read-port (shape/whole 1 65535)
          a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)
                                :let [ctx (shape/below ctx k), text (shape/name-text k), n (some-> text str/lower-case)]]
                            [n (if (offer? n)
                                 (read-port ctx x)
                                 (shape/wrong ctx k "what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\""
                                              {:nearest (nearest text)}))]))]
      (cond (:mistakes a) a
            (not= (count v) (count (into {} (:value a)))) (shape/wrong ctx v "a map that names each once")
            :else (shape/ok (into (sorted-map) (:value a)))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.nameservers
  "What a declaration says of a workload's /etc/resolv.conf: the reader of :resolv-conf. Pure; what is written into the file
  is the business of others."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def expected
  "What :resolv-conf should be."
  "true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}")

(def most-nameservers "A resolver asks no more than these (MAXNS in resolv.h)." 3)

(def ^:private nameserver-words "the address of a nameserver, such as \"10.0.0.1\"")

(defn- scoped
  "[address scope] of a text such as \"fe80::1%eth0\"; the scope is nil when there is none."
  [v]
  (when (string? v)
    (let [[ip scope :as parts] (str/split v #"%" -1)]
      (when (<= (count parts) 2) [ip scope]))))

(defn- nameserver [ctx v]
  (let [[ip scope] (scoped v)
        text (address/canonical ip)
        kind (when text (address/kind text))
        local? (and (= :link-local kind) (= 6 (address/family text)))]
    (cond (nil? text) (shape/wrong ctx v nameserver-words)
          (and local? (nil? scope))
          (shape/wrong ctx v "an address with its link, for it is good on one link only" {:nearest (pr-str (str text "%eth0"))})
          (and scope (not (and local? (network/interface-name? scope)))) (shape/wrong ctx v nameserver-words)
          (#{:unspecified :multicast :broadcast :mapped} kind)
          (shape/wrong ctx v nameserver-words {:says (str "should be " nameserver-words "; " text " can be none")})
          :else (shape/ok (if scope (str text "%" scope) text)))))

(def ^:private nameservers-words "a vector of one to three addresses, such as [\"10.0.0.1\"]")

(defn- read-nameservers [ctx v]
  (let [a ((shape/many nameserver nameservers-words 1) ctx v)]
    (if (< (long most-nameservers) (count (:value a)))
      (shape/wrong ctx v nameservers-words
                   {:says (str "should be at most " most-nameservers " addresses, for a resolver asks no more; are "
                               (count (:value a)))})
      a)))

(defn- domain? [v]
  (and (string? v) (<= 1 (count v) 253)
       (re-matches #"\.|(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?" v)))

(def ^:private domain (shape/text domain? "the name of a domain, such as \"home.arpa\""))

(def ^:private known-options
  ["ndots:1" "timeout:5" "attempts:2" "rotate" "edns0" "trust-ad" "use-vc" "no-aaaa" "no-reload" "no-tld-query"
   "no-check-names" "single-request" "single-request-reopen" "inet6" "debug"])

(defn- option
  ;; a resolver ignores an option that it does not know: a new one is no mistake
  [ctx v]
  (if (and (string? v) (re-matches #"[a-z0-9][a-z0-9-]{0,31}(?::\d{1,5})?" v))
    (shape/ok v)
    (shape/wrong ctx v "an option of resolv.conf(5), such as \"ndots:2\""
                 {:nearest (some-> (mistake/nearest v known-options) pr-str)})))

(def ^:private declared
  (shape/map-of
   {:noun ":resolv-conf"
    :fields [{:key :nameservers :read read-nameservers :required? true :expected nameservers-words}
             {:key :search :read (shape/many domain "a vector of names of domains, such as [\"home.arpa\"]") :default []}
             {:key :options :read (shape/many option "a vector of options of resolv.conf(5), such as [\"ndots:2\"]") :default []}]}))

(defn- absolute? [v] (and (shape/text? v) (str/starts-with? v "/") (< (count v) 4096) (= v (mistake/printable v))))

(defn resolv-conf
  "A reader of :resolv-conf: true, false, an absolute path, or {:nameservers [...] :search [...] :options [...]}."
  [ctx v]
  (cond (boolean? v) (shape/ok v)
        (map? v) (declared ctx v)
        (absolute? v) (shape/ok v)
        :else
        (let [addresses (cond (string? v) [v] (sequential? v) (take 4 v))
              meant? (and (seq addresses) (not-any? (fn [a] (:mistakes (nameserver ctx a))) addresses))]
          (shape/wrong ctx v expected
                       {:nearest (when meant? (str "{:nameservers " (mistake/shown (vec addresses)) "}"))}))))

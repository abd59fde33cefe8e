;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.hosts
  "The names of a view as hosts(5) has them: a line for each address, first the name that it has in the
  reverse zone, then the others, and NAME alone for NAME.DOMAIN.

  What such a file cannot say is left out: link-local addresses, which mean nothing without a link, and
  wildcards. A name that is an alias (CNAME) of one of ours stands on the lines of that.

  Pure."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]))

(set! *warn-on-reflection* true)

(def ^:private longest-chain "of aliases of aliases; a circle ends too" 8)

(defn- addresses
  "Name -> its addresses in the records."
  [records]
  (reduce (fn [m {:rr/keys [name type data]}]
            (if (and (#{:a :aaaa} type) (not (str/starts-with? name "*")))
              (update m name (fnil into []) (remove #(= :link-local (address/kind %))) data)
              m))
          {} records))

(defn- aliases
  "Name -> what it is an alias of."
  [records]
  (into {} (for [{:rr/keys [name type data]} records
                 :when (and (= :cname type) (not (str/starts-with? name "*")))]
             [name (first data)])))

(defn- with-aliases [named aliases]
  (reduce (fn [m name]
            (let [end (last (take (inc longest-chain) (take-while some? (iterate aliases name))))]
              (if-let [ips (seq (named end))] (assoc m name (vec ips)) m)))
          named (keys aliases)))

(defn- bare
  "NAME of NAME.DOMAIN, or nil."
  [name domain]
  (let [end (str "." domain)]
    (when (str/ends-with? name end)
      (let [label (subs name 0 (- (count name) (count end)))]
        (when-not (str/includes? label ".") label)))))

(defn- reverse-names
  "The names that the reverse zones have."
  [records]
  (into #{} (comp (filter #(and (= :ptr (:rr/type %)) (str/ends-with? (:rr/name %) ".arpa"))) (mapcat :rr/data)) records))

(defn- in-order
  "Of the names of one address: that of the reverse zone first, aliases last, what is in DOMAIN itself before what is
  below it, then by the alphabet."
  [names first? alias? domain]
  (sort-by (juxt #(cond (first? %) 0 (alias? %) 2 :else 1) #(if (bare % domain) 0 1) identity) names))

(defn- by-address [named]
  (reduce-kv (fn [m name ips] (reduce #(update %1 %2 (fnil conj []) name) m ips)) {} named))

(defn- in-sequence
  "IPv4 before IPv6, each by number."
  [by-address]
  (into (sorted-map) (map (fn [[ip _ :as e]] (let [os (address/octets ip)] [[(count os) os] e]))) by-address))

(defn text
  "The file for the records of one view: UTF-8, a comment and a line for each address, sorted."
  [domain view-name records]
  (let [others (aliases records)
        named  (with-aliases (addresses records) others)
        first? (reverse-names records)
        lines  (for [[_ [ip names]] (in-sequence (by-address named))
                     :let [names (in-order names first? others domain)]]
                 (str ip "\t" (str/join " " (concat names (keep #(bare % domain) names))) "\n"))]
    (apply str "# " domain ", as " view-name " askers see it, written by ontap\n" lines)))

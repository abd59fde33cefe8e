;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.zonefile
  "A zone of a view as a master file (RFC 1035 section 5): what BIND, NSD and Knot read. One file is one
  zone, so names are written in full, and each line has its TTL. A name that exists without data has a
  record of a type for private use (RFC 3597 section 5), as nothing else keeps it there; names above others
  need none.

  Pure."
  (:require [clojure.string :as str])
  (:import (java.nio.charset StandardCharsets)))

(set! *warn-on-reflection* true)

(def mark "What each file begins with." "; written by ontap")

(defn- utf8 [^String s] (map #(bit-and 0xff %) (.getBytes s StandardCharsets/UTF_8)))

(defn- escaped
  "A text with what is special to master files, or not printable, as \\DDD."
  [s plain?]
  (apply str (map #(if (plain? %) (char %) (format "\\%03d" %)) (utf8 s))))

(def ^:private in-names (into #{} (map int) "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*."))

(defn- absolute
  "A name; its bytes as \\DDD are a master file's already."
  [name]
  (if (contains? #{"" "."} name)
    "."
    (str (str/join (map (fn [[part digits]] (if digits part (escaped part in-names))) (re-seq #"\\(\d{3})|[^\\]+|\\" name))) ".")))

(defn- in-quotes? [c] (and (<= 32 c 126) (not= 34 c) (not= 92 c)))

(defn- quoted [s] (str \" (escaped s in-quotes?) \"))

(defn- rdata [type d]
  (case type
    (:a :aaaa)        d
    (:ptr :ns :cname) (absolute d)
    :mx               (str (first d) " " (absolute (second d)))
    :txt              (str/join " " (map quoted d))
    :srv              (str (str/join " " (take 3 d)) " " (absolute (peek d)))
    :soa              (let [[mname rname & numbers] d]
                        (str (absolute mname) " " (absolute rname) " " (str/join " " numbers)))))

(defn- lines [{:rr/keys [name type ttl data]}]
  (if (= :none type)
    [(str (absolute name) " 0 IN TYPE65534 \\# 0\n")]
    (map #(str (absolute name) " " ttl " IN " (str/upper-case (clojure.core/name type)) " " (rdata type %) "\n") data)))

(defn apexes
  "The names of the zones in these records, sorted."
  [records]
  (vec (sort (keep #(when (= :soa (:rr/type %)) (:rr/name %)) records))))

(defn- apex-of
  "The one of a set of apexes that a name is in, or nil."
  [apexes name]
  (loop [^String n name]
    (cond (contains? apexes n) n
          (neg? (.indexOf n ".")) nil
          :else (recur (subs n (inc (.indexOf n ".")))))))

(def ^:private of-type {:soa 0 :ns 1})

(defn- backwards
  "Labels from the right, so that a zone comes in its own order (RFC 4034 section 6.1)."
  [name]
  (str/join "\u0000" (rseq (str/split name #"\."))))

(defn texts
  "Apex -> the master file of that zone, for all zones in the records of one view."
  [view-name records]
  (let [all (set (apexes records))]
    (into (sorted-map)
          (for [[apex own] (group-by #(apex-of all (:rr/name %)) records)
                :when apex]
            [apex (apply str mark ": " apex ", as " view-name " askers see it\n"
                         (mapcat lines (sort-by (juxt #(if (= apex (:rr/name %)) (of-type (:rr/type %) 2) 3)
                                                      (comp backwards :rr/name)
                                                      (comp clojure.core/name :rr/type))
                                                own)))]))))

(defn text
  "The master file of the zone `domain`, or nil when the records have none."
  [domain view-name records]
  (get (texts view-name (filter #(or (= domain (:rr/name %)) (str/ends-with? (:rr/name %) (str "." domain)))
                                records))
       domain))

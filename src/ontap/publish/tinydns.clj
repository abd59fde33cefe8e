;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.tinydns
  "The data of a tinydns(8), as tinydns-data(8) reads it: one line for each record, with a location
  where the views differ.

  The dialects: :stock is djbdns 1.05, :fefe has lines of its own for AAAA (`3`) and IPv6 locations,
  :curve6 is djbdnscurve6 (fields between `|`, `~` for AAAA, `O` for what it knows no line for); see
  `ontap.publish.locations`. Records of types without a line are written with each octet as \\ooo.
  A TTL is always said: that of djbdns is a day.

  tinydns knows no names, only records: a name without any gets a record of type 65534 (private use,
  RFC 6895 section 3.1) without data, so that it exists. What cannot be the same as our own server's
  answers: tinydns does not follow a CNAME, gives at most eight A records, no EDNS, and says nothing to
  queries out of its zones; below a name that exists, where there is a wildcard above it, it says no data
  for NXDOMAIN. The TTL of a SOA is that of negative answers (RFC 2308 section 5), which tinydns takes
  from there.

  Pure."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.presented :as presented]
            [ontap.publish.existence :as existence]
            [ontap.publish.locations :as locations])
  (:import (java.nio.charset StandardCharsets)
           (java.util Arrays HashMap Map)))

(set! *warn-on-reflection* true)

;; --- octets

(def ^:private octal (mapv #(format "\\%03o" %) (range 256)))

(defn- escaped [octets] (apply str (map octal octets)))

(defn- utf8 [^String s] (map #(bit-and 0xff %) (.getBytes s StandardCharsets/UTF_8)))

(defn- table
  "Which of the first 128 characters are in the texts."
  ^booleans [& texts]
  (let [t (boolean-array 128)]
    (doseq [text texts, c text] (aset t (int c) true))
    t))

(def ^:private in-names "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*.")
(def ^:private plain-in-names (table in-names))
(def ^:private plain-in-texts (table in-names "=,;/+@"))

(defn- guarded
  "A text in which only what is in the table stays as it is."
  [^booleans plain ^String s]
  (let [n (.length s)]
    (loop [i 0]
      (if (= i n)
        s
        (let [c (int (.charAt s i))]
          (if (and (< c 128) (aget plain c))
            (recur (inc i))
            (apply str (map #(if (and (< % 128) (aget plain (int %))) (char %) (octal %)) (utf8 s)))))))))

(defn- name-field
  "A name; its bytes as \\DDD (decimal) become \\ooo, which tinydns-data takes for part of a label, a dot too."
  [^String s]
  (if (neg? (.indexOf s "\\"))
    (guarded plain-in-names s)
    (str/join (map (fn [[part digits]] (if digits (octal (parse-long digits)) (guarded plain-in-names part)))
                   (re-seq #"\\(\d{3})|[^\\]+|\\" s)))))

(defn- target-field
  "A name where one without a dot would be completed."
  [s]
  (let [s (name-field s)] (if (str/includes? s ".") s (str s "."))))

(defn- name-octets
  "A name as messages have it (RFC 1035 section 3.1)."
  [name]
  (concat (mapcat #(cons (count %) %) (presented/labels name)) [0]))

(defn- u16 [n] [(bit-and 0xff (bit-shift-right n 8)) (bit-and 0xff n)])

;; --- lines, up to and with the TTL

(def ^:private of-dialect
  {:stock  {:sep ":" :any ":" :long-text? false}
   :fefe   {:sep ":" :any ":" :long-text? false}
   ;; its ' lines take printable ASCII only
   :curve6 {:sep "|" :any "O" :long-text? true}})

(defn- line [{:keys [sep]} first & fields]
  (str first (str/join sep fields)))

(defn- generic [dialect name type octets ttl]
  (line dialect (:any dialect) (name-field name) type (escaped octets) ttl))

(def ^:private existing 65534)

(defn- aaaa [dialect name ip ttl]
  (case (:dialect dialect)
    :stock  (generic dialect name 28 (address/octets ip) ttl)
    :fefe   (line dialect "3" (name-field name) (apply str (map #(format "%02x" %) (address/octets ip))) ttl)
    :curve6 (line dialect "~" (name-field name) ip ttl)))

(defn- txt
  "A ' line is cut into strings of 127 octets: for one string that is not longer, but not empty."
  [dialect name strings ttl]
  (if (and (not (:long-text? dialect)) (= 1 (count strings)) (<= 1 (count (utf8 (first strings))) 127))
    (line dialect "'" (name-field name) (guarded plain-in-texts (first strings)) ttl)
    (generic dialect name 16 (mapcat #(let [o (utf8 %)] (cons (count o) o)) strings) ttl)))

(defn- soa [dialect name [mname rname serial refresh retry expire minimum] ttl]
  (line dialect "Z" (name-field name) (name-field mname) (name-field rname) serial refresh retry expire minimum
        (min ttl minimum)))

(defn- record-lines
  "The lines of a record, without location."
  [dialect {:rr/keys [name type ttl data]}]
  (let [each (fn [f] (mapv f data))]
    (case type
      :a     (each #(line dialect "+" (name-field name) % ttl))
      :aaaa  (each #(aaaa dialect name % ttl))
      :ptr   (each #(line dialect "^" (name-field name) (name-field %) ttl))
      :cname (each #(line dialect "C" (name-field name) (name-field %) ttl))
      :ns    (each #(line dialect "&" (name-field name) "" (target-field %) ttl))
      :mx    (each (fn [[pref to]] (line dialect "@" (name-field name) "" (target-field to) pref ttl)))
      :txt   (each #(txt dialect name % ttl))
      :srv   (each (fn [[priority weight port to]]
                     (generic dialect name 33 (concat (u16 priority) (u16 weight) (u16 port) (name-octets to)) ttl)))
      :soa   (each #(soa dialect name % ttl))
      :none  [])))

(defn- exists-line
  "As `generic` would have it; most lines are of this kind, as each digit above an address of ip6.arpa is a name."
  [{:keys [sep any]} name]
  (let [sep ^String sep]
    (-> (StringBuilder. 96)
        (.append ^String any) (.append ^String (name-field name)) (.append sep) (.append (long existing))
        (.append sep) (.append sep) (.append "0") .toString)))

;; --- the whole

(defn- mark! [^Map seen x view]
  (.put seen x (bit-or (long (.getOrDefault seen x 0)) (bit-shift-left 1 (long view)))))

(defn- views-by-line
  "[line which] in order, `which` is a number with a bit for each view that has the line."
  [dialect views records]
  (let [lines (HashMap.), names (HashMap.)]
    (doseq [view views, :let [own (get records view)]]
      (doseq [record own, l (record-lines dialect record)] (mark! lines l view))
      (doseq [name (existence/empty-names own)] (mark! names name view)))
    (doseq [[name which] names] (.put lines (exists-line dialect name) which))
    (let [sorted (.toArray (.keySet lines))]
      (Arrays/sort sorted)
      (map (fn [l] [l (.get lines l)]) sorted))))

(defn text
  "What to write into the file `data` of a tinydns. `dialect` is :stock, :fefe or :curve6; `views` is {view-number
  [record]} of all three, `askers` [[prefix view-number]]. Equal facts give equal texts."
  [dialect {:keys [views askers]}]
  (let [{:keys [lines] shown :views} (locations/locations dialect askers)
        {:keys [sep] :as d} (assoc (of-dialect dialect) :dialect dialect)
        all (reduce #(bit-or %1 (bit-shift-left 1 (long %2))) 0 shown)
        out (StringBuilder.)]
    (doseq [l lines] (.append out ^String l) (.append out "\n"))
    (doseq [[^String l seen] (views-by-line d shown views)]
      (if (= all seen)
        (doto out (.append l) (.append "\n"))
        (doseq [view (sort shown) :when (bit-test seen view)]
          (doto out (.append l) (.append ^String sep) (.append ^String sep)
                (.append ^String (locations/place view)) (.append "\n")))))
    (str out)))

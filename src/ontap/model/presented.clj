;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.presented
  "Names with labels that may have any bytes, as the texts of our records have them: as a master file (RFC 1035 section 5.1),
  with \\DDD (decimal) for each byte that is no letter, digit, - or _. A dot or a backslash inside a label is one of these, so
  that each dot in a text stands between labels, and each backslash before three digits. Pure."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn- plain? [b]
  (let [b (long b)]
    (or (<= 97 b 122) (<= 65 b 90) (<= 48 b 57) (= 45 b) (= 95 b))))

(defn label
  "The label of the text `s` (UTF-8) as it stands in a name: \"Anna\\039s\\032wiki\"."
  [^String s]
  (if (re-matches #"[A-Za-z0-9_-]*" s)
    s
    (apply str (map (fn [b] (let [b (bit-and 0xff (long b))] (if (plain? b) (char b) (format "\\%03d" b))))
                    (.getBytes s "UTF-8")))))

(defn lower
  "The presented name `s` with small letters, as owners are. Bytes beyond ASCII are no letters."
  [^String s]
  (.toLowerCase s java.util.Locale/ROOT))

(defn- utf8 [^String s] (mapv #(bit-and 0xff (long %)) (.getBytes s "UTF-8")))

(defn octets
  "The bytes (0 to 255) of a label as it stands in a name; what is beyond ASCII as UTF-8."
  [^String s]
  (if (neg? (.indexOf s "\\"))
    (utf8 s)
    (into [] (mapcat (fn [[part digits]] (if digits [(bit-and 0xff (long (parse-long digits)))] (utf8 part))))
          (re-seq #"\\(\d{3})|[^\\]+|\\" s))))

(defn labels
  "The bytes of each label of the name `s`."
  [s]
  (mapv octets (remove str/blank? (str/split s #"\."))))

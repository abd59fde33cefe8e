;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-name
  "Names of multicast DNS as values: the uncompressed wire form of RFC 1035 section 3.1 as a
  string with one character (0 to 255) for each byte, the root's zero included. Any name is
  one, whatever bytes are in its labels; equal bytes are equal strings; inside record data
  they stand as they are; and their order is that of unsigned bytes, which a tie-break needs.

  Labels for people are UTF-8 (RFC 6762 section 16); letters of ASCII are compared without
  case, all else as it stands. Lengths of labels (0 to 63) are no letters, so a whole name
  may be folded at once. Pure."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def longest "Bytes of a name, its lengths and the root included." 256)

(defn bytes-of
  "The UTF-8 bytes of `text`, a character for each."
  ^String [^String text]
  (String. (.getBytes text "UTF-8") "ISO-8859-1"))

(defn text-of
  "The text of UTF-8 `bytes` (a character for each); what is none becomes U+FFFD."
  ^String [^String bytes]
  (String. (.getBytes bytes "ISO-8859-1") "UTF-8"))

(def root "The name without labels." "\u0000")

(defn child
  "The name of `label` (text) below the name `parent`; nil when the label is empty or has more
  than 63 bytes, or the name would be too long."
  [label parent]
  (let [bytes (bytes-of label), n (count bytes)]
    (when (and (<= 1 n 63) (<= (+ 1 n (count parent)) (long longest)))
      (str (char n) bytes parent))))

(defn of-labels
  "The name of `labels` (texts, the leftmost first), or nil."
  [labels]
  (reduce (fn [name label] (or (child label name) (reduced nil))) root (reverse labels)))

(defn- raw-labels [^String name]
  (loop [i 0, labels []]
    (let [n (int (.charAt name i))]
      (if (zero? n)
        labels
        (recur (+ i 1 n) (conj labels (subs name (inc i) (+ i 1 n))))))))

(defn labels
  "The labels of `name`, as texts."
  [name]
  (mapv text-of (raw-labels name)))

(defn parent
  "`name` without its first label; nil of the root."
  [^String name]
  (let [n (int (.charAt name 0))]
    (when (pos? n) (subs name (inc n)))))

(defn- capital? [c] (let [c (int c)] (and (<= 65 c) (<= c 90))))

(defn- first-capital
  "Where the first letter A to Z is, or -1: most names have none."
  ^long [^String name]
  (let [n (.length name)]
    (loop [i 0]
      (cond (= i n)                      -1
            (capital? (.charAt name i)) i
            :else                        (recur (inc i))))))

(defn fold
  "`name`, or the name in record data, with the letters A to Z as a to z (RFC 6762 section
  16): equal for names that are the same."
  ^String [^String name]
  (if (neg? (first-capital name))
    name
    (apply str (map (fn [c] (if (capital? c) (char (+ 32 (int c))) c)) name))))

(defn below?
  "Is `name` in the domain `apex`, or the apex itself?"
  [name apex]
  (let [apex (fold apex)]
    (loop [n (fold name)]
      (cond (nil? n)   false
            (= n apex) true
            :else      (recur (parent n))))))

(defn- escaped [label] (str/replace label #"[.\\]" #(str "\\" %)))

(defn text
  "For people: \"arroyocc.local\". Dots and backslashes inside a label have a backslash before
  them (RFC 6763 section 4.3); the root is \".\"."
  [name]
  (let [ls (labels name)]
    (if (empty? ls) "." (str/join "." (map escaped ls)))))

(defn of-text
  "The name that `text` writes so; a dot at the end is fine. nil when it is none."
  [text]
  (let [parts (re-seq #"(?:\\.|[^.\\])+|\.|\\$" (str/replace text #"(?<!\\)\.$" ""))
        names (take-nth 2 parts)
        dots  (take-nth 2 (rest parts))]
    (when (and (odd? (count parts)) (every? #(= "." %) dots) (not-any? #{"." "\\"} names))
      (of-labels (map #(str/replace % #"\\(.)" "$1") names)))))

(def local "The domain of multicast DNS." (of-labels ["local"]))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.json
  "The listing of a zone as JSON (RFC 8259), a name on each line. Pure."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(declare emit!)

(defn- emit-string! [^StringBuilder out ^String s]
  (.append out \")
  (dotimes [i (.length s)]
    (let [c (.charAt s i)]
      (case c
        \" (.append out "\\\"")
        \\ (.append out "\\\\")
        \newline (.append out "\\n")
        (if (or (< (int c) 32) (= 127 (int c)) (Character/isSurrogate c))
          (.append out (format "\\u%04x" (int c)))
          (.append out c)))))
  (.append out \"))

(defn- emit-all! [^StringBuilder out open close f xs]
  (.append out ^String open)
  (reduce (fn [first? x] (when-not first? (.append out ",")) (f x) false) true xs)
  (.append out ^String close))

(defn- emit!
  "Appends the JSON of maps with keywords or texts as keys, sequences, texts and integers."
  [^StringBuilder out x]
  (cond (string? x)     (emit-string! out x)
        (keyword? x)    (emit-string! out (name x))
        (integer? x)    (.append out (str x))
        (map? x)        (emit-all! out "{" "}" (fn [[k v]] (emit! out k) (.append out ":") (emit! out v)) x)
        (sequential? x) (emit-all! out "[" "]" #(emit! out %) x)
        :else           (throw (IllegalArgumentException. (str "not plain data: " (class x)))))
  out)

(defn- json [x] (str (emit! (StringBuilder.) x)))

(defn text
  "The JSON of a listing (`ontap.publish.listing`)."
  [{:keys [domain names]}]
  (str "{\"domain\":" (json domain) ",\"names\":{"
       (str/join "," (map (fn [[name views]] (str "\n" (json name) ":" (json views))) names))
       "}}\n"))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.text
  "Plain data as EDN text, fast. Pure.")

(set! *warn-on-reflection* true)

(defn- emit!
  "Appends the EDN of plain data. `pr` does the same through a multimethod per value:
  a millisecond for each record of a cold JVM, a hundred of them at each start."
  [^StringBuilder out x]
  (cond
    (string? x)     (do (.append out \")
                        (dotimes [i (.length ^String x)]
                          (let [c (.charAt ^String x i)]
                            (when (or (= c \") (= c \\)) (.append out \\))
                            (.append out c)))
                        (.append out \"))
    (map? x)        (do (.append out "{")
                        (reduce-kv (fn [_ k v]
                                     (emit! out k)
                                     (.append out " ")
                                     (emit! out v)
                                     (.append out ", "))
                                   nil x)
                        (.append out "}"))
    (sequential? x) (do (.append out "[")
                        (run! (fn [v] (emit! out v) (.append out " ")) x)
                        (.append out "]"))
    (set? x)        (do (.append out "#{")
                        (run! (fn [v] (emit! out v) (.append out " ")) x)
                        (.append out "}"))
    (nil? x)        (.append out "nil")
    (or (keyword? x) (boolean? x) (integer? x)) (.append out (str x))
    :else (throw (IllegalArgumentException. (str "not plain data: " (class x)))))
  out)

(defn edn
  "The EDN text of `x`: maps, vectors, sets, strings, keywords, integers, booleans and
  nil. Throws IllegalArgumentException for anything else."
  ^String [x]
  (str (emit! (StringBuilder. 2048) x)))

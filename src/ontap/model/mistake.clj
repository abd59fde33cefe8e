;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mistake
  "A mistake in a declaration, as data, and its words.
  Pure. Knows no key of any declaration; every other reader of `model` makes its mistakes here.

  A mistake is a map:
    :mistake/path      where in the file, as for `get-in`: [:services 0 :restart :delay]
    :mistake/expected  what should stand there, in words (may be nil)
    :mistake/found     what stood there (absent when nothing did)
    :mistake/nearest   the nearest valid key or word, as a person would type it (may be nil)
    :mistake/says      one clear sentence, without the path
    :mistake/line, :mistake/column  from 1, where known (text that cannot be read)"
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def ^:private shown-chars "A value is shortened to this many characters." 60)

(defn printable
  "The text `s` with control and format characters as \\uXXXX, so that no file can move a person's cursor."
  [^String s]
  (if (re-find #"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]" s)
    (str/replace s #"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]"
                 (fn [^String c] (apply str (map #(format "\\u%04x" (int %)) c))))
    s))

(defn shorten
  "The text `s` cut to 60 characters, the last three of them dots when it was longer."
  [^String s]
  (if (<= (count s) shown-chars) s (str (subs s 0 (- shown-chars 3)) "...")))

(defn shown
  "The value `v` as it would be typed, on one line, at most 60 characters, control characters escaped."
  [v]
  (binding [*print-length* 30, *print-level* 5, *print-namespace-maps* false, *print-readably* true,
            *print-meta* false, *print-dup* false]
    (let [v (if (and (string? v) (< 200 (count v))) (subs v 0 200) v)]
      (shorten (printable (pr-str v))))))

(defn and-list
  "Words for a sequence of texts: \"a\", \"a or b\", \"a, b or c\". `word` is \"and\" or \"or\"."
  [word texts]
  (let [texts (vec texts)]
    (if (< (count texts) 2)
      (str (first texts))
      (str (str/join ", " (pop texts)) " " word " " (peek texts)))))

;; --- the nearest word

(defn distance
  "The edit distance of two texts: insertions, deletions, replacements and swaps of neighbours each cost 1."
  [^String a ^String b]
  (let [n (count b)]
    (loop [i 1, before nil, above (vec (range (inc n)))]
      (if (> i (count a))
        (peek above)
        (let [ca (.charAt a (dec i))
              row (reduce
                   (fn [row j]
                     (let [cb (.charAt b (dec j))
                           d (min (inc (peek row))
                                  (inc (nth above j))
                                  (+ (nth above (dec j)) (if (= ca cb) 0 1)))]
                       (conj row
                             (if (and before (> j 1)
                                      (= ca (.charAt b (- j 2)))
                                      (= cb (.charAt a (- i 2))))
                               (min d (inc (nth before (- j 2))))
                               d))))
                   [i] (range 1 (inc n)))]
          (recur (inc i) above row))))))

(defn- comparable [v]
  (cond (string? v) (str/lower-case v)
        (instance? clojure.lang.Named v) (str/lower-case (name v))))

(defn nearest
  "The element of `words` (strings, keywords, symbols) nearest to `v`, or nil when none is near.
  Case and the kind of the value do not count; a beginning of exactly one word counts as near."
  [v words]
  (let [s (comparable v)]
    (when (and s (<= 1 (count s) 64))
      (let [allowed (max 1 (min 3 (quot (count s) 3)))
            scored (for [w words
                         :let [c (comparable w)]
                         :when (and c (<= (Math/abs (- (count c) (count s))) allowed))
                         :let [d (distance s c)]
                         :when (<= d allowed)]
                     [d w])
            begun (when (<= 3 (count s))
                    (filter #(str/starts-with? (str (comparable %)) s) words))]
        (cond (seq scored) (second (first (sort-by first scored)))
              (= 1 (count begun)) (first begun))))))

;; --- making one

(defn says
  "The sentence of a mistake that has none of its own."
  [{:mistake/keys [expected nearest] :as m}]
  (str "should be " expected
       (when (contains? m :mistake/found) (str ", is " (shown (:mistake/found m))))
       (when nearest (str "; did you mean " nearest "?"))))

(defn of
  "A mistake at `path`. Keys of `facts`: :expected :found :nearest :says :line :column, all optional.
  Without :says the sentence is \"should be EXPECTED, is FOUND; did you mean NEAREST?\"."
  [path {:keys [expected nearest line column] :as facts}]
  (let [m (cond-> {:mistake/path (vec path), :mistake/expected expected, :mistake/nearest nearest}
            (contains? facts :found) (assoc :mistake/found (:found facts))
            line (assoc :mistake/line line)
            column (assoc :mistake/column column))]
    (assoc m :mistake/says (or (:says facts) (says m)))))

(defn bad
  "An answer of a reader: one mistake. See `of`."
  [path facts]
  {:mistakes [(of path facts)]})

;; --- rendering

(defn- step-text [step]
  (cond (integer? step) (str "[" step "]")
        :else (str " " (shown step))))

(defn- service-forms
  "The service declarations of a file's form, whatever its shape, or nil."
  [form]
  (cond (map? form) (let [s (:services form)]
                      (cond (sequential? s) s
                            (map? s) [s]
                            (contains? form :services) nil
                            :else [form]))
        (sequential? form) form))

(defn- service-label [form index]
  (let [services (service-forms form)
        n (when (sequential? services) (get (nth (vec services) index nil) :name))]
    (if (and (string? n) (re-matches #"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}" n))
      n
      (str "service " (inc index)))))

(defn place
  "Where a mistake is, in words: \"web :restart :delay\", \"service 2\", \":ports \\\"eth0\\\"\" or \"\"."
  [path form]
  (let [[a b & more] path]
    (str/trim
     (if (and (= :services a) (integer? b))
       (str (service-label form b) (apply str (map step-text more)))
       (apply str (map step-text path))))))

(defn line
  "One line for one mistake: \"services.edn: web :caps: should be …\", or \"services.edn:3:14: …\"."
  [{:mistake/keys [path line column says]} source form]
  (let [where (place path form)]
    (str source
         (when line (str ":" line (when column (str ":" column))))
         ": " (when (seq where) (str where ": ")) says)))

(defn render
  "The body of a report: one line for each of `mistakes`, in the order of the file `source` whose form is `form`
  (nil when it could not be read). Every line begins with the file's name and the service, so that grep finds it."
  [mistakes source form]
  (str/join "\n" (map #(line % source form) mistakes)))

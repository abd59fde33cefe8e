;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.declaration
  "The text of a declaration becomes an EDN form. Pure: the text comes in, nothing is opened and nothing is evaluated.
  One form: a service, a vector of services or {:services [...]}, plain or tagged #ontap/v1. No other tag is known."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [ontap.model.mistake :as mistake])
  (:import (clojure.lang LineNumberingPushbackReader TaggedLiteral)
           (java.io StringReader)))

(set! *warn-on-reflection* true)

(def ^:private deepest "More brackets than this inside one another are refused, before a reader can run out of stack." 64)

(def ^:private closers {\( \), \[ \], \{ \}})

(defn- end-of-string
  "The index after the string that opens at `i`, or nil when it never closes."
  [^String s i]
  (loop [j (inc i)]
    (when (< j (count s))
      (case (.charAt s j)
        \\ (recur (+ j 2))
        \" (inc j)
        (recur (inc j))))))

(defn- position
  "{:line :column} of an index, both from 1."
  [^String s index]
  (let [before (subs s 0 (min index (count s)))
        newline (.lastIndexOf before "\n")]
    {:line (inc (count (filter #(= \newline %) before))) :column (- (count before) newline)}))

(defn- token-end [^String s i]
  (loop [j i]
    (if (and (< j (count s)) (not (str/index-of " \t\r\n,()[]{}\";^" (str (.charAt s j))))) (recur (inc j)) j)))

(defn- scan
  "Walks over the text, strings, characters and comments respected: {:fault {:at index :says ...} or nil, :tags [[index text] ...]}.
  `prefixes` counts the tags, #_ and ^ that wait for one form: a reader goes one level deeper for each, as for a bracket."
  [^String s]
  (loop [i 0, open (), tags [], prefixes 0]
    (let [fault (fn [at says] {:tags tags :fault {:at at :says says}})
          c (when (< i (count s)) (.charAt s i))]
      (cond
        (nil? c) (if-let [[o at] (first open)]
                   (fault at (str "\"" o "\" is never closed"))
                   {:tags tags})
        (<= deepest prefixes) (fault i (str "more than " deepest " tags, #_ or ^ follow one another here"))
        :else
        (case c
          (\space \tab \newline \return \,) (recur (inc i) open tags prefixes)
          \; (recur (long (or (str/index-of s "\n" i) (count s))) open tags prefixes)
          \" (if-let [end (end-of-string s i)] (recur (long end) open tags 0) (fault i "this text is never closed"))
          \\ (recur (long (max (+ i 2) (token-end s (inc i)))) open tags 0)
          \^ (recur (inc i) open tags (inc prefixes))
          \# (let [end (token-end s (inc i)), t (subs s (inc i) end)]
               (cond (re-find #"^[A-Za-z]" t) (recur (long end) open (conj tags [i t]) (inc prefixes))
                     (str/starts-with? t "_") (recur (+ i 2) open tags (inc prefixes))
                     :else (recur (inc i) open tags 0)))
          (\( \[ \{) (if (<= deepest (count open))
                       (fault i (str "more than " deepest " brackets are open here"))
                       (recur (inc i) (conj open [c i]) tags 0))
          (\) \] \}) (let [[o at] (first open)]
                       (cond (nil? o) (fault i (str "\"" c "\" closes nothing"))
                             (not= c (closers o))
                             (let [{:keys [line column]} (position s at)]
                               (fault i (str "\"" c "\" should be \"" (closers o) "\", for \"" o "\" was opened at " line ":" column)))
                             :else (recur (inc i) (rest open) tags 0)))
          (recur (long (max (inc i) (token-end s i))) open tags 0))))))

(defn- unreadable [pos says]
  {:mistakes [(mistake/of [] (assoc pos :expected "readable EDN" :says (str "unreadable EDN: " says)))]})

(defn- lower-first [^String s]
  (if (re-find #"^[A-Z][a-z]" s) (str (str/lower-case (subs s 0 1)) (subs s 1)) s))

(defn- reader-words
  "What Clojure's reader said, without the names of its exceptions."
  [^Throwable e]
  (let [says (or (some-> (or (ex-message e) (some-> (ex-cause e) ex-message))
                         (str/replace #"^(?:[\w.$]+(?:Exception|Error): )+" ""))
                 "the reader gave up")]
    (lower-first (mistake/shorten (mistake/printable (str/replace says #"\s+" " "))))))

(defn- tag-mistake [^String s [at tag]]
  (mistake/of [] (assoc (position s at)
                        :expected "#ontap/v1 or no tag" :found (symbol tag) :nearest "#ontap/v1"
                        :says (cond (re-matches #"ontap/v.*" tag)
                                    (str "unknown version #" (mistake/shorten tag) "; this program reads #ontap/v1")
                                    :else (str "unknown tag #" (mistake/shorten tag) "; the only tag is #ontap/v1, around the whole file")))))

(defn- well-placed
  "The form without its root tag, or nil when a tag stands deeper."
  [form]
  (let [form (if (instance? TaggedLiteral form) (:form form) form)]
    (when-not (some #(instance? TaggedLiteral %) (tree-seq coll? #(if (map? %) (mapcat identity %) (seq %)) form))
      {:form form})))

(defn read-text
  "{:form form} of the text of a file, or {:mistakes [...]} with line and column. Never throws."
  [^String text]
  (let [text (if (str/starts-with? text "\uFEFF") (subs text 1) text)
        {:keys [fault tags]} (scan text)]
    (if fault
      (unreadable (position text (:at fault)) (:says fault))
      (let [reader (LineNumberingPushbackReader. (StringReader. text))
            unknown (volatile! #{})
            stranger (fn [tag v] (vswap! unknown conj (str tag)) v)
            options {:eof ::end
                     :readers {'ontap/v1 #(tagged-literal 'ontap/v1 %)
                               'inst #(stranger 'inst %), 'uuid #(stranger 'uuid %)}
                     :default stranger}
            here (fn [] {:line (.getLineNumber reader) :column (max 1 (.getColumnNumber reader))})]
        (try
          (let [form (edn/read options reader)
                next-at (here)
                more (if (= ::end form) ::end (edn/read options reader))]
            (cond
              (seq @unknown) {:mistakes (mapv #(tag-mistake text %) (or (seq (filter #(@unknown (second %)) tags))
                                                                        (map #(vector 0 %) (sort @unknown))))}
              (= ::end form) (unreadable {:line 1 :column 1} "there is nothing in it")
              (not= ::end more)
              (unreadable next-at "a second form follows the first; several services should stand in one vector, [{...} {...}]")
              :else (or (well-placed form)
                        (let [at (first (last (filter #(= "ontap/v1" (second %)) tags)))]
                          {:mistakes [(mistake/of [] (assoc (position text at) :expected "#ontap/v1 around the whole file"
                                                            :says "#ontap/v1 should stand once, before the whole file"))]}))))
          (catch Exception e (unreadable (here) (reader-words e)))
          (catch StackOverflowError _ (unreadable (here) "it is nested too deeply")))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.shape
  "Readers of plain shapes: a text, a choice, a list, a map with known keys.
  Pure; knows `mistake` and no key of any declaration.

  A reader is (fn [ctx v]) with ctx {:path [...] :env {...} :raw the-map-around}; it answers {:value x} or {:mistakes [m ...]},
  never throws, whatever `v` is."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]))

(set! *warn-on-reflection* true)

(defn ok "The answer of a reader that is content." [v] {:value v})

(defn wrong
  "The answer of a reader that found `v` where `expected` should stand. `more` may hold :says, :nearest."
  ([ctx v expected] (wrong ctx v expected nil))
  ([ctx v expected more] (mistake/bad (:path ctx) (merge {:expected expected :found v} more))))

(defn below "The context of the element `step` of the value at `ctx`." [ctx step] (update ctx :path conj step))

(defn- nul? [^String s] (<= 0 (.indexOf s "\u0000")))

(defn utf8-length "The number of bytes of the text `s` in UTF-8." ^long [^String s] (alength (.getBytes s "UTF-8")))

(defn text
  "A reader of a text for which `valid?` holds; `expected` in words. A text never holds NUL."
  [valid? expected]
  (fn [ctx v] (if (and (string? v) (not (nul? v)) (valid? v)) (ok v) (wrong ctx v expected))))

(defn text?
  "Is `v` a text without NUL?"
  [v]
  (and (string? v) (not (nul? v))))

(defn flag "A reader of true or false." [ctx v] (if (boolean? v) (ok v) (wrong ctx v "true or false")))

(defn choice
  "A reader of one of `choices` (strings or keywords); the nearest one is named."
  [choices]
  (let [expected (mistake/and-list "or" (map pr-str choices))]
    (fn [ctx v]
      (if (some #(= v %) choices)
        (ok v)
        (wrong ctx v expected {:nearest (some-> (mistake/nearest v choices) pr-str)})))))

(defn whole
  "A reader of a whole number from `low` to `high`."
  [low high]
  (fn [ctx v]
    (if (and (int? v) (<= low v high)) (ok (long v)) (wrong ctx v (str "a whole number from " low " to " high)))))

(defn gather
  "One answer out of a sequence of [key answer]: {:value [[key value] ...]} or all mistakes."
  [answers]
  (let [mistakes (into [] (mapcat (comp :mistakes second)) answers)]
    (if (seq mistakes) {:mistakes mistakes} (ok (mapv (fn [[k a]] [k (:value a)]) answers)))))

(defn many
  "A reader of a vector (or list) whose every element `read` accepts; `expected` in words. At least `least` of them."
  ([read expected] (many read expected 0))
  ([read expected least]
   (fn [ctx v]
     (if-not (and (sequential? v) (<= least (bounded-count least v)))
       (wrong ctx v expected)
       (let [a (gather (map-indexed (fn [i x] [i (read (below ctx i) x)]) v))]
         (if (:mistakes a) a (ok (mapv second (:value a)))))))))

;; --- maps with known keys

(defn- unknown-key [ctx k fields noun refused]
  (let [known (map :key fields)
        near (mistake/nearest k known)]
    (mistake/of (conj (:path ctx) k)
                (if-let [why (get refused k)]
                  {:says why}
                  {:expected (str "a key of " noun)
                   :nearest (some-> near pr-str)
                   :says (cond near (str "unknown key; did you mean " near "?")
                               (seq known) (str "unknown key; the keys of " noun " are "
                                                (mistake/and-list "and" (map pr-str known)))
                               :else (str "unknown key; " noun " has no keys in this version"))}))))

(defn- order-of-key [k] (if (keyword? k) [0 (str k)] [1 (mistake/shown k)]))

(defn record
  "Reads a map with known keys. A field is {:key :expected :read, and :required? (with :missing, a sentence of its own)
  or :default (a value, not read)}; `noun` says what the map is (\"a service\"), `expected` what should stand there when
  it is no map, `refused` maps keys refused by name to their sentence.
  Answers {:value {key value} :mistakes [...] :given #{keys}}; with mistakes, :value holds the keys that are well."
  [ctx v {:keys [fields noun refused], map-words :expected}]
  (if-not (map? v)
    {:value {} :given #{} :mistakes (:mistakes (wrong ctx v (or map-words (str noun " (a map)"))))}
    (let [known (set (map :key fields))
          strangers (sort-by order-of-key (remove #(contains? known %) (keys v)))
          ;; a misspelt key is one mistake, not two: its right name is not missing as well
          meant (into #{} (keep #(mistake/nearest % (map :key fields))) strangers)
          ctx (assoc ctx :raw v)
          start {:value {} :given (into #{} (filter known) (keys v))
                 :mistakes (mapv #(unknown-key ctx % fields noun refused) strangers)}]
      (reduce
       (fn [acc {:keys [key expected read required? missing default]}]
         (cond
           (contains? v key)
           (let [a (read (below ctx key) (get v key))]
             (if (:mistakes a)
               (update acc :mistakes into (:mistakes a))
               (assoc-in acc [:value key] (:value a))))
           (and required? (meant key)) acc
           required?
           (update acc :mistakes conj
                   (mistake/of (conj (:path ctx) key)
                               {:expected expected
                                :says (or missing (str "is missing; should be " expected))}))
           :else (assoc-in acc [:value key] default)))
       start fields))))

(defn map-of
  "A reader of a map with the keys of `shape` (see `record`), an answer as any reader gives it. `after` may look at
  the whole value: (fn [ctx value] answer)."
  ([shape] (map-of shape (fn [_ v] (ok v))))
  ([shape after]
   (fn [ctx v]
     (let [{:keys [value mistakes]} (record ctx v shape)]
       (if (seq mistakes) {:mistakes mistakes} (after ctx value))))))

(defn name-text
  "The text of a key given as a string or a plain keyword (or symbol), or nil."
  [k]
  (cond (string? k) k
        (and (instance? clojure.lang.Named k) (nil? (namespace k))) (name k)))

(defn words
  "The parts of `s` between the matches of `re`, with empty ones kept."
  [^String s re]
  (str/split s re -1))

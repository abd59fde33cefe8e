;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-file
  "The files that a zone is written to, as :publish of its :zone tells them. Pure readers (see `ontap.model.shape`)."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]
            [ontap.model.zone-place :as zone-place]))

(set! *warn-on-reflection* true)

(def formats "What a zone can be written as." [:tinydns :hosts :zone :edn :json])

(def dialects "What a tinydns-data(8) understands; the first is the usual one." [:stock :fefe :curve6])

(defn- path
  "A reader of :file: an absolute path, which ends in / (a folder) for the format zone only."
  [ctx v]
  (cond (not (and (shape/text? v) (str/starts-with? v "/") (< 1 (count v) 4096))) (shape/wrong ctx v "an absolute path")
        (and (str/ends-with? v "/") (not= :zone (:format (:raw ctx))))
        (shape/wrong ctx v "the path of a file" {:says "should be a file; only for :format :zone it can be a folder, with a file for each zone"})
        :else (shape/ok v)))

(def ^:private command-words "a vector of texts such as [\"tinydns-data\"]")

(def ^:private arguments (shape/many (shape/text any? "a text without NUL") command-words 1))

(defn- command [ctx v]
  (let [a (arguments ctx v)]
    (cond (= "" (first (:value a))) (shape/wrong (shape/below ctx 0) "" "the program, a name or a path")
          (and (shape/text? v) (re-matches #"[^\s\\'\"$|&;<>*?(){}]+(?: [^\s\\'\"$|&;<>*?(){}]+)*" v))
          (shape/wrong ctx v command-words {:nearest (mistake/shown (str/split v #" "))})
          :else a)))

(def ^:private one-file
  (shape/map-of
   {:noun "a file to publish"
    :expected "a file to publish (a map) such as {:format :tinydns :file \"/service/tinydns/root/data\" :command [\"tinydns-data\"]}"
    :fields [{:key :format :read (shape/choice formats) :required? true :expected (mistake/and-list "or" (map pr-str formats))}
             {:key :file :read path :required? true :expected "an absolute path"}
             {:key :dialect :read (shape/choice dialects) :default nil}
             {:key :command :read command :default nil}
             {:key :view :read zone-place/view :default nil}]}
   (fn [ctx {:keys [format file dialect command view]}]
     (let [tinydns? (= :tinydns format)]
       (cond
         (and dialect (not tinydns?))
         (shape/wrong (shape/below ctx :dialect) dialect "left out" {:says "is about :format :tinydns; should be left out"})
         (and view tinydns?)
         (shape/wrong (shape/below ctx :view) view "left out" {:says "tinydns data has all views; should be left out"})
         :else (shape/ok {:publish/format format :publish/file file :publish/dialect (when tinydns? (or dialect (first dialects)))
                          :publish/command command :publish/view view}))))))

(def ^:private all-files (shape/many one-file "a vector of files, such as [{:format :tinydns :file \"/service/tinydns/root/data\"}]"))

(defn files
  "A reader of :publish; gives [{:publish/format :publish/file :publish/dialect (of tinydns, else nil) :publish/command
  vector-or-nil :publish/view view-or-nil} …]."
  [ctx v]
  (let [{:keys [value mistakes] :as a} (all-files ctx v)]
    (if mistakes
      a
      (let [twice (for [group (vals (group-by (comp :publish/file second) (map-indexed vector value)))
                        [j {:publish/keys [file]}] (rest group)]
                    (mistake/of (conj (:path ctx) j :file)
                                {:expected "a file of its own" :found file
                                 :says (str "should be a file of its own; " (mistake/shown file) " is file " (inc (ffirst group)) " already")}))]
        (if (seq twice) {:mistakes (vec (sort-by :mistake/path twice))} a)))))

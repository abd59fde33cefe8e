;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.remark
  "What a person is told once, when it comes up, about names. Pure. A note: {:level :info or :warning, :name label or nil, :text
  sentence}."
  (:require [ontap.model.label :as label]
            [ontap.model.mistake :as mistake]))

(set! *warn-on-reflection* true)

(defn place
  "A namespace in words."
  [inventory nsid]
  (if (nil? nsid)
    "this machine's own namespace"
    (if-let [n (get-in inventory [:inv/namespaces nsid :ns/netns])]
      (str "namespace " n)
      (str "namespace " nsid))))

(defn link
  "A link in words."
  [inventory [nsid index :as at]]
  (str (or (get-in inventory [:inv/links at :link/name]) (str "link " index)) " in " (place inventory nsid)))

(def source "Where a text comes from, in words." {:alias "alias" :link "name" :lease "lease's name"})

(defn of-link
  "Notes about the link `at` that asked for `old` and asks for `new` now (`ontap.model.names/asked`; each may be nil)."
  [inventory at old {:label/keys [text refused mended? from] asked :label/of :as new}]
  (cond (= (select-keys old [:label/of :label/refused :label/text]) (select-keys new [:label/of :label/refused :label/text])) nil
        refused [{:level :warning :name nil
                  :text (str "the " (source from) " " (mistake/shown asked) " of " (link inventory at) " is no name: " (label/reasons refused))}]
        mended? [{:level :info :name text
                  :text (str "the " (source from) " " (mistake/shown asked) " of " (link inventory at) " is no name as it stands: it is called " text)}]))

(defn- names-by-namespace [hosts] (into {} (map (fn [[name h]] [(:ns/id h) name])) hosts))

(defn of-label
  "Notes about those who want `wanted`: name -> host as it was and is."
  [wanted old new]
  (let [was (names-by-namespace old)]
    (for [[nsid name] (sort-by val (names-by-namespace new))
          :let [before (get was nsid)]
          :when (if before (not= before name) (not= wanted name))]
      {:level (if (= wanted name) :info :warning) :name name
       :text  (if (= wanted name)
                (str "what was called " before " is called " name " now")
                (str "another namespace is called " wanted " already: "
                     (if nsid (str "what namespace " nsid " has") "what this machine has") " is called " name))})))

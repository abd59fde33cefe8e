;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.listing
  "All names of a zone with what each kind of asker sees of them, as plain data of its own, which the
  formats edn and json write; it is what other programs read, so it changes with care:

    {:domain \"vanya\"
     :names {\"web.vanya\" {:private [{:type \"A\" :ttl 60 :data [\"10.0.0.1\"]}] :foreign []}}}

  Each view that knows a name has a vector, empty where it knows no data of it. Data are texts, or vectors
  in the order of the record's fields (MX, SRV, SOA, and TXT with its strings).

  Pure."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn- entry [{:rr/keys [type ttl data]}]
  (array-map :type (str/upper-case (name type)) :ttl ttl :data data))

(defn- of-name [records]
  (into [] (comp (remove #(= :none (:rr/type %))) (map entry)) (sort-by (comp name :rr/type) records)))

(defn listing
  "The data for `views`, [[view-name [record]]] in order."
  [domain views]
  (array-map
   :domain domain
   :names (reduce (fn [names [view records]]
                    (reduce-kv (fn [names name own]
                                 (assoc names name (assoc (get names name (array-map)) view (of-name own))))
                               names (group-by :rr/name records)))
                  (sorted-map) views)))

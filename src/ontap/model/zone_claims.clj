;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-claims
  "The names that a checked zone needs for itself. Pure."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn cnames
  "The names of `zone` that are a CNAME, a set."
  [{:zone/keys [records]}]
  (into #{} (comp (filter #(= :cname (:rr/type %))) (map :rr/name)) records))

(defn taken
  "Name, without the domain -> why no service or link can have it in `zone`."
  [{:zone/keys [domain ns] :as zone}]
  (let [end   (str "." domain)
        below (fn [^String n] (when (str/ends-with? n end) (subs n 0 (- (count n) (count end)))))]
    (into {} (concat (for [l (keep below (cnames zone))] [l "a :cname in :records"])
                     (for [l (keep (comp below :ns/host) ns)] [l "a name server of the zone"])
                     [["wan" "the part of the zone with global addresses"] ["lan" "the part of the zone with private addresses"]
                      ["local" "the domain of mDNS"] ["localhost" "every machine's own"]]))))

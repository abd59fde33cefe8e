;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.existence
  "Which names of a view exist without data: those that the records say so (:none), and those that
  only have names below them (RFC 8020, RFC 4592 section 2.2.2), as lan.DOMAIN. A DNS server answers
  them with no data, not with NXDOMAIN; tinydns, which knows records only, has to be told.

  Pure: from the records of one view."
  (:require [clojure.string :as str])
  (:import (java.util HashSet Set)))

(set! *warn-on-reflection* true)

(defn- parent
  "The name one label up; nil for one of a single label. No label has a dot in it."
  [^String name]
  (let [dot (.indexOf name ".")]
    (when-not (neg? dot) (subs name (inc dot)))))

(defn- add-with-ancestors!
  "Puts a name into `nodes`, and all above it up to its apex."
  [^Set nodes ^Set apexes name]
  (when (and name (.add nodes name) (not (.contains apexes name)))
    (recur nodes apexes (parent name))))

(defn- shields
  "The wildcards without data that keep the wildcards of a view from names below existing ones, which
  they do not cover (RFC 4592 section 3.3.1) but tinydns's do."
  [^Set nodes]
  (let [wild  (filterv #(str/starts-with? % "*.") nodes)
        tops  (HashSet. ^java.util.Collection (mapv #(subs % 2) wild))
        below (mapv #(subs % 1) wild)]
    (when (seq wild)
      (for [^String n nodes
            :when (and (some #(.endsWith n ^String %) below)
                       (not (.startsWith n "*."))
                       (not (.contains tops n)))]
        (str "*." n)))))

(defn empty-names
  "The names of a view that exist without data, and wildcards to the same effect, a set in no order."
  ^Set [records]
  (let [apexes (HashSet.), nodes (HashSet.), full (HashSet.)]
    (doseq [{:rr/keys [name type]} records]
      (when (= :soa type) (.add apexes name))
      (when-not (= :none type) (.add full name)))
    (doseq [{:rr/keys [name]} records] (add-with-ancestors! nodes apexes name))
    (let [extra (vec (shields nodes))]
      (.removeAll nodes full)
      (.addAll nodes extra)
      nodes)))

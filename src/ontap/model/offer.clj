;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.offer
  "What the hosts of a zone offer, for those who browse (DNS-SD, RFC 6763): each service has an instance name that no other
  host's service of the same type has, in the zone and on every link alike. Pure.

  The rule. A service is called as its :instance says, else as its host. Of several of one type whose names are the same
  (letters A to Z compare without case) the one that is called as its host has the name, then the first by the alphabet of
  the hosts; the others are \"NAME (2)\", \"NAME (3)\" and so on, leaving out what another one is called by its declaration.
  So it follows from the declarations alone, whoever is there."
  (:require [clojure.string :as str]
            [ontap.model.presented :as presented]
            [ontap.model.zone-srv :as zone-srv]))

(set! *warn-on-reflection* true)

(defn- same
  "Equal for names that are the same."
  [s]
  (presented/lower (presented/label s)))

(defn- bytes-of ^long [^String s] (alength (.getBytes s "UTF-8")))

(defn- cut
  "The longest beginning of `s` of at most `most` bytes, whole characters."
  [^String s most]
  (loop [n (.length s)]
    (let [t (subs s 0 n)]
      (if (<= (bytes-of t) (long most))
        t
        (recur (.offsetByCodePoints s n -1))))))

(defn numbered
  "The `n`th name like `s`, as RFC 6763 appendix D has it: \"Wiki (2)\"; cut where it would have no room."
  [s n]
  (let [end (str " (" n ")")]
    (str (str/trimr (cut s (- (long zone-srv/longest-instance) (count end)))) end)))

(defn- declared
  "[name host] of each service of this type that is called by its :instance."
  [srv type]
  (for [[label offers] srv
        :let [instance (:srv/instance (get offers type))]
        :when instance]
    [instance label]))

(defn instance
  "What the service `type` of the host `label` is called. `srv`: the :zone/srv of a checked zone."
  [srv type label]
  (let [stated (get-in srv [label type :srv/instance])]
    (if (nil? stated)
      label
      (let [all    (declared srv type)
            alike  (sort (for [[n l] all :when (= (same stated) (same n))] l))
            host?  #(when-let [offer (get-in srv [% type])] (nil? (:srv/instance offer)))
            place  (+ (.indexOf ^java.util.List (vec alike) label) (if (host? (same stated)) 1 0))]
        (if (zero? place)
          stated
          (let [taken (into #{} (map (comp same first)) all)
                ;; the label of a host has neither blank nor parenthesis
                free  (remove (comp taken same) (map #(numbered stated %) (iterate inc 2)))]
            (nth free (dec place))))))))

(defn of
  "What the host `label` offers in `zone`, sorted by type: [{:service/type :service/port :service/txt :service/subtypes
  :service/instance}]; nil for nothing."
  [{:zone/keys [srv]} label]
  (when-let [offers (get srv label)]
    (mapv (fn [[type {:srv/keys [port txt subtypes]}]]
            {:service/type type :service/port port :service/txt txt :service/subtypes subtypes
             :service/instance (instance srv type label)})
          (sort-by key offers))))

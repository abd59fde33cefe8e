;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-tiebreak
  "Who of two that probe for one name at the same time goes on (RFC 6762 section 8.2): the records that
  each proposes for it are sorted and compared pair by pair. Of two sides that compare the same two sets,
  one wins and the other loses, or both see that the sets are equal. Pure.")

(set! *warn-on-reflection* true)

(defn later
  "Compares two records: by class (without the cache-flush bit), type, and the bytes of the data, which are
  unsigned; data that has bytes left over is later. Negative, zero or positive."
  [a b]
  (let [c (compare (:mdns/class a) (:mdns/class b))]
    (if-not (zero? c)
      c
      (let [c (compare (:mdns/type a) (:mdns/type b))]
        (if-not (zero? c)
          c
          ;; a character is a byte of 0 to 255: their order is that of unsigned bytes
          (.compareTo ^String (:mdns/rdata a) ^String (:mdns/rdata b)))))))

(defn- in-order [records]
  (dedupe (map (juxt :mdns/class :mdns/type :mdns/rdata) (sort later records))))

(defn- compare-parts [[class-a type-a data-a] [class-b type-b data-b]]
  (later {:mdns/class class-a :mdns/type type-a :mdns/rdata data-a}
         {:mdns/class class-b :mdns/type type-b :mdns/rdata data-b}))

(defn verdict
  "What the records `ours` are against `theirs`, all of one name: :wins, :loses, or :equal, which is no
  conflict (RFC 6762 section 8.2.1). A record said twice counts once."
  [ours theirs]
  (loop [[a & as :as ours] (in-order ours), [b & bs :as theirs] (in-order theirs)]
    (cond
      (and (empty? ours) (empty? theirs)) :equal
      (empty? theirs)                     :wins
      (empty? ours)                       :loses
      :else (let [c (long (compare-parts a b))]
              (cond (pos? c) :wins, (neg? c) :loses, :else (recur as bs))))))

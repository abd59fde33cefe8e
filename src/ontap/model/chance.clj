;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.chance
  "Random numbers without a source of their own: splitmix64 (Steele, Lea, Flood 2014). A
  seed gives a number and the next seed, so whoever keeps the seed in its state stays pure.")

(set! *warn-on-reflection* true)

(def ^:private step -7046029254386353131)
(def ^:private mix-a -4658895280553007687)
(def ^:private mix-b -7723592293110705685)

(defn- fold ^long [^long z ^long shift] (bit-xor z (unsigned-bit-shift-right z shift)))

(defn- mixed ^long [^long seed]
  (-> seed (fold 30) (unchecked-multiply (long mix-a)) (fold 27) (unchecked-multiply (long mix-b)) (fold 31)))

(defn between
  "[n next-seed]: a whole number from `low` to `high`, both included."
  [seed low high]
  (let [seed (unchecked-add (long seed) (long step))]
    [(+ (long low) (Long/remainderUnsigned (mixed seed) (inc (- (long high) (long low)))))
     seed]))

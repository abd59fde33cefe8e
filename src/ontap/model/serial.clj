;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.serial
  "Serials of zones (RFC 1982): 32 bits that go around. Pure.")

(set! *warn-on-reflection* true)

(def ^:private round (bit-shift-left 1 32))

(defn newer?
  "Is serial `a` after `b` (RFC 1982 section 3.2)?"
  [a b]
  (< 0 (mod (- (long a) (long b)) (long round)) (bit-shift-left 1 31)))

(defn- next-one
  "Never 0, which some take for \"no serial\"."
  [n]
  (let [m (mod (inc (long n)) (long round))] (if (zero? m) 1 m)))

(defn after
  "The serial after `last`, which may be nil; not before `epoch-s` (unix seconds), when that is given."
  [last epoch-s]
  (let [epoch (when epoch-s (mod (long epoch-s) (long round)))
        n     (when last (next-one last))]
    (cond (nil? n)                           (or epoch 1)
          (and epoch (newer? epoch n))       epoch
          :else                              n)))

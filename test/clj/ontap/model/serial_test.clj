;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.serial-test
  "Serials that only grow, around the end of 32 bits, too (RFC 1982)."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.serial :as serial]))

(deftest which-is-newer
  (are [a b newer] (= newer (serial/newer? a b))
    2 1 true, 1 2 false, 1 1 false
    0 4294967295 true, 4294967295 0 false
    2147483648 1 true, 2147483649 1 false))

(deftest the-next
  (are [last epoch n] (= n (serial/after last epoch))
    nil 1700000000 1700000000
    nil nil 1
    5 nil 6
    5 1700000000 1700000000
    1700000000 1700000000 1700000001
    1700000005 1700000000 1700000006               ; the clock went back
    4294967295 nil 1
    4294967295 5 5                                 ; after its end: newer
    3000000000 1700000000 3000000001               ; a clock that is behind by less than half of the circle
    4000000000 1700000000 1700000000))             ; by more: ahead, by the other way around

(deftest only-grows
  (is (every? (fn [[a b]] (serial/newer? b a))
              (partition 2 1 (take 10 (iterate #(serial/after % nil) 4294967290))))))

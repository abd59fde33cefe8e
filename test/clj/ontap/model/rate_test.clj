;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.rate-test
  "How often one user may ask, on a clock of the test's own."
  (:require [clojure.test :refer [deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.rate :as rate]))

(defn- spend-all
  "[buckets answers] of requests [uid now-ms], one after another."
  [buckets requests]
  (reduce (fn [[buckets answers] [uid now]]
            (let [{:keys [buckets ok?]} (rate/spend buckets uid now)] [buckets (conj answers ok?)]))
          [buckets []] requests))

(defn- granted [buckets requests] (count (filter true? (second (spend-all buckets requests)))))

(deftest a-burst-and-then-a-steady-rate
  (is (= 200 (granted nil (repeat 1000 [1000 5000]))) "200 at once, and no more.")
  (let [[buckets _] (spend-all nil (repeat 300 [1000 5000]))]
    (is (= 0 (granted buckets (repeat 9 [1000 5019]))))
    (is (= 1 (granted buckets (repeat 9 [1000 5020]))) "One more every 20 ms.")
    (is (= 50 (granted buckets (repeat 300 [1000 6000]))) "50 a second.")
    (is (= 200 (granted buckets (repeat 300 [1000 1000000]))) "A long silence saves up one burst.")
    (is (= 200 (granted buckets (repeat 300 [1001 5000]))) "Nobody pays for another.")))

(deftest root-is-not-counted
  (is (= [nil (repeat 1000 true)] (spend-all nil (repeat 1000 [0 1])))))

(deftest full-buckets-are-forgotten
  (let [[buckets _] (spend-all nil (for [uid (range 1 1001)] [uid 0]))]
    (is (= 1000 (count (:by-uid buckets))))
    (is (= #{7} (set (keys (:by-uid (first (spend-all buckets [[7 5000]])))))) "One token each is back after 20 ms.")))

(deftest a-clock-that-goes-back-gives-nothing
  (let [[buckets _] (spend-all nil (repeat 200 [1000 50000]))]
    (is (= 0 (granted buckets (repeat 9 [1000 40000]))))
    (is (= 1 (granted buckets (concat (repeat 9 [1000 40000]) (repeat 9 [1000 40020])))))))

(deftest the-words
  (is (= #:refusal{:rule :rate :says "alice asks more than 50 times a second; ask again in a moment" :wait? true}
         (rate/refusal #:peer{:uid 1000 :user "alice"}))))

(defspec never-more-than-the-burst-and-the-rate 200
  (prop/for-all [steps (gen/vector (gen/tuple (gen/elements [1 2 3]) (gen/choose 0 60)) 1 400)]
    (let [requests (rest (reductions (fn [[_ now] [uid later]] [uid (+ now later)]) [nil 0] steps))
          [buckets answers] (spend-all nil requests)
          span (second (last requests))]
      (and (every? (fn [uid]
                     (<= (count (filter true? (map (fn [[u _] ok?] (and (= u uid) ok?)) requests answers)))
                         (+ rate/burst (quot (* rate/per-second span) 1000) 1)))
                   [1 2 3])
           (<= (count (:by-uid buckets)) 3)))))

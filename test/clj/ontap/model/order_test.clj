;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.order-test
  "The order of starting, and the cycles that have none."
  (:require [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.order :as order]))

(deftest levels-and-cycles
  (are [names requires answer] (= answer (order/levels names requires))
    []                {}                                  {:levels []}
    ["a"]             {}                                  {:levels [["a"]]}
    ["web" "db"]      {"web" ["db"]}                      {:levels [["db"] ["web"]]}
    ["a" "b" "c" "d"] {"a" ["b" "c"] "b" ["d"] "c" ["d"]} {:levels [["d"] ["b" "c"] ["a"]]}
    ["a"]             {"a" ["gone"]}                      {:levels [["a"]]}
    ["a"]             {"a" ["a"]}                         {:cycles [["a" "a"]]}
    ["x" "a" "b"]     {"x" ["a"] "a" ["b"] "b" ["a"]}     {:cycles [["a" "b" "a"]]}
    ["a" "b" "c" "d"] {"a" ["b"] "b" ["a"] "c" ["d"] "d" ["c" "a"]} {:cycles [["a" "b" "a"] ["c" "d" "c"]]}))

(deftest a-long-chain-needs-no-stack
  (let [names (mapv str (range 600))
        requires (into {} (map (fn [i] [(str i) [(str (inc i))]])) (range 600))]
    (is (= (rseq names) (apply concat (:levels (order/levels names requires)))))))

(defspec levels-keep-what-they-promise 300
  (prop/for-all [n (gen/choose 0 12), edges (gen/vector (gen/tuple gen/nat gen/nat) 0 20)]
    (let [names (mapv #(str "s" %) (range n))
          requires (if (zero? n)
                     {}
                     (reduce (fn [m [a b]] (update m (names (mod a n)) (fnil conj []) (names (mod b n)))) {} edges))
          {:keys [levels cycles]} (order/levels names requires)
          edge? (fn [[a b]] (some #{b} (requires a)))]
      (if levels
        (let [flat (vec (apply concat levels)), at (zipmap flat (range))]
          (and (= (set names) (set flat)) (= n (count flat))
               (every? (fn [[a bs]] (every? #(< (at %) (at a)) bs)) requires)))
        (and (seq cycles)
             (every? #(and (= (first %) (peek %)) (every? edge? (partition 2 1 %))) cycles)
             (or (empty? (mapcat pop cycles)) (apply distinct? (mapcat pop cycles))))))))

(deftest start-order-takes-services
  (is (= ["db" "web"] (map :service/name (order/start-order [{:service/name "web" :service/requires ["db"]}
                                                             {:service/name "db" :service/requires []}])))))

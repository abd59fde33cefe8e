;; SPDX-License-Identifier: Apache-2.0
(ns ontap.reflection-test
  "No call of Java is left to reflection, in the program or in its tests. The build refuses a reflection
  warning too (`build-test`), but it compiles the program alone."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.sources :as sources]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- warnings
  "What the compiler says while a JVM of its own loads `namespaces`, warnings about our own code only."
  [namespaces]
  (let [program (pr-str `(binding [*warn-on-reflection* true] (apply require '~namespaces)))
        {:keys [exit err]} (t/run {:limit-s 110} (str (System/getProperty "java.home") "/bin/java")
                             "-XX:TieredStopAtLevel=1" "-cp" (System/getProperty "java.class.path")
                             "clojure.main" "-e" program)]
    (is (= 0 exit) (str "Everything loads; it said:\n" err))
    (filter #(re-find #"^(?:Reflection warning|Performance warning|WARNING).*\bontap[/.]" %) (str/split-lines err))))

(deftest ^{:slow true :jdk :floor} nothing-is-left-to-reflection
  (let [namespaces (map :ns (mapcat sources/clojure-files ["src" "test/clj"]))]
    (is (< 50 (count namespaces)) "The sources are found.")
    (is (empty? (warnings namespaces)))))

(deftest the-compiler-is-not-told-to-be-silent
  (doseq [{:keys [path forms]} (mapcat sources/clojure-files ["src" "test/clj"])]
    (is (empty? (filter #{'(set! *warn-on-reflection* false)} forms)) (str path " keeps the warnings."))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.bench.promises-test
  "The promises that are figures, measured: test/bench says how."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing]))

(defn- last-line [limit-s & words]
  (let [{:keys [exit out err]} (apply testing/run {:limit-s limit-s} words)]
    (print out)
    (flush)
    (is (= 0 exit) (str (first words) " failed: " err))
    (last (str/split-lines out))))

(deftest ^{:slow true :jdk :floor :timeout 300} launch-takes-at-most-half-the-time-of-a-shell
  (lan/needs-root!)
  (let [line (last-line 280 "test/bench/launch" 7 100 lan/program)
        [_ ratio] (re-find #"^launch ontap .* ratio ([0-9.]+)$" line)]
    (is (some? ratio) (str "test/bench/launch should end with its ratio, ended with: " line))
    (is (<= (parse-double ratio) 0.5) (str "a hundred services should start in half the time: " line))))

(deftest ^{:slow true :jdk :floor :timeout 300} idle-costs-no-more-than-an-empty-jvm
  (lan/needs-root!)
  (let [line (last-line 280 "test/bench/idle" 3 30 100 lan/program)
        [_ & figures] (re-find #"^idle ontap (\d+), empty (\d+), allowed (\d+)$" line)
        [ontap _ allowed] (map parse-long figures)]
    (is (some? ontap) (str "test/bench/idle should end with its figures, ended with: " line))
    (is (<= ontap allowed) (str "an idle supervisor should make no calls of its own: " line))))

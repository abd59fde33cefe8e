;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.numbered-test
  "The judge of numbered logs finds what it is there to find."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.numbered :as numbered]
            [ontap.run.logs :as logs]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn- lines [run from to]
  (str/join (for [n (range from (inc to))] (format "%d %010d %s\n" run n (apply str (repeat 84 "x"))))))

(def ^:private cut "ontap: 2026-01-01T00:00:00Z: the log was cut here, at its bound of 4096 bytes\n")

(defn- judged [old now]
  (testing/with-temp-dir [dir]
    (let [file (io/file dir "log")]
      (when old (spit (str file ".1") old))
      (spit file now)
      (let [{:keys [wrong lost]} (numbered/judge (str file))]
        [(count wrong) lost]))))

(deftest the-judge
  (doseq [[what old now expected]
          [["a whole log"                     nil (lines 7 1 50) [0 0]]
           ["a missing line"                  nil (str (lines 7 1 20) (lines 7 22 50)) [1 0]]
           ["a line that comes twice"         nil (str (lines 7 1 20) (lines 7 20 50)) [1 0]]
           ["two writers at once"             nil (str (lines 7 1 20) (lines 8 1 1) (lines 7 21 30)) [1 0]]
           ["one run after another"           nil (str (lines 7 1 20) (lines 8 1 20)) [0 0]]
           ["text of somebody else"           nil (str (lines 7 1 20) "hello\n" (lines 7 21 30)) [2 0]]
           ["a last line that is not whole"   nil (str (lines 7 1 20) "7 00000") [0 0]]
           ["a stated cut without loss"       (str (lines 7 1 20) cut) (lines 7 21 30) [0 0]]
           ["a stated cut with loss"          (str (lines 7 1 20) cut) (lines 7 24 30) [0 3]]
           ["a stated cut in a line"          (str (lines 7 1 20) "7 000\n" cut) (lines 7 22 30) [0 1]]
           ["loss where no cut is stated"     (lines 7 1 20) (lines 7 24 30) [1 0]]
           ["loss before a stated cut"        (str (lines 7 1 9) (lines 7 11 20) cut) (lines 7 21 30) [1 0]]
           ["a cut that was not finished"     (lines 7 1 20) (lines 7 1 30) [0 0]]
           ["a stated one that was not finished" (str (lines 7 1 20) cut) (lines 7 1 30) [0 0]]
           ["nothing since the cut"           (str (lines 7 1 20) cut) "" [0 0]]]]
    (is (= expected (judged old now)) what)))

(deftest what-a-cut-writes
  (testing/with-temp-dir [dir]
    (let [file (str (io/file dir "log"))
          text (lines 7 1 60)]
      (spit file text)
      (is (nil? (logs/cut! "web" file 10000 "now")) "Below its bound nothing is cut.")
      (is (= (count text) (logs/cut! "web" file 4096 "now")))
      (is (= "" (slurp file)))
      (is (= (str text "ontap: now: the log was cut here, at its bound of 4096 bytes\n") (slurp (str file ".1"))))
      (spit file (str text "half a li"))
      (logs/cut! "web" file 4096 "now")
      (is (str/ends-with? (slurp (str file ".1")) "half a li\nontap: now: the log was cut here, at its bound of 4096 bytes\n")
          "The statement is a line of its own."))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.numbered
  "Judges a log of numbered lines (`ontap.harness.workloads/writer`): FILE.1 and FILE
  together have every line, but at a cut that FILE.1 states as its last line."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def ^:private statement #"ontap: .*: the log was cut here, at its bound of \d+ bytes.*")

(defn- line
  "[run number] of a whole line, or the text as it is."
  [^String text]
  (if-let [[_ run n] (re-matches #"(\d+) (\d{10}) x{84}" text)]
    [(parse-long run) (parse-long n)]
    text))

(defn- lines [file]
  (when (.exists (io/file file))
    (with-open [in (io/reader file :encoding "ISO-8859-1")]
      (mapv line (line-seq in)))))

(defn- broken
  "Places where `lines` do not go on by one: [line next-line]; a new run begins with 1."
  [lines]
  (for [[a b] (map vector lines (rest lines))
        :when (not (and (vector? a) (vector? b)
                        (if (= (a 0) (b 0))
                          (= (inc (a 1)) (b 1))
                          (= 1 (b 1)))))]
    [a b]))

(defn- not-after?
  "Is line `b` one that comes at `a` or before, in the same run?"
  [a b]
  (and (vector? a) (vector? b) (= (a 0) (b 0)) (<= (b 1) (a 1))))

(defn judge
  "{:wrong [..] :lost n :lines n :cut? boolean :last [run number]} of the log at `path`,
  while no supervisor lives that could cut it just now. :lost are the lines missing at
  the stated cut, :cut? says that there is one."
  [path]
  (let [now    (lines path)
        ;; the last line may just be being written
        now    (cond-> now (string? (peek now)) pop)
        old    (lines (str path ".1"))
        cut?   (boolean (and (string? (peek old)) (re-matches statement (peek old))))
        before (cond-> old cut? pop)
        ;; a line that was being written at the cut
        before (cond-> before (and cut? (string? (peek before))) pop)
        [a b]  [(peek before) (first now)]
        ;; a supervisor that ended between writing FILE.1 and emptying FILE
        whole? (or (nil? a) (= b (first before)) (not-after? a b))]
    {:wrong (vec (concat (broken now)
                         (when-not whole? (broken before))
                         (when-not (or whole? cut? (nil? b))
                           (broken [a b]))))
     :lost  (if (and cut? (not whole?) (vector? a) (vector? b) (= (a 0) (b 0)))
              (- (b 1) (a 1) 1)
              0)
     :lines (+ (count before) (count now))
     :cut?  cut?
     :last  (or (peek now) a)}))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.logs-test
  "`ontap logs`: all of it, the last lines, what is added, across a cut, and when no
  supervisor runs."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.testing :as tools]))

(set! *warn-on-reflection* true)

(defn- talker
  "A service that writes `lines`, then whatever is written to the FIFO `more`."
  [more lines]
  {:name "talk" :port "up0" :type "macvlan" :user "root" :ipv6 :none :ipv4 "10.77.0.21/24" :acd false
   :log {:max-size 4096}
   :exec ["sh" "-c" "seq -f 'line %g' \"$1\"; cat \"$2\"; exec sleep 1000" "sh" (str lines) more]})

(defn- say! [more text]
  (tools/run {:limit-s 20} "sh" "-c" "printf '%s\\n' \"$2\" >\"$1\"" "sh" more text))

(deftest ^{:timeout 120} shows-what-a-service-says
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [more (str (io/file (:dir lan) "more"))
          _    (tools/run {} "mkfifo" "-m" "600" more)
          up   (lan/up lan (lan/write-file lan (talker more 20)))]
      (try
        (lan/await-ready lan "talk")
        (let [lines (mapv #(str "line " %) (range 1 21))
              shown (fn [& words] (str/split-lines (:out (apply lan/ontap lan "logs" words))))]
          (tools/wait-for "the workload's lines" #(= lines (shown "talk")))
          (is (= (subvec lines 17) (shown "-n" "3" "talk")) "the last lines")
          (is (= [""] (shown "-n" "0" "talk")))
          (testing "followed"
            (let [follower (apply lan/spawn {:env (:env lan)}
                                  (lan/in (:host lan) lan/program "logs" "-f" "-n" "1" "talk"))]
              (try
                (is (= "line 20" (lan/await-line follower #"line")))
                (say! more "something new")
                (is (= "something new" (lan/await-line follower #"new")))
                (finally (lan/end! follower "TERM")))))
          (testing "when no supervisor runs"
            (lan/end! up "KILL")
            (is (= (conj lines "something new") (shown "talk")))
            (is (re-find #"none listens" (:err (lan/ontap lan "logs" "nobody-knows"))))))
        (finally
          (lan/end! up "KILL"))))))

(deftest ^{:timeout 120} a-log-is-cut-at-its-bound
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [more (str (io/file (:dir lan) "more"))
          _    (tools/run {} "mkfifo" "-m" "600" more)
          up   (lan/up lan (lan/write-file lan (talker more 2000)))]
      (try
        (lan/await-line up #"talk: log cut")
        (let [shown (str/split-lines (:out (lan/ontap lan "logs" "talk")))]
          (is (= (map #(str "line " %) (range 1 2001)) (remove #(str/starts-with? % "ontap:") shown))
              "what was cut is shown before what came after")
          (is (= 1 (count (filter #(re-find #"^ontap: \S+: the log was cut here, at its bound of 4096 bytes" %) shown)))
              "the cut is stated"))
        (finally
          (lan/end! up "TERM"))))))

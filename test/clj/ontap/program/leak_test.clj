;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.leak-test
  "What a supervisor itself holds does not grow: its descriptors, by kind, and the ids of
  namespaces, are after fifty restarts of a service what they were before."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.workloads :as workloads]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

(defn- descriptors
  "Kind -> number of open descriptors of process `pid`; the numbers of pipes, sockets and
  namespaces are left out of the kind."
  [pid]
  (frequencies
   (keep (fn [^File f]
           (try (str/replace (str (Files/readSymbolicLink (.toPath f))) #"\[\d+\]|/\d+/" "")
                (catch java.io.IOException _ nil)))
         (.listFiles (io/file "/proc" (str pid) "fd")))))

(defn- threads [pid] (count (.listFiles (io/file "/proc" (str pid) "task"))))

(defn- namespace-ids [lan]
  (count (str/split-lines (lan/sh! lan :host "ip" "netns" "list-id"))))

(defn- steady
  "`f` of the process, once what it holds has not changed for half a second: threads that
  are about to die, and answers that are under way."
  [f]
  (let [since (volatile! nil)]
    (testing/wait-for "a steady state" 20000
      #(let [now (f) at (System/nanoTime)
             [seen from] @since]
         (if (= now seen)
           (when (< 500000000 (- at from)) [now])
           (do (vreset! since [now at]) nil))))
    (first @since)))

(deftest ^{:slow true :timeout 200} fifty-restarts
  (lan/needs-root!)
  (let [mark (workloads/mark)]
    (lan/with-lan [lan]
      (let [ready    {:ready {:fd 3} :exec ["sh" "-c" "echo >&3; exec sleep 3600"]}
            own      (workloads/declared mark "own" 51 ready)
            services [own
                      (workloads/declared mark "host" 52 :netns :host :link "mac0" :uts false)
                      (workloads/declared mark "other" 53)]
            names    (mapv :name services)
            empty-ids (namespace-ids lan)
            sup      (workloads/up lan mark (lan/write-file lan services))
            held     #(do {:descriptors (descriptors (:pid sup)) :ids (namespace-ids lan)})]
        (try
          (workloads/await-settled lan sup)
          ;; once each, so that everything has been used
          (apply workloads/ask lan :restart names)
          (let [before  (steady held)
                threads-before (threads (:pid sup))]
            (dotimes [_ 50] (workloads/ask lan :restart (:name own)))
            (dotimes [_ 10] (workloads/ask lan :restart (second names)))
            (is (= before (steady held)) "Sixty restarts later the supervisor holds what it held.")
            (is (= (+ empty-ids 2) (:ids before)) "A namespace has an id as long as its service runs.")
            (is (<= (threads (:pid sup)) (+ 2 threads-before)) "Threads that entered namespaces have died.")
            (is (= [] (workloads/orphans lan mark services names nil)) "Nothing is left of the earlier runs.")
            (apply workloads/ask lan :stop names)
            (is (= empty-ids (:ids (steady held)))
                "Once they have stopped no namespace has an id: no socket of ours holds one.")
            (is (empty? (filter #(re-find #"^(net|uts):|/ns/" %) (keys (descriptors (:pid sup)))))
                "No descriptor of a namespace is held."))
          (is (= 0 (lan/end! sup "TERM")))
          (finally (workloads/kill-all! mark)))))))

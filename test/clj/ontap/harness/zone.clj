;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.zone
  "A running `ontap zone` on the host of a LAN (see `ontap.harness.lan`), and those who ask it."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn start
  "Starts `ontap zone WORDS…` on the host of `lan`; returns once it serves. See `lan/spawn`; it is
  ended with the LAN."
  [lan & words]
  (let [zone (apply lan/spawn {:env (:env lan)} (apply lan/in (:host lan) lan/program "zone" words))]
    (swap! (:supervisors lan) conj zone)
    (lan/await-line zone #"^ontap: serves " 60)
    zone))

(defn dig
  "What `dig WORDS…` prints at `place` of `lan`, trimmed. Throws unless it got an answer."
  [lan place & words]
  (str/trim (apply lan/sh! lan place "dig" "+tries=2" "+time=3" words)))

(defn answers
  "The set of the data of the answer to name and type, asked from the address `from` at `place`."
  [lan place server from name type]
  (set (remove str/blank? (str/split-lines (dig lan place "-b" from "+short" (str "@" server) name type)))))

(defn status
  "The RCODE of an answer, and how many records each section has: {:status \"NOERROR\" :answer 1 :authority 0}."
  [lan place server from name type]
  (let [out (dig lan place "-b" from (str "@" server) name type)
        n   (fn [section] (parse-long (second (re-find (re-pattern (str section ": (\\d+)")) out))))]
    {:status    (second (re-find #"status: ([A-Z]+)" out))
     :answer    (n "ANSWER")
     :authority (n "AUTHORITY")}))

(defn names
  "The rows of `ontap names`."
  [lan & words]
  (let [{:keys [exit out err]} (apply lan/ontap lan "names" "--format" "edn" words)]
    (when-not (= 0 exit) (throw (ex-info (str "ontap names: " err) {:exit exit})))
    (edn/read-string out)))

(defn await-answer
  "Blocks until `f` (fn []) gives `expected`, for 10 s at most; then throws with what it gave."
  [what expected f]
  (testing/wait-for what #(when (= expected (f)) true)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.bench.mdns-test
  "What an answer by multicast DNS takes beside avahi: test/bench/mdns says how, and has the whole numbers. What a responder
  takes that has nothing to say is in `ontap.bench.promises-test`."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.mdns :as mdns]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn- lines-of [& words]
  (let [{:keys [exit out err]} (apply testing/run {:limit-s 280} words)]
    (print out)
    (flush)
    (is (= 0 exit) (str (first words) " failed: " err))
    (str/split-lines out)))

(defn- figure
  "The number in the first of `lines` in which `pattern` finds one."
  [lines pattern]
  (some-> (some #(second (re-find pattern %)) lines) parse-double))

(deftest ^{:long true :slow true :jdk :floor :timeout 300} an-answer-beside-avahi-s
  (lan/needs-root!)
  (mdns/needs! :avahi)
  (mdns/needs-command! "dnsperf" "dnsperf")
  (mdns/needs-command! "dig" "bind9-dnsutils")
  (let [lines (lines-of "test/bench/mdns" 100 3 5 lan/program)
        cpu   (figure lines #"^mdns cpu: .* ratio ([0-9.]+)$")
        rate  (figure lines #"^mdns rate: .* ratio ([0-9.]+)$")]
    (is (some? cpu) "test/bench/mdns should end with what an answer takes")
    ;; the figures of a quiet machine are in doc/measurements.md
    (is (<= (or cpu 99) 5.0) (str "an answer should not take many times what avahi takes: " lines))
    (is (<= 0.15 (or rate 0)) (str "there should not be many times less answers a second than avahi's: " lines))))

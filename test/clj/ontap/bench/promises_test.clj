;; SPDX-License-Identifier: Apache-2.0
(ns ontap.bench.promises-test
  "The promises that are figures, measured: test/bench says how."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing]))

(defn- lines-of [limit-s & words]
  (let [{:keys [exit out err]} (apply testing/run {:limit-s limit-s} words)]
    (print out)
    (flush)
    (is (= 0 exit) (str (first words) " failed: " err))
    (str/split-lines out)))

(defn- last-line [& words] (last (apply lines-of words)))

(deftest ^{:slow true :jdk :floor :timeout 300} launch-takes-at-most-half-the-time-of-a-shell
  (lan/needs-root!)
  (let [line (last-line 280 "test/bench/launch" 7 100 lan/program)
        [_ ratio] (re-find #"^launch ontap .* ratio ([0-9.]+)$" line)]
    (is (some? ratio) (str "test/bench/launch should end with its ratio, ended with: " line))
    (is (<= (parse-double ratio) 0.5) (str "a hundred services should start in half the time: " line))))

(defn- gcc? [] (= 0 (:exit (testing/run {} "sh" "-c" "command -v gcc"))))

(defn- needs-gcc! []
  (when-not (gcc?) (testing/skip! "gcc is not installed (Debian: gcc, libc6-dev)")))

(deftest ^{:slow true :jdk :floor :timeout 300} idle-costs-no-more-than-an-empty-jvm
  (lan/needs-root!)
  ;; a hundred of what `ontap up`, ontapd and `ontap zone` (without and with multicast DNS) have make no system calls while
  ;; nothing happens
  (let [wanted (if (gcc?) ["ontap" "ontapd" "zone" "mdns"] ["ontap" "zone" "mdns"])
        lines  (apply lines-of 280 "test/bench/idle" 1 30 100 lan/program
                      (if (gcc?) ["up" "ontapd" "zone" "mdns"] ["up" "zone" "mdns"]))]
    (doseq [program wanted
            :let [[line & figures] (some #(re-find (re-pattern (str "^idle " program " (\\d+), empty (\\d+), allowed (\\d+)$")) %)
                                         lines)
                  [calls _ allowed] (map parse-long figures)]]
      (is (some? calls) (str "test/bench/idle should end with the figures of " program))
      (is (<= (or calls 1) (or allowed 0)) (str "an idle " program " should make no calls of its own: " line))))
  (needs-gcc!))

(deftest ^{:slow true :jdk :floor :timeout 300} an-attach-takes-about-as-long-as-ip-in-a-shell
  (lan/needs-root!)
  (needs-gcc!)
  (let [lines (lines-of 280 "test/bench/attach" 3 40 lan/program)]
    (doseq [type ["macvlan" "macvtap"]
            :let [[line ratio] (some #(re-find (re-pattern (str "^attach " type ": .* ratio ([0-9.]+)$")) %) lines)]]
      (is (some? ratio) (str "test/bench/attach should say what an attach of " type " takes"))
      ;; the figures of a quiet machine are in doc/measurements.md: about 1
      (is (<= (parse-double (or ratio "99")) 2.5) (str "an attach should take no more than a few of ip's: " line)))))

(deftest ^{:slow true :jdk :floor :timeout 300} two-hundred-links-bind-at-once-through-one-daemon
  (lan/needs-root!)
  (needs-gcc!)
  ;; ends with a failure unless each link has another address, and the server wrote down the same
  (let [lines (lines-of 280 "test/bench/dhcp" 1 200 lan/program)
        [_ threads] (some #(re-find #"^dhcp threads (\d+)" %) lines)
        [line ratio] (some #(re-find #"^dhcp 200 links: .* ratio ([0-9.]+)$" %) lines)]
    (is (some? threads) "test/bench/dhcp should say how many threads ontapd had for it")
    (is (<= (parse-long (or threads "99")) 2) (str "one daemon should serve all links by no more than two threads: " lines))
    (is (some? ratio) "test/bench/dhcp should end with what both sides take")
    ;; the figures of a quiet machine are in doc/measurements.md: about 0.2
    (is (<= (parse-double (or ratio "99")) 2.5) (str "one daemon should not be slower than 200 processes: " line))))

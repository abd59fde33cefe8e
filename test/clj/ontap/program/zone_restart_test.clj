;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-restart-test
  "A zone that ends and is started again: the same names for the same namespaces, since when they have them, and a serial
  that only grows, however it ended."
  (:require [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- who
  "Name -> [namespace, since]."
  [lan]
  (into {} (map (juxt :name (juxt :nsid :since-ms))) (zone/rows lan)))

(defn- ended-and-begun-again
  "Ends the zone of `lan` `times` times, by the signals of `signals` in turn, between changes."
  [times signals]
  (zone/with-lan [lan]
    (let [older  (zone/workload! lan "z0" "web" ["10.77.0.40/24"])
          zone   (volatile! (zone/start-plain lan))
          younger (zone/workload! lan "a0" "web" ["10.77.0.41/24"])
          names! #(do (zone/await-data lan "web.vanya" "A" #{"10.77.0.40"})
                      (zone/await-data lan "web-2.vanya" "A" #{"10.77.0.41"}))
          _      (names!)
          before (who lan)]
      (is (= #{"web" "web-2"} (set (keys before))))
      ;; it is written down within a second, whatever happens then
      (t/wait-for "names on disk" #(= 2 (count (:saved/claims (zone/kept lan)))))
      (doseq [[n signal] (map vector (range times) (cycle signals))
              :let [change (str "10.77.0." (+ 100 (long n)))]]
        ;; changes, of which the last one may not be on disk
        (netns/ip older "addr" "add" (str change "/24") "dev" "z0")
        (zone/await-data lan "web.vanya" "A" #{"10.77.0.40" change})
        (netns/ip older "addr" "del" (str change "/24") "dev" "z0")
        (zone/await-data lan "web.vanya" "A" #{"10.77.0.40"})
        (let [serial (zone/serial lan)
              status (lan/end! @zone signal)]
          (is (= (if (= "TERM" signal) 0 137) status))
          ;; something happens while nobody looks
          (netns/ip younger "link" "set" "a0" "down")
          (netns/ip younger "link" "set" "a0" "up")
          (vreset! zone (zone/start-plain lan))
          (names!)
          (is (= before (who lan)) signal)
          (is (< (long serial) (long (zone/serial lan))) (str signal " " n))))
      (netns/end! older)
      (zone/await-data lan "web.vanya" "A" #{"10.77.0.41"})
      (zone/await-rcode lan "web-2.vanya" "A" "NXDOMAIN"))))

(deftest ^{:jdk :floor} the-same-after-a-restart (ended-and-begun-again 2 ["KILL" "TERM"]))

(deftest ^{:jdk :floor :long true :timeout 400} the-same-after-twenty-restarts (ended-and-begun-again 20 ["KILL" "TERM" "KILL"]))

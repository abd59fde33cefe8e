;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ontapd-halt-test
  "ontapd ends itself, as `kill -9` would, at each named point between a link and its
  answer (`ontap.run.halt`), once for each kind of request. The next one finds the
  truth: who was answered has a link that works, of the rest nothing is left."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.borrowers :as borrowers]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.uml :as uml]
            [ontap.run.halt :as halt]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(def ^:private points ["lease-made" "lease-written" "lease-answered"])

(def ^:private kinds
  "What is asked for, and whether it ends with its holder."
  [{"type" "macvlan" "name" "www"}
   {"type" "macvlan" "lease" "holder"}
   {"type" "macvtap" "queues" "2" "name" "vm1"}
   {"type" "macvtap" "name" "vm2" "keep" "yes"}
   {"type" "tap" "port" "br0"}
   {"type" "tap" "port" "br0" "keep" "yes" "name" "vm3"}])

(defn- halted!
  "Asks the `daemon` that ends at `point` for `asks`; the borrower."
  [{:keys [lan clients daemon]} point asks]
  (let [borrower (borrowers/start lan clients asks)]
    (when-not (= 137 (try (lan/await-end daemon 30) (catch Exception _)))
      (throw (ex-info (str "It should have ended itself at " point "; it said:\n" (lan/said daemon)
                           "\nand who asked:\n" (lan/said borrower))
                      {})))
    (is (= (= "lease-answered" point) (borrowers/await-held borrower)) "Only the last point is after the answer.")
    borrower))

(defn- recovered!
  "Judges what the next `daemon` made of `borrower`, which is ended then."
  [{:keys [lan clients before heard]} {:keys [asks] :as borrower}]
  (is (= [] (borrowers/await-truth lan before [borrower])) "What is written down is what there is.")
  (when (borrowers/running? borrower)
    (is (nil? (borrowers/fault borrower (when-not (= "tap" (get asks "type")) heard))) "Its link works.")
    (is (= 0 (borrowers/leave! borrower))))
  (doseq [[id lease] (ontapd/await-book lan "its end" (partial every? (comp #{:kept} :lease/state val)))]
    (is (= "yes" (get asks "keep")) (str "Only what was asked to is kept: " lease))
    (is (= 0 (:exit (lan/sh lan :host (str clients "/ontap-client") (ontapd/socket lan) "release" (str id))))))
  (is (= [] (borrowers/await-truth lan before [])) "Nothing is left."))

(deftest ^{:slow true :timeout 400 :jdk :floor} halts-between-a-link-and-its-answer
  (lan/needs-root!)
  (uml/build-program!)
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (lan/with-lan [lan]
      (lan/sh! lan :host "ip" "link" "add" "br0" "type" "bridge")
      (let [config (ontapd/config! lan {"up0" {} "br0" {}})
            start  (fn [point] (ontapd/start lan {:env {"ONTAP_HALT_AT" point}} "--config" config))
            t      {:lan lan :clients (str clients) :before (borrowers/namespaces lan) :heard (borrowers/listen lan)}
            all    (for [asks kinds, point points] [asks point])
            last-one
            (reduce (fn [daemon [[asks point] [_ then]]]
                      (testing (str point " of " (pr-str asks))
                        (let [borrower (halted! (assoc t :daemon daemon) point asks)
                              ;; the next one ends at its first request: taking up passes no point
                              next     (start (or then point))]
                          (try (recovered! t borrower)
                               (finally (borrowers/kill! borrower)))
                          next)))
                    (start (first points))
                    (map vector all (concat (rest all) [nil])))]
        (is (= 0 (ontapd/stop! last-one)) "SIGTERM ends the last one with 0.")
        (is (= [] (borrowers/untruths lan (:before t) [])) "Nothing is left.")
        (lan/end! (:heard t) "KILL")))))

(deftest every-point-is-tried
  (is (= (set points) (set/select #(re-find #"^lease-" %) halt/points))
      "The points of an allocator are those of these tests."))

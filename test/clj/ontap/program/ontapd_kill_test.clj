;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ontapd-kill-test
  "`kill -9` of ontapd, and its upgrade by SIGTERM, at moments drawn by chance, while ten
  clients at once take links, keep them, leave and are killed. The next ontapd finds the
  truth: each holder has its link, which works, and nothing else is left; what ended can
  be had again."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.borrowers :as borrowers]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.uml :as uml]
            [ontap.testing :as testing-tools])
  (:import (java.util Random)
           (java.util.concurrent.locks ReentrantReadWriteLock)))

(set! *warn-on-reflection* true)

(def ^:private clients-at-once 10)
(def ^:private most-holders 8)

;; --- what clients do, each in a thread of ours

(defn- asks
  "What is asked for, by chance. Names are few, so that some are in use."
  [^Random chance]
  (let [name {"name" (str "name-" (.nextInt chance 8))}]
    (case (.nextInt chance 6)
      0 {"type" "macvlan"}
      1 (merge name {"type" "macvlan"})
      2 {"type" "macvlan" "lease" "holder"}
      3 (merge name {"type" "macvtap" "queues" (str (inc (.nextInt chance 3)))})
      4 {"type" "macvtap"}
      5 (merge name {"type" "macvtap" "keep" "yes"}))))

(defn- pause! [^Random chance most-ms] (Thread/sleep (.nextInt chance (int most-ms))))

(defn- visit!
  "One client takes a link, if it can, and leaves, or is killed, or stays among `holders`.
  Returns what it should not have said, or nil."
  [{:keys [lan clients holders]} ^Random chance]
  (let [borrower (borrowers/start lan clients (asks chance))
        way      (.nextInt chance 10)]
    (if (< way 3)
      (do (pause! chance 60)
          (borrowers/kill! borrower)
          nil)
      (let [held? (borrowers/await-held borrower)]
        (if (and held? (< 7 way) (< (count @holders) (long most-holders)))
          (do (swap! holders conj borrower) nil)
          (do (when held? (pause! chance 30))
              (let [status (borrowers/leave! borrower), said (borrowers/said borrower)]
                ;; refused, for a name is in use; or nobody is there to answer
                (when-not (or (= [true 0] [held? status])
                              (and (= [false 3] [held? status]) (str/includes? said "rule name"))
                              (= [false 111] [held? status]))
                  (str "status " status ", " (:asks borrower) ": " said)))))))))

(defn- client!
  "Visits again and again, while nobody holds the lock `calm`, until :stop? of `t` says so:
  a future of what went wrong."
  [{:keys [lan ^ReentrantReadWriteLock calm stop?] :as t} ^Random chance]
  (future
    (loop [wrong []]
      (if @stop?
        wrong
        (let [lock (.readLock calm)
              said (do (.lock lock)
                       (try (when (.exists (io/file (ontapd/socket lan))) (or (visit! t chance) :fine))
                            (finally (.unlock lock))))]
          (when-not said (Thread/sleep 20))
          (recur (cond-> wrong (string? said) (conj said))))))))

(defmacro ^:private calmly
  "The body, while no client visits; those who stay, stay."
  [t & body]
  `(let [lock# (.writeLock ^ReentrantReadWriteLock (:calm ~t))]
     (.lock lock#)
     (try ~@body (finally (.unlock lock#)))))

;; --- one kill

(defn- release-kept! [{:keys [lan clients]}]
  (doseq [[id {:lease/keys [state]}] (ontapd/book lan) :when (= :kept state)]
    (is (= 0 (:exit (lan/sh lan :host (str clients "/ontap-client") (ontapd/socket lan) "release" (str id))))
        "What was kept can be released.")))

(defn- judge! [{:keys [lan before holders heard] :as t}]
  (is (= [] (remove borrowers/running? @holders)) "Every holder lives on.")
  (is (= [] (borrowers/await-truth lan before @holders)) "What is written down is what there is.")
  (doseq [holder @holders]
    (is (nil? (borrowers/fault holder heard)) (str "The link of " (:asks holder) " works.")))
  (release-kept! t)
  (is (= [] (borrowers/await-truth lan before @holders)) "What was kept is gone once it is released."))

(defn- end-some!
  "About half of the holders leave or are killed; the name of one is taken again."
  [{:keys [lan clients before holders ^Random chance]}]
  (let [{going true staying false} (group-by (fn [_] (.nextBoolean chance)) @holders)]
    (doseq [holder going]
      (if (.nextBoolean chance) (borrowers/kill! holder) (is (= 0 (borrowers/leave! holder)))))
    (reset! holders (vec staying))
    (when-let [again (first (filter #(get-in % [:asks "name"]) going))]
      ;; what was asked to be kept is, and is the same user's to take
      (let [borrower (borrowers/start lan clients (:asks again))
            held?    (borrowers/await-held borrower)]
        (borrowers/leave! borrower)
        (is held? (str "Taken again: " (:asks again) "; it said " (borrowers/said borrower)))))
    (is (= [] (borrowers/await-truth lan before staying)) "What they had is gone.")))

(def ^:private moments
  "Moment -> what happens to `daemon` up to the start of the one that is judged, which is
  returned running."
  (let [end! (fn [daemon signal]
               (let [status (ontapd/stop! daemon signal)]
                 (is (= (if (= "KILL" signal) 137 0) status) (str "It ended by SIG" signal))))]
    {:under-load (fn [{:keys [start chance]} daemon signal]
                   (pause! chance 600)
                   (end! daemon signal)
                   (start))
     :taking-up  (fn [{:keys [lan start chance]} daemon signal]
                   (pause! chance 300)
                   (end! daemon signal)
                   (let [young (ontapd/spawn lan {:verbosity "info"} "up0")]
                     (Thread/sleep (+ 200 (.nextInt ^Random chance 1200)))
                     (end! young "KILL"))
                   (start))}))

(defn- settle!
  "After the last kill: all leave, and nothing is left."
  [{:keys [lan before holders daemon] :as t}]
  (run! borrowers/leave! @holders)
  (reset! holders [])
  (judge! t)
  (is (= [] (filter #(re-find #"^(net:|/proc|anon_inode:\[pidfd\]|.*/leases/)" %)
                    (vals (process/descriptors (:pid @daemon)))))
      "ontapd holds no namespace, process or FIFO.")
  (is (= 0 (ontapd/stop! @daemon)) "SIGTERM ends the last one with 0.")
  (is (= [] (borrowers/untruths lan before [])) "Nothing is left.")
  (is (empty? (.listFiles (io/file (ontapd/path lan "leases")))) "No FIFO is left.")
  (is (= 0 (borrowers/mounts lan)) "No mount is left."))

(defn- kill-again-and-again! [{:keys [chance daemon visits stop?] :as t} signals seed]
  (doseq [[turn signal] (map vector (rest (range)) signals)
          :let [moment (if (zero? (mod turn 4)) :taking-up :under-load)]]
    (testing (str "SIG" signal " " turn ", " moment ", seed " seed)
      (swap! daemon #((moments moment) t % signal))
      ;; it meets clients before it is judged, or not
      (when (.nextBoolean ^Random chance) (pause! chance 400))
      (calmly t (judge! t) (end-some! t))))
  (reset! stop? true)
  (is (= [] (take 3 (mapcat deref visits))) "No client met what it should not.")
  (testing "in the end" (settle! t)))

(defn- kills
  "Ends ontapd by one of the `signals` after the other."
  [signals]
  (lan/needs-root!)
  (uml/build-program!)
  (let [seed (or (some-> (System/getenv "ONTAP_TEST_SEED") parse-long) (System/nanoTime))]
    (println (str "ontapd-kill-test: ONTAP_TEST_SEED=" seed))
    (testing-tools/with-temp-dir [clients]
      (uml/compile-clients! clients)
      (lan/with-lan [lan]
        (let [start  #(ontapd/start lan {:verbosity "info"} "up0")
              heard  (borrowers/listen lan)
              before (borrowers/namespaces lan)
              t      {:lan lan :clients (str clients) :start start :chance (Random. seed) :holders (atom [])
                      :before before :heard heard :calm (ReentrantReadWriteLock. true) :stop? (atom false)
                      :daemon (atom (start))}
              visits (mapv (fn [i] (client! t (Random. (+ seed i 1)))) (range clients-at-once))]
          (try
            (kill-again-and-again! (assoc t :visits visits) signals seed)
            (finally
              (reset! (:stop? t) true)
              (run! #(deref % 60000 nil) visits)
              (run! borrowers/kill! @(:holders t))
              (ontapd/clean! lan @(:daemon t))
              (lan/end! heard "KILL"))))))))

;; every third is an upgrade; both signals come at both moments
(deftest ^{:slow true :timeout 600 :jdk :floor} kills-and-upgrades (kills (take 15 (cycle ["KILL" "KILL" "TERM"]))))

(deftest ^{:long true :timeout 1200} fifty-kills (kills (repeat 50 "KILL")))

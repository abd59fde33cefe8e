;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.kill-test
  "`kill -9` of the supervisor of five services, at moments drawn by chance: every
  workload that lives then lives on, the next `ontap up` takes it up and starts no
  second copy, status is true, and the log of one that writes 1 MB/s has every line
  but those that a stated cut lost."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.numbered :as numbered]
            [ontap.harness.workloads :as workloads]
            [ontap.testing :as testing])
  (:import (java.util Collections List Random)))

(set! *warn-on-reflection* true)

;; --- the five

(defn- five
  "The declarations; `turns`: name -> a number in its environment, to change it."
  [mark netns turns]
  (for [s [(workloads/declared mark "plain" 11 :user "nobody")
           (workloads/declared mark "ready" 12 :user "daemon" :ready {:fd 3} :requires [(str "plain-" mark)]
                               :exec ["sh" "-c" "echo >&3; exec sleep 3600"])
           (workloads/declared mark "named" 13 :netns netns)
           (workloads/declared mark "logger" 14 :user "bin" :exec ["perl" "-e" workloads/writer]
                               :log {:max-size "2M"})
           (workloads/declared mark "host" 15 :netns :host :link "mac0" :uts false)]]
    (assoc-in s [:env "TURN"] (str (get turns (:name s) 0)))))

;; --- moments: what goes on while the supervisor is killed

(defn- asking
  "Asks in a thread of its own; the supervisor's end is an answer too."
  [lan command & names]
  (future (try (apply workloads/ask lan command names) (catch Throwable _ nil))))

(defn- pause! [^Random chance least most] (Thread/sleep (+ least (.nextInt chance (- most least)))))

(def ^:private moments
  "Moment -> (fn [test] ..) that begins what goes on and waits, by chance, for some of
  it; gives {:sup spawned :touched names that may change their process}, and :turns
  (see `five`) when they are others now."
  {:steady
   (fn [{:keys [sup chance]}]
     (pause! chance 0 300)
     {:sup sup :touched #{}})

   :restart
   (fn [{:keys [lan sup chance pick]}]
     (asking lan :restart pick)
     (pause! chance 0 200)
     {:sup sup :touched #{pick}})

   :stop
   (fn [{:keys [lan sup chance pick mark]}]
     (asking lan :stop pick)
     (pause! chance 0 200)
     {:sup sup :touched (cond-> #{pick} (str/starts-with? pick "plain-") (conj (str "ready-" mark)))})

   :reload
   (fn [{:keys [lan sup chance pick mark netns turns]}]
     (let [turns (update turns pick (fnil inc 0))]
       (lan/write-file lan (five mark netns turns))
       (asking lan :reload)
       (pause! chance 0 250)
       {:sup sup :touched #{pick} :turns turns}))

   :leave
   (fn [{:keys [sup chance names]}]
     (testing/run {} "kill" "-TERM" (:pid sup))
     (pause! chance 0 300)
     {:sup sup :touched (set names)})

   :adoption
   (fn [{:keys [lan sup chance file mark]}]
     (lan/end! sup "KILL")
     (let [sup (workloads/up lan mark file)]
       (pause! chance 100 1500)
       {:sup sup :touched #{}}))

   :first-start
   (fn [{:keys [lan sup chance file names mark]}]
     (is (= 0 (lan/end! sup "TERM")) "SIGTERM: all is stopped, exit status 0.")
     (let [sup (workloads/up lan mark file)]
       (pause! chance 300 1800)
       {:sup sup :touched (set names)}))})

(defn- sequence-of
  "`n` moments, each kind as often as another, in an order drawn by chance."
  [n ^Random chance]
  (let [all (vec (take n (cycle (sort (keys moments)))))
        mixed (java.util.ArrayList. ^List all)]
    (Collections/shuffle mixed chance)
    (vec mixed)))

;; --- one kill

(defn- kill-once
  "Kills at `moment`, starts the next supervisor, and judges; the next test."
  [{:keys [lan mark netns names file] :as t} moment]
  (let [before  (workloads/copies mark)
        {:keys [sup touched turns]} ((moments moment) t)
        _       (lan/end! sup "KILL")
        dead    (workloads/copies mark)
        log     (numbered/judge (str (:dir lan) "/run/log/logger-" mark ".log"))
        next    (workloads/up lan mark file)
        [rows after] (workloads/await-truth lan next mark)
        running (for [[n r] rows :when (= :ready (:state r))] n)]
    (doseq [n names
            :let [untouched? (not (touched n))]]
      (when untouched?
        (is (= (before n) (dead n)) (str n ": the supervisor's end leaves it alone."))
        (is (= (before n) (after n)) (str n " lives on, and is the only copy.")))
      (is (contains? (cond-> #{:ready} (= :stop moment) (conj :down)) (:state (rows n)))
          (str n " is ready again, or was asked to stop: " (pr-str (rows n)))))
    (when (#{:first-start} moment)
      (doseq [[n alive] dead] (is (= alive (after n)) (str n " was started just before, and lives on."))))
    (is (= [] (workloads/untrue rows after)) "What status says is true.")
    (is (= [] (workloads/orphans lan mark (five mark netns {}) running netns)) "Nothing is left of what is over.")
    (is (= [] (take 5 (:wrong log))) (str "The log has every line: " (dissoc log :wrong)))
    (apply workloads/ask lan :start names)
    (cond-> (-> t (assoc :sup next) (update :lost + (:lost log)))
      turns       (assoc :turns turns)
      (:cut? log) (update :cuts inc))))

(defn- kills [n]
  (lan/needs-root!)
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v perl"))) (testing/skip! "perl writes the log"))
  (let [seed   (or (some-> (System/getenv "ONTAP_TEST_SEED") parse-long) (System/nanoTime))
        chance (Random. seed)
        mark   (workloads/mark)
        netns  (str "ontap-" mark)]
    (println (str "kill-test: ONTAP_TEST_SEED=" seed))
    (workloads/with-named-namespace netns
      (lan/with-lan [lan]
        (let [services (five mark netns {})
              names    (mapv :name services)
              file     (lan/write-file lan services)
              sup      (workloads/up lan mark file)]
          (try
            (workloads/await-settled lan sup)
            (let [moves (sequence-of n chance)
                  {:keys [sup lost cuts]}
                  (loop [t {:lan lan :mark mark :netns netns :names names :file file :sup sup :chance chance
                            :turns {} :lost 0 :cuts 0}
                         turn 0]
                    (if-let [moment (get moves turn)]
                      (recur (testing (str "kill " (inc turn) ", " (name moment) ", seed " seed)
                               (kill-once (assoc t :pick (nth names (.nextInt chance 5))) moment))
                             (inc turn))
                      t))]
              (println (str "kill-test: " lost " lines lost at " cuts " cuts that were looked at"))
              (is (= 0 (lan/end! sup "TERM")) "The last one stops all in order and exits with 0.")
              (is (= {} (workloads/copies mark)) "Nothing lives on.")
              (is (= [] (workloads/orphans lan mark services [] netns)) "Nothing is left."))
            (finally (workloads/kill-all! mark))))))))

(deftest ^{:slow true :timeout 400 :jdk :floor} twenty-kills (kills 20))

(deftest ^{:long true :timeout 3000} two-hundred-kills (kills 200))

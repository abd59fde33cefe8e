;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.halt-test
  "The supervisor ends itself, as `kill -9` would, at each named point of
  `ontap.run.halt`; the next `ontap up` must find everything as if nothing had
  happened: one copy of each, status true, and no link, control group, FIFO or record
  of what came to nothing. The services differ in what could be left: a namespace of
  their own, a named one, the host's."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.numbered :as numbered]
            [ontap.harness.workloads :as workloads]
            [ontap.run.halt :as halt]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn- three [mark netns]
  [(workloads/declared mark "own" 21 :user "nobody" :ready {:fd 3}
                       :exec ["sh" "-c" "echo >&3; exec sleep 3600"])
   (workloads/declared mark "named" 22 :netns netns)
   (workloads/declared mark "host" 23 :user "daemon" :netns :host :link "mac0" :uts false
                       :requires [(str "own-" mark)])])

(defn- halted!
  "Runs `ontap up` until it ends itself at `point`; `meanwhile` is called once it
  answers, if it is given."
  [{:keys [lan mark file]} point & [meanwhile]]
  (let [sup (workloads/up lan mark file "ONTAP_HALT_AT" point)]
    (when meanwhile
      (workloads/await-settled lan sup)
      (meanwhile sup))
    (is (.waitFor ^Process (:process sup) 60 java.util.concurrent.TimeUnit/SECONDS)
        (str "It ends at " point "; it said: " (workloads/said sup)))
    (is (= 137 (lan/end! sup "KILL")) "It was ended by SIGKILL.")))

(defn- recovered!
  "Starts the next supervisor and judges; gives it."
  [{:keys [lan mark file services netns]}]
  (let [dead          (workloads/copies mark)
        sup           (workloads/up lan mark file)
        [rows copies] (workloads/await-truth lan sup mark)
        running       (for [[n {:keys [state]}] rows :when (= :ready state)] n)]
    (is (= [] (workloads/untrue rows copies)) "Status is true.")
    (is (= [] (workloads/orphans lan mark services running netns)) "Nothing is left of what came to nothing.")
    {:sup sup :rows rows :dead dead :copies copies}))

(defn- stopped! [{:keys [lan mark services netns]} {:keys [sup]}]
  (is (= 0 (lan/end! sup "TERM")) "It stops all in order and exits with 0.")
  (is (= [] (workloads/living mark)) "Nothing lives on.")
  (is (= [] (workloads/orphans lan mark services [] netns)) "Nothing is left."))

(defmacro ^:private with-three [[t] & body]
  `(do
     (lan/needs-root!)
     (let [mark#  (workloads/mark)
           netns# (str "ontap-" mark#)]
       (workloads/with-named-namespace netns#
         (lan/with-lan [lan#]
           (let [services# (three mark# netns#)
                 ~t {:lan lan# :mark mark# :netns netns# :services services#
                     :file (lan/write-file lan# services#)}]
             (try ~@body (finally (workloads/kill-all! mark#)))))))))

(def ^:private start-points ["link-made" "intent-written" "spawned" "pid-written"])

(deftest ^{:slow true :timeout 300 :jdk :floor} halts-on-the-way-up
  (with-three [{:keys [mark services] :as t}]
    (doseq [point start-points, {:keys [name]} services]
      (testing (str point " of " name)
        (halted! t (str point ":" name))
        (let [{:keys [rows dead copies] :as r} (recovered! t)]
          (is (= #{:ready} (set (map :state (vals rows)))) "All are ready.")
          (doseq [[n alive] dead]
            (is (= alive (copies n)) (str n " had been started, and lives on.")))
          (when (#{"spawned" "pid-written"} point)
            (is (= 1 (count (dead name))) "It lived already."))
          (stopped! t r))))
    (is (= {} (workloads/copies mark)))))

(deftest ^{:slow true :timeout 200 :jdk :floor} halts-on-the-way-down
  (with-three [{:keys [lan mark services] :as t}]
    (let [own   (:name (first services))
          names (mapv :name services)]
      (doseq [[what meanwhile down]
              [["a stop"    (fn [_] (future (try (workloads/ask lan :stop own) (catch Throwable _)))) #{own (str "host-" mark)}]
               ["a restart" (fn [_] (future (try (workloads/ask lan :restart own) (catch Throwable _)))) #{}]
               ["the end of all" (fn [sup] (testing/run {} "kill" "-TERM" (:pid sup))) #{}]]]
        (testing (str "half-stopped, by " what)
          (halted! t (str "half-stopped:" own) meanwhile)
          (let [{:keys [rows] :as r} (recovered! t)]
            (doseq [n names]
              (is (= (if (down n) :down :ready) (:state (rows n)))
                  (str n ": who was asked to stop stays down, all else is ready.")))
            (stopped! t r)))))))

(deftest ^{:slow true :timeout 120 :jdk :floor} halts-in-the-middle-of-a-cut
  (lan/needs-root!)
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v perl"))) (testing/skip! "perl writes the log"))
  (let [mark (workloads/mark)]
    (lan/with-lan [lan]
      (let [services [(workloads/declared mark "logger" 24 :log {:max-size "1M"}
                                          :exec ["perl" "-e" workloads/writer])]
            t        {:lan lan :mark mark :services services :file (lan/write-file lan services)}
            log      (str (:dir lan) "/run/log/logger-" mark ".log")]
        (try
          (halted! t "log-cut")
          (let [before  (numbered/judge log)
                {:keys [dead copies sup] :as r} (recovered! t)
                _       (lan/await-line sup #"log cut")
                _       (lan/end! sup "KILL")
                after   (numbered/judge log)]
            (is (= dead copies) "The writer lives on.")
            (is (= [] (:wrong before)) "No line is lost at the halt.")
            (is (= [] (:wrong after)) "No line is lost but at the stated cut.")
            (is (:cut? after) "The cut that was not finished is done again, and stated.")
            (is (< (:lost after) 2000) (str "Little is lost: " (:lost after) " lines."))
            (stopped! t (recovered! t)))
          (finally (workloads/kill-all! mark)))))))

(deftest every-point-is-tried
  (is (= (set/select #(not (re-find #"^lease-" %)) halt/points)
         (set/union (set start-points) #{"half-stopped" "log-cut"}))
      "The points of ontap.run.halt are those of these tests, but for an allocator's (ontap.program.ontapd-halt-test)."))

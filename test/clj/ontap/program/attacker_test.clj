;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.attacker-test
  "A service that sends SIGKILL to every thread of its supervisor, all the time, while
  another service of the same user is started 200 times and more.

  What tells success: the supervisor is the same process at the end, answers, and stops
  with 0; the attacker, which is never restarted, has by then gone over all threads many
  times, and could end a process of its own user. A run of the other service that the
  attacker cuts short (its setpriv, once it has the user's uid) only counts as a run
  that failed."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private restarts 200)

(def ^:private script
  "The supervisor is the parent."
  "sleep 1000 & kill -KILL $!; wait $!
   echo \"own process: $?\"
   round=0
   while :; do
     threads=0
     for t in /proc/$PPID/task/*; do
       threads=$((threads + 1))
       kill -KILL ${t##*/} 2>/dev/null && echo \"hit ${t##*/}\"
     done
     round=$((round + 1))
     [ $((round % 1000)) != 0 ] || echo \"round $round threads $threads\"
   done")

(def ^:private shared
  {:port "up0" :type "macvlan" :ipv6 :none :acd false :user "daemon"
   :restart {:delay 0 :max-delay 0 :limit 1000000 :window "1s"}})

(def ^:private services
  [(assoc shared :name "attacker" :ipv4 "10.77.0.5/24" :exec ["sh" "-c" script])
   ;; its identity is taken in a namespace of its own, and in the host's
   (assoc shared :name "victim" :ipv4 "10.77.0.6/24" :exec ["true"])
   (assoc shared :name "neighbour" :ipv4 "10.77.0.7/24" :exec ["false"] :netns :host :uts false)
   (assoc shared :name "other" :ipv4 "10.77.0.8/24" :exec ["sleep" "1000"] :user "nobody")])

(deftest ^{:slow true :timeout 240} threads-of-the-supervisor-are-out-of-reach
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [up (lan/up lan (lan/write-file lan services))]
      (lan/await-listening lan up)
      (lan/await-ready lan "other")
      (let [before  (lan/status lan)
            threads (count (.list (java.io.File. (str "/proc/" (:pid up) "/task"))))
            begun   (System/nanoTime)
            rows    (t/wait-for (str restarts " restarts under attack; it said:\n" (lan/said up)) 180000
                                #(let [rows (lan/status lan)]
                                   (when (<= restarts (:restarts (rows "victim"))) rows)))
            seconds (quot (- (System/nanoTime) begun) 1000000000)
            lines   (str/split-lines (slurp (:log (rows "attacker"))))
            rounds  (keep #(some->> (re-matches #"round (\d+) threads (\d+)" %) rest (mapv parse-long))
                          lines)]
        (println (str "attacker-test: " (:restarts (rows "victim")) " and "
                      (:restarts (rows "neighbour")) " restarts in " seconds " s, "
                      (first (last rounds)) " rounds over " threads " threads and more"))
        (is (some #{"own process: 137"} lines)
            "the attacker is able to end a process of its own user")
        (is (empty? (filter #(str/starts-with? % "hit ") lines))
            "no signal to a thread of the supervisor was let through by the kernel")
        (is (< restarts (first (last rounds)))
            "the attacker went over all threads more often than there were restarts")
        (is (<= 3 (apply max (map second rounds))) "and saw the threads of a JVM")
        (is (= (:pid (before "attacker")) (:pid (rows "attacker")))
            "the attacker itself was never restarted")
        (is (= (:pid (before "other")) (:pid (rows "other")))
            "a service of another user was not touched")
        (is (process/alive? (:pid up)) "the supervisor is the process that it was")
        (is (= 0 (lan/end! up "TERM" 60)) "the supervisor still stops all and exits with 0")
        (is (not (process/alive? (:pid (rows "attacker")))) "the attacker is stopped as any other")))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.adopt-test
  "What changed while no supervisor lived: the next `ontap up` finds out. One supervisor
  is killed, everything is done to its services and its files, and the next one is
  asked what it made of it."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.workloads :as workloads]
            [ontap.testing :as testing])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(defn- waiting-for
  "Words that wait until `file` is there to be read, a FIFO, and then go on with `then`."
  [file then]
  ["sh" "-c" (str "read x < " file "; " then)])

(defn- fifo! [^File dir name]
  (let [file (.getPath (io/file dir name))]
    (is (= 0 (:exit (testing/run {} "mkfifo" "-m" "666" file))))
    file))

(defn- go-on! [file] (spit file "go\n"))

(defn- only [copies name] (first (get copies name)))

(defn- record [lan name] (io/file (:dir lan) "run" "services" (str name ".edn")))

(defn- await-row
  "Waits until the row of `name` in status is as `f` says; gives it."
  [lan name f]
  (let [row (volatile! nil)]
    (try
      (testing/wait-for name 20000
        #(do (vreset! row (get (workloads/status lan) name))
             (when (f @row) @row)))
      (catch clojure.lang.ExceptionInfo e
        (throw (ex-info (str (ex-message e) ", which is " (pr-str @row)) {}))))))

(deftest ^{:slow true :timeout 120} while-nobody-watched
  (lan/needs-root!)
  (let [mark  (workloads/mark)
        netns (str "ontap-" mark)
        n     #(str % "-" mark)]
    (workloads/with-named-namespace netns
      (lan/with-lan [lan]
        (.setExecutable ^File (:dir lan) true false)
        (let [fifos    (into {} (map (juxt identity #(fifo! (:dir lan) %)))
                             ["seven" "ended" "late" "signalled"])
              declared (partial workloads/declared mark)
              never    {:policy :never}
              services [(declared "seven" 31 :restart never :exec (waiting-for (fifos "seven") "exit 7"))
                        (declared "signalled" 32 :restart never :user "nobody"
                                  :exec (waiting-for (fifos "signalled") "kill -USR1 $$"))
                        (declared "ended" 33 :restart never :exec (waiting-for (fifos "ended") "exit 5"))
                        (declared "late" 34 :user "daemon" :ready {:fd 3}
                                  :exec (waiting-for (fifos "late") "echo >&3; exec sleep 3600"))
                        (declared "changed" 35)
                        (declared "removed" 36)
                        (declared "unnamed" 37 :netns netns :exec ["sleep" "3601"])
                        (declared "nolink" 38)
                        (declared "strays" 39 :restart never
                                  :exec ["sh" "-c" "setsid sleep 3602 & exec sleep 3603"])
                        (declared "idle" 40)]
              file     (lan/write-file lan services)
              sup      (workloads/up lan mark file)]
          (try
            (testing/wait-for "all to run" 60000
              #(let [rows (workloads/status lan)]
                 (and (= 10 (count rows)) (every? #{:up :ready} (map :state (vals rows))))))
            (is (= :up (:state ((workloads/status lan) (n "late")))) "One has not said that it is ready.")
            (workloads/ask lan :stop (n "idle"))

            ;; --- while no supervisor lives
            (let [pid-of (update-vals (workloads/status lan) :pid)
                  _      (lan/end! sup "KILL")
                  before (workloads/copies mark)
                  ended  (only before (n "ended"))]
              (go-on! (fifos "ended"))
              (go-on! (fifos "late"))
              (testing/wait-for "one to end" #(nil? (get (workloads/copies mark) (n "ended"))))
              ;; the strays' own shell ends; what it forked lives on
              (testing/run {} "kill" "-KILL" (pid-of (n "strays")))
              ;; a service without its link
              (lan/sh! lan :host "nsenter" (str "--net=/proc/" (:pid (only before (n "nolink"))) "/ns/net")
                       "ip" "link" "del" "eth0")
              ;; the workload of a named namespace ends, and the name goes
              (testing/run {} "kill" "-KILL" (:pid (only before (n "unnamed"))))
              (workloads/unname-namespace! netns)
              ;; records: of another boot, and unreadable
              (spit (record lan (n "ghost"))
                    (-> (edn/read-string (slurp (record lan (n "changed"))))
                        (assoc :record/boot-id "00000000-0000-0000-0000-000000000000" :record/name (n "ghost"))
                        (assoc-in [:record/service :service/name] (n "ghost"))
                        pr-str))
              (spit (record lan "broken") "{:record/v 1, :record/name")
              (spit (record lan "future") "{:record/v 99}")
              ;; the file
              (lan/write-file lan (for [s services :when (not= (n "removed") (:name s))]
                                    (cond-> s (= (n "changed") (:name s)) (assoc :exec ["sleep" "3700"]))))

              ;; --- the next one
              (let [sup   (workloads/up lan mark file)
                    state (fn [role s] (await-row lan (n role) #(= s (:state %))))]
                (doseq [bad ["broken" "future"]]
                  (is (lan/await-line sup (re-pattern (str "warning: .*" bad ".edn"))) "Of an unreadable record it warns."))
                (state "changed" :ready)
                (state "late" :ready)
                (state "nolink" :ready)
                (state "strays" :failed)
                (state "ended" :failed)
                (state "seven" :ready)
                (let [rows   (workloads/status lan)
                      after  (workloads/copies mark)
                      same?  (fn [role] (= (before (n role)) (after (n role))))]
                  (testing "what was left alone"
                    (is (same? "seven") "It lives on.")
                    (is (same? "signalled") "It lives on.")
                    (is (same? "late") "It lives on, and what it said while nobody listened is heard.")
                    (is (:adopted? (rows (n "late"))) "Status says that it was taken up."))
                  (testing "what ended"
                    (is (= {:unknown true} (:exit (rows (n "ended")))) "Nobody was there to hear how.")
                    (is (= :failed (:state (rows (n "ended")))) "It is never started again.")
                    (is (not= ended (only after (n "ended")))))
                  (testing "what its workload left behind"
                    (is (empty? (filter #(= "sleep 3602" (str/join " " (str/split (slurp (str "/proc/" % "/cmdline")) #"\u0000")))
                                        (workloads/living mark)))
                        "The process that it forked is ended too."))
                  (testing "what changed"
                    (is (= 1 (count (after (n "changed")))) "One copy of it.")
                    (is (not (same? "changed")) "It is another process.")
                    (is (= "3700" (second (str/split (slurp (str "/proc/" (:pid (only after (n "changed"))) "/cmdline")) #"\u0000")))
                        "It runs what is declared now."))
                  (testing "what is gone from the file"
                    (is (nil? (rows (n "removed"))))
                    (is (nil? (after (n "removed"))) "It was stopped.")
                    (is (not (.exists ^File (record lan (n "removed")))) "It is forgotten."))
                  (testing "what was stopped by a person"
                    (is (= :down (:state (rows (n "idle")))) "It stays down."))
                  (testing "what had lost its link"
                    (is (not (same? "nolink")) "It was started again, with one."))
                  (testing "what cannot run any more"
                    (is (await-row lan (n "unnamed") #(str/includes? (str (:reason %)) (str "/run/netns/" netns)))
                        "It says which namespace is missing.")
                    (is (nil? (get (workloads/copies mark) (n "unnamed")))))
                  (testing "what is of another boot"
                    (is (nil? (rows (n "ghost"))) "Nobody knows it.")
                    (is (not (.exists ^File (record lan (n "ghost")))) "Its record is removed.")))
                (testing "how adopted ones end"
                  (go-on! (fifos "seven"))
                  (go-on! (fifos "signalled"))
                  (is (= {:code 7} (:exit (state "seven" :failed))) "The kernel tells how.")
                  (is (= {:signal "USR1"} (:exit (state "signalled" :failed))) "The kernel tells how."))
                (is (= 0 (lan/end! sup "TERM")) "It stops all in order.")
                (is (= [] (workloads/living mark)) "Nothing lives on.")))
            (finally (workloads/kill-all! mark))))))))

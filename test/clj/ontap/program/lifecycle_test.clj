;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.lifecycle-test
  "A service's life under `ontap up`: order, reload, stop, back-off, readiness."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- service
  "A declaration that needs no router; `more` overrides."
  [name host & {:as more}]
  (merge {:name name :port "up0" :type "macvlan" :ipv6 :none :ipv4 (str "10.77.0." host "/24")
          :acd false :user "nobody" :exec ["sleep" "1000"]}
         more))

(defn- start [lan services]
  (let [up (lan/up lan (lan/write-file lan services))]
    (lan/await-listening lan up)
    up))

(defmacro ^:private with-up
  "Runs the body with `lan` and `up`, which runs `services`; then SIGTERM has to end it
  with 0."
  [[lan up services] & body]
  `(do
     (lan/needs-root!)
     (lan/with-lan [~lan]
       (let [~up (start ~lan (let [f# ~services] (if (fn? f#) (f# ~lan) f#)))]
         ~@body
         (is (= 0 (lan/end! ~up "TERM")) "SIGTERM ends `ontap up` with 0")
         (is (not (re-find #"bug|\tat " (lan/said ~up))) (lan/said ~up))))))

(defn- pids [lan] (update-vals (lan/status lan) :pid))
(defn- state [lan name] (:state ((lan/status lan) name)))

(defn- await-state
  "The row of service `name`, once it is in state `wanted`."
  [lan name wanted]
  (t/wait-for (str name " to be " wanted) 30000
              #(let [row ((lan/status lan) name)] (when (= wanted (:state row)) row))))

(defn- order
  "The names in the lines of `up` that match `pattern`, in order."
  [up pattern]
  (keep #(second (re-find (re-pattern (str "^ontap: (?:warning: )?(\\S+): .*" pattern)) %))
        (str/split-lines (lan/said up))))

(defn- fifo [lan name]
  (let [path (str (:dir lan) "/" name)]
    (t/run {} "mkfifo" "-m" "666" path)
    path))

(defn- let-go
  "Lets the reader of the FIFO go on; fails when none comes in 20 s. Once only: a
  second line may still meet the reader of the first."
  [path]
  (t/run {:limit-s 20} "sh" "-c" "echo >\"$1\"" "sh" path))

(deftest ^{:timeout 120} requirements-first-dependents-last
  (with-up [lan up [(service "web" 5 :requires ["api"]) (service "api" 6 :requires ["db"])
                    (service "db" 7)]]
    (lan/await-ready lan "web")
    (is (= ["db" "api" "web"] (order up "started, pid")) "what is required is started first")
    (testing "stop"
      (is (= 0 (:exit (lan/ontap lan "stop" "db"))))
      (is (= {"db" :down "api" :down "web" :down} (update-vals (lan/status lan) :state)))
      (is (= ["web" "api" "db"] (order up "stopped: ")) "what requires it is stopped first"))
    (testing "start"
      (let [{:keys [exit out]} (lan/ontap lan "start" "api")]
        (is (= 0 exit))
        (is (re-find #"api +ready" out) out))
      (is (= :down (state lan "web")) "what was not asked for stays down")
      (lan/await-ready lan "web")
      (is (= ["db" "api" "web" "db" "api" "web"] (order up "started, pid"))))
    (testing "restart"
      (let [before (pids lan)]
        (is (= 0 (:exit (lan/ontap lan "restart" "api"))))
        (let [after (pids lan)]
          (is (not= (before "api") (after "api")) "it has a new process")
          (is (= (dissoc before "api") (dissoc after "api")) "the others are left alone"))))
    (testing "SIGTERM"
      (let [before (pids lan)
            seen   (count (order up "stopped: "))]
        (is (= 0 (lan/end! up "TERM")) "ends `ontap up` with 0")
        (is (= ["web" "api" "db"] (drop seen (order up "stopped: "))) "in reverse order")
        (is (not-any? process/alive? (vals before)) "and no workload is left")))))

(deftest ^{:timeout 120} reload-changes-what-changed
  (with-up [lan up [(service "same" 5) (service "changed" 6) (service "gone" 7)]]
    (lan/await-ready lan "same" "changed" "gone")
    (let [before (pids lan)
          rewrite! #(lan/write-file lan %)]
      (rewrite! [(service "same" 5) (service "changed" 6 :prot "x")])
      (let [{:keys [exit err]} (lan/ontap lan "reload")]
        (is (= 102 exit) "a file with mistakes is refused")
        (is (re-find #"changed :prot: unknown key; did you mean :port\?" err) err))
      (t/run {} "kill" "-HUP" (:pid up))
      (lan/await-line up #"not reloaded")
      (lan/await-line up #"did you mean :port\?")
      (is (= before (pids lan)) "and changes nothing, by SIGHUP neither")
      (rewrite! [(service "same" 5) (service "changed" 6 :env {"A" "b"}) (service "new" 8)])
      (let [{:keys [exit out]} (lan/ontap lan "reload")]
        (is (= 0 exit))
        (is (= ["stopped: gone" "changed: changed" "new: new" "1 left alone"] (str/split-lines out))))
      (lan/await-ready lan "same" "changed" "new")
      (let [after (t/wait-for "gone to be gone" #(let [p (pids lan)] (when-not (contains? p "gone") p)))]
        (is (= (before "same") (after "same")))
        (is (not= (before "changed") (after "changed")))
        (is (= "b" (get (process/environment (after "changed")) "A")) "the new declaration counts")
        (is (not (process/alive? (before "gone")))))
      (rewrite! [(service "same" 5) (service "changed" 6 :env {"A" "b"})])
      (t/run {} "kill" "-HUP" (:pid up))
      (lan/await-line up #"reloaded: 0 new, 0 changed, 1 gone, 2 left alone")
      (is (= #{"same" "changed"}
             (t/wait-for "new to be gone" #(let [names (set (keys (lan/status lan)))] (when (= 2 (count names)) names))))))))

(def ^:private deaf "A shell that ignores SIGTERM, with a child that does and two that left its session."
  "trap '' TERM
   sleep 1000 & echo $!
   setsid sh -c 'echo $$; sleep 1000 & echo $!; wait' &
   while :; do sleep 1000; done")

(defn- logged-pids [row n]
  (t/wait-for "the workload to tell its children"
              #(let [found (mapv parse-long (re-seq #"(?m)^\d+$" (slurp (:log row))))]
                 (when (= n (count found)) found))))

(deftest ^{:timeout 120} stop-ends-everything
  (with-up [lan up [(service "deaf" 5 :exec ["sh" "-c" deaf] :stop {:timeout "300ms"})
                    (service "deaf-host" 6 :exec ["sh" "-c" deaf] :stop {:timeout "300ms"} :netns :host :uts false)
                    (service "leaver" 7 :exec ["sh" "-c" "setsid sh -c 'sleep 1000 & echo $!; sleep 1000' & sleep 1000 & echo $!; exec sleep 1000"])
                    (service "usr" 8 :exec ["sh" "-c" "trap 'exit 9' USR1; echo $$; while :; do sleep 0.05; done"]
                             :stop {:signal :usr1})]]
    (lan/await-ready lan "deaf" "deaf-host" "leaver" "usr")
    (let [rows     (lan/status lan)
          children (mapcat (fn [[name n]] (logged-pids (rows name) n)) {"deaf" 3 "deaf-host" 3 "leaver" 2 "usr" 1})]
      (is (every? process/alive? children))
      (is (= 0 (:exit (lan/ontap lan "stop" "deaf" "deaf-host" "leaver" "usr"))))
      (is (= #{"deaf" "deaf-host"} (set (order up "did not stop in time: killed"))) "who ignores the signal is killed")
      (is (= ["leaver"] (order up "stopped: was ended by signal TERM")))
      (is (= ["usr"] (order up "stopped: exited with 9")) "the signal is the declared one")
      (is (= [] (for [p children :when (process/alive? p)] [(process/command p) (process/stat p)]))
          "children end with it, those that left its session too")
      (is (not (re-find #"@up0" (lan/sh! lan :host "ip" "-o" "link"))) "and its link is gone"))))

(deftest ^{:timeout 120} back-off-and-failed
  (with-up [lan up
            (fn [{:keys [dir]}]
              [(service "flaky" 5 :exec ["sh" "-c" (str "test -e " dir "/mended && exec sleep 1000; exit 3")]
                        :restart {:delay "20ms" :limit 3 :window "10m"})
               (service "once" 6 :exec ["true"] :restart {:policy :never})
               (service "once-bad" 7 :exec ["false"] :restart {:policy :never})
               (service "well" 8 :exec ["true"] :restart {:policy :on-failure})
               (service "killed" 9 :restart {:policy :on-failure :delay "20ms"})])]
    (let [row (await-state lan "flaky" :failed)]
      (is (= 3 (:restarts row)) "as often as the limit says it was started again")
      (is (= {:code 3} (:exit row)))
      (is (re-find #"ended 4 times within 600 s; last: exited with 3" (:reason row)) (:reason row)))
    (is (= :done (:state (await-state lan "once" :done))))
    (is (= {:code 1} (:exit (await-state lan "once-bad" :failed))))
    (is (= 0 (:restarts (await-state lan "well" :done))) "0 is no failure")
    (testing "a workload that is killed comes back"
      (let [{:keys [pid]} (await-state lan "killed" :ready)]
        (t/run {} "kill" "-KILL" pid)
        (lan/await-line up #"killed: was ended by signal KILL")
        (lan/await-ready lan "killed")
        (is (not= pid (:pid ((lan/status lan) "killed"))))
        (is (= 1 (:restarts ((lan/status lan) "killed"))))))
    (testing "`ontap start` tries again"
      (lan/ontap lan "start" "flaky")
      (lan/await-line up #"flaky: failed")
      (is (= 8 (count (order up "(?<!last: )exited with 3"))) "as often as before: what failed was forgotten")
      (spit (io/file (:dir lan) "mended") "")
      (is (= 0 (:exit (lan/ontap lan "start" "flaky"))) "mended, it starts")
      (is (= :ready (state lan "flaky"))))))

(def ^:private notify
  "A perl program that waits for one FIFO of its arguments, then the other, tells by sd_notify(3), and stays."
  (str "use Socket; open my $f, '<', $ARGV[0]; <$f>;"
       "socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; "
       "send(S, \"STATUS=nearly\\n\", 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die \"$!\"; open $f, '<', $ARGV[1]; <$f>;"
       "send(S, \"STATUS=here\\nREADY=1\\n\", 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die \"$!\"; sleep 1000"))

(deftest ^{:timeout 120} ready-when-it-says-so
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [[fd-1 fd-2]     (map #(fifo lan %) ["fd-1" "fd-2"])
          [note-1 note-2] (map #(fifo lan %) ["note-1" "note-2"])
          up      (start lan [(service "fd" 5 :ready {:fd 3} :user "daemon"
                                       :exec ["sh" "-c" "read x <\"$0\"; printf half >&3; read x <\"$1\"; echo >&3; exec sleep 1000" fd-1 fd-2])
                              (service "note" 6 :ready :notify :exec ["perl" "-e" notify note-1 note-2])
                              (service "after" 7 :requires ["fd" "note"])])]
      (doseq [name ["fd" "note"]] (await-state lan name :up))
      (is (= :waiting (state lan "after")) "what requires them waits")
      (is (re-find #"requires (fd, note|note, fd)" (:reason ((lan/status lan) "after"))))
      (let-go fd-1)
      (let-go note-1)
      (let-go fd-2)
      (lan/await-line up #"fd: ready")
      (is (= [:up :waiting] (map #(state lan %) ["note" "after"])) "a word other than READY=1 is not taken for it")
      (let-go note-2)
      (lan/await-line up #"note: ready")
      (lan/await-ready lan "after")
      (is (= 0 (lan/end! up "TERM")))
      (is (not (re-find #"bug" (lan/said up))))
      (is (empty? (.list (io/file (:dir lan) "run" "ready"))) "no FIFO is left")
      (is (empty? (.list (io/file (:dir lan) "run" "notify"))) "no socket is left"))))

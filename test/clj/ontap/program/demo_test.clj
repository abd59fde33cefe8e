;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.demo-test
  "`ontap demo`, as root and as an ordinary user: what it shows, how long it takes,
  and that it leaves nothing: no process, no folder, no change of the machine's network."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.testing :as t :refer [not-applicable! skip!]])
  (:import (java.io File)
           (java.util UUID)))

(set! *warn-on-reflection* true)

(def ^:private limit-s "What is promised of a built program." 30)

;; --- what could be left

(defn- read-proc [pid name]
  (try (str/replace (slurp (str "/proc/" pid "/" name)) "\u0000" " ")
       (catch java.io.IOException _ "")))

(defn- pids-of
  "Processes whose command or environment holds one of `marks`."
  [marks]
  (for [^File f (.listFiles (io/file "/proc"))
        :let  [pid (.getName f)]
        :when (re-matches #"\d+" pid)
        :let  [text (str (read-proc pid "cmdline") (read-proc pid "environ"))]
        :when (some #(str/includes? text %) marks)]
    (str pid " " text)))

(defn- folder
  "The scratch folder that the demonstration named."
  [output]
  (re-find #"/\S*ontap-demo-[0-9a-f]+" output))

(defn- assert-nothing-left [output mark]
  (let [dir (folder output)]
    (is (some? dir) (str "it names its folder; it said:\n" output))
    (is (not (.exists (io/file dir))) (str dir " is deleted"))
    ;; the last of them may still be on their way out
    (let [left (atom nil)]
      (is (try (t/wait-for "the end of all processes" #(empty? (reset! left (pids-of [dir mark]))))
               (catch clojure.lang.ExceptionInfo _ nil))
          (str "no process is left: " (str/join "; " @left))))
    (is (not (str/includes? (:out (t/run {} "lsns" "-n" "-t" "net" "-o" "NS,PID,COMMAND")) dir))
        "no network namespace of it is left")))

(defn- network
  "What of the machine's network the demonstration must not change."
  []
  {:links     (sort (map second (re-seq #"\"ifname\":\"([^\"]+)\"" (:out (t/run {} "ip" "-j" "link")))))
   :addresses (sort (map second (re-seq #"\"local\":\"([^\"]+)\"" (:out (t/run {} "ip" "-j" "addr")))))
   :run       (.exists (io/file "/run/ontap"))
   :state     (.exists (io/file "/var/lib/ontap"))})

;; --- what it shows

(def ^:private said
  "What the demonstration says, in this order."
  [#"1\. A LAN was made"
   #"2\. Three services are declared"
   #":exec \[\"sh\" \"page\" \"80\"\]"
   #":zone \{:domain \"home\.arpa\" :listen \["
   #"ontap up /\S+/services\.edn"
   #"ontap: www: ready|ontap: wiki: ready"
   #"NAME +STATE +SINCE +PID +USER +LINK +ADDRESSES"
   #"db +ready .* 10\.77\.0\.12 fd00:77::12\b"
   #"wiki +ready .*\bfd00:77::[0-9a-f:]+"
   #"www +ready .* 10\.77\.0\.11"
   #"GET http://\[fd00:77::[0-9a-f:]+\]/"
   #"This is wiki at fd00:77::[0-9a-f:]+, port 80\."
   #"My host name is wiki, .* my capabilities 0000000000000400\."
   #"You are fd00:77::1\."
   #"6\. Each has a name"
   #"NAME +ASKED FROM THE LAN, 10\.77\.0\.1 +ASKED FROM THE INTERNET, 2001:db8:ffff::1\n"
   #"wiki\.home\.arpa +fd00:77::[0-9a-f:]+ +2001:db8:77:[0-9a-f:]+\n"
   #"wiki\.lan\.home\.arpa +fd00:77::[0-9a-f:]+ +no such name\n"
   #"wiki\.wan\.home\.arpa +(2001:db8:77:[0-9a-f:]+) +\1\n"
   #"db\.home\.arpa +10\.77\.0\.12 fd00:77::12 +no address\n"
   #"GET http://wiki\.home\.arpa/ +\(fd00:77::[0-9a-f:]+\)"
   #"This is wiki at fd00:77::[0-9a-f:]+, port 80\."
   #"\$ kill -9 \d+ +\(www\)"
   #"www: was ended by signal KILL"
   #"It is back as process \d+, at 10\.77\.0\.11 as before"
   #"GET http://www\.home\.arpa/ +\(10\.77\.0\.11\)"
   #"This is www at 10\.77\.0\.11, port 80\."
   #"8\. All are stopped"
   #"ontap: db: stopped"
   #"Nothing is left of it\. That took \d+\.\d s\."])

(defn- assert-said [output]
  (reduce (fn [from pattern]
            (let [m (re-matcher pattern output)]
              (if (.find m (int from))
                (.end m)
                (do (is false (str "it should say " pattern " in its turn; it said:\n" output))
                    (reduced nil)))))
          0 said))

(defn- assert-demo
  "Runs `words` and holds what comes against what is promised."
  [env & words]
  (let [mark   (str "ontap-demo-test-" (UUID/randomUUID))
        before (network)
        begun  (System/nanoTime)
        {:keys [exit out err]} (apply t/run {:limit-s 110 :env (assoc env "ONTAP_DEMO_TEST" mark)} words)
        took-s (/ (- (System/nanoTime) begun) 1e9)]
    (is (= 0 exit) (str "it exits with 0; it said:\n" out err))
    (is (= "" err) "nothing goes to standard error")
    (is (< took-s limit-s) (str "it takes less than " limit-s " s"))
    (assert-said out)
    (is (apply distinct? (map second (re-seq #"(?m)ontap: (?:db|www|wiki): started, pid (\d+)$" out)))
        "each start is another process")
    (assert-nothing-left out mark)
    (is (= before (network)) "the machine's own network is as it was")))

(deftest ^{:slow true :timeout 180} as-root
  (lan/needs-root!)
  (assert-demo {} lan/program "demo"))

;; --- an ordinary user

(def ^:private as-nobody ["setpriv" "--reuid=nobody" "--regid=nogroup" "--clear-groups"])

(defn- nobody-run [& words]
  (apply t/run {:limit-s 60} (into as-nobody words)))

(defn- needs-user-namespaces! []
  (let [{:keys [exit err]} (nobody-run "unshare" "-Urn" "true")]
    (when-not (= 0 exit)
      (not-applicable! (str "this machine lets no ordinary user make a user namespace: " (str/trim err))))))

(defn- readable-copy!
  "The built program in folder `dir`, for a user who may not reach the place where it
  was built; its path."
  [dir]
  (let [root (.getParentFile (.getParentFile (io/file lan/program)))]
    (when-not (.exists (io/file root "target" "ontap"))
      (skip! (str "an ordinary user cannot run " lan/program ", and there is no build of it to copy")))
    (doseq [name ["bin" "target"]] (.mkdirs (io/file dir name)))
    (t/run {} "cp" "-a" (str (io/file root "bin" "ontap")) (str (io/file dir "bin")))
    (t/run {} "cp" "-a" (str (io/file root "target" "ontap")) (str (io/file dir "target")))
    (t/run {} "chmod" "-R" "a+rX" (str dir))
    (let [program (str (io/file dir "bin" "ontap"))
          {:keys [exit err]} (nobody-run program "--version")]
      (when-not (= 0 exit)
        (skip! (str "an ordinary user cannot run a copy of the program: " (str/trim err))))
      program)))

(deftest ^{:slow true :timeout 240} as-an-ordinary-user
  (lan/needs-root!)
  (needs-user-namespaces!)
  (t/with-temp-dir [dir]
    (let [home    (io/file dir "home")
          program (if (= 0 (:exit (nobody-run lan/program "--version")))
                    lan/program
                    (readable-copy! dir))]
      (.mkdirs home)
      (t/run {} "chown" "nobody" (str home))
      (apply assert-demo {"HOME" (str home) "XDG_RUNTIME_DIR" nil} (conj as-nobody program "demo"))
      (is (empty? (.listFiles home)) "nothing is written to the user's home"))))

;; --- broken off

(defn- broken-off
  "Runs the demonstration until it says `pattern`, does `act` with it, and gives what
  it said and its exit status, once nothing of it is left."
  [pattern act]
  (let [mark    (str "ontap-demo-test-" (UUID/randomUUID))
        ;; a shell that runs the tests in the background has SIGINT ignored in all it starts
        {:keys [seen] :as demo} (lan/spawn {:env {"ONTAP_DEMO_TEST" mark}}
                                           "env" "--default-signal=INT" lan/program "demo")]
    (try
      (lan/await-line demo pattern 60)
      (act demo (str/join "\n" @seen))
      (lan/await-line demo #"^ontap: fatal: " 60)
      (let [output (str/join "\n" @seen)]
        {:exit (lan/end! demo "TERM") :out output :left (assert-nothing-left output mark)})
      ;; not by SIGKILL: it has to clean up also when a line above did not come
      (finally (lan/end! demo "TERM")))))

(deftest ^{:slow true :timeout 240} interrupted
  (lan/needs-root!)
  (doseq [[signal pattern] [["INT" #"1\. A LAN"] ["HUP" #"db: started"] ["TERM" #"7\. What"]]]
    (testing (str "SIG" signal " after " pattern)
      (let [{:keys [exit out]} (broken-off pattern #(do %2 (t/run {} "kill" (str "-" signal) (:pid %1))))]
        (is (= 1 exit) (str "it exits with 1; it said:\n" out))
        (is (str/includes? out (str "ontap: fatal: interrupted by SIG" signal)) "it says what happened")
        (is (not (str/includes? out "killing what has not stopped"))
            "services are stopped in order, not killed")))))

(deftest ^{:slow true :timeout 120} supervisor-killed
  (lan/needs-root!)
  (let [{:keys [exit out]}
        (broken-off #"ontap: serves "
                    (fn [_ out]
                      (doseq [line (pids-of [(str "up " (folder out))])]
                        (t/run {} "kill" "-KILL" (first (str/split line #" "))))))]
    (is (= 1 exit) (str "it exits with 1; it said:\n" out))
    (is (str/includes? out "`ontap up` was ended by SIGKILL") (str "it says what happened:\n" out))))

(deftest ^{:timeout 60} no-user-namespaces
  (lan/needs-root!)
  (testing "a machine that refuses, stood in for by an unshare(1) that does"
    (t/with-temp-dir [dir]
      (let [unshare (io/file dir "unshare")]
        (spit unshare "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
        (.setExecutable unshare true false)
        (let [{:keys [exit out err]} (t/run {:env {"PATH" (str dir ":" (System/getenv "PATH"))}}
                                            lan/program "demo")]
          (is (= 111 exit) "the system refused")
          (is (= "" out) "nothing is begun")
          (is (re-find #"^ontap: fatal: unable to make a network of its own for the demonstration: unshare: unshare failed: Operation not permitted; .*\n$" err)
              (str "one sentence, with the reason and the way out: " err)))))))

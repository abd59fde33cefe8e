;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.lan
  "A LAN of two hosts in network namespaces, for tests that run the program: `:host`,
  with the port up0, on which ontap runs, and `:peer`, at the other end of the cable
  (lan0). Each namespace is held by a process of ours; nothing of the machine's own
  network is touched. Everything is ended by pid, and every wait has a limit."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.harness.process :as process]
            [ontap.testing :as testing])
  (:import (java.io BufferedReader File)
           (java.util.concurrent LinkedBlockingQueue TimeUnit)))

(set! *warn-on-reflection* true)

(def program
  "The program under test."
  (or (System/getenv "ONTAP_PROGRAM") (.getPath (.getAbsoluteFile (io/file "bin/ontap")))))

;; --- processes

(defn spawn
  "Starts `words` and returns {:process :pid :lines}: :lines is a queue of what it
  writes to standard output and error, line by line, then :end. Options: :env a map
  of variables, :dir, :input? whether its standard input is a pipe of ours."
  [{:keys [env dir input?]} & words]
  (let [builder (doto (ProcessBuilder. ^java.util.List (mapv str words))
                  (.redirectErrorStream true))
        _       (when-not input? (.redirectInput builder (io/file "/dev/null")))
        _       (when dir (.directory builder (io/file dir)))
        _       (doseq [[k v] env] (.put (.environment builder) k (str v)))
        process (.start builder)
        lines   (LinkedBlockingQueue.)]
    (doto (Thread. ^Runnable
                   (fn []
                     (with-open [^BufferedReader in (io/reader (.getInputStream process))]
                       (try
                         (loop []
                           (when-let [line (.readLine in)]
                             (.put lines line)
                             (recur)))
                         (catch java.io.IOException _)
                         (finally (.put lines :end)))))
                   (str "lines of " (first words)))
      (.setDaemon true)
      (.start))
    {:process process :pid (.pid process) :lines lines :seen (atom [])}))

(defn await-line
  "The first line of `spawned`, from now on, that matches `pattern`; blocks for at
  most `limit-s` (20). Throws with all that was seen when there is none."
  ([spawned pattern] (await-line spawned pattern 20))
  ([{:keys [^LinkedBlockingQueue lines seen]} pattern limit-s]
   (let [end (+ (System/nanoTime) (* 1000000000 (long limit-s)))]
     (loop []
       (let [line (.poll lines (max 0 (- end (System/nanoTime))) TimeUnit/NANOSECONDS)]
         (if (string? line)
           (do (swap! seen conj line)
               (if (re-find pattern line) line (recur)))
           (throw (ex-info (str "no line matched " pattern
                                (if (= :end line) " before the program ended" " in time")
                                "; it said:\n" (str/join "\n" @seen))
                           {:pattern (str pattern) :seen @seen}))))))))

(defn said
  "What a program of `spawn` has said up to now, a text."
  [{:keys [seen lines]}]
  (str/join "\n" (concat @seen (filter string? lines))))

(defn await-end
  "The exit status of a process of `spawn` that ends by itself; blocks for at most
  `limit-s`, then kills it and throws."
  [{:keys [^Process process seen]} limit-s]
  (when-not (.waitFor process (long limit-s) TimeUnit/SECONDS)
    (.destroyForcibly process)
    (throw (ex-info (str "did not end within " limit-s " s; it said:\n" (str/join "\n" @seen)) {})))
  (.exitValue process))

(defn end!
  "Sends `signal` (\"TERM\", \"KILL\") to a process of `spawn` and returns its exit
  status; blocks for at most `limit-s` (30), then kills it and throws."
  ([spawned signal] (end! spawned signal 30))
  ([{:keys [^Process process pid seen]} signal limit-s]
   (when (.isAlive process)
     (testing/run {} "kill" (str "-" signal) pid))
   (when-not (.waitFor process (long limit-s) TimeUnit/SECONDS)
     (.destroyForcibly process)
     (throw (ex-info (str "did not end within " limit-s " s of SIG" signal
                          "; it said:\n" (str/join "\n" @seen))
                     {})))
   (.exitValue process)))

;; --- the LAN

(defn in
  "The words that run a command in the namespace held by `pid`."
  [pid & words]
  (into ["nsenter" (str "--net=/proc/" pid "/ns/net")] words))

(defn sh
  "Runs `words` at `place` (:host or :peer) of `lan` to their end: {:exit :out :err}."
  [lan place & words]
  (apply testing/run {:limit-s 30 :env (:env lan)} (apply in (place lan) words)))

(defn sh!
  "Like `sh`, and throws unless it exits with 0; standard output."
  [lan place & words]
  (let [{:keys [exit out err]} (apply sh lan place words)]
    (when-not (= 0 exit)
      (throw (ex-info (str (pr-str words) " exited with " exit ": " err) {:exit exit})))
    out))

(defn- holder []
  (let [held (spawn {} "unshare" "--net" "sh" "-c" "echo held; exec sleep 3600")]
    (await-line held #"held")
    held))

(defn name-namespace!
  "Gives a fresh network namespace the name `name` below /run/netns, as `ip netns add`
  does, but leaves no mount of that folder behind. Returns [path, undo]."
  [name]
  (let [dir     (io/file "/run/netns")
        made    (.mkdirs dir)
        file    (io/file dir name)
        path    (.getPath file)
        held    (holder)]
    (spit file "")
    (try
      (testing/run {} "mount" "--bind" (str "/proc/" (:pid held) "/ns/net") path)
      (finally (end! held "KILL")))
    [path (fn []
            (testing/run {} "umount" path)
            (.delete file)
            ;; empty, if nobody else came meanwhile
            (when made (.delete dir)))]))

(defmacro with-named-namespace
  "Runs the body with `path` bound to /run/netns/NAME, a fresh network namespace."
  [[path name] & body]
  `(let [[~path undo#] (name-namespace! ~name)]
     (try ~@body (finally (undo#)))))

(defn make
  "Makes a LAN; see `with-lan`."
  []
  (let [dir   (testing/temp-dir)
        host  (holder)
        peer  (holder)
        lan   {:host (:pid host) :peer (:pid peer) :dir dir :holders [host peer]
               :supervisors (atom [])
               :env  {"ONTAP_RUNTIME_DIR" (str dir "/run") "ONTAP_STATE_DIR" (str dir "/state")}}]
    (sh! lan :host "ip" "link" "add" "up0" "type" "veth" "peer" "name" "lan0" "netns" (str (:peer lan)))
    (sh! lan :host "ip" "link" "set" "lo" "up")
    (sh! lan :peer "ip" "link" "set" "lo" "up")
    (sh! lan :peer "ip" "addr" "add" "10.77.0.1/24" "dev" "lan0")
    (sh! lan :peer "ip" "addr" "add" "fd77::1/64" "dev" "lan0" "nodad")
    (sh! lan :peer "ip" "link" "set" "lan0" "up")
    lan))

(defn- kill-recorded!
  "Ends the workloads that a supervisor of `lan` wrote down and did not stop."
  [{:keys [^File dir]}]
  (doseq [^File f (.listFiles (io/file dir "run" "services"))
          :let [{:record/keys [pid ticks]} (try (edn/read-string (slurp f)) (catch Exception _ nil))]
          :when (and pid (= ticks (:ticks (process/stat pid))))]
    (testing/run {} "kill" "-KILL" pid)))

(defn destroy!
  "Ends what `make` made, and workloads that are still written down."
  [{:keys [holders supervisors dir] :as lan}]
  (doseq [{:keys [^Process process] :as up} @supervisors
          :when (.isAlive process)]
    (try (end! up "TERM") (catch clojure.lang.ExceptionInfo _ nil)))
  (kill-recorded! lan)
  (run! #(end! % "KILL") holders)
  (testing/delete-tree dir))

(defmacro with-lan
  "Runs the body with `lan` bound to a LAN: {:host pid :peer pid :dir scratch folder
  :env of the program}. The peer has 10.77.0.1/24 and fd77::1/64."
  [[lan] & body]
  `(let [~lan (make)]
     (try ~@body (finally (destroy! ~lan)))))

(defn needs-root!
  "Leaves the test unless it is run by root with its capabilities."
  []
  (when-not (= "0" (str/trim (:out (testing/run {} "id" "-u"))))
    (testing/skip! "namespaces and users are made by root")))

;; --- the program on it

(defn write-file
  "Writes `services` (data) as a file of declarations; its path."
  ([lan services] (write-file lan "services.edn" services))
  ([{:keys [dir]} name services]
   (let [f (io/file dir name)]
     (spit f (pr-str services))
     (.getPath f))))

(defn ontap
  "Runs `ontap WORDS…` on the host of `lan` to its end: {:exit :out :err}."
  [lan & words]
  (apply sh lan :host program words))

(defn up
  "Starts `ontap up FILE` on the host of `lan`; see `spawn`. `env`: more variables. It
  is ended with the LAN, if it still runs."
  ([lan file] (up lan file {}))
  ([lan file env]
   (let [up (apply spawn {:env (merge (:env lan) env)} (in (:host lan) program "up" file))]
     (swap! (:supervisors lan) conj up)
     up)))

(defn status
  "What `ontap status` says, as data: name -> row."
  [lan]
  (let [{:keys [exit out err]} (ontap lan "status" "--format" "edn")]
    (when-not (= 0 exit) (throw (ex-info (str "ontap status: " err) {:exit exit})))
    (into {} (map (juxt :name identity)) (edn/read-string out))))

(defn await-listening
  "Blocks until the `ontap up` of `lan` can be asked, for at most 60 s. Throws with what
  `up` (what the function of that name gave) said when that ends first."
  ([lan] (await-listening lan nil))
  ([{:keys [dir]} {:keys [^Process process] :as up}]
   (testing/wait-for "`ontap up` to listen" 60000
                     #(or (.exists (io/file dir "run" "control.sock"))
                          (when (and process (not (.isAlive process)))
                            (throw (ex-info (str "`ontap up` ended with " (.exitValue process) ":\n"
                                                 (said up))
                                            {})))))))

(defn await-ready
  "Blocks until services `names` are ready (`ontap start` waits for it)."
  [lan & names]
  (await-listening lan)
  (let [{:keys [exit err out]} (apply ontap lan "start" names)]
    (when-not (= 0 exit) (throw (ex-info (str "ontap start: " err out) {:exit exit})))))

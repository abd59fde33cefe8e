;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.ontapd
  "An ontapd on the host of a test LAN (`ontap.harness.lan`), in the LAN's own folders, and
  its clients. It is ended by pid, and what a killed one leaves mounted is unmounted."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(def program "The daemon under test." (str/replace lan/program #"ontap$" "ontapd"))

(defn path
  "A path in the run-time folder of the ontapd of `lan`: `(path lan \"leases.edn\")`."
  ^String [{:keys [dir]} & names]
  (.getPath ^File (apply io/file dir "run" names)))

(defn socket
  "The socket of `port` (up0)."
  ([lan] (socket lan "up0"))
  ([lan port] (path lan (str "port." port))))

(defn config!
  "Writes `ports` (data) as the file of :ports of `lan`; its path."
  [lan ports]
  (lan/write-file lan "ontapd.edn" {:ports ports}))

;; --- a daemon

(defn- pid-file ^File [{:keys [dir]}] (io/file dir "ontapd.pid"))

(defn- ready? [lan {:keys [pid] :as daemon}]
  (let [^File f (pid-file lan)]
    (when-not (.isAlive ^Process (:process daemon))
      (throw (ex-info (str "ontapd ended with " (.exitValue ^Process (:process daemon)) ":\n" (lan/said daemon)) {})))
    (and (.exists f) (= (str pid) (str/trim (slurp f))))))

(defn spawn
  "Starts `ontapd WORDS…` on the host of `lan` and does not wait; see `lan/spawn`, whose
  :pid is that of the daemon. Options: `:env` more variables, `:wrap` words that run the
  command (setpriv …), `:verbosity` (debug)."
  [lan {:keys [env wrap verbosity] :or {verbosity "debug"}} & words]
  (apply lan/spawn {:env (merge (:env lan) env)}
         (apply lan/in (:host lan) (concat wrap [program "--verbosity" verbosity] words))))

(defn start
  "Starts `ontapd WORDS…` as `spawn` does; blocks until it is ready, for at most 60 s.
  Throws with what it said when it ends first."
  [lan options & words]
  (io/delete-file (pid-file lan) true)
  (let [daemon (apply spawn lan options "--pid-file" (pid-file lan) words)]
    (try
      (testing/wait-for "ontapd to be ready" 60000 #(ready? lan daemon))
      daemon
      (catch Throwable t
        (.destroyForcibly ^Process (:process daemon))
        (throw t)))))

(defn stop!
  "Ends `daemon` by `signal` (TERM) and gives its exit status. Links live on."
  ([daemon] (stop! daemon "TERM"))
  ([daemon signal] (lan/end! daemon signal)))

(defn clean!
  "Ends `daemon` if it still runs, and unmounts its namespace of taps, which ends its links
  there; those of other namespaces go with the LAN."
  [lan daemon]
  (lan/end! daemon "KILL")
  (let [taps (path lan "netns")]
    ;; one line for each mount, of which there may be two after a race
    (while (and (.exists (io/file taps)) (= 0 (:exit (testing/run {} "umount" taps)))))))

(defmacro with-ontapd
  "Runs the body with `daemon` bound to a running `ontapd WORDS…` of `lan`:
  (with-ontapd [daemon lan options & words] ..)."
  [[daemon lan & more] & body]
  `(let [~daemon (start ~lan ~@more)]
     (try ~@body (finally (clean! ~lan ~daemon)))))

;; --- what there is to see

(defn book
  "The leases that ontapd wrote down, id -> lease."
  [lan]
  (:alloc/leases (edn/read-string (slurp (path lan "leases.edn")))))

(defn await-book
  "Waits until the leases written down satisfy `f`, for at most 20 s; them."
  [lan what f]
  (testing/wait-for what 20000 #(let [leases (book lan)] (when (f leases) leases))))

(defn taps
  "Runs `words` in the namespace of ontapd's taps: standard output."
  [lan & words]
  (:out (apply testing/run {} "nsenter" (str "--net=" (path lan "netns")) words)))

;; --- clients

(defn no-socket
  "What a client says when there is no socket at `path`."
  [path]
  (str "no ontapd: there is no socket " path
       "; `ontapd PORT`, as root, makes it (ONTAP_DAEMON_DIR names another folder to look in)"))

(defn as
  "The words that run a command as user and group `uid` and `gid` (numbers), with the
  supplementary `groups` (numbers) and no capability."
  [{:keys [uid gid groups]} & words]
  (into ["setpriv" (str "--reuid=" uid) (str "--regid=" gid)
         (if (seq groups) (str "--groups=" (str/join "," groups)) "--clear-groups")
         "--inh-caps=-all" "--ambient-caps=-all" "--"]
        words))

(defn needs-users!
  "Leaves the test unless it is run by root, and other users can run the program."
  []
  (lan/needs-root!)
  (when-not (= 0 (:exit (apply testing/run {} (as {:uid 60123 :gid 60123} "test" "-r" lan/program))))
    (testing/skip! (str "ordinary users cannot read " lan/program))))

(defn attach
  "The words of `ontap -t TYPE OPTIONS… SOCKET -- PROG…` to the up0 of `lan`."
  [lan type options & prog]
  (-> [lan/program "-t" type (socket lan)] (into options) (conj "--") (into prog)))

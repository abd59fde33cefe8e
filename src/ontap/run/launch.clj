;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.launch
  "From an attachment to a running workload, in the two ways there are.

  Supervised (`spawn!`): a fresh thread enters the namespaces and stays root; the
  child takes the workload's identity through setpriv(1) and prlimit(1), because a
  thread of ours that carried the workload's uid could be killed by any process of
  that uid, and rlimits belong to the whole process.

  In place (`become!`): the thread takes the identity itself and calls execve(2);
  same pid, no JVM left."
  (:require [ontap.model.workload :as workload]
            [ontap.run.halt :as halt]
            [ontap.run.resolv :as resolv])
  (:import (java.io File)
           (java.nio.file Files Path)
           (ontap.sys Caps Errno Exec Executables Fd Identity Io Limits Limits$Limit
                      Namespaces Procs Procs$Proc Spawn Spawn$Request SysException
                      Users Users$User)))

(set! *warn-on-reflection* true)

(defn- refused [text & {:as data}]
  (ex-info text (merge {:reason ::refused} data)))

(defn- user-map [^Users$User u]
  {:uid (.uid u) :gid (.gid u) :name (.name u) :home (.home u) :shell (.shell u)})

(def ^:private uid-map
  "[[first count] ..] of the users in this user namespace (user_namespaces(7))."
  (delay (mapv (fn [line]
                 (let [[from _ n] (map parse-long (re-seq #"\d+" line))] [from n]))
               (Files/readAllLines (Path/of "/proc/self/uid_map" (make-array String 0))))))

(defn- mapped? [uid]
  (some (fn [[from n]] (<= from uid (+ from n -1))) @uid-map))

(defn- lookup
  "The declared user of `service`, else the one this process runs as."
  ^Users$User [{:service/keys [user]}]
  (if user
    (let [^Users$User found
          (or (Users/byName user)
              (throw (refused (str "there is no user " user " on this machine any more"))))]
      (when-not (mapped? (.uid found))
        (throw (refused (str "there is no user " user " in this user namespace: leave :user out"))))
      found)
    (let [uid (Io/geteuid)]
      (or (Users/byUid uid)
          (Users$User. (str uid) uid (Io/getgid) "/" "/bin/sh")))))

(defn identity!
  "The identity of `service` on this machine (asks NSS). Throws with :reason
  ::refused when a user or group has gone."
  [{:service/keys [groups] :as service}]
  (let [user (lookup service)]
    (workload/identity-of
     service (user-map user)
     (if groups
       (mapv #(or (Users/gid %)
                  (throw (refused (str "there is no group " % " on this machine any more"))))
             groups)
       (when (:service/user service) (vec (Users/groups user)))))))

(def ^:private guix? (delay (some? (Io/stat "/run/current-system/profile"))))

(defn- environment [service identity extra]
  (workload/environment service identity {:guix? @guix? :extra extra}))

(defn- env-list [env] (mapv (fn [[k v]] (str k "=" v)) env))

(defn- check-program!
  "A clear sentence before anything is spawned: launcher's 127 and 126."
  [{:service/keys [exec dir]} env]
  (let [prog (first exec)]
    (when-not (and dir (.isDirectory (File. ^String dir)))
      (throw (refused (str "its folder " dir " is not there") :exit 126)))
    (let [path (if (and (.contains ^String prog "/") (not (.startsWith ^String prog "/")))
                 (str dir "/" prog)
                 prog)]
      (when-not (Executables/find path (get env "PATH" ""))
        (if (and (.contains ^String path "/") (Io/stat path))
          (throw (refused (str "unable to run " prog ": it is not executable") :exit 126))
          (throw (refused (str "unable to run " prog ": "
                               (if (.contains ^String prog "/")
                                 "no such file"
                                 (str "not found in PATH=" (get env "PATH"))))
                          :exit 127)))))))

(defn obstacle
  "What would keep the workload of `service` from being started on this machine as it
  is now (a user, a program or a folder that is not there): a phrase, or nil."
  [service]
  (try
    (check-program! service (environment service (identity! service) {}))
    nil
    (catch clojure.lang.ExceptionInfo e (ex-message e))))

(defn- settle-thread!
  "Working folder and umask, of this thread alone."
  [{:service/keys [dir umask]}]
  (Namespaces/unshare Namespaces/CLONE_FS)
  (Io/chdir dir)
  (Io/umask (int umask)))

(defn tool
  "The path of a program of util-linux or the shell that everything here relies on. Throws
  with :reason ::refused when it is not there."
  [name]
  (or (Executables/find name (str workload/guix-path ":" workload/default-path))
      (Executables/find name (or (System/getenv "PATH") ""))
      (throw (refused (str "unable to find " name " (prlimit and setpriv are in util-linux)")))))

(def ^:private found
  "Tools that were found; one that is missing is looked for again, it may be installed."
  (atom {}))

(defn- tools-for [& names]
  (into {} (for [n names]
             [(keyword n) (or (@found n) (get (swap! found assoc n (tool n)) n))])))

(defn- tools [] (tools-for "prlimit" "setpriv"))

(defn- joining-tools [] (tools-for "sh" "env"))

(defn spawn!
  "Starts the workload of `service` in the namespaces of `attachment`; call it in a
  fresh thread. `identity` is that of `identity!`; `fds`: number -> Fd, 0 1 2 and what
  is promised; `extra-env` a map;
  `procs`: the cgroup.procs of the group that the workload puts itself into, or nil;
  `cover`: that of `resolv/cover-of`, and `say` (fn [text]) is told why there is none.
  `intent!` is called with nothing before the workload exists, `spawned!` with
  {:pid :ticks} right after, in this thread. Returns {:pid :ticks}.

  Throws with :reason ::refused (program not found, user gone) or SysException."
  [service {:attachment/keys [net uts]} {:keys [identity fds extra-env procs cover say intent! spawned!]}]
  (let [env      (environment service identity extra-env)
        argv     (cond-> (workload/argv service identity (tools))
                   procs (workload/joining-argv procs (env-list env) (joining-tools)))
        name     (:service/name service)]
    (check-program! service env)
    (when net (Namespaces/setns net Namespaces/CLONE_NEWNET))
    (when uts (Namespaces/setns uts Namespaces/CLONE_NEWUTS))
    (resolv/cover! cover say)
    (settle-thread! service)
    (intent!)
    (halt/point! "intent-written" name)
    (let [pid  (Spawn/run (Spawn$Request. (first argv) argv (env-list env) fds))
          _    (halt/point! "spawned" name)
          ^Procs$Proc stat (Procs/stat pid)
          born {:pid pid :ticks (if stat (.startTicks stat) 0)}]
      (spawned! born)
      (halt/point! "pid-written" name)
      born)))

(defn- prepare-limits!
  "Does of the limits of `service`, on the whole process, what its identity could not do,
  or not in time: hard limits are raised, and that of processes, which setresuid(2)
  looks at, is set. The rest is left to prlimit(1), run under that identity: a JVM may
  not be able to live with them."
  [{:service/keys [limits]}]
  (doseq [[k {:keys [soft hard]}] limits
          :let [number (int (get Limits/NAMES k))
                limit  (Limits$Limit. soft hard)
                now    (Limits/get number)]]
    (cond
      (= "nproc" k) (Limits/set number limit)
      (pos? (Long/compareUnsigned (.hard limit) (.hard now)))
      (Limits/set number (Limits$Limit. (.soft now) (.hard limit))))))

(defn- in-place
  "[path argv] of what this process becomes: the program, or prlimit(1) that runs it."
  [{:service/keys [exec limits] :as service} env]
  (if (empty? limits)
    (let [^String prog (first exec)]
      [(if (.contains prog "/") prog (Executables/find prog (get env "PATH" ""))) exec])
    (let [argv (into (workload/limits-argv service (tool "prlimit")) exec)]
      [(first argv) argv])))

(defn- not-run
  "The refusal for an execve(2) of `prog` that failed."
  [prog ^SysException e]
  (let [say #(refused (str "unable to run " prog ": " %1) :exit %2)]
    (condp = (.errno e)
      Errno/EACCES  (say "permission denied" 126)
      Errno/ENOEXEC (say "it is no program, nor a script that begins with #!" 126)
      Errno/ENOENT  (say "its interpreter is not there" 127)
      e)))

(defn become!
  "Turns this process into the workload of `service`: the calling thread is in its
  namespaces already and holds no descriptor of them. `fds`: 0 and what is
  promised; 1 and 2 stay; `resolv` and `say`: what `resolv/cover-for-good!` is given.
  Returns only by throwing."
  [service {:keys [fds extra-env resolv say]}]
  (let [{:identity/keys [uid gid groups] :as identity} (identity! service)
        env         (environment service identity extra-env)
        _           (check-program! service env)
        caps        (reduce (fn [bits c] (bit-or bits (bit-shift-left 1 (Caps/number c))))
                            0 (:service/caps service))
        [path argv] (in-place service env)
        become      (Identity. (int uid) (int gid)
                               (when (:service/user service) (int-array groups))
                               (long caps) true)
        env         (env-list env)]
    (resolv/cover-for-good! service resolv say)
    (settle-thread! service)
    (prepare-limits! service)
    (Exec/prepare path argv env fds)
    (.take become)
    (try
      (Exec/run path argv env fds)
      (catch SysException e
        (throw (if (= "execve" (.call e)) (not-run (first argv) e) e))))))

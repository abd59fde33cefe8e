;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.identity-test
  "Who a workload is: a table of declarations, each run by `ontap up` and by `ontap
  exec`. What /proc says of both has to be equal, and to be what the declaration says."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

;; --- what is declared, and what it should come to

(def ^:private shared-name
  "A name below /run/netns that nobody else has."
  (str "ontap-identity-" (.pid (java.lang.ProcessHandle/current))))

(def ^:private table
  "[declaration expected]: both are merged into `plain` and `plainly`. Expected :caps
  are names (`all-but`: of all that there are); :limits are added to the caller's."
  [[{:name "root-plain" :user "root"}                           {}]
   [{:name "nobody-plain" :user "nobody"}                       {}]
   [{:name "daemon-plain" :user "daemon"}                       {}]
   [{:name "own-groups" :user "daemon" :groups ["tty" "audio"]} {:groups ["tty" "audio"]}]
   [{:name "no-groups" :user "daemon" :groups []}               {:groups []}]
   [{:name "one-cap" :caps "+net_bind_service"}                 {:caps #{"net_bind_service"}}]
   [{:name "three-caps" :user "daemon" :caps "+NET_BIND_SERVICE,+net_raw,+Chown"}
    {:caps #{"net_bind_service" "net_raw" "chown"}}]
   [{:name "all-but-one" :caps "+all,-sys_admin"}               {:all-but #{"sys_admin"}}]
   [{:name "keyword-caps" :caps [:net_admin :net_raw]}          {:caps #{"net_admin" "net_raw"}}]
   [{:name "root-caps" :user "root" :caps "+kill,+setuid,+net_admin,-setuid"}
    {:caps #{"kill" "net_admin"}}]
   [{:name "root-all" :user "root" :caps "+all"}                {:all-but #{}}]
   [{:name "files" :limits {:nofile [100 200] :core 0}}
    {:limits {"nofile" [100 200] "core" [0 0]}}]
   [{:name "memory" :limits {:as 1073741824 :stack [1048576 :infinity] :nproc [500 600]
                             :fsize :infinity :memlock [4096 8192] :sigpending 100}}
    {:limits {"as" [1073741824 1073741824] "stack" [1048576 -1] "nproc" [500 600]
              "fsize" [-1 -1] "memlock" [4096 8192] "sigpending" [100 100]}}]
   ;; less than a JVM can live with
   [{:name "tight" :user :quiet
     :limits {:as 67108864 :data 8388608 :nofile 8 :nproc 1 :stack 262144 :fsize 0
              :sigpending 0 :msgqueue 0}}
    {:limits {"as" [67108864 67108864] "data" [8388608 8388608] "nofile" [8 8]
              "nproc" [1 1] "stack" [262144 262144] "fsize" [0 0] "sigpending" [0 0]
              "msgqueue" [0 0]}}]
   ;; above the caller's
   [{:name "more" :caps "+sys_nice" :needs "sys_resource" :limits {:nice 30 :rtprio [10 20] :rttime [1000000 :infinity]
                                              :memlock :infinity}}
    {:caps #{"sys_nice"}
     :limits {"nice" [30 30] "rtprio" [10 20] "rttime" [1000000 -1] "memlock" [-1 -1]}}]
   [{:name "folder" :dir "/tmp" :umask "077"
     :env {"LANG" "C.UTF-8" "EMPTY" "" "PATH" "/bin:/usr/bin" "HOME" "/tmp"}}
    {:dir "/tmp" :umask "0077"
     :env {"LANG" "C.UTF-8" "EMPTY" "" "PATH" "/bin:/usr/bin" "HOME" "/tmp"}}]
   [{:name "own-hostname" :hostname "www.example.org"}          {:hostname "www.example.org"}]
   [{:name "shared-hostname" :uts false}                        {:uts :shared :hostname nil}]
   [{:name "host-net" :netns :host}                             {:net :shared}]
   [{:name "host-both" :netns :host :uts false}                 {:net :shared :uts :shared :hostname nil}]
   [{:name "named-net" :netns shared-name}                      {:net :named}]
   [{:name "named-uts" :netns shared-name :link "eth9" :uts false :caps "+net_raw"}
    {:net :named :uts :shared :hostname nil :caps #{"net_raw"}}]
   [{:name "ready-three" :ready {:fd 3}}                        {:promised #{3}}]
   [{:name "ready-seven" :ready {:fd 7} :user "daemon"}         {:promised #{7}}]
   [{:name "ready-notify" :ready :notify}                       {:notify? true}]])

(def ^:private plain
  {:port "up0" :type "macvlan" :ipv6 :none :acd false :user "nobody" :exec ["sleep" "1000"]})

(defn- quiet-user
  "A user as whom nothing runs: `:nproc 1` counts all processes of a user."
  []
  (let [busy (set (str/split-lines (:out (t/run {} "ps" "-eo" "euser:64="))))]
    (or (first (for [line (str/split-lines (:out (t/run {} "getent" "passwd")))
                     :let [[user _ uid] (str/split line #":")]
                     :when (and (not= "0" uid) (not (#{"nobody" "daemon"} user)) (not (busy user)))]
                 user))
        (t/skip! "every user of this machine has processes"))))

;; --- the expected, in numbers

(def ^:private cap-numbers
  "linux/capability.h, of the names above."
  {"chown" 0 "kill" 5 "setuid" 7 "net_bind_service" 10 "net_admin" 12 "net_raw" 13
   "sys_admin" 21 "sys_nice" 23 "sys_resource" 24})

(defn- mask [names] (reduce #(bit-set %1 (cap-numbers %2)) 0 names))

(defn- bounding [pid] (Long/parseLong (first ((process/status pid) "CapBnd")) 16))

(defn- services
  "The table, each declaration with what all share and an address of its own; without
  those that take a capability (:needs) that `caller` cannot give."
  [caller]
  (let [quiet    (quiet-user)
        bounding (bounding caller)]
    (vec (for [[i [{:keys [user needs] :as declaration} expected]] (map-indexed vector table)
               :when (or (nil? needs) (bit-test bounding (cap-numbers needs)))]
           [(cond-> (merge plain {:ipv4 (str "10.77.0." (+ 10 i) "/24")} (dissoc declaration :needs))
              (= :quiet user) (assoc :user quiet))
            expected]))))

(defn- out [& words] (str/trim (:out (apply t/run {} words))))

(defn- gid [group]
  (or (some-> (out "getent" "group" group) (str/split #":") (nth 2 nil) parse-long)
      (t/skip! (str "there is no group " group))))

(defn- user-facts [user]
  (let [[_ _ uid gid _ home shell] (str/split (out "getent" "passwd" user) #":")]
    {:uid (parse-long uid) :gid (parse-long gid) :home home :shell shell
     :groups (set (map parse-long (str/split (out "id" "-G" user) #" ")))}))

(def ^:private default-path
  (str (when (.exists (java.io.File. "/run/current-system/profile"))
         "/run/current-system/profile/bin:/run/current-system/profile/sbin:")
       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))

(defn- expected
  "What `normal` should give. `caller`: pid of a process as which ontap is started."
  [caller {:keys [name user exec netns] :as declaration} wanted]
  (let [{:keys [uid gid home shell] :as facts} (user-facts user)
        groups   (if-let [groups (:groups wanted)]
                   (into #{gid} (map @#'gid) groups)
                   (:groups facts))
        caps     (if-let [missing (:all-but wanted)]
                   (bit-and-not (bounding caller) (mask missing))
                   (mask (:caps wanted)))]
    {:uid       [uid uid uid uid]
     :gid       [gid gid gid gid]
     :groups    groups
     :caps      {"CapInh" caps "CapPrm" caps "CapEff" caps "CapBnd" caps "CapAmb" caps}
     :no-new-privs "1"
     :seccomp   (first ((process/status caller) "Seccomp"))
     :signals   {"SigBlk" 0 "SigIgn" 0 "SigCgt" 0}
     :umask     (:umask wanted "0022")
     :limits    (merge (process/limits caller) (:limits wanted))
     :fds       (merge {0 "/dev/null" 1 :output 2 :output}
                       (zipmap (:promised wanted) (repeat :promised)))
     :env       (merge {"PATH" default-path "HOME" home "USER" user "LOGNAME" user
                        "SHELL" shell "ONTAP_NAME" name}
                       (when (:notify? wanted) {"NOTIFY_SOCKET" :given})
                       (:env wanted))
     :dir       (:dir wanted "/")
     :root      "/"
     :session   :own
     :group     :own
     :tty       0
     :nice      0
     :threads   "1"
     :oom       (process/oom-score-adj caller)
     :command   exec
     :namespaces (merge (zipmap process/namespace-kinds (repeat :shared))
                        {"net" (:net wanted :own) "uts" (:uts wanted :own)
                         ;; for a /etc/resolv.conf of its own
                         "mnt" (if (= :host netns) :shared :own)})
     :hostname  (get wanted :hostname name)}))

(defn- normal
  "What /proc says of `pid`, without what has to differ between two runs."
  [caller shared-inode pid]
  (let [status (process/status pid)
        stat   (process/stat pid)
        hex    #(Long/parseLong (first (status %)) 16)
        pick   (fn [ks] (into {} (map (juxt identity hex)) ks))
        same   (process/namespaces caller)
        own    (process/namespaces pid)]
    {:uid       (mapv parse-long (status "Uid"))
     :gid       (mapv parse-long (status "Gid"))
     :groups    (set (map parse-long (status "Groups")))
     :caps      (pick ["CapInh" "CapPrm" "CapEff" "CapBnd" "CapAmb"])
     :no-new-privs (first (status "NoNewPrivs"))
     :seccomp   (first (status "Seccomp"))
     :signals   (pick ["SigBlk" "SigIgn" "SigCgt"])
     :umask     (first (status "Umask"))
     :limits    (process/limits pid)
     :fds       (into {} (map (fn [[n to]] [n (cond (zero? n) to (< n 3) :output :else :promised)]))
                      (process/descriptors pid))
     :env       (cond-> (process/environment pid)
                  (get (process/environment pid) "NOTIFY_SOCKET") (assoc "NOTIFY_SOCKET" :given))
     :dir       (process/link pid "cwd")
     :root      (process/link pid "root")
     :session   (if (= pid (:session stat)) :own (:session stat))
     :group     (if (= pid (:pgrp stat)) :own (:pgrp stat))
     :tty       (:tty stat)
     :nice      (:nice stat)
     :threads   (first (status "Threads"))
     :oom       (process/oom-score-adj pid)
     :command   (process/command pid)
     :namespaces (into {} (for [[kind id] own]
                            [kind (cond (= id (same kind)) :shared
                                        (= id (str "net:[" shared-inode "]")) :named
                                        :else :own)]))
     :hostname  (when (not= (own "uts") (same "uts"))
                  (out "nsenter" (str "--uts=/proc/" pid "/ns/uts") "uname" "-n"))}))

;; --- the two ways

(defn- await-command
  "`pid`, once it is the workload (and no more what starts it) and has loaded its
  libraries: it sleeps. `lives?` says whether
  that can still be; /proc would show a zombie while a thread that is not the first
  calls execve."
  [pid exec lives?]
  (t/wait-for (str pid " to become " exec) 60000
              #(or (and (= exec (process/command pid)) (= "S" (:state (process/stat pid))))
                   (when-not (lives?)
                     (throw (ex-info (str pid " ended before it became " exec) {})))))
  pid)

(defn- by-up
  "name -> [normal map, own net namespace] by one `ontap up` of all."
  [lan file declarations normal]
  (let [up (lan/up lan file)]
    (try
      (lan/await-listening lan up)
      (apply lan/await-ready lan (map :name (remove :ready declarations)))
      ;; those that have to say that they are ready do not
      (let [rows (t/wait-for "all to have a pid" 60000
                             #(let [rows (lan/status lan)]
                                (when (every? :pid (vals rows)) rows)))]
        (into {} (for [{:keys [name exec]} declarations
                       :let [pid (:pid (rows name))
                             _   (await-command pid exec #(process/alive? pid))]]
                   [name [(normal pid) (process/link pid "ns" "net")]])))
      (catch Exception e
        (throw (ex-info (str (ex-message e) "\n" (lan/said up)) {} e)))
      (finally
        (is (= 0 (lan/end! up "TERM" 60)) "`ontap up` stops all and exits with 0")))))

(defn- exec!
  "Starts `ontap exec FILE NAME` as a supervisor would; `pipe` (or nil): the number of
  a descriptor that it gets a pipe on."
  [{:keys [host env]} file name pipe]
  (apply lan/spawn {:env (assoc env "NOTIFY_SOCKET" "/run/caller/notify" "LC_ALL" "C"
                                "ONTAP_STRAY" "should not be passed on")}
         "sh" "-c" (str "exec \"$@\"" (when pipe (str " " pipe ">&1")) " 9</etc/passwd") "sh"
         (lan/in host lan/program "exec" file name)))

(defn- by-exec [lan file normal {:keys [name exec ready]}]
  (let [spawned (exec! lan file name (:fd ready))
        pid     (:pid spawned)]
    (try
      (await-command pid exec #(.isAlive ^Process (:process spawned)))
      (when (:fd ready)
        (is (= (process/link pid "fd" 1) (process/link pid "fd" (:fd ready)))
            (str name ": the pipe that the caller gave at the promised number is passed on")))
      (when (= :notify ready)
        (is (= "/run/caller/notify" (get (process/environment pid) "NOTIFY_SOCKET"))
            (str name ": the caller's NOTIFY_SOCKET is passed on")))
      (normal pid)
      (catch Exception e
        (throw (ex-info (str "ontap exec " name ": " (ex-message e) "\n" (lan/said spawned))
                        {} e)))
      (finally (lan/end! spawned "KILL")))))

(defn- differences [a b]
  (into {} (for [k (sort (set/union (set (keys a)) (set (keys b))))
                 :when (not= (get a k) (get b k))]
             [k {:expected (get a k) :is (get b k)}])))

(deftest ^{:slow true :timeout 300} both-ways-and-the-declaration-agree
  (lan/needs-root!)
  (lan/with-lan [lan]
    (lan/with-named-namespace [file shared-name]
      (let [cases        (services (:host lan))
            declarations (mapv first cases)
            normal       (partial normal (:host lan) (process/inode file))
            edn          (lan/write-file lan declarations)
            up           (by-up lan edn declarations normal)
            exec         (zipmap (map :name declarations)
                                 (t/two-at-a-time #(by-exec lan edn normal %) declarations))]
        (doseq [[{:keys [name] :as declaration} wanted] cases
                :let [wanted (expected (:host lan) declaration wanted)]]
          (testing name
            (is (= {} (differences wanted (first (up name))))
                "under `ontap up` the workload is what its declaration says")
            (is (= {} (differences (first (up name)) (exec name)))
                "under `ontap exec` it is the same")))
        (let [own (for [[{:keys [name]} {:keys [net]}] cases :when (nil? net)] (second (up name)))]
          (is (apply distinct? own) "each namespace of a service's own is its alone"))))))

(deftest ^{:timeout 60} exec-without-the-promised-pipe
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [declaration (assoc plain :name "solo" :ready {:fd 3} :ipv4 "10.77.0.9/24")
          file        (lan/write-file lan [declaration])
          solo        (exec! lan file "solo" nil)]
      (try
        (await-command (:pid solo) (:exec declaration) #(.isAlive ^Process (:process solo)))
        (is (= "/dev/null" (process/link (:pid solo) "fd" 3))
            "a promised descriptor that the caller does not give leads nowhere, not to a file of the JVM")
        (is (= #{0 1 2 3} (set (keys (process/descriptors (:pid solo)))))
            "a descriptor that the caller left open is not passed on")
        (finally (lan/end! solo "KILL"))))))

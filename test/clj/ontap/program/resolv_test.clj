;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.resolv-test
  "A workload's own /etc/resolv.conf, as cat(1) and /proc/PID/mountinfo in its mount
  namespace have it, and the machine's, which stays as it is. The machine is a mount
  namespace of the test's own, with an /etc that is a copy."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.run.resolv :as resolv]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

;; --- a machine

(defn- sh! [& words]
  (let [{:keys [exit out err]} (apply t/run {:limit-s 30} words)]
    (when-not (= 0 exit) (throw (ex-info (str (pr-str words) " exited with " exit ": " err) {})))
    out))

(defn- in
  "The words that run a command in the mount namespace of `pid`."
  [pid & words]
  (into ["nsenter" (str "--mount=/proc/" pid "/ns/mnt")] words))

(def ^:private stub "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch nowhere.example\n")

(defn- machine
  "A process that holds a mount namespace like that of a machine: / is shared, /etc is a copy
  in which `prepare`, a script, was run."
  [dir prepare]
  (let [etc  (str dir "/etc")
        held (lan/spawn {} "unshare" "--mount" "--propagation" "private" "sh" "-ec"
                        (str "mkdir " etc " " dir "/later; mount -t tmpfs tmpfs " etc "; cp -a /etc/. " etc "/; mount --bind " etc " /etc;"
                             "cd /etc; rm -f resolv.conf; " prepare "; mount --make-rshared /; echo held; exec sleep 3600"))]
    (lan/await-line held #"held")
    held))

(def ^:private by-link
  "As systemd-resolved has it."
  (str "printf '" (str/replace stub "\n" "\\n") "' >stub.conf; ln -s stub.conf resolv.conf"))

(def ^:private by-file (str/replace by-link "stub.conf; ln -s stub.conf resolv.conf" "resolv.conf"))

(defmacro ^:private with-machine
  "Runs the body with `lan` bound to a LAN and `machine` to the pid of a machine made by `prepare`."
  [[lan machine prepare] & body]
  `(lan/with-lan [~lan]
     (let [held# (machine (:dir ~lan) ~prepare)
           ~machine (:pid held#)]
       (try ~@body
            (finally
              (doseq [up# @(:supervisors ~lan)] (lan/end! up# "TERM"))
              (lan/end! held# "KILL"))))))

(defn- shown
  "What `pid` finds in /etc/resolv.conf."
  [pid]
  (apply sh! (in pid "cat" "/etc/resolv.conf")))

(defn- own-of
  "What the machine's own is: its text, and where it leads."
  [machine]
  [(shown machine) (apply sh! (in machine "sh" "-c" "cd /etc; stat -c '%N %a %s' resolv.conf; cat stub.conf 2>/dev/null || true"))])

(defn- up! [lan machine file]
  (let [up (apply lan/spawn {:env (:env lan)} (apply lan/in (:host lan) (in machine lan/program "up" file)))]
    (swap! (:supervisors lan) conj up)
    (lan/await-listening lan up)
    up))

(defn- said-in [text] (vec (remove #(str/starts-with? % "#") (str/split-lines text))))

(defn- mounts
  "[root, optional fields] of what is mounted at `point` in the namespace of `pid`."
  [pid point]
  (for [line (str/split-lines (:out (t/run {} "cat" (str "/proc/" pid "/mountinfo"))))
        :let [[_ _ _ root at _ & more] (str/split line #" ")]
        :when (= point at)]
    [root (vec (take-while #(not= "-" %) more))]))

(defn- service [name host & {:as more}]
  (merge {:name name :port "up0" :type "macvlan" :ipv6 :none :ipv4 (str "10.77.0." host "/24") :acd false :user "nobody"
          :exec ["sleep" "1000"]}
         more))

(defn- run-file [lan & names] (.getPath ^java.io.File (apply io/file (:dir lan) "run" names)))

;; --- ontap up

(deftest ^{:timeout 180} each-its-own
  (lan/needs-root!)
  (with-machine [lan machine by-link]
    (let [dir     (:dir lan)
          theirs  (str dir "/theirs.conf")
          before  (own-of machine)
          outside (process/link machine "ns" "mnt")]
      (spit theirs "nameserver 192.0.2.99\n")
      (let [up   (up! lan machine
                      (lan/write-file lan [(service "www" 11)
                                           (service "own" 12 :resolv-conf {:nameservers ["127.0.0.1"] :search ["corp.example"] :options ["ndots:2"]})
                                           (service "there" 13 :resolv-conf theirs)
                                           (service "none" 14 :resolv-conf false)
                                           (service "host" 15 :netns :host)
                                           (service "lost" 16 :resolv-conf (str dir "/lost.conf") :restart {:policy :never})]))
            rows (t/wait-for "all to be up" 60000
                             #(let [rows (lan/status lan)]
                                (when (and (every? :pid (vals (dissoc rows "lost"))) (= :failed (:state (rows "lost")))) rows)))
            pid  (fn [name] (:pid (rows name)))
            own? (fn [name] (not= outside (process/link (pid name) "ns" "mnt")))]
        (testing "what stands in it"
          (is (= ["nameserver 192.0.2.53"] (said-in (shown (pid "www")))) "Not the stub, which is not there.")
          (is (str/includes? (shown (pid "www")) "of www on eth0, written by ontap"))
          (is (= ["nameserver 127.0.0.1" "search corp.example" "options ndots:2"] (said-in (shown (pid "own")))))
          (is (= "nameserver 192.0.2.99\n" (shown (pid "there"))))
          (is (= stub (shown (pid "none")) (shown (pid "host"))))
          (is (= (str "its :resolv-conf " dir "/lost.conf is not there") (:reason (rows "lost")))))
        (testing "how it is mounted"
          (is (= {"www" true "own" true "there" true "none" false "host" false}
                 (into {} (map (juxt identity own?)) ["www" "own" "there" "none" "host"])))
          (let [[[root] :as all] (mounts (pid "www") "/etc/resolv.conf")]
            (is (= 1 (count all)))
            (is (str/ends-with? root "/run/resolv/www.conf")))
          (is (every? (fn [[_ fields]] (and (some #(str/starts-with? % "master:") fields)
                                            (not-any? #(str/starts-with? % "shared:") fields)))
                      (mounts (pid "www") "/"))
              "A slave: mounts come in, and none goes out."))
        (testing "mounts of the machine come in, and none goes out"
          (apply sh! (in machine "mount" "-t" "tmpfs" "later" (str dir "/later")))
          (is (seq (mounts (pid "www") (str dir "/later"))))
          (apply sh! (in (pid "www") "mount" "-t" "tmpfs" "inner" (str dir "/etc/ssl")))
          (is (empty? (mounts machine (str dir "/etc/ssl"))))
          (apply sh! (in machine "umount" (str dir "/later")))
          (is (empty? (mounts (pid "www") (str dir "/later")))))
        (testing "a change is seen at once"
          (resolv/put! (run-file lan) "www" {:resolv/name "www" :resolv/link "eth0" :resolv/host []
                                             :resolv/router {:servers ["fe80::1"] :search ["lan"]}})
          (is (= ["nameserver fe80::1%eth0" "search lan"] (said-in (shown (pid "www")))))
          (resolv/put! (run-file lan) "www" {:resolv/name "www" :resolv/host [] :resolv/terms {:dhcp/dns ["10.77.0.1"]}})
          (is (= ["nameserver 10.77.0.1"] (said-in (shown (pid "www")))) "Also a shorter one."))
        (testing "what is behind a link may be replaced, as systemd-resolved does"
          (apply sh! (in machine "sh" "-c" "cp /etc/stub.conf /etc/new; mv /etc/new /etc/stub.conf"))
          (t/wait-for "the file to be written anew" 20000 #(= ["nameserver 192.0.2.53"] (said-in (shown (pid "www")))))
          (is (= 1 (count (mounts (pid "www") "/etc/resolv.conf")))))
        (is (= before (own-of machine)) "The machine's own is what it was.")
        ;; one that mounted the last change may be about to end
        (t/wait-for "every thread of ontap's to have left the namespaces of workloads" 20000
                    #(= #{outside} (into #{} (keep (fn [task] (process/link (:pid up) "task" task "ns" "mnt")))
                                         (.list (io/file (str "/proc/" (:pid up) "/task"))))))
        (t/wait-for "every descriptor of one to be closed" 20000
                    #(not-any? (fn [to] (str/starts-with? to "mnt:")) (vals (process/descriptors (:pid up)))))
        (is (= 0644 (bit-and 0777 (.mode (ontap.sys.Io/stat (run-file lan "resolv" "www.conf"))))))
        (is (= 0 (lan/end! up "TERM" 60)))
        (is (= [] (vec (.list (io/file (run-file lan "resolv"))))) "Each file ends with its service.")))))

(defn- row-of
  "The row of `name` once it has a pid."
  [lan name]
  (t/wait-for (str name " to be up") 60000 #(let [row ((lan/status lan) name)] (when (:pid row) row))))

(deftest ^{:timeout 120} a-machine-that-replaces-its-file
  (lan/needs-root!)
  (with-machine [lan machine by-file]
    (up! lan machine (lan/write-file lan [(service "www" 11) (service "own" 12 :resolv-conf {:nameservers ["192.0.2.1"]})]))
    (let [www   (:pid (row-of lan "www"))
          own   (:pid (row-of lan "own"))
          after (fn [script wanted]
                  (apply sh! (in machine "sh" "-c" (str "cd /etc; " script)))
                  (is (= wanted (t/wait-for (str wanted " after " script) 20000
                                            #(let [now (mapv (comp first said-in shown) [www own])] (when (= wanted now) now))))))]
      (is (= ["nameserver 192.0.2.53" "nameserver 192.0.2.1"] (mapv (comp first said-in shown) [www own])))
      ;; the kernel takes both away: they come back, and the machine's new one counts
      (after "echo nameserver 192.0.2.7 >new; mv new resolv.conf" ["nameserver 192.0.2.7" "nameserver 192.0.2.1"])
      (is (= [1 1] (map #(count (mounts % "/etc/resolv.conf")) [www own])))
      (after "echo nameserver 192.0.2.8 >resolv.conf" ["nameserver 192.0.2.8" "nameserver 192.0.2.1"])
      (after "mkdir -p elsewhere; echo nameserver 192.0.2.9 >elsewhere/dns; ln -sf elsewhere/dns resolv.conf"
             ["nameserver 192.0.2.9" "nameserver 192.0.2.1"])
      (after "echo nameserver 192.0.2.11 >elsewhere/dns" ["nameserver 192.0.2.11" "nameserver 192.0.2.1"])
      (after "rm resolv.conf; printf 'nameserver 192.0.2.10\n' >resolv.conf" ["nameserver 192.0.2.10" "nameserver 192.0.2.1"])
      (is (nil? (resolv/mend! www (run-file lan "resolv" "www.conf"))) "Ours is there: nothing to mend."))))

(deftest ^{:timeout 120} a-machine-without-one
  (lan/needs-root!)
  (with-machine [lan machine "true"]
    (let [file (lan/write-file lan [(service "www" 11)])
          says #"www: there is no /etc/resolv\.conf on this machine, so it gets none of its own"
          up   (up! lan machine file)]
      (lan/await-line up says)
      (is (:pid (row-of lan "www")))
      (is (= 0 (lan/end! up "TERM" 60)))
      (testing "in place"
        (let [www (apply lan/spawn {:env (:env lan)} (apply lan/in (:host lan) (in machine lan/program "exec" file "www")))]
          (try
            (lan/await-line www #"there is no /etc/resolv\.conf on this machine")
            (t/wait-for "the workload" 60000 #(= ["sleep" "1000"] (process/command (:pid www))))
            (finally (lan/end! www "KILL"))))))))

;; --- ontap exec

(defn- workload
  "`spawned`, once it is the last program."
  [{:keys [pid] :as spawned}]
  (t/wait-for "the workload" 60000
              #(or (= ["sleep" "1000"] (process/command pid))
                   (when-not (.isAlive ^Process (:process spawned)) (throw (ex-info (lan/said spawned) {})))))
  spawned)

(deftest ^{:timeout 120} in-place
  (lan/needs-root!)
  (with-machine [lan machine by-link]
    (let [file   (lan/write-file lan [(service "www" 11) (service "lost" 12 :resolv-conf "/no/such/file")])
          before (own-of machine)
          words  #(apply lan/in (:host lan) (in machine lan/program "exec" file %))
          www    (workload (apply lan/spawn {:env (:env lan)} (words "www")))]
      (try
        (is (= ["nameserver 192.0.2.53"] (said-in (shown (:pid www)))))
        (is (= [] (vec (.list (io/file (run-file lan "resolv"))))) "The file has no name that somebody would have to remove.")
        (is (= 1 (count (mounts (:pid www) "/etc/resolv.conf"))))
        (is (= before (own-of machine)))
        (is (= [111 "ontap: fatal: unable to start lost: its :resolv-conf /no/such/file is not there"]
               (let [{:keys [exit err]} (apply t/run {:limit-s 60 :env (:env lan)} (words "lost"))]
                 [exit (last (str/split-lines err))])))
        (finally (lan/end! www "KILL"))))))

(deftest ^{:timeout 120} in-a-user-namespace
  (ontapd/needs-users!)
  (with-machine [lan machine by-link]
    (let [who   {:uid 60123 :gid 60123}
          home  (io/file (:dir lan) "user")
          file  (lan/write-file lan [(dissoc (service "www" 11) :user)])
          _     (.mkdir home)
          _     (sh! "chmod" "755" (:dir lan) file)
          _     (sh! "chown" "60123:60123" home)
          www   (apply lan/spawn {:env {"ONTAP_RUNTIME_DIR" (str home "/run") "ONTAP_STATE_DIR" (str home "/state")}}
                       (apply in machine
                              (ontapd/as who "unshare" "-Urn" "sh" "-ec"
                                         "ip link add up0 type veth peer name lan0; ip link set up0 up; ip link set lan0 up; exec \"$@\""
                                         "sh" lan/program "exec" file "www")))]
      (try
        (workload www)
        (is (= ["nameserver 192.0.2.53"] (said-in (shown (:pid www)))))
        (is (= 1 (count (mounts (:pid www) "/etc/resolv.conf"))))
        (is (= stub (shown machine)))
        (finally (lan/end! www "KILL"))))))

;; --- a link of ontapd's

(deftest ^{:timeout 120} from-ontapd
  (lan/needs-root!)
  (with-machine [lan machine by-link]
    (ontapd/with-ontapd [daemon lan {:wrap (in machine)} "up0"]
      (let [before (own-of machine)
            web (apply lan/spawn {:env (:env lan)}
                       (apply lan/in (:host lan)
                              (in machine lan/program "-t" "macvlan" "up0" "--name" "web" "--ipv4" "none" "--" "sleep" "1000")))]
        (try
          (workload web)
          (let [[[root] :as all] (mounts (:pid web) "/etc/resolv.conf")]
            (is (= 1 (count all)))
            (is (str/ends-with? root "/run/resolv/lease.1.conf")))
          (is (str/includes? (shown (:pid web)) "of web on "))
          (is (= before (own-of machine)))
          (finally (lan/end! web "KILL")))
        (ontapd/await-book lan "the lease to end" empty?)
        (t/wait-for "the file to end with its lease" 20000
                    #(empty? (.list (io/file (run-file lan "resolv")))))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.attach-test
  "`ontap -t TYPE PORT -- PROG`: what PROG finds, and what of the caller it keeps. On macvlan and macvtap links of this
  machine's own kernel, seen by ip(8) and /proc."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(defn- ends
  "[exit status, what it said on standard error] of `ontap WORDS…` on the host of `lan`."
  [lan & words]
  (let [{:keys [exit err]} (apply lan/ontap lan words)]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(def ^:private stay ["sh" "-c" "echo here; exec sleep 300"])

(defn- await-sleep
  "`spawned`, which becomes `stay`, once it is its last program: while a process becomes
  another one, /proc tells nothing of it."
  [{:keys [pid] :as spawned}]
  (lan/await-line spawned #"^here")
  (testing-tools/wait-for "the last program" #(= ["sleep" "300"] (process/command pid)))
  spawned)

(defn- holding
  "`ontap WORDS…`, which stays, on the host of `lan`."
  [lan & words]
  (await-sleep (apply lan/spawn {:env (:env lan)}
                      (apply lan/in (:host lan) lan/program (concat words ["--"] stay)))))

;; --- the words

(deftest ^{:timeout 180} words
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [dir    (:dir lan)
          script (io/file dir "script")]
      (spit (io/file dir "no-program") "")
      (spit script "#!/no/such/interpreter\n")
      (.setExecutable script true false)
      (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "up0"]
        (testing "on both sides of the socket, in whatever order"
          (are [words] (= [0 ""] (apply ends lan (concat words ["--" "sh" "-c" "test -n \"$ONTAP_FD1\" && test -z \"$ONTAP_FD2\""])))
            ["-t" "macvtap" "-m" "2" "up0"]
            ["-t" "macvtap" "-m" "2" (ontapd/socket lan) "--name" "vm"]
            ["--name=vm" "up0" "-m2" "--type=macvtap"]
            ["attach" "up0" "--queues" "2" "-t" "macvtap" "--verbosity=error"]))
        (testing "mistakes"
          (let [usage "usage: ontap attach [OPTIONS] PORT -- PROG ARGS…"]
            (are [words status says] (= [status says] (apply ends lan words))
              ["-t" "macvtap" "up0"]                   100 (str "`ontap attach` needs -- and PROG ARGS… after it; " usage)
              ["-t" "macvtap" "up0" "--"]              100 (str "`ontap attach` needs -- and PROG ARGS… after it; " usage)
              ["-t" "macvtap" "--" "true"]             100 (str "`ontap attach` needs PORT; " usage)
              ["attach" "up0" "--" "true"]             100 "`ontap attach` needs -t TYPE: ipvlan, ipvtap, macvlan, macvtap or tap"
              ["-t" "macvtap" "up0" "up1" "--" "true"] 100 (str "`ontap attach` does not take \"up1\"; " usage)
              ["-t" "mactap" "up0" "--" "true"]        100 "there is no type mactap; it should be ipvlan, ipvtap, macvlan, macvtap or tap; did you mean macvtap?"
              ["-t" "macvtap" "-m" "65" "up0" "--" "true"] 100 "failed to validate \"-m 65\": should be a number from 1 to 64; `ontap attach --help` lists its options"
              ["-t" "macvlan" "-m" "2" "up0" "--" "true"]  100 "--queues is for ipvtap, macvtap and tap, not for macvlan"
              ["-t" "macvtap" "--link" "x" "up0" "--" "true"] 100 "--link is for ipvlan and macvlan, not for macvtap"
              ["-t" "macvtap" "--netns" "x" "up0" "--" "true"] 100 "--netns is for ipvlan and macvlan, not for macvtap"
              ["-t" "macvlan" "--keep" "up0" "--" "true"] 100 "--keep needs --netns for ipvlan and macvlan: a link goes with PROG's own namespace"
              ["-t" "macvlan" "--netns" "nowhere" "up0" "--" "true"] 111 "unable to open the network namespace nowhere: there is no /run/netns/nowhere"
              ["-t" "macvlan" "--netns" "/etc/passwd" "up0" "--" "true"] 100 "/etc/passwd is no network namespace"
              ["-t" "macvlan" "--name" "Not A Label" "up0" "--" "true"] 111 "refused: name should be a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end), is \"Not A Label\""
              ["-t" "macvlan" "--mode" "l2" "up0" "--" "true"] 111 "refused: mode should be bridge, private or vepa for macvlan, is \"l2\""
              ["-t" "tap" "up0" "--" "true"]           111 "refused: port up0 is no bridge, and a tap has to be a port of one; ask for macvtap or ipvtap")))
        (testing "a program that cannot be run"
          (are [prog status says] (= [status (str "unable to run " prog ": " says)] (ends lan "-t" "macvtap" "up0" "--" prog))
            "no-such-program"         127 (str "not found in PATH=" (System/getenv "PATH"))
            "/no/such/program"        127 "no such file"
            (str dir "/no-program")   126 "it is not executable"
            (str script)              127 "its interpreter is not there"))
        (testing "its own exit status"
          (is (= [7 ""] (ends lan "-t" "macvtap" "up0" "--" "sh" "-c" "exit 7"))))
        (is (= {} (ontapd/await-book lan "no lease" empty?)) "Nothing is left of any.")))))

;; --- what PROG finds

(defn- address-of [text] (second (re-find #"\"address\":\"([0-9a-f:]+)\"" text)))

(deftest ^{:timeout 120} a-macvlan-link
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (let [{:keys [pid] :as web} (holding lan "-t" "macvlan" "up0" "--name" "web" "--link" "lan9" "--verbosity=debug")
            inside #(:out (apply testing-tools/run {} (apply lan/in pid %&)))
            env    (process/environment pid)
            link   (inside "ip" "-j" "-d" "link" "show" "dev" "lan9")]
        (try
          (is (= {"ONTAP_IFNAME" "lan9" "ONTAP_HWADDR" (address-of link) "ONTAP_MTU" "1500"}
                 (into {} (filter #(re-find #"^ONTAP_(?!TEST|RUNTIME|STATE|REQUIRE)" (key %))) env)))
          (is (str/includes? link "\"info_kind\":\"macvlan\""))
          (is (str/includes? link "\"ifalias\":\"web\""))
          (is (str/includes? link "\"LOWER_UP\""))
          (is (str/includes? (inside "ip" "-j" "link" "show" "dev" "lo") "\"UP\"") "Loopback is up too.")
          (is (= #{0 1 2} (set (keys (process/descriptors pid)))) "It has no descriptor of ontap's.")
          (let [said (lan/said web)]
            (are [pattern] (re-find pattern said)
              #"(?m)^ontap: debug: asks .*/port\.up0: .*link lan9 name web .*type macvlan$"
              #"(?m)^ontap: debug: got: held namespace hwaddr [0-9a-f:]+ id 1 index 1001 link lan9 mtu 1500 name web .*port up0 .*type macvlan$"
              #"(?m)^ontap: debug: runs /\S*/sh with ONTAP_HWADDR .* ONTAP_IFNAME lan9 ONTAP_MTU 1500$"))
          (finally (lan/end! web "KILL")))
        (is (= {} (ontapd/await-book lan "the lease to end" empty?)) "It ends with its namespace.")))))

(defn- tun-name
  "The link that the tap descriptor `n` of `pid` is a queue of."
  [pid n]
  (second (re-find #"(?m)^iff:\s+(\S+)" (:out (testing-tools/run {} "cat" (str "/proc/" pid "/fdinfo/" n))))))

(deftest ^{:timeout 120} four-queues
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (let [{:keys [pid] :as vm} (holding lan "-t" "macvtap" "-m" "4" "up0")
            env  (process/environment pid)
            fds  (process/descriptors pid)
            taps (map #(parse-long (env (str "ONTAP_FD" %))) (range 4))
            lease (parse-long (env "ONTAP_LEASE_FD"))]
        (try
          (is (= [3 4 5 6 7] (concat taps [lease])))
          (is (= #{0 1 2 3 4 5 6 7} (set (keys fds))) "These, and no other.")
          (is (= (ontapd/path lan "leases" "1") (fds lease)))
          (is (nil? (env "ONTAP_FD4")))
          (let [link (ontapd/taps lan "ip" "-j" "-d" "link" "show" "dev" (env "ONTAP_IFNAME"))]
            (is (= (env "ONTAP_HWADDR") (address-of link)))
            (is (= (env "ONTAP_MTU") (second (re-find #"\"mtu\":(\d+)" link)))))
          (is (= (process/link pid "ns" "net") (process/link (:host lan) "ns" "net")) "It stays where it was.")
          (when-let [names (seq (keep #(tun-name pid %) taps))]
            (is (= #{(env "ONTAP_IFNAME")} (set names))))
          (finally (lan/end! vm "KILL")))))))

;; --- what PROG keeps of the caller

(defn- ignored
  "The signals that a process ignores, but the two of the C library, which a JVM leaves so."
  [pid]
  (bit-and-not (Long/parseUnsignedLong (first (get (process/status pid) "SigIgn")) 16) 0x180000000))

(defn- life
  "What a process has from whoever started it."
  [pid]
  {:ignored  (ignored pid)
   :status   (select-keys (process/status pid) ["Umask" "Groups" "CapInh" "CapPrm" "CapEff" "CapBnd" "CapAmb" "NoNewPrivs" "Seccomp"])
   :limits   (process/limits pid)
   :place    (select-keys (process/stat pid) [:nice :session :tty])
   :folder   (process/link pid "cwd")
   :spaces   (dissoc (process/namespaces pid) "net")
   :oom      (process/oom-score-adj pid)
   :env      (into {} (remove #(str/starts-with? (key %) "ONTAP_")) (dissoc (process/environment pid) "_" "SHLVL" "PWD" "OLDPWD"))})

(deftest ^{:timeout 120} what-is-the-caller-s
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "up0"]
      (let [began  (fn [words]
                     ;; a shell that says its pid, and becomes what follows
                     (let [p (apply lan/spawn {:dir "/" :env (assoc (:env lan) "MARK" "mark")}
                                    (apply lan/in (:host lan) "sh" "-c"
                                           "umask 027; ulimit -n 512; trap '' HUP; exec 9</etc/hostname 3<<E\nmore\nE\necho pid $$; exec \"$@\"" "sh" words))]
                       (assoc p :first (parse-long (subs (lan/await-line p #"^pid ") 4)))))
            kinds  (fn [{:keys [pid]}]
                     (update-vals (process/descriptors pid) #(str/replace % #"\[\d+\]" "")))
            direct (began stay)
            via    (began (into [lan/program "-t" "macvtap" "up0" "--"] stay))]
        (try
          (run! await-sleep [direct via])
          (is (= (:first via) (:pid via)) "It is the same process,")
          (is (= (life (:pid direct)) (life (:pid via))) "and has what it would have without ontap,")
          (is (odd? (ignored (:pid via))) "an ignored SIGHUP (nohup), for instance,")
          (is (= (kinds direct) (dissoc (kinds via) 4 5)) "and its descriptors too.")
          (is (= #{0 1 2 3 9} (set (keys (kinds direct)))))
          (let [env (process/environment (:pid via))]
            (is (= ["4" "5"] (map env ["ONTAP_FD0" "ONTAP_LEASE_FD"])) "Those of the link have numbers that were free."))
          (finally (run! #(lan/end! % "KILL") [direct via]))))
      (testing "standard descriptors that are closed"
        (is (= "/dev/null /dev/null\n"
               (:out (lan/sh lan :host "sh" "-c" "exec \"$@\" <&- 2>&-" "sh" lan/program "-t" "macvtap" "up0" "--"
                             "sh" "-c" "echo $(readlink /proc/$$/fd/0) $(readlink /proc/$$/fd/2)")))
            "lead nowhere, not to what the JVM opened in their place.")))))

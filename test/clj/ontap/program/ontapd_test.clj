;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ontapd-test
  "ontapd as whoever runs it sees it: how it says that it is ready, what it is given, its
  configuration and what a mistake in one does, its sockets, its clients, its end."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.wire :as wire]
            [ontap.testing :as testing-tools])
  (:import (java.nio.charset StandardCharsets)
           (ontap.sys Fd SysException UnixSockets UnixSockets$Message)))

(set! *warn-on-reflection* true)

;; --- readiness

(defn- file-when-there [f] (when (.exists (io/file f)) (slurp f)))

(deftest ^{:timeout 120} says-when-it-is-ready
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [dir    (:dir lan)
          ready  (io/file dir "ready")
          notify (str dir "/notify.sock")]
      (with-open [notified (UnixSockets/datagram notify 0600)]
        (ontapd/with-ontapd [daemon lan {:env {"NOTIFY_SOCKET" notify}
                                         :wrap ["sh" "-c" (str "exec 7>" ready "; exec \"$@\"") "sh"]}
                             "--ready-fd" "7" "up0"]
          ;; the pid file is there: the others were told before
          (is (= "\n" (file-when-there ready)) "a newline on --ready-fd")
          (is (= "READY=1\n" (some-> ^UnixSockets$Message (UnixSockets/receive notified 100 0)
                                     .data (String. StandardCharsets/UTF_8)))
              "READY=1 at NOTIFY_SOCKET")
          (is (= (str (:pid daemon) "\n") (slurp (io/file dir "ontapd.pid"))))
          (is (= "ontap 1 ok" (get (wire/ask (ontapd/socket lan) nil (wire/message "leases")) ""))
              "It is ready when it says so.")
          (is (not-any? #{(str ready)} (vals (process/descriptors (:pid daemon)))) "--ready-fd is closed then.")
          (lan/await-line daemon #"^ontap: hands out links of up0$")
          (is (= 0 (ontapd/stop! daemon)) "SIGTERM ends it with 0.")
          (is (not (.exists (io/file (ontapd/socket lan)))) "Its socket is gone.")
          (is (not (.exists (io/file (ontapd/path lan "netns")))) "So is its namespace of taps, which has no link."))))))

;; --- sockets of others

(def ^:private listener
  "A program that has a socket of the kind, at the path, as descriptor 3, and becomes what
  follows, which finds it by LISTEN_FDS."
  (str "use Socket; $^F = 99; my ($kind, $path, $fds, $pid, @next) = @ARGV; "
       "socket(my $s, AF_UNIX, $kind =~ /stream/ ? SOCK_STREAM : SOCK_SEQPACKET, 0) or die; fileno($s) == 3 or die; "
       "bind($s, sockaddr_un($path)) or die $!; chmod 0600, $path; "
       "listen($s, 9) unless $kind =~ /deaf/; "
       "$ENV{LISTEN_FDS} = $fds; $ENV{LISTEN_PID} = $pid || $$; exec @next or die"))

(defn- with-listener
  "Words that run a command with a socket; `kind` packets, stream or deaf."
  [kind path fds pid]
  ["perl" "-e" listener kind path fds pid])

(defn- fails
  "[exit status, what it said] of an ontapd that does not come up, run by `wrap`."
  [lan wrap & words]
  (let [{:keys [exit err]} (apply lan/sh lan :host (concat wrap [ontapd/program] words))]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(deftest ^{:timeout 120} takes-sockets-of-whoever-starts-it
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [dir    (:dir lan)
          path (str dir "/port.up0")]
      (testing "a socket for its port"
        (ontapd/with-ontapd [daemon lan {:wrap (with-listener "packets" path "1" "0")} "up0"]
          (is (= "ontap 1 ok" (get (wire/ask path nil (wire/message "leases")) "")) "It answers there.")
          (is (not (.exists (io/file (ontapd/socket lan)))) "It made none of its own.")
          (is (= 0 (ontapd/stop! daemon)))
          (is (.exists (io/file path)) "The socket is left to whoever made it.")))
      (testing "others"
        (let [n (atom 0)
              here #(let [folder (io/file dir (str (swap! n inc)))] (.mkdir folder) (str folder "/" %))
              wrong "should be a listening SOCK_SEQPACKET socket called port.NAME"]
          (are [kind name fds answer] (= answer (fails lan (with-listener kind (here name) fds "0") "up0"))
            "stream"  "port.up0" "1" [100 (str "descriptor 3 of LISTEN_FDS " wrong)]
            "deaf"    "port.up0" "1" [100 (str "descriptor 3 of LISTEN_FDS " wrong)]
            "packets" "another"  "1" [100 (str "descriptor 3 of LISTEN_FDS " wrong)]
            "packets" "port.up0" "2" [100 "descriptor 4 is not open"]
            "packets" "port.up9" "1" [100 "descriptor 3 of LISTEN_FDS is the socket of port up9, which is none of the ports (up0)"])))
      (testing "one that is meant for another process"
        (ontapd/with-ontapd [daemon lan {:wrap (with-listener "packets" (str dir "/others") "1" "1")} "up0"]
          (is (.exists (io/file (ontapd/socket lan))) "It makes its own."))))))

;; --- the configuration

(deftest ^{:timeout 120} mistakes
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [dir    (:dir lan)
          file (str dir "/ontapd.edn")
          at   #(str "unable to use " file ": 1 mistake\n" file %)]
      (are [words answer] (= answer (apply fails lan [] words))
        []                                   [100 "`ontap daemon` needs the names of ports, or --config FILE"]
        ["--config" "/no/such"]              [102 "unable to read /no/such: no such file"]
        ["--config" file "up0"]              [100 (str "--config " file " names the ports; up0 should be left out")]
        ["a/b"]                              [102 "unable to hand out links: should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"a/b\""]
        ["up0" "--ready-fd" "7"]             [100 "descriptor 7 is not open"]
        ["up0" "--ready-fd" "eight"]         [100 "failed to validate \"--ready-fd eight\": should be the number of a descriptor; `ontap daemon --help` lists its options"])
      (are [text says] (= [102 (at says)] (do (spit file text) (fails lan [] "--config" file)))
        "{:ports {\"up0\" "                  ":1:9: unreadable EDN: \"{\" is never closed"
        "[{:name \"a\" :port \"up0\" :exec [\"true\"]}]" ": there is no port in it; ontapd needs :ports, such as {:ports {\"eth0\" {}}}"
        "{:ports {\"up0\" {:grup \"games\"}}}"  ": :ports \"up0\" :grup: unknown key; did you mean :group?"
        "{:ports {\"up0\" {:owner \"nobodyy\"}}}" ": :ports \"up0\" :owner: there is no user \"nobodyy\" on this machine; did you mean \"nobody\"?"
        "{:ports {\"up0\" {:allow [{:user \"nobody\" :types [\"macvlan\"]}]}}}"
        ": :ports \"up0\" :allow[0] :types[0]: macvlan is for root only, who needs no rule: in a namespace of their own a user could stack more on it without limit; should be left out")
      (is (= [] (filter #(str/starts-with? % "port.") (.list (io/file dir "run")))) "No socket was made."))))

(defn- mode-of [path]
  (str/trim (:out (testing-tools/run {} "stat" "-c" "%U %G %a" path))))

(defn- reload!
  "SIGHUP with `text` as the configuration; what is said of it."
  [daemon config text]
  (spit config text)
  (testing-tools/run {} "kill" "-HUP" (:pid daemon))
  (lan/await-line daemon #"^ontap: (re|error: not re|not re)loaded"))

(deftest ^{:timeout 120} reads-its-configuration-again
  (lan/needs-root!)
  (lan/with-lan [lan]
    (lan/sh! lan :host "ip" "link" "add" "up1" "type" "veth" "peer" "name" "up1peer")
    (let [config (ontapd/config! lan {"up0" {:group "nogroup"}})
          taken  #(get (wire/ask (ontapd/socket lan %) nil (wire/message "attach" "type" "macvtap" "keep" "yes")) "")]
      (ontapd/with-ontapd [daemon lan {} "--config" config]
        (is (= "root nogroup 660" (mode-of (ontapd/socket lan))))
        (is (= "ontap 1 ok" (taken "up0")))
        (let [inode (process/inode (ontapd/socket lan))]
          (testing "a mistake changes nothing"
            (is (str/includes? (reload! daemon config "{:ports {\"up1\" {:grp 1}}}") "not reloaded"))
            (is (= inode (process/inode (ontapd/socket lan))))
            (is (= "ontap 1 ok" (taken "up0"))))
          (testing "a port more"
            (reload! daemon config "{:ports {\"up0\" {:group \"nogroup\"} \"up1\" {:group \"root\" :owner \"nobody\" :mode \"0600\"}}}")
            (is (= inode (process/inode (ontapd/socket lan))) "The socket of the other is left alone.")
            (is (= "nobody root 600" (mode-of (ontapd/socket lan "up1"))))
            (is (= "ontap 1 ok" (taken "up1")))))
        (testing "another group"
          (reload! daemon config "{:ports {\"up0\" {:group \"root\" :mode \"0640\"} \"up1\" {:group \"root\" :owner \"nobody\" :mode \"0600\"}}}")
          (is (= "root root 640" (mode-of (ontapd/socket lan)))))
        (testing "other rules, for connections that are open already"
          (with-open [open (wire/connect (ontapd/socket lan "up1") {:uid 65534 :gid 65534 :groups []})]
            (let [ask #(do (wire/say open (wire/message "attach" "type" "macvtap")) (wire/hear open))]
              (is (= ["policy" "port up1 gives nobody nothing: its one rule is not for nobody or a group of theirs"] (wire/refusal (ask))))
              (reload! daemon config "{:ports {\"up1\" {:owner \"nobody\" :mode \"0600\" :group \"root\" :allow [{:user \"nobody\"}]}}}")
              (let [{:keys [fds] :as answer} (ask)]
                (is (= "ontap 1 ok" (get answer "")))
                (run! #(.close ^Fd %) fds)))))
        (testing "a port less"
          (is (not (.exists (io/file (ontapd/socket lan)))) "Its socket is gone.")
          (is (= ["up0" "up0" "up1"] (sort (map :lease/port (filter :lease/keep? (vals (ontapd/book lan))))))
              "Its links live on."))
        (is (= 0 (ontapd/stop! daemon)))
        (is (= 3 (count (re-seq #"macvtap" (ontapd/taps lan "ip" "-d" "link" "show" "type" "macvtap"))))
            "SIGTERM leaves what was kept.")))))

(deftest ^{:timeout 120} one-in-a-folder
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (is (= [111 (str "unable to run: another ontapd runs in " (ontapd/path lan)
                       "; ONTAP_RUNTIME_DIR=DIR gives this one a folder of its own")]
             (fails lan [] "up0")))
      (is (= "ontap 1 ok" (get (wire/ask (ontapd/socket lan) nil (wire/message "leases")) ""))
          "The first one serves on."))))

(deftest ^{:timeout 120} a-port-that-is-not-there-yet
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0" "late0"]
      (lan/await-line daemon #"^ontap: warning: port late0 is not there yet$")
      (let [ask #(wire/ask (ontapd/socket lan "late0") nil (wire/message "attach" "type" "macvtap"))]
        (is (= ["port" "port late0 is not there yet" "wait"] (wire/refusal (ask))))
        (lan/sh! lan :host "ip" "link" "add" "late0" "type" "veth" "peer" "name" "late1")
        (is (testing-tools/wait-for "the port" #(= "ontap 1 ok" (get (ask) ""))))))))

;; --- its end, and the next one

(deftest ^{:timeout 120} links-live-on
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [holding (fn [type name]
                    (let [p (apply lan/spawn {:env (:env lan)}
                                   (apply lan/in (:host lan)
                                          (ontapd/attach lan type ["--name" name] "sh" "-c" "echo held; exec sleep 300")))]
                      (lan/await-line p #"held")
                      p))
          links   (fn [{:keys [pid]}]
                    [(:out (testing-tools/run {} "nsenter" (str "--net=/proc/" pid "/ns/net") "ip" "-o" "link" "show" "dev" "eth0"))
                     (ontapd/taps lan "ip" "-o" "link" "show" "type" "macvtap")])
          ;; a shell that runs the tests in the background has SIGINT ignored in all it starts
          start   #(ontapd/start lan {:wrap ["env" "--default-signal=INT"]} "up0")
          daemon  (volatile! (start))
          next!   #(vreset! daemon (start))]
      (try
        (let [web (holding "macvlan" "web")
              vm  (holding "macvtap" "vm")]
          (try
            (let [before (links web)]
              (is (every? not-empty before))
              (doseq [signal ["TERM" "INT" "KILL"]]
                (testing signal
                  (is (= (if (= "KILL" signal) 137 0) (ontapd/stop! @daemon signal)))
                  (is (= before (links web)) "They are as they were.")
                  (next!)
                  (is (= before (links web)))
                  (is (= #{["web" :held] ["vm" :held]}
                         (set (map (juxt :lease/name :lease/state) (vals (ontapd/book lan))))))))
              (testing "holders that end while nobody looks"
                (ontapd/stop! @daemon "KILL")
                (run! #(lan/end! % "KILL") [web vm])
                (next!)
                (is (= {} (ontapd/await-book lan "no lease" empty?)))
                (is (= "" (ontapd/taps lan "ip" "-o" "link" "show" "type" "macvtap")))))
            (finally (run! #(lan/end! % "KILL") [web vm]))))
        (finally (ontapd/clean! lan @daemon))))))

;; --- clients

(defn- seconds [f]
  (let [began (System/nanoTime)]
    (f)
    (/ (- (System/nanoTime) began) 1e9)))

(deftest ^{:timeout 120} clients-that-say-nothing
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (let [socket (ontapd/socket lan)]
        (with-open [silent (wire/connect socket)
                    slow   (wire/connect socket)]
          (let [waited (seconds #(is (= :silence (wire/hear slow 3000))))]
            (is (<= 2.9 waited)))
          (wire/say slow (wire/message "leases"))
          (is (= "ontap 1 ok" (get (wire/hear slow) "")) "3 s are no harm.")
          (is (<= 0.5 (seconds #(is (= :closed (wire/hear silent 10000)))) 6) "5 s are the end of it.")
          (is (<= 1.5 (seconds #(is (= :closed (wire/hear slow 10000)))) 8) "They count from the last answer."))))))

(deftest ^{:timeout 120} connections-of-one-user
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "--config" (ontapd/config! lan {"up0" {:mode "0666"}})]
      (let [socket (ontapd/socket lan)
            user   (fn [uid] {:uid uid :gid uid :groups []})
            works? (fn [fd] (try (wire/say fd (wire/message "leases"))
                                 (= "ontap 1 ok" (get (wire/hear fd) ""))
                                 (catch SysException _ false)))
            open   (vec (repeatedly 64 #(wire/connect socket (user 60123))))]
        (try
          (is (works? (peek open)))
          (with-open [more (wire/connect socket (user 60123))]
            (is (= :closed (wire/hear more 3000)) "The 65th is closed at once."))
          (with-open [other (wire/connect socket (user 60124))]
            (is (works? other) "Another user has theirs."))
          (.close ^Fd (first open))
          (is (testing-tools/wait-for "room for one more"
                #(with-open [again (wire/connect socket (user 60123))] (works? again))))
          (finally (run! #(.close ^Fd %) open)))))))

(deftest ^{:timeout 120} unreadable-packets
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (let [socket (ontapd/socket lan)]
        (doseq [[text rule says closes?]
                [["ontap 2 attach\nwhatever\u0001" "version" "this program speaks version 1 of the protocol, not version 2" true]
                 ["hello\n" "request" nil true]
                 ["ontap 1 leases" "request" nil true]
                 [(byte-array (map unchecked-byte [0x6f 0xff 0x0a])) "request" nil true]
                 [(apply str "ontap 2 attach\n" (repeat 9000 "x")) "version" nil true]
                 [(apply str "ontap 1 attach\n" (repeat 9000 "x")) "size" "a message should be at most 4096 bytes long" true]
                 [(apply str "ontap 1 attach\n" (repeat 100000 "x")) "size" nil true]
                 ["ontap 1 attack\n" "request" "there is no request attack; did you mean attach?" false]
                 ["ontap 1 leases\nid 1\n" "request" nil false]]]
          (testing (if (string? text) (subs text 0 (min 30 (count text))) "no UTF-8")
            (with-open [fd (wire/connect socket)]
              (wire/say fd text)
              (let [[r s] (wire/refusal (wire/hear fd))]
                (is (= rule r))
                (when says (is (= says s)))
                (is (re-find #"^[^\n]+[^.\n]$" (str s)) "one sentence")
                (if closes?
                  (is (= :closed (wire/hear fd 3000)))
                  (do (wire/say fd (wire/message "leases"))
                      (is (= "ontap 1 ok" (get (wire/hear fd) ""))))))))))
      (is (= 0 (ontapd/stop! daemon))))))

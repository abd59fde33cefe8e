;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.authority-test
  "Who may have what: ordinary users at the socket of a port, with their own namespaces and
  with those of others, within the rules of the configuration and beyond them. Each refusal
  by its sentence, as `ontap` prints it and as the protocol says it. What is ipvlan is looked
  at in a User Mode Linux kernel (test/harness/uml-authority.sh), the host's own link too."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.uml :as uml]
            [ontap.harness.wire :as wire]
            [ontap.testing :as testing-tools])
  (:import (ontap.sys Fd Io SysException)))

(set! *warn-on-reflection* true)

;; --- users: of the group of the port, and not

(defn- number [what name]
  (or (some-> (:out (testing-tools/run {} "getent" what name)) str/trim not-empty (str/split #":") (nth 2) parse-long)
      (testing-tools/skip! (str "this machine has no " what " entry for " name))))

(defn- users
  "member: a uid without a name, in the group games; games: the user, with that group;
  outsider: nobody; other: another uid in the group."
  []
  (let [games (number "group" "games")]
    {:member   {:uid 60123 :gid 60123 :groups [games]}
     :other    {:uid 60124 :gid games :groups []}
     :games    {:uid (number "passwd" "games") :gid games :groups []}
     :outsider {:uid (number "passwd" "nobody") :gid (number "group" "nogroup") :groups []}}))

(defn- run-as
  "Runs `ontap WORDS…` as `who` on the host of `lan`, after `before` (words such as unshare
  -Urn): [exit-status what-it-said]."
  [lan who before & words]
  (let [{:keys [exit err]} (apply lan/sh lan :host (apply ontapd/as who (concat before [lan/program] words)))]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(def ^:private own-network ["unshare" "-Urn"])

(defn- no-ipvlan
  "What the kernel of this machine says to a request for ipvlan that was allowed."
  [lan]
  (if (= 0 (:exit (lan/sh lan :host "ip" "link" "add" "link" "up0" "name" "probe0" "type" "ipvlan")))
    (do (lan/sh! lan :host "ip" "link" "del" "probe0") nil)
    "this kernel has no ipvlan links: load the module (modprobe ipvlan), or choose another :type"))

;; --- as `ontap` says it

(def ^:private ports
  {"up0" {:group "games"
          :allow [{:group "games" :types ["ipvlan" "macvtap"] :limit 2 :names ["g-*" "web"]}
                  {:user "games" :types ["ipvtap"] :limit 1}]}
   "up1" {:group "games" :allow []}
   "up2" {:group "games" :allow [{:user "nobody" :types ["ipvlan"]}]}
   "up3" {:group "games" :mode "0600"}
   "up4" {:group "games"}})

(defn- more-ports! [lan]
  (doseq [port ["up1" "up2"]]
    (lan/sh! lan :host "ip" "link" "add" port "type" "veth" "peer" "name" (str port "peer"))))

(defn- holding
  "A process of `who` that holds a macvtap called `name`; its link."
  [lan who name]
  (let [holder (apply lan/spawn {:env (:env lan)}
                      (apply lan/in (:host lan)
                             (apply ontapd/as who (ontapd/attach lan "macvtap" ["--name" name]
                                                                 "sh" "-c" "echo link $ONTAP_IFNAME; exec sleep 300"))))]
    [holder (subs (lan/await-line holder #"^link ") 5)]))

(deftest ^{:timeout 240} an-ordinary-user-and-ontap
  (ontapd/needs-users!)
  (let [{:keys [member other games outsider]} (users)]
    (lan/with-lan [lan]
      (more-ports! lan)
      (lan/with-named-namespace [_ "ontap-authority"]
        (ontapd/with-ontapd [daemon lan {} "--config" (ontapd/config! lan ports)]
          (testing "a member gets a tap, and the link in the daemon's keeping is theirs"
            (let [[holder link] (holding lan member "g-vm")]
              (let [seen (ontapd/taps lan "ip" "-j" "-d" "link" "show" "dev" link)]
                (is (every? #(str/includes? seen %) ["\"ifalias\":\"g-vm\"" "\"info_kind\":\"macvtap\""]) seen))
              (is (= ["60123" "60123" "60123" "60123"] (get (process/status (:pid holder)) "Uid")))
              (are [who why] (= [111 why] (run-as lan who [] "-t" "macvtap" "up0" "--name" "g-vm" "--" "true"))
                other  "refused: the name g-vm is in use on this machine"
                member "refused: the name g-vm is in use by lease 1")
              (lan/end! holder "KILL")
              (is (= {} (ontapd/await-book lan "the lease to end" empty?)))
              (is (not (str/includes? (ontapd/taps lan "ip" "link") link)) "Its link ends with it.")))
          (testing "an ipvlan link in a namespace of their own"
            (let [says (no-ipvlan lan)]
              (is (= (if says [111 (str "refused: " says)] [0 ""])
                     (run-as lan member own-network "-t" "ipvlan" "up0" "--name" "web" "--" "true"))
                  "They have the right to it: it is the kernel that has none.")))
          (testing "what they may not"
            (are [who before words why] (= [111 why] (apply run-as lan who before (concat words ["--" "true"])))
              member own-network ["-t" "macvlan" "up0" "--name" "web"]
              "refused: port up0 gives macvlan to root only, for a user could stack more on it without limit; take ipvlan, or macvtap"

              member [] ["-t" "ipvlan" "up0"]
              "unable to make a network namespace: that takes root, or a user namespace of one's own: unshare -Urn ontap …"

              member [] ["-t" "ipvlan" "up0" "--netns" "ontap-authority"]
              "no right to enter the network namespace ontap-authority"

              member [] ["-t" "tap" "up0"]
              "refused: port up0 gives uid 60123 no tap (rule 1, group games, allows ipvlan and macvtap)"

              games [] ["-t" "tap" "up0"]
              "refused: port up0 gives games no tap (rule 1, group games, allows ipvlan and macvtap; rule 2, user games, allows ipvtap)"

              member [] ["-t" "macvtap" "up0" "--name" "db"]
              "refused: the name db is not among those that port up0 gives uid 60123: g-*, web"

              member [] ["-t" "macvtap" "up1"]
              "refused: port up1 gives links to root only"

              member [] ["-t" "macvtap" "up2"]
              "refused: port up2 gives uid 60123 nothing: its one rule is not for uid 60123 or a group of theirs"

              member [] ["-t" "macvtap" "up4"]
              "refused: port up4 is not there yet"

              member [] ["-t" "macvtap" "up5"]
              (ontapd/no-socket (ontapd/socket lan "up5"))

              outsider [] ["-t" "macvtap" "up0"]
              (str "no right to ask ontapd: " (ontapd/socket lan) " is for its owner and its group (ls -l "
                   (ontapd/socket lan) "); an administrator can put you into that group")

              member [] ["-t" "macvtap" "up3"]
              (str "no right to ask ontapd: " (ontapd/socket lan "up3") " is for its owner and its group (ls -l "
                   (ontapd/socket lan "up3") "); an administrator can put you into that group")))
          (testing "more than their share"
            (let [[one _] (holding lan member "g-1")
                  [two _] (holding lan member "g-2")
                  ask #(run-as lan % [] "-t" "macvtap" "up0" "--" "true")]
              (is (= [111 "refused: port up0 gives members of games 2 links each, and uid 60123 holds 2"] (ask member)))
              (is (= [0 ""] (ask other)) "It is so much for each.")
              (lan/end! one "KILL")
              (ontapd/await-book lan "a lease to end" #(= 1 (count %)))
              (is (= [0 ""] (ask member)) "What is given back can be had again.")
              (lan/end! two "KILL")))
          (testing "root"
            (is (= [0 ""] (run-as lan {:uid 0 :gid 0} [] "-t" "macvtap" "up1" "--name" "anything" "--" "true"))
                "may have everything.")))))))

;; --- as the protocol says it

(defn- asks-for
  "The text of a request for an ipvlan link."
  [& more]
  (apply wire/message "attach" "type" "ipvlan" more))

(defn- of-user
  "A process of `who` with namespaces of its own; see `lan/spawn`."
  [who]
  (let [held (apply lan/spawn {} (ontapd/as who "unshare" "-Urnu" "sh" "-c" "echo held; exec sleep 300"))]
    (lan/await-line held #"held")
    held))

(def ^:private not-yours
  ["authority"
   "that network namespace is not yours: a link goes to a namespace of root's for root only, and to one that you made yourself (unshare -Urn) for you"])

(def ^:private no-namespace
  ["descriptor" "the descriptor is no network namespace (open /proc/self/ns/net, or a file below /run/netns)"])

(defn- strange-descriptors
  "What `daemon` has open that might have come with a request: all but what it had at its
  start and what the JVM opens for itself."
  [{:keys [pid]} before]
  (remove #(or (contains? (set (vals before)) %) (re-find #"\.jar$|^/proc/|^/dev/u?random$" %))
          (vals (process/descriptors pid))))

(defn- await-none
  "What of that there still is after 10 s."
  [daemon before]
  (try (testing-tools/wait-for "descriptors to be closed" #(empty? (strange-descriptors daemon before)))
       (catch clojure.lang.ExceptionInfo _ nil))
  (strange-descriptors daemon before))

(deftest ^{:timeout 180} namespaces-and-other-descriptors
  (ontapd/needs-users!)
  (let [{:keys [member games]} (users)]
    (lan/with-lan [lan]
      (lan/with-named-namespace [named "ontap-authority"]
        (ontapd/with-ontapd [daemon lan {} "--config" (ontapd/config! lan {"up0" {:group "games"}})]
          (let [own    (of-user member)
                others (of-user games)
                socket (ontapd/socket lan)
                before (process/descriptors (:pid daemon))
                asks   (fn [who text ^Fd fd] (with-open [fd fd] (wire/refusal (wire/ask socket who text fd))))
                kernel (if-let [says (no-ipvlan lan)] ["kernel" says] "ontap 1 ok")
                judged #(if (map? %) (get % "") %)]
            (try
              (testing "whose namespace"
                (are [who fd answer] (= answer (judged (asks who (asks-for) fd)))
                  member (wire/open named)                        not-yours
                  member (wire/namespace-of (:pid others) "net")  not-yours
                  games  (wire/namespace-of (:pid own) "net")     not-yours
                  member (wire/namespace-of (:peer lan) "net")    not-yours
                  member (wire/namespace-of (:pid own) "net")     kernel
                  ;; root may put a link anywhere but into ontapd's own
                  nil    (wire/namespace-of (:pid own) "net")     kernel
                  nil    (wire/open named)                        kernel)
                (doseq [who [member nil]]
                  (is (= ["namespace" "that is ontapd's own network namespace, and port up0 puts no links there; :own-netns true in its configuration would allow it"]
                         (asks who (asks-for) (wire/namespace-of (:host lan) "net"))))))
              (testing "what is no network namespace"
                (doseq [^Fd fd [(wire/open "/dev/null") (wire/open "/etc/passwd") (wire/open "/proc/self/status")
                                (wire/open "/") (wire/namespace-of (:pid own) "uts") (wire/namespace-of (:pid own) "user")
                                (wire/connect socket) (Io/open named Io/O_PATH 0)]]
                  (is (= no-namespace (asks member (asks-for) fd)) (.what fd)))
                (let [[out in] (Io/pipe false)]
                  (is (= [no-namespace no-namespace] (mapv #(asks member (asks-for) %) [out in])) "a pipe")))
              (testing "too many, too few"
                (with-open [a (wire/namespace-of (:pid own) "net")
                            b (wire/open "/dev/null")]
                  (are [text fds answer] (= answer (wire/refusal (apply wire/ask socket member text fds)))
                    (asks-for) [] ["descriptor" "a link of type ipvlan is made in a network namespace, whose descriptor should come with the request"]
                    (asks-for) [a b] ["descriptor" "a request carries at most one descriptor; 2 came with this one"]
                    (asks-for) (repeat 253 b) ["descriptor" "more than one descriptor came with the request"]
                    (wire/message "attach" "type" "macvtap") [a] ["descriptor" "a request for macvtap takes no descriptor; 1 came with it"]
                    (wire/message "leases") [a] ["descriptor" "a request for leases takes no descriptor; 1 came with it"]
                    (apply str (asks-for) (repeat 4096 "x")) [a] ["size" "a message should be at most 4096 bytes long"])))
              (is (= [] (await-none daemon before)) "ontapd has let go of all of them.")
              (is (= {} (ontapd/await-book lan "no lease" empty?)))
              (finally (run! #(lan/end! % "KILL") [own others])))))))))

(deftest ^{:timeout 120} a-descriptor-that-cannot-be-closed
  (ontapd/needs-users!)
  (when-not (.exists (io/file "/dev/fuse")) (testing-tools/not-applicable! "this machine has no /dev/fuse"))
  (let [{:keys [member other]} (users)]
    (lan/with-lan [lan]
      (ontapd/with-ontapd [daemon lan {} "--config" (ontapd/config! lan {"up0" {:group "games"}})]
        (let [file   (io/file (:dir lan) "silent")
              _      (spit file "")
              server (lan/spawn {} "unshare" "--mount" "test/harness/silent-fuse" (.getPath file))
              _      (lan/await-line server #"mounted")
              socket (ontapd/socket lan)
              trap   (wire/open (str "/proc/" (:pid server) "/root" file))]
          (try
            (dotimes [_ 6]
              (is (= no-namespace (wire/refusal (wire/ask socket member (asks-for) trap)))))
            (is (= "descriptor" (first (wire/refusal (wire/ask socket member (asks-for) trap trap trap)))))
            (is (= "size" (first (wire/refusal (wire/ask socket member (apply str (asks-for) (repeat 5000 "x")) trap)))))
            (is (= "descriptor" (first (wire/refusal (wire/ask socket member (wire/message "leases") trap)))))
            (lan/await-line server #"asked 25")
            (is (= "ontap 1 ok" (get (wire/ask socket other (wire/message "attach" "type" "macvtap")) ""))
                "Others have their links in the meantime.")
            (testing "who does that again and again is not listened to any more"
              (is (testing-tools/wait-for "ontapd to close" 60000
                    #(let [answer (try (wire/ask socket member (asks-for) trap)
                                       (catch SysException _ :closed))]
                       (= :closed answer))))
              (is (= "ontap 1 ok" (get (wire/ask socket other (wire/message "leases")) ""))))
            (finally
              ;; first of all, and without a fork: our children's copies could not be closed either
              (Io/kill (:pid server) 9)
              (.close trap)
              (lan/end! server "KILL"))))))))

(deftest ^{:timeout 180} rules-of-the-protocol
  (ontapd/needs-users!)
  (let [{:keys [member other outsider]} (users)]
    (lan/with-lan [lan]
      (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "--config" (ontapd/config! lan ports)]
        (let [socket (ontapd/socket lan)
              tap    (fn [& more] (apply wire/message "attach" "type" "macvtap" more))]
          (is (= "EACCES" (try (wire/connect socket outsider) (catch SysException e (.errnoName e)))) "An outsider cannot connect.")
          (are [text answer] (= answer (wire/refusal (wire/ask socket member text)))
            (tap "name" "db") ["name" "the name db is not among those that port up0 gives uid 60123: g-*, web"]
            (wire/message "attach" "type" "tap") ["policy" "port up0 gives uid 60123 no tap (rule 1, group games, allows ipvlan and macvtap)"]
            (wire/message "release" "id" "77") ["lease" "you have no lease 77"])
          (is (= ["port" "port up4 is not there yet" "wait"]
                 (wire/refusal (wire/ask (ontapd/socket lan "up4") member (tap)))))
          (testing "limit, and names across users"
            (with-open [connection (wire/connect socket member)]
              (let [attach (fn [& more] (wire/say connection (apply tap more)) (wire/hear connection))
                    one (attach "name" "g-1"), two (attach "name" "g-2")]
                (is (= ["tap lease" "tap lease"] (map #(get % "fds") [one two])))
                (is (= ["limit" "port up0 gives members of games 2 links each, and uid 60123 holds 2"] (wire/refusal (attach))))
                (is (= ["name" "the name g-1 is in use on this machine"] (wire/refusal (wire/ask socket other (tap "name" "g-1")))))
                (is (= ["lease" (str "you have no lease " (get one "id"))]
                       (wire/refusal (wire/ask socket other (wire/message "release" "id" (get one "id"))))))
                (is (= "0" (get (wire/ask socket other (wire/message "leases")) "count")) "Nobody sees another's.")
                (is (= "ontap 1 lease" (get (wire/ask socket nil (wire/message "leases")) "")) "Root sees all.")
                (is (= "ontap 1 ok" (get (wire/ask socket nil (wire/message "release" "id" (get one "id"))) ""))
                    "Root may end it.")
                (run! #(.close ^Fd %) (mapcat :fds [one two])))))
          (testing "rate"
            (with-open [connection (wire/connect socket other)]
              (let [answers (doall (repeatedly 400 #(do (wire/say connection (wire/message "leases"))
                                                        (let [a (wire/hear connection)] (if (= "ontap 1 ok" (get a "")) :ok (wire/refusal a))))))
                    refused (remove #{:ok} answers)]
                (is (<= 200 (count (take-while #{:ok} answers))) "200 at once")
                (is (= #{["rate" "uid 60124 asks more than 50 times a second; ask again in a moment" "wait"]} (set refused)))))
            (is (= "ontap 1 ok" (get (wire/ask socket member (wire/message "leases")) "")) "It is counted for each user.")
            (is (every? #{"ontap 1 ok"}
                        (with-open [connection (wire/connect socket)]
                          (doall (repeatedly 400 #(do (wire/say connection (wire/message "leases")) (get (wire/hear connection) ""))))))
                "Root is not counted.")))))))

;; --- ipvlan, where there is one

(deftest ^{:slow true :apart true :timeout 400 :jdk :floor} ipvlan-of-an-ordinary-user
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (uml/build-program!)
    (uml/assert-passed
     (uml/in-kernel {:seconds 300 :modules "ipvlan ipvtap macvlan veth af_packet" :script "uml-authority.sh"} "bin" clients)
     ["a member's ipvlan: it is an ipvlan link"
      "a member's ipvlan: it reaches the LAN"
      "a member's ipvlan: it ends with their namespace"
      "a member's ipvlan in a namespace of theirs that lives on: it ends with its holder"
      "a member's own ontap up: its service is reached from the LAN"
      "a member's own ontap up: the lease is theirs"
      "a member's own ontap up: SIGTERM ends it with 0"
      "a member's ipvtap"
      "a member is refused: root's namespace"
      "a member is refused: macvlan"
      "an outsider cannot connect"
      "the host's own link: a service is reached by it"
      "the host's own link: the next ontapd takes it up"
      "the host's own link: it goes when it is wanted no more"
      "without CAP_NET_RAW: the guest of an ipvtap is not heard"])))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.namespaces-test
  "What is found out about namespaces that others made, root and users: as root, and as an ordinary user with
  CAP_NET_ADMIN and CAP_NET_BROADCAST alone. ip(8) and lsns(8) are the witnesses."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.witness :as witness]
            [ontap.kernel.mounted :as mounted]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.testing :as t])
  (:import (java.util.concurrent Callable)
           (ontap.rtnl Rtnl)
           (ontap.sys Caps Fd Identity Io NsThread)))

(set! *warn-on-reflection* true)

(def ^:private user "A user of the test's: nobody has this number." 23456)
(def ^:private as-user ["setpriv" (str "--reuid=" user) (str "--regid=" user) "--clear-groups"])

(defn- as-zone
  "Calls `f` in a thread that is nobody and holds CAP_NET_ADMIN and CAP_NET_BROADCAST. What it needs has been loaded."
  [f]
  (Identity/prepare)
  (NsThread/call "test-zone"
                 ^Callable
                 (fn []
                   (.take (Identity. 65534 65534 (int-array 0)
                                     (bit-or (bit-shift-left 1 (Caps/number "net_admin"))
                                             (bit-shift-left 1 (Caps/number "net_broadcast")))
                                     true))
                   (f))))

(defn- output [& words]
  (let [{:keys [exit out err]} (apply t/run {} words)]
    (when-not (= 0 exit) (throw (ex-info (str (str/join " " words) ": " err) {:exit exit})))
    out))

(defn- lsns
  "What lsns(8) says, {inode {:owner :nsid}}: from the calling thread's namespace."
  []
  (into {} (for [line  (str/split-lines (output "lsns" "-t" "net" "-n" "-r" "-o" "NS,ONS,NETNSID"))
                 :let [[ns owner nsid] (str/split line #" ")]]
             [(parse-long ns) {:owner (parse-long owner) :nsid (some-> nsid parse-long)}])))

(defn- inode-of [{:keys [pid]}]
  (mounted/inode (Io/readlink (str "/proc/" pid "/ns/net"))))

(defn- own-user []
  (parse-long (re-find #"\d+" (Io/readlink "/proc/self/ns/user"))))

(defmacro ^:private with-shells
  "Runs the body with each name bound to a shell after the words."
  [[name words & more] & body]
  `(let [~name (apply witness/shell ~words)]
     (try (witness/say! ~name "true") ; it has got its namespaces
          ~(if (seq more) `(with-shells ~(vec more) ~@body) `(do ~@body))
          (finally (witness/end! ~name)))))

(defn- trust
  "{inode or nsid trusted?} of facts."
  [k facts]
  (into {} (map (juxt k :ns/trusted?)) facts))

(deftest whose-they-are
  (witness/alone
    (fn []
      (with-shells [ours    ["unshare" "--net"]
                    mapped  (conj as-user "unshare" "-Urn")       ; root is mapped, after the namespace was made
                    nested  (conj as-user "unshare" "-Ur" "unshare" "-n") ; and before
                    blank   (conj as-user "unshare" "-Un")        ; nobody is mapped
                    visitor ["nsenter" (str "--net=/proc/" (:pid mapped) "/ns/net")]
                    guest   ["nsenter" (str "--net=/proc/" (:pid nested) "/ns/net")]]
        (with-open [rtnl (Rtnl/open)]
          (let [facts    (namespaces/find-all! {:all? true :rtnl rtnl})
                by-inode (trust :ns/inode facts)
                nsid     #(.nsidOfPid rtnl (int (:pid %)))]
            (is (= [true false false false] (map #(by-inode (inode-of %)) [ours mapped nested blank])))
            (testing "as lsns tells: the owner of each, and its id"
              (let [said (lsns)]
                (is (< 4 (count facts)))
                (doseq [{:ns/keys [id inode trusted?]} facts
                        :let [{:keys [owner] :as line} (said inode)]
                        :when line]
                  (is (= trusted? (= owner (own-user))) (str inode))
                  (is (= id (:nsid line)) (str inode)))))
            (testing "as ip tells: these ids are in use"
              (is (= (set (map :ns/id facts))
                     (into #{} (map parse-long) (re-seq #"(?<=nsid )\d+" (output "ip" "netns" "list-id"))))))
            (is (= facts (namespaces/find-all! {:all? false :rtnl rtnl})) "Those that have an id are told in any case.")
            (let [ids  (mapv nsid [ours mapped nested blank])
                  said #(trust :ns/id (namespaces/of-pids rtnl ids))]
              (testing "by their processes"
                (is (= (zipmap ids [true false false false]) (said)))
                (is (= (said) (as-zone said)) "It takes no right over them.")
                (is (every? nil? (map :ns/inode (namespaces/of-pids rtnl ids)))))
              (testing "when only root's own process is left in it"
                (run! witness/end! [nested])
                (is (false? (get (said) (nsid guest))) "The files below /proc/PID/net are the user's.")
                (testing "what is left open, and why"
                  (witness/end! mapped)
                  (is (true? (get (said) (nsid visitor)))
                      "Root was not mapped yet when it was made: the one case that passes for ours.")
                  (is (false? (get (trust :ns/id (namespaces/find-all! {:all? false :rtnl rtnl})) (nsid visitor)))
                      "Who may open it is not deceived.")))
              (is (= [] (namespaces/of-pids rtnl [999])) "Nobody lives there, nothing is known."))))))))

(deftest who-has-a-reason-gets-an-id
  (witness/alone
    (fn []
      (with-shells [host     ["env"]
                    stranger ["unshare" "--net"]
                    child    ["unshare" "--net"]
                    peer     ["unshare" "--net"]
                    theirs   (conj as-user "unshare" "-Urn")]
        (doseq [line ["ip link add up0 type veth peer name up1"
                      (str "ip link add link up0 name m0 netns " (:pid child) " type macvlan mode bridge")
                      (str "ip link add link up0 name m0 netns " (:pid theirs) " type macvlan mode bridge")]]
          (is (= 0 (first (witness/say! host line))) line))
        (is (= 0 (first (witness/say! peer "ip link add v0 type veth peer name v1"))) "links, but among themselves")
        (with-open [rtnl (Rtnl/open)]
          (is (= [nil nil nil nil] (map #(.nsidOfPid rtnl (int (:pid %))) [stranger child peer theirs]))
              "A link that is made there gives no id.")
          (is (= {(inode-of child) true (inode-of theirs) false}
                 (trust :ns/inode (namespaces/find-all! {:all? false :rtnl rtnl}))))
          (is (= [nil nil] (map #(.nsidOfPid rtnl (int (:pid %))) [stranger peer])))
          (is (= (set (map inode-of [stranger child peer theirs]))
                 (into #{} (comp (map :ns/inode) (filter (set (map inode-of [stranger child peer theirs]))))
                       (namespaces/find-all! {:all? true}))))
          (is (not-any? #{(mounted/inode (Io/readlink "/proc/thread-self/ns/net"))}
                        (map :ns/inode (namespaces/find-all! {:all? true})))
              "Our own is not among them."))))))

(deftest named-ones
  (witness/alone
    (fn []
      (with-shells [host ["env"]]
        (let [ip! #(is (= 0 (first (witness/say! host (str "ip " %)))) %)]
          (ip! "netns add one")
          (ip! "netns add two")
          (ip! "link add v0 type veth peer name v1")
          (ip! "link set v1 netns one")
          (with-open [rtnl (Rtnl/open), ^Fd changes (namespaces/open-mountinfo)]
            (let [look  #(namespaces/named {:all? % :rtnl rtnl})
                  names #(into {} (map (juxt :ns/netns (juxt :ns/id :ns/trusted?))) %)
                  ids   #(into {} (map (fn [[_ n id]] [n (parse-long id)]))
                               (re-seq #"(\w+) \(id: (\d+)\)" (output "ip" "netns" "list")))]
              (is (= ["one"] (keys (names (look false)))) "The kernel gave it an id when the link moved.")
              (is (= (look false) (as-zone #(look false))) "The files are open to all.")
              (is (= (names (look false)) (update-vals (ids) #(vector % true))))
              (is (= ["one" "two"] (sort (keys (names (as-zone #(look true))))))
                  "CAP_NET_ADMIN is enough to give one.")
              (is (= (names (look false)) (update-vals (ids) #(vector % true))))
              (testing "what comes later is told once, without a look at the file"
                (is (zero? (Io/await changes Io/POLLPRI 0)))
                (ip! "netns add three")
                (is (not (zero? (Io/await changes Io/POLLPRI 0))))
                (is (zero? (Io/await changes Io/POLLPRI 0)))
                (is (= ["one" "three" "two"] (sort (keys (names (look true))))))
                (ip! "netns del two")
                (is (not (zero? (Io/await changes Io/POLLPRI 0))))
                (is (= ["one" "three"] (sort (keys (names (look true)))))))
              (testing "a user's namespace with a name"
                (with-shells [theirs (conj as-user "unshare" "-Urn")]
                  (ip! (str "netns attach theirs " (:pid theirs)))
                  (is (false? (second (get (names (look true)) "theirs"))))
                  (is (false? (second (get (names (as-zone #(look true))) "theirs"))))))
              (testing "our own with a name"
                (ip! (str "netns attach self " (:pid host)))
                (is (nil? (get (names (look true)) "self")))
                (is (not-any? nil? (keys (names (look true)))))))))))))

(deftest lines-of-mountinfo
  (is (= {"/run/netns/a" 4026532247 "/var/a b\\c\u00e9" 4026532248}
         (mounted/parse (str "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
                             "74 22 0:4 net:[4026532247] /run/netns/a rw shared:7 - nsfs nsfs rw\n"
                             "75 22 0:4 net:[4026532248] /var/a\\040b\\134c\u00c3\u00a9 rw - nsfs nsfs rw\n"
                             "76 22 0:4 mnt:[4026532249] /run/mnt rw - nsfs nsfs rw\n"
                             "77 22 0:4 / /odd\\040net:[1] rw - tmpfs net:[5] rw\n"))))
  (is (= ["a" nil nil nil nil] (map mounted/netns-name ["/run/netns/a" "/run/netns/" "/run/netns/a/b" "/var/a" nil])))
  (is (= [5 nil nil] (map mounted/inode ["net:[5]" "uts:[5]" nil])))
  (is (= {5 "/run/netns/a" 6 "/var/b"}
         (namespaces/places {"/var/x" 5 "/run/netns/b" 5 "/run/netns/a" 5 "/var/b" 6 "/var/c" 6}))))

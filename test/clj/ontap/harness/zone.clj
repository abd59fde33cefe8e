;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.zone
  "A running `ontap zone` on the host of a LAN (see `ontap.harness.lan`), and those who ask it."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.process :as process]
            [ontap.ops.names :as names]
            [ontap.testing :as testing])
  (:import (java.io File IOException)
           (java.nio.file Files Path)))

(set! *warn-on-reflection* true)

(defn start-with
  "Starts `ontap zone WORDS…` on the host of `lan`; returns once it serves. Options: `:env` more variables, `:dir` the folder
  to start in, `:wrap` words that run the command. See `lan/spawn`; it is ended with the LAN."
  [lan {:keys [env dir wrap]} & words]
  (let [zone (apply lan/spawn {:env (merge (:env lan) env) :dir dir}
                    (apply lan/in (:host lan) (concat wrap [lan/program "zone"] words)))]
    (swap! (:supervisors lan) conj zone)
    (lan/await-line zone #"^ontap: serves " 60)
    zone))

(defn start
  "Starts `ontap zone WORDS…` on the host of `lan`; returns once it serves. See `start-with`."
  [lan & words]
  (apply start-with lan {} words))

(defn fails
  "[exit status, what it said] of an `ontap zone WORDS…` that does not come up; `:wrap` and `:dir` as of `start-with`."
  [lan {:keys [wrap dir]} & words]
  (let [{:keys [exit err]} (apply testing/run {:env (:env lan) :dir dir}
                                  (apply lan/in (:host lan) (concat wrap [lan/program "zone"] words)))]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(defn dig
  "What `dig WORDS…` prints at `place` of `lan`, trimmed. Throws unless it got an answer."
  [lan place & words]
  (str/trim (apply lan/sh! lan place "dig" "+tries=2" "+time=3" words)))

(defn answers
  "The set of the data of the answer to name and type, asked from the address `from` at `place`."
  [lan place server from name type]
  (set (remove str/blank? (str/split-lines (dig lan place "-b" from "+short" (str "@" server) name type)))))

(defn status
  "The RCODE of an answer, and how many records each section has: {:status \"NOERROR\" :answer 1 :authority 0}."
  [lan place server from name type]
  (let [out (dig lan place "-b" from (str "@" server) name type)
        n   (fn [section] (parse-long (second (re-find (re-pattern (str section ": (\\d+)")) out))))]
    {:status    (second (re-find #"status: ([A-Z]+)" out))
     :answer    (n "ANSWER")
     :authority (n "AUTHORITY")}))

(defn names
  "The rows of `ontap names`."
  [lan & words]
  (let [{:keys [exit out err]} (apply lan/ontap lan "names" "--format" "edn" words)]
    (when-not (= 0 exit) (throw (ex-info (str "ontap names: " err) {:exit exit})))
    (edn/read-string out)))

;; without the time that a JVM takes to start

(defn rows
  "The rows of `ontap names`, asked in this process."
  [{:keys [env]}]
  (:names (names/ask env nil)))

(defn why
  "The lines of `ontap explain NAME`, asked in this process."
  [{:keys [env]} name]
  (names/explained (names/explain env name)))

(defn await-answer
  "Blocks until `f` (fn []) gives `expected`, for 10 s at most; then throws with what it gave."
  [what expected f]
  (testing/wait-for what #(when (= expected (f)) true)))

;; --- a LAN with addresses of each kind

(def host-ip "The host's address on the LAN, private." "fd77::2")
(def private "An asker's address, at the peer of the LAN: it is in every LAN." "fd77::1")
(def on-link "An asker's address, at the peer: global, and of a prefix of the host's." "2001:db8:a::9")
(def foreign "An asker's address, at the peer: global, and of elsewhere." "2001:db8:f::9")

(defn dress!
  "Gives the host and the peer of `lan` their addresses: fd77::2, 10.77.0.2 and 2001:db8:a::2 on up0, and `on-link`
  and `foreign` at the peer."
  [lan]
  (lan/sh! lan :host "ip" "link" "set" "up0" "up")
  (doseq [a ["fd77::2/64" "2001:db8:a::2/64"]]
    (lan/sh! lan :host "ip" "addr" "add" a "dev" "up0" "nodad"))
  (lan/sh! lan :host "ip" "addr" "add" "10.77.0.2/24" "dev" "up0")
  (doseq [a [on-link foreign]]
    (lan/sh! lan :peer "ip" "addr" "add" (str a "/64") "dev" "lan0" "nodad"))
  (lan/sh! lan :host "ip" "-6" "route" "add" "2001:db8:f::/64" "dev" "up0"))

(defn lend!
  "Puts a macvlan of the host's up0, called `link`, its alias `alias` (nil: none), into the namespace of process
  `pid`, up and with `addresses` (texts with prefix), which need no DAD."
  [lan pid link alias addresses]
  (lan/sh! lan :host "ip" "link" "add" "link" "up0" "name" link "type" "macvlan" "mode" "bridge")
  (when alias (lan/sh! lan :host "ip" "link" "set" link "alias" alias))
  (lan/sh! lan :host "ip" "link" "set" link "netns" (str pid))
  (netns/ip {:pid pid} "link" "set" link "up")
  (doseq [a addresses]
    (apply netns/ip {:pid pid} "addr" "add" a "dev" link (when (str/includes? a ":") ["nodad"]))))

(defn sysctl!
  "Sets kernel parameters, name=value, of the namespace of process `pid`."
  [{:keys [pid]} & settings]
  (let [{:keys [exit err]} (apply testing/run {} (apply lan/in pid "sysctl" "-qw" settings))]
    (when-not (= 0 exit) (throw (ex-info (str "sysctl: " err) {})))))

(defn workload!
  "A namespace, kept by a process until the LAN ends, with a link as of `lend!`: {:pid :process}."
  [lan link alias addresses]
  (let [ns (netns/make)]
    (swap! (:holders-of-names lan) conj ns)
    (lend! lan (:pid ns) link alias addresses)
    ns))

(defmacro with-lan
  "Runs the body with `lan` bound to a dressed LAN (see `dress!`), in which `workload!` can be used."
  [[lan] & body]
  `(do (lan/needs-root!)
       (lan/with-lan [lan#]
         (let [~lan (assoc lan# :holders-of-names (atom []))]
           (try
             (dress! ~lan)
             ~@body
             (finally (run! netns/end! @(:holders-of-names ~lan))))))))

(def serving "Words of `ontap zone` that serve the domain vanya on the usual port."
  ["--domain" "vanya" "--listen" "[::]:53" "--listen" "0.0.0.0:53"])

(defn start-plain
  "`start` with the words `serving`."
  [lan]
  (apply start lan serving))

;; --- asked

(defn data
  "The set of what a private asker is told for name and type."
  [lan name type]
  (answers lan :peer host-ip private name type))

(defn rcode
  "The RCODE that a private asker gets for name and type."
  [lan name type]
  (:status (status lan :peer host-ip private name type)))

(defn await-data
  "Blocks until a private asker is told `expected`, a set, for name and type; 10 s at most, else it throws."
  [lan name type expected]
  (let [last (volatile! nil)
        look #(try (data lan name type) (catch clojure.lang.ExceptionInfo e (ex-message e)))]
    (try (testing/wait-for (str type " of " name) #(= expected (vreset! last (look))))
         (catch clojure.lang.ExceptionInfo _
           (throw (ex-info (str type " of " name " is " (pr-str @last) ", should be " (pr-str expected)) {}))))))

(defn await-rcode
  "Blocks until a private asker gets the RCODE `expected` for name and type; 10 s at most, else it throws."
  [lan name type expected]
  (await-answer (str expected " for " type " of " name) expected
                #(try (rcode lan name type) (catch clojure.lang.ExceptionInfo _ nil))))

(defn serial
  "The serial of the zone vanya, as a private asker sees it; nil while nobody answers."
  [lan]
  (let [{:keys [exit out]} (lan/sh lan :peer "dig" "+tries=1" "+time=1" "-b" private "+short" (str "@" host-ip) "vanya" "SOA")]
    (when (and (= 0 exit) (re-find #"^\S+ \S+ \d+ " out))
      (parse-long (nth (str/split out #" ") 2)))))

(defn ttl
  "The TTL of the first record of the answer for name and type to a private asker, or nil."
  [lan name type]
  (some-> (re-find #"\s(\d+)\sIN" (dig lan :peer "-b" private "+noall" "+answer" (str "@" host-ip) name type)) second parse-long))

;; --- processes

(defn- variables
  "The environment of process `pid`, a set of NAME=VALUE; empty for one that has just ended or begins anew."
  [pid]
  (try (set (str/split (String. (Files/readAllBytes (Path/of (str "/proc/" pid "/environ") (make-array String 0)))) #"\u0000"))
       (catch IOException _ #{})))

(defn kept
  "What the zone of `lan` wrote down for the next one, or nil."
  [{:keys [env]}]
  (try (edn/read-string (slurp (str (get env "ONTAP_STATE_DIR") "/zone/zone.edn")))
       (catch IOException _ nil)))

(defn zones
  "The pids of the zones that serve, or are about to, with the run-time folder of `lan`; not those that are still root."
  [{:keys [env]}]
  (let [dir (str "ONTAP_RUNTIME_DIR=" (get env "ONTAP_RUNTIME_DIR"))]
    (vec (for [^File f (.listFiles (File. "/proc"))
               :let [pid (parse-long (.getName f))]
               :when (and pid
                          (some #{"zone"} (process/command pid))
                          (let [vars (variables pid)]
                            (and (vars dir) (some #(str/starts-with? % "ONTAP_ZONE_FD=") vars)))
                          (process/alive? pid))]
           pid))))

(defn kill!
  "Sends SIG`signal` to process `pid` and returns once it is gone."
  [pid signal]
  (testing/run {} "kill" (str "-" signal) pid)
  (testing/wait-for (str "the end of " pid) #(not (process/alive? pid))))

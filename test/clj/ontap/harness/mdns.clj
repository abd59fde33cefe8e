;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mdns
  "Real mDNS peers on a LAN (`ontap.harness.lan`): avahi and systemd-resolved, each with a message bus of its own
  (test/harness/mdns/peer), npm's bonjour-service and multicast-dns, and JmDNS. Each is a host of the LAN behind the
  cable, 10.77.0.N and fd77::N, in a namespace of its own. `ontap zone` runs at the other end, on the link host0,
  which has 10.77.0.2 and fd77::2. Everything is ended by pid, and every wait has a limit."
  (:require [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.process :as process]
            [ontap.harness.zone :as zone]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.net InetAddress)
           (java.util ArrayList)
           (java.util.concurrent LinkedBlockingQueue)))

(set! *warn-on-reflection* true)

(def ^:private folder (io/file "test/harness/mdns"))
(defn- tool [& names] (.getAbsolutePath ^File (apply io/file folder names)))

;; --- what is here

(def ^:private modules (.getAbsoluteFile (io/file "target/node/node_modules")))

(def ^:private jars
  "JmDNS and what it logs through, of the tests' class path, or nil."
  (let [of (filter #(re-find #"/(jmdns|slf4j-api)-[^/]*\.jar$" %)
                   (str/split (System/getProperty "java.class.path") #":"))]
    (when (some #(str/includes? % "jmdns-") of) (str/join ":" of))))

(defn needs-command!
  "Leaves the test unless `command`, of the Debian package `package`, is here."
  [command package]
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v \"$1\"" "sh" command)))
    (testing/skip! (str command " is not installed (Debian: " package ")"))))

(defn needs!
  "Leaves the test unless the peers `kinds` are here: of :avahi, :resolved, :npm, :jmdns."
  [& kinds]
  (doseq [kind kinds]
    (case kind
      (:avahi :resolved) (let [{:keys [exit err]} (testing/run {} (tool "peer") "has" (name kind))]
                           (when-not (= 0 exit) (testing/skip! (str/trim err))))
      :npm               (do (needs-command! "node" "nodejs")
                             (when-not (.exists (io/file modules "bonjour-service"))
                               (testing/skip! "bonjour-service of npm is not here (bin/test installs it in target/node)")))
      :jmdns             (when-not jars (testing/skip! "JmDNS is not on the class path (deps.edn, alias test)")))))

;; --- the LAN

(defn- quick!
  "IPv6 addresses of links that come into the namespace of process `pid` are there at once."
  [pid]
  (zone/sysctl! {:pid pid} "net.ipv6.conf.default.dad_transmits=0"))

(def host-ips "What ontap has on host0." #{"10.77.0.2" "fd77::2"})

(defn dress!
  "Gives the host of `lan` its link host0, where it speaks mDNS."
  [lan]
  (quick! (:host lan))
  (lan/sh! lan :host "ip" "link" "set" "up0" "up")
  (lan/sh! lan :host "ip" "link" "add" "link" "up0" "name" "host0" "type" "macvlan" "mode" "bridge")
  (lan/sh! lan :host "ip" "link" "set" "host0" "up")
  (lan/sh! lan :host "ip" "addr" "add" "10.77.0.2/24" "dev" "host0")
  (lan/sh! lan :host "ip" "addr" "add" "fd77::2/64" "dev" "host0" "nodad"))

(defn mac
  "The hardware address of the link host0."
  [lan]
  (second (re-find #"link/ether (\S+)" (lan/sh! lan :host "ip" "link" "show" "dev" "host0"))))

(defn end-buses!
  "Ends the message buses of the peers of `lan` that are there still."
  [lan]
  (doseq [^File file (.listFiles (io/file (:dir lan)))
          :let [pid-file (io/file file "bus.pid")]
          :when (.exists pid-file)]
    (when-let [pid (parse-long (str/trim (slurp pid-file)))]
      (when (some #(str/includes? % (.getPath file)) (process/command pid))
        (testing/run {} "kill" (str pid))))))

(defmacro with-lan
  "Runs the body with `lan` bound to a LAN in which `zone/workload!`, `zone!`, `host!` and `peer!` can be used."
  [[lan] & body]
  `(do (lan/needs-root!)
       (lan/with-lan [lan#]
         (let [~lan (assoc lan# :holders-of-names (atom []))]
           (try
             (dress! ~lan)
             ~@body
             (finally
               ;; as long as their networks are there
               (doseq [up# @(:supervisors ~lan) :when (.isAlive ^Process (:process up#))]
                 (try (lan/end! up# "TERM") (catch clojure.lang.ExceptionInfo _# nil)))
               (end-buses! ~lan)
               (run! netns/end! @(:holders-of-names ~lan))))))))

(defn host!
  "A host of `lan` behind the cable with the link eth0, 10.77.0.N and fd77::N: {:pid :process :ip :ip6}. Ended with
  the LAN."
  [lan n]
  (let [ns (netns/make), ip4 (str "10.77.0." n), ip6 (str "fd77::" n)]
    (swap! (:holders-of-names lan) conj ns)
    (quick! (:pid ns))
    (lan/sh! lan :peer "ip" "link" "add" "link" "lan0" "name" "x" "type" "macvlan" "mode" "bridge")
    (lan/sh! lan :peer "ip" "link" "set" "x" "netns" (str (:pid ns)))
    (netns/ip ns "link" "set" "x" "name" "eth0")
    (netns/ip ns "link" "set" "lo" "up")
    (netns/ip ns "link" "set" "eth0" "up")
    (netns/ip ns "addr" "add" (str ip4 "/24") "dev" "eth0")
    (netns/ip ns "addr" "add" (str ip6 "/64") "dev" "eth0" "nodad")
    (assoc ns :ip ip4 :ip6 ip6)))

(defn workload!
  "A namespace as of `zone/workload!` whose link `link` has the alias `name`, and the addresses 10.77.0.N, fd77::N and its
  link-local one, all of them at once: nothing waits for DAD there."
  [lan link name n]
  (let [ns (netns/make)]
    (swap! (:holders-of-names lan) conj ns)
    (quick! (:pid ns))
    (zone/lend! lan (:pid ns) link name [(str "10.77.0." n "/24") (str "fd77::" n "/64")])
    ns))

(defn zone!
  "Starts `ontap zone` of the domain vanya with mDNS on host0; `offers` is what the workloads offer, name -> :srv of a
  service. It listens to nobody but the host itself for DNS. Returns once it serves."
  ([lan] (zone! lan {}))
  ([lan offers]
   (zone/start lan (lan/write-file lan "mdns.edn"
                                   {:services (vec (for [[name srv] offers]
                                                     {:name name :port "up0" :type "macvlan" :user "nobody" :exec ["true"] :srv srv}))
                                    :zone     {:domain "vanya" :listen ["127.0.0.1:53"] :mdns {:links ["host0"]}}}))))

;; --- peers

(defn- words-of
  "What runs a peer in the namespace of its host."
  [kind {:keys [ip]} dir {:keys [name services looks-for] :or {name "peer" looks-for "_http._tcp"}}]
  (let [short #(str/replace % #"^_|\._tcp$" "")]
    (case kind
      (:avahi :resolved)
      (into [(tool "peer") "run" (clojure.core/name kind) "eth0" dir name]
            (mapcat (fn [{:keys [type port instance text]}] [type port instance (or text "")]))
            services)
      :npm
      (into ["node" (tool "node" "peer.js") modules ip name (short looks-for)]
            (mapcat (fn [{:keys [type port instance]}] [(short type) port instance]))
            services)
      :jmdns
      (into [(str (System/getProperty "java.home") "/bin/java") "-XX:+UseSerialGC" "-XX:TieredStopAtLevel=1" "-Xshare:auto"
             "-cp" jars (tool "Jmdns.java") ip name looks-for]
            (mapcat (fn [{:keys [type port instance]}] [type port instance]))
            services))))

(defn spawn-peer!
  "Starts a peer as `peer!` does and does not wait."
  [lan n kind terms]
  (let [host (host! lan n)
        dir  (.getPath (io/file (:dir lan) (str (name kind) "-" n)))
        peer (apply lan/spawn {:input? true} (apply lan/in (:pid host) (words-of kind host dir terms)))]
    (swap! (:supervisors lan) conj peer)
    (assoc peer :kind kind :host host :folder dir :terms terms)))

(defn await-peer
  "Blocks until a peer of `spawn-peer!` can be asked; gives the peer."
  [peer]
  (lan/await-line peer #"^(peer: )?ready$" 60)
  peer)

(defn peer!
  "Starts a peer `kind` on a host N of `lan`; returns it once it can be asked. It has `:name`.local and the `:services`
  [{:type \"_http._tcp\" :port :instance :text}], and looks for services of the type `:looks-for`. Ended with the LAN."
  [lan n kind terms]
  (await-peer (spawn-peer! lan n kind terms)))

(defn end-peer!
  "Ends a peer: it says goodbye."
  [{:keys [kind ^Process process] :as peer}]
  (if (#{:npm :jmdns} kind)
    (do (.close (.getOutputStream process))
        (lan/await-end peer 20))
    (lan/end! peer "TERM")))

;; --- asked

(defn- obey
  "The answer of a peer that obeys lines."
  [{:keys [^Process process] :as peer} line]
  (let [out (.outputWriter process)]
    (.write out (str line "\n"))
    (.flush out))
  (dhcp/json (subs (lan/await-line peer #"^answer ") 7)))

(defn asked
  "What `words`, a program of the package of a peer (avahi, resolved), print there: {:exit :out :err}."
  [{:keys [kind host folder]} & words]
  (apply testing/run {:limit-s 60} (apply lan/in (:pid host) (tool "peer") "with" (name kind) folder words)))

(defn through-nss
  "Words that run a program on the host of an avahi peer, whose names come by libnss-mdns from that avahi."
  [{:keys [folder pid]} & words]
  (into [(tool "peer") "nss" folder (str pid)] words))

(defn- short6
  "An address of a JVM's as other programs write it."
  [text]
  (if (str/includes? text ":")
    (-> (.getHostAddress (InetAddress/getByName text)) (str/replace #"%.*" "") (str/replace-first #"(:0)+:" "::"))
    text))

(defn- unescaped
  "A label with \\DDD (decimal) and \\. as text."
  [text]
  (str/replace text #"\\(\d{3}|.)" (fn [[_ c]] (if (= 3 (count c)) (str (char (parse-long c))) c))))

(defn addresses
  "The set of addresses that a peer finds for `name` by asking: some of each family. Not for :jmdns, which tells those of
  services only. Blocks as long as the peer takes."
  [{:keys [kind] :as peer} name]
  (case kind
    :avahi    (set (for [family ["-4" "-6"]
                         :let [{:keys [out]} (asked peer "avahi-resolve" family "-n" name)
                               [_ ip] (re-find #"\t(\S+)" out)]
                         :when ip]
                     ip))
    :resolved (set (for [family ["-4" "-6"]
                         [_ ip] (re-seq #"(?m)([0-9a-f.:]+)(?:%\S+)?\s+-- link" (:out (asked peer "resolvectl" "query" family name)))]
                     ip))
    :npm      (set (obey peer (str "addresses " name)))))

(defn knows
  "The set of addresses that a peer has heard for `name`, without asking anybody. Of :npm and :resolved."
  [{:keys [kind] :as peer} name]
  (case kind
    :npm      (set (obey peer (str "known " name)))
    :resolved (set (map second (re-seq #"(?m)([0-9a-f.:]+)(?:%\S+)?\s+-- link"
                                       (:out (asked peer "resolvectl" "--network=no" "query" name)))))))

(defn- resolved-service [peer type instance]
  (let [{:keys [out]} (asked peer "resolvectl" "service" instance type "local")
        [_ host port] (re-find #"(?m): (\S+):(\d+) \[" out)
        lines (map str/trim (str/split-lines out))]
    (when host
      {:instance  instance
       :host      host
       :port      (parse-long port)
       :texts     (set (filter #(re-matches #"[a-z]+=.*" %) lines))
       :addresses (set (keep #(second (re-find #"^([0-9a-f.:]+)(?:%\S+)?\s+-- link" %)) lines))})))

(defn services
  "The set of services of `type` that a peer has found: {:instance :host :port :texts #{\"path=/\"} :addresses}."
  [{:keys [kind] :as peer} type]
  (case kind
    :avahi
    (->> (str/split-lines (:out (asked peer "avahi-browse" "-rptk" type)))
         (keep (fn [line]
                 (let [[sign _ _ instance _ _ host ip port texts] (str/split line #";" 10)]
                   (when (= "=" sign)
                     {:instance (unescaped instance) :host host :port (parse-long port) :addresses #{ip}
                      :texts (set (map second (re-seq #"\"([^\"]*)\"" (or texts ""))))}))))
         (group-by #(dissoc % :addresses))
         (into #{} (map (fn [[service each]] (assoc service :addresses (into #{} (mapcat :addresses) each))))))
    :resolved
    (let [{:keys [out]} (asked peer "resolvectl" "query" "--legend=no" "--type=PTR" (str type ".local"))]
      (into #{} (comp (map second) (map unescaped) (distinct) (keep #(resolved-service peer type %)))
            (re-seq (re-pattern (str "(?m) PTR (.*)\\." type "\\.local")) out)))
    (:npm :jmdns)
    (set (for [{:strs [name host port txt addresses]} (obey peer "services")]
           {:instance name :host (str/replace host #"\.$" "") :port port
            :texts (set (if (map? txt) (map (fn [[k v]] (str k "=" v)) txt) txt))
            :addresses (set (map short6 addresses))}))))

(defn service
  "The one of `services` that has the instance name `instance`, or nil."
  [peer type instance]
  (first (filter #(= instance (:instance %)) (services peer type))))

(defn await-service
  "Blocks until a peer has found the service `instance` with at least one of the addresses `ips`, for 20 s at most; the
  service."
  [peer type instance ips]
  (testing/wait-for (str (name (:kind peer)) " to find " instance) 20000
                    #(let [found (service peer type instance)]
                       (when (or (seq (set/intersection (:addresses found #{}) (set ips)))
                                 ;; npm looks for these when it is asked
                                 (and found (= :npm (:kind peer))))
                         found))))

(defn await-no-service
  "Blocks until a peer has the service `instance` no more, for 10 s at most; true."
  [peer type instance]
  (testing/wait-for (str (name (:kind peer)) " to lose " instance)
                    #(not-any? (fn [s] (= instance (:instance s))) (services peer type))))

(defn- log
  "The lines that a peer has said up to now."
  [{:keys [seen ^LinkedBlockingQueue lines]}]
  (let [more (ArrayList.)]
    (.drainTo lines more)
    (swap! seen into (filter string?) more)))

(defn host-name
  "The name that a peer has now for its host, without .local; of :avahi and :resolved by what they say. Not of :npm,
  which does not look whether it is another's."
  [{:keys [kind terms] :as peer}]
  (let [said (fn [pattern] (last (keep #(second (re-find pattern %)) (log peer))))]
    (case kind
      :avahi    (or (said #"Host name (?:is|conflict, retrying with) ([^\s.]+)") (:name terms))
      :resolved (or (said #"changing published hostname from '.*' to '(.*)'") (:name terms))
      :jmdns    (str/replace (first (obey peer "name")) #"\.local\.$" ""))))

(defn await-quiet
  "Blocks until the npm peer `asker` has heard no response for `ms`."
  [asker ms]
  (obey asker (str "quiet " ms)))

(defn published
  "The instances that a peer publishes: of :npm and :jmdns."
  [{:keys [kind] :as peer}]
  (case kind
    :npm   (set (obey peer "published"))
    :jmdns (set (rest (obey peer "name")))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.dhcp
  "DHCP servers on test LANs: the real ones (dnsmasq, Kea, ISC dhcpd) by test/harness/dhcp/server,
  and a scripted one, which is also the witness of what is on the wire
  (test/harness/dhcp/scripted.py). A network is one more cable of the host of a LAN
  (`ontap.harness.lan`), with two hosts at its other end, each in a namespace of its own:
  `:peer` and `:second`. Everything is ended by pid, and every wait has a limit."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.wire :as wire]
            [ontap.testing :as testing])
  (:import (java.util.concurrent LinkedBlockingQueue)))

(set! *warn-on-reflection* true)

(def ^:private folder (io/file "test/harness/dhcp"))
(defn- tool [name] (.getAbsolutePath (io/file folder name)))

(def kinds
  "The real servers."
  ["dnsmasq" "kea" "dhcpd"])

(defn needs!
  "Leaves the test unless the server `kind` is here."
  [kind]
  (let [{:keys [exit err]} (testing/run {} (tool "server") "has" kind)]
    (when-not (= 0 exit) (testing/skip! (str/trim err)))))

(defn needs-python!
  "Leaves the test unless python3, which runs the scripted server, is here."
  []
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v python3")))
    (testing/skip! "python3 is not installed (Debian: python3)")))

(defn json
  "The data of a line of JSON as ip(8) and scripted.py print it: no text in it has `\":`."
  [line]
  (edn/read-string (str/replace line #"\"\s*:" "\" ")))

;; --- networks

(defn- holder []
  (doto (lan/spawn {} "unshare" "--net" "sh" "-c" "ip link set lo up; echo held; exec sleep 3600")
    (lan/await-line #"held")))

(defn network!
  "Makes network `n`, 10.77.N.0/24, behind the port upN of the host of `lan`: {:port :net
  \"10.77.N\" :link lanN :peer pid of the host .1 :second pid of the host .2 :dir :holders}."
  [lan n]
  (let [peer (holder), second (holder)
        port (str "up" n), link (str "lan" n), net (str "10.77." n)
        at   {:peer (:pid peer) :second (:pid second)}]
    (lan/sh! lan :host "ip" "link" "add" port "type" "veth" "peer" "name" link "netns" (str (:pid peer)))
    (lan/sh! lan :host "ip" "link" "set" port "up")
    (lan/sh! at :peer "ip" "addr" "add" (str net ".1/24") "dev" link)
    (lan/sh! at :peer "ip" "link" "set" link "up")
    ;; another host, with a MAC of its own
    (lan/sh! at :peer "ip" "link" "add" "link" link "name" "x" "type" "macvlan" "mode" "bridge")
    (lan/sh! at :peer "ip" "link" "set" "x" "netns" (str (:pid second)))
    (lan/sh! at :second "ip" "link" "set" "x" "name" link)
    (lan/sh! at :second "ip" "addr" "add" (str net ".2/24") "dev" link)
    (lan/sh! at :second "ip" "link" "set" link "up")
    (assoc at :port port :link link :net net :dir (io/file (:dir lan) link) :holders (atom [peer second]))))

(defn renumber!
  "The network with the addresses `net`.0/24 at the host :peer."
  [{:keys [link] :as network} net]
  (lan/sh! network :peer "ip" "addr" "flush" "dev" link)
  (lan/sh! network :peer "ip" "addr" "add" (str net ".1/24") "dev" link)
  (assoc network :net net))

(defmacro with-networks
  "Runs the body with `networks` bound to a vector of `network!`, one for each of `ns`."
  [[networks lan ns] & body]
  `(let [~networks (mapv #(network! ~lan %) ~ns)]
     (try ~@body
          (finally (doseq [n# ~networks, h# @(:holders n#)] (lan/end! h# "KILL"))))))

;; --- clients

(defn client!
  "Asks the ontapd of `lan` for a macvlan link on `network`, named `name`, with DHCP and no delays,
  in a fresh namespace: {:pid of the namespace, :id of its lease, :name :hwaddr :holder}. `more`: further
  keys of the request (doc/protocol.md) with their values, which override. Ended with the network."
  [lan {:keys [port holders]} name & {:as more}]
  (let [{:keys [pid] :as held} (holder)
        _      (swap! holders conj held)
        keys   (merge {"type" "macvlan" "name" name "ipv4" "dhcp" "acd" "no" "start-delay" "no"} more)
        answer (with-open [netns (wire/namespace-of pid "net")]
                 (wire/ask (ontapd/socket lan port) nil
                           (apply wire/message "attach" (mapcat identity (filter val keys))) netns))]
    (when-not (= "ontap 1 ok" (get answer ""))
      (throw (ex-info (str "ontapd does not attach " name ": " (pr-str answer)) {})))
    {:pid pid :name name :holder held :id (answer "id") :hwaddr (answer "hwaddr")}))

(defn end-client!
  "Gives the link of a client of `client!` back, and ends its namespace."
  [lan {:keys [port]} {:keys [id holder]}]
  (let [answer (wire/ask (ontapd/socket lan port) nil (wire/message "release" "id" id))]
    (lan/end! holder "KILL")
    (when-not (= "ontap 1 ok" (get answer ""))
      (throw (ex-info (str "ontapd does not release lease " id ": " (pr-str answer)) {})))))

(defn lease
  "What ontapd says of the lease of `client` (doc/protocol.md): key -> value, or nil."
  [lan {:keys [port]} {:keys [id]}]
  (with-open [fd (wire/connect (ontapd/socket lan port))]
    (wire/say fd (wire/message "leases"))
    (loop []
      (let [{head "" :as answer} (wire/hear fd)]
        (cond (= "ontap 1 lease" head) (if (= id (answer "id")) answer (recur))
              (= "ontap 1 ok" head) nil
              :else (throw (ex-info (str "no leases: " (pr-str answer)) {})))))))

;; --- real servers

(def ^:private serving
  "What a server says when it answers from now on."
  {"dnsmasq" #"sockets bound exclusively"
   "kea"     #"DHCP4_STARTED "
   "dhcpd"   #"^Server starting service"})

(defn serve
  "Starts server `kind` on `network`, at `place` (:peer or :second), and blocks until it
  serves. Options: `:place` (:peer), `:pool` [first last] as last numbers ([100 199]),
  `:lease` seconds (3600), `:more` further words of test/harness/dhcp/server (\"t1=5\").
  What it writes goes below the network's folder."
  [{:keys [net link dir] :as network} kind {:keys [place pool lease more] :or {place :peer pool [100 199] lease 3600}}]
  (let [at   (io/file dir (str kind "-" (name place)))
        [a z] (map #(str net "." %) pool)
        up   (apply lan/spawn {} (concat (lan/in (place network) (tool "server") "run" kind link at a z lease) more))]
    (try
      (lan/await-line up (serving kind))
      (catch Throwable t (lan/end! up "KILL") (throw t)))
    {:kind kind :dir at :spawned up}))

(defn stop!
  "Ends a server of `serve` or `scripted`."
  [{:keys [spawned]}]
  (lan/end! spawned "TERM"))

(defn forget!
  "Empties the leases of a server that was stopped."
  [{:keys [kind dir]}]
  (testing/run {} (tool "server") "forget" kind dir))

(defn hand-over!
  "Gives the leases of `server`, which was stopped, to `place` of its network, where another
  of its kind is started: a second server that knows what the first one gave."
  [{:keys [kind dir]} network place]
  (let [to (io/file (:dir network) (str kind "-" (name place)))]
    (.mkdirs to)
    (io/copy (io/file dir "leases") (io/file to "leases"))))

(defn given
  "What the lease file of `server` says: address -> {:hwaddr :hostname}."
  [{:keys [kind dir]}]
  (into {} (for [line (remove str/blank? (str/split-lines (:out (testing/run {} (tool "server") "leases" kind dir))))
                 :let [[ip hwaddr hostname] (str/split line #" ")]]
             [ip {:hwaddr hwaddr :hostname hostname}])))

(defn said
  "What a server has said up to now."
  [{:keys [spawned]}]
  (lan/said spawned))

;; --- the scripted server, and the witness

(defn- read-lines!
  "Reads what came since the last time; all packets so far."
  [{:keys [spawned packets]}]
  (locking packets
    (let [^LinkedBlockingQueue lines (:lines spawned)]
      (loop []
        (let [line (.poll lines)]
          (cond
            (nil? line)  @packets
            (= :end line) (do (.put lines :end) @packets)
            (str/starts-with? line "{") (do (swap! packets conj (json line)) (recur))
            :else (do (swap! (:seen spawned) conj line) (recur))))))))

(defn packets
  "What the witness saw up to now, in order: maps with text keys (scripted.py). `f`: only those
  that satisfy it."
  ([witness] (packets witness any?))
  ([witness f] (filterv f (read-lines! witness))))

(defn await-packets
  "Blocks until the packets from number `from` on that satisfy `f` are at least `n`, for at
  most `limit-s` (20); them."
  ([witness from n f] (await-packets witness from n f 20))
  ([{:keys [spawned] :as witness} from n f limit-s]
   (try
     (testing/wait-for (str n " packets") (* 1000 limit-s)
                       #(let [found (filterv f (drop from (read-lines! witness)))]
                          (when (<= n (count found)) found)))
     (catch clojure.lang.ExceptionInfo e
       (throw (ex-info (str (ex-message e) "; seen:\n"
                            (str/join "\n" (map (fn [p] (dissoc p "options")) (drop from @(:packets witness))))
                            "\n" (str/join "\n" @(:seen spawned)))
                       {}))))))

(defn now
  "How many packets the witness has seen."
  [witness]
  (count (read-lines! witness)))

(defn scripted
  "Starts the scripted server on `network` at `place` (:peer) with `words` (a behaviour and
  its keys; \"watch\": it only looks). Blocks until it sees all."
  [{:keys [link] :as network} place & words]
  (let [up (apply lan/spawn {:input? true}
                  (concat (lan/in (place network) "python3" "-B" (tool "scripted.py") link) words))
        it {:spawned up :packets (atom [])}]
    (try
      (await-packets it 0 1 #(= "ready" (% "kind")))
      it
      (catch Throwable t (lan/end! up "KILL") (throw t)))))

(defn tell!
  "Tells the scripted server a line (another behaviour, \"forget\", \"claim IP\") and blocks
  until it holds; the number of packets seen by then."
  [{:keys [spawned] :as witness} & words]
  (let [line (str/join " " words)
        from (now witness)
        out  (.getOutputStream ^Process (:process spawned))]
    (.write out (.getBytes (str line "\n")))
    (.flush out)
    (await-packets witness from 1 #(and (= "done" (% "kind")) (= line (% "line"))))
    (now witness)))

(defn dhcp?
  "Is `packet` a message of `type` (\"discover\" …), and do its fields have the values of `more`?"
  [packet type & {:as more}]
  (and (= type (packet "type")) (every? (fn [[k v]] (= v (packet k))) more)))

(defn init-reboot?
  "Is `packet` a REQUEST for `ip` in state INIT-REBOOT (RFC 2131 4.3.2)?"
  [packet ip]
  (and (dhcp? packet "request" "ciaddr" "0.0.0.0" "requested" ip) (nil? (packet "server"))))

(defn renewal?
  "Is `packet` a REQUEST that extends `ip`, by unicast?"
  [packet ip]
  (and (dhcp? packet "request" "ciaddr" ip) (not= "255.255.255.255" (packet "ip_dst"))))

(defn rebinding?
  "Is `packet` a REQUEST that extends `ip`, by broadcast?"
  [packet ip]
  (dhcp? packet "request" "ciaddr" ip "ip_dst" "255.255.255.255"))

(defn announcement?
  "Is `packet` an ARP that says that `ip` is its sender's?"
  [packet ip]
  (and (= "arp" (packet "kind")) (= ip (packet "sender_ip"))))

(defn probe?
  "Is `packet` an ARP probe for `ip` (RFC 5227)?"
  [packet ip]
  (and (= "arp" (packet "kind")) (= "0.0.0.0" (packet "sender_ip")) (= ip (packet "target_ip"))))

;; --- what there is inside

(defn addresses
  "IPv4 addresses of `link` (eth0) in the network namespace of `pid`, by ip(8): address ->
  {:prefix :valid seconds, 4294967295 for ever}."
  ([pid] (addresses pid "eth0"))
  ([pid link]
   (let [{:keys [exit out]} (apply testing/run {} (lan/in pid "ip" "-j" "-4" "addr" "show" "dev" link))]
     (when (= 0 exit)
       (into {} (for [a (mapcat #(get % "addr_info") (json out))]
                  [(a "local") {:prefix (a "prefixlen") :valid (a "valid_life_time")}]))))))

(defn routes
  "IPv4 routes in the network namespace of `pid`, by ip(8): destination -> {:via :dev :protocol :metric}."
  [pid]
  (into {} (for [r (json (:out (apply testing/run {} (lan/in pid "ip" "-j" "-4" "route" "show"))))]
             [(r "dst") {:via (r "gateway") :dev (r "dev") :protocol (r "protocol") :metric (r "metric")}])))

(defn await-address
  "Blocks until the link eth0 in the namespace of `pid` has an address that satisfies `f`
  (any), for at most `limit-s` (20); it."
  ([pid] (await-address pid any?))
  ([pid f] (await-address pid f 20))
  ([pid f limit-s]
   (testing/wait-for (str "an address in the namespace of " pid) (* 1000 limit-s)
                     #(first (filter f (keys (addresses pid)))))))

(defn await-no-address
  "Blocks until the link eth0 in the namespace of `pid` has not the address `ip`, for at most
  `limit-s`."
  [pid ip limit-s]
  (testing/wait-for (str ip " to go") (* 1000 limit-s) #(not (contains? (addresses pid) ip))))

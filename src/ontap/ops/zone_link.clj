;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-link
  "Links of a zone's own on ports, for multicast DNS: each is `mdns0`, in a network namespace in which nothing else lives.
  What a port itself sends does not reach the links that stand on it, nor theirs the port: a zone that is to be heard by
  them stands beside them (:ports of :mdns).

  Whoever makes one is root; the zone that uses it is not any more, and cannot enter a namespace. So it is handed three
  descriptors: the sockets, and the namespace, by which whoever renews its IPv4 address finds it. Nothing else keeps the
  namespace: it ends with the zone, whatever ends that, and the link with it.

  A link here is {:port name, :net Fd of its namespace, :netns {:dev :ino}, :nsid, :index, :hwaddr, :type, :given? did
  somebody else see to its IPv4 address}. It has no alias and no name: it is nobody's host."
  (:require [clojure.edn :as edn]
            [ontap.alloc.client :as client]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.kernel.create :as create]
            [ontap.kernel.links :as links]
            [ontap.model.network :as network]
            [ontap.ops.inherited :as inherited]
            [ontap.ops.ipv4 :as ipv4]
            [ontap.ops.note :as note]
            [ontap.ops.provider :as provider]
            [ontap.ops.secret :as secret]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.run.paths :as paths])
  (:import (java.net InetAddress)
           (ontap.rtnl Link Rtnl)
           (ontap.sys Dumpable Errno Fd Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(def ^:private link-name "mdns0")

(def variable
  "The variable in which an `ontap up` tells its zone which links it has made: {port, number of the descriptor of its
  namespace}, as EDN."
  "ONTAP_ZONE_LINKS")

(defn- own-name
  "Under what the addresses and the lease of the link on `port` are derived and kept. No service can be called so."
  [port]
  (str "mdns=" port))

(defn- host-key [env] (secret/host-key (paths/state-dir env (paths/caller))))

;; --- made

(def ^:private automatic
  "What a port can carry, the likelier one first: a kernel has perhaps one only, and so has a port in use."
  ["ipvlan" "macvlan"])

(defn- of-the-kernel? [e]
  (let [{:keys [rule refusal]} (ex-data e)]
    (= :kernel (or rule (:refusal/rule refusal)))))

(defn- with-type
  "What `make` (fn [type]) gives for `type`, for :auto of the first that works."
  [type make]
  (if (not= :auto type)
    (make type)
    (let [[likely other] automatic]
      (try (make likely)
           (catch clojure.lang.ExceptionInfo e
             (when-not (of-the-kernel? e) (throw e))
             (try (make other) (catch clojure.lang.ExceptionInfo _ (throw e))))))))

(defn- by-ourselves!
  "Makes the link in the namespace `net`; `host` is of the namespace of the port."
  [^Rtnl host net {:port/keys [name type]} {:keys [hwaddr]}]
  (let [parent (.index (create/port-link host name))]
    (with-type type
      (fn [type]
        (create/link! host {:type type :mode (network/mode-of {:type type}) :link link-name :port name :parent parent
                            :net net :hwaddr (when (= "macvlan" type) hwaddr)})
        {:type type :given? false}))))

(defn- by-ontapd!
  "Has the ontapd at `path` make the link and care for its IPv4 address. It has no name there either, by which it would be
  published; so its address is given back when it ends, as the next one is another client to the server."
  [path net {:port/keys [type] {:keys [method] :as ipv4} :port/ipv4}]
  (with-type type
    (fn [type]
      (client/attach! path
                      {:request/verb :attach :request/type type :request/name nil :request/queues nil
                       :request/link link-name :request/mode (network/mode-of {:type type}) :request/setup :none
                       :request/lease :namespace :request/keep? false :request/ipv4 ipv4
                       :request/acd? (not= :none method) :request/release? (= :dhcp method)
                       :request/start-delay? (= :dhcp method)}
                      net)
      {:type type :given? true})))

(defn- address! [^Rtnl inside index {:port/keys [name] {:keys [ip prefix]} :port/ipv4}]
  (try
    (.addAddress inside (int index) (InetAddress/getByName ip) (int prefix) 0)
    (catch SysException e
      (throw (if (= Errno/EADDRINUSE (.errno e))
               (ex-info (str "address " ip " is in use by another link of port " name) {:reason ::in-use})
               e)))))

(defn- settle!
  "Sets the link up in the calling thread's namespace, as that of a service (`ontap.kernel.links`); gives [index hwaddr]."
  [{:port/keys [ipv4] :as port} {:keys [given?]} {:keys [secret other-hwaddr]}]
  (with-open [inside (Rtnl/open)]
    (let [index (.index (.link inside ^String link-name))]
      (create/ipv6! link-name {:method :slaac} secret)
      (when (and (= :static (:method ipv4)) (not given?)) (address! inside index port))
      (create/set-up! inside index other-hwaddr)
      [index (.hwaddrText (.link inside index))])))

(defn make!
  "Makes a link on `port` ({:port/name :port/type :port/ipv4}, of a checked zone) in a namespace of its own: by the ontapd
  of that port, if there is one, else by ourselves. IPv6 addresses come by SLAAC, always the same ones for this port. An
  IPv4 address is ontapd's to settle; without one a declared address is set, and for DHCP there is `begin-ipv4!`. Blocks for
  the kernel and for ontapd. The caller closes it. Throws ex-info with a sentence, or SysException; nothing is left then."
  [{:port/keys [name] :as port} env]
  (let [of-name (secret/of-name (host-key env) (own-name name))]
    (NsThread/call
     "ontap-mdns-link"
     (fn []
       (with-open [host (Rtnl/open)]
         (Namespaces/unshare Namespaces/CLONE_NEWNET)
         (let [net (Namespaces/ofThread "net")]
           (try
             (let [path (provider/socket-of env name)
                   made (if path (by-ontapd! path net port) (by-ourselves! host net port of-name))
                   [index hwaddr] (settle! port made of-name)]
               (assoc made :port name :net net :netns (links/ns-id net) :nsid (.ensureNsid host net)
                      :index index :hwaddr hwaddr))
             (catch Throwable t
               (.close net)
               (throw t)))))))))

(defn close!
  "Lets go of the link, which ends unless somebody else has its descriptors."
  [{:keys [^Fd net]}]
  (.close net))

;; --- handed to the zone of an `ontap up`, which has a DHCP client

(defn for-child!
  "Makes the links whose IPv4 addresses this process has to see to: by DHCP, on ports that no ontapd serves. One that
  cannot be made is left to the zone, which says why. Blocks."
  [zone env]
  (into [] (keep (fn [{:port/keys [name ipv4] :as port}]
                   (when (and (= :dhcp (:method ipv4)) (nil? (provider/socket-of env name)))
                     (try (make! port env) (catch Exception _ nil)))))
        (:mdns/ports (:zone/mdns zone))))

(defn- engine-key [{:keys [port]}] [:mdns port])

(defn key?
  "Is `key`, of what a DHCP engine tells, that of such a link?"
  [key]
  (and (vector? key) (= :mdns (first key))))

(defn begin-ipv4!
  "Has `engine` (`ontap.alloc.dhcp`) give the link its IPv4 address, from now on until `end-ipv4!`. `pid`: of the zone."
  [engine env {:keys [port ^Fd net netns nsid index hwaddr type] :as link} pid]
  (dhcp/begin! engine (engine-key link)
               {:name nil :book-name (own-name port) :title (str link-name " on " port) :port port :hwaddr hwaddr
                :client-id (ipv4/client-id (host-key env) (own-name port))
                :place {:place/netns netns :place/index index :place/alias nil :place/kind type :place/pid pid}
                :nsid nsid :ipv4 {:method :dhcp} :acd? true :start-delay? true
                :parents-hwaddr? (= "ipvlan" type)
                ;; without a descriptor to spare it is found through the zone
                :way-in (try (.dup net) (catch SysException _ nil))}))

(defn end-ipv4!
  "The link is gone. Its lease is kept for the next one."
  [engine link]
  (dhcp/end! engine (engine-key link) false))

;; --- taken by the zone

(defn- look-inside
  "The link of the namespace `net`, in which the calling thread stays; nil when there is none, or it is no namespace."
  [^Rtnl host port ^Fd net]
  (when-let [nsid (when (Namespaces/isNetwork net) (.ensureNsid host net))]
    (Namespaces/setns net Namespaces/CLONE_NEWNET)
    (with-open [inside (Rtnl/open)]
      (when-let [^Link l (.link inside ^String link-name)]
        {:port port :net net :netns (links/ns-id net) :nsid nsid :index (.index l) :hwaddr (.hwaddrText l)
         :type (.kind l) :given? true}))))

(defn- given
  "The link on `port` whose namespace is behind descriptor `number`, which whoever started this process left open; or nil."
  [port number]
  (when (some #{number} (inherited/numbers))
    (let [net  (Fd/own (int number) (str "namespace of " link-name " on " port))
          link (try (NsThread/call "ontap-mdns-link" #(with-open [host (Rtnl/open)] (look-inside host port net)))
                    (catch Throwable t (.close net) (throw t)))]
      ;; else the namespace would be kept for nothing
      (when-not link (.close net))
      link)))

(defn- why-no-ipv4 [{:port/keys [name]}]
  (str link-name " on " name " gets no IPv4 address, and answers by IPv6 alone: nobody would renew its lease; start `ontapd "
       name "`, run the zone by `ontap up`, or say :ipv4 \"ADDRESS/PREFIX\" or :none"))

(defn- why-none [{:port/keys [name]} ^Exception e]
  (str "no multicast DNS on " name ": " (ex-message e)
       (when (and (instance? SysException e) (contains? #{Errno/EPERM Errno/EACCES} (.errno ^SysException e)))
         "; a link of its own takes root")))

(defn- sockets!
  "{family Fd} of the link's namespace; blocks for the kernel."
  [{:keys [^Fd net index]}]
  (NsThread/call
   "ontap-mdns-sockets"
   (fn []
     (Namespaces/setns net Namespaces/CLONE_NEWNET)
     (into {} (keep (fn [family] (when-let [socket (mdns-socket/open family index)] [family (mdns-socket/fd socket)])))
           [:ipv4 :ipv6]))))

(defn- taken
  "The link on `port`, which was handed over as descriptor `number`, or is made, with its :sockets; nil after a warning
  when there is none."
  [{:port/keys [name ipv4] :as port} number env]
  (try
    (let [link (or (some->> number (given name)) (make! port env))]
      (when (and (= :dhcp (:method ipv4)) (not (:given? link)))
        (note/line! :warning nil (why-no-ipv4 port)))
      (try (assoc link :sockets (sockets! link))
           (catch Throwable t (close! link) (throw t))))
    (catch Exception e
      (note/line! :warning nil (why-none port e))
      nil)))

(defn take!
  "The links of the checked `zone`, for a process that is about to become the zone: {:places [place], as
  `ontap.model.mdns-presence` has them, :known [:ns/known of their namespaces, in which no process lives that would tell],
  :named [[name Fd] …], what has to be handed over}. One that cannot be had is said in a warning. Blocks."
  [zone env]
  (let [numbers (some-> (get env variable) edn/read-string)
        links   (into [] (keep #(taken % (get numbers (:port/name %)) env)) (:mdns/ports (:zone/mdns zone)))]
    {:places (mapv (fn [{:keys [port nsid index]}] {:place/name port :place/at [nsid index]}) links)
     :known  (mapv (fn [{:keys [nsid netns]}]
                     {:event/type :ns/known :ns/id nsid :ns/trusted? true :ns/netns nil :ns/inode (:ino netns)})
                   links)
     :named  (into [] (mapcat (fn [{:keys [port net sockets]}]
                                (conj (mapv (fn [[family fd]] [[:mdns port family] fd]) sockets)
                                      [[:mdns port :net] net])))
                   links)}))

(defn places
  "`places` of `take!` with their sockets out of `fds`, {name Fd} of what was handed over: :place/sockets {family socket}.
  In the process that is the zone."
  [places fds]
  ;; ontapd is a root that may look into every process, but not at files of others, such as /proc/PID/fd: without this it
  ;; would not find the namespace again when the address has to be renewed
  (when (seq places) (Dumpable/forbid))
  (mapv (fn [{:place/keys [name at] :as place}]
          (assoc place :place/sockets
                 (into {} (keep (fn [family]
                                  (when-let [fd (get fds [:mdns name family])]
                                    [family (mdns-socket/adopt fd (second at))])))
                       [:ipv4 :ipv6])))
        places))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.links
  "A service's link in a namespace of its own: made, configured, removed.

  `attach!` leaves its thread in the service's namespaces, so it is called in a
  fresh platform thread that dies (or becomes the workload) afterwards."
  (:require [ontap.kernel.events :as events]
            [ontap.model.addressing :as addressing])
  (:import (java.net InetAddress)
           (java.nio.charset StandardCharsets)
           (ontap.rtnl Link LinkSpec Rtnl)
           (ontap.rtnl.kind Ipvlan LinkKind Macvlan)
           (ontap.sys Errno Fd Io Namespaces Namespaces$NsId NsThread SysException)))

(set! *warn-on-reflection* true)

(defn- refused
  "The exception for something this machine will not do; `wait?`: it may later."
  [text & {:as data}]
  (ex-info text (merge {:reason ::refused} data)))

(def ^:private modes
  {["ipvlan" "l2"] 0, ["ipvlan" "l3"] 1, ["ipvlan" "l3s"] 2
   ["macvlan" "private"] 1, ["macvlan" "vepa"] 2, ["macvlan" "bridge"] 4})

(defn- kind ^LinkKind [{:service/keys [type mode]}]
  (let [number (int (modes [type mode]))]
    (case type
      "ipvlan"  (Ipvlan. number 0)
      "macvlan" (Macvlan. number))))

(defn- ip
  "The address of a literal; never asks DNS."
  ^InetAddress [text]
  (InetAddress/getByName text))

(defn- sysctl!
  "Writes /proc/sys/net/`path` of the calling thread's network namespace."
  [path ^String value]
  (with-open [fd (Io/open (str "/proc/sys/net/" path) Io/O_WRONLY 0)]
    (Io/writeAll fd (.getBytes value StandardCharsets/US_ASCII))))

(defn- stable-secret!
  "RFC 7217: the kernel derives the addresses of `link` from `secret` (16 bytes),
  so they are the same whenever the same name meets the same prefix."
  [link ^bytes secret]
  (let [hex    (.formatHex (java.util.HexFormat/of) secret)
        groups (map #(apply str %) (partition 4 hex))]
    (sysctl! (str "ipv6/conf/" link "/stable_secret") (apply str (interpose ":" groups)))))

(defn- ipv6!
  "How `link` gets IPv6 addresses, before it is up."
  [link {:keys [method gateway]} secret]
  (let [conf #(sysctl! (str "ipv6/conf/" link "/" %1) %2)]
    (if (= :none method)
      (conf "disable_ipv6" "1")
      (do (conf "disable_ipv6" "0") ; a machine may have it off by default
          (stable-secret! link secret)
          (case method
            :slaac  (do (conf "accept_ra" "2") (conf "autoconf" "1") (conf "use_tempaddr" "0"))
            ;; a router may still tell the way out, but gives no further address
            :static (do (conf "accept_ra" (if gateway "0" "2")) (conf "autoconf" "0")))))))

(defn- ipv6? [] (some? (Io/stat "/proc/sys/net/ipv6")))

(defn- port
  "The parent link, up. Throws with :wait? when it is not there yet."
  ^Link [^Rtnl host {:service/keys [port]}]
  (let [link (.link host ^String port)]
    (when-not link
      (throw (refused (str "port " port " is not there yet") :wait? true)))
    (when-not (.up link)
      (.setUp host (.index link)))
    link))

(defn- enter!
  "Takes the calling thread into the namespaces of `service`; gives
  {:net Fd-or-nil :uts Fd-or-nil}."
  [{:service/keys [netns uts hostname]}]
  (let [own? (true? netns)]
    (when (or own? uts)
      (Namespaces/unshare (bit-or (if own? Namespaces/CLONE_NEWNET 0)
                                  (if uts Namespaces/CLONE_NEWUTS 0))))
    (when (string? netns)
      (with-open [named (Namespaces/named netns)]
        (Namespaces/setns named Namespaces/CLONE_NEWNET)))
    (when uts (Namespaces/setHostname hostname))
    {:net (when-not (= :host netns) (Namespaces/ofThread "net"))
     :uts (when uts (Namespaces/ofThread "uts"))}))

(defn- create!
  "Makes the link; its index there. A link of the same name that an earlier run
  left in a shared namespace goes first, if it is of our making (same alias)."
  [^Rtnl host ^Rtnl inside parent-index net {:service/keys [name link netns type] :as service}]
  (when-not (true? netns)
    (when-let [old (.link inside ^String link)]
      (if (and (= name (.alias old)) (= type (.kind old)))
        (.deleteLink inside (.index old))
        (throw (refused (str "a link " link " is already in "
                             (if (= :host netns) "the host's namespace" (str "namespace " netns))
                             "; give this service another :link"))))))
  (let [spec (cond-> (.. (LinkSpec/of link (kind service)) (withParent parent-index))
               net (.withNamespace ^Fd net))]
    (try
      (.createLink host spec)
      (catch SysException e
        (throw (condp = (.errno e)
                 Errno/EOPNOTSUPP
                 (refused (str "this kernel has no " type " links: load the module (modprobe " type
                               "), or choose another :type"))
                 Errno/EBUSY
                 (refused (str "port " (:service/port service) " is in use by a bridge, a bond or links"
                               " of another kind than " type ": one kind per port"))
                 e))))
    (.index (.link inside ^String link))))

(defn- static-addresses! [^Rtnl inside index service]
  (doseq [k [:service/ipv4 :service/ipv6]
          :let [{:keys [method prefix] address :ip} (k service)]
          :when (= :static method)]
    (try
      (.addAddress inside (int index) (ip address) (int prefix) 0)
      (catch SysException e
        (throw (if (= Errno/EADDRINUSE (.errno e))
                 (refused (str "address " address " is in use by another link of port "
                               (:service/port service)))
                 e))))))

(defn- gateways! [^Rtnl inside index service]
  (doseq [k [:service/ipv4 :service/ipv6]
          :let [{:keys [gateway]} (k service)]
          :when gateway]
    (.addRoute inside nil 0 (ip gateway) (int index))))

(defn- loopback! [^Rtnl inside]
  (.setUp inside 1))

(defn ns-id
  "The identity of the namespace behind `fd`, as data."
  [^Fd fd]
  (let [^Namespaces$NsId id (Namespaces/id fd)]
    {:dev (.dev id) :ino (.ino id)}))

(defn- attach [^Rtnl host {:service/keys [name link netns] :as service} secret keep!]
  (let [parent            (port host service)
        {:keys [net uts]} (enter! service)]
    (keep! net)
    (keep! uts)
    (with-open [inside (Rtnl/open)]
      (let [index (create! host inside (.index parent) net service)]
        (try
          (.setAlias inside (int index) name)
          (when (ipv6?) (ipv6! link (:service/ipv6 service) secret))
          (static-addresses! inside index service)
          (when (true? netns) (loopback! inside))
          (.setUp inside (int index))
          (gateways! inside index service)
          ;; the id first: what changes after the addresses are read is heard
          (let [nsid      (when net (.ensureNsid host ^Fd net))
                addresses (into [] (comp (map #(assoc (events/address %) :ns/id nsid))
                                         (filter #(= index (:link/index %))))
                                (.addresses inside))]
            {:attachment/net       net
             :attachment/uts       uts
             :attachment/netns     (when (true? netns) (ns-id net))
             :attachment/nsid      nsid
             :attachment/index     index
             :attachment/link      link
             :attachment/kind      (:service/type service)
             :attachment/addresses addresses
             :attachment/usable?   (= :usable (addressing/state service addresses))})
          (catch Throwable t
            (when-not (true? netns)
              (try (.deleteLink inside (int index)) (catch SysException _ nil)))
            (throw t)))))))

(defn attach!
  "Makes the namespaces and the link of `service` and leaves the calling thread in
  them; `secret` is the 16 bytes of RFC 7217 for its name. Blocks for the kernel.

  Returns an attachment: :attachment/net and :attachment/uts (Fds that the caller
  closes once the workload is launched, or nil), /netns {:dev :ino} of a namespace
  of its own, /nsid (nil in the host's), /index and /link of the link inside,
  /kind, /addresses (data, see events), /usable? (no need to wait for an address).

  Throws ex-info with :reason ::refused (:wait? true when the port is not there
  yet) or SysException."
  [service secret]
  (let [kept (volatile! [])]
    (try
      (with-open [host (Rtnl/open)]
        (attach host service secret #(when % (vswap! kept conj %))))
      (catch Throwable t
        (run! #(.close ^Fd %) @kept)
        (throw t)))))

(defn remove!
  "Removes the link `index` in namespace `nsid` (nil: the host's), if it still has
  the name `link`. Returns :removed, :absent, or :dying when the namespace is about
  to end and takes the link with it. Throws SysException otherwise."
  [{:attachment/keys [nsid index link]}]
  (with-open [rtnl (Rtnl/open)]
    (try
      (let [there (if nsid
                    (some #(when (= index (.index ^Link %)) %) (.linksOf rtnl (int nsid)))
                    (.link rtnl (int index)))]
        (if (and there (= link (.name ^Link there)))
          (do (if nsid
                (.deleteLinkOf rtnl (int nsid) (int index))
                (.deleteLink rtnl (int index)))
              :removed)
          :absent))
      (catch SysException e
        (condp = (.errno e)
          Errno/ENODEV :absent
          Errno/EINVAL :dying
          (throw e))))))

(defn find-attachment
  "The attachment of a workload that already runs: process `pid`, whose link has
  the alias `name`. Nil when there is no such link."
  [pid {:service/keys [name netns] :as service}]
  (with-open [rtnl (Rtnl/open)]
    (let [nsid  (when-not (= :host netns)
                  (with-open [fd (Namespaces/ofProcess (int pid) "net")]
                    (.ensureNsid rtnl fd)))
          links (if nsid (.linksOf rtnl (int nsid)) (.links rtnl))]
      (when-let [^Link l (some #(when (= name (.alias ^Link %)) %) links)]
        {:attachment/nsid  nsid
         :attachment/index (.index l)
         :attachment/link  (.name l)
         :attachment/kind  (:service/type service)}))))

(defn remove-stale!
  "Removes the link that an attempt to run `service` in a shared namespace left
  behind when its supervisor was killed: same name, kind and port, and its alias,
  if it got that far. Returns true when there was one."
  [{:service/keys [name link netns type port]}]
  (NsThread/call
   (str "ontap-stale-" name)
   (fn []
     (with-open [host (Rtnl/open)]
       (when (string? netns)
         (with-open [named (Namespaces/named netns)]
           (Namespaces/setns named Namespaces/CLONE_NEWNET)))
       (with-open [inside (Rtnl/open)]
         (let [there (.link inside ^String link)]
           (when (and there
                      (= type (.kind there))
                      (contains? #{nil name} (.alias there))
                      (= (.parentIndex there) (some-> (.link host ^String port) .index)))
             (.deleteLink inside (.index there))
             true)))))))

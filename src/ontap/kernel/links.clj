;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.links
  "A service's link in a namespace of its own: made, configured, removed.

  `attach!` leaves its thread in the service's namespaces, so it is called in a
  fresh platform thread that dies (or becomes the workload) afterwards."
  (:require [ontap.kernel.events :as events]
            [ontap.kernel.create :as create]
            [ontap.kernel.refusal :refer [refused]]
            [ontap.model.addressing :as addressing])
  (:import (java.net InetAddress)
           (ontap.rtnl Link Rtnl)
           (ontap.sys Errno Fd Namespaces Namespaces$NsId NsThread SysException)))

(set! *warn-on-reflection* true)

(defn- ip
  "The address of a literal; never asks DNS."
  ^InetAddress [text]
  (InetAddress/getByName text))

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

(defn- clear-name!
  "A link of the same name that an earlier run left in a shared namespace goes, if it
  is of our making (same alias)."
  [^Rtnl inside {:service/keys [name link netns type]}]
  (when-let [old (.link inside ^String link)]
    (if (and (= name (.alias old)) (= type (.kind old)))
      (.deleteLink inside (.index old))
      (throw (refused :request
                      (str "a link " link " is already in "
                           (if (= :host netns) "the host's namespace" (str "namespace " netns))
                           "; give this service another :link"))))))

(defn- maker
  "Makes links by ourselves, on a port that is there now: see `provide` of `attach!`."
  [^Rtnl host port hwaddr]
  (let [parent (.index (create/port-link host port))]
    (fn [{:service/keys [link type mode]} net]
      (create/link! host {:type type :mode mode :link link :port port :parent parent :net net
                          :hwaddr (when (= "macvlan" type) hwaddr)})
      nil)))

(defn- declared
  "The addresses of `service` that are set here: not an IPv4 address that whoever sets it looks
  for conflicts about first, or that belongs to whoever gave the link."
  [{:service/keys [ipv4 ipv6 acd]} given?]
  (filter #(= :static (:method %)) (if (or acd given?) [ipv6] [ipv4 ipv6])))

(defn- static-addresses! [^Rtnl inside index {:service/keys [port]} addresses]
  (doseq [{:keys [prefix] address :ip} addresses]
    (try
      (.addAddress inside (int index) (ip address) (int prefix) 0)
      (catch SysException e
        (throw (if (= Errno/EADDRINUSE (.errno e))
                 (refused :kernel (str "address " address " is in use by another link of port " port))
                 e))))))

(defn- gateways! [^Rtnl inside index addresses]
  (doseq [{:keys [gateway]} addresses :when gateway]
    (.addRoute inside nil 0 (ip gateway) (int index))))

(defn- loopback! [^Rtnl inside]
  (.setUp inside 1))

(defn ns-id
  "The identity of the namespace behind `fd`, as data."
  [^Fd fd]
  (let [^Namespaces$NsId id (Namespaces/id fd)]
    {:dev (.dev id) :ino (.ino id)}))

(defn- configure!
  "Settles the new link `index` of `service` in the calling thread's namespace, and
  sets it up."
  [^Rtnl inside index {:service/keys [name link netns] :as service} {:keys [secret other-hwaddr]} addresses]
  (.setAlias inside (int index) name)
  (create/ipv6! link (:service/ipv6 service) secret)
  (static-addresses! inside index service addresses)
  (when (true? netns) (loopback! inside))
  (create/set-up! inside index other-hwaddr)
  (gateways! inside index addresses))

(defn- close-grant! [{:attachment/keys [grant]}]
  (run! #(.close ^Fd %) (cond-> (vec (:grant/queues grant))
                          (:grant/holder grant) (conj (:grant/holder grant)))))

(defn- attach-link
  [^Rtnl host {:service/keys [link netns type] :as service} {:keys [net uts]} of-name provide]
  (with-open [inside (Rtnl/open)]
    (when-not (true? netns) (clear-name! inside service))
    (let [given (provide service net)
          made  (.link inside ^String link)
          index (.index made)]
      (try
        (configure! inside index service of-name (declared service (some? (:attachment/grant given))))
        ;; the id first: what changes after the addresses are read is heard. Before that there
        ;; is nothing to hear: a router is asked once the link-local address is checked, 1 s later
        (let [nsid      (when net (.ensureNsid host ^Fd net))
              id        (when net (ns-id net))
              addresses (into [] (comp (map #(assoc (events/address %) :ns/id nsid))
                                       (filter #(= index (:link/index %))))
                              (.addresses inside))]
          (merge given
                 {:attachment/net       net
                  :attachment/uts       uts
                  :attachment/netns     (when (true? netns) id)
                  :attachment/netns-id  (when (true? netns) nsid)
                  :attachment/nsid      nsid
                  :attachment/index     index
                  :attachment/link      link
                  :attachment/kind      type
                  :attachment/hwaddr    (.hwaddrText made)
                  :attachment/link-netns id
                  :attachment/addresses addresses
                  :attachment/usable?   (= :usable (addressing/state service addresses))}))
        (catch Throwable t
          (close-grant! given)
          (when-not (true? netns)
            (try (.deleteLink inside (int index)) (catch SysException _ nil)))
          (throw t))))))

(defn- attach-taps
  "A service whose link is reached through descriptors: its namespace holds nothing
  but lo."
  [^Rtnl host {:service/keys [netns] :as service} {:keys [net uts]} provide]
  (when (true? netns)
    (with-open [inside (Rtnl/open)] (loopback! inside)))
  (let [given (provide service nil)
        nsid  (when net (.ensureNsid host ^Fd net))]
    (merge given {:attachment/net       net
                  :attachment/uts       uts
                  :attachment/netns     (when (true? netns) (ns-id net))
                  :attachment/netns-id  (when (true? netns) nsid)
                  :attachment/addresses []
                  :attachment/usable?   true})))

(defn attach!
  "Makes the namespaces and the link of `service` and leaves the calling thread in
  them. `of-name` is what goes with its name: :secret, 16 bytes (RFC 7217); :hwaddr, 6 bytes
  for a macvlan link, and :other-hwaddr (fn []) for when that is still in use. Blocks for the kernel.

  `provide`: nil to make the link ourselves, or (fn [service net]) that has it made
  by whoever hands out links (`net`: an Fd of the namespace it is for, nil for the host's
  and for types that come as descriptors), and gives keys of an attachment: /grant, and
  for descriptors /nsid /index /kind too.

  Returns an attachment: :attachment/net and :attachment/uts (Fds that the caller
  closes once the workload is launched, or nil), /netns {:dev :ino} and /netns-id (its
  nsid) of a namespace of its own, /nsid of the link's (nil in the host's) and /link-netns
  {:dev :ino}, /index and /link of the link inside, /kind, /hwaddr, /addresses (data, see events), /usable? (no need to wait for an address).

  Throws ex-info with :reason ::refused (:wait? true when the port is not there
  yet) or SysException."
  [service {:keys [hwaddr] :as of-name} provide]
  (let [kept (volatile! [])]
    (try
      (with-open [host (Rtnl/open)]
        (let [provide (or provide (maker host (:service/port service) hwaddr))
              {:keys [net uts] :as entered} (enter! service)]
          (run! #(when % (vswap! kept conj %)) [net uts])
          (if (:service/queues service)
            (attach-taps host service entered provide)
            (attach-link host service entered of-name provide))))
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
                    (.linkOf rtnl (int nsid) (int index))
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

(defn netns-id
  "The nsid of the network namespace of process `pid`."
  [pid]
  (with-open [rtnl (Rtnl/open)
              fd   (Namespaces/ofProcess (int pid) "net")]
    (.ensureNsid rtnl fd)))

(defn find-attachment
  "The attachment of a workload that already runs: process `pid`, whose link has
  the alias `name`. Nil when there is no such link."
  [pid {:service/keys [name netns] :as service}]
  (with-open [rtnl (Rtnl/open)]
    (let [[nsid id] (when-not (= :host netns)
                      (with-open [fd (Namespaces/ofProcess (int pid) "net")]
                        [(.ensureNsid rtnl fd) (ns-id fd)]))
          links (if nsid (.linksOf rtnl (int nsid)) (.links rtnl))]
      (when-let [^Link l (some #(when (= name (.alias ^Link %)) %) links)]
        {:attachment/nsid  nsid
         :attachment/netns-id (when (true? netns) nsid)
         :attachment/index (.index l)
         :attachment/link  (.name l)
         :attachment/hwaddr (.hwaddrText l)
         :attachment/link-netns id
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

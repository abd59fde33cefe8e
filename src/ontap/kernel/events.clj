;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.events
  "What the kernel says of links, addresses and routers, as the plain data of
  `ontap.model.inventory`."
  (:require [ontap.model.address :as address])
  (:import (java.net Inet4Address InetAddress)
           (ontap.ndp NdpFormatException NdpOption NdpOption$Dnssl NdpOption$Rdnss)
           (ontap.rtnl Address Link Route Rtnl RtnlEvent$AddressGone RtnlEvent$AddressNew
                       RtnlEvent$LinkGone RtnlEvent$LinkNew RtnlEvent$NdUserOption
                       RtnlEvent$NsidGone RtnlEvent$NsidNew RtnlEvent$Overflow
                       RtnlEvent$RouterGone RtnlEvent$RouterNew RtnlMonitor RtnlMonitor$Routers)
           (ontap.sys Errno SysException)))

(set! *warn-on-reflection* true)

(defn ip-text
  "Canonical text (RFC 5952 for IPv6), without a scope."
  [^InetAddress ip]
  (if (instance? Inet4Address ip)
    (.getHostAddress ip)
    (address/text (mapv #(bit-and 0xff %) (.getAddress ip)))))

(defn- scope [n]
  (case (int n) 0 :global, 253 :link, 254 :host, :other))

;; The kernel's times of addresses begin anew after 497 days.
(def ^:private round-ms (* 10 (bit-shift-left 1 32)))

(defn- unrolled
  "The time of the clock that the kernel meant: the last one before now. It is a little behind; one
  that seems to be ahead by less than a second is this round's, too."
  [updated-ms]
  (let [now (+ 1000 (quot (System/nanoTime) 1000000))]
    (- now (mod (- now (long updated-ms)) (long round-ms)))))

(defn address
  "An address as data: :addr/ip :addr/prefix :addr/family :addr/scope :addr/flags :addr/proto,
  :addr/preferred-s and :addr/valid-s (nil: for ever), :addr/updated-ms (CLOCK_MONOTONIC: when these
  were last told), :link/index, :ns/id."
  [^Address a]
  (let [ip (.ip a)]
    {:addr/ip          (ip-text ip)
     :addr/prefix      (.prefixLength a)
     :addr/family      (if (instance? Inet4Address ip) :ipv4 :ipv6)
     :addr/scope       (scope (.scope a))
     :addr/flags       (cond-> #{}
                         (.tentative a)  (conj :tentative)
                         (.dadFailed a)  (conj :dadfailed)
                         (.deprecated a) (conj :deprecated)
                         (.temporary a)  (conj :temporary)
                         (.permanent a)  (conj :permanent))
     :addr/proto       (.proto a)
     :addr/preferred-s (.preferredSeconds a)
     :addr/valid-s     (.validSeconds a)
     :addr/updated-ms  (some-> (.updatedMillis a) unrolled)
     :link/index       (.index a)
     :ns/id            (.nsid a)}))

(defn link
  "A link as data: :link/index :link/name :link/kind :link/alias :link/hwaddr :link/up?
  :link/running? :link/parent :link/parent-nsid :ns/id."
  [^Link l]
  {:link/index       (.index l)
   :link/name        (.name l)
   :link/kind        (.kind l)
   :link/alias       (.alias l)
   :link/hwaddr      (.hwaddrText l)
   :link/up?         (.up l)
   :link/running?    (.running l)
   :link/parent      (.parentIndex l)
   :link/parent-nsid (.parentNsid l)
   :ns/id            (.nsid l)})

(defn- router [type nsid index ip]
  {:event/type type :ns/id nsid :link/index index :router/ip (ip-text ip)})

(defn- dns
  "What an option of a router's advertisement says of resolvers (RFC 8106), or nil: it is about
  something else, or malformed."
  [^RtnlEvent$NdUserOption e]
  (let [event   {:event/type :nd/dns :ns/id (.nsid e) :link/index (.index e) :nd/servers [] :nd/search []}
        options (try (NdpOption/parse (.option e)) (catch NdpFormatException _ nil))
        option  (first options)]
    (condp instance? option
      NdpOption$Rdnss (assoc event
                             :nd/servers (mapv ip-text (.addresses ^NdpOption$Rdnss option))
                             :nd/lifetime-s (.lifetimeSeconds ^NdpOption$Rdnss option))
      NdpOption$Dnssl (assoc event
                             :nd/search (vec (.domains ^NdpOption$Dnssl option))
                             :nd/lifetime-s (.lifetimeSeconds ^NdpOption$Dnssl option))
      nil)))

(defn- event
  "The event that `e` is as data, or nil when it tells nothing to us."
  [e]
  (condp instance? e
    RtnlEvent$LinkNew      (assoc (link (.link ^RtnlEvent$LinkNew e)) :event/type :link/new)
    RtnlEvent$LinkGone     (cond-> (assoc (link (.link ^RtnlEvent$LinkGone e)) :event/type :link/gone)
                             (.newIndex ^RtnlEvent$LinkGone e) (assoc :link/moved? true))
    RtnlEvent$AddressNew   (assoc (address (.address ^RtnlEvent$AddressNew e)) :event/type :addr/new)
    RtnlEvent$AddressGone  (assoc (address (.address ^RtnlEvent$AddressGone e)) :event/type :addr/gone)
    RtnlEvent$NdUserOption (dns e)
    RtnlEvent$RouterNew    (let [^RtnlEvent$RouterNew e e] (router :router/new (.nsid e) (.index e) (.router e)))
    RtnlEvent$RouterGone   (let [^RtnlEvent$RouterGone e e] (router :router/gone (.nsid e) (.index e) (.router e)))
    RtnlEvent$NsidNew      {:event/type :ns/new :ns/id (.nsid ^RtnlEvent$NsidNew e)}
    RtnlEvent$NsidGone     {:event/type :ns/gone :ns/id (.nsid ^RtnlEvent$NsidGone e)}
    RtnlEvent$Overflow     {:event/type :event/overflow}))

(defn open-monitor
  "A monitor of links, addresses and namespace ids of every namespace that has an id, and of what routers
  advertise for programs; with `:routes?` of IPv6 routers that come and go in place of that (one socket wakes as
  seldom as possible). `:receive-buffer`: bytes, else 16 MiB. Throws SysException (EPERM without
  CAP_NET_BROADCAST)."
  (^RtnlMonitor [] (open-monitor {}))
  (^RtnlMonitor [{:keys [routes? receive-buffer]}]
   (RtnlMonitor/open true (int (or receive-buffer 0))
                     (if routes? RtnlMonitor$Routers/ROUTES RtnlMonitor$Routers/OPTIONS))))

(defn receive
  "The events that have come, as data; never blocks."
  [^RtnlMonitor monitor]
  (into [] (keep event) (.receive monitor)))

(defn read-namespace
  "What there is in the namespace `nsid` (nil: the observer's own), as :link/new and :addr/new events;
  of the own one :router/new, too: of others the kernel does not tell the routes. Blocks for the kernel.
  nil when no namespace has the id (any more), or it is not ours to read."
  [^Rtnl rtnl nsid]
  (let [new-link #(assoc (link %) :event/type :link/new :ns/id nsid)
        new-addr #(assoc (address %) :event/type :addr/new :ns/id nsid)]
    (if (nil? nsid)
      (-> []
          (into (map new-link) (.links rtnl))
          (into (map new-addr) (.addresses rtnl))
          (into (map (fn [^Route r] (router :router/new nil (.oif r) (.gateway r)))) (.advertisedDefaults rtnl)))
      (try
        (-> []
            (into (map new-link) (.linksOf rtnl (int nsid)))
            (into (map new-addr) (.addressesOf rtnl (int nsid))))
        (catch SysException e
          (when-not (contains? #{Errno/EINVAL Errno/EACCES Errno/EPERM} (.errno e)) (throw e)))))))

(defn snapshot
  "What there is now in the observer's namespace and those of `nsids`, as events (see
  `read-namespace`). One that ends meanwhile is left out. Blocks for the kernel. `rtnl`: to be asked;
  without, one is opened for the question."
  ([nsids] (with-open [rtnl (Rtnl/open)] (snapshot rtnl nsids)))
  ([^Rtnl rtnl nsids] (into [] (mapcat #(read-namespace rtnl %)) (cons nil nsids))))

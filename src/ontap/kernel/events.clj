;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.events
  "What the kernel says of links, addresses and routers, as the plain data of
  `ontap.model.inventory`."
  (:require [ontap.model.address :as address])
  (:import (java.net Inet4Address InetAddress)
           (ontap.ndp NdpFormatException NdpOption NdpOption$Dnssl NdpOption$Rdnss)
           (ontap.rtnl Address Link Rtnl RtnlEvent$AddressGone RtnlEvent$AddressNew
                       RtnlEvent$LinkGone RtnlEvent$LinkNew RtnlEvent$NdUserOption
                       RtnlEvent$NsidGone RtnlEvent$NsidNew RtnlEvent$Overflow RtnlMonitor)
           (ontap.sys SysException)))

(set! *warn-on-reflection* true)

(defn ip-text
  "Canonical text (RFC 5952 for IPv6), without a scope."
  [^InetAddress ip]
  (if (instance? Inet4Address ip)
    (.getHostAddress ip)
    (address/text (mapv #(bit-and 0xff %) (.getAddress ip)))))

(defn- scope [n]
  (case (int n) 0 :global, 253 :link, 254 :host, :other))

(defn address
  "An address as data: :addr/ip :addr/prefix :addr/family :addr/scope :addr/flags
  :addr/valid-s (nil: for ever), :link/index, :ns/id."
  [^Address a]
  (let [ip (.ip a)]
    {:addr/ip      (ip-text ip)
     :addr/prefix  (.prefixLength a)
     :addr/family  (if (instance? Inet4Address ip) :ipv4 :ipv6)
     :addr/scope   (scope (.scope a))
     :addr/flags   (cond-> #{}
                     (.tentative a)  (conj :tentative)
                     (.dadFailed a)  (conj :dadfailed)
                     (.deprecated a) (conj :deprecated)
                     (.temporary a)  (conj :temporary))
     :addr/valid-s (.validSeconds a)
     :link/index   (.index a)
     :ns/id        (.nsid a)}))

(defn link
  "A link as data: :link/index :link/name :link/kind :link/alias :link/hwaddr :link/up?
  :link/running? :link/parent :ns/id."
  [^Link l]
  {:link/index    (.index l)
   :link/name     (.name l)
   :link/kind     (.kind l)
   :link/alias    (.alias l)
   :link/hwaddr   (.hwaddrText l)
   :link/up?      (.up l)
   :link/running? (.running l)
   :link/parent   (.parentIndex l)
   :ns/id         (.nsid l)})

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
    RtnlEvent$NsidNew      {:event/type :ns/new :ns/id (.nsid ^RtnlEvent$NsidNew e)}
    RtnlEvent$NsidGone     {:event/type :ns/gone :ns/id (.nsid ^RtnlEvent$NsidGone e)}
    RtnlEvent$Overflow     {:event/type :event/overflow}))

(defn open-monitor
  "A monitor of links, addresses, namespace ids and router's advertisements of every
  namespace that has an id. Throws SysException (EPERM without CAP_NET_BROADCAST)."
  ^RtnlMonitor []
  (RtnlMonitor/open true))

(defn receive
  "The events that have come, as data; never blocks."
  [^RtnlMonitor monitor]
  (into [] (keep event) (.receive monitor)))

(defn snapshot
  "The links and addresses there are now, as :link/new and :addr/new events: the
  observer's namespace and those of `nsids`. One that ends meanwhile is left out.
  Blocks for the kernel."
  [nsids]
  (with-open [rtnl (Rtnl/open)]
    (let [new-link #(assoc (link %1) :event/type :link/new :ns/id %2)
          new-addr #(assoc (address %1) :event/type :addr/new :ns/id %2)]
      (into (-> []
                (into (map #(new-link % nil)) (.links rtnl))
                (into (map #(new-addr % nil)) (.addresses rtnl)))
            (mapcat (fn [nsid]
                      (try
                        (-> []
                            (into (map #(new-link % nsid)) (.linksOf rtnl (int nsid)))
                            (into (map #(new-addr % nsid)) (.addressesOf rtnl (int nsid))))
                        (catch SysException _ []))))
            nsids))))

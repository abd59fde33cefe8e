;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.frames
  "What a frame on a guest's link says about addresses, as an event of
  `ontap.model.mirror`."
  (:require [ontap.model.address :as address])
  (:import (java.net InetAddress)
           (ontap.dhcp4 DhcpMessage DhcpOptions)
           (ontap.frames GuestFrame GuestFrame$Advertisement GuestFrame$Arp GuestFrame$Dhcp
                         GuestFrame$Solicitation)))

(set! *warn-on-reflection* true)

(defn- text
  "Canonical text of an address; nil when it is none, or the unspecified one."
  [^InetAddress ip]
  (when-not (or (nil? ip) (.isAnyLocalAddress ip))
    (address/from-bytes (.getAddress ip))))

(defn- arp [^GuestFrame$Arp f]
  (let [ip (text (.sender f)), target (text (.target f))]
    (cond
      (.announcement f) {:seen/kind :arp-announce :seen/ip ip}
      (.probe f)        {:seen/kind :arp-probe :seen/target target}
      (.reply f)        {:seen/kind :arp-reply :seen/ip ip}
      target            {:seen/kind :arp-request :seen/ip ip :seen/target target})))

(defn- solicitation [^GuestFrame$Solicitation f]
  (when-let [target (text (.target f))]
    (if (.probe f)
      {:seen/kind :dad :seen/target target}
      {:seen/kind :ns :seen/ip (text (.sender f)) :seen/target target})))

(defn- advertisement [^GuestFrame$Advertisement f]
  (when-let [ip (text (.target f))]
    {:seen/kind :na :seen/ip ip}))

(defn- given
  "The keys of an address that a server gives."
  [^DhcpMessage m]
  (when-let [ip (text (.your m))]
    (let [prefix (.prefix (.options m)), seconds (.seconds (.options m) DhcpOptions/LEASE)]
      (cond-> {:seen/ip ip}
        (pos? prefix)                                     (assoc :seen/prefix prefix)
        (and seconds (not= DhcpMessage/INFINITY seconds)) (assoc :seen/seconds seconds)))))

(defn- dhcp
  "A client's message counts when the guest sent it, a server's when the guest did not."
  [^DhcpMessage m outgoing?]
  (when-not (= outgoing? (.reply m))
    (let [options   (.options m)
          requested (text (.address options DhcpOptions/REQUESTED))
          own       (text (.client m))
          id        (.hex options DhcpOptions/CLIENT_ID)
          event (condp = (.type m)
                  DhcpMessage/DISCOVER {:seen/kind :dhcp-discover}
                  DhcpMessage/REQUEST  (cond-> {:seen/kind :dhcp-request}
                                         (or requested own) (assoc :seen/ip (or requested own)))
                  DhcpMessage/DECLINE  (when requested {:seen/kind :dhcp-decline :seen/ip requested})
                  DhcpMessage/RELEASE  (when own {:seen/kind :dhcp-release :seen/ip own})
                  DhcpMessage/OFFER    (some-> (given m) (assoc :seen/kind :dhcp-offer))
                  DhcpMessage/ACK      (some-> (given m) (assoc :seen/kind :dhcp-ack))
                  DhcpMessage/NAK      {:seen/kind :dhcp-nak})]
      (when event
        (cond-> (assoc event :seen/xid (Integer/toUnsignedLong (.xid m)))
          id (assoc :seen/client id))))))

(defn seen
  "The event that a frame on a guest's link is, or nil. `outgoing?`: the link sends it,
  so it comes from the guest; else it came to the guest, from the LAN or a sibling."
  [^GuestFrame f outgoing?]
  (let [outgoing? (boolean outgoing?)
        event (condp instance? f
                GuestFrame$Arp           (arp f)
                GuestFrame$Solicitation  (solicitation f)
                GuestFrame$Advertisement (advertisement f)
                GuestFrame$Dhcp          (dhcp (.message ^GuestFrame$Dhcp f) outgoing?)
                nil)]
    (some-> event
            (assoc :seen/from (if outgoing? :guest :lan) :seen/hwaddr (.hwaddr f)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-socket
  "The sockets of multicast DNS: one for each link and family (`ontap.mdns.MdnsSocket`)."
  (:require [ontap.model.address :as address])
  (:import (ontap.mdns MdnsSocket MdnsSocket$Datagram)
           (ontap.sys Errno Fd SysException)))

(set! *warn-on-reflection* true)

(defn open
  "A socket of `family`, :ipv4 or :ipv6, on the link `index` of the calling thread's namespace; nil when there is no such link
  (any more), or the kernel has not the family, there (IPv6 on an MTU below 1280) or at all. Throws SysException: EADDRINUSE when another program keeps port 5353 to itself."
  ^MdnsSocket [family index]
  (try
    (MdnsSocket/open (= :ipv4 family) (int index))
    (catch SysException e
      (when-not (contains? #{Errno/ENODEV Errno/EAFNOSUPPORT Errno/EADDRNOTAVAIL Errno/EINVAL} (.errno e)) (throw e)))))

(defn adopt
  "The socket that was opened on the link `index` and handed over as `fd`."
  ^MdnsSocket [^Fd fd index]
  (MdnsSocket/adopt fd (int index)))

(defn family "Its :ipv4 or :ipv6." [^MdnsSocket socket] (if (.isIp4 socket) :ipv4 :ipv6))

(defn index "The number of its link." [^MdnsSocket socket] (.index socket))

(defn fd "What an event loop watches for EPOLLIN; it stays the socket's." ^Fd [^MdnsSocket socket] (.fd socket))

(defn join-again!
  "A member of the group anew: a link that had no IPv6 for a while has forgotten it. False when it cannot be one now."
  [^MdnsSocket socket]
  (.joinAgain socket))

(defn receive!
  "The next datagram, or nil; never blocks."
  ^MdnsSocket$Datagram [^MdnsSocket socket]
  (.receive socket))

(defn bytes-of "The bytes of a datagram, valid until the next one; see `length-of`." ^bytes [^MdnsSocket$Datagram d] (.bytes d))

(defn length-of "How many there are." [^MdnsSocket$Datagram d] (.length d))

(defn sender
  "Where a datagram is from and came to: {:packet/ip text :packet/port n :packet/family :ipv4|:ipv6 :packet/multicast? b}."
  [^MdnsSocket$Datagram d]
  (let [octets (.from d)]
    {:packet/ip         (address/text (mapv #(bit-and 0xff (long %)) octets))
     :packet/port       (.port d)
     :packet/family     (if (= 4 (alength octets)) :ipv4 :ipv6)
     :packet/multicast? (.multicast d)}))

(defn send!
  "Sends `bytes` to :multicast or {:ip text :port n}; false when the kernel would not. Never blocks."
  [^MdnsSocket socket to ^bytes bytes]
  (if (= :multicast to)
    (.sendToGroup socket bytes)
    (.sendTo socket bytes (:ip to) (int (:port to)))))

(defn close! "Leaves the group and the port." [^MdnsSocket socket] (.close socket))

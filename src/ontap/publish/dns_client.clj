;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.dns-client
  "A DNS server that is asked by UDP (`ontap.mdns.DnsClient`), with messages of `ontap.publish.mdns-wire`."
  (:require [ontap.publish.mdns-wire :as mdns-wire])
  (:import (ontap.mdns DnsClient)
           (ontap.sys Fd InetSockets)))

(set! *warn-on-reflection* true)

(def ^:private longest "Bytes of a query." 512)

(defn open
  "A client of the server {:ip text :port n}; closed by .close. Throws SysException; IllegalArgumentException for what is no address."
  ^DnsClient [{:keys [ip port]}]
  (DnsClient/open (InetSockets/endpoint ip (int port))))

(defn fd "What an event loop watches for EPOLLIN; it stays the client's." ^Fd [^DnsClient client] (.fd client))

(defn send!
  "Sends a query; false when the kernel would not. Never blocks."
  [^DnsClient client message]
  (every? #(.send client ^bytes %) (mdns-wire/packets message longest)))

(defn receive!
  "The next message of the server, or nil. Never blocks."
  [^DnsClient client]
  (some-> (.receive client) mdns-wire/of))

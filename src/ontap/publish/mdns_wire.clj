;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-wire
  "Messages of multicast DNS as bytes and as plain data.

  A message: {:message/id n :message/response? b :message/opcode n :message/rcode n :message/authoritative? b
  :message/truncated? b :message/questions [{:mdns/name :mdns/type :mdns/class :mdns/unicast? b}] :message/answers
  :message/authorities :message/additionals [record of `ontap.model.mdns-record`]}; when one is written, what is left out is 0,
  false or empty, and :message/legacy? true says that it is for a resolver of DNS (RFC 6762 section 6.7)."
  (:import (java.util List)
           (ontap.mdns Interest MdnsMessage MdnsQuestion MdnsRecord MessageReader MessageWriter)))

(set! *warn-on-reflection* true)

(defn- question [^MdnsQuestion q]
  {:mdns/name (.name q) :mdns/type (.type q) :mdns/class (.dclass q) :mdns/unicast? (.unicast q)})

(defn- record [^MdnsRecord r]
  {:mdns/name (.name r) :mdns/type (.type r) :mdns/class (.dclass r) :mdns/ttl (.ttl r) :mdns/rdata (.data r) :mdns/flush? (.flush r)})

(defn of
  "`m` as data."
  [^MdnsMessage m]
  {:message/id             (.id m)
   :message/response?      (.response m)
   :message/opcode         (.opcode m)
   :message/rcode          (.rcode m)
   :message/authoritative? (.authoritative m)
   :message/truncated?     (.truncated m)
   :message/questions      (mapv question (.questions m))
   :message/answers        (mapv record (.answers m))
   :message/authorities    (mapv record (.authorities m))
   :message/additionals    (mapv record (.additionals m))})

(defn message
  "The message in the first `length` of `bytes`, or nil: there is none."
  [^bytes bytes length]
  (some-> (MessageReader/read bytes (int length)) of))

(defn- question-out [{:mdns/keys [name type class unicast?]}]
  (MdnsQuestion. name (int type) (int class) (boolean unicast?)))

(defn- record-out [{:mdns/keys [name type class ttl rdata flush?]}]
  (MdnsRecord. name (int type) (int class) (boolean flush?) (int ttl) rdata))

(defn- flags [{:message/keys [response? opcode rcode authoritative? truncated?]}]
  (bit-or (if response? MdnsMessage/RESPONSE 0)
          (if authoritative? MdnsMessage/AUTHORITATIVE 0)
          (if truncated? MdnsMessage/TRUNCATED 0)
          (bit-shift-left (long (or opcode 0)) 11)
          (long (or rcode 0))))

(defn packets
  "The datagrams that say `message`, a vector of byte arrays of at most `max-bytes` each, but for one with a single longer record
  (`ontap.mdns.MessageWriter`)."
  [{:message/keys [id questions answers authorities additionals legacy?] :as message} max-bytes]
  (vec (MessageWriter/packets
        (MdnsMessage. (int (or id 0)) (int (flags message))
                      ^List (mapv question-out questions) ^List (mapv record-out answers)
                      ^List (mapv record-out authorities) ^List (mapv record-out additionals))
        (int max-bytes) (boolean legacy?))))

(defn interest
  "What matters to whoever has the `names`, as `interests?` wants it."
  [names]
  (Interest/in names))

(defn interests?
  "May the datagram in the first `length` of `bytes` matter (`ontap.mdns.Interest`)? Cheap."
  [^Interest interest ^bytes bytes length]
  (.matters interest bytes (int length)))

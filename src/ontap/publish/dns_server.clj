;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.dns-server
  "The DNS server of a zone: its sockets and threads, who may transfer, who is told of changes.
  Begun, fed and ended by the event loop's thread; its own threads only read the snapshot."
  (:require [ontap.model.view :as view]
            [ontap.publish.dns :as dns]
            [ontap.publish.sockets :as sockets])
  (:import (java.security SecureRandom)
           (java.util List)
           (java.util.concurrent.atomic AtomicReference)
           (java.util.function Consumer IntSupplier LongSupplier Supplier)
           (ontap.dns Catalog DnsService DnsSockets Notifier Notifier$Note Notifier$Target Responder$Options
                      Snapshot TcpServer TcpServer$Limits TransferPolicy TransferPolicy$Builder TsigKey UdpServer)
           (ontap.sys InetSockets)))

(set! *warn-on-reflection* true)

(def ^:private epoch-seconds
  (reify LongSupplier (getAsLong [_] (quot (System/currentTimeMillis) 1000))))

(defn- keys-of
  "name -> TsigKey of :zone/keys."
  [zone-keys]
  (into {} (map (fn [[name {:key/keys [algorithm secret]}]]
                  [name (TsigKey/of name (clojure.core/name algorithm) secret)]))
        zone-keys))

(defn- policy ^TransferPolicy [transfer]
  (let [builder (TransferPolicy$Builder.)]
    (doseq [{:transfer/keys [prefix key] v :transfer/view} transfer]
      (.add builder prefix key (int (view/number v))))
    (.build builder)))

(defn- target ^Notifier$Target [tsig-keys {:notify/keys [ip port key] v :notify/view}]
  (Notifier$Target. (InetSockets/endpoint ip (int port)) (int (view/number v)) (get tsig-keys key)))

(defn- told
  "A line about how a secondary took the news, when there is something to be done about it."
  [note ^Notifier$Note n]
  (let [ip (str (.to (.target n)))]
    (case (str (.outcome n))
      "REFUSED"    (note :warning (str "secondary " ip " does not want to hear of " (.zone n) " (code " (.code n) ")"))
      "DISTRUSTED" (note :warning (str "secondary " ip " answers with a wrong signature (code " (.code n) "); its key for "
                                       (.zone n) " may be another one"))
      "SILENT"     (note :warning (str "secondary " ip " does not answer; it was told of " (.zone n) " again and again"))
      nil)))

(defn- notifier ^Notifier [loop tsig-keys notify note]
  (let [random (SecureRandom.)]
    (Notifier. loop ^List (mapv #(target tsig-keys %) notify)
               (reify IntSupplier (getAsInt [_] (.nextInt random)))
               epoch-seconds
               (reify Consumer (accept [_ n] (told note n))))))

(defn server
  "A server of `zone` (checked) on `fds`, sockets that were handed over, that does not answer yet.
  `note` (fn [level text]) is told what a person should know. Throws with :kind :exit."
  [{:keys [loop fds zone note]}]
  (let [snapshot  (AtomicReference. (Snapshot. (Catalog/empty) (dns/askers [])))
        tsig-keys (keys-of (:zone/keys zone))]
    {:snapshot snapshot
     :sockets  (sockets/handed fds)
     :note     note
     :running  (volatile! nil)
     :notifier (when (seq (:zone/notify zone)) (notifier loop tsig-keys (:zone/notify zone) note))
     :service  (DnsService. (reify Supplier (get [_] (.get snapshot)))
                            (Responder$Options. (:zone/chaos zone))
                            (or (vals tsig-keys) []) (policy (:zone/transfer zone)) epoch-seconds)}))

(defn publish!
  "From now on what `changes` and `rules` make of what was there is answered (see `dns/after`), and
  secondaries are told. Does not block."
  [{:keys [^AtomicReference snapshot ^Notifier notifier]} changes rules]
  (let [changes (dns/changes changes)]
    (.set snapshot (dns/after (.get snapshot) changes rules))
    (when (and notifier (seq changes)) (.changed notifier changes))))

(defn start!
  "Answers from now on."
  [{:keys [^DnsSockets sockets service running note]}]
  (let [failed (reify Consumer (accept [_ t] (note :error (str "bug: an answer failed: " t))))
        udp    (when (seq (.udp sockets)) (UdpServer/start (.udp sockets) service failed))]
    (vreset! running {:udp udp
                      :tcp (when (seq (.tcp sockets)) (TcpServer/start (.tcp sockets) service TcpServer$Limits/USUAL failed))})))

(defn places
  "Where it listens, in words."
  [{:keys [sockets]}]
  (sockets/places sockets))

(defn counts
  "What it has counted since the start: {:udp {:queries :answered :dropped :errors} :tcp {:open
  :accepted :queries :errors :evicted}}; without what does not run."
  [{:keys [running]}]
  (let [{:keys [^UdpServer udp ^TcpServer tcp]} @running]
    (cond-> {}
      udp (assoc :udp (let [c (.counters udp)]
                        {:queries (.queries c) :answered (.answered c) :dropped (.dropped c) :errors (.errors c)}))
      tcp (assoc :tcp (let [c (.counters tcp)]
                        {:open (.open c) :accepted (.accepted c) :queries (.queries c) :errors (.errors c)
                         :evicted (.evicted c)})))))

(defn close!
  "Ends the threads and closes the sockets. Waits for the answers at hand."
  [{:keys [running ^Notifier notifier]}]
  (let [{:keys [^UdpServer udp ^TcpServer tcp]} @running]
    (some-> udp .close)
    (some-> tcp .close)
    (some-> notifier .close)))

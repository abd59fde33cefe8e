;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.guests
  "What the kernel shows of the guests behind ipvtap links, and the addresses that their
  links are given: `:guests` of `ontap.alloc.allocator`. Nothing here blocks for longer
  than a system call; all of it is for one thread."
  (:require [ontap.kernel.events :as events]
            [ontap.kernel.frames :as frames]
            [ontap.kernel.taps :as taps])
  (:import (java.net InetAddress)
           (ontap.frames GuestFrame)
           (ontap.rtnl Rtnl Route RtnlConstants)
           (ontap.sys Errno Fd Namespaces NsThread PacketSocket PacketSocket$Frame SysException)))

(set! *warn-on-reflection* true)

(def ^:private buffer-bytes 2048)

(def ^:private at-once
  "Frames that are read in one turn: others wait for the loop as well."
  64)

(def ^:private filter-program (delay (GuestFrame/filter)))
(def ^:private dhcp-program (delay (GuestFrame/dhcpFilter)))

(defn- open-link
  "A socket for what passes the filter on the link of `lease`, in the namespace of the
  taps. It keeps that namespace, which is ours."
  [taps {:lease/keys [index]}]
  (let [net (taps/net taps)]
    (NsThread/call "ontap-guest"
                   (fn []
                     (Namespaces/setns net Namespaces/CLONE_NEWNET)
                     (PacketSocket/open (int index) @filter-program)))))

(defn- open-port [{:lease/keys [parent]}]
  (PacketSocket/open (int parent) @dhcp-program))

(defn- event-of
  "The event that one frame is, or nil."
  [^PacketSocket$Frame f ^bytes buffer]
  (when-not (.cut f)
    (some-> (GuestFrame/parse buffer (.length f) (.checksumPending f))
            (frames/seen (.outgoing f)))))

(defn- receive
  "{:events of some frames that wait, :more? may there be more}; frames of no interest are
  skipped."
  [^Fd fd ^bytes buffer]
  (loop [n 0 events []]
    (let [f (when (< n (long at-once))
              (try (PacketSocket/receive fd buffer)
                   (catch SysException e
                     ;; the link is down for now, or gone
                     (when-not (= Errno/ENETDOWN (.errno e)) (throw e)))))]
      (if f
        (recur (inc n) (if-let [e (event-of f buffer)] (conj events e) events))
        {:events events :more? (= n (long at-once))}))))

(defn- from-server?
  "On the parent only a server's answers tell of a guest: they are sent to an address
  that no link has yet."
  [event]
  (and (= :lan (:seen/from event))
       (contains? #{:dhcp-offer :dhcp-ack :dhcp-nak} (:seen/kind event))))

(defn- ip ^InetAddress [^String text] (InetAddress/getByName text))

(defn- quietly
  "Nil, or why the system refused."
  [f & fine]
  (try (f) nil
       (catch SysException e
         (let [errno (.errno e)]
           (cond
             (some #{errno} fine)       nil
             (= Errno/EADDRINUSE errno) "another link of the port has it"
             :else                      (ex-message e))))))

(defn- add! [taps {:lease/keys [index]} address prefix]
  (quietly #(.addAddress (taps/inside taps) (int index) (ip address) (int prefix) RtnlConstants/IFA_F_NODAD)
           Errno/EEXIST))

(defn- remove! [taps {:lease/keys [index]} address prefix]
  (quietly #(.deleteAddress (taps/inside taps) (int index) (ip address) (int prefix))
           Errno/EADDRNOTAVAIL Errno/ENODEV))

(defn- addresses-of [^Rtnl rtnl index]
  (for [a (.addresses rtnl)
        :let [{:addr/keys [ip prefix] at :link/index} (events/address a)]
        :when (or (nil? index) (= index at))]
    [ip prefix]))

(defn- not-for-guests
  "This machine's own addresses, and its gateways."
  []
  (with-open [host (Rtnl/open)]
    (into (into #{} (map first) (addresses-of host nil))
          (keep #(some-> (.gateway ^Route %) events/ip-text))
          (.routes host 0))))

(defn of
  "The functions of `ontap.alloc.guests` for links in the namespace of `taps`."
  [taps]
  (let [buffer (byte-array buffer-bytes)]
    {:open         #(open-link taps %)
     :open-port    open-port
     :receive      #(receive % buffer)
     :receive-port #(update (receive % buffer) :events (partial filter from-server?))
     :addresses    (fn [{:lease/keys [index]}] (addresses-of (taps/inside taps) index))
     :add          #(add! taps %1 %2 %3)
     :remove       #(remove! taps %1 %2 %3)
     :refused      not-for-guests}))

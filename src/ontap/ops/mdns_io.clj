;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.mdns-io
  "What whoever speaks multicast DNS on a link has in common: the sockets of the link, packets as events, and the sending of what a
  machine wants sent. In the loop's thread."
  (:require [ontap.model.mdns-place :as mdns-place]
            [ontap.ops.process :as process]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.publish.mdns-wire :as mdns-wire])
  (:import (ontap.sys Clock Errno EventLoop EventLoop$Handler SysException)))

(set! *warn-on-reflection* true)

(def ^:private at-once
  "So many datagrams are taken before timers have their turn again: a flood delays no probe."
  64)

(def ^:private largest
  "Bytes of a message: what every link with IPv6 carries behind the headers, in one piece (RFC 6762 section 17; RFC 8200
  section 5)."
  1232)

(defn now-ms "The clock of all machines: whole ms of CLOCK_BOOTTIME." [] (quot (Clock/boottimeNanos) 1000000))

(defn open
  "{family socket} of those of `families` that are there, on the link `index` of the calling thread's namespace. Throws with :kind :exit when another program keeps
  the port to itself; `instead` says what else could be done."
  [index families instead]
  (try
    (reduce (fn [sockets family]
              (try
                (if-let [socket (mdns-socket/open family index)] (assoc sockets family socket) sockets)
                (catch Throwable t
                  (run! mdns-socket/close! (vals sockets))
                  (throw t))))
            {} families)
    (catch SysException e
      (throw (if (= Errno/EADDRINUSE (.errno e))
               (process/exit 111 (str "unable to speak multicast DNS: another program keeps port 5353 to itself "
                                      "(`ss -lunp` shows which); stop it, or " instead))
               e)))))

(defn listen!
  "Calls `heard` with each datagram of `sockets`."
  [^EventLoop event-loop sockets heard]
  (doseq [socket (vals sockets)]
    (.add event-loop (mdns-socket/fd socket) EventLoop/EPOLLIN
          (reify EventLoop$Handler
            (ready [_ _]
              (loop [n 0]
                (when-let [datagram (when (< n (long at-once)) (mdns-socket/receive! socket))]
                  (heard datagram)
                  (recur (inc n)))))))))

(defn senders
  "What `packet` knows of those who sent before."
  []
  (volatile! [nil {}]))

(def ^:private most-senders 256)

(defn- sender-there
  "[on-link? own?] of the address `ip`; looked up once, as long as the addresses are the same ones."
  [senders addresses ip]
  (let [[of known] @senders
        known      (if (and (identical? of addresses) (< (count known) (long most-senders))) known {})]
    (or (get known ip)
        (let [there [(mdns-place/on-link? addresses ip) (mdns-place/own? addresses ip)]]
          (vreset! senders [addresses (assoc known ip there)])
          there))))

(defn packet
  "The event that `datagram` is on a link with `addresses`, {ip address} of the inventory; nil when it is no message, or certainly
  does not matter to `interest` (nil: everything may). `senders`: of this link."
  [datagram interest senders addresses]
  (let [bytes (mdns-socket/bytes-of datagram), length (mdns-socket/length-of datagram)]
    (when (or (nil? interest) (mdns-wire/interests? interest bytes length))
      (when-let [message (mdns-wire/message bytes length)]
        (let [{:packet/keys [ip] :as sender} (mdns-socket/sender datagram)
              [on-link? own?] (sender-there senders addresses ip)]
          (assoc sender
                 :event/type      :packet
                 :packet/message  message
                 :packet/on-link? on-link?
                 :packet/own?     own?))))))

(defn send!
  "Does a :send effect by `sockets`."
  [sockets {:send/keys [to families message]}]
  (let [packets  (mdns-wire/packets message largest)
        families (if (= :multicast to) families [(mdns-place/family (:ip to))])]
    (doseq [family families
            :let   [socket (get sockets family)]
            :when  socket
            bytes  packets]
      (mdns-socket/send! socket to bytes))))

(defn close!
  "Ends the listening, and closes `sockets`."
  [^EventLoop loop sockets]
  (doseq [socket (vals sockets)]
    (.remove loop (mdns-socket/fd socket))
    (mdns-socket/close! socket)))

(defn arm!
  "Has `tick` called when a machine is `due` (ms, nil: never). `timer`: a volatile with [due Timer] of the last time."
  [^EventLoop loop timer due tick]
  (let [[armed t] @timer]
    (when-not (= armed due)
      (.cancel loop t)
      (vreset! timer (when due
                       [due (.at loop (* 1000000 (long due)) (fn [] (vreset! timer nil) (tick)))])))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.dhcp
  "DHCP and ARP on a port, as data: what a client of `ontap.model.lease` says goes out through
  a packet socket on the port's link, and what is said to it comes in there. The socket stays
  open while the link is down; what is sent then is lost. Nothing here blocks."
  (:require [ontap.model.address :as address])
  (:import (java.net InetAddress)
           (java.nio ByteBuffer)
           (java.nio.charset StandardCharsets)
           (java.util Arrays HexFormat)
           (ontap.dhcp4 DhcpMessage DhcpOptions DhcpRoute)
           (ontap.frames GuestFrame GuestFrame$Arp GuestFrame$Dhcp)
           (ontap.sys Errno Fd PacketSocket PacketSocket$Frame Sockets SysException)))

(set! *warn-on-reflection* true)

(def buffer-bytes
  "Size of a buffer for `receive`: the filter lets no more of a frame through."
  2048)

(def ^:private at-once
  "Frames that are read in one turn: others wait for the loop as well. Enough for the answers to
  all links of a port that ask at the same moment."
  256)

(def ^:private waiting-bytes
  "Room for what waits: when a machine starts, the answers to hundreds of links come at once,
  and one that is lost costs its link four seconds."
  (* 2 1024 1024))

(def ^:private max-size
  "The longest message that fits into a packet of Ethernet's MTU."
  1472)

(def ^:private wanted
  "Options that are asked for; 121 before 3 and 33, as RFC 3442 has it. Not 108: who asks for
  it has to do without IPv4 where a network is for IPv6 mostly (RFC 8925)."
  [1 121 3 33 6 12 15 26 28 42 51 54 58 59 114 119])

(def ^:private types
  {:discover DhcpMessage/DISCOVER, :request DhcpMessage/REQUEST
   :decline  DhcpMessage/DECLINE,  :release DhcpMessage/RELEASE})

(defn- ip
  "Address of a text; 0.0.0.0 of nil."
  ^InetAddress [text]
  (InetAddress/getByAddress (address/to-bytes (or text "0.0.0.0"))))

(defn- text
  "Canonical text of an address; nil when it is none, or 0.0.0.0."
  [^InetAddress ip]
  (when-not (or (nil? ip) (.isAnyLocalAddress ip))
    (address/from-bytes (.getAddress ip))))

;; --- the socket

(defn- enlarge!
  "The limit that the system sets to all is for those without CAP_NET_ADMIN."
  [^Fd fd]
  (try (Sockets/setOption fd Sockets/SOL_SOCKET Sockets/SO_RCVBUFFORCE (int waiting-bytes))
       (catch SysException e
         (when-not (= Errno/EPERM (.errno e)) (throw e))
         (Sockets/setOption fd Sockets/SOL_SOCKET Sockets/SO_RCVBUF (int waiting-bytes)))))

(defn open-port
  "A socket on the link with this index in the calling thread's network namespace. It lets
  replies of DHCP in, and no ARP before `refilter!`."
  ^Fd [parent-index]
  (let [fd (PacketSocket/open (int parent-index) (GuestFrame/clientFilter []))]
    (try (doto fd enlarge!)
         (catch SysException e
           (.close fd)
           (throw e)))))

(defn refilter!
  "Lets ARP about these addresses in, and no other. Where the kernel has no room for so
  long a program, all ARP comes in."
  [^Fd fd ips]
  (let [program (GuestFrame/clientFilter ^java.util.Collection (mapv ip ips))
        attach! #(try (PacketSocket/refilter fd %) true
                      (catch SysException e
                        (when-not (= Errno/ENOMEM (.errno e)) (throw e))))]
    ;; The kernel has to have room for the old and the new one: a short one comes between.
    (or (attach! program) (and (attach! (GuestFrame/clientFilter)) (attach! program)))
    nil))

;; --- what comes in

(defn- route [^DhcpRoute r]
  {:route/to (str (address/from-bytes (.getAddress (.to r))) "/" (.prefix r)) :route/via (text (.via r))})

(defn- seconds
  "A number of seconds for which infinity has a name."
  [n]
  (if (= DhcpMessage/INFINITY n) :infinite n))

(defn- given
  "The options of a server's message, those that are there and make sense."
  [^DhcpOptions o]
  (let [prefix (.prefix o), mtu (.mtu o)
        ips    #(not-empty (into [] (keep text) (.addresses o (int %))))]
    (into {} (filter (comp some? val))
          {:option/prefix        (when (pos? prefix) prefix)
           :option/broadcast     (text (.address o DhcpOptions/BROADCAST))
           :option/routers       (ips DhcpOptions/ROUTERS)
           :option/routes        (not-empty (mapv route (.classlessRoutes o)))
           :option/static-routes (not-empty (mapv route (.staticRoutes o)))
           :option/dns           (ips DhcpOptions/DNS)
           :option/domain        (.name o DhcpOptions/DOMAIN)
           :option/search        (not-empty (vec (.search o)))
           :option/ntp           (ips DhcpOptions/NTP)
           :option/mtu           (when (pos? mtu) mtu)
           :option/lease-s       (seconds (.seconds o DhcpOptions/LEASE))
           :option/t1-s          (.seconds o DhcpOptions/T1)
           :option/t2-s          (.seconds o DhcpOptions/T2)
           :option/message       (.message o)})))

(defn- reply [^GuestFrame$Dhcp f]
  (let [m (.message f), o (.options m)]
    {:message/type        (condp = (.type m)
                            DhcpMessage/OFFER :offer
                            DhcpMessage/ACK   :ack
                            DhcpMessage/NAK   :nak)
     :message/xid         (Integer/toUnsignedLong (.xid m))
     :message/hwaddr      (.hwaddr m)
     :message/client-id   (.hex o DhcpOptions/CLIENT_ID)
     :message/client-ip   (text (.client m))
     :message/your-ip     (text (.your m))
     :message/server-id   (text (.address o DhcpOptions/SERVER_ID))
     :message/relay       (text (.relay m))
     :message/from-hwaddr (.from f)
     :message/from-ip     (text (.sender f))
     :message/options     (given o)}))

(defn- heard [^GuestFrame$Arp f outgoing?]
  {:arp/op            (if (.reply f) :reply :request)
   :arp/sender-ip     (text (.sender f))
   :arp/sender-hwaddr (.hwaddr f)
   :arp/target-ip     (text (.target f))
   :arp/outgoing?     outgoing?})

(defn event
  "[:message m] or [:arp a] of a frame that was read, or nil. `outgoing?`: a link of this
  machine sends it. Such a reply of DHCP is not to us: what leaves the port does not come
  back to it, and a workload must not play the server of its siblings."
  [f outgoing?]
  (condp instance? f
    GuestFrame$Arp  [:arp (heard f outgoing?)]
    GuestFrame$Dhcp (when (and (not outgoing?) (.reply (.message ^GuestFrame$Dhcp f)))
                      [:message (reply f)])
    nil))

(defn- next-frame
  "The next frame that waits, nil for none, ::down when the link has gone down or away."
  [^Fd fd ^bytes buffer]
  (try (PacketSocket/receive fd buffer)
       (catch SysException e
         (if (= Errno/ENETDOWN (.errno e)) ::down (throw e)))))

(defn receive
  "{:events [[:message m] or [:arp a] ..] :more? may there be more} of some frames that wait;
  frames of no interest are skipped. `buffer` has `buffer-bytes`."
  [^Fd fd ^bytes buffer]
  (loop [n 0, events []]
    (let [f (when (< n (long at-once)) (next-frame fd buffer))]
      (cond
        (nil? f)     {:events events :more? (= n (long at-once))}
        (= ::down f) (recur (inc n) events)
        :else
        (let [^PacketSocket$Frame f f
              e (when-not (.cut f)
                  (some-> (GuestFrame/parse buffer (.length f) (.checksumPending f))
                          (event (.outgoing f))))]
          (recur (inc n) (if e (conj events e) events)))))))

;; --- what goes out

(defn- utf-8
  "At most 255 bytes of a text."
  ^bytes [^String s]
  (let [bytes (.getBytes s StandardCharsets/UTF_8)]
    (Arrays/copyOf bytes (min 255 (alength bytes)))))

(defn- options
  "What goes into a message besides its type. A client that gives an address back asks for
  nothing and has no name (RFC 2131, table 5)."
  [{:message/keys [type client-id requested-ip server-id hostname text]}]
  (let [asks? (contains? #{:discover :request} type)]
    (into {(int DhcpOptions/TYPE) (byte-array [(types type)])}
          (filter (comp some? val))
          {(int DhcpOptions/CLIENT_ID) (some->> client-id (.parseHex (HexFormat/of)))
           (int DhcpOptions/REQUESTED) (some-> requested-ip address/to-bytes)
           (int DhcpOptions/SERVER_ID) (some-> server-id address/to-bytes)
           (int DhcpOptions/MESSAGE)   (some-> text not-empty utf-8)
           (int DhcpOptions/HOSTNAME)  (when asks? (some-> hostname not-empty utf-8))
           (int DhcpOptions/WANTED)    (when asks? (byte-array wanted))
           (int DhcpOptions/MAX_SIZE)  (when asks? (.array (.putShort (ByteBuffer/allocate 2) (short max-size))))})))

(defn frame
  "The bytes of the frame that a client's message is."
  ^bytes [{:message/keys [xid secs broadcast? hwaddr client-ip to from] :as m}]
  (let [message (DhcpMessage. false (unchecked-int xid) (int (max 0 (min 0xffff (or secs 0)))) (boolean broadcast?)
                              (ip client-ip) (ip nil) (ip nil) hwaddr (DhcpOptions/of (options m)))]
    (.frame (GuestFrame$Dhcp. hwaddr (ip from) message)
            (:hwaddr to GuestFrame/ALL) (ip (:ip to "255.255.255.255")))))

(defn arp-frame
  "The bytes of the frame that a question or an announcement of ARP is."
  ^bytes [{:arp/keys [kind sender-ip target-ip hwaddr to]}]
  (let [sender (case kind :probe nil, :announce target-ip, :request sender-ip)]
    (.frame (GuestFrame$Arp. false hwaddr (ip sender) (ip target-ip)) (or to GuestFrame/ALL))))

(defn- transmit!
  "Was it sent? Not when the link is down, gone or full, or takes shorter frames only: who
  gets no answer asks again."
  [^Fd fd ^bytes frame]
  (try (PacketSocket/send fd frame)
       (catch SysException e
         (if (contains? #{Errno/ENETDOWN Errno/ENXIO Errno/ENODEV Errno/EMSGSIZE Errno/ENOBUFS} (.errno e))
           false
           (throw e)))))

(defn send!
  "Sends a client's message; false when it cannot be sent now."
  [fd m]
  (transmit! fd (frame m)))

(defn arp!
  "Sends a question or an announcement of ARP; false when it cannot be sent now."
  [fd a]
  (transmit! fd (arp-frame a)))

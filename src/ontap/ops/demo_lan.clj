;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo-lan
  "The LAN of the demonstration: the network namespace this process is in, with the
  port up0, and that of a router at the other end of the cable, which sends router
  advertisements, can fetch a page and ask for names, also as if from elsewhere in the
  world. Namespaces are held by descriptors."
  (:require [clojure.string :as str]
            [ontap.model.address :as address])
  (:import (java.io ByteArrayOutputStream)
           (java.net Inet6Address InetAddress)
           (java.nio ByteBuffer ByteOrder)
           (java.nio.charset StandardCharsets)
           (ontap.dns Ask Ask$Answer)
           (ontap.ndp RouterAdvertisement RouterAdvertiser RouterAdvertiser$Pace)
           (ontap.rtnl Link LinkSpec Rtnl RtnlConstants)
           (ontap.rtnl.kind Ipvlan LinkKind Macvlan Veth)
           (ontap.sys Endpoint Errno EventLoop Fd Io Namespaces NsThread Sockets SysException)))

(set! *warn-on-reflection* true)

(def port "The name of the port that services of the demonstration use." "up0")
(def ^:private other-end "lan0")

(def prefixes
  "What the router advertises: to the LAN alone, and to the world (RFC 3849: for documents)."
  ["fd00:77::/64" "2001:db8:77::/64"])

(def askers
  "Who asks -> the address it asks from, and that of up0 which it asks."
  {:lan      {:from "10.77.0.1" :at "10.77.0.2"}
   :internet {:from "2001:db8:ffff::1" :at "2001:db8:77::2"}})

(def ^:private router-addresses
  "[address prefix-length] of the router; the world is behind it, and the last one is there."
  [["10.77.0.1" 24] ["fd00:77::1" 64] ["2001:db8:77::1" 64] ["fe80::1" 64] ["2001:db8:ffff::1" 128]])

(def ^:private port-addresses [["10.77.0.2" 24] ["2001:db8:77::2" 64]])

(defn- ip ^InetAddress [text] (InetAddress/getByName text))

(defn untouched?
  "Is no link of this namespace in use? True of a new one, never of a machine's own."
  []
  (with-open [rtnl (Rtnl/open)]
    (not-any? #(.up ^Link %) (.links rtnl))))

(defn- new-namespace
  "A network namespace of its own, as a descriptor."
  ^Fd []
  (NsThread/call "ontap-demo-router"
                 (fn []
                   (Namespaces/unshare Namespaces/CLONE_NEWNET)
                   (Namespaces/ofThread "net"))))

(defn- add-addresses! [^Rtnl rtnl index addresses]
  (doseq [[address bits] addresses]
    ;; nothing has to be waited for
    (.addAddress rtnl (int index) (ip address) (int bits) RtnlConstants/IFA_F_NODAD)))

(defn- set-up-router! [^Fd router]
  (with-open [rtnl (Rtnl/open router)]
    (let [index (.index (.link rtnl ^String other-end))]
      ;; its link-local address is given
      (.setAddrGenMode rtnl index RtnlConstants/IN6_ADDR_GEN_MODE_NONE)
      (add-addresses! rtnl index router-addresses)
      (.setUp rtnl 1)
      (.setUp rtnl index))))

(defn- set-up-port! [^Rtnl rtnl index]
  (add-addresses! rtnl index port-addresses)
  (.setUp rtnl 1)
  (.setUp rtnl (int index))
  (.addRoute rtnl (ip (get-in askers [:internet :from])) 128 (ip "2001:db8:77::1") (int index)))

(defn- advertise! ^RouterAdvertiser [^EventLoop loop router]
  (RouterAdvertiser/open loop ^Fd router ^String other-end
                         (RouterAdvertisement/of
                          (for [[address bits] (map #(str/split % #"/") prefixes)]
                            (RouterAdvertisement/prefix ^Inet6Address (ip address)
                                                        (int (parse-long bits)))))
                         RouterAdvertiser$Pace/QUICK))

(defn make!
  "Makes the LAN; `loop` does not run yet and will serve its router. {:router Fd
  :advertiser AutoCloseable}, for `destroy!`. Throws SysException."
  [^EventLoop loop]
  (let [router (new-namespace)]
    (try
      (with-open [rtnl (Rtnl/open)]
        (let [index (.createLink rtnl (LinkSpec/of port (Veth/to other-end router)))]
          (set-up-router! router)
          (set-up-port! rtnl index)))
      {:router router :advertiser (advertise! loop router)}
      (catch Throwable t
        (.close router)
        (throw t)))))

(defn destroy!
  "Ends the router; its namespace goes, and the cable with it. For when the loop does
  not run any more."
  [{:keys [^Fd router ^RouterAdvertiser advertiser]}]
  (.close advertiser)
  (.close router))

(defn- makes? [^Rtnl rtnl parent ^LinkKind kind]
  (try
    (.createLink rtnl (.withParent (LinkSpec/of "probe" kind) (int parent)))
    (.deleteLink rtnl (.index (.link rtnl "probe")))
    true
    (catch SysException e
      (if (= Errno/EOPNOTSUPP (.errno e)) false (throw e)))))

(defn link-type
  "The kind of link this kernel can make on the port: \"ipvlan\", else \"macvlan\",
  else nil."
  []
  (with-open [rtnl (Rtnl/open)]
    (let [parent (.index (.link rtnl ^String port))]
      (cond (makes? rtnl parent (Ipvlan. Ipvlan/L2 0))      "ipvlan"
            (makes? rtnl parent (Macvlan. Macvlan/BRIDGE)) "macvlan"))))

;; --- a page, fetched by the router

(defn- sockaddr
  "struct sockaddr_in or sockaddr_in6."
  ^bytes [^InetAddress address number]
  (let [six? (instance? Inet6Address address)
        out  (doto (ByteBuffer/allocate (if six? 28 16))
               (.order (ByteOrder/nativeOrder))
               (.putShort (short (if six? Sockets/AF_INET6 Sockets/AF_INET)))
               (.order ByteOrder/BIG_ENDIAN)
               (.putShort (unchecked-short number)))]
    (when six? (.putInt out 0))
    (.put out (.getAddress address))
    (.array out)))

(def ^:private patience
  "struct timeval: 10 s."
  (-> (ByteBuffer/allocate 16) (.order (ByteOrder/nativeOrder)) (.putLong 10) (.putLong 0) .array))

(defn- open-socket ^Fd [^InetAddress address number]
  (let [fd (Sockets/socket (if (instance? Inet6Address address) Sockets/AF_INET6 Sockets/AF_INET)
                           Sockets/SOCK_STREAM 0)]
    (try
      (Sockets/setOption fd Sockets/SOL_SOCKET Sockets/SO_RCVTIMEO ^bytes patience)
      (Sockets/setOption fd Sockets/SOL_SOCKET Sockets/SO_SNDTIMEO ^bytes patience)
      (Sockets/connect fd (sockaddr address number))
      fd
      (catch Throwable t
        (.close fd)
        (throw t)))))

(defn- read-all ^String [^Fd fd]
  (let [buffer (byte-array 4096)
        out    (ByteArrayOutputStream.)]
    (loop []
      (let [n (Io/read fd buffer 0 (alength buffer))]
        (cond (pos? n) (do (.write out buffer 0 n) (recur))
              (neg? n) (throw (ex-info "no answer within 10 s" {:reason ::silent})))))
    (.toString out StandardCharsets/UTF_8)))

(defn fetch
  "The page at `address` (text) and port `number`, asked for by the router: lines.
  Blocks for some 20 s at most. Throws SysException, or with :reason ::silent or
  ::refused."
  [{:keys [router]} address number]
  (NsThread/call
   "ontap-demo-fetch"
   (fn []
     (Namespaces/setns router Namespaces/CLONE_NEWNET)
     (with-open [fd (open-socket (ip address) number)]
       (Io/writeAll fd (.getBytes "GET / HTTP/1.0\r\n\r\n" StandardCharsets/US_ASCII))
       (let [[head body] (str/split (read-all fd) #"\r\n\r\n" 2)]
         (when-not (re-find #"^HTTP/1\.[01] 200 " (str head))
           (throw (ex-info (str "the answer was " (pr-str (first (str/split-lines (str head)))))
                           {:reason ::refused})))
         (str/split-lines (str body)))))))

;; --- names, asked for by the router

(def ^:private try-ms "Three times this, and nobody answers." 2000)

(defn addresses-of
  "What `asker`, a key of `askers`, is told of `name`: a vector of addresses, IPv4
  first, empty when the name has none, nil when there is no such name. Blocks for some 12 s at
  most. Throws SysException, or with :reason ::silent or ::refused."
  [{:keys [router]} asker name]
  (let [{:keys [from at]} (askers asker)]
    (NsThread/call
     "ontap-demo-ask"
     (fn []
       (Namespaces/setns router Namespaces/CLONE_NEWNET)
       (let [answers (mapv (fn [type]
                             (or (Ask/ask (Endpoint/of at 53) (Endpoint/of from 0) name type try-ms)
                                 (throw (ex-info (str at " does not answer") {:reason ::silent}))))
                           ["A" "AAAA"])
             rcodes  (map #(.rcode ^Ask$Answer %) answers)]
         (when-let [wrong (some #(when-not (#{"NOERROR" "NXDOMAIN"} %) %) rcodes)]
           (throw (ex-info (str at " answers " wrong) {:reason ::refused})))
         (when (some #{"NOERROR"} rcodes)
           (into [] (comp (mapcat #(.data ^Ask$Answer %)) (map address/canonical)) answers)))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-socket-test
  "The sockets of multicast DNS on a LAN of namespaces. The witnesses are tcpdump(8), ip(8) and sockets of Python's."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.testing :as t])
  (:import (ontap.mdns MdnsSocket MdnsSocket$Datagram)
           (ontap.rtnl Rtnl)
           (ontap.sys Errno Io SysException)))

(set! *warn-on-reflection* true)

;; --- sockets on the host of a LAN

(defn- index-of [lan ^String link]
  (netns/in {:pid (:host lan)} #(with-open [rtnl (Rtnl/open)] (.index (.link rtnl link)))))

(defn- open [lan family index]
  (netns/in {:pid (:host lan)} #(mdns-socket/open family index)))

(defmacro ^:private with-sockets
  "Runs the body with `four` and `six` bound to the sockets of `link`."
  [[four six lan link] & body]
  `(let [index# (index-of ~lan ~link)]
     (with-open [~four ^MdnsSocket (open ~lan :ipv4 index#)
                 ~six  ^MdnsSocket (open ~lan :ipv6 index#)]
       ~@body)))

(defn- next-one
  "The next datagram, for 10 s at most: `mdns-socket/sender` with :text and :hops."
  [socket]
  (when (zero? (Io/await (mdns-socket/fd socket) Io/POLLIN 10000)) (throw (ex-info "nothing came" {})))
  (let [^MdnsSocket$Datagram d (mdns-socket/receive! socket)]
    (assoc (mdns-socket/sender d) :hops (.hops d)
           :text (String. (mdns-socket/bytes-of d) 0 (int (mdns-socket/length-of d)) "ISO-8859-1"))))

(defn- all-there
  "The texts of all that waits."
  [socket]
  (loop [texts []]
    (if-let [^MdnsSocket$Datagram d (mdns-socket/receive! socket)]
      (recur (conj texts (String. (mdns-socket/bytes-of d) 0 (int (mdns-socket/length-of d)) "ISO-8859-1")))
      texts)))

(defn- octets ^bytes [^String text] (.getBytes text "ISO-8859-1"))

;; --- the LAN

(defn- settled!
  "Blocks until no address of `lan` is tentative: before that a socket takes another one as its source."
  [lan]
  (doseq [place [:host :peer]]
    (t/wait-for "duplicate address detection" #(str/blank? (lan/sh! lan place "ip" "-6" "addr" "show" "tentative")))))

;; --- others

(defn- python! [lan place code & words]
  (let [{:keys [exit out err]} (apply t/run {} (lan/in (place lan) "python3" "-c" code words))]
    (is (= [0 ""] [exit err]))
    out))

(def ^:private say
  "say(family, port, to, text, link, hops): one datagram."
  (str "import socket,struct,sys\n"
       "def say(f,p,to,m,l,h):\n"
       " i=socket.if_nametoindex(l); s=socket.socket(f,socket.SOCK_DGRAM)\n"
       " s.setsockopt(1,2,1); s.setsockopt(1,15,1)\n"
       " if f==2: s.setsockopt(0,32,struct.pack('=iii',0,0,i)); s.setsockopt(0,33,h); s.setsockopt(0,2,h)\n"
       " else: s.setsockopt(41,26,1); s.setsockopt(41,17,i); s.setsockopt(41,18,h); s.setsockopt(41,16,h)\n"
       " s.bind(('',p)); s.sendto(m.encode() if isinstance(m,str) else m,to)\n"))

(def ^:private listener
  "Another program on port 5353, which shares it: says what it hears from the groups."
  (str "import socket,struct,sys,select\n"
       "i=socket.if_nametoindex(sys.argv[1])\n"
       "a=socket.socket(2,socket.SOCK_DGRAM); a.setsockopt(1,2,1); a.setsockopt(1,15,1); a.bind(('',5353))\n"
       "a.setsockopt(0,35,socket.inet_aton('224.0.0.251')+struct.pack('=ii',0,i))\n"
       "b=socket.socket(10,socket.SOCK_DGRAM); b.setsockopt(1,2,1); b.setsockopt(1,15,1); b.setsockopt(41,26,1); b.bind(('',5353))\n"
       "b.setsockopt(41,20,socket.inet_pton(10,'ff02::fb')+struct.pack('=i',i))\n"
       "print('ready',flush=True)\n"
       "while True:\n"
       " for s in select.select([a,b],[],[])[0]:\n"
       "  m,f=s.recvfrom(9000); print('heard',m.decode(),f[1],flush=True)\n"))

(defmacro ^:private with-program
  "Runs the body with `it` bound to a program at `place`, of which a line matches `ready` (`lan/spawn`)."
  [[it lan place ready & words] & body]
  `(let [~it (lan/spawn {} "nsenter" (str "--net=/proc/" (~place ~lan) "/ns/net") ~@words)]
     (try (lan/await-line ~it ~ready) ~@body (finally (lan/end! ~it "KILL")))))

(defn- groups [lan link]
  (set (re-seq #"224\.0\.0\.251|ff02::fb" (lan/sh! lan :host "ip" "maddr" "show" "dev" link))))

;; --- tests

(deftest ^{:jdk :floor} what-is-sent
  (dhcp/needs-python!)
  (zone/with-lan [lan]
    (settled! lan)
    (with-sockets [four six lan "up0"]
      (with-program [others lan :host #"ready" "python3" "-c" listener "up0"]
        (with-program [wire lan :peer #"listening on" "tcpdump" "-lnv" "-i" "lan0" "udp"]
          (is (= [:ipv4 :ipv6] (map mdns-socket/family [four six])))
          (testing "to the group: port, hops, source"
            (is (true? (mdns-socket/send! four :multicast (octets "first"))))
            (is (re-find #"ttl 255" (lan/await-line wire #"IP \(")))
            (lan/await-line wire #"10\.77\.0\.2\.5353 > 224\.0\.0\.251\.5353")
            (is (true? (mdns-socket/send! six :multicast (octets "second"))))
            (lan/await-line wire #"IP6 .*hlim 255.* fe80::[0-9a-f:]+\.5353 > ff02::fb\.5353"))
          (testing "to one host"
            (is (true? (mdns-socket/send! four {:ip "10.77.0.1" :port 40000} (octets "third"))))
            (is (re-find #"ttl 255" (lan/await-line wire #"IP \(")))
            (lan/await-line wire #"10\.77\.0\.2\.5353 > 10\.77\.0\.1\.40000")
            (is (true? (mdns-socket/send! six {:ip "fd77::1" :port 40000} (octets "fourth"))))
            (lan/await-line wire #"IP6 .*hlim 255.* fd77::2\.5353 > fd77::1\.40000")
            (let [ip (second (re-find #"inet6 (fe80::[0-9a-f:]+)/" (lan/sh! lan :peer "ip" "addr" "show" "dev" "lan0")))]
              (is (true? (mdns-socket/send! six {:ip ip :port 40000} (octets "fifth"))) "without a scope")
              (lan/await-line wire (re-pattern (str "IP6 .*hlim 255.* fe80::[0-9a-f:]+\\.5353 > " ip "\\.40000")))))
          (testing "other programs of the host hear it, too"
            (is (= ["heard first 5353" "heard second 5353"] [(lan/await-line others #"first") (lan/await-line others #"second")])))
          (testing "what cannot be sent is lost, as any datagram may be"
            (lan/sh! lan :host "ip" "link" "set" "up0" "down")
            (is (= [false false] (mapv #(mdns-socket/send! % :multicast (octets "lost")) [four six])))
            (is (false? (mdns-socket/send! six {:ip "fd77::1" :port 40000} (octets "lost"))))))))))

(deftest ^{:jdk :floor} what-is-heard
  (dhcp/needs-python!)
  (zone/with-lan [lan]
    (settled! lan)
    (with-sockets [four six lan "up0"]
      (testing "groups, ports and hops"
        (python! lan :peer (str say "say(2,5353,('224.0.0.251',5353),'a','lan0',255)"))
        (is (= {:packet/ip "10.77.0.1" :packet/port 5353 :packet/family :ipv4 :packet/multicast? true :hops 255 :text "a"}
               (next-one four)))
        (python! lan :peer (str say "say(2,40000,('10.77.0.2',5353),'b','lan0',7)"))
        (is (= {:packet/ip "10.77.0.1" :packet/port 40000 :packet/family :ipv4 :packet/multicast? false :hops 7 :text "b"}
               (next-one four)))
        (python! lan :peer (str say "say(10,5353,('fd77::2',5353),'c','lan0',255)"))
        (is (= {:packet/ip "fd77::1" :packet/port 5353 :packet/family :ipv6 :packet/multicast? false :hops 255 :text "c"}
               (next-one six)))
        (python! lan :peer (str say "say(10,40000,('ff02::fb',5353),'d','lan0',3)"))
        (let [{:packet/keys [ip] :as d} (next-one six)]
          (is (re-matches #"fe80::[0-9a-f:]+" ip) "without a scope")
          (is (= {:packet/port 40000 :packet/family :ipv6 :packet/multicast? true :hops 3 :text "d"} (dissoc d :packet/ip)))))
      (testing "a group that somebody else joined is not ours"
        (python! lan :host (str say "s=socket.socket(2,socket.SOCK_DGRAM)\ns.setsockopt(0,35,socket.inet_aton('224.0.0.77')+struct.pack('=ii',0,socket.if_nametoindex('up0')))\n"
                                "say(2,40000,('224.0.0.77',5353),'x','up0',255)"))
        (is (= [] (all-there four))))
      (testing "long ones, in fragments; one that is longer than any may be is dropped"
        (python! lan :peer (str say "[say(2,5353,('224.0.0.251',5353),b'x'*n,'lan0',255) for n in (9001,9000)]"))
        (is (= 9000 (count (:text (next-one four))))))
      (testing "a burst, while nobody reads"
        (python! lan :peer (str say "import os\nfor i in range(500): say(2,5353,('224.0.0.251',5353),'%d'%i,'lan0',255)"))
        (is (= (map str (range 500)) (all-there four)))))))

(deftest ^{:jdk :floor} one-link-each
  (dhcp/needs-python!)
  (zone/with-lan [lan]
    (lan/sh! lan :host "ip" "link" "add" "up1" "type" "veth" "peer" "name" "lan1" "netns" (str (:peer lan)))
    (lan/sh! lan :host "ip" "link" "set" "up1" "up")
    (lan/sh! lan :peer "ip" "link" "set" "lan1" "up")
    (lan/sh! lan :peer "ip" "addr" "add" "10.78.0.1/24" "dev" "lan1")
    (settled! lan)
    (testing "members while they are open"
      (is (= [#{} #{}] (map #(groups lan %) ["up0" "up1"])))
      (with-sockets [four six lan "up1"]
        (is (= [#{} #{"224.0.0.251" "ff02::fb"}] (map #(groups lan %) ["up0" "up1"]))))
      (is (= #{} (groups lan "up1"))))
    (with-sockets [four0 six0 lan "up0"]
      (with-sockets [four1 six1 lan "up1"]
        (testing "of what comes by another link nothing is heard"
          (python! lan :peer (str say "say(2,5353,('224.0.0.251',5353),'zero','lan0',255)\nsay(10,5353,('ff02::fb',5353),'zero','lan0',255)\n"
                                  "say(2,5353,('224.0.0.251',5353),'one','lan1',255)\nsay(10,5353,('ff02::fb',5353),'one','lan1',255)"))
          (is (= ["zero" "zero" "one" "one"] (map #(:text (next-one %)) [four0 six0 four1 six1])))
          (is (= [[] [] [] []] (map all-there [four0 six0 four1 six1]))))
        (testing "a link that comes again is another one"
          (lan/sh! lan :host "ip" "link" "del" "up1")
          (is (false? (mdns-socket/send! six1 :multicast (octets "lost"))))
          (is (nil? (open lan :ipv4 (mdns-socket/index four1))))
          (is (nil? (open lan :ipv6 (mdns-socket/index six1)))))))))

(deftest ^{:jdk :floor} shared-or-not
  (dhcp/needs-python!)
  (zone/with-lan [lan]
    (testing "a program that shares the port: what is for this host alone comes to the socket of the link"
      (with-program [others lan :host #"ready" "python3" "-c" listener "up0"]
        (with-sockets [four six lan "up0"]
          (dotimes [n 8]
            (python! lan :peer (str say "say(2,5353,('10.77.0.2',5353),'u" n "','lan0',255)"))
            (is (= (str "u" n) (:text (next-one four))))))))
    (testing "one that does not: there is no socket"
      (with-program [alone lan :host #"ready" "python3" "-c"
                     "import socket,time\ns=socket.socket(10,socket.SOCK_DGRAM)\ns.bind(('',5353))\nprint('ready',flush=True)\ntime.sleep(600)"]
        (doseq [family [:ipv4 :ipv6]]
          (is (= Errno/EADDRINUSE (try (open lan family (index-of lan "up0")) 0
                                       (catch SysException e (.errno e))))))))))

(deftest ^{:jdk :floor} a-link-that-loses-a-family
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [index   (index-of lan "up0")
          groups  #(set (re-seq #"224\.0\.0\.251|ff02::fb" (lan/sh! lan :host "ip" "maddr" "show" "dev" "up0")))
          mtu!    #(lan/sh! lan :host "ip" "link" "set" "up0" "mtu" (str %))]
      (testing "without IPv6 there is no socket of it"
        (mtu! 1200)
        (is (nil? (open lan :ipv6 index)))
        (with-open [^MdnsSocket four (open lan :ipv4 index)] (is (some? four)))
        (mtu! 1500))
      (testing "what came back has forgotten its members"
        (with-sockets [four six lan "up0"]
          (is (= #{"224.0.0.251" "ff02::fb"} (groups)))
          (mtu! 1200)
          (mtu! 1500)
          (is (= #{"224.0.0.251"} (groups)))
          (is (mdns-socket/join-again! six))
          (is (mdns-socket/join-again! four))
          (is (= #{"224.0.0.251" "ff02::fb"} (groups))))))))

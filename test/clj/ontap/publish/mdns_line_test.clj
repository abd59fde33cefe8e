;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-line-test
  "Line 1 of the checklist of multicast DNS (RFC 6762 sections 5.2, 6, 11 and 15.1), and what line 32 rests
  on: what the sockets of `ontap.publish.mdns-socket` do on a cable between two network namespaces, seen by
  tcpdump, ip(8) and a program in Python."
  {:jdk :floor}
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.testing :as testing])
  (:import (ontap.sys Errno SysException)))

(set! *warn-on-reflection* true)

(defn- cable!
  "Joins `a` and `b` by va and vb, with 10.0.0.1, fe80::1 and 10.0.0.2, fe80::2; the number of va."
  [a b]
  (netns/ip a "link" "add" "va" "type" "veth" "peer" "name" "vb" "netns" (str (:pid b)))
  (doseq [[ns link n] [[a "va" 1] [b "vb" 2]]]
    (netns/ip ns "link" "set" link "addrgenmode" "none")
    (netns/ip ns "link" "set" link "up")
    (netns/ip ns "addr" "add" (str "10.0.0." n "/24") "dev" link)
    (netns/ip ns "addr" "add" (str "fe80::" n "/64") "dev" link "nodad"))
  (parse-long (re-find #"^\d+" (netns/ip a "-o" "link" "show" "va"))))

(defn- in [{:keys [pid]} & words] (into ["nsenter" "-t" (str pid) "-n" "--"] words))

(defn- end! [{:keys [^Process process]}] (.destroy process) (.waitFor process))

(defn- seen
  "The next datagram as tcpdump tells it, in one line: of IPv4 it makes two."
  [dump]
  (let [line (lan/await-line dump #"\bIP6? ")]
    (if (re-find #" IP " line) (str line (lan/await-line dump #" > ")) line)))

(def ^:private message (byte-array (concat [0 0 0x84 0 0 0 0 0 0 0 0 0])))

(deftest line-1-what-goes-out
  (netns/with-netns [a]
    (netns/with-netns [b]
      (let [index (cable! a b)
            _     (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v tcpdump"))) (testing/skip! "tcpdump is not here"))
            dump  (apply lan/spawn {} (in b "tcpdump" "-l" "-n" "-v" "-i" "vb" "udp port 5353 or ip6[6] = 44"))]
        (try
          (lan/await-line dump #"listening on")
          (doseq [[family group to hops part] [[:ipv4 "224.0.0.251" "10.0.0.2" "ttl 255" "flags [+]"]
                                               [:ipv6 "ff02::fb" "fe80::2" "hlim 255" "frag"]]]
            (with-open [socket ^java.lang.AutoCloseable (netns/in a #(mdns-socket/open family index))]
              (testing (str family " joined on that link (5.2)")
                (is (str/includes? (netns/ip a "maddr" "show" "dev" "va") group)))
              (doseq [[to place] [[:multicast (str group ".5353")]
                                  [{:ip to :port 5353} (str to ".5353")]
                                  [{:ip to :port 40000} (str to ".40000")]]]
                (testing (str "from port 5353 (6), 255 hops (11), to " place)
                  (is (mdns-socket/send! socket to message))
                  (let [line (seen dump)]
                    (is (str/includes? line hops) line)
                    (is (str/includes? line (str ".5353 > " place ":")) line))))
              (testing (str family " one that is longer than the MTU goes in fragments (17; line 6)")
                (is (mdns-socket/send! socket :multicast (byte-array (concat message (repeat 8940 (byte 0))))))
                (let [line (seen dump)]
                  (is (str/includes? line hops) line)
                  (is (str/includes? line part) line)))))
          (finally (end! dump)))))))

(def ^:private bound
  "Binds port 5353, with the option that is told; says so, then what it hears from the group."
  "import socket,sys,struct
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
if sys.argv[1]=='share':
    s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEPORT,1)
try: s.bind(('',5353))
except OSError as e: print('refused',e.errno,flush=True); sys.exit()
s.setsockopt(socket.IPPROTO_IP,socket.IP_ADD_MEMBERSHIP,socket.inet_aton('224.0.0.251')+socket.inet_aton('10.0.0.1'))
print('bound',flush=True)
while True: print('heard',s.recvfrom(9000)[1][0],flush=True)")

(deftest line-1-and-32-beside-others
  (netns/with-netns [a]
    (netns/with-netns [b]
      (let [index  (cable! a b)
            python (fn [how] (apply lan/spawn {} (in a "python3" "-c" bound how)))]
        (testing "another stack that shares the port hears, too, what we say on this host and what others say (15.1)"
          (with-open [socket ^java.lang.AutoCloseable (netns/in a #(mdns-socket/open :ipv4 index))
                      other  ^java.lang.AutoCloseable (netns/in b #(mdns-socket/open :ipv4 (parse-long (re-find #"^\d+" (netns/ip b "-o" "link" "show" "vb")))))]
            (let [it (python "share")]
              (try
                (lan/await-line it #"bound")
                (mdns-socket/send! socket :multicast message)
                (is (lan/await-line it #"heard 10.0.0.1"))
                (mdns-socket/send! other :multicast message)
                (is (lan/await-line it #"heard 10.0.0.2"))
                (finally (end! it))))
            (testing "one that does not share is refused by the kernel"
              (let [it (python "alone")]
                (try (is (lan/await-line it #"refused 98")) (finally (end! it)))))))
        (testing "line 32: port 5353 kept by somebody who does not share it is an error that says so"
          (let [it (python "alone")]
            (try
              (lan/await-line it #"bound")
              (is (= Errno/EADDRINUSE (try (netns/in a #(mdns-socket/open :ipv4 index)) (catch SysException e (.errno e)))))
              (finally (end! it)))))))))

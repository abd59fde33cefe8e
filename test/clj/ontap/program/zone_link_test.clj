;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-link-test
  "mdns0, the link of a zone's own on a port: what it has, that its sockets hear the links beside it, that it is nobody's
  host, and that nothing is left of it. The witnesses are ip(8), ss(8), the kernel's counters and a sender of Python's."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.router :as router]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

;; --- a zone with a link of its own

(defn- declared [port & {:as more}]
  {:domain "vanya" :listen ["[::]:53" "0.0.0.0:53"] :mdns {:ports [(merge {:port port :type "macvlan"} more)]}})

(defn- start [lan zone]
  (zone/start lan (lan/write-file lan "zone.edn" {:zone zone})))

(defn- pid-of-zone [lan]
  (t/wait-for "one zone" 30000 #(let [[pid & more] (zone/zones lan)] (when (nil? more) pid))))

(defn- place
  "The path of the namespace of mdns0, of which process `pid` has a descriptor; nil when it has none."
  [pid]
  (some (fn [[n to]] (when (str/starts-with? to "net:[") (str "/proc/" pid "/fd/" n))) (process/descriptors pid)))

(defn- in-place
  "What `words` print in the namespace of mdns0."
  [pid & words]
  (let [{:keys [exit out err]} (apply t/run {} "nsenter" (str "--net=" (place pid)) words)]
    (when-not (= 0 exit) (throw (ex-info (str (pr-str words) ": " err) {})))
    out))

(defn- lines [text] (remove str/blank? (str/split-lines text)))

(defn- addresses
  "The addresses of mdns0 with their prefixes."
  [pid]
  (into #{} (map #(nth (str/split % #" +") 3)) (lines (in-place pid "ip" "-o" "addr" "show" "dev" "mdns0"))))

(defn- ipv4 [pid] (first (remove #(str/includes? % ":") (addresses pid))))

(defn- await-ipv4 [pid] (t/wait-for "an IPv4 address of mdns0" 30000 #(ipv4 pid)))

(defn- seconds-left
  "Of the IPv4 address."
  [pid]
  (parse-long (second (re-find #"valid_lft (\d+)sec" (in-place pid "ip" "-4" "addr" "show" "dev" "mdns0")))))

(defn- nsids
  "The ids that the host of `lan` has for other namespaces."
  [lan]
  (into #{} (map #(re-find #"nsid \d+" %)) (lines (lan/sh! lan :host "ip" "netns" "list-id"))))

(defn- taken
  "How many datagrams were taken from sockets of mdns0's namespace: [IPv4 IPv6]."
  [pid]
  (let [[titles values] (map #(str/split % #" ") (filter #(str/starts-with? % "Udp:") (lines (in-place pid "cat" "/proc/net/snmp"))))]
    [(parse-long ((zipmap titles values) "InDatagrams"))
     (parse-long (second (re-find #"Udp6InDatagrams\s+(\d+)" (in-place pid "cat" "/proc/net/snmp6"))))]))

(def ^:private sender
  "Sends a query for gone.local to both groups by the link that is named."
  (str "import socket,struct,sys\n"
       "i=socket.if_nametoindex(sys.argv[1])\n"
       "m=bytes.fromhex('0000000000010000000000000' + '4676f6e65056c6f63616c0000010001')\n"
       "a=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
       "a.setsockopt(0,32,struct.pack('=iii',0,0,i)); a.setsockopt(0,33,255)\n"
       "a.sendto(m,('224.0.0.251',5353))\n"
       "b=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM)\n"
       "b.setsockopt(41,18,255)\n"
       "b.sendto(m,('ff02::fb',5353,0,i))\n"))

(defn- say!
  "Has the namespace of process `pid` send to both groups by `link`."
  [pid link]
  (let [{:keys [exit err]} (apply t/run {} (lan/in pid "python3" "-c" sender link))]
    (is (= [0 ""] [exit err]))))

(defn- await-heard
  "Blocks until both sockets gave the zone more than `before`."
  [pid before]
  (t/wait-for "both groups to be heard" #(every? true? (map < before (taken pid)))))

(defn- await-nothing
  "Blocks until one of the ids `running` is free again, which it is when the namespace and all in it is gone."
  [lan running]
  (t/wait-for "the end of mdns0's namespace" #(= 1 (count (set/difference running (nsids lan)))))
  (is (empty? (zone/zones lan))))

(deftest ^{:jdk :floor :timeout 120} a-link-with-an-address-of-its-own
  (dhcp/needs-python!)
  (zone/with-lan [lan]
    (router/with-router [lan "2001:db8:77::/64"]
      (let [sibling (:pid (zone/workload! lan "eth0" "web" ["10.77.0.7/24" "fd77::7/64"]))
            up      (start lan (declared "up0" :ipv4 "10.77.0.250/24"))
            pid     (pid-of-zone lan)
            running (nsids lan)
            stable  (t/wait-for "a SLAAC address" #(some (fn [a] (when (str/starts-with? a "2001:db8:77:") a)) (addresses pid)))]
        (testing "it is up, in a namespace in which nobody lives, and has an address of each kind"
          (is (contains? (addresses pid) "10.77.0.250/24"))
          (is (= #{"fe80" "2001" "10"} (into #{} (map #(re-find #"^\w+" %)) (addresses pid))))
          (is (not (str/includes? stable "ff:fe")) "not of its hardware address")
          (is (= #{"lo" "mdns0"} (into #{} (map second) (re-seq #"(?m)^\d+: (\w+)" (in-place pid "ip" "link")))))
          (is (str/includes? (in-place pid "ip" "-d" "link" "show" "mdns0") "macvlan mode bridge"))
          (is (not (str/includes? (in-place pid "ip" "link" "show" "mdns0") "alias"))))
        (testing "two sockets, bound to it, members of the groups"
          (is (= #{"0.0.0.0%mdns0:5353" "[::]%mdns0:5353"}
                 (into #{} (map #(nth (str/split % #" +") 3)) (lines (in-place pid "ss" "-Hulna")))))
          (is (str/includes? (in-place pid "ip" "maddr" "show" "dev" "mdns0") "224.0.0.251"))
          (is (str/includes? (in-place pid "ip" "maddr" "show" "dev" "mdns0") "ff02::fb")))
        (testing "the zone, which has no right to enter a namespace, hears a link beside it"
          (let [heard (taken pid)]
            (say! sibling "eth0")
            (await-heard pid heard)))
        (testing "and a host behind the cable"
          (let [heard (taken pid)]
            (say! (:peer lan) "lan0")
            (await-heard pid heard)))
        (testing "its descriptors are root's to look at, though it is nobody: an ontapd finds the namespace by them"
          (is (= "0" (str/trim (:out (t/run {} "stat" "-c" "%u" (str "/proc/" pid "/fd"))))))
          (is (not= ["0"] (take 1 (get (process/status pid) "Uid")))))
        (testing "it is nobody's host"
          (is (= ["web"] (map :name (zone/rows lan))))
          (is (not (str/includes? (lan/said up) "warning"))))
        (testing "kill -9: nothing is left"
          (zone/kill! pid "KILL")
          (await-nothing lan running))
        (testing "the next one has the same addresses; it ends as it is told to"
          (start lan (declared "up0" :ipv4 "10.77.0.250/24"))
          (let [pid (pid-of-zone lan), again (nsids lan)]
            (t/wait-for "the same SLAAC address" #(contains? (addresses pid) stable))
            (is (= (count running) (count again)))
            (zone/kill! pid "TERM")
            (await-nothing lan again)))))))

(deftest ^{:jdk :floor :timeout 120} what-cannot-be-had-is-said
  (zone/with-lan [lan]
    (let [up     (start lan (assoc (declared "up0") :mdns {:ports [{:port "up0" :type :auto} "up9"]}))
          pid    (pid-of-zone lan)]
      (testing "no DHCP client, and a port that is not there: DNS is served all the same"
        (is (str/includes? (lan/said up) "ontap: warning: mdns0 on up0 gets no IPv4 address, and answers by IPv6 alone: nobody would renew its lease"))
        (is (str/includes? (lan/said up) "ontap: warning: no multicast DNS on up9: port up9 is not there yet"))
        (is (nil? (ipv4 pid)))
        (is (some? (zone/serial lan))))
      (let [running (nsids lan)]
        (zone/kill! pid "TERM")
        (await-nothing lan running)))))

(deftest ^{:slow true :jdk :floor :timeout 180} an-ontapd-cares-for-its-address
  (dhcp/needs! "dnsmasq")
  (zone/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [server (dhcp/serve network "dnsmasq" {:lease 120 :more ["t1=4" "t2=90"]})]
        (try
          (ontapd/with-ontapd [_ lan {} "up1"]
            (let [up  (start lan (declared "up1"))
                  pid (pid-of-zone lan)
                  ip  (await-ipv4 pid)]
              (is (contains? (dhcp/given server) (str/replace ip #"/.*" "")))
              (is (not (str/includes? (lan/said up) "warning")))
              (is (empty? (zone/rows lan)) "a lease without a name is nobody's host")
              (testing "ontapd finds the namespace again for a renewal"
                (t/wait-for "time to go by" 20000 #(< (seconds-left pid) 118))
                (t/wait-for "a renewal" 20000 #(<= 118 (seconds-left pid))))
              (testing "kill -9: the link ends, and ontapd's lease with it"
                (let [running (nsids lan)]
                  (zone/kill! pid "KILL")
                  (ontapd/await-book lan "no lease" empty?)
                  (await-nothing lan running)))))
          (finally (dhcp/stop! server)))))))

(deftest ^{:slow true :jdk :floor :timeout 180} ontap-up-cares-for-its-address
  (dhcp/needs! "dnsmasq")
  (zone/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [server (dhcp/serve network "dnsmasq" {})
            up     (lan/up lan (lan/write-file lan {:services [{:name "one" :port "up1" :type "macvlan" :ipv4 "10.77.1.50/24"
                                                                :acd false :ipv6 :none :user "root" :exec ["sleep" "3600"]}]
                                                    :zone (declared "up1")}))]
        (try
          (let [pid     (pid-of-zone lan)
                ip      (await-ipv4 pid)
                _       (lan/await-ready lan "one")
                running (nsids lan)]
            (is (contains? (dhcp/given server) (str/replace ip #"/.*" "")))
            (is (nil? (place (:pid up))) "`ontap up` keeps no descriptor of it")
            (is (not (str/includes? (lan/said up) "gets no IPv4 address")))
            (testing "kill -9 of the zone: another link, the same address"
              (zone/kill! pid "KILL")
              (let [second (t/wait-for "another zone" 30000 #(let [[p & more] (zone/zones lan)]
                                                               (when (and p (nil? more) (not= p pid)) p)))]
                (is (= ip (await-ipv4 second)))
                (is (= (count running) (count (nsids lan))))))
            (testing "the end of all"
              (is (= 0 (lan/end! up "TERM")))
              (t/wait-for "the end of both namespaces" #(= 2 (count (set/difference running (nsids lan)))))
              (is (empty? (zone/zones lan)))))
          (finally (dhcp/stop! server)))))))

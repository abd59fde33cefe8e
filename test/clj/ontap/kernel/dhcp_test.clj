;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.dhcp-test
  "What goes out to a real server and to the kernel of another host and comes back, and what
  tcpdump makes of it."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.kernel.dhcp :as dhcp]
            [ontap.testing :as t])
  (:import (java.io ByteArrayOutputStream)
           (java.nio ByteBuffer)
           (java.util.concurrent Callable)
           (ontap.frames GuestFrame)
           (ontap.sys Fd Io Namespaces NsThread PacketSocket)))

(set! *warn-on-reflection* true)

(def ^:private mac "02:00:00:00:00:77")
(def ^:private id "ff0000000100040102030405060708090a0b0c0d0e0f10")

(defn- discover [xid]
  {:message/type :discover :message/xid xid :message/secs 3 :message/broadcast? true :message/hwaddr mac
   :message/client-id id :message/hostname "www"})

(defn- parsed [^bytes frame outgoing?]
  (dhcp/event (GuestFrame/parse frame (alength frame)) outgoing?))

;; --- as data

(deftest nothing-of-a-client-comes-in
  (is (nil? (parsed (dhcp/frame (discover 1)) false)))
  (is (nil? (parsed (dhcp/frame (discover 1)) true))))

(deftest a-question-of-arp
  (doseq [[a heard] [[{:arp/kind :probe :arp/target-ip "10.0.0.5"}
                      {:arp/op :request :arp/sender-ip nil :arp/target-ip "10.0.0.5"}]
                     [{:arp/kind :announce :arp/sender-ip "10.0.0.5" :arp/target-ip "10.0.0.5"}
                      {:arp/op :request :arp/sender-ip "10.0.0.5" :arp/target-ip "10.0.0.5"}]
                     [{:arp/kind :request :arp/sender-ip "10.0.0.5" :arp/target-ip "10.0.0.1"
                       :arp/to "02:00:00:00:00:01"}
                      {:arp/op :request :arp/sender-ip "10.0.0.5" :arp/target-ip "10.0.0.1"}]]
          outgoing? [true false]]
    (is (= [:arp (assoc heard :arp/sender-hwaddr mac :arp/outgoing? outgoing?)]
           (parsed (dhcp/arp-frame (assoc a :arp/hwaddr mac)) outgoing?)))))

(defn- options-of
  "code -> bytes as a vector, of a client's frame."
  [frame]
  (let [data (drop (+ 14 20 8 240) (map #(bit-and 0xff %) frame))]
    (loop [[code length & more] data, found {}]
      (if (= 255 code)
        found
        (recur (drop length more) (assoc found code (vec (take length more))))))))

(deftest what-a-message-carries
  (let [all     {:message/xid 1 :message/secs 70000 :message/hwaddr mac :message/client-id "ff01" :message/hostname "www"
                 :message/requested-ip "10.0.0.5" :message/server-id "10.0.0.1" :message/text "in use"}
        carried #(options-of (dhcp/frame (assoc all :message/type %)))
        wanted  [1 121 3 33 6 12 15 26 28 42 51 54 58 59 114 119]
        common  {50 [10 0 0 5], 54 [10 0 0 1], 56 (mapv int "in use"), 61 [255 1]}]
    (doseq [[type n] {:discover 1 :request 3}]
      (is (= (assoc common 53 [n], 12 (mapv int "www"), 55 wanted, 57 [5 192]) (carried type)) (str type)))
    (doseq [[type n] {:decline 4 :release 7}]
      (is (= (assoc common 53 [n]) (carried type)) (str type " asks for nothing")))
    (is (= {53 [1], 55 wanted, 57 [5 192]}
           (options-of (dhcp/frame {:message/type :discover :message/xid 4294967295 :message/hwaddr mac})))
        "what is not there is left out")
    (is (= 255 (count (get (options-of (dhcp/frame (assoc all :message/type :decline
                                                          :message/text (apply str (repeat 999 "x")))))
                           56)))
        "a text has its limit")))

;; --- on a LAN

(defn- inside
  "The value of `f` in the network namespace of `pid`."
  [pid f]
  (with-open [net (Namespaces/ofProcess (int pid) "net")]
    (NsThread/call "test-inside" ^Callable (fn [] (Namespaces/setns net Namespaces/CLONE_NEWNET) (f)))))

(defn- link
  "{:index :mac} of a link at `place`."
  [lan place name]
  (let [line (lan/sh! lan place "ip" "-o" "link" "show" name)]
    {:index (parse-long (re-find #"^\d+" line)) :mac (second (re-find #"link/ether (\S+)" line))}))

(defn- open ^Fd [lan]
  (let [{:keys [index]} (link lan :host "up0")]
    (inside (:host lan) #(dhcp/open-port index))))

(defn- await-event
  "The first event that `wanted?` is true of; those before it are left out."
  [^Fd fd what wanted?]
  (let [buffer (byte-array dhcp/buffer-bytes)]
    (loop [seen []]
      (let [{:keys [events]} (dhcp/receive fd buffer)]
        (or (first (filter wanted? events))
            (if (or (seq events) (pos? (Io/await fd Io/POLLIN 20000)))
              (recur (into seen events))
              (throw (ex-info (str "no " what) {:seen seen}))))))))

(defn- reply-to [fd xid type]
  (second (await-event fd (str type) (fn [[kind m]]
                                       (and (= :message kind) (= xid (:message/xid m)) (= type (:message/type m)))))))

(defmacro ^:private with-lan-up
  "A LAN whose host has its port up, without IPv6, which would be heard."
  [[lan] & body]
  `(do (lan/needs-root!)
       (lan/with-lan [~lan]
         (lan/sh! ~lan :host "ip" "link" "set" "up0" "addrgenmode" "none")
         (lan/sh! ~lan :host "ip" "link" "set" "up0" "up")
         ~@body)))

(defn- dnsmasq [lan]
  (let [dir (:dir lan)]
    (doto (apply lan/spawn {}
                 (lan/in (:peer lan) "dnsmasq" "--keep-in-foreground" "--conf-file=/dev/null" "--port=0" "--log-facility=-"
                         "--interface=lan0" "--dhcp-range=10.77.0.50,10.77.0.50,1h" "--dhcp-authoritative"
                         (str "--dhcp-leasefile=" dir "/leases") (str "--pid-file=" dir "/dnsmasq.pid") "--user=root"
                         "--no-ping" "--log-dhcp" "--dhcp-option=option:mtu,1400" "--dhcp-option=option:ntp-server,10.77.0.3"
                         "--dhcp-option=option:dns-server,10.77.0.2,10.77.0.3"
                         "--dhcp-option=option:domain-search,lan.example,example"
                         "--dhcp-option=option:classless-static-route,10.0.0.0/9,10.77.0.4,192.0.2.0/24,0.0.0.0,0.0.0.0/0,10.77.0.1"
                         "--domain=lan.example"))
      (lan/await-line #"DHCP, IP range"))))

(deftest a-lease-of-dnsmasq
  (with-lan-up [lan]
    (let [server (dnsmasq lan)
          there  (:mac (link lan :peer "lan0"))]
      (with-open [fd (open lan)]
        (try
          (is (true? (dhcp/send! fd (discover 4026531841))))
          (let [offer (reply-to fd 4026531841 :offer)]
            ;; this server does not repeat client identifiers
            (is (= {:message/type :offer :message/xid 4026531841 :message/hwaddr mac :message/client-id nil
                    :message/client-ip nil :message/your-ip "10.77.0.50" :message/server-id "10.77.0.1"
                    :message/relay nil :message/from-hwaddr there :message/from-ip "10.77.0.1"
                    :message/options
                    {:option/prefix 24 :option/broadcast "10.77.0.255" :option/routers ["10.77.0.1"]
                     :option/routes [{:route/to "10.0.0.0/9" :route/via "10.77.0.4"}
                                     {:route/to "192.0.2.0/24" :route/via nil}
                                     {:route/to "0.0.0.0/0" :route/via "10.77.0.1"}]
                     :option/dns ["10.77.0.2" "10.77.0.3"] :option/domain "lan.example"
                     :option/search ["lan.example" "example"] :option/ntp ["10.77.0.3"] :option/mtu 1400
                     :option/lease-s 3600 :option/t1-s 1800 :option/t2-s 3150}}
                   offer)))
          (dhcp/send! fd (assoc (discover 2) :message/type :request :message/requested-ip "10.77.0.50"
                                :message/server-id "10.77.0.1"))
          (is (= "10.77.0.50" (:message/your-ip (reply-to fd 2 :ack))))
          (testing "renewed from its own address, without the flag; the server learns where it is by ARP"
            (lan/sh! lan :peer "ip" "neigh" "replace" "10.77.0.50" "lladdr" mac "dev" "lan0")
            (dhcp/send! fd (assoc (discover 3) :message/type :request :message/broadcast? false
                                  :message/client-ip "10.77.0.50" :message/from "10.77.0.50"
                                  :message/to {:ip "10.77.0.1" :hwaddr there}))
            (is (= {:message/your-ip "10.77.0.50" :message/client-ip "10.77.0.50"}
                   (select-keys (reply-to fd 3 :ack) [:message/your-ip :message/client-ip]))))
          (testing "refused"
            (dhcp/send! fd (assoc (discover 4) :message/type :request :message/requested-ip "10.99.0.50"))
            (is (string? (:option/message (:message/options (reply-to fd 4 :nak))))))
          (testing "given back"
            (dhcp/send! fd (assoc (discover 5) :message/type :release :message/client-ip "10.77.0.50" :message/server-id "10.77.0.1"
                                  :message/from "10.77.0.50" :message/to {:ip "10.77.0.1" :hwaddr there}))
            (is (re-find #"10\.77\.0\.50" (lan/await-line server #"DHCPRELEASE"))))
          (testing "declined"
            (dhcp/send! fd (assoc (discover 6) :message/type :decline :message/requested-ip "10.77.0.50"
                                  :message/server-id "10.77.0.1" :message/text "it is in use"))
            (is (lan/await-line server #"DHCPDECLINE")))
          (is (re-find #"client provides name: www" (lan/said server)) "The server learns the name.")
          (finally (lan/end! server "KILL")))))))

(deftest arp-with-the-kernel-of-another-host
  (with-lan-up [lan]
    (let [there (:mac (link lan :peer "lan0"))
          probe {:arp/kind :probe :arp/target-ip "10.77.0.1" :arp/hwaddr mac}
          arp?  (fn [op ip] (fn [[kind a]] (and (= :arp kind) (= op (:arp/op a)) (= ip (:arp/sender-ip a)))))]
      (with-open [fd (open lan)]
        (is (nil? (dhcp/refilter! fd #{"10.77.0.1" "10.77.0.7"})))
        (is (true? (dhcp/arp! fd probe)))
        (is (= [:arp {:arp/op :reply :arp/sender-ip "10.77.0.1" :arp/sender-hwaddr there :arp/target-ip nil
                      :arp/outgoing? false}]
               (await-event fd "answer to a probe" (arp? :reply "10.77.0.1"))))
        (testing "a question to one host, which teaches its hardware address"
          (dhcp/arp! fd {:arp/kind :request :arp/sender-ip "10.77.0.50" :arp/target-ip "10.77.0.1" :arp/hwaddr mac :arp/to there})
          (is (= "10.77.0.50" (:arp/target-ip (second (await-event fd "answer" (arp? :reply "10.77.0.1")))))))
        (testing "what this machine itself sends is told apart"
          (lan/sh! lan :host "ip" "addr" "add" "10.77.0.7/24" "dev" "up0")
          (lan/sh! lan :host "busybox" "arping" "-A" "-c" "1" "-I" "up0" "10.77.0.7")
          (is (:arp/outgoing? (second (await-event fd "an announcement" (fn [[_ a]] (= "10.77.0.7" (:arp/sender-ip a))))))))
        (testing "another set at once"
          (dhcp/refilter! fd #{"10.77.0.8"})
          (lan/sh! lan :peer "busybox" "arping" "-A" "-c" "1" "-I" "lan0" "10.77.0.1")
          (lan/sh lan :peer "busybox" "arping" "-D" "-c" "1" "-w" "1" "-I" "lan0" "10.77.0.8")
          (is (= [:arp {:arp/op :request :arp/sender-ip nil :arp/sender-hwaddr there :arp/target-ip "10.77.0.8"
                        :arp/outgoing? false}]
                 (await-event fd "any" (constantly true)))
              "the first that comes is about the address that is watched now"))))))

(deftest more-addresses-than-there-is-room-for
  (with-lan-up [lan]
    (let [many (for [i (range 1000)] (str "192.168." (quot i 250) "." (inc (rem i 250))))
          hears (fn [fd ip]
                  (lan/sh! lan :peer "busybox" "arping" "-A" "-c" "1" "-I" "lan0" ip)
                  (await-event fd ip (fn [[_ a]] (= ip (:arp/sender-ip a)))))]
      ;; What one socket had on kernels before 6.8, where a namespace can have its own number.
      (lan/sh lan :host "sh" "-c" "echo 20480 >/proc/sys/net/core/optmem_max")
      (lan/sh! lan :peer "ip" "addr" "add" "192.168.1.7/16" "dev" "lan0")
      (lan/sh! lan :peer "ip" "addr" "add" "10.99.0.1/16" "dev" "lan0")
      (with-open [fd (open lan)]
        (dotimes [_ 3] (dhcp/refilter! fd many))
        (is (hears fd "192.168.1.7"))
        (dhcp/refilter! fd (cons "10.99.0.9" many))
        (is (hears fd "10.99.0.1") "beyond a thousand, all ARP is heard")))))

(deftest a-link-that-does-not-take-it
  (with-lan-up [lan]
    (with-open [fd (open lan)]
      (is (true? (dhcp/send! fd (discover 1))))
      (lan/sh! lan :host "ip" "link" "set" "up0" "mtu" "100")
      (is (false? (dhcp/send! fd (discover 1))) "longer than the link takes")
      (lan/sh! lan :host "ip" "link" "set" "up0" "mtu" "1500")
      (lan/sh! lan :host "ip" "link" "set" "up0" "down")
      (is (false? (dhcp/send! fd (discover 1))) "down")
      (is (false? (dhcp/arp! fd {:arp/kind :probe :arp/target-ip "10.0.0.5" :arp/hwaddr mac})))
      (is (= {:events [] :more? false} (dhcp/receive fd (byte-array dhcp/buffer-bytes))) "that it is down is no mistake")
      (lan/sh! lan :host "ip" "link" "set" "up0" "up")
      (is (true? (dhcp/send! fd (discover 1))) "up again")
      (lan/sh! lan :host "ip" "link" "del" "up0")
      (is (false? (dhcp/send! fd (discover 1))) "gone")
      (is (= {:events [] :more? false} (dhcp/receive fd (byte-array dhcp/buffer-bytes)))))))

(deftest a-thousand-answers-at-once
  (with-lan-up [lan]
    (let [{:keys [index]} (link lan :peer "lan0")]
      (with-open [fd        (open lan)
                  ^Fd there (inside (:peer lan) #(PacketSocket/open (int index) (byte-array 0)))]
        (dhcp/refilter! fd ["10.77.0.9"])
        (dotimes [_ 1000]
          (dhcp/arp! there {:arp/kind :announce :arp/target-ip "10.77.0.9" :arp/hwaddr mac}))
        (let [buffer (byte-array dhcp/buffer-bytes)]
          (loop [heard 0]
            (let [{:keys [events more?]} (dhcp/receive fd buffer), heard (+ heard (count events))]
              (is (<= (count events) 256) "others have their turn")
              (if more? (recur heard) (is (= 1000 heard) "none is lost")))))))))

;; --- an independent witness

(defn- capture-file
  "Frames as a file that tcpdump and tshark read (pcap, link type Ethernet)."
  [file frames]
  (let [out   (ByteArrayOutputStream.)
        words (fn [& ns] (.writeBytes out (.array ^ByteBuffer (reduce (fn [^ByteBuffer b n] (.putInt b (unchecked-int n)))
                                                                     (ByteBuffer/allocate (* 4 (count ns))) ns))))]
    (words 0xa1b2c3d4 0x00020004 0 0 65535 1)
    (doseq [^bytes f frames]
      (words 0 0 (alength f) (alength f))
      (.writeBytes out f))
    (io/copy (.toByteArray out) file)))

(deftest tcpdump-reads-what-is-written
  (t/with-temp-dir [dir]
    (let [file (io/file dir "frames")
          to   {:ip "10.77.0.1" :hwaddr "02:00:00:00:00:01"}
          all  [(discover 1)
                (assoc (discover 2) :message/type :request :message/requested-ip "10.77.0.50" :message/server-id "10.77.0.1")
                (assoc (discover 3) :message/type :request :message/client-ip "10.77.0.50" :message/broadcast? false
                       :message/from "10.77.0.50" :message/to to)
                (assoc (discover 4) :message/type :decline :message/requested-ip "10.77.0.50" :message/server-id "10.77.0.1"
                       :message/text "it is in use")
                (assoc (discover 5) :message/type :release :message/client-ip "10.77.0.50" :message/server-id "10.77.0.1"
                       :message/from "10.77.0.50" :message/to to)]]
      (capture-file file (concat (map dhcp/frame all)
                                 (map dhcp/arp-frame
                                      [{:arp/kind :probe :arp/target-ip "10.77.0.50" :arp/hwaddr mac}
                                       {:arp/kind :announce :arp/target-ip "10.77.0.50" :arp/hwaddr mac}
                                       {:arp/kind :request :arp/sender-ip "10.77.0.50" :arp/target-ip "10.77.0.1"
                                        :arp/hwaddr mac :arp/to (:hwaddr to)}])))
      (let [{:keys [out exit]} (t/run {} "tcpdump" "-nnvvetr" (str file))]
        (is (= 0 exit))
        (is (= 5 (count (re-seq #"\[udp sum ok\] BOOTP/DHCP, Request" out))) out)
        (is (not (re-find #"bad|trunc|invalid|malformed|\[\|" out)) out)
        (doseq [said ["02:00:00:00:00:77 > ff:ff:ff:ff:ff:ff, ethertype IPv4"
                      "0.0.0.0.68 > 255.255.255.255.67" "Flags [Broadcast]"
                      "02:00:00:00:00:77 > 02:00:00:00:00:01, ethertype IPv4" "10.77.0.50.68 > 10.77.0.1.67" "Flags [none]"
                      "DHCP-Message (53), length 1: Discover" "Requested-IP (50), length 4: 10.77.0.50"
                      "Server-ID (54), length 4: 10.77.0.1" "Hostname (12), length 3: \"www\""
                      "MSZ (57), length 2: 1472" "MSG (56), length 12: \"it is in use\"" "secs 3"
                      "Client-IP 10.77.0.50"
                      "who-has 10.77.0.50 tell 0.0.0.0" "who-has 10.77.0.50 tell 10.77.0.50"
                      "who-has 10.77.0.1 tell 10.77.0.50"]]
          (is (str/includes? out said) said))))))

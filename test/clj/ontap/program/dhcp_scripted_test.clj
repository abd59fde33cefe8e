;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.dhcp-scripted-test
  "The DHCP client of ontapd against a server that does what real ones do not
  (test/harness/dhcp/scripted.py), which also says what was on the wire."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(def ^:private wrong "What the wrong answers give." "10.77.1.250")

(defn- behave! [server behaviour & words]
  (dhcp/tell! server "forget")
  (apply dhcp/tell! server behaviour "server=10.77.1.1" "pool=10.77.1.100" "second=10.77.1.2" "pool2=10.77.1.200"
         (str "wrong=" wrong) words))

(defn- since [server from & fields] (filter #(apply dhcp/dhcp? % fields) (drop from (dhcp/packets server))))

(def ^:private number (atom 0))

(defn- client!
  "A client with a name that was not used before."
  [lan network & {:as more}]
  (dhcp/client! lan network (str "c" (swap! number inc)) more))

(defn- bound
  "Lets a fresh client bind while the server behaves as `words` say: {:pid :ip :from ..}."
  [lan network server & words]
  (let [from (apply behave! server words)
        {:keys [pid] :as client} (client! lan network)]
    (assoc client :from from :ip (dhcp/await-address pid))))

(defn- binds-well
  "One DISCOVER, one REQUEST, the first address of the pool, and nothing of what is wrong."
  [lan network server & words]
  (let [{:keys [ip from pid] :as client} (apply bound lan network server words)]
    (is (= ip "10.77.1.100"))
    (is (= [1 1] (map #(count (since server from % "op" 1)) ["discover" "request"])) "No answer was missed.")
    (is (= ["10.77.1.100"] (map #(% "requested") (since server from "request"))))
    (is (= [ip] (keys (dhcp/addresses pid))))
    client))

(defn- answers
  "What servers answer in other ways than most."
  [lan network server]
  (doseq [behaviour ["normal" "no-echo" "overload"]]
    (testing behaviour
      (let [{:keys [pid] :as client} (binds-well lan network server behaviour)]
        (is (= "10.77.1.1" (:via (get (dhcp/routes pid) "default"))) "Its options are read.")
        (dhcp/end-client! lan network client))))
  (testing "unicast"
    (let [{:keys [hwaddr from] :as client} (binds-well lan network server "unicast")]
      (is (= [[hwaddr "10.77.1.100"]] (distinct (map (juxt #(% "eth_dst") #(% "ip_dst"))
                                                     (concat (since server from "offer") (since server from "ack"))))))
      (dhcp/end-client! lan network client)))
  (testing "two servers"
    (let [{:keys [ip from] :as client} (bound lan network server "two-servers")
          [request :as requests] (since server from "request")]
      (is (= 1 (count requests)) "One of them is asked.")
      (is (= ({"10.77.1.1" "10.77.1.100", "10.77.1.2" "10.77.1.200"} (request "server")) (request "requested") ip))
      (dhcp/end-client! lan network client)))
  (testing "a storm of offers"
    (let [{:keys [from ip] :as client} (bound lan network server "storm" "n=300")
          requests (since server from "request")]
      (is (= 300 (count (since server from "offer"))))
      (is (= [1 "10.77.1.100"] [(count (since server from "discover")) ip]) "The first one is taken.")
      (is (= #{[ip "10.77.1.1"]} (set (map (juxt #(% "requested") #(% "server")) requests))) "No other is asked for.")
      (is (<= (count requests) 2) "An ACK may be lost in it.")
      (dhcp/end-client! lan network client))))

(defn- wrong-answers
  "What is not for this client, or cannot be read, is as if it were not there."
  [lan network server]
  (doseq [behaviour ["other-echo" "wrong-xid" "wrong-hwaddr" "past-end" "no-cookie" "bad-checksum" "bootrequest"]]
    (testing behaviour
      (let [{:keys [from] :as client} (binds-well lan network server behaviour)]
        (is (= 2 (count (filter #(% "wrong") (drop from (dhcp/packets server))))) "A wrong OFFER and a wrong ACK came.")
        (dhcp/end-client! lan network client)))))

(defn- terms
  "What else a lease may say."
  [lan network server]
  (testing "classless routes instead of routers, an MTU, for ever"
    (let [{:keys [pid ip] :as client}
          (binds-well lan network server "normal" "lease=infinite" "mtu=1400"
                      "routes=0.0.0.0/0,10.77.1.7;10.99.0.0/16,10.77.1.9;192.168.5.0/24,0.0.0.0")
          routes (dhcp/routes pid)]
      (is (= 4294967295 (:valid ((dhcp/addresses pid) ip))))
      (is (= {"default" "10.77.1.7", "10.99.0.0/16" "10.77.1.9", "192.168.5.0/24" nil, "10.77.1.0/24" nil}
             (update-vals routes :via)))
      (is (str/includes? (lan/sh! {:at pid} :at "ip" "-j" "link" "show" "dev" "eth0") "\"mtu\":1400"))
      (dhcp/end-client! lan network client)))
  (testing "RELEASE, when asked for"
    (let [from   (behave! server "normal")
          client (client! lan network "release" "yes")
          ip     (dhcp/await-address (:pid client))]
      (dhcp/end-client! lan network client)
      (let [[m] (dhcp/await-packets server from 1 #(dhcp/dhcp? % "release"))]
        (is (= [ip "10.77.1.1" ((first (since server from "request")) "client")] (map m ["ciaddr" "server" "client"]))))))
  (testing "no RELEASE, when not"
    (let [{:keys [from] :as client} (bound lan network server "normal")
          _  (dhcp/end-client! lan network client)
          to (dhcp/tell! server "mark over")]
      (is (= [] (filter #(dhcp/dhcp? % "release") (subvec (dhcp/packets server) from to)))))))

(defn- time-of [packet] (long (packet "t")))

(defn- extensions
  "Renewing and rebinding, or not."
  [lan network server]
  (testing "no answer to renewals"
    (let [{:keys [ip from pid] :as client} (bound lan network server "no-renew" "lease=7" "t1=2" "t2=4")
          [acked]  (since server from "ack")
          [renew]  (dhcp/await-packets server from 1 #(dhcp/renewal? % ip))
          [rebind] (dhcp/await-packets server from 1 #(dhcp/rebinding? % ip))]
      (is (<= 1900 (- (time-of renew) (time-of acked)) 3000) "T1")
      (is (<= 3900 (- (time-of rebind) (time-of acked)) 5000) "T2")
      (is (not= (renew "xid") (rebind "xid")))
      (dhcp/await-packets server from 2 #(dhcp/dhcp? % "ack"))
      (is (= [ip] (keys (dhcp/addresses pid))))
      (testing "nor to anything else"
        (let [from (dhcp/tell! server "silent")]
          (dhcp/await-no-address pid ip 12)
          (is (< 1 (count (since server from "request"))) "It went on asking.")
          (let [[asked] (dhcp/await-packets server from 1 #(dhcp/dhcp? % "discover"))]
            (is (= "0.0.0.0" (asked "ciaddr")) "Then it begins anew."))
          (is (= {} (dhcp/routes pid)) "Its routes are gone with it.")))
      (dhcp/end-client! lan network client))))

(defn- other-times
  "T1 after T2 means nothing; and a server behind a relay is asked through the relay."
  [lan network server]
  (testing "T1 after T2"
    (let [{:keys [ip from] :as client} (bound lan network server "normal" "lease=6" "t1=5" "t2=2")
          [acked]  (since server from "ack")
          [asked]  (dhcp/await-packets server from 1 #(dhcp/renewal? % ip))]
      (is (<= 2900 (- (time-of asked) (time-of acked)) 4000) "Half of the lease.")
      (dhcp/end-client! lan network client)))
  (testing "relayed"
    (let [{:keys [ip from] :as client} (bound lan network server "relayed" "lease=20" "t1=2" "t2=15")
          [asked] (dhcp/await-packets server from 1 #(dhcp/renewal? % ip))]
      (is (= ["192.0.2.67" "02:00:5e:00:53:fe"] (map asked ["ip_dst" "eth_dst"])))
      (dhcp/end-client! lan network client))))

(defn- refusals [lan network server]
  (testing "refused once"
    (let [{:keys [from] :as client} (bound lan network server "nak" "n=1")]
      (is (= [2 2] (map #(count (since server from %)) ["discover" "request"])))
      (dhcp/end-client! lan network client)))
  (testing "refused when it renews"
    (let [{:keys [ip pid] :as client} (bound lan network server "normal" "lease=9" "t1=2" "t2=7")
          from (behave! server "nak" "n=1" "pool=10.77.1.130")]
      (dhcp/await-address pid #{"10.77.1.130"} 10)
      (is (= [ip] (map #(% "ciaddr") (take 1 (since server from "request")))) "The renewal was.")
      (is (= ["10.77.1.130"] (keys (dhcp/addresses pid))) "The old address is gone.")
      (dhcp/end-client! lan network client)))
  (testing "refused again and again"
    (let [from   (behave! server "nak" "n=1000")
          client (client! lan network)
          asked  (dhcp/await-packets server from 4 #(dhcp/dhcp? % "discover") 30)
          took   (- (time-of (last asked)) (time-of (first asked)))]
      (is (<= 2900 took) "Not more than one DISCOVER in a second.")
      (is (= {} (dhcp/addresses (:pid client))))
      (dhcp/end-client! lan network client))))

(defn- same-for-all [lan network server]
  (let [{:keys [from ip pid] :as first-one} (bound lan network server "same")
        other  (client! lan network)
        said   (testing-tools/wait-for "a sentence about it" 40000
                                       #(let [says (get (dhcp/lease lan network other) "says")]
                                          (when (str/includes? (str says) "same address") says)))
        theirs (fn [type] (remove #(= (:hwaddr first-one) (% "hwaddr")) (since server from type)))]
    (is (= (str "DHCP server 10.77.1.1 gives every link of this port the same address (" ip ", which " (:name first-one)
                " has): it ignores client identifiers; let it use them, or give " (:name other) " a static address")
           said))
    (is (= [] (mapcat theirs ["request" "decline" "release"])) "The other one leaves it alone.")
    (is (= {} (dhcp/addresses (:pid other))))
    (is (= [ip] (keys (dhcp/addresses pid))))
    (run! #(dhcp/end-client! lan network %) [first-one other])))

;; --- address conflicts

(defn- conflicts
  "Another host has what is offered; a network of its own, and the clients that began there."
  [lan network server from {:keys [pid hwaddr] :as client} fixed]
  (testing "the offered address is another host's"
    (let [ip (dhcp/await-address pid any? 40)
          seen (drop from (dhcp/packets server))
          [probe] (filter #(dhcp/probe? % "10.77.2.100") seen)
          [declined] (filter #(dhcp/dhcp? % "decline" "hwaddr" hwaddr) seen)]
      (is (= "10.77.2.101" ip) "Another one is taken.")
      (is (= [hwaddr "0.0.0.0"] (map probe ["sender_mac" "sender_ip"])))
      (is (= ["10.77.2.100" "10.77.2.1"] (map declined ["requested" "server"])))
      (is (= [] (filter #(and (dhcp/announcement? % "10.77.2.100") (= hwaddr (% "sender_mac"))) seen))
          "Nothing was announced for the first.")
      (is (<= 9900 (- (time-of (first (filter #(and (dhcp/dhcp? % "discover" "hwaddr" hwaddr) (< (time-of declined) (time-of %))) seen)))
                       (time-of declined)))
          "It waits for 10 s before it asks again.")
      (let [probes (filter #(dhcp/probe? % ip) seen)
            [announced] (filter #(and (dhcp/announcement? % ip) (= hwaddr (% "sender_mac"))) seen)
            gaps   (map - (rest (map time-of probes)) (map time-of probes))]
        (is (= 3 (count probes)))
        (is (every? #(<= 990 % 2500) gaps) (str gaps))
        (is (<= 1990 (- (time-of announced) (time-of (last probes))))))))
  (testing "a static address that is another host's"
    (is (= {} (dhcp/addresses (:pid fixed))))
    (is (str/includes? (str (get (dhcp/lease lan network fixed) "says")) "10.77.2.50 is in use by 02:00:5e:00:53:aa")))
  (testing "somebody takes it later"
    (let [[ip] (keys (dhcp/addresses pid))
          from (dhcp/now server)
          defended? #(and (dhcp/announcement? % ip) (= hwaddr (% "sender_mac")))]
      (dhcp/tell! server "claim" ip)
      (dhcp/await-packets server from 1 defended?)
      (is (= [ip] (keys (dhcp/addresses pid))) "It is defended once,")
      (dhcp/tell! server "claim" ip)
      (dhcp/await-no-address pid ip 10)
      (dhcp/await-packets server from 1 #(dhcp/dhcp? % "decline" "requested" ip))
      (is (= 1 (count (filter defended? (drop from (dhcp/packets server))))) "and then given up."))))

(deftest ^{:slow true :jdk :floor :timeout 300} what-real-servers-do-not
  (lan/needs-root!)
  (dhcp/needs-python!)
  (lan/with-lan [lan]
    (dhcp/with-networks [[one two] lan [1 2]]
      (let [server (dhcp/scripted one :peer "normal")
            other  (dhcp/scripted two :peer "normal" "server=10.77.2.1" "pool=10.77.2.100" "arp=10.77.2.100,10.77.2.50")]
        (try
          (ontapd/with-ontapd [_ lan {} "up1" "up2"]
            (let [from   (dhcp/now other)
                  ;; these take their time, beside the others
                  client (dhcp/client! lan two "www" "acd" "yes")
                  fixed  (dhcp/client! lan two "fixed" "ipv4" "10.77.2.50/24" "acd" "yes" "start-delay" nil)]
              (doseq [f [answers wrong-answers terms refusals extensions other-times same-for-all]]
                (f lan one server))
              (conflicts lan two other from client fixed)))
          (finally (run! dhcp/stop! [server other])))))))

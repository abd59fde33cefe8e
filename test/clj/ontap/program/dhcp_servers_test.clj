;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.dhcp-servers-test
  "The DHCP client of ontapd against dnsmasq, Kea and ISC dhcpd, each on a port of its own: all
  that befalls a lease, at the same time on the three. Leases are of 10 s, later of 60 s (dnsmasq: 120
  s, with T1 and T2 as for 10). Witnesses are ip(8) in the links' namespaces, what is on the wire, and
  the servers' lease files."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(def ^:private terms
  {"dnsmasq" {:lease 120 :more ["t1=5" "t2=8"]}
   "kea"     {:lease 10}
   "dhcpd"   {:lease 10}})

(defn- now-ms [] (quot (System/nanoTime) 1000000))

(defn- in-pool? [{:keys [net]} [first last] ip]
  (let [[_ at n] (re-matches #"(.*)\.(\d+)" (str ip))]
    (and (= net at) (<= first (parse-long n) last))))

(defn- each
  "(f side) of each side, with the kind of its server in the test's context; a vector."
  [sides f]
  (mapv (fn [side] (testing (:kind side) (f side))) sides))

(defn- answer-to
  "The server's answer of `type` to the message `asked`."
  [witness from asked type]
  (first (dhcp/await-packets witness from 1 #(and (dhcp/dhcp? % type "xid" (asked "xid")) (= 2 (% "op"))))))

(defn- bound
  "The side with its first link, of which the rest is about."
  [lan {:keys [kind network witness server] :as side}]
  (let [name (str "www-" kind)
        {:keys [pid hwaddr] :as www} (dhcp/client! lan network name)
        ip   (dhcp/await-address pid)
        {:keys [prefix valid]} ((dhcp/addresses pid) ip)
        [discover] (dhcp/packets witness #(dhcp/dhcp? % "discover"))
        [request]  (dhcp/packets witness #(dhcp/dhcp? % "request"))]
    (is (in-pool? network [100 199] ip))
    (is (= 24 prefix))
    (is (<= 1 valid (get-in terms [kind :lease])) "The address has the lifetime of its lease.")
    (is (= {:via (str (:net network) ".1") :dev "eth0" :protocol "dhcp" :metric 1024}
           (get (dhcp/routes pid) "default")))
    (testing "what it says of itself"
      (doseq [m [discover request]]
        (is (= [true name hwaddr] (map m ["broadcast" "hostname" "hwaddr"])))
        (is (re-matches #"ff[0-9a-f]{8}0004[0-9a-f]{32}" (str (m "client"))) "RFC 4361, DUID-UUID"))
      (is (= (discover "client") (request "client"))))
    (testing-tools/wait-for "the server's lease file" #(get (dhcp/given server) ip))
    (is (= {:hwaddr hwaddr :hostname name} (get (dhcp/given server) ip)) "The server has it so too.")
    (assoc side :pid pid :ip ip :id (:id www) :client (discover "client"))))

(defn- with-siblings
  "The side with nine more links, asked for all at once."
  [lan {:keys [kind network] :as side}]
  (assoc side :siblings (mapv #(dhcp/client! lan network (str "s" % "-" kind)) (range 1 10))))

(defn- siblings-differ [{:keys [siblings server ip]}]
  (let [ips (mapv #(dhcp/await-address (:pid %) any? 40) siblings)]
    (is (= 10 (count (set (cons ip ips)))) (str "Ten links have ten addresses: " (cons ip ips)))
    (testing-tools/wait-for "the lease file" #(set/subset? (set ips) (set (keys (dhcp/given server)))))
    (is (= (map :name siblings) (map #(:hostname ((dhcp/given server) %)) ips)) "The server knows each by its name.")))

(defn- renewed [{:keys [kind network witness pid ip from]}]
  (let [[asked] (dhcp/await-packets witness from 1 #(dhcp/renewal? % ip))
        acked   (answer-to witness from asked "ack")]
    (is (= [(str (:net network) ".1") false] (map asked ["ip_dst" "broadcast"])) "By unicast, to the server.")
    (is (= ip (asked "ip_src")))
    (is (nil? (asked "server")))
    (is (= ip (acked "yiaddr")))
    (testing-tools/wait-for "the lifetime" #(< (- (get-in terms [kind :lease]) 3) (:valid (get (dhcp/addresses pid) ip) 0)))))

(defn- rebooted [{:keys [witness pid ip client from]}]
  (is (contains? (dhcp/addresses pid) ip) "The link has its address while nobody cares for it.")
  (let [[asked] (dhcp/await-packets witness from 1 #(and (= client (% "client")) (= "request" (% "type"))))]
    (is (dhcp/init-reboot? asked ip) (str "INIT-REBOOT: " (dissoc asked "options")))
    (is (= ip ((answer-to witness from asked "ack") "yiaddr")))
    (is (contains? (dhcp/addresses pid) ip))
    (is (= [] (filter #(dhcp/dhcp? % "discover" "client" client) (drop from (dhcp/packets witness))))
        "It looks for no other.")))

(defn- refused
  [{:keys [network witness pid ip client from]}]
  (let [[asked] (dhcp/await-packets witness from 1 #(and (= client (% "client")) (dhcp/init-reboot? % ip)))
        _   (answer-to witness from asked "nak")
        new (dhcp/await-address pid #(in-pool? network [200 249] %) 30)]
    (is (= [new] (keys (dhcp/addresses pid))) "The old one is gone.")
    (is (= (str (:net network) ".1") (:via (get (dhcp/routes pid) "default"))))))

(defn- rebound [{:keys [network witness pid ip client from]}]
  (let [[asked] (dhcp/await-packets witness from 1 #(and (= client (% "client")) (dhcp/rebinding? % ip)))
        acked   (answer-to witness from asked "ack")]
    (is (= [true "ff:ff:ff:ff:ff:ff"] (map asked ["broadcast" "eth_dst"])))
    (is (= [ip (str (:net network) ".2")] (map acked ["yiaddr" "server"])) "The other server has taken over.")
    (is (= [ip] (keys (dhcp/addresses pid))))))

(defn- there-again
  "The side once it has an address again."
  [{:keys [network pid] :as side}]
  (assoc side :ip (dhcp/await-address pid #(in-pool? network [100 199] %) 30)))

(defn- expired [{:keys [kind witness pid ip]}]
  (dhcp/await-no-address pid ip 20)
  (let [gone  (now-ms)
        acked (last (dhcp/packets witness #(dhcp/dhcp? % "ack" "yiaddr" ip)))
        after (- gone (long (acked "t")))]
    (is (<= 9000 after 11000) (str kind ": gone when the lease was over, " after " ms after the last ACK."))
    (is (= {} (dhcp/addresses pid)))
    (is (nil? (get (dhcp/routes pid) "default")) "The routes went with it.")))

(defn- marked
  "The side, with what comes from now on as what is looked at."
  [{:keys [witness] :as side}]
  (assoc side :from (dhcp/now witness)))

(defn- started
  "The side with its server, as `more` says (`dhcp/serve`); `servers` learns of it."
  [servers {:keys [kind network] :as side} & {:as more}]
  (let [server (dhcp/serve network kind (merge (terms kind) more))]
    (swap! servers conj server)
    (assoc side :server server)))

(defn- all-of-it
  "`daemon!` kills the daemon, calls its argument, starts another one and gives what the
  argument gave."
  [lan sides servers daemon!]
  (let [sides (testing "bind" (each sides #(bound lan (marked %))))
        sides (each sides #(with-siblings lan %))]
    (testing "ten siblings" (each sides siblings-differ))
    (testing "renew" (each (mapv marked sides) renewed))
    (let [sides (mapv marked sides)
          sides (testing "the server is gone, another is there"
                  (doseq [{:keys [server network]} sides]
                    (dhcp/stop! server)
                    (dhcp/hand-over! server network :second))
                  (let [sides (mapv #(started servers % :place :second) sides)]
                    (each sides rebound)
                    sides))]
      (testing "no server is there"
        (run! dhcp/stop! (map :server sides))
        (testing-tools/two-at-a-time expired (remove (comp #{"dnsmasq"} :kind) sides)))
      (let [sides (testing "a server is there again"
                    (each (mapv #(started servers % :lease (max 60 (get-in terms [(:kind %) :lease]))) sides) there-again))]
        (testing "kill -9 of the daemon"
          (let [sides (mapv marked sides)]
            (daemon! #())
            (each sides rebooted)))
        (testing "the server forgets"
          (let [sides (mapv marked sides)
                swap  (fn [{:keys [server] :as side}]
                        (dhcp/stop! server)
                        (dhcp/forget! server)
                        (started servers (cond-> side (= "dhcpd" (:kind side)) (update :network dhcp/renumber! "10.87.3"))
                                 :pool [200 249]))]
            ;; Meanwhile, for Kea answers one that asks again, not one that renews. dhcpd, which is
            ;; silent about an address that it knows nothing of, has another network now.
            (each (daemon! #(mapv swap sides)) refused)))))))

(deftest ^{:slow true :jdk :floor :timeout 300} all-that-befalls-a-lease
  (lan/needs-root!)
  (dhcp/needs-python!)
  (run! dhcp/needs! dhcp/kinds)
  (lan/with-lan [lan]
    (dhcp/with-networks [networks lan [1 2 3]]
      (let [servers (atom [])
            sides   (mapv (fn [kind network]
                            (assoc (started servers {:kind kind :network network})
                                   :witness (dhcp/scripted network :peer "watch")))
                          dhcp/kinds networks)
            daemon  (volatile! nil)
            start!  #(vreset! daemon (ontapd/start lan {} "up1" "up2" "up3"))]
        (try
          (start!)
          (all-of-it lan sides servers (fn [meanwhile]
                                         (ontapd/stop! @daemon "KILL")
                                         (let [result (meanwhile)] (start!) result)))
          (finally
            (some->> @daemon (ontapd/clean! lan))
            (run! dhcp/stop! (concat @servers (map :witness sides)))))))))

(deftest ^{:long true :jdk :floor :timeout 240} dnsmasq-s-shortest-lease-ends
  (lan/needs-root!)
  (dhcp/needs-python!)
  (dhcp/needs! "dnsmasq")
  (lan/with-lan [lan]
    (dhcp/with-networks [[network] lan [1]]
      (let [witness (dhcp/scripted network :peer "watch")
            server  (dhcp/serve network "dnsmasq" {:lease 120})]
        (try
          (ontapd/with-ontapd [daemon lan {} (:port network)]
            (let [{:keys [pid]} (dhcp/client! lan network "www")
                  ip (dhcp/await-address pid)]
              (dhcp/stop! server)
              (dhcp/await-no-address pid ip 140)
              (let [gone  (now-ms)
                    acked (last (dhcp/packets witness #(dhcp/dhcp? % "ack" "yiaddr" ip)))]
                (is (<= 119000 (- gone (long (acked "t"))) 121500) "At the end of the lease, to the second.")
                (is (= {} (dhcp/addresses pid))))))
          (finally
            (run! dhcp/stop! [server witness])))))))

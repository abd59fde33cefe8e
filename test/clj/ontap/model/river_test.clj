;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.river-test
  "Kernel events in, changes of zones out: the seed's transcript, and each thing that can happen to an address."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world :refer [addr addr-gone aliased foreign link link-gone ns-gone snapshot told trusted zone]]))

(defn- started [zone & events]
  (:river (river/step (river/river zone nil) [(apply snapshot events)] (world/at 0))))

(def ^:private wan "2a02:a473:db:0:539b:fafb:34f3:4396")
(def ^:private ula "fd4e:3732:3232:0:a8b6:cc46:610f:ef3b")

(deftest the-transcript
  (testing "dig arroyocc{.wan,.lan,}.vanya AAAA by askers of each kind"
    (let [r (started zone (link nil 2) (addr nil 2 "2a02:a473:db:0:f9a0:ea48:aeab:96a2" 64)
                     (trusted 0) (aliased 0 2 "arroyocc") (addr 0 2 wan 64) (addr 0 2 ula 64) (addr 0 2 "fe80::5c5f:6200:7fe:af20" 64))
          answer (fn [view owner]
                   (let [rrs (filter #(= owner (:rr/name %)) (river/records r view))]
                     (if (empty? rrs) :nxdomain (mapcat :rr/data (filter #(= :aaaa (:rr/type %)) rrs)))))]
      (are [owner private on-link foreign] (= [private on-link foreign] (map #(answer % owner) [0 1 2]))
        "arroyocc.wan.vanya" [wan] [wan] [wan]
        "arroyocc.lan.vanya" [ula] [ula] :nxdomain
        "arroyocc.vanya"     [ula] [wan] [wan]
        "arroyocc.local"     ["fe80::5c5f:6200:7fe:af20"] ["fe80::5c5f:6200:7fe:af20"] :nxdomain)
      (is (not-any? #(re-find #"lan\.vanya$|local$" (:rr/name %)) (river/records r 2)) "nothing below lan.vanya for the foreign")
      (is (some #{["2a02:a473:db::/64" 1]} (river/askers r)) "who asks from that prefix is on-link")
      (is (= #{60} (set (map :rr/ttl (river/records r 1))))))))

(def ^:private plain [(link nil 2) (trusted 5) (aliased 5 2 "web")])

(deftest contents-of-the-views
  (let [r (apply started zone (concat plain [(addr 5 2 "192.0.2.9" 24) (addr 5 2 "10.0.0.9" 24) (addr 5 2 "2001:db8::9" 64)
                                             (addr 5 2 "169.254.7.7" 16)]))
        g4 "9.2.0.192.in-addr.arpa", l4 "9.0.0.10.in-addr.arpa", k4 "7.7.254.169.in-addr.arpa"
        g6 "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"]
    (is (= {["web.vanya" :a] ["10.0.0.9"], ["web.vanya" :aaaa] ["2001:db8::9"] ; no ULA: the global one
            ["web.wan.vanya" :a] ["192.0.2.9"], ["web.wan.vanya" :aaaa] ["2001:db8::9"]
            ["web.lan.vanya" :a] ["10.0.0.9"], ["web.local" :a] ["169.254.7.7"]
            [g4 :ptr] ["web.wan.vanya"], [l4 :ptr] ["web.vanya"], [k4 :ptr] ["web.local"], [g6 :ptr] ["web.vanya"]
            ["ns.vanya" :none] []}
           (told r 0)))
    (is (= {["web.vanya" :a] ["192.0.2.9"], ["web.vanya" :aaaa] ["2001:db8::9"]
            ["web.wan.vanya" :a] ["192.0.2.9"], ["web.wan.vanya" :aaaa] ["2001:db8::9"]
            ["web.lan.vanya" :a] ["10.0.0.9"], ["web.local" :a] ["169.254.7.7"]
            [g4 :ptr] ["web.vanya"], [l4 :ptr] ["web.lan.vanya"], [k4 :ptr] ["web.local"], [g6 :ptr] ["web.vanya"]
            ["ns.vanya" :none] []}
           (told r 1)))
    (is (= {["web.vanya" :a] ["192.0.2.9"], ["web.vanya" :aaaa] ["2001:db8::9"]
            ["web.wan.vanya" :a] ["192.0.2.9"], ["web.wan.vanya" :aaaa] ["2001:db8::9"]
            [g4 :ptr] ["web.vanya"], [g6 :ptr] ["web.vanya"]
            ["ns.vanya" :none] []}
           (told r 2)))
    (is (= {0 #{"vanya" "local" "2.0.192.in-addr.arpa" "0.0.10.in-addr.arpa" "7.254.169.in-addr.arpa" "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}
            1 #{"vanya" "local" "2.0.192.in-addr.arpa" "0.0.10.in-addr.arpa" "7.254.169.in-addr.arpa" "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}
            2 #{"vanya" "2.0.192.in-addr.arpa" "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}}
           (into {} (for [v [0 1 2]] [v (set (keep #(when (= :soa (:rr/type %)) (:rr/name %)) (river/records r v)))])))
        "zones: one /24 and one /64 each")
    (doseq [v [0 1 2]]
      (is (= (set (for [rr (river/records r v) :when (= :soa (:rr/type rr))] (:rr/name rr)))
             (set (for [rr (river/records r v) :when (= :ns (:rr/type rr))] (:rr/name rr))))))
    (is (= {:rr/name "vanya" :rr/type :soa :rr/ttl 60 :rr/until-ms nil
            :rr/data [["ns.vanya" "hostmaster.vanya" 1000000 600 120 86400 10]]}
           (first (filter #(= ["vanya" :soa] ((juxt :rr/name :rr/type) %)) (river/records r 2)))))))

(deftest no-address-no-name
  (let [r (apply started zone plain)]
    (is (= {["ns.vanya" :none] []} (told r 0)))
    (is (= ["web"] (map :name/label (river/names r))) "though it is known")
    (let [r (:river (world/after r (addr 5 2 "10.0.0.9" 24)))]
      (is (= [] (get (told r 2) ["web.vanya" :none])) "NODATA for the foreign")
      (is (= [] (get (told r 1) ["web.vanya" :none])))
      (is (= ["10.0.0.9"] (get (told r 0) ["web.vanya" :a]))))))

(deftest one-change
  (let [r (apply started zone (concat plain [(addr 5 2 "10.0.0.9" 24)]))
        {:keys [changes serial river askers notes]} (world/after r (addr 5 2 "192.0.2.9" 24))
        soa (fn [apex] {:rr/name apex :rr/type :soa :rr/ttl 60 :rr/until-ms nil
                        :rr/data [["ns.vanya" "hostmaster.vanya" 1000001 600 120 86400 10]]})
        rr  (fn [n t & data] {:rr/name n :rr/type t :rr/ttl 60 :rr/until-ms nil :rr/data (vec data)})]
    (is (= 1000001 serial))
    (is (= {0 {:put #{(rr "web.wan.vanya" :a "192.0.2.9") (rr "9.2.0.192.in-addr.arpa" :ptr "web.wan.vanya")
                      (rr "2.0.192.in-addr.arpa" :ns "ns.vanya") (soa "2.0.192.in-addr.arpa") (soa "vanya")} :gone #{}}
            1 {:put #{(rr "web.vanya" :a "192.0.2.9") (rr "web.wan.vanya" :a "192.0.2.9") (rr "9.2.0.192.in-addr.arpa" :ptr "web.vanya")
                      (rr "2.0.192.in-addr.arpa" :ns "ns.vanya") (soa "2.0.192.in-addr.arpa") (soa "vanya")} :gone #{["web.vanya" :none]}}
            2 {:put #{(rr "web.vanya" :a "192.0.2.9") (rr "web.wan.vanya" :a "192.0.2.9") (rr "9.2.0.192.in-addr.arpa" :ptr "web.vanya")
                      (rr "2.0.192.in-addr.arpa" :ns "ns.vanya") (soa "2.0.192.in-addr.arpa") (soa "vanya")} :gone #{["web.vanya" :none]}}}
           (update-vals changes #(update-vals % set))))
    (is (some #{["192.0.2.0/24" 1]} askers))
    (is (= [] notes))
    (testing "back again"
      (let [{:keys [changes askers]} (world/after river (addr-gone 5 2 "192.0.2.9"))]
        (is (= #{["web.wan.vanya" :a] ["9.2.0.192.in-addr.arpa" :ptr] ["2.0.192.in-addr.arpa" :ns] ["2.0.192.in-addr.arpa" :soa]}
               (set (get-in changes [0 :gone]))) "the zone has ended, too")
        (is (= ["vanya"] (map :rr/name (get-in changes [0 :put]))) "with a new SOA")
        (is (not-any? #{["192.0.2.0/24" 1]} askers))))
    (testing "only the zones that differ have a new serial"
      (let [{:keys [river]} (world/after river (addr 5 2 "fe80::9" 64))
            serials (fn [v] (into {} (for [rr (river/records river v) :when (= :soa (:rr/type rr))]
                                       [(:rr/name rr) (get-in rr [:rr/data 0 2])])))]
        (is (= {"vanya" 1000001 "2.0.192.in-addr.arpa" 1000001 "0.0.10.in-addr.arpa" 1000000 "local" 1000002
                "0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa" 1000002} (serials 0) (serials 1)))
        (is (= {"vanya" 1000001 "2.0.192.in-addr.arpa" 1000001} (serials 2)))))))

(deftest nothing-new
  (let [r (apply started zone (concat plain [(addr 5 2 "10.0.0.9" 24)]))]
    (doseq [event [(addr 5 2 "10.0.0.9" 24) {:event/type :never/heard} {:event/type :event/overflow}
                   (link 5 2 :link/name "other" :link/alias "web") (addr 5 2 "10.0.0.10" 24 :addr/flags #{:tentative})
                   (addr-gone 5 2 "10.0.0.10") (addr 9 9 "10.0.0.11" 24) {:event/type :ns/new :ns/id 8}
                   (apply snapshot (concat plain [(addr 5 2 "10.0.0.9" 24)]))]]
      (is (= {:changes {} :askers nil :serial 1000000 :notes []} (dissoc (world/after r event) :river :s :notes-so-far))))))

(deftest lives-of-addresses
  (let [r  (apply started zone plain)
        at #(select-keys (first (filter (fn [rr] (= ["web.wan.vanya" :a] ((juxt :rr/name :rr/type) rr))) (river/records % 2)))
                         [:rr/ttl :rr/until-ms :rr/data])
        valid #(addr 5 2 "192.0.2.9" 24 :addr/valid-s %)]
    (is (= {:rr/ttl 60 :rr/until-ms 3601000 :rr/data ["192.0.2.9"]} (at (:river (world/after r (valid 3600))))))
    (is (= {:rr/ttl 30 :rr/until-ms 31000 :rr/data ["192.0.2.9"]} (at (:river (world/after r (valid 30))))))
    (is (= {:rr/ttl 1 :rr/until-ms 1000 :rr/data ["192.0.2.9"]} (at (:river (world/after r (valid 0))))))
    (is (= {:rr/ttl 60 :rr/until-ms nil :rr/data ["192.0.2.9"]} (at (:river (world/after r (valid nil))))))
    (is (= {:rr/ttl 20 :rr/until-ms 22000 :rr/data ["192.0.2.8" "192.0.2.9"]}
           (at (:river (world/after r (valid 3600) (addr 5 2 "192.0.2.8" 24 :addr/valid-s 20)))))
        "the first that ends")
    (testing "a life that is renewed is told, but is no change of the zone"
      (let [{:keys [changes serial]} (world/after (:river (world/after r (valid 3600))) (addr 5 2 "192.0.2.9" 24 :addr/valid-s 7200))]
        (is (= 1000001 serial))
        (is (= #{["web.vanya" :a] ["web.wan.vanya" :a] ["9.2.0.192.in-addr.arpa" :ptr]}
               (set (map (juxt :rr/name :rr/type) (get-in changes [2 :put])))))
        (is (= #{7201000} (set (map :rr/until-ms (get-in changes [2 :put])))))))))

(deftest flags-decide
  (let [r (apply started zone plain)
        web? (fn [& flags] (contains? (told (:river (world/after r (addr 5 2 "2001:db8::9" 64 :addr/flags (set flags)))) 2) ["web.vanya" :aaaa]))]
    (is (web?))
    (is (web? :permanent))
    (are [flag] (not (web? flag)) :tentative :dadfailed :deprecated :temporary)))

(deftest a-network-that-was-left
  (let [ra  (fn [ip at] (addr 5 2 ip 64 :addr/proto 2 :addr/updated-ms at))
        r   (apply started zone (concat plain [(ra "2001:db8::9" 0) (addr 5 2 "2001:db8:1::9" 64)]))
        has #(get (told % 2) ["web.wan.vanya" :aaaa])
        lost (:river (world/after r (link 5 2 :link/alias "web" :link/running? false)))]
    (is (= ["2001:db8:1::9" "2001:db8::9"] (has r)))
    (is (= ["2001:db8:1::9"] (has lost)) "what the router told counts no longer, what somebody set does")
    (is (= ["2001:db8:1::9" "2001:db8::9"] (has (:river (world/after lost (link 5 2 :link/alias "web"))))) "until there is a carrier again,")
    (is (= ["2001:db8:1::9" "2001:db8:5::9"] (has (:river (world/after lost (link 5 2 :link/alias "web") (ra "2001:db8:5::9" 5000)))))
        "and for good once a router tells of another network")
    (is (= ["2001:db8:1::9" "2001:db8::9"] (has (:river (world/after lost (link 5 2 :link/alias "web") (ra "2001:db8::9" 5000)))))
        "unless it is told anew")
    (is (= ["2001:db8:1::9"]
           (has (:river (world/after r {:event/type :router/new :ns/id 5 :link/index 2 :router/ip "fe80::1"}
                                     {:event/type :router/gone :ns/id 5 :link/index 2 :router/ip "fe80::1"})))))))

(deftest ends
  (let [r (apply started zone (concat plain [(addr 5 2 "10.0.0.9" 24) (trusted 6) (aliased 6 2 "web") (addr 6 2 "10.0.0.10" 24)]))]
    (is (= {["web.vanya" :a] ["10.0.0.9"] ["web-2.vanya" :a] ["10.0.0.10"]}
           (select-keys (told r 0) [["web.vanya" :a] ["web-2.vanya" :a]])))
    (let [{:keys [river notes]} (world/after r (ns-gone 5))]
      (is (= #{["web.vanya" :a] ["web.vanya" :none] ["web.lan.vanya" :a] ["10.0.0.10.in-addr.arpa" :ptr] ["ns.vanya" :none]}
             (into #{} (mapcat #(keys (told river %))) [0 1 2])))
      (is (= ["10.0.0.10"] (get (told river 0) ["web.vanya" :a])) "the younger is the name")
      (is (= [{:level :info :name "web" :text "what was called web-2 is called web now"}] notes)))
    (is (= {["ns.vanya" :none] []} (told (:river (world/after r (ns-gone 5) (ns-gone 6))) 0)))
    (is (= #{"vanya" "local"} (set (map :rr/name (filter #(= :soa (:rr/type %)) (river/records (:river (world/after r (ns-gone 5) (link-gone 6 2))) 0))))))))

(deftest what-is-told-once
  (let [r (started zone (trusted 5) (trusted 6))
        notes #(:notes (world/after %1 %2))
        after #(:river (apply world/after %&))]
    (is (= [{:level :warning :name nil :text "the alias \"ns\" of eth0 in namespace 5 is no name: a nameserver of the zone is called so"}]
           (notes r (aliased 5 2 "ns"))))
    (is (= [] (notes (after r (aliased 5 2 "ns")) (link 5 2 :link/alias "ns" :link/running? false))) "not again")
    (is (= [{:level :info :name "my-web" :text "the alias \"My Web\" of eth0 in namespace 5 is no name as it stands: it is called my-web"}]
           (notes r (aliased 5 2 "My Web"))))
    (is (= [] (notes r (aliased 5 2 "web"))))
    (is (= [{:level :warning :name "web-2" :text "another namespace is called web already: what namespace 6 has is called web-2"}]
           (notes (after r (aliased 5 2 "web")) (aliased 6 2 "web"))))
    (is (= [] (notes (after r (aliased 5 2 "web") (aliased 6 2 "web")) (addr 6 2 "10.0.0.1" 24))))))

(defn- leased
  "Namespace `nsid` of another user, with a link that ontapd gave out as `name`."
  [nsid name ip]
  [(foreign nsid) (link nsid 2) {:event/type :lease/names :lease/names {[nsid 2] name}} (addr nsid 2 ip 24)])

(deftest what-another-user-may-not
  (let [owners (fn [r] (into {} (map (juxt :name/label :ns/id)) (river/names r)))]
    (testing "take the name of a service of ours while it restarts"
      (let [r  (apply started zone (concat plain [(addr 5 2 "10.0.0.1" 24)] (leased 6 "web" "10.0.0.66")))
            r' (:river (world/after r (ns-gone 5)))]
        (is (= {"web" 5, "web-2" 6} (owners r)))
        (is (= {"web" 6} (owners r')) "while nobody else has it")
        (is (= {"web" 7, "web-2" 6}
               (owners (:river (world/after r' (trusted 7) (aliased 7 2 "web") (addr 7 2 "10.0.0.1" 24))))))))
    (testing "join what the configuration declares"
      (let [declared (assoc zone :zone/records [{:rr/name "mail.vanya" :rr/type :a :rr/ttl 60 :rr/data ["203.0.113.5"]}]
                            :zone/srv {"shop" {"_http._tcp" (world/offer 80)}})]
        (doseq [name ["mail" "shop" "wpad"]]
          (is (= {} (owners (apply started declared (leased 6 name "10.0.0.66")))) name)
          (is (= {name 5} (owners (started declared (trusted 5) (aliased 5 2 name) (addr 5 2 "10.0.0.1" 24)))) name))))
    (testing "have more addresses than anybody can use"
      (let [many (map #(addr 6 2 (str "10.1." (quot % 200) "." (inc (rem % 200))) 16) (range 1000))
            r    (apply started zone (concat (leased 6 "mine" "10.0.0.66") many))]
        (is (= 16 (count (:name/addresses (first (river/names r))))))
        (is (= 17 (count (:name/addresses (first (river/names (:river (world/after r (addr 6 2 "2001:db8::6" 64)))))))) "of each family")))))

(deftest a-wildcard-covers-no-lan
  (let [r (started (assoc zone :zone/records [{:rr/name "*.vanya" :rr/type :a :rr/ttl 60 :rr/data ["203.0.113.9"]}]))]
    (is (= [] (get (told r 2) ["lan.vanya" :none])) "for the foreign lan.vanya exists, so that nothing below it is covered")
    (is (nil? (get (told r 0) ["lan.vanya" :none])))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.records-test
  "What the configuration and the nameservers put into the zones, for whom, and how parts about one owner become one."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.published :as published]
            [ontap.model.records :as records]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world :refer [addr aliased link ns-gone snapshot told trusted zone]]))

(defn- started [zone & events]
  (:river (river/step (river/river zone nil) [(apply snapshot events)] (world/at 0))))

(defn- extra [name type & data] {:rr/name name :rr/type type :rr/ttl 300 :rr/data (vec data)})

(defn- without [m & ks] (apply dissoc m ["ns.vanya" :none] ks))

(deftest extra-records
  (let [zone (assoc zone :zone/records [(extra "vanya" :mx [10 "mail.vanya"] [5 "mx.example.org"])
                                        (extra "vanya" :txt ["v=spf1 -all"])
                                        (extra "www.vanya" :cname "web.vanya")
                                        (extra "old.vanya" :a "10.0.0.9" "192.0.2.9")
                                        (extra "nas.vanya" :aaaa "fd00::9")
                                        (extra "both.vanya" :aaaa "fd00::9")
                                        (extra "both.vanya" :txt ["x"])
                                        (extra "printer.lan.vanya" :a "192.0.2.77")
                                        (extra "*.dyn.vanya" :a "192.0.2.1")
                                        (extra "_sip._udp.vanya" :srv [0 0 5060 "pbx.vanya"])])
        always {["vanya" :mx] [[5 "mx.example.org"] [10 "mail.vanya"]], ["vanya" :txt] [["v=spf1 -all"]]
                ["www.vanya" :cname] ["web.vanya"], ["*.dyn.vanya" :a] ["192.0.2.1"]
                ["_sip._udp.vanya" :srv] [[0 0 5060 "pbx.vanya"]], ["both.vanya" :txt] [["x"]]}
        near   (assoc always
                      ["old.vanya" :a] ["10.0.0.9" "192.0.2.9"], ["nas.vanya" :aaaa] ["fd00::9"]
                      ["both.vanya" :aaaa] ["fd00::9"], ["printer.lan.vanya" :a] ["192.0.2.77"])
        r      (started zone)]
    (is (= near (without (told r 0))))
    (is (= near (without (told r 1))))
    (is (= (assoc always ["old.vanya" :a] ["192.0.2.9"], ["nas.vanya" :none] []) (without (told r 2)))
        "no private address, nothing below lan.vanya; nas.vanya exists")
    (is (= #{300} (set (map :rr/ttl (filter #(= "old.vanya" (:rr/name %)) (river/records r 2))))))))

(deftest a-name-that-is-configured-too
  (let [r (started (assoc zone :zone/records [(extra "web.vanya" :a "192.0.2.9") (extra "web.vanya" :txt ["x"])])
                   (trusted 5) (aliased 5 2 "web") (addr 5 2 "192.0.2.5" 24 :addr/valid-s 30) (addr 5 2 "10.0.0.5" 24))]
    (is (= [["10.0.0.5" "192.0.2.9"] [["x"]]] (map (told r 0) [["web.vanya" :a] ["web.vanya" :txt]])))
    (is (= [["192.0.2.5" "192.0.2.9"] [["x"]]] (map (told r 2) [["web.vanya" :a] ["web.vanya" :txt]])))
    (is (= [30 30000] (map (first (filter #(= ["web.vanya" :a] ((juxt :rr/name :rr/type) %)) (river/records r 2)))
                           [:rr/ttl :rr/until-ms]))
        "the shorter life")))

(def ^:private srv
  {"web"  {"_http._tcp" (world/offer 80 :srv/txt ["path=/"] :srv/subtypes ["_printer"] :srv/instance "Anna's wiki: ü.") "_quic._udp" (world/offer 443)}
   "mail" {"_imap._tcp" (world/offer 143)}})

(deftest services
  (let [zone (assoc zone :zone/srv srv)
        said (fn [r v] (into {} (filter #(re-find #"_tcp|_udp" (first (key %)))) (told r v)))
        r    (started zone (trusted 5) (aliased 5 2 "web") (addr 5 2 "10.0.0.5" 24))
        wiki "anna\\039s\\032wiki\\058\\032\\195\\188\\046._http._tcp.vanya"
        Wiki "Anna\\039s\\032wiki\\058\\032\\195\\188\\046._http._tcp.vanya"]
    (is (= {["_http._tcp.web.vanya" :srv] [[0 0 80 "web.vanya"]] ["_quic._udp.web.vanya" :srv] [[0 0 443 "web.vanya"]]
            [wiki :srv] [[0 0 80 "web.vanya"]], [wiki :txt] [["path=/"]]
            ["web._quic._udp.vanya" :srv] [[0 0 443 "web.vanya"]], ["web._quic._udp.vanya" :txt] [[""]]
            ["_http._tcp.vanya" :ptr] [Wiki], ["_printer._sub._http._tcp.vanya" :ptr] [Wiki]
            ["_quic._udp.vanya" :ptr] ["web._quic._udp.vanya"]
            ["_services._dns-sd._udp.vanya" :ptr] ["_http._tcp.vanya" "_quic._udp.vanya"]
            ["b._dns-sd._udp.vanya" :ptr] ["vanya"], ["lb._dns-sd._udp.vanya" :ptr] ["vanya"]}
           (said r 0)))
    (is (= {} (said r 1) (said r 2)) "none where the name has no addresses")
    (let [r' (:river (world/after r (addr 5 2 "2001:db8::5" 64)))]
      (is (= (said r 0) (said r' 2)))
      (is (= {} (said (:river (world/after r' (ns-gone 5))) 2))))))

(deftest services-of-one-type
  (let [zone (assoc zone :zone/srv {"a" {"_http._tcp" (world/offer 1 :srv/instance "Wiki")} "b" {"_http._tcp" (world/offer 2 :srv/instance "wiki")}
                                    "c" {"_http._tcp" (world/offer 3)} "d" {"_http._tcp" (world/offer 4 :srv/instance "C") "_x._tcp" (world/offer 5)}})
        r    (started zone (trusted 5) (aliased 5 2 "a") (addr 5 2 "192.0.2.1" 24) (aliased 5 3 "b") (addr 5 3 "192.0.2.2" 24)
                      (aliased 5 4 "c") (addr 5 4 "192.0.2.3" 24) (aliased 5 5 "d") (addr 5 5 "192.0.2.4" 24))
        m    (told r 2)]
    (is (= ["C\\032\\0402\\041._http._tcp.vanya" "Wiki._http._tcp.vanya" "c._http._tcp.vanya" "wiki\\032\\0402\\041._http._tcp.vanya"]
           (m ["_http._tcp.vanya" :ptr])))
    (is (= [[[0 0 1 "a.vanya"]] [[0 0 2 "b.vanya"]] [[0 0 3 "c.vanya"]] [[0 0 4 "d.vanya"]]]
           (map #(m [(str % "._http._tcp.vanya") :srv]) ["wiki" "wiki\\032\\0402\\041" "c" "c\\032\\0402\\041"])))
    (is (= ["_http._tcp.vanya" "_x._tcp.vanya"] (m ["_services._dns-sd._udp.vanya" :ptr])))
    (is (= ["vanya"] (m ["b._dns-sd._udp.vanya" :ptr])))
    (is (= [["C\\032\\0402\\041._http._tcp.vanya" "c._http._tcp.vanya" "wiki\\032\\0402\\041._http._tcp.vanya"] ["vanya"]]
           (map (told (:river (world/after r (world/link-gone 5 2))) 2) [["_http._tcp.vanya" :ptr] ["b._dns-sd._udp.vanya" :ptr]]))
        "Who goes takes nobody's name along, and gives nobody another.")))

(deftest nameservers
  (let [zone (assoc zone :zone/ns [{:ns/host "ns.vanya" :ns/addresses :own}
                                   {:ns/host "ns2.vanya" :ns/addresses ["192.0.2.53" "10.0.0.53" "fd00::53" "127.0.0.1"]}
                                   {:ns/host "ns.example.org" :ns/addresses []}])
        r    (started zone (link nil 2) (addr nil 2 "192.168.1.1" 24) (addr nil 2 "192.0.2.1" 24) (addr nil 2 "fd00::1" 64)
                      (addr nil 2 "fe80::1" 64) (addr nil 2 "2001:db8::1" 64 :addr/flags #{:tentative})
                      (link nil 3) (addr nil 3 "192.168.7.1" 24) (trusted 5) (aliased 5 2 nil) (addr 5 2 "10.0.0.5" 24))
        glue (fn [v] (into {} (remove #(= :ptr (second (key %)))) (told r v)))]
    (is (= {["ns.vanya" :a] ["192.168.1.1" "192.168.7.1"] ["ns.vanya" :aaaa] ["fd00::1"]
            ["ns2.vanya" :a] ["10.0.0.53" "127.0.0.1"] ["ns2.vanya" :aaaa] ["fd00::53"]} (glue 0)))
    (is (= {["ns.vanya" :a] ["192.0.2.1"] ["ns.vanya" :aaaa] ["fd00::1"]
            ["ns2.vanya" :a] ["192.0.2.53"] ["ns2.vanya" :aaaa] ["fd00::53"]} (glue 1)) "on-link: those of the LAN where there is no global one")
    (is (= {["ns.vanya" :a] ["192.0.2.1"] ["ns2.vanya" :a] ["192.0.2.53"]} (glue 2)))
    (is (= #{["ns.example.org" "ns.vanya" "ns2.vanya"]}
           (set (for [v [0 1 2], rr (river/records r v) :when (= :ns (:rr/type rr))] (:rr/data rr)))))
    (is (= "ns.vanya" (ffirst (:rr/data (first (filter #(= :soa (:rr/type %)) (river/records r 2)))))) "the first is the primary")
    (is (= ["2001:db8::1"] (get (told (:river (world/after r (addr nil 2 "2001:db8::1" 64))) 2) ["ns.vanya" :aaaa])) "its addresses follow")))

(deftest one-address-of-two
  (let [r (started zone (trusted 5) (trusted 6) (aliased 5 2 "web") (addr 5 2 "10.0.0.5" 24) (aliased 6 2 "mail") (addr 6 2 "10.0.0.5" 24))
        ptr ["5.0.0.10.in-addr.arpa" :ptr]]
    (is (= ["mail.vanya" "web.vanya"] (get (told r 0) ptr)))
    (is (= ["mail.lan.vanya" "web.lan.vanya"] (get (told r 1) ptr)))
    (is (= ["web.vanya"] (get (told (:river (world/after r (world/ns-gone 6))) 0) ptr)))
    (is (nil? (get (told (:river (world/after r (world/ns-gone 6) (world/ns-gone 5))) 0) ptr)))))

(deftest joining
  (let [rr (fn [type ttl until & data] {:rr/name "x" :rr/type type :rr/ttl ttl :rr/data (vec data) :rr/until-ms until})]
    (are [parts node] (= node (records/joined parts))
      [{:a (rr :a 60 nil "b")}]                              {:a (rr :a 60 nil "b")}
      [{:a (rr :a 60 nil "b")} {:a (rr :a 30 5 "a")}]        {:a (rr :a 30 5 "a" "b")}
      [{:a (rr :a 60 7 "b")} {:a (rr :a 90 9 "b")}]          {:a (rr :a 60 7 "b")}
      [{:a (rr :a 60 7 "b")} {:none (rr :none 60 nil)}]      {:a (rr :a 60 7 "b")}
      [{:none (rr :none 60 nil)} {:none (rr :none 60 nil)}]  {:none (rr :none 60 nil)}
      [{:a (rr :a 60 7 "b")} {:cname (rr :cname 60 nil "y")}] {:cname (rr :cname 60 nil "y")})))

(deftest owners-and-zones
  (are [owner apex] (= apex (records/zone-of zone owner))
    "vanya" "vanya", "a.b.vanya" "vanya", "*.vanya" "vanya", "local" "local", "web.local" "local"
    "5.0.0.10.in-addr.arpa" "0.0.10.in-addr.arpa", "0.0.10.in-addr.arpa" "0.0.10.in-addr.arpa")
  (is (records/always? zone "x.vanya"))
  (is (not (records/always? zone "x.arpa")))
  (is (= :global (published/kind "192.0.2.1")) "documentation prefixes count as global"))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-dnssd-test
  "DNS-SD: RFC 6763 (lines 1 to 6 of the checklist's 4.2), as the records that a machine of multicast
  DNS announces and answers with; what a declaration may say; and the same in the unicast zone."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.offer :as offer]
            [ontap.model.river :as river]
            [ontap.model.zone-srv :as zone-srv]
            [ontap.model.zone-world :as world]))

(set! *warn-on-reflection* true)

(def ^:private ips ["10.0.0.5" "fd00::5"])
(def ^:private a-facts #{["web.local" :a "10.0.0.5"] ["web.local" :aaaa "fd00::5"]})

(defn- settled [& services] (peer/settled 5 (apply peer/host "web" ips services)))

(defn- answer [w & question]
  (let [sent (peer/after w (peer/later (peer/hear w (peer/query [question])) 1000))]
    (is (= [] (rules/faults sent)))
    sent))

(defn- one [w fact]
  (first (for [s (:sent w), r (peer/records s :answers) :when (= fact (peer/fact r))] r)))

(deftest line-1-the-records-of-a-service
  (let [w  (settled (peer/service "_http._tcp" 80 "web" :txt ["path=/"] :subtypes ["_printer" "_wiki"])
                    (peer/service "_ipp._tcp" 631 "web"))
        at (fn [fact] (select-keys (one w fact) [:mdns/ttl :mdns/flush?]))]
    (testing "SRV and TXT of the instance: unique (6763 5, 6; 6762 10)"
      (is (= {:mdns/ttl 120 :mdns/flush? true} (at ["web._http._tcp.local" :srv [80 "web.local"]])))
      (is (= {:mdns/ttl 4500 :mdns/flush? true} (at ["web._http._tcp.local" :txt ["path=/"]])))
      (is (= {:mdns/ttl 120 :mdns/flush? true} (at ["web._ipp._tcp.local" :srv [631 "web.local"]]))))
    (testing "PTR of the type, of each subtype, and of the type among the types: shared (6763 4.1, 7.1, 9)"
      (doseq [fact [["_http._tcp.local" :ptr "web._http._tcp.local"]
                    ["_ipp._tcp.local" :ptr "web._ipp._tcp.local"]
                    ["_printer._sub._http._tcp.local" :ptr "web._http._tcp.local"]
                    ["_wiki._sub._http._tcp.local" :ptr "web._http._tcp.local"]
                    ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"]
                    ["_services._dns-sd._udp.local" :ptr "_ipp._tcp.local"]]]
        (is (= {:mdns/ttl 4500 :mdns/flush? false} (at fact)) (str fact))
        (is (contains? (peer/facts (answer w (first fact) :ptr) :answers) fact) "and answered")))
    (testing "all types are told of, each once (9)"
      (is (= #{["_services._dns-sd._udp.local" :ptr "_http._tcp.local"] ["_services._dns-sd._udp.local" :ptr "_ipp._tcp.local"]}
             (peer/facts (answer w "_services._dns-sd._udp.local" :ptr) :answers))))
    (testing "a subtype is no type of its own (7.1, 9), and another subtype finds nothing"
      (is (not-any? #(re-find #"_sub" (str (nth % 2))) (peer/facts (:sent w))))
      (is (= [] (answer w "_fax._sub._http._tcp.local" :ptr)))
      (is (= [] (answer w "_http._udp.local" :ptr))))
    (testing "without services there is none of it"
      (let [bare (settled)]
        (is (not-any? #(re-find #"_tcp|_udp" (first %)) (peer/facts (:sent bare))))
        (is (= [] (answer bare "_services._dns-sd._udp.local" :ptr)))))
    (testing "two hosts offer the same type: one record of the type, one of each instance (9)"
      (let [two (peer/settled 5 (peer/host "web" ips (peer/service "_http._tcp" 80 "web")) (peer/host "api" ["10.0.0.6"] (peer/service "_http._tcp" 80 "api")))]
        (is (= #{["_http._tcp.local" :ptr "web._http._tcp.local"] ["_http._tcp.local" :ptr "api._http._tcp.local"]}
               (peer/facts (answer two "_http._tcp.local" :ptr) :answers)))
        (is (= #{["_services._dns-sd._udp.local" :ptr "_http._tcp.local"]} (peer/facts (answer two "_services._dns-sd._udp.local" :ptr) :answers)))))))

(deftest line-2-instances
  (doseq [instance ["Anna's wiki" "Dr. No's: 3.5\" disk" "back\\slash" "Küche – Etage 2" "UPPER lower" " a space "
                    (apply str (repeat 63 "x")) (apply str (repeat 31 "ü"))]
          :let [w    (settled (peer/service "_http._tcp" 80 instance))
                name (mdns-name/text (mdns-name/of-labels [instance "_http" "_tcp" "local"]))]]
    (testing instance
      (is (contains? (peer/facts (:sent w) :answers) ["_http._tcp.local" :ptr name]) "4.1.1: a single label of any UTF-8, 63 bytes at most; escaped (4.3) as text only")
      (is (= 1 (count (filter #(= name (first (peer/fact %))) (peer/records (first (answer w name :srv)) :answers)))))
      (is (= [instance "_http" "_tcp" "local"] (mdns-name/labels (:mdns/name (one w [name :srv [80 "web.local"]]))))))))

(deftest line-3-txt
  (testing "always there: a zero byte when there is nothing to say (6.1)"
    (let [w (settled (peer/service "_http._tcp" 80 "web"))]
      (is (= "\u0000" (:mdns/rdata (one w ["web._http._tcp.local" :txt [""]]))))
      (is (= #{["web._http._tcp.local" :txt [""]]} (peer/facts (answer w "web._http._tcp.local" :txt) :answers)))))
  (testing "strings with their lengths, in order (6.1, 6.3)"
    (let [strings ["txtvers=1" "path=/" "empty=" "flag" (str "k=" (apply str (repeat 253 \v)))]
          w (settled (peer/service "_http._tcp" 80 "web" :txt strings))
          data (:mdns/rdata (one w ["web._http._tcp.local" :txt strings]))]
      (is (= "\u0009txtvers=1\u0006path=/\u0006empty=\u0004flag\u00ffk=" (subs data 0 (+ 10 7 7 5 3)))))))

(deftest line-4-additionals
  (let [w    (settled (peer/service "_http._tcp" 80 "web" :txt ["path=/"] :subtypes ["_printer"]))
        srv  ["web._http._tcp.local" :srv [80 "web.local"]]
        txt  ["web._http._tcp.local" :txt ["path=/"]]
        more (fn [& q] (into #{} (remove #(= :nsec (second %))) (peer/facts (apply answer w q) :additionals)))]
    (is (= (into a-facts [srv txt]) (more "_http._tcp.local" :ptr)) "12.1: SRV, TXT, addresses")
    (is (= (into a-facts [srv txt]) (more "_printer._sub._http._tcp.local" :ptr)) "12.1")
    (is (= a-facts (more "web._http._tcp.local" :srv)) "12.2: addresses")
    (is (= #{} (more "web._http._tcp.local" :txt)) "12.3: nothing")
    (is (= a-facts (more "web._http._tcp.local" :any)) "12.2; what is in the answers is not said twice")
    (is (not-any? #(= :ptr (second %)) (more "web.local" :a)) "12.4: but addresses of the other family (6762 6.2)")))

(deftest line-5-conflicts
  (let [service (peer/service "_http._tcp" 80 "web")
        name "web._http._tcp.local"
        taken (fn [w & facts] (peer/play w (+ 6000 (long (:now w))) (apply peer/defender facts)))]
    (testing "the instance is taken: `Name (2)`; the host keeps its name (6763 D, 6762 9)"
      (doseq [w [(peer/up 5 (peer/host "web" ips service))
                 (peer/hear (settled service) (peer/response [(peer/record [name :srv [80 "other.local"]])]))]
              :let [w (taken w [name :srv [80 "other.local"]])
                    said (peer/facts (:sent w) :answers)
                    name-2 "web (2)._http._tcp.local"]]
        (is (= "web" (peer/called w "web")))
        (is (contains? said [name-2 :srv [80 "web.local"]]))
        (is (contains? said ["_http._tcp.local" :ptr name-2]))
        (is (= #{} (peer/facts (answer (peer/later w 5000) name :srv) :answers)) "The loser ceases.")
        (is (= 3 (count (peer/probing (:sent w) name-2))))
        (is (= [] (rules/faults (:sent w))))))
    (testing "and (3), and so on"
      (let [w (taken (peer/up 5 (peer/host "web" ips service)) [name :txt ["x"]] ["web (2)._http._tcp.local" :txt ["x"]])]
        (is (contains? (peer/facts (:sent w) :answers) ["_http._tcp.local" :ptr "web (3)._http._tcp.local"]))))
    (testing "an instance of 63 bytes is cut to make room, at the end of a character"
      (let [long-one (apply str (repeat 31 "ü"))
            w (taken (peer/up 5 (peer/host "web" ips (peer/service "_http._tcp" 80 long-one)))
                     [(mdns-name/text (mdns-name/of-labels [long-one "_http" "_tcp" "local"])) :txt ["x"]])
            targets (keep (fn [[n t d]] (when (and (= "_http._tcp.local" n) (= :ptr t)) d)) (peer/facts (:sent w) :answers))]
        (is (= 1 (count targets)))
        (is (re-matches #"ü+ \(2\)\._http\._tcp\.local" (str (first targets))))))
    (testing "the host is taken: it is renamed, the instance keeps its name, its SRV follows (6763 D)"
      (let [w (taken (peer/up 5 (peer/host "web" ips service)) ["web.local" :a "10.0.0.9"])
            said (peer/facts (:sent w) :answers)]
        (is (= "web-2" (peer/called w "web")))
        (is (contains? said [name :srv [80 "web-2.local"]]))
        (is (not (contains? said [name :srv [80 "web.local"]])) "never with a target that is another's")
        (is (contains? said ["_http._tcp.local" :ptr name]))))
    (testing "shared PTRs of others are no conflict (6762 6.6)"
      (let [w (settled service)]
        (is (= [] (peer/after w (peer/later (peer/hear w (peer/response [(peer/record ["_http._tcp.local" :ptr "x._http._tcp.local"])
                                                                         (peer/record ["_services._dns-sd._udp.local" :ptr "_ipp._tcp.local"])])) 5000))))))))

(deftest line-2-what-may-be-declared
  (testing "service names: 1 to 15 letters, digits and hyphens (7; RFC 6335 5.1), over TCP or else UDP"
    (is (every? zone-srv/offer? ["_http._tcp" "_ipp._udp" "_a._tcp" "_0a._tcp" "_a-b._udp" "_abcdefghijklmno._tcp"]))
    (is (not-any? zone-srv/offer? ["http._tcp" "_http" "_http._sctp" "_._tcp" "_abcdefghijklmnop._tcp" "_-a._tcp" "_a-._tcp" "_a--b._tcp"
                                   "_123._tcp" "_a_b._tcp" "_a b._tcp" "_ü._tcp" "_http._tcp.local" "" "_http._tcp "])))
  (testing "instances: any UTF-8 of 63 bytes at most, no control characters (4.1.1)"
    (is (every? zone-srv/instance-name? ["a" "Anna's wiki" "a.b" "back\\slash" "Küche" (apply str (repeat 63 "x")) (apply str (repeat 31 "ü"))]))
    (is (not-any? zone-srv/instance-name? ["" (apply str (repeat 64 "x")) (apply str (repeat 32 "ü")) "a\u0000b" "a\nb" "a\u007fb" "\u001f"])))
  (testing "`Name (2)`, (3), cut at the end of a character (D)"
    (is (= "Wiki (2)" (offer/numbered "Wiki" 2)))
    (is (= "Wiki (10)" (offer/numbered "Wiki" 10)))
    (is (= (str (apply str (repeat 29 "ü")) " (2)") (offer/numbered (apply str (repeat 31 "ü")) 2)))
    (is (= (str (apply str (repeat 59 "x")) " (2)") (offer/numbered (apply str (repeat 63 "x")) 2)))))

(deftest line-3-keys
  (testing "printable ASCII without =, compared without case; a string without a key is none (6.4)"
    (is (= ["path" "path" "path" "a b" "~"] (map zone-srv/txt-key ["path=/" "PATH=/" "path" "a b=c" "~="])))
    (is (every? nil? (map zone-srv/txt-key ["=x" "" "ü=x" "a\tb=c"]))))
  (testing "lengths (6.1, 6.2)"
    (is (= 255 zone-srv/longest-string))
    (is (= 1300 zone-srv/longest-txt))))

(deftest line-6-the-unicast-zone
  (let [zone (assoc world/zone :zone/srv {"web" {"_http._tcp" (world/offer 80 :srv/txt ["path=/"] :srv/subtypes ["_printer"] :srv/instance "Wiki")}})
        r    (fn [zone & events] (:river (river/step (river/river zone nil)
                                                            [(apply world/snapshot (world/trusted 5) (world/aliased 5 2 "web") events)] (world/at 0))))
        said (fn [r] (into {} (filter #(re-find #"_tcp|_udp" (first (key %)))) (world/told r 0)))
        up   (world/addr 5 2 "10.0.0.5" 24)]
    (testing "the same data below the domain (4, 5, 6, 7.1, 9)"
      (let [s (said (r zone up))]
        (is (= ["Wiki._http._tcp.vanya"] (s ["_http._tcp.vanya" :ptr]) (s ["_printer._sub._http._tcp.vanya" :ptr])))
        (is (= [[0 0 80 "web.vanya"]] (s ["wiki._http._tcp.vanya" :srv])))
        (is (= [["path=/"]] (s ["wiki._http._tcp.vanya" :txt])))
        (is (= ["_http._tcp.vanya"] (s ["_services._dns-sd._udp.vanya" :ptr])))
        (testing "and where to browse (11)"
          (is (= ["vanya"] (s ["b._dns-sd._udp.vanya" :ptr]) (s ["lb._dns-sd._udp.vanya" :ptr]))))
        (testing "no place to register (11): this zone takes no updates"
          (is (not-any? #(re-find #"^d?r\._dns-sd" (first %)) (keys s))))))
    (testing "nothing of it without services, or while the host has no address"
      (is (= {} (said (r world/zone up)) (said (r zone)))))))

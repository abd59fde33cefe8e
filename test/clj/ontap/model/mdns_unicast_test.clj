;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-unicast-test
  "Who is answered where: RFC 6762 sections 5.4, 5.5, 6.7 and 11 (lines 2 to 5, 23, 24 and 30 of the
  checklist)."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns-place :as mdns-place]))

(set! *warn-on-reflection* true)

(def ^:private instance "web._http._tcp.local")
(def ^:private ptr-fact ["_http._tcp.local" :ptr instance])
(def ^:private a-fact ["web.local" :a "10.0.0.5"])
(def ^:private host (peer/host "web" ["10.0.0.5" "fd00::5"] (peer/service "_http._tcp" 80 "web")))
(def ^:private settled (delay (peer/settled 5 host)))
(def ^:private asker {:ip "10.0.0.9" :port 5353})

(defn- after
  "What `w` sends within 2 s of a packet."
  [w message & opts]
  (let [end (peer/later (apply peer/hear w message opts) 2000)
        sent (peer/after w end)]
    (is (= [] (rules/faults sent)))
    sent))

(defn- fresh
  "The settled world `ms` after the fact was multicast last, by an answer."
  [[name type :as fact] ms]
  (let [w (peer/later (peer/hear @settled (peer/query [[name type]])) 1000)
        at (long (:at (last (peer/saying (peer/of (:sent w) :family :ipv4 :to :multicast) fact))))]
    (peer/until w (+ at (long ms)))))

(deftest line-2-what-is-not-heard
  (testing "OPCODE, RCODE (18.3, 18.11)"
    (doseq [[opcode rcode] [[1 0] [2 0] [4 0] [5 0] [15 0] [0 1] [0 3] [0 15]]
            opts [[] [:port 40000]]]
      (is (= [] (apply after @settled (peer/query [["web.local" :a]] :opcode opcode :rcode rcode) opts)) (str opcode " " rcode))))
  (testing "any id is fine, and is not said again by multicast (18.1)"
    (let [sent (after @settled (peer/query [["web.local" :a]] :id 4711))]
      (is (contains? (peer/facts sent :answers) a-fact))
      (is (every? #(= 0 (or (:message/id (:message %)) 0)) sent))))
  (testing "a response is no question (6)"
    (is (= [] (after @settled (peer/response [(peer/record ["x.local" :a "10.0.0.9"])] :questions [["web.local" :a]]))))
    (is (= [] (after @settled (peer/response [] :questions [["web.local" :any]])))))
  (testing "a query without a question, and an empty one"
    (is (= [] (after @settled (peer/query []))))
    (is (= [] (after @settled (peer/query [] :tc? true))))))

(deftest line-4-off-link
  (testing "a query by unicast from elsewhere: silence (5.5, 11; avahi#203)"
    (doseq [q [["web.local" :a] ["web.local" :a :qu] ["_http._tcp.local" :ptr] ["web.local" :txt]]
            ip ["192.0.2.1" "2001:db8:99::1"]
            port [5353 40000]]
      (is (= [] (after @settled (peer/query [q]) :ip ip :port port :multicast? false :on-link? false)) (str q ip port))))
  (testing "a legacy query to the group from elsewhere: nothing leaves the link (11; avahi#203)"
    (is (= [] (peer/of (after @settled (peer/query [["web.local" :a]] :id 7) :ip "192.0.2.1" :port 40000 :on-link? false) :to :unicast))))
  (testing "a probe by unicast from elsewhere"
    (is (= [] (after @settled (peer/probe [["web.local" :a "10.0.0.9"]]) :ip "192.0.2.1" :multicast? false :on-link? false))))
  (testing "to the group from elsewhere: answered, by multicast (11)"
    (let [sent (after @settled (peer/query [["web.local" :a]]) :ip "192.0.2.1" :on-link? false)]
      (is (contains? (peer/facts (peer/of sent :to :multicast) :answers) a-fact))
      (is (= [] (peer/of sent :to :unicast))))))

(deftest line-4-what-is-on-link
  (let [addr (fn [ip prefix] [ip {:addr/ip ip :addr/prefix prefix :addr/family (if (re-find #":" ip) :ipv6 :ipv4) :addr/flags #{}}])
        link (into {} [(addr "10.1.2.3" 20) (addr "192.168.7.1" 32) (addr "2001:db8:1:2::5" 64) (addr "fd00::5" 60) (addr "fe80::5" 64)])]
    (testing "IPv4: (I & M) == (P & M) for one of the addresses (11)"
      (is (every? #(mdns-place/on-link? link %) ["10.1.0.1" "10.1.15.255" "10.1.2.3" "192.168.7.1"]))
      (is (not-any? #(mdns-place/on-link? link %) ["10.1.16.1" "10.0.255.255" "192.168.7.2" "8.8.8.8" "127.0.0.1" "0.0.0.0"])))
    (testing "IPv6: an on-link prefix (11)"
      (is (every? #(mdns-place/on-link? link %) ["2001:db8:1:2:ffff::1" "fd00:0:0:f::1" "fe80::1"]))
      (is (not-any? #(mdns-place/on-link? link %) ["2001:db8:1:3::1" "fd00:0:0:10::1" "2001:db8::1" "::1" "::ffff:10.1.2.3"])))
    (is (not (mdns-place/on-link? {} "10.1.2.3")) "on a link without addresses nobody is")))

(deftest line-5-off-subnet-with-qu
  (doseq [w [@settled (fresh a-fact 5000)]]
    (let [sent (after w (peer/query [["web.local" :a :qu]]) :ip "192.0.2.1" :on-link? false)]
      (is (contains? (peer/facts (peer/of sent :to :multicast) :answers) a-fact) "11")
      (is (= [] (peer/of sent :to :unicast)) "11")))
  (testing "on the subnet the same is answered by unicast (5.4)"
    (is (= [] (peer/of (after (fresh a-fact 5000) (peer/query [["web.local" :a :qu]])) :to :multicast))))
  (testing "an off-subnet probe: by multicast, as soon as may be (11, 6)"
    (let [sent (after (fresh a-fact 5000) (peer/probe [["web.local" :a "10.0.0.9"]]) :ip "192.0.2.1" :on-link? false)]
      (is (contains? (peer/facts (peer/of sent :to :multicast) :answers) a-fact)))))

(deftest line-23-unicast-wanted
  (testing "multicast within a quarter of its TTL: by unicast, and only so (5.4)"
    (doseq [[q fact ms] [[["web.local" :a :qu] a-fact 1500] [["web.local" :a :qu] a-fact 29900]
                         [["_http._tcp.local" :ptr :qu] ptr-fact 1000000]]
            :let [sent (after (fresh fact ms) (peer/query [q]))]]
      (is (= [asker] (distinct (map :to sent))) (str q ms))
      (is (contains? (peer/facts sent :answers) fact))
      (is (= 1 (count sent)))
      (is (= (= :a (second q)) (:mdns/flush? (first (peer/records (first sent) :answers)))) "5.4: the same bits as by multicast")
      (is (= (:mdns/ttl (peer/record fact)) (:mdns/ttl (first (peer/records (first sent) :answers)))) "5.4: the same TTL")))
  (testing "even within the second in which multicast may not say it again (6)"
    (let [sent (after (fresh a-fact 100) (peer/query [["web.local" :a :qu]]))]
      (is (= [asker] (distinct (map :to sent))))
      (is (contains? (peer/facts sent :answers) a-fact))))
  (testing "longer ago: by multicast (5.4)"
    (doseq [[q fact ms] [[["web.local" :a :qu] a-fact 30100] [["web.local" :a :qu] a-fact 110000]
                         [["_http._tcp.local" :ptr :qu] ptr-fact 1130000]]
            :let [sent (after (fresh fact ms) (peer/query [q]))]]
      (is (contains? (peer/facts (peer/of sent :to :multicast) :answers) fact) (str q ms))
      (is (= [] (peer/of sent :to :unicast)) (str q ms))))
  (testing "times are those of each family (5.4, 20)"
    (let [sent (after (fresh a-fact 5000) (peer/query [["web.local" :a :qu]]) :ip "fe80::9")]
      (is (= [] (peer/of sent :to :unicast)))
      (is (= [:ipv6] (distinct (map :family sent))))))
  (testing "shared by unicast: still 20-120 ms; unique: at once (5.4, 6)"
    (let [w (fresh ptr-fact 5000)]
      (doseq [seed (range 20)
              :let [sent (after (assoc w :seed seed) (peer/query [["_http._tcp.local" :ptr :qu]]))]]
        (is (<= 20 (- (long (:at (first sent))) (long (:now w))) 120) (str "seed " seed))))
    (let [w (fresh a-fact 5000)]
      (is (= [(:now w)] (peer/times (after w (peer/query [["web.local" :a :qu]])))))))
  (testing "known answers and duplicates hold here, too (7.1)"
    (is (= [] (after (fresh a-fact 5000) (peer/query [["web.local" :a :qu]] :known [(peer/record a-fact :flush? false)])))))
  (testing "QM and QU in one query: each as it asks (5.4)"
    (let [sent (after (fresh a-fact 5000) (peer/query [["web.local" :a :qu] ["_http._tcp.local" :ptr]]))]
      (is (contains? (peer/facts (peer/of sent :to :multicast) :answers) ptr-fact))
      (is (contains? (peer/facts (peer/of sent :to :unicast) :answers) a-fact))))
  (testing "a probe is always answered by unicast, at once; by multicast as well when it was long ago (5.4)"
    (doseq [w [@settled (fresh a-fact 100) (fresh a-fact 5000)]
            ip ["10.0.0.9" "fe80::9"]
            :let [w (assoc w :seed 3)
                  sent (after w (peer/probe [["web.local" :a "10.0.0.9"]]) :ip ip)
                  direct (peer/of sent :to :unicast)]]
      (is (= [(:now w)] (peer/times direct)))
      (is (= [{:ip ip :port 5353}] (map :to direct)))
      (is (contains? (peer/facts direct :answers) a-fact) "8.1, 6: all records of the name"))
    (is (= [] (peer/of (after (fresh a-fact 5000) (peer/probe [a-fact])) :to :multicast)) "5.4: not within a quarter of its TTL"))
  (testing "a query sent to us by unicast, on-link: as with QU (5.5)"
    (let [sent (after (fresh a-fact 5000) (peer/query [["web.local" :a]]) :multicast? false)]
      (is (= [asker] (distinct (map :to sent))))
      (is (contains? (peer/facts sent :answers) a-fact))))
  (testing "a QM question to the group is never answered by unicast (6)"
    (doseq [q [["web.local" :a] ["_http._tcp.local" :ptr] ["web.local" :txt]], w [@settled (fresh a-fact 5000)]]
      (is (= [] (peer/of (after w (peer/query [q])) :to :unicast))))))

(deftest line-24-legacy
  (let [client {:ip "10.0.0.9" :port 40000}
        ask (fn [w & qs] (after w (peer/query qs :id 4711) :port 40000))]
    (doseq [[qs fact] [[[["web.local" :a]] a-fact] [[["web.local" :a :qu]] a-fact] [[["_http._tcp.local" :ptr]] ptr-fact]
                       [[[instance :srv]] [instance :srv [80 "web.local"]]] [[["WEB.Local" :a]] a-fact]
                       [[["web.local" :a] [instance :srv]] a-fact]]
            :let [sent (apply ask @settled qs)
                  {:message/keys [id questions authoritative? rcode truncated? legacy?]} (:message (first sent))]]
      (testing (str qs)
        (is (= [client] (map :to sent)) "6.7: by unicast to the address and port it came from, and only so (6)")
        (is (= 4711 id) "6.7: the id")
        (is (= (mapv #(dissoc (peer/question %) :mdns/unicast?) qs) (mapv #(dissoc % :mdns/unicast?) questions)) "6.7: the question, as asked")
        (is authoritative?)
        (is (not truncated?) "18.5")
        (is legacy? "18.14: SRV is not compressed")
        (is (= 0 (or rcode 0)))
        (is (contains? (peer/facts sent :answers) fact))
        (is (every? #(<= 1 (long (:mdns/ttl %)) 10) (peer/records (first sent))) "6.7")
        (is (not-any? :mdns/flush? (peer/records (first sent))) "6.7, 10.2")))
    (testing "asked again and again: answered each time, it is no multicast (6)"
      (let [w (reduce (fn [w _] (peer/later (peer/hear w (peer/query [["web.local" :a]] :id 1) :port 40000) 10)) @settled (range 20))]
        (is (= 20 (count (peer/after @settled (peer/later w 500)))))))
    (testing "nor does it count as one (6)"
      (let [w (peer/later (peer/hear @settled (peer/query [["web.local" :a]] :id 1) :port 40000) 10)]
        (is (contains? (peer/facts (peer/of (after w (peer/query [["web.local" :a]])) :to :multicast) :answers) a-fact))))
    (testing "what is not ours, and shared names: silence, no NXDOMAIN (6)"
      (doseq [q [["other.local" :a] ["_http._tcp.local" :a] ["_ftp._tcp.local" :ptr] ["local" :soa] ["web.local" :a 3]]]
        (is (= [] (ask @settled q)) (str q))))
    (testing "a missing type of a name of ours: never NXDOMAIN, never another type (6.1, 6.7)"
      (doseq [s (ask @settled ["web.local" :txt])]
        (is (= 0 (or (:message/rcode (:message s)) 0)))
        (is (= #{} (into #{} (remove #(= :nsec (second %))) (peer/facts [s] :answers))))))
    (testing "by unicast on-link (5.5)"
      (is (= [client] (map :to (after @settled (peer/query [["web.local" :a]] :id 4711) :port 40000 :multicast? false)))))
    (testing "not before the name is ours"
      (let [w (-> (peer/up 5 host) (peer/until-probe "web.local" 2))]
        (is (= [] (peer/of (peer/after w (peer/hear w (peer/query [["web.local" :a]] :id 1) :port 40000)) :kind :response)))))))

(deftest line-30-names
  (let [w (peer/settled 5 (peer/host "web" ["10.0.0.5"] (peer/service "_http._tcp" 80 "Wíki")))
        ask #(after w (peer/query [[% :srv]]))]
    (testing "case of ASCII only; all else as it stands (16)"
      (is (contains? (peer/facts (ask "wíki._HTTP._tcp.LOCAL") :answers) ["Wíki._http._tcp.local" :srv [80 "web.local"]]))
      (is (= [] (ask "WÍKI._http._tcp.local")))
      (is (= [] (ask "wiki._http._tcp.local")))
      (is (= [] (ask "wi\u0301ki._http._tcp.local")) "nor other ways to write it"))
    (testing "U+FEFF is a character as others (16)"
      (is (= [] (after w (peer/query [["\ufeffweb.local" :a]])))))
    (testing "answers have the case that the owner gave (RFC 4343 4.1)"
      (is (contains? (peer/facts (ask "wíki._http._tcp.local") :answers) ["Wíki._http._tcp.local" :srv [80 "web.local"]])))))

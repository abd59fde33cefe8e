;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-responding-test
  "Answers: RFC 6762 sections 6 to 6.5 (lines 16 to 20 and 25 of the checklist), asked of an established
  machine."
  (:require [clojure.set :as set]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]))

(set! *warn-on-reflection* true)

(def ^:private ips ["10.0.0.5" "2001:db8::5" "fd00::5" "fe80::5"])
(def ^:private instance "web._http._tcp.local")
(def ^:private http (peer/service "_http._tcp" 80 "web" :txt ["path=/"]))
(def ^:private settled (delay (peer/settled 5 (peer/host "web" ips http) (peer/host "four" ["10.0.0.4"]) (peer/host "six" ["fd00::6" "fe80::6"]))))
(def ^:private a-facts #{["web.local" :a "10.0.0.5"]})
(def ^:private aaaa-facts #{["web.local" :aaaa "2001:db8::5"] ["web.local" :aaaa "fd00::5"] ["web.local" :aaaa "fe80::5"]})
(def ^:private ptr-fact ["_http._tcp.local" :ptr instance])

(defn- seeded [seed] (assoc @settled :seed seed))

(defn- answers
  "The responses by which the settled machine answers `message` within 2 s: [ms-after-it sending]."
  [message & {:keys [seed w opts] :or {seed 1}}]
  (let [w   (or w (seeded seed))
        end (peer/later (apply peer/hear w message opts) 2000)]
    (is (= [] (rules/faults (peer/after w end))))
    (mapv (fn [s] [(- (long (:at s)) (long (:now w))) s]) (peer/after w end))))

(defn- delays [found] (mapv first found))
(defn- said [found] (peer/facts (map second found) :answers))
(defn- added [found] (peer/facts (map second found) :additionals))

(deftest line-16-when-it-answers
  (testing "one question, all of it unique: within 10 ms (6)"
    (doseq [q [["web.local" :a] ["web.local" :aaaa] ["WEB.local" :a] ["web.local" :any] ["four.local" :aaaa] ["web.local" :txt]
               [(peer/reverse-name "10.0.0.5") :ptr] [instance :srv] [instance :txt] [instance :any]]
            seed (range 5)
            :let [found (answers (peer/query [q]) :seed seed)]]
      (is (= 1 (count found)) (str q))
      (is (<= (long (or (first (delays found)) 999)) 10) (str q))))
  (testing "shared: a random 20-120 ms (6)"
    (let [ds (mapcat #(delays (answers (peer/query [["_http._tcp.local" :ptr]]) :seed %)) (range 200))]
      (is (= 200 (count ds)))
      (is (every? #(<= 20 (long %) 120) ds) (str (sort ds)))
      (is (and (< (long (apply min ds)) 30) (< 110 (long (apply max ds))) (< 40 (count (distinct ds)))) "uniform")))
  (testing "several questions: 20-120 ms, though all are unique (6.3)"
    (let [ds (mapcat #(delays (answers (peer/query [["web.local" :a] ["four.local" :a]]) :seed %)) (range 50))]
      (is (every? #(<= 20 (long %) 120) ds) (str (sort ds)))
      (is (= 50 (count ds)) "in one message (6.4)")
      (is (< 10 (count (distinct ds))))))
  (testing "a question of several is ours (6.3)"
    (let [found (answers (peer/query [["other.local" :a] ["web.local" :a]]))]
      (is (every? #(<= 20 (long %) 120) (delays found)))
      (is (= a-facts (said found)))))
  (testing "TC: 400-500 ms (6, 7.2)"
    (doseq [q [["_http._tcp.local" :ptr] ["web.local" :a]]]
      (let [ds (mapcat #(delays (answers (peer/query [q] :tc? true) :seed %)) (range 50))]
        (is (every? #(<= 400 (long %) 500) ds) (str q (sort ds)))
        (is (= 50 (count ds)))
        (is (< 10 (count (distinct ds)))))))
  (testing "defending a name is never delayed, not with several questions either (6.3, 8.1)"
    (let [found (answers (peer/probe [["web.local" :a "10.0.0.9"] ["four.local" :a "10.0.0.9"] ["mine.local" :a "10.0.0.9"]]))]
      (is (<= (long (first (delays found))) 10))
      (is (set/subset? (into a-facts (conj aaaa-facts ["four.local" :a "10.0.0.4"])) (said found))))))

(deftest line-16-truncated-goes-on
  (let [more (peer/query [] :known [(peer/record ["_http._tcp.local" :ptr "x._http._tcp.local"] :flush? false)] :tc? true)
        last-time (fn [seed ip]
                    (let [w (-> (seeded seed) (peer/hear (peer/query [["_http._tcp.local" :ptr]] :tc? true)) (peer/later 300)
                                (peer/hear more :ip ip) (peer/later 300) (peer/hear more :ip ip))
                          end (peer/later w 1000)]
                      (mapv #(- (long (:at %)) (long (:now w))) (peer/of (peer/after @settled end) :family :ipv4))))]
    (testing "extended while more comes from that source: 400-500 ms after the last (7.2)"
      (doseq [seed (range 20), :let [ds (last-time seed "10.0.0.9")]]
        (is (and (= 1 (count ds)) (<= 400 (long (first ds)) 500)) (str "seed " seed " " ds))))
    (testing "not by what comes from another (7.2, 15.2)"
      (doseq [seed (range 20), :let [ds (last-time seed "10.0.0.8")]]
        (is (and (= 1 (count ds)) (<= -200 (long (first ds)) -100)) (str "seed " seed " " ds))))))

(deftest line-16-aggregation
  (testing "two answers that wait go out in one message, none too early, none too late (6.4)"
    (doseq [seed (range 30)
            :let [w   (seeded seed)
                  end (-> w (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 15)
                          (peer/hear (peer/query [["_services._dns-sd._udp.local" :ptr]]) :ip "10.0.0.8") (peer/later 2000))
                  found (peer/of (peer/after w end) :kind :response)
                  at  (fn [fact] (- (long (:at (first (peer/saying found fact)))) (long (:now w))))
                  [one two] [(at ptr-fact) (at ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"])]]]
      (is (= 1 (count found)) (str "seed " seed))
      (is (<= 20 (long one) 620) (str "seed " seed))
      (is (<= 35 (long two) 635) (str "seed " seed))))
  (testing "what can be said at once does not wait for others (6)"
    (let [end (-> @settled (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 1) (peer/hear (peer/query [["four.local" :a]])))]
      (is (contains? (peer/facts (peer/after @settled end) :answers) ["four.local" :a "10.0.0.4"])))))

(deftest line-17-once-in-a-second
  (testing "a record is multicast once in a second on a family (6)"
    (let [ask #(peer/hear % (peer/query [["web.local" :a]]))
          w   (reduce (fn [w _] (peer/later (ask w) 100)) @settled (range 35))
          ts  (peer/times (peer/saying (peer/of (peer/after @settled (peer/later w 2000)) :family :ipv4) (first a-facts)))]
      (is (= [] (rules/faults (peer/after @settled (peer/later w 2000)))))
      (is (<= 4 (count ts) 5) (str "3.5 s of asking " ts))
      (is (every? #(<= 1000 (long %)) (peer/gaps ts)))))
  (testing "the additional section counts, too (6)"
    (let [w (-> @settled (peer/hear (peer/query [["web.local" :a]])) (peer/later 100) (peer/hear (peer/query [["web.local" :aaaa]])) (peer/later 3000)
                (peer/hear (peer/query [[instance :srv]])) (peer/later 200) (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 3000))]
      (is (= [] (rules/repeats (peer/after @settled w))))))
  (testing "the other family is another medium (6, 20)"
    (let [w  (-> @settled (peer/hear (peer/query [["web.local" :a]])) (peer/later 100))
          w6 (peer/hear w (peer/query [["web.local" :a]]) :ip "fe80::9")]
      (is (= [:ipv4] (distinct (map :family (peer/after @settled w)))) "The answer goes where the question came from.")
      (is (= [:ipv6] (distinct (map :family (peer/after w w6)))))))
  (testing "a second after the announcement it is answered; sooner it may wait (6)"
    (let [w (-> (peer/up 5 (peer/host "web" ["10.0.0.5"])) (peer/until-probe "web.local" 3) (peer/later 250))
          asked (peer/hear (peer/later w 400) (peer/query [["web.local" :a]]))]
      (is (= [] (rules/faults (:sent (peer/later asked 5000)))))
      (is (contains? (peer/facts (:sent w)) (first a-facts)))
      (is (= [] (peer/after w asked)))))
  (testing "against probes: 250 ms (6)"
    (let [ask #(peer/hear % (peer/probe [["web.local" :a "10.0.0.9"]] :qm? true))
          w   (reduce (fn [w _] (peer/later (ask w) 50)) @settled (range 20))
          all (peer/after @settled (peer/later w 1000))
          ts  (peer/times (peer/saying (peer/of all :family :ipv4 :to :multicast) (first a-facts)))]
      (is (= [] (rules/repeats all 250)))
      (is (= 0 (- (long (first ts)) (long (:now @settled)))) "8.1: immediately")
      (is (<= 4 (count ts) 5) (str "a second of probes " (peer/gaps ts)))))
  (testing "a probe soon after an ordinary answer: the name is defended in time (6)"
    (let [w (-> @settled (peer/hear (peer/query [["web.local" :a]])) (peer/later 100))
          end (-> w (peer/hear (peer/probe [["web.local" :a "10.0.0.9"]] :qm? true)) (peer/later 260))
          ts (peer/times (peer/saying (peer/of (peer/after w end) :family :ipv4) (first a-facts)))]
      (is (seq ts))
      (is (<= 250 (- (long (first ts)) (long (:now @settled))) 300) "250 ms after the last, not 1 s"))))

(deftest line-18-what-matches
  (are [q facts] (= facts (into #{} (remove #(= :nsec (second %))) (said (answers (peer/query [q])))))
    ["web.local" :a]        a-facts
    ["web.local" :aaaa]     aaaa-facts
    ["web.local" :any]      (into a-facts aaaa-facts)
    ["web.local" :any 255]  (into a-facts aaaa-facts)
    ["web.local" :a 255]    a-facts
    ["wEb.LOCAL" :a]        a-facts
    [instance :any]         #{[instance :srv [80 "web.local"]] [instance :txt ["path=/"]]}
    ["_http._tcp.local" :any] #{ptr-fact}
    [(peer/reverse-name "fe80::5") :any] #{[(peer/reverse-name "fe80::5") :ptr "web.local"]})
  (testing "another class, another name, a name above or below: silence (6)"
    (doseq [q [["web.local" :a 3] ["web.local" :any 3] ["other.local" :a] ["x.web.local" :a] ["local" :any] ["local" :soa] ["local" :ns]
               ["." :any] ["web.loca" :a] ["web" :a] ["web.example.com" :a] [(peer/reverse-name "10.0.0.99") :ptr] ["_ftp._tcp.local" :ptr]]]
      (is (= [] (answers (peer/query [q]))) (str q))))
  (testing "an answer has nothing but what is ours (6)"
    (let [w (-> @settled (peer/hear (peer/response [(peer/record ["_http._tcp.local" :ptr "x._http._tcp.local"])
                                                    (peer/record ["x._http._tcp.local" :srv [80 "x.local"]])]))
                (peer/later 3000))]
      (is (= #{ptr-fact} (said (answers (peer/query [["_http._tcp.local" :ptr]]) :w w))))
      (is (= [] (answers (peer/query [["x._http._tcp.local" :srv]]) :w w))))))

(deftest line-19-addresses
  (doseq [[ip family] [["10.0.0.9" :ipv4] ["fe80::9" :ipv6]]]
    (testing (str "the other family's addresses in the additional section (6.2), " family)
      (is (= aaaa-facts (added (answers (peer/query [["web.local" :a]]) :opts [:ip ip]))))
      (is (= a-facts (added (answers (peer/query [["web.local" :aaaa]]) :opts [:ip ip]))))
      (is (= #{} (into #{} (remove #(= :nsec (second %))) (added (answers (peer/query [["web.local" :any]]) :opts [:ip ip]))))))
    (testing (str "NSEC when a family is missing (6.2), " family)
      (is (= #{["four.local" :nsec #{:a}]} (added (answers (peer/query [["four.local" :a]]) :opts [:ip ip]))))
      (is (= #{["six.local" :nsec #{:aaaa}]} (added (answers (peer/query [["six.local" :aaaa]]) :opts [:ip ip])))))
    (testing "not when none is"
      (is (not-any? #{["web.local" :nsec #{:a}] ["web.local" :nsec #{:aaaa}]} (added (answers (peer/query [["web.local" :a]]) :opts [:ip ip])))))))

(deftest line-20-negative
  (doseq [[q types ttls] [[["four.local" :aaaa] #{:a} #{120}]
                          [["six.local" :a] #{:aaaa} #{120}]
                          [["web.local" :hinfo] #{:a :aaaa} #{120}]
                          [["web.local" :txt] #{:a :aaaa} #{120 4500}]
                          [["web.local" :nsec] #{:a :aaaa} #{120 4500}]
                          [["web.local" :soa] #{:a :aaaa} #{120 4500}]
                          [["web.local" :ns] #{:a :aaaa} #{120 4500}]
                          [["web.local" 65400] #{:a :aaaa} #{120 4500}]
                          [[instance :a] #{:srv :txt} #{120 4500}]
                          [[(peer/reverse-name "10.0.0.5") :txt] #{:ptr} #{120 4500}]]
          ip ["10.0.0.9" "fe80::9"]
          :let [found (answers (peer/query [q]) :opts [:ip ip])
                name  (first q)
                nsec  (first (filter #(= 47 (:mdns/type %)) (mapcat #(peer/records (second %) :answers) found)))]]
    (testing (str q)
      (is (= #{[name :nsec types]} (said found)) "6.1: MUST assert that there is none; never NXDOMAIN")
      (is (<= (long (or (first (delays found)) 999)) 10))
      (when nsec
        (let [data (:mdns/rdata nsec), own (peer/name-of name), n (count own)]
          (is (= own (subs data 0 n)) "6.1: the next name is its own")
          (is (= 0 (int (.charAt ^String data n))) "6.1: block 0")
          (is (= (- (count data) n 2) (int (.charAt ^String data (inc n)))) "6.1: the length of the bitmap")
          (is (<= 1 (int (.charAt ^String data (inc n))) 32))
          (is (not (contains? types :nsec)) "6.1: the NSEC bit is not set")
          (is (contains? ttls (:mdns/ttl nsec)) "6.1: as the missing record would have had")
          (is (:mdns/flush? nsec) "10.2: it is unique")))))
  (testing "the bitmap, byte by byte (RFC 4034 4.1.2): A is 0x40, AAAA the fourth bit of byte 3"
    (let [data (fn [q] (->> (answers (peer/query [q])) (mapcat #(peer/records (second %) :answers)) first :mdns/rdata (map int)))]
      (is (= [4 102 111 117 114 5 108 111 99 97 108 0 0 1 0x40] (data ["four.local" :aaaa])))
      (is (= [3 115 105 120 5 108 111 99 97 108 0 0 4 0 0 0 0x08] (data ["six.local" :a])))))
  (testing "of shared names and of names that are not ours nothing is denied (6, 6.1)"
    (doseq [q [["_http._tcp.local" :a] ["_services._dns-sd._udp.local" :txt] ["other.local" :aaaa] ["_ftp._tcp.local" :ptr]]]
      (is (= [] (answers (peer/query [q]))) (str q))))
  (testing "no zone transfer (12)"
    (doseq [q [["web.local" :axfr] ["local" :axfr]]]
      (is (= #{} (into #{} (remove #(= :nsec (second %))) (said (answers (peer/query [q]))))))))
  (testing "what changes is denied and no more denied at once"
    (let [w (-> @settled (peer/want (peer/host "four" ["10.0.0.4" "fe80::4"])) (peer/later 300000))]
      (is (= #{["four.local" :aaaa "fe80::4"]} (said (answers (peer/query [["four.local" :aaaa]]) :w w)))))))

(deftest line-25-whole-sets
  (testing "of a unique set all or nothing, each with the bit (10.2)"
    (doseq [q [["web.local" :a] ["web.local" :aaaa] ["web.local" :any] [instance :srv] ["_http._tcp.local" :ptr]]
            [_ s] (answers (peer/query [q]))
            :let [aaaa (filter #(= :aaaa (second %)) (peer/facts [s]))]]
      (is (contains? #{#{} aaaa-facts} (set aaaa)) (str q))
      (doseq [r (peer/records s)]
        (is (= (not= ptr-fact (peer/fact r)) (:mdns/flush? r)) (str (peer/fact r)))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-announcing-test
  "Announcing, changes, goodbyes: RFC 6762 sections 8.3, 8.4, 10 and 10.1 to 10.3 (lines 14, 15, 25, 26,
  28, 29 of the checklist)."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns-record :as mdns-record]))

(set! *warn-on-reflection* true)

(def ^:private http (peer/service "_http._tcp" 80 "web" :txt ["path=/"] :subtypes ["_printer"]))
(def ^:private instance "web._http._tcp.local")
(defn- web [ips & services] (apply peer/host "web" ips services))
(def ^:private settled (delay (peer/settled 5 (web ["10.0.0.5" "fd00::5" "fe80::5"] http))))

(defn- addresses [ips] (into #{} (map (fn [ip] ["web.local" (if (str/includes? ip ":") :aaaa :a) ip])) ips))
(defn- reverses [ips] (into #{} (map (fn [ip] [(peer/reverse-name ip) :ptr "web.local"])) ips))

(def ^:private offered
  #{[instance :srv [80 "web.local"]] [instance :txt ["path=/"]]
    ["_http._tcp.local" :ptr instance] ["_printer._sub._http._tcp.local" :ptr instance]
    ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"]})

(defn- saying-times [sendings fact]
  (peer/times (peer/saying (peer/of sendings :family :ipv4 :to :multicast) fact)))

(deftest line-14-announcements
  (doseq [seed (range 20)
          :let [w (peer/until (peer/up seed (web ["10.0.0.5" "fd00::5" "fe80::5"] http)) 600000)
                all (set/union (addresses ["10.0.0.5" "fd00::5" "fe80::5"]) (reverses ["10.0.0.5" "fd00::5" "fe80::5"]) offered)]]
    (testing (str "seed " seed)
      (is (= [] (rules/faults (:sent w))))
      (doseq [family [:ipv4 :ipv6]
              :let [told (peer/of (:sent w) :kind :response :family family)]]
        (is (= all (into #{} (remove #(= :nsec (second %))) (peer/facts told :answers))) "8.3: all of its records, in the answer section")
        (doseq [fact all
                :let [ts (peer/times (filter #(contains? (peer/facts [%] :answers) fact) told))
                      gs (peer/gaps ts)]]
          (is (<= 2 (count ts) 8) (str "8.3: two at least, eight at most " fact))
          (is (= 1000 (first gs)) (str "8.3: one second apart " fact " " ts))
          (is (every? true? (map #(<= (* 2 (long %1)) (long %2)) gs (rest gs))) (str "8.3: by a factor of two " fact " " gs)))
        (is (every? #(= :multicast (:to %)) told)))))
  (testing "no periodic announcements (8.3)"
    (let [w (peer/later @settled (* 24 3600 1000))]
      (is (= [] (peer/after @settled w)))
      (is (nil? (peer/due @settled)) "A machine that has said all waits for nothing."))))

(deftest line-25-and-29-bits-and-ttls
  (doseq [s (peer/of (:sent @settled) :kind :response), r (peer/records s)
          :let [[name type :as fact] (peer/fact r)]]
    (is (= (cond (#{:a :aaaa :srv} type) 120
                 (= :txt type) 4500
                 (= :nsec type) (:mdns/ttl r)
                 (str/ends-with? name ".arpa") 120
                 :else 4500)
           (:mdns/ttl r))
        (str "10 " fact))
    (is (= (boolean (or (#{:a :aaaa :srv :txt :nsec} type) (str/ends-with? name ".arpa"))) (:mdns/flush? r)) (str "10.2 " fact)))
  (testing "each member of a unique set is there whenever one is (10.2)"
    (doseq [s (peer/of (:sent @settled) :kind :response)
            :let [said (peer/facts [s]), aaaa #(filter (fn [[n t]] (and (= "web.local" n) (= :aaaa t))) %)]]
      (is (contains? #{0 2} (count (aaaa said)))))))

(deftest line-15-addresses-change
  (let [before @settled
        change (fn [ips] (peer/want before (web ips http)))]
    (testing "another address: the whole new set with cache-flush, at once, without probing (8.4, 10.2)"
      (let [ips  ["10.0.0.5" "fd00::5" "fd00:7::5" "fe80::5"]
            w    (change ips)
            end  (peer/later w 200000)
            sent (peer/after before end)
            soon (peer/after before (peer/later w 300))]
        (is (= [] (peer/of sent :kind :probe)) "8.4")
        (doseq [family [:ipv4 :ipv6]]
          (is (set/subset? (into #{} (filter #(= :aaaa (second %))) (addresses ips)) (peer/facts (peer/of soon :family family) :answers))))
        (is (contains? (peer/facts soon :answers) [(peer/reverse-name "fd00:7::5") :ptr "web.local"]))
        (is (= 1000 (first (peer/gaps (saying-times sent ["web.local" :aaaa "fd00:7::5"])))) "8.4: the announcing step is repeated")
        (is (= #{} (peer/goodbyes sent)) "8.4: no goodbye for a unique set that has changed")
        (is (not-any? #(contains? offered %) (peer/facts sent :answers)) "What has not changed is not announced (8.3).")
        (is (= [] (rules/faults sent)))))
    (testing "an address goes, others of its type stay: the new set flushes it (8.4); its reverse PTR is taken back (10.1)"
      (let [sent (peer/after before (peer/later (change ["10.0.0.5" "fe80::5"]) 300))]
        (is (contains? (peer/facts sent :answers) ["web.local" :aaaa "fe80::5"]))
        (is (not (contains? (peer/facts sent) ["web.local" :aaaa "fd00::5"])) "6.2: never one that is not valid")
        (is (contains? (peer/goodbyes sent) [(peer/reverse-name "fd00::5") :ptr "web.local"]))))
    (testing "the last one of its type goes (10.1)"
      (let [w    (change ["fd00::5" "fe80::5"])
            now  (peer/after before w)]
        (is (set/subset? #{["web.local" :a "10.0.0.5"] [(peer/reverse-name "10.0.0.5") :ptr "web.local"]} (peer/goodbyes now)) "in the same step")
        (is (= "web" (peer/called w "web")))
        (is (= [] (rules/faults (peer/after before (peer/later w 20000)))))))
    (testing "one for another (8.4)"
      (let [sent (peer/after before (peer/later (change ["10.0.0.77" "fd00::5" "fe80::5"]) 300))]
        (is (contains? (peer/facts sent :answers) ["web.local" :a "10.0.0.77"]))
        (is (not (contains? (peer/facts sent) ["web.local" :a "10.0.0.5"])))))
    (testing "nothing changes: nothing is said (8.3)"
      (is (= [] (peer/after before (peer/later (change ["10.0.0.5" "fd00::5" "fe80::5"]) 20000)))))))

(deftest line-15-services-change
  (let [before @settled
        ips    ["10.0.0.5" "fd00::5" "fe80::5"]
        change (fn [& services] (peer/later (peer/want before (apply web ips services)) 3000))
        sent   #(peer/after before %)]
    (testing "unique records: announced anew, no probing, no goodbye (8.4)"
      (doseq [[service fact old] [[(assoc http :service/port 81) [instance :srv [81 "web.local"]] [instance :srv [80 "web.local"]]]
                                  [(assoc http :service/txt ["path=/x"]) [instance :txt ["path=/x"]] [instance :txt ["path=/"]]]]
              :let [s (sent (change service))]]
        (is (= [] (peer/of s :kind :probe)))
        (is (<= 2 (count (saying-times s fact))))
        (is (not (contains? (peer/facts s) old)))
        (is (= #{} (peer/goodbyes s)))
        (is (= [] (rules/faults s)))))
    (testing "shared ones: a goodbye for what is no more (8.4, 10.1)"
      (let [s (sent (change (assoc http :service/subtypes ["_scanner"])))
            [gone new] [["_printer._sub._http._tcp.local" :ptr instance] ["_scanner._sub._http._tcp.local" :ptr instance]]]
        (is (contains? (peer/goodbyes s) gone))
        (is (contains? (peer/facts s :answers) new))
        (is (not (contains? (peer/facts s) gone)))
        (is (not (contains? (peer/goodbyes s) ["_http._tcp.local" :ptr instance])))))
    (testing "the service goes, the host stays (10.1)"
      (let [w (peer/want before (web ips))]
        (is (= offered (peer/goodbyes (sent w))) "all of it, in the same step")
        (is (= #{} (set/intersection offered (peer/facts (sent (peer/later w 20000)) :answers))))
        (is (not-any? #(= "web.local" (first %)) (peer/goodbyes (sent w))))))
    (testing "one of two of a type goes: the type stays (6763, 9)"
      (let [two   (peer/settled 5 (web ips http) (peer/host "api" ["10.0.0.6"] (peer/service "_http._tcp" 80 "api")))
            fewer (peer/want two (web ips http))
            gone  (peer/goodbyes (peer/after two fewer))]
        (is (contains? gone ["_http._tcp.local" :ptr "api._http._tcp.local"]))
        (is (not (contains? gone ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"])))))
    (testing "another instance: the old one is taken back, the new one probed (8.1, 8.4)"
      (let [s (sent (change (assoc http :service/instance "wiki")))]
        (is (contains? (peer/goodbyes s) ["_http._tcp.local" :ptr instance]))
        (is (= 3 (count (peer/probing s "wiki._http._tcp.local"))))
        (is (= [] (peer/probing s "web.local")))
        (is (contains? (peer/facts s :answers) ["_http._tcp.local" :ptr "wiki._http._tcp.local"]))))))

(deftest line-15-not-too-often
  (let [start (long (:now @settled))
        ip    #(str "10.0.1." %)
        w     (reduce (fn [w i] (peer/later (peer/want w (web [(ip i)])) 1500)) @settled (range 1 81))
        end   (peer/later w 120000)
        said  (keep (fn [s] (when-let [as (seq (filter (fn [[n t]] (and (= "web.local" n) (= :a t))) (peer/facts [s] :answers)))]
                              [(:at s) (set as)]))
                    (peer/of (peer/since end start) :kind :response :family :ipv4))
        updates (map first (filter (fn [[_ old new]] (not= old new)) (map (fn [[_ old] [at new]] [at old new]) said (rest said))))]
    (is (every? (fn [at] (<= (count (filter #(< (- (long at) 60000) (long %) (inc (long at))) updates)) 10)) updates)
        (str "8.4: ten times a minute " (mapv #(- (long %) start) updates)))
    (is (< 12 (count updates)) "It goes on meanwhile.")
    (is (= #{["web.local" :a (ip 80)]} (second (last said))) "The last one is told in the end.")
    (is (= "web" (peer/called end "web")))
    (testing "an answer is what is true now, whatever waits to be announced (6.2)"
      (let [asked (peer/hear w (peer/query [["web.local" :a]]) :port 40000)]
        (is (= #{["web.local" :a (ip 80)]} (into #{} (filter #(= :a (second %))) (peer/facts (peer/after w asked)))))))))

(deftest line-26-goodbyes
  (let [all (set/union (addresses ["10.0.0.5" "fd00::5" "fe80::5"]) (reverses ["10.0.0.5" "fd00::5" "fe80::5"]) offered)]
    (testing "a clean end: all of it, in the same step, on both families, then silence (10.1)"
      (let [w (peer/stop @settled)]
        (doseq [family [:ipv4 :ipv6]
                :let [sent (peer/of (peer/after @settled w) :family family)]]
          (is (= all (into #{} (remove #(= :nsec (second %))) (peer/goodbyes sent))))
          (is (= #{} (peer/facts sent)))
          (is (every? #(= :multicast (:to %)) sent)))
        (is (= [] (rules/faults (peer/after @settled w))))
        (is (nil? (peer/due w)))
        (let [end (-> w (peer/hear (peer/query [["web.local" :a]])) (peer/hear (peer/query [["web.local" :a]]) :port 40000)
                      (peer/hear (peer/response [(peer/record ["web.local" :a "10.0.0.9"])]))
                      (peer/want (web ["10.0.0.6"])) (peer/stop) (peer/later 20000))]
          (is (= [] (peer/after w end))))))
    (testing "a host goes: in the same step, and others stay"
      (let [two (peer/settled 5 (web ["10.0.0.5"]) (peer/host "api" ["10.0.0.6"]))
            w   (peer/want two (web ["10.0.0.5"]))
            end (peer/later w 20000)]
        (is (= #{["api.local" :a "10.0.0.6"] [(peer/reverse-name "10.0.0.6") :ptr "api.local"]}
               (into #{} (remove #(= :nsec (second %))) (peer/goodbyes (peer/after two w)))))
        (is (= #{} (peer/facts (peer/after two end) :answers)))
        (is (= [] (peer/of (peer/after w (peer/later (peer/hear end (peer/query [["api.local" :a]])) 1000)) :kind :response)))))
    (testing "an answer that waits does not say what has just gone"
      (let [w (-> @settled (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 5) (peer/want (web ["10.0.0.5"])))]
        (is (not (contains? (peer/facts (peer/after @settled (peer/later w 2000)) :answers) ["_http._tcp.local" :ptr instance])))))
    (testing "what was never announced is not taken back"
      (let [w (-> (peer/up 5 (web ["10.0.0.5"])) (peer/until-probe "web.local" 2))]
        (is (= #{} (peer/goodbyes (:sent (peer/later (peer/want w) 5000)))))
        (is (= [] (peer/of (:sent (peer/later (peer/want w) 5000)) :kind :response)))
        (is (= #{} (peer/goodbyes (:sent (peer/stop w)))))))
    (testing "nothing is sent where nobody can hear it"
      (is (= [] (let [w (peer/link @settled)] (peer/after w (peer/stop w))))))
    (testing "it may come back at once: probed again (8)"
      (let [w (-> @settled (peer/want) (peer/later 100) (peer/want (web ["10.0.0.5"])))
            sent (peer/after w (peer/later w 20000))]
        (is (= 3 (count (peer/probing sent "web.local"))))
        (is (<= 2 (count (saying-times sent ["web.local" :a "10.0.0.5"]))))))))

(deftest line-28-bridged-links
  (let [theirs    (peer/record ["web.local" :a "10.0.7.5"])
        elsewhere #{(mdns-record/identity-of theirs)}
        hear      #(peer/hear % (peer/response [theirs]) :ip "10.0.7.5" :elsewhere elsewhere)]
    (testing "our own announcement of another link arrives, with cache-flush: ours is announced again, at once (10.2, 14)"
      (let [w    (peer/later (hear @settled) 100)
            sent (peer/after @settled w)]
        (is (contains? (peer/facts (peer/of sent :family :ipv4 :to :multicast)) ["web.local" :a "10.0.0.5"]))
        (is (= [] (peer/of sent :kind :probe)))
        (is (= "web" (peer/called w "web")))
        (testing "not when ours went out within the last second: no ping-pong (14)"
          (is (= [] (peer/after w (peer/later (hear w) 700)))))
        (testing "it may have been about us, however, a second later"
          (is (seq (peer/after w (peer/later (hear (peer/later w 1000)) 100)))))))
    (testing "without the bit nothing has been flushed (10.2)"
      (is (= [] (peer/after @settled (peer/later (peer/hear @settled (peer/response [(assoc theirs :mdns/flush? false)]) :ip "10.0.7.5" :elsewhere elsewhere) 2000)))))
    (testing "in the middle of probing it is no conflict (14)"
      (let [w (-> (peer/up 5 (web ["10.0.0.5"])) (peer/until-probe "web.local" 2) hear (peer/later 3000))]
        (is (= "web" (peer/called w "web")))
        (is (= [] (peer/effects w :renamed)))))
    (testing "what we do not say elsewhere is somebody's, though it is from an address of ours: another program's (9, 15)"
      (doseq [opts [[:own? true] [:own? true :elsewhere #{}] [:elsewhere #{(mdns-record/identity-of (peer/record ["web.local" :a "10.0.7.6"]))}]]]
        (is (= :probing (:host/state (peer/state-of (apply peer/hear @settled (peer/response [theirs]) :ip "10.0.7.5" opts) "web"))))))))

(deftest line-17-announcing-after-a-second-probing
  (doseq [[why again] {"asleep"                        peer/again
                       "a family comes back"           #(-> % (peer/link :ipv4) (peer/link :ipv4 :ipv6))
                       "the link comes back"           #(-> % (peer/link) (peer/link :ipv4 :ipv6))
                       "a conflict of the host"        #(peer/hear % (peer/response [(peer/record ["web.local" :a "10.0.0.9"])]))
                       "a conflict of the instance"    #(peer/hear % (peer/response [(peer/record [instance :srv [80 "x.local"]])]))}
          seed (range 6)
          :let [w (-> (peer/settled seed (web ["10.0.0.5"] http)) (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 121)
                      (peer/hear (peer/query [["web.local" :a]])) again)]]
    (is (= [] (rules/repeats (:sent (peer/later w 4000)))) (str "6: " why ", seed " seed)))
  (testing "two changes within a second: what has not changed is not said again (6)"
    (let [w (-> @settled (peer/want (web ["10.0.0.5" "fd00::6"])) (peer/later 200) (peer/want (web ["10.0.0.6" "fd00::6"])) (peer/later 3000))]
      (is (= [] (rules/repeats (peer/after @settled w)))))))

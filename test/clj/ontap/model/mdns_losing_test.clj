;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-losing-test
  "Conflicts: RFC 6762 section 9 (lines 11 and 27 of the checklist), with a peer that has the name,
  takes it, or gives it back."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns :as mdns]))

(set! *warn-on-reflection* true)

(def ^:private web (peer/host "web" ["10.0.0.5" "fd00::5"]))
(def ^:private theirs ["web.local" :a "10.0.0.9"])
(def ^:private settled (delay (peer/settled 5 web)))

(defn- taken
  "The world 5 s after somebody answered our probes with `fact`."
  [w & facts]
  (peer/play w (+ 5000 (long (:now w))) (apply peer/defender (or facts [theirs]))))

(deftest line-27-a-conflict-later-on
  (testing "any response with other data: back to probing, at once (9)"
    (doseq [message [(peer/response [(peer/record theirs)])
                     (peer/response [(peer/record theirs :flush? false)])
                     (peer/response [(peer/record ["WEB.local" :aaaa "fd00::9"])])
                     (peer/response [(peer/record ["web.local" :a "10.0.0.5"]) (peer/record theirs)])
                     (peer/response [(peer/record ["other.local" :a "10.0.0.9"])] :more [(peer/record theirs)])]
            opts    [[] [:ip "fe80::9"] [:multicast? false]]
            :let [before @settled
                  w      (apply peer/hear before message opts)
                  alone  (peer/later w 3000)
                  probes (peer/probing (peer/after before alone) "web.local")]]
      (is (= :probing (:host/state (peer/state-of w "web"))))
      (is (= 3 (count probes)))
      (is (= [250 250] (peer/gaps (peer/times probes))) "8.1")
      (is (<= 0 (- (long (:at (first probes))) (long (:now before))) 250) "immediately (9), after 0-250 ms (8.1)")
      (testing "nobody defends it: it stays ours, and is announced (8.3, 9)"
        (is (= "web" (peer/called alone "web")))
        (is (= [] (peer/effects alone :renamed)))
        (is (= {} (mdns/saved (:state alone))))
        (is (<= 2 (count (peer/saying (peer/of (peer/after before alone) :family :ipv4) ["web.local" :a "10.0.0.5"]))))
        (is (= [] (rules/faults (peer/after before alone)))))
      (testing "it is defended: the loser renames (9)"
        (let [lost (taken w)]
          (is (= "web-2" (peer/called lost "web")))
          (is (= [{:effect/type :renamed :host/label "web" :host/name "web-2" :host/by "10.0.0.9"}]
                 (mapv second (peer/effects lost :renamed))) "9, 4: told to the operator")
          (is (= {"web" "web-2"} (mdns/saved (:state lost))) "9, 3: kept")
          (is (= [] (rules/faults (peer/after before lost))))))))
  (testing "what is none"
    (doseq [[why message opts]
            [["identical data (9)"              (peer/response [(peer/record ["web.local" :a "10.0.0.5"])]) []]
             ["from a port that is not 5353 (6)" (peer/response [(peer/record theirs)]) [:port 5354]]
             ["OPCODE (18.3)"                   (peer/response [(peer/record theirs)] :opcode 4) []]
             ["RCODE (18.11)"                   (peer/response [(peer/record theirs)] :rcode 3) []]
             ["off-link by unicast (11)"        (peer/response [(peer/record theirs)]) [:ip "192.0.2.9" :multicast? false :on-link? false]]
             ["a known answer (7.1)"            (peer/query [["x.local" :a]] :known [(peer/record theirs :flush? false)]) []]
             ["another class"                   (peer/response [(peer/record theirs :class 3)]) []]
             ["somebody's probe (8.2)"          (peer/probe [theirs]) []]]
            :let [w (-> @settled (as-> w (apply peer/hear w message opts)) (peer/later 4000))]]
      (is (= [] (peer/probing (peer/after @settled w) "web.local")) why)
      (is (= "web" (peer/called w "web")) why)))
  (testing "a multicast from an off-subnet source counts as on-link (11)"
    (let [w (-> @settled (peer/hear (peer/response [(peer/record theirs)]) :ip "192.0.2.9" :on-link? false))]
      (is (= :probing (:host/state (peer/state-of w "web")))))))

(deftest line-27-the-loser-ceases
  (let [lost (taken (peer/hear @settled (peer/response [(peer/record theirs)])))
        quiet (peer/later lost 10000)
        asks (fn [name type] (peer/after quiet (peer/later (peer/hear quiet (peer/query [[name type]])) 700)))]
    (is (= [] (peer/of (asks "web.local" :a) :kind :response)) "9: MUST cease using the name; 6: no answer, no negative one")
    (is (= [] (peer/of (asks "web.local" :txt) :kind :response)))
    (is (contains? (peer/facts (asks "web-2.local" :a) :answers) ["web-2.local" :a "10.0.0.5"]))
    (is (contains? (peer/facts (asks (peer/reverse-name "10.0.0.5") :ptr) :answers) [(peer/reverse-name "10.0.0.5") :ptr "web-2.local"]))
    (is (= 3 (count (peer/probing (peer/after @settled lost) "web-2.local"))) "9, 2: the new name is probed")
    (testing "a number at the end goes up until a name is free, and names wanted here are left out (9, 1)"
      (let [w (taken (peer/up 5 web) theirs ["web-2.local" :a "10.0.0.10"])]
        (is (= "web-3" (peer/called w "web"))))
      (let [w (taken (peer/up 5 web (peer/host "web-2" ["10.0.0.7"])))]
        (is (= ["web-3" "web-2"] [(peer/called w "web") (peer/called w "web-2")]))))
    (testing "a label of 63 bytes has a next one, too"
      (let [long-label (apply str (repeat 63 \a))
            w (taken (peer/up 5 (peer/host long-label ["10.0.0.5"])) [(str long-label ".local") :a "10.0.0.9"])]
        (is (not= long-label (peer/called w long-label)))
        (is (peer/established? (peer/later w 3000) long-label))
        (is (<= (count (peer/called w long-label)) 63))))
    (testing "the chosen name is that of the next start (9, 3)"
      (let [w (-> (peer/world :saved (mdns/saved (:state lost))) (peer/link :ipv4 :ipv6) (peer/want web) (peer/later 2000))]
        (is (= "web-2" (peer/called w "web")))
        (is (= [] (peer/saying (:sent w) ["web.local" :a "10.0.0.5"])))
        (is (seq (peer/saying (:sent w) ["web-2.local" :a "10.0.0.5"])))))))

(deftest line-27-taken-back
  (let [lost (taken (peer/up 5 web))]
    (testing "the other says goodbye: its record lives for a second (10.1), then the name is probed and ours"
      (let [w   (peer/later lost 20000)
            end (-> w (peer/hear (peer/response [(peer/record theirs :ttl 0)])) (peer/later 5000))
            sent (peer/after w end)]
        (is (= "web" (peer/called end "web")))
        (is (= {} (mdns/saved (:state end))))
        (is (= {:effect/type :renamed :host/label "web" :host/name "web" :host/by nil} (second (last (peer/effects end :renamed)))))
        (is (= 3 (count (peer/probing sent "web.local"))) "8.1")
        (is (<= 1000 (- (long (:at (first (peer/probing sent "web.local")))) (long (:now w)))) "10.1")
        (is (contains? (peer/goodbyes sent) ["web-2.local" :a "10.0.0.5"]) "10.1")
        (is (contains? (peer/facts sent :answers) ["web.local" :a "10.0.0.5"]))
        (is (= [] (rules/faults sent)))))
    (testing "the other vanishes: asked for at 80-97 % of its TTL, never sooner (5.2); gone when it expires"
      (let [w    (peer/later lost 200000)
            heard (long (:at (last (peer/probing (:sent lost) "web.local"))))
            asks (distinct (peer/times (filter #(some #{"web.local"} (peer/asked %)) (peer/of (peer/after lost w) :kind :query))))]
        (is (= "web" (peer/called w "web")))
        (is (= 4 (count asks)) (str "5.2: 80, 85, 90, 95 % " (mapv #(- (long %) heard) asks)))
        (is (every? true? (map (fn [at [from to]] (<= (+ heard (long from)) (long at) (+ heard (long to))))
                               asks [[96000 98400] [102000 104400] [108000 110400] [114000 116400]]))
            (str "5.2 " (mapv #(- (long %) heard) asks)))
        (is (= [] (rules/faults (:sent w))))))
    (testing "the other stays and answers: nothing changes, for an hour (5.2)"
      (let [w (peer/play lost (+ 3600000 (long (:now lost)))
                         (fn [{:keys [kind] :as s}]
                           (when (and (not= :response kind) (some #{"web.local"} (peer/asked s)))
                             (peer/response [(peer/record theirs)]))))]
        (is (= "web-2" (peer/called w "web")))
        (is (= 1 (count (peer/effects w :renamed))))
        (is (= [] (peer/probing (peer/after lost w) "web.local")))
        (is (< (count (peer/of (peer/after lost w) :kind :query :family :ipv4)) 45) "Once in 96 s.")))))

(deftest line-11-a-storm-of-conflicts
  (doseq [seed (range 5)]
    (let [w  (peer/play (peer/up seed web) 150000
                        (fn [{:keys [kind] :as s}]
                          (when (= :probe kind)
                            (peer/response (for [n (peer/asked s)] (peer/record [n :a "10.0.0.9"]))))))
          ts (peer/times (peer/of (:sent w) :kind :probe :family :ipv4))]
      (testing (str "seed " seed)
        (is (< 15 (count ts)) "It goes on.")
        (is (< (long (last ts)) 150000 (+ 20000 (long (last ts)))) "It does not give up.")
        (doseq [i (range 15 (count ts))
                :when (<= (- (long (ts (dec (long i)))) (long (ts (- (long i) 15)))) 10000)]
          (is (<= 5000 (- (long (ts i)) (long (ts (dec (long i)))))) (str "8.1: attempt " i " of " ts)))
        (testing "once fifteen have been, each further one waits (8.1)"
          (is (every? #(<= 5000 (long %)) (peer/gaps (subvec ts 14))) (str ts)))
        (testing "a note after a minute, no sooner (9, 5)"
          (let [notes (map first (peer/effects w :note))]
            (is (seq notes))
            (is (every? #(<= 60000 (long %)) notes))
            (is (<= (long (or (first notes) 999999)) 70000))
            (is (<= (count notes) 3) "Not one for each try.")))
        (is (= [] (peer/of (:sent w) :kind :response)))))))

(deftest line-27-with-services
  (let [host (peer/host "web" ["10.0.0.5"] (peer/service "_http._tcp" 80 "web"))]
    (testing "the host is renamed: its instances point to the new name, and keep their own (9; 6763 D)"
      (let [w (taken (peer/up 5 host))
            said (peer/facts (:sent w))]
        (is (= "web-2" (peer/called w "web")))
        (is (contains? said ["web._http._tcp.local" :srv [80 "web-2.local"]]))
        (is (not (contains? (peer/facts (peer/since w 4000)) ["web._http._tcp.local" :srv [80 "web.local"]])))))))

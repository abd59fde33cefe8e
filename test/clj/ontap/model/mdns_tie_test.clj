;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-tie-test
  "Simultaneous probes: RFC 6762 sections 8.2 and 8.2.1 (line 13 of the checklist), seen from outside:
  who loses waits a second and probes again, who wins goes on as if nothing were."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(defn- contest
  "Our host web with the addresses `ours` has just sent its `n`th probe when a probe comes that proposes
  the records `theirs`, with a question of ours: {:verdict :won or :lost, :world then + 5 s}."
  [ours theirs & {:keys [n seed questions opts] :or {n 1 seed 1 questions [["web.local" :any :qu]]}}]
  (let [w     (-> (peer/up seed (peer/host "web" ours)) (peer/until-probe "web.local" n) (peer/later 20))
        heard (apply peer/hear w (peer/query questions :proposed theirs) opts)
        end   (peer/later heard 5000)
        at    (long (:now w))
        next  (peer/times (peer/probing (peer/after w end) "web.local"))]
    {:verdict (cond (= (- 3 (long n)) (count next)) :won
                    (and (= 3 (count next)) (= [250 250] (peer/gaps next)) (<= 1000 (- (long (first next)) at) 1250)) :lost
                    :else {:probes next :heard at})
     :world   end}))

(defn- records [facts] (map #(peer/record % :flush? false) facts))
(defn- a [ip] ["web.local" (if (re-find #":" ip) :aaaa :a) ip])

(deftest line-13-the-rfc's-own-example
  (doseq [n [1 2 3], seed (range 4)]
    (let [won  (contest ["169.254.200.50"] (records [(a "169.254.99.200")]) :n n :seed seed)
          lost (contest ["169.254.99.200"] (records [(a "169.254.200.50")]) :n n :seed seed)]
      (testing (str "probe " n " seed " seed)
        (is (= :won (:verdict won)) "8.2: bytes are unsigned; the later data wins")
        (is (= :lost (:verdict lost)) "8.2: waits one second, then probes again")
        (is (= ["web" "web"] [(peer/called (:world won) "web") (peer/called (:world lost) "web")])
            "8.2: a stale probe costs a second, not the name")
        (is (= [] (peer/effects (:world lost) :renamed)))
        (is (= [] (rules/faults (:sent (:world lost)))))))))

(deftest line-13-a-table
  (doseq [[why ours theirs verdict]
          [["equal sets: no conflict (8.2.1)"                ["10.0.0.5"] (records [(a "10.0.0.5")]) :won]
           ["the order of records does not count"            ["10.0.0.5" "10.0.0.6"] (records [(a "10.0.0.6") (a "10.0.0.5")]) :won]
           ["bit 15 of the class does not count (8.2)"       ["10.0.0.5"] [(peer/record (a "10.0.0.5") :flush? true)] :won]
           ["nor does the TTL"                               ["10.0.0.5"] [(peer/record (a "10.0.0.5") :flush? false :ttl 7)] :won]
           ["the greater type is later (8.2)"                ["255.0.0.5"] (records [(a "fd00::1")]) :lost]
           ["and the lesser is not"                          ["fd00::1"] (records [(a "255.0.0.5")]) :won]
           ["type counts before data"                        ["10.0.0.5"] (records [["web.local" :txt ["a"]]]) :lost]
           ["an unknown type is one, too"                    ["10.0.0.5"] (records [["web.local" 65400 ""]]) :lost]
           ["the longer list wins on equal ones (8.2.1)"     ["10.0.0.5"] (records [(a "10.0.0.5") (a "10.0.0.6")]) :lost]
           ["ours is the longer"                             ["10.0.0.5" "10.0.0.6"] (records [(a "10.0.0.5")]) :won]
           ["the first pair decides, not the length"         ["10.0.0.6"] (records [(a "10.0.0.5") (a "10.0.0.7")]) :won]
           ["and not the last pair"                          ["10.0.0.5" "10.0.0.9"] (records [(a "10.0.0.6") (a "10.0.0.7")]) :lost]
           ["data that goes on is later (8.2)"               ["10.0.0.5"] (records [["web.local" 1 "\n\u0000\u0000\u0005\u0000"]]) :lost]
           ["data that ends is earlier"                      ["10.0.0.5"] (records [["web.local" 1 "\n\u0000\u0000"]]) :won]
           ["names are compared without case (16)"           ["10.0.0.5"] (records [["WEB.LOCAL" :a "10.0.0.6"]]) :lost]
           ["records of other names are left out"            ["10.0.0.5"] (records [(a "10.0.0.4") ["zzz.local" :a "10.0.0.200"]]) :won]
           ["without a proposed record it is a question"     ["10.0.0.5"] [] :won]]]
    (is (= verdict (:verdict (contest ours theirs))) why))
  (testing "a probe for another name"
    (is (= :won (:verdict (contest ["10.0.0.5"] (records [["zzz.local" :a "10.0.0.200"]]) :questions [["zzz.local" :any :qu]])))))
  (testing "several questions: ours is among them"
    (is (= :lost (:verdict (contest ["10.0.0.5"] (records [["abc.local" :a "10.0.0.1"] (a "10.0.0.6")])
                                    :questions [["abc.local" :any :qu] ["Web.local" :any :qu]])))))
  (testing "off-link, by unicast: not heard (5.5, 11)"
    (is (= :won (:verdict (contest ["10.0.0.5"] (records [(a "10.0.0.6")])
                                   :opts [:ip "192.0.2.1" :multicast? false :on-link? false]))))))

(deftest line-13-the-loser's-second-try
  (testing "the winner is there and defends: renamed now (8.2, 9)"
    (let [w (-> (peer/up 1 (peer/host "web" ["10.0.0.5"])) (peer/until-probe "web.local" 1) (peer/later 20)
                (peer/hear (peer/query [["web.local" :any :qu]] :proposed (records [(a "10.0.0.6")]))))
          w (peer/play w (+ 5000 (long (:now w))) (peer/defender (a "10.0.0.6")))]
      (is (= "web-2" (peer/called w "web")))
      (is (= 2 (count (peer/probing (:sent w) "web.local"))) "One, and the first of the second try."))))

(defn- compare-octets [a b]
  (or (first (remove zero? (map compare a b))) (compare (count a) (count b))))

(defn- later-set?
  "Is `x`, a list of addresses as octets, later than `y`? An oracle of its own: vectors of numbers,
  [type octets] sorted, compared pairwise, then by length."
  [x y]
  (let [order (fn [ips] (vec (sort (fn [[t a] [u b]] (if (= t u) (compare-octets a b) (compare t u)))
                                   (map (fn [ip] [(if (= 4 (count ip)) 1 28) ip]) ips))))
        x (order x), y (order y)
        differing (first (remove (fn [[p q]] (= p q)) (map vector x y)))]
    (if-let [[[t a] [u b]] differing]
      (if (= t u) (pos? (long (compare-octets a b))) (< (long u) (long t)))
      (< (count y) (count x)))))

(defn- text [octets]
  (if (= 4 (count octets))
    (apply format "%d.%d.%d.%d" octets)
    (apply format "%x:%x:%x:%x:%x:%x:%x:%x" (map (fn [[h l]] (+ (* 256 (long h)) (long l))) (partition 2 octets)))))

(defn- some-address [^Random random]
  (let [n (if (.nextBoolean random) 4 16)]
    ;; few values, those about the sign among them, so that lists share beginnings
    (vec (repeatedly n #(nth [0 1 127 128 255 10] (if (< (.nextInt random 10) 8) 5 (.nextInt random 6)))))))

(deftest line-13-total-and-symmetric
  (let [seed (System/nanoTime), random (Random. seed)]
    (dotimes [i 150]
      (let [[x y] (repeatedly 2 (fn [] (vec (distinct (repeatedly (inc (.nextInt random 4)) #(some-address random))))))
            x     (if (zero? (.nextInt random 5)) (vec (distinct (concat y x))) x)
            v     (fn [ours theirs] (:verdict (contest (mapv text ours) (shuffle (records (map (comp a text) theirs))) :seed i)))
            got   [(v x y) (v y x)]
            expected (cond (= (set x) (set y)) [:won :won]
                           (later-set? x y)    [:won :lost]
                           :else               [:lost :won])]
        (is (= expected got) (str "8.2.1 seed " seed " run " i ": " (mapv text x) " and " (mapv text y)))))))

(deftest line-13-service-instances
  (testing "SRV and TXT of an instance: TXT comes first (8.2.1), names inside are written out (8.2)"
    (doseq [[theirs verdict] [[[["web._http._tcp.local" :txt ["a"]] ["web._http._tcp.local" :srv [80 "web.local"]]] :won]
                              [[["web._http._tcp.local" :txt ["a"]] ["web._http._tcp.local" :srv [81 "web.local"]]] :lost]
                              [[["web._http._tcp.local" :txt ["b"]] ["web._http._tcp.local" :srv [1 "web.local"]]] :lost]
                              [[["web._http._tcp.local" :txt [""]] ["web._http._tcp.local" :srv [99 "web.local"]]] :won]
                              [[["web._http._tcp.local" :txt ["a"]] ["web._http._tcp.local" :srv [80 "xeb.local"]]] :lost]]]
      (let [name "web._http._tcp.local"
            w    (-> (peer/up 1 (peer/host "web" ["10.0.0.5"] (peer/service "_http._tcp" 80 "web" :txt ["a"])))
                     (peer/until-probe name 1) (peer/later 20))
            end  (-> w (peer/hear (peer/query [[name :any :qu]] :proposed (records theirs))) (peer/later 5000))]
        (is (= (if (= :won verdict) 2 3) (count (peer/probing (peer/after w end) name))) (str theirs))
        (is (= "web" (peer/called end "web")))
        (is (contains? (peer/facts (:sent end) :answers) [name :srv [80 "web.local"]]) "The name is had in the end.")))))

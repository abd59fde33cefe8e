;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-probing-test
  "RFC 6762 sections 8 and 8.1, line by line of the checklist (8 to 10, 12, 33), with a scripted peer and
  a virtual clock; and what section 9 says of conflicts while probing."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]))

(set! *warn-on-reflection* true)

(def ^:private ips ["10.0.0.5" "fd00::5" "fe80::5"])
(def ^:private web (peer/host "web" ips))
(def ^:private web-facts #{["web.local" :a "10.0.0.5"] ["web.local" :aaaa "fd00::5"] ["web.local" :aaaa "fe80::5"]})
(def ^:private theirs ["web.local" :a "10.0.0.9"])

(defn- sound [w] (is (= [] (rules/faults (:sent w)))) w)

(defn- told
  "When the facts of web.local were multicast in the answers of a response by `family`."
  [sendings family]
  (peer/times (filter #(some #{"web.local"} (map first (peer/facts [%] :answers)))
                      (peer/of sendings :kind :response :to :multicast :family family))))

(defn- probed-and-told?
  "Three probes for web.local by `family`, then announcements and none before."
  [sendings family]
  (let [probes (peer/times (peer/probing sendings "web.local" :family family))
        tells  (told sendings family)]
    (is (= [250 250] (peer/gaps probes)) (str family " " probes))
    (is (<= 2 (count tells)))
    (is (= (+ 750 (long (first probes))) (first tells)) (str family " " probes " " tells))))

(deftest line-8-start-and-link-change
  (testing "nothing without a family (8)"
    (let [w (-> (peer/world) (peer/want web) (peer/later 5000))]
      (is (= [] (:sent w)))
      (is (nil? (peer/due w)) "Nothing to wait for.")))
  (testing "start: wanted first, or the link first (8)"
    (doseq [w [(-> (peer/world) (peer/want web) (peer/link :ipv4 :ipv6)) (peer/up 2 web)]
            :let [w (sound (peer/later w 20000))]
            family [:ipv4 :ipv6]]
      (probed-and-told? (:sent w) family)))
  (let [settled (peer/settled 3 web)]
    (testing "link down: silence; up: probed and announced again, at once (8)"
      (let [down (-> settled (peer/link) (peer/later 5000))
            back (-> down (peer/link :ipv4 :ipv6))
            end  (sound (peer/later back 20000))]
        (is (= [] (peer/after settled down)))
        (is (nil? (peer/due down)))
        (probed-and-told? (peer/after down end) :ipv4)
        (probed-and-told? (peer/after down end) :ipv6)
        (is (<= (- (long (first (peer/times (peer/after down end)))) (long (:now back))) 250))))
    (testing "a family that comes back is probed on; one that goes is spoken on no more (8)"
      (let [gone (-> settled (peer/link :ipv4) (peer/later 5000))
            back (-> gone (peer/link :ipv4 :ipv6) (peer/later 20000))]
        (is (= [] (peer/of (peer/after settled gone) :family :ipv6)))
        (probed-and-told? (peer/after gone back) :ipv6)
        (sound back)))
    (testing "the same link again is no change: no announcement without need (8.3)"
      (is (= [] (peer/after settled (-> settled (peer/link :ipv4 :ipv6) (peer/want web) (peer/later 20000))))))))

(deftest line-9-the-three-probes
  (let [firsts
        (doall
         (for [seed (range 100)
               :let [w      (sound (peer/later (peer/up seed web) 5000))
                     probes (peer/probing (:sent w) "web.local")
                     start  (long (:at (first probes)))]]
           (do
             (testing (str "seed " seed)
               (is (= 3 (count probes)) "8.1")
               (is (<= 0 start 250) "8.1: a random delay of 0-250 ms")
               (is (= [250 250] (peer/gaps (peer/times probes))) "8.1")
               (is (= (peer/times probes) (peer/times (peer/probing (:sent w) "web.local" :family :ipv6))))
               (is (= (+ start 750) (first (told (:sent w) :ipv4))) "8.1: 250 ms after the third"))
             start)))]
    (is (and (< (long (apply min firsts)) 40) (< 210 (long (apply max firsts))) (< 30 (count (distinct firsts))))
        (str "8.1: uniformly distributed " (sort firsts))))
  (testing "what a probe is"
    (doseq [s (peer/of (:sent (peer/later (peer/up 7 web) 5000)) :kind :probe)
            :let [{:message/keys [questions answers additionals truncated?]} (:message s)]]
      (is (= [(peer/question ["web.local" :any :qu])] questions) "8.1: name, ANY, IN, QU")
      (is (= web-facts (peer/facts [s] :authorities)) "8.2: all proposed records")
      (is (not-any? :mdns/flush? (peer/records s :authorities)) "10.2")
      (is (empty? answers) "8.1: no cache, so no known answers")
      (is (empty? additionals))
      (is (not truncated?))))
  (testing "not ours before it is probed: no answer, no announcement (8.1, 6.1)"
    (doseq [at [100 400 700]
            type [:a :txt :any]
            :let [w (peer/until (peer/up 7 web) at)
                  w (when (empty? (told (:sent w) :ipv4)) w)]
            :when w]
      (is (= [] (peer/of (peer/after w (peer/later (peer/hear w (peer/query [["web.local" type]])) 0)) :kind :response))
          (str at " " type))))
  (testing "names that are wanted at once are asked for in one message (8.1)"
    (let [w (sound (peer/later (peer/up 9 web (peer/host "api" ["10.0.0.6"]) (peer/host "db" ["10.0.0.7"])) 5000))]
      (is (= 3 (count (peer/of (:sent w) :kind :probe :family :ipv4))))
      (is (every? #(= #{"web.local" "api.local" "db.local"} (set (peer/asked %))) (peer/of (:sent w) :kind :probe))))))

(defn- by-then
  "The world in which the peer says `message` `ms` after the `n`th probe, some seconds later."
  [seed n ms message & opts]
  (-> (peer/up seed web) (peer/until-probe "web.local" n) (peer/later ms)
      (as-> w (apply peer/hear w message opts)) (peer/later 4000)))

(deftest line-10-the-verdict
  (testing "a live response between the first probe and 250 ms after the third (8.1)"
    (doseq [seed (range 5), [n ms] [[1 0] [1 249] [2 10] [3 0] [3 249]]
            f    [theirs
                  ["web.local" :aaaa "fd00::9"]
                  ["web.local" :txt ["of another type"]]
                  ["web.local" 65400 "of a type that nobody knows"]
                  ["WEB.Local" :a "10.0.0.9"]]
            :let [w (by-then seed n ms (peer/response [(peer/record f)]))]]
      (testing (str "seed " seed " probe " n " +" ms " " f)
        (is (= "web-2" (peer/called w "web")))
        (is (= [] (peer/saying (:sent w) ["web.local" :a "10.0.0.5"])) "The loser does not use the name (9).")
        (is (seq (peer/saying (:sent w) ["web-2.local" :a "10.0.0.5"])))
        (is (= [{:effect/type :renamed :host/label "web" :host/name "web-2" :host/by "10.0.0.9"}]
               (mapv second (peer/effects w :renamed)))
            "9: the operator is told"))))
  (testing "in the additional section, by unicast, without the cache-flush bit, whatever id and questions (9, 18.1, 6)"
    (doseq [w [(by-then 1 2 50 (peer/response [(peer/record ["x.local" :a "10.0.0.9"])] :more [(peer/record theirs)]))
               (by-then 1 2 50 (peer/response [(peer/record theirs)]) :multicast? false)
               (by-then 1 2 50 (peer/response [(peer/record theirs :flush? false)]))
               (by-then 1 2 50 (peer/response [(peer/record theirs)] :id 4711 :questions [["web.local" :any]]))]]
      (is (= "web-2" (peer/called w "web")))
      (sound w)))
  (testing "what is no conflict"
    (doseq [[why message]
            {"identical data (9)"                 (peer/response [(peer/record ["web.local" :a "10.0.0.5"])])
             "all of it, and its NSEC (9)"        (peer/response (map peer/record web-facts))
             "another name"                       (peer/response [(peer/record ["web2.local" :a "10.0.0.9"])])
             "a name below"                       (peer/response [(peer/record ["x.web.local" :a "10.0.0.9"])])
             "a query with known answers (7.1)"   (peer/query [["web.local" :a]] :known [(peer/record theirs :flush? false)])
             "a question (6)"                     (peer/response [(peer/record ["x.local" :a "10.0.0.9"])] :questions [["web.local" :any]])}
            [n ms] [[1 0] [2 100] [3 249]]
            :let [w (by-then 3 n ms message)]]
      (testing (str why " after probe " n)
        (is (= "web" (peer/called w "web")))
        (is (peer/established? w "web"))
        (is (= [] (peer/effects w :renamed)))
        (is (= 3 (count (peer/probing (:sent w) "web.local"))))
        (sound w))))
  (testing "a response before the first probe is ignored (8.1)"
    (doseq [seed (range 20)
            :let [w (peer/up seed web)]
            :when (and (empty? (:sent w)) (peer/due w) (< 1 (long (peer/due w))))
            :let [w (-> w (peer/hear (peer/response [(peer/record theirs)])) (peer/until (dec (long (peer/due w))))
                        (peer/hear (peer/response [(peer/record theirs)])) (peer/later 4000))]]
      (is (= "web" (peer/called w "web")) (str "seed " seed))))
  (testing "nor is there a cache to consult (8.1)"
    (let [w (-> (peer/world) (peer/link :ipv4 :ipv6) (peer/hear (peer/response [(peer/record theirs)])) (peer/later 500)
                (peer/want web) (peer/later 4000))]
      (is (= "web" (peer/called w "web"))))))

(deftest line-10-a-reflector
  (testing "everything that is sent comes back, once or more, from us or through a reflector's address (9, systemd#35780)"
    (doseq [own? [true false], delay [0 3 300], seed (range 5)]
      (let [w (loop [w (peer/up seed web (peer/host "api" ["10.0.0.6"] (peer/service "_http._tcp" 80 "api" :subtypes ["_printer"]))), i 0]
                (if-let [s (get (:sent w) i)]
                  (let [at (+ (long (:at s)) (long delay))]
                    (if (and (peer/due w) (< (long (peer/due w)) at))
                      (recur (peer/until w (peer/due w)) i)
                      (recur (peer/hear (peer/until w (max at (long (:now w)))) (:message s)
                                        :ip (if own? "10.0.0.5" "10.0.0.250") :own? own?)
                             (inc i))))
                  (if (and (peer/due w) (< (long (peer/due w)) 300000)) (recur (peer/until w (peer/due w)) i) w)))]
        (testing (str "own " own? " delay " delay " seed " seed)
          (is (= ["web" "api"] [(peer/called w "web") (peer/called w "api")]))
          (is (= [] (peer/effects w :renamed)))
          (is (= 3 (count (peer/probing (:sent w) "web.local"))))
          (is (< (count (:sent w)) 60) "No echo of echoes."))))))

(deftest line-12-what-is-not-probed
  (let [w (sound (peer/later (peer/up 4 web (peer/host "api" ["10.0.0.6"] (peer/service "_http._tcp" 80 "api" :subtypes ["_printer"]))) 5000))
        names (set (mapcat peer/asked (peer/of (:sent w) :kind :probe)))]
    (is (not-any? #(str/ends-with? % ".arpa") names) "8.1: reverse PTR of own addresses")
    (is (= #{"web.local" "api.local" "api._http._tcp.local"} names) "8.1: nor shared records")
    (doseq [ip ips]
      (is (contains? (peer/facts (:sent w) :answers) [(peer/reverse-name ip) :ptr "web.local"]) "They are announced."))))

(deftest line-33-suspend-and-resume
  (let [settled (peer/settled 3 web)]
    (testing "nobody else: probed, not merely announced, and the name is kept (8)"
      (let [w (sound (peer/later (peer/again settled) 20000))]
        (probed-and-told? (peer/after settled w) :ipv4)
        (probed-and-told? (peer/after settled w) :ipv6)
        (is (<= (- (long (first (peer/times (peer/after settled w)))) (long (:now settled))) 250))
        (is (= "web" (peer/called w "web")))
        (is (= [] (peer/effects w :renamed)))))
    (testing "somebody took the name meanwhile (8.1, 9)"
      (let [w (peer/again settled)
            w (peer/play w (+ 4000 (long (:now w))) (peer/defender theirs))]
        (is (= "web-2" (peer/called w "web")))))))

(deftest line-32-another-stack-on-the-host
  (testing "who may not get unicast answers does not ask for them (15.1)"
    (let [w (-> (peer/world :unicast? false) (peer/link :ipv4 :ipv6) (peer/want web) (peer/later 5000))
          probes (peer/of (:sent (sound w)) :kind :probe)]
      (is (= 6 (count probes)) "three by each family")
      (is (not-any? :mdns/unicast? (mapcat (comp :message/questions :message) probes)))
      (is (peer/established? w "web")))))

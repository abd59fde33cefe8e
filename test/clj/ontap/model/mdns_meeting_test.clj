;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-meeting-test
  "Two machines of ours with a name in common on one virtual link: they start together, one after the other,
  or on two links that are joined later (RFC 6762 sections 8.2, 9 and 10.2; lines 13 and 27 of the
  checklist). In the end one has the name, the other the next one."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]
            [ontap.model.mdns :as mdns])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private ips ["10.0.0.5" "10.0.0.6"])

(defn- flights-of
  "The sendings that world `i` has made since it had `seen`, as flights [moment to-world sending]."
  [^Random r i w seen]
  (for [s (subvec (:sent w) seen)
        :when (or (= :multicast (:to s)) (= (nth ips (- 1 (long i))) (:ip (:to s))))
        :when (= :ipv4 (:family s))]
    [(+ (long (:at s)) (.nextInt r 4)) (- 1 (long i)) s]))

(defn- together
  "Lets time pass for both `worlds` until `end`; what one sends the other hears 0-3 ms later. `bridged?`: both
  are of one host, and know of each other."
  [^Random r worlds end & {:keys [bridged?]}]
  (loop [worlds worlds, flights [], seen (mapv (comp count :sent) worlds), steps 0]
    (when (< 20000 steps) (throw (ex-info "they do not come to rest" {})))
    (let [flights (into flights (mapcat #(flights-of r % (worlds %) (seen %))) [0 1])
          seen    (mapv (comp count :sent) worlds)
          next-flight (when (seq flights) (apply min-key first flights))
          times   (concat (when next-flight [[(first next-flight) :flight]])
                          (keep #(when-let [at (peer/due (worlds %))] [at %]) [0 1]))
          [at what] (when (seq times) (apply min-key first times))]
      (cond
        (or (nil? at) (< (long end) (long at))) (mapv #(peer/until % end) worlds)
        (= :flight what)
        (let [[at to s] next-flight
              w (peer/until (worlds to) (max (long at) (long (:now (worlds to)))))]
          (recur (assoc worlds to (peer/hear w (:message s) :ip (nth ips (- 1 (long to))) :multicast? (= :multicast (:to s))
                                                 :elsewhere (when bridged? (mdns/identities (:state (worlds (- 1 (long to))))))))
                 (let [i (.indexOf ^java.util.List flights next-flight)] (into (subvec flights 0 i) (subvec flights (inc i))))
                 seen (inc steps)))
        :else
        (recur (update worlds what #(peer/until % (max (long at) (long (:now %))))) flights seen (inc steps))))))

(defn- host [i] (peer/host "web" [(nth ips i)] (peer/service "_http._tcp" (+ 80 (long i)) "web")))

(defn- agreed
  "That the two have one name each, and keep to the rules."
  [worlds why]
  (testing why
    (is (= #{"web" "web-2"} (set (map #(peer/called % "web") worlds))))
    (is (every? #(peer/established? % "web") worlds))
    (doseq [w worlds]
      (is (= [] (rules/faults (:sent w) :limit 250))))
    (doseq [w worlds
            :let [other (first (remove #{w} worlds))
                  asked (fn [w] (peer/after w (peer/hear w (peer/query [["web.local" :a]]) :ip "10.0.0.9" :port 40000)))]]
      (is (= 1 (count (concat (asked w) (asked other)))) "one answers for web.local"))
    (is (= #{"web._http._tcp.local" "web (2)._http._tcp.local"}
           (into #{} (mapcat (fn [w] (map #(nth % 2) (peer/facts (peer/after w (peer/hear w (peer/query [["_http._tcp.local" :ptr]]) :ip "10.0.0.9" :port 40000))
                                                                 :answers))))
                 worlds))
        "and each has an instance of its own")))

(deftest line-27-two-of-ours
  (doseq [seed (range 15)
          :let [r (Random. seed)
                fresh (fn [i] (peer/up (+ (* 100 seed) (long i)) (host i)))]]
    (agreed (together r [(fresh 0) (fresh 1)] 20000) (str "started together, seed " seed))
    (let [w0 (peer/later (fresh 0) 5000)
          w1 (assoc (peer/world :seed seed) :now 5000)
          worlds (together r [w0 (-> w1 (peer/link :ipv4 :ipv6) (peer/want (host 1)))] 30000)]
      (agreed worlds (str "one after the other, seed " seed))
      (is (= ["web" "web-2"] (mapv #(peer/called % "web") worlds)) "8.1: who comes later defers"))
    (testing "two links are joined, and somebody asks (9)"
      (let [apart (mapv #(peer/later (fresh %) 300000) [0 1])
            asked (mapv #(peer/hear % (peer/query [["web.local" :a]]) :ip "10.0.0.9") apart)
            ;; what both have just multicast, each other's
            heard [(reduce #(peer/hear %1 (:message %2) :ip (ips 1)) (asked 0) (peer/of (peer/after (apart 1) (asked 1)) :family :ipv4 :to :multicast))
                   (reduce #(peer/hear %1 (:message %2) :ip (ips 0)) (asked 1) (peer/of (peer/after (apart 0) (asked 0)) :family :ipv4 :to :multicast))]]
        (agreed (together r heard 330000) (str "both at once, seed " seed))
        (agreed (together r [(heard 0) (asked 1)] 330000) (str "one of them hears it, seed " seed))))))

(deftest line-28-two-links-of-ours
  (testing "links of one host that are bridged: both keep the name, and there is an end to it (14)"
    (doseq [seed (range 10)
            :let [r     (Random. seed)
                  same  (fn [i] (peer/host "web" [(nth ips i)]))
                  fresh (fn [i] (peer/up (+ (* 100 seed) (long i)) (same i)))
                  apart (mapv #(peer/later (fresh %) 300000) [0 1])]
            [why worlds end] [["from the start" [(fresh 0) (fresh 1)] 60000]
                              ["later on, when one is asked" (update apart 0 peer/hear (peer/query [["web.local" :a]]) :ip "10.0.0.9") 360000]]
            :let [worlds (together r worlds end :bridged? true)]]
      (testing (str why ", seed " seed)
        (is (= ["web" "web"] (mapv #(peer/called % "web") worlds)))
        (is (every? #(peer/established? % "web") worlds))
        (is (every? #(= [] (rules/faults (:sent %) :limit 250)) worlds))
        (is (every? #(< (count (:sent %)) 80) worlds) "no ping-pong")
        (is (every? #(nil? (peer/due %)) worlds))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.mdns-smoke-test
  "What `ontap zone` says by multicast DNS on a real link, in real time, as tshark(1) reads it: intervals, hop limit, flags,
  sizes. What is said when is tested with a virtual clock (`ontap.model.mdns-*-test`)."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.mdns :as mdns]
            [ontap.harness.mdns-packets :as packets]
            [ontap.harness.mdns-told :as told]
            [ontap.harness.netns :as netns]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private instance "web._http._tcp.local")
(def ^:private late "Milliseconds that one packet may be late by on a loaded machine; the next one is in time again." 60)

(defn- about? [ms gap] (<= (- ms late) gap (+ ms late)))

(defn- every-packet [ours]
  (doseq [{:keys [from to family hops port to-port length id flags questions answers response? malformed?] :as packet} ours
          :let [show (pr-str packet)
                group? (= to ({:ipv4 "224.0.0.251" :ipv6 "ff02::fb"} family))]]
    (is (not malformed?) show)
    (is (= 255 hops) (str "section 11: " show))
    (is (= 5353 port) (str "section 6: " show))
    (is (<= length 1500) (str "section 17: " show))
    (is (if (= :ipv4 family) (= "10.77.0.2" from) (or (= "fd77::2" from) (str/starts-with? from "fe80:"))) show)
    (when group?
      (is (= 5353 to-port) (str "section 5.2: " show))
      (is (= 0 id) (str "section 18.1: " show))
      (is (= (if response? 0x8400 0) flags) (str "sections 18.2 to 18.11: " show))
      (when response? (is (= [] questions) (str "section 6: " show))))
    (when-not response? (is (= [] answers) (str "nothing is known that would be told in a probe: " show)))
    (doseq [{:keys [type ttl flush? name]} (concat answers (:additionals packet)) :when (and group? response?)]
      (is (= flush? (not (and (= "PTR" type) (not (str/ends-with? name ".arpa"))))) (str "section 10.2: " name " " type " " show))
      (is (contains? #{0 (if (or (#{"A" "AAAA" "SRV"} type) (str/ends-with? name ".arpa") (and (= "NSEC" type) (not= name instance))) 120 4500)}
                     (if (and (= "NSEC" type) (= 120 ttl)) (if (= name instance) 4500 120) ttl))
          (str "section 10: " name " " type " " ttl)))))

(defn- probing [ours family name]
  (let [probes (filter #(and (= family (:family %)) (packets/probe? % name)) ours)]
    (testing (str "probes for " name " by " family)
      (is (= 3 (count probes)) (pr-str (packets/gaps probes)))
      (is (every? #(about? 250 %) (packets/gaps probes)) (str "section 8.1: 250 ms apart: " (packets/gaps probes)))
      (is (every? (fn [p] (not-any? :unicast? (:questions p))) probes)
          "section 8.1 wants QU, but up0 answers ARP for host0, and would get what is sent to it alone")
      (is (every? (fn [p] (not-any? :flush? (:authorities p))) probes) "section 10.2: no cache-flush there")
      (is (every? (fn [p] (= ["ANY"] (distinct (map :type (:questions p))))) probes)))
    probes))

(defn- announcing [ours family name type probes]
  (let [told (filter #(and (= family (:family %)) (packets/says? % name type)) ours)
        [first-gap second-gap] (packets/gaps (cons (last probes) (take 2 told)))]
    (testing (str "announcements of " name " " type " by " family)
      (is (<= 2 (count told)) "section 8.3: at least two")
      (is (about? 250 (or first-gap 0)) (str "section 8.1: 250 ms after the third probe: " first-gap))
      (is (about? 1000 (or second-gap 0)) (str "section 8.3: a second apart: " second-gap)))))

(defn- legacy
  "What dig(1), which is no mDNS asker, is told: section 6.7."
  [lan host]
  (let [{:keys [out]} (t/run {} "nsenter" (str "--net=/proc/" (:pid host) "/ns/net")
                                  "dig" "-p" "5353" "@10.77.0.2" "+tries=2" "+time=3" "+norecurse" "web.local" "A")
        [_ ttl] (re-find #"(?m)^web\.local\.\s+(\d+)\s+IN\s+A\s+10\.77\.0\.40$" out)]
    (is (some? ttl) out)
    (is (<= 1 (parse-long (or ttl "0")) 10) out)
    (is (re-find #"flags: qr aa;" out) out)
    (is (re-find #"(?m)^;web\.local\.\s+IN\s+A" out) "The question is repeated.")))

(deftest ^{:jdk :floor :timeout 120} intervals-hop-limit-flags-and-sizes
  (packets/needs!)
  (mdns/needs-command! "dig" "bind9-dnsutils")
  (mdns/with-lan [lan]
    (let [asker    (mdns/host! lan 11)
          ;; the JVM has not said anything before it says this
          _        (mdns/workload! lan "v1" "first" 41)
          mac      (mdns/mac lan)
          capture  (packets/start! lan)
          listener (told/listener lan 60)
          up       (mdns/zone! lan {"web" {"_http._tcp" {:port 80 :txt ["path=/"]}}})
          twice    (fn [& parts]
                     (doseq [family ["ipv4" "ipv6"] :let [said (apply told/word "mdns" family "says" parts)]]
                       (told/at listener (+ (double (told/at listener 0 said)) 500) said)))
          _        (twice "first.local" "A")
          ns       (mdns/workload! lan "v0" "web" 40)
          _        (twice "web.local" "A")
          _        (twice instance "SRV")
          fe80     (second (re-find #"inet6 (fe80:\S+)/64 scope link" (netns/ip ns "addr" "show" "dev" "v0")))
          _        (twice "web.local" "AAAA" fe80)
          begun    (packets/of-mac mac (packets/read-now capture))]
      (doseq [family [:ipv4 :ipv6]]
        (announcing begun family "web.local" "A" (probing begun family "web.local"))
        (announcing begun family instance "SRV" (probing begun family instance)))
      (testing "the whole of a unique set, each time (section 10.2)"
        (let [sets (map (fn [p] (set (map :data (packets/tells p :answers "web.local" "AAAA" pos?))))
                        (filter #(packets/says? % "web.local" "AAAA") begun))]
          (is (= #{"fd77::40" fe80} (last sets)))
          (is (every? #(contains? % "fd77::40") sets) (pr-str sets))))
      (legacy lan asker)
      (testing "an end is told"
        (is (= 0 (lan/end! up "TERM")))
        (let [ours (packets/of-mac mac (packets/stop! capture))]
          (doseq [family [:ipv4 :ipv6]
                  [name type] [["first.local" "A"] ["web.local" "A"] ["web.local" "AAAA"] [instance "SRV"] [instance "TXT"]
                               ["_http._tcp.local" "PTR"]]]
            (is (some #(and (= family (:family %)) (packets/goodbye? % name type)) ours) (str "section 10.1: " family name type)))
          (every-packet ours)
          (let [{:keys [hops to-port from]} (first (filter #(= "10.77.0.11" (:to %)) ours))]
            (is (= [255 "10.77.0.2"] [hops from]) "The answer to dig.")
            (is (not= 5353 to-port))))))))

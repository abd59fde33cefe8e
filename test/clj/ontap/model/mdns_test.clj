;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-test
  "The life of the names of a link's machine: probed for, announced, changed, taken back. RFC 6762 sections 8, 10 and 18, RFC 6763."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-world :as world :refer [host service]]))

(set! *warn-on-reflection* true)

(def ^:private web (host "web" ["10.0.0.5" "fd00::5" "fe80::5"]))
(def ^:private wiki (host "web" ["10.0.0.5"] (service "_http._tcp" 80 "Anna's wiki" "_printer")))

(defn- alone [] (-> (world/world 1) (world/join :a) (world/up :a)))

(defn- established [wanted] (-> (alone) (world/want :a wanted) (world/advance 10000)))

(defn- after
  "What was said from the time of `w` on until `ms` after `f`."
  [w ms f]
  (world/heard (-> (f w) (world/advance ms)) (:now w)))

(defn- state [w label] (get-in (world/hosts w :a) [label :host/state]))

(defn- name-of [label] (mdns-name/of-labels [label "local"]))

;; --- from nothing to a name

(deftest a-name-is-probed-for-and-announced
  (let [w (established web)
        said (world/heard w)
        [p & _ :as probes] (filter :questions said)
        [t & _ :as told] (filter :response said)
        at (mapv :at said)]
    (testing "0 to 250 ms, then each 250 ms (section 8.1)"
      (is (= 3 (count probes)))
      (is (<= 0 (first at) 250))
      (is (= [250 250] (mapv - (rest (map :at probes)) (map :at probes)))))
    (testing "ANY, QU, everything proposed in the Authority section, without cache-flush"
      (is (= ["web.local 255 QU"] (:questions p)))
      (is (= ["web.local A 10.0.0.5" "web.local AAAA fd00::5" "web.local AAAA fe80::5"] (:authorities p)))
      (is (apply = (map #(dissoc % :at) probes))))
    (testing "announced 250 ms after the third, at intervals that double (section 8.3)"
      (is (= [750 1750 3750] (mapv #(- (:at %) (first at)) told)))
      (is (every? (set (:answers t)) ["web.local A 10.0.0.5 flush" "web.local AAAA fd00::5 flush" "web.local AAAA fe80::5 flush"
                                      "5.0.0.10.in-addr.arpa PTR web.local flush"]))
      (is (not-any? :questions told)))
    (is (= :established (state w "web")))
    (testing "and then nothing is said, and nothing is due"
      (is (nil? (mdns/due (world/state w :a))))
      (is (= 6 (count (world/heard (world/advance w 10000000))))))))

(deftest a-new-name-is-announced-within-1050-ms
  (doseq [seed (range 20)
          :let [w (-> (world/world seed) (world/join :a) (world/up :a) (world/want :a web) (world/advance 1050))]]
    (is (some :response (world/heard w)))))

(deftest states-are-told
  (let [w (-> (alone) (world/want :a web))]
    (is (= {"web" {:host/name "web" :host/state :probing :host/by nil :host/since-ms (:now w)}} (world/hosts w :a)))
    (is (= :announcing (state (world/advance w 1100) "web")))
    (is (= :established (state (world/advance w 5000) "web")))))

(deftest headers-are-as-section-18-has-them
  (doseq [{:keys [message]} (:log (established wiki))
          :let [{:message/keys [response? authoritative? truncated? questions opcode rcode id]} message]]
    (is (not truncated?))
    (is (every? #(zero? (or % 0)) [opcode rcode id]))
    (is (= response? authoritative?))
    (is (not= (boolean response?) (boolean (seq questions))))))

(deftest all-that-is-due-together-goes-in-one-packet
  (let [w (established (into {} (map #(host (str "h" %) [(str "10.0.0." %)])) (range 1 21)))]
    (is (= 6 (count (world/heard w))))
    (is (= 20 (count (:questions (first (world/heard w))))))))

(deftest nothing-is-said-without-a-link
  (let [w (-> (world/world 1) (world/join :a) (world/want :a web) (world/advance 5000))]
    (is (= [] (world/heard w)))
    (is (= :probing (state w "web")))
    (is (nil? (mdns/due (world/state w :a))))
    (is (= 6 (count (world/heard (-> w (world/up :a) (world/advance 10000))))))))

;; --- services

(deftest a-service-is-probed-for-with-its-host
  (let [[probe :as said] (world/heard (established wiki))
        told (set (:answers (first (filter :response said))))]
    (is (= ["web.local 255 QU" "Anna's wiki._http._tcp.local 255 QU"] (:questions probe)))
    (is (= #{"Anna's wiki._http._tcp.local SRV 80 web.local" "Anna's wiki._http._tcp.local TXT \"path=/\"" "web.local A 10.0.0.5"}
           (set (:authorities probe))))
    (testing "unique records flush, shared ones do not (section 8.3)"
      (is (= #{"web.local A 10.0.0.5 flush" "5.0.0.10.in-addr.arpa PTR web.local flush"
               "Anna's wiki._http._tcp.local SRV 80 web.local flush" "Anna's wiki._http._tcp.local TXT \"path=/\" flush"
               "_http._tcp.local PTR Anna's wiki._http._tcp.local" "_printer._sub._http._tcp.local PTR Anna's wiki._http._tcp.local"
               "_services._dns-sd._udp.local PTR _http._tcp.local"}
             told)))))

(deftest what-others-of-ours-have-is-not-taken-back
  (testing "The type of a service that another host has, too"
    (let [w (established (merge wiki (host "shop" ["10.0.0.6"] (service "_http._tcp" 80 "shop"))))
          said (after w 100 #(world/want % :a wiki))
          gone (filter #(re-find #"goodbye" %) (mapcat :answers said))]
      (is (some #{"_http._tcp.local PTR shop._http._tcp.local goodbye"} gone))
      (is (not-any? #(re-find #"_services" %) gone)))))

(deftest a-service-that-changes-tells-it
  (testing "SRV with flush; a subtype that went by a goodbye, before what came (section 8.4)"
    (let [w (established wiki)
          [said] (after w 100 #(world/want % :a (host "web" ["10.0.0.5"] (service "_http._tcp" 8080 "Anna's wiki" "_camera"))))]
      (is (= ["_printer._sub._http._tcp.local PTR Anna's wiki._http._tcp.local goodbye"
              "Anna's wiki._http._tcp.local SRV 8080 web.local flush"
              "_camera._sub._http._tcp.local PTR Anna's wiki._http._tcp.local"]
             (:answers said)))
      (is (= 0 (:at said)))))
  (testing "another name of the instance is probed for"
    (let [w (established wiki)
          said (after w 1100 #(world/want % :a (host "web" ["10.0.0.5"] (service "_http._tcp" 80 "Bea's wiki"))))]
      (is (every? #(re-find #"goodbye" %) (:answers (first said))))
      (is (= ["Bea's wiki._http._tcp.local 255 QU"] (:questions (second said)))))))

;; --- changes

(deftest a-new-address-is-told-at-once
  (let [w (established web)
        said (after w 5000 #(world/want % :a (host "web" ["10.0.0.5" "fd00::5" "fd00::6" "fe80::5"])))]
    (is (= [0 1000 3000] (mapv :at said)) "Without probing (section 8.4), in the same step.")
    (is (= ["web.local AAAA fd00::5 flush" "web.local AAAA fd00::6 flush" "web.local AAAA fe80::5 flush"]
           (filterv #(re-find #"AAAA" %) (:answers (first said)))) "The whole RRset, and not the A.")
    (is (not-any? #(re-find #"goodbye| A " %) (:answers (first said))))
    (is (= ["web.local TYPE47 flush"] (:additionals (first said))))))

(deftest an-address-of-another-replaces-it
  (testing "no goodbye for what the cache-flush bit takes away (section 8.4)"
    (let [w (established web)
          [said] (after w 100 #(world/want % :a (host "web" ["10.0.0.7" "fd00::5" "fe80::5"])))]
      (is (= 0 (:at said)))
      (is (= #{"web.local A 10.0.0.7 flush" "7.0.0.10.in-addr.arpa PTR web.local flush" "5.0.0.10.in-addr.arpa PTR web.local goodbye flush"}
             (set (:answers said)))))))

(deftest a-family-that-goes-is-taken-back
  (let [w (established web)
        [said] (after w 100 #(world/want % :a (host "web" ["fd00::5" "fe80::5"])))]
    (is (= #{"web.local A 10.0.0.5 goodbye flush" "5.0.0.10.in-addr.arpa PTR web.local goodbye flush"} (set (:answers said))))
    (is (= ["web.local TYPE47 flush"] (:additionals said)) "There is no A (section 6.1).")))

(deftest changes-are-told-ten-times-a-minute
  (let [w (established web)
        from (:now w)
        w (reduce (fn [w n] (-> w (world/want :a (host "web" ["10.0.0.5" (str "10.0.1." n)])) (world/advance 500)))
                  w (range 100))
        news (fn [w from] (distinct (filter #(re-find #"web.local A 10.0.1" %) (mapcat :answers (world/heard w from)))))]
    (is (<= (count (news w from)) 10) (pr-str (news w from)))
    (testing "and the last state in the end"
      (is (= #{"web.local A 10.0.0.5 flush" "web.local A 10.0.1.99 flush"}
             (set (filter #(re-find #" A " %) (:answers (last (world/heard (world/advance w 70000) from))))))))))

(deftest what-comes-in-one-burst-is-told-within-300-ms
  (let [w (established (host "web" ["fe80::5"]))
        from (:now w)
        w (-> w (world/want :a (host "web" ["fd00::5" "fe80::5"])) (world/advance 20)
              (world/want :a (host "web" ["2001:db8::5" "fd00::5" "fe80::5"])) (world/advance 20)
              (world/want :a (host "web" ["10.0.0.5" "2001:db8::5" "fd00::5" "fe80::5"])) (world/advance 260))
        said (filter :response (world/heard w from))]
    (is (= 2 (count said)))
    (is (every? (set (mapcat :answers said)) ["web.local A 10.0.0.5 flush" "web.local AAAA 2001:db8::5 flush"]))))

(deftest a-host-that-goes-says-goodbye-in-the-same-step
  (let [w (established wiki)
        said (after w 20000 #(world/want % :a {}))]
    (is (= 1 (count said)))
    (is (= 0 (:at (first said))))
    (is (= 7 (count (:answers (first said)))))
    (is (every? #(re-find #"goodbye" %) (:answers (first said))))))

(deftest a-host-that-loses-all-addresses-goes
  (let [w (established wiki)
        [said] (after w 1000 #(world/want % :a (host "web" [] (service "_http._tcp" 80 "Anna's wiki"))))]
    (is (= 7 (count (:answers said))))
    (is (every? #(re-find #"goodbye" %) (:answers said)))))

(deftest the-end-is-said-once
  (let [w (established wiki)
        after-stop (-> w (world/give :a {:event/type :stop}) (world/up :a) (world/want :a web) (world/advance 5000))
        said (world/heard after-stop (:now w))]
    (is (= 1 (count said)))
    (is (every? #(re-find #"goodbye" %) (:answers (first said))))))

(deftest what-was-never-said-is-not-taken-back
  (is (= [] (after (-> (alone) (world/want :a web)) 5000 #(world/want % :a {})))))

;; --- the link

(deftest a-link-that-comes-back-is-probed-again
  (let [w (established web)]
    (doseq [[text f] {"another family" #(-> % (world/give :a {:event/type :link :link/families #{:ipv4}})
                                            (world/give :a {:event/type :link :link/families #{:ipv4 :ipv6}}))
                      "down and up" #(-> % (world/down :a) (world/advance 10) (world/up :a))
                      "after sleep" #(world/give % :a {:event/type :again})}
            :let [said (after w 10000 f)]]
      (testing text
        (is (= [true true true false false false] (mapv (comp some? :questions) said)))
        (is (not-any? #(re-find #"goodbye" %) (mapcat :answers said)))))
    (testing "one that goes is no reason to ask"
      (is (= [] (after w 10000 #(world/give % :a {:event/type :link :link/families #{:ipv4}})))))
    (testing "nothing is answered until it is clear (section 8)"
      (let [w (-> w (world/give :a {:event/type :again}))
            q {:message/questions [{:mdns/name (name-of "web") :mdns/type record/a :mdns/class 1}]}]
        (is (= [] (after w 0 #(world/say % "10.0.0.77" q))))))))

(deftest a-timer-that-slept-did-not-listen
  (testing "The machine was suspended while it probed"
    (let [w (-> (alone) (world/want :a web) (world/advance 400))
          w (update w :now + 3600000)
          said (world/heard (-> w (world/give :a {:event/type :time}) (world/advance 10000)) (:now w))]
      (is (= [true true true false false false] (mapv (comp some? :questions) said))))))

;; --- addresses that several have

(deftest one-of-ours-tells-the-reverse-name
  (let [both (merge (host "b" ["10.0.0.5"]) (host "a" ["10.0.0.5"]))
        w (established both)
        ptr "5.0.0.10.in-addr.arpa PTR "]
    (is (= [(str ptr "a.local flush")] (distinct (filter #(re-find #"PTR" %) (mapcat :answers (world/heard w))))))
    (testing "the next when it goes, without a goodbye, for the cache-flush bit does it"
      (let [[said] (after w 100 #(world/want % :a (host "b" ["10.0.0.5"])))]
        (is (= #{"a.local A 10.0.0.5 goodbye flush" (str ptr "b.local flush")} (set (:answers said))))))))

;; --- what the shell asks

(deftest the-names-are-the-same-object
  (let [w (established wiki)
        names #(mdns/names (world/state % :a))
        q {:message/questions [{:mdns/name (name-of "other") :mdns/type record/a :mdns/class 1}]}]
    (is (contains? (names w) (name-of "web")))
    (is (identical? (names w) (names (world/say w "10.0.0.77" q))))
    (is (= #{} (names (world/want w :a {}))))))

(deftest wanted-hosts-cost-little
  (let [hosts (into {} (map (fn [n] (host (str "h" n) [(str "10.1." (quot n 250) "." (mod n 250)) (str "fd00::" (Integer/toHexString n))]
                                          (service "_http._tcp" 80 (str "h" n))))) (range 1000))
        w (-> (alone) (world/want :a hosts) (world/advance 10000))
        s (world/state w :a)
        other (merge hosts (host "h500" ["10.1.9.9"] (service "_http._tcp" 80 "h500")))
        us (fn [] (let [from (System/nanoTime)]
                    (mdns/step s {:event/type :wanted :mdns/wanted other} (+ 100000 (:now w)) 5)
                    (quot (- (System/nanoTime) from) 1000)))
        times (vec (sort (repeatedly 100 us)))]
    (println "a change of one host of 1,000:" (nth times 50) "µs")
    (is (< (nth times 50) 1000))))

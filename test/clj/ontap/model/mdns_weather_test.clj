;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-weather-test
  "A machine of multicast DNS in any weather: random changes, links that come and go, askers of every
  kind. What it sends keeps the rules of RFC 6762 and is true whenever it is said; when the weather
  clears up it has told the truth and falls silent."
  (:require [clojure.set :as set]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(def ^:private labels ["web" "api" "db"])
(def ^:private addresses ["10.0.0.5" "10.0.0.6" "10.0.0.7" "fd00::5" "fd00::6" "fe80::5" "fe80::6"])

(defn- pick [^Random r xs] (nth xs (.nextInt r (count xs))))
(defn- some-of [^Random r xs] (let [n (inc (.nextInt r 3))] (vec (sort (distinct (repeatedly n #(pick r xs)))))))

(defn- some-hosts [^Random r]
  (into {} (for [l labels :when (< (.nextInt r 10) 8)]
             (apply peer/host l (some-of r addresses)
                    (when (.nextBoolean r)
                      [(peer/service (pick r ["_http._tcp" "_ipp._tcp"]) (+ 80 (.nextInt r 2)) l
                                     :txt (pick r [[] ["a"]]) :subtypes (pick r [[] ["_printer"]]))])))))

(defn- true-facts
  "What a link's hosts are, as facts: an account of its own, not the machine's."
  [hosts]
  (into #{}
        (mapcat (fn [{:host/keys [label addresses services]}]
                  (let [name (str label ".local")]
                    (concat (for [ip addresses] [name (if (re-find #":" ip) :aaaa :a) ip])
                            ;; the PTR of an address that two hosts have is the one's or the other's
                            (for [ip addresses] [(peer/reverse-name ip) :ptr name])
                            (mapcat (fn [{:service/keys [type port txt subtypes instance]}]
                                      (let [t (str type ".local"), i (str instance "." t)]
                                        (concat [[i :srv [port name]] [i :txt (if (seq txt) txt [""])] [t :ptr i]
                                                 ["_services._dns-sd._udp.local" :ptr t]]
                                                (for [s subtypes] [(str s "._sub." t) :ptr i]))))
                                    services)))))
        (vals hosts)))

(defn- questions [^Random r]
  (let [name  (pick r ["web.local" "api.local" "db.local" "WEB.local" "nobody.local"])
        other (pick r ["_http._tcp.local" "_ipp._tcp.local" "_services._dns-sd._udp.local" "web._http._tcp.local" "api._ipp._tcp.local"
                       "_printer._sub._http._tcp.local" (peer/reverse-name "10.0.0.5") (peer/reverse-name "fe80::5")])]
    (vec (for [n (some-of r [name other])] (cond-> [n (pick r [:a :aaaa :ptr :srv :txt :any])] (zero? (.nextInt r 3)) (conj :qu))))))

(defn- ask [^Random r w]
  (let [known (for [f (some-of r (vec (sort-by str (conj (true-facts (:hosts w)) ["x.local" :a "10.0.0.9"])))) :when (zero? (.nextInt r 3))]
                (peer/record f :flush? false :ttl (pick r [10 60 2250 4500])))]
    (peer/hear w (peer/query (questions r) :known known :tc? (zero? (.nextInt r 8)) :id (.nextInt r 65536))
               :ip (pick r ["10.0.0.9" "10.0.0.8" "fe80::9"]) :port (pick r [5353 5353 5353 40000])
               :multicast? (pos? (.nextInt r 6)))))

(defn- kept
  "`w` with what it was when each new thing was sent."
  [before w]
  (update w :truths (fnil into []) (repeat (- (count (:sent w)) (count (:sent before))) [(:hosts w) (:families w)])))

(defn- pass
  "Lets time pass, step by step, with the truth of each moment kept."
  [w ms]
  (let [end (+ (long (:now w)) (long ms))]
    (loop [w w]
      (let [at (peer/due w)]
        (if (and at (<= (long at) end))
          (recur (kept w (peer/give (assoc w :now (max (long at) (long (:now w)))) {:event/type :time})))
          (assoc w :now end))))))

(defn- event [^Random r w]
  (kept w
        (case (.nextInt r 12)
          (0 1) (let [hosts (some-hosts r)] (peer/want (assoc w :hosts hosts) hosts))
          2     (let [families (pick r [[] [:ipv4] [:ipv4 :ipv6] [:ipv4 :ipv6]])]
                  (apply peer/link (assoc w :families (set families)) families))
          3     (if (zero? (.nextInt r 4)) (peer/again w) w)
          4     (let [f (pick r (vec (sort-by str (conj (true-facts (:hosts w)) ["x.local" :a "10.0.0.9"]))))]
                  ;; the very record from somebody else, with some TTL
                  (peer/hear w (peer/response [(peer/record f :ttl (pick r [0 10 59 120 2000 4500]))])))
          (ask r w))))

(defn- false-facts [truth sending]
  (let [said (into #{} (remove #(= :nsec (second %))) (peer/facts [sending]))]
    (set/difference said truth)))

(defn- torn-sets
  "Unique sets of which a multicast has a part only."
  [truth sending]
  (let [unique? (fn [[_ type]] (contains? #{:a :aaaa} type))
        sets    (group-by (juxt first second) (filter unique? truth))]
    (for [[k said] (group-by (juxt first second) (filter unique? (peer/facts [sending])))
          :when (not= (set said) (set (sets k)))]
      [k said])))

(defn- denied
  "NSEC that deny what is there."
  [truth sending]
  (for [[name type types] (peer/facts [sending])
        :when (= :nsec type)
        :let [there (into #{} (comp (filter #(= name (first %))) (map second)) truth)]
        :when (not= there types)]
    [name types there]))

(defn- storm
  "A world after sixty random events, and ten minutes of calm."
  [seed i]
  (let [r     (Random. (+ (long seed) (long i)))
        hosts (some-hosts r)
        start (assoc (peer/world :seed i) :hosts {} :families #{} :truths [])
        w     (-> start (assoc :families #{:ipv4 :ipv6}) (peer/link :ipv4 :ipv6) (as-> w (kept start w))
                  (assoc :hosts hosts) (as-> w (kept w (peer/want w hosts))))
        w     (reduce (fn [w _] (pass (event r w) (pick r [0 0 1 30 200 900 3000 20000]))) w (range 60))]
    (-> w (assoc :families #{:ipv4 :ipv6}) (as-> w (kept w (peer/link w :ipv4 :ipv6))) (pass 600000))))

(deftest in-any-weather
  (let [seed (System/nanoTime)]
    (dotimes [i 8]
      (let [calm (storm seed i)]
        (testing (str "seed " seed " run " i)
          (is (= [] (rules/faults (:sent calm))))
          (is (= (count (:sent calm)) (count (:truths calm))))
          (doseq [same (partition-by second (map vector (:sent calm) (:truths calm)))
                  :let [truth (true-facts (first (second (first same))))]
                  [s [_ families]] same]
            (is (contains? families (:family s)) (str "at " (:at s)))
            (when (= :response (:kind s))
              (is (= #{} (false-facts truth s)) (str "6: only what is true, at " (:at s)))
              (is (= [] (torn-sets truth s)) (str "10.2: whole sets, at " (:at s)))
              (is (= [] (denied truth s)) (str "6.1: nothing that is there is denied, at " (:at s)))))
          (is (nil? (peer/due calm)) "It falls silent.")
          (doseq [{:host/keys [label]} (vals (:hosts calm))]
            (is (= label (peer/called calm label)))
            (is (peer/established? calm label))
            (let [sent (peer/after calm (peer/hear calm (peer/query [[(str label ".local") :any]] :id 7) :port 40000))]
              (is (= (into #{} (filter #(= (str label ".local") (first %))) (true-facts (:hosts calm)))
                     (into #{} (remove #(= :nsec (second %))) (peer/facts sent :answers)))))))))))

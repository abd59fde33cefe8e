;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.river-property-test
  "A river is held to what it means, over random events: each step gives what a computation from nothing gives, the changes add
  up to the records, serials grow where something differs, and no private address reaches a foreign asker."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.address :as address]
            [ontap.model.inventory :as inventory]
            [ontap.model.label :as label]
            [ontap.model.names :as names]
            [ontap.model.published :as published]
            [ontap.model.records :as records]
            [ontap.model.river :as river]
            [ontap.model.view :as view]
            [ontap.model.zone-world :as world]))

(def ^:private zone
  (assoc world/zone
         :zone/ns [{:ns/host "ns.vanya" :ns/addresses :own} {:ns/host "web-2.vanya" :ns/addresses ["192.0.2.53" "10.0.0.53" "127.0.0.1"]}
                   {:ns/host "ns.example.org" :ns/addresses []}]
         :zone/srv {"web"   {"_http._tcp" (world/offer 80 :srv/txt ["path=/"] :srv/subtypes ["_a" "_b"] :srv/instance "Anna's wiki: über *.")}
                    "mail"  {"_imap._tcp" (world/offer 143) "_smtp._tcp" (world/offer 25) "_http._tcp" (world/offer 8080 :srv/instance "anna's WIKI: über *.")}
                    "web-3" {"_http._tcp" (world/offer 81 :srv/subtypes ["_b"])}}
         :zone/views [{:view/prefix "2001:db8::/32" :view/like :private}]
         :zone/records [{:rr/name "vanya" :rr/type :mx :rr/ttl 60 :rr/data [[10 "mail.vanya"]]}
                        {:rr/name "www.vanya" :rr/type :cname :rr/ttl 60 :rr/data ["web.vanya"]}
                        {:rr/name "mail.vanya" :rr/type :a :rr/ttl 300 :rr/data ["10.0.0.25" "192.0.2.25"]}
                        {:rr/name "mail.vanya" :rr/type :txt :rr/ttl 300 :rr/data [["a" "b"] ["c"]]}
                        {:rr/name "nas.vanya" :rr/type :aaaa :rr/ttl 300 :rr/data ["fd00::9"]}
                        {:rr/name "printer.lan.vanya" :rr/type :a :rr/ttl 300 :rr/data ["10.0.0.77"]}
                        {:rr/name "*.dyn.vanya" :rr/type :a :rr/ttl 20 :rr/data ["192.0.2.1"]}]))

;; --- random events of a small world, so that much meets

(def ^:private ips
  ["10.0.0.1" "10.0.0.2" "192.168.1.1" "192.0.2.1" "192.0.2.2" "198.51.100.1" "169.254.1.1" "127.0.0.1"
   "2001:db8::1" "2001:db8::2" "2001:db8:0:1::1" "fd00::1" "fd00::2" "fe80::1" "fe80::2" "::1" "ff02::1"])

(def ^:private gen-nsid (gen/elements [nil nil 0 1 2 3]))
(def ^:private gen-index (gen/choose 1 3))

(def ^:private gen-one
  (let [text (gen/frequency [[6 (gen/elements ["web" "web" "web" "web-2" "web-3" "mail" "Mail" "ns" "www" "bücher"])] [1 (gen/return nil)]])
        at   (fn [type more] (gen/fmap (fn [[n i m]] (merge {:event/type type :ns/id n :link/index i} m)) (gen/tuple gen-nsid gen-index more)))
        none (gen/return {})]
    (gen/frequency
     [[6 (at :link/new (gen/hash-map :link/alias text :link/name (gen/elements ["eth0" "lan" "lo"]) :link/running? (gen/frequency [[5 (gen/return true)] [1 (gen/return false)]])
                                     :link/up? (gen/return true)))]
      [2 (at :link/gone none)]
      [12 (at :addr/new (gen/hash-map :addr/ip (gen/elements ips) :addr/prefix (gen/elements [24 32 64]) :addr/scope (gen/return :global)
                                      :addr/flags (gen/frequency [[6 (gen/return #{})] [1 (gen/fmap hash-set (gen/elements [:tentative :dadfailed :deprecated :temporary]))]])
                                      :addr/valid-s (gen/elements [nil nil 5 3600]) :addr/proto (gen/elements [nil 2]) :addr/updated-ms (gen/choose 0 50000)))]
      [4 (at :addr/gone (gen/hash-map :addr/ip (gen/elements ips)))]
      [1 (at :router/new (gen/return {:router/ip "fe80::f"}))]
      [1 (at :router/gone (gen/return {:router/ip "fe80::f"}))]
      [2 (gen/fmap #(hash-map :event/type :ns/gone :ns/id %) (gen/choose 0 3))]
      [1 (gen/fmap #(hash-map :event/type :ns/new :ns/id %) (gen/choose 0 3))]
      [4 (gen/fmap (fn [[n t i]] {:event/type :ns/known :ns/id n :ns/trusted? t :ns/inode i})
                   (gen/tuple (gen/choose 0 3) (gen/elements [true true true false]) (gen/elements [1 1 1 2])))]
      [1 (gen/fmap (fn [m] {:event/type :lease/names :lease/names m})
                   (gen/map (gen/tuple gen-nsid gen-index) (gen/elements ["web" "leased" "mail"]) {:max-elements 4}))]
      [1 (gen/return {:event/type :event/overflow})]])))

(def ^:private gen-event
  (gen/frequency
   [[40 gen-one]
    [1 (gen/fmap (fn [es] {:event/type :event/snapshot :snapshot/events es}) (gen/vector gen-one 0 30))]
    [1 (gen/fmap (fn [[n es]] {:event/type :ns/read :ns/id n :snapshot/events (filterv #(= n (:ns/id %)) es)})
                 (gen/tuple (gen/choose 0 3) (gen/vector gen-one 0 30)))]]))

(def ^:private gen-steps (gen/vector (gen/vector gen-event 0 4) 1 25))

(def ^:private gen-zone (gen/fmap #(assoc zone :zone/name-from %) (gen/elements [:alias :alias :link])))

;; --- the meaning: from nothing but inventory and claims

(defn- networks-of-ours [inventory claims seen]
  (set (for [[at addrs] seen, {:name/keys [on-link]} (vals addrs)
             :when (and on-link (names/trusted? inventory (first at)) (or (nil? (first at)) (contains? claims at)))]
         on-link)))

(defn- afresh
  "[hosts, view -> records without their serials, askers]."
  [zone inventory claims]
  (let [reserved (label/reserved zone)
        seen     (into {} (for [at (keys (:inv/links inventory))]
                            [at (published/of-link (get-in inventory [:inv/addresses at]) (inventory/left inventory at) nil)]))
        wants    (reduce-kv #(names/wanting %1 %2 nil %3) {} claims)
        hosts    (into {} (mapcat #(names/hosts-of inventory seen wants reserved %)) (keys wants))
        own      (names/together (for [[at addrs] seen :when (nil? (first at))] addrs))
        parts    (conj (map #(records/of-host zone %) (vals hosts))
                       (records/of-configuration zone)
                       (records/of-nameservers zone own))
        zones    (set (for [part parts, [v owner] (keys part) :when (not (records/always? zone owner))] [v (records/zone-of zone owner)]))
        parts    (concat parts (for [[v apex] zones] (records/of-zone zone v apex)))
        nodes    (reduce (fn [m [k rrs]] (update m k conj rrs)) {} (mapcat seq parts))]
    [(mapv val (sort-by key hosts))
     (into {} (for [v view/all]
                [v (vec (for [[[w _] rrs] (sort-by key nodes) :when (= v w), [_ rr] (sort-by key (records/joined rrs))] rr))]))
     (view/askers zone (networks-of-ours inventory claims seen))]))

(defn- without-serial [rr] (cond-> rr (= :soa (:rr/type rr)) (assoc-in [:rr/data 0 2] 0)))

(defn- plain [rr] (dissoc rr :rr/until-ms))

(defn- added-up [sums changes]
  (reduce-kv (fn [sums v {:keys [put gone]}]
               (update sums v #(as-> (or % {}) m
                                 (reduce dissoc m gone)
                                 (into m (map (juxt (juxt :rr/name :rr/type) identity)) put))))
             sums changes))

(defn- zone-of [apexes owner]
  (last (sort-by count (filter #(or (= % owner) (str/ends-with? owner (str "." %))) apexes))))

(defn- by-zone
  "apex -> records of the zone, without SOA and lives."
  [rrs]
  (let [apexes (map :rr/name (filter #(= :soa (:rr/type %)) rrs))]
    (group-by #(zone-of apexes (:rr/name %)) (map plain (remove #(= :soa (:rr/type %)) rrs)))))

(defn- serials [rrs] (into {} (for [rr rrs :when (= :soa (:rr/type rr))] [(:rr/name rr) (get-in rr [:rr/data 0 2])])))

(defn- wrong
  "What is wrong with the step from `before` to `after`, or nil."
  [zone before {:keys [river changes askers serial]} sums]
  (let [[hosts rrs fresh-askers] (afresh zone (:inventory river) (:claims river))
        of #(river/records %1 %2)]
    (cond
      (not= hosts (river/names river))                        [:names hosts (river/names river)]
      (not= fresh-askers (river/askers river))                [:askers fresh-askers (river/askers river)]
      (not= (when (not= fresh-askers (river/askers before)) fresh-askers) askers) [:askers-told askers]
      (not= serial (:saved/serial (river/saved river)))       [:serial]
      :else
      (some
       (fn [v]
         (let [now (of river v), was (of before v)
               zones-was (by-zone was), zones-is (by-zone now), s-was (serials was), s-is (serials now)]
           (cond
             (not= (rrs v) (mapv without-serial now))          [:records v (set/difference (set (rrs v)) (set (map without-serial now)))
                                                                (set/difference (set (map without-serial now)) (set (rrs v)))]
             (not= (set now) (set (vals (sums v))))            [:sum v]
             (not= (count now) (count (set (map (juxt :rr/name :rr/type) now)))) [:twice v]
             :else (some (fn [apex]
                           (cond (nil? (s-was apex)) (when (not= serial (s-is apex)) [:new-zone v apex])
                                 (= (zones-was apex) (zones-is apex)) (when (not= (s-was apex) (s-is apex)) [:serial-without-change v apex])
                                 (not (< (s-was apex) (s-is apex))) [:no-new-serial v apex]))
                         (keys s-is)))))
       view/all))))

(defspec each-step-is-what-its-inventory-means 80
  (prop/for-all [zone gen-zone, steps gen-steps]
    (loop [r (river/river zone nil), sums {}, s 0, steps steps]
      (or (empty? steps)
          (let [{:keys [changes] :as given} (river/step r (first steps) (world/at s))
                sums (added-up sums changes)
                fault (wrong zone r given sums)]
            (if fault
              (do (println "wrong:" fault) false)
              (recur (:river given) sums (inc s) (rest steps))))))))

;; --- the shape of what comes out

(defn- owner? [s]
  (and (<= (count s) 253)
       (re-matches #"(?:\*\.)?(?:[a-z0-9_-]|\\\d{3}){1,63}(?:\.(?:[a-z0-9_-]|\\\d{3}){1,63})*" s)))

(defn- target? "As an owner, but a name that people read keeps its capitals." [s] (owner? (str/lower-case s)))

(defn- datum? [type d]
  (case type
    :a             (= 4 (address/family d))
    :aaaa          (= 6 (address/family d))
    :ptr           (target? d)
    (:ns :cname)   (owner? d)
    :mx            (and (= 2 (count d)) (nat-int? (first d)) (owner? (second d)))
    :txt           (every? string? d)
    :srv           (and (= 4 (count d)) (every? nat-int? (butlast d)) (owner? (peek d)))
    :soa           (and (= 7 (count d)) (every? owner? (take 2 d)) (every? pos-int? (drop 2 d)))
    false))

(defn- misshapen [rrs]
  (let [apexes (set (map :rr/name (filter #(= :soa (:rr/type %)) rrs)))
        types  (update-vals (group-by :rr/name rrs) #(set (map :rr/type %)))]
    (concat
     (for [{:rr/keys [name type ttl data until-ms] :as rr} rrs
           :when (not (and (= #{:rr/name :rr/type :rr/ttl :rr/data :rr/until-ms} (set (keys rr)))
                           (owner? name) (<= 1 ttl 604800) (or (nil? until-ms) (nat-int? until-ms))
                           (vector? data) (= data (sort (distinct data)))
                           (if (= :none type) (empty? data) (and (seq data) (every? #(datum? type %) data)))
                           (zone-of apexes name)))]
       rr)
     (for [[owner ts] types
           :when (or (and (ts :cname) (< 1 (count ts))) (and (ts :none) (< 1 (count ts)))
                     (and (apexes owner) (not (ts :ns)))
                     ;; no delegation, so no zone in a zone
                     (and (ts :ns) (not (apexes owner))))]
       [owner ts]))))

(defspec each-record-has-its-shape 60
  (prop/for-all [zone gen-zone, steps gen-steps]
    (let [r (reduce-kv (fn [r s events] (:river (river/step r events (world/at s)))) (river/river zone nil) steps)]
      (every? empty? (map #(misshapen (river/records r %)) view/all)))))

;; --- what must never be

(def ^:private not-global
  "Said without the product's own rule."
  #"10\..*|192\.168\..*|172\.(?:1[6-9]|2\d|3[01])\..*|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\..*|169\.254\..*|127\..*|f[cd].*|fe[89ab].*|::1|ff.*")

(defn- leaks [zone steps]
  (let [r (reduce-kv (fn [r s events] (:river (river/step r events (world/at s)))) (river/river zone nil) steps)]
    (for [rr (river/records r 2)
          :let [{:rr/keys [name type data]} rr]
          :when (or (and (#{:a :aaaa} type) (some #(re-matches not-global %) data))
                    (re-find #"(?:^|\.)(?:lan\.vanya|local|10\.in-addr\.arpa|168\.192\.in-addr\.arpa|254\.169\.in-addr\.arpa|d\.f\.ip6\.arpa|8\.e\.f\.ip6\.arpa)$" name)
                    (and (#{:ptr :srv} type) (some #(re-find #"\.(?:lan\.vanya|local)$" (if (vector? %) (peek %) %)) data))
                    ;; nobody is told to look for what has no address for him
                    (and (= :srv type) (some #(not-any? (fn [rr] (and (#{:a :aaaa} (:rr/type rr)) (= (peek %) (:rr/name rr)))) (river/records r 2)) data)))]
      rr)))

(defspec nothing-private-for-the-foreign 80
  (prop/for-all [zone gen-zone, steps gen-steps]
    (empty? (leaks zone steps))))

(deftest the-property-can-fail
  (is (seq (with-redefs [view/answering (fn [_ globals lans] (concat globals lans))]
             (leaks zone [[(world/aliased nil 2 "web") (world/addr nil 2 "10.0.0.1" 24)]])))))

;; --- orders

(defn- shuffled [seed coll]
  (let [l (java.util.ArrayList. ^java.util.Collection coll)]
    (java.util.Collections/shuffle l (java.util.Random. seed))
    (vec l)))

(defn- distinct-things
  "One word about each thing: then the order tells nothing."
  [events]
  (vec (vals (into {} (map (juxt (juxt #(case (:event/type %) (:link/new :link/gone) :link, (:addr/new :addr/gone) :addr, (:event/type %))
                                  :ns/id :link/index :addr/ip)
                            identity))
              (remove #(#{:link/gone :ns/gone :addr/gone :router/gone :lease/names} (:event/type %)) events)))))

(defspec the-order-within-a-snapshot-tells-nothing 60
  (prop/for-all [before gen-steps, events (gen/vector gen-one 0 60), seed gen/large-integer]
    (let [kept   (river/saved (reduce-kv (fn [r s events] (:river (river/step r events (world/at s)))) (river/river zone nil) before))
          events (distinct-things events)
          one    (fn [events] (let [{:keys [river]} (river/step (river/river zone kept) [(apply world/snapshot events)] (world/at 9))]
                                [(river/names river) (map #(river/records river %) view/all) (river/saved river)]))]
      (= (one events) (one (shuffled seed events))))))

(defspec a-restart-changes-no-name 60
  (prop/for-all [steps gen-steps]
    (let [r     (reduce-kv (fn [r s events] (:river (river/step r events (world/at s)))) (river/river zone nil) steps)
          i     (:inventory r)
          there (concat (for [[n facts] (:inv/namespaces i)] (assoc facts :event/type :ns/known :ns/id n))
                        (map #(assoc % :event/type :link/new) (vals (:inv/links i)))
                        (for [[_ addrs] (:inv/addresses i), a (vals addrs)] (assoc a :event/type :addr/new)))
          again (:river (river/step (river/river zone (river/saved r))
                                    [{:event/type :lease/names :lease/names (:inv/leases i)} (apply world/snapshot there)]
                                    (world/at 99)))
          who   #(map (fn [h] (select-keys h [:name/label :name/wanted :ns/id :name/links :name/since-ms])) (river/names %))]
      (and (= (who r) (who again))
           (< (:saved/serial (river/saved r)) (:saved/serial (river/saved again)))))))


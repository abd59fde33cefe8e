;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-link-test
  "Which hosts a link of multicast DNS has, with which addresses; and that what is made of little changes is what would be made
  from nothing, of the same objects."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mdns-link :as mdns-link]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world :refer [addr addr-gone aliased link link-gone ns-gone trusted]]))

(def ^:private mac "02:00:00:00:00:01")

(def ^:private zone
  (assoc world/zone :zone/srv
         {"web" {"_http._tcp" {:srv/port 80 :srv/txt ["path=/"] :srv/subtypes ["_printer"] :srv/instance "Anna's wiki"}
                 "_ssh._tcp"  {:srv/port 22 :srv/txt [] :srv/subtypes [] :srv/instance nil}}
          "db"  {"_http._tcp" {:srv/port 81 :srv/txt [] :srv/subtypes [] :srv/instance "anna's WIKI"}}}))

(defn- slave
  "A link of kind ipvlan on link 2 of our own namespace, as it is told in an event (the parent's namespace has id 0 there)."
  [nsid index alias & {:as more}]
  (link nsid index :link/alias alias :link/kind "ipvlan" :link/hwaddr mac :link/parent 2 :link/parent-nsid (when nsid 0) more))

(defn- started [& events]
  (:river (river/step (river/river zone nil) [(apply world/snapshot events)] (world/at 0))))

(def ^:private lan
  [(link nil 2 :link/name "wlp3s0" :link/hwaddr mac) (addr nil 2 "192.0.2.2" 24)
   (slave nil 3 "host0" :link/name "host0") (addr nil 3 "10.0.0.3" 24) (addr nil 3 "fd00::3" 64) (addr nil 3 "fe80::3" 64)
   (trusted 5) (slave 5 2 "web" :link/parent-nsid 7) (addr 5 2 "10.0.0.5" 24) (addr 5 2 "fe80::5" 64) (addr 5 2 "2001:db8::5" 64)])

(defn- addresses [wanted] (update-vals wanted :host/addresses))

(defn- on-host0 [& events] (mdns-link/wanted (apply started (concat lan events)) [nil 3] nil))

(deftest the-hosts-of-a-link
  (is (= {"host0" {:host/label "host0" :host/addresses ["10.0.0.3" "fd00::3" "fe80::3"] :host/services []}
          "web"   {:host/label "web" :host/addresses ["10.0.0.5" "2001:db8::5" "fe80::5"]
                   :host/services [{:service/type "_http._tcp" :service/port 80 :service/txt ["path=/"] :service/subtypes ["_printer"]
                                    :service/instance "Anna's wiki (2)"}
                                   {:service/type "_ssh._tcp" :service/port 22 :service/txt [] :service/subtypes []
                                    :service/instance "web"}]}}
         (on-host0)))
  (is (= {} (mdns-link/wanted (apply started lan) [nil 9] nil)) "a link that is not there")
  (is (= (on-host0) (mdns-link/wanted (apply started (concat lan [(slave 9 2 nil) (addr 9 2 "10.0.0.250" 24)])) [9 2] nil))
      "seen from another link of the same port, which has no name")
  (testing "the zone's label"
    (is (= ["host0" "web" "web-2"] (sort (keys (on-host0 (trusted 6) (slave 6 2 "web") (addr 6 2 "10.0.0.6" 24))))))))

(deftest who-is-on-the-lan
  (let [far (fn [& events] (get (addresses (apply on-host0 (trusted 6) events)) "far"))]
    (testing "on the same parent: whatever it has"
      (is (= ["172.16.0.1"] (far (slave 6 2 "far") (addr 6 2 "172.16.0.1" 24))))
      (is (= ["fe80::6"] (far (slave 6 2 "far") (addr 6 2 "fe80::6" 64))) "link-local alone, when there is nothing else")
      (is (= ["10.1.0.1" "169.254.0.9" "fe80::6"] (far (slave 6 2 "far") (addr 6 2 "fe80::6" 64) (addr 6 2 "169.254.0.9" 16) (addr 6 2 "10.1.0.1" 24)))))
    (testing "on none, or another one: what lies in an on-link network of ours"
      (doseq [other [(aliased 6 2 "far") (link 6 2 :link/alias "far" :link/kind "veth" :link/parent 2 :link/parent-nsid 0)
                     (slave 6 2 "far" :link/parent 4) (slave 6 2 "far" :link/kind "macvlan") (slave 6 2 "far" :link/hwaddr "02:00:00:00:00:02")
                     (slave 6 2 "far" :link/parent-nsid nil)]]
        (is (nil? (far other (addr 6 2 "172.16.0.1" 24) (addr 6 2 "fe80::6" 64))))
        (is (= ["10.0.0.6" "fd00::6"] (far other (addr 6 2 "172.16.0.1" 24) (addr 6 2 "fe80::6" 64) (addr 6 2 "10.0.0.6" 24) (addr 6 2 "fd00::6" 64))))))
    (testing "several links"
      (is (= ["10.0.0.6" "10.5.0.1" "fe80::6"]
             (far (slave 6 2 "far") (addr 6 2 "fe80::6" 64) (addr 6 2 "10.5.0.1" 24)
                  (aliased 6 3 "far") (addr 6 3 "fe80::63" 64) (addr 6 3 "10.0.0.6" 24) (addr 6 3 "192.0.2.6" 24)))))
    (testing "what is not published is not there either"
      (is (nil? (far (slave 6 2 "far") (addr 6 2 "10.0.0.6" 24 :addr/flags #{:tentative}) (addr 6 2 "fe80::6" 64 :addr/flags #{:dadfailed})))))
    (testing "of many addresses as many as in the zone"
      (is (= 128 (count (apply far (slave 6 2 "far") (for [i (range 200)] (addr 6 2 (str "10.1.0." i) 24)))))))))

(deftest whose-addresses-count
  (let [guest (fn [& more] (get (addresses (apply on-host0 (concat more [{:event/type :lease/names :lease/names {[6 2] "guest"}}]))) "guest"))
        ;; a link that a user was given, on another LAN, to which they have added our router's address
        link  [(slave 6 2 nil :link/parent 4) (addr 6 2 "10.0.0.1" 32) (addr 6 2 "172.16.0.6" 24)]]
    (is (nil? (apply guest link)) "Whoever has a namespace of their own speaks for no address of a LAN that is not theirs.")
    (is (= ["10.0.0.1"] (apply guest (trusted 6) link)))
    (is (= ["10.0.0.6"] (guest (slave 6 2 nil) (addr 6 2 "10.0.0.6" 24))) "On ours they have what they have.")
    (testing "once it is known whose it is, that is seen"
      (let [r (apply started (concat lan link [{:event/type :lease/names :lease/names {[6 2] "guest"}}]))
            w (mdns-link/wanted r [nil 3] nil)
            r (:river (river/step r [(trusted 6)] (world/at 1)))]
        (is (nil? (get w "guest")))
        (is (= ["10.0.0.1"] (:host/addresses (get (mdns-link/wanted r [nil 3] w) "guest"))))))))

(deftest networks
  (is (= ["10.0.0.0/24" "fd00::/64" "fe80::/64"] (mdns-link/networks (apply started lan) [nil 3])))
  (is (= [] (mdns-link/networks (apply started lan) [nil 9]))))

(deftest a-mac-that-changes-parts-nobody-for-long
  (let [r (apply started lan), other #(assoc % :link/hwaddr "02:00:00:00:00:99")
        r' (:river (river/step r [(other (slave nil 3 "host0" :link/name "host0")) (other (slave 5 2 "web"))] (world/at 1)))
        w  (mdns-link/wanted r [nil 3] nil)
        w' (mdns-link/wanted r' [nil 3] w)]
    (is (= w w'))
    (is (identical? (get w "web") (get w' "web")))))

;; --- little by little

(def ^:private gen-event
  (let [nsid (gen/elements [nil nil 5 6 7]), index (gen/choose 2 4)
        ips  (gen/elements ["10.0.0.1" "10.0.0.2" "10.1.0.1" "192.0.2.1" "2001:db8::1" "fd00::1" "fe80::1" "fe80::2" "169.254.1.1"])]
    (gen/frequency
     [[5 (gen/fmap (fn [[n i text kind parent pns mac]] (link n i :link/alias text :link/kind kind :link/parent parent :link/parent-nsid (when n pns) :link/hwaddr mac))
                   (gen/tuple nsid index (gen/elements ["web" "web" "web-2" "db" "x" nil]) (gen/elements ["ipvlan" "ipvlan" "macvlan" "veth" nil])
                              (gen/elements [2 2 3 nil]) (gen/elements [0 0 7 nil]) (gen/elements [mac mac "02:00:00:00:00:02"])))]
      [8 (gen/fmap (fn [[n i ip [v4 v6]]] (addr n i ip (if (re-find #":" ip) v6 v4))) (gen/tuple nsid index ips (gen/elements [[24 64] [16 128]])))]
      [3 (gen/fmap (fn [[n i ip]] (addr-gone n i ip)) (gen/tuple nsid index ips))]
      [1 (gen/fmap (fn [[n i]] (link-gone n i)) (gen/tuple nsid index))]
      [1 (gen/fmap ns-gone (gen/elements [5 6 7]))]
      [2 (gen/fmap trusted (gen/elements [5 6 7]))]])))

(defspec little-by-little-is-from-nothing 150
  (prop/for-all [steps (gen/vector (gen/vector gen-event 0 5) 1 25)]
    (loop [r (river/river zone nil), last {}, s 0, steps steps]
      (or (empty? steps)
          (let [r     (:river (river/step r (first steps) (world/at s)))
                fresh (into {} (for [at [[nil 2] [nil 3] [5 2]]] [at (mdns-link/wanted r at nil)]))
                next  (into {} (for [at (keys fresh)] [at (mdns-link/wanted r at (last at))]))]
            (and (= fresh next)
                 (every? (fn [at] (let [was (last at)]
                                    (every? (fn [[name host]] (or (not= host (get was name)) (identical? host (get was name)))) (next at))))
                         (keys next))
                 (every? (fn [[at w]] (identical? w (mdns-link/wanted r at w))) (filter (comp seq val) next))
                 (recur r next (inc s) (rest steps))))))))

(deftest the-property-can-fail
  (let [r (apply started lan)
        w (mdns-link/wanted r [nil 3] nil)
        r' (:river (river/step r [(addr 5 2 "10.0.0.77" 24)] (world/at 1)))]
    (is (not= (mdns-link/wanted r' [nil 3] nil) (with-meta w nil)))
    (is (= (mdns-link/wanted r' [nil 3] nil) (mdns-link/wanted r' [nil 3] w)))))

(deftest what-does-not-concern-the-link-gives-the-same-again
  (let [far (fn [r ip] (:river (river/step r [(addr 6 2 ip 24 :addr/valid-s 100)] (world/at 1))))
        r0  (apply started (concat lan [(trusted 6) (slave 6 2 "far" :link/parent 4) (addr 6 2 "10.0.0.6" 24)]))
        w   (mdns-link/wanted r0 [nil 3] nil)
        r1  (far r0 "192.0.2.77"), r2 (far r1 "10.0.0.6"), r3 (far r2 "10.0.0.7")]
    (is (identical? w (mdns-link/wanted r1 [nil 3] w)))
    (is (identical? w (mdns-link/wanted r2 [nil 3] (mdns-link/wanted r1 [nil 3] w))) "its life is no matter of what is wanted")
    (is (= ["10.0.0.6" "10.0.0.7"] (get (addresses (mdns-link/wanted r3 [nil 3] w)) "far")))
    (is (= w (mdns-link/wanted r2 [nil 3] (mdns-link/wanted r3 [nil 3] w))))))

(deftest one-change-among-a-thousand-names
  (let [many  (started (link nil 2 :link/hwaddr mac) (slave nil 3 "host0") (addr nil 3 "10.0.0.3" 8))
        r     (reduce (fn [r n] (:river (river/step r [(trusted n) (slave n 2 (str "h" n)) (addr n 2 (str "10.1." (quot n 200) "." (inc (rem n 200))) 8) (addr n 2 (str "fe80::" (Long/toHexString n)) 64)] (world/at 1))))
                      many (range 10 1010))
        steps (vec (take 400 (iterate (fn [[r w i]]
                                        (let [r (:river (river/step r [(if (odd? i) (addr 500 2 "10.9.9.9" 8) (addr-gone 500 2 "10.9.9.9"))] (world/at 2)))]
                                          [r nil (inc i)]))
                                      [r nil 1])))
        timed (loop [w (mdns-link/wanted r [nil 3] nil), [[r] & more] (rest steps), took []]
                (if (nil? r)
                  took
                  (let [begin (System/nanoTime), w (mdns-link/wanted r [nil 3] w)]
                    (recur w more (conj took (- (System/nanoTime) begin))))))
        median (nth (sort (drop 200 timed)) 100)]
    (is (= 1001 (count (mdns-link/wanted r [nil 3] nil))))
    (println "mdns-link/wanted: one change among 1,000 names" (quot median 1000) "µs")
    (is (< median 1000000) "It costs little more than a look at each name (65 µs when it was written).")))

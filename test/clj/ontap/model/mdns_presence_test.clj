;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-presence-test
  "Where multicast DNS is spoken, and what changes of that are to a machine."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.model.inventory :as inventory]
            [ontap.model.mdns-presence :as presence]))

(defn- link [index name & {:as more}]
  (merge {:event/type :link/new :ns/id nil :link/index index :link/name name :link/up? true :link/running? true} more))

(defn- addr [index ip prefix & flags]
  {:event/type :addr/new :ns/id nil :link/index index :addr/ip ip :addr/prefix prefix
   :addr/family (if (re-find #":" ip) :ipv6 :ipv4) :addr/flags (set flags)})

(defn- after [events] (reduce #(inventory/fold %1 %2 {}) inventory/empty-inventory events))

(def ^:private host0 {:place/name "host0" :place/link "host0"})

(defn- of [& events] (presence/presence (after events) host0))

(deftest where-it-is-spoken
  (testing "by name"
    (is (nil? (of (link 7 "eth0"))))
    (is (= {:presence/at [nil 7] :presence/families #{:ipv4 :ipv6} :presence/networks #{"10.0.0.0/24" "fd00:1::/64"}
            :presence/unicast? true}
           (of (link 6 "eth0") (link 7 "host0") (addr 6 "10.9.0.1" 24)
               (addr 7 "10.0.0.5" 24) (addr 7 "fd00:1::5" 64) (addr 7 "fe80::5" 64)))))
  (testing "by number, in a namespace of its own"
    (let [there #(assoc % :ns/id 4)]
      (is (= [4 3] (:presence/at (presence/presence (after (map there [(link 3 "mdns0") (addr 3 "fe80::1" 64)]))
                                                    {:place/name "up0" :place/at [4 3]}))))
      (is (nil? (presence/presence (after [(link 3 "mdns0")]) {:place/name "up0" :place/at [4 3]})))))
  (testing "families have an address to speak from"
    (is (= #{} (:presence/families (of (link 7 "host0")))))
    (is (= #{:ipv4} (:presence/families (of (link 7 "host0") (addr 7 "10.0.0.5" 24) (addr 7 "fe80::5" 64 :tentative)))))
    (is (= #{} (:presence/families (of (link 7 "host0" :link/up? false) (addr 7 "10.0.0.5" 24)))))
    (is (= #{} (:presence/families (of (link 7 "host0" :link/running? false) (addr 7 "10.0.0.5" 24)))))))

(deftest where-unicast-does-not-come
  (let [unicast? (fn [& events] (:presence/unicast? (apply of events)))]
    (is (unicast? (link 7 "host0")))
    (is (not (unicast? (link 6 "up0") (link 7 "host0" :link/parent 6))) "The kernel answers for it on its port.")
    (is (unicast? (link 6 "up0") (link 7 "host0" :link/parent 6 :link/parent-nsid 2)) "Its port is elsewhere.")
    (is (= [false] (map :link/unicast? (presence/events nil (of (link 6 "up0") (link 7 "host0" :link/parent 6) (addr 7 "10.0.0.5" 24))))))))

(defn- told [before after]
  (mapv (fn [{:event/keys [type] :link/keys [families]}] (if families [type families] [type])) (presence/events before after)))

(deftest what-a-change-is
  (let [here (of (link 7 "host0") (addr 7 "10.0.0.5" 24) (addr 7 "fd00:1::5" 64))]
    (is (= [] (told nil nil)) "Nothing came of nothing.")
    (is (= [[:link #{:ipv4 :ipv6}]] (told nil here)))
    (is (= [[:link #{}]] (told here nil)))
    (is (= [] (told here here)))
    (is (= [[:link #{:ipv4}]] (told here (of (link 7 "host0") (addr 7 "10.0.0.5" 24)))))
    (testing "the same name, another link"
      (is (= [[:link #{}] [:link #{:ipv4 :ipv6}]] (told here (assoc here :presence/at [nil 8]))))
      (is (= [[:link #{}]] (told here (assoc here :presence/at [nil 8] :presence/families #{})))))
    (testing "networks"
      (let [with #(assoc here :presence/networks (set %))]
        (is (= [] (told here (with ["10.0.0.0/24" "fd00:1::/64" "2001:db8::/64"]))) "One more is no other.")
        (is (= [] (told here (with ["10.0.0.0/24"]))) "Nor is one less.")
        (is (= [[:again]] (told here (with ["192.168.1.0/24"]))))
        (is (= [] (told (with []) here)) "The first is none.")))))

(deftest ports-that-come
  (let [none (after [(link 1 "lo")]), there (after [(link 1 "lo") (link 2 "up0")])
        elsewhere (after [(link 1 "lo") (assoc (link 2 "up0") :ns/id 4)])]
    (is (= #{"up0"} (presence/came ["up0" "up1"] none there)))
    (is (= #{} (presence/came ["up0"] there there) (presence/came ["up0"] there none) (presence/came [] none there)))
    (is (= #{} (presence/came ["up0"] none elsewhere)) "In another namespace it is no port.")))

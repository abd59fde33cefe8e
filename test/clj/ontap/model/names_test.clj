;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.names-test
  "Which links have which name: what they ask for, who was first, what comes of it when somebody goes."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.model.names :as names]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world :refer [addr aliased link link-gone ns-gone snapshot trusted zone]]))

(defn- given
  "What `names/asked` says of link 2 in namespace 5 after `events`."
  [zone & events]
  (let [r (reduce #(:river (river/step %1 [%2] (world/at 0))) (river/river zone nil) events)
        asks (names/asked zone {} (:inventory r) [5 2])]
    ((juxt :label/text :label/from :label/none) asks)))

(deftest who-may-say-what
  (let [lease {:event/type :lease/names :lease/names {[5 2] "leased"}}
        by-link (assoc zone :zone/name-from :link)]
    (are [zone events result] (= result (apply given zone events))
      zone    [(trusted 5) (aliased 5 2 "web")]              ["web" :alias nil]
      zone    [(trusted 5) (aliased 5 2 "web") lease]        ["web" :alias nil]
      zone    [(trusted 5) (aliased 5 2 nil) lease]          ["leased" :lease nil]
      zone    [(trusted 5) (aliased 5 2 "") lease]           ["leased" :lease nil]
      zone    [(trusted 5) (aliased 5 2 nil)]                [nil nil :no-alias]
      zone    [(aliased 5 2 "web")]                          [nil nil :untrusted]
      zone    [(world/foreign 5) (aliased 5 2 "web")]        [nil nil :untrusted]
      zone    [(world/foreign 5) (aliased 5 2 "web") lease]  ["leased" :lease nil]
      zone    [(aliased 5 2 "web") (trusted 5)]              ["web" :alias nil]
      zone    [(aliased 5 2 "web") (trusted 5) (world/foreign 5)] [nil nil :untrusted]
      zone    [(trusted 5) (aliased 5 2 "web") (ns-gone 5) (aliased 5 2 "web")] [nil nil :untrusted] ; the id of another
      by-link [(trusted 5) (aliased 5 2 "web")]              ["eth0" :link nil]
      by-link [(trusted 5) (aliased 5 2 "web") lease]        ["eth0" :link nil]
      by-link [(trusted 5) (link 5 2 :link/name "lo" :link/alias "web")] [nil nil :loopback]
      by-link [(trusted 5) (link 5 2 :link/name "lo") lease] ["leased" :lease nil]
      by-link [(world/foreign 5) (aliased 5 2 "web") lease]  ["leased" :lease nil]
      by-link [(world/foreign 5) (aliased 5 2 "web")]        [nil nil :untrusted]
      zone    [(trusted 5) lease]                          [nil nil nil]) ; no such link
    (testing "our own namespace is trusted"
      (is (= ["up"] (map :name/label (river/names (:river (river/step (river/river zone nil) [(aliased nil 2 "up")] (world/at 0))))))))))

(defn- who
  "name -> nsids and links after `events`, a step each."
  [r & events]
  (let [r (:river (apply world/after r events))]
    [r (into {} (for [{:name/keys [label links] :ns/keys [id]} (river/names r)] [label [id (mapv :link/index links)]]))]))

(defn- fresh [& nsids] (:river (river/step (river/river zone nil) (mapv trusted nsids) (world/at 0))))

(deftest one-namespace-shares-a-name
  (let [[r names] (who (fresh 5) (aliased 5 2 "web") (aliased 5 3 "Web") (addr 5 2 "10.0.0.2" 24) (addr 5 3 "10.0.0.3" 24))]
    (is (= {"web" [5 [2 3]]} names))
    (is (= ["10.0.0.2" "10.0.0.3"] (map :addr/ip (:name/addresses (first (river/names r))))))
    (is (= {"web" [5 [3]]} (second (who r (link-gone 5 2)))))
    (is (= {"web" [5 [3]] "mail" [5 [2]]} (second (who r (aliased 5 2 "mail")))))
    (is (= {} (second (who r (link-gone 5 2) (link-gone 5 3)))))))

(deftest the-older-keeps-it
  (let [[r names] (who (fresh 3 5 7) (aliased 5 2 "web") (aliased 7 2 "web") (aliased 3 2 "web"))]
    (is (= {"web" [5 [2]] "web-2" [7 [2]] "web-3" [3 [2]]} names) "in the order in which they came")
    (is (= {"web" [7 [2]] "web-2" [3 [2]]} (second (who r (ns-gone 5)))) "the next is the name")
    (is (= {"web" [5 [2]] "web-2" [3 [2]]} (second (who r (ns-gone 7)))))
    (is (= {"web" [5 [2]] "web-3" [7 [2]] "web-4" [3 [2]] "web-2" [nil [9]]} (second (who r (aliased nil 9 "web-2"))))
        "who asks for web-2 itself has it")
    (is (= {"web" [5 [3]] "web-2" [7 [2]] "web-3" [3 [2]]} (second (who r (aliased 5 3 "web") (link-gone 5 2))))
        "another link of the same namespace takes it over")
    (is (= {"web" [7 [2]] "web-2" [3 [2]] "web-3" [5 [3]]} (second (who r (link-gone 5 2) (aliased 5 3 "web"))))
        "but not after it was given up")))

(deftest numbers-that-others-want
  (let [[r names] (who (fresh 1 2 3 4) (aliased 1 2 "web") (aliased 2 2 "web-2") (aliased 3 2 "web-2") (aliased 4 2 "web"))]
    (is (= {"web" [1 [2]] "web-2" [2 [2]] "web-2-2" [3 [2]] "web-3" [4 [2]]} names))
    (is (= {"web" [1 [2]] "web-2" [4 [2]]} (second (who r (ns-gone 2) (ns-gone 3)))))
    (is (= {"web-3" [4 [2]] "web" [1 [2]] "web-2" [3 [2]]} (second (who r (ns-gone 2)))))))

(deftest numbers-that-the-zone-keeps
  (let [zone (assoc zone :zone/ns [{:ns/host "web-2.vanya" :ns/addresses :own}])
        r    (:river (river/step (river/river zone nil) [(trusted 1) (trusted 2)] (world/at 0)))]
    (is (= {"web" [1 [2]] "web-3" [2 [2]]} (second (who r (aliased 1 2 "web") (aliased 2 2 "web")))))))

(deftest no-room-for-a-number
  (let [long-one (str/join (repeat 62 "a"))
        [r names] (who (fresh 1 2) (aliased 1 2 long-one) (aliased 2 2 long-one))]
    (is (= {long-one [1 [2]]} names))
    (is (= {long-one [2 [2]]} (second (who r (ns-gone 1)))))))

(deftest who-came-at-once
  (testing "of one snapshot the lower nsid is the older, whatever the order of its events"
    (let [events [(trusted 7) (trusted 3) (aliased 7 2 "web") (aliased 3 2 "web") (aliased nil 4 "web")]]
      (doseq [events [events (reverse events)]]
        (is (= {"web" [nil [4]] "web-2" [3 [2]] "web-3" [7 [2]]} (second (who (river/river zone nil) (apply snapshot events)))))))))

(deftest within-one-step
  (testing "each event is a moment of its own, in one second too"
    (let [{:keys [river]} (river/step (fresh 3 7) [(aliased 7 2 "web") (aliased 3 2 "web")] (world/at 0))]
      (is (= {"web" 7 "web-2" 3} (into {} (map (juxt :name/label :ns/id)) (river/names river)))))))

(deftest the-same-after-a-restart
  (let [events [(trusted 3) (trusted 5) (trusted 7) (aliased 3 2 "web") (aliased 5 2 "web") (aliased 7 2 "web") (aliased 7 3 "mail")]
        [r names] (who (fresh 3 5 7) (aliased 7 2 "web") (aliased 3 2 "web") (aliased 7 3 "mail") (aliased 5 2 "web"))
        kept  (river/saved r)]
    (is (= {"web" [7 [2]] "web-2" [3 [2]] "web-3" [5 [2]] "mail" [7 [3]]} names))
    (is (= [[7 2 "web"] [3 2 "web"] [7 3 "mail"] [5 2 "web"]] (map #(subvec % 0 3) (:saved/claims kept))) "the oldest first")
    (doseq [order [events (reverse events)]]
      (let [[again names-again] (who (river/river zone kept) (apply snapshot order))]
        (is (= names names-again))
        (is (= (:saved/claims kept) (:saved/claims (river/saved again))) "with the times of then")
        (is (= (map :name/since-ms (river/names r)) (map :name/since-ms (river/names again))))))
    (testing "what is known of a namespace may come later"
      (let [[again before] (who (river/river zone kept) (apply snapshot (remove #(= (trusted 7) %) events)))]
        (is (= {"web" [3 [2]] "web-2" [5 [2]]} before))
        (is (= (:saved/claims kept) (sort-by #(nth % 3) (:saved/claims (river/saved again)))) "it is still kept")
        (is (= names (second (who again (trusted 7)))))))
    (testing "what asks for something refused has given up its name"
      (let [[again _] (who (river/river zone kept) (snapshot (trusted 7) (aliased 7 2 "ns") (aliased 7 3 nil)))]
        (is (= [[7 3 "mail"]] (map #(subvec % 0 3) (:saved/claims (river/saved again)))))))
    (testing "a link that is not there any more has lost it, and another label does not count"
      (let [[again _] (who (river/river zone kept) (snapshot (trusted 3) (trusted 7) (aliased 3 2 "web") (aliased 7 3 "other")))]
        (is (= #{[3 2 "web"] [7 3 "other"]} (set (map #(subvec % 0 3) (:saved/claims (river/saved again))))))
        (is (= {"web" [3 [2]] "other" [7 [3]] "web-2" [7 [2]]} (second (who again (aliased 7 2 "web")))))))
    (testing "a new river does not make its own claims older than those of the last, whatever the clock"
      (let [[again _] (who (river/river zone (assoc kept :saved/claims [[7 2 "web" 99000000000000]])) (apply snapshot events))]
        (is (= 99000000000000 (:name/since-ms (first (filter #(= "web" (:name/wanted %)) (sort-by :name/since-ms (river/names again)))))))
        (is (every? #(< 99000000000000 (nth % 3)) (remove #(= [7 2 "web"] (subvec % 0 3)) (:saved/claims (river/saved again)))))))))

(deftest another-namespace-under-the-same-number
  (let [[r _] (who (fresh 3 5) (aliased 3 2 "web") (aliased 5 2 "web"))
        again (snapshot (assoc (trusted 3) :ns/inode 77) (trusted 5) (aliased 3 2 "web") (aliased 5 2 "web"))]
    (is (= {"web" [5 [2]] "web-2" [3 [2]]} (second (who r again))) "is younger")
    (is (= {"web" [3 [2]] "web-2" [5 [2]]} (second (who r (snapshot (trusted 3) (trusted 5) (aliased 3 2 "web") (aliased 5 2 "web"))))))))

(deftest renamed-links-are-shown
  (let [[r _] (who (fresh 5) (aliased 5 2 "web"))
        [r _] (who r (link 5 2 :link/name "lan0" :link/alias "web"))]
    (is (= [{:link/index 2 :link/name "lan0"}] (:name/links (first (river/names r)))))))

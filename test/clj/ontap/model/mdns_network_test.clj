;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-network-test
  "Machines that want the same names, on a link that loses packets and mixes them up: each name ends with one of them, and the
  others go by another (RFC 6762 sections 8.2 and 9)."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.model.mdns-world :as world]))

(set! *warn-on-reflection* true)

(def ^:private labels (mapv #(str "host" %) (range 10)))

(defn- names-at
  "The ten names, with addresses of a network that `n` says."
  [n]
  (into {} (map-indexed (fn [i label] (world/host label [(str "10.0." n "." (inc i)) (str "fd00::" n ":" (inc i)) (str "fe80::" n ":" (inc i))]))) labels))

(defn- start [w key n] (-> w (world/up key) (world/want key (names-at n))))

(defn- called [w key label] (get-in (world/hosts w key) [label :host/name]))

(defn- settled? [w keys]
  (every? (fn [label]
            (let [names (mapv #(called w % label) keys)]
              (and (apply distinct? names)
                   (some #{label} names)
                   (every? #(not= :probing (get-in (world/hosts w %) [label :host/state])) keys))))
          labels))

(defn- both-at-once [seed loss late]
  (-> (world/world seed)
      (assoc :loss loss :late late)
      (world/join :a) (world/join :b)
      (start :a 1) (start :b 2)
      (world/advance 10000)))

(deftest two-that-start-together-share-ten-names
  ;; issue 6: ten winners and ten renamed within 10 s, in 100 of 100 runs with loss and reordering
  (doseq [seed (range 100)
          :let [w (both-at-once seed 10 [0 120])]]
    (is (settled? w [:a :b])
        (pr-str seed (mapv (fn [l] [(called w :a l) (called w :b l)]) labels)))
    (world/right? w)
    (is (every? #(= % (called w :a %)) (remove #(= % (called w :b %)) labels)) "One of them has it.")))

(deftest on-a-quiet-link-the-later-data-win-all
  (let [w (both-at-once 7 0 [1 3])]
    (is (= labels (mapv #(called w :b %) labels)))
    (is (= (mapv #(str % "-2") labels) (mapv #(called w :a %) labels)))))

(deftest three-at-once
  (doseq [seed (range 10)
          :let [w (-> (world/world seed)
                      (assoc :loss 10 :late [0 60])
                      (world/join :a) (world/join :b) (world/join :c)
                      (start :a 1) (start :b 2) (start :c 3)
                      (world/advance 30000))]]
    (is (settled? w [:a :b :c]) (pr-str seed (mapv (fn [l] [(called w :a l) (called w :b l) (called w :c l)]) labels)))))

(deftest two-links-become-one
  (testing "Two that have the same names on links of their own, which are then joined"
    (doseq [seed (range 10)
            :let [apart (-> (world/world seed) (assoc :loss 100)
                            (world/join :a) (world/join :b) (start :a 1) (start :b 2) (world/advance 20000))
                  w     (-> apart (assoc :loss 0 :late [0 20])
                            (world/give :a {:event/type :again}) (world/advance 20000))]]
      (is (= labels (mapv #(called apart :a %) labels) (mapv #(called apart :b %) labels)))
      (is (settled? w [:a :b]) (pr-str seed))
      (is (= labels (mapv #(called w :b %) labels)) "Who has the names keeps them against who probes."))))

(deftest same-records-are-no-conflict
  (testing "Two that tell the same (RFC 6762 section 6.6)"
    (let [w (-> (world/world 3) (assoc :late [0 50])
                (world/join :a) (world/join :b) (start :a 1) (start :b 1) (world/advance 10000))]
      (is (= labels (mapv #(called w :a %) labels) (mapv #(called w :b %) labels))))))

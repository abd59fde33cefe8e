;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.inventory-test
  "The fold of kernel events: what is there after them."
  (:require [clojure.test :refer [deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.inventory :as inventory]))

(defn- link [type nsid index name]
  {:event/type type :ns/id nsid :link/index index :link/name name})

(defn- addr [type nsid index ip & flags]
  {:event/type type :ns/id nsid :link/index index :addr/ip ip :addr/flags (set flags)})

(defn- after [& events] (reduce inventory/fold inventory/empty-inventory events))

(deftest a-life-of-links-and-addresses
  (let [i (after (link :link/new nil 2 "eth0")
                 (link :link/new 5 2 "eth0")
                 (addr :addr/new 5 2 "fd00::5" :tentative)
                 (addr :addr/new 5 2 "10.0.0.5")
                 (addr :addr/new 6 2 "10.0.0.6"))]
    (is (= #{"eth0"} (inventory/link-names i)) "The names are those of the observer's own namespace.")
    (is (= "eth0" (:link/name (inventory/link i 5 2))))
    (is (= #{"fd00::5" "10.0.0.5"} (set (map :addr/ip (inventory/addresses i 5 2))))
        "The same index in two namespaces is two links.")
    (let [i (inventory/fold i (addr :addr/new 5 2 "fd00::5"))]
      (is (= [#{}] (keep #(when (= "fd00::5" (:addr/ip %)) (:addr/flags %)) (inventory/addresses i 5 2)))
          "News of an address replaces what was known of it."))
    (is (= ["10.0.0.5"] (map :addr/ip (inventory/addresses (inventory/fold i (addr :addr/gone 5 2 "fd00::5")) 5 2))))
    (let [i (inventory/fold i (link :link/gone 5 2 "eth0"))]
      (is (nil? (inventory/link i 5 2)))
      (is (empty? (inventory/addresses i 5 2)) "A link takes its addresses along."))
    (let [i (inventory/fold i {:event/type :ns/gone :ns/id 5})]
      (is (nil? (inventory/link i 5 2)) "A namespace takes its links along,")
      (is (empty? (inventory/addresses i 5 2)) "and their addresses,")
      (is (seq (inventory/addresses i 6 2)) "and no other's."))))

(deftest a-renamed-link
  (is (= #{"lan"} (inventory/link-names (after (link :link/new nil 2 "eth0") (link :link/new nil 2 "lan"))))))

(deftest seeds-are-the-older-word
  (let [i (-> (after (addr :addr/new 5 2 "fd00::5"))
              (inventory/seed 5 2 [(addr :addr/new 5 2 "fd00::5" :tentative)
                                   (addr :addr/new 5 2 "10.0.0.5")]))]
    (is (= {"fd00::5" #{} "10.0.0.5" #{}}
           (into {} (map (juxt :addr/ip :addr/flags)) (inventory/addresses i 5 2)))
        "An event that came before the seed tells what is newer.")))

(def ^:private gen-event
  (gen/let [type  (gen/elements [:link/new :link/gone :addr/new :addr/gone :ns/new :ns/gone :event/overflow :never/heard])
            nsid  (gen/elements [nil 0 1])
            index (gen/choose 1 3)
            ip    (gen/elements ["10.0.0.1" "fd00::1"])]
    {:event/type type :ns/id nsid :link/index index :link/name (str "l" index) :addr/ip ip}))

(defspec any-news-folds 200
  (prop/for-all [events (gen/vector gen-event)]
    (let [i (apply after events)]
      (and (= i (reduce inventory/fold i [{:event/type :never/heard}]))
           (= i (inventory/fold (inventory/fold i {:event/type :link/new :ns/id 9 :link/index 9})
                                {:event/type :ns/gone :ns/id 9}))
           (set? (inventory/link-names i))
           ;; a link is there when the last word about it was :link/new
           (every? (fn [[nsid index]]
                     (some #(and (= [nsid index] [(:ns/id %) (:link/index %)])
                                 (= :link/new (:event/type %)))
                           events))
                   (keys (:inv/links i)))))))

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

;; --- namespaces

(deftest ids-are-used-again
  (let [known {:event/type :ns/known :ns/id 5 :ns/trusted? true :ns/netns "a" :ns/inode 77}
        i     (after {:event/type :ns/new :ns/id 5} known (link :link/new 5 2 "eth0") (addr :addr/new 5 2 "fd00::5"))]
    (is (inventory/trusted? i 5))
    (is (= i (after (link :link/new 5 2 "eth0") (addr :addr/new 5 2 "fd00::5") known {:event/type :ns/new :ns/id 5}))
        "What is known may come before or after the news of it.")
    (let [i (inventory/fold i {:event/type :ns/gone :ns/id 5})]
      (is (= inventory/empty-inventory i) "With its id, everything of it ends.")
      (let [i (inventory/fold i {:event/type :ns/new :ns/id 5})]
        (is (= {5 {}} (:inv/namespaces i)))
        (is (not (inventory/trusted? i 5)) "The next one with the id has to be known anew.")))
    (is (inventory/trusted? i nil) "Our own is.")
    (is (not (inventory/trusted? i 6)) "A stranger is not.")
    (is (not (inventory/trusted? (inventory/fold i (assoc known :ns/trusted? false)) 5)))))

(deftest a-moved-link
  (let [there (after (link :link/new nil 2 "eth0") (addr :addr/new nil 2 "10.0.0.1")
                     (assoc (link :link/gone nil 2 "eth0") :link/moved? true) (link :link/new 5 3 "eth0"))]
    (is (nil? (inventory/link there nil 2)))
    (is (= {[5 3] {:ns/id 5 :link/index 3 :link/name "eth0"}} (:inv/links there)))
    (is (= {} (:inv/addresses there)) "Its addresses did not go with it.")
    (is (= there (after (link :link/new 5 3 "eth0") (link :link/new nil 2 "eth0") (link :link/gone nil 2 "eth0"))))))

(deftest a-namespace-read-anew
  (let [i    (after (link :link/new 5 2 "eth0") (addr :addr/new 5 2 "fd00::5") (addr :addr/new 5 2 "fd00::6")
                    (link :link/new nil 2 "eth0") (addr :addr/new nil 2 "fd00::1")
                    {:event/type :ns/known :ns/id 5 :ns/trusted? true :ns/netns nil :ns/inode 7})
        read {:event/type :ns/read :ns/id 5
              :snapshot/events [(link :link/new 5 2 "eth1") (addr :addr/new 5 2 "fd00::6")]}
        i'   (inventory/fold i read)]
    (is (= ["fd00::6"] (map :addr/ip (inventory/addresses i' 5 2))))
    (is (= "eth1" (:link/name (inventory/link i' 5 2))))
    (is (inventory/trusted? i' 5) "What is known of it stays,")
    (is (= ["fd00::1"] (map :addr/ip (inventory/addresses i' nil 2))) "and all others.")
    (is (= i' (inventory/fold i' read)) "Twice is once.")
    (is (= (:inv/links i') (:inv/links (after read (link :link/new nil 2 "eth0")))))))

(deftest everything-read-anew
  (let [news [{:event/type :ns/new :ns/id 1} {:event/type :ns/known :ns/id 1 :ns/trusted? true :ns/netns "x" :ns/inode 9}
              (link :link/new 1 2 "eth0") (addr :addr/new 1 2 "fd00::5")
              {:event/type :router/new :ns/id nil :link/index 2 :router/ip "fe80::1"}]
        old  (after (link :link/new 5 2 "eth0") (addr :addr/new 5 2 "fd00::5")
                    {:event/type :lease/names :lease/names {[1 2] "web"}})]
    (is (= (assoc (apply after news) :inv/leases {[1 2] "web"})
           (inventory/fold old {:event/type :event/snapshot :snapshot/events news}))
        "Nothing of before is left but what ontapd says.")
    (is (= {[1 3] "b"} (:inv/leases (inventory/fold old {:event/type :lease/names :lease/names {[1 3] "b"}}))))))

(deftest one-address-with-two-prefixes
  (let [wide   (assoc (addr :addr/new nil 2 "10.0.0.1") :addr/prefix 8)
        narrow (assoc (addr :addr/new nil 2 "10.0.0.1") :addr/prefix 24)
        gone   #(assoc % :event/type :addr/gone)
        both   (after wide narrow)]
    (is (= ["10.0.0.1"] (map :addr/ip (inventory/addresses both nil 2))))
    (is (= [8] (map :addr/prefix (inventory/addresses (inventory/fold both (gone narrow)) nil 2))))
    (is (= [24] (map :addr/prefix (inventory/addresses (inventory/fold both (gone wide)) nil 2))))
    (is (= inventory/empty-inventory
           (dissoc (reduce inventory/fold both [(gone wide) (gone narrow) (link :link/gone nil 2 "x")]) :none)
           (reduce inventory/fold both [(gone narrow) (gone wide) (link :link/gone nil 2 "x")])))
    (is (= inventory/empty-inventory (inventory/fold both (link :link/gone nil 2 "x"))))))

;; --- networks that were left

(defn- at [ms & events] (fn [i] (reduce #(inventory/fold %1 %2 {:mono-ms ms}) i events)))
(defn- life [& steps] (reduce #(%2 %1) inventory/empty-inventory steps))
(defn- carrier [nsid index running? & [up?]]
  (assoc (link :link/new nsid index "eth0") :link/running? running? :link/up? (not (false? up?))))
(defn- router [type nsid index ip] {:event/type type :ns/id nsid :link/index index :router/ip ip})
(defn- told [nsid index ip ms] (assoc (addr :addr/new nsid index ip) :addr/proto 2 :addr/updated-ms ms :addr/prefix 64))

(deftest a-carrier-that-was-lost
  (let [up   (at 1000 (carrier 5 2 true) (told 5 2 "2001:db8::5" 700) (told 5 2 "2001:db8::6" 690)
                 (assoc (addr :addr/new 5 2 "fd00::1") :addr/proto nil :addr/updated-ms 800))
        lost (at 7000 (carrier 5 2 false))]
    (is (= {} (:inv/left (life up (at 2000 (carrier 5 2 true))))))
    (is (= {[5 2] 700} (:inv/left (life up lost))) "What a router told is meant, and only that.")
    (is (= {[5 2] 700} (:inv/left (life up (at nil (carrier 5 2 false))))) "It takes no clock.")
    (is (= {[5 2] 700} (:inv/left (life up lost (at 8000 (carrier 5 2 false)) (at 9000 (carrier 5 2 true)))))
        "It was lost once; that it is back does not say where.")
    (is (= {[5 2] 700} (:inv/left (life up lost (at 7001 (carrier 5 2 true) (told 5 2 "2001:db8::5" 710)))))
        "What is told then counts, however late we hear of it.")
    (is (= {[5 2] 710} (:inv/left (life up lost (at 7001 (carrier 5 2 true) (told 5 2 "2001:db8::5" 710)) (at 9000 (carrier 5 2 false))))))
    (is (= {} (:inv/left (life (at 1 (carrier 5 2 true)) lost))) "Nothing was told.")
    (is (= {} (:inv/left (life up lost (at 8000 (link :link/gone 5 2 "eth0"))))))
    (is (= {} (:inv/left (life up lost (at 8000 {:event/type :ns/gone :ns/id 5})))))))

(deftest what-a-left-network-takes-along
  (let [told  (fn [ip ms] {:event/type :addr/new :ns/id 5 :link/index 2 :addr/ip ip :addr/proto 2 :addr/updated-ms ms})
        link  (fn [running?] {:event/type :link/new :ns/id 5 :link/index 2 :link/name "eth0" :link/up? true :link/running? running?})
        after (fn [& events] (inventory/left (reduce #(inventory/fold %1 %2 {:mono-ms 9000}) inventory/empty-inventory events) [5 2]))]
    (is (nil? (after (link true) (told "2001:db8::5" 700))))
    (is (= 700 (after (link true) (told "2001:db8::5" 700) (link false))))
    (is (nil? (after (link true) (told "2001:db8::5" 700) (link false) (link true))) "Nobody has told anything else.")
    (is (= 700 (after (link true) (told "2001:db8::5" 700) (link false) (link true) (told "2001:db8:1::5" 900)))
        "It is another network.")
    (is (= 700 (after (link true) (told "2001:db8::5" 700) {:event/type :router/new :ns/id 5 :link/index 2 :router/ip "fe80::1"}
                      {:event/type :router/gone :ns/id 5 :link/index 2 :router/ip "fe80::1"}))
        "The last router went.")))

(deftest routers-that-went
  (let [a    (router :router/new nil 2 "fe80::a")
        b    (router :router/new nil 2 "fe80::b")
        gone #(assoc % :event/type :router/gone)
        here (at 1000 (carrier nil 2 true) a b (told nil 2 "2001:db8::5" 700))
        both (juxt :inv/routers :inv/left)]
    (is (= {[nil 2] #{"fe80::a" "fe80::b"}} (:inv/routers (life here))))
    (is (= [{[nil 2] #{"fe80::b"}} {}] (both (life here (at 5000 (gone a))))) "One is left.")
    (is (= [{} {[nil 2] 700}] (both (life here (at 5000 (gone a)) (at 6000 (gone b))))))
    (is (= {[nil 2] 700} (:inv/left (life here (at 5000 (gone a)) (at 6000 (gone b)) (at 9000 a)))) "Another may be elsewhere.")
    (is (= {[nil 2] 710} (:inv/left (life here (at 5000 (gone a) (gone b) (told nil 2 "2001:db8::5" 710)))))
        "A farewell that tells of the address is none the less one,")
    (is (= {[nil 2] 710} (:inv/left (life here (at 5000 (gone a) (gone b)) (at 5040 (told nil 2 "2001:db8::5" 710)))))
        "heard in one step or in two.")
    (is (= {[nil 2] 700} (:inv/left (life here (at 5000 (gone a) (gone b)) (at 5101 (told nil 2 "2001:db8::5" 710)))))
        "What comes later is somebody else's word.")
    (is (= {[nil 2] 700} (:inv/left (life (at 1000 (carrier nil 2 true) (told nil 2 "2001:db8::5" 700)) (at 4000 (gone a)))))
        "One nobody knew of.")
    (is (= {} (:inv/routers (life here (at 5000 (carrier nil 2 false false))))) "A link that is set down has none,")
    (is (= {[nil 2] #{"fe80::a" "fe80::b"}} (:inv/routers (life here (at 5000 (carrier nil 2 false))))) "one without carrier has.")))

(deftest what-no-reading-tells
  (let [five   (told 5 2 "2001:db8::5" 400)
        own    (told nil 2 "2001:db8::1" 300)
        here   (life (at 1000 (carrier 5 2 true) (router :router/new 5 2 "fe80::a") five
                              (carrier nil 2 true) (router :router/new nil 2 "fe80::b") own))
        left   ((at 4000 (carrier 5 2 false) (carrier 5 2 true)) here)
        read   (fn [& events] {:event/type :ns/read :ns/id 5 :snapshot/events (vec events)})
        all    (fn [& events] {:event/type :event/snapshot :snapshot/events (vec events)})]
    (doseq [news [(read (carrier 5 2 true) five)
                  (all (carrier 5 2 true) (carrier nil 2 true) five own (router :router/new nil 2 "fe80::b"))]
            :let [i ((at 9000 news) left)]]
      (is (= {[5 2] 400} (:inv/left i)) "A network that was left stays left,")
      (is (= (:inv/routers left) (:inv/routers i)) "and foreign routers are known."))
    (is (= {[5 2] 400} (:inv/left ((at 9000 (read (carrier 5 2 false) five)) here))) "It lost its carrier meanwhile.")
    (is (= {[5 2] 400} (:inv/left (life (at 9000 (all (carrier 5 2 false) five))))) "It had none when we came.")
    (is (= {[nil 2] 300} (:inv/left ((at 9000 (all (carrier nil 2 true) own)) here))) "Our own last router went meanwhile.")
    (is (= {} (:inv/left ((at 9000 (read (assoc (carrier 5 2 true) :link/name "other") five)) left))) "Another link is another.")))

(deftest what-an-event-touches
  (is (= #{nil} (inventory/touched (link :link/new nil 2 "eth0"))))
  (is (= #{5} (inventory/touched {:event/type :ns/gone :ns/id 5})))
  (is (= :all (inventory/touched {:event/type :event/snapshot :snapshot/events []})))
  (is (= :all (inventory/touched {:event/type :lease/names :lease/names {}})))
  (is (= #{} (inventory/touched {:event/type :nd/dns :ns/id 5})))
  (is (= #{} (inventory/touched {:event/type :event/overflow}))))

(def ^:private gen-event
  (gen/let [type  (gen/elements [:link/new :link/gone :addr/new :addr/gone :ns/new :ns/gone :ns/known :router/new :router/gone :event/overflow
                              :never/heard])
            nsid  (gen/elements [nil 0 1])
            index (gen/choose 1 3)
            ip    (gen/elements ["10.0.0.1" "fd00::1"])
        bits  (gen/elements [8 24])
        runs? gen/boolean]
    {:event/type type :ns/id nsid :link/index index :link/name (str "l" index) :addr/ip ip :addr/prefix bits
     :link/running? runs? :link/up? true :router/ip ip}))

(defn- keys-of [i] (into #{} (mapcat #(keys (% i))) [:inv/links :inv/addresses :inv/routers :inv/left :inv/doubles :inv/parted]))

(defspec the-places-of-a-namespace-are-all-of-it 200
  (prop/for-all [events (gen/vector gen-event)]
    (let [i (reduce #(inventory/fold %1 %2 {:mono-ms 1}) inventory/empty-inventory events)]
      (and (every? (fn [[nsid _ :as at]] (contains? (get-in i [:inv/places nsid]) at)) (keys-of i))
           (every? (fn [nsid] (not-any? #(= nsid (first %)) (keys-of (inventory/fold i {:event/type :ns/gone :ns/id nsid}))))
                   [0 1])))))

(defspec only-what-is-touched-changes 200
  (prop/for-all [events (gen/vector gen-event) event gen-event]
    (let [before  (reduce #(inventory/fold %1 %2 {:mono-ms 1}) inventory/empty-inventory events)
          after   (inventory/fold before event {:mono-ms 2})
          touched (inventory/touched event)
          of      (fn [i nsid] [(get-in i [:inv/namespaces nsid])
                                (for [k [:inv/links :inv/addresses :inv/routers :inv/left], at (sort-by str (keys-of i))
                                      :when (= nsid (first at))]
                                  [k at (get-in i [k at])])])]
      (every? #(or (contains? touched %) (= (of before %) (of after %))) [nil 0 1]))))

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

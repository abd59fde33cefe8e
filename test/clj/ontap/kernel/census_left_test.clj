;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.census-left-test
  "Networks that were left, with a real router: what the kernel tells when it goes and comes, and what the
  inventory makes of it."
  (:require [clojure.test :as test :refer [deftest is]]
            [ontap.harness.advertiser :as advertiser]
            [ontap.harness.witness :as witness]
            [ontap.kernel.census :as census]
            [ontap.kernel.events :as events]
            [ontap.model.inventory :as inventory])
  (:import (ontap.ndp RouterAdvertisement)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Clock Io)))

(set! *warn-on-reflection* true)

(defn- now-ms [] (quot (Clock/monotonicNanos) 1000000))

(defn- take-in! [{:keys [inventory heard]} events]
  (vswap! heard into events)
  (vswap! inventory (fn [i] (reduce #(inventory/fold %1 %2 {:mono-ms (now-ms)}) i events))))

(defn- until!
  "Takes in events until `look` of the inventory gives something true, and gives that."
  [{:keys [^RtnlMonitor monitor census inventory] :as world} what look]
  (let [deadline (+ (long (now-ms)) 15000)]
    (loop []
      (or (look @inventory)
          (do (when (zero? (Io/await (.fd monitor) Io/POLLIN (int (max 0 (- deadline (long (now-ms)))))))
                (throw (ex-info (str "no " what) {:left (:inv/left @inventory) :routers (:inv/routers @inventory)
                                                  :addresses (:inv/addresses @inventory)})))
              (take-in! world (census/receive! census))
              (recur))))))

(defn- with-a-lan
  "Calls `f` with a world in which a guest and a router share a link; :nsid is the guest's, nil when `own?`: then
  the guest is who looks."
  [own? f]
  (witness/alone
    (fn []
      (with-open [^RtnlMonitor monitor (events/open-monitor {:routes? true}), rtnl (Rtnl/open)]
        (let [guest (if own? (witness/shell "env") (witness/shell "unshare" "--net"))
              lan   (witness/shell "unshare" "--net")
              line! (fn [shell line] (is (= 0 (first (witness/say! shell line))) line))
              world {:monitor monitor :rtnl rtnl :census (census/census {:monitor monitor :rtnl rtnl})
                     :inventory (volatile! inventory/empty-inventory) :heard (volatile! [])
                     :guest guest :lan lan :line! line!}]
          (try
            (line! lan "ip link set lo up")
            (line! guest (str "ip link add eth0 type veth peer name lan0 netns " (:pid lan)))
            (take-in! world (census/start (:census world)))
            (line! lan "ip link set lan0 addrgenmode none; ip addr add fe80::1/64 dev lan0 nodad; ip link set lan0 up")
            (line! guest "ip link set eth0 up")
            (let [nsid (when-not own? (.ensureNsid rtnl (int (:pid guest))))]
              (take-in! world (census/receive! (:census world)))
              (f (assoc world :nsid nsid :at (some (fn [[at l]] (when (and (= nsid (first at)) (= "eth0" (:link/name l))) at))
                                                   (:inv/links @(:inventory world))))))
            (finally (run! witness/end! [guest lan]))))))))

(defn- told
  "The address that a router told, once it may be used."
  [{:keys [at]}]
  (fn [inv]
    (some (fn [a] (when (and (= 2 (:addr/proto a)) (not (contains? (:addr/flags a) :tentative))) a))
          (vals (get-in inv [:inv/addresses at])))))

(defn- after
  "The same, told after `ms`."
  [world ms]
  (fn [inv] (when-let [a ((told world) inv)] (when (< (long ms) (long (:addr/updated-ms a))) a))))

(defn- told-since
  "The same, told since the network was left."
  [{:keys [at] :as world}]
  (fn [inv] ((after world (get-in inv [:inv/left at])) inv)))

(def ^:private prefix (RouterAdvertisement/prefix (advertiser/ip6 "2001:db8:5::") 64))

(defn- a-router-comes-and-goes [own?]
  (with-a-lan own?
    (fn [{:keys [lan at inventory line! guest] :as world}]
      (let [advertise (fn [f] (advertiser/advertising (:pid lan) "lan0" [prefix] f))
            last-told (volatile! nil)
            left      #(get-in @inventory [:inv/left at])]
        (advertise
          (fn []
            (until! world "router" #(= #{"fe80::1"} (get-in % [:inv/routers at])))
            (let [first-told (until! world "address" (told world))]
              (is (= #{} (:addr/flags first-told)) "It is neither permanent nor temporary.")
              (test/testing "told again by each advertisement"
                (let [times (into [(:addr/updated-ms first-told)]
                                  (repeatedly 2 (fn [] (:addr/updated-ms (until! world "advertisement"
                                                                                 (after world (:addr/updated-ms ((told world) @inventory))))))))]
                  (is (apply < times))
                                    (is (<= -50 (- (long (now-ms)) (long (peek times))) 1000) "of the clock that we read, too"))))
            (is (nil? (left)))
            (test/testing "detection alone tells nothing again"
              (line! guest "ip addr add 2001:db8:6::7/64 dev eth0")
              (until! world "end of detection"
                      #(when-let [a (get-in % [:inv/addresses at "2001:db8:6::7"])] (not (contains? (:addr/flags a) :tentative))))
              (is (= [[#{:permanent :tentative} #{:permanent}] 1]
                     ((juxt #(mapv :addr/flags %) #(count (set (map :addr/updated-ms %))))
                      (filter #(= ["2001:db8:6::7" :addr/new] [(:addr/ip %) (:event/type %)]) @(:heard world))))))))
        (test/testing "it says that it goes"
          (until! world "left network" (fn [_] (left)))
          (is (= {} (:inv/routers @inventory)))
          (let [a ((told world) @inventory)]
            (is (some? a) "The kernel keeps the address,")
            (is (<= (long (:addr/updated-ms a)) (long (left))) "but nobody has told it since."))
          (vreset! last-told (left)))
        (advertise
          (fn []
            (test/testing "it is back"
              (is (until! world "word of the address" (told-since world)))
              (until! world "router" #(seq (get-in % [:inv/routers at])))
              (vreset! last-told (left)))
            (test/testing "the carrier is lost, and is back"
              (line! lan "ip link set lan0 down")
              (until! world "loss" #(false? (get-in % [:inv/links at :link/running?])))
              (is (< (long @last-told) (long (left))))
              (is (seq (get-in @inventory [:inv/routers at])) "That alone takes no router away.")
              (is (<= (long (:addr/updated-ms ((told world) @inventory))) (long (left))))
              (vreset! last-told (left))
              (line! lan "ip link set lan0 up; ip addr replace fe80::1/64 dev lan0 nodad")
              (until! world "carrier" #(true? (get-in % [:inv/links at :link/running?])))
              (is (until! world "word of the address" (told-since world)) "The same prefix is told again.")
              (is (= @last-told (left))))))))))

(deftest ^{:jdk :floor} a-router-in-another-namespace (a-router-comes-and-goes false))

(deftest ^{:long true :jdk :floor} a-router-of-our-own (a-router-comes-and-goes true))

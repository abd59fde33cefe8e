;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.world-test
  "All services together: the order of starting and stopping, and what a changed file
  means."
  (:require [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.supervision :as supervision]
            [ontap.model.world :as world]))

(defn- service [name & requires]
  {:service/name name :service/port "eth0" :service/netns true
   :service/requires (vec requires)
   :service/restart {:policy :always :delay-ms 1 :max-delay-ms 1 :limit 9 :window-ms 1000}
   :service/stop {:signal "TERM" :timeout-ms 1} :service/address-timeout-ms 1})

(defn- world-of [services & {:keys [ports] :or {ports #{"eth0"}}}]
  {:world/services (into {} (map (fn [s] [(:service/name s) (supervision/record s 0)])) services)
   :world/ports ports :world/leaving {}})

(def ^:private diamond
  "top requires left and right, which both require base."
  [(service "top" "left" "right") (service "left" "base") (service "right" "base")
   (service "base") (service "alone")])

;; --- a tiny shell: settles, and answers every effect at once

(defn- give [{:keys [world log]} [name event data]]
  (let [world (cond-> world (= :stop event) (world/left name))]
    (if-let [s (get-in world [:world/services name])]
      (let [[s' effects] (supervision/step s event data 0)
            world'       (assoc-in world [:world/services name] s')
            answers      (keep (fn [[effect]]
                                 (case effect
                                   :attach [name :attached {:usable? true}]
                                   :launch [name :launched {:pid 7}]
                                   :signal [name :exited {:exit {:signal "TERM"}}]
                                   :sweep  [name :gone nil]
                                   nil))
                               effects)]
        (reduce give
                {:world (if (some #{[:forget]} effects)
                          (update world' :world/services dissoc name)
                          world')
                 :log (into log (keep (fn [[effect]] (when (#{:launch :signal :forget} effect) [effect name])))
                            effects)}
                answers))
      {:world world :log log})))

(defn- settled [world-and-log]
  (loop [{:keys [world] :as wl} world-and-log]
    (if-let [event (first (world/settle world))]
      (recur (give wl event))
      wl)))

(defn- run-all [world]
  (settled (reduce give {:world world :log []}
                   (map #(vector % :start nil) (keys (:world/services world))))))

(defn- states [world] (update-vals (:world/services world) :sup/state))

(defn- before? [log a b] (< (.indexOf ^java.util.List log a) (.indexOf ^java.util.List log b)))

(deftest start-order
  (let [{:keys [world log]} (run-all (world-of diamond))]
    (is (every? #{:ready} (vals (states world))) "All are ready in the end.")
    (is (= 5 (count log)) "Each is launched once.")
    (doseq [[first second] [["base" "left"] ["base" "right"] ["left" "top"] ["right" "top"]]]
      (is (before? log [:launch first] [:launch second])
          (str second " requires " first " and is launched after it.")))))

(deftest stop-order
  (let [up (:world (run-all (world-of diamond)))
        {:keys [world log]} (settled {:world (world/leave up ["base" "left" "right" "top"] nil) :log []})]
    (is (= {"base" :down "left" :down "right" :down "top" :down "alone" :ready} (states world))
        "What was asked to stop is down, and nothing else.")
    (doseq [[first second] [["top" "left"] ["top" "right"] ["left" "base"] ["right" "base"]]]
      (is (before? log [:signal first] [:signal second])
          (str first " requires " second " and is stopped before it.")))
    (is (empty? (:world/leaving world)) "No wish is left over.")))

(deftest all-leave
  (let [up (:world (run-all (world-of diamond)))
        {:keys [world]} (settled {:world (world/leave up (map :service/name diamond) {:leave? true}) :log []})]
    (is (empty? (:world/services world)) "Nothing is known of them any more.")
    (is (world/rest? world) "The world is at rest.")))

(deftest rest-is-when-nothing-is-about-to-happen
  (let [w (world-of [(service "a")])]
    (is (world/rest? w))
    (is (not (world/rest? (world/leave w ["a"] nil))) "A wish is open.")
    (is (not (world/rest? (:world (run-all w)))) "One runs.")))

(deftest a-port-that-is-not-there
  (let [{:keys [world log]} (run-all (world-of diamond :ports #{}))]
    (is (= [] log) "Nothing is launched without its port.")
    (is (= "port eth0 is not there yet" (world/waits-for world "base")))
    (let [{:keys [world]} (settled {:world (assoc world :world/ports #{"eth0"}) :log []})]
      (is (every? #{:ready} (vals (states world))) "They start as soon as it comes.")
      (is (nil? (world/waits-for world "base")) "A running one waits for nothing."))))

(deftest what-a-waiting-one-waits-for
  (let [w (assoc-in (world-of diamond) [:world/services "top" :sup/state] :waiting)]
    (is (= "requires left, right" (world/waits-for w "top")))
    (is (= "requires right"
           (world/waits-for (assoc-in w [:world/services "left" :sup/state] :ready) "top")))
    (is (nil? (world/waits-for w "base")) "One that is down does not wait.")
    (is (nil? (world/waits-for w "nobody")))))

(deftest a-required-service-that-is-up-but-not-ready
  (let [w (-> (world-of [(service "web" "db") (service "db")])
              (assoc-in [:world/services "web" :sup/state] :waiting)
              (assoc-in [:world/services "db" :sup/state] :up))]
    (is (= [] (world/settle w)) "Up is not ready.")
    (is (= [["web" :go nil]]
           (world/settle (assoc-in w [:world/services "db" :sup/state] :ready))))))

(deftest closures
  (let [w (world-of diamond)]
    (are [f names expected] (= expected (f w names))
      world/requirements    ["top"]          #{"top" "left" "right" "base"}
      world/requirements    ["left" "alone"] #{"left" "base" "alone"}
      world/requirements    []               #{}
      world/with-dependents ["base"]         #{"base" "left" "right" "top"}
      world/with-dependents ["right"]        #{"right" "top"}
      world/with-dependents ["top"]          #{"top"}
      world/with-dependents ["alone"]        #{"alone"})
    (is (= #{"left" "right"} (set (world/dependents w "base"))) "Directly.")))

(deftest differences
  (let [[top left right base alone] diamond
        base2 (assoc base :service/exec ["other"])
        w     (world-of diamond)]
    (are [services expected] (= expected (world/difference w services))
      diamond {:gone [] :changed [] :new [] :same ["alone" "base" "left" "right" "top"]}
      []      {:gone ["alone" "base" "left" "right" "top"] :changed [] :new [] :same []}
      [top left right base2 (service "more")]
      {:gone ["alone"] :changed [base2] :new [(service "more")] :same ["left" "right" "top"]})
    (testing "a declaration that is about to be in force counts"
      (let [w (assoc-in w [:world/services "base" :sup/next] base2)]
        (is (= ["alone" "base" "left" "right" "top"]
               (:same (world/difference w [top left right base2 alone]))))
        (is (= [base] (:changed (world/difference w diamond))) "Back to the old one is a change.")))
    (testing "one that was gone, and comes back before it has ended, is not lost"
      (doseq [w [(assoc-in w [:world/services "alone" :sup/leave?] true)
                 (world/leave w ["alone"] {:leave? true})]]
        (is (= [alone] (:changed (world/difference w diamond))) "It counts as changed.")))))

(deftest nothing-more-to-be-expected
  (let [w  (assoc (world-of diamond) :world/ports #{"eth0"})
        at (fn [w & kvs] (reduce (fn [w [n state]] (assoc-in w [:world/services n :sup/state] state))
                                 w (partition 2 kvs)))]
    (are [states expected] (= expected (world/idle? (apply at w states) "top"))
      ["top" :ready]                                                        true
      ["top" :failed]                                                       true
      ["top" :launching]                                                    false
      ["top" :waiting "left" :launching "right" :ready]                     false
      ["top" :waiting "left" :failed "right" :ready]                        true
      ["top" :waiting "left" :waiting "right" :ready "base" :failed]        true
      ["top" :waiting "left" :waiting "right" :ready "base" :launching]     false)
    (is (world/idle? (assoc (at w "top" :waiting "left" :ready "right" :ready) :world/ports #{}) "top")
        "Its port is not there.")))

;; --- any graph of services

(def ^:private gen-services
  "Services 0..n, each of which requires some of those before it."
  (gen/let [edges (gen/vector (gen/vector gen/nat 0 3) 1 9)]
    (vec (map-indexed (fn [i picks]
                        (apply service (str "s" i)
                               (distinct (when (pos? i) (map #(str "s" (mod % i)) picks)))))
                      edges))))

(defspec any-graph-starts-and-stops-in-order 100
  (prop/for-all [services gen-services]
    (let [{up :world started :log} (run-all (world-of services))
          {down :world ended :log} (settled {:world (world/leave up (map :service/name services) {:leave? true})
                                             :log []})]
      (and (every? #{:ready} (vals (states up)))
           (= (count services) (count started))
           (every? (fn [{:service/keys [name requires]}]
                     (every? #(and (before? started [:launch %] [:launch name])
                                   (before? ended [:signal name] [:signal %])
                                   (before? ended [:forget name] [:signal %]))
                             requires))
                   services)
           (empty? (:world/services down))
           (world/rest? down)))))

(defspec the-difference-is-a-partition 100
  (prop/for-all [old gen-services, new gen-services]
    (let [{gone :gone changed :changed fresh :new same :same} (world/difference (world-of old) new)
          names #(set (map :service/name %))]
      (and (= (names old) (into (names changed) (concat gone same)))
           (= (names new) (into (names changed) (concat (names fresh) same)))
           (= (+ (count gone) (count changed) (count same)) (count old))))))

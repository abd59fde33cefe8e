;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.spec-test
  "What `model` makes conforms to the specs, whatever happens, and doc/data.md names it."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.inventory :as inventory]
            [ontap.model.service :as service]
            [ontap.model.spec-of-life :as spec]
            [ontap.model.supervision :as supervision]
            [ontap.model.workload :as workload]))

(defn- normal [& {:as more}]
  (:service (service/check (merge {:name "web" :port "eth0" :user "www" :exec ["httpd"]} more) {:root? true})))

(def ^:private services [(normal) (normal :ready {:fd 3} :restart {:policy :on-failure :limit 2})
                         (normal :netns :host :restart {:policy :never})])

(def ^:private gen-event
  "An event with data of its shape."
  (let [exit   (gen/elements [{:code 0} {:code 1} {:signal "KILL"} {:unknown true}])
        reason (gen/return "of a reason")]
    (gen/bind (gen/elements (keys supervision/events))
              (fn [event]
                (gen/tuple (gen/return event)
                           (case event
                             :stop          (gen/elements [nil {:leave? true}])
                             :restart       (gen/elements (into [nil] (map #(hash-map :service %)) services))
                             :attached      (gen/hash-map :usable? gen/boolean)
                             :attach-failed (gen/hash-map :reason reason :wait? gen/boolean)
                             (:address-refused :launch-failed :link-lost) (gen/hash-map :reason reason)
                             :launched      (gen/hash-map :pid (gen/choose 2 4194304))
                             :exited        (gen/hash-map :exit exit)
                             (gen/return nil))
                           (gen/choose 0 70000))))))

(defspec every-life-conforms 300
  (prop/for-all [service (gen/elements services)
                 events  (gen/vector gen-event 0 60)]
    (loop [s (supervision/record service 0), now 0, [[event data later] & more] events]
      (and (or (s/valid? ::spec/supervision s) (throw (ex-info (s/explain-str ::spec/supervision s) {})))
           (s/valid? ::spec/world {:world/services {"web" s} :world/ports #{"eth0"} :world/leaving {"web" nil}})
           (or (nil? event)
               (let [[s' effects] (supervision/step s event data (+ now (long later)))]
                 (and (every? #(s/valid? ::spec/effect %) effects)
                      (recur s' (+ now (long later)) more))))))))

(def ^:private link
  {:link/index 2 :link/name "eth0" :link/kind nil :link/alias nil :link/hwaddr "02:00:00:00:00:01" :link/up? true
   :link/running? false :link/parent nil :ns/id nil})

(def ^:private address
  {:addr/ip "fd00::5" :addr/prefix 64 :addr/family :ipv6 :addr/scope :global :addr/flags #{:tentative} :addr/valid-s nil
   :link/index 2 :ns/id 4})

(deftest the-fold-of-events-conforms
  (let [events [(assoc link :event/type :link/new) (assoc link :event/type :link/new :ns/id 4)
                (assoc address :event/type :addr/new) {:event/type :event/overflow}
                {:event/type :nd/dns :ns/id nil :link/index 2 :nd/servers ["fd00::1"] :nd/search [] :nd/lifetime-s 0}
                {:event/type :ns/new :ns/id 4} (assoc link :event/type :link/gone)]]
    (is (every? #(s/valid? ::spec/kernel-event %) events))
    (doseq [n (range (inc (count events)))
            :let [inventory (reduce inventory/fold inventory/empty-inventory (take n events))]]
      (is (s/valid? ::spec/inventory inventory) (s/explain-str ::spec/inventory inventory)))))

(deftest what-is-wrong-does-not-conform
  (doseq [[spec value] [[::spec/link (dissoc link :ns/id)] [::spec/link (assoc link :link/mtu 1500)]
                        [::spec/address (assoc address :addr/ip "fd00::0:5")] [::spec/address (assoc address :addr/family :ipv4)]
                        [::spec/kernel-event (assoc link :event/type :link/old)]
                        [::spec/inventory {:inv/links {2 link} :inv/addresses {}}]
                        [::spec/inventory {:inv/links {} :inv/addresses {[4 2] {"fd00::6" address}}}]
                        [::spec/exit {:code 0 :signal "TERM"}] [::spec/effect [:timer :sleep 3]]
                        [::spec/supervision (assoc (supervision/record (normal) 0) :sup/state :ready)]]]
    (is (not (s/valid? spec value)) (str value " is no " spec "."))))

(deftest an-identity-conforms
  (is (s/valid? ::spec/identity (workload/identity-of (normal) {:uid 33 :gid 33 :name "www" :home "/" :shell "/bin/sh"} [33 7]))))

(deftest each-state-event-and-column-is-told
  (let [page (slurp "doc/data.md")]
    (doseq [k (concat (keys supervision/states) (keys supervision/events) spec/row-keys)]
      (is (str/includes? page (str "`" k "`")) (str "doc/data.md names " k ".")))))

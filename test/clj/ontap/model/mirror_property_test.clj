;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mirror-property-test
  "What holds of a mirror whatever a guest and its LAN send, and however it is told."
  (:require [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mirror :as mirror]))

(def ^:private mac "02:00:00:00:00:01")

;; --- any events: a few addresses, so that they meet, and more than there is room for

(def ^:private gen-ip
  (gen/frequency [[6 (gen/fmap #(str "10.9.0." %) (gen/choose 1 12))]
                  [6 (gen/fmap #(str "fd00::" (Long/toHexString (inc %))) (gen/choose 1 12))]
                  [1 (gen/elements ["127.0.0.1" "224.0.0.1" "::1" "ff02::1" "255.255.255.255" "fe80::5"])]]))

(def ^:private gen-frame
  (gen/let [from (gen/elements [:guest :guest :lan])
            kind (gen/elements (vec (remove #{:tick :lost :refuse} (sort mirror/events))))
            ip gen-ip, target gen-ip
            xid (gen/choose 1 5)
            hwaddr (gen/frequency [[9 (gen/return mac)] [1 (gen/return "02:00:00:00:00:02")]])
            client (gen/elements [nil nil "01aa" "01bb"])
            seconds (gen/elements [nil 0 1 5 60])
            prefix (gen/elements [nil nil 24 30])]
    (into {} (filter (comp some? val))
          {:seen/from from :seen/kind kind :seen/ip ip :seen/target target :seen/hwaddr hwaddr :seen/xid xid
           :seen/client client :seen/seconds seconds :seen/prefix prefix})))

(def ^:private gen-event
  (gen/frequency
   [[30 gen-frame]
    [2 (gen/return {:seen/kind :tick})]
    [2 (gen/fmap (fn [ip] {:seen/kind :lost :seen/ip ip :seen/reason "taken"}) gen-ip)]
    [1 (gen/fmap (fn [ips] {:seen/kind :refuse :seen/ips ips}) (gen/set gen-ip {:max-elements 4}))]]))

(def ^:private gen-story
  "Events with the ms since the one before."
  (gen/vector (gen/tuple (gen/frequency [[6 (gen/choose 0 20)] [2 (gen/choose 500 2000)] [1 (gen/choose 2000 40000)]])
                         gen-event)
              0 150))

(defn- tell
  "The states of a fresh mirror through `story`, each {:at :event :before :state :effects}."
  [story]
  (rest (reductions (fn [{:keys [at state]} [later event]]
                      (let [at (+ at later), [s fx] (mirror/step state event at)]
                        {:at at :event event :before state :state s :effects fx}))
                    {:at 0 :state (mirror/mirror mac #{"10.9.0.1" "fd00::2"} [])}
                    story)))

(defn- only [kind effects] (filter #(= kind (first %)) effects))

(defn- carried-out
  "The addresses on the link after each telling; nil as soon as an address is added that is there or removed that is not."
  [tellings]
  (rest (reductions (fn [on {:keys [event effects]}]
                      (reduce (fn [on [kind ip]]
                                (case kind
                                  :add    (if (contains? on ip) (reduced (reduced nil)) (conj on ip))
                                  :remove (if (contains? on ip) (disj on ip) (reduced (reduced nil)))
                                  on))
                              (if (= :lost (:seen/kind event)) (disj on (:seen/ip event)) on)
                              effects))
                    #{} tellings)))

(defspec the-link-has-what-the-state-says 200
  (prop/for-all [story gen-story]
    (let [tellings (tell story)
          on       (carried-out tellings)]
      (and (= (count tellings) (count on))
           (every? true? (map #(= (mirror/addresses (:state %1)) (into (sorted-set) %2)) tellings on))))))

(defspec never-more-than-there-may-be 200
  (prop/for-all [story gen-story]
    (every? (fn [{:keys [state]}]
              (and (<= (count (mirror/addresses state)) mirror/most)
                   (<= (count (:mirror/waiting state)) mirror/most)
                   (<= (count (:mirror/armed state)) 4)
                   (<= (count (:mirror/lost state)) mirror/changes-most)
                   (<= (count (:mirror/noted state)) 9)
                   (<= (count (:mirror/changes state)) (+ mirror/changes-most mirror/most 1))))
            (tell story))))

(defspec no-refused-address-is-added-or-stays 200
  (prop/for-all [story gen-story]
    (every? (fn [{:keys [state effects]}]
              (and (not-any? (:mirror/refused state) (map second (only :add effects)))
                   (not-any? (:mirror/refused state) (mirror/addresses state))
                   (not-any? #{"127.0.0.1" "224.0.0.1" "::1" "ff02::1" "255.255.255.255"} (mirror/addresses state))))
            (tell story))))

(defspec additions-have-their-pace 100
  (prop/for-all [story gen-story]
    (let [added (mapcat (fn [{:keys [at effects]}] (repeat (count (only :add effects)) at)) (tell story))]
      (every? (fn [at] (<= (count (filter #(< (- at mirror/changes-ms) % (inc at)) added)) mirror/changes-most)) added))))

(defspec what-the-guest-gives-up-goes 100
  (prop/for-all [story gen-story]
    (let [{:keys [at state]} (last (cons {:at 0 :state (mirror/mirror mac #{} ["10.9.0.9"])} (tell story)))]
      (every? (fn [ip]
                (every? (fn [event]
                          (let [[s fx] (mirror/step state event at)]
                            (and (some #(= [:remove ip] (subvec % 0 2)) (only :remove fx))
                                 (not (contains? (mirror/addresses s) ip)))))
                        [{:seen/from :guest :seen/kind :dhcp-release :seen/hwaddr mac :seen/ip ip}
                         {:seen/from :guest :seen/kind :dhcp-decline :seen/hwaddr mac :seen/ip ip}
                         {:seen/kind :refuse :seen/ips #{ip}}]))
              (mirror/addresses state)))))

(defspec the-lan-adds-only-what-was-asked-for 100
  (prop/for-all [story gen-story]
    (every? (fn [{:keys [event before effects]}]
              (or (not= :lan (:seen/from event))
                  (contains? (:mirror/armed before) (:seen/xid event))
                  (every? #(contains? (:mirror/waiting before) (second %)) (only :add effects))))
            (tell story))))

(defspec silence-comes-to-rest 100
  ;; each :timer is in the future, and answering them one after the other ends
  (prop/for-all [story gen-story]
    (let [told (tell story)]
      (and (every? (fn [{:keys [at effects]}] (every? #(or (nil? (second %)) (< at (second %))) (only :timer effects))) told)
           (loop [state (:state (last told)), ticks 0]
             (let [at (:mirror/timer state)]
               (cond (nil? at)     true
                     (= 200 ticks) false
                     :else         (recur (first (mirror/step state {:seen/kind :tick} at)) (inc ticks)))))))))

(defspec timers-are-told 100
  (prop/for-all [story gen-story]
    (= (map (comp :mirror/timer :state) (tell story))
       (rest (reductions (fn [at {:keys [effects]}] (if-let [[_ at'] (last (only :timer effects))] at' at)) nil (tell story))))))

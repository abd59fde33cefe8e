;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-script
  "A link's IPv4 address by a script: a client, the answers of a server, and rows of what
  happens when and what follows."
  (:require [clojure.test :refer [is]]
            [ontap.model.lease :as lease]))

(set! *warn-on-reflection* true)

(def mac "The link's hardware address." "02:00:00:00:00:01")
(def id "Its client identifier." "ff0000000100040011")

(def given
  "Of a client that looks for no conflicts and waits for nothing."
  {:dhcp/name "www" :dhcp/hwaddr mac :dhcp/client-id id :dhcp/seed 7 :dhcp/start-delay? false :dhcp/acd? false
   :dhcp/static nil :dhcp/saved nil :dhcp/configured nil})

(defn client "A client, given these too." [& kvs] (lease/client (merge given (apply hash-map kvs))))

(def careful "One that looks for conflicts." (client :dhcp/acd? true))

(def options
  "What the server says."
  {:option/prefix 24 :option/routers ["10.0.0.1"] :option/dns ["10.0.0.2"] :option/lease-s 3600})

(defn message
  "A message of server 10.0.0.1 to the client in `state`; `kvs` change it."
  [state type ip & kvs]
  (merge {:message/type type :message/xid (lease/xid state) :message/hwaddr mac :message/client-id nil
          :message/client-ip nil :message/your-ip ip :message/server-id "10.0.0.1" :message/relay nil
          :message/from-hwaddr "02:00:00:00:00:99" :message/from-ip "10.0.0.1" :message/options options}
         (apply hash-map kvs)))

(defn brief
  "An effect without what goes without saying."
  [[kind a b :as effect]]
  (case kind
    :send  (into [(:message/type a)] (remove nil?) [(or (:message/requested-ip a) (:message/client-ip a))])
    :arp   [(:arp/kind a) (:arp/target-ip a)]
    :apply [:apply (:dhcp/ip a)]
    :save  [:save (:dhcp/ip a)]
    :event [:event a]
    :note  nil
    effect))

(defn briefly "Effects as `brief` has them, without notes." [effects] (into [] (keep brief) effects))

(defn play
  "Steps `state` through rows [ms-since-the-start event effects]. An event is one of
  `lease/step` or a function of the state that gives one; nil instead of effects looks at
  none; {state effects} looks at the state too. Gives the last state."
  [state & rows]
  (reduce (fn [s [at event wanted]]
            (let [event   (if (fn? event) (event s) event)
                  [s' fx] (lease/step s event at)]
              (when (vector? wanted)
                (is (= wanted (briefly fx)) (str (first event) " at " at " ms has its effects.")))
              (when (map? wanted)
                (is (= wanted {(:dhcp/state s') (briefly fx)}) (str (first event) " at " at " ms")))
              (is (or (nil? (lease/deadline s')) (< at (lease/deadline s'))) "What is due was done.")
              s'))
          state rows))

(defn says "A row's event: a message to the state there is." [type ip & kvs] (fn [s] [:message (apply message s type ip kvs)]))

(defn effects "The effects of one event." [state event now] (second (lease/step state event now)))

(def bound
  "The state 100 ms after the start: bound to 10.0.0.5 since 40 ms, with a lease from 20 ms."
  (delay (play (client)
               [0 [:start] {:selecting [[:discover]]}]
               [20 (says :offer "10.0.0.5") {:requesting [[:request "10.0.0.5"]]}]
               [40 (says :ack "10.0.0.5") {:applying [[:save "10.0.0.5"] [:apply "10.0.0.5"]]}]
               [40 [:applied "10.0.0.5"] {:bound [[:event :bound] [:announce "10.0.0.5"] [:request "10.0.0.1"]]}])))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-world
  "What the tests of names and zones are made of: a configuration, kernel events, and a river that has seen some."
  (:require [ontap.model.river :as river]))

(def zone
  "The configuration of `ontap zone --domain vanya`."
  {:zone/domain "vanya" :zone/ttl 60 :zone/name-from :alias
   :zone/ns [{:ns/host "ns.vanya" :ns/addresses :own}]
   :zone/contact "hostmaster.vanya"
   :zone/soa {:refresh 600 :retry 120 :expire 86400 :minimum 10}
   :zone/records [] :zone/srv {} :zone/views []})

(defn offer
  "What is offered at `port`; more of it as `:srv/txt` and so on."
  [port & {:as more}]
  (merge {:srv/port port :srv/txt [] :srv/subtypes [] :srv/instance nil} more))

(defn link
  "A link came, or changed: its name is eth0 when nothing else is said."
  [nsid index & {:as more}]
  (merge {:event/type :link/new :ns/id nsid :link/index index :link/name "eth0" :link/up? true :link/running? true} more))

(defn aliased
  "A link with this alias."
  [nsid index text]
  (link nsid index :link/alias text))

(defn link-gone "A link went." [nsid index] {:event/type :link/gone :ns/id nsid :link/index index})

(defn addr
  "An address came, or changed."
  [nsid index ip prefix & {:as more}]
  (merge {:event/type :addr/new :ns/id nsid :link/index index :addr/ip ip :addr/prefix prefix :addr/scope :global :addr/flags #{}}
         more))

(defn addr-gone "An address went." [nsid index ip] {:event/type :addr/gone :ns/id nsid :link/index index :addr/ip ip})

(defn trusted "Namespace `nsid` is ours." [nsid] {:event/type :ns/known :ns/id nsid :ns/trusted? true :ns/inode (+ 1000 nsid)})

(defn foreign "Namespace `nsid` is somebody else's." [nsid] {:event/type :ns/known :ns/id nsid :ns/trusted? false})

(defn ns-gone "A namespace ended." [nsid] {:event/type :ns/gone :ns/id nsid})

(defn snapshot "All there is." [& events] {:event/type :event/snapshot :snapshot/events (vec events)})

(defn at "The times of a step `s` seconds after the first." [s] {:now-ms (* 1000 s) :mono-ms (* 1000 s) :epoch-s (+ 1000000 s)})

(defn after
  "What `river/step` gives for `events`, a step of a second each, after `river`."
  [r & events]
  (reduce (fn [{:keys [river] :as before} event]
            (let [s (inc (:s before 0))]
              (assoc (river/step river [event] (at s)) :s s :notes-so-far (:notes-so-far before))))
          {:river r :s (::s (meta r) 0)}
          events))

(defn told
  "Owner, type and data of each record of `view`, without SOA and NS."
  [r view]
  (into {} (for [{:rr/keys [name type data]} (river/records r view) :when (not (#{:soa :ns} type))]
             [[name type] data])))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.spec
  "The shapes of the data between the rooms, as specs; doc/data.md tells them in words. Here are those of declarations and of
  what ontapd is asked for and hands out; those of running services are in `ontap.model.spec-of-life`.
  Only tests and a REPL load this file: the program's own path works from the tables and starts faster."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.caps :as caps]
            [ontap.model.nameservers :as nameservers]
            [ontap.model.network :as network]
            [ontap.model.port :as port]
            [ontap.model.quantity :as quantity]
            [ontap.model.zone-srv :as zone-srv]))

(defn- text-without-nul? [v] (and (string? v) (not (str/includes? v "\u0000"))))
(defn- one-of [xs] (set xs))

(s/def ::text text-without-nul?)
(s/def ::ms nat-int?)
(s/def ::absolute (s/and ::text #(str/starts-with? % "/")))
(s/def ::ip (s/and string? #(= % (address/canonical %))))

(s/def :service/name network/label?)
(s/def :service/port network/interface-name?)
(s/def :service/type (one-of network/types))
(s/def :service/mode (s/nilable (one-of (mapcat val network/modes))))
(s/def ::queues (s/int-in 1 (inc network/most-queues)))
(s/def :service/queues (s/nilable ::queues))
(s/def :service/link (s/nilable network/interface-name?))
(s/def :service/netns (s/or :own true? :host #{:host} :named ::text))
(s/def :service/uts boolean?)
(s/def :service/hostname (s/nilable (s/and ::text #(<= 1 (count %) 64))))

(s/def ::method #{:none :slaac :dhcp :static})
(s/def ::prefix (s/int-in 1 129))
(s/def ::gateway (s/nilable ::ip))
(s/def ::no-address (s/and (s/keys :req-un [::method]) #(not= :static (:method %)) #(= 1 (count %))))
(s/def ::static (s/and (s/keys :req-un [::method ::ip ::prefix ::gateway]) #(= :static (:method %))))
(s/def :service/ipv4 (s/and (s/or :none ::no-address :static ::static)
                            (s/conformer second)
                            #(if (:ip %) (= 4 (address/family (:ip %))) (#{:none :dhcp} (:method %)))))
(s/def :service/ipv6 (s/and (s/or :none ::no-address :static ::static)
                            (s/conformer second)
                            #(if (:ip %) (= 6 (address/family (:ip %))) (#{:none :slaac} (:method %)))))
(s/def :service/release boolean?)
(s/def :service/acd boolean?)
(s/def :service/start-delay boolean?)
(s/def ::line (s/and ::text seq #(not (re-find #"[\s\p{Cntrl}]" %))))
(s/def ::nameservers (s/coll-of ::line :kind vector? :min-count 1 :max-count nameservers/most-nameservers))
(s/def ::search (s/coll-of ::line :kind vector?))
(s/def ::options (s/coll-of ::line :kind vector?))
(s/def :service/resolv-conf
  (s/and (s/or :own boolean? :file ::absolute
               :told (s/and (s/keys :req-un [::nameservers ::search ::options]) #(= 3 (count %))))
         (s/conformer second)))
(s/def :service/address-timeout-ms ::ms)
(s/def :service/user (s/nilable ::text))
(s/def :service/groups (s/nilable (s/coll-of ::text :kind vector? :distinct true)))
(s/def :service/caps (s/and (s/coll-of (one-of caps/names) :kind vector? :distinct true) #(= % (caps/sorted %))))
(s/def :service/exec (s/and (s/coll-of ::text :kind vector? :min-count 1) #(not= "" (first %))))
(s/def :service/env (s/map-of (s/and ::text #(not (str/includes? % "="))) ::text))
(s/def :service/dir ::absolute)
(s/def :service/umask (s/int-in 0 512))
(s/def ::limit-value (s/or :infinity #{-1} :bound nat-int?))
(s/def ::soft ::limit-value)
(s/def ::hard ::limit-value)
(s/def :service/limits (s/map-of (one-of quantity/limit-names) (s/keys :req-un [::soft ::hard])))
(s/def :service/requires (s/coll-of ::text :kind vector? :distinct true))
(s/def ::fd (s/int-in 3 64))
(s/def :service/ready (s/nilable (s/or :notify #{:notify} :fd (s/keys :req-un [::fd]))))
(defn- bytes-of [^String s] (alength (.getBytes s "UTF-8")))
(s/def :srv/port (s/int-in 1 65536))
(s/def :srv/txt (s/and (s/coll-of (s/and ::text zone-srv/txt-key #(<= (bytes-of %) zone-srv/longest-string)) :kind vector?)
                       #(or (empty? %) (apply distinct? (map zone-srv/txt-key %)))
                       #(<= (reduce + (map (comp inc bytes-of) %)) zone-srv/longest-txt)
                       (fn [texts] (not-any? #(= "txtvers" (zone-srv/txt-key %)) (rest texts)))))
(s/def :srv/subtypes (s/coll-of zone-srv/subtype? :kind vector? :distinct true))
(s/def :srv/instance (s/nilable zone-srv/instance-name?))
(s/def ::offer (s/and (s/keys :req [:srv/port :srv/txt :srv/subtypes :srv/instance]) #(= 4 (count %))))
(s/def :service/srv (s/map-of zone-srv/offer? ::offer))
(s/def ::policy #{:always :on-failure :never})
(s/def ::delay-ms ::ms)
(s/def ::max-delay-ms ::ms)
(s/def ::limit pos-int?)
(s/def ::window-ms pos-int?)
(s/def :service/restart (s/and (s/keys :req-un [::policy ::delay-ms ::max-delay-ms ::limit ::window-ms])
                               #(<= (:delay-ms %) (:max-delay-ms %))))
(s/def ::signal (one-of quantity/signals))
(s/def ::timeout-ms ::ms)
(s/def :service/stop (s/keys :req-un [::signal ::timeout-ms]))
(s/def ::file (s/nilable ::absolute))
(s/def ::max-bytes (s/and pos-int? #(<= 4096 %)))
(s/def :service/log (s/keys :req-un [::file ::max-bytes]))

(def service-keys
  "The keys every normalised service has, no more and no fewer."
  [:service/name :service/port :service/type :service/mode :service/queues :service/link :service/netns :service/uts
   :service/hostname :service/ipv4 :service/ipv6 :service/release :service/acd :service/start-delay :service/resolv-conf
   :service/address-timeout-ms :service/user :service/groups :service/caps :service/exec :service/env :service/dir :service/umask :service/limits :service/requires :service/ready
   :service/srv :service/restart :service/stop :service/log])

(s/def ::service
  (s/and (s/keys :req [:service/name :service/port :service/type :service/mode :service/queues :service/link
                       :service/netns :service/uts :service/hostname :service/ipv4 :service/ipv6 :service/release :service/acd
                       :service/start-delay :service/resolv-conf :service/address-timeout-ms :service/user :service/groups :service/caps
                       :service/exec :service/env :service/dir :service/umask
                       :service/limits :service/requires :service/ready :service/srv :service/restart :service/stop :service/log])
         #(= (set service-keys) (set (keys %)))
         #(if-let [modes (seq (network/modes (:service/type %)))] (some #{(:service/mode %)} modes) (nil? (:service/mode %)))
         ;; a tap type has queues and no link of its own inside, and the guest its addresses
         #(= (network/tap-type? (:service/type %)) (some? (:service/queues %)) (nil? (:service/link %)))
         #(or (nil? (:service/queues %)) (= {:method :none} (:service/ipv4 %) (:service/ipv6 %)))
         #(or (nil? (:service/queues %)) (false? (:service/resolv-conf %)))
         #(or (= :dhcp (:method (:service/ipv4 %))) (not (or (:service/release %) (:service/start-delay %))))
         #(not (and (:service/acd %) (= :none (:method (:service/ipv4 %)))))
         #(= (:service/uts %) (some? (:service/hostname %)))))

(s/def ::link network/interface-name?)
(s/def ::type #{"ipvlan" "macvlan"})
(s/def :port/name network/interface-name?)
(s/def :host-link/ipv4 #{{:method :dhcp} {:method :none}})
(s/def :port/host-link (s/nilable (s/and (s/keys :req-un [::link ::type :host-link/ipv4]) #(= 3 (count %)))))
(s/def :port/owner ::text)
(s/def :port/group ::text)
(s/def :port/mode (s/int-in 0 512))
(s/def :port/own-netns? boolean?)
(s/def :rule/user (s/nilable ::text))
(s/def :rule/group (s/nilable ::text))
(s/def :rule/types (s/coll-of (one-of port/types) :kind set? :min-count 1))
(s/def :rule/limit pos-int?)
(s/def :rule/names (s/coll-of ::text :kind vector? :distinct true))
(s/def ::rule (s/and (s/keys :req [:rule/user :rule/group :rule/types :rule/limit :rule/names])
                     #(or (:rule/user %) (:rule/group %))))
(s/def :port/allow (s/coll-of ::rule :kind vector?))
(s/def ::port (s/and (s/keys :req [:port/name :port/host-link :port/owner :port/group :port/mode :port/own-netns? :port/allow])
                     #(= 7 (count %))))
(s/def ::ports (s/and (s/map-of string? ::port) #(every? (fn [[n p]] (= n (:port/name p))) %)))

;; --- what is asked of ontapd, and refused

(s/def :peer/uid nat-int?)
(s/def :peer/gid nat-int?)
(s/def :peer/pid nat-int?)
(s/def :peer/user (s/nilable ::text))
(s/def :peer/groups (s/coll-of ::text :kind set?))
(s/def ::peer (s/keys :req [:peer/uid :peer/gid :peer/user :peer/groups :peer/pid]))

(s/def :request/type (one-of network/types))
(s/def :request/name (s/nilable network/label?))
(s/def :request/queues ::queues)
(s/def :request/link (s/nilable network/interface-name?))
(s/def :request/mode (s/nilable (one-of (mapcat val network/modes))))
(s/def :request/setup #{:slaac :none})
(s/def :request/ipv4 :service/ipv4)
(s/def :request/release? boolean?)
(s/def :request/acd? boolean?)
(s/def :request/start-delay? boolean?)
(s/def :request/lease #{:namespace :holder})
(s/def :request/keep? boolean?)
(s/def :request/id pos-int?)
(s/def :request/verb #{:attach :leases :release})
(defmulti request "The spec of a request." :request/verb)
(defmethod request :attach [_]
  (s/and (s/keys :req [:request/type :request/name :request/queues :request/link :request/mode :request/setup :request/ipv4
                       :request/release? :request/acd? :request/start-delay? :request/lease :request/keep?])
         #(= 13 (count %))
         #(or (= :dhcp (:method (:request/ipv4 %))) (not (or (:request/release? %) (:request/start-delay? %))))
         #(not (and (:request/acd? %) (= :none (:method (:request/ipv4 %)))))
         #(= (network/tap-type? (:request/type %)) (nil? (:request/link %)))
         #(or (nil? (:request/mode %)) (some #{(:request/mode %)} (network/modes (:request/type %))))
         #(or (:request/link %) (= [:none :holder {:method :none}] [(:request/setup %) (:request/lease %) (:request/ipv4 %)]))
         #(or (not (:request/keep? %)) (= :holder (:request/lease %)))))
(defmethod request :leases [_] #(= 1 (count %)))
(defmethod request :release [_] (s/and (s/keys :req [:request/id]) #(= 2 (count %))))
(s/def ::request (s/multi-spec request :request/verb))

(s/def :refusal/rule #{:version :size :request :descriptor :type :policy :name :limit :rate :port :namespace :authority :lease
                       :kernel :busy})
(s/def :refusal/says (s/and string? seq #(not (re-find #"\p{Cntrl}" %))))
(s/def :refusal/wait? true?)
(s/def ::refusal (s/keys :req [:refusal/rule :refusal/says] :opt [:refusal/wait?]))

;; --- what was handed out

(s/def ::dev int?)
(s/def ::ino pos-int?)
(s/def :peer/ticks (s/nilable nat-int?))
(s/def :lease/id pos-int?)
(s/def :lease/port network/interface-name?)
(s/def :lease/type (one-of network/types))
(s/def :lease/mode :request/mode)
(s/def :lease/name (s/nilable network/label?))
(s/def :lease/uid nat-int?)
(s/def :lease/pid (s/nilable nat-int?))
(s/def :lease/ticks (s/nilable nat-int?))
(s/def :lease/held #{:namespace :holder :host})
(s/def :lease/keep? boolean?)
(s/def :lease/setup #{:slaac :none})
(s/def :lease/state #{:looking :making :held :kept :moved :ending})
(s/def :lease/nsid (s/nilable nat-int?))
(s/def :lease/netns (s/nilable (s/keys :req-un [::dev ::ino])))
(s/def :lease/link (s/nilable network/interface-name?))
(s/def :lease/index (s/nilable pos-int?))
(s/def :lease/parent (s/nilable pos-int?))
(s/def :lease/hwaddr (s/nilable (s/and string? #(re-matches #"[0-9a-f]{2}(?::[0-9a-f]{2}){5}" %))))
(s/def :lease/mtu (s/nilable pos-int?))
(s/def :lease/queues (s/nilable ::queues))
(s/def :lease/since-epoch-ms (s/nilable nat-int?))
(s/def :lease/addresses (s/coll-of ::ip :kind vector?))
(s/def :lease/ipv4 :service/ipv4)
(s/def :lease/release? boolean?)
(s/def :lease/acd? boolean?)
(s/def :lease/start-delay? boolean?)
(s/def :lease/resolv-conf (s/nilable ::absolute))
(s/def :lease/token nat-int?)
(s/def :lease/waiters (s/coll-of nat-int? :kind vector?))
(s/def :lease/asker-gone? boolean?)
(s/def :lease/resumed? boolean?)
(s/def ::lease
  (s/and (s/keys :req [:lease/id :lease/port :lease/type :lease/mode :lease/name :lease/uid :lease/pid :lease/held :lease/keep?
                       :lease/state :lease/queues]
                 :opt [:lease/ticks :lease/setup :lease/ipv4 :lease/release? :lease/acd? :lease/start-delay?
                       :lease/resolv-conf :lease/nsid :lease/netns :lease/link :lease/index :lease/parent :lease/hwaddr
                       :lease/mtu :lease/since-epoch-ms :lease/addresses :lease/token :lease/waiters :lease/asker-gone?
                       :lease/resumed?])
         #(= (network/tap-type? (:lease/type %)) (some? (:lease/queues %)))
         #(or (not= :held (:lease/state %)) (and (:lease/link %) (:lease/index %)))))

(s/def :mistake/path vector?)
(s/def :mistake/expected (s/nilable string?))
(s/def :mistake/nearest (s/nilable string?))
(s/def :mistake/found any?)
(s/def :mistake/says (s/and string? seq #(not (re-find #"\p{Cntrl}" %))))
(s/def :mistake/line pos-int?)
(s/def :mistake/column pos-int?)
(s/def ::mistake (s/keys :req [:mistake/path :mistake/expected :mistake/nearest :mistake/says]
                         :opt [:mistake/found :mistake/line :mistake/column]))
(s/def ::mistakes (s/coll-of ::mistake :kind vector? :min-count 1))

(s/def :plan/service :service/name)
(s/def :plan/steps (s/coll-of (s/tuple keyword? some?) :kind vector? :min-count 1))
(s/def :plan/notes (s/coll-of string? :kind vector?))
(s/def ::plan (s/coll-of (s/keys :req [:plan/service :plan/steps :plan/notes]) :kind vector?))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.spec
  "The shapes of the data between the rooms, as specs; doc/data.md tells them in words. Here are those of declarations;
  those of running services are in `ontap.model.spec-of-life`.
  Only tests and a REPL load this file: the program's own path works from the tables and starts faster."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.caps :as caps]
            [ontap.model.network :as network]
            [ontap.model.quantity :as quantity]
            [ontap.model.service :as service]))

(defn- text-without-nul? [v] (and (string? v) (not (str/includes? v "\u0000"))))
(defn- one-of [xs] (set xs))

(s/def ::text text-without-nul?)
(s/def ::ms nat-int?)
(s/def ::absolute (s/and ::text #(str/starts-with? % "/")))
(s/def ::ip (s/and string? #(= % (address/canonical %))))

(s/def :service/name service/name?)
(s/def :service/port network/interface-name?)
(s/def :service/type (one-of (keys network/modes)))
(s/def :service/mode (one-of (mapcat val network/modes)))
(s/def :service/link network/interface-name?)
(s/def :service/netns (s/or :own true? :host #{:host} :named ::text))
(s/def :service/uts boolean?)
(s/def :service/hostname (s/nilable (s/and ::text #(<= 1 (count %) 64))))

(s/def ::method #{:none :slaac :static})
(s/def ::prefix (s/int-in 1 129))
(s/def ::gateway (s/nilable ::ip))
(s/def ::no-address (s/and (s/keys :req-un [::method]) #(not= :static (:method %)) #(= 1 (count %))))
(s/def ::static (s/and (s/keys :req-un [::method ::ip ::prefix ::gateway]) #(= :static (:method %))))
(s/def :service/ipv4 (s/and (s/or :none ::no-address :static ::static)
                            (s/conformer second)
                            #(or (= {:method :none} %) (= 4 (address/family (:ip %))))))
(s/def :service/ipv6 (s/and (s/or :none ::no-address :static ::static)
                            (s/conformer second)
                            #(or (nil? (:ip %)) (= 6 (address/family (:ip %))))))
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
  [:service/name :service/port :service/type :service/mode :service/link :service/netns :service/uts :service/hostname
   :service/ipv4 :service/ipv6 :service/address-timeout-ms :service/user :service/groups :service/caps :service/exec
   :service/env :service/dir :service/umask :service/limits :service/requires :service/ready :service/restart
   :service/stop :service/log])

(s/def ::service
  (s/and (s/keys :req [:service/name :service/port :service/type :service/mode :service/link :service/netns :service/uts
                       :service/hostname :service/ipv4 :service/ipv6 :service/address-timeout-ms :service/user
                       :service/groups :service/caps :service/exec :service/env :service/dir :service/umask
                       :service/limits :service/requires :service/ready :service/restart :service/stop :service/log])
         #(= (set service-keys) (set (keys %)))
         #(some #{(:service/mode %)} (network/modes (:service/type %)))
         #(= (:service/uts %) (some? (:service/hostname %)))))

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

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.spec-of-zone
  "The shape of a checked :zone as specs; doc/data.md tells it in words. Only tests and a REPL load this file."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.network :as network]
            [ontap.model.spec :as spec]
            [ontap.model.zone-file :as zone-file]
            [ontap.model.zone-mdns :as zone-mdns]
            [ontap.model.zone-name :as zone-name]
            [ontap.model.zone-peer :as zone-peer]
            [ontap.model.zone-place :as zone-place]
            [ontap.model.zone-record :as zone-record]))

(defn- sorted-and-distinct? [v] (= v (sort (distinct v))))

(defn- label? [s] (re-matches #"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?" s))

(s/def ::name (s/and string? #(<= 1 (count %) 253) #(every? label? (str/split % #"\." -1))))
(s/def ::owner (s/and string? #(s/valid? ::name (if (str/starts-with? % "*.") (subs % 2) %))))
(s/def ::view (set zone-place/views))
(s/def ::seconds (s/int-in 1 31536001))
(s/def ::port (s/int-in 1 65536))
(s/def ::prefix (s/and string? #(when-let [{:keys [ip prefix]} (address/prefixed %)] (= % (address/network ip prefix)))))
(s/def ::octets-2 (s/int-in 0 65536))

(s/def :listen/ip (s/and string?
                         #(let [[ip scope more] (str/split % #"%" -1)]
                            (and (nil? more) (= ip (address/canonical ip))
                                 (= (some? scope) (and (= 6 (address/family ip)) (= :link-local (address/kind ip))))
                                 (or (nil? scope) (network/interface-name? scope))))))
(s/def :listen/port ::port)
(s/def :zone/listen (s/and (s/coll-of (s/and (s/keys :req [:listen/ip :listen/port]) #(= 2 (count %))) :kind vector? :distinct true)))

(s/def :ns/host ::name)
(s/def :ns/addresses (s/or :own #{:own} :told (s/coll-of ::spec/ip :kind vector? :distinct true)))
(s/def :zone/ns (s/coll-of (s/and (s/keys :req [:ns/host :ns/addresses]) #(= 2 (count %))) :kind vector? :min-count 1))

(s/def ::refresh ::seconds)
(s/def ::retry ::seconds)
(s/def ::expire ::seconds)
(s/def ::minimum ::seconds)
(s/def :zone/soa (s/and (s/keys :req-un [::refresh ::retry ::expire ::minimum]) #(= 4 (count %))
                        #(<= (+ (:refresh %) (:retry %)) (:expire %))))

(s/def :rr/name ::owner)
(s/def :rr/type (set zone-record/types))
(s/def :rr/ttl (s/int-in 1 (inc zone-record/longest-ttl)))
(s/def :rr/data (s/and vector? seq sorted-and-distinct?))
(defn- of-family? [n] #(and (= n (address/family %)) (= % (address/canonical %))))
(s/def ::string (s/and ::spec/text #(<= (alength (.getBytes ^String % "UTF-8")) 255)))
(defmulti datum "The spec of a record's data, by its type." :rr/type)
(defmethod datum :a [_] #(every? (of-family? 4) (:rr/data %)))
(defmethod datum :aaaa [_] #(every? (of-family? 6) (:rr/data %)))
(defmethod datum :cname [_] #(and (= 1 (count (:rr/data %))) (s/valid? ::name (first (:rr/data %)))))
(defmethod datum :ptr [_] #(s/valid? (s/coll-of ::name) (:rr/data %)))
(defmethod datum :mx [_] #(s/valid? (s/coll-of (s/tuple ::octets-2 ::name)) (:rr/data %)))
(defmethod datum :srv [_] #(s/valid? (s/coll-of (s/tuple ::octets-2 ::octets-2 ::octets-2 ::name)) (:rr/data %)))
(defmethod datum :txt [_] #(s/valid? (s/coll-of (s/coll-of ::string :kind vector? :min-count 1)) (:rr/data %)))
(s/def ::record (s/and (s/keys :req [:rr/name :rr/type :rr/ttl :rr/data]) #(= 4 (count %)) (s/multi-spec datum :rr/type)))
(s/def :zone/records (s/and (s/coll-of ::record :kind vector?) #(sorted-and-distinct? (map (juxt :rr/name :rr/type) %))))

(s/def :view/prefix ::prefix)
(s/def :view/like ::view)
(s/def :zone/views (s/coll-of (s/and (s/keys :req [:view/prefix :view/like]) #(= 2 (count %))) :kind vector?))

(s/def :key/algorithm (set zone-peer/algorithms))
(s/def :key/secret (s/nilable string?))
(s/def :key/file (s/nilable ::spec/absolute))
;; not named :zone/keys: that is how a destructuring form begins, which clojure.core.specs would then hold against this
(s/def ::tsig-keys (s/map-of zone-peer/key-name? (s/and (s/keys :req [:key/algorithm :key/secret :key/file]) #(= 3 (count %))
                                                        #(not= (some? (:key/secret %)) (some? (:key/file %))))))

(s/def :transfer/prefix (s/nilable ::prefix))
(s/def :transfer/key (s/nilable zone-peer/key-name?))
(s/def :transfer/view ::view)
(s/def :zone/transfer (s/coll-of (s/and (s/keys :req [:transfer/prefix :transfer/key :transfer/view]) #(= 3 (count %))
                                        #(or (:transfer/prefix %) (:transfer/key %)))
                                 :kind vector?))

(s/def :notify/ip :listen/ip)
(s/def :notify/port ::port)
(s/def :notify/view ::view)
(s/def :notify/key (s/nilable zone-peer/key-name?))
(s/def :zone/notify (s/coll-of (s/and (s/keys :req [:notify/ip :notify/port :notify/view :notify/key]) #(= 4 (count %))) :kind vector?))

(s/def :publish/format (set zone-file/formats))
(s/def :publish/file ::spec/absolute)
(s/def :publish/dialect (s/nilable (set zone-file/dialects)))
(s/def :publish/command (s/nilable (s/and (s/coll-of ::spec/text :kind vector? :min-count 1) #(not= "" (first %)))))
(s/def :publish/view (s/nilable ::view))
(s/def :zone/publish
  (s/coll-of (s/and (s/keys :req [:publish/format :publish/file :publish/dialect :publish/command :publish/view]) #(= 5 (count %))
                    #(= (= :tinydns (:publish/format %)) (some? (:publish/dialect %)))
                    #(not (and (:publish/dialect %) (:publish/view %))))
             :kind vector?))

(s/def :zone/domain (s/and ::name #(every? network/label? (str/split % #"\."))))
(s/def :zone/ttl :rr/ttl)
(s/def :zone/name-from #{:alias :link})
(s/def :zone/all-namespaces? boolean?)
(s/def :zone/user (s/nilable ::spec/text))
(s/def :zone/contact ::name)
(s/def :zone/srv (s/map-of network/label? (s/and seq :service/srv)))

(s/def :mdns/links (s/coll-of network/interface-name? :kind vector? :distinct true))
(s/def ::mdns-port
  (s/and map? #(= #{:port/name :port/type :port/ipv4} (set (keys %)))
         #(network/interface-name? (:port/name %)) #((set zone-mdns/types) (:port/type %))
         #(s/valid? :service/ipv4 (:port/ipv4 %))))
(s/def :mdns/ports (s/and (s/coll-of ::mdns-port :kind vector?) #(or (empty? %) (apply distinct? (map :port/name %)))))
(s/def :zone/mdns
  (s/nilable (s/and (s/keys :req [:mdns/links :mdns/ports]) #(= 2 (count %))
                    #(or (seq (:mdns/links %)) (seq (:mdns/ports %))))))
(s/def :zone/chaos (s/nilable ::string))

(s/def ::zone
  (s/and (s/keys :req [:zone/domain :zone/ttl :zone/name-from :zone/all-namespaces? :zone/listen :zone/mdns :zone/user :zone/ns :zone/contact
                       :zone/soa :zone/records :zone/srv :zone/views :zone/keys :zone/transfer :zone/notify :zone/publish :zone/chaos])
         #(= 18 (count %))
         (fn [{:zone/keys [domain records keys transfer notify]}]
           (and (s/valid? ::tsig-keys keys)
                (every? #(zone-name/inside? domain (:rr/name %)) records)
                (every? #(contains? keys %) (keep :transfer/key transfer))
                (every? #(contains? keys %) (keep :notify/key notify))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-browse
  "What there is on a link, by DNS-SD (RFC 6763): which questions lead there, and what the answers say. Pure.

  Types of services come from PTRs of _services._dns-sd._udp.local, instances from PTRs of a type, host and port from the SRV
  of an instance, addresses from A and AAAA of the host. `cache`: of `ontap.model.mdns-cache`."
  (:require [clojure.string :as str]
            [ontap.model.mdns-cache :as cache]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def all-types "Where the types of services are (RFC 6763 section 9)." (mdns-name/of-text "_services._dns-sd._udp.local"))

(def ^:private bound "So many types, and instances of each, are followed: anybody may say that there are more." 200)

(defn- targets [cache name]
  (into [] (comp (map :mdns/rdata) (map mdns-name/fold) (filter #(mdns-name/below? % mdns-name/local)) (distinct) (take bound))
        (cache/of cache name record/ptr)))

(defn- types [cache type] (if type [type] (targets cache all-types)))

(defn- hosts-of [cache instance]
  (keep (comp :srv/target record/srv-data) (cache/of cache instance record/srv)))

(defn questions
  "What has to be asked, #{[folded-name type]}, to know the services of `type` (the folded name of one, nil: all) as far as is known
  what there is to ask for."
  [cache type]
  (let [ts        (types cache type)
        instances (mapcat #(targets cache %) ts)
        hosts     (map mdns-name/fold (mapcat #(hosts-of cache %) instances))]
    (-> (if type #{} #{[all-types record/ptr]})
        (into (map #(vector % record/ptr)) ts)
        (into (mapcat #(vector [% record/srv] [% record/txt])) instances)
        (into (mapcat #(vector [% record/a] [% record/aaaa])) hosts))))

(defn addresses
  "The addresses (texts) of the host `name` that are known, IPv4 first."
  [cache name]
  (let [folded (mdns-name/fold name)]
    (into [] (comp (mapcat #(cache/of cache folded %)) (keep record/ip) (distinct)) [record/a record/aaaa])))

(defn- instance-text
  "The first label of an instance's name as it was said, and the type behind it."
  [cache type instance]
  (let [said (some #(when (= instance (mdns-name/fold (:mdns/rdata %))) (:mdns/rdata %)) (cache/of cache type record/ptr))]
    (first (mdns-name/labels said))))

(defn rows
  "The instances that are known: [{:service/type \"_http._tcp\" :service/instance text :service/host text-or-nil :service/port n-or-nil
  :service/txt [text] :host/addresses [text]}], sorted."
  [cache type]
  (vec (sort-by (juxt :service/type :service/instance)
                (for [t (types cache type), instance (targets cache t)]
                  (let [{:srv/keys [port target]} (some record/srv-data (cache/of cache instance record/srv))]
                    {:service/type     (str/replace (mdns-name/text t) #"\.local$" "")
                     :service/instance (instance-text cache t instance)
                     :service/host     (some-> target mdns-name/text)
                     :service/port     port
                     :service/txt      (into [] (comp (mapcat record/txt-strings) (remove str/blank?)) (cache/of cache instance record/txt))
                     :host/addresses   (if target (addresses cache target) [])})))))

;; --- one name

(defn host-questions
  "What has to be asked for the addresses of `name`, or, if it is the name of a reverse PTR, for the host."
  [name reverse?]
  (let [n (mdns-name/fold name)]
    (if reverse? #{[n record/ptr]} #{[n record/a] [n record/aaaa]})))

(defn- denied?
  "Does the owner of the name say that it has no records of `type` (RFC 6762 section 6.1)?"
  [cache name type]
  (some #(some-> (record/nsec-types %) (contains? type) not) (cache/of cache name record/nsec)))

(defn answered
  "What is known of `name`: {:resolve/answers [text] :resolve/whole? b}; whole when nothing more is to be expected."
  [cache name reverse?]
  (let [n (mdns-name/fold name)]
    (if reverse?
      (let [found (mapv (comp mdns-name/text :mdns/rdata) (cache/of cache n record/ptr))]
        {:resolve/answers found :resolve/whole? (boolean (seq found))})
      {:resolve/answers (addresses cache n)
       :resolve/whole?  (every? #(or (seq (cache/of cache n %)) (denied? cache n %)) [record/a record/aaaa])})))

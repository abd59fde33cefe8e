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

(defn- local? [name] (mdns-name/below? name mdns-name/local))

(defn- targets [index name]
  (into [] (comp (map :mdns/rdata) (map mdns-name/fold) (filter local?) (distinct) (take bound))
        (get index [name record/ptr])))

(defn- types [index type] (if type [type] (targets index all-types)))

(defn- hosts-of [index instance]
  (keep (comp :srv/target record/srv-data) (get index [instance record/srv])))

(defn questions
  "What has to be asked, #{[folded-name type]}, to know the services of `type` (the folded name of one, nil: all) as far as is known
  what there is to ask for."
  [cache type]
  (let [index     (cache/index cache)
        ts        (types index type)
        instances (mapcat #(targets index %) ts)
        hosts     (into [] (comp (mapcat #(hosts-of index %)) (map mdns-name/fold) (filter local?)) instances)]
    (-> (if type #{} #{[all-types record/ptr]})
        (into (map #(vector % record/ptr)) ts)
        (into (mapcat #(vector [% record/srv] [% record/txt])) instances)
        (into (mapcat #(vector [% record/a] [% record/aaaa])) hosts))))

(defn- addresses
  "The addresses (texts) of the folded host `name` that are known, IPv4 first."
  [index name]
  (into [] (comp (mapcat #(get index [name %])) (keep record/ip) (distinct)) [record/a record/aaaa]))

(defn- instance-text
  "The first label of an instance's name as it was said."
  [index type instance]
  (let [said (some #(when (= instance (mdns-name/fold (:mdns/rdata %))) (:mdns/rdata %)) (get index [type record/ptr]))]
    (first (mdns-name/labels said))))

(defn rows
  "The instances that are known: [{:service/type \"_http._tcp\" :service/instance text :service/host text-or-nil :service/port n-or-nil
  :service/txt [text] :host/addresses [text]}], sorted."
  [cache type]
  (let [index (cache/index cache)]
    (vec (sort-by (juxt :service/type :service/instance)
                  (for [t (types index type), instance (targets index t)]
                    (let [{:srv/keys [port target]} (some record/srv-data (get index [instance record/srv]))]
                      {:service/type     (str/replace (mdns-name/text t) #"\.local$" "")
                       :service/instance (instance-text index t instance)
                       :service/host     (some-> target mdns-name/text)
                       :service/port     port
                       :service/txt      (into [] (comp (mapcat record/txt-strings) (remove str/blank?)) (get index [instance record/txt]))
                       :host/addresses   (if target (addresses index (mdns-name/fold target)) [])}))))))

;; --- one name

(defn host-questions
  "What has to be asked for the addresses of `name`, or, if it is the name of a reverse PTR, for the host."
  [name reverse?]
  (let [n (mdns-name/fold name)]
    (if reverse? #{[n record/ptr]} #{[n record/a] [n record/aaaa]})))

(defn answered
  "What is known of `name`: {:resolve/answers [text] :resolve/whole? b}; whole when nothing more is to be expected."
  [cache name reverse?]
  (let [n (mdns-name/fold name), index (cache/index cache)]
    (if reverse?
      (let [found (mapv (comp mdns-name/text :mdns/rdata) (get index [n record/ptr]))]
        {:resolve/answers found :resolve/whole? (boolean (seq found))})
      {:resolve/answers (addresses index n)
       :resolve/whole?  (every? #(or (contains? index [n %]) (cache/denied? index n %)) [record/a record/aaaa])})))

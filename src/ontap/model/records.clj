;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.records
  "What a name, the nameservers and the configuration put into the zones: [view owner] -> {type record}. Pure.

  Each says its part for itself; `joined` makes one of the parts about the same owner. The zones of the domain and of \"local\" are
  always there, a reverse zone as long as there is something in it: `of-zone`.

  A record is an RRset: {:rr/name :rr/type :rr/ttl (s) :rr/data (sorted vector) :rr/until-ms (CLOCK_BOOTTIME
  ms when its first address ends, or nil)}. The serial of an SOA is 0 here; the river knows it."
  (:require [clojure.string :as str]
            [ontap.model.offer :as offer]
            [ontap.model.presented :as presented]
            [ontap.model.published :as published]
            [ontap.model.reverse :as reverse]
            [ontap.model.view :as view]))

(set! *warn-on-reflection* true)

(def local "The zone of link-local addresses (RFC 6762), of which the mDNS proxy asks." "local")

(defn- record [name type ttl data]
  {:rr/name name :rr/type type :rr/ttl ttl :rr/data data :rr/until-ms nil})

(defn- put [m views name rr]
  (reduce (fn [m v] (assoc m [v name] (assoc (get m [v name]) (:rr/type rr) rr))) m views))

(defn- earliest [a b] (if (and a b) (min (long a) (long b)) (or a b)))

;; --- zones

(defn- soa [{:zone/keys [ns contact soa ttl]} apex]
  (record apex :soa ttl
          [[(:ns/host (first ns)) contact 0 (:refresh soa) (:retry soa) (:expire soa) (:minimum soa)]]))

(defn- zone-at
  "With the SOA and NS of the zone `apex`."
  [m zone views apex]
  (let [start (soa zone apex)
        hosts (record apex :ns (:zone/ttl zone) (vec (sort (distinct (map :ns/host (:zone/ns zone))))))]
      (-> m (put views apex start) (put views apex hosts))))

(defn of-zone
  "What makes a zone: SOA and NS at `apex` in the view `v`."
  [zone v apex]
  (zone-at {} zone [v] apex))

(defn always?
  "Does `owner` lie in a zone that is always there?"
  [{:zone/keys [domain]} owner]
  (or (= domain owner) (str/ends-with? owner (str "." domain)) (= local owner) (str/ends-with? owner ".local")))

(defn zone-of
  "The apex of the zone that `owner`, in one of these records, lies in."
  [{:zone/keys [domain] :as zone} ^String owner]
  (cond (or (= domain owner) (str/ends-with? owner (str "." domain))) domain
        (always? zone owner)                                          local
        :else                                                         (reverse/zone-of owner)))

;; --- addresses

(defn- lifetime
  "The record about `addrs`: it is good for no longer than what is left of them, and no less than a second."
  [rr addrs]
  (reduce (fn [rr {:addr/keys [valid-s] :name/keys [until-ms]}]
            (cond-> rr
              valid-s  (assoc :rr/ttl (max 1 (min (long (:rr/ttl rr)) (long valid-s))))
              until-ms (assoc :rr/until-ms (earliest (:rr/until-ms rr) until-ms))))
          rr addrs))

(def ^:private address-type {:ipv4 :a :ipv6 :aaaa})

(defn- addressed
  "With the addresses, all of one family, at `name`."
  [m zone views name addrs]
  (if (empty? addrs)
    m
    (put m views name
         (lifetime (record name (address-type (:addr/family (first addrs))) (:zone/ttl zone)
                           (vec (sort (map :addr/ip addrs))))
                   addrs))))

(defn- existing
  "With the word that `name` exists in those of `views` where nothing else says so."
  [m zone views name]
  (reduce (fn [m v] (cond-> m
                      (empty? (get m [v name])) (put [v] name (record name :none (:zone/ttl zone) []))))
          m views))

(defn- pointing [m zone views addr target]
  (let [owner (:name/reverse addr)]
    (put m views owner (lifetime (record owner :ptr (:zone/ttl zone) [target]) [addr]))))

;; --- one name

(def ^:private browsing "Where the types of services are (RFC 6763 section 9)." "_services._dns-sd._udp.")
(def ^:private browse "Where it is told which domain to browse, and which one by old software (RFC 6763 section 11)."
  ["b._dns-sd._udp." "lb._dns-sd._udp."])

(defn- has? [m view name addr]
  (some #{(:addr/ip addr)} (get-in m [[view name] (address-type (:addr/family addr)) :rr/data])))

(defn- reverse-of
  [m zone {:name/keys [label]} addr]
  (let [domain (:zone/domain zone)
        plain  (str label "." domain)]
    (case (:addr/kind addr)
      :link-local (pointing m zone view/near addr (str label "." local))
      :global     (reduce #(pointing %1 zone [%2] addr (if (has? %1 %2 plain addr) plain (str label ".wan." domain))) m view/all)
      :lan        (reduce #(pointing %1 zone [%2] addr (if (has? %1 %2 plain addr) plain (str label ".lan." domain))) m view/near))))

(defn- offered
  "With what one service says to those who know the host (SRV, RFC 2782) and to those who browse: DNS-SD (RFC 6763), the same
  here as on the links (section 11 for the domain to browse)."
  [m {:zone/keys [domain ttl]} views plain {:service/keys [type port txt subtypes instance]}]
  (let [kind     (str type "." domain)
        known-as (str (presented/label instance) "." kind)
        owner    (presented/lower known-as)
        say      (fn [m name type datum] (put m views name (record name type ttl [datum])))]
    (as-> m m
      (say m (str type "." plain) :srv [0 0 port plain])
      (say m kind :ptr known-as)
      (reduce #(say %1 (str %2 "._sub." kind) :ptr known-as) m subtypes)
      (say m owner :srv [0 0 port plain])
      (say m owner :txt (if (seq txt) txt [""]))
      ;; of several types: they are one RRset
      (reduce (fn [m v] (update-in m [[v (str browsing domain)] :ptr]
                                   #(record (str browsing domain) :ptr ttl (vec (sort (distinct (conj (:rr/data % []) kind)))))))
              m views)
      (reduce #(say %1 (str %2 domain) :ptr domain) m browse))))

(defn- services
  "With what a name that has addresses offers, in the views where it has them."
  [m zone label plain]
  (let [views (filterv #(some (get m [% plain]) [:a :aaaa]) view/all)]
    (reduce #(offered %1 zone views plain %2) m (offer/of zone label))))

(defn of-host
  "What a name of `ontap.model.names` brings; nothing as long as it has no address."
  [zone {:name/keys [label addresses] :as host}]
  (let [domain (:zone/domain zone)
        plain  (str label "." domain)
        parts  (group-by (juxt :addr/kind :addr/family) addresses)
        family (fn [m f]
                 (let [[globals lans locals] (map #(parts [% f]) [:global :lan :link-local])]
                   (reduce #(addressed %1 zone [%2] plain (view/answering %2 globals lans))
                           (-> m
                               (addressed zone view/all (str label ".wan." domain) globals)
                               (addressed zone view/near (str label ".lan." domain) lans)
                               (addressed zone view/near (str label "." local) locals))
                           view/all)))]
    (if (empty? addresses)
      {}
      (as-> {} m
        (family m :ipv4)
        (family m :ipv6)
        (existing m zone view/all plain)
        (services m zone label plain)
        (reduce #(reverse-of %1 zone host %2) m addresses)))))

;; --- nameservers

(defn- given
  "An address of the configuration as if it were published. One of no kind (127.0.0.1) is nobody else's."
  [ip]
  {:addr/ip ip :addr/kind (or (published/kind ip) :lan) :addr/family (if (str/includes? ip ":") :ipv6 :ipv4)})

(defn of-nameservers
  "Addresses of the nameservers that have a name in the domain; `own`: the published ones of this machine's namespace. They are
  told as NAME.DOMAIN is, and LAN addresses to an on-link asker if there are no global ones: it has to reach one."
  [zone own]
  (let [in? #(str/ends-with? % (str "." (:zone/domain zone)))]
    (reduce
     (fn [m {:ns/keys [host addresses]}]
       (let [parts (group-by (juxt :addr/kind :addr/family) (if (= :own addresses) own (map given addresses)))
             views (filterv #(not (view/hides? % (:zone/domain zone) host)) view/all)
             told  (fn [v f] (let [[globals lans] (map #(parts [% f]) [:global :lan])]
                               (if (and (= view/on-link v) (empty? globals)) lans (view/answering v globals lans))))]
         (existing (reduce (fn [m [v f]] (addressed m zone [v] host (told v f))) m
                           (for [v views, f [:ipv4 :ipv6]] [v f]))
                   zone views host)))
     {} (filter #(in? (:ns/host %)) (:zone/ns zone)))))

;; --- the configuration

(defn- told-to [view {:rr/keys [type data]}]
  (filterv #(or (not (#{:a :aaaa} type)) (view/tells? view (published/kind %))) data))

(declare joined)

(defn of-configuration
  "The zones that are always there, and the extra records. Of these a foreign asker gets none below lan.DOMAIN and no address
  that is not global; a name that has nothing else for him exists."
  [{:zone/keys [domain records] :as zone}]
  (reduce
   (fn [m {:rr/keys [name type ttl] :as extra}]
     (reduce
      (fn [m v]
        (let [data (told-to v extra)]
          (cond (view/hides? v domain name) m
                (empty? data)               (existing m zone [v] name)
                :else (update m [v name] #(joined [% {type (record name type ttl (vec (sort data)))}])))))
      m view/all))
   (cond-> (-> {} (zone-at zone view/all domain) (zone-at zone view/near local))
     ;; a wildcard covers no name below one that exists (RFC 4592, 2.2.1), so lan.DOMAIN is not covered for the foreign
     (some #(= (str "*." domain) (:rr/name %)) records) (existing zone [view/foreign] (str "lan." domain)))
   records))

;; --- together

(defn- alike
  "One RRset of several of one name and type: the data of all, the shortest life of any. Thousands of hosts may tell the same."
  [rrs]
  (let [a (first rrs)]
    (if-not (next rrs)
      a
      (assoc a
             :rr/ttl      (reduce min (map :rr/ttl rrs))
             :rr/until-ms (reduce earliest (map :rr/until-ms rrs))
             :rr/data     (if (every? #(= (:rr/data a) (:rr/data %)) (rest rrs))
                            (:rr/data a)
                            (vec (sort (into #{} (mapcat :rr/data) rrs))))))))

(defn joined
  "One owner's records out of `parts`, maps from type to record. An RRset has the data of all and the shortest life of any; a
  CNAME is alone (RFC 1034 section 3.6.2); that a name exists is said only where nothing else is."
  [parts]
  (let [m (if (next parts)
            (update-vals (reduce (fn [m part] (reduce-kv (fn [m type rr] (assoc m type (conj (get m type []) rr))) m part)) {} parts) alike)
            (first parts))]
    (cond (contains? m :cname)                        (select-keys m [:cname])
          (and (contains? m :none) (< 1 (count m)))   (dissoc m :none)
          :else                                       m)))

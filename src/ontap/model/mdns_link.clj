;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-link
  "Which names a river has for one link on which multicast DNS is spoken, and with which addresses. Pure.

  A host is there with all published addresses of its links on the same LAN: the link itself, and those that stand on the same
  parent; of its other links (a bridge, a router in between) with those that lie in an on-link network of this one, link-local
  ones left out. A host without any is left out. Link-local addresses are given beside others, and by themselves only as long
  as there are no others (RFC 6762 section 6.2 wants all that are valid on the link).

  What is wanted: label -> {:host/label :host/addresses [ip] (sorted) :host/services [{:service/type :service/port
  :service/txt :service/subtypes :service/instance}] (sorted by type)}, with the labels and instances of the zone."
  (:require [ontap.model.address :as address]
            [ontap.model.names :as names]
            [ontap.model.offer :as offer]))

(set! *warn-on-reflection* true)

;; --- the link

(defn networks
  "The on-link networks of the link `at` ([nsid index]): the prefixes of its published addresses, link-local ones too, as sorted
  distinct texts such as \"10.0.0.0/24\"."
  [{:keys [seen]} at]
  (vec (sort (into #{} (map (fn [{:addr/keys [ip prefix]}] (address/network ip prefix))) (vals (get seen at))))))

(def ^:private families
  "Kind of a link that stands on another one -> what it is to the parent, which carries one of them only."
  {"ipvlan" :ipvlan, "ipvtap" :ipvlan, "macvlan" :macvlan, "macvtap" :macvlan})

(defn- stands-on
  "What is known of what the link `at` stands on: [family index hwaddr nsid], or nil when it stands on nothing. The id of the
  parent's namespace counts in one table in what was read and in another one in an event (doc/data.md), so it tells only
  whether that is the link's own namespace: nsid is that one, or else :other. The links of one ipvlan port have its hardware
  address."
  [{:keys [inventory]} [nsid _ :as at]]
  (let [{:link/keys [kind parent parent-nsid hwaddr]} (get-in inventory [:inv/links at])
        family (families kind)]
    (when (and family parent)
      [family parent (when (= :ipvlan family) hwaddr) (if parent-nsid :other nsid)])))

(defn- same-parent? [[family-a index-a hwaddr-a nsid-a] [family-b index-b hwaddr-b nsid-b]]
  (and (= family-a family-b) (= index-a index-b)
       (or (nil? hwaddr-a) (nil? hwaddr-b) (= hwaddr-a hwaddr-b))
       ;; one of them in the parent's namespace, which is known of it, and the other one not; or both not
       (or (= nsid-a nsid-b)
           (and (= :other nsid-a) (nil? nsid-b))
           (and (= :other nsid-b) (nil? nsid-a)))))

(defn- lan
  "What decides who is on the LAN of the link `at`; equal while it decides the same. nil when there is no such link."
  [{:keys [inventory] :as river} at]
  (when (contains? (:inv/links inventory) at)
    {:at at
     :standing (stands-on river at)
     :networks (into [] (comp (map address/prefixed) (remove #(= :link-local (address/kind (:ip %))))) (networks river at))}))

;; --- a host on it

(defn- on-link? [{:keys [networks]} {:addr/keys [ip]}]
  (boolean (some #(address/same-network? ip (:ip %) (:prefix %)) networks)))

(defn- same-lan? [{:keys [at standing]} river other]
  (or (= at other)
      (boolean (when-let [its (when standing (stands-on river other))] (same-parent? standing its)))))

(defn- host-on
  "What the name `host` of the river is on the LAN, or nil. An address that is only in a network of the LAN counts where whoever sets
  addresses is trusted: elsewhere somebody could speak on a LAN that is not theirs, for any address there."
  [{:keys [inventory seen zone] :as river} lan {:name/keys [label links addresses] :ns/keys [id]}]
  (let [told (into #{} (map :addr/ip) addresses)                ; of many addresses a few are published
        ours? (names/trusted? inventory id)
        ips  (into (sorted-set)
                   (comp (mapcat (fn [{:link/keys [index]}]
                                   (let [at [id index], addrs (vals (get seen at))]
                                     (cond (same-lan? lan river at) addrs
                                           ours?                    (filter #(on-link? lan %) addrs)))))
                         (map :addr/ip)
                         (filter told))
                   links)]
    (when (seq ips)
      {:host/label label :host/addresses (vec ips) :host/services (or (offer/of zone label) [])})))

;; --- all of them

(defn- wanted-of
  "name -> what it is on the LAN, of `hosts` (name -> host); the very objects of `before` where they say the same."
  [river lan before hosts]
  (reduce-kv (fn [m name host]
               (let [new (host-on river lan host), old (get before name)]
                 (cond (nil? new) m
                       (= old new) (assoc m name old)
                       :else (assoc m name new))))
             {} hosts))

(defn- anew [river lan before]
  (into {} (mapcat #(wanted-of river lan before %)) (vals (:given river))))

(defn- changed
  "The labels whose hosts are others in `given` than in `was`, as [gone-or-changed there-now]. A river makes the hosts of a
  label anew whenever something about them or their links is another."
  [was given]
  (let [now  (reduce-kv (fn [ls l hosts] (if (identical? hosts (get was l)) ls (conj ls l))) [] given)
        fewer? (< (- (count given) (count (remove #(contains? was %) now))) (count was))]
    [(if fewer? (into (filterv #(contains? was %) now) (remove #(contains? given %)) (keys was)) now) now]))

(def ^:private few
  "Of so many labels it may be looked again and again whether something changed, so that the same can be given again."
  16)

(defn- updated
  "`before` with what changed since it was made of `was`; itself when it says the same still and that is easily seen."
  [{:keys [given] :as river} lan before was]
  (let [[old now] (changed was given)
        without   (reduce (fn [m l] (reduce dissoc m (keys (get was l)))) before old)
        after     (reduce (fn [m l] (into m (wanted-of river lan before (get given l)))) without now)
        names     (concat (mapcat #(keys (get was %)) old) (mapcat #(keys (get given %)) now))]
    (if (and (<= (count old) (long few)) (<= (count now) (long few))
             (every? #(identical? (get before %) (get after %)) names))
      before
      (with-meta after {:lan lan :given given :zone (:zone river)}))))

(defn wanted
  "What is wanted on the link `at` ([nsid index]) of multicast DNS: see above; {} when there is no such link. `before`: what this
  gave for the same link last, or nil; a host that is the same is the same object, and so is the whole, as a rule, when
  nothing is another. Costs little where little changed, for which its metadata remember what it was made of."
  [{:keys [given zone] :as river} at before]
  (let [lan  (lan river at)
        last (meta before)
        same (and (= lan (:lan last)) (identical? zone (:zone last)))]
    (cond (nil? lan)                                  {}
          (and same (identical? given (:given last))) before
          same                                        (updated river lan before (:given last))
          :else                                       (with-meta (anew river lan before) {:lan lan :given given :zone zone}))))

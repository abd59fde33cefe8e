;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.inventory
  "What the kernel holds, as a fold over its events. Pure.

  An inventory:
    :inv/links      {[nsid index] link}
    :inv/addresses  {[nsid index] {ip addr}}
    :inv/routers    {[nsid index] #{ip}}: advertised IPv6 default routers
    :inv/left       {[nsid index] ms}: when a router told something last in a network that was left, see below
    :inv/parted     {[nsid index] mono-ms}: when the last router there went
    :inv/namespaces {nsid {:ns/trusted? :ns/netns :ns/inode}}; {} when only the id is known
    :inv/leases     {[nsid index] name}
    :inv/doubles    {[nsid index] {[ip prefix] addr}}: further ones of an IPv4 address that the link has
                    several times, with prefixes of several lengths
    :inv/places       {nsid #{[nsid index]}}: the keys above of one namespace, which ends as a whole

  nsid is nil for the namespace of the observer. Events are maps with :event/type and :ns/id and the
  keys of the link or address; :event/overflow means that events were lost and the inventory has to be
  read anew. Others say nothing of what is there. An event of a namespace that is not known makes it
  known.

  A network is left when its link loses the carrier, or the last of its routers goes: what a router told
  before then (:addr/updated-ms up to :inv/left) counts no longer, although the kernel keeps it until its
  lifetime ends. What a router tells later counts again. Before and after are the order of events, no clock's: that of
  :addr/updated-ms may be some hundred ms behind. A router that says farewell may tell of its addresses in the
  same breath, so what comes right after it (by the times of the steps) is its word, too. Of a foreign namespace only
  those routers are known that came while somebody listened: when one goes and no other is known, it was the
  last one.")

(def empty-inventory
  "Before any event."
  {:inv/links {} :inv/addresses {} :inv/routers {} :inv/left {} :inv/namespaces {} :inv/leases {}
   :inv/doubles {} :inv/parted {} :inv/places {}})

;; --- one link

(defn- known [inventory nsid at]
  (if (contains? (get-in inventory [:inv/places nsid]) at)
    inventory
    (update-in inventory [:inv/places nsid] (fnil conj #{}) at)))

(defn- unkeyed [ks nsid at]
  (let [left (disj (get ks nsid #{}) at)]
    (if (empty? left) (dissoc ks nsid) (assoc ks nsid left))))

(def ^:private by-router "IFAPROT_KERNEL_RA of if_addr.h." 2)
(def ^:private breath-ms "What is told so soon after a router went was told by the same advertisement." 100)

(defn- left-behind
  "All that routers have told of the link up to now is of a network that was left."
  [inventory at]
  (let [told (keep #(when (= by-router (:addr/proto %)) (:addr/updated-ms %)) (vals (get-in inventory [:inv/addresses at])))]
    (cond-> inventory (seq told) (assoc-in [:inv/left at] (reduce max told)))))

(defn- parted [inventory at {:keys [mono-ms]}]
  (cond-> (left-behind inventory at) mono-ms (assoc-in [:inv/parted at] mono-ms)))

(defn- last-words
  "With the address that was told just now; by a router that has just gone?"
  [inventory at {:addr/keys [proto updated-ms]} {:keys [mono-ms]}]
  (let [since (get-in inventory [:inv/parted at])]
    (cond-> inventory
      (and since mono-ms updated-ms (= by-router proto) (<= 0 (- mono-ms since) breath-ms))
      (update-in [:inv/left at] #(max (or % updated-ms) updated-ms)))))

(defn- without-routers [inventory at]
  (cond-> inventory (contains? (:inv/routers inventory) at) (update :inv/routers dissoc at)))

(defn- link-new [inventory at link]
  (let [before (get-in inventory [:inv/links at])
        after  (-> (known inventory (:ns/id link) at)
                   (assoc-in [:inv/links at] (dissoc link :event/type)))]
    (cond-> after
      (and (false? (:link/running? link)) (not (false? (:link/running? before)))) (left-behind at)
      ;; net.ipv6.route.skip_notify_on_dev_down: the routes go without a word
      (false? (:link/up? link)) (without-routers at))))

(defn- link-gone [inventory at]
  (-> inventory
      (update :inv/links dissoc at)
      (update :inv/addresses dissoc at)
      (update :inv/routers dissoc at)
      (update :inv/left dissoc at)
      (update :inv/doubles dissoc at)
      (update :inv/parted dissoc at)
      (update :inv/places unkeyed (first at) at)))

(defn- addr-new [inventory at {:addr/keys [ip prefix] :as event}]
  (let [address (dissoc event :event/type)
        there   (get-in inventory [:inv/addresses at ip])
        put     (fn [i] (assoc-in i [:inv/addresses at ip] address))]
    (cond
      (nil? there)                     (put (known inventory (first at) at))
      (= prefix (:addr/prefix there)) (put inventory)
      :else                            (assoc-in inventory [:inv/doubles at [ip prefix]] address))))

(defn- without-double [inventory at k]
  (let [left (dissoc (get-in inventory [:inv/doubles at]) k)]
    (if (empty? left) (update inventory :inv/doubles dissoc at) (assoc-in inventory [:inv/doubles at] left))))

(defn- addr-gone [inventory at {:addr/keys [ip prefix]}]
  (let [there   (get-in inventory [:inv/addresses at])
        doubles (get-in inventory [:inv/doubles at])
        other   (first (filter #(= ip (first (key %))) doubles))]
    (cond
      (nil? there)                    inventory
      (get doubles [ip prefix])       (without-double inventory at [ip prefix])
      (and prefix (not= prefix (:addr/prefix (get there ip) prefix))) inventory
      other                           (-> (assoc-in inventory [:inv/addresses at ip] (val other))
                                          (without-double at (key other)))
      (= [ip] (keys there))           (update inventory :inv/addresses dissoc at)
      :else                           (update-in inventory [:inv/addresses at] dissoc ip))))

(defn- router-new [inventory at event]
  (-> (known inventory (:ns/id event) at)
      (update-in [:inv/routers at] (fnil conj #{}) (:router/ip event))))

(defn- router-gone [inventory at event times]
  (let [left (disj (get-in inventory [:inv/routers at] #{}) (:router/ip event))]
    (cond
      (seq left)                               (assoc-in inventory [:inv/routers at] left)
      (get-in inventory [:inv/links at])       (parted (without-routers inventory at) at times)
      :else                                    (without-routers inventory at))))

;; --- one namespace, and all

(defn- emptied
  "Without what is in namespace `nsid`; what is known of itself stays."
  [inventory nsid]
  (let [ats (get-in inventory [:inv/places nsid])]
    (if (empty? ats)
      inventory
      (reduce (fn [i k] (update i k #(reduce dissoc % ats)))
              (update inventory :inv/places dissoc nsid)
              [:inv/links :inv/addresses :inv/routers :inv/left :inv/doubles :inv/parted]))))

(defn- same-link? [a b]
  (and a b (= (:link/name a) (:link/name b)) (= (:link/hwaddr a) (:link/hwaddr b))))

(defn- remembered
  "`after`, read anew, with what no reading tells of the link `at`: whether its network was left since,
  and the routers of foreign namespaces."
  [after before at]
  (let [is      (get-in after [:inv/links at])
        was     (let [l (get-in before [:inv/links at])] (when (same-link? l is) l))
        since   (when was (get-in before [:inv/left at]))
        routers (when was (get-in before [:inv/routers at]))
        own?    (nil? (first at))] ; whose routers were read
    (cond-> after
      since
      (assoc-in [:inv/left at] since)
      (or (and (false? (:link/running? is)) (not (false? (:link/running? was))))
          (and own? (seq routers) (empty? (get-in after [:inv/routers at]))))
      (left-behind at)
      (and (not own?) (seq routers) (:link/up? is))
      (assoc-in [:inv/routers at] routers))))

(declare fold)

(defn- read-anew [inventory nsid events times]
  (let [after (reduce #(fold %1 %2 times) (emptied inventory nsid) events)]
    (reduce #(remembered %1 inventory %2) after (get-in after [:inv/places nsid]))))

(defn- all-anew [inventory events times]
  (let [after (reduce #(fold %1 %2 times) (assoc empty-inventory :inv/leases (:inv/leases inventory)) events)]
    (reduce #(remembered %1 inventory %2) after (keys (:inv/links after)))))

(defn fold
  "The inventory after `event`. `times`: {:mono-ms CLOCK_MONOTONIC} of the step, or nil."
  ([inventory event] (fold inventory event nil))
  ([inventory event times]
   (let [nsid (:ns/id event)
         at   [nsid (:link/index event)]]
     (case (:event/type event)
       :link/new       (link-new inventory at event)
       :link/gone      (link-gone inventory at)
       :addr/new       (last-words (addr-new inventory at event) at event times)
       :addr/gone      (addr-gone inventory at event)
       :router/new     (router-new inventory at event)
       :router/gone    (router-gone inventory at event times)
       :ns/new         (update-in inventory [:inv/namespaces nsid] #(or % {}))
       :ns/known       (assoc-in inventory [:inv/namespaces nsid]
                                 (select-keys event [:ns/trusted? :ns/netns :ns/inode]))
       :ns/gone        (update (emptied inventory nsid) :inv/namespaces dissoc nsid)
       :ns/read        (read-anew inventory nsid (:snapshot/events event) times)
       :event/snapshot (all-anew inventory (:snapshot/events event) times)
       :lease/names    (assoc inventory :inv/leases (:lease/names event))
       inventory))))

(defn touched
  "The ids of the namespaces of which `event` may have changed something, or :all."
  [event]
  (case (:event/type event)
    (:link/new :link/gone :addr/new :addr/gone :router/new :router/gone :ns/new :ns/known :ns/gone :ns/read)
    #{(:ns/id event)}
    (:event/snapshot :lease/names) :all
    #{}))

(defn seed
  "Adds `addrs`, read from link `index` of `nsid` while it was made, unless an event
  has told of the same address already: that is the newer word."
  [inventory nsid index addrs]
  (let [at [nsid index]]
    (cond-> inventory
      (seq addrs) (-> (known nsid at)
                      (update-in [:inv/addresses at] #(merge (into {} (map (juxt :addr/ip identity)) addrs) %))))))

;; --- looks

(defn addresses
  "The addresses of link `index` in namespace `nsid`."
  [inventory nsid index]
  (vals (get-in inventory [:inv/addresses [nsid index]])))

(defn link
  "The link `index` in namespace `nsid`, or nil."
  [inventory nsid index]
  (get-in inventory [:inv/links [nsid index]]))

(defn left
  "Up to when what routers told of the link `at` counts no longer, as an :addr/updated-ms; nil: all counts. While the
  carrier is away, and once the last router went, that is :inv/left. A carrier that is back tells nothing by itself, and
  the kernel asks no router then (seen on 6.18; the next advertisement may be minutes away): what was told before
  counts until a router tells of something anew, for it tells of all its prefixes at once."
  [{:inv/keys [left links parted addresses]} at]
  (when-let [since (get left at)]
    (when (or (false? (:link/running? (get links at)))
              (contains? parted at)
              (some (fn [[_ {:addr/keys [proto updated-ms]}]]
                      (and (= by-router proto) updated-ms (< (long since) (long updated-ms))))
                    (get addresses at)))
      since)))

(defn trusted?
  "Is namespace `nsid` known to be owned by our own user namespace? Our own (nil) is."
  [inventory nsid]
  (or (nil? nsid) (true? (get-in inventory [:inv/namespaces nsid :ns/trusted?]))))

(defn link-names
  "The names of the links of the observer's own namespace."
  [inventory]
  (into #{} (keep #(:link/name (get-in inventory [:inv/links %]))) (get-in inventory [:inv/places nil])))

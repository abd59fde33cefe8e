;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.river
  "Kernel events become changes of the zones, by one fold. Pure.

  events -> inventory -> names -> records -> views -> what changed. What is there after any events is a function of the
  inventory, the configuration and the claims (who asked first); but a step works only on what its events touch, so that an
  address that comes to one of 1,000 namespaces costs as much as with one. Each part (a name, the nameservers, the configuration)
  says which records it brings, by [view owner]; what changed is found where a part says something else than before.

  A river is a map for itself; what it gives is in its functions."
  (:require [ontap.model.explain :as explain]
            [ontap.model.inventory :as inventory]
            [ontap.model.label :as label]
            [ontap.model.names :as names]
            [ontap.model.published :as published]
            [ontap.model.records :as records]
            [ontap.model.remark :as remark]
            [ontap.model.serial :as serial]
            [ontap.model.view :as view]))

(set! *warn-on-reflection* true)

(defn river
  "A river before its first event. `zone`: a checked configuration; `saved`: what `saved` gave of an earlier one, or nil."
  [zone {:saved/keys [serial claims]}]
  {:zone      zone
   :reserved  (label/reserved zone)
   :inventory inventory/empty-inventory
   :claims    {}                        ; [nsid index] -> claim
   :asked     {}                        ; [nsid index] -> what it asks for
   :wants     {}                        ; label -> nsid -> [nsid index] -> since
   :seen      {}                        ; [nsid index] -> published addresses
   :given     {}                        ; wanted label -> name -> host
   :near      {}                        ; of these, those in trusted namespaces
   :networks  {}                        ; network of a link there -> on how many
   :askers    nil
   :parts     {}                        ; part -> [view owner] -> type -> record
   :owners    {}                        ; [view owner] -> part -> type -> record
   :people    {}                        ; [view apex] of a reverse zone -> how many owners are in it
   :serials   {}                        ; [view apex] -> serial of its SOA
   :serial    serial
   :started?  false
   :kept      (into {} (map (fn [[nsid index l since inode]] [[nsid index] [l since inode]])) claims)
   :latest-ms (reduce max 0 (map #(nth % 3) claims))})

;; --- events: inventory and claims

(defn- stamped
  "The event with the end of its address's life."
  [event now-ms]
  (case (:event/type event)
    :addr/new (if-let [s (:addr/valid-s event)]
                (assoc event :addr/until-ms (+ (long now-ms) (* 1000 (long s))))
                event)
    (:event/snapshot :ns/read) (update event :snapshot/events (fn [es] (mapv #(stamped % now-ms) es)))
    event))

(defn- in-order [ats] (sort-by (fn [[nsid index]] [(or nsid -1) index]) ats))

(defn- touched
  "The links that `event` may have changed something of, which made `after` of `before`. In an order that does not depend on that
  of what the event tells."
  [event before after]
  (let [nsid (:ns/id event)]
    (case (:event/type event)
      (:link/new :link/gone :addr/new :addr/gone :router/new :router/gone) [[nsid (:link/index event)]]
      (:ns/new :ns/known :ns/gone :ns/read)
      (in-order (into (get-in before [:inv/places nsid] #{}) (get-in after [:inv/places nsid])))
      :lease/names (let [old (:inv/leases before), new (:inv/leases after)]
                     (in-order (filter #(not= (get old %) (get new %)) (distinct (concat (keys old) (keys new))))))
      :event/snapshot (in-order (into (set (keys (:inv/links before))) (keys (:inv/links after))))
      [])))

(defn- begun
  "[river since-ms]: since when the link `at` asks for `label`: now, or what was kept of an earlier river, which counts once; not
  later than other links of its namespace, which has the name as long as one of its links asks for it."
  [{:keys [wants claims] :as river} [nsid _ :as at] label inode since-ms]
  (let [[kept-label kept-since kept-inode] (get-in river [:kept at])
        ;; the nsid of a namespace that has ended is another's by now
        same?  (or (nil? inode) (nil? kept-inode) (= inode kept-inode))
        others (for [[other since] (get-in wants [label nsid])
                     :when (and (not= at other) (= inode (:claim/inode (get claims other))))]
                 since)
        since  (reduce min since-ms (cond-> others (and same? (= label kept-label)) (conj kept-since)))]
    [(cond-> (update river :kept dissoc at)
       (= since since-ms) (update :latest-ms max since-ms))
     since]))

(defn- asking
  "The river with what the link `at` asks for now."
  [{:keys [zone reserved inventory claims asked] :as river} at since-ms]
  (let [asks  (names/asked zone reserved inventory at)
        l     (:label/text asks)
        old   (get claims at)
        inode (get-in inventory [:inv/namespaces (first at) :ns/inode])
        new   (names/claimed old l inode since-ms)
        [river new] (if (and new (= since-ms (:claim/since-ms new)) (not (identical? old new)))
                      (let [[river since] (begun river at l inode since-ms)]
                        [river (assoc new :claim/since-ms since)])
                      [river new])]
    (cond-> (-> river
                (update :touched conj at)
                (update :wants names/wanting at old new)
                ;; of a link that never was there, or of which nothing is known, it is still to come
                (update :kept #(if (or (:label/refused asks) (and (nil? asks) (contains? asked at))) (dissoc % at) %)))
      (not= asks (get asked at)) (-> (update :asked #(if asks (assoc % at asks) (dissoc % at)))
                                     (update :told into (remark/of-link inventory at (get asked at) asks)))
      (not= old new)             (-> (update :claims #(if new (assoc % at new) (dissoc % at)))
                                     (update :labels into (mapcat names/bearing-on) (keep :claim/label [old new]))))))

(defn- heard
  "The river after one event, up to the claims."
  [{:keys [inventory latest-ms] :as river} event {:keys [now-ms epoch-s] :as times}]
  (let [after    (inventory/fold inventory (stamped event now-ms) times)
        ;; one event, one moment: who comes later is younger, within one second too
        since-ms (max (* 1000 (long epoch-s)) (inc (long latest-ms)))]
    (reduce #(asking %1 %2 since-ms)
            (cond-> (assoc river :inventory after)
              ;; all that there is was read: what is not there asks no more
              (= :event/snapshot (:event/type event)) (update :kept select-keys (keys (:inv/links after))))
            (touched event inventory after))))

;; --- links: addresses and networks

(defn- counted [networks addrs f]
  (reduce (fn [ns n]
            (let [c (f (long (get ns n 0)))]
              (if (zero? (long c)) (dissoc ns n) (assoc ns n c))))
          networks (keep :name/on-link (vals addrs))))

(defn- looked
  "The river with the published addresses of the link `at`. Networks count where those who set them are trusted, of our own
  links and of those with a name: that of another host of a LAN on this machine is not ours."
  [{:keys [inventory seen near] :as river} at]
  (let [old   (get seen at)
        new   (when (contains? (:inv/links inventory) at)
                (published/of-link (get-in inventory [:inv/addresses at]) (inventory/left inventory at) old))
        was   (get near at)
        is    (when (and (names/trusted? inventory (first at)) (or (nil? (first at)) (get-in river [:claims at]))) new)]
    (cond-> (update river :labels into (keep :claim/label) [(get-in river [:claims at])])
      (not= old new)
      (-> (update :seen #(if (seq new) (assoc % at new) (dissoc % at)))
          (assoc :own? (or (:own? river) (nil? (first at)))))
      (not= was is)
      (-> (update :near #(if (seq is) (assoc % at is) (dissoc % at)))
          (update :networks #(-> % (counted was dec) (counted is inc)))))))

;; --- parts: who brings which records

(defn- node [river k] (some-> (get-in river [:owners k]) vals records/joined))

(defn- peopled
  "The river after the owner of `k` came (1) or went (-1): a reverse zone lives of those in it, beside its apex."
  [{:keys [zone people] :as river} [v owner] change]
  (let [apex (when-not (records/always? zone owner) (records/zone-of zone owner))]
    (if (or (nil? apex) (= apex owner))
      river
      (let [z [v apex]
            n (+ (long (get people z 0)) (long change))]
        (-> river
            (assoc :people (if (zero? n) (dissoc people z) (assoc people z n)))
            (update :peopled conj z))))))

(defn- own
  "The river where `part` has `rrs` at `k`, or nil: nothing."
  [river part k rrs]
  (let [was (get-in river [:owners k])
        is  (if rrs (assoc was part rrs) (dissoc was part))]
    (cond-> (if (contains? (:before river) k) river (assoc-in river [:before k] (node river k)))
      (seq is)                          (assoc-in [:owners k] is)
      (empty? is)                       (update :owners dissoc k)
      (and (empty? was) (seq is))       (peopled k 1)
      (and (seq was) (empty? is))       (peopled k -1))))

(defn- bring
  "The river where `part` brings `new`. Remembers what was at each owner before the step."
  [river part new]
  (let [old (get-in river [:parts part])]
    (reduce (fn [river k] (if (= (get old k) (get new k)) river (own river part k (get new k))))
            (update river :parts #(if (empty? new) (dissoc % part) (assoc % part new)))
            (into (set (keys old)) (keys new)))))

(defn- zoned
  "The river with SOA and NS of just the reverse zones that somebody is in."
  [{:keys [zone people parts peopled] :as river}]
  (reduce (fn [river [v apex :as z]]
            (let [part [:zone v apex], is? (contains? people z)]
              (if (= is? (contains? parts part))
                river
                (bring river part (if is? (records/of-zone zone v apex) {})))))
          river peopled))

(defn- name-label
  "The river with the names of those who want `label`."
  [{:keys [inventory seen wants reserved zone given] :as river} label]
  (let [old  (get given label)
        new  (names/hosts-of inventory seen wants reserved label)
        river (-> river
                  (update :given #(if (empty? new) (dissoc % label) (assoc % label new)))
                  (update :told into (remark/of-label label old new)))]
    (reduce (fn [river name]
              (let [host (get new name)]
                (if (= (get old name) host)
                  river
                  (bring river [:name label name] (if host (records/of-host zone host) {})))))
            river (into (set (keys old)) (keys new)))))

(defn- own-addresses [{:keys [inventory seen]}]
  (names/together (map seen (get-in inventory [:inv/places nil]))))

(defn- nameserved [{:keys [zone] :as river}]
  (bring river [:nameservers] (records/of-nameservers zone (own-addresses river))))

;; --- what changed

(defn- difference
  "What a node was and is -> {:put [record] :gone [[owner type]] :zone? does its zone differ?}. An SOA is put with its serial,
  and that an address lives longer is no change of the zone."
  [owner was is]
  (let [types (into (set (keys was)) (keys is))
        plain #(dissoc % :rr/until-ms)]
    {:put   (into [] (keep (fn [t] (let [r (get is t)] (when (and r (not= :soa t) (not= r (get was t))) r)))) types)
     :gone  (into [] (keep (fn [t] (when-not (contains? is t) [owner t]))) types)
     :zone? (boolean (some #(not= (plain (get was %)) (plain (get is %))) types))}))

(defn- with-serial [soa n] (assoc-in soa [:rr/data 0 2] n))

(defn- settle
  "[river changes] after all parts have spoken."
  [{:keys [before zone serial] :as river} epoch-s]
  (let [all   (for [[[v owner :as k] was] before]
                (assoc (difference owner was (node river k)) :view v :apex (records/zone-of zone owner)))
        zones (into (sorted-set) (comp (filter :zone?) (map (juxt :view :apex))) all)
        n     (if (empty? zones)
                serial
                (serial/after serial (when (empty? (:serials river)) epoch-s)))
        soas  (for [[v apex :as z] zones :let [soa (:soa (node river z))]]
                [z (when soa (with-serial soa n))])
        gather (fn [m v k rs] (if (seq rs) (update-in m [v k] (fnil into []) rs) m))]
    [(-> river
         (assoc :serial n)
         (update :serials #(reduce (fn [m [z soa]] (if soa (assoc m z n) (dissoc m z))) % soas)))
     (as-> {} m
       (reduce (fn [m {:keys [view put gone]}] (-> m (gather view :put put) (gather view :gone gone))) m all)
       (reduce (fn [m [[v _] soa]] (if soa (gather m v :put [soa]) m)) m soas)
       (update-vals m #(merge {:put [] :gone []} %)))]))

(defn- started [{:keys [started? zone] :as river}]
  (if started?
    river
    (-> (assoc river :started? true)
        (bring [:configuration] (records/of-configuration zone))
        nameserved)))

(defn step
  "The river after `events`, in their order, and what that changed. `times`: {:now-ms CLOCK_BOOTTIME ms :mono-ms CLOCK_MONOTONIC
  ms :epoch-s unix seconds}. Gives {:river river, :changes view -> {:put [record] :gone [[owner type]]} with the SOA of each zone
  that differs, :askers pairs [prefix view] or nil when they are as before, :serial n or nil before the first, :notes [{:level
  :name :text}]}. A record whose only news is how long its addresses live is put without a new serial."
  [river events {:keys [epoch-s] :as times}]
  (let [fresh   (assoc river :touched #{} :labels #{} :told [] :before {} :peopled #{} :own? false)
        heard   (reduce #(heard %1 %2 times) fresh events)
        looked  (reduce looked heard (:touched heard))
        named   (reduce name-label looked (sort (:labels looked)))
        served  (cond-> (started named) (and (:started? named) (:own? named)) nameserved)
        [settled changes] (settle (zoned served) epoch-s)
        askers  (if (and (:askers river) (= (:networks river) (:networks settled)))
                  (:askers river)
                  (view/askers (:zone river) (keys (:networks settled))))]
    {:river   (-> (assoc settled :askers askers)
                  (dissoc :touched :labels :told :before :peopled :own?))
     :changes changes
     :askers  (when (not= askers (:askers river)) askers)
     :serial  (:serial settled)
     :notes   (vec (distinct (:told settled)))}))

;; --- looks

(defn records
  "All records of `view`, sorted by owner and type; of an SOA with its serial."
  [river view]
  (vec (for [[v owner :as k] (sort (keys (:owners river))) :when (= view v)
             [type rr] (sort-by key (node river k))]
         (if (= :soa type) (with-serial rr (get-in river [:serials k])) rr))))

(defn names
  "The names there are (`ontap.model.names/host`), sorted."
  [river]
  (mapv val (sort-by key (into {} (mapcat val) (:given river)))))

(defn explain
  "Why `name` has which addresses: rows of `ontap.model.explain`. `more`: {:mdns link -> hosts}, what multicast DNS says."
  ([river name] (explain river name {}))
  ([river name more] (explain/rows river name more)))

(defn askers
  "Prefix -> view pairs; everybody else is foreign."
  [river]
  (:askers river))

(defn saved
  "What has to be on disk for the next river: {:saved/serial n :saved/claims [[nsid index label since-ms inode]]}. Worth keeping within one
  boot: nsids begin anew with the next."
  [{:keys [serial claims kept]}]
  {:saved/serial serial
   :saved/claims (vec (sort-by (fn [[nsid index _ since]] [since (or nsid -1) index])
                               (concat (for [[[nsid index] [l since inode]] kept] [nsid index l since inode])
                                       (for [[[nsid index] {:claim/keys [label since-ms inode]}] claims]
                                         [nsid index label since-ms inode]))))})

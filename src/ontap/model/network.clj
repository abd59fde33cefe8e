;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.network
  "The network part of a service's declaration: interface names, link types and modes, addresses and gateways.
  Pure readers (see `ontap.model.shape`) and the checks that need more than one of these keys."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(defn label?
  "Is `v` a DNS label in lower case?"
  [v]
  (and (string? v) (boolean (re-matches #"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?" v))))

(def label-words
  "What a name that DNS will carry should be."
  "a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end)")

(defn interface-name?
  "Can the kernel give this name to a link? (dev_valid_name in net/core/dev.c; % would make it a pattern.)"
  [v]
  (and (shape/text? v)
       (<= 1 (shape/utf8-length v) 15)
       (not (re-find #"[/:%\s\p{Cntrl}]" v))
       (not (#{"." ".."} v))))

(def interface-words
  "What the name of an interface should be."
  "the name of a network interface (1 to 15 bytes, without space, / and :)")

(def interface "A reader of the name of an interface." (shape/text interface-name? interface-words))

(defn port
  "A reader of :port: the interface that carries the link."
  [ctx v]
  (if (= "lo" v)
    (shape/wrong ctx v interface-words {:says "lo carries no links; should be an interface of the machine, such as \"eth0\""})
    (interface ctx v)))

(defn link
  "A reader of :link: the link's name inside."
  [ctx v]
  (if (= "lo" v)
    (shape/wrong ctx v interface-words {:says "lo is there already; should be another name, such as \"eth0\""})
    (interface ctx v)))

(def modes
  "Link type -> its modes, the default one first. A tap has none: its port is a bridge."
  {"ipvlan"  ["l2" "l3" "l3s"]
   "ipvtap"  ["l2" "l3" "l3s"]
   "macvlan" ["bridge" "private" "vepa"]
   "macvtap" ["bridge" "private" "vepa"]
   "tap"     []})

(def types "The link types, in the order they are told." ["ipvlan" "ipvtap" "macvlan" "macvtap" "tap"])

(def tap-types "The types whose link is handed over as descriptors, one for each queue." ["ipvtap" "macvtap" "tap"])

(def families
  "Link type -> the family it belongs to. The kernel lets one port carry one family only."
  {"ipvlan" "ipvlan", "ipvtap" "ipvlan", "macvlan" "macvlan", "macvtap" "macvlan", "tap" "tap"})

(defn tap-type? "Is `type` handed over as descriptors?" [type] (boolean (some #(= type %) tap-types)))

(def most-queues "More queues than this are given to nobody." 64)

(def link-type "A reader of :type." (shape/choice types))

(defn mode
  "A reader of :mode: a mode of the :type that stands beside it."
  [{:keys [raw] :as ctx} v]
  (let [type (get raw :type "ipvlan")
        valid (get modes type (mapcat modes ["ipvlan" "macvlan"]))
        owners (filter (fn [t] (some #(= v %) (modes t))) types)
        expected (str (mistake/and-list "or" (map pr-str valid)) (when (modes type) (str " for " type)))]
    (cond (= "tap" type) (shape/wrong ctx v "left out" {:says "a tap has no mode; should be left out"})
          (some #(= v %) valid) (shape/ok v)
          (seq owners) (shape/wrong ctx v expected {:says (str "should be " expected "; " (pr-str v) " is a mode of "
                                                               (mistake/and-list "and" owners))})
          :else (shape/wrong ctx v expected {:nearest (some-> (mistake/nearest v valid) pr-str)}))))

(defn queues
  "A reader of :queues: how many descriptors a link of a tap type is handed over as."
  [{:keys [raw] :as ctx} v]
  (let [type (get raw :type "ipvlan")]
    (if (and (modes type) (not (tap-type? type)))
      (shape/wrong ctx v "left out"
                   {:says (str "is for " (mistake/and-list "and" tap-types) ", and :type is " type "; should be left out")})
      ((shape/whole 1 most-queues) ctx v))))

(defn netns
  "A reader of :netns."
  [ctx v]
  (let [expected "true (a namespace of its own), the name of one in /run/netns, or :host"]
    (cond (or (true? v) (= :host v)) (shape/ok v)
          (false? v) (shape/wrong ctx v expected {:nearest ":host"})
          (and (shape/text? v) (<= 1 (shape/utf8-length v) 255) (not (#{"." ".."} v)) (not (re-find #"[/\s\p{Cntrl}]" v)))
          (shape/ok v)
          :else (shape/wrong ctx v expected {:nearest (when (mistake/nearest v [:host]) ":host")}))))

;; --- addresses

(def ^:private family-words
  {4 {:key ":ipv4" :name "IPv4" :example "\"10.0.0.5/24\"" :length 24 :other ":ipv6" :other-name "IPv6"}
   6 {:key ":ipv6" :name "IPv6" :example "\"fd00::5/64\"" :length 64 :other ":ipv4" :other-name "IPv4"}})

(defn- static-address [family ctx v expected]
  (let [{:keys [name length other other-name]} (family-words family)
        {:keys [ip prefix] :as a} (address/prefixed v)
        bare (address/family v)]
    (cond
      (and a (= family (:family a)))
      (if-let [fault (address/host-fault ip prefix)]
        (shape/wrong ctx v expected {:says (str "should be an address a link can have; " (mistake/shown v) " is " fault)})
        (shape/ok {:method :static :ip ip :prefix prefix :gateway nil}))
      (or a bare)
      (if (= family (or (:family a) bare))
        (shape/wrong ctx v (str "an " name " address with its prefix length")
                     {:nearest (pr-str (str (address/canonical v) "/" length))})
        (shape/wrong ctx v expected {:says (str "should be " expected "; " (mistake/shown v) " is an " other-name
                                                " address and belongs in " other)}))
      :else (shape/wrong ctx v expected {:nearest (some-> (mistake/nearest v (if (= 4 family) [:dhcp :none] [:none :slaac])) pr-str)}))))

(defn ipv4
  "A reader of :ipv4: {:method :dhcp}, {:method :none} or {:method :static :ip :prefix :gateway nil}."
  [ctx v]
  (let [expected ":dhcp, :none or an address such as \"10.0.0.5/24\""]
    (case v
      :dhcp (shape/ok {:method :dhcp})
      :none (shape/ok {:method :none})
      :slaac (shape/wrong ctx v expected {:says (str "should be " expected "; :slaac is for IPv6 only")})
      (static-address 4 ctx v expected))))

(defn ipv6
  "A reader of :ipv6: {:method :slaac}, {:method :none} or {:method :static :ip :prefix :gateway nil}."
  [ctx v]
  (let [expected ":slaac, :none or an address such as \"fd00::5/64\""]
    (case v
      :none (shape/ok {:method :none})
      :slaac (shape/ok {:method :slaac})
      (:dhcp :dhcpv6) (shape/wrong ctx v expected {:says (str "should be " expected "; " v " is not for IPv6 here")})
      (static-address 6 ctx v expected))))

(defn gateway
  "A reader of :gateway: an address, or a vector of one of each family; gives {4 text 6 text}."
  [ctx v]
  (let [expected "an address such as \"10.0.0.1\", or a vector of one IPv4 and one IPv6 address"
        texts (cond (string? v) [v]
                    (and (sequential? v) (<= 1 (bounded-count 3 v) 2)) (vec v))
        families (map address/family texts)]
    (cond (or (empty? texts) (some nil? families)) (shape/wrong ctx v expected)
          (not (apply distinct? families))
          (shape/wrong ctx v expected {:says (str "should be one address of each family; both of " (mistake/shown v) " are IPv"
                                                  (first families))})
          :else (shape/ok (into {} (map (fn [t] [(address/family t) (address/canonical t)])) texts)))))

(defn with-gateway
  "The value of :ipv4 or :ipv6 with the gateway of its `family` out of {4 text 6 text}."
  [value family gateways]
  (cond-> value
    (= :static (:method value)) (assoc :gateway (get gateways family))))

(defn mode-of "The mode of a declaration's `values`: as stated, or the first of its type." [{:keys [type mode]}]
  (or mode (first (modes type))))

(defn- no-broadcast?
  "Does no broadcast reach the link, and is its address on no LAN? Then there is neither DHCP nor ARP."
  [{:keys [type] :as values}]
  (and (= "ipvlan" type) (contains? #{"l3" "l3s"} (mode-of values))))

(defn ipv4-of
  "The :ipv4 of a declaration's `values`: as stated, or what its type and mode allow."
  [{:keys [type] stated :ipv4 :as values}]
  (or stated {:method (if (or (tap-type? type) (no-broadcast? values)) :none :dhcp)}))

(defn dhcp? "Does a DHCP client get the IPv4 address of these `values`?" [values] (= :dhcp (:method (ipv4-of values))))

(defn conflicts-detected?
  "Can another host's claim to the IPv4 address of these `values` be noticed?"
  [values]
  (and (not (no-broadcast? values)) (contains? #{:dhcp :static} (:method (ipv4-of values)))))

(defn- gateway-fault [path family {:keys [method ip prefix]} gw]
  (let [{:keys [key name example]} (family-words family)
        fault (fn [says] (mistake/of path {:expected (str "an address in the network of " key) :found gw :says says}))]
    (cond
      (= :dhcp method)
      (fault (str "the DHCP server tells the " name " gateway; should be left out, or stand beside an address in " key
                  ", such as " example))
      (not= :static method)
      (fault (str "an " name " gateway needs an address in " key ", such as " example))
      (= ip gw) (fault (str gw " is the service's own address"))
      (and (= 6 family) (= :link-local (address/kind gw))) nil
      (not= :ordinary (address/kind gw)) (fault (str gw " can be no gateway"))
      (not (address/same-network? ip gw prefix))
      (fault (str "should be in the network of " key ", " (address/network ip prefix) "; is " gw)))))

(def ^:private of-the-guest
  "Keys that mean nothing for a tap type, and why."
  {:link "the link stays with ontapd, and the guest names its own"
   :ipv4 "the guest gets its addresses by itself"
   :ipv6 "the guest gets its addresses by itself"
   :gateway "the guest gets its addresses by itself"
   :release "the guest gets its addresses by itself"
   :acd "the guest gets its addresses by itself"
   :start-delay "the guest gets its addresses by itself"
   :resolv-conf "the guest has files of its own"
   :address-timeout "the guest gets its addresses by itself, and the service waits for none"})

(defn- tap-faults [path type given]
  (when (tap-type? type)
    (for [[k why] of-the-guest
          :when (given k)]
      (mistake/of (conj path k) {:expected (str "left out for " type) :says (str why "; should be left out for " type)}))))

(defn- ipv4-faults
  "The mistakes of the keys that mean something for some values of :ipv4 only."
  [path {:keys [type mode acd] stated :ipv4 :as values} given]
  (when-not (or (tap-type? type) (and (given :ipv4) (nil? stated)) (and (given :mode) (nil? mode)))
    (let [method (:method (ipv4-of values))
          is (if (= :static method) "an address" (str method))
          left-out (fn [k says] (mistake/of (conj path k) {:expected "left out" :says (str says "; should be left out")}))]
      (cond-> []
        (and (= :dhcp (:method stated)) (no-broadcast? values))
        (conj (mistake/of (conj path :ipv4)
                          {:expected ":none or an address" :found :dhcp
                           :says (str "no broadcast, and so no DHCP, reaches an ipvlan link of mode " mode
                                      "; should be :none or an address such as \"10.0.0.5/24\"")}))
        (and (given :release) (not= :dhcp method))
        (conj (left-out :release (str "is about the lease of a DHCP server, and :ipv4 is " is)))
        (and (given :start-delay) (not= :dhcp method))
        (conj (left-out :start-delay (str "is the wait before DHCP begins, and :ipv4 is " is)))
        (and (given :acd) (= :none method))
        (conj (left-out :acd "is about an IPv4 address, and :ipv4 is :none"))
        (and (true? acd) (= :static method) (no-broadcast? values))
        (conj (mistake/of (conj path :acd)
                          {:expected "false or left out" :found true
                           :says (str "an ipvlan link of mode " mode " speaks no ARP, so no conflict can be seen; "
                                      "should be false or left out")}))))))

(defn faults
  "The mistakes that only several network keys together show. `values` holds the keys that were well, `path` is the service's."
  [path {:keys [type mode ipv6 gateway netns link port resolv-conf] stated :ipv4 :as values} given]
  (let [ipv4 (when (or stated (not (given :ipv4))) (ipv4-of values))
        at (fn [k facts] (mistake/of (conj path k) facts))]
    (remove
     nil?
     (concat
      (tap-faults path type given)
      (for [[family gw] (when-not (tap-type? type) (sort gateway))
            :let [value (if (= 4 family) ipv4 ipv6)]
            :when value]
        (gateway-fault (conj path :gateway) family value gw))
      (ipv4-faults path values given)
      [(when (and (= "ipvlan" type) (#{"l3" "l3s"} mode) (= :slaac (:method ipv6)))
         (at (if (given :ipv6) :ipv6 :mode)
             {:expected ":none or an address" :found (if (given :ipv6) :slaac mode)
              :says (str "no router advertisement reaches an ipvlan link of mode " mode
                         "; :ipv6 should be :none or an address such as \"fd00::5/64\"")}))
       (when (and (= :host netns) (not (tap-type? type)) link (= link port))
         (at :link {:expected "a name that the machine does not use" :found link
                    :says (str "should differ from the port in :netns :host; both are " (pr-str link))}))
       (when (and (= :host netns) (not (tap-type? type)) (true? resolv-conf))
         (at :resolv-conf {:expected "false, an absolute path or a map" :found true
                           :says (str "in :netns :host the machine's own resolv.conf is good; "
                                      "should be false, an absolute path, a map or left out")}))]))))

(defn host-link
  "The default name of a link in the machine's own namespace: the service's name, cut to 15 bytes."
  [service-name]
  (let [n (subs service-name 0 (min 15 (count service-name)))]
    (str/replace n #"-+$" "")))

(defn link-of
  "The name of the link inside of a declaration's `values`: as stated, or its default. Nil for a tap type."
  [{:keys [type netns link] n :name}]
  (when-not (tap-type? type)
    (or link (if (= :host netns) (some-> n host-link) "eth0"))))

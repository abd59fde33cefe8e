;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.terms
  "What a DHCP server's offer or acknowledgement comes to: the terms on which a link has its
  address, and the times of the lease. Pure. What an option means is RFC 2132, of routes
  RFC 3442.

  Terms: `term-keys`. A lease is terms with :dhcp/t1-at, :dhcp/t2-at (ms, nil for ever),
  :dhcp/gateway-hwaddr and :dhcp/let-go-at (nil when not known)."
  (:require [ontap.model.address :as address]))

(set! *warn-on-reflection* true)

(def term-keys
  "The keys of terms, what a link is set up with."
  [:dhcp/ip :dhcp/prefix :dhcp/broadcast :dhcp/routes :dhcp/mtu :dhcp/dns :dhcp/domain :dhcp/search :dhcp/ntp
   :dhcp/server :dhcp/server-hwaddr :dhcp/valid-until])

(def ^:private shortest-s
  "No lease that is shorter can be used: looking for conflicts alone takes up to 7 s."
  5)

(def ^:private untold-s "How long a lease is of which the server does not say it." 3600)

(def ^:private least-mtu "RFC 2132, 5.1, and what IPv4 cannot do without." 576)

(defn- v4? [ip] (= 4 (address/family ip)))

;; --- the address

(defn class-prefix
  "The prefix length of the class of an address: what RFC 950 says of a network without a
  mask. A server that sends none is as old as that."
  [ip]
  (let [[a] (address/octets ip)]
    (cond (< a 128) 8, (< a 192) 16, :else 24)))

(defn- prefix-of
  "The prefix length a message tells; else that of the lease before it; else its class's."
  [{:message/keys [your-ip] {:option/keys [prefix]} :message/options} before]
  (or prefix
      (when (= your-ip (:dhcp/ip before)) (:dhcp/prefix before))
      (class-prefix your-ip)))

(defn fault
  "Why what a message offers cannot be used (words after its address: \"is ..\"), or nil. `before`
  is the lease that it renews, or nil."
  [{:message/keys [your-ip] {:option/keys [lease-s]} :message/options :as m} before]
  (if (v4? your-ip)
    (or (address/host-fault your-ip (prefix-of m before))
        (when (and (number? lease-s) (< lease-s shortest-s))
          (str "given for " lease-s " s only")))
    "no address"))

(defn broadcast-of
  "The last address of the network of `ip`; nil where there is none."
  [ip prefix]
  (when (< prefix 31)
    (address/text
     (map-indexed (fn [i o] (bit-or o (bit-shift-right 0xff (max 0 (min 8 (- prefix (* 8 i)))))))
                  (address/octets ip)))))

;; --- routes

(def ^:private default-route "0.0.0.0/0")

(defn- gateway? [via ip prefix]
  (and (v4? via)
       (contains? #{:ordinary :link-local} (address/kind via))
       (not (and (address/same-network? via ip prefix) (address/host-fault via prefix)))))

(defn- tidy
  "The route with its destination's host bits cleared (RFC 3442), or nil when it leads
  nowhere. A gateway that is the client itself means that everybody is on the link."
  [ip prefix {:route/keys [to via]}]
  (when-let [{dest :ip bits :prefix} (address/prefixed to)]
    (let [to  (address/network dest bits)
          via (when (not= ip via) via)]
      (when (and (v4? dest)
                 (not (contains? #{:loopback :multicast :broadcast} (address/kind dest)))
                 (or (nil? via) (gateway? via ip prefix))
                 (not (and (nil? via) (= to (address/network ip prefix)))))
        {:route/to to :route/via via}))))

(defn- given-routes
  "Option 121 alone where it is there; else option 33, which cannot tell a default route, and
  the first router that can be one."
  [ip prefix {:option/keys [routes static-routes routers] :as opts}]
  (if (contains? opts :option/routes)
    routes
    (concat (remove #(= default-route (:route/to %)) static-routes)
            (when-let [router (first (filter #(gateway? % ip prefix) routers))]
              [{:route/to default-route :route/via router}]))))

(defn- covers? [ip {:route/keys [to]}]
  (let [{net :ip bits :prefix} (address/prefixed to)] (address/same-network? ip net bits)))

(defn- first-of-each [k coll]
  (second (reduce (fn [[seen out] x] (if (seen (k x)) [seen out] [(conj seen (k x)) (conj out x)])) [#{} []] coll)))

(defn routes
  "The routes that options `opts` give a link with this address, in an order in which they
  can be set: those of the link first, one to itself for each gateway that nothing else says
  is on the link."
  [ip prefix opts]
  (let [all     (keep #(tidy ip prefix %) (given-routes ip prefix opts))
        direct  (filter #(nil? (:route/via %)) all)
        over    (filter :route/via all)
        far     (for [via (distinct (map :route/via over))
                      :when (not (or (address/same-network? via ip prefix) (some #(covers? via %) direct)))]
                  {:route/to (str via "/32") :route/via nil})]
    (first-of-each :route/to (concat direct far over))))

(defn gateway
  "The gateway of the default route of terms, or nil."
  [terms]
  (some #(when (= default-route (:route/to %)) (:route/via %)) (:dhcp/routes terms)))

;; --- times

(defn- span
  "[t1 t2 all] in ms. What the server says of T1 and T2 counts where it makes sense."
  [{:option/keys [lease-s t1-s t2-s]}]
  (let [all (* 1000 (long (or lease-s untold-s)))
        t1  (if (number? t1-s) (* 1000 (long t1-s)) (quot all 2))
        t2  (if (number? t2-s) (* 1000 (long t2-s)) (quot (* 7 all) 8))]
    (if (< 0 t1 t2 all) [t1 t2 all] [(quot all 2) (quot (* 7 all) 8) all])))

(defn- times
  "A lease counts from when it was asked for, not from when the answer came (RFC 2131, 4.4.1)."
  [{:option/keys [lease-s] :as opts} began]
  (if (= :infinite lease-s)
    {:dhcp/t1-at nil :dhcp/t2-at nil :dhcp/valid-until nil}
    (let [[t1 t2 all] (span opts)]
      {:dhcp/t1-at (+ began t1) :dhcp/t2-at (+ began t2) :dhcp/valid-until (+ began all)})))

;; --- all of it

(defn- servers [ips]
  (filterv #(and (v4? %) (contains? #{:ordinary :link-local} (address/kind %))) ips))

(defn lease
  "The lease that acknowledgement or offer `m` gives, asked for at `began`. `before` is the one
  it renews, or nil. Call it with a message that has no `fault`."
  [{:message/keys [your-ip server-id from-hwaddr] {:option/keys [mtu dns domain search ntp] :as opts} :message/options :as m}
   began before]
  (let [prefix (prefix-of m before)
        given  (:option/broadcast opts)
        lease  (merge {:dhcp/ip            your-ip
                       :dhcp/prefix        prefix
                       :dhcp/broadcast     (if (and given (address/same-network? given your-ip prefix))
                                             given
                                             (broadcast-of your-ip prefix))
                       :dhcp/routes        (routes your-ip prefix opts)
                       :dhcp/mtu           (when (and mtu (<= least-mtu mtu 65535)) mtu)
                       :dhcp/dns           (servers dns)
                       :dhcp/domain        domain
                       :dhcp/search        (vec search)
                       :dhcp/ntp           (servers ntp)
                       :dhcp/server        (or server-id (:dhcp/server before))
                       :dhcp/server-hwaddr from-hwaddr}
                      (times opts began)
                      {:dhcp/let-go-at nil})]
    (assoc lease :dhcp/gateway-hwaddr
           (when (and (gateway lease) (= (gateway lease) (gateway before))) (:dhcp/gateway-hwaddr before)))))

(defn static
  "The lease of an address that a person gave: for ever, from no server."
  [{:keys [ip prefix] via :gateway}]
  {:dhcp/ip ip :dhcp/prefix prefix :dhcp/broadcast (broadcast-of ip prefix)
   :dhcp/routes (if via (routes ip prefix {:option/routes [{:route/to default-route :route/via via}]}) [])
   :dhcp/mtu nil :dhcp/dns [] :dhcp/domain nil :dhcp/search [] :dhcp/ntp [] :dhcp/server nil :dhcp/server-hwaddr nil
   :dhcp/valid-until nil :dhcp/t1-at nil :dhcp/t2-at nil :dhcp/gateway-hwaddr nil :dhcp/let-go-at nil})

(defn terms "The terms of a lease." [lease] (select-keys lease term-keys))

(def ^:private words
  "What of terms a person is told of when it changes."
  {:dhcp/prefix "prefix" :dhcp/routes "routes" :dhcp/mtu "MTU" :dhcp/dns "nameservers" :dhcp/domain "domain"
   :dhcp/search "search list" :dhcp/ntp "time servers" :dhcp/broadcast "broadcast address"})

(defn changes
  "What differs between two leases of one address, in words, sorted; when it ends does not
  count."
  [a b]
  (sort (keep (fn [[k word]] (when (not= (k a) (k b)) word)) words)))

(defn over?
  "Has the lease ended at `now`?"
  [{:dhcp/keys [valid-until]} now]
  (boolean (and valid-until (<= valid-until now))))

(defn rebase
  "The lease with all its times moved by `delta` ms."
  [lease delta]
  (reduce (fn [l k] (cond-> l (k l) (update k + delta)))
          lease [:dhcp/t1-at :dhcp/t2-at :dhcp/valid-until :dhcp/let-go-at]))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.addressing
  "When a link's addresses are good enough to start the workload. Pure.

  An address is a map: :addr/ip canonical text, :addr/prefix, :addr/family :ipv4
  or :ipv6, :addr/scope :global :link or :host, :addr/flags a set of :tentative
  :dadfailed :deprecated :temporary (if_addr.h).")

(defn usable?
  "May the address be used as a source and be told to others?"
  [{:addr/keys [flags]}]
  (not-any? #{:tentative :dadfailed :deprecated} flags))

(defn- declared [service]
  (keep (fn [k] (let [{:keys [method ip]} (k service)] (when (= :static method) ip)))
        [:service/ipv4 :service/ipv6]))

(defn state
  "What `addresses` of the link mean for `service`:
  :usable           every declared address is usable, or, without one, a routable
                    address has come, by router advertisement or by DHCP, or neither
                    is asked for one;
  :waiting          not yet;
  {:refused ip}     duplicate address detection found `ip` in use by another host."
  [service addresses]
  (let [declared (set (declared service))
        mine     (group-by :addr/ip addresses)
        refused  (some (fn [ip] (when (some #(contains? (:addr/flags %) :dadfailed) (mine ip)) ip))
                       declared)]
    (cond
      refused {:refused refused}
      (seq declared) (if (every? #(some usable? (mine %)) declared) :usable :waiting)
      (not-any? #{:slaac :dhcp} (map :method ((juxt :service/ipv4 :service/ipv6) service))) :usable
      (some #(and (usable? %) (= :global (:addr/scope %))) addresses) :usable
      :else :waiting)))

(defn missed-words
  "What a person is told when no address of `service` was usable in time."
  [{:service/keys [port address-timeout-ms ipv4 ipv6]}]
  (let [dhcp?  (= :dhcp (:method ipv4))
        slaac? (= :slaac (:method ipv6))
        static (when (= :static (:method ipv4)) (:ip ipv4))]
    (str "no usable address after " (/ address-timeout-ms 1000.0) " s"
         (when static (str " (does another host on " port " have " static "?)"))
         (when (and (not static) (or dhcp? slaac?))
           (str " (is there " (when dhcp? "a DHCP server") (when (and dhcp? slaac?) " or ")
                (when slaac? "a router that advertises a prefix") " on " port "?)"))
         "; it is started without one")))

(defn shown
  "The addresses a person is shown, routable ones first: texts."
  [addresses]
  (->> addresses
       (filter usable?)
       (sort-by (juxt #(case (:addr/scope %) :global 0 :link 1 2)
                      #(case (:addr/family %) :ipv4 0 1)
                      :addr/ip))
       (mapv :addr/ip)))

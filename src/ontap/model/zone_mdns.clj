;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-mdns
  "Where a zone answers for NAME.local by multicast DNS, as :mdns of its :zone tells it: on links that are there, and on links
  of its own on ports. Pure readers (see `ontap.model.shape`)."
  (:require [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def expected "What :mdns should be." "a map such as {:links [\"host0\"]} or {:ports [\"wlp3s0\"]}")

(def types "What a link of its own on a port can be; :auto is what the port can carry." [:auto "ipvlan" "macvlan"])

(defn- link [ctx v]
  (if (= "lo" v)
    (shape/wrong ctx v network/interface-words {:says "lo has nobody who could ask; should be a link such as \"host0\""})
    (network/interface ctx v)))

(defn- once
  "The answer `a` of a vector at `ctx`, if `name-of` tells its elements apart."
  [ctx {:keys [value] :as a} name-of]
  (let [names (map name-of value)
        twice (for [[i n] (map-indexed vector names) :when (some #{n} (take i names))]
                (mistake/of (conj (:path ctx) i)
                            {:expected "a name of its own" :found n
                             :says (str "should be named once; " (mistake/shown n) " is there already")}))]
    (if (seq twice) {:mistakes (vec twice)} a)))

(def ^:private link-list (shape/many link "a vector of links, such as [\"host0\"]"))

(defn- links [ctx v]
  (if (string? v)
    (shape/wrong ctx v "a vector of links, such as [\"host0\"]" {:nearest (str "[" (mistake/shown v) "]")})
    (once ctx (link-list ctx v) identity)))

(def ^:private port-words "the name of a port, or a map such as {:port \"wlp3s0\" :ipv4 \"10.0.0.250/24\"}")

(def ^:private port-map
  (shape/map-of
   {:noun "a port of :mdns"
    :fields [{:key :port :read network/port :required? true :expected network/interface-words}
             {:key :type :read (shape/choice types) :default :auto}
             {:key :ipv4 :read network/ipv4 :default {:method :dhcp}}]
    :refused {:ipv6 "the link gets its IPv6 addresses by itself; should be left out"
              :link "the link of :mdns is called mdns0; should be left out"}}
   (fn [_ {:keys [port type ipv4]}]
     (shape/ok {:port/name port :port/type type :port/ipv4 ipv4}))))

(defn- port [ctx v]
  (cond (map? v) (port-map ctx v)
        (string? v) (let [a (network/port ctx v)]
                      (if (:mistakes a) a (shape/ok {:port/name v :port/type :auto :port/ipv4 {:method :dhcp}})))
        :else (shape/wrong ctx v port-words)))

(def ^:private ports-words "a vector of ports, such as [\"wlp3s0\"]")
(def ^:private port-list (shape/many port ports-words))

(defn- ports [ctx v]
  (if (or (string? v) (map? v))
    (shape/wrong ctx v ports-words {:nearest (if (string? v) (str "[" (mistake/shown v) "]") "[{...}]")})
    (once ctx (port-list ctx v) :port/name)))

(def ^:private both
  (shape/map-of
   {:noun ":mdns"
    :fields [{:key :links :read links :default []}
             {:key :ports :read ports :default []}]}
   (fn [ctx {:keys [links ports] :as v}]
     (let [named (into #{} (map :port/name) ports)
           parent (first (filter named links))]
       (cond parent
             (shape/wrong (shape/below ctx :links) parent "a link other than a port"
                          {:says (str "should name no port of :mdns; what is sent on " parent " does not reach the links that stand on it")})
             (and (empty? links) (empty? ports))
             (shape/wrong ctx v expected {:says "should say where: by :links, :ports or both"})
             :else (shape/ok {:mdns/links links :mdns/ports ports}))))))

(defn mdns
  "A reader of :mdns; gives {:mdns/links [name] :mdns/ports [{:port/name :port/type (`types`) :port/ipv4 (as of a service)}]}."
  [ctx v]
  (cond (map? v) (both ctx v)
        (string? v) (shape/wrong ctx v expected {:nearest (str "{:links [" (mistake/shown v) "]}")})
        (and (sequential? v) (seq v) (every? string? v)) (shape/wrong ctx v expected {:nearest (str "{:links " (mistake/shown v) "}")})
        :else (shape/wrong ctx v expected)))

(defn words
  "The checked :zone/mdns in lines of text; none for nil."
  [{:mdns/keys [links ports]}]
  (into (mapv #(str "NAME.local by multicast DNS on " %) links)
        (for [{:port/keys [type ipv4] n :port/name} ports]
          (str "NAME.local by multicast DNS on a link of its own on " n
               (when (string? type) (str ", " type))
               (case (:method ipv4)
                 :dhcp ", IPv4 by DHCP"
                 :none ", without IPv4"
                 :static (str ", IPv4 " (:ip ipv4) "/" (:prefix ipv4)))))))

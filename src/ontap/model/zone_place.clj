;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-place
  "Addresses with ports and prefixes as the :zone of a file writes them: where it listens, who asks, whom it tells. Pure
  readers (see `ontap.model.shape`)."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def views "The kinds of asker, in the order of their numbers." [:private :on-link :foreign])

(def view "A reader of a view." (shape/choice views))

(def ^:private usual-port 53)

(defn- endpoint
  "{:ip text :scope text-or-nil :port number} of \"10.0.0.1:53\", \"[fd00::1]:53\" or \"[fe80::1%eth0]\", or nil."
  [v]
  (when (shape/text? v)
    (let [[_ v6 scope port6] (re-matches #"\[([0-9A-Fa-f:.]{2,45})(?:%([^\]]*))?\](?::([1-9]\d{0,4}))?" v)
          [_ v4 port4]       (re-matches #"([0-9.]{7,15})(?::([1-9]\d{0,4}))?" v)
          port               (or (some-> (or port6 port4) parse-long) usual-port)
          ip                 (address/canonical (or v6 v4))]
      (when (and ip (= (if v6 6 4) (address/family ip)) (<= port 65535))
        {:ip ip :scope scope :port port}))))

(defn- shown-endpoint [ip port] (if (= 6 (address/family ip)) (str "[" ip "]:" port) (str ip ":" port)))

(defn- near-endpoint
  "What somebody meant who left out the address or the brackets."
  [v]
  (cond (and (string? v) (= 6 (address/family v))) (shown-endpoint (address/canonical v) usual-port)
        (and (int? v) (<= 1 v 65535)) (str "[::]:" v)
        :else (when-let [[_ port] (and (string? v) (re-matches #"(?:\*?:)?([1-9]\d{0,4})" v))] (str "[::]:" port))))

(defn- endpoint-fault
  "Why nobody can be met at an endpoint, or nil. `unspecified?`: may it stand for all addresses?"
  [{:keys [ip scope]} unspecified?]
  (let [kind (address/kind ip), v6? (= 6 (address/family ip))]
    (cond
      (and scope (not= :link-local kind)) "names an interface, which only link-local addresses do"
      (and scope (not (network/interface-name? scope))) "names no interface after its %"
      (and v6? (= :link-local kind) (nil? scope)) (str "should name its interface: \"[" ip "%eth0]:53\"")
      :else (case kind
              :unspecified (when-not unspecified? "is no address of anybody")
              :multicast "is a multicast address"
              :broadcast "is a reserved address"
              :mapped "is an IPv4 address written as IPv6"
              nil))))

(defn- endpoint-reader [expected unspecified?]
  (fn [ctx v]
    (let [e (endpoint v), fault (some-> e (endpoint-fault unspecified?))]
      (cond (nil? e) (shape/wrong ctx v expected {:nearest (some-> (near-endpoint v) pr-str)})
            fault (shape/wrong ctx v expected {:says (str (mistake/shown v) " " fault)})
            :else (shape/ok [(cond-> (:ip e) (:scope e) (str "%" (:scope e))) (:port e)])))))

;; --- :listen

(def listen-words "What :listen should be." "a vector of addresses with ports, such as [\"[::]:53\" \"0.0.0.0:53\"]")

(def ^:private listen-one
  (endpoint-reader "an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\"" true))

(def ^:private listen-all (shape/many listen-one listen-words))

(defn- covered
  "[index index] of places of which the second is the first, or is among the first's addresses."
  [places]
  (for [[j [b port]] (map-indexed vector places)
        [i [a other]] (map-indexed vector places)
        :let [all? (= a (if (str/includes? b ":") "::" "0.0.0.0"))]
        :when (and (= port other) (not= i j) (if (= a b) (< i j) all?))]
    [i j]))

(defn listen
  "A reader of :listen; gives [{:listen/ip :listen/port} …]. The address of a link-local one ends in % and an interface. A
  socket for all addresses of a family leaves no room for another one of that family at the same port (ip(7), EADDRINUSE)."
  [ctx v]
  (if (string? v)
    (shape/wrong ctx v listen-words {:nearest (str "[" (mistake/shown v) "]")})
    (let [{places :value :as a} (listen-all ctx v)]
      (if (:mistakes a)
        a
        (if-let [twice (seq (covered places))]
          {:mistakes (vec (for [[j pairs] (sort-by key (group-by second twice))
                                :let [[i] (first pairs)]]
                            (mistake/of (conj (:path ctx) j)
                                        {:expected "a place of its own" :found (nth (vec v) j)
                                         :says (str "should be a place of its own; " (mistake/shown (nth (vec v) i)) " is there already")})))}
          (shape/ok (mapv (fn [[ip port]] {:listen/ip ip :listen/port port}) places)))))))

(def notified
  "A reader of an address that is told of changes; gives [ip port]."
  (endpoint-reader "an address such as \"10.0.0.2\", \"10.0.0.2:5353\" or \"[fd00::2]:53\"" false))

;; --- prefixes

(defn- prefix-reader [expected bare?]
  (fn [ctx v]
    (let [bare (when bare? (address/canonical v))
          {:keys [ip prefix]} (or (address/prefixed v) (when bare {:ip bare :prefix (if (= 4 (address/family bare)) 32 128)}))
          network (when ip (address/network ip prefix))]
      (cond (nil? ip)
            (shape/wrong ctx v expected
                         {:nearest (when-let [ip (address/canonical v)] (pr-str (str ip "/" (if (= 4 (address/family ip)) 32 128))))})
            (and (= :mapped (address/kind ip)) (<= 96 prefix))
            (shape/wrong ctx v expected {:says (str (mistake/shown v) " is of IPv4, written as IPv6")})
            (not= network (str ip "/" prefix)) (shape/wrong ctx v expected {:nearest (pr-str network)})
            :else (shape/ok network)))))

(def askers
  "A reader of an address or a prefix; gives the prefix, all of an address that stands alone."
  (prefix-reader "an address or a prefix, such as \"10.0.0.2\" or \"fd00::/64\"" true))

(def ^:private prefix (prefix-reader "a prefix such as \"10.8.0.0/16\" or \"fd00:8::/32\"" false))

(defn views-by-prefix
  "A reader of :views; gives [{:view/prefix :view/like} …], sorted by prefix."
  [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v "a map from prefixes to views, such as {\"10.8.0.0/16\" :private}")
    (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)
                                :let [ctx (shape/below ctx k), p (prefix ctx k)]]
                            [k (let [a (view ctx x)]
                                 (cond (:mistakes p) p
                                       (:mistakes a) a
                                       :else (shape/ok {:view/prefix (:value p) :view/like (:value a)})))]))
          all (mapv second (:value a))]
      (cond (:mistakes a) a
            (and (seq all) (not (apply distinct? (map :view/prefix all)))) (shape/wrong ctx v "a map that names each prefix once")
            :else (shape/ok (vec (sort-by :view/prefix all)))))))

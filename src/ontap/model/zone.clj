;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone
  "The :zone of a file: which domain the names are in, where it answers, what else it says, to whom it is given. Pure; the
  table of keys, their readers and defaults, and the same from the words of a command line. `env` is that of
  `ontap.model.service`. The checked shape is in doc/data.md; names are read by `ontap.model.zone-name`."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.service :as service]
            [ontap.model.shape :as shape]
            [ontap.model.zone-file :as zone-file]
            [ontap.model.zone-mdns :as zone-mdns]
            [ontap.model.zone-name :as zone-name]
            [ontap.model.zone-peer :as zone-peer]
            [ontap.model.zone-place :as zone-place]
            [ontap.model.zone-record :as zone-record]))

(set! *warn-on-reflection* true)

;; --- name servers and the SOA

(def ^:private ns-words "the name of a host, or a map such as {:name \"ns2\" :addresses [\"10.0.0.2\" \"2001:db8::2\"]}")

(defn- server [ctx n addresses]
  (let [inside? (zone-name/inside? (-> ctx :env :domain) n)]
    (cond
      (and addresses (not inside?))
      (shape/wrong (shape/below ctx :addresses) addresses "left out"
                   {:says (str n " is beyond the domain, and so are its addresses; should be left out")})
      :else (shape/ok {:ns/host n :ns/addresses (cond addresses addresses inside? :own :else [])}))))

(defn- server-address [ctx v]
  (let [a (zone-place/askers ctx v)]
    (if (and (string? v) (not (str/includes? v "/")) (:value a))
      (shape/ok (subs (:value a) 0 (str/index-of (:value a) "/")))
      (shape/wrong ctx v "an address such as \"10.0.0.2\" or \"2001:db8::2\""))))

(def ^:private server-map
  (shape/map-of
   {:noun "a name server"
    :fields [{:key :name :read zone-name/host :required? true :expected "the name of a host"}
             {:key :addresses :default nil
              :read (shape/many server-address "a vector of addresses, such as [\"10.0.0.2\" \"2001:db8::2\"]" 1)}]}
   (fn [ctx {:keys [name addresses]}] (server ctx name (some-> addresses distinct vec)))))

(defn- one-server [ctx v]
  (cond (and (map? v) (= 1 (count v)) (string? (key (first v))))
        (shape/wrong ctx v ns-words {:nearest (str "{:name " (mistake/shown (key (first v))) " :addresses [...]}")})
        (map? v) (server-map ctx v)
        (string? v) (let [a (zone-name/host ctx v)] (if (:mistakes a) a (server ctx (:value a) nil)))
        :else (shape/wrong ctx v ns-words)))

(def ^:private all-servers (shape/many one-server "a vector of name servers, such as [\"ns1\" \"ns.example.org.\"]" 1))

(defn- servers [ctx v]
  (let [{:keys [value mistakes] :as a} (all-servers ctx v)
        seen (fn [j] (some #(when (= (:ns/host (value %)) (:ns/host (value j))) %) (range j)))
        twice (when-not mistakes (for [j (range (count value)) :when (seen j)] j))]
    (if (seq twice)
      {:mistakes (mapv #(mistake/of (conj (:path ctx) %)
                                    {:expected "a name of its own" :found (:ns/host (value %))
                                     :says (str "should be a name of its own; name server " (inc (seen %)) " is " (:ns/host (value %)) " already")})
                       twice)}
      a)))

(def ^:private year 31536000)

(def ^:private usual-soa {:refresh 600 :retry 120 :expire 86400 :minimum 10})

(def ^:private soa
  (shape/map-of
   {:noun ":soa"
    :expected "a map such as {:refresh \"10m\" :retry \"2m\" :expire \"24h\" :minimum \"10s\"}"
    :fields (mapv (fn [k] {:key k :read (zone-record/seconds year) :default (usual-soa k)}) [:refresh :retry :expire :minimum])
    :refused {:serial "the serial is counted; should be left out"}}
   (fn [ctx {:keys [refresh retry expire] :as v}]
     ;; else a secondary forgets the zone before it has asked twice (RFC 1912 section 2.2)
     (if (< expire (+ refresh retry))
       (shape/wrong (shape/below ctx :expire) expire "at least :refresh and :retry together"
                    {:says (str "should be at least :refresh and :retry together, " (+ refresh retry) " s; is " expire " s")})
       (shape/ok v)))))

;; --- the zone

(defn- version [ctx v]
  (if (and (shape/text? v) (<= 1 (shape/utf8-length v) 255))
    (shape/ok v)
    (shape/wrong ctx v "a text of at most 255 bytes")))

(def fields
  "The keys of a zone. Defaults that the domain decides (:ns :contact) are nil here and filled in by `check`."
  [{:key :domain :expected zone-name/domain-words :read zone-name/domain :required? true}
   {:key :listen :expected zone-place/listen-words :read zone-place/listen :default []}
   {:key :mdns :expected zone-mdns/expected :read zone-mdns/mdns :default nil}
   {:key :ttl :expected "a duration" :read (zone-record/seconds zone-record/longest-ttl) :default 60}
   {:key :name-from :expected ":alias or :link" :read (shape/choice [:alias :link]) :default :alias}
   {:key :all-namespaces :expected "true or false" :read shape/flag :default false}
   {:key :user :expected "the name of a user" :read (service/account "user" :user? :users) :default nil}
   {:key :ns :expected "a vector of name servers" :read servers :default nil}
   {:key :contact :expected "a mail address" :read zone-name/contact :default nil}
   {:key :soa :expected "a map" :read soa :default usual-soa}
   {:key :records :expected "a vector of records" :read zone-record/rows :default []}
   {:key :views :expected "a map from prefixes to views" :read zone-place/views-by-prefix :default []}
   {:key :keys :expected "a map of keys" :read zone-peer/tsig-keys :default {}}
   {:key :transfer :expected "a vector of transfers" :read zone-peer/transfers :default []}
   {:key :notify :expected "a vector of addresses" :read zone-peer/notifications :default []}
   {:key :publish :expected "a vector of files" :read zone-file/files :default []}
   {:key :version :expected "a text" :read version :default nil}])

(def ^:private zone-words "a zone (a map) such as {:domain \"vanya\" :listen [\"[::]:53\" \"0.0.0.0:53\"]}")

(def ^:private shape
  {:noun "the zone"
   :fields fields
   :refused {:srv "belongs to a service: what it offers, and at which port"
             :services "belongs to the file, beside :zone"
             :ports "belongs to the file, beside :zone"}})

(defn- normal [domain {:keys [ttl] :as v}]
  {:zone/domain domain
   :zone/ttl ttl
   :zone/name-from (:name-from v)
   :zone/all-namespaces? (:all-namespaces v)
   :zone/listen (:listen v)
   :zone/mdns (:mdns v)
   :zone/user (:user v)
   :zone/ns (or (:ns v) [{:ns/host (str "ns." domain) :ns/addresses :own}])
   :zone/contact (or (:contact v) (str "hostmaster." domain))
   :zone/soa (:soa v)
   :zone/records (zone-record/rrsets (:records v) ttl)
   :zone/srv {}
   :zone/views (:views v)
   :zone/keys (:keys v)
   :zone/transfer (:transfer v)
   :zone/notify (:notify v)
   :zone/publish (:publish v)
   :zone/chaos (:version v)})

(defn- known-domain
  "The domain of a form, when it is one: what the readers of the other keys go by."
  [ctx form]
  (:value (zone-name/domain ctx (:domain form))))

(defn- server-names [domain servers]
  (if (and domain (nil? servers)) #{(str "ns." domain)} (into #{} (map :ns/host) servers)))

(defn check
  "Reads the value `form` of :zone at `ctx` {:path :env}, or with `env` alone at [:zone]: {:value zone} or {:mistakes [...]}
  with all of them. :zone/srv is empty: the services of the file fill it in. Never throws."
  [form ctx-or-env]
  (let [ctx (if (contains? ctx-or-env :path) ctx-or-env {:path [:zone] :env ctx-or-env})]
    (if-not (map? form)
      ;; not shown: it may hold a secret
      (mistake/bad (:path ctx) {:expected zone-words :says (str "should be " zone-words)})
      (let [domain (known-domain ctx form)
            names  (when (map? (:keys form)) (filterv zone-peer/key-name? (keys (:keys form))))
            ctx    (update ctx :env assoc :domain domain :key-names names)
            {:keys [value mistakes]} (shape/record ctx form shape)
            mistakes (into mistakes
                           (when (:records value)
                             (zone-record/faults (conj (:path ctx) :records) (:records value) domain
                                                 (server-names domain (:ns value)))))]
        (if (seq mistakes) {:mistakes (vec mistakes)} (shape/ok (normal domain value)))))))

(defn reader "A reader of :zone (see `ontap.model.shape`)." [ctx v] (check v (select-keys ctx [:path :env])))

;; --- the words of a command line

(def ^:private words-of-options
  "Key of the options -> the word a person typed."
  (into {} (map (fn [k] [k (str "--" (name k))]))
        [:domain :listen :mdns :ttl :name-from :all-namespaces :user :tinydns :dialect :command]))

(defn- form-of
  "The :zone that means the same as `options`."
  [{:keys [listen mdns ttl name-from tinydns dialect command] :as options}]
  (cond-> (select-keys options [:domain :user])
    listen (assoc :listen (if (string? listen) [listen] listen))
    mdns (assoc :mdns {:links (if (string? mdns) [mdns] mdns)})
    ttl (assoc :ttl (or (when (string? ttl) (parse-long ttl)) ttl))
    name-from (assoc :name-from (keyword name-from))
    (:all-namespaces options) (assoc :all-namespaces true)
    tinydns (assoc :publish [(cond-> {:format :tinydns :file tinydns}
                               dialect (assoc :dialect (keyword dialect))
                               command (assoc :command (if (string? command) [command] (vec command))))])))

(defn- option-of
  "The option that the mistake at `path` is about."
  [[k i inner]]
  (words-of-options
   (case k
     :publish (case inner :dialect :dialect, :command :command, :tinydns)
     k)
   (str "--" (name k))))

(defn of-options
  "The zone that the words of a command line mean: `options` {:domain text :listen [text] :mdns [text] :all-namespaces true
  :name-from :ttl :user :tinydns path :dialect :command}, all but :domain optional, as texts. {:value zone} or {:mistakes [text …]}, a
  sentence each that begins with the option. A :dialect alone is nobody's, and not looked at; :tinydns is an absolute path."
  [options env]
  (let [{:keys [mistakes] :as a} (check (form-of options) {:path [] :env env})]
    (if mistakes
      {:mistakes (mapv (fn [{:mistake/keys [path says]}]
                         (str (option-of path) (if (str/starts-with? says "is ") " " ": ")
                              ;; a key of a file is no word of a command line
                              (str/replace says #"(?<![\w:\"\[]):(?=[a-z])" "")))
                       mistakes)}
      a)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.check
  "A whole file: its shape, every service, and what only all services together show.
  Pure; any user can run it on any machine. All mistakes come at once, in the order of the file; nothing here throws."
  (:require [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.order :as order]
            [ontap.model.port :as port]
            [ontap.model.service :as service]
            [ontap.model.shape :as shape]
            [ontap.model.zone-claims :as zone-claims]))

(set! *warn-on-reflection* true)

;; --- the shape of a file

(def ^:private file-keys [:services :ports :zone])

(defn- file-map?
  "Is this map a whole file, and not one service? :services decides, then the keys of a service, then misspelt ones."
  [form]
  (let [has (fn [ks] (some #(contains? form %) ks))]
    (cond (contains? form :services) true
          (has service/keys-of-service) false
          (has file-keys) true
          :else (boolean (some #(and (mistake/nearest % file-keys) (not (mistake/nearest % service/keys-of-service)))
                               (keys form))))))

(def ^:private services-words "a vector of services")

(defn- read-services [ctx v]
  (if (sequential? v)
    (shape/ok (vec v))
    (shape/wrong ctx v services-words {:nearest (when (map? v) "[{...}]")})))

(defn- read-zone
  ;; most files have none, and then nobody waits until what reads one is loaded
  [{:keys [env] :as ctx} v]
  (if-let [read (:read-zone env)]
    (read ctx v)
    (shape/wrong ctx v "left out" {:says "is not read here; should be left out"})))

(def ^:private file-shape
  {:noun "the file"
   :fields [{:key :services :expected services-words :read read-services :required? true
             :missing (str "is missing; should be " services-words "; a file of :ports alone is for ontapd")}
            {:key :ports :expected "a map of ports" :read port/ports :default {}}
            {:key :zone :expected "a zone (a map)" :read read-zone :default nil}]
   :refused (zipmap service/keys-of-service
                    (repeat "is a key of a service; should stand in a map in :services"))})

(def ^:private shape-with-zone
  "A file with :zone needs no services: `ontap zone` names what others have made."
  (assoc-in file-shape [:fields 0] {:key :services :read read-services :default []}))

(defn- parts
  "{:forms [...] :ports {...} :zone zone-or-nil :mistakes [...]} of a file's form."
  [form env]
  (cond (sequential? form) {:forms (vec form) :ports {} :mistakes []}
        (and (map? form) (file-map? form))
        (let [shape (if (some #(= :zone (mistake/nearest % file-keys)) (keys form)) shape-with-zone file-shape)
              {:keys [value mistakes]} (shape/record {:path [] :env env} form shape)]
          {:forms (:services value []) :ports (:ports value {}) :zone (:zone value) :mistakes mistakes})
        (map? form) {:forms [form] :ports {} :mistakes []}
        :else {:forms [] :ports {}
               :mistakes [(mistake/of [] {:expected "a service (a map), a vector of services, or {:services [...]}" :found form})]}))

;; --- all services together
;; Each rule looks at [{:index i :values {...}} ...], where :values holds only the keys that are well.

(defn- at [{:keys [index]} k facts] (mistake/of [:services index k] facts))

(defn- label [{:keys [index values]}] (or (:name values) (str "service " (inc index))))

(defn- quoted [{:keys [host-link-of] :as entry}]
  (if host-link-of (str "the :host-link of " host-link-of) (pr-str (label entry))))

(defn- host-links
  "The links that ontapd makes for the host itself, as entries that no mistake is laid to."
  [ports]
  (for [{:port/keys [host-link] n :port/name} (vals ports) :when host-link]
    {:host-link-of n :values {:port n :type (:type host-link) :netns :host :link (:link host-link)}}))

(defn- repeats
  "[[first later] ...] of the entries that have the same (non-nil) `key-of` as an earlier one."
  [key-of entries]
  (for [[k group] (group-by key-of entries)
        :when (some? k)
        later (rest group)]
    [(first group) later]))

(defn- same-name [entries]
  (for [[a b] (repeats (comp :name :values) entries)]
    (at b :name {:expected "a name of its own" :found (:name (:values b))
                 :says (str "should be a name of its own; " (quoted b) " is the name of service " (inc (:index a)) " already")})))

(defn- same-address [family k entries]
  (for [[a b] (repeats (fn [{v :values}] (when (and (:port v) (:ip (k v))) [(:port v) (:ip (k v))])) entries)]
    (at b k {:expected "an address of its own" :found (:ip (k (:values b)))
             :says (str "should be an address of its own; " (:ip (k (:values b))) " on " (:port (:values b)) " is "
                        (quoted a) "'s already")})))

(defn- same-link [entries]
  (for [[a b] (repeats (fn [{{:keys [netns] :as v} :values}]
                         (when (and netns (not (true? netns)) (network/link-of v)) [netns (network/link-of v)]))
                       entries)
        :let [{:keys [netns] :as v} (:values b), n (network/link-of v)]]
    (at b :link {:expected "a name of its own in that namespace" :found n
                 :says (str "should be a name of its own in " (if (= :host netns) ":netns :host" (str ":netns " (pr-str netns)))
                            "; " (quoted a) " has the link " (pr-str n) " there already")})))

(defn- host-link-is-port [entries]
  (let [ports (into {} (map (fn [e] [(:port (:values e)) e])) (reverse entries))]
    (for [{{:keys [netns port] :as v} :values :as e} entries
          :let [n (network/link-of v), owner (when n (ports n))]
          :when (and (= :host netns) owner (not= n port))]
      (at e :link {:expected "a name that the machine does not use" :found n
                   :says (str "should not be the name of a port in :netns :host; " (pr-str n) " is the port of " (quoted owner))}))))

(defn- conflicts
  "One mistake for each entry that differs in `value-of` from the first one on its port; `shown-of` is what its sentence shows."
  [entries k value-of shown-of says]
  (for [[port group] (group-by (comp :port :values) entries)
        :when port
        :let [stated (filter (comp value-of :values) group), a (first stated)]
        b (rest stated)
        :when (not= (value-of (:values a)) (value-of (:values b)))]
    (at b k {:expected (str "as on the rest of " port) :found (shown-of (:values b))
             :says (says port (shown-of (:values b)) a (shown-of (:values a)))})))

(defn- mixed-types [entries]
  (conflicts entries :type (comp network/families :type) :type
             (fn [port t a u] (str port " carries ipvlan and ipvtap, or macvlan and macvtap, or tap; " (pr-str t) " here, "
                                   (pr-str u) " for " (quoted a)))))

(defn- mixed-modes [entries]
  (conflicts (filter #(= "ipvlan" (network/families (:type (:values %)))) entries) :mode network/mode-of network/mode-of
             (fn [port m a n] (str "all ipvlan and ipvtap links of " port " have one mode; " (pr-str m) " here, " (pr-str n)
                                   " for " (quoted a)))))

(defn- same-log [entries]
  (for [[a b] (repeats (comp :file :log :values) entries)]
    (at b :log {:expected "a file of its own" :found (:file (:log (:values b)))
                :says (str "should be a file of its own; " (mistake/shown (:file (:log (:values b)))) " is the log of "
                           (quoted a) " already")})))

(defn- unknown-requires [entries forms]
  ;; a name that is no label is a mistake of its own; who requires it means that service all the same
  (let [names (filterv string? (map #(when (map? %) (:name %)) forms))
        known (set names)]
    (for [{:keys [index values]} entries
          r (:requires values)
          :when (not (known r))
          :let [near (mistake/nearest r names)]]
      (mistake/of [:services index :requires]
                  {:expected "the name of a service of this file" :found r :nearest (some-> near pr-str)
                   :says (str "should name services of this file; there is no " (mistake/shown r)
                              (when near (str "; did you mean " (pr-str near) "?")))}))))

(defn- cycles [entries]
  (let [entries (filter (comp :name :values) entries)
        by-name (into {} (map (fn [e] [(:name (:values e)) e])) (reverse entries))
        requires (update-vals by-name (comp :requires :values))]
    (for [c (:cycles (order/levels (map (comp :name :values) entries) requires))
          :let [e (by-name (first c))]]
      (at e :requires {:expected "no cycle" :found (:requires (:values e))
                       :says (if (= 2 (count c))
                               "should not name the service itself"
                               (str "should make no cycle; "
                                    (first c) (apply str (map #(str " requires " %) (take 1 (rest c))))
                                    (apply str (map #(str ", which requires " %) (drop 2 c)))))}))))

(defn- names-of-the-zone
  "A service whose name stands for something else in the zone would have no name there, and what it offers no record."
  [zone entries]
  (when zone
    (let [taken (zone-claims/taken zone), cname? (zone-claims/cnames zone)]
      (concat
       (for [{{n :name} :values :as e} entries
             :let [why (get taken n)]
             :when why]
         (at e :name {:expected "a name that the zone leaves free" :found n
                      :says (str "should be a name that the zone leaves free; " (pr-str n) " is " why)}))
       (for [{{n :name srv :srv} :values :as e} entries
             [offer] srv
             :let [whole (str offer "." n "." (:zone/domain zone))]
             :when (cname? whole)]
         (at e :srv {:expected "what the zone leaves free" :found offer
                     :says (str "should be what the zone leaves free; " whole " is a :cname in :records")}))))))

(defn- with-srv
  "The zone with what the services offer."
  [zone services]
  (some-> zone (assoc :zone/srv (into {} (for [{:service/keys [srv] n :service/name} services :when (seq srv)] [n srv])))))

(defn- in-file-order
  "Mistakes of the file first, then service by service, each in the order of its keys."
  [mistakes]
  (let [rank (zipmap service/keys-of-service (range))]
    (sort-by (fn [{[a i k] :mistake/path}]
               (if (and (= :services a) (integer? i))
                 [1 i (get rank k -1)]
                 [0 0 0]))
             mistakes)))

(defn check
  "{:services [normalised ...] :ports {name normalised} :zone zone-or-nil} of a file's form, services in the order of the
  file, none only beside a zone; or {:mistakes [...]} with every mistake at once. `env` is described in
  `ontap.model.service`; beside that it has :read-zone, `ontap.model.zone/reader` or what calls it. Never throws, whatever the form is."
  [form env]
  (let [{:keys [forms ports zone mistakes]} (parts form env)
        entries (vec (map-indexed (fn [i f] (assoc (service/examine f env [:services i]) :index i)) forms))
        on-ports (concat (host-links ports) entries)
        found (concat mistakes
                      (when (and (empty? forms) (nil? zone) (empty? mistakes))
                        [(mistake/of [] {:expected "at least one service" :says "there is no service in it"})])
                      (mapcat :mistakes entries)
                      (same-name entries)
                      (same-address 4 :ipv4 entries)
                      (same-address 6 :ipv6 entries)
                      (same-link on-ports)
                      (host-link-is-port entries)
                      (mixed-types on-ports)
                      (mixed-modes on-ports)
                      (same-log entries)
                      (unknown-requires entries forms)
                      (cycles entries)
                      (names-of-the-zone zone entries))]
    (if (seq found)
      {:mistakes (vec (in-file-order found))}
      (let [services (mapv :service entries)]
        {:services services :ports ports :zone (with-srv zone services)}))))

(defn check-ports
  "{:services [] :ports {name normalised}} of a file's form as ontapd reads it: its :services and :zone may be missing, and
  are not looked at. Or {:mistakes [...]}. Never throws."
  [form env]
  (let [shape (assoc file-shape :fields [{:key :services :read (fn [_ _] (shape/ok [])) :default []}
                                         {:key :ports :read port/ports :default {}}
                                         {:key :zone :read (fn [_ _] (shape/ok nil)) :default nil}])
        {:keys [value mistakes]} (when (and (map? form) (file-map? form)) (shape/record {:path [] :env env} form shape))]
    (cond (seq mistakes) {:mistakes mistakes}
          (seq (:ports value)) {:services [] :ports (:ports value)}
          :else {:mistakes [(mistake/of [] {:expected "a map with :ports"
                                            :says "there is no port in it; ontapd needs :ports, such as {:ports {\"eth0\" {}}}"})]})))

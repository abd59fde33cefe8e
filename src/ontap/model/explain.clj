;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.explain
  "Why a name has an address, or not that one, or why there is no such name. Pure.

  A row is about one link that asks for the name, has it, or is called so itself:
    :ns/id :link/index :link/name :link/alias, :explain/place (its namespace in words)
    :label/of :label/from :label/text :label/mended? :label/refused, or :label/none: what it asks for (`ontap.model.names/asked`)
    :name/label        what it is called, or nil
    :explain/first     nsid of those who asked for its label first; only when it is called otherwise
    :explain/addresses [{:addr/ip :addr/kind, :explain/verdict (`ontap.model.published/verdict`),
                         :explain/shown [[owner [view]]]: which names tell of it, and to whom}]
    :explain/mdns      [{:mdns/link name :host/name label :host/state state :host/by ip-or-nil}]: what :name/label is on the
                       links of multicast DNS that have it (`ontap.model.mdns/hosts`); absent where there are none
  or about the configuration: {:explain/configured [[owner type [view]]]}; or the only one: {:explain/unknown text}."
  (:require [clojure.string :as str]
            [ontap.model.inventory :as inventory]
            [ontap.model.label :as label]
            [ontap.model.mistake :as mistake]
            [ontap.model.names :as names]
            [ontap.model.published :as published]
            [ontap.model.remark :as remark]
            [ontap.model.view :as view]))

(set! *warn-on-reflection* true)

(defn- meant
  "The label that a person means who writes \"web\", \"web.lan.vanya.\" or \"web.local\"; not looked at for what is refused."
  [{:zone/keys [domain]} text]
  (let [s (str/replace (str/lower-case text) #"\.$" "")]
    (if (str/ends-with? s (str "." domain))
      (str/replace (subs s 0 (- (count s) (count domain) 1)) #"\.(?:wan|lan)$" "")
      (str/replace s #"\.local$" ""))))

(defn- views-by-owner
  "[[owner [view]]] of [[view owner]]."
  [ks]
  (mapv (fn [[owner vs]] [owner (vec (sort (map first vs)))]) (sort-by key (group-by second ks))))

(defn- shown
  "Which owners of `part` tell the address `ip`, to which views."
  [part ip]
  (views-by-owner (for [[k rrs] part
                        :when (some #(some #{ip} (get-in rrs [% :rr/data])) [:a :aaaa])]
                    k)))

(defn- called
  "[name nsid-of-the-first] of the namespace of `at`."
  [{:keys [inventory wants reserved]} [nsid _] wanted]
  (let [order (names/ordered inventory wants reserved wanted)]
    [(some (fn [[name n]] (when (= n nsid) name)) order) (second (first order))]))

(defn- about-link
  [{:keys [inventory asked parts] :as river} [nsid _ :as at]]
  (let [link   (get-in inventory [:inv/links at])
        asks   (get asked at)
        wanted (:label/text asks)
        [name first-nsid] (when wanted (called river at wanted))
        part   (get parts [:name wanted name])]
    (cond-> (merge (select-keys link [:link/index :link/name :link/alias])
                   asks
                   {:ns/id nsid
                    :explain/place (remark/place inventory nsid)
                    :name/label name
                    :explain/addresses
                    (vec (for [[ip addr] (sort-by key (get-in inventory [:inv/addresses at]))]
                           {:addr/ip ip :addr/kind (published/kind ip)
                            :explain/verdict (published/verdict addr (inventory/left inventory at))
                            :explain/shown (shown part ip)}))})
      (and wanted (not= name wanted)) (assoc :explain/first first-nsid))))

(defn- configured [{:keys [parts]} domain l]
  (vec (sort (for [part [:configuration :nameservers]
                   [owner-type ks] (group-by (fn [[[_ owner] type]] [owner type])
                                             (for [[k rrs] (get parts [part]), type (keys rrs)] [k type]))
                   :let [[owner type] owner-type]
                   :when (and (not= :none type) (contains? (set (map #(str l % domain) ["." ".wan." ".lan."])) owner))]
               [owner type (vec (sort (map ffirst ks)))]))))

(defn- on-links
  "What the name `label` is on each link of multicast DNS, by the name of the link."
  [mdns label]
  (vec (for [[link hosts] (sort-by key mdns)
             :let [host (get hosts label)]
             :when host]
         (assoc (select-keys host [:host/name :host/state :host/by]) :mdns/link link))))

(defn- with-links [{:name/keys [label] :as row} mdns]
  (let [there (when label (on-links mdns label))]
    (cond-> row (seq there) (assoc :explain/mdns there))))

(defn- called-there
  "The labels of which a link of multicast DNS has made `l`."
  [mdns l]
  (for [hosts (vals mdns), [label {:host/keys [name]}] hosts :when (= l name)] label))

(defn rows
  "The rows about `text`: a name, with or without its domain, an alias, or the name of a link. `river`: of
  `ontap.model.river`. `:mdns`, where it is spoken: name of a link -> what `ontap.model.mdns/hosts` gives."
  ([river text] (rows river text nil))
  ([{:keys [zone inventory asked given] :as river} text {:keys [mdns]}]
   (let [l       (meant zone text)
         mended  (:label/text (label/of text {}))
         names   (into (hash-set l mended) (called-there mdns l))
         named   (into #{} (mapcat (fn [[name h]] (when (names name) (map #(vector (:ns/id h) (:link/index %)) (:name/links h)))))
                       (mapcat val given))
         about?  (fn [[at {:link/keys [name alias]}]]
                   (let [asks (get asked at)]
                     (or (named at)
                         (some #{(:label/text asks)} [l mended])
                         (some #{text} [(:label/of asks) name alias (get-in inventory [:inv/leases at])]))))
         links   (sort-by (fn [[nsid index]] [(or nsid -1) index]) (map key (filter about? (:inv/links inventory))))
         extra   (configured river (:zone/domain zone) l)
         all     (cond-> (mapv #(with-links (about-link river %) mdns) links)
                   (seq extra) (conj {:explain/configured extra}))]
     (if (empty? all) [{:explain/unknown text}] all))))

;; --- in words

(def ^:private verdicts
  {:tentative  "is tentative: the kernel is still looking whether another machine has it"
   :dadfailed  "is not published: another machine has it (duplicate address detection failed)"
   :deprecated "is not published: it is deprecated"
   :temporary  "is not published: it is a temporary address (RFC 8981)"
   :left       "is not published: it is of a network that the link has left"
   :scope      "is not published: its scope is this host"
   :kind       "is not published: nobody else can reach such an address"})

(defn- to-whom [views]
  (case (count views)
    3 "all"
    (str (str/join " and " (map #(name (view/word %)) views)) " askers")))

(defn- address-line [{:explain/keys [verdict shown] :addr/keys [ip]}]
  (cond (verdicts verdict) (str ip " " (verdicts verdict) ".")
        (empty? shown)     (str ip " is in order, but there is no name for it.")
        :else (str ip " is published: " (str/join "; " (map (fn [[owner vs]] (str owner " for " (to-whom vs))) shown)) ".")))

(defn- name-line
  [{:label/keys [of from refused none mended?] :name/keys [label] :link/keys [name index] :as row}]
  (let [who (str (or name (str "link " index)) " in " (:explain/place row))]
    (cond refused (str who " has no name: its " (remark/source from) " " (mistake/shown of) " is none, for " (label/reasons refused) ".")
          none    (str who " has no name: "
                       (case none
                         :untrusted "its namespace is not known to be one of ours, so its alias counts for nothing, and no lease names it"
                         :loopback  "it is the loopback"
                         :no-alias  "it has no alias, and no lease names it")
                       ".")
          (nil? label) (str who " has no name: another namespace is called " (:label/text row) " already, and there is no room for a number.")
          (contains? row :explain/first)
          (str who " is called " label ": another namespace asked for " (:label/text row) " first"
               (if-let [n (:explain/first row)] (str " (" n ").") " (this machine's own)."))
          :else (str who " is called " label ", after its " (remark/source from)
                     (when mended? (str " " (mistake/shown of) ", which is no name as it stands")) "."))))

(defn- mdns-line
  "What the name `label` is on one link."
  [label {:mdns/keys [link] :host/keys [name state by]}]
  (let [wanted (str label ".local"), chosen (str name ".local")]
    (str (if (= label name) wanted (str wanted " is " chosen))
         (cond (= label name) (case state
                                :probing     (str " is being probed for on " link)
                                :announcing  (str " is being announced on " link)
                                :established (str " is ours on " link))
               by             (str " on " link ": " by " has " wanted)
               :else          (str " on " link ": another host has had " wanted))
         (when (and (not= label name) (= :probing state)) (str "; " chosen " is being probed for"))
         ".")))

(defn lines
  "The rows for a person: sentences, one on each line. What a name is on links is told once, with the last link that has it."
  [rows]
  (vec (mapcat (fn [[{:explain/keys [unknown configured addresses mdns] :name/keys [label] :as row} later]]
                 (cond unknown    [(str "Nothing is known of " (mistake/printable unknown) ": no link has this name or alias in a namespace that has an nsid.")]
                       configured (for [[owner type views] configured]
                                    (str owner " has " (str/upper-case (name type)) " for " (to-whom views) ", by the configuration."))
                       :else      (concat [(name-line row)]
                                          (if (empty? addresses)
                                            [(str (or (:link/name row) "The link") " has no address.")]
                                            (map address-line addresses))
                                          (when-not (some #(= label (:name/label %)) later)
                                            (map #(mdns-line label %) mdns)))))
               (map vector rows (rest (iterate rest rows))))))

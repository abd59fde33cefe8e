;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.port
  "What ontapd is told of one port: the host's own link on it, the socket, and whom it gives links to. Pure; the table of keys,
  their readers and defaults. `env` is that of `ontap.model.service`; what a rule means is in `ontap.model.policy`."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.quantity :as quantity]
            [ontap.model.service :as service]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

;; --- rules

(def types
  "The types a rule can allow, which are those of a rule that says nothing of types."
  ["ipvlan" "ipvtap" "macvtap" "tap"])

(def ^:private any-name ["*"])
(def ^:private usual-limit 16)

(defn- rule-type [ctx v]
  (if (= "macvlan" (shape/name-text v))
    (shape/wrong ctx v "left out"
                 {:says "macvlan is for root only, who needs no rule: in a namespace of their own a user could stack more on it without limit; should be left out"})
    ((shape/choice types) ctx v)))

(defn- name-pattern? [v] (and (string? v) (network/label? (str/replace v "*" "a"))))

(defn- name-pattern [ctx v]
  (if (name-pattern? v)
    (shape/ok v)
    (let [near (some-> (shape/name-text v) str/lower-case (str/replace #"[^a-z0-9*]+" "-") (str/replace #"^-+|-+$" ""))]
      (shape/wrong ctx v "a name or a pattern such as \"alice-*\", of a to z, 0 to 9, - and *"
                   {:nearest (when (name-pattern? near) (pr-str near))}))))

(def ^:private types-words "a vector of types, such as [\"ipvlan\" \"ipvtap\"]")
(def ^:private names-words "a vector of names, such as [\"web\" \"alice-*\"]")

(def ^:private user (service/account "user" :user? :users))
(def ^:private group (service/account "group" :group? :groups))

(defn- rule [user group types limit names]
  {:rule/user user :rule/group group :rule/types (set types) :rule/limit limit :rule/names (vec (distinct names))})

(def ^:private read-rule
  (shape/map-of
   {:noun "a rule"
    :expected "a rule (a map) such as {:group \"kvm\" :types [\"ipvtap\"] :limit 4}"
    :fields [{:key :user :read user :default nil}
             {:key :group :read group :default nil}
             {:key :types :read (shape/many rule-type types-words 1) :default types}
             {:key :limit :read (shape/whole 1 65534) :default usual-limit}
             {:key :names :read (shape/many name-pattern names-words) :default any-name}]}
   (fn [ctx {:keys [user group types limit names] :as v}]
     (if (or user group)
       (shape/ok (rule user group types limit names))
       (shape/wrong ctx v "a rule with :user or :group"
                    {:says "should say whom it allows, by :user or :group, or both: that user while in that group"})))))

(def ^:private read-rules
  (shape/many read-rule "a vector of rules, such as [{:group \"kvm\" :types [\"ipvtap\"] :limit 4}]"))

(defn- allow [ctx v]
  (if (map? v)
    (shape/wrong ctx v "a vector of rules" {:nearest "[{...}]"})
    (read-rules ctx v)))

;; --- the host's own link

(def ^:private host-link-words "the name of the host's own link, or a map such as {:link \"host0\" :type \"macvlan\"}")

(defn- host-ipv4
  ;; a fixed address of the host's is for the host's own tools, which can see the link
  [ctx v]
  (case v
    (:dhcp :none) (shape/ok {:method v})
    (shape/wrong ctx v ":dhcp or :none"
                 (if (address/prefixed v)
                   {:says (str "should be :dhcp or :none, is " (mistake/shown v)
                               "; with :none the host's own tools can give it that address")}
                   {:nearest (some-> (mistake/nearest v [:dhcp :none]) pr-str)}))))

(def ^:private host-link-map
  (shape/map-of
   {:noun ":host-link"
    :fields [{:key :link :read network/link :required? true :expected network/interface-words}
             {:key :type :read (shape/choice ["ipvlan" "macvlan"]) :default "ipvlan"}
             {:key :ipv4 :read host-ipv4 :default {:method :dhcp}}]}))

(defn- host-link [ctx v]
  (cond (map? v) (host-link-map ctx v)
        (string? v) (let [a (network/link ctx v)] (if (:mistakes a) a (shape/ok {:link v :type "ipvlan" :ipv4 {:method :dhcp}})))
        :else (shape/wrong ctx v host-link-words)))

;; --- a port

(defn- socket-mode [ctx v]
  (let [a (quantity/umask ctx v)]
    (if (:mistakes a)
      (shape/wrong ctx v "the mode of a file, from \"0000\" to \"0777\", such as \"0660\"")
      a)))

(def fields
  "The keys of a port. Defaults that the machine or other keys decide (:group :allow) are nil here and filled in by `port`."
  [{:key :host-link :expected host-link-words :read host-link :default nil}
   {:key :owner :expected "the name of a user" :read user :default "root"}
   {:key :group :expected "the name of a group" :read group :default nil}
   {:key :mode :expected "the mode of the socket" :read socket-mode :default 432}
   {:key :own-netns :expected "true or false" :read shape/flag :default false}
   {:key :allow :expected "a vector of rules" :read allow :default nil}])

(defn- usual-group [{:keys [group?]}] (if (and group? (group? "kvm")) "kvm" "root"))

(defn- normal [n env {:keys [host-link owner group mode own-netns allow]}]
  (let [group (or group (usual-group env))]
    {:port/name n
     :port/host-link host-link
     :port/owner owner
     :port/group group
     :port/mode mode
     :port/own-netns? own-netns
     :port/allow (or allow [(rule nil group types usual-limit any-name)])}))

(defn port
  "Reads the value `v` of the port named `n`, at `ctx`: {:value normalised-port} or {:mistakes [...]}."
  [ctx n v]
  (let [named (network/port ctx n)]
    (if (:mistakes named)
      named
      ((shape/map-of {:noun "a port" :fields fields
                      :refused {:services "belongs to the file, beside :ports"
                                :ports "should not stand inside a port"}}
                     (fn [{:keys [env] :as ctx} value]
                       (if (= n (:link (:host-link value)))
                         (shape/wrong (shape/below ctx :host-link) n "another name than the port's"
                                      {:says (str "should be another name than the port's; both are " (pr-str n))})
                         (shape/ok (normal n env value)))))
       ctx v))))

(defn of
  "The port named `n` with every default, as `ontapd eth0` means it: {:value normalised-port} or {:mistakes [...]}."
  [n env]
  (port {:path [:ports n] :env env} n {}))

(defn- shared-host-link [ports]
  (for [[link group] (group-by (comp :link :port/host-link) ports)
        :when link
        [a b] (map vector (repeat (first group)) (rest group))]
    (mistake/of [:ports (:port/name b) :host-link]
                {:expected "a name of its own" :found link
                 :says (str "should be a name of its own; " (pr-str link) " is the host's link on " (:port/name a) " already")})))

(defn- host-link-is-port [ports]
  (let [names (into #{} (map :port/name) ports)]
    (for [{:port/keys [host-link] n :port/name} ports
          :when (names (:link host-link))]
      (mistake/of [:ports n :host-link]
                  {:expected "a name that the machine does not use" :found (:link host-link)
                   :says (str "should not be the name of a port; " (pr-str (:link host-link)) " is one of this file")}))))

(defn ports
  "A reader of :ports, a map from the name of a port to what is told of it; gives {name normalised-port}."
  [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v "a map of ports, such as {\"eth0\" {}}")
    (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)] [k (port (shape/below ctx k) k x)]))
          all (map second (:value a))
          faults (concat (shared-host-link all) (host-link-is-port all))]
      (cond (:mistakes a) a
            (seq faults) {:mistakes (vec faults)}
            :else (shape/ok (into {} (:value a)))))))

;; --- words

(defn- rule-words [i {:rule/keys [user group types limit names]}]
  (str "  rule " (inc i) ": "
       (cond (and user group) (str "user " user " while in group " group)
             user             (str "user " user)
             :else            (str "each member of group " group))
       " may have " limit " links of " (mistake/and-list "or" (filter types network/types))
       (when (not= any-name names) (str ", called " (mistake/and-list "or" names)))))

(defn words
  "What ontapd is told of `ports` (name -> port) in lines of text: for each port its name, then one thing a line."
  [ports]
  (vec (mapcat (fn [[n {:port/keys [host-link owner group mode own-netns? allow]}]]
                 (concat [(str n ":")
                          (str "  socket port." n " of " owner " and group " group ", mode 0" (quantity/umask-text mode))]
                         (when host-link [(str "  the host's own link " (:link host-link) ", " (:type host-link)
                                              (if (= :dhcp (:method (:ipv4 host-link))) ", IPv4 by DHCP" ", no IPv4 of ours"))])
                         (when own-netns? ["  links may be put into ontapd's own network namespace"])
                         (if (empty? allow) ["  links for root only"] (map-indexed rule-words allow))))
               (sort-by key ports))))

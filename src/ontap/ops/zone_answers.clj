;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-answers
  "What can be asked of a running zone through its control socket, and what it answers. In the
  loop's thread."
  (:require [clojure.string :as str]
            [ontap.model.river :as river]
            [ontap.model.view :as view]
            [ontap.ops.zone-mdns :as mdns]
            [ontap.publish.dns-server :as dns]))

(set! *warn-on-reflection* true)

(defn- by-view
  "view word -> the addresses that NAME.DOMAIN has there."
  [addresses]
  (let [of (fn [view family]
             (let [kind #(for [{:addr/keys [ip kind]} addresses
                               :when (and (= % kind) (= family (str/includes? ip ":")))]
                           ip)]
               (view/answering view (kind :global) (kind :lan))))]
    (into {} (for [v view/all] [(view/word v) (into (vec (of v false)) (of v true))]))))

(defn- row [inventory {:name/keys [label links since-ms addresses] nsid :ns/id}]
  {:name      label
   :nsid      nsid
   :netns     (get-in inventory [:inv/namespaces nsid :ns/netns])
   :links     (mapv :link/name links)
   :since-ms  since-ms
   :addresses (mapv (fn [{:addr/keys [ip kind]}] {:ip ip :kind kind}) addresses)
   :views     (by-view addresses)})

(defn names
  "A row for each name, as `ontap names --format edn` prints it: :name, :nsid and :netns of its
  namespace, :links, :since-ms (of 1970), :addresses [{:ip :kind}], :views {view [ip]} of NAME.DOMAIN."
  [{:keys [state]}]
  (let [{:keys [inventory] :as river} (:river @state)]
    (mapv #(row inventory %) (river/names river))))

(defn- renamed
  "What is called otherwise by multicast DNS than by the zone, as others on a link have its name:
  rows of :host/label, :mdns/link, :host/name and :host/by."
  [{:keys [mdns]}]
  (vec (for [[link hosts] (some-> @mdns mdns/hosts)
             [label {:host/keys [name by]}] (sort-by key hosts)
             :when (not= label name)]
         {:host/label label :mdns/link link :host/name name :host/by by})))

(defn- about
  "What the zone says of itself."
  [{:keys [zone dns since-ms user orphan? state]}]
  {:domain (:zone/domain zone) :places (dns/places dns) :user user :since-ms since-ms
   :orphan? @orphan? :serial (:saved/serial (river/saved (:river @state))) :counts (dns/counts dns)})

(defn- answer-names!
  "The names now, or, when the asker has seen `after` already, as soon as they are others."
  [{:keys [state watchers] :as it} after reply!]
  (let [say #(reply! {:ok? true :result {:version (:version @state) :names (names it)}})]
    (if (= after (:version @state))
      (let [key (Object.)]
        (vswap! watchers assoc key (fn [] (vswap! watchers dissoc key) (say))))
      (say))))

(defn answer!
  "Answers a question: {:command :names :after version}, {:command :explain :name text},
  {:command :renamed}, {:command :about} or {:command :stop :orphan? true}; `end!` (fn []) ends the zone, `reply!` is
  called once, perhaps later (see `ontap.ops.control`)."
  [{:keys [state orphan? mdns] :as it} end! {:keys [command name after] :as request} reply!]
  (case command
    :names   (answer-names! it after reply!)
    :explain (reply! {:ok? true :result (river/explain (:river @state) name {:mdns (some-> @mdns mdns/hosts)})})
    :renamed (reply! {:ok? true :result (renamed it)})
    :about   (reply! {:ok? true :result (about it)})
    :stop    (if (or @orphan? (not (:orphan? request)))
               (do (reply! {:ok? true :result :stopping}) (end!))
               (reply! {:ok? false :message "the zone is somebody's"}))
    (reply! {:ok? false :message (str "unknown command " (pr-str command))})))

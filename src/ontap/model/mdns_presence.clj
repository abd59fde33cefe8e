;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-presence
  "Where multicast DNS is spoken, as the inventory has it: which link that is now, which families
  have an address to speak from, on which networks it is; and what a change of that is to the
  machine of the link (`ontap.model.mdns`). Pure.

  A place is {:place/name text, :place/link name of the link, or nil, :place/at [nsid index] or nil}:
  a link of the observer's namespace that goes by its name, whatever its number is at the moment, or
  one with a number of its own. A presence:
    :presence/at       [nsid index]
    :presence/families #{:ipv4 :ipv6}
    :presence/networks #{text}, of addresses that are not link-local
    :presence/unicast? may it be answered by unicast? A link whose port is in the same namespace, for the kernel answers for
                       its IPv4 address on the port, too (arp_ignore of ip-sysctl), and what is sent to it comes in there"
  (:require [clojure.set :as set]
            [ontap.model.address :as address]
            [ontap.model.published :as published]))

(set! *warn-on-reflection* true)

(defn- link-at
  "[nsid index] of the link of `place`, or nil."
  [{:inv/keys [links places]} {:place/keys [link at]}]
  (if at
    (when (contains? links at) at)
    (some #(when (= link (:link/name (get links %))) %) (get places nil))))

(defn- usable?
  "May packets leave with this address as their source?"
  [{:addr/keys [flags]}]
  (not (or (:tentative flags) (:dadfailed flags))))

(defn presence
  "The presence of `place`, or nil: there is no such link."
  [{:inv/keys [links] :as inventory} place]
  (when-let [at (link-at inventory place)]
    (let [{:link/keys [up? running? parent parent-nsid]} (get-in inventory [:inv/links at])
          addrs (filter usable? (vals (get-in inventory [:inv/addresses at])))]
      {:presence/at       at
       :presence/families (if (and up? (not (false? running?)))
                            (into #{} (map :addr/family) addrs)
                            #{})
       :presence/networks (into #{} (comp (remove #(= :link-local (published/kind (:addr/ip %))))
                                          (map #(address/network (:addr/ip %) (:addr/prefix %))))
                                addrs)
       :presence/unicast? (not (and parent (nil? parent-nsid) (contains? links [(first at) parent])))})))

(defn- elsewhere?
  "Is the link on another network than before? One that comes beside those there are is none, nor is one
  that goes while others stay."
  [before after]
  (and (seq before) (seq after) (empty? (set/intersection before after))))

(defn events
  "What the change of a presence from `before` to `after` (each may be nil) is to the machine: :link and
  :again events in order."
  [before after]
  (let [was  (:presence/families before #{})
        is   (:presence/families after #{})
        link (fn [families] {:event/type :link :link/families families :link/unicast? (:presence/unicast? after true)})]
    (cond
      ;; another link under the same name: what was asked and answered on the old one counts no longer
      (and before after (not= (:presence/at before) (:presence/at after)) (seq was))
      (cond-> [(link #{})]
        (seq is) (conj (link is)))

      (not= was is)
      [(link is)]

      (and (seq is) (elsewhere? (:presence/networks before) (:presence/networks after)))
      [{:event/type :again}]

      :else [])))

(defn- own-names [{:inv/keys [links places]}]
  (into #{} (map #(:link/name (get links %))) (get places nil)))

(defn came
  "Which of the ports `names` are there after a change of the inventory from `before` to `after`, and were not."
  [names before after]
  (if (or (empty? names) (identical? (:inv/links before) (:inv/links after)))
    #{}
    (set/intersection (set names) (set/difference (own-names after) (own-names before)))))

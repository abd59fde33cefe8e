;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.inventory
  "What the kernel holds, as a fold over its events. Pure.

  An inventory: {:inv/links {[nsid index] link} :inv/addresses {[nsid index] {ip addr}}}.
  nsid is nil for the namespace of the observer. Events are maps with :event/type
  :link/new :link/gone :addr/new :addr/gone :ns/new :ns/gone, :ns/id, and the keys
  of the link or address; :event/overflow means that events were lost and the
  inventory has to be read anew. Other events say nothing of what is there.")

(def empty-inventory "Before any event." {:inv/links {} :inv/addresses {}})

(defn- drop-namespace [m nsid]
  (reduce-kv (fn [m k _] (if (= nsid (first k)) (dissoc m k) m)) m m))

(defn fold
  "The inventory after `event`."
  [inventory event]
  (let [at [(:ns/id event) (:link/index event)]]
    (case (:event/type event)
      :link/new  (assoc-in inventory [:inv/links at] (dissoc event :event/type))
      :link/gone (-> inventory (update :inv/links dissoc at) (update :inv/addresses dissoc at))
      :addr/new  (assoc-in inventory [:inv/addresses at (:addr/ip event)]
                           (dissoc event :event/type))
      :addr/gone (update-in inventory [:inv/addresses at] dissoc (:addr/ip event))
      :ns/gone   (-> inventory
                     (update :inv/links drop-namespace (:ns/id event))
                     (update :inv/addresses drop-namespace (:ns/id event)))
      inventory)))

(defn seed
  "Adds `addrs`, read from link `index` of `nsid` while it was made, unless an event
  has told of the same address already: that is the newer word."
  [inventory nsid index addrs]
  (update-in inventory [:inv/addresses [nsid index]]
             #(merge (into {} (map (juxt :addr/ip identity)) addrs) %)))

(defn addresses
  "The addresses of link `index` in namespace `nsid`."
  [inventory nsid index]
  (vals (get-in inventory [:inv/addresses [nsid index]])))

(defn link
  "The link `index` in namespace `nsid`, or nil."
  [inventory nsid index]
  (get-in inventory [:inv/links [nsid index]]))

(defn link-names
  "The names of the links of the observer's own namespace."
  [inventory]
  (into #{} (keep (fn [[[nsid _] l]] (when (nil? nsid) (:link/name l))))
        (:inv/links inventory)))

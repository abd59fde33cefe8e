;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.addresses
  "The IPv4 addresses of the links that an allocator handed out, and the nameservers that go
  with them: when `ontap.alloc.dhcp` begins to care for a link, and when it stops. Belongs to
  the loop's thread.

  `:dhcp` of an allocator is the engine, nil where there is none, `:nameservers` what is known
  of them; `:client-id` (fn [lease]) gives the client identifier of a lease, `:host-name` (fn
  []) the machine's own name for its own links, or nil; `:configured` (fn [place]) the
  addresses that a link has; it blocks for the kernel. `:put-resolv!` (fn [id facts]) -> path
  and `:forget-resolv!` (fn [id]) keep the file of a lease for its workload's /etc/resolv.conf."
  (:require [ontap.alloc.dhcp :as dhcp]
            [ontap.alloc.nameservers :as nameservers]
            [ontap.model.link-lease :as link-lease]
            [ontap.model.network :as network])
  (:import (ontap.sys Fd SysException)))

(set! *warn-on-reflection* true)

(defn- place [{:lease/keys [netns index name type pid]}]
  {:place/netns netns :place/index index :place/alias name :place/kind type :place/pid pid})

(defn- wants? [{:lease/keys [ipv4]}] (dhcp/settles? ipv4))

(defn- begin! [{:keys [dhcp client-id host-name configured]}
               {:lease/keys [id name held port link hwaddr nsid type ipv4 acd? start-delay?] :as lease}
               {:keys [way-in found-again?]}]
  (let [place (place lease)
        host? (= :host held)]
    (dhcp/begin! dhcp id
                 {:name (if host? (host-name) name)
                  ;; no name of a lease has a =
                  :book-name (if host? (str "host=" link) name)
                  :title (or name (when host? link) (str "lease " id))
                  :port port :hwaddr hwaddr :client-id (client-id lease) :place place
                  :nsid nsid :ipv4 ipv4 :acd? acd? :start-delay? start-delay?
                  :parents-hwaddr? (= "ipvlan" (network/families type))
                  :configured (when found-again? (configured place)) :way-in way-in})))

(defn way-in
  "An Fd of the namespace `net` (nil: our own) in which the link of `lease` is being made, for
  `made!`; nil where nobody has to get there."
  ^Fd [{:keys [dhcp]} lease ^Fd net]
  (when (and dhcp net (wants? lease))
    (try (.dup net)
         ;; no descriptor to spare: it is looked for
         (catch SysException _ nil))))

(defn- has-resolv? [{:lease/keys [type held]}]
  (not (or (network/tap-type? type) (= :host held))))

(defn- put!
  "`put-resolv!` where a full disk is no reason to be without a link or an address: nil then."
  [{:keys [put-resolv! note]} id facts]
  (try (put-resolv! id facts)
       (catch SysException e
         (note :warning nil (str "unable to write the resolv.conf of lease " id ": " (ex-message e)))
         nil)))

(defn resolv-conf
  "{:lease/resolv-conf path} of a file that is there from now on, for a link that may have a
  workload in a namespace of its own."
  [{:keys [dhcp] :as alloc} {:lease/keys [id name link] :as lease}]
  (when-let [path (when (and dhcp (has-resolv? lease)) (put! alloc id {:resolv/name name :resolv/link link}))]
    {:lease/resolv-conf path}))

(defn resolv-changed!
  "What is known of the nameservers of `lease` is something else."
  [{:keys [nameservers] :as alloc} {:lease/keys [id name link] :as lease}]
  (when (and lease (has-resolv? lease))
    (put! alloc id (merge {:resolv/name name :resolv/link link} (nameservers/facts nameservers id)))))

(defn made!
  "The link of `lease` was made; `way-in` becomes ours. A link that whoever asked sets up by
  themselves has to be up first: nothing can be reached through it before."
  [{:keys [dhcp nameservers awaiting-up] :as alloc} {:lease/keys [id nsid index setup] :as lease} ^Fd way-in]
  (when (and dhcp lease) (nameservers/at! nameservers id nsid index))
  (cond
    (not (and dhcp lease (link-lease/active? lease) (wants? lease))) (some-> way-in .close)
    (= :none setup) (vswap! awaiting-up assoc [nsid index] {:id id :way-in way-in})
    :else           (begin! alloc lease {:way-in way-in})))

(defn taken-up!
  "The link of `lease`, which an earlier allocator made, is there."
  [{:keys [dhcp nameservers] :as alloc} {:lease/keys [id nsid index] :as lease}]
  (when dhcp (nameservers/at! nameservers id nsid index))
  (when (and dhcp (link-lease/active? lease) (wants? lease))
    (begin! alloc lease {:found-again? true})))

(defn up!
  "The link `index` in namespace `nsid` is up; `lease-of` (fn [id]) gives a lease."
  [{:keys [awaiting-up] :as alloc} nsid index lease-of]
  (when-let [{:keys [id ^Fd way-in]} (get @awaiting-up [nsid index])]
    (vswap! awaiting-up dissoc [nsid index])
    (let [lease (lease-of id)]
      (if (and lease (link-lease/active? lease))
        (begin! alloc lease {:way-in way-in})
        (some-> way-in .close)))))

(defn asker-gone!
  "Whoever asked for the link of lease `id` has ended, and perhaps its namespace with them."
  [{:keys [dhcp awaiting-up]} id]
  (when dhcp
    (dhcp/let-go! dhcp id)
    (doseq [[at {:keys [^Fd way-in]}] (filterv (comp #{id} :id val) @awaiting-up)]
      (some-> way-in .close)
      (vswap! awaiting-up assoc at {:id id}))))

(defn all-up!
  "Events were lost: links that are awaited may be up since."
  [{:keys [awaiting-up] :as alloc} lease-of]
  (doseq [[nsid index] (keys @awaiting-up)] (up! alloc nsid index lease-of)))

(defn over!
  "The link of `lease` is gone, or out of sight."
  [{:keys [dhcp nameservers forget-resolv! awaiting-up]} {:lease/keys [id release?]}]
  (when dhcp
    (nameservers/gone! nameservers id)
    (forget-resolv! id)
    (doseq [[at {:keys [^Fd way-in]}] (filterv (comp #{id} :id val) @awaiting-up)]
      (some-> way-in .close)
      (vswap! awaiting-up dissoc at))
    (dhcp/end! dhcp id release?)))

(defn kernel-said!
  "Takes events of `ontap.kernel.events` in."
  [{:keys [dhcp nameservers]} events]
  (when dhcp
    (nameservers/kernel-said! nameservers events)
    (dhcp/kernel-said! dhcp events)))

(defn row
  "What is known of the IPv4 address of lease `id`: see `dhcp/row`; nil for none."
  [{:keys [dhcp]} id]
  (when dhcp (dhcp/row dhcp id)))

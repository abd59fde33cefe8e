;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.lending
  "An allocator with the kernel under it: in ontapd, and in an `ontap up` that runs
  services with descriptors and has no ontapd."
  (:require [ontap.alloc.addresses :as addresses]
            [ontap.alloc.allocator :as allocator]
            [ontap.alloc.book :as book]
            [ontap.alloc.guests :as mirrored]
            [ontap.alloc.nameservers :as nameservers]
            [ontap.kernel.guests :as guests]
            [ontap.kernel.ipv4 :as kernel-ipv4]
            [ontap.kernel.leases :as leases]
            [ontap.kernel.taps :as taps]
            [ontap.model.allocation :as allocation]
            [ontap.model.inventory :as inventory]
            [ontap.ops.ipv4 :as ipv4]
            [ontap.ops.lease-names :as lease-names]
            [ontap.ops.note :as note]
            [ontap.ops.secret :as secret]
            [ontap.run.halt :as halt]
            [ontap.run.paths :as paths]
            [ontap.run.resolv :as resolv]
            [ontap.run.work :as work])
  (:import (ontap.sys Procs)))

(set! *warn-on-reflection* true)

(def ^:private crew-size
  "Links that are made at once: the kernel makes one at a time, what is around it is not."
  4)

(defn- host-key [env]
  (delay (secret/host-key (paths/state-dir env (paths/caller)))))

(defn- name-for-secret
  "A link without a name has addresses that no other has, and that do not last."
  [{:lease/keys [id name held link port]}]
  (cond name           name
        (= :host held) (str "host-link " link " " port)
        :else          (str "lease " id)))

(defn- kernel [key taps]
  {:look   leases/look
   :make   (fn [lease net]
             (leases/make! lease net taps
                           (cond-> (secret/of-name @key (name-for-secret lease))
                             (:lease/queues lease) (assoc :hwaddr (secret/hwaddr @key (:lease/name lease)))
                             ;; the kernel chooses
                             (not (or (:lease/name lease) (:lease/queues lease) (= :host (:lease/held lease))))
                             (assoc :hwaddr nil))))
   :delete #(leases/delete! % taps)
   :there? #(leases/there? % taps)})

(defn- submitter [loop]
  (let [crew (work/crew loop crew-size)] #(work/submit! crew %1 %2 %3)))

(defn- of-ipv4
  "What `ontap.alloc.addresses` needs of an allocator, `alloc` (fn [])."
  [{:keys [loop dir env note]} key submit alloc]
  (let [servers (nameservers/nameservers
                 {:loop loop
                  :changed #(addresses/resolv-changed! (alloc) (allocation/lease @(:state (alloc)) %))})]
    {:dhcp           (ipv4/engine {:loop loop :env env :note note :submit submit
                                   ;; guests share the hardware address of their port
                                   :others #(mirrored/holder (alloc) %1 %2)
                                   :told (fn [id kind data]
                                           (when (= :terms kind) (nameservers/terms! servers id data)))})
     :nameservers    servers
     :client-id      #(ipv4/client-id @key (name-for-secret %))
     :host-name      ipv4/host-name
     :configured     kernel-ipv4/addresses-of
     :put-resolv!    #(resolv/put! dir %1 %2)
     :forget-resolv! #(resolv/forget! dir %)}))

(defn open!
  "An allocator on `loop` that keeps its book in `dir` (made; its parent is there), with
  what an earlier one left there taken up; `hear` (fn []) takes in what the kernel has
  said; `names` is the path of the file that tells everybody which link has which name.
  `ipv4?`: does it settle the IPv4 addresses of its links? Nil when another process has that
  book. Blocks for the kernel."
  [{:keys [loop dir prefix env note hear names ipv4?] :or {prefix "ontap"} :as given}]
  (let [book (book/layout dir)]
    (paths/make-dir! dir 0711)
    (book/prepare! book)
    (when-let [lock (book/lock! book)]
      (let [taps  (taps/taps (:book/taps book))
            key   (host-key env)
            submit (submitter loop)
            self  (volatile! nil)
            alloc (allocator/allocator
                   (merge
                   (when ipv4? (of-ipv4 given key submit (fn [] @self)))
                   {:loop    loop
                    :note    note
                    :prefix  prefix
                    :book    book
                    :lock    lock
                    :taps    taps
                    :boot-id (Procs/bootId)
                    :public  {:path names :netns lease-names/own-netns :written (volatile! nil)}
                    :hear    hear
                    :halt    halt/point!
                    :submit  submit
                    :kernel  (kernel key taps)
                    :guests  (guests/of taps)}))]
        (vreset! self alloc)
        (allocator/take-up! alloc)
        alloc))))

(defn close!
  "Lets go of all; leases and their links live on. Without a lease or a link in the
  namespace of the taps that namespace goes too."
  [{:keys [taps state ^java.lang.AutoCloseable lock] :as alloc}]
  (allocator/close! alloc)
  (taps/close! taps (and (not-any? :lease/queues (vals (:alloc/leases @state)))
                         ;; nobody knows those of a book that could not be read
                         (or (not (taps/pinned? taps)) (taps/empty-of-links? taps))))
  (.close lock))

;; --- inside an `ontap up`

(defn lend!
  "Opens the allocator of the supervisor `sup` (see `ontap.ops.system`) when one of
  `services` may need it, and tells it of their ports."
  [{:keys [lender env paths] :as sup} services]
  (when-let [ports (seq (keep #(when (:service/queues %) (:service/port %)) services))]
    (when-not @lender
      (vreset! lender (open! {:loop (:loop sup) :dir (str (:paths/dir paths) "/up") :env env
                              ;; taps of ontapd may be beside ours
                              :prefix "ontup"
                              :names (str (:paths/dir paths) "/up-names.edn")
                              :note note/line! :hear #((:hear sup) sup)})))
    (allocator/dispatch! @lender [:ports (into {} (map (fn [p] [p {:port/name p}])) ports)])
    (allocator/kernel-said! @lender [] (inventory/link-names @(:inventory sup)))))

(defn own-address?
  "Is the event about an address of our own network namespace?"
  [{:event/keys [type] nsid :ns/id}]
  (and (nil? nsid) (contains? #{:addr/new :addr/gone} type)))

(defn hear!
  "Tells the allocator of `sup`, if there is one, what the kernel `said`; nil when events
  were lost."
  [{:keys [lender inventory]} said]
  (when-let [alloc @lender]
    (allocator/kernel-said! alloc (or said []) (inventory/link-names @inventory))
    (if (nil? said)
      (allocator/look-again! alloc)
      (when (some own-address? said) (mirrored/refuse-again! alloc)))))

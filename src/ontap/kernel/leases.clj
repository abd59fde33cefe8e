;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.leases
  "The links that are handed out, in the kernel: looked at, made, deleted, found
  again. What enters a namespace here leaves its thread there: each call is made in a
  fresh thread that dies."
  (:require [ontap.kernel.create :as create]
            [ontap.kernel.refusal :refer [refused]]
            [ontap.kernel.taps :as taps]
            [ontap.model.network :as network])
  (:import (ontap.rtnl Link Rtnl)
           (ontap.sys Errno Fd Namespaces Namespaces$NsId SysException)))

(set! *warn-on-reflection* true)

(defn- ns-id [^Fd fd]
  (let [^Namespaces$NsId id (Namespaces/id fd)]
    {:dev (.dev id) :ino (.ino id)}))

(defn- owner
  "The uid that owns the user namespace of `net`; nil when it is outside of ours."
  [^Fd net]
  (try (Namespaces/ownerUid net)
       (catch SysException e
         (when-not (= Errno/EPERM (.errno e)) (throw e)))))

(defn look
  "What there is to know of a descriptor that a stranger passed as a network namespace:
  {:net/nsid :net/id {:dev :ino} :net/own? :net/owner}. It gets an nsid, from which on all
  is heard that happens there, unless `refuse` gives a refusal for the facts. Throws with
  :reason ::refused when it does, and when it is no network namespace. Blocks for the kernel; a hostile descriptor cannot
  hold it up."
  [^Fd net refuse]
  (when-not (Namespaces/isNetwork net)
    (throw (refused :descriptor (str "the descriptor is no network namespace (open"
                                     " /proc/self/ns/net, or a file below /run/netns)"))))
  (let [id   (ns-id net)
        own? (with-open [own (Namespaces/ofThread "net")] (= id (ns-id own)))
        facts {:net/id id, :net/own? own?, :net/owner (owner net)}]
    (when-let [{:refusal/keys [rule says]} (refuse facts)]
      (throw (refused rule says)))
    (assoc facts :net/nsid (when-not own? (with-open [host (Rtnl/open)] (.ensureNsid host net))))))

(defn- settle!
  "Settles the link `index` of the calling thread's namespace for `lease`; gives the
  facts of the link."
  [{:lease/keys [link index name setup held]} {:keys [secret other-hwaddr]}]
  (with-open [inside (Rtnl/open)]
    (when name (.setAlias inside (int index) name))
    (when (= :slaac setup)
      (create/ipv6! link {:method :slaac} secret)
      (when-not (= :host held) (.setUp inside 1))
      (create/set-up! inside index other-hwaddr))
    (.link inside (int index))))

(defn- mode-of [{:lease/keys [type mode]}] (network/mode-of {:type type :mode mode}))

(defn- facts [^Link l parent]
  {:lease/parent parent
   :lease/index  (.index l)
   :lease/hwaddr (.hwaddrText l)
   :lease/mtu    (.mtu l)})

(defn- make-here!
  "Makes the link of `lease` in namespace `net` (nil: our own), and leaves the thread
  there."
  [{:lease/keys [port type link index] :as lease} ^Fd net {:keys [hwaddr] :as of-name}]
  (with-open [host (Rtnl/open)]
    (let [parent (.index (create/port-link host port))
          _      (create/link! host {:type type :mode (mode-of lease) :link link :port port
                                     :parent parent :net net :index index
                                     :hwaddr (when (= "macvlan" type) hwaddr)})]
      (try
        (when net (Namespaces/setns net Namespaces/CLONE_NEWNET))
        {:facts (facts (settle! lease of-name) parent) :fds []}
        (catch Throwable t
          (try
            (if-let [nsid (:lease/nsid lease)]
              (.deleteLinkOf host (int nsid) (int index))
              (.deleteLink host (int index)))
            (catch SysException _ nil))
          (throw t))))))

(defn make!
  "Makes the link of `lease`: {:facts keys of a lease, :fds [Fd ..] its queues}. `net`:
  the namespace that was passed, nil for the machine's own or for types that come as
  descriptors; `taps`: see `ontap.kernel.taps`; `secret`: 16 bytes for its name
  (RFC 7217), `hwaddr`: 6 bytes for its name, or nil. Leaves the calling thread in that
  namespace. Blocks. Throws with :reason ::refused, or SysException."
  [{:lease/keys [queues] :as lease} net taps {:keys [hwaddr] :as of-name}]
  (if queues
    (taps/make! taps (assoc lease :lease/mode (mode-of lease)) hwaddr)
    (make-here! lease net of-name)))

(defn- same-link?
  "Is link `l`, which has the number of `lease`'s, of its kind and parent?"
  [^Rtnl host ^Link l {:lease/keys [type link parent port]}]
  (if (= "tap" type)
    (and (= "tun" (.kind l)) (= link (.name l)))
    (and (= type (.kind l))
         ;; one that was being made has no parent written down: its port has
         (= (.parentIndex l) (or parent (some-> (.link host ^String port) .index))))))

(defn- find-link
  "The link of `lease` as the kernel has it now, or nil."
  ^Link [^Rtnl host {:lease/keys [nsid index link] :as lease}]
  (try
    (let [l (cond
              ;; a tap that was being made: the kernel chose its number
              (nil? index) (.link host ^String link)
              nsid         (.linkOf host (int nsid) (int index))
              :else        (.link host (int index)))]
      (when (and l (same-link? host l lease)) l))
    (catch SysException e
      ;; no namespace has that id any more
      (when-not (= Errno/EINVAL (.errno e)) (throw e)))))

(defn- located
  "`lease` with the namespace of its link: one that was being made may not know it yet."
  [{:lease/keys [nsid queues type] :as lease} taps]
  (cond-> lease
    (and queues (nil? nsid) (not= "tap" type) (taps/pinned? taps)) (assoc :lease/nsid (taps/nsid taps))))

(defn there?
  "Is the link of `lease` there: same namespace, index, kind and parent? Blocks for the
  kernel. `taps`: see `ontap.kernel.taps`."
  [lease taps]
  (with-open [host (Rtnl/open)] (some? (find-link host (located lease taps)))))

(defn delete!
  "Deletes the link of `lease` if it is there and is the one that was made for it:
  :removed, :absent, or :dying when its namespace is about to end with it. Blocks for
  the kernel. Throws SysException otherwise. `taps`: see `ontap.kernel.taps`."
  [lease taps]
  (let [{:lease/keys [nsid] :as lease} (located lease taps)]
    (with-open [host (Rtnl/open)]
      (try
        (if-let [l (find-link host lease)]
          (do (if nsid
                (.deleteLinkOf host (int nsid) (.index l))
                (.deleteLink host (.index l)))
              :removed)
          :absent)
        (catch SysException e
          (condp = (.errno e)
            Errno/ENODEV :absent
            Errno/EINVAL :dying
            (throw e)))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.taps
  "Links that are reached through descriptors: ipvtap and macvtap, which live in a
  network namespace of ours, and taps on a bridge, which live beside it.

  The namespace is pinned by a bind mount, so that links outlive whoever made them. It
  must never speak for a guest: no IPv6 addresses of its own making, no answers to ARP.
  The mirrored addresses of ipvtap (`ontap.kernel.guests`) are in there too."
  (:require [ontap.kernel.create :as create]
            [ontap.kernel.refusal :refer [refused]])
  (:import (java.util HexFormat)
           (ontap.rtnl Link Rtnl RtnlConstants)
           (ontap.rtnl.kind TapDevice TapNode Tun)
           (ontap.sys Errno Fd Io Mounts Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(defn- quieten!
  "Settings of the calling thread's namespace, before there is a link in it."
  []
  (doseq [[path value] [["ipv6/conf/default/accept_ra" "0"]
                        ["ipv6/conf/default/autoconf" "0"]
                        ["ipv6/conf/default/addr_gen_mode" "1"]
                        ["ipv6/conf/all/forwarding" "0"]
                        ["ipv4/conf/all/arp_ignore" "8"]
                        ["ipv4/conf/default/arp_ignore" "8"]]]
    (try (create/sysctl! path value)
         (catch SysException e
           ;; a kernel without IPv6
           (when-not (= Errno/ENOENT (.errno e)) (throw e))))))

(defn- touch! [^String path]
  (.close (Io/open path (bit-or Io/O_RDWR Io/O_CREAT) 0600)))

(defn- pinned-at? [path] (= "nsfs" (Mounts/typeAt path)))

(defn- pinned
  "The namespace pinned at `path`, made when there is none: an Fd."
  ^Fd [^String path]
  (when-not (pinned-at? path)
    (touch! path)
    (NsThread/call "ontap-taps"
                   (fn []
                     (Namespaces/unshare Namespaces/CLONE_NEWNET)
                     (quieten!)
                     (Mounts/bind "/proc/thread-self/ns/net" path))))
  (Io/open path Io/O_RDONLY 0))

(defn- open-taps [path]
  (let [net (pinned path)]
    (try
      (with-open [host (Rtnl/open)]
        (let [nsid (.ensureNsid host net)
              id   (Namespaces/id net)]
          {:net    net
           :nsid   nsid
           :netns  {:dev (.dev id) :ino (.ino id)}
           :inside (Rtnl/open net)}))
      (catch Throwable t
        (.close net)
        (throw t)))))

(defn taps
  "The namespace of links with descriptors, pinned at `path`; made when it is first used."
  [path]
  {:path path :opened (delay (open-taps path))})

(defn inside
  "An Rtnl in the namespace of the taps, for one thread. Throws SysException when it
  cannot be made."
  ^Rtnl [{:keys [opened]}]
  (:inside @opened))

(defn net
  "The namespace of the taps, an Fd that stays theirs."
  ^Fd [{:keys [opened]}]
  (:net @opened))

(defn nsid
  "The nsid of the namespace of the taps."
  [{:keys [opened]}]
  (:nsid @opened))

(defn pinned?
  "Is the namespace there?"
  [{:keys [path]}]
  (pinned-at? path))

(defn empty-of-links?
  "Has the namespace, which is there, no link of a guest's?"
  [taps]
  (not-any? #(contains? #{"ipvtap" "macvtap"} (.kind ^Link %)) (.links (inside taps))))

(defn close!
  "Lets go of the namespace; it lives on, with its links, unless `end?`."
  [{:keys [^String path opened]} end?]
  (when (realized? opened)
    (let [{:keys [^Fd net ^Rtnl inside]} @opened]
      (.close inside)
      (.close net)))
  (when (and end? (pinned-at? path))
    (Mounts/unmount path))
  (when end? (Io/unlink path)))

;; --- ipvtap and macvtap

(defn- queue-flags [queues]
  (bit-or Tun/IFF_TAP Tun/IFF_NO_PI Tun/IFF_VNET_HDR (if (< 1 queues) Tun/IFF_MULTI_QUEUE 0)))

(defn- allmulti!
  "A guest hears multicast that its host knows nothing of."
  [^Rtnl inside index]
  (.setFlags inside (int index) RtnlConstants/IFF_ALLMULTI RtnlConstants/IFF_ALLMULTI))

(defn- make-link!
  "The link of `lease` in the namespace of the taps, up: its parent's index."
  [^Rtnl inside ^Fd net {:lease/keys [type mode link port index name]} hwaddr]
  (with-open [host (Rtnl/open)]
    (let [parent (create/port-link host port)]
      (create/link! host {:type type :mode mode :link link :port port :parent (.index parent)
                          :net net :index index :mtu (.mtu parent)
                          ;; an ipvtap has its parent's
                          :hwaddr (when (= "macvtap" type) hwaddr)})
      (try
        (when name (.setAlias inside (int index) name))
        (allmulti! inside index)
        (.setUp inside (int index))
        (.index parent)
        (catch Throwable t
          (.deleteLink inside (int index))
          (throw t))))))

(defn- open-device
  "Queues of `link` in namespace `net`. Its device number is to be seen from in there; it
  is opened from outside, for an open queue keeps the namespace of whoever opened it."
  [link ^Fd net queues]
  (with-open [outside (Namespaces/ofThread "net")]
    (Namespaces/setns net Namespaces/CLONE_NEWNET)
    (let [device (TapNode/device link)]
      (Namespaces/setns outside Namespaces/CLONE_NEWNET)
      (vec (TapNode/open link device (int queues) (int (queue-flags queues)))))))

(defn- make-device!
  [{:keys [opened]} {:lease/keys [link index queues parent] :as lease} hwaddr]
  (let [{:keys [^Fd net nsid netns]} @opened]
    (with-open [inside (Rtnl/open net)]
      (let [parent (or parent (make-link! inside net lease hwaddr))]
        (try
          (let [^Link l (.link inside (int index))]
            {:fds   (open-device link net queues)
             :facts {:lease/nsid nsid :lease/netns netns :lease/parent parent
                     :lease/hwaddr (.hwaddrText l) :lease/mtu (.mtu l)}})
          (catch Throwable t
            (when-not (:lease/parent lease)
              (try (.deleteLink inside (int index)) (catch SysException _ nil)))
            (throw t)))))))

;; --- taps on a bridge

(defn- open-tap
  "A queue of the tap `link`. `new?`: it has to be made by this; one of that name is somebody
  else's, of another ontapd or an `ontap up`."
  ^Fd [link flags new?]
  (try
    (Tun/openTap link (bit-or flags (if new? Tun/IFF_TUN_EXCL 0)))
    (catch SysException e
      (throw (if (and new? (= Errno/EBUSY (.errno e)))
               (refused :kernel (str "a link " link " is there already; ask again, for one of another number")
                        :wait? true)
               e)))))

(defn- open-queues
  "Queues of the tap `link` in the calling thread's namespace, which is `new?`, or is
  there."
  [link queues new?]
  (let [flags  (bit-or Tun/IFF_NO_PI Tun/IFF_VNET_HDR (if (< 1 queues) Tun/IFF_MULTI_QUEUE 0))
        opened (volatile! [])]
    (try
      (dotimes [i queues]
        (let [fd (open-tap link flags (and new? (zero? i)))]
          (vswap! opened conj fd)
          (when-not (= link (TapDevice/name fd))
            (throw (refused :kernel (str "the kernel gave another tap than " link))))))
      @opened
      (catch Throwable t
        (run! #(.close ^Fd %) @opened)
        (throw t)))))

(defn- make-tap!
  [{:lease/keys [link port queues name keep?] hw :lease/hwaddr} ^bytes hwaddr]
  (with-open [host (Rtnl/open)]
    (let [bridge (create/port-link host port)]
      (when-not (= "bridge" (.kind bridge))
        (throw (refused :type (str "port " port " is no bridge, and a tap has to be a port of one;"
                                   " ask for macvtap or ipvtap"))))
      (let [fds (open-queues link queues (nil? hw))]
        (try
          (let [l (.link host ^String link)]
            (when name (.setAlias host (.index l) name))
            (create/ipv6! link {:method :none} nil)
            (when-not (= (.mtu bridge) (.mtu l)) (.setMtu host (.index l) (.mtu bridge)))
            (.setMaster host (.index l) (.index bridge))
            (.setUp host (.index l))
            ;; last: what failed before goes with its queues
            (when keep? (TapDevice/setPersistent (first fds) true))
            {:fds   fds
             :facts {:lease/nsid nil :lease/netns nil :lease/index (.index l)
                     :lease/parent nil :lease/mtu (.mtu bridge)
                     ;; the guest's; the tap has another
                     :lease/hwaddr (or hw (.formatHex (HexFormat/ofDelimiter ":") hwaddr))}})
          (catch Throwable t
            (run! #(.close ^Fd %) fds)
            (throw t)))))))

(defn make!
  "Makes the link of `lease`, or opens it again when it is there (:lease/hwaddr), and
  opens its queues: {:facts keys of a lease, :fds [Fd ..]}, all checked to be queues of
  that very link. `hwaddr`: 6 bytes. In a fresh thread; blocks. Throws with :reason ::refused, or SysException."
  [taps {:lease/keys [type] :as lease} hwaddr]
  (if (= "tap" type)
    (make-tap! lease hwaddr)
    (make-device! taps lease hwaddr)))

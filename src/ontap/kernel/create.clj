;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.create
  "A link on a port, made in whatever namespace it is for, and the settings of its
  namespace that decide how it gets addresses."
  (:require [ontap.kernel.refusal :refer [refused]])
  (:import (java.nio.charset StandardCharsets)
           (java.util HexFormat)
           (ontap.rtnl Link LinkSpec Rtnl)
           (ontap.rtnl.kind Ipvlan Ipvtap LinkKind Macvlan Macvtap)
           (ontap.sys Errno Fd Io SysException)))

(set! *warn-on-reflection* true)

(def ^:private modes
  {"l2" 0, "l3" 1, "l3s" 2, "private" 1, "vepa" 2, "bridge" 4})

(defn- kind ^LinkKind [type mode]
  (let [number (int (modes mode))]
    (case type
      "ipvlan"  (Ipvlan. number 0)
      "ipvtap"  (Ipvtap. number 0)
      "macvlan" (Macvlan. number)
      "macvtap" (Macvtap. number))))

(defn port-link
  "The parent link `port`, up. Throws with :wait? when it is not there yet."
  ^Link [^Rtnl host ^String port]
  (let [link (.link host port)]
    (when-not link
      (throw (refused :port (str "port " port " is not there yet") :wait? true)))
    (when-not (.up link)
      (.setUp host (.index link)))
    link))

(defn link!
  "Makes a link of `type` and `mode`, called `link`, on the parent with index `parent`
  (named `port` to a person), down, in namespace `net` (an Fd; nil: that of `host`).
  `index`: the number it shall have, or nil; `hwaddr`: 6 bytes, or nil. Throws with
  :reason ::refused, or SysException."
  [^Rtnl host {:keys [type mode link port parent ^Fd net index hwaddr mtu]}]
  (let [spec (cond-> (.. (LinkSpec/of link (kind type mode)) (withParent (int parent)))
               net    (.withNamespace net)
               index  (.withIndex (int index))
               mtu    (.withMtu (int mtu))
               hwaddr (.withHwaddr hwaddr))]
    (try
      (.createLink host spec)
      (catch SysException e
        (throw (condp = (.errno e)
                 Errno/EOPNOTSUPP
                 (refused :kernel
                          (str "this kernel has no " type " links: load the module (modprobe " type
                               "), or choose another :type"))
                 Errno/EBUSY
                 (refused :kernel
                          (str "port " port " is in use by a bridge, a bond or links"
                               " of another kind than " type ": one kind per port"))
                 Errno/EEXIST
                 (refused :request (str "a link " link ", or one with the number it should have, is already"
                                        " in that network namespace"))
                 e))))))

(defn set-up!
  "Sets link `index` up. A macvlan link whose hardware address is still that of another on its
  port, which is about to go, gets that of `other-hwaddr` ((fn []) -> 6 bytes, or nil) instead."
  [^Rtnl inside index other-hwaddr]
  (try
    (.setUp inside (int index))
    (catch SysException e
      (when-not (and other-hwaddr (contains? #{Errno/EBUSY Errno/EADDRINUSE} (.errno e))) (throw e))
      (.setHwaddr inside (int index) (other-hwaddr))
      (.setUp inside (int index)))))

(defn sysctl!
  "Writes /proc/sys/net/`path` of the calling thread's network namespace."
  [path ^String value]
  (with-open [fd (Io/open (str "/proc/sys/net/" path) Io/O_WRONLY 0)]
    (Io/writeAll fd (.getBytes value StandardCharsets/US_ASCII))))

(defn- stable-secret!
  "RFC 7217: the kernel derives the addresses of `link` from `secret` (16 bytes),
  so they are the same whenever the same name meets the same prefix."
  [link ^bytes secret]
  (let [hex    (.formatHex (HexFormat/of) secret)
        groups (map #(apply str %) (partition 4 hex))]
    (sysctl! (str "ipv6/conf/" link "/stable_secret") (apply str (interpose ":" groups)))))

(defn- ipv6? [] (some? (Io/stat "/proc/sys/net/ipv6")))

(defn ipv6!
  "How `link`, in the calling thread's namespace and not up yet, gets IPv6 addresses:
  {:method :slaac :static or :none, :gateway}. Nothing on a kernel without IPv6."
  [link {:keys [method gateway]} secret]
  (when (ipv6?)
    (let [conf #(sysctl! (str "ipv6/conf/" link "/" %1) %2)]
      (if (= :none method)
        (conf "disable_ipv6" "1")
        (do (conf "disable_ipv6" "0") ; a machine may have it off by default
            (stable-secret! link secret)
            (case method
              :slaac  (do (conf "accept_ra" "2") (conf "autoconf" "1") (conf "use_tempaddr" "0"))
              ;; a router may still tell the way out, but gives no further address
              :static (do (conf "accept_ra" (if gateway "0" "2")) (conf "autoconf" "0"))))))))

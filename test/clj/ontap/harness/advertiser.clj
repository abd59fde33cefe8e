;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.advertiser
  "A router that advertises whatever options a test wants, in a thread of the test's own."
  (:import (java.net Inet6Address)
           (java.util List)
           (ontap.ndp NdpOption RouterAdvertisement RouterAdvertiser RouterAdvertiser$Pace)
           (ontap.sys EventLoop Fd Io NsThread)))

(set! *warn-on-reflection* true)

(defn ip6
  "The IPv6 address of a text."
  ^Inet6Address [^String text]
  (Inet6Address/getByName text))

(defn advertising
  "Calls `f` while a router advertises `options` on link `link` of the network namespace of process
  `pid` (\"self\": our own). The link needs a link-local address."
  [pid link options f]
  (with-open [fd   (Io/open (str "/proc/" pid "/ns/net") Io/O_RDONLY 0)
              loop (EventLoop. (reify java.util.function.Consumer (accept [_ t] (throw ^Throwable t))))]
    (let [said   (reduce #(.with ^RouterAdvertisement %1 ^NdpOption %2) (RouterAdvertisement/of (List/of)) options)
          router (RouterAdvertiser/open loop ^Fd fd ^String link ^RouterAdvertisement said RouterAdvertiser$Pace/QUICK)
          thread (NsThread/start "test-router" #(.run loop))]
      (try (f)
           (finally
             (.stop loop)
             (.join ^Thread thread)
             (.close router))))))

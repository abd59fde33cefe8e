;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.events-test
  "What the kernel tells of links and routers, of its own namespace and of others, in namespaces of the
  test's own."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.advertiser :as advertiser]
            [ontap.harness.netns :as netns]
            [ontap.kernel.events :as events]
            [ontap.model.inventory :as inventory]
            [ontap.model.spec-of-life :as spec]
            [ontap.testing :as testing])
  (:import (ontap.ndp NdpOption$Dnssl NdpOption$Raw NdpOption$Rdnss)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Namespaces)))

(set! *warn-on-reflection* true)

(defn- heard
  "Receives until an event that satisfies `wanted?` has come; gives it."
  [monitor seen wanted?]
  (testing/wait-for "the event"
    #(let [got (events/receive monitor)]
       (vswap! seen into got)
       (first (filter wanted? got)))))

(deftest what-a-router-says-of-resolvers
  (netns/with-netns [host]
    (netns/with-netns [guest]
      (netns/with-netns [lan]
        (let [nsid (netns/in host #(with-open [rtnl (Rtnl/open)
                                               fd   (Namespaces/ofProcess (int (:pid guest)) "net")]
                                     (.ensureNsid rtnl fd)))
              seen (volatile! [])]
          (with-open [^RtnlMonitor monitor (netns/in host events/open-monitor)]
            (netns/ip lan "link" "add" "lan0" "type" "veth" "peer" "name" "eth0" "netns" (:pid guest))
            (netns/ip lan "addr" "add" "fe80::1/64" "dev" "lan0" "nodad")
            (netns/ip lan "link" "set" "lan0" "up")
            (netns/ip guest "link" "set" "eth0" "up")
            (advertiser/advertising (:pid lan) "lan0"
              [(NdpOption$Rdnss. 3600 [(advertiser/ip6 "fd00:77::1") (advertiser/ip6 "fe80::1")])
               (NdpOption$Raw. 25 (byte-array 6)) ; malformed
               (NdpOption$Dnssl. 4294967295 ["lan.example.org" "home"])]
              (fn []
                (let [index (:place/index (netns/place guest "eth0" nil nil))
                      event {:event/type :nd/dns :ns/id nsid :link/index index}]
                  (is (= (assoc event :nd/servers ["fd00:77::1" "fe80::1"] :nd/search [] :nd/lifetime-s 3600)
                         (heard monitor seen #(and (= :nd/dns (:event/type %)) (seq (:nd/servers %))))))
                  (is (= (assoc event :nd/servers [] :nd/search ["lan.example.org" "home"] :nd/lifetime-s 4294967295)
                         (or (first (filter #(seq (:nd/search %)) @seen))
                             (heard monitor seen #(seq (:nd/search %)))))))))
            (is (every? #(s/valid? ::spec/kernel-event %) @seen))
            (testing "it is nothing to an inventory"
              (is (= (reduce inventory/fold inventory/empty-inventory @seen)
                     (reduce inventory/fold inventory/empty-inventory (remove #(= :nd/dns (:event/type %)) @seen)))))))))))

(deftest whether-a-link-runs
  (netns/with-netns [ns]
    (let [seen (volatile! [])]
      (netns/ip ns "link" "add" "up0" "type" "veth" "peer" "name" "lan0")
      (with-open [^RtnlMonitor monitor (netns/in ns events/open-monitor)]
        (netns/ip ns "link" "set" "up0" "up")
        (netns/ip ns "link" "set" "lan0" "up")
        (let [event (fn [running?] (heard monitor seen #(and (= "up0" (:link/name %)) (= running? (:link/running? %)))))
              up    (event true)]
          (is (= [true nil] ((juxt :link/up? :ns/id) up)))
          (is (re-matches #"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}" (:link/hwaddr up)))
          (netns/ip ns "link" "set" "lan0" "down")
          (is (true? (:link/up? (event false))) "its carrier has gone")
          (netns/ip ns "link" "set" "lan0" "up")
          (is (event true)))
        (is (every? #(s/valid? ::spec/kernel-event %) @seen))))))

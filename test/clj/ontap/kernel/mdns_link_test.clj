;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.mdns-link-test
  "Who is on the LAN of a link, out of what the kernel really says of links and what they stand on: as it is read, and as it
  is told, where the same namespace has other numbers."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.netns :as netns]
            [ontap.kernel.census :as census]
            [ontap.kernel.events :as events]
            [ontap.model.mdns-link :as mdns-link]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world])
  (:import (ontap.rtnl Rtnl)))

(set! *warn-on-reflection* true)

(defn- ip! [ns & lines] (doseq [line lines] (apply netns/ip ns (re-seq #"\S+" line))))

(defn- at-of
  "[nsid index] of the link `name` of the river, or with this alias."
  [r name]
  (some (fn [[at {:link/keys [alias] :as l}]] (when (some #{name} [(:link/name l) alias]) at)) (get-in r [:inventory :inv/links])))

(defn- trusting
  "The events after which all namespaces with a link are trusted."
  [r]
  (for [nsid (keep first (keys (get-in r [:inventory :inv/links])))] {:event/type :ns/known :ns/id nsid :ns/trusted? true :ns/inode (+ 1000 (long nsid))}))

(deftest what-the-kernel-says
  (netns/with-netns [host]
    (netns/with-netns [web]
      (netns/with-netns [other]
        (ip! host "link add up0 type veth peer name lan0" "link add up1 type veth peer name lan1"
             "link set up0 up" "link set lan0 up" "link set up1 up" "link set lan1 up"
             "link add host0 link up0 type macvlan mode bridge" "link set host0 up" "addr add 10.0.0.3/24 dev host0"
             "link add host1 link up1 type macvlan mode bridge")
        (netns/in host
                  (bound-fn []
                    (with-open [monitor (events/open-monitor {:routes? true}), rtnl (Rtnl/open)]
                      (let [census (census/census {:monitor monitor :rtnl rtnl})
                            step   (fn [r events] (:river (river/step r events (world/at 1))))
                            take-in (fn [r] (let [r (step r (census/receive! census))] (step r (trusting r))))
                            ips    (fn [r link] (get-in (mdns-link/wanted r (at-of r link) nil) ["web" :host/addresses]))
                            link-local? (fn [ips] (boolean (some #(re-find #"^fe80:" %) ips)))
                            r      (step (river/river world/zone nil) (census/start census))]
                        ;; a namespace with a number of its own for each other one, so that numbers differ from ours
                        (.ensureNsid rtnl (int (:pid other)))
                        (ip! host (str "link add web0 link up0 netns " (:pid web) " type macvlan mode bridge"))
                        (.ensureNsid rtnl (int (:pid web)))
                        (let [r (take-in r)
                              _ (ip! web "link set web0 alias web" "addr add 192.168.9.9/24 dev web0" "link set web0 up"
                                     "addr add fe80::99/64 dev web0 nodad")
                              told (take-in r)
                              read (step (river/river world/zone nil) (census/start (census/census {:monitor monitor :rtnl rtnl})))
                              read (step read (trusting read))]
                          (testing "told in events"
                            (is (some #{"192.168.9.9"} (ips told "host0")))
                            (is (link-local? (ips told "host0")))
                            (is (nil? (ips told "host1")) "on another port"))
                          (testing "read"
                            (is (some #{"192.168.9.9"} (ips read "host0")))
                            (is (nil? (ips read "host1"))))
                          (testing "from a link in a namespace of its own"
                            (ip! host (str "link add mdns0 link up0 netns " (:pid other) " type macvlan mode bridge"))
                            (ip! other "link set mdns0 up")
                            (let [r (take-in told)]
                              (is (some #{"192.168.9.9"} (ips r "mdns0")))
                              (is (= [true false] (map (comp nil? first (partial at-of r)) ["host0" "mdns0"])))))
                          (testing "a bridge in between: no link-local address"
                            (ip! host (str "link add to-web type veth peer name eth9 netns " (:pid web)) "addr add 10.5.0.1/24 dev to-web" "link set to-web up")
                            (ip! web "link set eth9 alias web" "link set eth9 up" "addr add 10.5.0.9/24 dev eth9")
                            (let [r (take-in told)]
                              (is (= ["10.5.0.9"] (ips r "to-web")))
                              (is (not-any? #{"10.5.0.9"} (ips r "host0"))))))))))))))

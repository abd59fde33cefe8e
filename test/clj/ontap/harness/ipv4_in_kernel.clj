;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.ipv4-in-kernel
  "Checks of `ontap.kernel.ipv4`, `ontap.kernel.events` and `ontap.sys.ClockChange` that need a kernel of
  their own, with ipvlan, and a clock that may be set: test/harness/uml-ipv4.sh runs this there."
  (:require [clojure.string :as str]
            [ontap.harness.advertiser :as advertiser]
            [ontap.harness.netns :as netns]
            [ontap.kernel.events :as events]
            [ontap.kernel.ipv4 :as ipv4]
            [ontap.testing :as testing])
  (:import (ontap.ndp NdpOption$Rdnss)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys ClockChange ClockChange$Kind Fd Io Namespaces PacketSocket)))

(set! *warn-on-reflection* true)

(def ^:private terms
  {:dhcp/ip "10.9.0.5" :dhcp/prefix 24 :dhcp/routes [{:route/to "0.0.0.0/0" :route/via "10.9.0.1"}]
   :dhcp/valid-until 600000})

(def ^:private failed (volatile! false))

(defn- check [what expected found]
  (if (= expected found)
    (println "ok" what)
    (do (vreset! failed true)
        (println "not ok" (str what ": expected " (pr-str expected) ", found " (pr-str found)))))
  (flush))

(defn- carry-out! [place what]
  (dissoc (first (ipv4/carry-out! [{:job/id 0 :job/place place :job/do what}])) :job/id))

(defn- run [& words]
  (let [{:keys [exit out err]} (apply testing/run {} words)]
    (when-not (= 0 exit) (throw (ex-info (str (str/join " " words) ": " err) {})))
    out))

(defn- ipvlan
  "A namespace with an ipvlan link eth0 on up0, and the place of that."
  [alias]
  (let [ns (netns/make)]
    (run "ip" "link" "add" "link" "up0" "name" "eth0" "netns" (:pid ns) "type" "ipvlan" "mode" "l2")
    (netns/ip ns "link" "set" "eth0" "alias" alias "up")
    [ns (netns/place ns "eth0" alias "ipvlan")]))

(defn- addresses []
  (let [[one at-one] (ipvlan "one"), [two at-two] (ipvlan "two")]
    (check "an address on an ipvlan link" {:job/outcome :done} (carry-out! at-one [:apply terms 0]))
    (check "the same again" {:job/outcome :done} (carry-out! at-one [:apply terms 0]))
    (check "with another prefix" {:job/outcome :done} (carry-out! at-one [:apply (assoc terms :dhcp/prefix 16) 0]))
    (check "once" 1 (count (re-seq #"10\.9\.0\.5/" (netns/ip one "addr" "show" "dev" "eth0"))))
    (check "its sibling cannot have it" {:job/outcome [:failed :in-use "another link of the port has it"]}
           (carry-out! at-two [:apply terms 0]))
    (check "and has none" #{} (ipv4/addresses-of at-two))
    (check "removed" {:job/outcome :done} (carry-out! at-one [:remove "10.9.0.5" 16]))
    (check "now its sibling can have it" {:job/outcome :done} (carry-out! at-two [:apply terms 0]))
    (check "no more MTU than the port's"
           {:job/outcome :done :job/notes ["the lease's MTU of 9000 was not taken; it is 1500"]}
           (carry-out! at-two [:apply (assoc terms :dhcp/mtu 9000) 0]))
    (check "the link is there" true (ipv4/there? at-one))
    (netns/end! two)
    [one at-one]))

(defn- resolvers
  "What a router on the LAN says is heard of the ipvlan link in namespace `ns`, by nsid."
  [{:keys [pid]} place]
  (with-open [fd   (Namespaces/ofProcess (int pid) "net")
              rtnl (Rtnl/open)
              ^RtnlMonitor monitor (events/open-monitor)]
    (let [nsid (.ensureNsid rtnl fd)
          own? #(and (= :nd/dns (:event/type %)) (= nsid (:ns/id %)))]
      (advertiser/advertising "self" "lan0" [(NdpOption$Rdnss. 3600 [(advertiser/ip6 "fd00:77::1")])]
        (fn []
          (check "a resolver that a router advertises is told, with the nsid of the namespace"
                 {:event/type :nd/dns :ns/id nsid :link/index (:place/index place)
                  :nd/servers ["fd00:77::1"] :nd/search [] :nd/lifetime-s 3600}
                 (testing/wait-for "the event" #(first (filter own? (events/receive monitor))))))))))

(defn- clock []
  (with-open [change (ClockChange/open)]
    (check "quiet while the clock goes on" 0 (Io/await (.fd change) Io/POLLIN 50))
    (dotimes [_ 2]
      (run "date" "-s" "@2000000000")
      (check "a clock that was set is told" Io/POLLIN (Io/await (.fd change) Io/POLLIN 5000))
      (check "as that" ClockChange$Kind/SET (.drain change))
      (check "once" [0 ClockChange$Kind/NONE] [(Io/await (.fd change) Io/POLLIN 0) (.drain change)]))))

(defn -main
  "Runs the checks in a kernel of their own. The exit status is 1 when one failed."
  []
  (println "# Linux" (str/trim (slurp "/proc/sys/kernel/osrelease")))
  (run "ip" "link" "add" "up0" "type" "veth" "peer" "name" "lan0")
  (run "ip" "addr" "add" "fe80::1/64" "dev" "lan0" "nodad")
  (doseq [link ["up0" "lan0"]] (run "ip" "link" "set" link "up"))
  (let [[one at-one] (addresses)]
    (resolvers one at-one)
    (netns/end! one))
  (clock)
  (shutdown-agents)
  (System/exit (if @failed 1 0)))

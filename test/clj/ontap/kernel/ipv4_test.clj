;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.ipv4-test
  "Addresses, routes and MTU that a lease gives, set from outside in namespaces of the test's own;
  ip(8) is the witness of what is there."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.netns :as netns]
            [ontap.kernel.dwellers :as dwellers]
            [ontap.kernel.ipv4 :as ipv4]
            [ontap.testing :as testing])
  (:import (ontap.sys Fd PacketSocket)))

(set! *warn-on-reflection* true)

(def ^:private now 1000000)

(def ^:private terms
  {:dhcp/ip "10.0.0.5" :dhcp/prefix 24 :dhcp/broadcast nil :dhcp/mtu nil
   :dhcp/routes [{:route/to "0.0.0.0/0" :route/via "10.0.0.1"}]
   :dhcp/valid-until (+ now 600000)})

(defn- carry-out! [place what]
  (let [[answer & more] (ipv4/carry-out! [{:job/id :x :job/place place :job/do what}])]
    (is (empty? more))
    (is (= :x (:job/id answer)))
    (dissoc answer :job/id)))

(defn- outcome [place what] (:job/outcome (carry-out! place what)))

(defn- routes
  "The routes of namespace `ns` that DHCP made, as ip(8) shows them."
  [ns]
  (set (map str/trim (str/split-lines (netns/ip ns "route" "show" "proto" "dhcp")))))

(defmacro ^:private with-link
  "Runs the body with `ns` bound to a fresh namespace, held by a process of the test's, and `place` to
  its link eth0, a macvlan on a cable of the namespace itself, with the alias www."
  [[ns place] & body]
  `(netns/with-netns [~ns]
     (netns/ip ~ns "link" "add" "up0" "mtu" "1400" "type" "veth" "peer" "name" "lan0" "mtu" "1400")
     (doseq [l# ["up0" "lan0"]] (netns/ip ~ns "link" "set" l# "up"))
     (netns/ip ~ns "link" "add" "link" "up0" "name" "eth0" "type" "macvlan" "mode" "bridge")
     (netns/ip ~ns "link" "set" "eth0" "alias" "www" "up")
     (let [~place (netns/place ~ns "eth0" "www" "macvlan")] ~@body)))

(deftest an-address-with-all-that-comes-with-it
  (with-link [ns place]
    (is (= {:job/outcome :done} (carry-out! place [:apply terms now])))
    (let [shown (netns/ip ns "-j" "addr" "show" "dev" "eth0")]
      (is (re-find #"\"local\":\"10.0.0.5\",\"prefixlen\":24,\"broadcast\":\"10.0.0.255\"" shown))
      (is (re-find #"\"valid_life_time\":(?:600|599),\"preferred_life_time\":(?:600|599)\D" shown)
          "for as long as the lease"))
    (is (= #{"default via 10.0.0.1 dev eth0 src 10.0.0.5 metric 1024"} (routes ns)))
    (is (= #{"10.0.0.5"} (ipv4/addresses-of place)))
    (testing "renewed: longer, another gateway, with further routes; the old gateway goes"
      (is (= {:job/outcome :done}
             (carry-out! place [:apply (assoc terms :dhcp/valid-until (+ now 3600000)
                                              :dhcp/routes [{:route/to "0.0.0.0/0" :route/via "10.0.0.2"}
                                                            {:route/to "10.8.0.0/13" :route/via "192.0.2.1"}
                                                            {:route/to "192.0.2.7/24" :route/via nil}
                                                            {:route/to "10.7.0.0/16" :route/via "198.51.100.1"}])
                                now])))
      (is (= #{"default via 10.0.0.2 dev eth0 src 10.0.0.5 metric 1024"
               "192.0.2.0/24 dev eth0 scope link src 10.0.0.5 metric 1024"
               "10.8.0.0/13 via 192.0.2.1 dev eth0 src 10.0.0.5 metric 1024"
               "10.7.0.0/16 via 198.51.100.1 dev eth0 src 10.0.0.5 metric 1024 onlink"}
             (routes ns)))
      (is (re-find #"\"valid_life_time\":(?:3600|3599)\D" (netns/ip ns "-j" "addr" "show" "dev" "eth0")))
      (is (= 1 (count (re-seq #"\"10.0.0.5\"" (netns/ip ns "-j" "addr" "show" "dev" "eth0"))))))
    (testing "for ever"
      (is (= :done (outcome place [:apply (assoc terms :dhcp/valid-until nil) now])))
      (is (re-find #"\"valid_life_time\":4294967295,\"preferred_life_time\":4294967295"
                   (netns/ip ns "-j" "addr" "show" "dev" "eth0"))))
    (testing "another prefix takes the place of the first"
      (is (= :done (outcome place [:apply (assoc terms :dhcp/prefix 16 :dhcp/broadcast "10.0.255.254") now])))
      (is (= ["10.0.0.5/16 brd 10.0.255.254"]
             (re-seq #"10\.0\.0\.5/\d+ brd [0-9.]+" (netns/ip ns "addr" "show" "dev" "eth0")))))
    (testing "removed, twice"
      (is (= :done (outcome place [:remove "10.0.0.5" 24])))
      (is (= "" (netns/ip ns "-4" "addr" "show" "dev" "eth0")))
      (is (= "" (netns/ip ns "route" "show")) "its routes have gone with it")
      (is (= #{} (ipv4/addresses-of place)))
      (is (= :done (outcome place [:remove "10.0.0.5" 24]))))
    (testing "a lease that is over is not applied"
      (is (= [:failed :kernel "the lease is over"]
             (outcome place [:apply (assoc terms :dhcp/valid-until now) now])))
      (is (= #{} (ipv4/addresses-of place))))))

(deftest odd-networks
  (with-link [ns place]
    (testing "an address without neighbours: the gateway is on the link because the lease says so"
      (is (= {:job/outcome :done}
             (carry-out! place [:apply (assoc terms :dhcp/prefix 32) now])))
      (is (= #{"default via 10.0.0.1 dev eth0 src 10.0.0.5 metric 1024 onlink"} (routes ns)))
      (is (not (re-find #"broadcast" (netns/ip ns "-j" "-4" "addr" "show" "dev" "eth0" "label" "eth0")))))
    (testing "the gateway is we ourselves, and everything is on the link"
      (doseq [via ["10.0.0.5" nil]]
        (is (= {:job/outcome :done}
               (carry-out! place [:apply (assoc terms :dhcp/routes [{:route/to "0.0.0.0/0" :route/via via}]) now])))
        (is (= #{"default dev eth0 scope link src 10.0.0.5 metric 1024"} (routes ns)))))
    (testing "a route that the kernel refuses is told, and the address is there"
      (let [{:job/keys [outcome notes]}
            (carry-out! place [:apply (assoc terms :dhcp/routes [{:route/to "0.0.0.0/0" :route/via "224.0.0.1"}]) now])]
        (is (= :done outcome))
        (is (re-find #"^a route of the lease was refused: RTM_NEWROUTE default" (first notes)))
        (is (= #{"10.0.0.5"} (ipv4/addresses-of place)))))))

(deftest what-others-have-stays
  (with-link [ns place]
    (netns/ip ns "addr" "add" "10.9.0.2/24" "dev" "up0")
    (netns/ip ns "route" "add" "default" "via" "10.9.0.1" "dev" "up0" "metric" "1024" "proto" "dhcp")
    (netns/ip ns "addr" "add" "10.0.0.4/24" "dev" "eth0")
    (dotimes [_ 2]
      (is (= {:job/outcome :done} (carry-out! place [:apply terms now]))))
    (is (= #{"default via 10.9.0.1 dev up0 metric 1024"
             "default via 10.0.0.1 dev eth0 src 10.0.0.5 metric 1024"} (routes ns)))
    (testing "a new address of the same network outlives the old one"
      (is (= :done (outcome place [:apply (assoc terms :dhcp/ip "10.0.0.6") now])))
      (is (= :done (outcome place [:remove "10.0.0.4" 24])))
      (is (= :done (outcome place [:remove "10.0.0.5" 24])))
      (is (= #{"10.0.0.6"} (ipv4/addresses-of place)))
      (is (= #{"default via 10.9.0.1 dev up0 metric 1024"
               "default via 10.0.0.1 dev eth0 src 10.0.0.6 metric 1024"} (routes ns))))))

(deftest mtu
  (with-link [ns place]
    (let [apply-mtu #(carry-out! place [:apply (assoc terms :dhcp/mtu %) now])
          shown     #(parse-long (second (re-find #"\"mtu\":(\d+)" (netns/ip ns "-j" "link" "show" "dev" "eth0"))))]
      (is (= {:job/outcome :done} (apply-mtu 1300)))
      (is (= 1300 (shown)))
      (is (= {:job/outcome :done :job/notes ["the lease's MTU of 9000 was not taken; it is 1400"]} (apply-mtu 9000)))
      (is (= 1400 (shown)) "as much as the parent has")
      (is (= {:job/outcome :done :job/notes ["the lease's MTU of 576 was not taken; it is 1280"]} (apply-mtu 576)))
      (is (= 1280 (shown)) "IPv6 goes on")
      (netns/ip ns "-6" "addr" "flush" "dev" "eth0")
      (is (= {:job/outcome :done} (apply-mtu 576)))
      (is (= 576 (shown))))))

(deftest the-link-that-is-meant
  (with-link [ns place]
    (is (ipv4/there? place))
    (doseq [other [(assoc place :place/index 77)
                   (assoc place :place/alias "db")
                   (assoc place :place/kind "ipvlan")]]
      (is (not (ipv4/there? other)))
      (is (= #{} (ipv4/addresses-of other)))
      (is (= [:failed :gone "the link is gone"] (outcome other [:apply terms now])))
      (is (= :done (outcome other [:remove "10.0.0.5" 24])) "what was to go is gone"))
    (is (ipv4/there? (dissoc place :place/alias :place/kind)) "what is not said may be anything")
    (is (= #{} (ipv4/addresses-of place)) "nothing was touched")))

(deftest a-link-that-is-down
  (with-link [ns place]
    (netns/ip ns "link" "set" "eth0" "down")
    (let [{:job/keys [outcome notes]} (carry-out! place [:apply terms now])]
      (is (= :done outcome))
      (is (= 1 (count notes)) "its route has to wait"))
    (is (= #{"10.0.0.5"} (ipv4/addresses-of place)))))

(deftest many-at-once
  (with-link [ns place]
    (with-link [ns2 place2]
      (let [jobs (for [i (range 1 51), [p at] [[place "a"] [place2 "b"]]]
                   {:job/id [at i] :job/place p
                    :job/do [:apply (assoc terms :dhcp/ip (str "10.0.0." i) :dhcp/routes []) now]})
            done (ipv4/carry-out! (conj jobs {:job/id :bad :job/place {:place/netns {:dev 1 :ino 1} :place/index 1}
                                              :job/do [:look]}))]
        (is (= (conj (set (map :job/id jobs)) :bad) (set (map :job/id done))))
        (is (= {:done 100} (dissoc (frequencies (map :job/outcome done))
                                   [:failed :gone "the network namespace of the link has ended"])))
        (is (= 50 (count (ipv4/addresses-of place)) (count (ipv4/addresses-of place2))))))))

(deftest nothing-of-ours-stays
  (let [ns    (netns/make)
        id    (netns/id ns)
        place {:place/netns id :place/index 1 :place/pid (:pid ns)}
        open  (set (Fd/open))]
    (try
      (netns/ip ns "link" "set" "lo" "up")
      (is (= :done (outcome place [:apply (assoc terms :dhcp/ip "127.0.0.5" :dhcp/routes []) now])))
      (testing/wait-for "what is closed a moment later" #(empty? (remove open (Fd/open))))
      (finally (netns/end! ns)))
    (testing/wait-for "the namespace's end" #(if-let [fd (dwellers/open-netns id nil)] (.close fd) true))
    (is (= [:failed :gone "the network namespace of the link has ended"] (outcome place [:apply terms now])))
    (is (= :done (outcome place [:remove "127.0.0.5" 24])))
    (is (not (ipv4/there? place)))))

(deftest our-own-namespace-is-that-of-the-process
  (with-link [ns place]
    (let [lo {:place/netns nil :place/index 1}]
      (is (= (ipv4/addresses-of lo) (netns/in ns #(ipv4/addresses-of lo))) "whichever the caller's thread is in")
      (is (= #{} (netns/in ns #(ipv4/addresses-of (assoc lo :place/alias "www"))))))))

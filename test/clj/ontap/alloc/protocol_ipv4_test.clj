;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.protocol-ipv4-test
  "What is asked of ontapd and told by it of IPv4 addresses. The rest of the protocol is in `ontap.alloc.protocol-test`."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.alloc.protocol :as protocol]
            [ontap.model.spec :as spec]))

(set! *warn-on-reflection* true)

(defn- bytes-of [lines] (.getBytes ^String (apply str (map #(str % "\n") lines)) "UTF-8"))

(defn- asked [type & lines]
  (protocol/request (protocol/decode (bytes-of (into ["ontap 1 attach" (str "type " type)] lines)))
                    (if (#{"ipvlan" "macvlan"} type) 1 0)))

(def ^:private none #:request{:ipv4 {:method :none} :release? false :acd? false :start-delay? false})
(def ^:private dhcp #:request{:ipv4 {:method :dhcp} :release? false :acd? true :start-delay? true})
(def ^:private static #:request{:ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway nil} :release? false :acd? true :start-delay? false})

(deftest requests
  (are [type lines expected] (let [{:keys [request]} (apply asked type lines)]
                               (and (s/valid? ::spec/request request) (= expected (select-keys request (keys none)))))
    "ipvlan" []                                          none
    "ipvlan" ["setup slaac"]                             none
    "ipvlan" ["ipv4 none"]                               none
    "tap" []                                             none
    "ipvlan" ["ipv4 dhcp"]                               dhcp
    "macvlan" ["ipv4 dhcp" "setup none"]                 dhcp
    "ipvlan" ["ipv4 dhcp" "release no" "acd yes" "start-delay yes"] dhcp
    "ipvlan" ["ipv4 dhcp" "release yes"]                 (assoc dhcp :request/release? true)
    "ipvlan" ["ipv4 dhcp" "acd no" "start-delay no"]     (assoc dhcp :request/acd? false :request/start-delay? false)
    "ipvlan" ["ipv4 10.0.0.5/24"]                        static
    "ipvlan" ["ipv4 10.0.0.5/24" "acd no"]               (assoc static :request/acd? false)
    "ipvlan" ["ipv4 10.0.0.5/24" "gateway 10.0.0.1"]     (assoc-in static [:request/ipv4 :gateway] "10.0.0.1")
    "ipvlan" ["ipv4 10.0.0.5/24" "mode l3"]              (assoc static :request/acd? false)
    "macvlan" ["ipv4 10.0.0.5/31" "gateway 10.0.0.4"]    (assoc static :request/ipv4 {:method :static :ip "10.0.0.5" :prefix 31 :gateway "10.0.0.4"})))

(deftest requests-that-are-refused
  (are [type lines says] (= {:refused #:refusal{:rule :request :says says}} (apply asked type lines))
    "ipvlan" ["ip4 dhcp"] "attach knows no key ip4; did you mean ipv4?"
    "ipvlan" ["ipv4 auto"] "ipv4 should be none, dhcp or an address such as 10.0.0.5/24, is \"auto\""
    "ipvlan" ["ipv4 10.0.0.5"] "ipv4 should be none, dhcp or an address such as 10.0.0.5/24, is \"10.0.0.5\""
    "ipvlan" ["ipv4 fd00::5/64"] "ipv4 should be none, dhcp or an address such as 10.0.0.5/24, is \"fd00::5/64\""
    "ipvlan" ["ipv4 10.0.0.255/24"] "ipv4 should be an address a link can have; 10.0.0.255/24 is the broadcast address of its network"
    "ipvlan" ["ipv4 127.0.0.1/8"] "ipv4 should be an address a link can have; 127.0.0.1/8 is a loopback address"
    "ipvlan" ["mode l3s" "ipv4 dhcp"] "no broadcast, and so no DHCP, reaches an ipvlan link of mode l3s; ipv4 should be none or an address"
    "ipvlan" ["mode l3" "ipv4 10.0.0.5/24" "acd yes"] "an ipvlan link of mode l3 speaks no ARP; acd should be no or left out"
    "ipvtap" ["ipv4 dhcp"] "the guest gets the addresses of a link of type ipvtap by itself; ipv4 should be left out"
    "tap" ["acd no"] "the guest gets the addresses of a link of type tap by itself; acd should be left out"
    "ipvlan" ["gateway 10.0.0.1"] "gateway is about an address of one's own; with ipv4 none it should be left out"
    "ipvlan" ["ipv4 dhcp" "gateway 10.0.0.1"] "gateway is about an address of one's own; with ipv4 dhcp it should be left out"
    "ipvlan" ["ipv4 10.0.0.5/24" "gateway 10.0.1.1"] "gateway should be another address of 10.0.0.0/24, is \"10.0.1.1\""
    "ipvlan" ["ipv4 10.0.0.5/24" "gateway 10.0.0.5"] "gateway should be another address of 10.0.0.0/24, is \"10.0.0.5\""
    "ipvlan" ["ipv4 10.0.0.5/24" "gateway router"] "gateway should be another address of 10.0.0.0/24, is \"router\""
    "ipvlan" ["release yes"] "release is about the lease of a DHCP server; with ipv4 none it should be left out"
    "ipvlan" ["ipv4 10.0.0.5/24" "release no"] "release is about the lease of a DHCP server; with ipv4 10.0.0.5/24 it should be left out"
    "ipvlan" ["ipv4 dhcp" "release maybe"] "release should be yes or no, is \"maybe\""
    "ipvlan" ["ipv4 none" "acd no"] "acd is about an IPv4 address; with ipv4 none it should be left out"
    "ipvlan" ["ipv4 10.0.0.5/24" "start-delay no"] "start-delay is about the wait before DHCP begins; with ipv4 10.0.0.5/24 it should be left out"))

(deftest what-clients-send
  (are [request packet] (= (str "ontap 1 attach\ntype ipvlan\n" packet)
                           (String. (protocol/encode (protocol/attach-message (assoc request :request/type "ipvlan"))) "UTF-8"))
    {} ""
    ;; an ontapd that knows nothing of ipv4 understands what asks for nothing of it
    none ""
    dhcp "ipv4 dhcp\n"
    #:request{:ipv4 {:method :dhcp}} "ipv4 dhcp\n"
    (assoc dhcp :request/release? true :request/acd? false :request/start-delay? false) "ipv4 dhcp\nrelease yes\nacd no\nstart-delay no\n"
    static "ipv4 10.0.0.5/24\n"
    (-> static (assoc :request/acd? false) (assoc-in [:request/ipv4 :gateway] "10.0.0.1"))
    "ipv4 10.0.0.5/24\ngateway 10.0.0.1\nacd no\n"))

(def ^:private gen-ipv4
  (gen/one-of
   [(gen/return none)
    (gen/let [release? gen/boolean, acd? gen/boolean, start-delay? gen/boolean]
      #:request{:ipv4 {:method :dhcp} :release? release? :acd? acd? :start-delay? start-delay?})
    (gen/let [acd? gen/boolean, gateway (gen/elements [nil "10.0.0.1" "10.0.0.254"])]
      (-> static (assoc :request/acd? acd?) (assoc-in [:request/ipv4 :gateway] gateway)))]))

(defspec a-request-is-understood-as-it-was-meant 100
  (prop/for-all [ipv4 gen-ipv4, type (gen/elements ["ipvlan" "macvlan"]), setup (gen/elements [:slaac :none])]
    (let [request (merge #:request{:verb :attach :type type :name nil :queues 1 :link "eth0" :mode nil :setup setup
                                   :lease :namespace :keep? false}
                         ipv4)]
      (= {:request request} (protocol/request (protocol/decode (protocol/encode (protocol/attach-message request))) 1)))))

;; --- what ontapd tells

(def ^:private lease
  #:lease{:id 3 :type "ipvlan" :port "eth0" :name "web" :mode nil :link "eth0" :index 1003 :parent 2 :nsid 3
          :netns {:dev 4 :ino 4026532281} :hwaddr "02:00:00:00:00:01" :mtu 1500 :queues nil :held :namespace :keep? false
          :state :held :uid 1000 :pid 4711 :since-epoch-ms 1732290000000 :addresses []})

(def ^:private bound #:dhcp{:state :bound :ip "10.0.0.5" :prefix 24 :server "10.0.0.1" :left-s 3481 :method :dhcp :says nil})

(defn- listed [lease] (String. (protocol/encode (protocol/lease-message lease)) "UTF-8"))
(defn- back [lease] (:lease (protocol/answer :leases (protocol/decode (protocol/encode (protocol/lease-message lease))) 0)))

(deftest addresses-in-a-list
  (are [facts lines] (= (apply str (map #(str % "\n") lines)) (subs (listed (merge lease facts)) (count (listed lease))))
    bound ["ipv4 10.0.0.5/24" "method dhcp" "dhcp bound" "server 10.0.0.1" "left 3481"]
    (assoc bound :dhcp/left-s :infinite :dhcp/says "a word\n")
    ["ipv4 10.0.0.5/24" "method dhcp" "dhcp bound" "server 10.0.0.1" "left forever" "says a word\\u000a"]
    #:dhcp{:state :selecting :ip nil :prefix nil :server nil :left-s nil :method :dhcp :says nil} ["method dhcp" "dhcp selecting"]
    #:dhcp{:state :bound :ip "10.0.0.5" :prefix 24 :method :static :left-s :infinite}
    ["ipv4 10.0.0.5/24" "method static" "dhcp bound" "left forever"]
    nil []))

(deftest addresses-come-back
  (doseq [facts [bound (assoc bound :dhcp/left-s :infinite :dhcp/says "no answer") (assoc bound :dhcp/left-s 0 :dhcp/server nil)]]
    (is (= (merge lease facts) (back (merge lease facts)))))
  (is (= {:dhcp/state nil :dhcp/ip nil :dhcp/prefix nil} (select-keys (back lease) [:dhcp/state :dhcp/ip :dhcp/prefix]))
      "What was not said is there as nil."))

(deftest a-resolv-conf-of-its-own
  (let [answer (protocol/encode (protocol/answer-message (assoc lease :lease/resolv-conf "/run/ontap/resolv/3.conf") []))]
    (is (re-find #"\nresolv-conf /run/ontap/resolv/3\.conf\n$" (String. answer "UTF-8")))
    (is (= "/run/ontap/resolv/3.conf" (-> (protocol/answer :attach (protocol/decode answer) 0) :lease :lease/resolv-conf)))))

(deftest answers-that-cannot-be-read
  (are [line says] (= {:fault (str "ontapd gave an answer that cannot be read: " says)}
                      (protocol/answer :leases (protocol/decode (bytes-of ["ontap 1 lease" "id 3" "type ipvlan" "port eth0" "state held" line])) 0))
    "ipv4 10.0.0.5" "ipv4 is \"10.0.0.5\""
    "ipv4 fd00::5/64" "ipv4 is \"fd00::5/64\""
    "left soon" "left is \"soon\""
    "left -1" "left is \"-1\""
    "dhcp Bound" "dhcp is \"Bound\""))

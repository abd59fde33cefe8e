;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.table-test
  "The tables that a person reads: services and leases, and what is said of their IPv4 addresses."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [ontap.ops.leases :as leases]
            [ontap.ops.status :as status]))

(set! *warn-on-reflection* true)

(def ^:private bound
  #:dhcp{:state :bound :ip "10.0.0.5" :prefix 24 :method :dhcp :server "10.0.0.1" :left-s 3480})

(def ^:private web
  {:name "web" :state :ready :since-ms 61000 :pid 7 :user "www" :link "eth0" :port "up0" :type "ipvlan"
   :addresses ["10.0.0.5" "fe80::1"] :reason nil :restarts 0 :exit nil :log "/l" :requires [] :ready nil :adopted? false
   :dhcp bound})

(defn- note [row] (-> (status/table [row]) second (str/split #" {2,}") (get 7)))
(defn- ipv4 [row] (filter #(re-find #"^  (?:ipv4| {4})" %) (status/details row)))

(deftest a-service
  (is (= ["NAME  STATE  SINCE  PID  USER  LINK  ADDRESSES         NOTE"
          "web   ready  1 min  7    www   eth0  10.0.0.5 fe80::1"]
         (status/table [web])))
  (is (= ["web: ready for 1 min" "  pid        7" "  user       www" "  link       eth0, ipvlan on up0"
          "  addresses  10.0.0.5 fe80::1" "  ipv4       10.0.0.5/24 by DHCP from 10.0.0.1, bound, 58 min left"
          "  restarts   0" "  log        /l"]
         (status/details web))))

(deftest the-ipv4-address-of-a-service
  (are [dhcp lines] (= lines (ipv4 (assoc web :dhcp dhcp)))
    nil []
    (assoc bound :dhcp/left-s :infinite) ["  ipv4       10.0.0.5/24 by DHCP from 10.0.0.1, bound, for ever"]
    (assoc bound :dhcp/state :rebinding :dhcp/left-s 12) ["  ipv4       10.0.0.5/24 by DHCP from 10.0.0.1, rebinding, 12 s left"]
    #:dhcp{:state :selecting :method :dhcp :says "no DHCP server has answered yet; it goes on asking"}
    ["  ipv4       none yet, by DHCP, selecting: waits for an offer" "             no DHCP server has answered yet; it goes on asking"]
    #:dhcp{:state :bound :method :static :ip "10.0.0.9" :prefix 16 :left-s :infinite} ["  ipv4       10.0.0.9/16, as declared, bound"]
    #:dhcp{:state :requesting :method :dhcp :ip "10.0.0.5" :prefix nil :server "10.0.0.1"}
    ["  ipv4       10.0.0.5 by DHCP from 10.0.0.1, requesting: waits for the server whose offer it took"]
    #:dhcp{:state :probing :method :static} ["  ipv4       none yet, as declared, probing: looks whether anybody else has the address"]))

(deftest what-happened-to-an-address
  (let [event (fn [kind says] (assoc-in web [:dhcp :dhcp/event] {:kind kind :ip "10.0.0.5" :says says :ago-ms 181000}))]
    (is (= "the DHCP server took 10.0.0.5 back (3 min ago)" (note (event :lost "the DHCP server took 10.0.0.5 back"))))
    (is (nil? (note (event :bound "10.0.0.5"))) "That it has one is no news.")
    (is (nil? (note web)))
    (is (= "IPv4: waits for an offer" (note (assoc web :state :addressing :dhcp #:dhcp{:state :selecting :method :dhcp}))))
    (is (= "waits for db" (note (assoc (event :lost "it went") :reason "waits for db"))) "Why it does not run comes first.")
    (is (= "10.0.0.5 is in use by 02:00:00:00:00:09 on this LAN"
           (note (assoc-in (event :lost "it went") [:dhcp :dhcp/says] "10.0.0.5 is in use by 02:00:00:00:00:09 on this LAN")))
        "What is wrong now comes before what happened.")
    (let [old (assoc-in (event :changed "its gateway changed") [:dhcp :dhcp/event :ago-ms] 90000000)]
      (is (nil? (note old)) "What happened long ago is for those who ask for details:")
      (is (= "             its gateway changed (1 d 1 h ago)" (second (ipv4 old)))))))

(def ^:private lent
  #:lease{:id 3 :name "db" :type "ipvlan" :port "up0" :link "eth0" :state :held :held :namespace :uid 4000000 :pid 9
          :addresses []})

(deftest leases
  (let [up #:lease{:id nil :name "web" :type "macvlan" :port "up0" :link "eth0" :state :held :uid 4000000 :pid 7
                   :addresses ["10.0.0.5" "fd00::5"]}]
    (is (= ["ID  NAME  TYPE     PORT  LINK  STATE  USER     PID  ADDRESSES         SERVER    DHCP     LEFT"
            "3   db    ipvlan   up0   eth0  held   4000000  9    10.0.0.5          10.0.0.1  bound    58 min"
            "-   web   macvlan  up0   eth0  held   4000000  7    10.0.0.5 fd00::5  10.0.0.1  bound    forever"
            "-   web   macvlan  up0   eth0  held   4000000  7    10.0.0.5 fd00::5  -         static   -"
            "3   db    ipvlan   up0   eth0  held   4000000  9    -                 10.0.0.1  probing  58 min"
            "3   -     ipvlan   up0   eth0  host   4000000  -    -                 -         -        -"]
           (leases/table [(merge lent bound) (merge up bound {:dhcp/left-s :infinite})
                          (merge up #:dhcp{:state :bound :method :static :ip "10.0.0.5" :prefix 24 :left-s :infinite})
                          (merge lent bound {:dhcp/state :probing})
                          (assoc lent :lease/name nil :lease/held :host :lease/pid nil)])))))

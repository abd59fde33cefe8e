;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.addressing-test
  "When a link's addresses are good enough to start with, and which are shown."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.model.addressing :as addressing]))

(defn- addr [ip scope & flags]
  {:addr/ip ip :addr/family (if (re-find #":" ip) :ipv6 :ipv4) :addr/scope scope :addr/flags (set flags)})

(def ^:private none {:method :none})
(def ^:private slaac {:method :slaac})
(def ^:private dhcp {:method :dhcp})
(defn- static [ip] {:method :static :ip ip})

(def ^:private local (addr "fe80::1" :link))

(deftest when-a-link-is-good-enough
  (doseq [[why ipv4 ipv6 addresses expected]
          [["nothing is wanted"                     none none [] :usable]
           ["a static address is there"             (static "10.0.0.5") none [(addr "10.0.0.5" :global)] :usable]
           ["a static address is not there yet"     (static "10.0.0.5") none [] :waiting]
           ["another address does not count"        (static "10.0.0.5") none [(addr "10.0.0.6" :global)] :waiting]
           ["it is tentative"                       none (static "fd00::5") [(addr "fd00::5" :global :tentative)] :waiting]
           ["it is another host's"                  none (static "fd00::5") [(addr "fd00::5" :global :tentative :dadfailed)] {:refused "fd00::5"}]
           ["one of two is there"                   (static "10.0.0.5") (static "fd00::5") [(addr "10.0.0.5" :global)] :waiting]
           ["both are there"                        (static "10.0.0.5") (static "fd00::5") [(addr "10.0.0.5" :global) (addr "fd00::5" :global)] :usable]
           ["a static IPv4 address is enough beside SLAAC" (static "10.0.0.5") slaac [(addr "10.0.0.5" :global)] :usable]
           ["only a link-local address has come"    none slaac [local] :waiting]
           ["a routable one is tentative"           none slaac [local (addr "2001:db8::1" :global :tentative)] :waiting]
           ["a routable one has come"               none slaac [local (addr "2001:db8::1" :global)] :usable]
           ["a routable one is deprecated"          none slaac [(addr "2001:db8::1" :global :deprecated)] :waiting]
           ["DHCP has given nothing yet"            dhcp none [] :waiting]
           ["DHCP has given an address"             dhcp none [(addr "10.0.0.5" :global)] :usable]
           ["the router was quicker than DHCP"      dhcp slaac [local (addr "2001:db8::1" :global)] :usable]
           ["DHCP was quicker than the router"      dhcp slaac [local (addr "10.0.0.5" :global)] :usable]
           ["neither has given an address"          dhcp slaac [local] :waiting]
           ["a static IPv6 address is enough beside DHCP" dhcp (static "fd00::5") [(addr "fd00::5" :global)] :usable]
           ["DHCP's address is not the static one"  dhcp (static "fd00::5") [(addr "10.0.0.5" :global)] :waiting]
           ["SLAAC's own address collided"          none slaac [(addr "2001:db8::1" :global :dadfailed)] :waiting]]]
    (testing why
      (is (= expected (addressing/state {:service/ipv4 ipv4 :service/ipv6 ipv6} addresses))))))

(deftest what-a-person-is-shown
  (is (= ["10.0.0.5" "2001:db8::1" "fe80::1"]
         (addressing/shown [local (addr "2001:db8::2" :global :tentative) (addr "2001:db8::1" :global) (addr "10.0.0.5" :global)]))
      "Routable ones first, IPv4 before IPv6, and none that may not be used."))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-ipv4-test
  "The table of bad declarations of what DHCP, conflict detection and resolv.conf are told."
  (:require [clojure.test :refer [deftest is]]
            [ontap.model.bad-declarations-test :as bad :refer [web]]))

(def ^:private table
  "[form line ...], as the table of all bad declarations."
  [[(web :ipv4 "dhcp")
    "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is \"dhcp\"; did you mean :dhcp?"]
   [(web :ipv4 {:method :dhcp})
    "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is {:method :dhcp}"]
   [(web :ipv4 :slaac)
    "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\"; :slaac is for IPv6 only"]
   [(web :mode "l3" :ipv4 :dhcp :ipv6 :none)
    "services.edn: web :ipv4: no broadcast, and so no DHCP, reaches an ipvlan link of mode l3; should be :none or an address such as \"10.0.0.5/24\""]
   [(web :type "ipvlan" :mode "l3s" :ipv4 :dhcp :ipv6 :none :start-delay false)
    "services.edn: web :ipv4: no broadcast, and so no DHCP, reaches an ipvlan link of mode l3s; should be :none or an address such as \"10.0.0.5/24\""]
   [(web :type "macvtap" :ipv4 :dhcp)
    "services.edn: web :ipv4: the guest gets its addresses by itself; should be left out for macvtap"]
   ;; the gateway
   [(web :gateway "10.0.0.1")
    "services.edn: web :gateway: the DHCP server tells the IPv4 gateway; should be left out, or stand beside an address in :ipv4, such as \"10.0.0.5/24\""]
   [(web :ipv6 "fd00::5/64" :gateway ["10.0.0.1" "fd01::1"])
    "services.edn: web :gateway: the DHCP server tells the IPv4 gateway; should be left out, or stand beside an address in :ipv4, such as \"10.0.0.5/24\""
    "services.edn: web :gateway: should be in the network of :ipv6, fd00::/64; is fd01::1"]
   ;; what is told to DHCP and to conflict detection
   [(web :relase true)
    "services.edn: web :relase: unknown key; did you mean :release?"]
   [(web :release :yes)
    "services.edn: web :release: should be true or false, is :yes"]
   [(web :ipv4 :none :release true)
    "services.edn: web :release: is about the lease of a DHCP server, and :ipv4 is :none; should be left out"]
   [(web :ipv4 "10.0.0.5/24" :release false)
    "services.edn: web :release: is about the lease of a DHCP server, and :ipv4 is an address; should be left out"]
   [(web :adc false)
    "services.edn: web :adc: unknown key; did you mean :acd?"]
   [(web :acd 0)
    "services.edn: web :acd: should be true or false, is 0"]
   [(web :ipv4 :none :acd false)
    "services.edn: web :acd: is about an IPv4 address, and :ipv4 is :none; should be left out"]
   [(web :mode "l3s" :ipv4 "10.0.0.5/24" :ipv6 :none :acd true)
    "services.edn: web :acd: an ipvlan link of mode l3s speaks no ARP, so no conflict can be seen; should be false or left out"]
   [(web :start-dealy false)
    "services.edn: web :start-dealy: unknown key; did you mean :start-delay?"]
   [(web :start-delay "1s")
    "services.edn: web :start-delay: should be true or false, is \"1s\""]
   [(web :ipv4 :none :start-delay true)
    "services.edn: web :start-delay: is the wait before DHCP begins, and :ipv4 is :none; should be left out"]
   [(web :ipv4 "10.0.0.5/24" :start-delay false)
    "services.edn: web :start-delay: is the wait before DHCP begins, and :ipv4 is an address; should be left out"]
   [(web :type "ipvtap" :release true :acd false :start-delay false :resolv-conf false)
    "services.edn: web :release: the guest gets its addresses by itself; should be left out for ipvtap"
    "services.edn: web :acd: the guest gets its addresses by itself; should be left out for ipvtap"
    "services.edn: web :start-delay: the guest gets its addresses by itself; should be left out for ipvtap"
    "services.edn: web :resolv-conf: the guest has files of its own; should be left out for ipvtap"]
   [(web :type "ipvtpa" :mode "l9" :ipv4 :dhpc :release true :acd true)
    "services.edn: web :type: should be \"ipvlan\", \"ipvtap\", \"macvlan\", \"macvtap\" or \"tap\", is \"ipvtpa\"; did you mean \"ipvtap\"?"
    "services.edn: web :mode: should be \"l2\", \"l3\", \"l3s\", \"bridge\", \"private\" or \"vepa\", is \"l9\"; did you mean \"l2\"?"
    "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is :dhpc; did you mean :dhcp?"]
   ;; resolv.conf
   [(web :resolv-conf :none)
    "services.edn: web :resolv-conf: should be true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}, is :none"]
   [(web :resolv-conf "resolv.conf")
    "services.edn: web :resolv-conf: should be true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}, is \"resolv.conf\""]
   [(web :resolv-conf "10.0.0.1")
    "services.edn: web :resolv-conf: should be true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}, is \"10.0.0.1\"; did you mean {:nameservers [\"10.0.0.1\"]}?"]
   [(web :resolv-conf ["10.0.0.1" "fd00::1"])
    "services.edn: web :resolv-conf: should be true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}, is [\"10.0.0.1\" \"fd00::1\"]; did you mean {:nameservers [\"10.0.0.1\" \"fd00::1\"]}?"]
   [(web :resolv-conf "/etc/x\ny")
    "services.edn: web :resolv-conf: should be true, false, an absolute path, or a map such as {:nameservers [\"10.0.0.1\"]}, is \"/etc/x\\ny\""]
   [(web :netns :host :resolv-conf true)
    "services.edn: web :resolv-conf: in :netns :host the machine's own resolv.conf is good; should be false, an absolute path, a map or left out"]
   [(web :resolv-conf {:nameserver ["10.0.0.1"]})
    "services.edn: web :resolv-conf :nameserver: unknown key; did you mean :nameservers?"]
   [(web :resolv-conf {:search ["home.arpa"]})
    "services.edn: web :resolv-conf :nameservers: is missing; should be a vector of one to three addresses, such as [\"10.0.0.1\"]"]
   [(web :resolv-conf {:nameservers []})
    "services.edn: web :resolv-conf :nameservers: should be a vector of one to three addresses, such as [\"10.0.0.1\"], is []"]
   [(web :resolv-conf {:nameservers "10.0.0.1"})
    "services.edn: web :resolv-conf :nameservers: should be a vector of one to three addresses, such as [\"10.0.0.1\"], is \"10.0.0.1\""]
   [(web :resolv-conf {:nameservers ["10.0.0.1" "10.0.0.2" "10.0.0.3" "10.0.0.4"]})
    "services.edn: web :resolv-conf :nameservers: should be at most 3 addresses, for a resolver asks no more; are 4"]
   [(web :resolv-conf {:nameservers ["ns.home.arpa" "10.0.0.1/24" "0.0.0.0" "fe80::1" "fe80::1%a/b" "10.0.0.1%eth0"]})
    "services.edn: web :resolv-conf :nameservers[0]: should be the address of a nameserver, such as \"10.0.0.1\", is \"ns.home.arpa\""
    "services.edn: web :resolv-conf :nameservers[1]: should be the address of a nameserver, such as \"10.0.0.1\", is \"10.0.0.1/24\""
    "services.edn: web :resolv-conf :nameservers[2]: should be the address of a nameserver, such as \"10.0.0.1\"; 0.0.0.0 can be none"
    "services.edn: web :resolv-conf :nameservers[3]: should be an address with its link, for it is good on one link only, is \"fe80::1\"; did you mean \"fe80::1%eth0\"?"
    "services.edn: web :resolv-conf :nameservers[4]: should be the address of a nameserver, such as \"10.0.0.1\", is \"fe80::1%a/b\""
    "services.edn: web :resolv-conf :nameservers[5]: should be the address of a nameserver, such as \"10.0.0.1\", is \"10.0.0.1%eth0\""]
   [(web :resolv-conf {:nameservers ["10.0.0.1"] :search "home.arpa"})
    "services.edn: web :resolv-conf :search: should be a vector of names of domains, such as [\"home.arpa\"], is \"home.arpa\""]
   [(web :resolv-conf {:nameservers ["10.0.0.1"] :search ["home arpa" "a\nnameserver 6.6.6.6"]})
    "services.edn: web :resolv-conf :search[0]: should be the name of a domain, such as \"home.arpa\", is \"home arpa\""
    "services.edn: web :resolv-conf :search[1]: should be the name of a domain, such as \"home.arpa\", is \"a\\nnameserver 6.6.6.6\""]
   [(web :resolv-conf {:nameservers ["10.0.0.1"] :options [:rotate "ndots 2"]})
    "services.edn: web :resolv-conf :options[0]: should be an option of resolv.conf(5), such as \"ndots:2\", is :rotate; did you mean \"rotate\"?"
    "services.edn: web :resolv-conf :options[1]: should be an option of resolv.conf(5), such as \"ndots:2\", is \"ndots 2\"; did you mean \"ndots:1\"?"]])

(deftest every-bad-word-on-ipv4-has-its-words
  (bad/each-has-its-words table))

(deftest the-lines-are-distinct
  (is (apply distinct? (map rest (concat table bad/table))) "No two bad declarations have the same words."))

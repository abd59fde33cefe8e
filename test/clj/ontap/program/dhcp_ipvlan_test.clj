;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.dhcp-ipvlan-test
  "DHCP for ipvlan links, whose siblings share one MAC, against real servers and the scripted
  one, in a User Mode Linux kernel (test/harness/uml-dhcp.sh)."
  (:require [clojure.test :refer [deftest]]
            [ontap.harness.dhcp :as dhcp]
            [ontap.harness.uml :as uml]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(deftest ^{:slow true :apart true :jdk :floor :timeout 400} all-that-befalls-a-lease-of-ipvlan
  (dhcp/needs-python!)
  (run! dhcp/needs! dhcp/kinds)
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (uml/build-program!)
    (uml/assert-passed
     (uml/in-kernel {:seconds 330 :modules "ipvlan macvlan veth" :script "uml-dhcp.sh"} "bin" clients)
     (concat
      (for [kind dhcp/kinds
            what ["bind: an address of its pool" "ten siblings have ten addresses" "renew: an ACK" "kill -9: INIT-REBOOT"
                  "forgotten: an address of the new pool" "rebind: the other server's ACK"]]
        (str kind ": " what))
      (for [kind ["kea" "dhcpd"]] (str kind ": expiry: the address goes"))
      ["conflict: three addresses, none of them that of the other host"
       "conflict: DECLINE, once, and siblings that share the MAC are no conflict" "unicast OFFER and ACK: an address"]))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ipvtap-test
  "Guests on ipvtap, in a User Mode Linux kernel: test/harness/uml-taps.sh, run inside, has two of
  them (test/client/guest.c) speak raw Ethernet through the descriptors of ontapd."
  (:require [clojure.test :refer [deftest testing]]
            [ontap.harness.uml :as uml]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(deftest ^{:slow true :apart true :timeout 400 :jdk :floor} two-guests-on-a-lan
  (testing-tools/with-temp-dir [clients]
    (uml/compile-clients! clients)
    (uml/build-program!)
    (testing "DHCP, ARP, ping both ways, addresses mirrored as they change, four queues"
      (uml/assert-passed
       (uml/in-kernel {:seconds 300 :modules "ipvlan ipvtap macvlan veth af_packet" :script "uml-taps.sh"}
                      "bin" clients)
       (concat
        (for [guest ["one" "two"]
              check ["an address by DHCP" "the server has given it" "the address from DHCP is on its link"
                     "ping from the LAN to it" "ping 10.9.0.1" "ping fd09::1"
                     "its IPv6 addresses are on its link" "ping from the LAN over IPv6"]]
          (str guest ": " check))
        ["one: an address that no longer answers is removed"
         "one: the same over IPv6"
         "one: an address given back to the DHCP server is removed"
         "one: the gateway's address is refused"
         "two: the host's own address is refused"
         "two: a sibling's address is not on its link"
         "two: flows from the LAN come through every queue"]
        (for [queue (range 4)] (str "two: ping 10.9.0.1 through queue " queue))
        ["one: its link ends with it"
         "two: its link ends when it is killed"
         "no lease is left"
         "no ipvtap link is left on the port"])))))

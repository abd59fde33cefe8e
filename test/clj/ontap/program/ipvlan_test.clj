;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ipvlan-test
  "ipvlan for real, in a User Mode Linux kernel: test/harness/uml boots it, and
  test/harness/uml-ipvlan.sh, run inside, prints a line for each check."
  (:require [clojure.test :refer [deftest testing]]
            [ontap.harness.uml :as uml]))

(set! *warn-on-reflection* true)

(defn- in-kernel
  "Runs uml-ipvlan.sh with `words` in a kernel of its own, for at most `seconds`."
  [seconds & words]
  (apply uml/in-kernel {:seconds seconds :modules "ipvlan macvlan veth" :script "uml-ipvlan.sh"} words))

(deftest ^{:slow true :timeout 120 :jdk :floor} kernel-keeps-what-ontap-relies-on
  (testing "plain ipvlan links, made by iproute2"
    (uml/assert-passed (in-kernel 90 "kernel")
                   ["one: an ipvlan link is created straight in another namespace"
                    "three: HTTP over IPv6 from the LAN"
                    "stable_secret: the address is the same on a link made anew"
                    "the links end with their namespaces"])))

(deftest ^{:slow true :timeout 300 :jdk :floor} three-services-on-ipvlan
  (uml/build-program!)
  (testing "ontap up with :type \"ipvlan\", three services, seen from outside"
    (uml/assert-passed (in-kernel 180 "ontap" "bin/ontap")
                   (into ["ontap status: three services are ready"
                          "SIGTERM: ontap up stops all and exits 0"
                          "SIGTERM: no ipvlan link is left on the port"]
                         (for [service ["alpha" "beta" "gamma"]
                               check   ["the link's kind and mode" "the link's alias" "IPv4 address"
                                        "an address by SLAAC" "HTTP over IPv4 from the LAN"
                                        "HTTP over IPv6 from the LAN" "hostname"]]
                           (str service ": " check))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ipvlan-test
  "ipvlan for real, in a User Mode Linux kernel: test/harness/uml boots it, and
  test/harness/uml-ipvlan.sh, run inside, prints a line for each check."
  (:require [clojure.test :refer [deftest]]
            [ontap.harness.uml :as uml]))

(set! *warn-on-reflection* true)

(def ^:private of-the-kernel
  "Plain ipvlan links, made by iproute2: what ontap relies on."
  ["one: an ipvlan link is created straight in another namespace"
   "three: HTTP over IPv6 from the LAN"
   "stable_secret: the address is the same on a link made anew"
   "the links end with their namespaces"])

(def ^:private of-the-program
  "`ontap up` with :type \"ipvlan\", three services, seen from outside."
  (into ["ontap status: three services are ready"
         "SIGTERM: ontap up stops all and exits 0"
         "SIGTERM: no ipvlan link is left on the port"]
        (for [service ["alpha" "beta" "gamma"]
              check   ["the link's kind and mode" "the link's alias" "IPv4 address"
                       "an address by SLAAC" "HTTP over IPv4 from the LAN"
                       "HTTP over IPv6 from the LAN" "hostname"]]
          (str service ": " check))))

(deftest ^{:slow true :apart true :timeout 320 :jdk :floor} three-services-on-ipvlan
  (uml/build-program!)
  (uml/assert-passed
   (uml/in-kernel {:seconds 270 :modules "ipvlan macvlan veth" :script "uml-ipvlan.sh"} "both" "bin/ontap")
   (into of-the-kernel of-the-program)))

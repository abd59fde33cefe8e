;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.ipv4-uml-test
  "Addresses of ipvlan links, which the machine's kernel may not have, the oldest kernel's word on what
  routers say, and a clock that is set: in a kernel of their own."
  (:require [clojure.test :refer [deftest]]
            [ontap.harness.uml :as uml]))

(set! *warn-on-reflection* true)

(deftest ^:long addresses-resolvers-and-clock
  (uml/assert-passed
   (uml/in-kernel {:seconds 240 :modules "ipvlan macvlan veth af_packet" :script "uml-ipv4.sh"}
                  (str (System/getProperty "java.home") "/bin/java") (System/getProperty "java.class.path"))
   ["its sibling cannot have it" "now its sibling can have it"
    "a resolver that a router advertises is told" "a clock that was set is told"]))

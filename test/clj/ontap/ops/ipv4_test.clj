;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.ipv4-test
  "The name under which the host's own link asks for an address."
  (:require [clojure.test :refer [are deftest]]
            [ontap.ops.ipv4 :as ipv4]))

(set! *warn-on-reflection* true)

(deftest the-label-of-a-host
  (are [hostname label] (= label (ipv4/label-of hostname))
    "box"             "box"
    "box.example.org" "box"
    "Box-1.lan"       "box-1"
    "(none)"          nil
    "my_box"          nil
    ""                nil))

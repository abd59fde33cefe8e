;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.client-id-test
  "Client identifiers by RFC 4361."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.client-id :as client-id]))

(set! *warn-on-reflection* true)

(deftest an-identifier
  (let [duid (client-id/duid "00112233445566778899aabbccddeeff")]
    (is (= "00040011223344558677" (subs duid 0 20)) "DUID-UUID is type 4; the UUID is of version 8.")
    (is (= "000400112233445586778899aabbccddeeff" duid) "Its variant was right already.")
    (is (= "ff0000002a000400112233445586778899aabbccddeeff" (client-id/of duid (client-id/iaid "0000002A"))))))

(deftest the-uuid-is-a-proper-one
  (are [digit variant] (= variant (subs (client-id/duid (str "0011223344556677" digit "899aabbccddeeff")) 20 21))
    "0" "8" "1" "9" "2" "a" "3" "b" "7" "b" "8" "8" "b" "b" "c" "8" "f" "b"))

(deftest the-same-bytes-give-the-same-and-others-others
  (let [duids (map #(client-id/duid (format "%032x" %)) (range 100))]
    (is (apply distinct? duids))
    (is (= duids (map #(client-id/duid (format "%032x" %)) (range 100))))))

(deftest what-is-no-hex-is-refused
  (are [f text] (thrown? IllegalArgumentException (f text))
    client-id/duid "00"
    client-id/duid nil
    client-id/duid "0011223344556677889 aabbccddeeff"
    client-id/iaid "0000002"
    client-id/iaid "0000002g"))

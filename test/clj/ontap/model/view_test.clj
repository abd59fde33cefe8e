;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.view-test
  "Who is told what, and who is who."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.address :as address]
            [ontap.model.view :as view]))

(deftest views-are-numbers-that-java-knows
  (is (= [0 1 2] view/all [view/private view/on-link view/foreign]))
  (is (= {0 :private 1 :on-link 2 :foreign} view/word)))

(deftest of-a-name
  (are [view globals lans told] (= told (view/answering view globals lans))
    0 [:g] [:l] [:l], 0 [:g] [] [:g], 0 [] [:l] [:l], 0 [] [] []
    1 [:g] [:l] [:g], 1 [] [:l] [], 2 [:g] [:l] [:g], 2 [] [:l] []))

(deftest hidden
  (are [name hidden] (= hidden (view/hides? 2 "vanya" name))
    "lan.vanya" true, "x.lan.vanya" true, "*.lan.vanya" true, "a.b.lan.vanya" true
    "vanya" false, "x.vanya" false, "plan.vanya" false, "lan.x.vanya" false, "x.wan.vanya" false)
  (is (not-any? #(view/hides? % "vanya" "x.lan.vanya") [0 1])))

(defn- view-of
  "As a server does it: the longest prefix."
  [askers ip]
  (or (second (last (sort-by first (for [[p v] askers
                                         :let [{a :ip n :prefix} (address/prefixed p)]
                                         :when (address/same-network? a ip n)]
                                     [n v]))))
      2))

(deftest askers
  (let [askers (view/askers {:zone/views [{:view/prefix "10.8.0.0/16" :view/like :foreign}
                                          {:view/prefix "10.8.1.7/32" :view/like :on-link}
                                          {:view/prefix "198.51.100.0/24" :view/like :private}
                                          {:view/prefix "2001:db8:1::/64" :view/like :foreign}
                                          {:view/prefix "fd00::1/8" :view/like :on-link}
                                          {:view/prefix "2001:db8::/32" :view/like :private}]}
                            ["2001:db8:1::/64" "2001:db8:2::/64" "192.0.2.0/24"])]
    (is (= askers (vec (sort askers))))
    (is (= (count askers) (count (distinct (map first askers)))))
    (are [ip view] (= view (view-of askers ip))
      "10.1.2.3" 0, "10.8.2.3" 2, "10.8.1.7" 1, "172.16.0.1" 0, "172.32.0.1" 2, "192.168.9.9" 0, "100.64.0.1" 0, "100.63.0.1" 2
      "169.254.3.4" 0, "127.0.0.1" 0, "::1" 0, "::2" 2, "fe80::1" 0, "fc00::1" 0
      "fd00::2" 1                        ; the configuration is more precise than fc00::/7
      "198.51.100.9" 0, "198.51.101.9" 2
      "192.0.2.77" 1, "192.0.3.1" 2, "8.8.8.8" 2
      "2001:db8:1::5" 2                  ; the configuration has the last word on a prefix
      "2001:db8:2::5" 1, "2001:db8:3::5" 0, "2001:db9::1" 2)))

(deftest nobody-is-on-link-without-links
  (is (= #{0} (set (map second (view/askers {} []))))))

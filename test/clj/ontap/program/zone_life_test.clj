;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-life-test
  "The life of an address, as askers see it: not before it may be used, no longer than it lives, and not on a network that
  was left. The kernel's own view, of ip(8), is the witness."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.advertiser :as advertiser]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t])
  (:import (ontap.ndp RouterAdvertisement)))

(set! *warn-on-reflection* true)

(defn- has?
  "Does ip(8) show an address that begins with `start` in the namespace, with all of `flags`?"
  [ns start & flags]
  (boolean (some (fn [line] (and (str/includes? line (str " " start)) (every? #(str/includes? line %) flags)))
                 (str/split-lines (netns/ip ns "-o" "addr" "show")))))

(deftest ^{:jdk :floor} addresses-that-end-or-do-not-count
  (zone/with-lan [lan]
    (let [ns  (zone/workload! lan "v0" "web" ["10.77.0.40/24"])
          add #(apply netns/ip ns "addr" "add" (concat % ["dev" "v0"]))
          ptr (str "5." (str/join (repeat 27 "0.")) "7.7.d.f.ip6.arpa")]
      (zone/start-plain lan)
      (zone/await-data lan "web.vanya" "A" #{"10.77.0.40"})
      (testing "told for no longer than it lives"
        (add ["fd77::20/64" "nodad" "valid_lft" "20" "preferred_lft" "20"])
        (add ["fd77::5/64" "nodad" "valid_lft" "5" "preferred_lft" "5"])
        (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20" "fd77::5"})
        (is (= #{"web.vanya."} (zone/data lan ptr "PTR")))
        (let [now (zone/ttl lan "web.vanya" "AAAA")]
          (is (<= 0 now 5) "That of the one that ends first."))
        (t/wait-for "less TTL" #(some-> (zone/ttl lan "web.vanya" "AAAA") (< 4)))
        (testing "gone by the kernel's word"
          (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20"})
          (is (not (has? ns "fd77::5/")))
          (is (<= 10 (zone/ttl lan "web.vanya" "AAAA") 16) "What is left of 20 s.")
          (is (= 60 (zone/ttl lan "web.vanya" "A")))
          (is (= #{} (zone/data lan ptr "PTR")))))
      (testing "deprecated"
        (add ["fd77::30/64" "nodad"])
        (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20" "fd77::30"})
        (netns/ip ns "addr" "change" "fd77::30/64" "dev" "v0" "preferred_lft" "0")
        (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20"})
        (is (has? ns "fd77::30/" "deprecated"))
        (netns/ip ns "addr" "change" "fd77::30/64" "dev" "v0" "preferred_lft" "forever")
        (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20" "fd77::30"}))
      (testing "a duplicate of the peer's"
        (lan/sh! lan :peer "ip" "addr" "add" "fd77::99/64" "dev" "lan0" "nodad")
        (add ["fd77::99/64"])
        (t/wait-for "a duplicate" #(has? ns "fd77::99/" "dadfailed"))
        (is (= #{"fd77::20" "fd77::30"} (zone/data lan "web.vanya" "AAAA")))
        (is (some #(str/includes? % "fd77::99 is not published: another machine has it") (zone/why lan "web"))))
      (testing "tentative: not before the kernel has looked"
        (zone/sysctl! ns "net.ipv6.conf.v0.dad_transmits=3")
        (add ["fd77::50/64"])
        (t/wait-for "word of it" (fn [] (some #(str/includes? % "fd77::50 is tentative") (zone/why lan "web"))))
        (is (not (contains? (zone/data lan "web.vanya" "AAAA") "fd77::50")))
        (zone/await-data lan "web.vanya" "AAAA" #{"fd77::20" "fd77::30" "fd77::50"})
        (is (not (has? ns "fd77::50/" "tentative")))))))

(defn- prefix [text] (RouterAdvertisement/prefix (advertiser/ip6 text) 64))

(deftest ^{:jdk :floor} a-network-that-was-left
  (zone/with-lan [lan]
    (let [ns     (zone/workload! lan "v0" "web" ["10.77.0.40/24"])
          told   #(zone/answers lan :host "::1" "::1" "web.wan.vanya" "AAAA")
          of     (fn [start] (fn [ips] (seq (filter #(str/starts-with? % start) ips))))
          until! (fn [what f] (t/wait-for what 20000 #(f (told))))]
      ;; a laptop's privacy addresses, and no second of waiting for each
      (zone/sysctl! ns "net.ipv6.conf.v0.use_tempaddr=2" "net.ipv6.conf.v0.dad_transmits=0")
      (lan/sh! lan :peer "ip" "addr" "add" "fe80::1/64" "dev" "lan0" "nodad")
      (zone/start-plain lan)
      (advertiser/advertising (:peer lan) "lan0" [(prefix "2001:db8:aaa::")]
        (fn []
          (let [ips (until! "a name for the first network" (of "2001:db8:aaa:"))]
            (t/wait-for "a temporary address" #(has? ns "2001:db8:aaa:" "temporary"))
            (is (= 1 (count ips)) "The temporary address has none.")
            (is (every? #(has? ns % "mngtmpaddr") ips))
            (testing "the carrier goes: the kernel keeps the address, nobody is told of it"
              (lan/sh! lan :peer "ip" "link" "set" "lan0" "down")
              (until! "no names" empty?)
              (is (every? #(has? ns %) ips))
              (is (some #(str/includes? % "of a network that the link has left") (zone/why lan "web")))
              (is (= #{"10.77.0.40"} (zone/answers lan :host "::1" "::1" "web.lan.vanya" "A"))
                  "What a person gave it stays.")))))
      (testing "it is back on another network"
        (lan/sh! lan :peer "ip" "link" "set" "lan0" "up")
        (lan/sh! lan :peer "ip" "addr" "replace" "fe80::1/64" "dev" "lan0" "nodad")
        (advertiser/advertising (:peer lan) "lan0" [(prefix "2001:db8:bbb::")]
          (fn []
            (let [ips (until! "a name for the second network" (of "2001:db8:bbb:"))]
              (is (= (set ips) (told)) "and none for the first,")
              (is (has? ns "2001:db8:aaa:" "mngtmpaddr") "whose address is still there."))))))))

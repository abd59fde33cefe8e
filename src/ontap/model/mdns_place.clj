;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-place
  "Where on the network somebody is who sends to a link of ours (RFC 6762 section 11). Pure."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.published :as published]))

(set! *warn-on-reflection* true)

(defn family
  "The family of the address `ip` (text): :ipv4 or :ipv6."
  [ip]
  (if (str/includes? ip ":") :ipv6 :ipv4))

(defn own?
  "Is `ip` one of `addresses`, {ip address} of the link as the inventory has them?"
  [addresses ip]
  (contains? addresses ip))

(defn on-link?
  "Is `ip` on this very link, to which `addresses` are given: link-local IPv6, or in the network around one of them, where
  (I & M) is (P & M)? Link-local IPv4 (RFC 3927 section 2.7) is, on a link that has IPv4 at all."
  [addresses ip]
  (boolean
   (or (own? addresses ip)
       (let [kind (published/kind ip), f (family ip)]
         (if (and (= :link-local kind) (= :ipv6 f))
           true
           (some (fn [{:addr/keys [prefix] there :addr/ip}]
                   (and (= f (family there))
                        (or (and (= :link-local kind) (= :ipv4 f))
                            (and prefix
                                 (not= :link-local (published/kind there))
                                 (= (address/network ip prefix) (address/network there prefix))))))
                 (vals addresses)))))))

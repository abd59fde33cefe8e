;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.view
  "Who is told what. Pure. Three kinds of asker, as numbers that Java knows, too: 0 private, 1 on-link, 2 foreign.

  NAME.wan.DOMAIN  all: global addresses
  NAME.lan.DOMAIN  private and on-link: ULA, RFC 1918 and 100.64/10
  NAME.DOMAIN      private: those of the LAN; of a family (A, AAAA) without any, the global ones. On-link and foreign: the
                   global ones, or that the name exists and has none
  NAME.local       private and on-link: link-local addresses

  A foreign asker never gets an address that is not global."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]))

(set! *warn-on-reflection* true)

(def private "Askers with a private address, and this machine." 0)
(def on-link "Askers with a global address on a network of one of our links." 1)
(def foreign "All others." 2)
(def all "Every view." [private on-link foreign])
(def near "The views that may know private addresses." [private on-link])

(def number "The view of a word of the configuration." {:private private :on-link on-link :foreign foreign})
(def word "The word of a view." {private :private on-link :on-link foreign :foreign})

(defn answering
  "Of the global and the LAN addresses (of one family) of a name, those that NAME.DOMAIN has in `view`."
  [view globals lans]
  (if (and (= private view) (seq lans)) lans globals))

(defn tells?
  "May `view` know an address of this kind?"
  [view kind]
  (or (not= foreign view) (= :global kind)))

(defn hides?
  "Does `name` lie in a part of `domain` that `view` is not to see?"
  [view domain name]
  (and (= foreign view)
       (let [lan (str "lan." domain)]
         (or (= lan name) (str/ends-with? name (str "." lan))))))

(def ^:private always-private
  ["10.0.0.0/8" "172.16.0.0/12" "192.168.0.0/16" "100.64.0.0/10" "169.254.0.0/16" "127.0.0.0/8"
   "fc00::/7" "fe80::/10" "::1/128"])

(defn askers
  "Prefix -> view as sorted pairs: the private ones, the networks of our links (texts of prefixes) and the :zone/views of the
  configuration, which is the last word on a prefix. The longest prefix counts; who is in none is foreign."
  [zone networks]
  (let [given (for [{:view/keys [prefix like]} (:zone/views zone)
                    :let [{:keys [ip prefix]} (address/prefixed prefix)]]
                [(address/network ip prefix) (number like)])]
    (vec (sort (-> {}
                   (into (map (fn [n] [n on-link])) networks)
                   (into (map (fn [p] [p private])) always-private)
                   (into given))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-words
  "A checked zone in words, for `ontap check`, and without what is nobody else's business. Pure."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.offer :as offer]
            [ontap.model.zone-mdns :as zone-mdns]))

(set! *warn-on-reflection* true)

(defn public
  "The zone with true where a secret stood."
  [zone]
  (update zone :zone/keys update-vals (fn [k] (cond-> k (:key/secret k) (assoc :key/secret true)))))

(defn- and-words [texts] (mistake/and-list "and" texts))

(defn- place [ip port] (if (str/includes? ip ":") (str "[" ip "]:" port) (str ip ":" port)))

(defn- view-words [view] (str "the " (name view) " view"))

(defn- datum-words [type datum]
  (case type
    :txt (str/join " " (map mistake/shown datum))
    (:mx :srv) (str/join " " datum)
    datum))

(defn- record-lines [{:rr/keys [type ttl data] n :rr/name} usual-ttl]
  (for [d data]
    (str "  " n " " (str/upper-case (name type)) " " (datum-words type d) (when (not= usual-ttl ttl) (str ", TTL " ttl " s")))))

(defn- server-words [{:ns/keys [host addresses]}]
  (str host (cond (= :own addresses) " (the addresses of this machine)"
                  (seq addresses) (str " (" (str/join " " addresses) ")"))))

(defn- file-words [{:publish/keys [format file dialect command view]}]
  (str "writes " (name format) (when dialect (str " (" (name dialect) ")")) (when view (str ", " (view-words view) ","))
       " to " (mistake/shown file) (when command (str ", then runs " (str/join " " (map mistake/shown command))))))

(defn- transfer-words [{:transfer/keys [prefix key view]}]
  (str (view-words view) " is for " (cond (and prefix key) (str prefix " with the key " key)
                                          prefix prefix
                                          :else (str "whoever has the key " key))))

;; TXT is shown as it is written, each in quotes
(defn- offer-lines [{:zone/keys [domain] :as zone} n]
  (for [{:service/keys [type port txt subtypes instance]} (offer/of zone n)]
    (str type "." n "." domain " SRV 0 0 " port " " n "." domain
         (when (not= n instance) (str ", as " (mistake/shown instance)))
         (when (seq subtypes) (str ", of " (and-words subtypes)))
         (when (seq txt) (str ", TXT " (str/join " " (map mistake/shown txt)))))))

(defn words
  "What is told of `zone` in lines of text: its name, then one thing a line. Secrets are not told."
  [{:zone/keys [domain ttl name-from all-namespaces? listen mdns user ns contact soa records srv views transfer notify publish chaos]
    tsig :zone/keys :as zone}]
  (let [line #(str "  " %)]
    (-> [(str "zone " domain ":")
         (line (cond (seq listen) (str "answers on " (and-words (map (fn [{:listen/keys [ip port]}] (place ip port)) listen)))
                     mdns         "answers multicast DNS only: there is no :listen"
                     :else        "answers nobody: there is no :listen"))]
        (into (map line) (zone-mdns/words mdns))
        (conj
         (line (str "as " (if user (str "user " user) "a user of its own") ", TTL " ttl " s"))
         (line (str "named by the " (if (= :alias name-from) "alias" "name") " of each link, in "
                    (if all-namespaces? "all network namespaces" "the network namespaces that have links of this machine's ports")))
         (line (str (if (next ns) "name servers " "name server ") (and-words (map server-words ns)) "; contact " contact))
         (line (str "SOA refresh " (:refresh soa) " s, retry " (:retry soa) " s, expire " (:expire soa) " s, minimum " (:minimum soa) " s")))
        (into (mapcat #(record-lines % ttl)) records)
        (into (comp (mapcat #(offer-lines zone %)) (map line)) (sort (keys srv)))
        (into (map (fn [{:view/keys [prefix like]}] (line (str prefix " is told " (view-words like))))) views)
        (into (for [[n {:key/keys [algorithm file]}] (sort tsig)]
                (line (str "key " n ", " (name algorithm) (when file (str ", from " (mistake/shown file)))))))
        (into (map (comp line transfer-words)) transfer)
        (into (map (fn [{:notify/keys [ip port view key]}]
                     (line (str "tells " (place ip port) " when " (view-words view) " changes" (when key (str ", with the key " key))))))
              notify)
        (into (map (comp line file-words)) publish)
        (into (when chaos [(line (str "calls its version " (mistake/shown chaos)))])))))

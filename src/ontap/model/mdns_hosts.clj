;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-hosts
  "What a host is in multicast DNS: which names it wants for itself alone, which records stand at them, which
  go along, and which name is tried next when one is somebody else's (RFC 6762 sections 9 and 10, RFC 6763
  sections 4 to 7 and 9). Pure.

  A unit is what is probed for and renamed as a whole. Its id:
    [label]                a host: A and AAAA at its name; reverse PTRs go along
    [label type instance]  a service of it: SRV and TXT at the instance's name; PTRs go along"
  (:require [clojure.string :as str]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def types-name "Where the types of services are told (RFC 6763 section 9)."
  (mdns-name/of-labels ["_services" "_dns-sd" "_udp" "local"]))

(defn host?
  "Is the unit `id` that of a host?"
  [id]
  (= 1 (count id)))

(defn label
  "Of the host that the unit `id` belongs to."
  [id]
  (nth id 0))

(defn ids
  "The units of `host`, itself first; none when it has no address: a name that leads nowhere is not told."
  [{:host/keys [label addresses services]}]
  (when (seq addresses)
    (into [[label]] (comp (map (fn [{:service/keys [type instance]}] [label type (or instance label)])) (distinct)) services)))

(defn wish
  "The text that the unit `id` wants as the first label of its name."
  [id]
  (peek id))

(defn- type-name [type] (mdns-name/of-labels (conj (str/split type #"\.") "local")))

(defn unit-name
  "The name of the unit `id` when its first label is `text`; nil when that cannot be one."
  [[_ type :as id] text]
  (mdns-name/child text (if (host? id) mdns-name/local (type-name type))))

(defn- service-of [{:host/keys [services]} [label type instance]]
  (some #(when (and (= type (:service/type %)) (= instance (or (:service/instance %) label))) %) services))

(defn own
  "The records of the unit `id` at its own name `name`; services lead to the name `host-name`."
  [host id name host-name]
  (if (host? id)
    (mapv #(record/address-record name %) (distinct (:host/addresses host)))
    (let [{:service/keys [port txt]} (service-of host id)]
      [(record/srv-record name port host-name) (record/txt-record name txt)])))

(defn along
  "The records that are told with the unit `id` of `name`, without being probed for: of a host the reverse PTR of
  those `ips` that are its own to tell (RFC 6762 section 8.1 skips probing for them), of a service its PTRs, which
  others have, too."
  [host id name ips]
  (if (host? id)
    (mapv #(record/ptr-record (record/reverse-name %) name record/host-ttl true) ips)
    (let [{:service/keys [type subtypes]} (service-of host id)
          types (type-name type)]
      (into [(record/ptr-record types name record/other-ttl false)
             (record/ptr-record types-name types record/other-ttl false)]
            (for [subtype (distinct subtypes)
                  :let [at (some->> (mdns-name/child "_sub" types) (mdns-name/child subtype))]
                  :when at]
              (record/ptr-record at name record/other-ttl false))))))

(defn nsec
  "That a host has no other addresses than those among its `own` records (RFC 6762 section 6.1)."
  [name own]
  (record/nsec-record name (sort (distinct (map :mdns/type own))) record/host-ttl))

;; --- another name

(defn- cut
  "`text`, so short that `end` fits behind it in a label of 63 bytes; whole characters."
  [text end]
  (loop [text text]
    (if (<= (+ (count (mdns-name/bytes-of text)) (count end)) 63)
      text
      (recur (subs text 0 (.offsetByCodePoints ^String text (count text) -1))))))

(defn renamed
  "The `n`th text for the unit `id`: \"web-2\" of a host, \"Name (2)\" of a service (RFC 6763 appendix D); the wish
  itself for 1."
  [id n]
  (let [end (cond (= 1 n) "", (host? id) (str "-" n), :else (str " (" n ")"))]
    (str (cut (wish id) end) end)))

(defn next-text
  "[text n]: the first text after the `n`th for the unit `id` whose folded name is not `taken?`."
  [id n taken?]
  (loop [n (inc (long n))]
    (let [text (renamed id n)]
      (if (taken? (mdns-name/fold (unit-name id text)))
        (recur (inc n))
        [text n]))))

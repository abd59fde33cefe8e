;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-world
  "A catalog, askers and a virtual clock for the tests of what a responder of multicast DNS answers."
  (:require [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(defn n "The name that `text` writes." [text] (mdns-name/of-text text))

;; --- what there is

(def web-a "IPv4 of web." (record/address-record (n "web.local") "10.0.0.5"))
(def web-ll "Link-local address of web." (record/address-record (n "web.local") "fe80::5"))
(def web-ula "Unique local address of web." (record/address-record (n "web.local") "fd00::5"))
(def four-a "A host without IPv6." (record/address-record (n "four.local") "10.0.0.4"))
(def six-aaaa "A host without IPv4." (record/address-record (n "six.local") "fd00::6"))
(def reverse-ptr "Of web's IPv4." (record/ptr-record (record/reverse-name "10.0.0.5") (n "web.local") record/host-ttl true))
(def instance "Of the service." (mdns-name/child "web" (n "_http._tcp.local")))
(def srv "Of the instance." (record/srv-record instance 80 (n "web.local")))
(def txt "Of the instance." (record/txt-record instance ["path=/"]))
(def http-ptr "Of the type." (record/ptr-record (n "_http._tcp.local") instance record/other-ttl false))
(def sub-ptr "Of the subtype." (record/ptr-record (n "_printer._sub._http._tcp.local") instance record/other-ttl false))
(def types-ptr "Of all types." (record/ptr-record (n "_services._dns-sd._udp.local") (n "_http._tcp.local") record/other-ttl false))
(def alias-cname "An alias." (record/record (n "www.local") record/cname record/host-ttl (n "web.local") true))
(def strange "A type above 255." (record/record (n "strange.local") 65280 record/other-ttl "x" true))
(def chaos "A record of class 3." (assoc (record/record (n "six.local") record/txt record/other-ttl "\u0001x" true) :mdns/class 3))

(defn catalog-of
  "The catalog of `records`; those of unique ones are ours alone."
  [records]
  {:catalog/records (group-by (comp mdns-name/fold :mdns/name) records)
   :catalog/owned (into #{} (comp (filter :mdns/flush?) (map (comp mdns-name/fold :mdns/name))) records)})

(def everything "All that there is." [web-a web-ll web-ula four-a six-aaaa chaos reverse-ptr srv txt http-ptr sub-ptr types-ptr alias-cname strange])
(def catalog "Of everything." (catalog-of everything))

(defn nsec
  "That `name` has just `types`."
  [name types ttl]
  (record/nsec-record (n name) types ttl))

;; --- who asks

(defn question
  "For `name` and `type`; `unicast?`: a unicast response is welcome."
  ([name type] (question name type false))
  ([name type unicast?] {:mdns/name (n name) :mdns/type type :mdns/class record/in :mdns/unicast? unicast?}))

(defn packet
  "A query from 10.0.0.9 to the group; `message` and `changes` are put in."
  ([message] (packet message {}))
  ([message changes]
   (merge {:event/type :packet :packet/message (merge {:message/id 0 :message/questions [] :message/answers [] :message/authorities []
                                                       :message/additionals []} message)
           :packet/ip "10.0.0.9" :packet/port 5353 :packet/family :ipv4 :packet/multicast? true :packet/on-link? true
           :packet/own? false}
          changes)))

(defn query
  "A packet with these `questions`."
  [& questions]
  (packet {:message/questions (vec questions)}))

(defn tc "`packet` with TC set." [packet] (assoc-in packet [:packet/message :message/truncated?] true))
(defn knows "`packet` with known answers." [packet & records]
  (assoc-in packet [:packet/message :message/answers] (mapv #(assoc % :mdns/flush? false) records)))
(defn probing "`packet` as a probe that proposes `records`." [packet & records]
  (assoc-in packet [:packet/message :message/authorities] (mapv #(assoc % :mdns/flush? false) records)))
(defn from "`packet` from `ip`." [packet ip] (assoc packet :packet/ip ip))
(defn ttl "`record` with another TTL." [record s] (assoc record :mdns/ttl s))
(defn response "A response of somebody else." [& records]
  (packet {:message/response? true :message/answers (vec records)}))

;; --- a clock

(defn run
  "What is sent when `events` [[ms f-or-packet]] happen to a fresh responder, each effect with its :at. A packet is given to asked
  (or answered, when it is a response), a function to the state. The clock goes on until nothing waits any more. `:state` is the
  last state. `:catalog` and `:seed` may be given."
  [events & {:keys [catalog seed state] :or {catalog catalog seed 1 state (mdns-answer/answering)}}]
  (loop [state state, events (sort-by first events), seed seed, sent [], now (num 0)]
    (let [due (mdns-answer/due state)
          [at event] (first events)
          add (fn [at fx] (into sent (map #(assoc % :at at)) fx))]
      (assert (or (nil? due) (<= now due)) "It is never due in the past.")
      (cond
        (and due (or (nil? at) (< due at)))
        (let [[state' fx] (mdns-answer/time state catalog due)
              after (mdns-answer/due state')]
          (assert (or (nil? after) (< due after)) "It is never due again at the same moment.")
          (recur state' events (inc seed) (add due fx) due))
        (nil? at) {:sent sent :state state}
        (fn? event) (recur (event state) (rest events) seed sent at)
        :else
        (let [[state' fx] (if (get-in event [:packet/message :message/response?])
                            (mdns-answer/answered state catalog event at)
                            (mdns-answer/asked state catalog event at seed))]
          (recur state' (rest events) (inc seed) (add at fx) at))))))

(defn answers "The answers of an effect, as a set." [effect] (set (get-in effect [:send/message :message/answers])))
(defn additionals "The additional records of an effect, as a set." [effect] (set (get-in effect [:send/message :message/additionals])))
(defn told "As if `records` had been multicast at `at` on IPv4." [at & records] [at #(mdns-answer/told % records #{:ipv4} at)])

(defn seen
  "For a table: [ms to answers additionals] of each effect of `events`; to is :multicast, or the address."
  [& events]
  (mapv (fn [{:keys [at] :send/keys [to] :as effect}]
          [at (if (map? to) (:ip to) to) (answers effect) (additionals effect)])
        (:sent (run events))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-record
  "Resource records of multicast DNS as plain data (RFC 1035, 2782, 4034, 6762, 6763):

    {:mdns/name name :mdns/type n :mdns/class n :mdns/ttl s :mdns/rdata bytes :mdns/flush? b}

  A name and the data are strings with a character for each byte (`ontap.model.mdns-name`);
  names inside the data are written out. :mdns/class is without the cache-flush bit, which is
  :mdns/flush?. Any record of any type has this shape. Pure."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mdns-name :as mdns-name]))

(set! *warn-on-reflection* true)

(def a "The type of an IPv4 address." 1)
(def cname "The type of an alias." 5)
(def ptr "The type of a pointer to another name." 12)
(def txt "The type of texts." 16)
(def aaaa "The type of an IPv6 address (RFC 3596)." 28)
(def srv "The type of a host and port (RFC 2782)." 33)
(def nsec "The type that says which others there are (RFC 4034)." 47)
(def any "In a question: every type." 255)

(def in "The class of the Internet." 1)

(def host-ttl "Seconds, of records with the name of a host in name or data (RFC 6762 section 10)." 120)
(def other-ttl "Seconds, of all others." 4500)

(defn- octets [ns] (apply str (map char ns)))

(defn- octets-2 [n] (octets [(bit-and 0xff (bit-shift-right (long n) 8)) (bit-and 0xff (long n))]))

(defn record
  "A record of the class IN that says `rdata`. `unique?`: nobody else has records of this name and
  type, so that caches shall forget what they knew."
  [name type ttl rdata unique?]
  {:mdns/name name :mdns/type type :mdns/class in :mdns/ttl ttl :mdns/rdata rdata :mdns/flush? (boolean unique?)})

(defn address-record
  "A or AAAA of `name`: the address `ip` (text)."
  [name ip]
  (let [os (address/octets ip)]
    (record name (if (= 4 (count os)) a aaaa) host-ttl (octets os) true)))

(defn ip
  "The address (text) that an A or AAAA record tells; nil of others, or when its data is no address."
  [{:mdns/keys [type rdata]}]
  (let [os (mapv int rdata)]
    (when (= (count os) (condp = type a 4, aaaa 16, -1))
      (address/text os))))

(defn reverse-name
  "Where the PTR of the address `ip` (text) is: in in-addr.arpa or ip6.arpa."
  [ip]
  (let [os (address/octets ip)]
    (mdns-name/of-labels
     (if (= 4 (count os))
       (concat (map str (reverse os)) ["in-addr" "arpa"])
       (concat (mapcat (fn [o] (let [o (long o)] [(format "%x" (bit-and 15 o)) (format "%x" (bit-shift-right o 4))])) (reverse os))
               ["ip6" "arpa"])))))

(defn ptr-record
  "PTR of `name` to `target`, both names; `unique?` of a reverse one."
  [name target ttl unique?]
  (record name ptr ttl target unique?))

(defn srv-record
  "SRV of the service instance `name`: `port` of the host `target` (RFC 2782)."
  [name port target]
  (record name srv host-ttl (str (octets-2 0) (octets-2 0) (octets-2 port) target) true))

(defn srv-data
  "{:srv/priority :srv/weight :srv/port :srv/target} of the data of an SRV record, or nil."
  [{:mdns/keys [^String rdata]}]
  (when (< 6 (count rdata))
    (let [at (fn [i] (+ (* 256 (int (.charAt rdata i))) (int (.charAt rdata (inc i)))))]
      {:srv/priority (at 0) :srv/weight (at 2) :srv/port (at 4) :srv/target (subs rdata 6)})))

(defn txt-record
  "TXT of the service instance `name`: `strings` (texts of at most 255 bytes each); without any a
  single empty one (RFC 6763 section 6.1)."
  [name strings]
  (record name txt other-ttl
          (apply str (mapcat (fn [s] (let [b (mdns-name/bytes-of s)] [(char (count b)) b])) (if (seq strings) strings [""])))
          true))

(defn txt-strings
  "The texts in the data of a TXT record; what is cut off at its end is left out."
  [{:mdns/keys [^String rdata]}]
  (loop [i 0, found []]
    (if (< i (count rdata))
      (let [n (int (.charAt rdata i)), end (+ i 1 n)]
        (if (<= end (count rdata)) (recur end (conj found (mdns-name/text-of (subs rdata (inc i) end)))) found))
      found)))

(defn nsec-record
  "NSEC of `name`: of the types below 256 it has just `types` (RFC 6762 section 6.1). `ttl`: that of the records it tells
  the absence of."
  [name types ttl]
  (let [bits (reduce (fn [bits t] (update bits (quot (long t) 8) #(bit-or (long %) (bit-shift-right 0x80 (rem (long t) 8)))))
                     (vec (repeat (inc (quot (long (reduce max 0 types)) 8)) 0)) types)]
    (record name nsec ttl (str name (octets [0 (count bits)]) (octets bits)) true)))

(defn nsec-types
  "The types that an NSEC record's block 0 has, as a set, or nil: it has none."
  [{:mdns/keys [^String rdata]}]
  (let [end (loop [i 0] (cond (<= (count rdata) i) nil
                              (zero? (int (.charAt rdata i))) (inc i)
                              :else (recur (+ i 1 (int (.charAt rdata i))))))
        more (when end (subs rdata end))]
    (when (and more (< 2 (count more)) (zero? (int (.charAt ^String more 0)))
               (<= (+ 2 (int (.charAt ^String more 1))) (count more)))
      (into #{} (for [i (range (int (.charAt ^String more 1)))
                      b (range 8)
                      :when (bit-test (int (.charAt ^String more (+ 2 (long i)))) (- 7 (long b)))]
                  (+ (* 8 (long i)) (long b)))))))

;; --- when two are the same

(def ^:private names-from
  "Type -> where in its data a name begins that compares without case."
  {2 0, cname 0, ptr 0, 39 0, 15 2, srv 6, nsec 0})

(defn- folded-data [type ^String rdata]
  (if-let [from (names-from type)]
    (if (< (long from) (count rdata)) (str (subs rdata 0 from) (mdns-name/fold (subs rdata from))) rdata)
    rdata))

(defn identity-of
  "What two records have in common that say the same, whatever their TTL, case and cache-flush bit: [name type class data]."
  [{:mdns/keys [name type class rdata]}]
  [(mdns-name/fold name) type class (folded-data type rdata)])

(defn set-of
  "What the records of one RRset have in common: [name type class]."
  [{:mdns/keys [name type class]}]
  [(mdns-name/fold name) type class])

(defn goodbye
  "The record that takes `record` back (RFC 6762 section 10.1)."
  [record]
  (assoc record :mdns/ttl 0))

(defn shown
  "For people: \"arroyocc.local AAAA fd00::1\"."
  [{:mdns/keys [name type rdata] :as record}]
  (str (mdns-name/text name) " "
       (condp = type
         a (str "A " (ip record)), aaaa (str "AAAA " (ip record)), ptr (str "PTR " (mdns-name/text rdata))
         srv (let [{:srv/keys [port target]} (srv-data record)] (str "SRV " port " " (some-> target mdns-name/text)))
         txt (str "TXT " (str/join " " (map pr-str (txt-strings record))))
         (str "TYPE" type))))

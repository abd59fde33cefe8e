;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.address
  "IPv4 and IPv6 addresses: text, octets and prefixes.
  Pure: no look-up of any kind, so that no name can reach DNS. IPv6 text as in RFC 4291 section 2.2 is read (no zone),
  canonical text as in RFC 5952 is written. An address inside is a vector of 4 or 16 numbers from 0 to 255."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn- v4-octets [^String s]
  (when (re-matches #"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}" s)
    (let [ns (mapv #(Long/parseLong %) (str/split s #"\."))]
      (when (every? #(<= % 255) ns) ns))))

(defn- v6-groups
  "The 16-bit groups of a part of an IPv6 text, or nil. The last group may be an IPv4 address when `v4-last?`."
  [^String part v4-last?]
  (if (= "" part)
    []
    (let [texts (str/split part #":" -1)]
      (reduce-kv
       (fn [acc i ^String t]
         (cond (re-matches #"[0-9a-fA-F]{1,4}" t) (conj acc (Long/parseLong t 16))
               (and v4-last? (= i (dec (count texts))))
               (if-let [[a b c d] (v4-octets t)]
                 (conj acc (+ (* 256 a) b) (+ (* 256 c) d))
                 (reduced nil))
               :else (reduced nil)))
       [] (vec texts)))))

(defn- v6-octets [^String s]
  (let [gap (.indexOf s "::")
        groups (if (neg? gap)
                 (let [g (v6-groups s true)] (when (= 8 (count g)) g))
                 (let [tail (subs s (+ 2 gap))
                       head-groups (v6-groups (subs s 0 gap) false)
                       tail-groups (when-not (or (str/includes? tail "::") (str/starts-with? tail ":"))
                                     (v6-groups tail true))
                       zeros (when (and head-groups tail-groups)
                               (- 8 (count head-groups) (count tail-groups)))]
                   (when (and zeros (pos? zeros))
                     (-> head-groups (into (repeat zeros 0)) (into tail-groups)))))]
    (when groups (into [] (mapcat (fn [g] [(quot g 256) (rem g 256)])) groups))))

(defn octets
  "The octets of an address text (a vector of 4 or 16), or nil when it is none."
  [s]
  (when (and (string? s) (<= 2 (count s) 45))
    (if (str/includes? s ":") (v6-octets s) (v4-octets s))))

(defn family
  "4 or 6 for an address text, nil when it is none."
  [s]
  (case (count (octets s)) 4 4, 16 6, nil))

(defn- zero-run
  "[start length] of the longest run of two or more zero groups, the first of equals; nil when there is none."
  [groups]
  (->> (range 8)
       (map (fn [i] [i (count (take-while zero? (drop i groups)))]))
       (filter #(< 1 (second %)))
       (reduce (fn [best run] (if (or (nil? best) (> (second run) (second best))) run best)) nil)))

(defn text
  "The canonical text of octets (RFC 5952; an IPv4-mapped address is written with dots, section 5)."
  [os]
  (if (= 4 (count os))
    (str/join "." os)
    (let [groups (mapv (fn [[a b]] (+ (* 256 a) b)) (partition 2 os))
          hex (fn [gs] (str/join ":" (map #(Long/toHexString %) gs)))
          [start length] (zero-run groups)]
      (cond (= [0 0 0 0 0 0xffff] (subvec groups 0 6)) (str "::ffff:" (str/join "." (subvec os 12)))
            start (str (hex (subvec groups 0 start)) "::" (hex (subvec groups (+ start length))))
            :else (hex groups)))))

(defn canonical
  "The canonical text of an address text, or nil when it is none."
  [s]
  (some-> (octets s) text))

(defn to-bytes
  "A new byte array (4 or 16) with the address of a text; nil when it is none."
  ^bytes [s]
  (when-let [os (octets s)]
    (byte-array (map unchecked-byte os))))

(defn from-bytes
  "The canonical text of the address in a byte array of 4 or 16; nil for any other length."
  [^bytes bs]
  (when (#{4 16} (alength bs))
    (text (mapv #(bit-and 0xff %) bs))))

(defn prefixed
  "{:family 4|6 :ip canonical :prefix n} of \"10.0.0.5/24\" or \"fd00::5/64\", or nil when the text is no such thing."
  [s]
  (when (string? s)
    (when-let [[_ a p] (re-matches #"([^/]{2,45})/(0|[1-9]\d{0,2})" s)]
      (let [os (octets a), n (Long/parseLong p)]
        (when (and os (<= n (* 8 (count os))))
          {:family (if (= 4 (count os)) 4 6) :ip (text os) :prefix n})))))

(defn- bits [os] (reduce (fn [n o] (+ (* 256N n) o)) 0N os))

(defn- host-part
  "[the host bits of octets as a number, how many host bits there are]."
  [os prefix]
  (let [n (- (* 8 (count os)) prefix)
        size (.pow (biginteger 2) (int n))]
    [(.mod (biginteger (bits os)) size) n]))

(defn same-network?
  "Do the addresses of two texts share their first `prefix` bits? False when the families differ."
  [a b prefix]
  (let [x (octets a), y (octets b)]
    (boolean
     (and x y (= (count x) (count y))
          (let [shift (int (- (* 8 (count x)) prefix))]
            (= (.shiftRight (biginteger (bits x)) shift) (.shiftRight (biginteger (bits y)) shift)))))))

(defn network
  "The text of the network an address lies in: \"10.0.0.0/24\" for \"10.0.0.5\" and 24."
  [ip prefix]
  (let [os (octets ip)
        masked (map-indexed (fn [i o]
                              (let [keep (max 0 (min 8 (- prefix (* 8 i))))]
                                (bit-and o (bit-and 0xff (bit-shift-left 0xff (- 8 keep))))))
                            os)]
    (str (text (vec masked)) "/" prefix)))

(defn kind
  "What an address text is by its value: :unspecified :loopback :multicast :broadcast :link-local :mapped or :ordinary."
  [s]
  (let [[a b & _ :as os] (octets s)]
    (if (= 4 (count os))
      (cond (zero? a) :unspecified
            (= 127 a) :loopback
            (<= 224 a 239) :multicast
            (<= 240 a) :broadcast
            (and (= 169 a) (= 254 b)) :link-local
            :else :ordinary)
      (let [upper (subvec os 0 15)]
        (cond (and (every? zero? upper) (= 0 (peek os))) :unspecified
              (and (every? zero? upper) (= 1 (peek os))) :loopback
              (= 0xff a) :multicast
              (and (= 0xfe a) (= 0x80 (bit-and b 0xc0))) :link-local
              (= [0 0 0 0 0 0 0 0 0 0 255 255] (subvec os 0 12)) :mapped
              :else :ordinary)))))

(defn host-fault
  "Why no link can have this address with this prefix (words after \"is\"), or nil: the network itself, its broadcast
  address, a multicast or loopback address and the like."
  [ip prefix]
  (let [os (octets ip)
        v4? (= 4 (count os))
        [host n] (host-part os prefix)]
    (case (kind ip)
      :unspecified "the unspecified address"
      :loopback "a loopback address"
      :multicast "a multicast address"
      :broadcast "a reserved address"
      :mapped "an IPv4 address written as IPv6"
      (cond (< prefix 1) "on a network of all addresses"
            (and (< 1 n) (zero? (.signum ^BigInteger host)))
            (if v4? "the address of the network itself" "the address of the network itself (the routers' anycast address)")
            (and v4? (< 1 n) (= host (.subtract (.pow (biginteger 2) (int n)) BigInteger/ONE)))
            "the broadcast address of its network"))))

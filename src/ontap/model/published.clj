;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.published
  "Which addresses of a link count for its names, and what they are. Pure.

  Not published: what DAD has not cleared (an optimistic address, RFC 4429, is tentative until then and waits,
  too), what failed it, what is deprecated, temporary (IPv6 only: for IPv4 the same bit means \"secondary\"), of the
  scope of the machine itself, of a kind that is good for nobody else, and what a router told of a network that the
  link has left since. The last is known of addresses that the kernel marks as made by RA (IFA_PROTO, Linux 5.18):
  before, they stay until their lifetime ends."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.reverse :as reverse]))

(set! *warn-on-reflection* true)

(defn- kind4 [[a b c]]
  (cond (or (zero? a) (= 127 a) (<= 224 a)) nil
        (and (= 192 a) (= 0 b) (= 0 c)) nil                 ; RFC 6890: for protocols, as of 464XLAT
        (and (= 169 a) (= 254 b)) :link-local
        (or (= 10 a)
            (and (= 172 a) (<= 16 b 31))
            (and (= 192 a) (= 168 b))
            (and (= 100 a) (<= 64 b 127))) :lan
        :else :global))

(defn- kind6 [[a b :as os]]
  (cond (every? zero? (subvec os 0 10)) nil                 ; ::, ::1, IPv4-mapped and -compatible
        (= 0xff a) nil
        (and (= 0xfe a) (= 0x80 (bit-and b 0xc0))) :link-local
        (and (= 0xfe a) (= 0xc0 (bit-and b 0xc0))) nil      ; site-local: RFC 3879
        (= 0xfc (bit-and a 0xfe)) :lan
        :else :global))

(defn kind
  "What the address `ip` (text) is: :global; :lan for RFC 1918, 100.64/10 (RFC 6598) and ULA (RFC 4193); :link-local
  for fe80::/10 and 169.254/16; nil for what is never published (loopback, multicast, reserved, no address)."
  [ip]
  (when-let [os (address/octets ip)]
    (if (= 4 (count os)) (kind4 os) (kind6 os))))

(def ^:private by-router "IFAPROT_KERNEL_RA of if_addr.h." 2)

(defn- v6? [ip] (str/includes? ip ":"))

(defn- judged [kind {:addr/keys [ip flags scope proto updated-ms]} left]
  (cond (nil? kind)                          :kind
        (= :host scope)                      :scope
        (:dadfailed flags)                   :dadfailed
        (:tentative flags)                   :tentative
        (:deprecated flags)                  :deprecated
        (and (:temporary flags) (v6? ip))    :temporary
        (and left updated-ms (= by-router proto)
             (<= (long updated-ms) (long left))) :left
        :else                                :published))

(defn verdict
  "Why `addr` does not count, or :published: :kind :scope :dadfailed :tentative :deprecated :temporary :left. `left`: when
  the network of its link was left (CLOCK_MONOTONIC ms), or nil."
  [addr left]
  (judged (kind (:addr/ip addr)) addr left))

(defn- on-link
  "The network around a global address, or nil when it has no other addresses, or is so wide (beyond an IPv4 /8 or IPv6 /32)
  that it can be no link's: who lies in it is told private addresses."
  [ip prefix kind]
  (when (and (= :global kind) prefix
             (if (v6? ip) (<= 32 (long prefix) 127) (<= 8 (long prefix) 31)))
    (address/network ip prefix)))

(defn- seen
  "What follows from the address and its prefix alone."
  [ip prefix]
  (let [k (kind ip)]
    {:addr/ip ip :addr/prefix prefix :addr/kind k
     :addr/family (if (v6? ip) :ipv6 :ipv4)
     :name/on-link (on-link ip prefix k)
     :name/reverse (reverse/of ip)}))

(defn of-link
  "The published addresses of a link: ip -> {:addr/ip :addr/prefix :addr/kind :addr/family :addr/valid-s, :name/until-ms (end
  of its life or nil), :name/on-link (text of its network, for a global one), :name/reverse (owner of
  its PTR)}. `addrs`: ip ->
  address of the inventory; `left` as for `verdict`; `before`: what this gave for the same link, whose work is used again."
  [addrs left before]
  (reduce-kv
   (fn [m ip {:addr/keys [prefix valid-s until-ms] :as addr}]
     (let [old (get before ip)]
       (if (= :published (judged (if old (:addr/kind old) (kind ip)) addr left))
         (assoc m ip (assoc (if (= prefix (:addr/prefix old)) old (seen ip prefix))
                            :addr/valid-s valid-s
                            :name/until-ms (when valid-s until-ms)))
         m)))
   {} addrs))

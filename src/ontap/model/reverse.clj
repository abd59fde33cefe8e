;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.reverse
  "The names of addresses: in-addr.arpa (RFC 1035 section 3.5) and ip6.arpa (RFC 3596 section 2.5). Pure.
  A reverse zone is always an IPv4 /24 or an IPv6 /64, so that no zone lies in another."
  (:require [ontap.model.address :as address]))

(set! *warn-on-reflection* true)

(def ^:private digits "0123456789abcdef")

(defn of
  "The name whose PTR tells of the address `ip` (text)."
  [ip]
  (let [os (address/octets ip)
        b  (StringBuilder. 72)]
    (if (= 4 (count os))
      (do (run! #(-> b (.append (str %)) (.append ".")) (rseq os))
          (.append b "in-addr.arpa"))
      (do (doseq [o (rseq os)]
            (-> b
                (.append (.charAt ^String digits (bit-and 15 (long o)))) (.append ".")
                (.append (.charAt ^String digits (bit-shift-right (long o) 4))) (.append ".")))
          (.append b "ip6.arpa")))
    (str b)))

(defn- after-dot
  "The part of `name` after its `n`th dot."
  [^String name n]
  (loop [at 0, n (long n)]
    (if (zero? n) (subs name at) (recur (inc (.indexOf name "." at)) (dec n)))))

(defn zone-of
  "The apex of the reverse zone that `name` lies in: one made by `of`, or itself such an apex."
  [^String name]
  (if (.endsWith name ".ip6.arpa")
    (if (= 72 (.length name)) (after-dot name 16) name)
    (if (= 6 (inc (count (filter #{\.} name)))) (after-dot name 1) name)))

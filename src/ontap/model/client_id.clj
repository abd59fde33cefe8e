;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.client-id
  "The client identifier of a link (DHCP option 61) as RFC 4361 wants it: 255, four bytes
  that tell the link (IAID), and the machine's DUID, here one made of a UUID (RFC 6355).
  Pure: which bytes they are is for others. All is hexadecimal text in lower case.

  Links that share a hardware address are told apart by nothing else, and a server gives
  the same identifier the same address again, so both parts have to stay what they are."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(defn- hex [what digits text]
  (let [text (str/lower-case (str text))]
    (when-not (and (= digits (count text)) (re-matches #"[0-9a-f]+" text))
      (throw (IllegalArgumentException. (str what " should be " digits " hexadecimal digits; found " (pr-str text)))))
    text))

(defn duid
  "The DUID-UUID (type 4) of sixteen bytes that stay with the machine. Six of their bits are
  set so that they are a UUID of version 8 (RFC 9562, section 5.8), for some look at that."
  [sixteen-bytes]
  (let [text (hex "what a DUID is made of" 32 sixteen-bytes)
        variant (bit-or 8 (bit-and 3 (Character/digit (.charAt ^String text 16) 16)))]
    (str "0004" (subs text 0 12) "8" (subs text 13 16) (format "%x" variant) (subs text 17))))

(defn iaid
  "The IAID of four bytes that stay with a name."
  [four-bytes]
  (hex "an IAID" 8 four-bytes))

(defn of
  "The client identifier of the link `iaid` of the machine `duid`."
  [duid iaid]
  (str "ff" (hex "an IAID" 8 iaid) duid))

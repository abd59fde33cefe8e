;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.secret
  "The host key, and what is derived from it: a stable secret per name (RFC 7217),
  so that a name has the same IPv6 address after every restart, and nobody who does
  not have the key can tell it beforehand."
  (:require [ontap.run.paths :as paths])
  (:import (java.io File)
           (java.nio ByteBuffer)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files)
           (java.security MessageDigest)
           (java.util Arrays HexFormat)
           (ontap.sys Io)))

(set! *warn-on-reflection* true)

(def ^:private key-bytes 32)

(defn- random-bytes ^bytes [n]
  (with-open [fd (Io/open "/dev/urandom" Io/O_RDONLY 0)]
    (let [buffer (byte-array n)]
      (loop [at 0]
        (when (< at n)
          (recur (+ at (long (Io/read fd buffer at (- n at)))))))
      buffer)))

(defn random-number
  "Any long, by chance."
  []
  (.getLong (ByteBuffer/wrap (random-bytes 8))))

(defn host-key
  "The 32 bytes of the host key in folder `dir`, made when there is none. Throws
  SysException, or with :reason ::damaged."
  ^bytes [dir]
  (let [file (str dir "/host.key")]
    (when-not (Io/stat file)
      (paths/make-dir! dir 0700)
      (Io/replace file
                  (.getBytes (str (.formatHex (HexFormat/of) (random-bytes key-bytes)) "\n")
                             StandardCharsets/US_ASCII)
                  0600))
    (let [text (.trim (Files/readString (.toPath (File. file))))]
      (if (re-matches #"[0-9a-f]{64}" text)
        (.parseHex (HexFormat/of) text)
        (throw (ex-info (str "unable to use " file ": it should be 64 hexadecimal digits; "
                             "remove it and a new key is made (every stable address changes)")
                        {:reason ::damaged}))))))

(defn- sha256 ^bytes [& parts]
  (let [digest (MessageDigest/getInstance "SHA-256")]
    (doseq [^bytes p parts] (.update digest p))
    (.digest digest)))

(defn- pad ^bytes [^bytes key n]
  (let [out (byte-array 64)]
    (dotimes [i 64]
      (aset-byte out i (unchecked-byte (bit-xor n (if (< i (alength key)) (aget key i) 0)))))
    out))

(defn- keyed
  "HMAC-SHA-256 (RFC 2104) of the host key over `label`, NUL and `name`."
  ^bytes [^bytes host-key ^String label ^String name]
  (let [message (.getBytes (str label "\u0000" name) StandardCharsets/UTF_8)]
    (sha256 (pad host-key 0x5c) (sha256 (pad host-key 0x36) message))))

(defn stable-secret
  "The 16 bytes of RFC 7217 for `name`. Pure."
  ^bytes [host-key name]
  (Arrays/copyOf (keyed host-key "ontap stable-secret 1" name) 16))

(defn- individual
  "6 bytes as a hardware address that is locally administered and of one station."
  ^bytes [^bytes six]
  (aset-byte six 0 (unchecked-byte (bit-or 2 (bit-and 0xfc (aget six 0)))))
  six)

(defn hwaddr
  "A hardware address for `name`: the same guest gets the same lease of a DHCP server on
  the next day. By chance when there is no name."
  ^bytes [host-key name]
  (individual (if name
                (Arrays/copyOf (keyed host-key "ontap hwaddr 1" name) 6)
                (random-bytes 6))))

(defn of-name
  "What goes with the name of a link: :secret of `stable-secret`; :hwaddr, for macvlan, another
  than that of a guest of the same name, whose link may be about to end on the same port; and
  :other-hwaddr (fn []) by chance, for when a link that is about to end still has that."
  [host-key name]
  (let [bytes (keyed host-key "ontap stable-secret 1" name)]
    {:secret       (Arrays/copyOf bytes 16)
     ;; the other bytes of the same hash: they tell nothing of the first, and cost nothing
     :hwaddr       (individual (Arrays/copyOfRange bytes 16 22))
     :other-hwaddr #(hwaddr host-key nil)}))

(defn duid
  "The 16 bytes, in hex, by which DHCP servers know this machine (RFC 6355: a UUID that lasts)."
  [host-key]
  (.formatHex (HexFormat/of) (Arrays/copyOf (keyed host-key "ontap duid 1" "") 16)))

(defn iaid
  "The 4 bytes, in hex, by which DHCP servers know `name` on this machine (RFC 4361); by
  chance when there is no name."
  [host-key name]
  (.formatHex (HexFormat/of) (if name
                               (Arrays/copyOf (keyed host-key "ontap iaid 1" name) 4)
                               (random-bytes 4))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mutants
  "Packets such as a broken or a hostile client of ontapd might send, by chance: requests
  with right and wrong lines, many of them changed here and there afterwards."
  (:require [clojure.string :as str])
  (:import (java.io ByteArrayOutputStream)
           (java.nio.charset StandardCharsets)
           (java.util Arrays Random)))

(set! *warn-on-reflection* true)

(defn one-of
  "One of the vector `xs`."
  [^Random chance xs]
  (nth xs (.nextInt chance (count xs))))

(def ^:private first-lines
  ["ontap 1 attach" "ontap 1 attach" "ontap 1 attach" "ontap 1 leases" "ontap 1 release" "ontap 1 ok" "ontap 1 refused"
   "ontap 1 atach" "ontap 2 attach" "ontap 1" "ontap" "ontap 1 " "ONTAP 1 attach" "ontap 99999999999999999999 attach"
   "GET / HTTP/1.1" "" "ontap 1 attach attach"])

(def ^:private values
  "key -> values, right and wrong."
  {"type"   ["macvlan" "macvtap" "macvlan" "macvtap" "ipvlan" "ipvtap" "tap" "veth" "macvla" "MACVTAP" "" " " "lo" "*"]
   "name"   ["web" "a" "db-1" "-" "web-" "WEB" "a.b" "é" "😀" "../x" "" "x y" (str/join (repeat 63 "a")) (str/join (repeat 64 "a"))]
   "queues" ["1" "2" "4" "64" "0" "65" "-1" "01" "+1" "1e3" "99999999999999999999" "one" ""]
   "link"   ["eth0" "net1" "lo" "." ".." "a/b" "eth0:1" "é" "fifteen-letters" "sixteen-letters!" "all" "default" "%d" ""]
   "mode"   ["bridge" "private" "vepa" "l2" "l3" "l3s" "passthru" "source" "0" ""]
   "setup"  ["slaac" "none" "dhcp" ""]
   "lease"  ["namespace" "holder" "host" ""]
   "keep"   ["no" "no" "yes" "maybe" ""]
   "id"     ["1" "2" "17" "1000000" "0" "-1" "01" "999999999999999999" "9223372036854775807" "18446744073709551616" "x" ""]
   "port"   ["up0"]
   "fds"    ["tap" "lease"]
   "wait"   ["yes"]
   ""       ["" "x"]
   "0"      ["0"]})

(def ^:private all-keys (vec (keys values)))
(def ^:private usual-keys ["type" "type" "type" "name" "queues" "link" "mode" "setup" "lease" "keep" "id"])

(def well-formed
  "Texts of requests that can be granted; those of macvlan and ipvlan take a descriptor."
  ["ontap 1 attach\ntype macvlan\n" "ontap 1 attach\ntype macvlan\nlease holder\nlink net0\n" "ontap 1 attach\ntype macvtap\n"
   "ontap 1 attach\ntype macvtap\nqueues 3\nname vm\n" "ontap 1 attach\ntype macvtap\nkeep yes\nname kept\n" "ontap 1 leases\n"
   "ontap 1 release\nid 3\n" "ontap 1 attach\ntype ipvlan\nmode l2\n" "ontap 1 attach\ntype tap\n"])

(defn- utf8 ^bytes [^String s] (.getBytes s StandardCharsets/UTF_8))

(defn- lines
  "A request of lines drawn by chance."
  [^Random chance]
  (let [known (if (zero? (.nextInt chance 6)) all-keys usual-keys)]
    (apply str (one-of chance first-lines) "\n"
           (repeatedly (.nextInt chance 5)
                       #(let [k (one-of chance known)] (str k " " (one-of chance (values k)) "\n"))))))

(def ^:private pieces
  (mapv utf8 ["\n" " " "\n\n" "\u0000" "\r" "\t" "\u001b[2J" "\u009b" "\u2028" "é" "😀" "ontap 1 attach\n" "type macvtap\n" "keep yes\n"
              "name web\n" "id 1\n" "99999999999999999999" "%s%n" "../" "-"]))

(defn- joined ^bytes [& parts]
  (let [out (ByteArrayOutputStream.)]
    (doseq [^bytes part parts] (.writeBytes out part))
    (.toByteArray out)))

(defn- part ^bytes [^bytes bs from to] (Arrays/copyOfRange bs (int from) (int to)))

(defn- noise ^bytes [^Random chance n]
  (let [bs (byte-array n)] (.nextBytes chance bs) bs))

(defn- changed
  "`bs` with one thing about it changed."
  ^bytes [^Random chance ^bytes bs]
  (let [n (alength bs), i (.nextInt chance (inc n)), j (+ i (.nextInt chance (inc (- n i))))]
    (case (.nextInt chance 10)
      0 (let [copy (aclone bs)]
          (when (pos? n)
            (let [at (.nextInt chance n)] (aset-byte copy at (unchecked-byte (bit-flip (aget copy at) (.nextInt chance 8))))))
          copy)
      1 (joined (part bs 0 i) (part bs j n))
      2 (joined (part bs 0 j) (part bs i n))
      3 (joined (part bs 0 i) (one-of chance pieces) (part bs i n))
      4 (part bs 0 i)
      5 (joined bs (utf8 (one-of chance well-formed)))
      6 (joined (part bs 0 i) (noise chance (.nextInt chance 20)) (part bs i n))
      7 (joined (part bs 0 i) (byte-array (.nextInt chance (one-of chance [16 300 4200 70000])) (unchecked-byte (.nextInt chance 256)))
                (part bs i n))
      8 (joined bs (utf8 "x "))
      9 (noise chance (.nextInt chance 200)))))

(defn packet
  "The bytes of one packet."
  ^bytes [^Random chance]
  (let [begin (utf8 (if (zero? (.nextInt chance 4)) (one-of chance well-formed) (lines chance)))]
    (loop [bs begin, more (one-of chance [0 0 1 1 2 3])]
      (if (zero? (long more)) bs (recur (changed chance bs) (dec (long more)))))))

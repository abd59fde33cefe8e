;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.dns
  "The records of a zone become what the DNS server answers from: each change makes a new snapshot,
  which is swapped. What is asked meanwhile is answered from the old one."
  (:require [clojure.string :as str]
            [ontap.model.address :as address])
  (:import (java.util List)
           (ontap.dns Askers Askers$Rule Catalog Catalog$Change Catalog$Key RrSet Snapshot)))

(set! *warn-on-reflection* true)

(def ^:private numbers
  "Types by their number (IANA); 0: the name exists and has nothing."
  {:none 0 :a 1 :ns 2 :cname 5 :soa 6 :ptr 12 :mx 15 :txt 16 :aaaa 28 :srv 33})

(defn- quoted
  "A character string of TXT as master files write it (RFC 1035, 5.1): bytes beyond ASCII, quotes and
  backslashes as \\DDD."
  [^String s]
  (str \" (apply str (map (fn [b]
                            (let [b (bit-and 0xff (long b))]
                              (if (and (<= 32 b 126) (not= b 34) (not= b 92))
                                (char b)
                                (format "\\%03d" b))))
                          (.getBytes s "UTF-8")))
       \"))

(defn- text
  "One datum of a record as text."
  [type datum]
  (case type
    :txt (str/join " " (map quoted datum))
    (:mx :srv :soa) (str/join " " datum)
    datum))

(defn rrset
  "The RRset of a record (see doc/data.md)."
  ^RrSet [{:rr/keys [name type ttl data until-ms]}]
  (RrSet/of name (int (numbers type)) (long ttl) (long (or until-ms Long/MAX_VALUE))
            ^List (mapv #(text type %) data)))

(defn change
  "The change of view number `view`: records that are there now, and [name type] of those gone."
  ^Catalog$Change [view {:keys [put gone]}]
  (Catalog$Change. (int view) ^List (mapv rrset put)
                   ^List (mapv (fn [[name type]] (Catalog$Key. name (int (numbers type)))) gone)))

(defn- rule ^Askers$Rule [[prefix view]]
  (let [{:keys [ip prefix]} (address/prefixed prefix)]
    (Askers$Rule. (byte-array (map unchecked-byte (address/octets ip))) (int prefix) (int view))))

(defn askers
  "The table of [[prefix view-number] …]."
  ^Askers [rules]
  (Askers/of ^List (mapv rule rules)))

(defn changes
  "The changes of {view {:put :gone}}, a vector."
  [by-view]
  (mapv (fn [[view c]] (change view c)) by-view))

(defn after
  "The snapshot after `changes` (of that function), and with `rules` of askers, if there are new
  ones (nil: as they were)."
  ^Snapshot [^Snapshot snapshot changes rules]
  (Snapshot. (if (seq changes)
               (.with ^Catalog (.catalog snapshot) ^List changes)
               (.catalog snapshot))
             (if rules (askers rules) (.askers snapshot))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.zonefile-test
  "Master files: their lines, and BIND's named-checkzone, which must read them as what was meant."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [ontap.publish.formats :as formats]
            [ontap.publish.generated :as generated]
            [ontap.publish.zonefile :as zonefile]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn- rrset [name type & data] {:rr/name name :rr/type type :rr/ttl 60 :rr/data (vec data)})

(def ^:private soa (rrset "vanya" :soa ["ns.vanya" "hostmaster.vanya" 17 600 120 86400 10]))

(defn- lines [& records] (drop 2 (str/split-lines (zonefile/text "vanya" "private" (conj records soa)))))

(deftest the-lines-of-each-type
  (are [record expected] (= expected (lines record))
    (rrset "a.vanya" :a "10.0.0.1" "10.0.0.2") ["a.vanya. 60 IN A 10.0.0.1" "a.vanya. 60 IN A 10.0.0.2"]
    (rrset "a.vanya" :aaaa "fd00::1")          ["a.vanya. 60 IN AAAA fd00::1"]
    (rrset "vanya" :ns "ns.vanya")             ["vanya. 60 IN NS ns.vanya."]
    (rrset "vanya" :mx [10 "mail"])            ["vanya. 60 IN MX 10 mail."]
    (rrset "vanya" :mx [0 ""])                 ["vanya. 60 IN MX 0 ."]
    (rrset "w.vanya" :cname "a.vanya")         ["w.vanya. 60 IN CNAME a.vanya."]
    (rrset "a.vanya" :ptr "b.vanya")           ["a.vanya. 60 IN PTR b.vanya."]
    (rrset "_a._tcp.vanya" :srv [0 1 80 "a.vanya"]) ["_a._tcp.vanya. 60 IN SRV 0 1 80 a.vanya."]
    (rrset "a.vanya" :txt ["a\"b\\c;d" "ü"])   ["a.vanya. 60 IN TXT \"a\\034b\\092c;d\" \"\\195\\188\""]
    (rrset "a.vanya" :none)                    ["a.vanya. 0 IN TYPE65534 \\# 0"]
    (rrset "*.vanya" :a "10.0.0.1")            ["*.vanya. 60 IN A 10.0.0.1"]
    (rrset "_a._tcp.vanya" :ptr "Anna\\039s\\032w\\195\\188ki\\046._a._tcp.vanya") ["_a._tcp.vanya. 60 IN PTR Anna\\039s\\032w\\195\\188ki\\046._a._tcp.vanya."]
    (rrset "a\\059\\034._a._tcp.vanya" :txt [""])   ["a\\059\\034._a._tcp.vanya. 60 IN TXT \"\""]
    (rrset "a b\nc.vanya" :a "10.0.0.1")       ["a\\032b\\010c.vanya. 60 IN A 10.0.0.1"]))

(deftest the-zone-begins-with-its-authority
  (is (= ["; written by ontap: vanya, as private askers see it"
          "vanya. 60 IN SOA ns.vanya. hostmaster.vanya. 17 600 120 86400 10"
          "vanya. 60 IN NS ns.vanya."
          "vanya. 60 IN TXT \"x\""
          "a.vanya. 60 IN A 10.0.0.1"]
         (str/split-lines (zonefile/text "vanya" "private"
                                         [(rrset "a.vanya" :a "10.0.0.1") (rrset "vanya" :txt ["x"]) (rrset "local" :soa ["x" "y" 1 1 1 1 1])
                                          (rrset "b.local" :a "169.254.0.1") (rrset "vanya" :ns "ns.vanya") soa])))))

(deftest a-zone-that-is-not-there
  (is (nil? (zonefile/text "vanya" "foreign" [])))
  (is (= "" (formats/text {:publish/format :zone} {:domain "vanya" :views {0 [] 1 [] 2 []}}))))

;; --- named-checkzone

(defn- read-back
  "[name ttl type data] of all records that named-checkzone reads in a file of zone `apex`; what it says is on stderr."
  [dir apex text]
  (let [file (io/file dir "zone")]
    (spit file text)
    (let [{:keys [exit out err]} (testing/run {} "named-checkzone" "-i" "full" "-k" "ignore" "-D" "-o" "-" apex file)]
      {:exit exit :said err
       :records (into #{} (comp (remove #(str/starts-with? % ";")) (map #(str/split % #"\s+" 5))
                                (map (fn [[name ttl _ type data]] [name ttl type data])))
                      (str/split-lines out))})))

(deftest ^{:jdk :floor} named-reads-what-was-written
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v named-checkzone")))
    (testing/skip! "named-checkzone is not installed (Debian: bind9-utils)"))
  (let [seed (System/nanoTime), facts (generated/facts seed 200)]
    (testing/with-temp-dir [dir]
      (doseq [[view records] (:views facts)
              [apex text]    (zonefile/texts "some" records)
              ;; the reverse zones are all of one kind
              :when          (or (not (str/ends-with? apex ".arpa")) (zero? (mod (hash apex) 3)))
              :let [{:keys [exit said records]} (read-back dir apex text)
                    written (into #{} (comp (remove #(str/starts-with? % ";"))
                                            (map #(let [[name ttl _ type data] (str/split % #" " 5)] [name ttl type data])))
                                  (str/split-lines text))
                    ;; it writes them its own way
                    alike (fn [[name ttl type data]] [(generated/our-way name) ttl type (cond (= "PTR" type) (generated/our-way data)
                                                                               (not (#{"TXT" "SOA" "TYPE65534"} type)) data)])]]
        (is (= 0 exit) (str apex " of view " view ", seed " seed ": " said))
        (is (= (into #{} (map alike) written) (into #{} (map alike) records)))
        (is (= (count written) (count records)))))))

(deftest a-folder-has-all-zones
  (let [facts (generated/facts 3 20)
        files (formats/files {:publish/format :zone :publish/view :foreign :publish/file "/somewhere/"} facts)]
    (is (contains? files "/somewhere/vanya.zone"))
    (is (contains? files "/somewhere/113.0.203.in-addr.arpa.zone"))
    (is (not (contains? files "/somewhere/local.zone")))
    (is (= (set (map #(str "/somewhere/" % ".zone") (zonefile/apexes (get-in facts [:views 2])))) (set (keys files))))
    (is (= {"/somewhere/x" (get files "/somewhere/vanya.zone")}
           (formats/files {:publish/format :zone :publish/view :foreign :publish/file "/somewhere/x"} facts)))))

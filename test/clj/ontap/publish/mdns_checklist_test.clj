;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-checklist-test
  "Lines 6, 7 and 25 of the checklist of multicast DNS where bytes are made: sizes, splitting and
  compression (RFC 6762 sections 7.2, 10.2, 17 and 18.14). The bytes are looked at by hand, or by dnsjava."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as mdns-record]
            [ontap.publish.mdns-wire :as mdns-wire])
  (:import (org.xbill.DNS Message Record Section)))

(set! *warn-on-reflection* true)

(def ^:private ethernet "An Ethernet MTU less the headers of IPv6 and UDP (17)." 1452)
(def ^:private most "9000 bytes less the same headers (17)." 8952)

(defn- read-back [^bytes packet] (mdns-wire/message packet (alength packet)))
(defn- latin [^bytes packet] (String. packet "ISO-8859-1"))
(defn- size [^bytes packet] (alength packet))
(defn- all-records [m] (mapcat m [:message/answers :message/authorities :message/additionals]))
(defn- dnsjava [^bytes packet] (Message. packet))

(deftest line-6-sizes
  (testing "many records: as many packets as it takes, none above the MTU, nothing lost (17, 8.3)"
    (doseq [n [1 10 40 500]
            :let [records (for [i (range n)] (peer/record ["_http._tcp.local" :ptr (str "instance number " i "._http._tcp.local")]))
                  packets (mdns-wire/packets (peer/response records) ethernet)]]
      (is (every? #(<= (long (size %)) (long ethernet)) packets))
      (is (= (map mdns-record/identity-of records) (map mdns-record/identity-of (mapcat (comp :message/answers read-back) packets))))
      (is (every? #(= n %) [(reduce + (map #(count (.getSection ^Message (dnsjava %) Section/ANSWER)) packets))]) "dnsjava reads the same")))
  (testing "additionals are left out rather than sent in a packet of their own"
    (let [records (for [i (range 30)] (peer/record ["_http._tcp.local" :ptr (str "i" i "._http._tcp.local")]))
          more    (for [i (range 100)] (peer/record [(str "i" i "._http._tcp.local") :txt [(apply str (repeat 100 "x"))]]))]
      (is (= 1 (count (mdns-wire/packets (peer/response records :more more) ethernet))))))
  (testing "one record that is too long goes alone, in one datagram (17)"
    (let [small   (peer/record ["web.local" :a "10.0.0.5"])
          big     (peer/record ["web.local" :txt (repeat 12 (apply str (repeat 250 "x")))])
          packets (mdns-wire/packets (peer/response [small big (peer/record ["api.local" :a "10.0.0.6"])]) ethernet)
          with    (first (filter #(some (fn [r] (= 16 (:mdns/type r))) (all-records (read-back %))) packets))]
      (is (< (long ethernet) (long (size with)) (long most)))
      (is (= 1 (count (all-records (read-back with)))) "17: MUST NOT contain more than one resource record")
      (is (= 3 (count (mapcat (comp all-records read-back) packets))))))
  (testing "never more than 9000 bytes, headers included (17)"
    (doseq [strings [34 35 36 37 60]
            packet  (mdns-wire/packets (peer/response [(peer/record ["web.local" :a "10.0.0.5"])
                                                       (peer/record ["web.local" :txt (repeat strings (apply str (repeat 255 "x")))])]) ethernet)]
      (is (<= (long (size packet)) (long most)) (str strings " strings"))))
  (testing "the limit itself: a message of exactly so many bytes is one packet"
    (let [record (fn [n] (peer/record ["web.local" 65280 (apply str (repeat n \x))]))
          n (- (long ethernet) 12 11 10)]
      (is (= [ethernet] (mapv size (mdns-wire/packets (peer/response [(record n)]) ethernet)))))))

(deftest line-21-known-answers-in-several-packets
  (let [known   (for [i (range 200)] (peer/record ["_http._tcp.local" :ptr (str "instance number " i "._http._tcp.local")] :flush? false))
        packets (mdns-wire/packets (peer/query [["_http._tcp.local" :ptr]] :known known) ethernet)
        back    (mapv read-back packets)]
    (is (< 1 (count packets)))
    (is (every? #(<= (long (size %)) (long ethernet)) packets))
    (is (= (conj (vec (repeat (dec (count packets)) true)) false) (mapv :message/truncated? back)) "7.2: TC but in the last")
    (is (= (into [1] (repeat (dec (count packets)) 0)) (mapv (comp count :message/questions) back)) "7.2: the question in the first only")
    (is (= (map peer/fact known) (map peer/fact (mapcat :message/answers back))))
    (is (not-any? :mdns/flush? (mapcat all-records back)) "10.2")))

(deftest line-25-sets-stay-together
  (testing "a unique set that fits into a packet is in one (10.2)"
    (let [hosts (for [i (range 60)] [(str "host-" i ".local") (map #(str "fd00::" (format "%x" i) ":" %) (range 1 6))])
          packets (mdns-wire/packets (peer/response (for [[n ips] hosts, ip ips] (peer/record [n :aaaa ip]))) ethernet)]
      (is (< 1 (count packets)))
      (doseq [p packets, [_ set] (group-by mdns-record/set-of (all-records (read-back p)))]
        (is (= 5 (count set))))))
  (testing "the records of a probed name are with its question (8.2)"
    (let [facts (for [i (range 100)] [(str "host-" i ".local") :a (str "10.0.0." i)])
          packets (mdns-wire/packets (peer/probe facts) ethernet)
          back (map read-back packets)]
      (is (< 1 (count packets)))
      (is (= 100 (count (mapcat :message/questions back))))
      (doseq [m back]
        (is (= (set (map :mdns/name (:message/questions m))) (set (map :mdns/name (:message/authorities m)))))
        (is (not (:message/truncated? m)) "7.2: TC says that known answers follow")))))

(def ^:private name-bytes (peer/name-of "printer.example.local"))

(def ^:private with-names
  "Types with names in their data that are compressed (18.14): what stands before, how many names, what stands after."
  {:NS [2 "" 1 ""], :CNAME [5 "" 1 ""], :SOA [6 "" 2 (apply str (repeat 20 \u0001))], :PTR [12 "" 1 ""], :MX [15 "\u0000\n" 1 ""],
   :RP [17 "" 2 ""], :AFSDB [18 "\u0000\u0001" 1 ""], :RT [21 "\u0000\u0001" 1 ""], :PX [26 "\u0000\u0001" 2 ""],
   :SRV [33 "\u0000\u0000\u0000\u0000\u0000P" 1 ""], :KX [36 "\u0000\u0001" 1 ""], :DNAME [39 "" 1 ""], :NSEC [47 "" 1 "\u0000\u0001@"]})

(defn- one-record [type data] (mdns-record/record name-bytes type 120 data true))

(deftest line-7-compression
  (doseq [[word [type before n after]] with-names
          :let [data   (str before (apply str (repeat n name-bytes)) after)
                record (one-record type data)
                [p]    (mdns-wire/packets (peer/response [record]) ethernet)
                expected (+ 12 (count name-bytes) 10 (count before) (* 2 (long n)) (count after))]]
    (testing (name word)
      (is (= expected (size p)) "18.14: two bytes for each name in the data")
      (is (= record (first (:message/answers (read-back p)))) "and written out again when it is read")
      (is (= (seq data) (map char (map #(bit-and 0xff (long %)) (.rdataToWireCanonical ^Record (first (.getSection ^Message (dnsjava p) Section/ANSWER))))))
          "dnsjava reads the same")))
  (testing "no name in other types (18.14)"
    (doseq [type [1 13 16 28 24 46 99 65280]
            :let [data (str "\u0001\u0002" name-bytes), [p] (mdns-wire/packets (peer/response [(one-record type data)]) ethernet)]]
      (is (= (+ 12 (count name-bytes) 10 (count data)) (size p)) (str type))
      (is (str/ends-with? (latin p) data))))
  (testing "names of questions and records, in queries too (18.14)"
    (let [[p] (mdns-wire/packets (peer/probe [["printer.example.local" :a "10.0.0.5"] ["x.example.local" :a "10.0.0.6"]]) ethernet)]
      (is (= 1 (count (re-seq #"example" (latin p)))))
      (is (= 1 (count (re-seq #"printer" (latin p)))))))
  (testing "SRV in an answer to a legacy querier is written out (18.14)"
    (let [data (str "\u0000\u0000\u0000\u0000\u0000P" name-bytes)
          [p]  (mdns-wire/packets (assoc (peer/response [(one-record 33 data)]) :message/legacy? true) ethernet)]
      (is (str/ends-with? (latin p) data))))
  (testing "case is kept: only equal bytes are shared"
    (let [records [(one-record 12 (peer/name-of "Printer.example.local"))]
          [p] (mdns-wire/packets (peer/response records) ethernet)]
      (is (= records (:message/answers (read-back p)))))))

(deftest line-7-reading
  (let [head "\u0000\u0000\u0084\u0000\u0000\u0000\u0000\u0001\u0000\u0000\u0000\u0000"
        octets (fn [^String s] (.getBytes s "ISO-8859-1"))
        owner  "\u0003web\u0005local\u0000"
        read   (fn [type data] (first (:message/answers (read-back (octets (str head owner "\u0000" (char type) "\u0080\u0001\u0000\u0000\u0000x\u0000"
                                                                               (char (count data)) data))))))]
    (testing "a compressed target of SRV MUST be understood (18.14)"
      (is (= [80 "web.local"] (nth (peer/fact (read 33 "\u0000\u0000\u0000\u0000\u0000P\u00c0\u000c")) 2)))
      (is (= [80 "x.local"] (nth (peer/fact (read 33 "\u0000\u0000\u0000\u0000\u0000P\u0001x\u00c0\u0010")) 2))))
    (testing "a compressed NSEC (18.14, 6.1)"
      (is (= #{:a} (nth (peer/fact (read 47 "\u00c0\u000c\u0000\u0001@")) 2)))
      (is (= owner (subs (:mdns/rdata (read 47 "\u00c0\u000c\u0000\u0001@")) 0 (count owner)))))
    (testing "bit 15 of the class is no part of it (10.2)"
      (is (= [1 true 120] ((juxt :mdns/class :mdns/flush? :mdns/ttl) (read 1 "\n\u0000\u0000\u0005")))))
    (testing "an NSEC that is none does not spoil the message (6.1)"
      (is (some? (read 47 "\u00c0\u000c\u0000\u0040@"))))
    (testing "one with another next name is read (6.1)"
      (is (= #{:a} (nth (peer/fact (read 47 "\u0001x\u00c0\u0010\u0000\u0001@")) 2))))))

(deftest line-2-and-3-the-header
  (testing "what is sent (18.1 to 18.11)"
    (is (= [0 0 0x84 0] (map #(bit-and 0xff (long %)) (take 4 (first (mdns-wire/packets (peer/response [(peer/record ["web.local" :a "10.0.0.5"])]) ethernet))))))
    (is (= [0 0 0 0] (map #(bit-and 0xff (long %)) (take 4 (first (mdns-wire/packets (peer/probe [["web.local" :a "10.0.0.5"]]) ethernet)))))))
  (testing "RD, RA, Z, AD and CD are ignored when they come (18.6 to 18.10)"
    (let [^bytes p (first (mdns-wire/packets (peer/response [(peer/record ["web.local" :a "10.0.0.5"])]) ethernet))
          other (aclone p)]
      (aset other 2 (unchecked-byte 0x87))
      (aset other 3 (unchecked-byte 0xf0))
      (is (= (dissoc (read-back p) :message/truncated?) (dissoc (read-back other) :message/truncated?)))))
  (testing "the top bit of a question's class (18.12)"
    (is (= [true 1] ((juxt :mdns/unicast? :mdns/class)
                     (first (:message/questions (read-back (first (mdns-wire/packets (peer/query [["web.local" :a :qu]]) ethernet))))))))))

(deftest line-30-names
  (testing "255 bytes and the root's zero are a name (Appendix C); one more is none"
    (let [labels (fn [n] (concat (repeat 3 (apply str (repeat 63 \a))) [(apply str (repeat n \b))]))
          longest (mdns-name/of-labels (labels 62))]
      (is (= 256 (count longest)))
      (is (nil? (mdns-name/of-labels (labels 63))))
      (let [[p] (mdns-wire/packets (peer/response [(mdns-record/address-record longest "10.0.0.5")]) ethernet)]
        (is (= longest (:mdns/name (first (:message/answers (read-back p)))))))))
  (testing "UTF-8, spaces, dots and any byte (16)"
    (doseq [label ["Küche" "Dr. No" "a b" "\ufeffx"]]
      (let [n (mdns-name/of-labels [label "local"])
            [p] (mdns-wire/packets (peer/response [(mdns-record/address-record n "10.0.0.5")]) ethernet)]
        (is (= [label "local"] (mdns-name/labels (:mdns/name (first (:message/answers (read-back p)))))))
        (is (str/includes? (latin p) (mdns-name/bytes-of label)))))))

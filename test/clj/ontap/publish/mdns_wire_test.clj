;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.mdns-wire-test
  "Messages of multicast DNS as plain data and as bytes. How bytes are read, written and divided is in the tests of ontap.mdns;
  here are the maps, and tshark(1) as another reader."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [ontap.harness.mdns-packets :as packets]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.publish.mdns-wire :as wire]
            [ontap.testing :as testing])
  (:import (java.io ByteArrayOutputStream)
           (java.nio ByteBuffer)
           (java.util HexFormat)))

(set! *warn-on-reflection* true)

(defn- name-of [text] (mdns-name/of-text text))
(defn- hex [^bytes b] (.formatHex (HexFormat/of) b))
(defn- unhex ^bytes [text] (.parseHex (HexFormat/of) (str/replace text " " "")))
(defn- read-back [^bytes b] (wire/message b (alength b)))

(def ^:private web (name-of "web.local"))
(def ^:private instance (name-of "Anna's wiki._http._tcp.local"))

(def ^:private nothing
  {:message/id 0 :message/response? false :message/opcode 0 :message/rcode 0 :message/authoritative? false :message/truncated? false
   :message/questions [] :message/answers [] :message/authorities [] :message/additionals []})

(def ^:private host
  [(record/address-record web "10.0.0.5")
   (record/address-record web "fd00::5")
   (record/nsec-record web [record/a record/aaaa] record/host-ttl)])

(def ^:private service
  [(record/ptr-record (name-of "_http._tcp.local") instance record/other-ttl false)
   (record/srv-record instance 80 web)
   (record/txt-record instance ["path=/"])])

(def ^:private reverse-pointer (record/ptr-record (record/reverse-name "10.0.0.5") web record/host-ttl true))

(deftest what-is-said-is-read
  (are [message] (= [(merge nothing message)] (mapv read-back (wire/packets message 1452)))
    {:message/questions [{:mdns/name web :mdns/type record/any :mdns/class record/in :mdns/unicast? true}]
     :message/authorities (mapv #(assoc % :mdns/flush? false) (take 2 host))}
    {:message/questions [{:mdns/name web :mdns/type record/a :mdns/class 255 :mdns/unicast? false}]
     :message/answers (vec (take 1 service)) :message/truncated? true}
    {:message/response? true :message/authoritative? true :message/answers (conj host reverse-pointer) :message/additionals service}
    {:message/response? true :message/answers (mapv record/goodbye service)}
    {:message/id 0xfffe :message/response? true :message/opcode 5 :message/rcode 11 :message/answers host}
    {:message/response? true :message/additionals [{:mdns/name "\u0000" :mdns/type 41 :mdns/class 0x85a0 :mdns/ttl 0 :mdns/rdata ""
                                                    :mdns/flush? false}]}
    ;; a type of which nothing is known, and the longest TTL
    {:message/response? true :message/answers [(record/record web 65535 0x7fffffff "\u00c0\u000c" false)]}))

(deftest the-very-bytes
  (is (= (str "000084000000000100000000" "03776562056c6f63616c00" "0001" "8001" "00000078" "0004" "0a000005")
         (hex (first (wire/packets {:message/response? true :message/authoritative? true :message/answers [(first host)]} 1452)))))
  (is (= (merge nothing {:message/questions [{:mdns/name web :mdns/type 28 :mdns/class 1 :mdns/unicast? true}]})
         (read-back (unhex "0000 0000 0001 0000 0000 0000 03776562 056c6f63616c00 001c 8001"))))
  (is (= [] (wire/packets {} 1452)) "nothing to say"))

(deftest what-is-none
  (is (nil? (wire/message (byte-array 11) 11)))
  (is (nil? (read-back (unhex "0000 0000 0001 0000 0000 0000 c00c 001c 8001"))))
  (is (nil? (wire/message (unhex "0000 0000 0001 0000 0000 0000 03776562 056c6f63616c00 001c 8001") 26))))

(deftest legacy-replies
  (let [message {:message/id 77 :message/response? true :message/authoritative? true :message/legacy? true
                 :message/questions [{:mdns/name instance :mdns/type record/srv :mdns/class 1 :mdns/unicast? false}]
                 :message/answers   [(assoc (second service) :mdns/flush? false :mdns/ttl 10)]}
        target  "03776562056c6f63616c00"
        ends?   (fn [message text] (str/ends-with? (hex (first (wire/packets message 512))) text))]
    (is (ends? message target) "RFC 6762 section 18.14: an SRV is not compressed")
    (is (not (ends? (dissoc message :message/legacy?) target)))
    (is (= [(merge nothing (dissoc message :message/legacy?))] (mapv read-back (wire/packets message 512))))
    (is (= [true] (mapv (comp :message/truncated? read-back) (wire/packets (update message :message/answers (comp vec (partial repeat 20) first)) 512)))
        "what is missing is said")))

(deftest several-packets
  (let [known (mapv #(record/ptr-record (name-of "_http._tcp.local") (name-of (str "n" % "._http._tcp.local")) 4500 false) (range 200))
        parts (mapv read-back (wire/packets {:message/questions [{:mdns/name (name-of "_http._tcp.local") :mdns/type 12 :mdns/class 1}]
                                             :message/answers known} 1452))]
    (is (= (conj (vec (repeat (dec (count parts)) true)) false) (mapv :message/truncated? parts)))
    (is (= known (into [] (mapcat :message/answers) parts)))
    (is (= (cons 1 (repeat (dec (count parts)) 0)) (map (comp count :message/questions) parts)))))

(deftest interests
  (let [ours (wire/interest #{web (name-of "_http._tcp.local")})
        asks (fn [text] (first (wire/packets {:message/questions [{:mdns/name (name-of text) :mdns/type 1 :mdns/class 1}]} 1452)))
        does? (fn [^bytes b] (wire/interests? ours b (alength b)))]
    (is (does? (asks "web.local")))
    (is (does? (asks "WEB.Local")))
    (is (not (does? (asks "web2.local"))))
    (is (not (does? (asks "local"))))
    (is (does? (first (wire/packets {:message/response? true :message/answers [(record/address-record (name-of "other.local") "10.0.0.9")]} 1452)))
        "a response says who has what")))

;; --- another reader

(defn- capture
  "Messages in packets of IPv4 from 10.0.0.1 to the group, as a file that tshark reads (pcap, link type IPv4)."
  [file messages]
  (let [out (ByteArrayOutputStream.)
        put (fn [^ByteBuffer b] (.writeBytes out (.array b)))]
    (put (reduce (fn [^ByteBuffer b n] (.putInt b (unchecked-int n))) (ByteBuffer/allocate 24) [0xa1b2c3d4 0x00020004 0 0 65535 228]))
    (doseq [^bytes m messages
            :let [n (+ 28 (alength m))]]
      (put (reduce (fn [^ByteBuffer b n] (.putInt b (int n))) (ByteBuffer/allocate 16) [0 0 n n]))
      (put (-> (ByteBuffer/allocate n)
               (.putInt (unchecked-int (bit-or 0x45000000 n))) (.putInt 0) (.putInt (unchecked-int 0xff110000))
               (.putInt 0x0a000001) (.putInt (unchecked-int 0xe00000fb))
               (.putShort (short 5353)) (.putShort (short 5353)) (.putShort (short (- n 20))) (.putShort (short 0)) (.put m))))
    (io/copy (.toByteArray out) file)))

(deftest ^{:jdk :floor} tshark-reads-what-is-written
  (packets/needs!)
  (testing/with-temp-dir [dir]
    (let [file (io/file dir "mdns.pcap")
          many (mapv #(record/address-record (name-of (str "n" % ".local")) "10.0.0.5") (range 100))]
      (capture file (mapcat #(wire/packets % 1452)
                            [{:message/questions [{:mdns/name web :mdns/type record/any :mdns/class 1 :mdns/unicast? true}]
                              :message/authorities (mapv #(assoc % :mdns/flush? false) (take 2 host))}
                             {:message/response? true :message/authoritative? true :message/answers service :message/additionals host}
                             {:message/response? true :message/answers many}]))
      (let [[probe response & more :as all] (packets/read-now {:file (str file)})]
        (is (not-any? :malformed? all))
        (is (= [{:name "web.local" :type "ANY" :unicast? true}] (:questions probe)))
        (is (= [["web.local" "A" 120 false "10.0.0.5"] ["web.local" "AAAA" 120 false "fd00::5"]]
               (map (juxt :name :type :ttl :flush? :data) (:authorities probe))))
        (is (= [0 0x8400] [(:flags probe) (:flags response)]))
        (is (= [["_http._tcp.local" "PTR" 4500 false "Anna's wiki._http._tcp.local"]
                ["Anna's wiki._http._tcp.local" "SRV" 120 true "web.local"]
                ["Anna's wiki._http._tcp.local" "TXT" 4500 true ["path=/"]]]
               (map (juxt :name :type :ttl :flush? :data) (:answers response))))
        (is (= [["web.local" "A" 120 true "10.0.0.5"] ["web.local" "AAAA" 120 true "fd00::5"] ["web.local" "NSEC" 120 true "web.local"]]
               (map (juxt :name :type :ttl :flush? :data) (:additionals response))))
        (is (= #{"A" "AAAA"} (:types (last (:additionals response)))))
        (is (= (map #(str "n" % ".local") (range 100)) (map :name (mapcat :answers more))))
        (is (< 1 (count more)))
        (is (every? #(<= (long (:length %)) 1480) all))))))

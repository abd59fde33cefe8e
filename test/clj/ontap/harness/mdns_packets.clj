;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mdns-packets
  "What is on the wire of a LAN (`ontap.harness.lan`), port 5353, as tcpdump(1) writes it with the kernel's times and
  tshark(1) reads it: our own reader has no part in it."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.xml :as xml]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing])
  (:import (java.io ByteArrayInputStream)
           (java.nio.charset StandardCharsets)))

(set! *warn-on-reflection* true)

(defn needs!
  "Leaves the test unless tcpdump and tshark are here."
  []
  (doseq [[command package] [["tcpdump" "tcpdump"] ["tshark" "tshark"]]]
    (when-not (= 0 (:exit (testing/run {} "sh" "-c" (str "command -v " command))))
      (testing/skip! (str command " is not installed (Debian: " package ")")))))

;; --- captured

(defn start!
  "Starts to write down what passes the peer's end of the cable of `lan` to or from port 5353, or what the filter (see
  pcap-filter(7)) lets through; returns once it does. Ended with the LAN, or by `stop!`."
  ([lan] (start! lan "udp port 5353"))
  ([lan filter]
   (let [file (.getPath (io/file (:dir lan) "mdns.pcap"))
         it   (apply lan/spawn {}
                     (lan/in (:peer lan) "tcpdump" "-i" "lan0" "--immediate-mode" "-U" "-B" "16384" "-Z" "root"
                             "--time-stamp-precision" "nano" "-w" file filter))]
     (swap! (:supervisors lan) conj it)
     (lan/await-line it #"listening on lan0")
     (assoc it :file file))))

(def ^:private types {1 "A" 12 "PTR" 16 "TXT" 28 "AAAA" 33 "SRV" 41 "OPT" 47 "NSEC" 255 "ANY"})
(def ^:private data-of {"A" "dns.a" "AAAA" "dns.aaaa" "PTR" "dns.ptr.domain_name" "SRV" "dns.srv.target" "NSEC" "dns.nsec.next_domain_name"})

(defn- type-of [text] (when-let [n (some-> text parse-long)] (get types n n)))

(defn- whole [text]
  (cond (nil? text)                   0
        (str/starts-with? text "0x") (Long/parseLong (subs text 2) 16)
        :else                        (or (parse-long text) 0)))

(defn- shown
  "What the fields of an element of PDML that have a name show, at any depth: name -> texts, in order."
  [element]
  (reduce (fn [m {{:keys [name show]} :attrs}] (if (str/blank? name) m (update m name (fnil conj []) show)))
          {} (tree-seq map? :content element)))

(defn- owner
  "tshark 4.0 gives the name of an SRV record in three parts, and in no other field."
  [of]
  (or (first (of "dns.resp.name"))
      (str/join "." (keep #(first (of %)) ["dns.srv.service" "dns.srv.proto" "dns.srv.name"]))))

(defn- record [element]
  (let [of   (shown element)
        one  #(first (of %))
        type (type-of (one "dns.resp.type"))]
    (cond-> {:name (owner of) :type type :ttl (some-> (one "dns.resp.ttl") parse-long)
             :flush? (contains? #{"1" "True"} (one "dns.resp.cache_flush")) :data (some-> (data-of type) one)}
      (= "TXT" type)  (assoc :data (of "dns.txt"))
      ;; the types in its bitmap
      (= "NSEC" type) (assoc :types (set (map type-of (rest (of "dns.resp.type"))))))))

(defn- question [element]
  (let [of (shown element)]
    {:name      (first (of "dns.qry.name"))
     :type      (type-of (first (of "dns.qry.type")))
     :unicast?  (contains? #{"1" "True"} (first (of "dns.qry.qu")))}))

(defn- packet [element]
  (let [proto   (fn [& names] (some #(when (contains? (set names) (:name (:attrs %))) %) (:content element)))
        lower   (into {} (mapcat #(shown (proto %))) ["geninfo" "frame" "eth" "ip" "ipv6" "udp"])
        message (proto "mdns" "dns")
        head    (shown {:content (remove #(str/blank? (:name (:attrs %))) (:content message))})
        one     #(first (lower %))
        section (fn [title f]
                  (into [] (comp (filter #(= title (:show (:attrs %)))) (mapcat :content) (map f)) (:content message)))
        flags   (whole (first (head "dns.flags")))]
    {:at          (* 1000 (parse-double (one "frame.time_epoch")))
     :mac         (one "eth.src")
     :from        (or (one "ip.src") (one "ipv6.src"))
     :to          (or (one "ip.dst") (one "ipv6.dst"))
     :family      (if (one "ip.src") :ipv4 :ipv6)
     :hops        (whole (or (one "ip.ttl") (one "ipv6.hlim")))
     :length      (if (one "ip.len") (whole (one "ip.len")) (+ 40 (whole (one "ipv6.plen"))))
     :port        (whole (one "udp.srcport"))
     :to-port     (whole (one "udp.dstport"))
     :id          (whole (first (head "dns.id")))
     :flags       flags
     :response?   (bit-test flags 15)
     :questions   (section "Queries" question)
     :answers     (section "Answers" record)
     :authorities (section "Authoritative nameservers" record)
     :additionals (section "Additional records" record)
     :malformed?  (or (nil? message) (some? (proto "_ws.malformed")))}))

(defn read-now
  "The packets that a capture of `start!` has up to now, in order: {:at ms by the kernel :mac :from :to :family :hops
  :length (with the IP header) :port :to-port :id :flags :response? :malformed?, :questions [{:name :type \"ANY\"
  :unicast?}], and in each of :answers :authorities :additionals [{:name :type :ttl :flush? :data}]}; :data of A, AAAA, PTR,
  SRV (its target), NSEC (and :types) and TXT (its strings). A type that has no name here is its number."
  [{:keys [file]}]
  (let [{:keys [out err]} (testing/run {:limit-s 100} "tshark" "-n" "-r" file "-T" "pdml")]
    (when (str/blank? out) (throw (ex-info (str "tshark: " err) {})))
    ;; a file that is still written may end in the middle of a packet, which it says
    (mapv packet (:content (xml/parse (ByteArrayInputStream. (.getBytes ^String out StandardCharsets/UTF_8)))))))

(defn stop!
  "Ends a capture, and gives its packets as `read-now` does."
  [capture]
  (lan/end! capture "INT")
  (read-now capture))

;; --- looked through

(defn of-mac
  "Those of `packets` that came from the link with the address `mac`."
  [mac packets]
  (filterv #(= mac (:mac %)) packets))

(defn asks?
  "Has the packet a question for `name` and `type`?"
  [{:keys [questions]} name type]
  (boolean (some #(and (= name (:name %)) (= type (:type %))) questions)))

(defn tells
  "The records of `section` (:answers …) with that name, type and TTL test `ttl?`; all of them when not given."
  ([packet section name type] (tells packet section name type (constantly true)))
  ([packet section name type ttl?]
   (filterv #(and (= name (:name %)) (= type (:type %)) (ttl? (or (:ttl %) 0))) (get packet section))))

(defn probe?
  "Is it a probe for `name` (RFC 6762 section 8.1)?"
  [packet name]
  (and (not (:response? packet)) (asks? packet name "ANY") (boolean (some #(= name (:name %)) (:authorities packet)))))

(defn says?
  "Is it a multicast response with a record of name and type, alive?"
  [packet name type]
  (and (:response? packet) (seq (tells packet :answers name type pos?)) (contains? #{"224.0.0.251" "ff02::fb"} (:to packet))))

(defn goodbye?
  "Is it a multicast response with a record of name and type whose TTL is 0?"
  [packet name type]
  (and (:response? packet) (boolean (seq (tells packet :answers name type zero?)))))

(defn gaps
  "Milliseconds between each of `packets` and the next."
  [packets]
  (mapv (fn [[a b]] (- (:at b) (:at a))) (partition 2 1 packets)))

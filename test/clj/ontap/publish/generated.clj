;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.generated
  "A zone of as many names as one likes, with addresses of all kinds, as the records of its three
  views; by a seed."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.presented :as presented])
  (:import (java.util Random)))

(set! *warn-on-reflection* true)

(def domain "vanya")

(def askers
  "Prefixes and their views, as a machine with two global prefixes has them."
  (into [["203.0.113.0/24" 1] ["2001:db8:1::/64" 1] ["10.99.0.0/17" 2]]
        (map #(vector % 0))
        ["10.0.0.0/8" "172.16.0.0/12" "192.168.0.0/16" "100.64.0.0/10" "169.254.0.0/16" "127.0.0.0/8"
         "fc00::/7" "fe80::/10" "::1/128"]))

(defn- hex [^Random r n] (apply str (repeatedly n #(Long/toHexString (.nextInt r 16)))))

(defn- v6 [^Random r prefix]
  (address/canonical (str prefix ":" (str/join ":" (repeatedly 4 #(hex r 4))))))

(defn- some-of [^Random r per-cent f] (when (< (.nextInt r 100) (long per-cent)) (vec (distinct (repeatedly (inc (.nextInt r 2)) f)))))

(defn- host
  "{:global [ip] :lan [ip] :local [ip]}"
  [^Random r]
  (let [o #(inc (.nextInt r 254))]
    {:global (vec (concat (some-of r 50 #(str "203.0.113." (o))) (some-of r 10 #(str "192.0.2." (o)))
                          (some-of r 60 #(v6 r "2001:db8:1:0"))))
     :lan    (vec (concat (some-of r 50 #(str "10.1." (.nextInt r 4) "." (o))) (some-of r 10 #(str "100.64.1." (o)))
                          (some-of r 60 #(v6 r "fd00:0:0:7"))))
     :local  (vec (concat (some-of r 80 #(v6 r "fe80:0:0:0")) (some-of r 10 #(str "169.254.3." (o)))))}))

(defn- rrset [name type ttl data] {:rr/name name :rr/type type :rr/ttl ttl :rr/data (vec (sort data))})

(defn- address-sets [name ips ttl]
  (let [{v4 4, v6 6} (group-by address/family ips)]
    (cond-> [] v4 (conj (rrset name :a ttl v4)) v6 (conj (rrset name :aaaa ttl v6)))))

(defn- name-sets [name ips]
  (or (seq (address-sets name ips 60)) [(rrset name :none 60 [])]))

(defn our-way
  "A name as the programs of BIND write it, with a backslash before some characters and others as they are, the way ours are
  written."
  [s]
  (str/replace s #"\\(\d{3})|\\(.)|[^A-Za-z0-9_.*-]"
               (fn [[all digits escaped]] (if digits all (presented/label (or escaped all))))))

(defn reverse-name
  "The name of an address in in-addr.arpa or ip6.arpa (RFC 1035 section 3.5, RFC 3596 section 2.5)."
  [ip]
  (let [os (address/octets ip)]
    (if (= 4 (count os))
      (str (str/join "." (reverse os)) ".in-addr.arpa")
      (str (str/join "." (reverse (mapcat (fn [o] [(Long/toHexString (quot o 16)) (Long/toHexString (rem o 16))]) os)))
           ".ip6.arpa"))))

(defn- reverse-apex [ip]
  (let [labels (str/split (reverse-name ip) #"\.")]
    (str/join "." (drop (if (= 4 (address/family ip)) 1 16) labels))))

(defn- shown [view {:keys [global lan]}]
  (if (and (= 0 view) (seq lan)) lan global))

(defn- of-host [view [label {:keys [global lan local] :as h}]]
  (let [own (set (shown view h))
        ptr (fn [ip] [ip (cond (own ip) (str label "." domain)
                               (some #{ip} global) (str label ".wan." domain)
                               (some #{ip} lan) (str label ".lan." domain)
                               :else (str label ".local"))])]
    {:records (concat (name-sets (str label "." domain) own)
                      (address-sets (str label ".wan." domain) global 60)
                      (when (< view 2) (address-sets (str label ".lan." domain) lan 45))
                      (when (< view 2) (address-sets (str label ".local") local 60)))
     :ptrs (map ptr (concat global (when (< view 2) (concat lan local))))}))

(def ^:private extra
  [(rrset "vanya" :mx 300 [[10 "mail.vanya"] [20 "mx.example.org"] [30 "single"]])
   (rrset "vanya" :txt 60 [["v=spf1 -all"] ["with: \"quotes\" \\ and ; signs " "second"] [(apply str (repeat 200 "x"))]])
   (rrset "mail.vanya" :a 60 ["198.51.100.25"])
   (rrset "umlaut.vanya" :txt 60 [["Grüße"]])
   (rrset "empty.vanya" :txt 60 [[""]])
   (rrset "www.vanya" :cname 60 ["h1.vanya"])
   (rrset "_http._tcp.h1.vanya" :srv 60 [[0 0 80 "h1.vanya"] [5 1000 65535 "h2.vanya"]])
   ;; what a person browses: instances have any bytes, a dot among them
   (rrset "_http._tcp.vanya" :ptr 60 ["Anna\\039s\\032w\\195\\188ki\\046\\058\\032\\0402\\041._http._tcp.vanya" "h1._http._tcp.vanya"])
   (rrset "_printer._sub._http._tcp.vanya" :ptr 60 ["Anna\\039s\\032w\\195\\188ki\\046\\058\\032\\0402\\041._http._tcp.vanya"])
   (rrset "anna\\039s\\032w\\195\\188ki\\046\\058\\032\\0402\\041._http._tcp.vanya" :srv 60 [[0 0 80 "h1.vanya"]])
   (rrset "anna\\039s\\032w\\195\\188ki\\046\\058\\032\\0402\\041._http._tcp.vanya" :txt 60 [["txtvers=1" "path=/"]])
   (rrset "h1._http._tcp.vanya" :srv 60 [[0 0 81 "h1.vanya"]])
   (rrset "h1._http._tcp.vanya" :txt 60 [[""]])
   (rrset "\\092\\034\\064\\000._x._udp.vanya" :txt 60 [["any bytes"]])
   (rrset "_services._dns-sd._udp.vanya" :ptr 60 ["_http._tcp.vanya"])
   (rrset "b._dns-sd._udp.vanya" :ptr 60 ["vanya"])
   (rrset "deep.down.below.vanya" :a 60 ["198.51.100.26"])
   (rrset "*.wild.vanya" :a 60 ["198.51.100.27"])
   (rrset "*.wild.vanya" :txt 60 [["any"]])
   (rrset "real.wild.vanya" :a 60 ["198.51.100.28"])])

(defn- zone [apex serial]
  [(rrset apex :soa 60 [["ns.vanya" "hostmaster.vanya" serial 600 120 86400 10]])
   (rrset apex :ns 60 ["ns.vanya"])])

(defn- view-records [hosts view]
  (let [all  (map #(of-host view %) hosts)
        ptrs (reduce (fn [m [ip name]] (update m ip (fnil conj #{}) name)) {} (mapcat :ptrs all))]
    (vec (concat (zone domain (+ 1000 view))
                 (when (< view 2) (zone "local" 1001))
                 (mapcat #(zone % (+ 2000 view)) (distinct (map reverse-apex (keys ptrs))))
                 [(rrset "ns.vanya" :a 60 [(if (= 2 view) "198.51.100.53" "10.0.0.53")])]
                 extra
                 (mapcat :records all)
                 (map (fn [[ip names]] (rrset (reverse-name ip) :ptr 60 names)) ptrs)))))

(defn facts
  "The facts (`ontap.publish.formats`) of a zone of `n` names h0, h1 …"
  [seed n]
  (let [r (Random. seed)
        hosts (mapv #(vector (str "h" %) (host r)) (range n))]
    {:domain domain :askers askers
     :views (into {} (map #(vector % (view-records hosts %))) [0 1 2])}))


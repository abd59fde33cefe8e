;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.hosts-test
  "The lines of hosts(5)."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [ontap.model.address :as address]
            [ontap.publish.formats :as formats]
            [ontap.publish.generated :as generated]
            [ontap.publish.hosts :as hosts]))

(set! *warn-on-reflection* true)

(defn- rrset [name type & data] {:rr/name name :rr/type type :rr/ttl 60 :rr/data (vec data)})

(defn- lines [& records] (rest (str/split-lines (hosts/text "vanya" "private" records))))

(deftest which-names-in-which-order
  (are [records expected] (= expected (apply lines records))
    [(rrset "web.vanya" :a "10.0.0.1")]
    ["10.0.0.1\tweb.vanya web"]

    [(rrset "web.vanya" :a "10.0.0.10" "10.0.0.9") (rrset "web.vanya" :aaaa "fd00::1")]
    ["10.0.0.9\tweb.vanya web" "10.0.0.10\tweb.vanya web" "fd00::1\tweb.vanya web"]

    ;; below DOMAIN, no name alone
    [(rrset "web.lan.vanya" :a "10.0.0.1") (rrset "web.vanya" :a "10.0.0.1") (rrset "web.wan.vanya" :a "192.0.2.1")]
    ["10.0.0.1\tweb.vanya web.lan.vanya web" "192.0.2.1\tweb.wan.vanya"]

    ;; the reverse zone says which name is the first
    [(rrset "a.vanya" :a "10.0.0.1") (rrset "b.vanya" :a "10.0.0.1") (rrset "1.0.0.10.in-addr.arpa" :ptr "b.vanya")]
    ["10.0.0.1\tb.vanya a.vanya b a"]

    ;; a PTR elsewhere says nothing of addresses: RFC 6763 has some
    [(rrset "a.vanya" :a "10.0.0.1") (rrset "vanya" :a "10.0.0.1") (rrset "b._dns-sd._udp.vanya" :ptr "vanya")
     (rrset "_http._tcp.vanya" :ptr "A\\032b._http._tcp.vanya") (rrset "a\\032b._http._tcp.vanya" :srv [0 0 80 "a.vanya"])]
    ["10.0.0.1\ta.vanya vanya a"]

    ;; aliases, of aliases too, after the names; a circle and one that leads elsewhere are nowhere
    [(rrset "web.vanya" :a "10.0.0.1") (rrset "al.vanya" :cname "bl.vanya") (rrset "bl.vanya" :cname "web.vanya")
     (rrset "c.vanya" :cname "d.vanya") (rrset "d.vanya" :cname "c.vanya") (rrset "e.vanya" :cname "example.org")]
    ["10.0.0.1\tweb.vanya al.vanya bl.vanya web al bl"]

    ;; link-local addresses need a link, wildcards a name
    [(rrset "web.local" :aaaa "fe80::1") (rrset "web.local" :a "169.254.1.1") (rrset "*.vanya" :a "10.0.0.1") (rrset "x.vanya" :none)]
    []))

(deftest every-address-stands-with-all-its-names
  (let [facts (generated/facts 11 100)]
    (doseq [view [:private :on-link :foreign]
            :let [text  (formats/text {:publish/format :hosts :publish/view view} facts)
                  found (into #{} (mapcat (fn [line] (let [[ip & names] (str/split line #"\s+")] (map #(vector ip %) names))))
                              (remove #(str/starts-with? % "#") (str/split-lines text)))
                  known (into #{} (for [{:rr/keys [name type data]} (get-in facts [:views (.indexOf [:private :on-link :foreign] view)])
                                        :when (and (#{:a :aaaa} type) (not (str/includes? name "*")))
                                        ip data :when (not= :link-local (address/kind ip))]
                                    [ip name]))]]
      (is (every? found known))
      (is (every? (fn [[ip name]] (or (known [ip name]) (known [ip (str name ".vanya")]) (= "www.vanya" name) (= "www" name))) found)))))

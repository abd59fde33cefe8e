;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-zone-test
  "The table of bad zones, but for whom they are shared with: what a person writes, and exactly what they read. No mistake has
  another one's words."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.model.check :as check]
            [ontap.model.declaration :as declaration]
            [ontap.model.mistake :as mistake]
            [ontap.model.spec :as spec]
            [ontap.model.zone :as model-zone]))

(def ^:private env
  {:root? true :read-zone model-zone/reader :user? #{"root" "www" "ontap"} :users ["root" "www" "ontap"]})

(defn zone
  "A file with a zone of which this is told beside its domain."
  [& {:as more}]
  {:zone (merge {:domain "vanya"} more)})

(defn- with-services [file & services]
  (assoc file :services (mapv #(merge {:name "web" :port "eth0" :user "www" :exec ["httpd"]} %) services)))

(def ^:private table
  "[form line ...]"
  [;; the shape
   [{:zone "vanya"}
    "ontap.edn: :zone: should be a zone (a map) such as {:domain \"vanya\" :listen [\"[::]:53\" \"0.0.0.0:53\"]}"]
   [{:zone {}}
    "ontap.edn: :zone :domain: is missing; should be a domain such as \"vanya\" or \"home.example.org\""]
   [{:zone {:domian "vanya"}}
    "ontap.edn: :zone :domian: unknown key; did you mean :domain?"]
   [{:zon {:domain "vanya"}}
    "ontap.edn: :zon: unknown key; did you mean :zone?"]
   [(zone :colour :red)
    "ontap.edn: :zone :colour: unknown key; the keys of the zone are :domain, :listen, :mdns, :ttl, :name-from, :all-namespaces, :user, :ns, :contact, :soa, :records, :views, :keys, :transfer, :notify, :publish and :version"]
   [(zone :lisen ["[::]:53"])
    "ontap.edn: :zone :lisen: unknown key; did you mean :listen?"]
   [(zone :srv {"_http._tcp" 80})
    "ontap.edn: :zone :srv: belongs to a service: what it offers, and at which port"]
   [(zone :services [])
    "ontap.edn: :zone :services: belongs to the file, beside :zone"]
   [(zone :ports {})
    "ontap.edn: :zone :ports: belongs to the file, beside :zone"]
   ;; the domain
   [{:zone {:domain :vanya}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is :vanya"]
   [{:zone {:domain ""}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"\""]
   [{:zone {:domain "Vanya"}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"Vanya\"; did you mean \"vanya\"?"]
   [{:zone {:domain "vanya."}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"vanya.\"; did you mean \"vanya\"?"]
   [{:zone {:domain "va_nya"}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"va_nya\""]
   [{:zone {:domain "a..b"}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"a..b\""]
   [{:zone {:domain "10.0.0.1"}}
    "ontap.edn: :zone :domain: should be a domain such as \"vanya\" or \"home.example.org\", is \"10.0.0.1\""]
   [{:zone {:domain "home.local"}}
    "ontap.edn: :zone :domain: should be another domain; local is for mDNS (RFC 6762), and has NAME.local of its own accord"]
   [{:zone {:domain "localhost"}}
    "ontap.edn: :zone :domain: should be another domain; localhost is every machine's own (RFC 6761)"]
   [{:zone {:domain "10.in-addr.arpa"}}
    "ontap.edn: :zone :domain: should be another domain; reverse zones are made of the addresses"]
   [{:zone {:domain "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccc"}}
    "ontap.edn: :zone :domain: should have at most 160 characters, so that names find room; has 162"]
   ;; where it listens
   [(zone :listen "[::]:53")
    "ontap.edn: :zone :listen: should be a vector of addresses with ports, such as [\"[::]:53\" \"0.0.0.0:53\"], is \"[::]:53\"; did you mean [\"[::]:53\"]?"]
   [(zone :listen 53)
    "ontap.edn: :zone :listen: should be a vector of addresses with ports, such as [\"[::]:53\" \"0.0.0.0:53\"], is 53"]
   [(zone :listen ["::"])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"::\"; did you mean \"[::]:53\"?"]
   [(zone :listen [":5353"])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \":5353\"; did you mean \"[::]:5353\"?"]
   [(zone :listen [53])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is 53; did you mean \"[::]:53\"?"]
   [(zone :listen ["localhost:53"])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"localhost:53\""]
   [(zone :listen ["0.0.0.0:0"])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"0.0.0.0:0\""]
   [(zone :listen ["0.0.0.0:65536"])
    "ontap.edn: :zone :listen[0]: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"0.0.0.0:65536\""]
   [(zone :listen ["[fe80::1]:53"])
    "ontap.edn: :zone :listen[0]: \"[fe80::1]:53\" should name its interface: \"[fe80::1%eth0]:53\""]
   [(zone :listen ["[fd00::1%eth0]:53"])
    "ontap.edn: :zone :listen[0]: \"[fd00::1%eth0]:53\" names an interface, which only link-local addresses do"]
   [(zone :listen ["[fe80::1%]:53"])
    "ontap.edn: :zone :listen[0]: \"[fe80::1%]:53\" names no interface after its %"]
   [(zone :listen ["[ff02::fb]:53"])
    "ontap.edn: :zone :listen[0]: \"[ff02::fb]:53\" is a multicast address"]
   [(zone :listen ["255.255.255.255"])
    "ontap.edn: :zone :listen[0]: \"255.255.255.255\" is a reserved address"]
   [(zone :listen ["[::ffff:10.0.0.1]:53"])
    "ontap.edn: :zone :listen[0]: \"[::ffff:10.0.0.1]:53\" is an IPv4 address written as IPv6"]
   [(zone :listen ["[::1]:53" "[::1]"])
    "ontap.edn: :zone :listen[1]: should be a place of its own; \"[::1]:53\" is there already"]
   [(zone :listen ["10.0.0.1" "0.0.0.0"])
    "ontap.edn: :zone :listen[0]: should be a place of its own; \"0.0.0.0\" is there already"]
   ;; times, names, users
   [(zone :ttl 0)
    "ontap.edn: :zone :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is 0"]
   [(zone :ttl "90 s")
    "ontap.edn: :zone :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is \"90 s\""]
   [(zone :ttl "1500ms")
    "ontap.edn: :zone :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is \"1500ms\""]
   [(zone :ttl 700000)
    "ontap.edn: :zone :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is 700000"]
   [(zone :name-from "alias")
    "ontap.edn: :zone :name-from: should be :alias or :link, is \"alias\"; did you mean :alias?"]
   [(zone :name-from :hostname)
    "ontap.edn: :zone :name-from: should be :alias or :link, is :hostname"]
   [(zone :all-namespaces "yes")
    "ontap.edn: :zone :all-namespaces: should be true or false, is \"yes\""]
   [(zone :user "ontpa")
    "ontap.edn: :zone :user: there is no user \"ontpa\" on this machine; did you mean \"ontap\"?"]
   [(zone :user 53)
    "ontap.edn: :zone :user: should be the name of a user, is 53"]
   [(zone :contact "hostmaster")
    "ontap.edn: :zone :contact: should be a mail address such as \"hostmaster@example.org\", with a to z, 0 to 9, - and _ before the @, is \"hostmaster\""]
   [(zone :contact "hostmaster.example.org")
    "ontap.edn: :zone :contact: should be a mail address such as \"hostmaster@example.org\", with a to z, 0 to 9, - and _ before the @, is \"hostmaster.example.org\"; did you mean \"hostmaster@example.org\"?"]
   [(zone :contact "john.doe@example.org")
    "ontap.edn: :zone :contact: should be a mail address such as \"hostmaster@example.org\", with a to z, 0 to 9, - and _ before the @, is \"john.doe@example.org\""]
   [(zone :soa 3600)
    "ontap.edn: :zone :soa: should be a map such as {:refresh \"10m\" :retry \"2m\" :expire \"24h\" :minimum \"10s\"}, is 3600"]
   [(zone :soa {:refersh 60})
    "ontap.edn: :zone :soa :refersh: unknown key; did you mean :refresh?"]
   [(zone :soa {:serial 1})
    "ontap.edn: :zone :soa :serial: the serial is counted; should be left out"]
   [(zone :soa {:minimum 0})
    "ontap.edn: :zone :soa :minimum: should be a duration of whole seconds from 1 to 31536000, such as 60, \"60s\" or \"5m\", is 0"]
   [(zone :soa {:refresh "10m" :retry "2m" :expire "5m"})
    "ontap.edn: :zone :soa :expire: should be at least :refresh and :retry together, 720 s; is 300 s"]
   [(zone :version "")
    "ontap.edn: :zone :version: should be a text of at most 255 bytes, is \"\""]
   [(zone :version 9)
    "ontap.edn: :zone :version: should be a text of at most 255 bytes, is 9"]
   ;; name servers
   [(zone :ns "ns1")
    "ontap.edn: :zone :ns: should be a vector of name servers, such as [\"ns1\" \"ns.example.org.\"], is \"ns1\""]
   [(zone :ns [])
    "ontap.edn: :zone :ns: should be a vector of name servers, such as [\"ns1\" \"ns.example.org.\"], is []"]
   [(zone :ns [1])
    "ontap.edn: :zone :ns[0]: should be the name of a host, or a map such as {:name \"ns2\" :addresses [\"10.0.0.2\" \"2001:db8::2\"]}, is 1"]
   [(zone :ns ["ns_1"])
    "ontap.edn: :zone :ns[0]: should be the name of a host, such as \"ns1\", or \"ns.example.org.\" with a dot at its end, is \"ns_1\""]
   [(zone :ns ["@"])
    "ontap.edn: :zone :ns[0]: should be a name below the domain, such as \"ns1\""]
   [(zone :ns ["ns.lan"])
    "ontap.edn: :zone :ns[0]: should not be below wan or lan, whose names are made of the addresses"]
   [(zone :ns ["ns1.vanya"])
    "ontap.edn: :zone :ns[0]: would be \"ns1.vanya.vanya\" without a dot at its end; did you mean \"ns1.vanya.\"?"]
   [(zone :ns ["10.0.0.2"])
    "ontap.edn: :zone :ns[0]: should be a name; \"10.0.0.2\" is an address, and belongs in a record of its own"]
   [(zone :ns ["ns1" "NS1"])
    "ontap.edn: :zone :ns[1]: should be a name of its own; name server 1 is ns1.vanya already"]
   [(zone :ns [{"ns2" ["10.0.0.2"]}])
    "ontap.edn: :zone :ns[0]: should be the name of a host, or a map such as {:name \"ns2\" :addresses [\"10.0.0.2\" \"2001:db8::2\"]}, is {\"ns2\" [\"10.0.0.2\"]}; did you mean {:name \"ns2\" :addresses [...]}?"]
   [(zone :ns [{:addresses ["10.0.0.2"]}])
    "ontap.edn: :zone :ns[0] :name: is missing; should be the name of a host"]
   [(zone :ns [{:name "ns2" :adresses ["10.0.0.2"]}])
    "ontap.edn: :zone :ns[0] :adresses: unknown key; did you mean :addresses?"]
   [(zone :ns [{:name "ns2" :addresses []}])
    "ontap.edn: :zone :ns[0] :addresses: should be a vector of addresses, such as [\"10.0.0.2\" \"2001:db8::2\"], is []"]
   [(zone :ns [{:name "ns2" :addresses ["10.0.0.2/24"]}])
    "ontap.edn: :zone :ns[0] :addresses[0]: should be an address such as \"10.0.0.2\" or \"2001:db8::2\", is \"10.0.0.2/24\""]
   [(zone :ns [{:name "ns.example.org." :addresses ["10.0.0.2"]}])
    "ontap.edn: :zone :ns[0] :addresses: ns.example.org is beyond the domain, and so are its addresses; should be left out"]
   ;; records
   [(zone :records {"www" "web"})
    "ontap.edn: :zone :records: should be a vector of records, such as [[\"@\" :mx 10 \"mail\"] [\"www\" :cname \"web\"]], is {\"www\" \"web\"}"]
   [(zone :records ["www" :cname "web"])
    "ontap.edn: :zone :records[0]: should be a record such as [\"@\" :mx 10 \"mail\"] or [\"www\" :cname \"web\"], is \"www\""
    "ontap.edn: :zone :records[1]: should be a record such as [\"@\" :mx 10 \"mail\"] or [\"www\" :cname \"web\"], is :cname"
    "ontap.edn: :zone :records[2]: should be a record such as [\"@\" :mx 10 \"mail\"] or [\"www\" :cname \"web\"], is \"web\""]
   [(zone :records [["www"]])
    "ontap.edn: :zone :records[0]: should be a record such as [\"@\" :mx 10 \"mail\"] or [\"www\" :cname \"web\"], is [\"www\"]"]
   [(zone :records [["w w" :cname "web"]])
    "ontap.edn: :zone :records[0][0]: should be a name such as \"www\", \"_sip._udp\", \"*\" or \"@\" (the domain itself), with a dot at its end if it is absolute, is \"w w\""]
   [(zone :records [["w.*" :cname "web"]])
    "ontap.edn: :zone :records[0][0]: should be a name such as \"www\", \"_sip._udp\", \"*\" or \"@\" (the domain itself), with a dot at its end if it is absolute, is \"w.*\""]
   [(zone :records [["www.vanya" :cname "web"]])
    "ontap.edn: :zone :records[0][0]: would be \"www.vanya.vanya\" without a dot at its end; did you mean \"www.vanya.\"?"]
   [(zone :records [["www.example.org." :cname "web"]])
    "ontap.edn: :zone :records[0][0]: should be a name in vanya; \"www.example.org.\" is beyond it"]
   [(zone :records [["www" "cname" "web"]])
    "ontap.edn: :zone :records[0][1]: should be :a, :aaaa, :cname, :mx, :ptr, :srv or :txt, is \"cname\"; did you mean :cname?"]
   [(zone :records [["www" :cnmae "web"]])
    "ontap.edn: :zone :records[0][1]: should be :a, :aaaa, :cname, :mx, :ptr, :srv or :txt, is :cnmae; did you mean :cname?"]
   [(zone :records [["@" :caa 0 "issue" "ca.example.org"]])
    "ontap.edn: :zone :records[0][1]: should be :a, :aaaa, :cname, :mx, :ptr, :srv or :txt, is :caa"]
   [(zone :records [["sub" :ns "ns2"]])
    "ontap.edn: :zone :records[0][1]: the name servers stand in :ns of the zone, and it gives no part of itself to others; should be left out"]
   [(zone :records [["@" :soa "ns"]])
    "ontap.edn: :zone :records[0][1]: what the SOA says stands in :soa and :contact of the zone; should be left out"]
   [(zone :records [["@" :mx "mail"]])
    "ontap.edn: :zone :records[0]: should be a record such as [\"@\" :mx 10 \"mail\"]; this one has one datum"]
   [(zone :records [["www" :cname]])
    "ontap.edn: :zone :records[0]: should be a record such as [\"www\" :cname \"web\"]; this one has no data"]
   [(zone :records [["@" :mx 70000 "mail"]])
    "ontap.edn: :zone :records[0][2]: should be a whole number from 0 to 65535, is 70000"]
   [(zone :records [["@" :mx 10 "10.0.0.9"]])
    "ontap.edn: :zone :records[0][3]: should be a name; \"10.0.0.9\" is an address, and belongs in a record of its own"]
   [(zone :records [["@" :mx 10 "."]])
    "ontap.edn: :zone :records[0][3]: should be a name such as \"mail\", or \"mail.example.org.\" with a dot at its end, is \".\""]
   [(zone :records [["_sip._udp" :srv 0 0 "5060" "pbx"]])
    "ontap.edn: :zone :records[0][4]: should be a whole number from 0 to 65535, is \"5060\""]
   [(zone :records [["old" :a "10.0.0.256"]])
    "ontap.edn: :zone :records[0][2]: should be an IPv4 address, is \"10.0.0.256\""]
   [(zone :records [["old" :a "10.0.0.9/24"]])
    "ontap.edn: :zone :records[0][2]: should be an IPv4 address without a prefix length, is \"10.0.0.9/24\""]
   [(zone :records [["old" :a "fd00::9"]])
    "ontap.edn: :zone :records[0][2]: should be an IPv4 address; \"fd00::9\" is for :aaaa"]
   [(zone :records [["old" :aaaa "10.0.0.9"]])
    "ontap.edn: :zone :records[0][2]: should be an IPv6 address; \"10.0.0.9\" is for :a"]
   [(zone :records [["old" :aaaa "fe80::9"]])
    "ontap.edn: :zone :records[0][2]: should be an address that others can reach; \"fe80::9\" is good on one link only"]
   [(zone :records [["old" :a "127.0.0.1"]])
    "ontap.edn: :zone :records[0][2]: should be an address that others can reach; \"127.0.0.1\" is a loopback address"]
   [(zone :records [["old" :aaaa "::ffff:10.0.0.9"]])
    "ontap.edn: :zone :records[0][2]: should be an address that others can reach; \"::ffff:10.0.0.9\" is an IPv4 address written as IPv6"]
   [(zone :records [["@" :txt 1]])
    "ontap.edn: :zone :records[0][2]: should be a text without NUL, is 1"]
   [(zone :records [["@" :txt (apply str (repeat 256 "x"))]])
    "ontap.edn: :zone :records[0][2]: should be a text of at most 255 bytes, has 256; several texts can stand in one record"]
   [(zone :records [["old" :a "10.0.0.9" {:tll 300}]])
    "ontap.edn: :zone :records[0][3] :tll: unknown key; did you mean :ttl?"]
   [(zone :records [["old" :a "10.0.0.9" {:ttl "3 h"}]])
    "ontap.edn: :zone :records[0][3] :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is \"3 h\""]
   [(zone :records [["old" :a "10.0.0.9"] ["OLD" :a "10.0.0.9"]])
    "ontap.edn: :zone :records[1]: should be a record of its own; record 1 is the same"]
   [(zone :records [["www" :cname "web"] ["www" :txt "hello"]])
    "ontap.edn: :zone :records[1]: should not stand beside a :cname, which is alone at its name; record 1 is at www.vanya too"]
   [(zone :records [["@" :txt "hello"] ["www" :cname "web"] ["www" :cname "db"]])
    "ontap.edn: :zone :records[2]: should not stand beside a :cname, which is alone at its name; record 2 is at www.vanya too"]
   [(zone :records [["@" :cname "web"]])
    "ontap.edn: :zone :records[0]: vanya itself can be no :cname: its SOA and NS stand there"]
   [(zone :records [["web.lan" :cname "web"]])
    "ontap.edn: :zone :records[0]: names in wan and lan are made of the addresses; none should be a :cname"]
   [(zone :records [["old" :a "10.0.0.9" {:ttl 60}] ["old" :a "10.0.0.8" {:ttl 300}]])
    "ontap.edn: :zone :records[1]: records of one name and type have one TTL; 300 here, 60 in record 1"]
   [(zone :records [["mail" :cname "web"] ["@" :mx 10 "mail"]])
    "ontap.edn: :zone :records[1]: should point to a name with addresses; mail.vanya is a :cname"]
   [(zone :records [["a" :cname "b"] ["b" :cname "c"] ["c" :cname "a"]])
    "ontap.edn: :zone :records[0]: should make no circle; a.vanya leads back to itself"
    "ontap.edn: :zone :records[1]: should make no circle; b.vanya leads back to itself"
    "ontap.edn: :zone :records[2]: should make no circle; c.vanya leads back to itself"]
   [(zone :records [["ns" :a "10.0.0.9"]])
    "ontap.edn: :zone :records[0]: the addresses of ns.vanya stand in :ns; should be left out"]
   [(zone :ns ["ns1"] :records [["ns1" :cname "web"]])
    "ontap.edn: :zone :records[0]: ns1.vanya is a name server, and has addresses; should not be a :cname"]
   ;; beside services
   [(with-services (zone) {:name "lan"})
    "ontap.edn: lan :name: should be a name that the zone leaves free; \"lan\" is the part of the zone with private addresses"]
   [(with-services (zone) {:name "ns"})
    "ontap.edn: ns :name: should be a name that the zone leaves free; \"ns\" is a name server of the zone"]
   [(with-services (zone :records [["www" :cname "web"]]) {:name "www"})
    "ontap.edn: www :name: should be a name that the zone leaves free; \"www\" is a :cname in :records"]
   [(with-services (zone :records [["_http._tcp.web" :cname "x"]]) {:srv {"_http._tcp" 80 "_https._tcp" 443}})
    "ontap.edn: web :srv: should be what the zone leaves free; _http._tcp.web.vanya is a :cname in :records"]
   ;; several at once
   [(zone :ttl -1 :domain "vanya" :records [["w w" :a "x"] ["@" :mx 10]] :nitify [] :keys {"a" {:file "/k"}} :transfer [{:key "b"}])
    "ontap.edn: :zone :nitify: unknown key; did you mean :notify?"
    "ontap.edn: :zone :ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is -1"
    "ontap.edn: :zone :records[0][0]: should be a name such as \"www\", \"_sip._udp\", \"*\" or \"@\" (the domain itself), with a dot at its end if it is absolute, is \"w w\""
    "ontap.edn: :zone :records[0][2]: should be an IPv4 address, is \"x\""
    "ontap.edn: :zone :records[1]: should be a record such as [\"@\" :mx 10 \"mail\"]; this one has one datum"
    "ontap.edn: :zone :transfer[0] :key: should be the name of a key in :keys; there is no \"b\"; did you mean \"a\"?"]])

(defn words-of
  "The lines that whoever wrote `form` reads."
  [form]
  (let [{:keys [form mistakes]} (declaration/read-text (pr-str form))
        mistakes (or mistakes (:mistakes (check/check form env)))]
    (is (s/valid? ::spec/mistakes mistakes) (s/explain-str ::spec/mistakes mistakes))
    (str/split-lines (mistake/render mistakes "ontap.edn" form))))

(defn each-has-its-words
  "Holds every row of `table` against what is read."
  [table]
  (doseq [[form & expected] table]
    (testing (pr-str form)
      (is (= (vec expected) (words-of form)) "The words of a bad zone are those of the table.")))
  (is (apply distinct? (map rest table)) "No two bad zones have the same words."))

(deftest every-bad-zone-has-its-words
  (is (<= 60 (count table)) "The table promises at least 60 bad zones.")
  (each-has-its-words table))

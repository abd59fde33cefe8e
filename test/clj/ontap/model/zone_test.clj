;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-test
  "Good zones: defaults, each key, the words of a command line; and that no form whatever makes the check throw."
  (:require [clojure.edn :as edn]
            [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mistake :as mistake]
            [ontap.model.spec :as spec]
            [ontap.model.spec-of-zone :as spec-of-zone]
            [ontap.model.text :as text]
            [ontap.model.zone :as zone]
            [ontap.model.zone-claims :as zone-claims]
            [ontap.model.zone-name :as zone-name]
            [ontap.model.zone-record :as zone-record]
            [ontap.model.zone-words :as words]
            [ontap.model.zone-world :as world]))

(def ^:private env {:user? #{"root" "ontap"} :users ["root" "ontap"]})

(defn- normal [form] (:value (zone/check (merge {:domain "vanya"} form) env)))

(def ^:private usual
  #:zone{:domain "vanya" :ttl 60 :name-from :alias :all-namespaces? false :listen [] :mdns nil :user nil
         :ns [{:ns/host "ns.vanya" :ns/addresses :own}] :contact "hostmaster.vanya"
         :soa {:refresh 600 :retry 120 :expire 86400 :minimum 10}
         :records [] :srv {} :views [] :keys {} :transfer [] :notify [] :publish [] :chaos nil})

(deftest a-zone-of-which-only-the-domain-is-told
  (is (= usual (normal {})))
  (is (s/valid? ::spec-of-zone/zone usual))
  (is (= ["ns.home.example.org" "hostmaster.home.example.org"]
         ((juxt (comp :ns/host first :zone/ns) :zone/contact) (normal {:domain "home.example.org"})))))

(defn- a [name & data] #:rr{:name name :type :a :ttl 60 :data (vec data)})

(def ^:private secret "AAAAAAAAAAAAAAAAAAAAAA==")
(def ^:private xfer {:keys {"xfer" {:secret secret}}})
(def ^:private xfer-key {"xfer" #:key{:algorithm :hmac-sha256 :secret secret :file nil}})

(deftest one-key-at-a-time
  (are [more expected] (let [z (normal more)]
                         (and (s/valid? ::spec-of-zone/zone z) (= (merge usual expected) z)))
    {:listen []}                             {}
    {:listen ["[::]:53" "0.0.0.0:53"]}       #:zone{:listen [#:listen{:ip "::" :port 53} #:listen{:ip "0.0.0.0" :port 53}]}
    {:listen ["[::]:5300" "[::1]:5353" "[FE80::1%eth0]" "10.0.0.1"]}
    #:zone{:listen [#:listen{:ip "::" :port 5300} #:listen{:ip "::1" :port 5353} #:listen{:ip "fe80::1%eth0" :port 53}
                    #:listen{:ip "10.0.0.1" :port 53}]}
    {:listen ["[fe80::1%eth0]:53" "[fe80::1%eth1]:53"]}
    #:zone{:listen [#:listen{:ip "fe80::1%eth0" :port 53} #:listen{:ip "fe80::1%eth1" :port 53}]}
    {:ttl "5m"}                              #:zone{:ttl 300}
    {:ttl 1}                                 #:zone{:ttl 1}
    {:name-from :link}                       #:zone{:name-from :link}
    {:all-namespaces true}                   #:zone{:all-namespaces? true}
    {:user "ontap"}                          #:zone{:user "ontap"}
    {:ns ["ns1" "NS2.Example.org."]}         #:zone{:ns [#:ns{:host "ns1.vanya" :addresses :own} #:ns{:host "ns2.example.org" :addresses []}]}
    {:ns [{:name "a.b" :addresses ["10.0.0.2" "2001:DB8::2" "10.0.0.2"]}]}
    #:zone{:ns [#:ns{:host "a.b.vanya" :addresses ["10.0.0.2" "2001:db8::2"]}]}
    {:ns [{:name "ns.vanya."}]}              {}
    {:contact "Me@Example.org"}              #:zone{:contact "me.example.org"}
    {:soa {:expire "48h"}}                   #:zone{:soa {:refresh 600 :retry 120 :expire 172800 :minimum 10}}
    {:version "none of your business"}       #:zone{:chaos "none of your business"}
    {:views {"fd00:8::/32" :on-link "10.8.0.0/16" :private "192.0.2.1/32" :foreign}}
    #:zone{:views [#:view{:prefix "10.8.0.0/16" :like :private} #:view{:prefix "192.0.2.1/32" :like :foreign}
                   #:view{:prefix "fd00:8::/32" :like :on-link}]}
    xfer                                     #:zone{:keys xfer-key}
    {:keys {"a.b" {:file "/k" :algorithm :hmac-sha512}}} #:zone{:keys {"a.b" #:key{:algorithm :hmac-sha512 :secret nil :file "/k"}}}
    {:transfer [{:to "10.0.0.2"} {:to "FD00::/64" :view :private}]}
    #:zone{:transfer [#:transfer{:prefix "10.0.0.2/32" :key nil :view :foreign} #:transfer{:prefix "fd00::/64" :key nil :view :private}]}
    (assoc xfer :transfer [{:key "xfer"} {:to "fd00::2" :key "xfer" :view :on-link}])
    #:zone{:keys xfer-key
           :transfer [#:transfer{:prefix nil :key "xfer" :view :foreign} #:transfer{:prefix "fd00::2/128" :key "xfer" :view :on-link}]}
    (assoc xfer :notify ["10.0.0.2" {:to "[fd00::2]:5353" :key "xfer" :view :private} {:to "10.0.0.2" :view :private}])
    #:zone{:keys xfer-key
           :notify [#:notify{:ip "10.0.0.2" :port 53 :view :foreign :key nil} #:notify{:ip "fd00::2" :port 5353 :view :private :key "xfer"}
                    #:notify{:ip "10.0.0.2" :port 53 :view :private :key nil}]}
    {:publish [{:format :tinydns :file "/t/data" :command ["tinydns-data"]} {:format :hosts :file "/h" :view :on-link}
               {:format :zone :file "/zones/"} {:format :tinydns :file "/t6" :dialect :curve6}]}
    #:zone{:publish [#:publish{:format :tinydns :file "/t/data" :dialect :stock :command ["tinydns-data"] :view nil}
                     #:publish{:format :hosts :file "/h" :dialect nil :command nil :view :on-link}
                     #:publish{:format :zone :file "/zones/" :dialect nil :command nil :view nil}
                     #:publish{:format :tinydns :file "/t6" :dialect :curve6 :command nil :view nil}]}))

(deftest records
  (are [rows expected] (let [z (normal {:records rows})]
                         (and (s/valid? ::spec-of-zone/zone z) (= expected (:zone/records z))))
    [["old" :a "10.0.0.9"]]                           [(a "old.vanya" "10.0.0.9")]
    [["@" :a "10.0.0.9"]]                             [(a "vanya" "10.0.0.9")]
    [["Old.Vanya." :a "10.0.0.9"]]                    [(a "old.vanya" "10.0.0.9")]
    [["*" :a "10.0.0.9"] ["*.a.b" :a "10.0.0.9"]]     [(a "*.a.b.vanya" "10.0.0.9") (a "*.vanya" "10.0.0.9")]
    [["x" :a "10.0.0.9"] ["X" :a "10.0.0.8"]]         [(a "x.vanya" "10.0.0.8" "10.0.0.9")]
    [["x" :a "10.0.0.9"] ["x" :a "10.0.0.8" {:ttl "5m"}]] [(assoc (a "x.vanya" "10.0.0.8" "10.0.0.9") :rr/ttl 300)]
    [["x" :aaaa "2001:DB8::0:9"]]                     [#:rr{:name "x.vanya" :type :aaaa :ttl 60 :data ["2001:db8::9"]}]
    [["www" :cname "Web"]]                            [#:rr{:name "www.vanya" :type :cname :ttl 60 :data ["web.vanya"]}]
    [["www" :cname "example.org."]]                   [#:rr{:name "www.vanya" :type :cname :ttl 60 :data ["example.org"]}]
    [["@" :mx 20 "b"] ["@" :mx 10 "mx.example.org."]] [#:rr{:name "vanya" :type :mx :ttl 60 :data [[10 "mx.example.org"] [20 "b.vanya"]]}]
    [["_sip._udp" :srv 0 5 5060 "@"]]                 [#:rr{:name "_sip._udp.vanya" :type :srv :ttl 60 :data [[0 5 5060 "vanya"]]}]
    [["_x._tcp" :ptr "a._x._tcp"]]                    [#:rr{:name "_x._tcp.vanya" :type :ptr :ttl 60 :data ["a._x._tcp.vanya"]}]
    [["@" :txt "b" "ü"] ["@" :txt ""]]                [#:rr{:name "vanya" :type :txt :ttl 60 :data [[""] ["b" "ü"]]}]
    [["a" :cname "b"] ["b" :cname "c"]]               [#:rr{:name "a.vanya" :type :cname :ttl 60 :data ["b.vanya"]}
                                                       #:rr{:name "b.vanya" :type :cname :ttl 60 :data ["c.vanya"]}]))

(deftest a-domain-of-several-labels
  (let [z (normal {:domain "home.example.org" :records [["www" :cname "home"] ["a.home.example.org." :txt "x"]]})]
    (is (= ["a.home.example.org" "www.home.example.org"] (map :rr/name (:zone/records z))))
    (is (= ["home.home.example.org"] (:rr/data (second (:zone/records z)))))))

(deftest names-that-are-too-long
  (let [label (fn [n] (apply str (repeat n "a")))
        length (fn [n] (str (label 63) "." (label 63) "." (label 63) "." (label n)))]
    (is (= (str (length 55) ".vanya") (zone-name/absolute "vanya" (length 55))) "253 characters are a name.")
    (is (nil? (zone-name/absolute "vanya" (length 56))))
    (is (nil? (zone-name/absolute "vanya" (label 64))))
    (is (nil? (zone-name/absolute "vanya" (str "*." (length 54)) true)))))

(deftest names-that-nobody-else-may-have
  (is (= #{"wan" "lan" "local" "localhost" "ns1" "www" "a.b"}
         (set (keys (zone-claims/taken (normal {:ns ["ns1" "ns.example.org."] :records [["www" :cname "web"] ["a.b" :cname "web"] ["x" :a "10.0.0.9"]]})))))))

(deftest every-key-has-words
  (doseq [{:keys [key expected read] :as field} zone/fields]
    (is (and (string? expected) (ifn? read) (or (:required? field) (contains? field :default)))
        (str key " says what it should be, how it is read and what it is when left out."))))

;; --- in words

(deftest a-zone-in-words
  (is (= ["zone vanya:"
          "  answers nobody: there is no :listen"
          "  as a user of its own, TTL 60 s"
          "  named by the alias of each link, in the network namespaces that have links of this machine's ports"
          "  name server ns.vanya (the addresses of this machine); contact hostmaster.vanya"
          "  SOA refresh 600 s, retry 120 s, expire 86400 s, minimum 10 s"]
         (words/words usual)))
  (is (= ["zone vanya:"
          "  answers on [::]:53 and 10.0.0.1:5353"
          "  NAME.local by multicast DNS on host0"
          "  NAME.local by multicast DNS on a link of its own on eth0, IPv4 by DHCP"
          "  NAME.local by multicast DNS on a link of its own on eth1, macvlan, IPv4 10.0.0.250/24"
          "  NAME.local by multicast DNS on a link of its own on eth2, without IPv4"
          "  as user ontap, TTL 30 s"
          "  named by the name of each link, in all network namespaces"
          "  name servers ns1.vanya (10.0.0.2 fd00::2) and ns.example.org; contact me.example.org"
          "  SOA refresh 600 s, retry 120 s, expire 86400 s, minimum 10 s"
          "  vanya MX 10 mail.vanya, TTL 300 s"
          "  vanya TXT \"a\" \"b\""
          "  _http._tcp.db.vanya SRV 0 0 81 db.vanya, as \"anna's wiki\""
          "  _http._tcp.web.vanya SRV 0 0 80 web.vanya, as \"Anna's wiki (2)\", of _printer and _x, TXT \"txtvers=1\" \"path=/\""
          "  10.8.0.0/16 is told the private view"
          "  key b, hmac-sha256, from \"/k\""
          "  key xfer, hmac-sha256"
          "  the private view is for 10.0.0.2/32 with the key xfer"
          "  the foreign view is for fd00::2/128"
          "  the foreign view is for whoever has the key b"
          "  tells [fd00::2]:53 when the foreign view changes, with the key xfer"
          "  writes tinydns (stock) to \"/t\", then runs \"tinydns-data\""
          "  writes hosts, the on-link view, to \"/h\""
          "  calls its version \"x\""]
         (words/words
          (assoc (normal {:listen ["[::]" "10.0.0.1:5353"]
                          :mdns {:links ["host0"] :ports ["eth0" {:port "eth1" :type "macvlan" :ipv4 "10.0.0.250/24"} {:port "eth2" :ipv4 :none}]} :user "ontap" :ttl 30 :name-from :link :all-namespaces true
                          :ns [{:name "ns1" :addresses ["10.0.0.2" "fd00::2"]} "ns.example.org."] :contact "me@example.org"
                          :records [["@" :mx 10 "mail" {:ttl 300}] ["@" :txt "a" "b"]] :views {"10.8.0.0/16" :private}
                          :keys {"xfer" {:secret secret} "b" {:file "/k"}}
                          :transfer [{:to "10.0.0.2" :key "xfer" :view :private} {:to "fd00::2"} {:key "b"}]
                          :notify [{:to "[fd00::2]" :key "xfer"}]
                          :publish [{:format :tinydns :file "/t" :command ["tinydns-data"]} {:format :hosts :file "/h" :view :on-link}]
                          :version "x"})
                 :zone/srv {"web" {"_http._tcp" (world/offer 80 :srv/txt ["txtvers=1" "path=/"] :srv/subtypes ["_printer" "_x"]
                                                             :srv/instance "Anna's wiki")}
                            "db"  {"_http._tcp" (world/offer 81 :srv/instance "anna's wiki")}})))))

(deftest a-zone-without-a-server
  (is (= ["  answers nobody: there is no :listen" "  answers multicast DNS only: there is no :listen"]
         (map #(second (words/words (normal %))) [{} {:mdns {:links ["host0"]}}]))))

(deftest no-words-tell-a-secret
  (let [z (normal xfer)]
    (is (not (str/includes? (str (words/words z) (words/public z)) secret)))
    (is (= [true nil] (map (comp :key/secret (:zone/keys (words/public (normal {:keys {"a" {:secret secret} "b" {:file "/k"}}})))) ["a" "b"]))
        "That there is one is told.")))

;; --- the words of a command line

(deftest the-zone-of-a-command-line
  (are [options form] (= {:value (normal form)} (zone/of-options options env))
    {:domain "vanya"}                                          {}
    {:domain "vanya" :listen ["[::]:53" "0.0.0.0:53"]}         {:listen ["[::]:53" "0.0.0.0:53"]}
    {:domain "vanya" :all-namespaces true :user "ontap"}       {:all-namespaces true :user "ontap"}
    {:domain "vanya" :all-namespaces nil :dialect "stock"}     {}
    {:domain "vanya" :mdns ["host0" "br0"]}                    {:mdns {:links ["host0" "br0"]}}
    {:domain "vanya" :name-from "link" :ttl "30"}              {:name-from :link :ttl 30}
    {:domain "vanya" :ttl "2m"}                                {:ttl 120}
    {:domain "vanya" :tinydns "/t/data"}                       {:publish [{:format :tinydns :file "/t/data"}]}
    {:domain "vanya" :tinydns "/t/data" :dialect "fefe" :command "tinydns-data"}
    {:publish [{:format :tinydns :file "/t/data" :dialect :fefe :command ["tinydns-data"]}]}))

(deftest mistakes-of-a-command-line
  (are [options lines] (= {:mistakes lines} (zone/of-options options env))
    {}                                   ["--domain is missing; should be a domain such as \"vanya\" or \"home.example.org\""]
    {:domain "local"}                    ["--domain: should be another domain; local is for mDNS (RFC 6762), and has NAME.local of its own accord"]
    {:domain "vanya" :listen ["::" "1"]} ["--listen: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"::\"; did you mean \"[::]:53\"?"
                                          "--listen: should be an address and a port such as \"[::]:53\", \"0.0.0.0:53\" or \"[fe80::1%eth0]:53\", is \"1\"; did you mean \"[::]:1\"?"]
    {:domain "vanya" :listen ["[::]" "[::]"]} ["--listen: should be a place of its own; \"[::]\" is there already"]
    {:domain "vanya" :mdns ["lo"]}       ["--mdns: lo has nobody who could ask; should be a link such as \"host0\""]
    {:domain "vanya" :mdns ["a" "a"]}    ["--mdns: should be named once; \"a\" is there already"]
    {:domain "vanya" :user "ontpa"}      ["--user: there is no user \"ontpa\" on this machine; did you mean \"ontap\"?"]
    {:domain "vanya" :name-from "host"}  ["--name-from: should be alias or link, is host"]
    {:domain "vanya" :ttl "0"}           ["--ttl: should be a duration of whole seconds from 1 to 604800, such as 60, \"60s\" or \"5m\", is 0"]
    {:domain "vanya" :tinydns "data"}    ["--tinydns: should be an absolute path, is \"data\""]
    {:domain "vanya" :tinydns "/d/" :dialect "djb"}
    ["--tinydns: should be a file; only for format zone it can be a folder, with a file for each zone"
     "--dialect: should be stock, fefe or curve6, is djb"]))

;; --- whatever the form is

(def ^:private gen-label (gen/elements ["a" "b" "web" "_x" "Old"]))
(def ^:private gen-name (gen/fmap #(str/join "." %) (gen/vector gen-label 1 3)))
(def ^:private gen-target (gen/one-of [gen-name (gen/return "@") (gen/fmap #(str % ".example.org.") gen-name)]))
(def ^:private gen-view (gen/elements [:private :on-link :foreign]))
(def ^:private gen-v4 (gen/fmap (fn [[x y]] (str "10." x ".7." y)) (gen/tuple (gen/choose 0 255) (gen/choose 0 255))))
(def ^:private gen-v6 (gen/fmap #(str "2001:DB8::" (Long/toHexString %)) (gen/choose 1 65535)))
(def ^:private gen-number (gen/choose 0 65535))

(def ^:private gen-row
  (gen/let [owner (gen/one-of [gen-name (gen/return "@") (gen/fmap #(str "*." %) gen-name)])
            rest (gen/one-of [(gen/tuple (gen/return :a) gen-v4) (gen/tuple (gen/return :aaaa) gen-v6)
                              (gen/tuple (gen/return :mx) gen-number gen-target)
                              (gen/tuple (gen/return :srv) gen-number gen-number gen-number gen-target)
                              (gen/tuple (gen/return :ptr) gen-target)
                              (gen/fmap #(into [:txt] %) (gen/vector (gen/resize 20 gen/string-alphanumeric) 1 3))])]
    (into [owner] rest)))

(def ^:private gen-good
  (gen/let [base (gen/hash-map
                  :domain (gen/elements ["vanya" "home.example.org"])
                  :listen (gen/elements [[] ["[::]:53" "0.0.0.0:53"] ["[fe80::1%eth0]:5353"]])
                  :mdns (gen/elements [{:links ["host0"]} {:ports ["wlp3s0" {:port "eth1" :type "macvlan" :ipv4 "10.0.0.250/24"}]}
                                       {:links ["a" "b"] :ports [{:port "c" :ipv4 :none}]}])
                  :ttl (gen/choose 1 604800) :name-from (gen/elements [:alias :link]) :all-namespaces gen/boolean
                  :ns (gen/elements [["ns1"] ["ns1" "ns.example.net."] [{:name "ns2" :addresses ["10.0.0.2" "FD00::2"]}]])
                  :contact (gen/elements ["me@example.org" "a@b"]) :version (gen/elements ["x" "ontap"])
                  :soa (gen/elements [{} {:refresh "1m"} {:expire 100000 :minimum 1}])
                  :records (gen/fmap #(vals (into {} (map (juxt (comp (fn [r] (str/lower-case (pr-str r))) vec) identity)) %)) (gen/vector gen-row 0 8))
                  :views (gen/map (gen/fmap #(str "10." % ".0.0/16") (gen/choose 0 255)) gen-view)
                  :keys (gen/return {"xfer" {:secret secret} "b.c" {:file "/k" :algorithm :hmac-sha384}})
                  :transfer (gen/fmap (fn [[ip view key]] [(cond-> {:to ip :view view} key (assoc :key key))])
                                      (gen/tuple (gen/one-of [gen-v4 gen-v6]) gen-view (gen/elements ["xfer" "b.c" nil])))
                  :notify (gen/fmap (fn [[ip view]] [ip {:to (str ip ":5353") :view view :key "xfer"}]) (gen/tuple gen-v4 gen-view))
                  :publish (gen/fmap (fn [[format view]] [{:format format :file "/f" :view view} {:format :tinydns :file "/t" :command ["x"]}])
                                     (gen/tuple (gen/elements [:hosts :zone :edn :json]) gen-view)))
            kept (gen/set (gen/elements (keys base)))]
    (update (select-keys base (conj kept :domain :keys)) :records #(vec (or % [])))))

(defspec a-good-zone-is-of-the-right-shape-and-read-again-the-same 200
  (prop/for-all [form gen-good]
    (let [{:keys [value mistakes]} (zone/check form env)]
      (and (nil? mistakes)
           (s/valid? ::spec-of-zone/zone value)
           ;; as the running zone is handed it
           (= value (edn/read-string (text/edn value)))
           (every? #(str/ends-with? (str "." (:rr/name %)) (str "." (:domain form))) (:zone/records value))))))

(def ^:private gen-junk
  (gen/scale #(quot % 6)
             (gen/one-of [gen/any-printable-equatable
                          (gen/elements ["" "." ".." "@" "*" "a." "[::]:" "[]:53" "10.0.0.1/33" "\u0000" "[fe80::1%a b]:53" ##NaN -1 1/2 'x [[]] {} #{} nil])])))

(def ^:private inner-keys
  [:to :key :view :name :addresses :format :file :dialect :command :secret :algorithm :refresh :expire :minimum :ttl "xfer" "10.0.0.0/8"])

(def ^:private gen-bad
  (let [inner (gen/one-of [gen-junk (gen/map (gen/elements inner-keys) gen-junk {:max-elements 4})])]
    (gen/let [good gen-good
              bad (gen/map (gen/frequency [[9 (gen/elements (map :key zone/fields))] [1 gen-junk]])
                           (gen/one-of [inner (gen/vector inner 0 3) (gen/vector (gen/vector (gen/one-of [gen-junk (gen/elements (conj zone-record/types "www"))]) 0 5) 0 3)])
                           {:max-elements 4})]
      (merge good bad))))

(defspec no-form-makes-the-check-throw 400
  (prop/for-all [form (gen/one-of [gen-bad gen-junk])]
    (let [{:keys [value mistakes]} (zone/check form env)]
      (if mistakes
        (and (s/valid? ::spec/mistakes mistakes)
             (boolean (re-matches #"(?:f\.edn: [^\p{Cntrl}]+\n?)+" (mistake/render mistakes "f.edn" {:zone form}))))
        (s/valid? ::spec-of-zone/zone value)))))

(deftest the-domain-may-be-wrong-and-the-rest-is-read
  (testing "What depends on the domain is not laid to the rest."
    (is (= [[:zone :domain] [:zone :ttl]]
           (map :mistake/path (:mistakes (zone/check {:domain 3 :ttl 0 :ns ["ns1" {:name "ns.x." :addresses ["10.0.0.1"]}]
                                                      :records [["a.example.org." :a "10.0.0.9"] ["@" :mx 10 "b"]]} env)))))))

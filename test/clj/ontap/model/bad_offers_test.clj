;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-offers-test
  "The table of bad :srv and :mdns: what a person writes, and exactly what they read. No mistake has another one's words."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.bad-zone-test :as bad-zone :refer [zone]]
            [ontap.model.zone-mdns :as zone-mdns]
            [ontap.model.zone-srv :as zone-srv]))

(defn- xs [n] (apply str (repeat n "x")))

(defn- http [& {:as more}]
  {:services [{:name "web" :port "eth0" :user "www" :exec ["httpd"] :srv {"_http._tcp" (merge {:port 80} more)}}]})

(def ^:private offers
  [[(assoc-in (http) [:services 0 :srv "_http._tcp"] {})
    "ontap.edn: web :srv \"_http._tcp\" :port: is missing; should be a whole number from 1 to 65535"]
   [(http :port 0)
    "ontap.edn: web :srv \"_http._tcp\" :port: should be a whole number from 1 to 65535, is 0"]
   [(http :text ["a"])
    "ontap.edn: web :srv \"_http._tcp\" :text: unknown key; did you mean :txt?"]
   [(http :path "/")
    "ontap.edn: web :srv \"_http._tcp\" :path: unknown key; the keys of what is offered are :port, :txt, :subtypes and :instance"]
   [(http :txt "path=/")
    "ontap.edn: web :srv \"_http._tcp\" :txt: should be a vector of texts such as [\"path=/\"], or a map such as {\"path\" \"/\"}, is \"path=/\"; did you mean [\"path=/\"]?"]
   [(http :txt 1)
    "ontap.edn: web :srv \"_http._tcp\" :txt: should be a vector of texts such as [\"path=/\"], or a map such as {\"path\" \"/\"}, is 1"]
   [(http :txt [:path])
    "ontap.edn: web :srv \"_http._tcp\" :txt[0]: should be a text without NUL, such as \"path=/\", is :path"]
   [(http :txt ["a=b" "=c"])
    "ontap.edn: web :srv \"_http._tcp\" :txt[1]: should begin with a key of printable ASCII, such as \"path=/\"; is \"=c\""]
   [(http :txt [""])
    "ontap.edn: web :srv \"_http._tcp\" :txt[0]: should begin with a key of printable ASCII, such as \"path=/\"; is \"\""]
   [(http :txt ["größe=1"])
    "ontap.edn: web :srv \"_http._tcp\" :txt[0]: should begin with a key of printable ASCII, such as \"path=/\"; is \"größe=1\""]
   [(http :txt [(str "a=" (xs 254))])
    "ontap.edn: web :srv \"_http._tcp\" :txt[0]: should be at most 255 bytes, key and = included; has 256"]
   [(http :txt ["Path=/" "path=/x"])
    "ontap.edn: web :srv \"_http._tcp\" :txt: should have each key once, and case does not count; \"path\" is there twice"]
   [(http :txt {"a" "1" :A "2"})
    "ontap.edn: web :srv \"_http._tcp\" :txt: should have each key once, and case does not count; \"a\" is there twice"]
   [(http :txt (mapv #(str % "=" (xs 250)) "abcdef"))
    "ontap.edn: web :srv \"_http._tcp\" :txt: should be at most 1300 bytes, so that a packet has room for it; has 1518"]
   [(http :txt {"a=" "1"})
    "ontap.edn: web :srv \"_http._tcp\" :txt \"a=\": should be a key of printable ASCII without =, such as \"path\", is \"a=\""]
   [(http :txt {1 "1"})
    "ontap.edn: web :srv \"_http._tcp\" :txt[1]: should be a key of printable ASCII without =, such as \"path\", is 1"]
   [(http :txt {"a" 1})
    "ontap.edn: web :srv \"_http._tcp\" :txt \"a\": should be a text without NUL, is 1"]
   [(http :txt {"a" (xs 255)})
    "ontap.edn: web :srv \"_http._tcp\" :txt \"a\": should be at most 255 bytes, key and = included; has 257"]
   [(http :subtypes "_printer")
    "ontap.edn: web :srv \"_http._tcp\" :subtypes: should be a vector of subtypes, such as [\"_printer\"], is \"_printer\""]
   [(http :subtypes ["printer"])
    "ontap.edn: web :srv \"_http._tcp\" :subtypes[0]: should be a subtype such as \"_printer\", is \"printer\"; did you mean \"_printer\"?"]
   [(http :subtypes ["_printer._sub._http._tcp"])
    "ontap.edn: web :srv \"_http._tcp\" :subtypes[0]: should be a subtype such as \"_printer\", is \"_printer._sub._http._tcp\"; did you mean \"_printer\"?"]
   [(http :subtypes ["_a b"])
    "ontap.edn: web :srv \"_http._tcp\" :subtypes[0]: should be a subtype such as \"_printer\", is \"_a b\""]
   [(http :subtypes ["_a" "_a"])
    "ontap.edn: web :srv \"_http._tcp\" :subtypes: should be a vector that names each once, is [\"_a\" \"_a\"]"]
   [(http :instance :wiki)
    "ontap.edn: web :srv \"_http._tcp\" :instance: should be a name for people, such as \"Anna's wiki\", without control characters, is :wiki"]
   [(http :instance "")
    "ontap.edn: web :srv \"_http._tcp\" :instance: should be a name for people, such as \"Anna's wiki\", without control characters, is \"\""]
   [(http :instance "a\nb")
    "ontap.edn: web :srv \"_http._tcp\" :instance: should be a name for people, such as \"Anna's wiki\", without control characters, is \"a\\nb\""]
   [(http :instance "*")
    "ontap.edn: web :srv \"_http._tcp\" :instance: should be a name for people, such as \"Anna's wiki\", without control characters, is \"*\""]
   [(http :instance (apply str (repeat 32 "ü")))
    "ontap.edn: web :srv \"_http._tcp\" :instance: should be a name of at most 63 bytes, has 64"]])

(def ^:private links
  [[(zone :mdns "host0")
    "ontap.edn: :zone :mdns: should be a map such as {:links [\"host0\"]} or {:ports [\"wlp3s0\"]}, is \"host0\"; did you mean {:links [\"host0\"]}?"]
   [(zone :mdns ["host0" "br0"])
    "ontap.edn: :zone :mdns: should be a map such as {:links [\"host0\"]} or {:ports [\"wlp3s0\"]}, is [\"host0\" \"br0\"]; did you mean {:links [\"host0\" \"br0\"]}?"]
   [(zone :mdns true)
    "ontap.edn: :zone :mdns: should be a map such as {:links [\"host0\"]} or {:ports [\"wlp3s0\"]}, is true"]
   [(zone :mdns {})
    "ontap.edn: :zone :mdns: should say where: by :links, :ports or both"]
   [(zone :mdns {:link ["host0"]})
    "ontap.edn: :zone :mdns :link: unknown key; did you mean :links?"]
   [(zone :mdns {:interfaces ["host0"]})
    "ontap.edn: :zone :mdns :interfaces: unknown key; the keys of :mdns are :links and :ports"]
   [(zone :mdns {:links "host0"})
    "ontap.edn: :zone :mdns :links: should be a vector of links, such as [\"host0\"], is \"host0\"; did you mean [\"host0\"]?"]
   [(zone :mdns {:links [0]})
    "ontap.edn: :zone :mdns :links[0]: should be the name of a network interface (1 to 15 bytes, without space, / and :), is 0"]
   [(zone :mdns {:links ["lo"]})
    "ontap.edn: :zone :mdns :links[0]: lo has nobody who could ask; should be a link such as \"host0\""]
   [(zone :mdns {:links ["a" "b" "a"]})
    "ontap.edn: :zone :mdns :links[2]: should be named once; \"a\" is there already"]
   [(zone :mdns {:links ["eth0"] :ports [{:port "eth0"}]})
    "ontap.edn: :zone :mdns :links: should name no port of :mdns; what is sent on eth0 does not reach the links that stand on it"]
   [(zone :mdns {:ports "eth0"})
    "ontap.edn: :zone :mdns :ports: should be a vector of ports, such as [\"wlp3s0\"], is \"eth0\"; did you mean [\"eth0\"]?"]
   [(zone :mdns {:ports {:port "eth0"}})
    "ontap.edn: :zone :mdns :ports: should be a vector of ports, such as [\"wlp3s0\"], is {:port \"eth0\"}; did you mean [{...}]?"]
   [(zone :mdns {:ports [1]})
    "ontap.edn: :zone :mdns :ports[0]: should be the name of a port, or a map such as {:port \"wlp3s0\" :ipv4 \"10.0.0.250/24\"}, is 1"]
   [(zone :mdns {:ports ["lo"]})
    "ontap.edn: :zone :mdns :ports[0]: lo carries no links; should be an interface of the machine, such as \"eth0\""]
   [(zone :mdns {:ports ["eth0" {:port "eth0"}]})
    "ontap.edn: :zone :mdns :ports[1]: should be named once; \"eth0\" is there already"]
   [(zone :mdns {:ports [{:type "ipvlan"}]})
    "ontap.edn: :zone :mdns :ports[0] :port: is missing; should be the name of a network interface (1 to 15 bytes, without space, / and :)"]
   [(zone :mdns {:ports [{:port "eth0" :type "ipvtap"}]})
    "ontap.edn: :zone :mdns :ports[0] :type: should be :auto, \"ipvlan\" or \"macvlan\", is \"ipvtap\"; did you mean \"ipvlan\"?"]
   [(zone :mdns {:ports [{:port "eth0" :ipv4 "10.0.0.250"}]})
    "ontap.edn: :zone :mdns :ports[0] :ipv4: should be an IPv4 address with its prefix length, is \"10.0.0.250\"; did you mean \"10.0.0.250/24\"?"]
   [(zone :mdns {:ports [{:port "eth0" :ipv6 :none}]})
    "ontap.edn: :zone :mdns :ports[0] :ipv6: the link gets its IPv6 addresses by itself; should be left out"]
   [(zone :mdns {:ports [{:port "eth0" :link "mdns0"}]})
    "ontap.edn: :zone :mdns :ports[0] :link: the link of :mdns is called mdns0; should be left out"]
   [(zone :mdns {:ports [{:port "eth0" :gateway "10.0.0.1"}]})
    "ontap.edn: :zone :mdns :ports[0] :gateway: unknown key; the keys of a port of :mdns are :port, :type and :ipv4"]])

(deftest every-bad-offer-has-its-words (bad-zone/each-has-its-words offers))
(deftest every-bad-place-has-its-words (bad-zone/each-has-its-words links))

;; --- whatever it is

(def ^:private gen-junk
  (gen/scale #(quot % 12) (gen/one-of [gen/simple-type-printable-equatable (gen/elements ["" "=" "a=" "a" "\u0000" "_x" "ü" 'x [[]] {} nil 1 ##NaN])])))

(defspec nothing-throws 300
  (prop/for-all [srv   (gen/one-of [gen-junk (gen/map (gen/elements ["_http._tcp" "x"]) (gen/one-of [gen-junk (gen/map (gen/elements [:port :txt :subtypes :instance]) (gen/one-of [gen-junk (gen/vector gen-junk 0 4) (gen/map gen-junk gen-junk {:max-elements 4})]))]))])
                 mdns  (gen/one-of [gen-junk (gen/map (gen/elements [:links :ports]) (gen/one-of [gen-junk (gen/vector (gen/one-of [gen-junk (gen/map (gen/elements [:port :type :ipv4]) gen-junk)]) 0 4)]))])]
    (every? (fn [{:keys [value mistakes]}]
              (or (and (some? value) (nil? mistakes))
                  (and (seq mistakes) (every? #(and (string? (:mistake/says %)) (not (str/blank? (:mistake/says %)))) mistakes))))
            [(zone-srv/srv {:path [:srv]} srv) (zone-mdns/mdns {:path [:zone :mdns]} mdns)])))

(deftest the-largest-that-is-good
  (is (= 5 (count (:srv/txt (get (:value (zone-srv/srv {:path []} {"_x._tcp" {:port 1 :txt (mapv #(str % "=" (xs 253)) "abcde")}})) "_x._tcp")))))
  (is (zone-srv/instance-name? (apply str "x" (repeat 31 "ü")))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.resolv-test
  "The text of a workload's /etc/resolv.conf, held to resolv.conf(5), and what routers
  have told of nameservers, held to RFC 8106."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.resolv :as resolv]))

(set! *warn-on-reflection* true)

(defn- lines
  "The lines of the file of `facts` that are no comment."
  [facts]
  (into [] (remove #(str/starts-with? % "#")) (str/split-lines (resolv/content facts))))

(def ^:private terms {:dhcp/dns ["10.0.0.1" "10.0.0.2"] :dhcp/domain "example.org" :dhcp/search nil :dhcp/server "10.0.0.1"})
(def ^:private router {:servers ["fe80::1" "fd00::53"] :search ["lan" "Example.Org."]})
(def ^:private facts {:resolv/name "www" :resolv/link "eth0" :resolv/terms terms :resolv/router router
                      :resolv/host ["192.0.2.53"] :resolv/declared nil})

(deftest who-tells-what
  (are [changes wanted] (= wanted (lines (merge facts changes)))
    ;; DHCP's first, three in all; a link-local one with its link; no double, in whatever case
    {}                            ["nameserver 10.0.0.1" "nameserver 10.0.0.2" "nameserver fe80::1%eth0" "search example.org lan"]
    {:resolv/router nil}          ["nameserver 10.0.0.1" "nameserver 10.0.0.2" "search example.org"]
    {:resolv/terms nil}           ["nameserver fe80::1%eth0" "nameserver fd00::53" "search lan example.org"]
    {:resolv/terms nil :resolv/link nil} ["nameserver fd00::53" "search lan example.org"]
    ;; option 119 before option 15, which has several where there is no other way
    {:resolv/router nil :resolv/terms (assoc terms :dhcp/search ["a.example" "b.example"])}
    ["nameserver 10.0.0.1" "nameserver 10.0.0.2" "search a.example b.example"]
    {:resolv/router nil :resolv/terms (assoc terms :dhcp/domain " a.example b.example ")}
    ["nameserver 10.0.0.1" "nameserver 10.0.0.2" "search a.example b.example"]
    ;; the machine's own only when nobody told of a server
    {:resolv/router nil :resolv/terms nil}                    ["nameserver 192.0.2.53"]
    {:resolv/router nil :resolv/terms (dissoc terms :dhcp/dns)} ["nameserver 192.0.2.53" "search example.org"]
    {:resolv/router nil :resolv/terms nil :resolv/host []}    []
    {:resolv/router nil :resolv/terms nil :resolv/host nil}   []
    ;; what cannot be asked from there is as good as none
    {:resolv/router {:servers ["::1" "ff02::1" "::"]} :resolv/terms {:dhcp/dns ["127.0.0.53" "0.0.0.0" "255.255.255.255" "224.0.0.251"]}}
    ["nameserver 192.0.2.53"]
    ;; what is declared replaces it all, and may be on loopback
    {:resolv/declared {:nameservers ["127.0.0.1"] :search ["corp.example"] :options ["ndots:2" "edns0"]}}
    ["nameserver 127.0.0.1" "search corp.example" "options ndots:2 edns0"]
    {:resolv/declared {:nameservers ["10.9.9.9"] :search [] :options []}} ["nameserver 10.9.9.9"]))

(deftest what-it-says-of-itself
  (let [comments (fn [changes] (str/join "\n" (filter #(str/starts-with? % "#") (str/split-lines (resolv/content (merge facts changes))))))]
    (are [changes pattern] (re-find pattern (comments changes))
      {} #"^# The resolv.conf\(5\) of www on eth0, written by ontap"
      {} #"from DHCP server 10\.0\.0\.1 and the router\.(?s:.*)told of as well: fd00::53$"
      {:resolv/name nil :resolv/link nil} #"^# The resolv.conf\(5\) of a link of ontapd,"
      {:resolv/terms nil} #"are from the router\.$"
      {:resolv/terms nil :resolv/router nil} #"this machine's own, for neither DHCP nor a router told"
      {:resolv/terms nil :resolv/router nil :resolv/host []} #"There is no nameserver: neither DHCP nor a router"
      {:resolv/declared {:nameservers ["10.0.0.9"]}} #"from its declaration\.")
    (is (str/ends-with? (resolv/content facts) "lan\n"))))

(deftest of-the-machine
  (are [etc resolved wanted] (= wanted (resolv/host-servers etc resolved))
    "nameserver 192.0.2.1\nnameserver 192.0.2.1\nsearch x\n# nameserver 192.0.2.3\n nameserver 192.0.2.4\nnameserver\t2001:db8::1 # x\n" "nameserver 192.0.2.9"
    ["192.0.2.1" "2001:db8::1"]
    ;; a stub; a link of another namespace; nothing; no files
    "nameserver 127.0.0.53\noptions edns0\n" "nameserver 192.0.2.9\r\n" ["192.0.2.9"]
    "nameserver fe80::1%wlp3s0\n" "nameserver 192.0.2.9\n"              ["192.0.2.9"]
    "nameserver 127.0.0.1\nnameserver 192.0.2.2\n" "nameserver 192.0.2.9\n" ["192.0.2.2"]
    ""  nil []
    nil nil []))

(deftest no-line-is-too-long
  (let [names  (for [i (range 9)] (str "d" i "." (str/join (repeat 36 "x")) ".example"))
        search (fn [names] (last (lines (assoc facts :resolv/terms (assoc terms :dhcp/search names)))))]
    (is (= (str "search " (str/join " " (take 5 names))) (search names)) "As long as it fits.")
    (is (= "search a b c d e f" (search ["a" "b" "c" "d" "e" "f" "g"])) "Six.")
    (is (= "search lan example.org" (search [(str/join (repeat 64 "x")) "-a" "a-" "a..b" "." "" "a_b" "a b" "a\nnameserver 6.6.6.6" "ä" (str/join "." (repeat 128 "a")) nil 7]))
        "What is no name is passed over.")))

;; --- nothing from the network breaks a line

(def ^:private anything
  (gen/one-of [gen/string gen/string-ascii (gen/return nil) gen/small-integer
               (gen/elements ["10.0.0.1" "fe80::1" "a.example" "a\nb" "10.0.0.1\n" "fe80::1%x\nnameserver 6.6.6.6" "#" "\u0000" "\u2028"])
               (gen/fmap str/join (gen/vector (gen/elements ["a" "." "-" "\n" "1" ":" " " "\r" "#" ";"]) 0 12))]))

(def ^:private texts (gen/one-of [(gen/return nil) (gen/vector anything 0 12)]))

(defspec each-line-is-one-of-ours 500
  (prop/for-all [dns texts, search texts, domain (gen/one-of [gen/string gen/string-ascii (gen/return nil)])
                 server anything, rdnss texts, dnssl texts, link (gen/elements [nil "eth0"])]
    (let [told (resolv/heard nil {:event/type :nd/dns :nd/servers rdnss :nd/search dnssl :nd/lifetime-s 60} 0)
          text (resolv/content {:resolv/name "www" :resolv/link link :resolv/router (resolv/of-router told) :resolv/host []
                                :resolv/terms {:dhcp/dns dns :dhcp/search search :dhcp/domain domain :dhcp/server server}})]
      (and (every? #(<= (count %) 255) (str/split-lines text))
           (every? #(re-matches #"# [ -~]+|nameserver [0-9a-f.:]+(?:%eth0)?|search(?: [a-z0-9.-]+){1,6}" %) (str/split text #"\n"))
           (<= (count (re-seq #"(?m)^nameserver" text)) 3)))))

;; --- which file

(deftest which-file
  (are [service granted wanted] (= wanted (resolv/choice (merge {:service/type "ipvlan" :service/netns true} service) granted))
    {:service/resolv-conf true}                nil        [:ours nil]
    {}                                         nil        [:ours nil]
    {:service/resolv-conf true}                "/r/3"     [:granted "/r/3"]
    {:service/resolv-conf false}               "/r/3"     nil
    {:service/resolv-conf "/srv/r"}            "/r/3"     [:there "/srv/r"]
    {:service/resolv-conf {:nameservers ["x"]}} "/r/3"    [:ours {:nameservers ["x"]}]
    {:service/netns :host}                     "/r/3"     nil
    {:service/netns :host :service/resolv-conf "/srv/r"} nil [:there "/srv/r"]
    {:service/netns "blue"}                    nil        [:ours nil]
    {:service/type "ipvtap"}                   nil        nil
    {:service/type "tap"}                      nil        nil))

;; --- what routers tell

(defn- told [& events]
  (reduce (fn [state [now servers search lifetime]]
            (resolv/heard state {:event/type :nd/dns :nd/servers servers :nd/search search :nd/lifetime-s lifetime} now))
          nil events))

(deftest lifetimes
  (let [state (told [0 ["fe80::1" "2001:db8::53"] nil 30] [1000 nil ["lan" "example.org"] 10])]
    (is (= {:servers ["fe80::1" "2001:db8::53"] :search ["lan" "example.org"]} (resolv/of-router state)))
    (is (= 11000 (resolv/deadline state)))
    (testing "time alone"
      (is (= state (resolv/heard state nil 10999)))
      (let [later (resolv/heard state nil 11000)]
        (is (= {:servers ["fe80::1" "2001:db8::53"] :search []} (resolv/of-router later)))
        (is (= 30000 (resolv/deadline later)))
        (is (= {:servers [] :search []} (resolv/of-router (resolv/heard later nil 30000))))
        (is (nil? (resolv/deadline (resolv/heard later nil 30000))))))
    (testing "told again: another end, the same place"
      (is (= {:servers ["fe80::1" "2001:db8::53"] :search ["lan" "example.org"]}
             (resolv/of-router (told [0 ["fe80::1" "2001:db8::53"] ["lan" "example.org"] 30] [5000 ["2001:db8::53"] nil 60])))))
    (testing "0 takes it back, whoever else is told of"
      (is (= ["fe80::1"] (:servers (resolv/of-router (told [0 ["fe80::1" "fd00::1"] nil 30] [1 ["fd00::1"] nil 0] [2 ["fd00::2"] nil 0]))))))
    (testing "for ever"
      (is (nil? (resolv/deadline (told [0 ["fd00::1"] nil 0xffffffff]))))
      (is (= ["fd00::1"] (:servers (resolv/of-router (resolv/heard (told [0 ["fd00::1"] nil 0xffffffff]) nil Long/MAX_VALUE))))))
    (testing "another event is the time alone"
      (is (= state (resolv/heard state {:event/type :addr/new :link/index 3} 2000))))))

(deftest a-flood-is-bounded
  (let [many (told [0 ["fd00::1"] nil 0xffffffff] [0 (for [i (range 2 300)] (str "fd00::" i)) nil 60])]
    (is (= 8 (count (:servers (resolv/of-router many)))))
    (is (= "fd00::1" (first (:servers (resolv/of-router many)))))
    (is (some #{"fd00::9999"} (:servers (resolv/of-router (resolv/heard many {:event/type :nd/dns :nd/servers ["fd00::9999"] :nd/lifetime-s 600} 1))))
        "One that is longer valid takes the place of the one that ends first.")
    (is (= many (resolv/heard many {:event/type :nd/dns :nd/servers ["fd00::9999"] :nd/lifetime-s 5} 1)))))

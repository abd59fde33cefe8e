;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.explain-test
  "Why a name has no address, or not that one, or is none: each reason once, as data and in words."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.explain :as explain]
            [ontap.model.river :as river]
            [ontap.model.zone-world :as world :refer [addr aliased link snapshot trusted zone]]))

(def ^:private full
  (let [{:keys [river]}
        (river/step
         (river/river (assoc zone :zone/records [{:rr/name "www.vanya" :rr/type :cname :rr/ttl 60 :rr/data ["web.vanya"]}]) nil)
         [{:event/type :lease/names :lease/names {[9 2] "leased"}}
          (snapshot (link nil 1 :link/name "lo") (link nil 2 :link/name "wlp3s0") (addr nil 2 "192.0.2.1" 24)
                    (assoc (trusted 5) :ns/netns "five") (trusted 6) (world/foreign 7) (trusted 8) (world/foreign 9)
                    (aliased 5 2 "Web")
                    (addr 5 2 "2001:db8::5" 64) (addr 5 2 "10.0.0.5" 24) (addr 5 2 "fe80::5" 64)
                    (addr 5 2 "2001:db8::6" 64 :addr/flags #{:tentative}) (addr 5 2 "2001:db8::7" 64 :addr/flags #{:tentative :dadfailed})
                    (addr 5 2 "2001:db8::8" 64 :addr/flags #{:deprecated}) (addr 5 2 "2001:db8::9" 64 :addr/flags #{:temporary})
                    (addr 5 2 "10.0.0.6" 24 :addr/scope :host) (addr 5 2 "127.0.0.5" 8)
                    (addr 5 2 "2001:db8::a" 64 :addr/proto 2 :addr/updated-ms 3)
                    (aliased 6 2 "web") (addr 6 2 "10.0.0.7" 24)
                    (aliased 7 2 "other") (aliased 8 2 "ns") (aliased 8 3 "bücher") (aliased 8 4 nil) (aliased 9 2 "anything"))
          (link 5 2 :link/alias "Web" :link/running? false)]
         (world/at 1))]
    river))

(defn- lines [text] (explain/lines (river/explain full text)))

(deftest each-reason-in-words
  (is (= ["eth0 in namespace five is called web, after its alias \"Web\", which is no name as it stands."
          "10.0.0.5 is published: web.lan.vanya for private and on-link askers; web.vanya for private askers."
          "10.0.0.6 is not published: its scope is this host."
          "127.0.0.5 is not published: nobody else can reach such an address."
          "2001:db8::5 is published: web.vanya for all; web.wan.vanya for all."
          "2001:db8::6 is tentative: the kernel is still looking whether another machine has it."
          "2001:db8::7 is not published: another machine has it (duplicate address detection failed)."
          "2001:db8::8 is not published: it is deprecated."
          "2001:db8::9 is not published: it is a temporary address (RFC 8981)."
          "2001:db8::a is not published: it is of a network that the link has left."
          "fe80::5 is published: web.local for private and on-link askers."
          "eth0 in namespace 6 is called web-2: another namespace asked for web first (5)."
          "10.0.0.7 is published: web-2.lan.vanya for private and on-link askers; web-2.vanya for private askers."]
         (lines "web")))
  (are [text sentences] (= sentences (lines text))
    "wlp3s0" ["wlp3s0 in this machine's own namespace has no name: it has no alias, and no lease names it."
              "192.0.2.1 is in order, but there is no name for it."]
    "other"  ["eth0 in namespace 7 has no name: its namespace is not known to be one of ours, so its alias counts for nothing, and no lease names it."
              "eth0 has no address."]
    "ns"     ["eth0 in namespace 8 has no name: its alias \"ns\" is none, for a nameserver of the zone is called so."
              "eth0 has no address."
              "ns.vanya has A for all, by the configuration."]
    "bücher" ["eth0 in namespace 8 has no name: its alias \"bücher\" is none, for a name has printable ASCII characters only."
              "eth0 has no address."]
    "leased" ["eth0 in namespace 9 is called leased, after its lease's name." "eth0 has no address."]
    "www"    ["www.vanya has CNAME for all, by the configuration."]
    "nix"    ["Nothing is known of nix: no link has this name or alias in a namespace that has an nsid."]))

(deftest however-it-is-asked
  (doseq [text ["web" "Web" "web.vanya" "WEB.VANYA." "web.lan.vanya" "web.wan.vanya" "web.local"]]
    (is (= (river/explain full "web") (river/explain full text)) text))
  (is (= (drop 1 (river/explain full "web")) (river/explain full "web-2"))))

(deftest on-the-links-of-multicast-dns
  (let [mdns  {"host0" {"web"   {:host/name "web-3" :host/state :established :host/by "10.0.0.9" :host/since-ms 5}
                        "web-2" {:host/name "web-2" :host/state :established :host/by nil :host/since-ms 5}}
               "br0"   {"web"   {:host/name "web" :host/state :probing :host/by nil :host/since-ms 5}
                        "leased" {:host/name "leased" :host/state :announcing :host/by nil :host/since-ms 5}}}
        rows  #(explain/rows full % {:mdns mdns})
        mdns-lines #(filter (partial re-find #"\.local.* on (?:host0|br0)") (explain/lines (rows %)))]
    (is (= [{:mdns/link "br0" :host/name "web" :host/state :probing :host/by nil}
            {:mdns/link "host0" :host/name "web-3" :host/state :established :host/by "10.0.0.9"}]
           (:explain/mdns (first (rows "web")))))
    (is (= ["web.local is being probed for on br0." "web.local is web-3.local on host0: 10.0.0.9 has web.local." "web-2.local is ours on host0."]
           (mdns-lines "web")))
    (is (= (take 2 (mdns-lines "web")) (mdns-lines "web-3.local")) "asked by what it is called there")
    (is (= ["leased.local is being announced on br0."] (mdns-lines "leased")))
    (is (= [] (mdns-lines "ns")))
    (is (= ["web.local is web-2.local on host0: another host has had web.local; web-2.local is being probed for."]
           (filter #(re-find #"host0" %) (explain/lines (explain/rows full "web" {:mdns {"host0" {"web" {:host/name "web-2" :host/state :probing :host/by nil}}}})))))
    (is (= (explain/rows full "web") (explain/rows full "web" {}) (explain/rows full "web" {:mdns {}})))))

(deftest two-links-of-one-name-are-told-of-it-once
  (let [r (:river (world/after (river/river zone nil) (trusted 5) (aliased 5 2 "web") (aliased 5 3 "web") (addr 5 2 "10.0.0.5" 24)))
        rows (explain/rows r "web" {:mdns {"host0" {"web" {:host/name "web" :host/state :established :host/by nil}}}})]
    (is (= 2 (count (filter :explain/mdns rows))))
    (is (= 1 (count (filter #{"web.local is ours on host0."} (explain/lines rows)))))))

(deftest rows-are-data
  (let [[web web-2] (river/explain full "web")]
    (is (= {:ns/id 5 :link/index 2 :link/name "eth0" :link/alias "Web" :explain/place "namespace five"
            :label/of "Web" :label/from :alias :label/text "web" :label/mended? true :name/label "web"}
           (dissoc web :explain/addresses)))
    (is (= {:addr/ip "10.0.0.5" :addr/kind :lan :explain/verdict :published
            :explain/shown [["web.lan.vanya" [0 1]] ["web.vanya" [0]]]}
           (first (:explain/addresses web))))
    (is (= [:published :scope :kind :published :tentative :dadfailed :deprecated :temporary :left :published]
           (map :explain/verdict (:explain/addresses web))))
    (is (= [5 "web" "web-2"] (map web-2 [:explain/first :label/text :name/label])))
    (is (= [{:explain/unknown "nix"}] (river/explain full "nix")))
    (is (= [{:explain/configured [["www.vanya" :cname [0 1 2]]]}] (river/explain full "www")))))

(deftest no-room
  (let [long-one (str/join (repeat 63 "a"))
        r (:river (world/after (river/river zone nil) (trusted 1) (trusted 2) (aliased 1 2 long-one) (aliased 2 2 long-one)))]
    (is (= (str "eth0 in namespace 2 has no name: another namespace is called " long-one " already, and there is no room for a number.")
           (nth (explain/lines (river/explain r long-one)) 2)))))

(defspec any-question-has-an-answer 200
  (prop/for-all [text (gen/one-of [gen/string (gen/elements ["" "." ".." "vanya" ".vanya" "lan.vanya" "*" "local"])])]
    (let [answer (lines text)]
      (and (seq answer) (every? #(str/ends-with? % ".") answer)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.published-test
  "Which addresses count, and what they are."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.model.published :as published]
            [ontap.model.reverse :as reverse]))

(deftest kinds
  (are [ip kind] (= kind (published/kind ip))
    "192.0.2.1" :global, "8.8.8.8" :global, "100.63.255.255" :global, "100.128.0.1" :global, "172.15.0.1" :global
    "172.32.0.1" :global, "192.167.1.1" :global, "192.169.1.1" :global, "11.0.0.1" :global, "169.253.0.1" :global
    "223.255.255.255" :global
    "10.0.0.0" :lan, "10.255.255.255" :lan, "172.16.0.1" :lan, "172.31.255.255" :lan, "192.168.0.1" :lan
    "100.64.0.1" :lan, "100.127.255.255" :lan
    "169.254.0.1" :link-local
    "0.0.0.0" nil, "0.1.2.3" nil, "127.0.0.1" nil, "127.255.255.254" nil, "224.0.0.251" nil, "240.0.0.1" nil
    "255.255.255.255" nil, "192.0.0.4" nil
    "2001:db8::1" :global, "2a02::1" :global, "64:ff9b::1" :global
    "fc00::1" :lan, "fdff:ffff::1" :lan
    "fe80::1" :link-local, "febf::1" :link-local
    "fec0::1" nil, "ff02::fb" nil, "::" nil, "::1" nil, "::ffff:10.0.0.1" nil, "::ffff:8.8.8.8" nil, "::8.8.8.8" nil
    "nonsense" nil))

(deftest verdicts
  (are [ip more verdict] (= verdict (published/verdict (merge {:addr/ip ip :addr/flags #{} :addr/scope :global} more) 5000))
    "10.0.0.1"    {}                                            :published
    "10.0.0.1"    {:addr/flags #{:permanent}}                   :published
    "10.0.0.1"    {:addr/flags #{:temporary}}                   :published ; secondary
    "2001:db8::1" {:addr/flags #{:temporary}}                   :temporary
    "2001:db8::1" {:addr/flags #{:tentative}}                   :tentative
    "2001:db8::1" {:addr/flags #{:tentative :dadfailed}}        :dadfailed
    "2001:db8::1" {:addr/flags #{:deprecated}}                  :deprecated
    "10.0.0.1"    {:addr/flags #{:deprecated}}                  :deprecated
    "10.0.0.1"    {:addr/scope :host}                           :scope
    "169.254.1.1" {:addr/scope :link}                           :published
    "127.0.0.1"   {:addr/scope :host}                           :kind
    "ff02::1"     {}                                            :kind
    "2001:db8::1" {:addr/proto 2 :addr/updated-ms 4999}         :left
    "2001:db8::1" {:addr/proto 2 :addr/updated-ms 5000}         :left
    "2001:db8::1" {:addr/proto 2 :addr/updated-ms 5001}         :published
    "2001:db8::1" {:addr/proto 2 :addr/updated-ms nil}          :published
    "2001:db8::1" {:addr/proto 3 :addr/updated-ms 1}            :published
    "2001:db8::1" {:addr/proto nil :addr/updated-ms 1}          :published)
  (is (= :published (published/verdict {:addr/ip "2001:db8::1" :addr/flags #{} :addr/proto 2 :addr/updated-ms 1} nil))))

(deftest reverse-names
  (are [ip owner zone] (= [owner zone] [(reverse/of ip) (reverse/zone-of (reverse/of ip))])
    "192.168.1.5" "5.1.168.192.in-addr.arpa" "1.168.192.in-addr.arpa"
    "10.0.0.255"  "255.0.0.10.in-addr.arpa"  "0.0.10.in-addr.arpa"
    "2001:db8:1:2:a::4f" "f.4.0.0.0.0.0.0.0.0.0.0.a.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa")
  (are [apex] (= apex (reverse/zone-of apex))
    "1.168.192.in-addr.arpa" "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"))

(deftest of-one-link
  (let [addrs {"10.0.0.5" {:addr/ip "10.0.0.5" :addr/prefix 24 :addr/flags #{}}
               "2001:db8::5" {:addr/ip "2001:db8::5" :addr/prefix 64 :addr/flags #{} :addr/valid-s 7 :addr/until-ms 9000}
               "fe80::5" {:addr/ip "fe80::5" :addr/prefix 64 :addr/flags #{:tentative}}}
        seen (published/of-link addrs nil nil)]
    (is (= {"10.0.0.5" {:addr/ip "10.0.0.5" :addr/prefix 24 :addr/kind :lan :addr/family :ipv4 :addr/valid-s nil
                        :name/until-ms nil :name/on-link nil :name/reverse "5.0.0.10.in-addr.arpa"}
            "2001:db8::5" {:addr/ip "2001:db8::5" :addr/prefix 64 :addr/kind :global :addr/family :ipv6 :addr/valid-s 7
                           :name/until-ms 9000 :name/on-link "2001:db8::/64"
                           :name/reverse "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}}
           seen))
    (is (= seen (published/of-link addrs nil seen)) "What is known already changes nothing.")
    (is (= (published/of-link (assoc-in addrs ["2001:db8::5" :addr/prefix] 56) nil nil)
           (published/of-link (assoc-in addrs ["2001:db8::5" :addr/prefix] 56) nil seen))
        "unless the prefix is another")))

(deftest networks
  (are [ip prefix network] (= network (:name/on-link (get (published/of-link {ip {:addr/ip ip :addr/prefix prefix :addr/flags #{}}} nil nil) ip)))
    "2001:db8::5" 64 "2001:db8::/64", "2001:db8::5" 127 "2001:db8::4/127", "2001:db8::5" 128 nil
    "2001:db8::5" 32 "2001:db8::/32", "2001:db8::5" 31 nil, "2001:db8::5" 0 nil, "2001:db8::5" nil nil
    "192.0.2.5" 24 "192.0.2.0/24", "192.0.2.5" 32 nil, "192.0.2.5" 31 "192.0.2.4/31", "192.0.2.5" 7 nil, "192.0.2.5" 0 nil
    "10.0.0.5" 24 nil, "fd00::5" 64 nil, "fe80::5" 64 nil))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-questions-test
  "What an authoritative server has to answer (RFC 1034, 2181, 2308, 4592, 6891, 7766, 8482), asked of the running
  program by dig(1), kdig(1) and delv(1)."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.zone :as zone]))

(set! *warn-on-reflection* true)

(def ^:private long-text (apply str (repeat 200 "x")))

(def ^:private declared
  {:services [{:name "arroyocc" :port "eth0" :user "root" :exec ["httpd"]
               :srv {"_http._tcp" {:port 8080 :txt {"path" "/" "txtvers" "1"} :subtypes ["_wiki"] :instance "Anna's Wüki."}
                     "_quic._udp" 443}}]
   :zone {:domain "vanya" :listen ["10.77.0.2:53"] :version "ontap"
          :ns ["ns1" {:name "ns2" :addresses ["10.77.0.9" "fd77::9"]}]
          :records [["@" :mx 10 "mail"] ["mail" :a "10.77.0.25"] ["www" :cname "arroyocc"] ["far" :cname "example.org."]
                    ["*.wild" :txt "any"] ["deep.below" :txt "here"] ["_sip._udp" :srv 0 0 5060 "mail"]
                    ["big" :txt (str "1" long-text)] ["big" :txt (str "2" long-text)] ["big" :txt (str "3" long-text)]]}})

(def ^:private table
  "[what, words of the question, what is in the answer (or is not: [:no …])]."
  [["1 an address"                 ["dig" "arroyocc.vanya" "A"]      [#"status: NOERROR" #"flags: qr aa rd;" #"arroyocc\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.40"]]
   ["1 no data: with the SOA"      ["dig" "arroyocc.vanya" "MX"]     [#"status: NOERROR" #"ANSWER: 0, AUTHORITY: 1" #"vanya\.\s+10\s+IN\s+SOA"]]
   ["1 no such name"               ["dig" "none.vanya" "A"]          [#"status: NXDOMAIN" #"ANSWER: 0, AUTHORITY: 1" #"vanya\.\s+10\s+IN\s+SOA"]]
   ["1 a name with names below"    ["dig" "below.vanya" "TXT"]       [#"status: NOERROR" #"ANSWER: 0, AUTHORITY: 1"]]
   ["1 the same, of names of ours" ["kdig" "lan.vanya" "A"]          [#"status: NOERROR" #"ANSWER: 0; AUTHORITY: 1"]]
   ["2 the SOA, once"              ["dig" "vanya" "SOA"]             [#"ANSWER: 1, AUTHORITY: 0" #"vanya\.\s+60\s+IN\s+SOA\s+ns1\.vanya\. hostmaster\.vanya\. \d+ 600 120 86400 10"]]
   ["2 nameservers with glue"      ["dig" "vanya" "NS"]              [#"ANSWER: 2" #"ns1\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.2" #"ns2\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.9" #"ns2\.vanya\.\s+60\s+IN\s+AAAA\s+fd77::9"]]
   ["2 MX with its address"        ["kdig" "vanya" "MX"]             [#"10 mail\.vanya\." #"mail\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.25"]]
   ["2 SRV with its address"       ["dig" "_sip._udp.vanya" "SRV"]   [#"0 0 5060 mail\.vanya\." #"mail\.vanya\.\s+60\s+IN\s+A"]]
   ["3 beyond the zone"            ["dig" "example.org" "A"]         [#"status: REFUSED" #"ANSWER: 0, AUTHORITY: 0"]]
   ["3 the version"                ["dig" "version.bind" "TXT" "CH"] [#"\"ontap\""]]
   ["3 another class"              ["dig" "vanya" "SOA" "HS"]        [#"status: REFUSED"]]
   ["3 an unknown opcode"          ["dig" "+opcode=status" "+norec" "vanya" "SOA"] [#"status: NOTIMP"]]
   ["3 an update"                  ["dig" "+opcode=update" "+norec" "vanya" "SOA"] [#"status: NOTIMP"]]
   ["4 the case of the question"   ["dig" "ArRoYoCC.VaNYa" "A"]      [#";ArRoYoCC\.VaNYa\.\s+IN\s+A" #"ArRoYoCC\.VaNYa\.\s+60\s+IN\s+A\s+10\.77\.0\.40"]]
   ["5 EDNS"                       ["dig" "vanya" "SOA"]             [#"EDNS: version: 0, flags:; udp: 1232"]]
   ["5 no EDNS without"            ["dig" "+noedns" "vanya" "SOA"]   [[:no #"EDNS"]]]
   ["5 DO goes back"               ["dig" "+dnssec" "vanya" "SOA"]   [#"flags: do; udp: 1232" [:no #"RRSIG"]]]
   ["5 another version"            ["dig" "+edns=1" "+noednsnegotiation" "vanya" "SOA"] [#"status: BADVERS" #"EDNS: version: 0"]]
   ["5 options are nothing to us"  ["dig" "+ednsopt=65001:abcd" "+nsid" "+cookie" "vanya" "SOA"] [#"status: NOERROR" #"SOA"]]
   ["6 too big for 512"            ["dig" "+noedns" "+ignore" "big.vanya" "TXT"] [#"flags: qr aa tc rd;" #"ANSWER: 0,"]]
   ["6 fits into what is allowed"  ["dig" "+bufsize=1232" "+ignore" "big.vanya" "TXT"] [#"flags: qr aa rd;" #"ANSWER: 3,"]]
   ["6 and by TCP"                 ["dig" "+tcp" "+noedns" "big.vanya" "TXT"] [#"ANSWER: 3," #"\(TCP\)"]]
   ["6 by itself"                  ["kdig" "+noedns" "big.vanya" "TXT"] [#"ANSWER: 3;" #"\(TCP\)"]]
   ["6 several on one connection"  ["kdig" "+tcp" "+keepopen" "vanya" "SOA" "arroyocc.vanya" "A"] [#"hostmaster\.vanya" #"10\.77\.0\.40"]]
   ["7 ANY is short"               ["dig" "+notcp" "arroyocc.vanya" "ANY"] [#"status: NOERROR" #"ANSWER: 1,"]]
   ["7 an alias is followed"       ["dig" "www.vanya" "A"]           [#"www\.vanya\.\s+60\s+IN\s+CNAME\s+arroyocc\.vanya\." #"arroyocc\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.40"]]
   ["7 not beyond the zone"        ["dig" "far.vanya" "A"]           [#"status: NOERROR" #"ANSWER: 1," #"CNAME\s+example\.org\."]]
   ["7 a wildcard"                 ["dig" "what.ever.wild.vanya" "TXT"] [#"what\.ever\.wild\.vanya\.\s+60\s+IN\s+TXT\s+\"any\""]]
   ["7 which is a name itself"     ["dig" "wild.vanya" "TXT"]        [#"status: NOERROR" #"ANSWER: 0, AUTHORITY: 1"]]
   ["8 a transfer to a stranger"   ["dig" "+tcp" "vanya" "AXFR"]     [#"Transfer failed"]]
   ["8 a transfer by UDP"          ["kdig" "+notcp" "vanya" "IXFR=1"] [#"'(?:REFUSED|NOTIMPL?)'"]]
   ["15 the name of an address"    ["dig" "-x" "10.77.0.40"]         [#"40\.0\.77\.10\.in-addr\.arpa\.\s+60\s+IN\s+PTR\s+arroyocc\.vanya\."]]
   ["16 browsing"                  ["dig" "_http._tcp.vanya" "PTR"]  [#"ANSWER: 1," #"_http\._tcp\.vanya\.\s+60\s+IN\s+PTR\s+Anna's\\032W\\195\\188ki\\\.\._http\._tcp\.vanya\."]]
   ["16 a subtype"                 ["kdig" "_wiki._sub._http._tcp.vanya" "PTR"] [#"PTR\s+Anna\\?'s\\032W\\195\\188ki\\\.\._http\._tcp\.vanya\."]]
   ["16 the instance"              ["dig" "ANNA's\\032w\\195\\188ki\\.._http._tcp.vanya" "SRV"] [#"SRV\s+0 0 8080 arroyocc\.vanya\." #"arroyocc\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.40"]]
   ["16 what it says"              ["kdig" "anna's\\032w\\195\\188ki\\046._http._tcp.vanya" "TXT"] [#"TXT\s+\"txtvers=1\" \"path=/\""]]
   ["16 called as its host"        ["dig" "arroyocc._quic._udp.vanya" "TXT"] [#"TXT\s+\"\"\n"]]
   ["16 what is offered"           ["dig" "_services._dns-sd._udp.vanya" "PTR"] [#"ANSWER: 2," #"PTR\s+_http\._tcp\.vanya\." #"PTR\s+_quic\._udp\.vanya\."]]
   ["16 where to browse"           ["dig" "lb._dns-sd._udp.vanya" "PTR"] [#"PTR\s+vanya\."]]
   ["a validator"                  ["delv" "-i" "arroyocc.vanya" "A"] [#"arroyocc\.vanya\.\s+60\s+IN\s+A\s+10\.77\.0\.40"]]
   ["a validator, no such name"    ["delv" "-i" "none.vanya" "A"]    [#"ncache nxdomain"]]])

(defn- ask [lan [tool & words]]
  (let [{:keys [out err]} (apply lan/sh lan :peer tool "@10.77.0.2" words)]
    (str out err)))

(deftest ^{:jdk :floor} each-point-of-the-list
  (zone/with-lan [lan]
    (zone/workload! lan "ipv0" "arroyocc" ["10.77.0.40/24"])
    (zone/start lan (lan/write-file lan declared))
    (zone/await-answer "the address" #{"10.77.0.40"} #(zone/answers lan :peer "10.77.0.2" "10.77.0.1" "arroyocc.vanya" "A"))
    (doseq [[what words expected] table]
      (testing what
        (let [said (ask lan words)]
          (doseq [e expected]
            (if (vector? e)
              (is (not (re-find (second e) said)) (str/join " " words))
              (is (re-find e said) (str/join " " words)))))))))

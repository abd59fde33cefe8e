;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.label-test
  "What becomes of the texts that people call their links."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.label :as label]))

(def ^:private reserved
  (label/reserved {:zone/domain "vanya"
                   :zone/ns [{:ns/host "ns1.vanya" :ns/addresses :own} {:ns/host "ns.example.org" :ns/addresses []}
                             {:ns/host "a.b.vanya" :ns/addresses :own}]
                   :zone/records [{:rr/name "www.vanya" :rr/type :cname :rr/data ["web.vanya"]}
                                  {:rr/name "tv.lan.vanya" :rr/type :cname :rr/data ["web.vanya"]}
                                  {:rr/name "deep.er.vanya" :rr/type :cname :rr/data ["web.vanya"]}
                                  {:rr/name "vanya" :rr/type :mx :rr/data [[10 "mail.vanya"]]}
                                  {:rr/name "mail.vanya" :rr/type :a :rr/data ["10.0.0.1"]}]}))

(deftest what-the-zone-keeps-for-itself
  (is (= {"ns1" :nameserver "www" :alias "tv" :alias "wan" :word "lan" :word "local" :word "localhost" :word} reserved)))

(deftest mended-or-not
  (are [text label] (= label ((juxt :label/text :label/mended?) (label/of text reserved)))
    "web"                  ["web" false]
    "x"                    ["x" false]
    "4"                    ["4" false]
    "a-b"                  ["a-b" false]
    "xn--bcher-kva"        ["xn--bcher-kva" false]
    (str/join (repeat 63 "a")) [(str/join (repeat 63 "a")) false]
    "Web"                  ["web" true]
    "XN--BCHER-KVA"        ["xn--bcher-kva" true]
    "my_web"               ["my-web" true]
    "my web.example"       ["my-web-example" true]
    "a--b_"                ["a-b" true]
    " web "                ["web" true]
    "-web-"                ["web" true]
    "uplink (2nd floor) #3" ["uplink-2nd-floor-3" true]
    (str (str/join (repeat 63 "a")) "!") [(str/join (repeat 63 "a")) true]
    "mail"                 ["mail" false]
    "deep"                 ["deep" false]))

(deftest refused
  (are [text why] (= {:label/of text :label/refused why} (label/of text reserved))
    ""                       :empty
    "  "                     :empty
    "._-"                    :empty
    "bücher"                 :characters
    "web\n"                  :characters
    "we\u0000b"              :characters
    "\u212a"                 :characters          ; the sign of kelvin, whose small letter is a k
    (str/join (repeat 64 "a")) :long
    "wan"                    :word
    "LAN"                    :word
    "local"                  :word
    "localhost."             :word
    "ns1"                    :nameserver
    "NS1"                    :nameserver
    "www"                    :alias)
  (is (= (set (vals label/reasons)) (set (filter string? (vals label/reasons)))))
  (is (every? label/reasons [:characters :empty :long :word :nameserver :alias])))

(deftest numbers
  (is (= "web-2" (label/numbered "web" 2)))
  (is (= 63 (count (label/numbered (str/join (repeat 61 "a")) 2))))
  (is (nil? (label/numbered (str/join (repeat 62 "a")) 2)) "no room")
  (is (nil? (label/numbered (str/join (repeat 61 "a")) 10)))
  (are [label base] (= base (label/unnumbered label))
    "web-2" "web", "web-19" "web", "web-2-3" "web-2", "web" nil, "web-1" nil, "web-02" nil, "web-x2" nil, "2" nil))

(defspec each-text-is-a-label-or-refused 500
  (prop/for-all [text (gen/fmap str/join (gen/vector (gen/frequency [[5 gen/char-alphanumeric] [3 (gen/elements [\- \_ \. \space])]
                                                                     [1 gen/char]])
                                                     0 70))]
    (let [{:label/keys [text refused mended? of]} (label/of text reserved)]
      (if refused
        (and (nil? text) (contains? label/reasons refused))
        (and (re-matches #"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" text)
             (not (reserved text))
             (= mended? (not= of text))
             ;; a label stays what it is
             (= {:label/of text :label/text text :label/mended? false} (label/of text reserved)))))))

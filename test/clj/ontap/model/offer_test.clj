;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.offer-test
  "Instance names: each its own, whatever is declared, and how they stand in the texts of records."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.offer :as offer]
            [ontap.model.presented :as presented]
            [ontap.model.zone-srv :as zone-srv]
            [ontap.model.zone-world :as world]))

(defn- named
  "host -> what its _http._tcp is called, when they are declared so."
  [declared]
  (let [srv (update-vals declared (fn [i] {"_http._tcp" (world/offer 80 :srv/instance i)}))]
    (into {} (for [h (keys declared)] [h (offer/instance srv "_http._tcp" h)]))))

(deftest each-has-a-name-of-its-own
  (are [declared names] (= names (named declared))
    {"a" nil "b" nil}                                {"a" "a" "b" "b"}
    {"a" "Wiki" "b" nil}                             {"a" "Wiki" "b" "b"}
    {"a" "Wiki" "b" "wiki" "c" "WIKI"}               {"a" "Wiki" "b" "wiki (2)" "c" "WIKI (3)"}
    {"a" "b" "b" nil}                                {"a" "b (2)" "b" "b"}
    {"a" "a"}                                        {"a" "a"}
    {"a" "b" "b" "a"}                                {"a" "b" "b" "a"}
    {"a" "Wiki" "b" "Wiki" "c" "wiki (2)"}           {"a" "Wiki" "b" "Wiki (3)" "c" "wiki (2)"}
    {"a" "Ä" "b" "ä"}                                {"a" "Ä" "b" "ä"})
  (is (= ["_http._tcp" "web"] (map (first (offer/of (assoc world/zone :zone/srv {"web" {"_http._tcp" (world/offer 80)}}) "web"))
                                   [:service/type :service/instance])))
  (is (nil? (offer/of world/zone "web"))))

(deftest numbers-find-room
  (are [name n numbered] (= numbered (offer/numbered name n))
    "Wiki" 2 "Wiki (2)"
    (str/join (repeat 63 "x")) 2 (str (str/join (repeat 59 "x")) " (2)")
    (str/join (repeat 31 "ü")) 10 (str (str/join (repeat 29 "ü")) " (10)")
    (str/join (repeat 15 "🖨")) 2 (str (str/join (repeat 14 "🖨")) " (2)")))

(def ^:private gen-declared
  (gen/map (gen/elements ["a" "b" "c" "d" "e"]) (gen/elements [nil nil "a" "B" "x" "X" "x (2)" "X (3)" "🖨."]) {:min-elements 1}))

(defspec no-two-have-one-name 200
  (prop/for-all [declared gen-declared]
    (let [names (vals (named declared))]
      (and (apply distinct? (map (comp presented/lower presented/label) names))
           (every? zone-srv/instance-name? names)))))

;; --- names as texts of records

(deftest as-in-a-master-file
  (are [s label] (= label (presented/label s))
    "wiki" "wiki", "Wiki_1-x" "Wiki_1-x", "Anna's wiki" "Anna\\039s\\032wiki", "a.b\\c" "a\\046b\\092c", "ü" "\\195\\188", "*" "\\042"
    "(2);\"$@" "\\0402\\041\\059\\034\\036\\064"))

(defspec there-and-back 200
  (prop/for-all [s (gen/one-of [gen/string (gen/fmap #(apply str (map char %)) (gen/vector (gen/choose 1 0xd7ff)))])]
    (let [l (presented/label s)]
      (and (re-matches #"(?:[A-Za-z0-9_-]|\\\d{3})*" l)
           (= (map #(bit-and 0xff (long %)) (.getBytes ^String s "UTF-8")) (presented/octets l))
           (= (if (= "" l) [[99]] [(presented/octets l) [99]]) (presented/labels (str l ".c")))))))

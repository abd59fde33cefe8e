;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mistake-test
  "Mistakes: the nearest word, the sentence, the place, one line for each."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mistake :as mistake]))

(deftest distances
  (are [a b d] (= d (mistake/distance a b) (mistake/distance b a))
    "" "" 0, "" "abc" 3, "port" "port" 0, "port" "prot" 1, "port" "por" 1, "port" "sort" 1, "kitten" "sitting" 3))

(defspec a-distance-is-bounded-by-the-longer-text 200
  (prop/for-all [a gen/string-alphanumeric, b gen/string-alphanumeric]
    (<= (Math/abs (- (count a) (count b))) (mistake/distance a b) (max (count a) (count b)))))

(deftest nearest-words
  (are [v words near] (= near (mistake/nearest v words))
    :prot       [:port :user]                  :port
    "PORT"      [:port :user]                  :port
    'caps       [:port :caps]                  :caps
    :colour     [:port :caps]                  nil
    "net_bind"  ["net_admin" "net_bind_service"] "net_bind_service"
    "net_"      ["net_admin" "net_bind_service"] nil
    3           [:port]                        nil
    nil         [:port]                        nil
    ""          [:port]                        nil
    :a          [:b]                           :b
    "wbe"       ["web" "db"]                   "web"))

(defspec a-shown-value-is-one-short-printable-line 300
  (prop/for-all [v gen/any]
    (let [t (mistake/shown v)]
      (and (<= (count t) 60) (not (re-find #"[\p{Cc}\p{Cf}]" t))))))

(deftest places
  (are [path form place] (= place (mistake/place path form))
    [:services 0 :caps]           {:name "web"}                         "web :caps"
    [:services 1 :restart :delay] [{:name "web"} {:name "db"}]          "db :restart :delay"
    [:services 1 :exec 2]         {:services [{} {:name 3}]}            "service 2 :exec[2]"
    [:services 0]                 '({:name "\u001b[2J"})                "service 1"
    [:ports "eth0" :mtu]          {}                                    ":ports \"eth0\" :mtu"
    []                            7                                     ""))

(deftest lines
  (is (= "f.edn: web :type: should be \"ipvlan\", is :ipvlan; did you mean \"ipvlan\"?"
         (mistake/line (mistake/of [:services 0 :type] {:expected "\"ipvlan\"" :found :ipvlan :nearest "\"ipvlan\""})
                       "f.edn" [{:name "web"}])))
  (is (= "f.edn:3:7: unreadable" (mistake/line (mistake/of [] {:says "unreadable" :line 3 :column 7}) "f.edn" nil)))
  (is (= 2 (count (str/split-lines (mistake/render [(mistake/of [] {:says "a"}) (mistake/of [] {:says "b"})] "f" nil))))
      "Each mistake has one line."))

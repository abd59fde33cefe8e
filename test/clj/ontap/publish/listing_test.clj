;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.listing-test
  "The names with what each view has of them, as EDN and as JSON, which jq(1) reads."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.publish.formats :as formats]
            [ontap.publish.generated :as generated]
            [ontap.publish.json :as json]
            [ontap.testing :as testing]))

(set! *warn-on-reflection* true)

(defn- rrset [name type & data] {:rr/name name :rr/type type :rr/ttl 60 :rr/data (vec data)})

(def ^:private facts
  {:domain "vanya"
   :views {0 [(rrset "web.vanya" :aaaa "fd00::1") (rrset "web.vanya" :a "10.0.0.1") (rrset "vanya" :mx [10 "m.vanya"])]
           1 [(rrset "web.vanya" :a "192.0.2.1")]
           2 [(rrset "web.vanya" :none)]}})

(deftest what-is-listed
  (let [all {:domain "vanya"
             :names {"vanya"     {:private [{:type "MX" :ttl 60 :data [[10 "m.vanya"]]}]}
                     "web.vanya" {:private [{:type "A" :ttl 60 :data ["10.0.0.1"]} {:type "AAAA" :ttl 60 :data ["fd00::1"]}]
                                  :on-link [{:type "A" :ttl 60 :data ["192.0.2.1"]}]
                                  :foreign []}}}]
    (is (= all (edn/read-string (formats/text {:publish/format :edn} facts))))
    (is (= {:domain "vanya" :names {"web.vanya" {:foreign []}}}
           (edn/read-string (formats/text {:publish/format :edn :publish/view :foreign} facts))))
    (is (= (str "{\"domain\":\"vanya\",\"names\":{\n\"vanya\":{\"private\":[{\"type\":\"MX\",\"ttl\":60,\"data\":[[10,\"m.vanya\"]]}]},"
                "\n\"web.vanya\":{\"private\":[{\"type\":\"A\",\"ttl\":60,\"data\":[\"10.0.0.1\"]},{\"type\":\"AAAA\",\"ttl\":60,\"data\":[\"fd00::1\"]}],"
                "\"on-link\":[{\"type\":\"A\",\"ttl\":60,\"data\":[\"192.0.2.1\"]}],\"foreign\":[]}}}\n")
           (formats/text {:publish/format :json} facts)))
    (is (= "{:domain \"vanya\"\n :names {}}\n" (formats/text {:publish/format :edn} {:domain "vanya" :views {}})))
    (is (= "{\"domain\":\"vanya\",\"names\":{}}\n" (formats/text {:publish/format :json} {:domain "vanya" :views {}})))))

(defn- jq
  "What jq makes of a JSON text."
  [filter text]
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v jq"))) (testing/skip! "jq is not installed (Debian: jq)"))
  (testing/with-temp-dir [dir]
    (spit (io/file dir "json") text)
    (let [{:keys [exit out err]} (testing/run {} "jq" "-j" filter (io/file dir "json"))]
      (is (= 0 exit) err)
      out)))

(deftest json-is-read-by-others
  (let [facts (generated/facts 2 200)
        text  (formats/text {:publish/format :json} facts)]
    (is (= (str (count (into #{} (mapcat #(map :rr/name %)) (vals (:views facts))))) (jq ".names|length" text)))
    (is (= (str (count (get-in facts [:views 1]))) (str (+ (parse-long (jq "[.names[][\"on-link\"]//[]|length]|add" text))
                                                           (count (filter #(= :none (:rr/type %)) (get-in facts [:views 1]))))))))
  (let [hard (str "quote \" backslash \\ tab \t newline \n delete " (char 127) " nul " (char 0) " ü € 😀 </script>")]
    (is (= hard (jq ".domain" (json/text {:domain hard :names {}}))))
    (is (every? #(< 31 (int %) 127) (str/replace (json/text {:domain (apply str (map char (range 128))) :names {}}) "\n" "")))))

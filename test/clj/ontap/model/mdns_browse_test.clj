;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-browse-test
  "From what was heard to what there is: RFC 6763 sections 4, 6 and 9."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.model.mdns-browse :as browse]
            [ontap.model.mdns-cache :as cache]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(def ^:private n peer/name-of)

(defn- heard [& facts] (cache/heard cache/empty-cache (map peer/record facts) 0))

(def ^:private types-fact ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"])
(def ^:private ptr-fact ["_http._tcp.local" :ptr "Anna's Wiki._http._tcp.local"])
(def ^:private srv-fact ["anna's wiki._http._tcp.local" :srv [80 "Wiki.local"]])
(def ^:private txt-fact ["Anna's wiki._http._tcp.local" :txt ["path=/x" "" "a=b"]])
(def ^:private addresses [["wiki.local" :aaaa "fd00::5"] ["wiki.local" :a "10.0.0.5"]])

(defn- questions
  "What is asked, as people write it."
  [cache type]
  (into #{} (map (fn [[name t]] [(mdns-name/text name) t])) (browse/questions cache type)))

(deftest from-one-question-to-the-next
  (let [all #{["_services._dns-sd._udp.local" 12]}, http #{["_http._tcp.local" 12]}
        instance #{["anna's wiki._http._tcp.local" 33] ["anna's wiki._http._tcp.local" 16]}
        host #{["wiki.local" 1] ["wiki.local" 28]}]
    (is (= all (questions (heard) nil)))
    (is (= (into all http) (questions (heard types-fact) nil)))
    (is (= (-> all (into http) (into instance)) (questions (heard types-fact ptr-fact) nil)))
    (is (= (-> all (into http) (into instance) (into host)) (questions (heard types-fact ptr-fact srv-fact) nil)))
    (testing "of one type"
      (is (= http (questions (heard types-fact) (n "_http._tcp.local"))))
      (is (= #{["_ipp._tcp.local" 12]} (questions (heard types-fact ptr-fact srv-fact) (n "_ipp._tcp.local")))))
    (testing "names elsewhere are not asked for here"
      (is (= all (questions (heard ["_services._dns-sd._udp.local" :ptr "_http._tcp.example.org"]) nil)))
      (is (= (-> all (into http) (into instance))
             (questions (heard types-fact ptr-fact ["anna's wiki._http._tcp.local" :srv [80 "www.example.org"]]) nil))))))

(deftest what-there-is
  (let [row {:service/type "_http._tcp" :service/instance "Anna's Wiki" :service/host nil :service/port nil :service/txt [] :host/addresses []}]
    (is (= [] (browse/rows (heard types-fact) nil)))
    (is (= [row] (browse/rows (heard types-fact ptr-fact) nil)))
    (is (= [(assoc row :service/host "Wiki.local" :service/port 80 :service/txt ["path=/x" "a=b"] :host/addresses ["10.0.0.5" "fd00::5"])]
           (browse/rows (apply heard types-fact ptr-fact srv-fact txt-fact addresses) nil)
           (browse/rows (apply heard ptr-fact srv-fact txt-fact addresses) (n "_http._tcp.local"))))
    (is (= ["a" "b"] (map :service/instance (browse/rows (heard ["_http._tcp.local" :ptr "b._http._tcp.local"] ["_http._tcp.local" :ptr "a._http._tcp.local"])
                                                         (n "_http._tcp.local")))))))

(deftest who-says-that-there-is-without-end
  (let [c (reduce (fn [c i] (cache/heard c [(peer/record ["_http._tcp.local" :ptr (str "i" i "._http._tcp.local")])] 0))
                  cache/empty-cache (range 500))]
    (is (= 200 (count (browse/rows c (n "_http._tcp.local")))))
    (is (= 401 (count (browse/questions c (n "_http._tcp.local")))))))

(deftest one-name
  (is (= #{[(n "wiki.local") record/a] [(n "wiki.local") record/aaaa]} (browse/host-questions (n "WIKI.local") false)))
  (is (= #{[(n "5.0.0.10.in-addr.arpa") record/ptr]} (browse/host-questions (n "5.0.0.10.in-addr.arpa") true)))
  (let [found (fn [& facts] ((juxt :resolve/answers :resolve/whole?) (browse/answered (apply heard facts) (n "Wiki.local") false)))]
    (is (= [[] false] (found)))
    (is (= [["10.0.0.5"] false] (found (second addresses))))
    (is (= [["10.0.0.5" "fd00::5"] true] (apply found addresses)))
    (is (= [["10.0.0.5"] true] (found (second addresses) ["wiki.local" :nsec #{:a}])) "There is no other.")
    (is (= [[] true] (found ["wiki.local" :nsec #{:hinfo}]))))
  (let [found #(browse/answered (apply heard %&) (n "5.0.0.10.in-addr.arpa") true)]
    (is (= {:resolve/answers [] :resolve/whole? false} (found)))
    (is (= {:resolve/answers ["wiki.local"] :resolve/whole? true} (found ["5.0.0.10.in-addr.arpa" :ptr "wiki.local"])))))

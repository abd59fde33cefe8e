;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-suppressing-test
  "What is not said because it is known: RFC 6762 sections 6.6, 7.1, 7.2 and 7.4 (lines 21 and 22 of the
  checklist)."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.mdns-peer :as peer]
            [ontap.harness.mdns-rules :as rules]))

(set! *warn-on-reflection* true)

(def ^:private instance "web._http._tcp.local")
(def ^:private ptr-fact ["_http._tcp.local" :ptr instance])
(def ^:private types-fact ["_services._dns-sd._udp.local" :ptr "_http._tcp.local"])
(def ^:private a-fact ["web.local" :a "10.0.0.5"])
(def ^:private aaaa-facts #{["web.local" :aaaa "fd00::5"] ["web.local" :aaaa "fe80::5"]})
(def ^:private settled
  (delay (peer/settled 5 (peer/host "web" ["10.0.0.5" "fd00::5" "fe80::5"] (peer/service "_http._tcp" 80 "web")))))

(defn- known [fact ttl] (peer/record fact :ttl ttl :flush? false))

(defn- answered
  "What the settled machine multicasts within 2 s of `message`, in answers."
  [message]
  (let [end (peer/later (peer/hear @settled message) 2000)]
    (is (= [] (rules/faults (peer/after @settled end))))
    (peer/facts (peer/after @settled end) :answers)))

(deftest line-21-known-answers
  (testing "at least half of the TTL: known (7.1)"
    (doseq [[question fact half] [[["_http._tcp.local" :ptr] ptr-fact 2250] [["web.local" :a] a-fact 60]]
            ttl-of [half (inc (long half)) (* 2 (long half)) 1000000]]
      (is (not (contains? (answered (peer/query [question] :known [(known fact ttl-of)])) fact)) (str fact " " ttl-of)))
    (is (= [] (let [end (peer/later (peer/hear @settled (peer/query [["_http._tcp.local" :ptr]] :known [(known ptr-fact 4500)])) 3000)]
                (peer/after @settled end)))
        "Nothing at all is sent: no additionals alone (6)."))
  (testing "less: it MUST be sent (7.1)"
    (doseq [[question fact half] [[["_http._tcp.local" :ptr] ptr-fact 2250] [["web.local" :a] a-fact 60]]
            ttl [0 1 (dec (long half))]]
      (is (contains? (answered (peer/query [question] :known [(known fact ttl)])) fact) (str fact " " ttl))))
  (testing "names are compared without case, bit 15 of the class not at all (16, 10.2)"
    (is (= #{} (answered (peer/query [["_http._tcp.local" :ptr]]
                                     :known [(known ["_HTTP._tcp.local" :ptr "WEB._http._TCP.local"] 4500)]))))
    (is (not (contains? (answered (peer/query [["web.local" :a]] :known [(peer/record a-fact :flush? true)])) a-fact))))
  (testing "others are answered: other data, another type, another name"
    (is (contains? (answered (peer/query [["_http._tcp.local" :ptr]] :known [(known ["_http._tcp.local" :ptr "x._http._tcp.local"] 4500)])) ptr-fact))
    (is (contains? (answered (peer/query [["web.local" :a]] :known [(known ["web.local" :a "10.0.0.9"] 120)])) a-fact))
    (is (= #{types-fact} (answered (peer/query [["_http._tcp.local" :ptr] ["_services._dns-sd._udp.local" :ptr]] :known [(known ptr-fact 4500)])))))
  (testing "one of a unique set is known: the set goes whole or not at all, for its cache-flush bit would kill the known one (10.2)"
    (is (= aaaa-facts (answered (peer/query [["web.local" :aaaa]] :known [(known ["web.local" :aaaa "fd00::5"] 120)]))))
    (is (= #{} (answered (peer/query [["web.local" :aaaa]] :known (map #(known % 120) aaaa-facts))))))
  (testing "what is known is not added either"
    (let [end (peer/later (peer/hear @settled (peer/query [["_http._tcp.local" :ptr] ["_services._dns-sd._udp.local" :ptr]]
                                                          :known [(known ptr-fact 4500)])) 2000)]
      (is (not (contains? (peer/facts (peer/after @settled end)) ptr-fact)))))
  (testing "a query's answers are believed by nobody (7.1): no conflict, nothing learned"
    (let [lie  (known ["web.local" :a "10.0.0.9"] 120)
          end  (peer/later (peer/hear @settled (peer/query [["x.local" :a]] :known [lie])) 5000)
          ask  (peer/later (peer/hear end (peer/query [["web.local" :a]])) 1000)]
      (is (= [] (peer/after @settled end)))
      (is (not (contains? (peer/facts (peer/after end ask)) ["web.local" :a "10.0.0.9"]))))))

(defn- then
  "Facts multicast within 2 s when `asked` (a query with TC) is followed 100 ms later by `more`."
  [asked & mores]
  (let [w (peer/later (peer/hear @settled asked) 100)
        end (peer/later (reduce (fn [w [message & opts]] (apply peer/hear w message opts)) w mores) 2000)]
    (is (= [] (rules/faults (peer/after @settled end))))
    (peer/facts (peer/after @settled end) :answers)))

(deftest line-21-continued
  (let [asked (peer/query [["_http._tcp.local" :ptr] ["_services._dns-sd._udp.local" :ptr]] :tc? true)
        more  (peer/query [] :known [(known ptr-fact 4500)])]
    (testing "known answers of a later packet of that host delete what waits (7.2)"
      (is (= #{types-fact} (then asked [more])))
      (is (= #{} (then asked [(peer/query [] :known [(known ptr-fact 4500)] :tc? true)] [(peer/query [] :known [(known types-fact 4500)])]))))
    (testing "not of another host (7.2)"
      (is (= #{ptr-fact types-fact} (then asked [more :ip "10.0.0.8"]))))
    (testing "not with less than half the TTL (7.1)"
      (is (= #{ptr-fact types-fact} (then asked [(peer/query [] :known [(known ptr-fact 2249)])]))))
    (testing "not when another host waits for it, too (7.2)"
      (is (contains? (then asked [(peer/query [["_http._tcp.local" :ptr]]) :ip "10.0.0.8"] [more]) ptr-fact))
      (is (contains? (then asked [(peer/query [["_http._tcp.local" :ptr]] :tc? true) :ip "10.0.0.8"] [more]) ptr-fact)))
    (testing "without a question before nothing comes of it"
      (is (= [] (peer/after @settled (peer/later (peer/hear @settled more) 2000)))))))

(defn- while-waiting
  "Facts that are multicast by us when, 10 ms after the question for our PTR, somebody multicasts `records`."
  [records & opts]
  (let [w (-> @settled (peer/hear (peer/query [["_http._tcp.local" :ptr]])) (peer/later 10))
        end (-> (apply peer/hear w (peer/response records) opts) (peer/later 2000))]
    (peer/facts (peer/after @settled end) :answers)))

(deftest line-22-duplicate-answers
  (testing "somebody has said it, with a TTL not less than ours: taken as said (7.4)"
    (is (not (contains? (while-waiting [(peer/record ptr-fact)]) ptr-fact)))
    (is (not (contains? (while-waiting [(peer/record ptr-fact :ttl 9000)]) ptr-fact)))
    (is (not (contains? (while-waiting [(peer/record ["_HTTP._tcp.local" :ptr "Web._http._tcp.local"])]) ptr-fact))))
  (testing "with less, or other data: said (7.4)"
    (is (contains? (while-waiting [(peer/record ptr-fact :ttl 4499)]) ptr-fact))
    (is (contains? (while-waiting [(peer/record ["_http._tcp.local" :ptr "x._http._tcp.local"])]) ptr-fact))
    (is (contains? (while-waiting [(peer/record types-fact)]) ptr-fact)))
  (testing "to one host by unicast nobody else hears it (7.4)"
    (is (contains? (while-waiting [(peer/record ptr-fact)] :multicast? false) ptr-fact)))
  (testing "off-link by unicast, or from another port, it is not heard (6, 11)"
    (is (contains? (while-waiting [(peer/record ptr-fact)] :ip "192.0.2.1" :multicast? false :on-link? false) ptr-fact))
    (is (contains? (while-waiting [(peer/record ptr-fact)] :port 5354) ptr-fact)))
  (testing "on the other family it is another medium (20)"
    (is (contains? (while-waiting [(peer/record ptr-fact)] :ip "fe80::9") ptr-fact))))

(deftest line-22-a-ttl-that-is-too-short
  (testing "less than half of ours: ours is multicast (6.6)"
    (doseq [[fact ttl] [[ptr-fact 2249] [a-fact 59] [["web.local" :aaaa "fd00::5"] 59] [[instance :txt [""]] 2249]
                        [a-fact 0] [ptr-fact 0]]
            :let [end  (peer/later (peer/hear @settled (peer/response [(peer/record fact :ttl ttl)])) 1000)
                  sent (peer/after @settled end)]]
      (is (contains? (peer/facts (peer/of sent :family :ipv4 :to :multicast) :answers) fact) (str fact " " ttl))
      (is (= [] (peer/of sent :kind :probe)))
      (is (= [] (rules/faults sent)))
      (when (= :aaaa (second fact))
        (is (= aaaa-facts (into #{} (filter #(= :aaaa (second %))) (peer/facts sent :answers))) "10.2: the set goes whole"))))
  (testing "half and more: no action (6.6)"
    (doseq [[fact ttl] [[ptr-fact 2250] [a-fact 60] [a-fact 120] [ptr-fact 4500]]]
      (is (= [] (peer/after @settled (peer/later (peer/hear @settled (peer/response [(peer/record fact :ttl ttl)])) 3000))) (str fact " " ttl))))
  (testing "somebody who insists does not make us say it more than once in a second (6)"
    (let [w (reduce (fn [w _] (peer/later (peer/hear w (peer/response [(peer/record a-fact :ttl 1)])) 50)) @settled (range 60))
          sent (peer/after @settled (peer/later w 2000))]
      (is (= [] (rules/faults sent)))
      (is (<= 3 (count (peer/saying (peer/of sent :family :ipv4) a-fact)) 5)))))

(deftest line-6-6-shared-records
  (testing "shared records of others with other data are no conflict (6.6)"
    (is (= [] (peer/after @settled (peer/later (peer/hear @settled (peer/response [(peer/record ["_http._tcp.local" :ptr "x._http._tcp.local"])])) 3000))))))

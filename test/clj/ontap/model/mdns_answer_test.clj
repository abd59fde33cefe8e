;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-answer-test
  "What a responder of multicast DNS answers: which records (RFC 6762 sections 6, 6.1, 6.2, 6.5, 6.7; RFC 6763 section 12)."
  (:require [clojure.test :refer [are deftest is testing]]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-answer-reply :as reply]
            [ontap.model.mdns-answer-world :as w]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(defn- first-sent [packet] (first (:sent (w/run [[5000 packet]]))))

(defn- said
  "[answers additionals] of the only response to `questions` asked at once."
  [& questions]
  (let [{:keys [sent]} (w/run [[5000 (apply w/query questions)]])]
    (is (>= 1 (count sent)))
    (when-let [effect (first sent)] [(w/answers effect) (w/additionals effect)])))

(def ^:private four-nsec (w/nsec "four.local" [record/a] 120))
(def ^:private six-nsec (w/nsec "six.local" [record/aaaa] 120))

(deftest which-records-answer
  (are [question answers] (= answers (set (first (said question))))
    ;; section 6: name, type and class
    (w/question "web.local" record/a)            #{w/web-a}
    (w/question "web.local" record/aaaa)         #{w/web-ll w/web-ula}
    (w/question "WEB.Local" record/aaaa)         #{w/web-ll w/web-ula}
    (w/question "webb.local" record/a)           #{}
    (w/question "local" record/a)                #{}
    (w/question "_http._tcp.local" record/ptr)   #{w/http-ptr}
    (w/question "_services._dns-sd._udp.local" record/ptr) #{w/types-ptr}
    (w/question "_printer._sub._http._tcp.local" record/ptr) #{w/sub-ptr}
    (w/question "web._http._tcp.local" record/srv) #{w/srv}
    (w/question "web._http._tcp.local" record/txt) #{w/txt}
    (w/question "5.0.0.10.in-addr.arpa" record/ptr) #{w/reverse-ptr}
    ;; a shared name has no negative answers
    (w/question "_http._tcp.local" record/txt)   #{}
    ;; a CNAME answers any type
    (w/question "www.local" record/a)            #{w/alias-cname}
    (w/question "www.local" record/txt)          #{w/alias-cname}
    ;; 6.5: all of them
    (w/question "web.local" record/any)          #{w/web-a w/web-ll w/web-ula}
    (assoc (w/question "six.local" record/any) :mdns/class 255) #{w/six-aaaa w/chaos}
    (assoc (w/question "six.local" record/txt) :mdns/class 255) #{w/chaos}
    (assoc (w/question "six.local" record/any) :mdns/class 3) #{w/chaos}
    (assoc (w/question "web.local" record/a) :mdns/class 255) #{w/web-a}
    ;; and no negative answer for another class
    (assoc (w/question "web.local" record/a) :mdns/class 3) #{}
    ;; no transfer, and no type that is none
    (w/question "web.local" 252)                 #{}
    (w/question "web.local" 251)                 #{}
    (w/question "web.local" 41)                  #{}))

(deftest what-there-is-not
  (are [question answers] (= answers (set (first (said question))))
    (w/question "four.local" record/aaaa)        #{four-nsec}
    (w/question "six.local" record/a)            #{six-nsec}
    (w/question "four.local" record/txt)         #{(w/ttl four-nsec 4500)}
    (w/question "four.local" record/srv)         #{four-nsec}
    (w/question "four.local" record/nsec)        #{(w/ttl four-nsec 4500)}
    (w/question "four.local" 65280)              #{(w/ttl four-nsec 4500)}
    (w/question "web._http._tcp.local" record/a) #{(record/nsec-record w/instance [record/srv record/txt] 120)}
    (w/question "5.0.0.10.in-addr.arpa" record/aaaa) #{(record/nsec-record (record/reverse-name "10.0.0.5") [record/ptr] 120)}
    ;; a name with a type that does not fit in block 0
    (w/question "strange.local" record/a)        #{}
    (w/question "strange.local" 65280)           #{w/strange})
  (testing "as RFC 6762 section 6.1 writes it"
    (let [[nsec] (vec (first (said (w/question "four.local" record/aaaa))))]
      (is (= (str (w/n "four.local") "\u0000\u0001\u0040") (:mdns/rdata nsec)) "its own name, block 0, one byte, A and not NSEC")
      (is (:mdns/flush? nsec))))
  (testing "two types missing, with the TTL of what is soonest to be had"
    (is (= #{four-nsec} (first (said (w/question "four.local" record/txt) (w/question "four.local" record/aaaa))))))
  (testing "a name that is not only ours"
    (is (empty? (:sent (w/run [[5000 (w/query (w/question "four.local" record/aaaa))]]
                              :catalog (assoc w/catalog :catalog/owned #{})))))))

(deftest what-goes-along
  (are [question additionals] (= additionals (set (second (said question))))
    ;; RFC 6763 12.1, 12.2
    (w/question "_http._tcp.local" record/ptr)     #{w/srv w/txt w/web-a w/web-ll w/web-ula}
    (w/question "_printer._sub._http._tcp.local" record/ptr) #{w/srv w/txt w/web-a w/web-ll w/web-ula}
    (w/question "web._http._tcp.local" record/srv) #{w/web-a w/web-ll w/web-ula}
    (w/question "web._http._tcp.local" record/any) #{w/web-a w/web-ll w/web-ula}
    (w/question "web._http._tcp.local" record/txt) #{}
    (w/question "_services._dns-sd._udp.local" record/ptr) #{}
    (w/question "5.0.0.10.in-addr.arpa" record/ptr) #{}
    ;; RFC 6762 6.2
    (w/question "web.local" record/a)              #{w/web-ll w/web-ula}
    (w/question "web.local" record/aaaa)           #{w/web-a}
    (w/question "web.local" record/any)            #{}
    (w/question "four.local" record/a)             #{four-nsec}
    (w/question "six.local" record/any)            #{six-nsec}
    (w/question "www.local" record/aaaa)           #{w/web-a w/web-ll w/web-ula})
  (testing "only as much as surely fits in a packet, and then what is left out may be asked for at once"
    (let [records (mapcat (fn [i] (let [host (w/n (str "h" i ".local")), inst (mdns-name/child (str "h" i) (w/n "_http._tcp.local"))]
                                    [(record/address-record host (str "10.0.0." i)) (record/srv-record inst 80 host)
                                     (record/txt-record inst [(apply str (repeat 100 "x"))])
                                     (record/ptr-record (w/n "_http._tcp.local") inst record/other-ttl false)]))
                          (range 1 13))
          {:keys [sent]} (w/run [[5000 (w/query (w/question "_http._tcp.local" record/ptr))]
                                 [5200 (w/query (w/question "h12.local" record/a))]
                                 [5201 (w/query (w/question "h1.local" record/a))]]
                                :catalog (w/catalog-of records))
          [browse after & more] sent]
      (is (= 12 (count (w/answers browse))))
      (is (< 5 (count (w/additionals browse)) 36))
      (is (= ["10.0.0.12"] (map record/ip (w/answers after))))
      (is (empty? more) "the first had gone along"))))

(deftest the-header
  (let [{:send/keys [to families message]} (first-sent (w/query (w/question "web.local" record/a)))]
    (is (= :multicast to))
    (is (= #{:ipv4} families))
    (is (= {:message/response? true :message/authoritative? true} (dissoc message :message/answers :message/additionals))
        "QR and AA; no question, ID 0, all else 0 (section 18)"))
  (is (= #{:ipv6} (:send/families (first-sent (assoc (w/query (w/question "web.local" record/a)) :packet/family :ipv6
                                                     :packet/ip "fe80::9")))))
  (testing "cache-flush as in the catalog, in unicast too (section 10.2)"
    (doseq [unicast? [false true]
            {:send/keys [message]} (:sent (w/run [(w/told 4990 w/http-ptr)
                                                  [5000 (w/query (w/question "_http._tcp.local" record/ptr unicast?))]]))]
      (is (= {w/http-ptr false} (into {} (map (juxt identity :mdns/flush?)) (:message/answers message))))
      (is (every? :mdns/flush? (:message/additionals message))))))

(deftest legacy-resolvers
  (let [questions [(w/question "web._http._tcp.local" record/srv) (w/question "nobody.local" record/a true)]
        packet (-> (apply w/query questions)
                   (assoc :packet/port 40000)
                   (assoc-in [:packet/message :message/id] 4711))
        {:send/keys [to message] :as effect} (first-sent packet)
        usual (fn [r] (assoc r :mdns/ttl 10 :mdns/flush? false))]
    (is (= {:ip "10.0.0.9" :port 40000} to))
    (is (= 5000 (:at effect)) "at once")
    (is (= {:message/id 4711 :message/questions questions :message/legacy? true :message/response? true :message/authoritative? true}
           (dissoc message :message/answers :message/additionals)))
    (is (= #{(usual w/srv)} (w/answers effect)))
    (is (= (into #{} (map usual) [w/web-a w/web-ll w/web-ula]) (w/additionals effect))))
  (testing "a shorter TTL stays"
    (is (= [5] (map :mdns/ttl (w/answers (first (:sent (w/run [[1000 (assoc (w/query (w/question "web.local" record/a)) :packet/port 1)]]
                                                              :catalog (w/catalog-of [(w/ttl w/web-a 5)])))))))))
  (testing "not limited by what was multicast a moment ago, and no reason to be silent afterwards"
    (is (= [[5000 "10.0.0.9"] [5001 "10.0.0.9"] [5002 :multicast]]
           (map (juxt first second)
                (w/seen [5000 (assoc (w/query (w/question "web.local" record/a)) :packet/port 999)]
                        [5001 (assoc (w/query (w/question "web.local" record/a)) :packet/port 999)]
                        [5002 (w/query (w/question "web.local" record/a))])))))
  (testing "an alias with what it stands for, as a usual server has it"
    (is (= #{record/cname record/a}
           (into #{} (map :mdns/type) (w/answers (first-sent (assoc (w/query (w/question "www.local" record/a)) :packet/port 999)))))))
  (testing "what there is not"
    (is (= #{(assoc four-nsec :mdns/ttl 10 :mdns/flush? false)}
           (w/answers (first-sent (assoc (w/query (w/question "four.local" record/aaaa)) :packet/port 999))))))
  (testing "TC is of no meaning"
    (is (= 5000 (:at (first-sent (w/tc (assoc (w/query (w/question "_http._tcp.local" record/ptr)) :packet/port 999)))))))
  (testing "nobody elsewhere"
    (is (nil? (first-sent (assoc (w/query (w/question "web.local" record/a)) :packet/port 999 :packet/on-link? false))))))

(deftest only-what-there-is-when-it-is-said
  (let [asked [1000 (w/query (w/question "_http._tcp.local" record/ptr) (w/question "web.local" record/a))]
        run (fn [catalog] (w/answers (let [[state _] (mdns-answer/asked (mdns-answer/answering) w/catalog (second asked) 1000 1)]
                                       (first (second (mdns-answer/time state catalog (mdns-answer/due state)))))))]
    (is (= #{w/http-ptr w/web-a} (run w/catalog)))
    (is (= #{w/http-ptr} (run (w/catalog-of [w/http-ptr]))))
    (is (= #{(record/address-record (w/n "web.local") "10.0.0.77")}
           (run (w/catalog-of [(record/address-record (w/n "web.local") "10.0.0.77")]))))
    (is (= #{} (run (w/catalog-of [])))))
  (testing "without"
    (is (= [[1120 #{w/web-a}]]
           (map (fn [e] [(max 1120 (:at e)) (w/answers e)])
                (:sent (w/run [[1000 (w/query (w/question "_http._tcp.local" record/ptr) (w/question "web.local" record/a))]
                               [1001 #(mdns-answer/without % [(record/identity-of w/http-ptr)])]])))))
    (is (empty? (:sent (w/run [(w/told 900 w/http-ptr)
                               [1000 (w/query (w/question "_http._tcp.local" record/ptr true))]
                               [1001 #(mdns-answer/without % [(record/identity-of w/http-ptr)])]]))))))

(deftest a-flood-takes-no-memory
  (let [size (fn [state] (count (filter some? (tree-seq coll? seq (dissoc state :index)))))
        flood (fn [state n packet-of]
                (reduce (fn [s i] (first (mdns-answer/asked s w/catalog (packet-of i) 2000 i))) state (range n)))
        state (first (mdns-answer/asked (mdns-answer/told (mdns-answer/answering) [w/http-ptr w/sub-ptr] #{:ipv4} 1000) w/catalog
                                        (w/query (w/question "web.local" record/a)) 1500 1))
        full (fn [n] (-> state
                         (flood n #(w/from (w/query (w/question "_http._tcp.local" record/ptr true)) (str "10.1." (quot % 250) "." (rem % 250))))
                         (flood n #(w/from (w/tc (w/query (w/question "_services._dns-sd._udp.local" record/ptr)))
                                           (str "10.2." (quot % 250) "." (rem % 250))))
                         (flood n #(w/from (w/tc (w/query (w/question "_http._tcp.local" record/ptr true)))
                                           (str "10.3." (quot % 250) "." (rem % 250))))
                         (flood n #(w/query (w/question (str "x" % ".local") record/a)))
                         (flood n #(w/query (w/question "web.local" (+ 300 %))))))]
    (is (= reply/most (count (get-in (full 500) [:replies :by-asker]))))
    (is (> (+ 60 (size (full 500))) (size (full 3000))))
    (testing "and who asks when no reply has room is answered by multicast"
      (let [state (assoc (full 500) :queues (:queues (mdns-answer/answering)))
            late (update-vals (:times state) (constantly {}))
            [s _] (mdns-answer/asked (assoc state :times (assoc-in late [:ipv4 (record/identity-of w/sub-ptr)] 900)) w/catalog
                                     (w/from (w/query (w/question "_printer._sub._http._tcp.local" record/ptr true)) "10.9.9.9") 2000 1)]
        (is (contains? (get-in s [:queues :ipv4 :items]) (record/identity-of w/sub-ptr)))))))

(deftest times-of-what-is-no-more-are-forgotten
  (let [host (fn [i] (record/address-record (w/n (str "h" i ".local")) "10.0.0.1"))
        state (reduce (fn [s i] (let [r (host i)]
                                  (first (mdns-answer/asked (mdns-answer/told s [r] #{:ipv4 :ipv6} i) (w/catalog-of [r])
                                                            (w/query (w/question (str "h" i ".local") record/a)) i 1))))
                      (mdns-answer/answering) (range 2000))]
    (is (< (count (get-in state [:times :ipv4])) 140))
    (is (< (count (:index state)) 140))
    (is (mdns-answer/may-tell? state (host 1999) :ipv4 2999 1000))
    (is (not (mdns-answer/may-tell? state (host 1999) :ipv4 2998 1000)))))

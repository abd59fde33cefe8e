;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-proxy-test
  "The proxy, with a clock and a server of the test's own."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-proxy :as mdns-proxy]
            [ontap.model.mdns-record :as record]))

(def ^:private n mdns-name/of-text)
(def ^:private domain (n "vanya"))

(defn- world [] (atom {:machine (:mdns/state (mdns-proxy/step (mdns-proxy/proxy-machine domain) {:event/type :link :link/families #{:ipv4}} 0 1)) :now 0}))

(defn- give
  "The effects of `event`, by type."
  [world event]
  (let [{:mdns/keys [state effects]} (mdns-proxy/step (:machine @world) event (:now @world) 7)]
    (swap! world assoc :machine state)
    (group-by :effect/type effects)))

(defn- until!
  "Lets time go by to `now`, and gives the effects."
  [world now]
  (loop [effects {}]
    (let [at (mdns-proxy/due (:machine @world))]
      (if (and at (<= at now))
        (do (swap! world assoc :now (max at (:now @world)))
            (recur (merge-with into effects (give world {:event/type :time}))))
        (do (swap! world assoc :now now) effects)))))

(defn- asks [name type & {:as more}]
  (merge {:event/type :packet :packet/ip "10.0.0.9" :packet/port 5353 :packet/family :ipv4 :packet/multicast? true :packet/on-link? true
          :packet/message {:message/id 0 :message/opcode 0 :message/rcode 0 :message/response? false
                           :message/questions [{:mdns/name (n name) :mdns/type type :mdns/class 1}] :message/answers []}}
         more))

(defn- id-of [asked] (-> asked :ask first :ask/message :message/id))

(defn- says
  "The server's reply to what was `asked`."
  [asked rcode records]
  {:event/type :reply
   :reply/message {:message/id (id-of asked) :message/response? true :message/rcode rcode
                   :message/questions (-> asked :ask first :ask/message :message/questions) :message/answers records}})

(defn- server-a [name ip ttl] (assoc (record/address-record (n name) ip) :mdns/ttl ttl :mdns/flush? false))

(defn- said [effects] (mapcat (comp :message/answers :send/message) (:send effects)))

(deftest asks-the-server-and-answers
  (let [w (world)
        asked (give w (asks "Arroyocc.local" record/a))]
    (is (= [[(n "arroyocc.vanya") record/a]] (map (juxt :mdns/name :mdns/type) (-> asked :ask first :ask/message :message/questions))))
    (is (empty? (:send asked)))
    (let [effects (merge-with into (give w (says asked 0 [(server-a "arroyocc.vanya" "10.0.0.5" 60)])) (until! w 200))]
      (is (= [[(n "arroyocc.local") "10.0.0.5" false]] (map (juxt :mdns/name record/ip :mdns/flush?) (said effects))))
      (is (<= (-> effects said first :mdns/ttl) 60)))
    (testing "kept, but not longer than the server said"
      (until! w 40000)
      (let [effects (merge-with into (give w (asks "arroyocc.local" record/a)) (until! w 40200))]
        (is (empty? (:ask effects)))
        (is (= [19] (map :mdns/ttl (said effects))) "What is left of 60 s after 40, and of the time it waited."))
      (until! w 61000)
      (is (seq (:ask (give w (asks "arroyocc.local" record/a))))))))

(deftest two-minutes-at-most
  (let [w (world), asked (give w (asks "a.local" record/a))]
    (give w (says asked 0 [(server-a "a.vanya" "10.0.0.5" 86400)]))
    (is (= [119] (map :mdns/ttl (said (until! w 500)))) "Two minutes, less what it waited.")
    (until! w 121000)
    (is (seq (:ask (give w (asks "a.local" record/a)))))))

(deftest who-asks-for-all-gets-addresses
  (let [w (world), asked (give w (asks "a.local" record/any))]
    (is (= #{record/a record/aaaa} (set (map (comp :mdns/type first :message/questions :ask/message) (:ask asked)))))))

(deftest reverse-names
  (let [w (world), asked (give w (asks "5.0.0.10.in-addr.arpa" record/ptr))
        reverse (n "5.0.0.10.in-addr.arpa")]
    (is (= reverse (-> asked :ask first :ask/message :message/questions first :mdns/name)))
    (let [effects (merge-with into (give w (says asked 0 [(record/ptr-record reverse (n "a.vanya") 60 false)
                                                         (record/ptr-record reverse (n "a.example.org") 60 false)]))
                              (until! w 500))]
      (is (= ["a.local"] (map (comp mdns-name/text :mdns/rdata) (said effects))) "Names elsewhere are not ours to tell."))))

(deftest what-it-keeps-to-itself
  (testing "other names and types"
    (let [w (world)]
      (is (= {} (give w (asks "a.example.org" record/a))))
      (is (= {} (give w (asks "local" record/a))))
      (is (= {} (give w (asks "a.local" 65))))))
  (testing "what the server denies, for ten seconds"
    (let [w (world), asked (give w (asks "a.local" record/a))]
      (is (= {} (merge (give w (says asked 3 [])) (until! w 5000))))
      (is (= {} (give w (asks "a.local" record/a))))
      (until! w 10001)
      (is (seq (:ask (give w (asks "a.local" record/a)))))))
  (testing "from another link"
    (is (= {} (give (world) (asks "a.local" record/a :packet/on-link? false :packet/multicast? false)))))
  (testing "a family that is not there"
    (is (= {} (give (world) (asks "a.local" record/a :packet/family :ipv6))))))

(deftest replies-that-are-none
  (let [w (world), asked (give w (asks "a.local" record/a))
        good (says asked 0 [(server-a "a.vanya" "10.0.0.5" 60)])]
    (is (= {} (give w (update-in good [:reply/message :message/id] #(bit-xor 1 %)))) "Another id.")
    (is (= {} (give w (assoc-in good [:reply/message :message/questions] [{:mdns/name (n "b.vanya") :mdns/type 1 :mdns/class 1}]))) "Another question.")
    (is (= {} (give w (assoc-in good [:reply/message :message/response?] false))))
    (is (= {} (give w (assoc-in good [:reply/message :message/questions] []))))
    (is (seq (said (merge-with into (give w good) (until! w 500)))))))

(deftest a-server-that-is-silent
  (let [w (world)]
    (give w (asks "a.local" record/a))
    (let [effects (until! w 10000)]
      (is (= 2 (count (:ask effects))) "Asked again twice.")
      (is (= 1 (count (:silent effects))))
      (is (nil? (mdns-proxy/due (:machine @w)))))
    (is (seq (:ask (give w (asks "a.local" record/a)))) "Who asks later is asked for anew."))
  (testing "about what is none of its names: that is no news, and it is left alone for a minute"
    (let [w (world), q (asks "9.0.0.10.in-addr.arpa" record/ptr)]
      (give w q)
      (is (nil? (:silent (until! w 10000))))
      (is (= {} (give w q)))
      (until! w 70000)
      (is (seq (:ask (give w q)))))))

(deftest a-flood-is-bounded
  (let [w (world)
        asked (reduce + (for [i (range 1000)] (count (:ask (give w (asks (str "a" i ".local") record/a))))))]
    (is (= 64 asked))))

(deftest what-is-kept-is-bounded
  (let [w (world)
        a (give w (asks "a.local" record/a))]
    (give w (says a 0 [(server-a "a.vanya" "10.0.0.5" 60)]))
    (doseq [i (range 1500)] (give w (says (give w (asks (str "n" i ".local") record/a)) 3 [])))
    (is (= 1000 (count (get-in @w [:machine :proxy/kept]))))
    (until! w 2000)
    (let [effects (merge-with into (give w (asks "a.local" record/a)) (until! w 2500))]
      (is (nil? (:ask effects)) "What is true is kept when others ask for what is not.")
      (is (= [57] (map :mdns/ttl (said effects)))))
    (let [b (give w (asks "b.local" record/a))]
      (is (seq (said (merge-with into (give w (says b 0 [(server-a "b.vanya" "10.0.0.6" 60)])) (until! w 3000))))))))

(deftest what-is-about-to-end-is-no-goodbye
  (let [w (world), asked (give w (asks "a.local" record/a))]
    (is (= [1] (map :mdns/ttl (said (merge-with into (give w (says asked 0 [(server-a "a.vanya" "10.0.0.5" 0)])) (until! w 500))))))))

(deftest an-answer-that-was-cut
  (let [w (world), asked (give w (asks "a.local" record/a))]
    (is (= [{:effect/type :cut :cut/name (n "a.local")}]
           (:cut (give w (assoc-in (says asked 0 []) [:reply/message :message/truncated?] true)))))))

(deftest a-legacy-asker-waits-for-all
  (let [w (world)
        asked (give w (asks "a.local" record/any :packet/port 4000))
        [four six] (map (fn [m] {:ask [m]}) (sort-by (comp :mdns/type first :message/questions :ask/message) (:ask asked)))]
    (is (nil? (:send (give w (says four 0 [(server-a "a.vanya" "10.0.0.5" 60)])))))
    (is (= 2 (count (said (give w (says six 0 [(server-a "a.vanya" "fd00::5" 60)]))))))
    (testing "or until the rest is given up"
      (until! w 61000)
      (let [asked (give w (asks "a.local" record/any :packet/port 4000))
            four  {:ask [(first (sort-by (comp :mdns/type first :message/questions :ask/message) (:ask asked)))]}]
        (give w (says four 0 [(server-a "a.vanya" "10.0.0.5" 60)]))
        (is (= ["10.0.0.5"] (map record/ip (said (until! w 70000)))))))))

(deftest legacy-askers
  (let [w (world), asked (give w (asks "a.local" record/a :packet/port 4000))
        effects (give w (says asked 0 [(server-a "a.vanya" "10.0.0.5" 60)]))
        {:send/keys [to message]} (first (:send effects))]
    (is (= {:ip "10.0.0.9" :port 4000} to))
    (is (= [10] (map :mdns/ttl (:message/answers message))))))

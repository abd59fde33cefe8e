;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-conflict-test
  "Names that somebody else has, or wants, too: RFC 6762 sections 6.6, 8.1, 8.2 and 9; and names that are taken back when they are free
  (sections 5.2 and 10)."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-world :as world :refer [host response service]]))

(set! *warn-on-reflection* true)

(def ^:private web (host "web" ["10.0.0.5"]))
(def ^:private other-ip "10.0.0.99")

(defn- name-of [& labels] (mdns-name/of-labels (concat labels ["local"])))
(defn- address [label ip] (record/address-record (name-of label) ip))

(defn- alone [] (-> (world/world 1) (world/join :a) (world/up :a)))
(defn- probing [] (-> (alone) (world/want :a web) (world/advance 300)))
(defn- established ([] (established web)) ([wanted] (-> (alone) (world/want :a wanted) (world/advance 10000))))
(defn- others-say [w & records] (world/say w other-ip (apply response records)))
(defn- called [w label] (get-in (world/hosts w :a) [label :host/name]))
(defn- state [w label] (get-in (world/hosts w :a) [label :host/state]))
(defn- renamed [w] (into [] (comp (map #(nth % 2)) (filter #(= :renamed (:effect/type %)))) (:effects w)))
(defn- notes [w] (into [] (comp (map #(nth % 2)) (filter #(= :note (:effect/type %))) (map :note/text)) (:effects w)))

(defn- probe-of [& records]
  {:message/questions [{:mdns/name (:mdns/name (first records)) :mdns/type record/any :mdns/class 1 :mdns/unicast? true}]
   :message/authorities (mapv #(assoc % :mdns/flush? false) records)})

;; --- while probing

(deftest who-has-the-name-keeps-it
  (let [w (-> (probing) (others-say (address "web" "10.0.0.9")))]
    (is (= "web-2" (called w "web")) "At once.")
    (is (= :probing (state w "web")))
    (is (= [] (renamed w)))
    (let [w (world/advance w 5000)]
      (is (= :established (state w "web")))
      (is (= [{:effect/type :renamed :host/label "web" :host/name "web-2" :host/by other-ip}] (renamed w)) "Told when it is known to be free.")
      (is (= {"web" "web-2"} (mdns/saved (world/state w :a))))
      (is (= other-ip (get-in (world/hosts w :a) ["web" :host/by]))))))

(deftest what-is-a-conflict-while-probing
  (doseq [[text conflict? & records]
          [["another address" true (address "web" "10.0.0.9")]
           ["any other type (section 8.1)" true (record/txt-record (name-of "web") ["hello"])]
           ["in capital letters" true (address "WEB" "10.0.0.9")]
           ["ours, said by another (section 9)" false (address "web" "10.0.0.5")]
           ["ours with another TTL, without cache-flush" false (assoc (address "WEB" "10.0.0.5") :mdns/ttl 10 :mdns/flush? false)]
           ["ours and its NSEC" false (address "web" "10.0.0.5") (record/nsec-record (name-of "web") [1] 120)]
           ["an NSEC alone of one who has other types" true (record/nsec-record (name-of "web") [1 28] 120)]
           ["a goodbye" false (record/goodbye (address "web" "10.0.0.9"))]
           ["another name" false (address "webs" "10.0.0.9")]
           ["no record of a name at all" false (assoc (address "web" "10.0.0.9") :mdns/type 41)]]
          :let [w (apply others-say (probing) records)]]
    (testing text (is (= (if conflict? "web-2" "web") (called w "web")))))
  (testing "in each section"
    (doseq [section [:message/answers :message/authorities :message/additionals]]
      (is (= "web-2" (called (world/say (probing) other-ip {:message/response? true section [(address "web" "10.0.0.9")]}) "web")))))
  (testing "before the first probe nothing counts (section 8.1)"
    (let [w (-> (alone) (world/want :a web) (others-say (address "web" "10.0.0.9")))]
      (is (= "web" (called w "web")))
      (is (= "web-2" (called (-> w (world/advance 300) (others-say (address "web" "10.0.0.9"))) "web")))))
  (testing "after the third it still does"
    (let [w (-> (alone) (world/want :a web) (world/advance 700) (others-say (address "web" "10.0.0.9")))]
      (is (= "web-2" (called w "web"))))))

(deftest packets-that-do-not-count
  (doseq [[text change] {"from another port (section 6)"            #(assoc % :packet/port 5354)
                         "to us alone, from off the link (section 11)" #(assoc % :packet/multicast? false :packet/on-link? false)
                         "another OPCODE (section 18.3)"            #(assoc-in % [:packet/message :message/opcode] 2)
                         "a RCODE (section 18.11)"                  #(assoc-in % [:packet/message :message/rcode] 3)
                         "by a family that is not spoken"           #(assoc % :packet/family :ipv5)}
          :let [packet {:event/type :packet :packet/message (response (address "web" "10.0.0.9")) :packet/ip other-ip :packet/port 5353
                        :packet/family :ipv4 :packet/multicast? true :packet/on-link? true :packet/own? false}]]
    (testing text
      (is (= "web" (called (world/give (probing) :a (change packet)) "web")))))
  (testing "to the group from off the link it does (section 11)"
    (is (= "web-2" (called (world/give (probing) :a {:event/type :packet :packet/message (response (address "web" "10.0.0.9")) :packet/ip other-ip
                                                     :packet/port 5353 :packet/family :ipv4 :packet/multicast? true :packet/on-link? false
                                                     :packet/own? false})
                           "web")))))

;; --- both at once

(deftest who-loses-a-tie-waits-a-second
  (let [w (probing)
        lost (-> w (world/say other-ip (probe-of (address "web" "10.0.0.9"))) (world/advance 5000))
        won  (-> w (world/say other-ip (probe-of (address "web" "10.0.0.4"))) (world/advance 5000))
        same (-> w (world/say other-ip (probe-of (address "web" "10.0.0.5"))) (world/advance 5000))]
    (is (= "web" (called lost "web")) "It is not renamed: the other may be an echo of long ago (section 8.2).")
    (is (= [1000 1250 1500 1750] (mapv :at (take 4 (world/heard lost (:now w))))))
    (is (= (world/heard won) (world/heard same)))
    (testing "what the winner says while the loser waits puts nothing off"
      (let [w (-> w (world/say other-ip (probe-of (address "web" "10.0.0.9"))) (world/advance 250)
                  (world/say other-ip (probe-of (address "web" "10.0.0.9"))) (world/advance 2000))]
        (is (= [1000 1250 1500 1750] (mapv :at (take 4 (world/heard w 1000300)))))))
    (testing "a query of the name that proposes nothing is none"
      (is (= (world/heard won) (world/heard (-> w (world/say other-ip (dissoc (probe-of (address "web" "1.1.1.1")) :message/authorities)) (world/advance 5000))))))))

;; --- echoes

(deftest an-echo-is-no-conflict
  ;; systemd#35780: what a reflector sends back is no stranger's
  (doseq [ms [50 200 800 900 1500]
          :let [w (reduce (fn [w ms] (let [w (world/advance w ms)
                                           log (:log w)]
                                       (reduce #(world/say %1 other-ip (:message %2)) w (take-last 4 log))))
                          (-> (alone) (world/want :a (host "web" ["10.0.0.5" "fe80::5"] (service "_http._tcp" 80 "web"))))
                          (repeat 20 ms))
              w (world/advance w 5000)]]
    (testing ms
      (is (= :established (state w "web")))
      (is (= "web" (called w "web")))
      (is (= [] (notes w)))))
  (testing "nor is one of a moment ago, when the addresses were others"
    (let [old (:message (last (:log (established))))
          w (-> (established) (world/want :a (host "web" ["10.0.0.6"])) (world/say other-ip old))]
      (is (= :announcing (state w "web")))))
  (testing "but it is when it is old"
    (let [old (:message (last (:log (established))))
          w (-> (established) (world/want :a (host "web" ["10.0.0.6"])) (world/advance 6000) (world/say other-ip old))]
      (is (= :probing (state w "web"))))))

;; --- once it is ours

(deftest a-conflict-sends-it-back-to-probing
  (let [w (-> (established) (others-say (address "web" "10.0.0.9")))]
    (is (= ["web" :probing] [(called w "web") (state w "web")]) "At once (section 9).")
    (testing "it is ours when the other does not defend it"
      (let [w (world/advance w 10000)]
        (is (= ["web" :established] [(called w "web") (state w "web")]))
        (is (= [] (renamed w)))))
    (testing "and theirs when they do"
      (let [w (-> w (world/advance 300) (others-say (address "web" "10.0.0.9")) (world/advance 10000))]
        (is (= ["web-2" :established] [(called w "web") (state w "web")]))
        (is (= other-ip (:host/by (first (renamed w)))))))))

(deftest what-is-a-conflict-once-it-is-ours
  (doseq [[text conflict? r]
          [["another address" true (address "web" "10.0.0.9")]
           ["the other family (section 8.1)" true (address "web" "fe80::9")]
           ["another type" false (record/txt-record (name-of "web") ["hello"])]
           ["ours" false (address "Web" "10.0.0.5")]
           ["a goodbye" false (record/goodbye (address "web" "10.0.0.9"))]
           ["a shared record of a type that we have, too" false
            (record/ptr-record (name-of "_http" "_tcp") (name-of "x" "_http" "_tcp") 4500 false)]]
          :let [w (others-say (established) r)]]
    (testing text (is (= (if conflict? :probing :established) (state w "web"))))))

(deftest a-service-is-renamed-apart-from-its-host
  (let [w (-> (alone) (world/want :a (host "web" ["10.0.0.5"] (service "_http._tcp" 80 "Anna's wiki"))) (world/advance 300)
              (others-say (record/srv-record (name-of "Anna's wiki" "_http" "_tcp") 80 (name-of "x"))) (world/advance 10000))
        said (set (mapcat :answers (world/heard w)))]
    (is (= "web" (called w "web")))
    (is (contains? said "_http._tcp.local PTR Anna's wiki (2)._http._tcp.local"))
    (is (not-any? #(str/includes? % "Anna's wiki.") said))
    (is (= ["the service Anna's wiki._http._tcp.local is Anna's wiki (2)._http._tcp.local: 10.0.0.99 has that name"] (notes w)))))

(deftest a-service-follows-the-name-of-its-host
  (let [w (established (host "web" ["10.0.0.5"] (service "_http._tcp" 80 "wiki")))
        from (:now w)
        w (-> w (others-say (address "web" "10.0.0.9")) (world/advance 300) (others-say (address "web" "10.0.0.9")) (world/advance 10000))]
    (is (= "web-2" (called w "web")))
    (is (some #{"wiki._http._tcp.local SRV 80 web-2.local flush"} (mapcat :answers (world/heard w from))))
    (is (not-any? #(re-find #"goodbye" %) (mapcat :answers (world/heard w from))) "Nothing of the other's is taken back.")))

;; --- which name is next

(deftest the-next-name
  (testing "one after the other"
    (let [w (reduce (fn [w n] (-> w (world/advance 300) (others-say (address (called w "web") "10.0.0.9")))) (-> (alone) (world/want :a web)) (range 3))]
      (is (= "web-4" (called w "web")))))
  (testing "not one that another host of ours wants"
    (let [w (-> (alone) (world/want :a (merge web (host "web-2" ["10.0.0.7"]))) (world/advance 300) (others-say (address "web" "10.0.0.9")))]
      (is (= ["web-3" "web-2"] [(called w "web") (called w "web-2")]))))
  (testing "who is called so has it, also when it comes later"
    (let [w (-> (probing) (others-say (address "web" "10.0.0.9")) (world/advance 5000)
                (world/want :a (merge web (host "web-2" ["10.0.0.7"]))) (world/advance 5000))]
      (is (= ["web-3" "web-2"] [(called w "web") (called w "web-2")]))))
  (testing "a label has 63 bytes"
    (let [long-label (apply str (repeat 63 "x"))
          w (-> (alone) (world/want :a (host long-label ["10.0.0.5"])) (world/advance 300) (others-say (address long-label "10.0.0.9")))]
      (is (= (str (subs long-label 0 61) "-2") (called w long-label)))))
  (testing "two services of ours with one name"
    (let [w (established (merge (host "a" ["10.0.0.5"] (service "_http._tcp" 80 "wiki")) (host "b" ["10.0.0.6"] (service "_http._tcp" 80 "wiki"))))
          said (set (mapcat :answers (world/heard w)))]
      (is (contains? said "wiki._http._tcp.local SRV 80 a.local flush"))
      (is (contains? said "wiki (2)._http._tcp.local SRV 80 b.local flush"))
      (testing "the second has it when the first is gone"
        (let [from (:now w)
              w (-> w (world/want :a (host "b" ["10.0.0.6"] (service "_http._tcp" 80 "wiki"))) (world/advance 5000))]
          (is (some #{"wiki._http._tcp.local SRV 80 b.local flush"} (mapcat :answers (world/heard w from)))))))))

(deftest a-saved-name-is-used-again
  (let [begin (-> (world/world 1) (world/join :a {"web" "web-2"}) (world/up :a) (world/want :a web))]
    (is (= ["web-2.local 255 QU"] (:questions (first (world/heard (world/advance begin 300))))))
    (testing "and given up when the wanted one is free"
      (let [w (world/advance begin 10000)]
        (is (= "web" (called w "web")))
        (is (= [{:effect/type :renamed :host/label "web" :host/name "web" :host/by nil}] (renamed w)))
        (is (= {} (mdns/saved (world/state w :a))))))
    (testing "but not when it is not"
      (let [w (reduce (fn [w _] (-> w (world/advance 200) (cond-> (some #(= ["web.local 255 QU"] (:questions %)) (take-last 1 (world/heard w)))
                                                             (others-say (address "web" "10.0.0.9")))))
                      begin (range 50))]
        (is (= "web-2" (called w "web")))
        (is (= [] (renamed w)) "It is nothing new.")))
    (testing "a text that is no name is left aside"
      (is (= "web" (called (-> (world/world 1) (world/join :a {"web" (apply str (repeat 70 "x"))}) (world/up :a) (world/want :a web)) "web"))))))

;; --- not for ever

(deftest many-conflicts-make-it-slow
  (let [w (reduce (fn [w _] (-> w (world/advance 260) (others-say (address (called w "web") "10.0.0.9"))))
                  (-> (alone) (world/want :a web)) (range 15))
        from (:now w)
        w (world/advance w 20000)
        first-probe (first (filter :questions (world/heard w from)))]
    (is (= "web-16" (get-in (world/hosts w :a) ["web" :host/name])))
    (is (<= 5000 (:at first-probe) 5250) "RFC 6762 section 8.1")
    (testing "and each that follows, until none fails for ten seconds"
      (let [w (reduce (fn [w _] (let [n (count (:log w)), w (world/advance w 50)]
                                  (cond-> w (< n (count (:log w))) (others-say (address (called w "web") "10.0.0.9")))))
                      w (range 1200))
            asked (map :at (filter :questions (world/heard w from)))]
        (is (every? #(<= 5000 %) (map - (rest (drop 4 asked)) (drop 4 asked))) (pr-str asked))))))

(deftest a-minute-without-a-name-is-told
  (let [w (reduce (fn [w _] (-> w (world/advance 600) (others-say (address (called w "web") "10.0.0.9"))))
                  (-> (alone) (world/want :a web)) (range 200))]
    (is (= 1 (count (notes w))))
    (is (re-find #"^no free name was found for web.local in a minute; web-\d+.local was tried last" (first (notes w))))))

;; --- back

(defn- lost
  "web.local is another's, who said so with a TTL of 120 s."
  []
  (-> (probing) (others-say (address "web" "10.0.0.9")) (world/advance 10000)))

(deftest a-name-is-taken-back-when-it-is-free
  (testing "its owner says goodbye (section 10.1)"
    (let [w (lost), from (:now w)
          w (-> w (others-say (record/goodbye (address "web" "10.0.0.9"))) (world/advance 10000))
          said (world/heard w from)]
      (is (= "web" (called w "web")))
      (is (= ["web.local 255 QU"] (:questions (first said))))
      (is (<= 1000 (:at (first said)) 1250))
      (is (= #{"web-2.local A 10.0.0.5 goodbye flush" "web.local A 10.0.0.5 flush" "5.0.0.10.in-addr.arpa PTR web.local flush"}
             (set (:answers (first (filter :response said))))))
      (is (= ["web-2" "web"] (mapv :host/name (renamed w))))))
  (testing "it is asked for at 80, 85, 90 and 95 % of its TTL, and then is gone (section 5.2)"
    (let [w (lost), heard-at 1000300
          w (world/advance w 130000)
          asked (filter #(= ["web.local 255"] (:questions %)) (world/heard w heard-at))]
      (is (every? true? (map #(<= %2 (/ (:at %1) 1200) (+ 2 %2)) asked [80 85 90 95])) "And 0 to 2 % by chance.")
      (is (= 4 (count asked)))
      (is (= "web" (called w "web")))))
  (testing "who answers keeps it"
    (let [w (-> (lost) (world/advance 100000) (others-say (address "web" "10.0.0.9")) (world/advance 90000))]
      (is (= "web-2" (called w "web")))))
  (testing "meanwhile the other name is answered for"
    (let [w (-> (lost) (others-say (record/goodbye (address "web" "10.0.0.9"))) (world/advance 1400))
          from (:now w)
          q {:message/questions [{:mdns/name (name-of "web-2") :mdns/type record/a :mdns/class 1}]}]
      (is (= ["web-2.local A 10.0.0.5 flush"] (:answers (first (world/heard (world/say w other-ip q) from))))))))

(deftest a-name-that-is-defended-is-asked-for-less-and-less
  (let [w (lost)
        from (:now w)
        ;; somebody whose records live for a second
        w (reduce (fn [w _]
                    (let [n (count (:log w)), w (world/advance w 250)]
                      (cond-> w (< n (count (:log w))) (others-say (assoc (address "web" "10.0.0.9") :mdns/ttl 1)))))
                  (others-say w (record/goodbye (address "web" "10.0.0.9"))) (range 2400))
        tries (count (filter #(= ["web.local 255 QU"] (:questions %)) (world/heard w from)))]
    (is (< 3 tries 12) (str tries " in ten minutes."))
    (is (= "web-2" (called w "web")))))

(deftest what-we-say-on-another-link-of-the-lan
  (testing "is no conflict; but the caches have to hear ours again (sections 10.2 and 14)"
    (let [w (established), from (:now w)
          say (fn [w] (world/give w :a {:event/type :packet :packet/message (response (address "web" "10.0.7.5")) :packet/ip other-ip :packet/port 5353
                                        :packet/family :ipv4 :packet/multicast? true :packet/on-link? true :packet/elsewhere #{(record/identity-of (address "web" "10.0.7.5"))}}))]
      (is (= :established (state (say w) "web")))
      (is (= [["web.local A 10.0.0.5 flush"]] (mapv :answers (world/heard (-> w say (world/advance 900) say) from))) "Not twice within a second.")
      (is (= "web" (called (-> (probing) say (world/advance 2000)) "web"))))))

(deftest part-of-ours-said-as-the-whole-is-corrected
  (testing "caches forget the rest in a second (sections 10.2 and 14)"
    (let [w (established (host "web" ["10.0.0.5" "10.0.0.6"])), from (:now w)
          w (others-say w (address "web" "10.0.0.5"))]
      (is (= :established (state w "web")))
      (is (= [["web.local A 10.0.0.5 flush" "web.local A 10.0.0.6 flush"]] (mapv :answers (world/heard w from))))
      (testing "but not what was said in the last second"
        (is (= 1 (count (world/heard (-> w (world/advance 900) (others-say (address "web" "10.0.0.5"))) from))))))))

(deftest a-try-that-is-broken-off-is-made-again
  (testing "The host that was called web-2 for want of web gives it to one of that name, while it tries to have web"
    (let [w (-> (lost) (others-say (record/goodbye (address "web" "10.0.0.9"))) (world/advance 1300)
                (world/want :a (merge web (host "web-2" ["10.0.0.7"]))) (world/advance 60000))]
      (is (= ["web" "web-2"] [(called w "web") (called w "web-2")])))))

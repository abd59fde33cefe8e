;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-property-test
  "What holds of the names of a link whatever happens: hosts come, change and go, the link fails, others claim our names, ask,
  probe, say goodbye; our own packets come back."
  (:require [clojure.test :refer [deftest is testing]]
            [clojure.test.check :as check]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.model.mdns-world :as world :refer [host service]]))

(set! *warn-on-reflection* true)

(def ^:private labels ["a" "b" "a-2"])
(def ^:private addresses ["10.0.0.5" "10.0.0.6" "fd00::5" "fe80::5"])

(defn- name-of [& labels] (mdns-name/of-labels (concat labels ["local"])))

;; --- moves: [kind n m]

(def ^:private gen-move
  (gen/tuple (gen/frequency [[12 (gen/return :wait)] [4 (gen/return :wait-long)] [8 (gen/return :want)] [1 (gen/return :again)] [1 (gen/return :down)]
                             [2 (gen/return :up)] [4 (gen/return :claim)] [3 (gen/return :probe)] [2 (gen/return :goodbye)] [5 (gen/return :ask)]
                             [3 (gen/return :echo)] [1 (gen/return :garbage)]])
             (gen/choose 0 1000) (gen/choose 0 1000)))

(defn- pick [coll n] (nth coll (mod n (count coll))))

(defn- some-addresses [n] (keep-indexed (fn [i ip] (when (bit-test n i) ip)) addresses))

(defn- a-record [n m]
  (case (int (mod n 4))
    0 (record/address-record (name-of (pick labels n)) (pick addresses m))
    1 (record/address-record (name-of (pick labels n)) "10.0.0.99")
    2 (record/srv-record (name-of (pick ["a" "x"] m) "_http" "_tcp") 80 (name-of (pick labels n)))
    3 (record/ptr-record (name-of "_http" "_tcp") (name-of (pick ["a" "x"] m) "_http" "_tcp") 4500 false)))

(defn- a-question [n m]
  {:mdns/name (pick [(name-of "a") (name-of "b") (name-of "_http" "_tcp") (name-of "a" "_http" "_tcp") (record/reverse-name "10.0.0.5")] n)
   :mdns/type (pick [record/a record/aaaa record/any record/ptr record/srv] m) :mdns/class 1 :mdns/unicast? (zero? (mod m 3))})

(defn- others-say [w n message] (world/say w (str "10.0.0." (+ 90 (mod n 3))) message))

(defn- wanted-by [w label n m]
  (let [ips (some-addresses n)]
    (cond-> (dissoc (:wanted w) label)
      (seq ips) (merge (if (even? m)
                         (host label ips)
                         (host label ips (service "_http._tcp" (+ 80 (mod m 5)) (pick ["a" "x"] m) "_sub")))))))

(defn- moved [w [kind n m]]
  (case kind
    :wait      (world/advance w n)
    :wait-long (world/advance w (* n 20))
    :want      (let [wanted (wanted-by w (pick labels m) (mod n 16) (quot n 16))]
                 (-> (assoc w :wanted wanted) (update :wanted-at conj (:now w)) (world/want :a wanted)))
    :again     (world/give w :a {:event/type :again})
    :down      (world/down w :a)
    :up        (world/up w :a)
    :claim     (others-say w n (world/response (a-record n m)))
    :goodbye   (others-say w n (world/response (record/goodbye (a-record n m))))
    :probe     (let [r (assoc (a-record n m) :mdns/flush? false)]
                 (others-say w n {:message/questions [{:mdns/name (:mdns/name r) :mdns/type 255 :mdns/class 1 :mdns/unicast? true}]
                                  :message/authorities [r]}))
    :ask       (others-say w n {:message/questions [(a-question n m)]})
    :echo      (if-let [log (seq (take-last 6 (:log w)))] (others-say w n (:message (pick (vec log) n))) w)
    :garbage   (others-say w n (pick [{} {:message/response? true} {:message/questions [{:mdns/name mdns-name/root :mdns/type 0 :mdns/class 0}]}
                                      (world/response (record/record mdns-name/root 65535 0 "" true))
                                      (world/response (record/record (name-of "a") record/srv 1 "" true))
                                      (world/response (record/record (name-of "a") 41 1 "x" true))] n))))

(defn- lived [seed moves]
  (reduce moved (-> (world/world seed) (assoc :wanted {} :wanted-at []) (world/join :a) (world/up :a)) moves))

;; --- what is judged

(defn- key-of [r] (if (:mdns/flush? r) (record/set-of r) (record/identity-of r)))

(defn- said
  "[[at family key data defended?]] of what was multicast, goodbyes left out."
  [w]
  (for [{:keys [at family to message]} (:log w)
        :when (and (= :multicast to) (:message/response? message))
        [k rs] (group-by key-of (concat (:message/answers message) (:message/additionals message)))
        :when (pos? (:mdns/ttl (first rs)))]
    {:at at :family family :key k :data (into #{} (map record/identity-of) rs)}))

(defn- repeated
  "What was said twice within a second though it was the same (250 ms: it may have been a defence against a probe)."
  [w limit]
  (let [gone (into #{} (for [{:keys [at message]} (:log w), r (:message/answers message) :when (zero? (:mdns/ttl r))] [at (record/identity-of r)]))
        gone-between? (fn [data from to] (some (fn [[at id]] (and (<= from at to) (contains? data id))) gone))]
    (for [[[_ _] saids] (group-by (juxt :family :key) (said w))
          [a b] (partition 2 1 (sort-by :at saids))
          :when (and (= (:data a) (:data b)) (< (- (:at b) (:at a)) limit)
                     (not (gone-between? (:data a) (:at a) (:at b)))
                     ;; it may have been another meanwhile
                     (not-any? #(<= (:at a) % (:at b)) (:wanted-at w)))]
      [a b])))

(defn- probed [moves] (some #(contains? #{:probe :echo} (first %)) moves))

(defn- settled [w] (-> w (world/up :a) (world/advance 7200000)))

(def ^:private gen-life (gen/tuple (gen/choose 0 100000) (gen/vector gen-move 1 60)))

(defn- holds [n property]
  (let [result (check/quick-check n property)]
    (is (:pass? result) (pr-str (select-keys (:shrunk result) [:smallest :result-data]) (:seed result)))))

(def ^:private a-good-life
  (prop/for-all [[seed moves] gen-life]
    (let [w (lived seed moves)
          end (settled w)
          s (world/state end :a)]
      (and (= [] (:wrong end))
           ;; a record that has not changed is said once a second
           (empty? (repeated w (if (probed moves) 250 1000)))
           ;; who wants a name has one
           (= (set (keys (:wanted w))) (set (keys (mdns/hosts s))))
           (every? #(= :established (:host/state %)) (vals (mdns/hosts s)))
           (apply distinct? nil (map :host/name (vals (mdns/hosts s))))
           ;; others' names have been free for long: they are had again, and all is quiet
           (every? (fn [[label h]] (= label (:host/name h))) (mdns/hosts s))
           (not-any? (mdns/saved s) (keys (:wanted w)))
           (nil? (mdns/due s))))))

(deftest nothing-goes-wrong
  (holds 60 a-good-life))

(deftest ^:long nothing-goes-wrong-in-many-lives
  (holds 3000 a-good-life))

(deftest the-end-takes-all-back
  (holds 40
    (prop/for-all [[seed moves] gen-life]
      (let [w (settled (lived seed moves))
            before (mdns/identities (world/state w :a))
            from (:now w)
            end (-> w (world/give :a {:event/type :stop}) (world/advance 100000))
            said (filter #(<= from (:at %)) (:log end))
            gone (into #{} (for [{:keys [message]} said, r (:message/answers message) :when (zero? (:mdns/ttl r))] (record/identity-of r)))]
        (and (= before gone)
             (<= (count said) 2)
             (nil? (mdns/due (world/state end :a))))))))

(deftest wanting-nothing-leaves-nothing
  (holds 40
    (prop/for-all [[seed moves] gen-life]
      (let [w (-> (lived seed moves) (world/want :a {}))
            s (world/state w :a)]
        (and (= #{} (mdns/names s) (mdns/identities s))
             (= {} (mdns/hosts s))
             (= {} (:units s) (:holders s) (:wishes s) (:by-ip s) (:counts s) (:name-counts s))
             (empty? (:agenda s)))))))

(defn- size
  "How many things a value is made of."
  [x]
  (if (coll? x) (reduce + 1 (map size (if (map? x) (mapcat identity x) x))) 1))

(deftest a-flood-leaves-nothing-behind
  (testing "Of different names, from different askers; of claims of the name that was lost"
    (let [w (-> (world/world 1) (world/join :a) (world/up :a)
                (world/want :a (host "a" ["10.0.0.5"] (service "_http._tcp" 80 "a"))) (world/advance 300)
                (others-say 1 (world/response (record/address-record (name-of "a") "10.0.0.99"))) (world/advance 10000))
          before (size (world/state w :a))
          flood (reduce (fn [w n]
                          (let [ip (str "10." (quot n 250) ".0." (mod n 250))]
                            (-> w
                                (world/say ip (world/response (record/address-record (name-of (str "x" n)) ip)
                                                              (record/address-record (name-of "a") ip)))
                                (world/say ip {:message/questions [{:mdns/name (name-of (str "x" n)) :mdns/type 1 :mdns/class 1}
                                                                   {:mdns/name (name-of "_http" "_tcp") :mdns/type 12 :mdns/class 1 :mdns/unicast? true}]
                                               :message/truncated? true}))))
                        w (range 3000))]
      (is (< (size (world/state flood :a)) (+ before 5000)))
      (is (< (size (world/state (world/advance flood 20000) :a)) (+ before 500))))))

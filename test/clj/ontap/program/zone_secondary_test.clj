;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-secondary-test
  "NSD and Knot as secondaries of `ontap zone`: AXFR, IXFR, NOTIFY and TSIG, each view by a key of
  its own. Witnesses are dig(1) and kdig(1), which transfer themselves too."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.secondaries :as secondaries]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private primary "10.77.0.2")
(def ^:private secondary "10.77.0.1")
(def ^:private reverse-zone "0.77.10.in-addr.arpa")
(def ^:private secret
  {"inner" "aW5uZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gb2N0ZXRzIQ=="
   "outer" "b3V0ZXIgc2VjcmV0IG9mIHRoaXJ0eS10d28gb2N0ZXRzIQ=="})

(def ^:private declared
  {:zone {:domain   "vanya"
          :listen   [(str primary ":53")]
          :keys     (update-vals secret #(hash-map :secret %))
          :transfer [{:key "inner" :view :private} {:key "outer" :view :foreign}]
          :notify   [{:to (str secondary ":5301") :key "inner" :view :private}
                     {:to (str secondary ":5302") :key "inner" :view :private}
                     {:to (str secondary ":5303") :key "outer" :view :foreign}]
          ;; so that a whole zone and a change of it are of different size
          :records  (vec (for [i (range 200)] [(str "text" i) :txt (apply str (repeat 40 (str (mod i 10))))]))}})

(defn- workload!
  "A namespace with the link www, and addresses of both kinds."
  [lan]
  (let [ns (netns/make)]
    (lan/sh! lan :host "ip" "link" "add" "www0" "link" "up0" "type" "macvlan" "mode" "bridge")
    (lan/sh! lan :host "ip" "link" "set" "www0" "alias" "www")
    (lan/sh! lan :host "ip" "link" "set" "www0" "netns" (str (:pid ns)))
    (netns/ip ns "link" "set" "www0" "up")
    (doseq [a ["10.77.0.40/24" "198.51.100.40/24"]] (netns/ip ns "addr" "add" a "dev" "www0"))
    ns))

(defn- transfer
  "The records of the zone as `dig WORDS…` transfers them, each a text with single blanks, in the
  order they come; empty when it gets none."
  [lan & words]
  (->> (str/split-lines (:out (apply lan/sh lan :peer "dig" "+noall" "+answer" "+onesoa" "+nocookie" words)))
       (map #(str/replace % #"\s+" " "))
       (remove #(or (str/blank? %) (str/starts-with? % ";")))
       vec))

(defn- by-key [key-name] ["-y" (str "hmac-sha256:" key-name ":" (secret key-name))])

(defn- from-primary
  "The set of records of `name` that the primary gives to `key-name`."
  [lan key-name name]
  (set (apply transfer lan (str "@" primary) (concat (by-key key-name) [name "AXFR"]))))

(defn- from-secondary [lan {:keys [at port]} name]
  (set (transfer lan (str "@" at) "-p" port name "AXFR")))

(defn- addresses [lan {:keys [at port]} name]
  (set (str/split-lines (str/trim (:out (lan/sh lan :peer "dig" "+short" "+tries=1" "+time=1" (str "@" at) "-p" port name "A"))))))

(defn- await-zone
  "Blocks until the secondary has the zone `name` as the primary has it."
  [lan secondary key-name name]
  (t/wait-for (str (:kind secondary) " to have " name) 20000
              #(let [theirs (from-secondary lan secondary name)]
                 (and (seq theirs) (= theirs (from-primary lan key-name name))))))

(defn- ms-until
  "Milliseconds until each of the secondaries gives `f` a true answer, from `start` (System/nanoTime)."
  [start secondaries f]
  (t/two-at-a-time (fn [s]
                     (t/wait-for (str (:kind s) " to serve the change") #(f s))
                     (quot (- (System/nanoTime) (long start)) 1000000))
                   secondaries))

(defn- in-time
  "Makes a change, `change` (fn []), and says how long it took until the secondaries gave `f` what
  was expected: within a second."
  [what secondaries change f]
  (let [start (System/nanoTime)]
    (change)
    (let [ms (ms-until start secondaries f)]
      (println (str "  " what ": " (str/join ", " (map #(str (name (:kind %1)) " " %2 " ms") secondaries ms))))
      (doseq [[s n] (map vector secondaries ms)]
        (is (<= n 1000) (str what ", by " (name (:kind s))))))))

(defn- private? [record] (re-find #"\s(10\.77\.|fe80|fd)" record))

(defn- transfers-by-dig [lan]
  (testing "dig and kdig transfer, each key its view"
    (let [inner (from-primary lan "inner" "vanya"), outer (from-primary lan "outer" "vanya")]
      (is (contains? inner "www.vanya. 60 IN A 10.77.0.40"))
      (is (contains? inner "www.lan.vanya. 60 IN A 10.77.0.40"))
      (is (contains? outer "www.vanya. 60 IN A 198.51.100.40"))
      (is (= 200 (count (filter #(str/includes? % " TXT ") outer))))
      (is (empty? (filter private? outer)))
      (let [lines (->> (str/split-lines (lan/sh! lan :peer "kdig" "+noall" "+answer" (str "@" primary) "-y"
                                                 (str "hmac-sha256:inner:" (secret "inner")) "vanya" "AXFR"))
                       (map #(str/replace % #"\s+" " "))
                       (remove #(or (str/blank? %) (str/starts-with? % ";"))))]
        (is (= (first lines) (last lines)) "SOA first and last")
        (is (= inner (set lines)))
        (is (= (count inner) (dec (count lines))) "no record twice"))))
  (testing "who has no key, or a wrong one, gets nothing"
    (let [refused (fn [& words] (let [out (:out (apply lan/sh lan :peer "dig" "+tries=1" (str "@" primary) (concat words ["vanya" "AXFR"])))]
                                  (is (not (str/includes? out "www.vanya")) out)
                                  out))]
      (refused)
      (is (re-find #"BADSIG|NOTAUTH|failed" (refused "-y" (str "hmac-sha256:inner:" (secret "outer")))))
      (is (re-find #"BADKEY|NOTAUTH|failed" (refused "-y" (str "hmac-sha256:nobody:" (secret "inner")))))
      (is (re-find #"BADKEY|NOTAUTH|failed" (refused "-y" (str "hmac-sha512:inner:" (secret "inner"))))))))

(defn- serial [lan] (parse-long (nth (str/split (zone/dig lan :peer "+short" (str "@" primary) "vanya" "SOA") #" ") 2)))

(defn- ixfr-by-dig
  "What `before` lacks is what the transfer from its serial has."
  [lan before]
  (let [inner (apply transfer lan (str "@" primary) (concat (by-key "inner") ["vanya" (str "IXFR=" before)]))]
    (is (some #{"www.vanya. 60 IN A 10.77.0.41"} inner))
    (is (not-any? #(str/includes? % " TXT ") inner) "what has not changed is not told")))

(defn- churn!
  "Changes in a row, the last of which stay: www has then 10.77.0.100 to .109."
  [ns]
  (doseq [i (range 30)]
    (netns/ip ns "addr" "add" (str "10.77.0." (+ 100 (mod i 10)) "/24") "dev" "www0")
    (when (< i 20)
      (netns/ip ns "addr" "del" (str "10.77.0." (+ 100 (mod i 10)) "/24") "dev" "www0"))))

(deftest ^{:jdk :floor :timeout 120} nsd-and-knot-follow
  (lan/needs-root!)
  (secondaries/needs! :nsd :knot)
  (lan/with-lan [lan]
    (lan/sh! lan :host "ip" "link" "set" "up0" "up")
    (lan/sh! lan :host "ip" "addr" "add" (str primary "/24") "dev" "up0")
    (let [ns    (workload! lan)
          terms {:primary primary :at secondary}
          inner (assoc terms :key-name "inner" :secret (secret "inner") :zones ["vanya" reverse-zone "local"])
          outer (assoc terms :key-name "outer" :secret (secret "outer") :zones ["vanya"])]
      (try
        (zone/start lan (lan/write-file lan declared))
        (let [nsd     (secondaries/start lan :nsd 5301 inner)
              knot    (secondaries/start lan :knot 5302 inner)
              foreign (secondaries/start lan :knot 5303 outer)]
          (transfers-by-dig lan)
          (testing "they transfer when they start"
            (doseq [s [nsd knot], name (:zones inner)] (await-zone lan s "inner" name))
            (await-zone lan foreign "outer" "vanya"))
          (let [before (serial lan)]
            (testing "a change is served within a second"
              (in-time "an address more" [nsd knot] #(netns/ip ns "addr" "add" "10.77.0.41/24" "dev" "www0")
                       #(contains? (addresses lan % "www.vanya") "10.77.0.41"))
              (in-time "a global address more" [foreign] #(netns/ip ns "addr" "add" "198.51.100.41/24" "dev" "www0")
                       #(contains? (addresses lan % "www.vanya") "198.51.100.41")))
            (ixfr-by-dig lan before))
          (testing "many changes in a row: all have the last"
            (churn! ns)
            (doseq [s [nsd knot], name (:zones inner)] (await-zone lan s "inner" name))
            (await-zone lan foreign "outer" "vanya")
            (is (set/subset? (set (for [i (range 100 110)] (str "10.77.0." i))) (addresses lan nsd "www.vanya"))))
          (testing "no private address has come to the foreign one"
            (is (empty? (filter private? (from-secondary lan foreign "vanya")))))
          (testing "an address that goes, goes there too"
            (in-time "an address less" [nsd knot] #(netns/ip ns "addr" "del" "10.77.0.41/24" "dev" "www0")
                     #(not (contains? (addresses lan % "www.vanya") "10.77.0.41"))))
          (testing "what they did was incremental, and signed"
            (let [said (lan/said knot), kinds (map second (re-seq #"\[vanya\.\] ([AI]XFR), incoming,.* finished" said))]
              (is (= "AXFR" (first kinds)) said)
              (is (and (< 2 (count kinds)) (every? #{"IXFR"} (rest kinds))) said))
            (is (re-find #"TSIG verified with key inner" (lan/said nsd)))))
        (finally (netns/end! ns))))))

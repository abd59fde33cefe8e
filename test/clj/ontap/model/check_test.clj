;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.check-test
  "Whole files: their shapes, what all services together show, and that no form whatever makes `check` throw."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.check :as check]
            [ontap.model.declaration :as declaration]
            [ontap.model.mistake :as mistake]
            [ontap.model.service :as service]
            [ontap.model.spec :as spec]
            [ontap.model.spec-of-zone :as spec-of-zone]
            [ontap.model.zone :as model-zone]))

(def ^:private env {:root? true :read-zone model-zone/reader})
(def ^:private web {:name "web" :port "eth0" :user "www" :exec ["httpd"]})
(def ^:private zone {:domain "vanya"})
(def ^:private db {:name "db" :port "eth0" :user "www" :exec ["dbd"]})

(deftest the-shapes-of-a-file
  (are [form names ports] (= [names ports] (let [r (check/check form env)] [(map :service/name (:services r)) (keys (:ports r))]))
    web                                       ["web"]      nil
    [web]                                     ["web"]      nil
    [web db]                                  ["web" "db"] nil
    (list db web)                             ["db" "web"] nil
    {:services [web]}                         ["web"]      nil
    {:services [web db] :ports {"eth0" {}}}   ["web" "db"] ["eth0"]
    {:zone zone}                              []           nil
    {:zone zone :services []}                 []           nil
    {:zone zone :ports {"eth0" {}}}           []           ["eth0"]
    {:zone zone :services [web]}              ["web"]      nil))

(deftest the-zone-of-a-file
  (is (= [nil] (map #(:zone (check/check % env)) [web])))
  (let [z (:zone (check/check {:zone zone :services [(assoc web :srv {"_http._tcp" 80 "_https._tcp" 443}) db]} env))]
    (is (s/valid? ::spec-of-zone/zone z) (s/explain-str ::spec-of-zone/zone z))
    (is (= {"web" {"_http._tcp" 80 "_https._tcp" 443}} (update-vals (:zone/srv z) #(update-vals % :srv/port))) "What services offer is in the zone.")))

(deftest the-same-file-for-the-daemon
  (are [form names] (= {:services [] :ports names} (update (check/check-ports form env) :ports keys))
    {:ports {"eth0" {}}}                                     ["eth0"]
    {:services [web] :ports {"eth0" {} "eth1" {}}}           ["eth0" "eth1"]
    {:services [{:name 3}] :ports {"eth0" {:mode "0600"}}}   ["eth0"]
    {:services 3 :ports {"eth0" {}}}                         ["eth0"]))

(deftest what-may-stand-together
  (are [a b] (= 2 (count (:services (check/check [(merge web a) (merge db b)] env))))
    {:ipv4 "10.0.0.5/24"} {:ipv4 "10.0.0.6/24"}
    {:ipv4 "10.0.0.5/24"} {:ipv4 "10.0.0.5/24" :port "eth1"}
    {:netns "blue"} {:netns "red"}
    {:netns "blue"} {:netns "blue" :link "eth1"}
    {:netns :host} {:netns :host}
    {} {:requires ["web"]}
    {:type "macvlan"} {:type "macvlan" :mode "private"}
    {:mode "l3" :ipv6 :none} {:port "eth1"}
    {:type "macvlan"} {:port "eth1"}
    {} {:type "ipvtap" :queues 2}
    {:type "ipvtap" :mode "l3"} {:type "ipvtap" :mode "l3"}
    {:type "macvlan" :mode "private"} {:type "macvtap"}
    {:type "tap"} {:type "tap" :queues 64}
    {:type "tap"} {:port "eth1"}
    {:netns "blue"} {:type "ipvtap" :netns "blue"}
    {:netns :host :link "db"} {:type "ipvtap" :netns :host}
    {:log "/a"} {:log "/b"}))

(deftest a-bad-service-does-not-hide-what-all-show
  (let [found (:mistakes (check/check [(assoc web :umask "9" :requires ["db"]) (assoc db :requires ["web"] :ipv4 3) (assoc web :dir 3)] env))]
    (is (= [[:services 0 :umask] [:services 0 :requires] [:services 1 :ipv4] [:services 2 :name] [:services 2 :dir]]
           (map :mistake/path found))
        "Mistakes of one service and of all services come together, in the order of the file.")))

(deftest a-name-that-is-no-label-can-still-be-required
  (is (= [[:services 1 :name]]
         (map :mistake/path (:mistakes (check/check [(assoc web :requires ["DB"]) (assoc db :name "DB")] env))))))

(deftest a-long-chain-of-requirements
  (let [n 300
        forms (mapv (fn [i] (cond-> (assoc web :name (str "s" i)) (pos? i) (assoc :requires [(str "s" (dec i))]))) (range n))]
    (is (= n (count (:services (check/check forms env)))))
    (is (= 1 (count (:mistakes (check/check (assoc-in forms [0 :requires] [(str "s" (dec n))]) env)))))))

;; --- whatever the form is

(def ^:private gen-scalar
  (gen/one-of [gen/small-integer gen/string-ascii gen/boolean gen/keyword gen/symbol gen/char gen/double gen/ratio gen/size-bounded-bigint
               gen/keyword-ns (gen/return nil) (gen/elements [1e999999999M ##NaN ##Inf :none :slaac :host "10.0.0.5/24" "+all" "eth0" "web"])]))

(def ^:private gen-junk
  (gen/recursive-gen (fn [g] (gen/one-of [(gen/vector g 0 4) (gen/list g) (gen/set g {:max-elements 4 :max-tries 50}) (gen/map g g {:max-elements 4})]))
                     gen-scalar))

(def ^:private gen-key
  (gen/frequency [[12 (gen/elements service/keys-of-service)] [1 (gen/elements [:services :ports :zone :prot :fd])] [1 gen-junk]]))

(def ^:private gen-inner
  "Junk with the inner keys of a service here and there."
  (gen/one-of [gen-junk
               (gen/map (gen/elements [:policy :delay :max-delay :limit :window :signal :timeout :fd :file :max-size :nofile "PATH" :A])
                        gen-junk)]))

(def ^:private gen-service
  (gen/frequency [[6 (gen/map gen-key gen-inner {:max-elements 8})]
                  [3 (gen/fmap #(merge web %) (gen/map gen-key gen-inner {:max-elements 3}))]
                  [1 gen-junk]]))

(def ^:private gen-file
  ;; small: what is slow here is making and shrinking large junk, not checking it
  (gen/scale #(quot % 8)
             (gen/one-of
              [gen-service
               (gen/vector gen-service 0 4)
               (gen/map (gen/elements [:services :ports :zone :servces]) (gen/one-of [gen-junk (gen/vector gen-service 0 3)]))])))

(def ^:private gen-env
  (gen/elements [{} nil env {:root? true} {:root? true :read-zone model-zone/reader :user? #{"www"} :users ["www"] :group? (constantly false) :groups nil :bounding #{"chown"}}]))

(defn- answer? [{:keys [services ports zone mistakes]} form]
  (if mistakes
    (and (s/valid? ::spec/mistakes mistakes) (nil? services)
         (re-matches #"(?:f\.edn: [^\p{Cntrl}]+\n?)+" (mistake/render mistakes "f.edn" form)))
    (and (or (seq services) zone) (s/valid? (s/nilable ::spec-of-zone/zone) zone) (every? #(s/valid? ::spec/service %) services) (s/valid? ::spec/ports ports))))

(defn- answer-for-the-daemon? [{:keys [services ports mistakes]} form]
  (if mistakes
    (and (s/valid? ::spec/mistakes mistakes)
         (re-matches #"(?:f\.edn: [^\p{Cntrl}]+\n?)+" (mistake/render mistakes "f.edn" form)))
    (and (= [] services) (seq ports) (s/valid? ::spec/ports ports))))

(def ^:private gen-port
  (gen/map (gen/elements [:host-link :owner :group :mode :own-netns :allow :allw])
           (gen/one-of [gen-junk
                        (gen/elements ["host0" "0660" true "kvm" []])
                        (gen/vector (gen/one-of [gen-junk (gen/map (gen/elements [:user :group :types :limit :names])
                                                                   (gen/one-of [gen-junk (gen/elements ["kvm" 4 ["ipvtap"] ["*"]])]))])
                                    0 3)])
           {:max-elements 4}))

(def ^:private gen-ports
  (gen/scale #(quot % 8)
             (gen/let [services (gen/one-of [gen-junk (gen/vector gen-service 0 2)])
                       ports (gen/map (gen/frequency [[5 (gen/elements ["eth0" "eth1" "lo" :eth0])] [1 gen-junk]])
                                      (gen/frequency [[5 gen-port] [1 gen-junk]]) {:max-elements 3})]
               {:services services :ports ports})))

(defspec no-form-makes-check-throw 600
  (prop/for-all [form gen-file, env gen-env]
    (boolean (answer? (check/check form env) form))))

(defspec no-form-of-ports-makes-either-throw 300
  (prop/for-all [form (gen/one-of [gen-ports gen-file]), env gen-env]
    (boolean (and (answer? (check/check form env) form)
                  (answer-for-the-daemon? (check/check-ports form env) form)))))

(defspec no-printed-form-makes-check-throw 150
  (prop/for-all [form gen-file]
    (let [{:keys [form mistakes]} (declaration/read-text (pr-str form))]
      (boolean (or (seq mistakes) (answer? (check/check form env) form))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.policy-test
  "Who may have which link: tables of requests and answers, each refusal with its sentence."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.check :as check]
            [ontap.model.policy :as policy]
            [ontap.model.spec :as spec])
  (:import (java.util.regex Pattern)))

(set! *warn-on-reflection* true)

(defn- port [& allow]
  (get-in (check/check-ports {:ports {"wlp3s0" {:allow (vec allow)}}} {}) [:ports "wlp3s0"]))

(def ^:private kvm {:group "kvm" :types ["ipvtap" "macvtap" "tap"]})
(def ^:private alice-rule {:user "alice" :types ["ipvlan"] :limit 4 :names ["alice-*" "web"]})

(def ^:private root #:peer{:uid 0 :gid 0 :user "root" :groups #{"root"} :pid 1})
(def ^:private alice #:peer{:uid 1000 :gid 1000 :user "alice" :groups #{"alice" "kvm"} :pid 4711})
(def ^:private bob #:peer{:uid 1001 :gid 1001 :user "bob" :groups #{"bob"} :pid 4712})
(def ^:private nameless #:peer{:uid 1002 :gid 36 :user nil :groups #{"kvm"} :pid 4713})

(defn- judge
  ([port peer type] (judge port peer type nil 0))
  ([port peer type label held] (policy/judge port #:request{:verb :attach :type type :name label} peer held)))

(deftest what-is-allowed
  (are [allow peer type label held] (nil? (judge (apply port allow) peer type label held))
    []                                  root     "macvlan" "db"      99
    [kvm]                               root     "ipvlan"  "any"     16
    [kvm]                               alice    "ipvtap"  nil       0
    [kvm]                               alice    "tap"     "vm1"     15
    [kvm]                               nameless "macvtap" nil       0
    [alice-rule]                        alice    "ipvlan"  nil       3
    [alice-rule]                        alice    "ipvlan"  "web"     0
    [alice-rule]                        alice    "ipvlan"  "alice-"  0
    [alice-rule]                        alice    "ipvlan"  "alice-1" 0
    [kvm alice-rule]                    alice    "ipvlan"  "web"     0
    [{:user "alice" :group "kvm"}]      alice    "ipvlan"  "db"      0
    [(assoc kvm :limit 2) kvm]          alice    "tap"     nil       15
    [(assoc kvm :names ["a"]) kvm]      alice    "tap"     "b"       0
    [(assoc kvm :names [])]             alice    "tap"     nil       0))

(deftest what-is-refused-and-how
  (are [allow peer type label held rule says]
       (= #:refusal{:rule rule :says says} (judge (apply port allow) peer type label held))
    [] alice "ipvlan" nil 0
    :policy "port wlp3s0 gives links to root only"

    [kvm] bob "ipvtap" nil 0
    :policy "port wlp3s0 gives bob nothing: its one rule is not for bob or a group of theirs"

    [kvm alice-rule] bob "ipvlan" nil 0
    :policy "port wlp3s0 gives bob nothing: none of its 2 rules is for bob or a group of theirs"

    [alice-rule] nameless "ipvlan" nil 0
    :policy "port wlp3s0 gives uid 1002 nothing: its one rule is not for uid 1002 or a group of theirs"

    [{:user "bob" :group "kvm"}] bob "tap" nil 0
    :policy "port wlp3s0 gives bob nothing: its one rule is not for bob or a group of theirs"

    [kvm] alice "ipvlan" nil 0
    :policy "port wlp3s0 gives alice no ipvlan (rule 1, group kvm, allows ipvtap, macvtap and tap)"

    [{:user "bob"} alice-rule] alice "ipvtap" nil 0
    :policy "port wlp3s0 gives alice no ipvtap (rule 2, user alice, allows ipvlan)"

    [(assoc kvm :types ["tap"]) alice-rule] alice "ipvtap" nil 0
    :policy "port wlp3s0 gives alice no ipvtap (rule 1, group kvm, allows tap; rule 2, user alice, allows ipvlan)"

    [{:user "alice" :group "kvm" :types ["tap"]}] alice "ipvtap" nil 0
    :policy "port wlp3s0 gives alice no ipvtap (rule 1, user alice in group kvm, allows tap)"

    [{:group "kvm"}] alice "macvlan" nil 0
    :policy "port wlp3s0 gives macvlan to root only, for a user could stack more on it without limit; take ipvlan, or macvtap"

    [kvm alice-rule] alice "ipvlan" "db" 0
    :name "the name db is not among those that port wlp3s0 gives alice: alice-*, web"

    [(assoc kvm :names [])] alice "tap" "db" 0
    :name "the name db is not among those that port wlp3s0 gives alice: none"

    [kvm] alice "ipvtap" nil 16
    :limit "port wlp3s0 gives members of kvm 16 links each, and alice holds 16"

    [(assoc kvm :limit 1)] nameless "tap" nil 2
    :limit "port wlp3s0 gives members of kvm 1 link each, and uid 1002 holds 2"

    [alice-rule] alice "ipvlan" "web" 4
    :limit "port wlp3s0 gives alice 4 links, and alice holds 4"

    ;; one rule alone has to allow all of it
    [(assoc kvm :limit 2) (assoc kvm :limit 9 :names ["a"])] alice "tap" "b" 3
    :limit "port wlp3s0 gives members of kvm 2 links each, and alice holds 3"))

(deftest the-default-is-to-refuse
  (testing "a type that no rule can name"
    (is (= :policy (:refusal/rule (judge (port {:group "kvm"}) alice "macvlan")))))
  (testing "a user whose name is a group's"
    (is (= :policy (:refusal/rule (judge (port {:user "kvm"}) alice "tap")))))
  (testing "nobody's name is nobody's"
    (is (= :policy (:refusal/rule (judge (assoc (port) :port/allow [#:rule{:user nil :group nil :types #{"tap"} :limit 9 :names ["*"]}])
                                         nameless "tap"))))))

(deftest patterns
  (are [pattern yes no] (and (every? #(policy/matches? pattern %) yes) (not-any? #(policy/matches? pattern %) no))
    "web"     ["web"]                    ["" "we" "webb" "wweb"]
    "*"       ["" "a" "a-b"]             []
    "alice-*" ["alice-" "alice-1"]       ["alice" "xalice-1"]
    "*-vm"    ["a-vm" "-vm" "vm-vm"]     ["vm" "a-vmx"]
    "a*b*c"   ["abc" "aXbXc" "abbcc"]    ["ab" "acb" "abcX"]
    "**a"     ["a" "ba"]                 ["" "ab"]
    "a.c"     ["a.c"]                    ["abc"]))

(defspec patterns-are-those-of-a-reference 500
  (prop/for-all [pattern (gen/fmap #(apply str %) (gen/vector (gen/elements [\a \b \-  \*]) 0 8))
                 s       (gen/fmap #(apply str %) (gen/vector (gen/elements [\a \b \-]) 0 10))]
    (= (policy/matches? pattern s)
       (boolean (re-matches (re-pattern (str/join ".*" (map #(Pattern/quote %) (str/split pattern #"\*" -1)))) s)))))

(deftest a-long-pattern-takes-no-long-time
  (is (not (policy/matches? (apply str (repeat 30 "*a")) (str (apply str (repeat 62 "a")) "b")))))

(deftest whose-lease-it-is
  (is (policy/may-see? root {:lease/uid 1000}))
  (is (policy/may-see? alice {:lease/uid 1000}))
  (is (not (policy/may-see? bob {:lease/uid 1000})))
  (is (not (policy/may-see? {} {})) "Who is not known sees nothing."))

;; --- whatever the rules are

(def ^:private gen-rule
  (gen/let [who (gen/elements [{:user "alice"} {:group "kvm"} {:user "bob"} {:user "alice" :group "kvm"} {:group "video"}])
            types (gen/not-empty (gen/vector (gen/elements ["ipvlan" "ipvtap" "macvtap" "tap"]) 1 3))
            limit (gen/choose 1 4)
            names (gen/vector (gen/elements ["*" "web" "alice-*"]) 0 2)]
    (assoc who :types types :limit limit :names names)))

(defn- allows? [{:keys [user group types limit names]} {:peer/keys [groups] account :peer/user} type label held]
  (and (or (nil? user) (= user account)) (or (nil? group) (contains? groups group))
       (some #{type} types) (< held limit)
       (or (nil? label) (some #(policy/matches? % label) names))))

(defspec one-rule-alone-decides 500
  (prop/for-all [rules (gen/vector gen-rule 0 4)
                 peer  (gen/elements [alice bob nameless])
                 type  (gen/elements ["ipvlan" "ipvtap" "macvtap" "tap" "macvlan"])
                 label (gen/elements [nil "web" "alice-1" "db"])
                 held  (gen/choose 0 5)]
    (let [refusal (judge (apply port rules) peer type label held)]
      (and (= (nil? refusal) (boolean (some #(allows? % peer type label held) rules)))
           (or (nil? refusal)
               (and (s/valid? ::spec/refusal refusal)
                    (contains? #{:policy :name :limit} (:refusal/rule refusal))))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.declaration-test
  "The text of a declaration: what is read, what is refused and where, whatever the text is."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.declaration :as declaration]
            [ontap.model.spec :as spec]))

(deftest texts-that-can-be-read
  (are [text form] (= {:form form} (declaration/read-text text))
    "{:name \"web\"}"                           {:name "web"}
    "#ontap/v1 {:name \"web\"}"                 {:name "web"}
    "#ontap/v1\n[]"                             []
    "; a comment with ) and \"\n[1 2]"          [1 2]
    "[1] ; the end"                             [1]
    "[1] #_ 2"                                  [1]
    "{:a #_ [1 2] 3}"                           {:a 3}
    "[\"#foo ) ; \\\" (\" \\) \\( \\\" \\newline]" ["#foo ) ; \" (" \) \( \" \newline]
    "[#{1} a#b :c#d ##Inf]"                     [#{1} 'a#b :c#d ##Inf]
    "\uFEFF[1]"                                 [1]
    "[1,\r\n2]"                                 [1 2]))

(deftest lines-and-columns
  (are [text line column] (= [line column] ((juxt :mistake/line :mistake/column) (first (:mistakes (declaration/read-text text)))))
    "\n\n  [1"        3 3
    "[1\n  2)"        2 4
    "[1\n \"abc"      2 2
    "[1\n #foo 2]"    2 2
    "[1] ]"           1 5
    "[1\n 1x]"        2 4))

(deftest every-unknown-tag-is-named
  (is (= ['foo 'bar/baz] (map :mistake/found (:mistakes (declaration/read-text "[#foo 1 \"#no 1\" #bar/baz {}]"))))))

(deftest nothing-is-evaluated
  (doseq [text ["#=(System/exit 3)" "[#=(+ 1 2)]" "#java.lang.String[\"a\"]" "#user.R{:a 1}" "#inst \"x\"" "(System/exit 3)"
                "#ontap/v1 #ontap/v1 []" "1/0" "#_ #foo 1"]]
    (let [{:keys [form mistakes]} (declaration/read-text text)]
      (is (or (= '(System/exit 3) form) (s/valid? ::spec/mistakes mistakes)) text))))

(deftest deep-nesting-is-a-mistake
  (is (:mistakes (declaration/read-text (apply str (repeat 100000 "[")))))
  (doseq [prefix ["#_" "^" "#a " "#_ ; why\n" "#ontap/v1 "]]
    (is (:mistakes (declaration/read-text (apply str (concat (repeat 20000 prefix) ["1"])))) prefix))
  (is (= {:form [1]} (declaration/read-text (str "; " (apply str (repeat 200 "^")) "\n[" (apply str (repeat 200 "#_ 2 ")) "1]")))
      "Many discarded forms beside one another are fine."))

(defn- answer? [{:keys [mistakes] :as a}]
  (or (and (contains? a :form) (= 1 (count a))) (s/valid? ::spec/mistakes mistakes)))

(defspec any-text-has-an-answer 500
  (prop/for-all [t (gen/fmap #(apply str %)
                             (gen/vector (gen/one-of [(gen/elements ["[" "]" "{" "}" "(" ")" "\"" "\\" ";" "#" "#_" "#{" ":" " " "\n"
                                                                     "^" "'" "@" "`" "~" "##" "1" "a" "#ontap/v1 " "#x " "\u0000"])
                                                      gen/char-ascii])
                                         0 25))]
    (answer? (declaration/read-text t))))

(defspec printed-edn-is-read-again 200
  (prop/for-all [form (gen/recursive-gen (fn [g] (gen/one-of [(gen/vector g) (gen/map gen/keyword g)]))
                                         (gen/one-of [gen/small-integer gen/string gen/boolean gen/keyword]))]
    (= {:form form} (declaration/read-text (pr-str form)))))

(defspec a-text-cut-anywhere-has-an-answer 200
  (let [text "#ontap/v1 {:services [{:name \"web\" :caps [:net_raw] :exec [\"a b\" \"\\\"\"] ; why\n :umask 022}] :ports {\"eth0\" {}}}"]
    (prop/for-all [n (gen/choose 0 (count text))]
      (answer? (declaration/read-text (subs text 0 n))))))

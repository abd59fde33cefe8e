;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.caps-test
  "Capabilities: lists with + and -, what they mean, and what is refused."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.caps :as caps]))

(defn- ask [v & [bounding]] (caps/read-caps {:path [:caps] :env {:bounding bounding}} v))

(deftest the-table-is-the-kernel's
  (is (= 41 (count caps/names) (count (set caps/names))) "Capabilities 0 to 40 are known.")
  (are [n number] (= number (caps/numbers n))
    "chown" 0, "net_bind_service" 10, "net_admin" 12, "net_raw" 13, "sys_admin" 21, "mknod" 27, "setfcap" 31, "syslog" 34
    "audit_read" 37, "perfmon" 38, "bpf" 39, "checkpoint_restore" 40))

(deftest good-lists
  (are [given names] (= {:value names} (ask given))
    ""                              []
    []                              []
    "+net_bind_service"             ["net_bind_service"]
    "+net_raw,+net_bind_service"    ["net_bind_service" "net_raw"]
    "+NET_RAW, +Net_Admin"          ["net_admin" "net_raw"]
    "+net_raw +net_admin"           ["net_admin" "net_raw"]
    "+net_raw,-net_raw"             []
    "-net_raw,+net_raw"             ["net_raw"]
    "-all"                          []
    "+all"                          caps/names
    [:net_raw :chown]               ["chown" "net_raw"]
    ["+all" "-all" "net_raw"]       ["net_raw"]
    [:all :-sys_admin]              (filterv #(not= "sys_admin" %) caps/names)
    '(:net_raw)                     ["net_raw"]))

(deftest what-the-bounding-set-does-not-hold-cannot-be-given
  (is (= {:value ["chown" "kill"]} (ask "+all" #{"chown" "kill"})) "+all is all that the bounding set holds.")
  (is (= {:value ["chown"]} (ask "+bpf,+chown,-bpf" #{"chown" "kill"})) "A capability taken away again is not asked for.")
  (is (= ["bpf"] (:mistake/found (first (:mistakes (ask "+bpf,+chown" #{"chown"})))))))

(def ^:private gen-item (gen/tuple (gen/elements ["+" "-"]) (gen/frequency [[5 (gen/elements caps/names)] [1 (gen/return "all")]])))
(def ^:private gen-bounding (gen/set (gen/elements caps/names)))

(defn- naive
  "One bit of the answer: is `n` held? The last item that speaks of it decides."
  [items bounding n]
  (let [[sign what] (last (filter (fn [[_ x]] (or (= n x) (and (= "all" x) (or (bounding n))))) items))]
    (and (some? what) (= "+" sign))))

(defspec the-algebra-is-that-of-sets 300
  (prop/for-all [items (gen/vector gen-item 0 12), bounding gen-bounding, as-vector? gen/boolean]
    (let [held (set (filter #(naive items bounding %) caps/names))
          texts (map str/join items)
          answer (ask (if as-vector? (vec texts) (str/join "," texts)) bounding)]
      (if (set/subset? held bounding)
        (= {:value (filterv held caps/names)} answer)
        (= [(filterv #(and (held %) (not (bounding %))) caps/names)] (map :mistake/found (:mistakes answer)))))))

(defspec an-answer-asked-again-is-the-same 100
  (prop/for-all [names (gen/set (gen/elements caps/names))]
    (let [{:keys [value]} (ask (vec names))]
      (= {:value value} (ask value)))))

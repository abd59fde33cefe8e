;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.quantity-test
  "Durations, sizes, masks, limits and signals: what is read and what is refused."
  (:require [clojure.test :refer [are deftest]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.quantity :as quantity]))

(deftest durations
  (are [given ms] (= ms (quantity/duration-ms given))
    10 10000, 0 0, 0.2 200, 1/4 250, 1.5M 1500, 3N 3000, "500ms" 500, "10s" 10000, "2m" 120000, "1h" 3600000, "0.5s" 500
    -1 nil, -0.001 nil, ##NaN nil, ##Inf nil, ##-Inf nil, 1e300 nil, 1e999999M nil, 99999999999999999999N nil
    "10" nil, "10 s" nil, "1d" nil, "-1s" nil, "s" nil, "" nil, "1.s" nil, "9999h" nil, :s nil, nil nil, [1] nil))

(defspec a-duration-in-ms-is-read-back 100
  (prop/for-all [ms (gen/choose 0 31536000000)]
    (= ms (quantity/duration-ms (str ms "ms")))))

(deftest duration-words
  (are [ms words] (= words (quantity/seconds-words ms))
    200 "0.2 s", 30000 "30 s", 1 "0.001 s", 1500 "1.5 s", 0 "0 s", 10 "0.01 s", 60100 "60.1 s"))

(deftest sizes
  (are [given bytes] (= bytes (quantity/size-bytes given))
    4096 4096, "64K" 65536, "4M" 4194304, "1G" 1073741824, "5000" 5000, 0 0
    -1 nil, 1.5 nil, "4X" nil, "4 M" nil, "4m" nil, "" nil, nil nil, 99999999999999999999N nil, "9999999999" nil))

(deftest size-words
  (are [bytes words] (= words (quantity/size-words bytes))
    4194304 "4 MiB", 65536 "64 KiB", 5000 "5000 bytes", 0 "0 bytes", 2147483648 "2 GiB"))

(defn- ask [reader v] (:value (reader {:path []} v)))

(deftest masks
  (are [given mask] (= mask (ask quantity/umask given))
    "022" 18, "0022" 18, "0" 0, "777" 511, 18 18, 022 18, "888" nil, "1000" nil, -1 nil, 512 nil, 18.0 nil, "" nil, nil nil))

(deftest signals
  (are [given signal] (= signal (ask quantity/signal given))
    "TERM" "TERM", "SIGTERM" "TERM", "sigint" "INT", :hup "HUP", :SIGQUIT "QUIT", "SIG" nil, "15" nil, 15 nil, "RTMIN" nil, nil nil))

(deftest limits
  (are [given limits] (= limits (ask quantity/limits given))
    {}                           {}
    {:nofile 1024}               {"nofile" {:soft 1024 :hard 1024}}
    {"core" [0 :infinity]}       {"core" {:soft 0 :hard -1}}
    {:cpu :infinity}             {"cpu" {:soft -1 :hard -1}}
    {:nofile [4 3]}              nil
    {:nofile [:infinity 3]}      nil
    {:nofile [1 2 3]}            nil
    {:nofile -1}                 nil
    {:nofile "1"}                nil
    {:x/nofile 1}                nil
    {:nofile 1 "nofile" 1}       nil
    [:nofile 1]                  nil))

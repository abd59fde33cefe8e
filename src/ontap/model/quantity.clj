;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.quantity
  "Durations, sizes, file modes, signals and resource limits as a declaration writes them.
  Pure tables and readers (see `ontap.model.shape` for what a reader is)."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def ^:private year-ms (* 365 24 3600 1000))

(defn duration-ms
  "Milliseconds of a duration: a number is seconds, a text has a unit: \"500ms\" \"10s\" \"2m\" \"1h\". Nil when it is
  none, is negative or longer than a year."
  [v]
  (let [ms (cond (number? v) (* 1000.0 (.doubleValue ^Number v))
                 (string? v)
                 (when-let [[_ n unit] (re-matches #"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h)" v)]
                   (* (Double/parseDouble n) (case unit "ms" 1.0 "s" 1e3 "m" 60e3 "h" 3600e3))))]
    ;; NaN and the infinities fail both comparisons or the second
    (when (and ms (<= 0.0 ms) (<= ms year-ms))
      (Math/round (double ms)))))

(defn duration
  "A reader of a duration of at least `least` ms."
  [least]
  (fn [ctx v]
    (let [ms (duration-ms v)]
      (if (and ms (<= least ms))
        (shape/ok ms)
        (shape/wrong ctx v (str "a duration such as 10, \"500ms\", \"10s\", \"2m\" or \"1h\""
                                (when (pos? least) (str ", at least " least " ms"))))))))

(defn seconds-words
  "A duration in ms as a person reads it: \"0.2 s\", \"30 s\"."
  [ms]
  (str (if (zero? (rem ms 1000))
         (str (quot ms 1000))
         (str/replace (String/format java.util.Locale/ROOT "%.3f" (object-array [(/ ms 1000.0)])) #"0+$" ""))
       " s"))

(defn size-bytes
  "Bytes of a size: a whole number, or a text with a unit of 1024: \"64K\" \"4M\" \"1G\". Nil when it is none."
  [v]
  (cond (and (int? v) (<= 0 v)) (long v)
        (string? v) (when-let [[_ n unit] (re-matches #"(\d{1,9})([KMG]?)" v)]
                      (* (Long/parseLong n) (case unit "" 1 "K" 1024 "M" 1048576 "G" 1073741824)))))

(defn size
  "A reader of a size of at least `least` bytes."
  [least]
  (fn [ctx v]
    (let [n (size-bytes v)]
      (if (and n (<= least n))
        (shape/ok n)
        (shape/wrong ctx v (str "a size such as 1048576, \"64K\" or \"4M\", at least " least " bytes"))))))

(defn size-words
  "A size in bytes as a person reads it: \"4 MiB\", \"5000 bytes\"."
  [n]
  (or (some (fn [[unit word]] (when (and (pos? n) (zero? (rem n unit))) (str (quot n unit) " " word)))
            [[1073741824 "GiB"] [1048576 "MiB"] [1024 "KiB"]])
      (str n " bytes")))

(defn umask
  "A reader of a file mode mask: an octal text (\"022\") or a whole number from 0 to 511."
  [ctx v]
  (cond (and (string? v) (re-matches #"[0-7]{1,4}" v) (<= (Long/parseLong v 8) 0777)) (shape/ok (Long/parseLong v 8))
        (and (int? v) (<= 0 v 0777)) (shape/ok (long v))
        :else (shape/wrong ctx v "an octal mask from \"000\" to \"777\", such as \"022\"")))

(defn umask-text "The octal text of a mask, three digits: 18 is \"022\"." [n]
  (String/format java.util.Locale/ROOT "%03o" (object-array [n])))

(def signals
  "The names of the signals a service can be stopped with, without SIG (signal(7))."
  ["HUP" "INT" "QUIT" "ILL" "TRAP" "ABRT" "BUS" "FPE" "KILL" "USR1" "SEGV" "USR2" "PIPE" "ALRM" "TERM" "STKFLT" "CHLD"
   "CONT" "STOP" "TSTP" "TTIN" "TTOU" "URG" "XCPU" "XFSZ" "VTALRM" "PROF" "WINCH" "IO" "PWR" "SYS"])

(defn signal
  "A reader of a signal's name, with or without SIG, in any case, as a text or a keyword; gives \"TERM\"."
  [ctx v]
  (let [n (some-> (shape/name-text v) str/upper-case (str/replace #"^SIG" ""))]
    (if (some #(= n %) signals)
      (shape/ok n)
      (shape/wrong ctx v "the name of a signal, such as \"TERM\" or \"INT\""
                   {:nearest (some-> n (mistake/nearest signals) pr-str)}))))

(def limit-names
  "The resources that can be limited, as prlimit(1) names them."
  ["as" "core" "cpu" "data" "fsize" "locks" "memlock" "msgqueue" "nice" "nofile" "nproc" "rss" "rtprio" "rttime"
   "sigpending" "stack"])

(defn- limit-value [v]
  (cond (= :infinity v) -1
        (and (int? v) (<= 0 v)) (long v)))

(def ^:private limit-words "a whole number, :infinity, or [soft hard]")

(defn- limit [ctx v]
  (let [pair (if (and (sequential? v) (= 2 (bounded-count 3 v))) (vec v) [v v])
        [soft hard] (map limit-value pair)]
    (cond (not (and soft hard))
          (shape/wrong ctx v limit-words
                       {:nearest (when (#{"unlimited" "infinity" "infinite" "inf"} (shape/name-text v)) ":infinity")})
          (and (not= -1 hard) (or (= -1 soft) (< hard soft)))
          (shape/wrong ctx v "[soft hard] with soft not above hard")
          :else (shape/ok {:soft soft :hard hard}))))

(defn limits
  "A reader of {:nofile 1024 :core [0 :infinity]}; gives {\"nofile\" {:soft 1024 :hard 1024} ...}, -1 for infinity."
  [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v "a map of limits, such as {:nofile 1024 :core [0 :infinity]}")
    (let [a (shape/gather
             (for [[k x] (sort-by (comp str key) v)
                   :let [n (shape/name-text k), ctx (shape/below ctx k)]]
               [n (if (some #(= n %) limit-names)
                    (limit ctx x)
                    (let [near (mistake/nearest k limit-names)]
                      (mistake/bad (:path ctx)
                                   {:expected "a resource of prlimit(1)" :nearest (some->> near (str ":"))
                                    :says (if near
                                            (str "unknown limit; did you mean :" near "?")
                                            (str "unknown limit; the limits are "
                                                 (mistake/and-list "and" (map #(str ":" %) limit-names))))})))]))]
      (cond (:mistakes a) a
            (not= (count (:value a)) (count (into {} (:value a))))
            (shape/wrong ctx v "a map that names each limit once")
            :else (shape/ok (into (sorted-map) (:value a)))))))

(defn limit-form
  "A limit {:soft :hard} as a declaration writes it: [1024 :infinity]."
  [{:keys [soft hard]}]
  (mapv #(if (= -1 %) :infinity %) [soft hard]))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.status
  "What is true of each service now: as data, and as a table for a person. Pure."
  (:require [clojure.string :as str]))

(defn duration-text
  "Milliseconds in words: 4 s, 3 min, 2 h 5 min, 3 d."
  [ms]
  (let [s (quot ms 1000) m (quot s 60) h (quot m 60) d (quot h 24)]
    (cond (< s 60)  (str s " s")
          (< m 60)  (str m " min")
          (< h 24)  (str h " h" (when (pos? (rem m 60)) (str " " (rem m 60) " min")))
          :else     (str d " d" (when (pos? (rem h 24)) (str " " (rem h 24) " h"))))))

(def columns
  "[heading key-or-fn] of the table."
  [["NAME"      :name]
   ["STATE"     (comp name :state)]
   ["SINCE"     #(duration-text (:since-ms %))]
   ["PID"       #(str (or (:pid %) "-"))]
   ["USER"      #(or (:user %) "-")]
   ["LINK"      #(or (:link %) (:type %))]
   ["ADDRESSES" #(if (seq (:addresses %)) (str/join " " (:addresses %)) "-")]
   ["NOTE"      #(or (:reason %) "")]])

(defn- pad [s width] (str s (apply str (repeat (- width (count s)) " "))))

(defn lines
  "Lines of a table with `columns`, [heading key-or-fn] each, and a line for each of
  `rows`."
  [columns rows]
  (let [cells  (into [(mapv first columns)]
                     (map (fn [row] (mapv #((second %) row) columns)))
                     rows)
        widths (apply mapv (fn [& col] (apply max (map count col))) cells)]
    (mapv (fn [line] (str/trimr (str/join "  " (map pad line widths)))) cells)))

(defn table
  "Lines of text for `rows`, as `ontap.ops.system/status` gives them."
  [rows]
  (lines columns rows))

(defn details
  "Lines of text about one row: a fact a line."
  [{:keys [name state since-ms pid user link port type addresses reason restarts log
           adopted? ready requires]}]
  (let [fact (fn [k v] (when v (str "  " (pad k 11) v)))]
    (into [(str name ": " (clojure.core/name state) " for " (duration-text since-ms)
                (when reason (str " (" reason ")")))]
          (remove nil?)
          [(fact "pid" (when pid (str pid (when adopted? ", taken up from an earlier supervisor"))))
           (fact "user" user)
           (fact "link" (str (when link (str link ", ")) type " on " port))
           (fact "addresses" (if (seq addresses) (str/join " " addresses) "none"))
           (fact "requires" (when (seq requires) (str/join ", " requires)))
           (fact "ready" (when ready (if (= :notify ready) "by sd_notify" (str "by a newline on descriptor " (:fd ready)))))
           (fact "restarts" (str restarts))
           (fact "log" log)])))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.note
  "What the program says of itself while it runs: a line on standard error.")

(defn line!
  "Says `text` of service `name` (nil: of the program itself). `level`: :info, which is
  not named, :warning or :error."
  [level name text]
  (binding [*out* *err*]
    (println (str "ontap: "
                  (when-not (= :info level) (str (clojure.core/name level) ": "))
                  (when name (str name ": "))
                  text))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.edn
  "The listing of a zone as EDN, a name on each line. Pure."
  (:require [ontap.model.text :as text]))

(set! *warn-on-reflection* true)

(defn text
  "The EDN of a listing (`ontap.publish.listing`)."
  [{:keys [domain names]}]
  (let [out (StringBuilder.)]
    (doto out (.append "{:domain ") (.append (text/edn domain)) (.append "\n :names {"))
    (doseq [[name views] names]
      (doto out (.append "\n  ") (.append (text/edn name)) (.append " ") (.append (text/edn views))))
    (str (.append out "}}\n"))))

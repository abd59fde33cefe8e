;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.formats
  "The texts that a zone is published as. Pure.

  Facts, of all that is here: {:views {0 [record] 1 [record] 2 [record]} :askers [[prefix view-number]]
  :domain text}, with the records of the private, the on-link and the foreign view."
  (:require [clojure.string :as str]
            [ontap.model.view :as view]
            [ontap.publish.edn :as edn]
            [ontap.publish.hosts :as hosts]
            [ontap.publish.json :as json]
            [ontap.publish.listing :as listing]
            [ontap.publish.tinydns :as tinydns]
            [ontap.publish.zonefile :as zonefile]))

(set! *warn-on-reflection* true)

(defn- shown [{:publish/keys [view]}] (or view :private))

(defn- records [facts word] (get-in facts [:views (view/number word)]))

(defn- listed
  "The listing of the view that was asked for, of all when none was."
  [{:publish/keys [view]} {:keys [domain] :as facts}]
  (listing/listing domain (for [word (if view [view] (map view/word view/all))] [word (records facts word)])))

(defn text
  "One text for what is to be published, {:publish/format :publish/dialect :publish/view}: of a format that has one view,
  the private one where none is said; of :zone, the zone of the domain, \"\" while there is none."
  [{:publish/keys [format dialect] :as publish} {:keys [domain] :as facts}]
  (let [v (shown publish)]
    (case format
      :tinydns (tinydns/text (or dialect :stock) facts)
      :hosts   (hosts/text domain (name v) (records facts v))
      :zone    (or (zonefile/text domain (name v) (records facts v)) "")
      :edn     (edn/text (listed publish facts))
      :json    (json/text (listed publish facts)))))

(defn folder?
  "Is what is published a folder with a file for each zone? So it is for format :zone and a :publish/file that ends in \"/\"."
  [{:publish/keys [format file]}]
  (and (= :zone format) (some? file) (str/ends-with? file "/")))

(defn files
  "Path -> text of all files of one thing to publish."
  [{:publish/keys [file] :as publish} facts]
  (if (folder? publish)
    (let [v (shown publish)]
      (into {} (for [[apex text] (zonefile/texts (name v) (records facts v))] [(str file apex ".zone") text])))
    {file (text publish facts)}))

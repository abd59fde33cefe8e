;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.zone
  "The commands about names, once their words are parsed; see `ontap.cli.run`."
  (:require [clojure.string :as str]
            [ontap.cli.declared :as declared]
            [ontap.model.zone :as zone]
            [ontap.ops.names :as names])
  (:import (java.nio.file Path)))

(set! *warn-on-reflection* true)

(defn- usage-error [text] (ex-info text {:kind :exit :status 100}))

(def ^:private of-the-zone
  "Options that say what stands in :zone of a FILE."
  [:domain :listen :mdns :all-namespaces :name-from :user])

(defn- from-file [file]
  (let [{:keys [zone mistakes]} (declared/read-any file)]
    (cond
      mistakes   (declared/fail! mistakes)
      (nil? zone) (declared/fail! (str "unable to use " file ": it has no :zone; `ontap zone --domain NAME --listen '[::]:53'` needs no file"))
      :else zone)))

(defn- from-options [options]
  (let [words (cond-> (select-keys options (conj of-the-zone :tinydns :dialect))
                ;; a path among words is relative to where they were said
                (:tinydns options) (update :tinydns #(str (.toAbsolutePath (Path/of % (make-array String 0))))))
        {:keys [value mistakes]} (zone/of-options words (declared/machine))]
    (when mistakes (throw (usage-error (str/join "; " mistakes))))
    value))

(defn- declared-zone
  "The checked zone of the words. Throws with :kind :exit."
  [{:keys [domain] :as options} file]
  (cond
    (and file (some options of-the-zone))
    (throw (usage-error (str "FILE says what the zone is; --"
                             (name (first (filter options of-the-zone))) " should be left out")))
    file   (from-file file)
    domain (from-options options)
    :else  (throw (usage-error "`ontap zone` needs --domain NAME, or a FILE with :zone; usage: ontap zone [options] [FILE]"))))

(defn zone
  "Serves names until it is told to stop, or prints them once. Blocks."
  [{:keys [options arguments env words]}]
  (let [{:keys [once ready-fd pid-file life-fd tinydns dialect]} options
        handed (when-not once ((requiring-resolve 'ontap.ops.zone-start/handed) env))]
    (cond
      handed ((requiring-resolve 'ontap.ops.zone/serve-handed!) handed env)
      once   (let [zone (declared-zone options (first arguments))]
               (print ((requiring-resolve 'ontap.ops.zone-once/text!)
                       zone {:format (keyword (:format options)) :dialect (keyword (or dialect "stock")) :view (some-> (:view options) keyword) :env env}))
               0)
      :else  (let [zone (declared-zone options (first arguments))]
               (when-not (or (seq (:zone/listen zone)) (:zone/mdns zone) (seq (:zone/publish zone))
                               ((requiring-resolve 'ontap.ops.zone-start/given-sockets?) env))
                 (throw (usage-error "nobody would see the names: say --listen ADDRESS:PORT, --mdns LINK, --tinydns FILE, or --once")))
               ((requiring-resolve 'ontap.ops.zone-start/become!)
                {:zone zone :words words :env env
                 :ready {:fd ready-fd :pid-file pid-file :life life-fd}})))))

(defn- only [names rows]
  (if (seq names)
    (filter #(some #{(:name %)} names) rows)
    rows))

(defn names
  "Prints the names of the running zone; with --watch it blocks, and goes on until it is ended."
  [{:keys [options arguments env]}]
  (let [{:keys [format view watch]} options
        edn? (= "edn" format)
        view (some-> view keyword)]
    (if watch
      (names/watch! env #(only arguments %) view edn?)
      (let [rows (only arguments (:names (names/ask env nil)))]
        (cond
          edn?          (do (prn (vec rows)) 0)
          (empty? rows) (do (println (if (seq arguments) (str "no name " (str/join ", " arguments)) "no names"))
                            (if (seq arguments) 1 0))
          :else         (do (run! println (names/table rows view)) 0))))))

(defn explain
  "Prints why a name has the addresses it has, and not others."
  [{:keys [options arguments env]}]
  (let [rows (names/explain env (first arguments))]
    (if (= "edn" (:format options))
      (prn rows)
      (run! println (names/explained rows)))
    (if (some :explain/unknown rows) 1 0)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.names
  "What a running `ontap zone` says of its names: asked, and shown to a person."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [ontap.model.explain :as explain]
            [ontap.ops.client :as client]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths]))

(set! *warn-on-reflection* true)

(defn- request
  "What the running zone answers to `question` (see `ontap.ops.zone-answers`). Blocks. Throws with
  :kind :exit when none runs."
  [env question]
  (client/ask-at (paths/zone-control (paths/runtime-dir env (paths/caller))) "ontap zone" question))

(defn ask
  "{:version :names rows}: the names now; with the version that was seen before, as soon as they
  are others. Blocks."
  [env after]
  (request env {:command :names :after after}))

(defn explain
  "What each stage saw of `name`: rows of `ontap.model.explain`. Blocks."
  [env name]
  (request env {:command :explain :name name}))

(defn renamed
  "Which names are others by multicast DNS: rows of :host/label, :mdns/link, :host/name and :host/by
  (see `ontap.ops.zone-answers`). Empty when no zone runs, or it is not ours to ask. Blocks."
  [env]
  (try (request env {:command :renamed})
       (catch clojure.lang.ExceptionInfo e
         (if (= :exit (:kind (ex-data e))) [] (throw e)))))

(defn explained
  "The rows of `explain` in words: lines."
  [rows]
  (explain/lines rows))

;; --- as a table

(def ^:private kind-words {:global "wan", :lan "lan", :link-local "link"})

(defn- addresses-text
  "The addresses of a row, each with its kind; for a `view` those that NAME.DOMAIN has there."
  [{:keys [addresses views]} view]
  (let [texts (if view
                (get views view)
                (map #(str (:ip %) " (" (kind-words (:kind %)) ")") addresses))]
    (if (seq texts) (str/join " " texts) "-")))

(defn- namespace-text [{:keys [nsid netns]}]
  (cond netns       netns
        (nil? nsid) "this one"
        :else       (str "nsid " nsid)))

(defn table
  "Lines of a table of `rows`; `view`: :private, :on-link or :foreign, or nil for all addresses."
  [rows view]
  (let [now (System/currentTimeMillis)]
    (status/lines [["NAME" :name]
                   ["NAMESPACE" namespace-text]
                   ["LINK" #(str/join " " (:links %))]
                   ["SINCE" #(status/duration-text (max 0 (- now (long (:since-ms %)))))]
                   ["ADDRESSES" #(addresses-text % view)]]
                  rows)))

;; --- as it changes

(defn- told
  "#{[name address]} of `rows` in `view`."
  [rows view]
  (into #{} (for [{:keys [name addresses views]} rows
                  ip (if view (get views view) (map :ip addresses))]
              [name ip])))

(defn- changes
  "What is other in `now` than in `before`: lines."
  [before now]
  (concat (for [[name ip] (sort (set/difference before now))] (str "- " name " " ip))
          (for [[name ip] (sort (set/difference now before))] (str "+ " name " " ip))))

(defn watch!
  "Shows the names of the zone as `select` (fn [rows]) picks them, in `view`, and then each change,
  until the zone ends (then it throws). `edn?`: all names anew as one line each time. Blocks."
  [env select view edn?]
  (loop [{:keys [version names]} (ask env nil), before nil]
    (let [rows (vec (select names)), now (told rows view)]
      (cond
        edn?          (prn rows)
        (nil? before) (run! println (table rows view))
        :else         (run! println (changes before now)))
      (flush)
      (recur (ask env version) now))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.main
  "Parse, run, exit: the only place that exits."
  (:require [clojure.string :as str]
            [clojure.tools.cli :as tools-cli]
            [ontap.cli.help :as help]
            [ontap.cli.table :as table]
            [ontap.model.mistake :as mistake])
  (:import (ontap.sys SysException))
  (:gen-class))

(set! *warn-on-reflection* true)

(def version "Of the program; build.clj has it too." "0.1.0")

(defn- usage-error [text] (ex-info text {:kind :exit :status 100}))

(defn- near-text [word words]
  (when-let [near (mistake/nearest word words)]
    (str "; did you mean " near "?")))

(defn- lower-first [s] (str (str/lower-case (subs s 0 1)) (subs s 1)))

(defn- option-error
  "The first complaint of tools.cli as one sentence, with the nearest option."
  [{:keys [name options]} complaint]
  (let [known (keep #(some-> (second %) (str/split #" ") first)
                    (conj (vec options) table/help-option))
        [_ word] (re-find #"Unknown option: \"(.*)\"" complaint)]
    (usage-error (str (if word (str "unknown option " word) (lower-first complaint))
                      (when word (near-text word known))
                      "; `ontap " name " --help` lists " (if word "them" "its options")))))

(defn- arity-error [{:keys [name arity] :as command} arguments]
  (let [[least most] arity]
    (cond
      (< (count arguments) least)
      (usage-error (str "`ontap " name "` needs " (:args command) "; usage: " (help/usage command)))
      (and most (> (count arguments) most))
      (usage-error (str "`ontap " name "` does not take " (pr-str (nth arguments most)) "; usage: "
                        (help/usage command))))))

(defn- at-dashes
  "[words before \"--\", words after it], the latter nil when there is none."
  [words]
  (let [[before after] (split-with #(not= "--" %) words)]
    [before (next after)]))

(defn- run-command [{:keys [options run] :as command} words env]
  (let [[words more] (if (:rest command) (at-dashes words) [words nil])
        {opts :options :keys [arguments errors]}
        (tools-cli/parse-opts words (conj (vec options) table/help-option) :strict true)]
    (cond
      (:help opts) (do (println (help/command command)) 0)
      errors       (throw (option-error command (first errors)))
      :else        (do
                     (when (and (:rest command) (empty? more))
                       (throw (usage-error (str "`ontap " (:name command) "` needs -- and " (:rest command)
                                                " after it; usage: " (help/usage command)))))
                     (some-> (arity-error command arguments) throw)
                     ((requiring-resolve run) {:options opts :arguments arguments :rest (vec more)
                                               :words (into [(:name command)] words) :env env})))))

(defn- lone-option?
  "Is it an option that no command takes, all by itself? More than that is `attach`."
  [word words]
  (and (str/starts-with? word "-") (empty? words)))

(defn run
  "Runs the command line `words` in `env` (a map of strings); the exit status. Throws
  with :kind :exit, or whatever went wrong."
  [[word & words] env]
  (cond
    (nil? word)                (throw (usage-error help/short-usage))
    (#{"-h" "--help"} word)    (do (println help/top) 0)
    (= "help" word)            (if-let [c (table/command (first words))]
                                 (do (println (help/command c)) 0)
                                 (do (println help/top) 0))
    (= "--version" word)       (do (println (str "ontap " version)) 0)
    (lone-option? word words)  (throw (usage-error (str "unknown option " word
                                                        (near-text word ["--help" "--version"])
                                                        "; `ontap --help` lists the commands")))
    ;; `ontap -t ipvtap PORT -- PROG`
    (str/starts-with? word "-") (run-command (table/command "attach") (cons word words) env)
    :else
    (if-let [command (table/command word)]
      (run-command command words env)
      (throw (usage-error (str "unknown command " word (near-text word table/command-names)
                               "; there are: " (str/join ", " table/command-names)))))))

(defn- complain! [^String text]
  (.println System/err (str "ontap: fatal: " text)))

(defn- status-of
  "Says what went wrong, and gives the exit status."
  [^Throwable t env]
  (let [{:keys [kind status]} (ex-data t)]
    (cond
      (= :exit kind)             (do (complain! (ex-message t)) status)
      (instance? SysException t) (do (complain! (ex-message t)) 111)
      (:reason (ex-data t))      (do (complain! (ex-message t)) 111)
      :else
      (do (complain! (str "bug: " t "; ONTAP_DEBUG=1 shows where"))
          (when (get env "ONTAP_DEBUG") (.printStackTrace t))
          101))))

(defn -main [& words]
  (let [env (into {} (System/getenv))
        status (try
                 (run words env)
                 (catch Throwable t (status-of t env)))]
    (flush)
    (.flush System/out)
    (System/exit (int status))))

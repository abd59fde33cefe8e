;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.declared
  "From the name of a file to checked services: reads the file and what the machine
  knows, and leaves the judging to `ontap.model.check`."
  (:require [clojure.string :as str]
            [ontap.model.check :as check]
            [ontap.model.declaration :as declaration]
            [ontap.model.mistake :as mistake]
            [ontap.model.port :as port])
  (:import (java.io File IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files NoSuchFileException AccessDeniedException)
           (ontap.sys Caps Io Users)))

(set! *warn-on-reflection* true)

(defn- names-in
  "The names in a file of the form of passwd(5), for finding the nearest one."
  [path]
  (try (mapv #(first (str/split % #":" 2))
             (Files/readAllLines (.toPath (File. ^String path))))
       (catch IOException _ [])))

(defn- bounding []
  (let [bits (Caps/bounding)]
    (into #{} (keep-indexed (fn [i n] (when (bit-test bits i) n))) Caps/NAMES)))

(defn- one-user?
  "Is this a user namespace in which there is one user only (unshare -Ur)?"
  []
  (let [lines (Files/readAllLines (.toPath (File. "/proc/self/uid_map")))]
    (and (= 1 (count lines))
         (= "1" (last (str/split (str/trim (first lines)) #"\s+"))))))

(defn machine
  "The facts of this machine that a declaration is checked against (see
  `ontap.model.service`). `root?`: root in the first user namespace, where users can
  be changed."
  []
  {:root?    (and (zero? (Io/geteuid)) (not (one-user?)))
   :user?    #(some? (Users/byName %))
   :group?   #(some? (Users/gid %))
   :users    (lazy-seq (names-in "/etc/passwd"))
   :groups   (lazy-seq (names-in "/etc/group"))
   :bounding (bounding)
   ;; a file without a :zone does not pay for what reads one
   :read-zone (fn [ctx v] ((requiring-resolve 'ontap.model.zone/reader) ctx v))})

(defn- fail [text] (ex-info text {:kind :exit :status 102}))

(defn- source ^String [^String path]
  (try
    (Files/readString (.toPath (File. path)) StandardCharsets/UTF_8)
    (catch NoSuchFileException _
      (throw (fail (str "unable to read " path ": no such file"))))
    (catch AccessDeniedException _
      (throw (fail (str "unable to read " path ": permission denied"))))
    (catch java.nio.charset.CharacterCodingException _
      (throw (fail (str "unable to read " path ": it is not text in UTF-8"))))
    (catch IOException e
      (throw (fail (str "unable to read " path ": "
                        (if (.isDirectory (File. path)) "it is a folder" (ex-message e))))))))

(defn- mistaken
  "The answer for `mistakes` of the file at `path`, whose form is `form`."
  [path form mistakes]
  {:mistakes (str "unable to use " path ": "
                  (if (= 1 (count mistakes)) "1 mistake" (str (count mistakes) " mistakes"))
                  "\n" (mistake/render mistakes path form))
   :found    mistakes})

(defn- read-with
  "What `check` makes of the file at `path`."
  [check path]
  (let [read   (declaration/read-text (source path))
        result (if (:mistakes read) read (check (:form read) (machine)))]
    (if-let [mistakes (:mistakes result)]
      (mistaken path (:form read) mistakes)
      result)))

(defn- with-services
  "The answer of a check, or a mistake: a zone alone is nothing to run services of."
  [{:keys [services mistakes] :as result}]
  (if (or mistakes (seq services))
    result
    {:mistakes [(mistake/of [] {:expected "at least one service"
                                :says "there is no service in it; `ontap zone` runs a :zone alone"})]}))

(defn read-file
  "The services of the file at `path`: {:services [..] :ports {..} :zone zone-or-nil}, at least one
  service, or {:mistakes text, :found [mistake ..]} with every mistake on a line of its own. Throws
  with :kind :exit when the file cannot be read."
  [path]
  (read-with (comp with-services check/check) path))

(defn read-any
  "As `read-file`; a file without :services is well too, with :zone or, for ontapd, with
  :ports."
  [path]
  (read-with (fn [form facts]
               (if (and (map? form) (contains? form :ports)
                        (not (or (contains? form :services) (contains? form :zone))))
                 (check/check-ports form facts)
                 (check/check form facts)))
             path))

(defn read-ports
  "The ports of the file at `path`, {:ports {name port}}, or mistakes as `read-file`."
  [path]
  (read-with check/check-ports path))

(defn ports-named
  "The ports `names` with every default, {:ports {name port}}, or {:mistakes text}."
  [names]
  (let [facts   (machine)
        answers (map #(port/of % facts) names)]
    (if-let [bad (first (mapcat :mistakes answers))]
      {:mistakes (str "unable to hand out links: " (:mistake/says bad))}
      {:ports (zipmap names (map :value answers))})))

(defn fail!
  "Throws the text of mistakes, with :kind :exit, 102."
  [text]
  (throw (fail text)))

(defn services!
  "Like `read-file`, the services alone; mistakes are thrown with :kind :exit, 102."
  [path]
  (let [{:keys [services mistakes]} (read-file path)]
    (when mistakes (fail! mistakes))
    services))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.mounted
  "Network namespaces that are mounted somewhere, as ip-netns(8) and container engines do, read from
  /proc/PID/mountinfo (proc_pid_mountinfo(5))."
  (:require [clojure.string :as str])
  (:import (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)))

(set! *warn-on-reflection* true)

(def mountinfo "The file of the calling thread's mounts." "/proc/thread-self/mountinfo")
(def ^:private named "/run/netns/")

(defn inode
  "The inode number in \"net:[4026531840]\", or nil."
  [text]
  (when (and text (str/starts-with? text "net:[") (str/ends-with? text "]"))
    (parse-long (subs text 5 (dec (count text))))))

(defn- unescaped
  "A path of mountinfo, in which a blank is \\040. Each char stands for one byte."
  ^String [text]
  (let [bytes (str/replace text #"\\([0-7]{3})" #(str (char (Long/parseLong (second %) 8))))]
    (String. (.getBytes ^String bytes StandardCharsets/ISO_8859_1) StandardCharsets/UTF_8)))

(defn parse
  "The network namespaces in a text of mountinfo, whose chars are bytes: {path inode}."
  [text]
  (into {}
        (keep (fn [line]
                (when (str/includes? line " net:[")
                  (let [[_ _ _ root place] (str/split line #" ")]
                    (when-let [n (inode root)] [(unescaped place) n])))))
        (str/split-lines text)))

(defn there
  "The network namespaces that are mounted where the calling thread sees it, {path inode}. Does not block."
  []
  (parse (String. (Files/readAllBytes (Path/of mountinfo (make-array String 0))) StandardCharsets/ISO_8859_1)))

(defn netns-name
  "The name by which ip-netns(8) knows the namespace mounted at `path`, or nil."
  [path]
  (when (and path (str/starts-with? path named))
    (let [n (subs path (count named))]
      (when-not (or (= "" n) (str/includes? n "/")) n))))

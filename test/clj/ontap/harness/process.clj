;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.process
  "What /proc says of one process, as data that two processes can be compared by
  (proc_pid_status(5) and its neighbours). Reads files only."
  (:require [clojure.string :as str])
  (:import (java.io File IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files LinkOption Path)))

(set! *warn-on-reflection* true)

(defn- proc ^Path [pid & names]
  (Path/of "/proc" (into-array String (map str (cons pid names)))))

(defn- text
  "The whole file; slurp asks how much there is to read, which /proc refuses."
  [pid & names]
  (String. (Files/readAllBytes (apply proc pid names)) StandardCharsets/UTF_8))

(defn- nul-texts [s] (vec (remove empty? (str/split s #"\u0000"))))

(defn command
  "The words that process `pid` runs; nil when it is gone, [] for a zombie."
  [pid]
  (try (nul-texts (text pid "cmdline")) (catch IOException _ nil)))

(defn environment
  "The environment that `pid` was started with, a map."
  [pid]
  (into (sorted-map) (map #(vec (str/split % #"=" 2))) (nul-texts (text pid "environ"))))

(defn status
  "The fields of /proc/PID/status, name -> words."
  [pid]
  (into {} (map (fn [line]
                  (let [[k v] (str/split line #":" 2)]
                    [k (remove str/blank? (str/split v #"\s+"))])))
        (str/split-lines (text pid "status"))))

(defn stat
  "The fields of /proc/PID/stat after the name, or nil when it is gone: :state :ppid
  :pgrp :session :tty :nice :ticks."
  [pid]
  (when-let [line (try (text pid "stat") (catch IOException _ nil))]
    (let [words (str/split (subs line (+ 2 (.lastIndexOf ^String line ")"))) #" ")
          n     #(parse-long (nth words %))]
      {:state (first words) :ppid (n 1) :pgrp (n 2) :session (n 3) :tty (n 4)
       :nice (n 16) :ticks (n 19)})))

(defn alive?
  "Does `pid` run (a zombie does not)?"
  [pid]
  (let [{:keys [state]} (stat pid)]
    (boolean (and state (not (#{"Z" "X"} state))))))

(defn limits
  "Resource, as prlimit(1) names it -> [soft hard], -1 for infinity."
  [pid]
  (let [names {"Max cpu time" "cpu", "Max file size" "fsize", "Max data size" "data"
               "Max stack size" "stack", "Max core file size" "core"
               "Max resident set" "rss", "Max processes" "nproc", "Max open files" "nofile"
               "Max locked memory" "memlock", "Max address space" "as"
               "Max file locks" "locks", "Max pending signals" "sigpending"
               "Max msgqueue size" "msgqueue", "Max nice priority" "nice"
               "Max realtime priority" "rtprio", "Max realtime timeout" "rttime"}
        value #(if (= "unlimited" %) -1 (parse-long %))]
    (into (sorted-map)
          (for [line (rest (str/split-lines (text pid "limits")))
                :let [[title soft hard] (str/split line #"\s{2,}")]]
            [(names title) [(value soft) (value hard)]]))))

(defn link
  "Where a symbolic link below /proc/PID leads, or nil."
  [pid & names]
  (try (str (Files/readSymbolicLink (apply proc pid names))) (catch IOException _ nil)))

(defn oom-score-adj [pid] (str/trim (text pid "oom_score_adj")))

(defn descriptors
  "Number -> what it leads to, of the open descriptors of `pid`."
  [pid]
  (into (sorted-map)
        (for [name (.list (.toFile (proc pid "fd")))
              :let [to (link pid "fd" name)]
              :when to]
          [(parse-long name) to])))

(def namespace-kinds ["cgroup" "ipc" "mnt" "net" "pid" "time" "user" "uts"])

(defn namespaces
  "Kind -> namespace of `pid`, as a text that is equal for equal namespaces."
  [pid]
  (into (sorted-map) (map #(vector % (link pid "ns" %))) namespace-kinds))

(defn inode
  "The inode of the file `path`: that of a namespace, for a file under /run/netns."
  [path]
  (Files/getAttribute (Path/of path (make-array String 0)) "unix:ino" (make-array LinkOption 0)))

(defn children
  "The processes whose parent is `pid`."
  [pid]
  (for [^File f (.listFiles (File. "/proc"))
        :let [n (parse-long (.getName f))]
        :when (and n (= pid (:ppid (stat n))))]
    n))

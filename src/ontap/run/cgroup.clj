;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.cgroup
  "A control group per service, where the machine has cgroup2 (the hybrid layout
  too): the one place in which all that a service forks is found again.

  cgroups(7), Documentation/admin-guide/cgroup-v2.rst (cgroup.kill, Linux 5.14)."
  (:require [clojure.string :as str])
  (:import (java.io File)
           (java.nio.file Files Path)
           (ontap.sys Fd Io SysException)))

(set! *warn-on-reflection* true)

(defn- mount-point
  "Where cgroup2 is mounted, from the text of /proc/self/mountinfo; nil if it is not."
  [mountinfo]
  (some (fn [line]
          (let [[before after] (str/split line #" - " 2)]
            (when (and after (str/starts-with? after "cgroup2 "))
              (nth (str/split before #" ") 4))))
        (str/split-lines mountinfo)))

(defn- own-group
  "This process's group in the cgroup2 hierarchy, from the text of /proc/self/cgroup."
  [text]
  (some #(when (str/starts-with? % "0::") (subs % 3)) (str/split-lines text)))

(defn- slurp-proc [path] (Files/readString (Path/of path (make-array String 0))))

(defn base
  "The folder in which groups of services are made: this process's own group,
  if it can be written and has cgroup.kill; else nil."
  []
  (try
    (let [mount (mount-point (slurp-proc "/proc/self/mountinfo"))
          own   (own-group (slurp-proc "/proc/self/cgroup"))
          dir   (when (and mount own) (str mount (when-not (= "/" own) own)))]
      (when (and dir
                 (.canWrite (File. ^String dir))
                 (.canWrite (File. (str dir "/cgroup.procs"))))
        dir))
    (catch java.io.IOException _ nil)))

(defn make!
  "Makes the group `label` below `base`; its path, or nil when the kernel refuses
  or has no cgroup.kill."
  [base label]
  (let [dir (str base "/ontap-" label)]
    (try
      (Io/mkdir dir 0755)
      (if (Io/stat (str dir "/cgroup.kill"))
        dir
        (do (Io/rmdir dir) nil))
      (catch SysException _ nil))))

(defn- put! [^String path ^String text]
  (with-open [fd (Io/open path Io/O_WRONLY 0)]
    (Io/writeAll ^Fd fd (.getBytes text))))

(defn procs-file
  "The file to which a process writes 0 to move itself into group `dir`."
  [dir]
  (str dir "/cgroup.procs"))

(defn add!
  "Moves process `pid` into group `dir`, but not what it has forked already. Throws
  SysException."
  [dir pid]
  (put! (procs-file dir) (str pid)))

(defn kill!
  "SIGKILL to everything in `dir`, also to what is being forked."
  [dir]
  (put! (str dir "/cgroup.kill") "1"))

(defn pids
  "The processes in `dir`; empty when it is gone."
  [dir]
  (try (mapv parse-long (remove str/blank? (str/split-lines (slurp-proc (str dir "/cgroup.procs")))))
       (catch java.io.IOException _ [])))

(defn populated?
  "Lives anything in `dir` or below? A group that is gone is empty."
  [dir]
  (try (str/includes? (slurp-proc (str dir "/cgroup.events")) "populated 1")
       (catch java.io.IOException _ false)))

(defn events-file
  "The file whose IN_MODIFY says that `populated?` may have changed."
  [dir]
  (str dir "/cgroup.events"))

(defn stale
  "The groups below `base` that a process made which lives no more (their names have
  its pid). `lives?`: of a pid."
  [^String base lives?]
  (for [^File f (.listFiles (File. base))
        :let  [[_ pid] (re-matches #"ontap-.+-(\d+)-\d+" (.getName f))]
        :when (and pid (not (lives? (parse-long pid))))]
    (.getPath f)))

(defn remove!
  "Removes the empty group `dir` and the groups that a workload made in it; gone or
  not empty is fine."
  [^String dir]
  (doseq [^File below (.listFiles (File. dir)) :when (.isDirectory below)]
    (remove! (.getPath below)))
  (try (Io/rmdir dir) (catch SysException _ nil)))

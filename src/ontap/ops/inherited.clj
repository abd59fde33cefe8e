;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.inherited
  "The descriptors that whoever started this process left open for the program that it
  is about to become."
  (:require [clojure.string :as str])
  (:import (java.io File IOException)
           (java.nio.file Files Path)
           (ontap.sys Fd FdInfo SysException)))

(set! *warn-on-reflection* true)

(defn- class-path [] (str/split (System/getProperty "java.class.path") (re-pattern File/pathSeparator)))

(def ^:private jvm-files
  "Beginnings of the paths of files that a JVM leaves open without O_CLOEXEC: its own, and
  the class path."
  (delay (into [(str (System/getProperty "java.home") "/") "/dev/random" "/dev/urandom"]
               (map #(.getAbsolutePath (File. ^String %)))
               (class-path))))

(def ^:private program-folders
  "Folders below which a jar or a library is the program's: a jar of the class path names
  others that lie beside it."
  (delay (into [] (comp (filter #(str/ends-with? % ".jar"))
                        (map #(str (.getParent (.getAbsoluteFile (File. ^String %))) "/"))
                        (distinct))
               (class-path))))

(defn- of-the-jvm? [link]
  (or (some #(str/starts-with? link %) @jvm-files)
      (and (re-find #"\.(jar|so)$" link)
           (some #(str/starts-with? link %) @program-folders))))

(defn- link-of [number]
  (try (str (Files/readSymbolicLink (Path/of (str "/proc/self/fd/" number) (make-array String 0))))
       (catch IOException _ nil)))

(defn- stays-open? [number]
  (try (not (.closeOnExec (FdInfo/of (int number))))
       (catch SysException _ false)))

(defn numbers
  "Numbers from 3 up of descriptors that were open when this process began, and would
  stay open for the next program; what the JVM opened for itself is left out."
  []
  (vec (sort (for [^String name (.list (File. "/proc/self/fd"))
                   :let [n (parse-long name), link (link-of n)]
                   :when (and (< 2 n) link (stays-open? n) (not (of-the-jvm? link)))]
               n))))

(defn fds
  "number -> Fd of `numbers`."
  [numbers]
  (into {} (map (fn [n] [(int n) (Fd/own (int n) "of the caller")])) numbers))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.record
  "What a supervisor writes down about each service, so that the next one can
  take the workloads up again: one EDN file per service, replaced atomically.

  Keys: :record/v 1, :record/boot-id, :record/name, :record/phase
  (:intent before the workload is spawned, :running after, :rest), :record/state,
  :record/want, :record/again?, :record/service (the declaration), :record/netns
  {:dev :ino} of a namespace of its own, :record/grant with which ontapd gave the link, without
  descriptors, :record/pid and :record/ticks (start time,
  clock ticks, of proc_pid_stat(5)), :record/cgroup, :record/runs, :record/restarts,
  :record/since-epoch-ms, :record/at-ms (CLOCK_BOOTTIME of the writing)."
  (:require [clojure.edn :as edn]
            [ontap.model.text :as text]
            [ontap.run.paths :as paths])
  (:import (ontap.sys Fd Io)
           (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

(defn write!
  "Writes `record` down."
  [paths record]
  (Io/replace (paths/record-file paths (:record/name record))
              (.getBytes (text/edn (assoc record :record/v 1)) StandardCharsets/UTF_8)
              0600))

(defn remove!
  "Forgets what is written about `name`; nothing there is fine."
  [paths name]
  (Io/unlink (paths/record-file paths name)))

(defn- read-one [^File file]
  (try
    (let [r (edn/read-string (Files/readString (.toPath file)))]
      (if (= 1 (:record/v r))
        {:record r}
        {:unreadable (.getPath file) :why "is of another version"}))
    (catch Exception e
      {:unreadable (.getPath file) :why (ex-message e)})))

(defn read-all
  "Every record below `paths` that is of boot `boot-id`, as
  {:records [..] :unreadable [{:unreadable path :why text}]}. Records of an
  earlier boot are removed: nothing of that time lives."
  [paths boot-id]
  (let [files  (->> (.listFiles (File. ^String (:paths/services paths)))
                    (filter #(.endsWith (.getName ^File %) ".edn"))
                    (sort-by #(.getName ^File %)))
        read   (map read-one files)
        of-now #(= boot-id (:record/boot-id (:record %)))]
    (doseq [{:keys [record] :as r} read
            :when (and record (not (of-now r)))]
      (remove! paths (:record/name record)))
    {:records    (into [] (comp (filter :record) (filter of-now) (map :record)) read)
     :unreadable (filterv :unreadable read)}))

(defn lock!
  "Takes the lock of the run-time folder, for as long as this process lives;
  nil when another supervisor has it."
  ^Fd [paths]
  (let [fd (Io/open (:paths/lock paths) (bit-or Io/O_RDWR Io/O_CREAT) 0600)]
    (if (Io/tryLock fd)
      fd
      (do (.close fd) nil))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.log-watch
  "Follows the growth of logs by inotify, to cut each at its bound.

  A watch is one-shot, and the file is looked at a quarter of a second later: a busy
  writer costs four looks a second, a quiet one none. The cutting itself, which takes
  the file system's time, is not done in the loop's thread."
  (:require [ontap.run.logs :as logs]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.work :as work])
  (:import (ontap.sys Clock EventLoop Io Inotify Inotify$Event SysException)))

(set! *warn-on-reflection* true)

(def ^:private one-shot
  "IN_ONESHOT, sys/inotify.h"
  (unchecked-int 0x80000000))

(def ^:private pause-ns 250000000)
(def ^:private failed-pause-ns "After a cut that failed: the disk is full, say." 10000000000)

(declare watch!)

(defn- later! [sup ns f]
  (.at ^EventLoop (:loop sup) (+ (Clock/boottimeNanos) (long ns)) f))

(defn- grown?
  "Is the log of `service` past its bound?"
  [sup {{:keys [max-bytes]} :service/log :as service}]
  (let [file (paths/log-file (:paths sup) service)]
    (when-let [st (Io/stat file)]
      (and (logs/plain? file) (> (.size st) (long max-bytes))))))

(defn- again! [sup name]
  (parts/drop! sup name :cutting?)
  (when-let [{:keys [service]} (parts/service sup name)]
    (watch! sup service)))

(defn- cut! [sup {:service/keys [name] {:keys [max-bytes]} :service/log :as service}]
  (let [file (paths/log-file (:paths sup) service)]
    (parts/hold! sup name :cutting? true)
    (work/submit!
     (:crew sup) (str "log-" name)
     #(logs/cut! name file max-bytes (parts/stamp))
     (fn [{:keys [value ^Throwable error]}]
       (cond
         error (do (parts/note! sup :warning name
                                (str "unable to cut its log: " (.getMessage error)))
                   (later! sup failed-pause-ns #(again! sup name)))
         value (do (parts/note! sup :info name
                                (str "log cut: what was there is in " file ".1"))
                   (again! sup name))
         :else (again! sup name))))))

(defn unwatch!
  "Stops following the log of `name`."
  [sup name]
  (when-let [wd (:log-wd (parts/handle sup name))]
    (vswap! (:watches sup) dissoc wd)
    (parts/drop! sup name :log-wd)
    (.unwatch ^Inotify (:inotify sup) (int wd))))

(defn- look! [sup name]
  (when-let [{:keys [service]} (parts/service sup name)]
    (when-not (:cutting? (parts/handle sup name))
      (if (grown? sup service)
        (cut! sup service)
        (watch! sup service)))))

(defn- on-event [sup name wd]
  (fn [^Inotify$Event e]
    (vswap! (:watches sup) dissoc wd)
    (parts/drop! sup name :log-wd)
    (when (pos? (bit-and (.mask e) Inotify/IN_MODIFY))
      (later! sup pause-ns #(look! sup name)))))

(defn watch!
  "Follows the log of `service` from now on; a log that is not there, or is
  a device, is not followed. Does not block."
  [sup {:service/keys [name] :as service}]
  (when-not (some (parts/handle sup name) [:log-wd :cutting?])
    (let [file (paths/log-file (:paths sup) service)]
      (when-let [wd (try (when (logs/plain? file)
                           (.watch ^Inotify (:inotify sup) file
                                   (unchecked-int (bit-or Inotify/IN_MODIFY one-shot))))
                         (catch SysException _ nil))]
        (parts/hold! sup name :log-wd wd)
        (vswap! (:watches sup) assoc wd (on-event sup name wd))
        ;; what was written before the watch was there is told by nobody
        (when (grown? sup service)
          (unwatch! sup name)
          (cut! sup service))))))

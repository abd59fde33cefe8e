;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.log-watch
  "Follows the growth of logs by inotify, to cut each at its bound.

  A watch is one-shot, and the file is looked at a quarter of a second later: a busy
  writer costs four looks a second, a quiet one none."
  (:require [ontap.run.logs :as logs]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths])
  (:import (ontap.sys Clock EventLoop Inotify Inotify$Event SysException)))

(set! *warn-on-reflection* true)

(def ^:private one-shot
  "IN_ONESHOT, sys/inotify.h"
  (unchecked-int 0x80000000))

(def ^:private pause-ns 250000000)

(declare watch!)

(defn- look! [sup name]
  (when-let [{:keys [service]} (parts/service sup name)]
    (let [file  (paths/log-file (:paths sup) service)
          bound (-> service :service/log :max-bytes)]
      (when (logs/cut! name file bound (parts/stamp))
        (parts/note! sup :info name (str "log cut: what was there is in " file ".1")))
      (watch! sup service))))

(defn watch!
  "Follows the log of `service` from now on; a log that is not there is not
  followed. Does not block."
  [sup {:service/keys [name] :as service}]
  (when-not (:log-wd (parts/handle sup name))
    (let [file (paths/log-file (:paths sup) service)]
      (when-let [wd (try (.watch ^Inotify (:inotify sup) file
                                 (unchecked-int (bit-or Inotify/IN_MODIFY one-shot)))
                         (catch SysException _ nil))]
        (parts/hold! sup name :log-wd wd)
        (vswap! (:watches sup) assoc wd
                (fn [^Inotify$Event e]
                  (vswap! (:watches sup) dissoc wd)
                  (parts/drop! sup name :log-wd)
                  (when (pos? (bit-and (.mask e) Inotify/IN_MODIFY))
                    (.at ^EventLoop (:loop sup) (+ (Clock/boottimeNanos) pause-ns)
                         #(look! sup name)))))))))

(defn unwatch!
  "Stops following the log of `name`."
  [sup name]
  (when-let [wd (:log-wd (parts/handle sup name))]
    (vswap! (:watches sup) dissoc wd)
    (parts/drop! sup name :log-wd)
    (.unwatch ^Inotify (:inotify sup) (int wd))))

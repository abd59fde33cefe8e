;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.found
  "What is left of a lease that an earlier allocator wrote down."
  (:require [ontap.alloc.book :as book])
  (:import (ontap.sys Fd PidFd Procs Procs$Proc SysException)))

(set! *warn-on-reflection* true)

(defn- asker-alive
  "A pidfd of the process that asked for `lease`, if it still is that one."
  ^Fd [{:lease/keys [pid ticks]}]
  (when-let [^Procs$Proc p (and pid (Procs/stat (int pid)))]
    (when (or (nil? ticks) (= ticks (.startTicks p)))
      (try (PidFd/open (int pid)) (catch SysException _ nil)))))

(defn find-again
  "What is left of `lease`: {:link? :held? :asker?}, and what is held of it."
  [{:keys [book kernel]} {:lease/keys [id] :as lease}]
  (let [{:keys [fd held?]} (when (= :holder (:lease/held lease)) (book/holder-end book id))
        asker (asker-alive lease)]
    {:found {:link? ((:there? kernel) lease) :held? (boolean held?) :asker? (some? asker)}
     :holder fd
     :asker asker}))

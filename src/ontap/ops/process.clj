;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.process
  "What `ontap up` and `ontapd` have in common as processes: how they end early, hear of
  the kernel and of signals, and come to rest."
  (:require [ontap.kernel.events :as events]
            [ontap.ops.note :as note])
  (:import (ontap.rtnl RtnlMonitor)
           (ontap.sys Clock ClockChange ClockChange$Kind Errno EventLoop EventLoop$Handler SignalQueue Signals
                      SysException)))

(set! *warn-on-reflection* true)

(defn exit
  "The exception that ends the program with `status` and the sentence `text`."
  [status text]
  (ex-info text {:kind :exit :status status}))

(defn open-monitor
  "A monitor of all network namespaces. Throws with `refusal` as its sentence when that
  takes more than the caller has."
  ^RtnlMonitor [refusal]
  (try
    (events/open-monitor)
    (catch SysException e
      (throw (if (contains? #{Errno/EPERM Errno/EACCES} (.errno e))
               (exit 111 refusal)
               e)))))

(defn event-loop
  "An event loop that says what goes wrong in it; `env` is this process's environment."
  ^EventLoop [env]
  (EventLoop. (fn [^Throwable t]
                (note/line! :error nil (str "bug: " t))
                (when (get env "ONTAP_DEBUG") (.printStackTrace t)))))

(defn signals
  "SIGTERM, SIGINT and SIGHUP, queued from now on."
  ^SignalQueue []
  (Signals/on (into-array String ["TERM" "INT" "HUP"])))

(defn on-signals!
  "Calls `hang-up` for each SIGHUP of `queue` and `end` for the others, on `event-loop`."
  [^EventLoop event-loop ^SignalQueue queue hang-up end]
  (.add event-loop (.fd queue) EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (loop []
              (when-let [signal (.poll queue)]
                (if (= "HUP" signal) (hang-up) (end))
                (recur)))))))

(def at-once
  "How often the kernel is listened to in one turn of the loop: somebody who changes links
  faster than anybody hears of it must not keep everything else waiting."
  1024)

(defn on-kernel!
  "Calls `hear` whenever `monitor` has something to say."
  [^EventLoop event-loop ^RtnlMonitor monitor hear]
  (.add event-loop (.fd monitor) EventLoop/EPOLLIN
        (reify EventLoop$Handler (ready [_ _] (hear)))))

(defn clock-change
  "Tells when the machine has slept; the caller closes it."
  ^ClockChange []
  (ClockChange/open))

(defn on-resume!
  "Calls `resumed` after each sleep of the machine that `changes` tells of."
  [^EventLoop event-loop ^ClockChange changes resumed]
  (.add event-loop (.fd changes) EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (when (= ClockChange$Kind/RESUMED (.drain changes)) (resumed))))))

(defn tidy-later!
  "One collection after the start: JNA's start-up garbage holds a thread that wakes
  every 30 s."
  [^EventLoop event-loop]
  (.at event-loop (+ (Clock/boottimeNanos) 5000000000) #(System/gc)))

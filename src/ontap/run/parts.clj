;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.parts
  "What a supervisor is made of, for the files that carry its effects out.

  A supervisor is a map. Data: :world and :inventory (volatiles), :paths, :boot-id.
  Held: :handles (volatile: name -> what is held of a run: :attachment :identity
  :pidfd :pid :ticks :cgroup :ready :timers :log-wd), :loop, :inotify with :watches
  (wd -> fn of the event), :crew, :base (the control group above all). Functions:
  :tell (fn [name event data]), :note (fn [level name text]), :kernel (see
  `supervisor/make`). All of it belongs to the loop's thread."
  (:require [ontap.model.supervision :as supervision]
            [ontap.run.record :as record])
  (:import (java.time Instant)
           (java.time.temporal ChronoUnit)
           (ontap.sys Clock)))

(set! *warn-on-reflection* true)

(defn now-ms
  "CLOCK_BOOTTIME, ms: the time of all records."
  []
  (quot (Clock/boottimeNanos) 1000000))

(defn stamp
  "The time of day, for a person: ISO 8601, UTC, seconds."
  []
  (str (.truncatedTo (Instant/now) ChronoUnit/SECONDS)))

(defn service
  "The record (`ontap.model.supervision`) of service `name`, or nil."
  [sup name]
  (get-in @(:world sup) [:world/services name]))

(defn handle
  "What is held of the current run of `name`."
  [sup name]
  (get @(:handles sup) name))

(defn hold!
  "Adds `kvs` to what is held of the current run of `name`."
  [sup name & kvs]
  (vswap! (:handles sup) update name #(apply assoc % kvs)))

(defn drop!
  "Takes `ks` out of what is held of the current run of `name`; closes nothing."
  [sup name & ks]
  (vswap! (:handles sup) update name #(apply dissoc % ks)))

(defn note!
  "One line about service `name` for the supervisor's own log."
  [sup level name text]
  ((:note sup) level name text))

(defn tell!
  "Gives service `name` an event (see `supervision/events`), and all that follows."
  ([sup name event] ((:tell sup) name event nil))
  ([sup name event data] ((:tell sup) name event data)))

(defn- phase [state]
  (cond (= :launching state) :intent
        (or (supervision/running? state) (= :cleaning state)) :running
        :else :rest))

(defn record!
  "Writes down what the next supervisor has to know of record `s`; `more`
  overrides (see `ontap.run.record`). Also called from a launching thread: the loop
  writes nothing about a service while it is being launched."
  [sup {:keys [service] :as s} & {:as more}]
  (let [name (:service/name service)
        {:keys [attachment cgroup pid ticks since-epoch-ms]} (handle sup name)]
    (record/write!
     (:paths sup)
     (merge {:record/boot-id        (:boot-id sup)
             :record/name           name
             :record/phase          (phase (:sup/state s))
             ;; one that leaves is forgotten: the next file says whether it is wanted
             :record/want           (if (:sup/leave? s) :up (:sup/want s))
             :record/again?         (boolean (or (:sup/again? s) (:sup/leave? s)))
             :record/state          (:sup/state s)
             :record/service        service
             :record/netns          (:attachment/netns attachment)
             ;; one that came with descriptors is found by its name
             :record/grant          (when-not (:service/queues service)
                                      (some-> (:attachment/grant attachment) (select-keys [:grant/lease :grant/from])))
             :record/cgroup         cgroup
             :record/pid            pid
             :record/ticks          ticks
             :record/runs           (:sup/runs s)
             :record/restarts       (:sup/restarts s)
             :record/since-epoch-ms since-epoch-ms
             :record/at-ms          (now-ms)}
            more))))

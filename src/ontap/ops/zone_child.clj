;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-child
  "The zone that an `ontap up` runs beside its services: `ontap zone FILE` as a child, started
  again when it ends. In the loop's thread.

  It holds the read end of a pipe of ours. When that hangs up its `ontap up` has died; the zone
  serves on, and gives way to that of the next `ontap up`, which asks it to stop."
  (:require [ontap.ops.client :as client]
            [ontap.ops.zone-output :as zone-output]
            [ontap.run.paths :as paths])
  (:import (ontap.sys Clock EventLoop EventLoop$Handler Fd Io PidFd Signals Spawn Spawn$Request
                      SysException)))

(set! *warn-on-reflection* true)

(def ^:private first-delay-ms 500)
(def ^:private longest-delay-ms 30000)

(def ^:private life-fd "The number of the lifeline in the child." 3)

(defn child
  "A child that does not run yet. `file` is the path of the declarations, `submit` (fn [label work
  then]) runs what blocks, `note` (fn [level name text])."
  [{:keys [loop env file submit note]}]
  {:loop loop :env env :file file :submit submit :note note
   :zone (volatile! nil) :running (volatile! nil) :timer (volatile! nil)
   :delay-ms (volatile! first-delay-ms) :on-end (volatile! nil)})

(defn- spawn!
  "{:pid :pidfd :life}: the child's, and our end of its lifeline."
  [{:keys [env file]}]
  (let [launcher   (System/getProperty "ontap.launcher")
        [r w]      (Io/pipe false)
        ^Fd theirs r]
    (try
      (with-open [null (Io/open "/dev/null" Io/O_RDONLY 0)
                  out  (zone-output/copy 1)
                  err  (zone-output/copy 2)]
        (let [argv [launcher "zone" "--life-fd" (str life-fd) file]
              pid  (Spawn/run (Spawn$Request. launcher argv (mapv (fn [[k v]] (str k "=" v)) env)
                                              {(int 0) null (int 1) out (int 2) err (int life-fd) theirs}))]
          {:pid pid :pidfd (PidFd/open pid) :life w}))
      (catch Throwable t (.close ^Fd w) (throw t))
      (finally (.close theirs)))))

(declare start!)

(defn- try-again! [{:keys [^EventLoop loop timer delay-ms] :as child}]
  (vreset! timer (.at loop (+ (Clock/boottimeNanos) (* 1000000 (long @delay-ms)))
                      (fn [] (vreset! timer nil) (start! child))))
  (vswap! delay-ms #(min (* 2 (long %)) (long longest-delay-ms))))

(defn- ended! [{:keys [^EventLoop loop running zone note on-end] :as child}]
  (let [{:keys [^Fd pidfd ^Fd life]} @running
        status (PidFd/reap pidfd)]
    (when status
      (.remove loop pidfd)
      (.close pidfd)
      (.close life)
      (vreset! running nil)
      (when @zone
        (note :error nil (str "the zone ended (" status "); starting it again"))
        (try-again! child))
      (when-let [then @on-end]
        (vreset! on-end nil)
        (then)))))

(defn- launch! [{:keys [^EventLoop loop running zone note] :as child}]
  (when (and @zone (not @running))
    (try
      (let [{:keys [^Fd pidfd] :as made} (spawn! child)]
        (vreset! running made)
        (.add loop pidfd EventLoop/EPOLLIN (reify EventLoop$Handler (ready [_ _] (ended! child)))))
      (catch SysException e
        (note :error nil (str "unable to start the zone: " (ex-message e)))
        (try-again! child)))))

(defn- start!
  "Starts it, after an orphan of an earlier `ontap up` was asked to give way."
  [{:keys [submit env] :as child}]
  (submit "zone-before"
          #(try (client/ask-at (paths/zone-control (paths/runtime-dir env (paths/caller))) "ontap zone"
                               {:command :stop :orphan? true})
                ;; most often there is none
                (catch Exception _ nil))
          (fn [_] (launch! child))))

(defn- stop! [{:keys [running]}]
  (when-let [{:keys [^Fd pidfd]} @running]
    (try (PidFd/signal pidfd (Signals/number "TERM")) (catch SysException _ nil))))

(defn want!
  "From now on `zone` (checked, nil: none) is what shall run."
  [{:keys [^EventLoop loop running timer delay-ms on-end] :as child} zone]
  (when (not= zone @(:zone child))
    (some->> @timer (.cancel loop))
    (vreset! timer nil)
    (vreset! delay-ms first-delay-ms)
    (vreset! (:zone child) nil)
    (let [next! #(when zone (vreset! (:zone child) zone) (start! child))]
      (if @running
        (do (vreset! on-end next!) (stop! child))
        (next!)))))

(defn end!
  "Ends it; then `then` (fn [])."
  [{:keys [running on-end zone timer ^EventLoop loop] :as child} then]
  (vreset! zone nil)
  (some->> @timer (.cancel loop))
  (if @running
    (do (vreset! on-end then) (stop! child))
    (then)))

(defn pid
  "That of the running zone, or nil."
  [{:keys [running]}]
  (:pid @running))

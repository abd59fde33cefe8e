;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-child
  "The zone that an `ontap up` runs beside its services: `ontap zone FILE` as a child, started
  again when it ends. In the loop's thread.

  Links of its own whose IPv4 addresses come by DHCP are made here, where the DHCP client is,
  and are the child's: they end with it.

  It holds the read end of a pipe of ours. When that hangs up its `ontap up` has died; the zone
  serves on, and gives way to that of the next `ontap up`, which asks it to stop."
  (:require [ontap.model.text :as text]
            [ontap.ops.client :as client]
            [ontap.ops.zone-link :as zone-link]
            [ontap.ops.zone-output :as zone-output]
            [ontap.run.paths :as paths])
  (:import (ontap.sys Clock EventLoop EventLoop$Handler Fd Io PidFd Signals Spawn Spawn$Request
                      SysException)))

(set! *warn-on-reflection* true)

(def ^:private first-delay-ms 500)
(def ^:private longest-delay-ms 30000)

(def ^:private life-fd "The number of the lifeline in the child; those of links come after it." 3)

(def ^:private steady-ms "One that ran for so long is started again at once." 60000)
(def ^:private patience-ms "How long it has to end." 10000)

(defn child
  "A child that does not run yet. `file` is the path of the declarations, `submit` (fn [label work
  then]) runs what blocks, `note` (fn [level name text]), `engine` (fn []) gives the DHCP client."
  [{:keys [loop env file submit note engine]}]
  {:loop loop :file file :submit submit :note note :engine engine
   ;; what this process was given is not the child's
   :env (dissoc env "NOTIFY_SOCKET" "LISTEN_FDS" "LISTEN_PID" "LISTEN_FDNAMES")
   ;; the checked zone that shall run, or nil
   :wanted (volatile! nil)
   ;; {:pid :pidfd :life :links :since-ms}
   :running (volatile! nil)
   ;; until the next try, or until it is killed
   :timer (volatile! nil)
   :delay-ms (volatile! first-delay-ms)
   ;; called once it has ended as it was told to
   :on-end (volatile! nil)})

(defn- now-ms [] (quot (Clock/boottimeNanos) 1000000))

(defn- after!
  "Calls `f` in `ms`, unless something else is timed before."
  [{:keys [^EventLoop loop timer]} ms f]
  (.cancel loop @timer)
  (vreset! timer (.at loop (* 1000000 (+ (long (now-ms)) (long ms))) (fn [] (vreset! timer nil) (f)))))

(defn- no-timer! [{:keys [^EventLoop loop timer]}]
  (.cancel loop @timer)
  (vreset! timer nil))

(defn- spawn!
  "{:pid :pidfd :life :links}: the child's, our end of its lifeline, and `links`, which are its own now."
  [{:keys [env file]} links]
  (let [launcher   (System/getProperty "ontap.launcher")
        numbered   (map vector (iterate inc (inc (long life-fd))) links)
        env        (cond-> env
                     (seq links) (assoc zone-link/variable (text/edn (into {} (map (fn [[n l]] [(:port l) n])) numbered))))
        [r w]      (Io/pipe false)
        ^Fd theirs r]
    (try
      (with-open [null (Io/open "/dev/null" Io/O_RDONLY 0)
                  out  (zone-output/copy 1)
                  err  (zone-output/copy 2)]
        (let [argv [launcher "zone" "--life-fd" (str life-fd) file]
              pid  (Spawn/run (Spawn$Request. launcher argv (mapv (fn [[k v]] (str k "=" v)) env)
                                              (into {(int 0) null (int 1) out (int 2) err (int life-fd) theirs}
                                                    (map (fn [[n l]] [(int n) (:net l)])) numbered)))]
          {:pid pid :pidfd (PidFd/open pid) :life w :links links :since-ms (now-ms)}))
      (catch Throwable t (.close ^Fd w) (throw t))
      (finally (.close theirs)))))

(declare start!)

(defn- try-again! [{:keys [delay-ms] :as child}]
  (after! child @delay-ms #(start! child))
  (vswap! delay-ms #(min (* 2 (long %)) (long longest-delay-ms))))

(defn- ended! [{:keys [^EventLoop loop running wanted note on-end delay-ms engine] :as child}]
  (let [{:keys [^Fd pidfd ^Fd life links since-ms]} @running]
    (when-let [status (PidFd/reap pidfd)]
      (.remove loop pidfd)
      (.close pidfd)
      (.close life)
      (run! #(zone-link/end-ipv4! (engine) %) links)
      (vreset! running nil)
      (no-timer! child)
      (if-let [then @on-end]
        (do (vreset! on-end nil) (then))
        (when @wanted
          (when (< (long steady-ms) (- (long (now-ms)) (long since-ms))) (vreset! delay-ms first-delay-ms))
          (note :error nil (str "the zone ended (" status "); starting it again"))
          (try-again! child))))))

(defn- launch!
  "Starts it with the `links` that were made for `zone`, if that is the one that shall run: of another, the start is under way. They
  are let go of here."
  [{:keys [^EventLoop loop running wanted note engine env] :as child} zone links]
  (try
    (when (and (= zone @wanted) (not @running))
      (let [{:keys [^Fd pidfd pid] :as made} (spawn! child links)]
        (vreset! running made)
        (.add loop pidfd EventLoop/EPOLLIN (reify EventLoop$Handler (ready [_ _] (ended! child))))
        (doseq [link links]
          (try (zone-link/begin-ipv4! (engine) env link pid)
               (catch Exception e
                 (note :error nil (str "no IPv4 address for mdns0 on " (:port link) ": " (ex-message e))))))))
    (catch Exception e
      (note :error nil (str "unable to start the zone: " (ex-message e)))
      (try-again! child))
    (finally
      (run! zone-link/close! links))))

(defn- start!
  "Starts what is wanted, after an orphan of an earlier `ontap up` was asked to give way."
  [{:keys [submit env wanted] :as child}]
  (when-let [zone @wanted]
    (submit "zone-before"
            (fn []
              (try (client/ask-at (paths/zone-control (paths/runtime-dir env (paths/caller))) "ontap zone"
                                  {:command :stop :orphan? true})
                   ;; most often there is none
                   (catch Exception _ nil))
              (zone-link/for-child! zone env))
            (fn [{links :value}] (launch! child zone links)))))

(defn- signal! [{:keys [running]} name]
  (when-let [{:keys [^Fd pidfd]} @running]
    (try (PidFd/signal pidfd (Signals/number name)) (catch SysException _ nil))))

(defn- stop!
  "Ends what runs, if need be by SIGKILL; then `then` (fn [])."
  [{:keys [running on-end] :as child} then]
  (no-timer! child)
  (if @running
    (do (vreset! on-end then)
        (signal! child "TERM")
        (after! child patience-ms #(signal! child "KILL")))
    (then)))

(defn want!
  "From now on `zone` (checked, nil: none) is what shall run."
  [{:keys [wanted delay-ms] :as child} zone]
  (when (not= zone @wanted)
    (vreset! wanted zone)
    (vreset! delay-ms first-delay-ms)
    ;; which one starts is decided when the last has ended: it may be wanted no longer by then
    (stop! child #(start! child))))

(defn end!
  "Ends it; then `then` (fn [])."
  [{:keys [wanted] :as child} then]
  (vreset! wanted nil)
  (stop! child then))

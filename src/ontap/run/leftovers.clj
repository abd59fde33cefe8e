;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.leftovers
  "Ends everything that a service left behind, and says when nothing of it lives.

  With a control group: cgroup.kill, then cgroup.events until it is empty; then what
  the workload had forked before it was put there, found by the service's own network
  namespace and the ONTAP_NAME that it was started with (a shell that somebody opened
  in there is not ours). Without: every process in the service's own network namespace,
  and every process of the session that the workload was started in (in a shared
  namespace only the latter). Each is followed by a pidfd, looked for again until none
  is left."
  (:require [clojure.string :as str]
            [ontap.run.cgroup :as cgroup])
  (:import (java.io IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)
           (ontap.sys EventLoop EventLoop$Handler Fd Inotify Namespaces$NsId PidFd
                      Procs Procs$Proc SysException)))

(set! *warn-on-reflection* true)

(defn started-as?
  "Was process `pid` started as, or by, the workload of service `name`?"
  [pid name]
  (try
    (let [environ (Files/readAllBytes (Path/of "/proc" (into-array [(str pid) "environ"])))]
      (boolean (some #{(str "ONTAP_NAME=" name)}
                     (str/split (String. environ StandardCharsets/UTF_8) #"\u0000"))))
    (catch IOException _ false)))

(defn pids
  "Processes that belong to a run: {:netns {:dev :ino} or nil, :pid, :cgroup, :name}.
  In the namespace all of them, but where there is a better sign of what is the
  service's own (its control group), or none that the namespace is (no pid, and
  numbers are used again), only those that were started with its name."
  [{:keys [netns pid cgroup name]}]
  (into (sorted-set)
        (concat
         (when cgroup (cgroup/pids cgroup))
         (when netns
           (cond->> (Procs/inNamespace "net" (Namespaces$NsId. (:dev netns) (:ino netns)))
             (and name (or cgroup (nil? pid))) (filter #(started-as? % name))))
         (when (and pid (not cgroup))
           (filter (fn [p]
                     (when-let [^Procs$Proc s (Procs/stat (int p))]
                       (and (= pid (.session s)) (not= \Z (.state s)))))
                   (Procs/all))))))

(defn- follow-exit!
  "Calls `done` once process `pid` has ended; SIGKILL to it at once."
  [^EventLoop loop pid done]
  (if-let [^Fd fd (try (PidFd/open (int pid)) (catch SysException _ nil))]
    (do (try (PidFd/signal fd 9) (catch SysException _ nil))
        (.add loop fd EventLoop/EPOLLIN
              (reify EventLoop$Handler
                (ready [_ _]
                  (.remove loop fd)
                  (.close fd)
                  (done)))))
    (done)))

(defn- sweep-processes! [^EventLoop loop run done]
  (let [found (pids (assoc run :netns ((:netns-now run))))]
    (if (empty? found)
      (done)
      (let [open (volatile! (count found))]
        (doseq [p found]
          (follow-exit! loop p #(when (zero? (vswap! open dec))
                                  ;; what was forked meanwhile
                                  (sweep-processes! loop run done))))))))

(defn- sweep-group! [^Inotify inotify watches {:keys [cgroup]} done]
  (if-not (cgroup/populated? cgroup)
    (done)
    (let [wd      (.watch inotify (cgroup/events-file cgroup) Inotify/IN_MODIFY)
          finish! (fn []
                    (when (and (contains? @watches wd) (not (cgroup/populated? cgroup)))
                      (vswap! watches dissoc wd)
                      (.unwatch inotify wd)
                      (done)))]
      (vswap! watches assoc wd (fn [_] (finish!)))
      (cgroup/kill! cgroup)
      (finish!))))

(defn sweep!
  "Kills what is left of `run` (see `pids`; in place of :netns, which may end and give
  its number to another meanwhile, :netns-now, a function) and calls `done`, in the
  loop's thread, once nothing of it lives. `inotify` with its `watches` (volatile
  wd -> fn of the event) belong to the loop. Does not block."
  [^EventLoop loop inotify watches run done]
  (if (:cgroup run)
    (sweep-group! inotify watches run #(sweep-processes! loop run done))
    (sweep-processes! loop run done)))

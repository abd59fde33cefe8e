;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.adopt
  "Takes up what an earlier supervisor left running.

  A workload is known by pid and start time of the record; one that was spawned but
  not yet written down is found by its namespace, or, in a shared namespace, by the
  ONTAP_NAME in its environment. What is over is swept, and goes on as its
  declaration says; how it ended the kernel does not tell a process that is not the
  parent and did not watch: unknown, counted as a failure."
  (:require [ontap.model.supervision :as supervision]
            [ontap.run.attempt :as attempt]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.launch :as launch]
            [ontap.run.leftovers :as leftovers]
            [ontap.run.log-watch :as log-watch]
            [ontap.run.parts :as parts]
            [ontap.run.readiness :as readiness]
            [ontap.run.supervisor :as supervisor])
  (:import (ontap.sys Fd Io PidFd Procs Procs$Proc SysException)))

(set! *warn-on-reflection* true)

;; --- who lives

(defn- alive
  "The process of `pid`, if it is the one that started at `ticks` and is no zombie."
  ^Procs$Proc [pid ticks]
  (when-let [^Procs$Proc p (and pid (Procs/stat (int pid)))]
    (when (and (not= \Z (.state p)) (or (nil? ticks) (= ticks (.startTicks p))))
      p)))

(def ^:private tick-ms
  "USER_HZ, which is 100 wherever there is a JVM."
  10)

(defn- launched-as?
  "Was process `p` started as the workload of that record: after it was written,
  leader of its session, with our ONTAP_NAME? `uid`: the workload's."
  [^Procs$Proc p {:record/keys [name at-ms]} uid]
  (and (= (.pid p) (.session p))
       (<= (- (or at-ms 0) tick-ms) (* tick-ms (.startTicks p)))
       (contains? (hash-set 0 uid) (some-> (Io/stat (str "/proc/" (.pid p))) .uid))
       (leftovers/started-as? (.pid p) name)))

(defn- spawned-unwritten
  "The workload of a record that was written before it was spawned, if it lives.
  The number of a namespace is used again after its end, so that alone proves
  nothing."
  ^Procs$Proc [{:record/keys [service netns] :as record}]
  (let [uid (try (:identity/uid (launch/identity! service))
                 (catch clojure.lang.ExceptionInfo _ 0))]
    (some #(when-let [p (Procs/stat (int %))]
             (when (launched-as? p record uid) p))
          (if netns (leftovers/pids {:netns netns}) (Procs/all)))))

(defn- living ^Procs$Proc [{:record/keys [phase pid ticks] :as record}]
  (case phase
    :running (alive pid ticks)
    :intent  (spawned-unwritten record)
    nil))

;; --- taking up

(defn- resumed
  "The supervision record of a written one, in `state`."
  [{:record/keys [service want again? runs restarts since-epoch-ms]} state now]
  (assoc (supervision/record service now)
         :sup/since (if since-epoch-ms
                      (- now (max 0 (- (System/currentTimeMillis) (long since-epoch-ms))))
                      now)
         :sup/state state
         :sup/want want
         :sup/again? again?
         :sup/runs runs
         :sup/restarts (or restarts 0)
         :sup/generation 1))

(defn- put! [sup s]
  (vswap! (:world sup) assoc-in [:world/services (-> s :service :service/name)] s))

(defn- join-group!
  "Its control group again: the workload, and what it has forked, may not have been in
  it yet."
  [{:record/keys [cgroup netns]} pid]
  (when cgroup
    (let [there (set (cgroup/pids cgroup))]
      (doseq [p (leftovers/pids {:netns netns :pid pid})
              :when (not (there p))]
        (try (cgroup/add! cgroup p) (catch SysException _ nil))))))

(defn- with-grant
  "What was found of an attachment, with the grant that was written down: who gave the link goes
  on seeing to its address."
  [{:record/keys [grant]} found]
  (cond-> found
    (and grant (not (:attachment/grant found))) (assoc :attachment/grant grant)))

(defn- take-up! [sup {:record/keys [name service netns cgroup state since-epoch-ms] :as record}
                 ^Procs$Proc p ^Fd pidfd]
  (let [pid        (.pid p)
        attachment (try (or (some->> ((-> sup :kernel :find) pid service) (with-grant record)) ::gone)
                        (catch SysException e
                          (parts/note! sup :warning name (ex-message e))
                          nil))
        said?      (or (nil? (:service/ready service)) (= :ready state))]
    (join-group! record pid)
    (parts/hold! sup name
                 :attachment (assoc (when (map? attachment) attachment)
                                    :attachment/netns netns)
                 :pid pid :ticks (.startTicks p) :cgroup cgroup
                 :since-epoch-ms (or since-epoch-ms (System/currentTimeMillis)))
    (put! sup (-> (resumed record (if said? :ready :up) (parts/now-ms))
                  (assoc :sup/pid pid :sup/adopted? true)))
    (parts/record! sup (parts/service sup name))
    (when (map? attachment) ((-> sup :kernel :begin-ipv4) service attachment pid))
    (attempt/follow! sup name pidfd false)
    (when-not said?
      (try
        (attempt/follow-readiness! sup service (:identity/uid (launch/identity! service)))
        (catch clojure.lang.ExceptionInfo e       ; its user has gone meanwhile
          (parts/note! sup :warning name (ex-message e)))))
    (log-watch/watch! sup service)
    (parts/note! sup :info name (str "taken up again, pid " pid))
    ;; what was asked of it before goes on
    (cond
      (= :down (:record/want record)) (supervisor/leave! sup [name] nil)
      (:record/again? record)         (parts/tell! sup name :restart)
      (= ::gone attachment)           (parts/tell! sup name :link-lost
                                                   {:reason "its link is gone"}))))

(defn- leftover-attachment
  "The attachment of a run whose workload is gone but whose namespace others keep
  alive, or nil. That a namespace has its number is not enough: it has its link."
  [sup {:record/keys [service netns]}]
  (when netns
    (some (fn [pid]
            (when-let [found (try ((-> sup :kernel :find) pid service)
                                  (catch SysException _ nil))]
              (assoc found :attachment/netns netns)))
          (leftovers/pids {:netns netns}))))

(defn- bury!
  "A run that ended while nobody watched: sweep, then on as declared."
  [sup {:record/keys [name cgroup pid] :as record}]
  (parts/hold! sup name
               :cgroup cgroup
               :attachment (leftover-attachment sup record)
               ;; its number may be that of another session by now
               :pid (when (and pid (some #(leftovers/started-as? % name)
                                         (leftovers/pids {:pid pid})))
                      pid))
  (put! sup (resumed record :ready (parts/now-ms)))
  (parts/tell! sup name :exited {:exit {:unknown true}}))

(defn- at-rest! [sup {:record/keys [name service state want cgroup] :as record}]
  ;; what an attempt had prepared that came to nothing
  (when cgroup (cgroup/remove! cgroup))
  (readiness/clear! (:paths sup) (:loop sup) service nil)
  (if (supervision/at-rest? state)
    (put! sup (resumed record state (parts/now-ms)))
    (do
      (put! sup (resumed record :down (parts/now-ms)))
      (when (= :up want) (parts/tell! sup name :start)))))

(defn- remove-stale! [sup {:record/keys [name service]}]
  (try ((-> sup :kernel :remove-stale) service)
       (catch SysException e
         (parts/note! sup :warning name (ex-message e)))))

(defn- bury-or-rest! [sup {:record/keys [phase service] :as record}]
  ;; a link in a namespace of its own went with it; in a shared one it stayed
  (when-not (true? (:service/netns service))
    (remove-stale! sup record))
  (if (or (= :running phase)
          (and (= :intent phase) (leftover-attachment sup record)))
    (bury! sup record)
    (at-rest! sup record)))

(defn adopt!
  "Takes up every workload of `records` (`ontap.run.record`), and buries those that
  are over. In the loop's thread; blocks for the kernel only."
  [sup records]
  (doseq [record records]
    (let [p     (living record)
          pidfd (when p (try (PidFd/open (.pid p)) (catch SysException _ nil)))]
      (if pidfd
        (take-up! sup record p pidfd)
        (bury-or-rest! sup record))))
  (when-let [base (:base sup)]
    (run! cgroup/remove! (cgroup/stale base #(Procs/stat (int %))))))

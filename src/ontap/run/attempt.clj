;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.attempt
  "One attempt to run a service: its link is attached, its workload launched, both
  in threads of their own; then its process is followed."
  (:require [ontap.model.inventory :as inventory]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.granted :as granted]
            [ontap.run.halt :as halt]
            [ontap.run.launch :as launch]
            [ontap.run.log-watch :as log-watch]
            [ontap.run.logs :as logs]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.readiness :as readiness]
            [ontap.run.resolv :as resolv]
            [ontap.run.resolv-watch :as resolv-watch]
            [ontap.run.work :as work])
  (:import (ontap.sys EventLoop EventLoop$Handler Fd Io PidFd PidFd$ExitStatus Procs Signals
                      SysException)))

(set! *warn-on-reflection* true)

(defn failure
  "What a person is told of throwable `t`: {:reason text :wait? boolean :later? boolean}."
  [^Throwable t]
  (if (or (ex-data t) (instance? SysException t))
    {:reason (ex-message t) :wait? (:wait? (ex-data t) false) :later? (:later? (ex-data t) false)}
    {:reason (str "bug: " t) :wait? false :later? false}))

;; --- attach

(defn attach!
  "Makes the link of `name`; :attached or :attach-failed follows. Does not block."
  [sup name]
  (let [{:keys [service]} (parts/service sup name)
        {:keys [attach of-name]} (:kernel sup)]
    (work/submit!
     (:crew sup) (str "attach-" name)
     (fn []
       ;; first, so that a user who is gone costs no namespace
       (let [ids (launch/identity! service)]
         {:attachment (attach service (of-name name)) :identity ids}))
     (fn [{:keys [value error]}]
       ;; the id of a namespace that has ended is given again: its end is heard first
       ((:hear sup) sup)
       (if error
         (parts/tell! sup name :attach-failed (failure error))
         (let [{:attachment/keys [nsid index addresses usable?]} (:attachment value)]
           (parts/hold! sup name :attachment (:attachment value) :identity (:identity value))
           (halt/point! "link-made" name)
           (vswap! (:inventory sup) inventory/seed nsid index addresses)
           ((-> sup :kernel :begin-ipv4) service (:attachment value) nil)
           (parts/tell! sup name :attached {:usable? usable?})
           ;; an address may have become usable before the link had an owner
           ((:look sup) name)))))))

(defn close-namespaces!
  "Lets go of the namespaces and the link of `name`: from now on only its processes keep
  them."
  [sup name]
  (let [{:attachment/keys [net uts grant] :as attachment} (:attachment (parts/handle sup name))]
    (run! #(.close ^Fd %) (filter some? [net uts]))
    (granted/close! grant)
    (when attachment
      (parts/hold! sup name :attachment
                   (cond-> (dissoc attachment :attachment/net :attachment/uts)
                     grant (update :attachment/grant select-keys [:grant/lease :grant/from]))))))

;; --- follow

(defn- exit-data [^PidFd$ExitStatus status]
  (cond (nil? status)      {:unknown true}
        (.signaled status) {:signal (Signals/name (.code status))}
        :else              {:code (.code status)}))

(defn- exit-of
  "How the workload of `name` ended, if the kernel tells: its parent, or anybody once it
  is reaped (Linux 6.15), or anybody until then."
  ^PidFd$ExitStatus [sup name ^Fd pidfd child?]
  (let [{:keys [pid ticks]} (parts/handle sup name)]
    (or (when child?
          (try (PidFd/reap pidfd)
               ;; whoever started us ignores SIGCHLD, and so does this process: the
               ;; kernel has reaped it
               (catch SysException _ nil)))
        (PidFd/info pidfd)
        (when (and pid ticks) (Procs/exitOfZombie (int pid) (long ticks)))
        ;; reaped just now
        (PidFd/info pidfd))))

(defn follow!
  "Follows the workload of `name` by `pidfd`, which it owns from now on; its end
  becomes :exited. `child?`: it is this process's own child."
  [sup name ^Fd pidfd child?]
  (parts/hold! sup name :pidfd pidfd)
  (.add ^EventLoop (:loop sup) pidfd EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (let [status (exit-of sup name pidfd child?)]
              (.remove ^EventLoop (:loop sup) pidfd)
              (.close pidfd)
              (parts/drop! sup name :pidfd)
              (parts/tell! sup name :exited {:exit (exit-data status)}))))))

(defn follow-readiness!
  "Listens to what the workload of `service`, run by `uid`, says of its readiness."
  [sup {:service/keys [name ready] :as service} uid]
  (when (and ready (not (:ready (parts/handle sup name))))
    (parts/hold! sup name :ready
                 (readiness/listen! (:paths sup) (:loop sup) service uid
                                    #(parts/tell! sup name :notified)))))

;; --- launch

(defn- open-all
  "Numbers -> Fds for the workload: /dev/null, its log twice, what is promised."
  [paths service {:identity/keys [uid gid] :as identity} promised]
  (let [input (Io/open "/dev/null" Io/O_RDONLY 0)]
    (try
      (some-> (-> service :service/log :file) (logs/check-folder! identity))
      (let [log (logs/open! (paths/log-file paths service) uid gid)]
        (merge {(int 0) input (int 1) log (int 2) log} promised))
      (catch Throwable t
        (run! #(.close ^Fd %) (cons input (vals promised)))
        (throw t)))))

(defn- launch
  "Everything between an attachment and a pid; in a thread of its own. Returns
  {:pid :ticks :cgroup}."
  [{:keys [paths base] :as sup} {:keys [service] :as s} {:keys [attachment identity]}]
  (let [name     (:service/name service)
        promised (readiness/promise! paths service)
        granted  (granted/promised (:attachment/grant attachment) (keys (:fds promised)))
        known    (resolv-watch/given sup service attachment)
        cover    (resolv/cover-of service known)
        fds      (open-all paths service identity (merge (:fds promised) (:fds granted)))
        cgroup   (when base
                   (cgroup/make! base (str name "-" (Io/getpid) "-" (:sup/generation s))))
        write!   (fn [phase {:keys [pid ticks]}]
                   (parts/record! sup s
                                  :record/phase phase
                                  :record/state (if (:service/ready service) :up :ready)
                                  :record/cgroup cgroup
                                  :record/pid pid
                                  :record/ticks ticks
                                  :record/since-epoch-ms (System/currentTimeMillis)))]
    (try
      (-> (launch/spawn! service attachment
                         {:identity  identity
                          :fds       fds
                          :extra-env (merge (:env promised) (:env granted))
                          :cover     cover
                          :say       #(parts/note! sup :warning name %)
                          ;; in a namespace of its own what it forks before it is in
                          ;; the group is found; in a shared one there must be none
                          :procs     (when (and cgroup (nil? (:attachment/netns attachment)))
                                       (cgroup/procs-file cgroup))
                          :intent!   #(write! :intent nil)
                          :spawned!  (fn [{:keys [pid] :as born}]
                                       ;; one that has ended already is in no group
                                       (when cgroup
                                         (try (cgroup/add! cgroup pid)
                                              (catch SysException _ nil)))
                                       ;; it lives: the intent is enough to find it by
                                       (try (write! :running born)
                                            (catch SysException e
                                              (parts/note! sup :warning name
                                                           (str "unable to write its pid down: "
                                                                (ex-message e))))))})
          (assoc :cgroup cgroup :known known))
      (catch Throwable t
        (when cgroup (cgroup/remove! cgroup))
        (throw t))
      (finally
        (run! #(.close ^Fd %) (distinct (vals fds)))))))

(defn launch!
  "Starts the workload of `name`; :launched or :launch-failed follows. Does not
  block."
  [sup name]
  (let [{:keys [service] :as s} (parts/service sup name)
        handle (parts/handle sup name)]
    (follow-readiness! sup service (-> handle :identity :identity/uid))
    (work/submit!
     (:crew sup) (str "launch-" name)
     #(launch sup s handle)
     (fn [{:keys [value error]}]
       (close-namespaces! sup name)
       (if error
         (parts/tell! sup name :launch-failed (failure error))
         (let [{:keys [pid ticks cgroup known]} value]
           (parts/hold! sup name :pid pid :ticks ticks :cgroup cgroup
                        :since-epoch-ms (System/currentTimeMillis))
           (if-let [pidfd (try (PidFd/open (int pid))
                               (catch SysException e
                                 ;; nobody would hear of its end: the sweep ends it
                                 (parts/tell! sup name :launch-failed (failure e))))]
             (do
               (follow! sup name pidfd true)
               ;; of nameservers something was learnt while it was being launched
               (when (not= known (resolv-watch/given sup service (:attachment (parts/handle sup name))))
                 (resolv-watch/told! sup name))
               (parts/tell! sup name :launched {:pid pid})
               (log-watch/watch! sup service)))))))))

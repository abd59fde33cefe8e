;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.ending
  "The end of a run: what is left of its processes, its link, its namespace, its
  control group, what was promised to it."
  (:require [ontap.run.attempt :as attempt]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.leftovers :as leftovers]
            [ontap.run.parts :as parts]
            [ontap.run.readiness :as readiness]
            [ontap.run.resolv :as resolv]
            [ontap.run.work :as work])
  (:import (ontap.sys EventLoop Fd PidFd SysException)))

(set! *warn-on-reflection* true)

(def ^:private namespace-end-limit-ms
  "How long a namespace may take to end by itself before its link is removed from
  it: a shell that somebody holds open in there must not keep an address."
  2000)

(defn- remove-link! [sup name attachment then]
  (work/submit! (:crew sup) (str "detach-" name)
                #((-> sup :kernel :remove) attachment)
                (fn [{:keys [^Throwable error]}]
                  (when error (parts/note! sup :warning name (.getMessage error)))
                  (then))))

(defn- and-release
  "What comes after a namespace has ended: a link that was handed out and lives
  elsewhere is given back."
  [sup name {:attachment/keys [grant] :as attachment} then]
  (if (and grant (not= :namespace (-> grant :grant/lease :lease/held)))
    #(remove-link! sup name attachment then)
    then))

(defn- await-link-end!
  "Calls `done` once the link of `name` is gone: with the namespace of its own, of
  which RTM_DELNSID tells, or removed by us."
  [sup name done]
  (let [{:keys [attachment ns-ended?]} (parts/handle sup name)
        {:attachment/keys [index netns netns-id]} attachment
        then (and-release sup name attachment done)]
    (cond
      (or ns-ended? (not (or index netns-id))) (then)
      (not (and netns netns-id))               (remove-link! sup name attachment done)
      :else
      (let [limit (.at ^EventLoop (:loop sup)
                       (* 1000000 (+ (parts/now-ms) namespace-end-limit-ms))
                       (fn []
                         (parts/drop! sup name :on-ns-end)
                         (remove-link! sup name attachment done)))]
        (parts/hold! sup name :on-ns-end
                     (fn []
                       (parts/drop! sup name :on-ns-end)
                       (.cancel ^EventLoop (:loop sup) limit)
                       (then)))))))

(defn namespace-ended!
  "RTM_DELNSID for `nsid`: tells the run whose own namespace it was."
  [sup nsid]
  (doseq [[name {:keys [attachment on-ns-end]}] @(:handles sup)
          :when (and (:attachment/netns attachment) (= nsid (:attachment/netns-id attachment)))]
    (parts/hold! sup name :ns-ended? true)
    (when on-ns-end (on-ns-end))))

(defn- forget-run! [sup name]
  (let [{:keys [cgroup ready]} (parts/handle sup name)]
    (when cgroup (cgroup/remove! cgroup))
    (resolv/forget! (-> sup :paths :paths/dir) name)
    (readiness/clear! (:paths sup) (:loop sup) (:service (parts/service sup name)) ready)
    (parts/drop! sup name :attachment :identity :pid :ticks :cgroup :ready
                 :ns-ended? :since-epoch-ms)))

(defn- own-namespace
  "{:dev :ino} of the namespace of the run's own, as long as it is that one: the
  number of one that has ended is used again, perhaps by another service."
  [sup name]
  (let [{:keys [attachment ns-ended?]} (parts/handle sup name)
        netns (:attachment/netns attachment)]
    (when-not (or ns-ended?
                  (some (fn [[other h]]
                          (and (not= other name) (= netns (-> h :attachment :attachment/netns))))
                        @(:handles sup)))
      netns)))

(defn sweep!
  "Ends all that the run of `name` left behind, processes first, then its link; then
  tells :gone. Does not block."
  [sup name]
  (attempt/close-namespaces! sup name)
  ((-> sup :kernel :end-ipv4) (:service (parts/service sup name)))
  (let [{:keys [cgroup pid]} (parts/handle sup name)]
    (leftovers/sweep!
     (:loop sup) (:inotify sup) (:watches sup)
     {:netns-now #(own-namespace sup name) :cgroup cgroup :pid pid :name name}
     (fn []
       (await-link-end! sup name
                        (fn []
                          (forget-run! sup name)
                          (parts/tell! sup name :gone)))))))

(defn kill!
  "SIGKILL to all of the run of `name`: its control group, and its workload, which may
  not have come into the group; the sweep finds the rest."
  [sup name]
  (let [{:keys [cgroup ^Fd pidfd]} (parts/handle sup name)]
    (when pidfd
      (try (PidFd/signal pidfd 9) (catch SysException _ nil)))
    (when cgroup
      (cgroup/kill! cgroup))))

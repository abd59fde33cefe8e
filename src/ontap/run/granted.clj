;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.granted
  "What a workload is given with a link that was handed out: descriptors, and the
  variables that tell of them.

  A grant is {:grant/lease keys of a lease, :grant/queues [Fd ..], :grant/holder Fd or
  nil}; its Fds belong to whoever has the grant."
  (:require [ontap.model.workload :as workload])
  (:import (ontap.sys Fd)))

(set! *warn-on-reflection* true)

(defn promised
  "{:fds {number Fd} :env {..}} of `grant` (nil: of none), for a workload in which the
  numbers `taken` are in use."
  [{:grant/keys [lease queues holder] :as grant} taken]
  (let [{:keys [tap] number :lease} (workload/descriptors (count queues) taken)]
    {:fds (cond-> (zipmap (map int tap) queues) holder (assoc (int number) holder))
     :env (if grant (workload/link-variables lease tap (when holder number)) {})}))

(defn close!
  "Closes the descriptors of `grant`: from now on only its holders have them."
  [{:grant/keys [queues holder]}]
  (run! #(.close ^Fd %) (cond-> (vec queues) holder (conj holder))))

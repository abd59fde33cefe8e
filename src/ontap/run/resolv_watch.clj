;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.resolv-watch
  "Keeps the /etc/resolv.conf of workloads that run up to date: when the network tells of
  other nameservers, when the machine's own are others, and when somebody replaced the
  machine's file, which takes the workload's away (`ontap.run.resolv`)."
  (:require [ontap.run.parts :as parts]
            [ontap.run.resolv :as resolv]
            [ontap.run.work :as work])
  (:import (ontap.sys Errno SysException)))

(set! *warn-on-reflection* true)

(defn given
  "What `resolv/cover-of` is given for `service`, whose link is `attachment`. What is known
  of nameservers is asked of `:resolv-facts` (fn [service]) of the kernel's functions."
  [{:keys [paths kernel]} service attachment]
  {:dir     (:paths/dir paths)
   :granted (-> attachment :attachment/grant :grant/lease :lease/resolv-conf)
   :facts   ((:resolv-facts kernel (constantly nil)) service)})

(defn- gone? [error]
  (and (instance? SysException error)
       (contains? #{Errno/ENOENT Errno/ESRCH} (.errno ^SysException error))))

(defn- mend! [sup name pid path]
  (work/submit! (:crew sup) (str "resolv-" name)
                #(resolv/mend! pid path)
                (fn [{:keys [^Throwable error]}]
                  (when (and error (not (gone? error)))
                    (parts/note! sup :warning name
                                 (str "unable to give its /etc/resolv.conf back: " (.getMessage error)))))))

(defn told!
  "Writes the file of service `name` anew, if it runs and has one of our own: other
  nameservers are known."
  [sup name]
  (let [{:keys [attachment pid]} (parts/handle sup name)
        {:keys [service]} (parts/service sup name)]
    (when (and service pid)
      (try (resolv/renew! service (given sup service attachment))
           (catch SysException e
             (parts/note! sup :warning name (str "unable to write its resolv.conf: " (ex-message e))))))))

(defn mend-all!
  "Puts back what covers the /etc/resolv.conf of those that run, where it is gone. Does not
  block."
  [sup]
  (doseq [[name {:keys [attachment pid]}] @(:handles sup)
          :let [{:keys [service]} (parts/service sup name)
                path (when (and service pid) (resolv/covering service (given sup service attachment)))]
          :when path]
    (mend! sup name pid path)))

(defn renew-all!
  "`told!` for all that run, and `mend-all!`."
  [sup]
  (run! #(told! sup %) (keys @(:handles sup)))
  (mend-all! sup))

(defn watch!
  "Does so whenever the machine's own file was written or replaced."
  [sup]
  (resolv/follow-host! (:inotify sup) (:watches sup) #(renew-all! sup)))

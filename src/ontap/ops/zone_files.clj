;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-files
  "The files that a zone is published as, and the commands that run after them."
  (:require [ontap.model.river :as river]
            [ontap.ops.note :as note]
            [ontap.publish.files :as files]
            [ontap.run.launch :as launch])
  (:import (ontap.sys EventLoop EventLoop$Handler Executables Fd Io PidFd PidFd$ExitStatus Spawn Spawn$Request)))

(set! *warn-on-reflection* true)

(defn facts
  "What the texts are made of (see `ontap.publish.formats`): the records of each view of `river`."
  [river askers domain]
  {:views (into {} (map (fn [v] [v (river/records river v)])) [0 1 2]) :askers askers :domain domain})

(defn- outcome [^PidFd$ExitStatus status]
  (if (.signaled status) {:signal (.code status)} {:exit (.code status)}))

(defn- program ^String [^String word]
  (or (if (.contains word "/") word (Executables/find word (or (System/getenv "PATH") "")))
      (throw (ex-info (str "there is no program " word " in PATH") {}))))

(defn- spawn!
  "Starts `words` in the folder `dir`, without a capability of ours; `done` is called with how it
  ended. Does not block but for the start."
  [^EventLoop loop words dir done]
  (let [setpriv (launch/tool "setpriv")
        argv    (into [setpriv "--inh-caps=-all" "--ambient-caps=-all" "--no-new-privs" "--"
                       (launch/tool "env") (str "--chdir=" dir) (program (first words))]
                      (rest words))]
    (with-open [null (Io/open "/dev/null" Io/O_RDONLY 0)
                err  (Io/open "/proc/self/fd/2" Io/O_WRONLY 0)]
      (let [pid   (Spawn/run (Spawn$Request. setpriv argv (mapv (fn [[k v]] (str k "=" v)) (System/getenv))
                                             {(int 0) null (int 1) err (int 2) err}))
            pidfd (PidFd/open pid)]
        (.add loop pidfd EventLoop/EPOLLIN
              (reify EventLoop$Handler
                (ready [_ _]
                  (when-let [status (PidFd/reap pidfd)]
                    (.remove loop pidfd)
                    (.close ^Fd pidfd)
                    (done (outcome status))))))))))

(defn publisher
  "What writes the files of `zone`; `submit` as of `ontap.run.work`."
  [{:keys [loop zone submit]}]
  (files/publisher {:publish (:zone/publish zone)
                    :submit  submit
                    :spawn   (partial spawn! loop)
                    :note    #(note/line! %1 nil %2)}))

(defn changed!
  "Writes what `state`, a volatile of {:river :askers}, holds by then."
  [publisher state domain]
  (files/publish! publisher #(let [{:keys [river askers]} @state] (facts river askers domain))))

(defn close!
  "Begins nothing any more."
  [publisher]
  (files/close! publisher))

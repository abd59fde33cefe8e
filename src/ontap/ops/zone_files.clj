;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-files
  "The files that a zone is published as, and the commands that run after them."
  (:require [ontap.model.river :as river]
            [ontap.ops.note :as note]
            [ontap.ops.process :as process]
            [ontap.ops.zone-output :as zone-output]
            [ontap.publish.files :as files]
            [ontap.run.launch :as launch])
  (:import (java.nio.file Files LinkOption Path)
           (ontap.sys EventLoop EventLoop$Handler Executables Fd Io PidFd PidFd$ExitStatus Spawn Spawn$Request)))

(set! *warn-on-reflection* true)

(defn- exists? [^Path path] (Files/exists path (make-array LinkOption 0)))

(defn- trouble
  "Why `user` (nil: whoever runs this), who is who asks, cannot write `file`, or nil. It is replaced, so its folder
  counts; a `file` that ends in / is a folder, which is made when there is none."
  [^String file user]
  (let [path   (Path/of file (make-array String 0))
        folder (if (and (.endsWith file "/") (exists? path)) path (.getParent path))]
    (cond
      (not (exists? folder))              (str "there is no folder " folder)
      (not (Files/isDirectory folder (make-array LinkOption 0))) (str folder " is no folder")
      (not (Files/isWritable folder))
      (if user
        (str "the zone runs as " user ", who may not write into " folder "; give it that folder (chown " user " " folder
             "), or name another user by --user")
        (str "you may not write into " folder)))))

(defn check!
  "Throws with :kind :exit unless what `zone` is published as can be written by this process, which is `user` (nil: whoever
  started it). Reads the file system."
  [zone user]
  (doseq [{:publish/keys [file]} (:zone/publish zone)
          :let [why (trouble file user)]
          :when why]
    (throw (process/exit 111 (str "unable to write " file ": " why)))))

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
                err  (zone-output/copy 2)]
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

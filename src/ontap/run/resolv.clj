;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.resolv
  "A /etc/resolv.conf of a workload's own: a file in the run-time folder that is kept up
  to date, and a mount that nobody else sees and that shows it there.

  The mount covers /etc/resolv.conf itself, also where that is a symbolic link. The
  kernel takes a mount away, in all namespaces, when somebody replaces the file below it
  (rename(2)), as NetworkManager and resolvconf do; `mend!` puts it back."
  (:require [ontap.model.resolv :as model]
            [ontap.run.paths :as paths])
  (:import (java.io IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files LinkOption Path)
           (java.util Arrays)
           (ontap.sys Errno Fd Inotify Inotify$Event Io Io$Stat Mounts Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(def ^:private etc "/etc/resolv.conf")
(def ^:private behind-the-stub "What systemd-resolved asks." "/run/systemd/resolve/resolv.conf")

(defn- at ^Path [path] (Path/of path (make-array String 0)))

(defn- text-of [path]
  (try (String. (Files/readAllBytes (at path)) StandardCharsets/ISO_8859_1)
       (catch IOException _ nil)))

(def ^:private last-read "[when, the two texts, the nameservers they have]: a hundred services start at once." (atom nil))

(def ^:private fresh-ns "What was read so shortly ago is not read again." 200000000)

(defn host-servers
  "The nameservers of this machine that can be asked from elsewhere, read now."
  []
  (let [now (System/nanoTime)
        [at known servers] @last-read]
    (if (and at (< (- now (long at)) (long fresh-ns)))
      servers
      (let [texts   [(text-of etc) (when (Io/stat behind-the-stub) (text-of behind-the-stub))]
            servers (if (= known texts) servers (apply model/host-servers texts))]
        (reset! last-read [now texts servers])
        servers))))

;; --- the files

(defn- folder [dir] (str dir "/resolv"))

(defn path
  "The file of `key`, a service's name or a lease's number (which may be some service's
  name), of the run-time folder `dir`."
  [dir key]
  (str (folder dir) "/" (when (int? key) "lease.") key ".conf"))

(defn- make-folder!
  "All may read: a workload opens the file as whoever it is, and an ordinary user covers
  their own with that of ontapd."
  [dir]
  (let [folder (folder dir)]
    (when-not (Io/stat folder)
      (paths/make-dir! folder 0755)
      (Io/chmod folder 0755))))

(defn- same? [^Fd fd ^bytes bytes]
  (let [there (byte-array (alength bytes))]
    (and (= (alength bytes) (Io/read fd there 0 (alength there)))
         (Arrays/equals bytes there))))

(defn- overwrite!
  "One write, filled up with empty lines over what stood there, then a cut: who reads
  between the two finds whole lines all the same."
  [^String path ^bytes bytes ^long old]
  (let [length (alength bytes)
        filled (Arrays/copyOf bytes (int (max length old)))]
    (Arrays/fill filled length (alength filled) (byte 10))
    (with-open [fd (Io/open path (bit-or Io/O_WRONLY Io/O_NOFOLLOW) 0)]
      (Io/writeAll fd filled)
      (Io/ftruncate fd length))))

(defn- write!
  "Makes `bytes` the content of the file at `path`, in place: a mount shows an inode, and
  a new file under the same name would be seen by nobody. Nothing is written that is
  there."
  [^String path ^bytes bytes]
  (with-open [fd (Io/open path (bit-or Io/O_RDWR Io/O_CREAT Io/O_NOFOLLOW) 0644)]
    (let [^Io$Stat st (Io/fstat fd)]
      (cond
        (zero? (.size st))                                        (Io/writeAll fd bytes)
        (not (and (= (.size st) (alength bytes)) (same? fd bytes))) (overwrite! path bytes (.size st)))
      ;; whatever the umask was
      (when-not (= 0644 (bit-and 07777 (.mode st))) (Io/chmod path 0644)))))

(def ^:private writing "One at a time: a launching thread may write while the loop's does." (Object.))

(defn put!
  "Makes `facts` (doc/data.md) what the file of `key` says; its path. Writes only what is
  new. `:resolv/host` is read from this machine where it is not given."
  [dir key facts]
  (let [file  (path dir key)
        facts (cond-> facts (not (contains? facts :resolv/host)) (assoc :resolv/host (host-servers)))
        bytes (.getBytes ^String (model/content facts) StandardCharsets/UTF_8)]
    (locking writing
      (make-folder! dir)
      (write! file bytes))
    file))

(defn forget!
  "Removes the file of `key`; one that is not there is fine. Whoever still runs keeps it."
  [dir key]
  (Io/unlink (path dir key)))

;; --- which

(defn- refused [text] (ex-info text {:reason ::refused}))

(defn- check-there! [path]
  (let [^Io$Stat st (Io/stat path)]
    (when-not (and st (= Io/S_IFREG (bit-and Io/S_IFMT (.mode st))))
      (throw (refused (str "its :resolv-conf " path (if st " is no file" " is not there")))))))

(defn covering
  "Which file covers the /etc/resolv.conf of `service`: its path, or nil for none; see
  `cover-of`. Writes nothing."
  [{:service/keys [name] :as service} {:keys [dir granted key]}]
  (when-let [[which it] (model/choice service granted)]
    (if (= :ours which) (path dir (or key name)) it)))

(defn renew!
  "Writes the file of `service` anew from `:facts`, if it has one of our own: its path or
  nil; see `cover-of`."
  [{:service/keys [name link] :as service} {:keys [dir granted facts key]}]
  (let [[which declared] (model/choice service granted)]
    (when (= :ours which)
      (put! dir (or key name) (merge {:resolv/name name :resolv/link link} facts {:resolv/declared declared})))))

(defn cover-of
  "What covers the /etc/resolv.conf of `service`: {:path :must?} for `cover!`, or nil.
  `dir`: the run-time folder; `granted`: the path that came with a link of ontapd's, or
  nil; `facts`: what is known for a file of our own, which is written; `key` of that
  file, where it is not the service's name. Throws with :reason ::refused when the
  declared file is not there."
  [{:service/keys [resolv-conf] :as service} given]
  (when-let [path (covering service given)]
    (when (string? resolv-conf) (check-there! path))
    (renew! service given)
    {:path path :must? (or (string? resolv-conf) (map? resolv-conf))}))

;; --- the mount

(defn cover!
  "Shows the file at `path` (nil: does nothing) as /etc/resolv.conf to the calling thread
  and what it starts or becomes: in a mount namespace of its own, to which mounts of the
  machine still come, and which ends with the last process in it. `say` (fn [text]) is
  told when that cannot be; with `must?` it throws then, with :reason ::refused. For a
  thread that dies afterwards."
  [{:keys [path must?]} say]
  (when path
    (try
      (Namespaces/unshare Namespaces/CLONE_NEWNS)
      (Mounts/makeSlave "/" true)
      (Mounts/cover path etc)
      (catch SysException e
        (let [text (str "unable to give it a " etc " of its own: " (ex-message e))]
          (cond
            (and (= "move_mount" (.call e)) (= Errno/ENOENT (.errno e)))
            (say (str "there is no " etc " on this machine, so it gets none of its own (an empty file would do)"))
            must? (throw (refused text))
            :else (say text)))))))

(defn- same-namespace? [pid kind]
  (with-open [its (Namespaces/ofProcess (int pid) kind)
              own (Namespaces/ofThread kind)]
    (= (Namespaces/id its) (Namespaces/id own))))

(defn mend!
  "Covers the /etc/resolv.conf of process `pid` with the file at `path` again, if it has a
  mount namespace of its own in which nothing covers it now. True when that was so.
  Blocks shortly; throws SysException: ENOENT or ESRCH when the process is gone, ENOENT
  too while there is nothing to cover."
  [pid path]
  (NsThread/call
   "ontap-resolv"
   (fn []
     ;; in a user namespace of its own it may mount what it likes: we do not go there
     (when (and (same-namespace? pid "user") (not (same-namespace? pid "mnt")))
       (with-open [its (Namespaces/ofProcess (int pid) "mnt")]
         (Namespaces/unshare Namespaces/CLONE_FS)
         (Namespaces/setns its Namespaces/CLONE_NEWNS))
       ;; it may have a root of its own too, and a mount there of its own making
       (when (and (Io/stat path) (nil? (Mounts/typeAt etc)))
         (Mounts/cover path etc)
         true)))))

(defn cover-for-good!
  "`cover!` for `service` when this process becomes its workload, and nobody will keep the
  file up to date or remove it: one of our own has no name any more afterwards, and ends
  with the mount. `given` as of `cover-of`."
  [service given say]
  (let [key (str "." (Io/getpid))]
    (try
      (cover! (cover-of service (assoc given :key key)) say)
      (finally
        (forget! (:dir given) key)))))

;; --- when the machine's own changes

(def ^:private replaced
  (bit-or Inotify/IN_CREATE Inotify/IN_MOVED_TO Inotify/IN_CLOSE_WRITE Inotify/IN_DELETE Inotify/IN_MOVED_FROM))

(defn- places
  "folder -> names in it: where the machine's own nameservers are written, links followed."
  []
  (let [real  (try (.toRealPath (at etc) (make-array LinkOption 0)) (catch IOException _ (at etc)))
        files [(at etc) (at behind-the-stub) real]]
    (-> (group-by #(str (.getParent ^Path %)) files)
        (update-vals (fn [files] (into #{} (map #(str (.getFileName ^Path %))) files))))))

(defn follow-host!
  "Calls `then` (fn []), in the thread of whoever reads `inotify`, when the machine's own
  resolv.conf was replaced or written: its nameservers may be others, and `mend!` may be
  needed. `watches`: volatile wd -> fn of the event."
  [^Inotify inotify watches then]
  (doseq [[folder names] (places)]
    (try
      (vswap! watches assoc (.watch inotify folder (int replaced))
              (fn [^Inotify$Event e]
                (when (contains? names (.name e))
                  ;; it may be a link to elsewhere now; a folder is not watched twice
                  (follow-host! inotify watches then)
                  (reset! last-read nil)
                  (then))))
      ;; not there, or the limit of watches is reached
      (catch SysException _ nil))))

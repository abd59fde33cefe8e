;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.paths
  "Where run-time state lives: one folder, and the files in it.

  `ONTAP_RUNTIME_DIR`, else /run/ontap for root, else $XDG_RUNTIME_DIR/ontap. The
  sockets of ontapd are in `ONTAP_DAEMON_DIR`, else `ONTAP_RUNTIME_DIR`, else
  /run/ontap. What
  has to outlive a boot (the host key) is in `ONTAP_STATE_DIR`, else
  /var/lib/ontap for root, else $XDG_STATE_HOME/ontap or ~/.local/state/ontap."
  (:import (java.nio.file Files Path)
           (ontap.sys Errno Io Io$Stat SysException)))

(set! *warn-on-reflection* true)

(defn outside-uid
  "The user that a process with the lines `uid-map` of /proc/self/uid_map is, when it
  is `uid` inside: in a namespace with one user (unshare -Ur), whoever made it."
  [uid uid-map]
  (let [[[inside outside n] & more] (map #(re-seq #"\d+" %) uid-map)]
    (if (and (nil? more) (= "1" n) (= (str uid) inside))
      (parse-long outside)
      uid)))

(defn caller
  "The uid whose folders these are: root of `unshare -Ur` is no root for /run."
  []
  (outside-uid (Io/geteuid) (Files/readAllLines (Path/of "/proc/self/uid_map" (make-array String 0)))))

(defn- absolute
  "NOTIFY_SOCKET has to be, and a service has a working folder of its own."
  [path]
  (str (.toAbsolutePath (Path/of path (make-array String 0)))))

(defn runtime-dir
  "The run-time folder for `env` (a map of strings) and `uid`. Throws with
  :reason ::no-runtime-dir when an ordinary user has none."
  [env uid]
  (let [said #(let [v (get env %)] (when (seq v) v))]
    (or (some-> (said "ONTAP_RUNTIME_DIR") absolute)
        (when (zero? (long uid)) "/run/ontap")
        (some-> (said "XDG_RUNTIME_DIR") (str "/ontap"))
        (throw (ex-info (str "unable to find a run-time folder: XDG_RUNTIME_DIR is"
                             " not set; set it or ONTAP_RUNTIME_DIR")
                        {:reason ::no-runtime-dir})))))

(defn daemon-dir
  "The folder with the sockets of ontapd, whoever asks."
  [env]
  (let [said #(let [v (get env %)] (when (seq v) v))]
    (or (some-> (or (said "ONTAP_DAEMON_DIR") (said "ONTAP_RUNTIME_DIR")) absolute)
        "/run/ontap")))

(defn state-dir
  "The folder for what outlives a boot, for `env` and `uid`."
  [env uid]
  (let [said #(let [v (get env %)] (when (seq v) v))]
    (or (some-> (said "ONTAP_STATE_DIR") absolute)
        (when (zero? (long uid)) "/var/lib/ontap")
        (some-> (said "XDG_STATE_HOME") (str "/ontap"))
        (some-> (said "HOME") (str "/.local/state/ontap"))
        (throw (ex-info "unable to find a state folder: set HOME or ONTAP_STATE_DIR"
                        {:reason ::no-state-dir})))))

(defn make-dir!
  "Makes `path` and its parents; `mode` is that of the last one. One that is
  there already is left as it is."
  [^String path mode]
  (when-not (Io/stat path)
    (let [parent (subs path 0 (max 0 (.lastIndexOf path "/")))]
      (when (seq parent) (make-dir! parent 0755))
      (try (Io/mkdir path (int mode))
           (catch SysException e
             (when-not (= Errno/EEXIST (.errno e)) (throw e)))))))

(defn layout
  "The paths below the run-time folder `dir`."
  [dir]
  {:paths/dir      dir
   :paths/lock     (str dir "/lock")
   :paths/control  (str dir "/control.sock")
   :paths/services (str dir "/services")
   :paths/log      (str dir "/log")
   :paths/ready    (str dir "/ready")
   :paths/notify   (str dir "/notify")})

(defn zone-dir
  "The folder of a zone below the run-time folder `dir`; it belongs to whoever starts it, not to the
  zone's own user."
  [dir]
  (str dir "/zone"))

(defn zone-control
  "The control socket of the zone of the run-time folder `dir`."
  [dir]
  (str (zone-dir dir) "/control.sock"))

(defn- check-owned!
  "Throws unless `path` is this process's user's, and nobody else's to change."
  [path]
  (let [^Io$Stat st (Io/stat path)]
    (when-not (and st (= (.uid st) (Io/geteuid)) (zero? (bit-and (.mode st) 0022)))
      (throw (ex-info (str "unable to use the run-time folder " path ": "
                           (if (and st (= (.uid st) (Io/geteuid)))
                             "others may change it; `chmod go-w` it"
                             "it belongs to another user: become that one")
                           ", or name another folder by ONTAP_RUNTIME_DIR")
                      {:reason ::not-ours})))))

(defn make-layout!
  "Makes the folders of `paths`. All may see which sockets there are (a client of ontapd
  looks for them), workloads pass through to their own notification socket, and nobody
  sees anything else."
  [{:paths/keys [dir services log ready notify]}]
  (make-dir! dir 0755)
  (make-dir! services 0700)
  (make-dir! log 0700)
  (make-dir! ready 0700)
  (make-dir! notify 0711)
  (run! check-owned! [dir services log ready notify]))

(defn log-file
  "The log of `service`: the one it declares, else its own in the run-time folder."
  [paths service]
  (or (-> service :service/log :file)
      (str (:paths/log paths) "/" (:service/name service) ".log")))

(defn ready-fifo
  "The FIFO on which service `name` says that it is ready."
  [paths name]
  (str (:paths/ready paths) "/" name))

(defn notify-socket
  "The NOTIFY_SOCKET of service `name`."
  [paths name]
  (str (:paths/notify paths) "/" name))

(defn record-file
  "What is written down about service `name`."
  [paths name]
  (str (:paths/services paths) "/" name ".edn"))

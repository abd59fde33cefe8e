;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.logs
  "Logs are files that the workload's own stdout appends to: they need no living
  reader, so no supervisor's end loses a line.

  A log that has grown past its bound is cut in place: what is there is copied to
  FILE.1 (which it replaces), the last line of FILE.1 says so, and FILE is
  emptied under the writer, who appends. What the writer adds between the last
  read and the emptying is lost, and is the only thing that can be: at most what
  is written in some microseconds, at a place that FILE.1 states. Only a writer that
  is faster than the copying loses more; FILE.1 then says how much.

  A log may stand in a folder of the workload's own user, where that user can put a
  link to any file of the machine: root opens and gives away nothing there that it
  did not find to be a plain file, in a folder that nobody else can change."
  (:require [ontap.run.halt :as halt])
  (:import (java.io File IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Path)
           (ontap.sys Fd Io Io$Stat)))

(set! *warn-on-reflection* true)

(def ^:private chunk-bytes (* 64 1024))

(def ^:private least-copied
  "What is copied at a cut at most, bytes, if four times the bound is less."
  (* 16 1024 1024))

(defn- refused [text] (ex-info text {:reason ::refused}))

(defn- file-type [^Io$Stat st] (bit-and (.mode st) Io/S_IFMT))

(defn- ours? [^Io$Stat st] (or (zero? (.uid st)) (= (.uid st) (Io/geteuid))))

(defn- firm?
  "Is the folder `path` out of reach for a workload with groups `gids`: root's or
  this process's user's, and closed to it? With a sticky bit, as /tmp has it, others
  may add, but not replace."
  [path gids]
  (let [^Io$Stat st (Io/stat path)
        open?   (or (pos? (bit-and (.mode st) 0002))
                    (and (pos? (bit-and (.mode st) 0020)) (some #{(.gid st)} gids)))
        sticky? (pos? (bit-and (.mode st) 01000))]
    (and (ours? st) (or (not open?) sticky?))))

(defn check-folder!
  "Throws, with :reason ::refused, if a workload with this identity could change the
  way to its declared log `file`. One that is this process's own user has nothing to
  gain."
  [^String file {:identity/keys [uid gid groups]}]
  (when (not= (long uid) (Io/geteuid))
    (let [^Path folder (try (.toRealPath (.toPath (.getParentFile (File. file)))
                                         (make-array java.nio.file.LinkOption 0))
                            (catch IOException _
                              (throw (refused (str "the folder of its log " file " is not there")))))]
      (doseq [^Path p (take-while some? (iterate #(.getParent ^Path %) folder))
              :when (not (firm? (str p) (cons gid groups)))]
        (throw (refused (str "its log " file " is in a folder that its user can change ("
                             p "); root opens it, so it has to be in one of root's, such as /var/log")))))))

(defn open!
  "The log `file` opened for appending, made for `uid` and `gid` (whose stdout it
  is: programs open /dev/stdout again) when it is not there. A device, such as
  /dev/null, is opened as it is. Throws SysException, or with :reason ::refused."
  ^Fd [file uid gid]
  (let [st (Io/stat file)]
    (if (and st (= Io/S_IFCHR (file-type st)))
      (Io/open file (bit-or Io/O_WRONLY Io/O_NOCTTY) 0)
      (do
        (when (and st (not= Io/S_IFREG (file-type st)))
          (throw (refused (str "its log " file " is no plain file"))))
        (let [fd (Io/open file (bit-or Io/O_WRONLY Io/O_CREAT Io/O_APPEND Io/O_NOFOLLOW) 0640)]
          (try
            (let [st (Io/fstat fd)]
              (when-not (= [uid gid] [(.uid st) (.gid st)])
                (when-not (or (ours? st) (= uid (.uid st)))
                  (throw (refused (str "its log " file " belongs to another user"))))
                (Io/fchown fd (int uid) (int gid))))
            fd
            (catch Throwable t (.close fd) (throw t))))))))

(defn- copy!
  "Copies what `from` holds, from its offset to the end or `most` bytes; bytes copied.
  `end`, a volatile, has the last of them."
  [^Fd from ^Fd to ^bytes buffer most end]
  (loop [total 0]
    (let [n (Io/read from buffer 0 (min (alength buffer) (- (long most) total)))]
      (when (pos? n) (vreset! end (aget buffer (dec n))))
      (if (pos? n)
        (do (Io/writeAll to (if (= n (alength buffer))
                              buffer
                              (java.util.Arrays/copyOf buffer n)))
            (recur (+ total n)))
        total))))

(defn- cut-line
  "A line of its own, also when the writer's last (`end`: its last byte) is not whole."
  ^String [stamp max-bytes left-out end]
  (str (when-not (= 10 end) "\n")
       "ontap: " stamp ": the log was cut here, at its bound of " max-bytes " bytes"
       (when (pos? (long left-out))
         (str "; " left-out " bytes came too fast and were left out"))
       "\n"))

(defn plain?
  "Is `file` there, and a file that grows (no device)?"
  [file]
  (when-let [st (Io/stat file)] (= Io/S_IFREG (file-type st))))

(defn cut!
  "Cuts the log `file` of service `name` if it is past `max-bytes`: see above.
  `stamp` is a text for the time. Returns the bytes moved to FILE.1, or nil. Blocks
  for the file system. Throws SysException; nothing is lost then."
  [name file max-bytes stamp]
  (when-let [st (Io/stat file)]
    (when (and (> (.size st) max-bytes) (= Io/S_IFREG (file-type st)))
      (let [old  (str file ".1")
            temp (str file ".1.new")
            most (max least-copied (* 4 (long max-bytes)))]
        (Io/unlink temp)
        (with-open [from (Io/open file (bit-or Io/O_RDWR Io/O_NOFOLLOW) 0)
                    to   (Io/open temp (bit-or Io/O_RDWR Io/O_CREAT Io/O_EXCL Io/O_NOFOLLOW) 0640)]
          (try
            (Io/fchown to (.uid st) (.gid st))
            (let [buffer (byte-array chunk-bytes)
                  end    (volatile! 10)
                  moved  (copy! from to buffer most end)]
              (Io/rename temp old)
              (halt/point! "log-cut" name)
              ;; whatever came while the rename went on
              (let [moved (+ moved (copy! from to buffer (- most moved) end))
                    late  (if (< moved most) 0 (max 0 (- (.size (Io/fstat from)) moved)))]
                ;; said before it is done: a cut that nobody finished is done again
                (Io/writeAll to (.getBytes (cut-line stamp max-bytes late @end) StandardCharsets/UTF_8))
                (Io/ftruncate from 0)
                moved))
            (catch Throwable t
              (Io/unlink temp)
              (throw t))))))))

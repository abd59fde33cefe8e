;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.logs
  "Logs are files that the workload's own stdout appends to: they need no living
  reader, so no supervisor's end loses a line.

  A log that has grown past its bound is cut in place: what is there is copied to
  FILE.1 (which it replaces), the last line of FILE.1 says so, and FILE is
  emptied under the writer, who appends. What the writer adds between the last
  read and the emptying is lost, and is the only thing that can be: at most what
  is written in some microseconds, at a place that FILE.1 states."
  (:require [ontap.run.halt :as halt])
  (:import (ontap.sys Fd Io)
           (java.nio.charset StandardCharsets)))

(set! *warn-on-reflection* true)

(def ^:private chunk-bytes (* 64 1024))

(defn open!
  "The log `file` opened for appending, made for `uid` and `gid` (whose stdout it
  is: programs open /dev/stdout again) when it is not there. Throws SysException."
  ^Fd [file uid gid]
  (let [fd (Io/open file (bit-or Io/O_WRONLY Io/O_CREAT Io/O_APPEND) 0640)]
    (try
      (when-not (= [uid gid] (let [st (Io/fstat fd)] [(.uid st) (.gid st)]))
        (Io/fchown fd (int uid) (int gid)))
      fd
      (catch Throwable t (.close fd) (throw t)))))

(defn- copy-all!
  "Copies what `from` holds, from its offset to the end; bytes copied. `last-byte`, a
  volatile, has the last one."
  [^Fd from ^Fd to ^bytes buffer last-byte]
  (loop [total 0]
    (let [n (Io/read from buffer 0 (alength buffer))]
      (when (pos? n) (vreset! last-byte (aget buffer (dec n))))
      (if (pos? n)
        (do (Io/writeAll to (if (= n (alength buffer))
                              buffer
                              (java.util.Arrays/copyOf buffer n)))
            (recur (+ total n)))
        total))))

(defn cut!
  "Cuts the log `file` of service `name` if it is past `max-bytes`: see above.
  `stamp` is a text for the time. Returns the bytes moved to FILE.1, or nil."
  [name file max-bytes stamp]
  (when-let [st (Io/stat file)]
    (when (> (.size st) max-bytes)
      (let [old  (str file ".1")
            temp (str file ".1.new")]
        (with-open [from (Io/open file Io/O_RDWR 0)
                    to   (Io/open temp (bit-or Io/O_RDWR Io/O_CREAT Io/O_TRUNC) 0640)]
          (Io/fchown to (.uid st) (.gid st))
          (let [buffer (byte-array chunk-bytes)
                end    (volatile! 10)
                moved  (copy-all! from to buffer end)
                line   (str "ontap: " stamp ": the log was cut here, at its bound of "
                            max-bytes " bytes\n")]
            (Io/rename temp old)
            (halt/point! "log-cut" name)
            ;; whatever came while the rename went on
            (let [late (copy-all! from to buffer end)
                  ;; a line of its own, also when the writer's was not at its end
                  line (if (= 10 @end) line (str "\n" line))]
              ;; said before it is done: a cut that nobody finished is done again
              (Io/writeAll to (.getBytes line StandardCharsets/UTF_8))
              (Io/ftruncate from 0)
              (+ moved late))))))))

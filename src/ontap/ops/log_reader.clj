;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.log-reader
  "Shows a log to a person: the file that was cut last, then the file, then, if
  asked, what is added to it, by inotify."
  (:import (java.io ByteArrayOutputStream OutputStream)
           (ontap.sys EventLoop EventLoop$Handler Errno Fd Inotify Io SysException)))

(set! *warn-on-reflection* true)

(def ^:private chunk-bytes (* 64 1024))

(defn- copy!
  "What `fd` holds from its offset on, to `out`; the number of bytes."
  [^Fd fd ^OutputStream out]
  (let [buffer (byte-array chunk-bytes)]
    (loop [total 0]
      (let [n (Io/read fd buffer 0 chunk-bytes)]
        (if (pos? n)
          (do (.write out buffer 0 n)
              (recur (+ total n)))
          (do (.flush out) total))))))

(defn- tail-start
  "The offset at which the last `n` lines of `bytes` begin."
  [^bytes bytes n]
  (let [last-byte (dec (alength bytes))]
    (loop [i last-byte seen 0]
      (cond (neg? i) 0
            (and (= 10 (aget bytes i)) (< i last-byte))
            (if (= (inc seen) n) (inc i) (recur (dec i) (inc seen)))
            :else (recur (dec i) seen)))))

(defn- open ^Fd [file] (Io/open file Io/O_RDONLY 0))

(defn- follow!
  "Prints what is added to `file`, which has been read up to `at` bytes; one that was
  cut is read from its beginning. Blocks until the process is ended."
  [file at ^Fd fd out]
  (let [state (volatile! {:fd fd :at at})
        look! (fn []
                (let [{:keys [^Fd fd at]} @state]
                  (if (< (.size (Io/fstat fd)) (long at))
                    (do (.close fd)
                        (let [fd (open file)]
                          (vreset! state {:fd fd :at (copy! fd out)})))
                    (vswap! state update :at + (copy! fd out)))))]
    (with-open [inotify (Inotify.)
                loop    (EventLoop. (fn [^Throwable t] (throw t)))]
      (.watch inotify file Inotify/IN_MODIFY)
      (.add loop (.fd inotify) EventLoop/EPOLLIN
            (reify EventLoop$Handler
              (ready [_ _]
                (.read inotify)
                (look!)
                ;; who read it is gone: ontap logs -f NAME | head
                (when (.checkError ^java.io.PrintStream out) (.stop loop)))))
      (look!)
      (.run loop))))

(defn show!
  "Prints the log `file`, with FILE.1 before it; options :lines (only the last so
  many) and :follow (go on, blocking)."
  [file {:keys [lines follow]}]
  (let [out System/out
        ^Fd fd (try (open file)
                    (catch SysException e
                      (throw (ex-info (if (= Errno/ENOENT (.errno e))
                                        (str "nothing has been written to " file " yet")
                                        (str "unable to read the log: " (ex-message e)))
                                      {:kind :exit :status 111}))))
        old (str file ".1")
        all (ByteArrayOutputStream.)]
    (when (Io/stat old)
      (with-open [fd (open old)] (copy! fd all)))
    (let [at    (copy! fd all)
          bytes (.toByteArray all)
          start (cond (nil? lines) 0
                      (zero? (long lines)) (alength bytes)
                      :else (tail-start bytes lines))]
      (.write out bytes (int start) (int (- (alength bytes) (long start))))
      (.flush out)
      (if follow
        (follow! file at fd out)
        (.close fd)))))

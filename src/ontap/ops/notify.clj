;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.notify
  "How ontapd says that it is ready, and what it is given by whoever starts it: a
  newline on a descriptor (s6), READY=1 (sd_notify(3)), a file with its pid (Shepherd),
  and listening sockets (sd_listen_fds(3))."
  (:require [clojure.string :as str]
            [ontap.ops.inherited :as inherited])
  (:import (java.io IOException)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)
           (ontap.sys Fd Io UnixSockets)))

(set! *warn-on-reflection* true)

(def ^:private first-fd "SD_LISTEN_FDS_START." 3)

(defn listen-fds
  "Numbers of the sockets that `env` says were passed to the process `pid`."
  [{:strs [LISTEN_FDS LISTEN_PID]} pid]
  (let [n (some-> LISTEN_FDS parse-long)]
    (when (and n (= (str pid) LISTEN_PID) (<= 1 n 1000))
      (range first-fd (+ first-fd n)))))

(defn open?
  "Did whoever started this process leave descriptor `number` open? The JVM has files of
  its own at such numbers."
  [number]
  (boolean
   (if (< number first-fd)
     (try (Files/readSymbolicLink (Path/of (str "/proc/self/fd/" number) (make-array String 0)))
          (catch IOException _ nil))
     (some #{number} (inherited/numbers)))))

(defn port-of
  "The name of the port that the listening socket `fd` is for, by its path, or nil."
  [^Fd fd]
  (when-let [path (UnixSockets/boundPath fd)]
    (second (re-find #"/port\.([^/]+)$" path))))

(defn- no-socket-of-ours [number text]
  (ex-info (str "descriptor " number " of LISTEN_FDS " text) {:kind :exit :status 100}))

(defn- given-socket
  "[port Fd] of the descriptor `number`."
  [number ports]
  (let [fd   (Fd/own (int number) (str "socket " number))
        port (when (UnixSockets/isPacketListener fd) (port-of fd))]
    (cond
      (nil? port)
      (throw (no-socket-of-ours number "should be a listening SOCK_SEQPACKET socket called port.NAME"))
      (not-any? #{port} ports)
      (throw (no-socket-of-ours number (str "is the socket of port " port ", which is none of the ports ("
                                            (str/join ", " ports) ")"))))
    ;; systemd's are not
    (Io/nonBlocking fd)
    [port fd]))

(defn given-sockets
  "port -> the Fd of a listening socket for it, of the descriptors `numbers`; `ports` are
  the names there are. Throws with :kind :exit for one that is none, or is of no port."
  [numbers ports]
  (into {} (map #(given-socket % ports)) numbers))

(defn- notify-socket! [path]
  (with-open [fd (UnixSockets/connectDatagram path)]
    (UnixSockets/send fd (.getBytes "READY=1\n" StandardCharsets/US_ASCII) [])))

(defn ready!
  "Says that this process is ready, by all the ways it was asked for: `fd` (a number) or `out` (an
  Fd), NOTIFY_SOCKET of `env`, `pid-file` (a path) or `pid-out` (an Fd); the file last."
  [{:keys [fd out pid-file pid-out]} env]
  (when-let [out (or out (some-> fd int (Fd/own "--ready-fd")))]
    (with-open [^Fd out out]
      (Io/writeAll out (.getBytes "\n" StandardCharsets/US_ASCII))))
  (when-let [path (not-empty (get env "NOTIFY_SOCKET"))]
    (when (str/starts-with? path "/") (notify-socket! path)))
  (let [pid (.getBytes (str (Io/getpid) "\n") StandardCharsets/US_ASCII)]
    (when pid-file (Io/replace pid-file pid 0644))
    (when pid-out
      (with-open [^Fd out pid-out] (Io/writeAll out pid)))))

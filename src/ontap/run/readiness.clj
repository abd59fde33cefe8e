;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.readiness
  "How a workload says that it is ready: a newline on a promised descriptor
  (`:ready {:fd 3}`, as s6 has it), or sd_notify(3) (`:ready :notify`).

  Both survive the supervisor: the descriptor is a FIFO that the workload holds
  for reading and writing (so it never meets SIGPIPE, and a newline written while
  nobody listened is still there), the socket is a path that is bound again.
  Abstract sockets do not cross network namespaces."
  (:require [clojure.string :as str]
            [ontap.run.paths :as paths])
  (:import (java.nio.charset StandardCharsets)
           (ontap.sys Clock EventLoop EventLoop$Handler Errno Fd Io SysException UnixSockets
                      UnixSockets$Message)))

(set! *warn-on-reflection* true)

(defn- fifo! [^String path]
  (try (Io/mkfifo path 0600)
       (catch SysException e
         (when-not (= Errno/EEXIST (.errno e)) (throw e)))))

(defn promise!
  "What the workload of `service` is given, made for user `uid`: {:fds {number Fd}
  :env {..}}. The caller closes the Fds after the launch."
  [paths {:service/keys [ready name]}]
  (if-let [number (:fd ready)]
    (let [path (paths/ready-fifo paths name)]
      (fifo! path)
      {:fds {(int number) (Io/open path Io/O_RDWR 0)} :env {}})
    {:fds {} :env (if (= :notify ready)
                    {"NOTIFY_SOCKET" (paths/notify-socket paths name)}
                    {})}))

(def ^:private keep-ns
  "How long the newline stays in the FIFO: until it is written down that the service
  is ready, the next supervisor needs it."
  5000000000)

(defn- on-fifo [^EventLoop loop ^Fd fd ready!]
  (let [buffer (byte-array 256)
        read!  #(Io/read fd buffer 0 256)]
    (reify EventLoop$Handler
      (ready [this _]
        (cond
          (some #(= 10 %) (Io/peek fd 256))
          (do (.remove loop fd)
              (.at loop (+ (Clock/boottimeNanos) (long keep-ns))
                   #(when (.isOpen fd)
                      (read!)
                      (.add loop fd EventLoop/EPOLLIN this)))
              (ready!))
          ;; every holder closed it: nothing will come
          (zero? (read!)) (.remove loop fd))))))

(defn- on-datagram [^Fd fd uid ready!]
  (reify EventLoop$Handler
    (ready [_ _]
      (when-let [^UnixSockets$Message m (try (UnixSockets/receive fd 4096 4)
                                             ;; longer than any notification; it is gone
                                             (catch SysException _ nil))]
        (run! #(.close ^Fd %) (.fds m))
        (let [cred (.cred m)]
          (when (and cred (or (zero? (.uid cred)) (= uid (.uid cred)))
                     (some #{"READY=1"}
                           (str/split-lines (String. (.data m) StandardCharsets/UTF_8))))
            (ready!)))))))

(defn listen!
  "Waits, on `loop`, for `service` (run by `uid`) to say that it is ready; calls
  `ready!`, perhaps more than once. Returns the Fd that listens, or nil when the
  declaration has no `:ready`. Throws SysException."
  ^Fd [paths ^EventLoop loop {:service/keys [ready name]} uid ready!]
  (cond
    (:fd ready)
    (let [path (paths/ready-fifo paths name)
          _    (fifo! path)
          fd   (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)]
      (.add loop fd EventLoop/EPOLLIN (on-fifo loop fd ready!))
      fd)

    (= :notify ready)
    (let [path (paths/notify-socket paths name)
          fd   (UnixSockets/datagram path 0600)]
      (Io/chown path (int uid) (int -1))
      (.add loop fd EventLoop/EPOLLIN (on-datagram fd uid ready!))
      fd)))

(defn clear!
  "Ends the listening on `fd` (nil is fine) and removes what `promise!` and
  `listen!` made on disk."
  [paths ^EventLoop loop {:service/keys [name]} ^Fd fd]
  (when fd
    (.remove loop fd)
    (.close fd))
  (Io/unlink (paths/ready-fifo paths name))
  (Io/unlink (paths/notify-socket paths name)))

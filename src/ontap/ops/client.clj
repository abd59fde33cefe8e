;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.client
  "The other end of the control socket: asks a running `ontap up`."
  (:require [clojure.edn :as edn])
  (:import (java.io ByteArrayOutputStream)
           (java.nio.charset StandardCharsets)
           (ontap.sys Errno Fd Io SysException UnixSockets)))

(set! *warn-on-reflection* true)

(defn- read-all ^String [^Fd fd]
  (let [buffer (byte-array 16384)
        out    (ByteArrayOutputStream.)]
    (loop []
      (let [n (Io/read fd buffer 0 (alength buffer))]
        (when (pos? n)
          (.write out buffer 0 n)
          (recur))))
    (.toString out StandardCharsets/UTF_8)))

(defn- connect
  "Connects to the control socket at `control`, of what `starter` starts."
  ^Fd [^String control starter]
  (try
    (UnixSockets/connect control)
    (catch SysException e
      (throw
       (condp contains? (.errno e)
         #{Errno/ENOENT Errno/ECONNREFUSED}
         (ex-info (str "unable to ask a running ontap: none listens on " control
                       "; `" starter "` starts one")
                  {:kind :exit :status 111})
         #{Errno/EACCES}
         (ex-info (str "unable to ask the running ontap: " control
                       " belongs to another user; ask as that user, or as root")
                  {:kind :exit :status 111})
         e)))))

(defn ask-at
  "The :result of `request` (a map with :command), asked of whoever answers at the socket
  `control`; `starter` is the command that starts one. Blocks until it has answered. Throws
  with :kind :exit when nobody listens or the answer is no."
  [control starter request]
  (with-open [fd (connect control starter)]
    (Io/writeAll fd (.getBytes (str (pr-str (assoc request :ontap/v 1)) "\n")
                               StandardCharsets/UTF_8))
    (let [text (read-all fd)]
      (when (empty? text)
        (throw (ex-info "the running ontap ended before it answered" {:kind :exit :status 111})))
      (let [{:keys [ok? result message status]} (edn/read-string text)]
        (if ok?
          result
          (throw (ex-info message {:kind :exit :status (or status 1)})))))))

(defn ask
  "As `ask-at`, of the `ontap up` of `paths`."
  [{:paths/keys [control]} request]
  (ask-at control "ontap up FILE" request))

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

(defn- connect ^Fd [{:paths/keys [control]}]
  (try
    (UnixSockets/connect control)
    (catch SysException e
      (throw
       (condp contains? (.errno e)
         #{Errno/ENOENT Errno/ECONNREFUSED}
         (ex-info (str "unable to ask a running ontap: none listens on " control
                       "; `ontap up FILE` starts one")
                  {:kind :exit :status 111})
         #{Errno/EACCES}
         (ex-info (str "unable to ask the running ontap: " control
                       " belongs to another user; ask as that user, or as root")
                  {:kind :exit :status 111})
         e)))))

(defn ask
  "The :result of `request` (a map with :command), asked of the `ontap up` of
  `paths`. Blocks until it has answered. Throws with :kind :exit when nobody
  listens or the answer is no."
  [paths request]
  (with-open [fd (connect paths)]
    (Io/writeAll fd (.getBytes (str (pr-str (assoc request :ontap/v 1)) "\n")
                               StandardCharsets/UTF_8))
    (let [text (read-all fd)]
      (when (empty? text)
        (throw (ex-info "the running ontap ended before it answered" {:kind :exit :status 111})))
      (let [{:keys [ok? result message status]} (edn/read-string text)]
        (if ok?
          result
          (throw (ex-info message {:kind :exit :status (or status 1)})))))))

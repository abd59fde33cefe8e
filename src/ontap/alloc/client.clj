;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.client
  "The other end of a port's socket: asks ontapd for links. Blocks; nothing here uses an
  event loop."
  (:require [ontap.alloc.protocol :as protocol])
  (:import (ontap.sys Errno Fd Io SysException UnixSockets UnixSockets$Message)))

(set! *warn-on-reflection* true)

(def ^:private patience-ms
  "How long ontapd may take to answer: a link is made in milliseconds, a name that is
  about to be free is waited for."
  30000)

(defn- exit [text & {:as more}]
  (ex-info text (merge {:kind :exit :status 111} more)))

(defn refused
  "The exception of a refusal of ontapd: :kind :exit, :refusal, and what a supervisor
  looks at, :reason and :later?, whether asking again may help."
  [{:refusal/keys [says wait?] :as refusal}]
  (exit (str "refused: " says) :refusal refusal :reason ::refused :later? (boolean wait?)))

(defn- connect ^Fd [path]
  (try
    (UnixSockets/connectPackets path)
    (catch SysException e
      (throw
       (condp = (.errno e)
         Errno/ENOENT       (exit (str "no ontapd: there is no socket " path "; `ontapd PORT`, as root, makes it"
                                       " (ONTAP_DAEMON_DIR names another folder to look in)")
                                  :later? true)
         Errno/ECONNREFUSED (exit (str "no ontapd: nobody listens on " path "; `ontapd PORT`, as root, does")
                                  :later? true)
         Errno/EACCES       (exit (str "no right to ask ontapd: " path " is for its owner and its group"
                                       " (ls -l " path "); an administrator can put you into that group"))
         Errno/EPROTOTYPE   (exit (str path " is another kind of socket than ontapd's"))
         Errno/ENAMETOOLONG (exit (str "the path of a socket has at most 107 bytes: " path))
         e)))))

(defn- receive
  "The next packet: [message fds]."
  [^Fd fd]
  (when (zero? (Io/await fd Io/POLLIN patience-ms))
    (throw (exit (str "ontapd did not answer within " (quot patience-ms 1000) " s"))))
  (let [^UnixSockets$Message packet (UnixSockets/receive fd 65536 253)
        fds (vec (.fds packet))]
    (when (and (zero? (alength (.data packet))) (empty? fds))
      (throw (exit "ontapd ended before it answered; ask again" :reason ::ended :later? true)))
    [(protocol/decode (.data packet)) fds]))

(defn- answer
  "The next answer to `verb`, with :descriptors; a refusal or nonsense is thrown."
  [fd verb]
  (let [[message fds] (receive fd)
        {:keys [fault] refusal :refused :as answer} (protocol/answer verb message (count fds))]
    (when (or refusal fault)
      (run! #(.close ^Fd %) fds)
      (throw (if refusal (refused refusal) (exit fault))))
    (assoc answer :descriptors fds)))

(defn- send! [fd message fds]
  (try
    (UnixSockets/send fd (protocol/encode message) fds)
    (catch SysException e
      ;; it may have said why before it closed
      (when-not (contains? #{Errno/EPIPE Errno/ECONNRESET} (.errno e)) (throw e)))))

(defn attach!
  "Asks the socket at `path` for the link that `request` says, for the namespace `net` (an
  Fd, nil for types that come as descriptors). Returns a grant,
  {:grant/lease keys of a lease, :grant/queues [Fd ..], :grant/holder Fd-or-nil,
  :grant/from {:path :pid} of the ontapd}, the Fds the caller's. Throws with :kind :exit, :refusal
  when the answer is no, :later? where asking again may help."
  [path request ^Fd net]
  (with-open [fd (connect path)]
    (send! fd (protocol/attach-message request) (if net [net] []))
    (let [{:keys [lease fds descriptors]} (answer fd :attach)
          of (fn [word] (keep-indexed (fn [i w] (when (= word w) (nth descriptors i))) fds))
          holder (first (of :lease))]
      {:grant/lease (assoc lease :lease/held (if holder :holder :namespace))
       :grant/queues (vec (of :tap)) :grant/holder holder
       :grant/from {:path path :pid (.pid (UnixSockets/peerCred fd))}})))

(defn answers?
  "Does an ontapd listen at `path`?"
  [path]
  (try
    (.close (UnixSockets/connectPackets path))
    true
    (catch SysException e
      (not (contains? #{Errno/ENOENT Errno/ECONNREFUSED Errno/ENOTDIR} (.errno e))))))

(defn serving-pid
  "The pid of the ontapd that listens at `path`; nil when nobody answers."
  [path]
  (try
    (with-open [fd (UnixSockets/connectPackets path)]
      (.pid (UnixSockets/peerCred fd)))
    (catch SysException _ nil)))

(defn leases
  "The leases that the caller may see of the ontapd at `path`; the metadata has its :pid."
  [path]
  (with-open [fd (connect path)]
    (send! fd protocol/leases-message [])
    (loop [all []]
      (let [{:keys [lease]} (answer fd :leases)]
        (if lease
          (recur (conj all lease))
          (with-meta all {:pid (.pid (UnixSockets/peerCred fd))}))))))

(defn release!
  "Ends lease `id` of the ontapd at `path`; returns once its link is gone."
  [path id]
  (with-open [fd (connect path)]
    (send! fd (protocol/release-message id) [])
    (:id (answer fd :release))))

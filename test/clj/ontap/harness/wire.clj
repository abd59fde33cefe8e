;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.wire
  "Speaks doc/protocol.md to a socket of ontapd, packet by packet, as any user, with any
  descriptor: what no well-meaning client does. It reads answers by itself, without the
  program's own codec."
  (:require [clojure.string :as str])
  (:import (java.nio.charset StandardCharsets)
           (java.util List)
           (ontap.sys Errno Fd Identity Io Namespaces NsThread SysException UnixSockets UnixSockets$Message)))

(set! *warn-on-reflection* true)

(defn as
  "(f) in a thread of its own, which is user `uid` and group `gid` with `groups` and
  without a capability from then on; its value. The tests' JVM lends that thread to that
  user, for as long as it lives."
  [{:keys [uid gid groups]} f]
  (Identity/prepare)
  (NsThread/call "wire" (fn []
                          (.take (Identity. (int uid) (int gid) (int-array groups) 0 false))
                          (f))))

(defn connect
  "Connects to the socket at `path`, as `who` (see `as`; nil: as we are); an Fd. Throws
  SysException."
  (^Fd [path] (UnixSockets/connectPackets path))
  (^Fd [path who]
   ;; once as we are: the other user may not be able to read our classes
   (.close (connect path))
   (if who (as who #(connect path)) (connect path))))

(defn say
  "Sends one packet, `text` (or bytes), with `fds`."
  [fd text & fds]
  (UnixSockets/send fd (if (string? text) (.getBytes ^String text StandardCharsets/UTF_8) text) ^List (vec fds)))

(defn message
  "The text of a message: first line `ontap 1 WORD`, then `KEY VALUE` of each pair."
  [word & pairs]
  (apply str "ontap 1 " word "\n" (map (fn [[k v]] (str k " " v "\n")) (partition 2 pairs))))

(defn- parse [text]
  (let [[head & lines] (str/split-lines text)]
    (into {"" head} (map #(str/split % #" " 2)) lines)))

(defn hear
  "The next packet within `limit-ms` (20 s): its lines, key -> value, the first one under
  \"\"; :fds when descriptors came, the caller's. :closed when ontapd closed the connection,
  :silence when it says nothing."
  ([fd] (hear fd 20000))
  ([fd limit-ms]
   (if (zero? (Io/await fd Io/POLLIN limit-ms))
     :silence
     (try
       (let [^UnixSockets$Message packet (UnixSockets/receive fd 65536 253)
             fds (vec (.fds packet))]
         (if (zero? (alength (.data packet)))
           :closed
           (cond-> (parse (String. (.data packet) StandardCharsets/UTF_8)) (seq fds) (assoc :fds fds))))
       (catch SysException e
         (if (= Errno/ECONNRESET (.errno e)) :closed (throw e)))))))

(defn ask
  "One packet with `fds` on a connection of its own, as `who`, and its answer; descriptors
  that come are closed."
  [path who text & fds]
  (with-open [fd (connect path who)]
    (apply say fd text fds)
    (let [answer (hear fd)]
      (when (map? answer) (run! #(.close ^Fd %) (:fds answer)))
      answer)))

(defn refusal
  "[rule message] of a refusal, with \"wait\" at the end when asking later may work; any
  other answer as it is."
  [{:strs [rule message wait] head "" :as answer}]
  (if (= "ontap 1 refused" head)
    (cond-> [rule message] (= "yes" wait) (conj "wait"))
    answer))

(defn open
  "The file at `path`, open for reading: an Fd."
  ^Fd [path]
  (Io/open (str path) (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0))

(defn namespace-of
  "Namespace `kind` (net, uts) of process `pid`: an Fd."
  ^Fd [pid kind]
  (Namespaces/ofProcess (int pid) kind))

(defn closed?
  "Does ontapd close `fd` within `limit-ms` without a word?"
  [fd limit-ms]
  (= :closed (hear fd limit-ms)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.daemon
  "The sockets of ontapd: one for each port, a request per packet (doc/protocol.md),
  handed to an allocator. Who asks is what the kernel says of the connection.

  All of it runs in the loop's thread."
  (:require [ontap.alloc.allocator :as allocator]
            [ontap.alloc.protocol :as protocol]
            [ontap.alloc.strangers :as strangers]
            [ontap.model.link-lease :as link-lease]
            [ontap.model.policy :as policy]
            [ontap.model.rate :as rate])
  (:import (ontap.sys Clock Errno EventLoop EventLoop$Handler Fd Io PidFd Procs Procs$Proc SysException
                      UnixSockets UnixSockets$Message UnixSockets$PeerCred Users Users$User)))

(set! *warn-on-reflection* true)

(def ^:private patience-ns "How long a client may be silent while nothing is under way." 5000000000)
(def ^:private buffer-bytes
  "More than a message may have: of a longer one the version is read all the same."
  65536)
(def ^:private most-fds
  "More than a request may have. The kernel lets go of further ones by itself and waits for
  nobody; each that it gives to us costs a descriptor for as long as its close(2) takes."
  2)
(def ^:private max-clients 512)
(def ^:private max-clients-of-one 64)
(def ^:private at-once "Connections that are taken in one turn of the loop." 16)
(def ^:private minute-ns 60000000000)

(defn- on-ready [f] (reify EventLoop$Handler (ready [_ _] (f))))

;; --- who

(defn- peer-of
  "Who is at the other end of `fd`: :peer/uid /gid /user /groups (names) /pid /ticks."
  [^Fd fd]
  (let [^UnixSockets$PeerCred cred (UnixSockets/peerCred fd)
        ^Users$User user (Users/byUid (.uid cred))
        ^Procs$Proc proc (Procs/stat (.pid cred))]
    {:peer/uid    (.uid cred)
     :peer/gid    (.gid cred)
     :peer/user   (some-> user .name)
     :peer/groups (into #{} (keep #(Users/groupName (int %)))
                        (cons (.gid cred) (UnixSockets/peerGroups fd)))
     :peer/pid    (.pid cred)
     :peer/ticks  (some-> proc .startTicks)}))

;; --- a connection: {:fd :port :peer :timer :busy? :outbox}

(defn- client [{:keys [clients]} fd] (get @clients fd))

(defn- change! [{:keys [clients]} fd & kvs]
  (when (contains? @clients fd) (vswap! clients update fd #(apply assoc % kvs))))

(defn- end! [{:keys [^EventLoop loop clients] :as daemon} ^Fd fd]
  (when-let [{:keys [timer]} (client daemon fd)]
    (some->> timer (.cancel loop))
    (vswap! clients dissoc fd)
    (.remove loop fd)
    (.close fd)))

(defn- patience!
  "From now on the client has its time to say something, or to take its answer."
  [{:keys [^EventLoop loop] :as daemon} fd]
  (some->> (:timer (client daemon fd)) (.cancel loop))
  (change! daemon fd :timer (.at loop (+ (Clock/boottimeNanos) (long patience-ns)) #(end! daemon fd))))

(defn- no-limit! [{:keys [^EventLoop loop] :as daemon} fd]
  (some->> (:timer (client daemon fd)) (.cancel loop))
  (change! daemon fd :timer nil))

(defn- send-now
  "Sends one packet: true, false when there is no room, nil when nobody is there."
  [^Fd fd message fds]
  (try
    (UnixSockets/send fd (protocol/encode message) fds)
    true
    (catch SysException e
      (if (= Errno/EAGAIN (.errno e)) false nil))))

(declare read! on-client)

(defn- flush!
  "Sends what waits, as far as there is room."
  [{:keys [^EventLoop loop] :as daemon} fd]
  (let [{:keys [outbox close?]} (client daemon fd)]
    (if-let [message (first outbox)]
      (case (send-now fd message [])
        true  (do (change! daemon fd :outbox (next outbox))
                  (recur daemon fd))
        false (.modify loop fd EventLoop/EPOLLOUT)
        (end! daemon fd))
      (if close?
        (end! daemon fd)
        (do (change! daemon fd :busy? false)
            (patience! daemon fd)
            (.modify loop fd EventLoop/EPOLLIN))))))

(defn- send-all!
  "Sends `messages`, waiting for room by event, then listens again, or closes."
  [daemon fd messages close?]
  (when (client daemon fd)
    (change! daemon fd :outbox (seq messages) :close? close?)
    (patience! daemon fd)
    (flush! daemon fd)))

(defn- refuse! [{:keys [note] :as daemon} fd refusal close?]
  (let [{:keys [peer port]} (client daemon fd)]
    (note :debug nil (str "refused " (policy/who peer) " on port " port ": "
                          (:refusal/says refusal)))
    (send-all! daemon fd [(protocol/refusal-message refusal)] close?)))

;; --- requests

(defn- granted!
  "Hands a link over, its descriptors with the one packet: false when nobody takes it."
  [daemon fd {:grant/keys [lease queues holder]}]
  (boolean
   (when (client daemon fd)
     (let [fds   (cond-> (vec queues) holder (conj holder))
           words (cond-> (mapv (constantly :tap) queues) holder (conj :lease))]
       ((:note daemon) :info nil (str (link-lease/title lease) " is for " (policy/who (:peer (client daemon fd)))))
       (if (send-now fd (protocol/answer-message lease words) fds)
         (do (send-all! daemon fd [] false) true)
         (do (end! daemon fd) false))))))

(defn- answer!
  "What the allocator says, to the client."
  [daemon fd {:keys [refused released] :as answer}]
  (cond
    refused  (do (refuse! daemon fd refused false) true)
    released (do (send-all! daemon fd [(protocol/released-message released)] false) true)
    :else    (granted! daemon fd answer)))

(defn- asker
  "A pidfd of the client, of the process that connected; before Linux 6.5 of the one that
  has its number, nil when there is none."
  ^Fd [fd {:peer/keys [pid]}]
  (try (or (UnixSockets/peerPidFd fd) (PidFd/open (int pid)))
       (catch SysException _ nil)))

(defn- carry-out! [{:keys [alloc] :as daemon} fd {:request/keys [verb id] :as request} ^Fd net]
  (let [{:keys [peer port]} (client daemon fd)
        reply! #(answer! daemon fd %)]
    (change! daemon fd :busy? true)
    (no-limit! daemon fd)
    ;; nothing more is read until this is answered, but a hang-up is heard; not that it will
    ;; say no more (shutdown(2), EPOLLRDHUP): it may well listen
    (.modify ^EventLoop (:loop daemon) fd 0)
    (case verb
      :attach  (allocator/ask! alloc {:port port :peer peer :request request :net net :asker (asker fd peer)} reply!)
      :release (allocator/release! alloc peer id reply!)
      :leases  (let [leases (allocator/leases alloc peer)]
                 (send-all! daemon fd
                            (concat (map protocol/lease-message leases)
                                    [(protocol/count-message (count leases))])
                            false)))))

(defn- close-strangers!
  "Closes descriptors that were not asked for and came from the client."
  [{:keys [alloc] :as daemon} fd fds]
  (strangers/close! (:strangers alloc) (:peer/uid (:peer (client daemon fd))) fds))

(defn- take-in!
  "One packet."
  [{:keys [rates note] :as daemon} fd ^UnixSockets$Message packet]
  (let [fds     (vec (.fds packet))
        message (protocol/decode (.data packet))
        {:keys [request refused close?]} (protocol/request message (count fds))
        {:keys [peer]} (client daemon fd)
        {:keys [buckets ok?]} (rate/spend @rates (:peer/uid peer) (quot (Clock/boottimeNanos) 1000000))]
    (vreset! rates buckets)
    (note :debug nil (str (policy/who peer) " (pid " (:peer/pid peer) ") asks: "
                          (or (some-> request :request/verb name) "what cannot be read")))
    (cond
      (not ok?) (do (close-strangers! daemon fd fds) (refuse! daemon fd (rate/refusal peer) (boolean close?)))
      refused   (do (close-strangers! daemon fd fds) (refuse! daemon fd refused close?))
      :else     (carry-out! daemon fd request (first fds)))))

(def ^:private too-long
  {:refusal/rule :size :refusal/says (str "a message is longer than " protocol/max-bytes " bytes")})

(def ^:private too-many
  {:refusal/rule :descriptor :refusal/says "more than one descriptor came with the request"})

(defn- take-in-or-refuse!
  [daemon fd ^UnixSockets$Message packet]
  (cond
    (and (zero? (alength (.data packet))) (empty? (.fds packet))) (end! daemon fd)
    (or (.bytesLost packet) (.fdsLost packet))
    (do (close-strangers! daemon fd (.fds packet))
        (refuse! daemon fd (if (.bytesLost packet) too-long too-many) (.bytesLost packet)))
    :else (take-in! daemon fd packet)))

(defn- trapped?
  "Is so much of this client's user being closed that no more is taken from them?"
  [{:keys [alloc]} {:peer/keys [uid]}]
  (strangers/too-many? (:strangers alloc) uid))

(defn- read! [daemon ^Fd fd]
  (if (trapped? daemon (:peer (client daemon fd)))
    ;; what waits in the socket goes with it: the kernel's way of letting go blocks nobody
    (end! daemon fd)
    (try
      (some->> (UnixSockets/receiveAny fd buffer-bytes most-fds) (take-in-or-refuse! daemon fd))
      (catch SysException _ (end! daemon fd)))))

(defn- on-client [daemon ^Fd fd]
  (reify EventLoop$Handler
    (ready [_ events]
      (let [{:keys [busy? outbox]} (client daemon fd)]
        (cond
          (seq outbox) (flush! daemon fd)
          busy?        (when (pos? (bit-and events (bit-or EventLoop/EPOLLHUP EventLoop/EPOLLERR)))
                         (end! daemon fd))
          :else        (read! daemon fd))))))

(defn- room?
  "May one more connection of `uid` be taken?"
  [{:keys [clients]} uid]
  (and (< (count @clients) (long max-clients))
       (or (= 0 uid)
           (< (count (filter #(= uid (-> % :peer :peer/uid)) (vals @clients))) (long max-clients-of-one)))))

(defn- crowded!
  "Tells that a connection of `uid` is dropped; not more than once a minute, for who
  connects again and again would fill a log."
  [{:keys [note crowded]} uid]
  (let [now (Clock/boottimeNanos)]
    (when (or (nil? @crowded) (< (long minute-ns) (- now (long @crowded))))
      (vreset! crowded now)
      (note :warning nil (str "too many connections of uid " uid ": one is dropped")))))

(defn- admit! [{:keys [clients ^EventLoop loop] :as daemon} ^Fd fd port]
  (try
    ;; before anything that takes time is asked of the system
    (let [uid (.uid (UnixSockets/peerCred fd))]
      (if (room? daemon uid)
        (let [peer (peer-of fd)]
          (vswap! clients assoc fd {:port port :peer peer})
          (.add loop fd EventLoop/EPOLLIN (on-client daemon fd))
          (patience! daemon fd))
        (do (crowded! daemon uid)
            (.close fd))))
    (catch SysException _ (.close fd))))

(defn- accept!
  "Takes some of the connections that wait: who connects faster than they are taken must
  not keep everybody else waiting."
  [daemon listener port]
  (loop [n 0]
    (when-let [fd (and (< n (long at-once)) (UnixSockets/accept listener))]
      (admit! daemon fd port)
      (recur (inc n)))))

(def ^:private rest-ns 1000000000)

(defn- take-connections!
  "What a listener's being readable asks for. Without a descriptor for one more it stays
  readable, and is left alone for a second."
  [{:keys [^EventLoop loop note] :as daemon} ^Fd listener port]
  (try
    (accept! daemon listener port)
    (catch SysException e
      (if (contains? #{Errno/EMFILE Errno/ENFILE} (.errno e))
        (do (note :error nil (str "unable to take a connection to port " port ": " (ex-message e)))
            (.modify loop listener 0)
            (.at loop (+ (Clock/boottimeNanos) (long rest-ns))
                 #(when (.isOpen listener) (.modify loop listener EventLoop/EPOLLIN))))
        (throw e)))))

;; --- the sockets of ports

(defn socket-path
  "The socket of port `name` in the run-time folder `dir`."
  [dir name]
  (str dir "/port." name))

(defn- id-of [known? name what]
  (or known?
      (throw (ex-info (str "there is no " what " " name " on this machine any more") {:rule :port}))))

(defn- listen!
  ^Fd [dir {:port/keys [name owner group mode]}]
  ;; the folder is ours alone (`book/lock!`): what is there was left behind
  (Io/unlink (socket-path dir name))
  (UnixSockets/listenPackets (socket-path dir name) (int mode)
                             (int (id-of (some-> (Users/byName owner) .uid) owner "user"))
                             (int (id-of (Users/gid group) group "group"))))

(defn serve-port!
  "Listens for `port`, on `given` (a listening socket of whoever started us), or on one
  of our own. Throws SysException."
  [{:keys [^EventLoop loop dir listeners] :as daemon} {:port/keys [name] :as port} ^Fd given]
  (let [fd (or given (listen! dir port))]
    (vswap! listeners assoc name {:fd fd :given? (some? given) :port port})
    (.add loop fd EventLoop/EPOLLIN (on-ready #(take-connections! daemon fd name)))))

(defn leave-port!
  "Listens no longer for port `name`. Its links are left alone."
  [{:keys [^EventLoop loop dir listeners]} name]
  (when-let [{:keys [^Fd fd given?]} (get @listeners name)]
    (vswap! listeners dissoc name)
    (.remove loop fd)
    (.close fd)
    (when-not given? (Io/unlink (socket-path dir name)))))

(defn serve-ports!
  "Makes `ports` (name -> port) the ones that are listened for; `given`: name -> a
  listening socket. A port whose socket is declared otherwise gets a new one."
  [{:keys [listeners] :as daemon} ports given]
  (let [socket #(select-keys % [:port/owner :port/group :port/mode])]
    (doseq [[name {:keys [port given?]}] @listeners
            :when (or (not (contains? ports name))
                      (and (not given?) (not= (socket port) (socket (ports name)))))]
      (leave-port! daemon name))
    (doseq [[name port] (sort-by key ports) :when (not (contains? @listeners name))]
      (serve-port! daemon port (get given name)))))

(defn daemon
  "Takes :loop, :alloc (`ontap.alloc.allocator`), :dir (the run-time folder), :note (fn
  [level nil text]). Listens for no port yet."
  [given]
  (merge given {:clients (volatile! {}) :listeners (volatile! {}) :rates (volatile! nil)
                :crowded (volatile! nil)}))

(defn close!
  "Listens no longer and drops every client."
  [{:keys [listeners clients] :as daemon}]
  (run! #(leave-port! daemon %) (keys @listeners))
  (run! #(end! daemon %) (keys @clients)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.control
  "The control socket of `ontap up`: one EDN request per connection, one EDN reply.

  A request: {:ontap/v 1 :command :status :names [..]}, one line. A reply:
  {:ontap/v 1 :ok? true :result ..} or {:ontap/v 1 :ok? false :message text}. Only
  the owner of the socket (and root) is answered: mode 0600, and SO_PEERCRED."
  (:require [clojure.edn :as edn])
  (:import (java.io ByteArrayOutputStream)
           (java.nio.charset StandardCharsets)
           (ontap.sys Clock EventLoop EventLoop$Handler Fd Io SysException UnixSockets)))

(set! *warn-on-reflection* true)

(def ^:private max-request (* 64 1024))
(def ^:private max-clients 64)
(def ^:private patience-ns
  "How long a client may take to say what it wants."
  5000000000)

(defn- reply-bytes ^bytes [reply]
  (.getBytes (str (binding [*print-length* nil *print-level* nil]
                    (pr-str (assoc reply :ontap/v 1)))
                  "\n")
             StandardCharsets/UTF_8))

(defn- end! [^EventLoop loop clients ^Fd fd]
  (when (contains? @clients fd)
    (some->> (get-in @clients [fd :timer]) (.cancel loop))
    (vswap! clients dissoc fd)
    (.remove loop fd)
    (.close fd)))

(defn- send-all!
  "Writes `bytes`, waiting for room by event; then ends the connection."
  [^EventLoop loop clients ^Fd fd ^bytes bytes]
  (let [at    (volatile! 0)
        write #(let [n (Io/write fd bytes @at (- (alength bytes) (long @at)))]
                 (when (pos? n) (vswap! at + n))
                 (pos? n))
        more  (fn []
                (try
                  (while (and (< (long @at) (alength bytes)) (write)))
                  (when (= (long @at) (alength bytes)) (end! loop clients fd))
                  (catch SysException _ (end! loop clients fd))))]
    (.remove loop fd)
    (.add loop fd EventLoop/EPOLLOUT (reify EventLoop$Handler (ready [_ _] (more))))))

(defn- parse [^String text]
  (try
    (let [request (edn/read-string {:default (fn [_ v] v)} text)]
      (cond
        (not (map? request))            {:error "a request should be a map"}
        (not= 1 (:ontap/v request))     {:error (str "a request should have :ontap/v 1, has "
                                                     (pr-str (:ontap/v request)))}
        :else                           {:request request}))
    (catch Exception e {:error (str "unreadable request: " (ex-message e))})
    (catch StackOverflowError _ {:error "unreadable request: it is nested too deeply"})))

(defn- answer!
  "Hands the request to `handle`, which calls back once, now or later."
  [loop clients fd handle text]
  (let [done   (volatile! false)
        reply! (fn [reply]
                 (when-not @done
                   (vreset! done true)
                   (when (contains? @clients fd)
                     (send-all! loop clients fd (reply-bytes reply)))))
        {:keys [request error]} (parse text)]
    (if error
      (reply! {:ok? false :message error})
      (try
        (handle request reply!)
        (catch Throwable t
          (reply! {:ok? false :message (or (ex-message t) (str t))}))))))

(defn- on-client [^EventLoop loop clients ^Fd fd handle]
  (let [buffer (byte-array 4096)
        text   (ByteArrayOutputStream.)]
    (reify EventLoop$Handler
      (ready [_ _]
        (try
          (let [n (Io/read fd buffer 0 4096)]
            (cond
              (or (zero? n) (get-in @clients [fd :asked?])) (end! loop clients fd)
              (pos? n)
              (do
                (.write text buffer 0 n)
                (cond
                  (some #(= 10 %) (take n buffer))
                  (do
                    (some->> (get-in @clients [fd :timer]) (.cancel loop))
                    (vswap! clients assoc-in [fd :asked?] true)
                    ;; from now on the only news is that the client went away
                    (.modify loop fd EventLoop/EPOLLRDHUP)
                    (answer! loop clients fd handle (.toString text StandardCharsets/UTF_8)))
                  (> (.size text) max-request) (end! loop clients fd)))))
          (catch SysException _ (end! loop clients fd)))))))

(defn- admit? [^Fd fd]
  (try
    (let [uid (.uid (UnixSockets/peerCred fd))]
      (or (zero? uid) (= uid (Io/geteuid))))
    (catch SysException _ false)))

(defn- make-room!
  "Ends the connection that has said nothing for the longest time, when there are too
  many: one that asks is not kept out by those that do not."
  [loop clients]
  (when-let [silent (and (<= max-clients (count @clients))
                         (seq (remove (comp :asked? val) @clients)))]
    (end! loop clients (key (apply min-key (comp :since val) silent)))))

(defn- accept! [^EventLoop loop clients ^Fd listener handle]
  (when-let [^Fd fd (UnixSockets/accept listener)]
    (if (and (admit? fd)
             (do (make-room! loop clients)
                 (< (count @clients) max-clients)))
      (let [now (Clock/boottimeNanos)]
        (vswap! clients assoc fd
                {:since now
                 :timer (.at loop (+ now (long patience-ns)) #(end! loop clients fd))})
        (.add loop fd EventLoop/EPOLLIN (on-client loop clients fd handle)))
      (.close fd))))

(defn serve-on!
  "Answers on `listener`, a listening socket, with `loop`. `handle` is
  called with a request and a function that takes the reply, once. Returns a function that
  ends it; the socket's name stays. Throws SysException."
  [^EventLoop loop ^Fd listener handle]
  (let [clients (volatile! {})]
    (.add loop listener EventLoop/EPOLLIN
          (reify EventLoop$Handler
            (ready [this _]
              (try
                (accept! loop clients listener handle)
                (catch SysException e
                  ;; no descriptor left, say: listening on would go round and round
                  (.remove loop listener)
                  (.at loop (+ (Clock/boottimeNanos) (long patience-ns))
                       #(when (.isOpen listener)
                          (.add loop listener EventLoop/EPOLLIN this)))
                  (throw e))))))
    (fn []
      (run! #(end! loop clients %) (keys @clients))
      (.remove loop listener)
      (.close listener))))

(defn serve!
  "As `serve-on!`, with a socket of its own that it listens on at `path`, and removes at the end.
  Throws SysException."
  [loop path handle]
  (let [end! (serve-on! loop (UnixSockets/listen path 0600) handle)]
    (fn []
      (end!)
      (Io/unlink path))))

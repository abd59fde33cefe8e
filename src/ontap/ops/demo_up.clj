;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo-up
  "The `ontap up` that the demonstration runs and watches: a child process, the same
  program as this one, whose every line of log is an event in a queue. All waiting
  is for that queue; what is true is asked of the control socket."
  (:require [clojure.string :as str]
            [ontap.ops.client :as client]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.leftovers :as leftovers]
            [ontap.run.paths :as paths]
            [ontap.run.record :as record])
  (:import (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)
           (java.util.concurrent LinkedBlockingQueue TimeUnit)
           (ontap.sys Clock EventLoop EventLoop$Handler Fd Io Io$Stat Namespaces$NsId PidFd PidFd$ExitStatus
                      Procs Procs$Proc SignalQueue Signals Spawn Spawn$Request SysException)))

(set! *warn-on-reflection* true)

(defn failure
  "The exception of a demonstration that does not go on."
  [text]
  (ex-info text {:kind :exit :status 1}))

(defn own-command
  "The words that started this program, up to its command `demo`: the executable
  itself and its arguments."
  []
  (let [words (str/split (Files/readString (Path/of "/proc/self/cmdline" (make-array String 0)))
                         #"\u0000")]
    (into [(str (Files/readSymbolicLink (Path/of "/proc/self/exe" (make-array String 0))))]
          (->> (rest words) reverse (drop-while #(not= "demo" %)) rest reverse))))

;; --- events: [:line text], [:ended PidFd$ExitStatus], [:broken-off]

(defn- signal! [{:keys [child]} n]
  (when-let [{:keys [pidfd]} @child]
    ;; it may have ended, and its descriptor be closed, at any moment
    (try (PidFd/signal pidfd n) (catch RuntimeException _ nil))))

(defn- ask-to-end!
  "SIGTERM, once: a supervisor that is asked again kills."
  [{:keys [asked child] :as watch}]
  (when (and @child (compare-and-set! asked false true))
    (signal! watch 15)))

(defn- broken-off!
  "The story is not to go on, because of `why`."
  [{:keys [^LinkedBlockingQueue events why-not]} why]
  (compare-and-set! why-not nil (failure why))
  (.put events [:broken-off]))

(defn watch
  "A watch that runs nothing yet. Its `loop`, which does not run yet, hears `signals`
  and, after `limit-s`, gives up."
  [^EventLoop loop ^SignalQueue signals limit-s]
  (let [watch {:loop loop :events (LinkedBlockingQueue.) :lines (atom []) :child (atom nil)
               :asked (atom false) :why-not (atom nil) :died (atom nil)}]
    (.add loop (.fd signals) EventLoop/EPOLLIN
          (reify EventLoop$Handler
            (ready [_ _]
              (while (when-let [name (.poll signals)]
                       (if @(:why-not watch)
                         (signal! watch 15)
                         (ask-to-end! watch))
                       (broken-off! watch (str "interrupted by SIG" name))
                       true)))))
    (.at loop (+ (Clock/boottimeNanos) (* 1000000000 (long limit-s)))
         (fn []
           (broken-off! watch (str "it was given up, not being over after " limit-s " s"))
           (signal! watch 9)))
    watch))

(defn why-not
  "The `failure` of a signal or of a time limit that has ended the story, or nil."
  [watch]
  @(:why-not watch))

(defn- follow-lines!
  "Each line from `fd`, which it closes at the end, becomes an event; then `done`."
  [{:keys [^EventLoop loop ^LinkedBlockingQueue events]} ^Fd fd done]
  (let [buffer (byte-array 8192)
        rest   (volatile! "")]
    (.add loop fd EventLoop/EPOLLIN
          (reify EventLoop$Handler
            (ready [_ _]
              (let [n (Io/read fd buffer 0 (alength buffer))]
                (if (pos? n)
                  (let [text  (str @rest (String. buffer 0 n StandardCharsets/UTF_8))
                        lines (str/split text #"\n" -1)]
                    (doseq [line (butlast lines)] (.put events [:line line]))
                    (vreset! rest (last lines)))
                  (do (.remove loop fd)
                      (.close fd)
                      (done)))))))))

(defn- others-here
  "The other processes of the network namespace of this one, which is the demonstration's own."
  []
  (let [^Io$Stat here (Io/stat "/proc/self/ns/net")]
    (remove #{(Io/getpid)} (Procs/inNamespace "net" (Namespaces$NsId. (.dev here) (.ino here))))))

(defn- kill-others!
  "A supervisor that was killed leaves its zone, which holds the other end of its output."
  []
  (doseq [pid (others-here)]
    (try (with-open [fd (PidFd/open (int pid))] (PidFd/signal fd 9))
         (catch SysException _ nil))))

(defn- follow-end!
  "Calls `done` with the exit status of the child behind `pidfd`, which it closes. What it left here is killed."
  [{:keys [^EventLoop loop child asked died]} ^Fd pidfd done]
  (.add loop pidfd EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (.remove loop pidfd)
            (let [status (PidFd/reap pidfd)]
              (reset! child nil)
              (.close pidfd)
              (when-not @asked (reset! died status))
              (kill-others!)
              (done status))))))

(defn- follow!
  "Lines become events as they come, the end becomes one when both are known."
  [{:keys [^LinkedBlockingQueue events] :as watch} output pidfd]
  (let [status (volatile! nil)
        open   (volatile! 2)
        done   #(when (zero? (vswap! open dec)) (.put events [:ended @status]))]
    (follow-lines! watch output done)
    (follow-end! watch pidfd (fn [found] (vreset! status found) (done)))))

(defn start!
  "Starts `ontap up FILE`, with the variables `env`, in a session of its own, so that
  a terminal's Ctrl-C is ours alone. The loop of `watch` runs by now. Throws
  SysException, or the `failure` that came before."
  [{:keys [^EventLoop loop child] :as watch} file env]
  (some-> (why-not watch) throw)
  (let [words     (into (own-command) ["up" file])
        [out in]  (Io/pipe false)]
    (with-open [^Fd in in
                null   (Io/open "/dev/null" Io/O_RDONLY 0)]
      (let [pid (Spawn/run (Spawn$Request. (first words) words
                                           (mapv (fn [[k v]] (str k "=" v)) env)
                                           {(int 0) null (int 1) in (int 2) in}))
            pidfd (PidFd/open pid)]
        (reset! child {:pid pid :pidfd pidfd})
        (.post loop #(follow! watch out pidfd))))
    nil))

(defn- end-text [^PidFd$ExitStatus status]
  (if (.signaled status)
    (str "was ended by SIG" (Signals/name (.code status)))
    (str "exited with " (.code status))))

(defn- ended [x]
  (failure (str "`ontap up` " (end-text x) "; what it said stands above")))

(defn died
  "The `failure` of a supervisor that has ended by itself, or nil. What was seen of its end first may be that its zone
  does not answer any more."
  [watch]
  (some-> @(:died watch) ended))

(defn- told!
  "Line `x` is heard of, and for `say`."
  [{:keys [lines]} say x]
  (swap! lines conj x)
  (say x))

(defn- hear!
  "Takes in the next event, if one comes within `ms`: is there one? A line is for `say`. Throws a `failure`
  when there will be no more."
  [{:keys [^LinkedBlockingQueue events] :as watch} say ms]
  (when-let [[event x] (.poll events (long ms) TimeUnit/MILLISECONDS)]
    (case event
      :broken-off (throw (why-not watch))
      :ended      (throw (ended x))
      :line       (told! watch say x))
    true))

(defn status
  "The rows of `ontap status`, or nil while nobody answers."
  [layout]
  (try (client/ask layout {:command :status :names []})
       (catch clojure.lang.ExceptionInfo _ nil)
       ;; it ended while it was asked
       (catch SysException _ nil)))

(defn- hopeless
  "The row of a service that will not run: given up, or started again and again."
  [rows]
  (some #(when (or (= :failed (:state %)) (< 2 (:restarts %))) %) rows))

(defn- say-the-rest!
  "What the supervisor said before it answered, and is still on its way: for a
  person it belongs before what comes next."
  [watch say]
  (while (hear! watch say 30)))

(def ^:private for-ever-ms 86400000)

(defn await-rows!
  "Blocks until the rows of `ontap status` fulfil `good?`; asks again whenever the
  supervisor has said something, which `say` is given. Returns the rows. Throws a
  `failure` when a service has failed, the supervisor has ended, a signal has come
  or time is up."
  [watch layout say good?]
  (loop []
    (hear! watch say for-ever-ms)
    (let [rows (status layout)]
      (when-let [{:keys [name reason]} (hopeless rows)]
        (throw (failure (str "service " name " does not run: " reason))))
      (if (and (seq rows) (good? rows))
        (do (say-the-rest! watch say) rows)
        (recur)))))

(defn await-line!
  "Blocks until the supervisor has said a line, now or before, that matches `pattern`. Throws a
  `failure` when it has said one that matches `bad`: `what` does not run; and as `await-rows!` does."
  [{:keys [lines] :as watch} say what pattern bad]
  (loop []
    (cond
      (some #(re-find pattern %) @lines) nil
      (some #(re-find bad %) @lines)     (throw (failure (str what " does not run; what `ontap up` said of it stands above")))
      :else (do (hear! watch say for-ever-ms) (recur)))))

(def ^:private again-ms "Between two questions; they cost little." 20)

(defn await!
  "Blocks until `found` (fn []) gives something true, and gives that; asks again and again, for
  `limit-s` at most. `what` names it in the `failure` that is thrown then, and as by `await-rows!`."
  [watch say what limit-s found]
  (let [until (+ (System/nanoTime) (* 1000000000 (long limit-s)))]
    (loop []
      (or (found)
          (do (when (< until (System/nanoTime))
                (throw (failure (str "waited " limit-s " s in vain for " what))))
              (hear! watch say again-ms)
              (recur))))))

(defn kill!
  "SIGKILL to process `pid`."
  [pid]
  (with-open [fd (PidFd/open (int pid))]
    (PidFd/signal fd 9)))

;; --- the end

(defn- await-end!
  "Waits for the end of the child, at most `limit-s`; its exit status or nil."
  [{:keys [^LinkedBlockingQueue events] :as watch} say limit-s]
  (let [until (+ (System/nanoTime) (* 1000000000 (long limit-s)))]
    (loop []
      (let [[event x] (.poll events (max 0 (- until (System/nanoTime))) TimeUnit/NANOSECONDS)]
        (case event
          nil    nil
          :ended x
          :line  (do (told! watch say x) (recur))
          (recur))))))

(defn stop!
  "Ends the supervisor, by SIGTERM, and if that does not help within 20 s by SIGKILL.
  Blocks. Its exit status (PidFd$ExitStatus), or nil when it did not run."
  ^PidFd$ExitStatus [watch say]
  (when @(:child watch)
    (ask-to-end! watch)
    (or (await-end! watch say 20)
        (do (signal! watch 9)
            (await-end! watch say 5)))))

(defn- born-then? [{:record/keys [pid ticks]}]
  (when-let [^Procs$Proc p (and pid (Procs/stat (int pid)))]
    (= ticks (.startTicks p))))

(defn- kill-and-await! [{:keys [^EventLoop loop]} pid]
  (when-let [^Fd fd (try (PidFd/open (int pid)) (catch SysException _ nil))]
    (let [gone (promise)]
      (.post loop (fn []
                    (.add loop fd EventLoop/EPOLLIN
                          (reify EventLoop$Handler
                            (ready [_ _]
                              (.remove loop fd)
                              (deliver gone true))))))
      (try (PidFd/signal fd 9) (catch SysException _ nil))
      (when (deref gone 5000 nil)
        (.close fd)))))

(defn sweep!
  "Kills what a supervisor that did not come to a good end has left running (its zone
  outlives it, and waits for the next one), and removes its control groups. Blocks, while
  the loop of `watch` still runs."
  [watch layout]
  (run! #(kill-and-await! watch %) (others-here))
  (when (Io/stat (:paths/services layout))
    (doseq [{:record/keys [pid netns cgroup name] :as record}
            (:records (record/read-all layout (Procs/bootId)))]
      ;; also one that was spawned and not yet written down
      (when (or (nil? pid) (born-then? record))
        (run! #(kill-and-await! watch %)
              (leftovers/pids {:pid pid :netns netns :cgroup cgroup :name name})))
      (when cgroup (cgroup/remove! cgroup)))))

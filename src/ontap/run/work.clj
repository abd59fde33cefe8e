;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.work
  "Work that has to leave the loop's thread: it enters namespaces, or the kernel
  takes its time. Each piece runs in a fresh platform thread that dies with it, a
  few at once; its result comes back to the loop.

  Used from the loop's thread only."
  (:import (clojure.lang PersistentQueue)
           (ontap.sys EventLoop NsThread)))

(set! *warn-on-reflection* true)

(defn crew
  "A crew of at most `size` threads at once on `loop`."
  [^EventLoop loop size]
  {:loop loop :size size :queue (volatile! PersistentQueue/EMPTY) :busy (volatile! 0)})

(declare next!)

(defn- start! [{:keys [^EventLoop loop busy] :as crew} {:keys [label task done]}]
  (vswap! busy inc)
  (NsThread/start
   (str "ontap-" label)
   (fn []
     (let [result (try {:value (task)} (catch Throwable t {:error t}))]
       (try
         (.post loop (fn []
                       (vswap! busy dec)
                       (try (done result)
                            (finally (next! crew)))))
         ;; the loop is closed: nobody waits for the result
         (catch IllegalStateException _ nil))))))

(defn- next! [{:keys [queue busy size] :as crew}]
  (when (and (< @busy size) (seq @queue))
    (let [work (peek @queue)]
      (vswap! queue pop)
      (start! crew work)
      (recur crew))))

(defn submit!
  "Runs `task` in a thread called ontap-`label`; then `done` in the loop's thread
  with {:value v} or {:error throwable}. Does not block."
  [{:keys [queue] :as crew} label task done]
  (vswap! queue conj {:label label :task task :done done})
  (next! crew))

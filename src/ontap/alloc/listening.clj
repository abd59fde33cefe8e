;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.listening
  "Sockets on which strangers decide how much there is to read: they are listened to in
  turns, so that nobody holds the loop up. Belongs to the loop's thread."
  (:import (ontap.sys Clock EventLoop EventLoop$Handler Fd)))

(set! *warn-on-reflection* true)

(def ^:private pause-ns
  "For how long nobody looks after as many frames as one turn takes: they may come faster
  than anybody reads. What is lost meanwhile is sent again, or learnt from the next sign."
  50000000)

(defn listen!
  "Calls `give` for each event that `receive` (fn [Fd]) -> {:events [..] :more? may there be
  more} has of `fd`, from now on, on `event-loop`."
  [^EventLoop event-loop ^Fd fd receive give]
  (.add event-loop fd EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [this _]
            (let [{:keys [events more?]} (receive fd)]
              (when more?
                (.remove event-loop fd)
                (.at event-loop (+ (Clock/boottimeNanos) (long pause-ns))
                     #(when (.isOpen fd) (.add event-loop fd EventLoop/EPOLLIN this))))
              (run! give events))))))

(defn close!
  "Stops listening to `fd`, and closes it."
  [^EventLoop event-loop ^Fd fd]
  (.remove event-loop fd)
  (.close fd))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.watches
  "Files and folders that are watched (inotify(7)) by one descriptor on an event loop."
  (:import (ontap.sys EventLoop EventLoop$Handler Inotify Inotify$Event)))

(set! *warn-on-reflection* true)

(defn on!
  "Gives each event of `inotify` to the function of its watch: `watches` is a volatile of wd ->
  (fn [event])."
  [^EventLoop event-loop ^Inotify inotify watches]
  (.add event-loop (.fd inotify) EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (doseq [^Inotify$Event e (.read inotify)]
              (when-let [f (get @watches (.wd e))]
                (f e)))))))

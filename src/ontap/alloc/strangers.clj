;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.strangers
  "Closing descriptors that others passed. close(2) of a file on a file system in user
  space waits for whoever serves it, perhaps for ever: those of each packet are closed in
  a thread of their own, and who has many packets that do not close is not listened to
  any more."
  (:import (ontap.sys EventLoop Fd NsThread)))

(set! *warn-on-reflection* true)

(def ^:private most-of-one
  "Packets of one user that may be being closed. More than one user's 64 connections send
  at once: what is no trap closes in microseconds, but a busy machine takes its time."
  80)

(defn strangers
  "Of an event loop: who has how many closings under way. For the loop's thread."
  [loop]
  {:loop loop :closing (volatile! {})})

(defn too-many?
  "Has `uid` too many packets whose descriptors do not close? Root, who could do worse, is
  always listened to."
  [{:keys [closing]} uid]
  (and (not= 0 uid) (<= (long most-of-one) (long (get @closing uid 0)))))

(defn- closed! [{:keys [closing]} uid]
  (vswap! closing (fn [c] (if (< 1 (long (get c uid 1))) (update c uid dec) (dissoc c uid)))))

(defn close!
  "Closes `fds` of one packet, passed by `uid`. Does not block."
  [{:keys [^EventLoop loop closing] :as strangers} uid fds]
  (when (seq fds)
    (vswap! closing update uid (fnil inc 0))
    (NsThread/start
     "ontap-close"
     (fn []
       (try (run! #(.close ^Fd %) fds)
            (finally
              (try (.post loop #(closed! strangers uid))
                   ;; the loop is closed: nobody counts any more
                   (catch IllegalStateException _ nil))))))))

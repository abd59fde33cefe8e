;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.lease-names
  "What ontapd, and an `ontap up` with VMs, say about whose link is whose (see
  `ontap.alloc.public-names`): followed by inotify(7)."
  (:require [clojure.edn :as edn]
            [ontap.kernel.links :as links]
            [ontap.run.paths :as paths]
            [ontap.run.watches :as watches])
  (:import (java.io File IOException)
           (java.nio.file Files)
           (ontap.sys Inotify Inotify$Event Namespaces Procs SysException)))

(set! *warn-on-reflection* true)

(def files "Their names in the folder of ontapd." ["names.edn" "up-names.edn"])

(defn- of-file
  "{[nsid index] name} of a file; empty for one that is not there, of an earlier boot, of another
  network namespace, or is no such file."
  [^File file boot-id netns]
  (try
    (let [{:names/keys [v of] :as all} (edn/read-string (Files/readString (.toPath file)))]
      (if (and (= 1 v) (= boot-id (:names/boot-id all)) (= netns (:names/netns all)))
        of
        {}))
    (catch IOException _ {})
    (catch RuntimeException _ {})))

(defn own-netns
  "The identity of this process's network namespace, {:dev :ino}."
  []
  (with-open [own (Namespaces/ofThread "net")] (links/ns-id own)))

(defn- reader
  "A function that gives the event of what the files say now."
  [env]
  (let [dir (paths/daemon-dir env), boot-id (Procs/bootId), netns (own-netns)]
    (fn []
      {:event/type  :lease/names
       :lease/names (into {} (map #(of-file (File. ^String dir ^String %) boot-id netns)) files)})))

(defn now
  "{:event/type :lease/names :lease/names {[nsid index] name}}: what is said now."
  [env]
  ((reader env)))

(defn follow!
  "Calls `tell` with the event of `now` at once, and at each change, in the thread of `loop`."
  [{:keys [loop ^Inotify inotify env tell]}]
  (let [dir     (paths/daemon-dir env)
        read!   (reader env)
        last    (volatile! nil)
        look!   (fn []
                  (let [event (read!)]
                    (when (not= event @last)
                      (vreset! last event)
                      (tell event))))
        watches (volatile! {})]
    (watches/on! loop inotify watches)
    (try
      (vswap! watches assoc (.watch inotify dir (int Inotify/IN_MOVED_TO))
              (fn [^Inotify$Event e] (when (some #{(.name e)} files) (look!))))
      ;; no such folder, or not for us
      (catch SysException _ nil))
    (look!)))

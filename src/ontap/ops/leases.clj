;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.leases
  "What ontapd has handed out, as a client sees it."
  (:require [clojure.string :as str]
            [ontap.alloc.client :as client]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths])
  (:import (java.io File)
           (ontap.sys Users Users$User)))

(set! *warn-on-reflection* true)

(defn sockets
  "The paths of the sockets in the folder of ontapd, or of the one for `target` (a port's
  name, or a path)."
  [env target]
  (let [dir (paths/daemon-dir env)]
    (cond
      (nil? target)               (sort (for [^File f (.listFiles (File. ^String dir))
                                              :when (str/starts-with? (.getName f) "port.")]
                                          (.getPath f)))
      (str/includes? target "/") [target]
      :else                      [(str dir "/port." target)])))

(defn- no-socket [env]
  (let [dir (File. ^String (paths/daemon-dir env))]
    (ex-info (if (and (.exists dir) (not (.canRead dir)))
               (str "unable to look for ontapd: " dir " is not yours to read")
               (str "no ontapd: there is no socket in " dir "; `ontapd PORT`, as root, makes one"))
             {:kind :exit :status 111})))

(defn- first-answer
  "What `ask` gives of the first socket that answers: any of them tells of all leases."
  [env target ask]
  (let [all (sockets env target)]
    (when (empty? all)
      (throw (no-socket env)))
    (loop [[path & more] all]
      (let [[answer failure] (try [(ask path) nil]
                                  (catch clojure.lang.ExceptionInfo e
                                    (if (or (empty? more) (:refusal (ex-data e))) (throw e) [nil e])))]
        (if failure (recur more) answer)))))

(defn all
  "The leases that the caller may see, of the ontapd of `env`; `target` a port or a
  socket, or nil."
  [env target]
  (first-answer env target client/leases))

(defn release!
  "Ends lease `id`; returns once its link is gone."
  [env id]
  (first-answer env nil #(client/release! % id)))

(defn- user-of [uid]
  (if-let [^Users$User u (some-> uid int Users/byUid)] (.name u) (str uid)))

(defn- columns [now]
  [["ID"        (comp str :lease/id)]
   ["NAME"      #(or (:lease/name %) "-")]
   ["TYPE"      :lease/type]
   ["PORT"      :lease/port]
   ["LINK"      #(or (:lease/link %) "-")]
   ["STATE"     #(if (= :host (:lease/held %)) "host" (name (:lease/state %)))]
   ["USER"      (comp user-of :lease/uid)]
   ["PID"       #(str (or (when-not (= :kept (:lease/state %)) (:lease/pid %)) "-"))]
   ["SINCE"     #(if-let [at (:lease/since-epoch-ms %)] (status/duration-text (max 0 (- now at))) "-")]
   ["HWADDR"    #(or (:lease/hwaddr %) "-")]
   ["ADDRESSES" #(str/join " " (:lease/addresses %))]])

(defn table
  "Lines of a table of `leases`, at `now` (ms since 1970)."
  [leases now]
  (status/lines (columns now) leases))

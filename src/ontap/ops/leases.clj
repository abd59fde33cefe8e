;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.leases
  "What ontapd has handed out, as a client sees it, and beside it what the caller's own
  `ontap up` has made by itself."
  (:require [clojure.string :as str]
            [ontap.alloc.client :as client]
            [ontap.ops.client :as control]
            [ontap.ops.note :as note]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths])
  (:import (java.io File)
           (ontap.sys SysException Users Users$User)))

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
    (if (and (.exists dir) (not (.canRead dir)))
      (ex-info (str "unable to look for ontapd: " dir " is not yours to read") {:kind :exit :status 111})
      (ex-info (str "no ontapd: there is no socket in " dir "; `ontapd PORT`, as root, makes one")
               {:kind :exit :status 111 :later? true}))))

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

(defn- of-up
  "The links that the `ontap up` of the caller has made by itself, or nil when none runs."
  [env]
  (try
    (control/ask (paths/layout (paths/runtime-dir env (paths/caller))) {:command :leases})
    ;; none is no mistake here, nor is one that came before this question
    (catch clojure.lang.ExceptionInfo _ nil)
    (catch SysException _ nil)))

(defn all
  "The leases that the caller may see, of the ontapd of `env`, and then the links of an
  `ontap up`, whose :lease/id is nil; `target` a port or a socket of ontapd, or nil. Throws
  with :kind :exit when there is neither."
  [env target]
  (let [socket? (and target (str/includes? target "/"))
        ours    (when-not socket? (of-up env))
        lent    (try
                  (first-answer env target client/leases)
                  (catch clojure.lang.ExceptionInfo e
                    (when-not ours (throw e))
                    (when-not (:later? (ex-data e)) (note/line! :warning nil (ex-message e)))
                    []))]
    (into (vec lent)
          (filter #(or (nil? target) (= target (:lease/port %))))
          ours)))

(defn release!
  "Ends lease `id`; returns once its link is gone."
  [env id]
  (first-answer env nil #(client/release! % id)))

(defn- user-of [uid]
  (if-let [^Users$User u (some-> uid int Users/byUid)] (.name u) (str uid)))

(defn- addresses
  "Those that are known of, that of DHCP first, once it is on the link."
  [{:lease/keys [addresses] :dhcp/keys [ip state]}]
  (distinct (cond->> addresses (and ip (contains? #{:bound :renewing :rebinding} state)) (cons ip))))

(defn- left-text [left]
  (cond (= :infinite left) "forever"
        left               (status/duration-text (* 1000 left))
        :else              "-"))

(def ^:private columns
  [["ID"        #(str (or (:lease/id %) "-"))]
   ["NAME"      #(or (:lease/name %) "-")]
   ["TYPE"      :lease/type]
   ["PORT"      :lease/port]
   ["LINK"      #(or (:lease/link %) "-")]
   ["STATE"     #(if (= :host (:lease/held %)) "host" (name (:lease/state %)))]
   ["USER"      (comp user-of :lease/uid)]
   ["PID"       #(str (or (when-not (= :kept (:lease/state %)) (:lease/pid %)) "-"))]
   ["ADDRESSES" #(if-let [ips (seq (addresses %))] (str/join " " ips) "-")]
   ["SERVER"    #(or (:dhcp/server %) "-")]
   ["DHCP"      #(let [{:dhcp/keys [method state]} %]
                   (cond (nil? state) "-" (= [:static :bound] [method state]) "static" :else (name state)))]
   ["LEFT"      #(if (= :static (:dhcp/method %)) "-" (left-text (:dhcp/left-s %)))]])

(defn table
  "Lines of a table of `leases`."
  [leases]
  (status/lines columns leases))

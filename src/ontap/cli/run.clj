;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.run
  "What each command does, once its words are parsed. Each returns an exit status or
  throws with :kind :exit; what it answers goes to standard output."
  (:require [clojure.string :as str]
            [ontap.cli.declared :as declared]
            [ontap.model.mistake :as mistake]
            [ontap.ops.client :as client]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths])
  (:import (java.io File)
           (java.nio.file Files Path)
           (java.util.concurrent ExecutionException FutureTask)))

(set! *warn-on-reflection* true)

(defn- lines! [lines] (run! println lines))

(defn- layout [env] (paths/layout (paths/runtime-dir env (paths/caller))))

(defn- ahead
  "A function that gives what `f` gives; for its first call `f` is at work from now on, in a
  thread of its own."
  [f]
  (let [task  (FutureTask. ^Callable f)
        first (volatile! task)]
    (doto (Thread. task "ontap-read") (.setDaemon true) (.start))
    (fn []
      (if-let [^FutureTask task @first]
        (do (vreset! first nil)
            (try (.get task)
                 (catch ExecutionException e (throw (.getCause e)))))
        (f)))))

(defn up
  "Runs the services of a file until it is told to stop. Blocks."
  [{:keys [arguments env]}]
  (let [file     (first arguments)
        ;; read while the program loads: a machine has two cores
        declared (ahead #(declared/read-file file))]
    ((requiring-resolve 'ontap.ops.system/up!) {:declared declared :file file :env env})))

(defn exec
  "Becomes one service of a file: returns only by throwing."
  [{:keys [arguments env]}]
  (let [[file name] arguments
        services (declared/services! file)
        service  (some #(when (= name (:service/name %)) %) services)]
    (when-not service
      (let [names (map :service/name services)]
        (throw (ex-info (str "there is no service " name " in " file
                             (when-let [near (mistake/nearest name names)]
                               (str "; did you mean " near "?"))
                             "; there are: " (str/join ", " names))
                        {:kind :exit :status 102}))))
    ((requiring-resolve 'ontap.ops.become/exec!) service env)))

(defn- port-there? [port]
  (some #(str/starts-with? (str/triml %) (str port ":"))
        (Files/readAllLines (Path/of "/proc/net/dev" (make-array String 0)))))

(defn- here
  "What is missing on this machine, now: a line each. No mistake of the file: it may
  be written on one machine for another."
  [services]
  (for [{:service/keys [name port] :as service} services
        line [(when-not (port-there? port)
                (str "port " port " is not there now; `ontap up` waits for it"))
              ((requiring-resolve 'ontap.run.launch/obstacle) service)]
        :when line]
    (str "here: " name ": " line)))

(defn check
  "Prints what would be made of a file's services, and what is missing here for it; or
  every mistake. Touches nothing."
  [{:keys [arguments options]}]
  (let [{:keys [services ports zone mistakes found]} (declared/read-any (first arguments))
        edn? (= "edn" (:format options))]
    (when mistakes
      (when edn? (prn {:mistakes found}))
      (declared/fail! mistakes))
    (let [plan ((requiring-resolve 'ontap.model.plan/of) services)]
      (if edn?
        (prn (cond (seq services) plan
                   zone           ((requiring-resolve 'ontap.model.zone-words/public) zone)
                   :else          ports))
        (lines! (concat (when (seq ports) ((requiring-resolve 'ontap.model.port/words) ports))
                        ((requiring-resolve 'ontap.model.plan/words) plan)
                        (when zone ((requiring-resolve 'ontap.model.zone-words/words) zone))
                        (here services)))))
    0))

(defn status
  "Prints the services of the running `ontap up`: a table of all, the facts of those named."
  [{:keys [arguments options env]}]
  (let [rows   (client/ask (layout env) {:command :status :names (vec arguments)})
        others (group-by :host/label ((requiring-resolve 'ontap.ops.names/renamed) env))
        rows   (mapv #(if-let [mdns (get others (:name %))] (assoc % :mdns mdns) %) rows)]
    (cond
      (= "edn" (:format options)) (prn rows)
      (empty? rows)               (println "no services")
      (seq arguments)             (lines! (mapcat status/details rows))
      :else                       (lines! (status/table rows)))
    0))

(defn- asked [command {:keys [arguments env]}]
  (lines! (status/table (client/ask (layout env) {:command command :names (vec arguments)})))
  0)

(defn start
  "Starts services and prints how they are then. Blocks until they are ready."
  [parsed] (asked :start parsed))
(defn stop
  "Stops services and prints how they are then. Blocks until they are down."
  [parsed] (asked :stop parsed))
(defn restart
  "Restarts services and prints how they are then. Blocks until they are ready."
  [parsed] (asked :restart parsed))

(defn reload
  "Has the running `ontap up` read its file again, and prints what that changed."
  [{:keys [env]}]
  (let [{:keys [stopped changed started same]} (client/ask (layout env) {:command :reload})
        say (fn [word names]
              (when (seq names) (println (str word ": " (str/join ", " names)))))]
    (say "stopped" stopped)
    (say "changed" changed)
    (say "new" started)
    (println (str (count same) " left alone"))
    0))

(defn logs
  "Prints the log of a service; with --follow it blocks, and goes on until it is ended."
  [{:keys [arguments options env]}]
  (let [paths (layout env)
        file  (try
                (:log (first (client/ask paths {:command :status :names (vec arguments)})))
                (catch clojure.lang.ExceptionInfo e
                  ;; what was written is worth reading when nobody runs, above all then
                  (let [file (paths/log-file paths {:service/name (first arguments)})]
                    (if (and (= 111 (:status (ex-data e))) (.canRead (File. ^String file))) file (throw e)))))]
    ((requiring-resolve 'ontap.ops.log-reader/show!) file options)
    0))

(defn demo
  "Shows all of it on a LAN of its own. Blocks."
  [{:keys [env]}]
  ((requiring-resolve 'ontap.ops.demo/run!) env))

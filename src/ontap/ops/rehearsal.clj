;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.rehearsal
  "What a build runs once, so that the archive of loaded classes (class-data sharing)
  holds what a start needs: every class of the program, and what the JVM makes on the
  way when `ontap check`, `ontap up`, `ontapd` and those who ask them really run.

  Root rehearses a whole life of a service, and of a link that is handed out, in network
  namespaces of its own thread; anybody else as much of it as the kernel allows. What fails is left out: a start is
  then slower, not wrong."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.cli.declared :as declared]
            [ontap.kernel.events :as events]
            [ontap.main :as main]
            [ontap.model.zone :as zone]
            [ontap.ops.daemon :as daemon]
            [ontap.ops.system :as system]
            [ontap.ops.zone :as ops-zone]
            [ontap.ops.zone-once]
            [ontap.ops.zone-start]
            [ontap.publish.sockets :as sockets]
            [ontap.run.paths :as paths])
  (:import (java.util.jar JarEntry JarFile)
           (ontap.dns Ask)
           (ontap.rtnl LinkSpec Rtnl)
           (ontap.rtnl.kind Veth)
           (ontap.sys Endpoint Io Namespaces NsThread Signals UnixSockets)))

(set! *warn-on-reflection* true)

(defn- load-all!
  "Loads every class of ours in the jar `path`, and Clojure's own core."
  [^String path prefix]
  (with-open [jar (JarFile. path)]
    (doseq [^JarEntry entry (enumeration-seq (.entries jar))
            :let [name (.getName entry)]
            :when (and (str/starts-with? name prefix) (str/ends-with? name ".class"))]
      (try
        (Class/forName (str/replace (subs name 0 (- (count name) 6)) "/" ".") false
                       (.getContextClassLoader (Thread/currentThread)))
        (catch Throwable _ nil)))))

(def ^:private services
  "[{:name \"one\" :port \"up0\" :type \"macvlan\" :user \"root\" :caps \"+net_bind_service,+net_raw\"
     :ipv4 \"10.0.0.5/24\" :acd false :ipv6 :none :env {:A \"b\"} :limits {:nofile 64} :ready {:fd 3}
     :exec [\"sh\" \"-c\" \"echo >&3; exec sleep 60\"]}
    {:name \"two\" :port \"up0\" :type \"macvlan\" :user \"nobody\" :ipv6 :none :ipv4 \"10.0.0.6/24\" :acd false
     :requires [\"one\"] :restart {:limit 1 :delay \"10ms\"} :exec [\"true\"]}]")

(defn- quietly [f]
  (binding [*out* (java.io.StringWriter.) *err* (java.io.StringWriter.)]
    (try (f) (catch Throwable _ nil))))

(defn- ontap [env & words] (quietly #(main/run words env)))

(defn- ask! [env]
  (doseq [words [["start" "one"] ["status"] ["status" "one"] ["logs" "one"]
                 ["restart" "one"] ["reload"] ["stop" "two"]]]
    (apply ontap env words))
  (Io/kill (Io/getpid) (Signals/number "TERM")))

(defn- ask-ontapd!
  "Takes a link, as far as it goes: what is to be run is an empty file."
  [env program]
  (doseq [words [["-t" "macvlan" "--name" "vm" "up0" "--" program] ["leases"] ["release" "1"]]]
    (apply ontap env words))
  (Io/kill (Io/getpid) (Signals/number "TERM")))

(defn- ask-zone! [env]
  (with-open [rtnl (Rtnl/open)]
    (.setAlias rtnl (.index (.link rtnl "lan0")) "one"))
  (Ask/ask (Endpoint/of "127.0.0.1" 53) (Endpoint/of "127.0.0.1" 0) "one.zone" "AAAA" 1000)
  (doseq [words [["names"] ["explain" "one"]]] (apply ontap env words))
  (Io/kill (Io/getpid) (Signals/number "TERM")))

(defn- zone-life!
  "A zone as it serves, with what it would hand itself."
  [env]
  (with-open [rtnl (Rtnl/open)] (.setUp rtnl 1))
  (let [dir     (paths/runtime-dir env (paths/caller))
        zone    (:value (zone/of-options {:domain "zone" :listen ["0.0.0.0:53"]} (declared/machine)))
        monitor (events/open-monitor {:routes? true})
        fds     (sockets/bind-all! (:zone/listen zone))]
    (paths/make-dir! (paths/zone-dir dir) 0700)
    (paths/make-dir! (str (paths/state-dir env (paths/caller)) "/zone") 0700)
    (let [control (UnixSockets/listen (paths/zone-control dir) 0600)
          asker   (delay (NsThread/start "zone-asker" #(ask-zone! env)))]
      (ops-zone/serve! {:zone zone :fds {:monitor (.fd monitor) :control control} :sockets fds :known []
                        :state-dir (str (paths/state-dir env (paths/caller)) "/zone")}
                       env #(force asker)))))

(defn- life!
  "`ontap up` of the services, a few questions to it, SIGTERM; the same of ontapd and of a zone;
  in a fresh namespace."
  [env file program]
  (Namespaces/unshare Namespaces/CLONE_NEWNET)
  (with-open [rtnl (Rtnl/open)]
    (.createLink rtnl (.withUp (LinkSpec/of "up0" (Veth/to "lan0"))))
    (.setUp rtnl (.index (.link rtnl "lan0"))))
  (quietly #(system/up! {:declared (fn [] (declared/read-file file))
                         :env      env
                         :ready!   (fn [] (NsThread/start "asker" (fn [] (ask! env))))}))
  ;; as it is: to drop its capabilities it would become another program
  (quietly #(daemon/serve-as-is! {:configured (fn [] (declared/ports-named ["up0"]))
                                  :env        env
                                  :verbosity  :info
                                  :ready!     (fn [] (NsThread/start "client" (fn [] (ask-ontapd! env program))))}))
  (quietly #(zone-life! env)))

(def ^:private limit-ms "How long a life may take." 20000)

(defn -main [jar]
  (let [dir  (.getParentFile (io/file jar))
        lib  (io/file dir "lib")
        temp (.toFile (java.nio.file.Files/createTempDirectory
                       "ontap-rehearsal-" (make-array java.nio.file.attribute.FileAttribute 0)))
        file (io/file temp "services.edn")
        none (io/file temp "no-program")
        env  (assoc (into {} (System/getenv))
                    "ONTAP_RUNTIME_DIR" (str temp "/run")
                    "ONTAP_STATE_DIR" (str temp "/state"))]
    (try
      (load-all! jar "")
      (doseq [f (.listFiles lib)
              :when (re-find #"/(clojure|tools\.cli|jna)-[0-9.]+\.jar$" (str f))]
        (load-all! (str f) (if (re-find #"/jna" (str f)) "com/sun/jna/N" "clojure/")))
      (spit file services)
      (Io/replace (str none) (byte-array 0) 0755)
      (ontap env "--help")
      (ontap env "check" (str file))
      (ontap env "check" "--format" "edn" (str file))
      (ontap env "status")
      (doto (NsThread/start "rehearsal" #(quietly (fn [] (life! env (str file) (str none)))))
        (.join limit-ms)
        ;; a build does not wait for what should have ended: all is stopped, as by hand
        (as-> ^Thread life (when (.isAlive life)
                             (Io/kill (Io/getpid) (Signals/number "TERM"))
                             (.join life limit-ms))))
      (finally
        (run! io/delete-file (reverse (file-seq temp)))))
    (shutdown-agents)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.secondaries
  "Secondaries of a zone on the peer of a LAN: NSD and Knot, each on a port of its own, with its
  configuration, zones and state in the LAN's scratch folder. They are those of the machine, or
  those that bin/test unpacked below target/unpacked."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(def ^:private unpacked (.getAbsoluteFile (io/file "target/unpacked")))

(def ^:private program {:nsd "nsd" :knot "knotd"})
(def ^:private package {:nsd "nsd" :knot "knot"})

(defn- found
  "{:path :env} of a program, or nil."
  [name]
  (let [here (str/trim (:out (testing/run {} "sh" "-c" "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v -- \"$1\" || :" "sh" name)))
        ours (some #(let [f (io/file unpacked %)] (when (.canExecute f) f))
                   [(str "usr/sbin/" name) (str "usr/bin/" name)])]
    (cond (not= "" here) {:path here :env {}}
          ours           {:path (str ours)
                          :env  {"LD_LIBRARY_PATH"
                                 (str/join ":" (filter #(str/ends-with? % "-linux-gnu")
                                                       (map str (.listFiles (io/file unpacked "usr/lib")))))}})))

(defn needs!
  "Leaves the test unless the servers `kinds` (:nsd, :knot) are here."
  [& kinds]
  (doseq [kind kinds]
    (when-not (found (program kind))
      (testing/skip! (str (program kind) " is not here (Debian: " (package kind) ")")))))

(defn- block
  "Lines of a configuration below a head."
  [head & lines]
  (str head "\n" (str/join (map #(str "  " % "\n") lines))))

(defn- nsd-conf [{:keys [dir at port primary key-name secret zones]}]
  (str (block "server:"
              (str "ip-address: " at "@" port) "server-count: 1" "username: \"\"" "chroot: \"\"" "database: \"\""
              (str "zonesdir: " dir) (str "pidfile: " dir "/nsd.pid") (str "xfrdfile: " dir "/xfrd.state")
              (str "xfrdir: " dir) (str "zonelistfile: " dir "/zone.list") "verbosity: 3"
              ;; else it waits a second between two changes that it takes over
              "xfrd-reload-timeout: 0")
       (block "remote-control:" "control-enable: no")
       (block "key:" (str "name: " key-name) "algorithm: hmac-sha256" (str "secret: \"" secret "\""))
       (str/join (for [zone zones]
                   (block "zone:" (str "name: " zone) (str "zonefile: " zone ".zone")
                          (str "allow-notify: " primary " " key-name) (str "request-xfr: " primary " " key-name)
                          (str "provide-xfr: " at " NOKEY"))))))

(defn- knot-conf [{:keys [dir at port primary key-name secret zones]}]
  (str (block "server:" (str "rundir: " dir) (str "listen: " at "@" port) "udp-workers: 1" "tcp-workers: 1" "background-workers: 1")
       (block "log:" "- target: stdout" "  any: info")
       (block "database:" (str "storage: " dir))
       (block "key:" (str "- id: " key-name) "  algorithm: hmac-sha256" (str "  secret: " secret))
       (block "remote:" "- id: primary" (str "  address: " primary "@53") (str "  key: " key-name))
       (block "acl:"
              "- id: told" (str "  address: " primary) (str "  key: " key-name) "  action: notify"
              "- id: shown" (str "  address: " at) "  action: transfer")
       (block "template:" "- id: default" (str "  storage: " dir) "  acl: [told, shown]" "  master: primary")
       (str/join (cons "zone:\n" (for [zone zones] (str "  - domain: " zone "\n"))))))

(defn start
  "Starts a secondary `kind` (:nsd, :knot) at the peer of `lan`, on `port` of its address `:at`, of
  the `:zones` of the `:primary` address, with the `:secret` of `:key-name`: see `lan/spawn`, and
  :at, :port. It serves when it has transferred: ask it. Ended with the LAN."
  [lan kind port {:keys [at] :as terms}]
  (let [dir  (io/file (:dir lan) (str (name kind) "-" port))
        conf (io/file dir "conf")
        {:keys [path env]} (found (program kind))]
    (.mkdirs dir)
    (spit conf (({:nsd nsd-conf :knot knot-conf} kind) (assoc terms :dir (.getPath ^File dir) :port port)))
    (let [it (apply lan/spawn {:env env :dir dir}
                    (lan/in (:peer lan) path (if (= :nsd kind) "-d" "-v") "-c" (.getPath conf)))]
      (swap! (:supervisors lan) conj it)
      (assoc it :kind kind :at at :port port))))

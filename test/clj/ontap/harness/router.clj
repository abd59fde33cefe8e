;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.router
  "A router on the test LAN: the project's own sender of advertisements, in the peer's
  namespace, as a process of its own."
  (:require [clojure.java.io :as io]
            [ontap.harness.lan :as lan]))

(set! *warn-on-reflection* true)

(def ^:private app
  "What bin/ontap built."
  (str (.getParentFile (.getParentFile (io/file lan/program))) "/target/ontap"))

(defn start
  "Starts a router at the peer of `lan` that advertises `prefixes` (texts, /64); see
  `lan/spawn`. Blocks until it advertises."
  [lan & prefixes]
  (let [java   (str (System/getProperty "java.home") "/bin/java")
        router (apply lan/spawn {}
                      (into (lan/in (:peer lan)
                              java "-Xlog:disable" "-XX:TieredStopAtLevel=1" "-XX:-UsePerfData"
                              "--enable-native-access=ALL-UNNAMED"
                              (str "-Djna.boot.library.path=" app "/native")
                              "-Djna.nosys=true" "-Djna.nounpack=true"
                              "-cp" (str app "/ontap.jar")
                              "ontap.ndp.RouterAdvertiser" "lan0")
                            prefixes))]
    (lan/await-line router #"^advertising")
    router))

(defmacro with-router
  "Runs the body with a router at the peer of `lan` that advertises `prefix`."
  [[lan prefix] & body]
  `(let [router# (start ~lan ~prefix)]
     (try ~@body (finally (lan/end! router# "TERM")))))

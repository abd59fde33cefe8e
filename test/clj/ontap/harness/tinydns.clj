;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.tinydns
  "The real tinydns-data(8) and tinydns(8), and dig(1) as the witness of what a DNS server answers.
  A server runs in the network namespace of the thread that starts it, on port 53, and is ended by
  its process."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

;; --- tinydns

(def ^:private folders
  ["/usr/bin" "/usr/local/bin" "/usr/sbin" "/usr/local/sbin"
   "target/unpacked/usr/bin" "target/unpacked/usr/sbin"])

(defn program
  "The absolute path of a program of the package, or nil."
  [name]
  (some (fn [folder] (let [f (io/file folder name)] (when (.canExecute f) (.getAbsolutePath f)))) folders))

(defn needs!
  "Leaves the test unless tinydns is here."
  []
  (when-not (and (program "tinydns") (program "tinydns-data"))
    (testing/skip! "tinydns is not here (Debian: tinydns)")))

(defn compile!
  "Makes `text` the data of folder `dir`, by tinydns-data; what that says on standard error, \"\" when it is content."
  [^File dir text]
  (spit (io/file dir "data") text)
  (let [{:keys [exit err]} (testing/run {:dir dir} (program "tinydns-data"))]
    (if (= 0 exit) err (str "exit " exit ": " err))))

(defn start!
  "Starts tinydns on `ip`, with the data.cdb of `dir`, where the calling thread is; what `lan/spawn` gives."
  [^File dir ip]
  (doto (lan/spawn {:env {"ROOT" (.getAbsolutePath dir) "IP" ip "UID" 65534 "GID" 65534}} (program "tinydns"))
    (lan/await-line #"starting tinydns")))

;; --- dig

(defn needs-dig!
  "Leaves the test unless dig is here."
  []
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v dig")))
    (testing/skip! "dig is not installed (Debian: bind9-dnsutils)")))

(defn- record
  "[name ttl type data] of a line of an answer, the name without its last dot."
  [line]
  (let [[name ttl _ type data] (str/split line #"\s+" 5)]
    [(str/replace name #"\.$" "") (parse-long ttl) type data]))

(defn- section [text title]
  (let [[_ lines] (re-find (re-pattern (str "(?s);; " title " SECTION:\n(.*?)(?:\n\n|$)")) text)]
    (into [] (comp (remove str/blank?) (map record)) (some-> lines str/split-lines))))

(defn- reply [text]
  (let [[_ name type] (re-find #"(?m)^;([^;\s]+)\.?\s+IN\s+(\S+)$" text)]
    [[(str/replace (or name "") #"\.$" "") type]
     {:rcode     (second (re-find #"status: ([A-Z]+)," text))
      :flags     (set (str/split (str/trim (or (second (re-find #"flags:([a-z ]*);" text)) "")) #" "))
      :answer    (section text "ANSWER")
      :authority (section text "AUTHORITY")}]))

(defn ask
  "What the server at `server`, port 53, answers to queries [[name type]] from the address `from`, by one dig, where the
  calling thread is: {[name type] {:rcode text :flags #{text} :answer [[name ttl type data]] :authority […]}}, by UDP
  without EDNS. A query without an answer has none in the map. Blocks."
  [server from queries]
  (testing/with-temp-dir [dir]
    (let [batch (io/file dir "queries")]
      (spit batch (apply str (map (fn [[name type]] (str name " " type "\n")) queries)))
      (let [{:keys [exit out err]} (testing/run {:limit-s 100} "dig" (str "@" server) "-b" from
                                     "+noedns" "+norecurse" "+ignore" "+time=5" "+tries=3" "+nocmd" "+noall" "+comments"
                                     "+question" "+answer" "+authority" "-f" batch)]
        (when-not (contains? #{0 9} exit) (throw (ex-info (str "dig: " err) {:exit exit})))
        (into {} (comp (filter #(str/includes? % "SECTION")) (map reply))
              (str/split out #"(?m)^(?=;; Got answer:)"))))))

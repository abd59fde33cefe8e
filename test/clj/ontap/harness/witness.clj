;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.witness
  "What ip(8) sees in network namespaces, beside what an inventory holds of them. In each namespace a shell stays
  that carries out one line after the other, so that looking costs no start of a JVM's process."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [ontap.testing :as testing])
  (:import (java.io BufferedReader)
           (java.lang ProcessBuilder$Redirect)
           (java.util.concurrent Callable TimeUnit)
           (ontap.sys Mounts Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(defn alone
  "Calls `f` in a thread with a network namespace of its own and a /run of its own, so that ip-netns(8) names nothing
  of the machine's. What `f` starts is there, too."
  [f]
  (NsThread/call
    "test-world"
    ^Callable
    (bound-fn []
      (try (Namespaces/unshare (bit-or Namespaces/CLONE_FS Namespaces/CLONE_NEWNS Namespaces/CLONE_NEWNET))
           (catch SysException _ (testing/not-applicable! "making namespaces needs CAP_SYS_ADMIN")))
      (Mounts/makePrivate "/" true)
      (Mounts/tmpfs "/run" "mode=755")
      (f))))

(def ^:private obey "while read -r line; do eval \"$line\" </dev/null; echo \"=$?\"; done")

(defn shell
  "Starts a shell after `words`, such as unshare(1) or nsenter(1): {:process :pid :writer :reader}."
  [& words]
  (let [process (-> (ProcessBuilder. ^java.util.List (into (mapv str words) ["sh" "-c" obey]))
                    (.redirectError ProcessBuilder$Redirect/DISCARD)
                    (.start))]
    {:process process :pid (.pid process) :writer (.outputWriter process) :reader (.inputReader process)}))

(defn ask!
  "Gives the shell a line to carry out, for `answer!`."
  [{:keys [^java.io.Writer writer]} line]
  (.write writer (str line "\n"))
  (.flush writer))

(defn answer!
  "What came of a line: [exit status, lines that it printed]. Blocks."
  [{:keys [^BufferedReader reader pid]}]
  (loop [out []]
    (let [got (.readLine reader)]
      (cond (nil? got)                 (throw (ex-info "a shell has ended" {:pid pid :out out}))
            (str/starts-with? got "=") [(parse-long (subs got 1)) out]
            :else                      (recur (conj out got))))))

(defn say!
  "Has the shell carry out a line, and gives the answer. Blocks."
  [shell line]
  (ask! shell line)
  (answer! shell))

(defn end!
  "Kills the shell, and waits for that."
  [{:keys [^Process process]}]
  (.destroyForcibly process)
  (when-not (.waitFor process 20 TimeUnit/SECONDS)
    (throw (ex-info "a process does not end" {:pid (.pid process)}))))

(defn- json
  "The JSON of ip(8): as EDN, without the colons behind its keys."
  [text]
  (edn/read-string (str/replace text #"(\"(?:[^\"\\]|\\.)*\"):" "$1 ")))

;; --- one form for both: {index {:name :alias :up? :running? :addresses #{[ip prefix scope flags]}}}

(defn- flags-of-ip [{:strs [tentative dadfailed deprecated temporary secondary dynamic]}]
  (cond-> #{}
    tentative                (conj :tentative)
    dadfailed                (conj :dadfailed)
    deprecated               (conj :deprecated)
    (or temporary secondary) (conj :temporary)
    (not dynamic)            (conj :permanent)))

(def look "The line that makes a shell tell what ip(8) sees; without -d it leaves aliases out." "ip -j -d addr")

(defn seen
  "What ip(8) sees, from the `answer!` to `look`. The alias of a link that is down is left out: the kernel tells
  nobody that it changed, until the link is set up."
  [[_ lines]]
  (into {}
        (for [{:strs [ifindex ifname ifalias flags addr_info]} (json (str/join lines))
              :when ifindex
              :let [up? (boolean (some #{"UP"} flags))]]
          [ifindex {:name      ifname
                    :alias     (when up? ifalias)
                    :up?       up?
                    :running?  (and up? (not-any? #{"NO-CARRIER"} flags))
                    :addresses (into #{} (keep (fn [{:strs [local prefixlen scope] :as a}]
                                                 (when local
                                                   [local prefixlen (keyword scope) (flags-of-ip a)])))
                                     addr_info)}])))

(defn held
  "What the inventory holds of namespace `nsid`, in the same form."
  [inventory nsid]
  (into {}
        (for [[_ index :as at] (get-in inventory [:inv/places nsid])
              :let [{:link/keys [name alias up? running?]} (get-in inventory [:inv/links at])]]
          [index {:name      name
                  :alias     (when up? alias)
                  :up?       up?
                  :running?  running?
                  :addresses (into #{} (map (fn [{:addr/keys [ip prefix scope flags]}] [ip prefix scope flags]))
                                   (concat (vals (get-in inventory [:inv/addresses at]))
                                           (vals (get-in inventory [:inv/doubles at]))))}])))

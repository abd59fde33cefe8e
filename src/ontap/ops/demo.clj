;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo
  "`ontap demo`: a LAN in network namespaces, three services on it, run as `ontap up`
  runs them, one of them asked from another host, also by its name, one killed, all
  stopped, nothing left.

  It first becomes itself again in a network namespace of its own (an ordinary user:
  also a user namespace), by unshare(1), with the same pid; there is no other place
  in which it makes anything, but for a scratch folder."
  (:refer-clojure :exclude [run!])
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.ops.demo-file :as file]
            [ontap.ops.demo-lan :as lan]
            [ontap.ops.demo-names :as names]
            [ontap.ops.demo-up :as up]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths])
  (:import (java.io File)
           (java.nio.file Files Path)
           (java.util.concurrent TimeUnit)
           (ontap.sys EventLoop Exec Executables Io PidFd$ExitStatus Signals SysException)))

(set! *warn-on-reflection* true)

(def ^:private marker
  "The variable that tells the second run the namespace of the first."
  "ONTAP_DEMO_LEFT")

(def ^:private limit-s "A machine on which it takes longer does not work." 90)

(defn- say
  "Lines for the person; a terminal that has gone is no reason to stop before all is
  cleaned up (PrintStream never throws)."
  [& lines]
  (doseq [line lines] (.println System/out (str line)))
  (.flush System/out))

(defn- indented [prefix lines] (map #(str/trimr (str prefix %)) lines))

(defn- path ^Path [text] (Path/of text (make-array String 0)))

;; --- into namespaces of its own

(defn- own-network [] (str (Files/readSymbolicLink (path "/proc/self/ns/net"))))

(def ^:private as-root ["--net" "--"])
(def ^:private as-user ["--user" "--map-root-user" "--net" "--"])

(defn- refusal
  "Why `words` cannot be run, nil when they can."
  [words]
  (let [process (-> (ProcessBuilder. ^java.util.List (conj words "true"))
                    (.redirectErrorStream true)
                    .start)]
    (.close (.getOutputStream process))
    (let [said (str/trim (slurp (.getInputStream process)))]
      (when-not (zero? (.waitFor process))
        (if (seq said) said (str "exit status " (.exitValue process)))))))

(defn- way-in
  "The words that run a command in namespaces of its own, as far as this user may."
  []
  (let [unshare (or (Executables/find "unshare" (str (System/getenv "PATH") ":/usr/bin:/bin"))
                    (throw (ex-info "unable to find unshare, which util-linux has; install util-linux"
                                    {:kind :exit :status 111})))
        ways    (map #(into [unshare] %) (if (zero? (Io/geteuid)) [as-root as-user] [as-user]))
        tried   (map (juxt identity refusal) ways)]
    (or (some (fn [[words why]] (when-not why words)) tried)
        (throw (ex-info (str "unable to make a network of its own for the demonstration: "
                             (second (last tried))
                             (if (zero? (Io/geteuid))
                               "; this takes CAP_SYS_ADMIN, which a container may have to be given"
                               (str "; this machine does not let an ordinary user make user namespaces"
                                    " (sysctl kernel.apparmor_restrict_unprivileged_userns=0 or"
                                    " kernel.unprivileged_userns_clone=1 allows it, where there is one);"
                                    " as root it works: sudo ontap demo")))
                        {:kind :exit :status 111})))))

(defn- go-inside!
  "Becomes this program again, in namespaces of its own. Returns only by throwing."
  [env]
  (let [words (-> (way-in) (into (up/own-command)) (conj "demo"))]
    (Exec/runInSession (first words) words
                       (mapv (fn [[k v]] (str k "=" v)) (assoc env marker (own-network)))
                       {})))

;; --- the story

(defn- row [rows name] (some #(when (= name (:name %)) %) rows))

(defn- all-ready? [rows] (every? #(= :ready (:state %)) rows))

(defn- routable6
  "The address of the LAN that wiki made itself of what the router advertises, nil as long as it has not."
  [rows]
  (some #(when (str/starts-with? % "fd00:77:") %) (:addresses (row rows "wiki"))))

(defn- supervisor-says [line] (say (str "   | " line)))

(defn- fetch-as! [place url address]
  (let [note (when-not (str/includes? url address) (str "        (" address ")"))]
    (say (str "   router$ GET " url note))
    (apply say (indented "   | "
                         (try (lan/fetch place address 80)
                              (catch SysException e
                                (throw (up/failure (str "unable to fetch " url ": " (ex-message e)))))
                              (catch clojure.lang.ExceptionInfo e
                                (throw (up/failure (str "unable to fetch " url ": " (ex-message e))))))))))

(defn- fetch! [place address]
  (fetch-as! place (str "http://" (if (str/includes? address ":") (str "[" address "]") address) "/") address))

(defn- by-name! [{:keys [place] :as given}]
  (say "" "6. Each has a name as soon as it has an address. Not everybody is told the same:")
  (names/await-all! given)
  (apply say (indented "   " (names/table place)))
  (let [wiki (names/of "wiki")]
    (fetch-as! place (str "http://" wiki "/") (first (names/await-addresses! given wiki)))))

(defn- kill-one! [{:keys [watch place] :as given} layout rows]
  (let [{:keys [pid addresses]} (row rows "www")]
    (say "" "7. What if one dies?"
         (str "   $ kill -9 " pid "        (www)"))
    (up/kill! pid)
    (let [rows  (up/await-rows! watch layout supervisor-says
                                #(let [www (row % "www")]
                                   (and (= :ready (:state www)) (not= pid (:pid www)))))
          again (row rows "www")]
      (say (str "   It is back as process " (:pid again) ", at " (first (:addresses again))
                " as before; the others did not notice."))
      (when-not (= (first addresses) (first (:addresses again)))
        (throw (up/failure (str "www came back at " (first (:addresses again)) ", not at "
                                (first addresses)))))
      (let [www (names/of "www")]
        (names/await-addresses! given www #(= (take 1 addresses) %))
        (say "   Its name went with its namespace, and is back too:")
        (fetch-as! place (str "http://" www "/") (first addresses))))))

(defn- tell-place! [type]
  (say "1. A LAN was made, of network namespaces: this host, with the port up0, and a router"
       "   at the other end of the cable: 10.77.0.1 and fd00:77::1. It advertises fd00:77::/64 and"
       "   2001:db8:77::/64; behind it is the world.")
  (when-not (= "ipvlan" type)
    (say "   This kernel has no ipvlan; the services will use macvlan.")))

(defn- tell!
  "The whole demonstration, between the making of the place and its end."
  [{:keys [watch dir place env] :as given}]
  (let [type   (or (lan/link-type)
                   (throw (up/failure (str "this kernel can make neither ipvlan nor macvlan links;"
                                           " one that has the module macvlan can: modprobe macvlan"))))
        text   (file/declarations {:dir dir :type type :java (first (up/own-command))})
        file   (str dir "/services.edn")
        given  (assoc given :say supervisor-says)
        layout (paths/layout (str dir "/run"))]
    (tell-place! type)
    (file/write! dir "services.edn" 0644 text)
    (say "" (str "2. Three services are declared, and a zone for their names, in " file ":") "")
    (apply say (indented "   " (str/split-lines text)))
    (say "" "3. They are started; each waits for its addresses, and www for db. Beside them"
         "   runs a DNS server."
         (str "   $ ontap up " file))
    (up/start! watch file (assoc (dissoc env marker)
                                 "ONTAP_RUNTIME_DIR" (:paths/dir layout)
                                 "ONTAP_STATE_DIR" (str dir "/state")))
    (up/await-rows! watch layout supervisor-says all-ready?)
    (names/await-zone! given)
    ;; ready with the first of its addresses, it gets the second, of which no line tells
    (let [rows (up/await! watch supervisor-says "wiki to have an address of each prefix" 15
                          #(let [rows (up/status layout)] (when (routable6 rows) rows)))]
      (say "" "4. All run, each in a namespace of its own, at addresses of its own."
           "   $ ontap status")
      (apply say (indented "   " (status/table rows)))
      (say "" "5. Another host of the LAN asks for a page. wiki made its address itself, of what"
           "   the router advertises:")
      (fetch! place (routable6 rows))
      (by-name! given)
      (kill-one! given layout rows))))

(defn- show-logs!
  "What the services themselves wrote last."
  [dir]
  (doseq [^File log (sort (.listFiles (io/file dir "run" "log")))
          :let [lines (str/split-lines (slurp log))]
          :when (some seq lines)]
    (say (str "   what " (str/replace (.getName log) #"\.log$" "") " wrote:"))
    (apply say (indented "   | " (take-last 20 lines)))))

(defn- clean-exit? [^PidFd$ExitStatus status]
  (and status (not (.signaled status)) (zero? (.code status))))

(defn- told!
  "The demonstration and its end, whatever happens on the way."
  [{:keys [watch dir] :as given}]
  (let [layout (paths/layout (str dir "/run"))]
    (try
      (tell! given)
      (say "" "8. All are stopped, in order (SIGTERM to `ontap up`).")
      (when-not (clean-exit? (up/stop! watch supervisor-says))
        (throw (up/failure "`ontap up` did not come to a good end; what it said stands above")))
      (catch Throwable t
        (let [why (or (up/why-not watch) (up/died watch))]
          (say "" (if why "Broken off; all is stopped." "That went wrong; all is stopped."))
          (up/stop! watch supervisor-says)
          (when-not why (show-logs! dir))
          (throw (or why t))))
      (finally
        (up/sweep! watch layout)))))

(defn- start-loop! ^Thread [^EventLoop loop]
  (doto (Thread. ^Runnable #(.run loop) "ontap-demo-loop")
    (.setDaemon true)
    (.start)))

(defn- with-place
  "Makes the folder and the LAN, has the story told, and removes both."
  [loop watch env]
  (let [dir (file/make-folder! (first (up/own-command)))]
    (try
      (let [place (lan/make! loop)
            thread (start-loop! loop)]
        (try
          (told! {:watch watch :dir dir :place place :env env})
          (finally
            (.stop ^EventLoop loop)
            (.join thread)
            (lan/destroy! place))))
      (finally
        (file/delete-tree! dir)))))

(defn- inside! [env left]
  (when (or (= left (own-network)) (not (lan/untouched?)))
    (throw (ex-info (str "unable to run the demonstration in a network that is in use; unset " marker)
                    {:kind :exit :status 111})))
  (let [begun (System/nanoTime)]
    (with-open [signals (Signals/on (into-array String ["INT" "TERM" "HUP"]))
                loop    (EventLoop. (fn [^Throwable t]
                                      (.println System/err (str "ontap: error: bug: " t))))]
      (say "ontap demo: all of it happens in network namespaces of its own; this machine's own network"
           (str "is not touched." (when (file/one-user?) (str " Inside them you are root; outside you are who you were.")))
           "")
      (with-place loop (up/watch loop signals limit-s) env))
    (say "" (format "Nothing is left of it. That took %.1f s."
                    (/ (.toMillis TimeUnit/NANOSECONDS (- (System/nanoTime) begun)) 1000.0)))
    0))

(defn run!
  "Runs the demonstration for `env`, a map of strings. Blocks; the exit status, or
  throws with :kind :exit and a sentence. Takes SIGINT, SIGTERM and SIGHUP for as
  long as something is there to be cleaned up."
  [env]
  (if-let [left (get env marker)]
    (inside! env left)
    (go-inside! env)))

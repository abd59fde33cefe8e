;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo
  "`ontap demo`: a LAN in network namespaces, three services on it, run as `ontap up`
  runs them, one of them asked from another host, one killed, all stopped, nothing
  left.

  It first becomes itself again in a network namespace of its own (an ordinary user:
  also a user namespace), by unshare(1), with the same pid; there is no other place
  in which it makes anything, but for a scratch folder."
  (:refer-clojure :exclude [run!])
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [ontap.ops.demo-lan :as lan]
            [ontap.ops.demo-up :as up]
            [ontap.ops.status :as status]
            [ontap.run.paths :as paths])
  (:import (java.io File)
           (java.nio.file Files LinkOption Path)
           (java.nio.file.attribute PosixFilePermission)
           (java.util.concurrent TimeUnit)
           (ontap.sys Errno EventLoop Exec Executables Io PidFd$ExitStatus Signals SysException
                      Users)))

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

;; --- the scratch folder

(defn- write! [^File dir name mode text]
  (let [file (io/file dir name)]
    (io/make-parents file)
    (with-open [out (io/output-stream file)]
      (io/copy text out))
    (Io/chmod (.getPath file) (int mode))))

(defn- service-file
  "A web server of one page, for services that may be able to read nothing else of
  this program."
  [java dir]
  (str "#!/bin/sh\n"
       "# A web server of one page. Its one line of output says that it listens.\n"
       "exec '" java "' -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx16m \\\n"
       "  -XX:-UsePerfData -cp '" dir "' ontap.demo.Page \"$@\" >&3\n"))

(defn- new-folder!
  "A folder of a short name that was not there before."
  ^File []
  (loop [tries 100]
    (let [dir (io/file (System/getProperty "java.io.tmpdir") (format "ontap-demo-%04x" (rand-int 65536)))]
      (or (try (Io/mkdir (.getPath dir) 0711)
               dir
               (catch SysException e
                 (when (or (not= Errno/EEXIST (.errno e)) (zero? tries)) (throw e))))
          (recur (dec tries))))))

(defn- make-folder!
  "A folder that every user can pass through, with the program of the services."
  ^File []
  (let [dir (new-folder!)]
    (Io/chmod (.getPath dir) 0711)
    (write! dir "page" 0644 (service-file (first (up/own-command)) dir))
    (with-open [class (io/input-stream (io/resource "ontap/demo/Page.class"))]
      (write! dir "ontap/demo/Page.class" 0644 class))
    (Io/chmod (str dir "/ontap") 0755)
    (Io/chmod (str dir "/ontap/demo") 0755)
    dir))

(defn- delete-tree! [^File dir]
  (doseq [^File f (reverse (file-seq dir))]
    (Files/deleteIfExists (.toPath f))))

;; --- the declarations

(defn- others-reach?
  "Can any user execute the file at `text`?"
  [text]
  (every? (fn [^Path p] (some #{PosixFilePermission/OTHERS_EXECUTE}
                              (Files/getPosixFilePermissions p (make-array LinkOption 0))))
          (take-while some? (iterate #(.getParent ^Path %) (path text)))))

(defn- one-user?
  "Is this a user namespace in which there is nobody but us?"
  []
  (let [[line & more] (str/split-lines (Files/readString (path "/proc/self/uid_map")))]
    (and (nil? more) (= "1" (last (str/split (str/trim line) #"\s+"))))))

(defn- user
  "Whom the services run as: nil where there is no choice."
  [java]
  (cond (one-user?)                                        nil
        (and (Users/byName "nobody") (others-reach? java)) "nobody"
        :else                                              "root"))

(defn- declarations
  "The file of three services, as a person would write it."
  [{:keys [dir type user]}]
  (let [service (fn [name network & more]
                  (str "{:name " (pr-str name) " :port " (pr-str lan/port) " :type " (pr-str type)
                       network "\n  "
                       (when user (str ":user " (pr-str user) " "))
                       ":caps \"+net_bind_service\" :dir " (pr-str (str dir)) "\n  "
                       ":exec [\"sh\" \"page\" \"80\"] :ready {:fd 3}" (apply str more) "}"))]
    (str "["
         (str/join "\n\n "
                   [(service "db" " :ipv4 \"10.77.0.12/24\" :acd false :ipv6 \"fd00:77::12/64\"")
                    (service "www" " :ipv4 \"10.77.0.11/24\" :acd false" "\n  :requires [\"db\"]")
                    (service "wiki" " :ipv4 :none")])
         "]\n")))

;; --- the story

(defn- row [rows name] (some #(when (= name (:name %)) %) rows))

(defn- all-ready? [rows] (every? #(= :ready (:state %)) rows))

(defn- routable6
  "The address that wiki made itself of what the router advertises."
  [rows]
  (some #(when (str/starts-with? % "fd00:77:") %) (:addresses (row rows "wiki"))))

(defn- supervisor-says [line] (say (str "   | " line)))

(defn- fetch! [place address]
  (let [url (str "http://" (if (str/includes? address ":") (str "[" address "]") address) "/")]
    (say (str "   router$ GET " url))
    (apply say (indented "   | "
                         (try (lan/fetch place address 80)
                              (catch SysException e
                                (throw (up/failure (str "unable to fetch " url ": " (ex-message e)))))
                              (catch clojure.lang.ExceptionInfo e
                                (throw (up/failure (str "unable to fetch " url ": " (ex-message e))))))))))

(defn- kill-one! [watch layout rows]
  (let [{:keys [pid addresses]} (row rows "www")]
    (say "" "6. What if one dies?"
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
                                (first addresses))))))))

(defn- tell-place! [type]
  (say "1. A LAN was made, of network namespaces: this host, with the port up0, and a router"
       "   at the other end of the cable: 10.77.0.1 and fd00:77::1, advertising fd00:77::/64.")
  (when-not (= "ipvlan" type)
    (say "   This kernel has no ipvlan; the services will use macvlan.")))

(defn- tell!
  "The whole demonstration, between the making of the place and its end."
  [{:keys [watch dir place env]}]
  (let [type   (or (lan/link-type)
                   (throw (up/failure (str "this kernel can make neither ipvlan nor macvlan links;"
                                           " one that has the module macvlan can: modprobe macvlan"))))
        user   (user (first (up/own-command)))
        text   (declarations {:dir dir :type type :user user})
        file   (str dir "/services.edn")
        layout (paths/layout (str dir "/run"))]
    (tell-place! type)
    (write! dir "services.edn" 0644 text)
    (say "" (str "2. Three services are declared, in " file ":") "")
    (apply say (indented "   " (str/split-lines text)))
    (say "" "3. They are started; each waits for its addresses, and www for db."
         (str "   $ ontap up " file))
    (up/start! watch file (assoc (dissoc env marker)
                                 "ONTAP_RUNTIME_DIR" (:paths/dir layout)
                                 "ONTAP_STATE_DIR" (str dir "/state")))
    (let [rows (up/await-rows! watch layout supervisor-says all-ready?)]
      (say "" "4. All run, each in a namespace of its own, at addresses of its own."
           "   $ ontap status")
      (apply say (indented "   " (status/table rows)))
      (say "" "5. Another host of the LAN asks for a page. wiki made its address itself, of what"
           "   the router advertises:")
      (fetch! place (routable6 rows))
      (kill-one! watch layout rows)
      (fetch! place "10.77.0.11"))))

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
      (say "" "7. All are stopped, in order (SIGTERM to `ontap up`).")
      (when-not (clean-exit? (up/stop! watch supervisor-says))
        (throw (up/failure "`ontap up` did not come to a good end; what it said stands above")))
      (catch Throwable t
        (let [why (up/why-not watch)]
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
  (let [dir (make-folder!)]
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
        (delete-tree! dir)))))

(defn- inside! [env left]
  (when (or (= left (own-network)) (not (lan/untouched?)))
    (throw (ex-info (str "unable to run the demonstration in a network that is in use; unset " marker)
                    {:kind :exit :status 111})))
  (let [begun (System/nanoTime)]
    (with-open [signals (Signals/on (into-array String ["INT" "TERM" "HUP"]))
                loop    (EventLoop. (fn [^Throwable t]
                                      (.println System/err (str "ontap: error: bug: " t))))]
      (say "ontap demo: all of it happens in network namespaces of its own; this machine's own network"
           (str "is not touched." (when (one-user?) (str " Inside them you are root; outside you are who you were.")))
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

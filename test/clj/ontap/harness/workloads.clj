;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.workloads
  "What lives, by the kernel's own word (/proc, ip, cgroup folders), beside what
  `ontap status` says of it. The services of a test carry a mark in their environment
  and at the end of their names, so that nothing else on the machine is counted."
  (:require [clojure.java.io :as io]
            [clojure.set :as set]
            [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.ops.client :as client]
            [ontap.run.paths :as paths]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

;; --- declarations

(defn mark
  "A word of its own for a test: lower case, six characters."
  []
  (format "k%05x" (rand-int 0x100000)))

(defn declared
  "A declaration for the port up0 that needs no router: `role` and `mark` make its
  name, `host` is the last number of its address; `more` overrides."
  [mark role host & {:as more}]
  (merge {:name (str role "-" mark) :port "up0" :type "macvlan" :ipv6 :none
          :ipv4 (str "10.77.0." host "/24") :acd false :user "root" :exec ["sleep" "3600"]
          :env {"ONTAP_TEST_MARK" mark} :stop {:timeout 5}}
         more))

(def writer
  "A perl program that writes numbered lines of about 100 bytes, `PID NUMBER xxx`,
  each by a write(2) of its own, 1 MB in a second."
  (str "my $x = 'x' x 84; my $n = 0;"
       "sub now { open my $f, '<', '/proc/uptime'; <$f> =~ /^([0-9.]+)/; $1 }"
       "my $began = now();"
       "while (1) {"
       "  my $due = (now() - $began) * 10000;"
       "  while ($n < $due) { $n++; syswrite STDOUT, sprintf(\"%d %010d %s\\n\", $$, $n, $x) }"
       "  select undef, undef, undef, 0.02 }"))

;; --- a named namespace

(defn name-namespace!
  "Makes /run/netns/`name` of the namespace of process `pid` of `lan`'s making."
  [name pid]
  (let [file (io/file "/run/netns" name)]
    (.mkdirs (.getParentFile file))
    (.createNewFile file)
    (let [{:keys [exit err]} (testing/run {} "mount" "--bind" (str "/proc/" pid "/ns/net") file)]
      (when-not (= 0 exit) (throw (ex-info (str "mount --bind: " err) {}))))))

(defn unname-namespace!
  "Undoes `name-namespace!`; one that is gone is fine."
  [name]
  (let [file (io/file "/run/netns" name)]
    (testing/run {} "umount" file)
    (.delete file)
    ;; only when it is empty, and no mount of ip-netns(8)
    (.delete (.getParentFile file))))

(defmacro with-named-namespace
  "Runs the body with a network namespace at /run/netns/`name`, held by nobody else."
  [name & body]
  `(let [name#   ~name
         holder# (lan/spawn {} "unshare" "--net" "sh" "-c" "echo held; exec sleep 3600")]
     (try
       (lan/await-line holder# #"held")
       (name-namespace! name# (:pid holder#))
       (lan/end! holder# "KILL")
       ~@body
       (finally
         (lan/end! holder# "KILL")
         (unname-namespace! name#)))))

;; --- what lives

(defn- bytes-of [path]
  (try (String. (Files/readAllBytes (.toPath (io/file path))) StandardCharsets/ISO_8859_1)
       (catch java.io.IOException _ nil)))

(defn- stat
  "{:state :session :ticks} of process `pid`, or nil (proc_pid_stat(5))."
  [pid]
  (when-let [text (bytes-of (str "/proc/" pid "/stat"))]
    (let [fields (str/split (subs text (+ 2 (str/last-index-of text ")"))) #" ")]
      {:state (first fields) :session (parse-long (nth fields 3)) :ticks (parse-long (nth fields 19))})))

(defn- pids [] (keep #(parse-long (.getName ^File %)) (.listFiles (io/file "/proc"))))

(defn- variables [pid]
  (set (str/split (or (bytes-of (str "/proc/" pid "/environ")) "") #"\u0000")))

(defn- leaders
  "Name of service, nil of who has none yet -> set of the leaders of sessions that
  carry `mark` {:pid :ticks}."
  [mark]
  (reduce (fn [found pid]
            (let [vars (variables pid)
                  {:keys [state session ticks]} (when (vars (str "ONTAP_TEST_MARK=" mark)) (stat pid))]
              (if (and (= pid session) (not= "Z" state))
                (update found (some #(second (re-matches #"ONTAP_NAME=(.*)" %)) vars)
                        (fnil conj #{}) {:pid pid :ticks ticks})
                found)))
          {} (pids)))

(defn copies
  "Name of service -> set of its living workloads {:pid :ticks}: the leaders of
  sessions that carry `mark`. One that has not executed its program yet still has the
  environment of its supervisor, without a name: that moment is waited out, for at
  most 10 s."
  [mark]
  (let [end (+ (System/nanoTime) 10000000000)]
    (loop []
      (let [found (leaders mark)]
        (if (and (found nil) (neg? (- (System/nanoTime) end)))
          (do (Thread/sleep 5) (recur))
          found)))))

(defn living
  "Every process that carries `mark`."
  [mark]
  (filter #(and ((variables %) (str "ONTAP_TEST_MARK=" mark)) (not= "Z" (:state (stat %)))) (pids)))

(defn kill-all!
  "Ends every process that carries `mark`."
  [mark]
  (doseq [pid (living mark)] (testing/run {} "kill" "-KILL" pid)))

;; --- what the program says

(defn layout [{:keys [dir]}] (paths/layout (str dir "/run")))

(defn ask
  "Asks the supervisor of `lan`, without the time that a JVM takes to start."
  [lan command & names]
  (client/ask (layout lan) {:command command :names (vec names)}))

(defn status
  "name -> row, or nil while nobody answers."
  [lan]
  (try (into {} (map (juxt :name identity)) (ask lan :status))
       (catch clojure.lang.ExceptionInfo _ nil)
       (catch ontap.sys.SysException _ nil)))

(defn up
  "`ontap up FILE` on `lan`, which `kill-all!` of `mark` ends too."
  [lan mark file & {:as env}]
  (lan/up lan file (assoc env "ONTAP_TEST_MARK" mark)))

(defn said
  "What a process of `lan/spawn` has said so far."
  [{:keys [lines seen]}]
  (str/join "\n" (concat @seen lines)))

;; --- what is wrong

(defn untrue
  "What `rows` of status say that the kernel does not: sentences."
  [rows copies]
  (concat
   (for [[name {:keys [state pid]}] rows
         :let [alive (get copies name #{})
               wrong (cond
                       (< 1 (count alive)) "has more than one copy"
                       (and (#{:up :ready} state) (not= #{pid} (into #{} (map :pid) alive)))
                       "is not the process that lives"
                       (and (#{:down :failed :done} state) (seq alive)) "lives all the same")]
         :when wrong]
     (str name ", " state ", pid " pid ": " wrong ": " (pr-str alive)))
   (for [name (remove (set (keys rows)) (keys copies))]
     (str name " is not in status and lives: " (pr-str (copies name))))))

(defn await-settled
  "Waits until no service of `lan`, whose supervisor is `spawned`, is on its way to
  another state; its status."
  [lan spawned]
  (let [rows (volatile! nil)]
    (try
      (testing/wait-for "services that have settled" 60000
        #(do (when-not (.isAlive ^Process (:process spawned))
               (throw (ex-info "the supervisor ended" {})))
             (vreset! rows (status lan))
             (when (and (seq @rows) (every? #{:ready :down :failed :done} (map :state (vals @rows))))
               @rows)))
      (catch clojure.lang.ExceptionInfo e
        (throw (ex-info (str (ex-message e) "; it said:\n" (said spawned)
                             "\nand the state is " (pr-str (update-vals @rows (juxt :state :reason))))
                        {}))))))

(defn await-truth
  "What `await-settled` gives, and `copies` of `mark`, once the one is true of the other; a
  process may just be ending. After 10 s, both as they are: [rows copies]."
  [lan spawned mark]
  (let [end (+ (System/nanoTime) 10000000000)]
    (loop []
      (let [rows   (await-settled lan spawned)
            copies (copies mark)]
        (if (or (empty? (untrue rows copies)) (pos? (- (System/nanoTime) end)))
          [rows copies]
          (do (Thread/sleep 20) (recur)))))))

(defn- links
  "[name alias] of the macvlan links in the network namespace of `words`' making."
  [lan & words]
  (let [out (apply lan/sh! lan :host (concat words ["ip" "-d" "-o" "link" "show" "type" "macvlan"]))]
    (for [line (remove str/blank? (str/split-lines out))]
      [(second (re-find #"^\d+: ([^:@]+)" line)) (second (re-find #"alias (\S+)" line))])))

(defn- in-folder [{:keys [dir]} folder] (set (map #(.getName ^File %) (.listFiles (io/file dir "run" folder)))))

(defn- groups [mark]
  (for [^File f (file-seq (io/file "/sys/fs/cgroup"))
        :when (and (.isDirectory f) (str/includes? (.getName f) mark))]
    f))

(defn- group-of
  "The service whose group `f` is."
  [^File f mark]
  (second (re-find (re-pattern (str "^ontap-(.*-" mark ")-")) (.getName f))))

(defn orphans
  "What is there, of links, control groups, FIFOs, sockets and records, that belongs to
  none of the services that run (`services`: declarations, `running`: names): sentences.
  `netns`: the name of the shared namespace that a service uses, or nil."
  [lan mark services running netns]
  (let [running? (set running)
        by-name  (into {} (map (juxt :name identity)) services)
        wanted   (fn [netns] (frequencies (for [n running :when (= netns (:netns (by-name n)))] n)))
        said     (fn [where found wanted]
                   (when-not (= found wanted)
                     [(str "links in " where ": " (pr-str found) ", of services that run: " (pr-str wanted))]))]
    (concat
     (said "the host" (frequencies (map second (links lan))) (wanted :host))
     (when netns
       (said netns (frequencies (map second (links lan "nsenter" (str "--net=/run/netns/" netns)))) (wanted netns)))
     (for [f (remove running? (in-folder lan "ready"))] (str "a FIFO of " f))
     (for [f (set/difference (set (for [n running :when (-> n by-name :ready :fd)] n)) (in-folder lan "ready"))]
       (str "no FIFO of " f))
     (for [f (remove running? (in-folder lan "notify"))] (str "a socket of " f))
     (for [f (remove #(contains? by-name (str/replace % #"\.edn$" "")) (in-folder lan "services"))]
       (str "a record " f))
     (for [^File f (groups mark) :when (not (running? (group-of f mark)))] (str "a control group " f))
     (for [[name n] (frequencies (map #(group-of % mark) (groups mark))) :when (< 1 n)]
       (str n " control groups of " name)))))

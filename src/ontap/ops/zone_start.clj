;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-start
  "`ontap zone` before it serves: as root it takes what only root can have (ports below 1024,
  what the kernel says of every network namespace, a folder of its own), and then becomes its
  own user. A program that serves the network does not keep the keys of the house.

  Capabilities and no_new_privs belong to threads, and a JVM has threads that one cannot
  reach: so the program executes itself again, through setpriv(1), and hands itself its
  sockets (LISTEN_FDS) and all else by one more descriptor."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [ontap.kernel.events :as events]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.model.text :as text]
            [ontap.ops.inherited :as inherited]
            [ontap.ops.notify :as notify]
            [ontap.ops.process :as process]
            [ontap.ops.zone-link :as zone-link]
            [ontap.publish.sockets :as sockets]
            [ontap.run.launch :as launch]
            [ontap.run.paths :as paths])
  (:import (java.nio.charset StandardCharsets)
           (java.io ByteArrayOutputStream)
           (java.nio.file Files Path)
           (ontap.rtnl RtnlMonitor)
           (ontap.sys Caps Errno Exec Fd Io Io$Stat SysException UnixSockets Users Users$User)))

(set! *warn-on-reflection* true)

(def capabilities
  "capability -> why the running zone has it."
  [["net_admin" "to ask for the links and addresses of other network namespaces, and to give one an id"]
   ["net_broadcast" "to hear of every network namespace (NETLINK_LISTEN_ALL_NSID)"]])

(def ^:private variable
  "The variable with the number of the descriptor from which the second life reads what it was handed."
  "ONTAP_ZONE_FD")

;; --- who it becomes

(def ^:private default-users ["ontap" "nobody"])

(defn- user-named ^Users$User [n]
  (or (Users/byName n)
      (throw (process/exit 102 (str "unable to run as " n ": there is no such user on this machine")))))

(defn- alone?
  "Is this a user namespace in which there is nobody but us (unshare -Ur, also as root)?"
  []
  (let [lines (Files/readAllLines (Path/of "/proc/self/uid_map" (make-array String 0)))]
    (and (= 1 (count lines)) (= "1" (last (re-seq #"\d+" (first lines)))))))

(defn- own-user
  "The user that the zone shall be, or nil: it stays who it is, because nobody else can be had
  (an ordinary user, or a user namespace with one user)."
  ^Users$User [{:zone/keys [user]}]
  (let [root? (and (zero? (Io/geteuid)) (= (Io/geteuid) (paths/caller)) (not (alone?)))]
    (cond
      (and user root?) (user-named user)
      user             (throw (process/exit 111 (str "unable to run as " user ": that takes root; leave the user out")))
      root?            (or (some #(Users/byName %) default-users)
                           (throw (process/exit 111 "unable to run as a user of its own: there is none called ontap or nobody; say --user NAME"))))))

(defn- others-may-enter?
  "May a user without any rights pass through the folders above `path` and read it?"
  [^String path]
  (let [open? (fn [p bit] (let [^Io$Stat st (Io/stat p)] (and st (pos? (bit-and (.mode st) (int bit))))))]
    (and (open? path 4)
         (loop [parent (.getParent (java.io.File. path))]
           (or (nil? parent)
               (and (open? parent 1) (recur (.getParent (java.io.File. ^String parent)))))))))

(defn- check-readable!
  "Throws unless `user` can run this very program."
  [^Users$User user]
  (doseq [path [(System/getProperty "ontap.launcher")
                (first (.split (System/getProperty "java.class.path") ":"))
                (str (System/getProperty "java.home") "/bin/java")]
          :when (and path (not (others-may-enter? path)))]
    (throw (process/exit 111 (str "unable to run as " (.name user) ": " path " is not for everybody to read; move the program, "
                                  "or say who may read it by --user")))))

;; --- what it takes along

(defn- folder!
  "Makes `path`, in a folder of ours, which is `user`'s from now on (nil: ours): nothing is done in it
  before this process is that user."
  [^String path ^Users$User user]
  (paths/make-dir! path 0755)
  (when user (Io/chown path (.uid user) (.gid user))))

(defn- control!
  "The listening control socket in `dir`, which belongs to `user`. The folder is ours: in one of theirs
  it could be another file by the time it is given away."
  ^Fd [dir ^Users$User user]
  (let [path (str dir "/control.sock"), fd (UnixSockets/listen path 0600)]
    (when user (Io/chown path (.uid user) (.gid user)))
    fd))

(defn- lock! ^Fd [dir]
  (let [fd (Io/open (str dir "/lock") (bit-or Io/O_RDWR Io/O_CREAT) 0600)]
    (when-not (Io/tryLock fd)
      (.close fd)
      (throw (process/exit 111 (str "unable to run: another `ontap zone` runs in " dir
                                    "; ONTAP_RUNTIME_DIR=DIR gives this one a folder of its own"))))
    fd))

(defn- monitor!
  "Hears of everything from now on: before anything is looked at, so that nothing is missed."
  ^RtnlMonitor []
  (try
    (events/open-monitor {:routes? true})
    (catch SysException e
      (throw (if (contains? #{Errno/EPERM Errno/EACCES} (.errno e))
               (process/exit 111 "unable to hear of network namespaces: this takes root; an ordinary user can have a network of their own: unshare -Urn ontap zone …")
               e)))))

(defn given-sockets?
  "Did whoever started this process, whose environment is `env`, give it sockets to serve on?"
  [env]
  (boolean (seq (notify/listen-fds env (Io/getpid)))))

(defn- listening!
  "The sockets to serve on: those of LISTEN_FDS, if whoever started this process gave any, else
  one for each address and protocol of `zone`."
  [{:zone/keys [listen]} env]
  (let [given (notify/listen-fds env (Io/getpid))]
    (when-let [closed (first (remove notify/open? given))]
      (throw (process/exit 100 (str "descriptor " closed " of LISTEN_FDS is not open"))))
    (if (seq given)
      (mapv #(Fd/own (int %) "of LISTEN_FDS") given)
      (sockets/bind-all! listen))))

(defn- with-secrets
  "`zone` with the secrets of its keys, those in files too, which its own user may not read."
  [zone]
  (update zone :zone/keys
          update-vals
          (fn [{:key/keys [^String file] :as key}]
            (if file
              (try (assoc key :key/secret (str/trim (Files/readString (Path/of file (make-array String 0)))))
                   (catch java.io.IOException e
                     (throw (process/exit 111 (str "unable to read the secret of a key in " file ": " (ex-message e))))))
              key))))

(defn- unnamed!
  "A descriptor from which `form` can be read, of a file that has no name any more."
  ^Fd [dir form]
  (let [path (str dir "/handed." (Io/getpid))]
    (Io/replace path (.getBytes (text/edn form) StandardCharsets/UTF_8) 0600)
    (try (Io/open path Io/O_RDONLY 0)
         (finally (Io/unlink path)))))

(defn- numbered
  "[[number Fd] …] from 3 up."
  [fds]
  (map vector (iterate inc 3) fds))

(defn- slots
  "name -> number of the descriptors `named` ([name Fd] …) when `sockets` come first."
  [sockets named]
  (into {} (map (fn [[n [k _]]] [k n])) (map vector (iterate inc (+ 3 (count sockets))) named)))

(defn- again!
  "Executes this program again with `words`, as `user`, with the capabilities of a zone alone.
  Returns only by throwing."
  [^Users$User user words env fds]
  (let [caps    (apply str "-all" (map #(str ",+" (first %)) capabilities))
        setpriv (launch/tool "setpriv")
        argv    (-> [setpriv]
                    (into (when user [(str "--reuid=" (.uid user)) (str "--regid=" (.gid user)) "--init-groups"]))
                    (into [(str "--inh-caps=" caps) (str "--ambient-caps=" caps) (str "--bounding-set=" caps)
                           "--no-new-privs" "--" (System/getProperty "ontap.launcher")])
                    (into words))
        env     (mapv (fn [[k v]] (str k "=" v)) env)]
    (Exec/prepare setpriv argv env fds)
    (Exec/runInSession setpriv argv env fds)))

(def ^:private jvm
  "How a JVM runs that is to run for long: compiled to the end, and with so much room for what is new
  that a collection, 10 ms with a thousand names, comes seldom enough to keep nobody waiting."
  "-XX:TieredStopAtLevel=4 -Xmx512m -Xmn128m")

(defn- for-long
  "`env` in which the program runs as a server."
  [env]
  (update env "ONTAP_JAVA_OPTS" #(str jvm " " %)))

(defn become!
  "Takes all that the zone `zone` needs and executes this program again with `words`, as the
  zone's own user. `ready` {:fd :pid-file}, `env` of this process. Returns only by throwing:
  with :kind :exit for whatever cannot be had."
  [{:keys [zone words env ready]}]
  (when (and (:fd ready) (not (notify/open? (:fd ready))))
    (throw (process/exit 100 (str "descriptor " (:fd ready) " is not open"))))
  (let [user      (own-user zone)
        _         (some-> user check-readable!)
        run-dir   (paths/runtime-dir env (paths/caller))
        dir       (paths/zone-dir run-dir)
        state-dir (str (paths/state-dir env (paths/caller)) "/zone")]
    (paths/make-layout! (paths/layout run-dir))
    (paths/make-dir! dir 0755)
    (folder! state-dir user)
    (let [lock     (lock! dir)
          sockets  (listening! zone env)
          monitor  (monitor!)
          known    (namespaces/find-all! {:all? (:zone/all-namespaces? zone)})
          mdns     (zone-link/take! zone env)
          named    (cond-> [[:lock lock] [:monitor (.fd monitor)] [:control (control! dir user)]]
                     (:fd ready) (conj [:ready (Fd/own (int (:fd ready)) "--ready-fd")])
                     (:pid-file ready)
                     (conj [:pid-file (Io/open (:pid-file ready) (bit-or Io/O_WRONLY Io/O_CREAT Io/O_TRUNC) 0644)])
                     (:life ready) (conj [:life (Fd/own (int (:life ready)) "the lifeline")])
                     true (into (:named mdns)))
          fds      (slots sockets (conj named [:handed nil]))
          handed   (unnamed! run-dir {:zone (with-secrets zone) :fds (dissoc fds :handed) :state-dir state-dir
                                      :known (into known (:known mdns)) :places (:places mdns)
                                      :user (some-> user .name)})]
      (again! user words
              (-> (for-long env)
                  (dissoc zone-link/variable)
                  (assoc variable (str (:handed fds))
                         "LISTEN_FDS" (str (count sockets)) "LISTEN_PID" (str (Io/getpid))))
              (into {} (map (fn [[n fd]] [(int n) fd]))
                    (numbered (concat sockets (map second named) [handed])))))))

;; --- the second life

(defn- read-all ^String [^Fd fd]
  (let [buffer (byte-array 65536), out (ByteArrayOutputStream.)]
    (loop []
      (let [n (Io/read fd buffer 0 (alength buffer))]
        (when (pos? n) (.write out buffer 0 n) (recur))))
    (.toString out StandardCharsets/UTF_8)))

(defn- bits [names]
  (reduce (fn [bits n] (bit-or bits (bit-shift-left 1 (Caps/number n)))) 0 names))

(defn- reduced-to-ours? []
  (= (Caps/bounding) (bit-and (Caps/bounding) (bits (map first capabilities)))))

(defn handed
  "What this process was handed by its first life, or nil: it is the first. A map with
  :zone, :state-dir, :known, :user as written, :sockets (Fds of LISTEN_FDS), :fds
  {:lock :monitor :control :ready :pid-file :life} and those of `zone-link/take!` as Fds, and
  :places with their sockets (see `zone-link/places`). Whoever sets the variable by hand
  without having given up the rest is not listened to."
  [env]
  (when-let [number (some-> (get env variable) parse-long)]
    (when (and (reduced-to-ours?) (some #{number} (inherited/numbers)))
      (let [form (with-open [fd (Fd/own (int number) "handed on")] (edn/read-string (read-all fd)))]
        (-> form
            (update :fds update-vals #(Fd/own (int %) "handed on"))
            (assoc :sockets (mapv #(Fd/own (int %) "of LISTEN_FDS") (notify/listen-fds env (Io/getpid))))
            (as-> handed (update handed :places zone-link/places (:fds handed))))))))

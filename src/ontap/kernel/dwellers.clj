;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.dwellers
  "The network namespace with a known identity, found through whoever keeps it: a process
  that lives there, a descriptor, a mount. So nothing of ours has to keep it.

  An identity is {:dev :ino}. The number of a namespace that has ended is given to the next
  one: whoever enters looks whether it is the one that is meant. A namespace that only a
  socket keeps is not found."
  (:require [clojure.string :as str]
            [ontap.kernel.links :as links])
  (:import (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files Path)
           (ontap.sys Caps Errno Fd Io Procs SysException)))

(set! *warn-on-reflection* true)

(def ^:private nothing {:found {} :hidden? false})

(defn- number-of
  "The inode number in \"net:[4026531840]\", or nil."
  [^String link]
  (when (and link (str/starts-with? link "net:[") (str/ends-with? link "]"))
    (parse-long (subs link 5 (dec (count link))))))

(defn- says
  "What the link at `path` says; nil when it has gone, :hidden when we may not look."
  [path]
  (try (Io/readlink path)
       (catch SysException e
         (when (contains? #{Errno/EACCES Errno/EPERM} (.errno e)) :hidden))))

(defn- open-at
  "Opens `path` if it leads to one of `ids`: [id Fd], else nil."
  [^String path ids]
  (try
    (let [fd (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)
          id (try (links/ns-id fd) (catch Throwable t (.close fd) (throw t)))]
      (if (contains? ids id)
        [id fd]
        (.close fd)))
    (catch SysException _ nil)))

(defn- open-descriptor
  "As `open-at`, for a descriptor of any process: its owner may put another file there
  meanwhile, one that never answers an open. O_PATH asks no file system."
  [path ids]
  (try
    (with-open [^Fd held (Io/open path Io/O_PATH 0)]
      (when (number-of (Io/link held))
        (open-at (str "/proc/self/fd/" (.raw held)) ids)))
    (catch SysException _ nil)))

(defn- missing [wanted {:keys [found]}]
  (into #{} (remove found) wanted))

(defn- look-at
  "`seen` after a look at `path`, which says `link`."
  [seen wanted path link open]
  (cond
    (= :hidden link) (assoc seen :hidden? true)
    (nil? link)      seen
    :else
    (let [left (missing wanted seen), n (number-of link)]
      (if-let [[id fd] (when (some #(= n (:ino %)) left) (open path left))]
        (assoc-in seen [:found id] fd)
        seen))))

(defn- entries
  "The paths below a folder of /proc; none when it has gone or is not for us."
  [^String folder]
  (map #(str folder "/" %) (.list (File. folder))))

(defn- look [seen wanted paths open]
  (reduce (fn [seen path]
            (if (empty? (missing wanted seen))
              (reduced seen)
              (look-at seen wanted path (says path) open)))
          seen paths))

(defn- main-thread [process] (str "/proc/" process "/ns/net"))

(defn- threads [seen wanted process]
  (look seen wanted (map #(str % "/ns/net") (entries (str "/proc/" process "/task"))) open-at))

(defn- descriptors [seen wanted process]
  (look seen wanted (entries (str "/proc/" process "/fd")) open-descriptor))

(defn- unescaped
  "A path of mountinfo, in which a blank is \\040."
  [text]
  (str/replace text #"\\([0-7]{3})" #(str (char (Long/parseLong (second %) 8)))))

(defn- mounts
  "Bind mounts of namespaces, as ip-netns(8) makes them."
  [seen wanted]
  (reduce (fn [seen line]
            (let [[_ _ _ root place] (str/split line #" ")]
              (if (and root (str/starts-with? root "net:["))
                (look-at seen wanted (unescaped place) root open-at)
                seen)))
          seen (Files/readAllLines (Path/of "/proc/self/mountinfo" (make-array String 0)) StandardCharsets/ISO_8859_1)))

(defn- search
  "One step after the other until all are found; the cheap ones first."
  [wanted pids]
  (let [others (delay (let [own (Io/getpid)] (remove #(= own %) (Procs/all))))]
    (reduce (fn [seen step] (if (empty? (missing wanted seen)) (reduced seen) (step seen)))
            nothing
            (concat
             [#(look % wanted (map main-thread pids) open-at)
              #(threads % wanted "self")
              #(descriptors % wanted "self")]
             (for [pid pids, step [threads descriptors]] #(step % wanted pid))
             [#(mounts % wanted)
              #(look % wanted (map main-thread @others) open-at)
              (fn [seen] (reduce #(threads %1 wanted %2) seen @others))
              (fn [seen] (reduce #(descriptors %1 wanted %2) seen @others))]))))

(defn- may-look-anywhere?
  "Have we CAP_SYS_PTRACE? Who may not look even so is beyond us."
  []
  (bit-test (.eff (Caps/ofThread)) (Caps/number "sys_ptrace")))

(defn open-all
  "Opens the network namespaces of `wanted`, a seq of [{:dev :ino} pid]: `pid` is the process
  that is asked first, or nil. One look at /proc serves them all. Gives {:found {id Fd},
  :hidden? boolean}; the caller closes the Fds. Hidden: not all were found, and there are
  processes into which we may not look for want of CAP_SYS_PTRACE."
  [wanted]
  (let [ids (into #{} (map first) wanted)]
    (if (empty? ids)
      nothing
      (let [seen (search ids (into [] (comp (keep second) (distinct)) wanted))]
        (cond-> seen
          (or (empty? (missing ids seen)) (may-look-anywhere?)) (assoc :hidden? false))))))

(defn open-netns
  "The network namespace with the identity `id`, {:dev :ino}, as an Fd that the caller closes;
  nil when nobody whom we see keeps it. `pid`: the process that is asked first, or nil."
  ^Fd [id pid]
  (get (:found (open-all [[id pid]])) id))

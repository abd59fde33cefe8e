;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.namespaces
  "Network namespaces that others made: which there are, which id (nsid) each has here, and whether it may
  be trusted. What is found out is told as events:

    {:event/type :ns/known :ns/id n :ns/trusted? boolean :ns/netns name-or-nil :ns/inode n-or-nil}

  Trusted is a namespace that our own user namespace owns (NS_GET_USERNS, ioctl_nsfs(2)): in any other a
  user may have given links whatever alias. The name is that below /run/netns.

  Nothing here keeps a namespace: descriptors are closed again at once."
  (:require [clojure.string :as str]
            [ontap.kernel.mounted :as mounted])
  (:import (java.io IOException)
           (java.nio.file Files Path)
           (java.util.concurrent Callable)
           (ontap.rtnl Link Rtnl)
           (ontap.sys Fd Io Io$Stat Namespaces Namespaces$NsId NsThread Procs SysException)))

(set! *warn-on-reflection* true)

;; --- one namespace, by a descriptor

(def ^:private get-userns "NS_GET_USERNS of linux/nsfs.h." 0xb701)

(defn- id-at ^Namespaces$NsId [^String path]
  (with-open [fd (Io/open path Io/O_RDONLY 0)] (Namespaces/id fd)))

(defn- ours
  "The calling thread's namespaces: {:user NsId :net NsId}."
  []
  {:user (id-at "/proc/thread-self/ns/user") :net (id-at "/proc/thread-self/ns/net")})

(defn- own-inode [{:keys [^Namespaces$NsId net]}] (.ino net))

(defn- trusted?
  "Is the network namespace owned by the user namespace `user`?"
  [^Fd netns user]
  (try
    (with-open [owner (Fd/own (Io/ioctl netns (long get-userns) (long 0)) "owner of a namespace")]
      (= user (Namespaces/id owner)))
    ;; EPERM: the owner is outside of our user namespace
    (catch SysException _ false)))

(defn- open-as
  "The network namespace at `path`, which has to have that inode number on the file system of namespaces, or
  nil. Waits for nobody."
  ^Fd [{:keys [^Namespaces$NsId net]} ^String path inode]
  (try
    (let [fd (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)]
      (if (try (= (Namespaces$NsId. (.dev net) inode) (Namespaces/id fd)) (catch SysException _ false))
        fd
        (do (.close fd) nil)))
    (catch SysException _ nil)))

(defn- known [nsid trusted? netns inode]
  {:event/type :ns/known :ns/id nsid :ns/trusted? trusted? :ns/netns netns :ns/inode inode})

(defn- fact
  "What is to be known of the namespace at `path`, which is mounted there or a process's; nil when it has no id
  and there is no reason to give it one, or it is gone. `reason?` is asked with its descriptor."
  [^Rtnl rtnl {:keys [user] :as own} path inode reason?]
  (when-let [found (open-as own path inode)]
    (with-open [^Fd fd found]
      (when-let [nsid (or (.nsid rtnl fd) (when (reason? fd) (.ensureNsid rtnl fd)))]
        (known nsid (trusted? fd user) (mounted/netns-name path) inode)))))

(defn- with-rtnl [rtnl f]
  (if rtnl (f rtnl) (with-open [own (Rtnl/open)] (f own))))

;; --- as root

(defn- stands-on-ours?
  "Has the namespace a link that stands on a link of ours, or whose other end is one? Enters it."
  [^Fd netns]
  (try
    (NsThread/call "ontap-look"
                   ^Callable
                   (fn []
                     (with-open [own (Namespaces/ofThread "net")]
                       (Namespaces/setns netns Namespaces/CLONE_NEWNET)
                       (with-open [rtnl (Rtnl/open)]
                         (let [nsids (into #{} (keep #(when (.parentIndex ^Link %) (.parentNsid ^Link %))) (.links rtnl))]
                           ;; asked second: telling of such a link gives our namespace an id there
                           (boolean (and (seq nsids) (contains? nsids (.nsid rtnl own)))))))))
    (catch SysException _ false)))

(defn- of-processes
  "The network namespaces of all processes that we may look at, {inode path}."
  []
  (into {} (keep (fn [pid]
                   (let [path (str "/proc/" pid "/ns/net")]
                     (when-let [n (try (mounted/inode (Io/readlink path)) (catch SysException _ nil))]
                       [n path]))))
        (Procs/all)))

(defn places
  "Where each namespace of `mounts`, {path inode}, is mounted: {inode path}; of several places one below
  /run/netns, and of these the first by name."
  [mounts]
  (into {} (map (fn [[path inode]] [inode path]))
        (reverse (sort-by (fn [[path _]] [(if (mounted/netns-name path) 0 1) path]) mounts))))

(defn find-all!
  "For root, before the privileges are dropped; blocks: each namespace that is mounted or that a process lives
  in is looked at once. One with a link that stands on ours (with `:all?`, every one) gets an id if it has
  none. Gives what is known of all that have an id. `:rtnl`: to be asked; without, one is opened."
  [{:keys [all? rtnl]}]
  (with-rtnl rtnl
    (fn [rtnl]
      (let [own     (ours)
            reason? (if all? (constantly true) stands-on-ours?)]
        (into [] (keep (fn [[inode path]] (fact rtnl own path inode reason?)))
              (dissoc (into (of-processes) (places (mounted/there))) (own-inode own)))))))

;; --- without root

(defn open-mountinfo
  "A descriptor for an event loop: EPOLLPRI (and EPOLLERR) once after any mount or unmount that the calling thread
  sees. It is always readable: do not ask for EPOLLIN. It need not be read: being waited for is enough to be
  told once. The caller closes it."
  ^Fd []
  (Io/open mounted/mountinfo Io/O_RDONLY 0))

(defn of-mounts
  "What is known of the namespaces at `places`, {inode path}, that have an id; with `all?` those below
  /run/netns get one. Takes CAP_NET_ADMIN, and leave to open the paths."
  [rtnl places all?]
  (let [own (ours)]
    (into [] (keep (fn [[inode path]]
                     (fact rtnl own path inode (constantly (and all? (mounted/netns-name path))))))
          (dissoc places (own-inode own)))))

(defn named
  "What is known of the namespaces that are mounted now and have an id; with `:all?` those below /run/netns
  get one. Takes CAP_NET_ADMIN. `:rtnl`: to be asked; without, one is opened."
  [{:keys [all? rtnl]}]
  (with-rtnl rtnl #(of-mounts % (places (mounted/there)) all?)))

(defn- text-of [path]
  (try (Files/readString (Path/of path (make-array String 0)))
       (catch IOException _ nil)))

(defn- owner-at [path]
  (try (some-> ^Io$Stat (Io/stat path) (.uid))
       (catch SysException _ nil)))

(defn- marks
  "What can be seen of the user namespaces of process `pid` and of its network namespace."
  [pid]
  [(text-of (str "/proc/" pid "/uid_map")) (owner-at (str "/proc/" pid "/net/dev"))])

(defn- like-ours?
  "Do the marks of a process tell of our own user namespace, when ours are `own`? The files of our own network
  namespace are the real root's when it is older than our root (unshare -Urn); those of the namespaces that we make in
  it belong to our root."
  [[own-map _ :as own] [its-map owner :as its]]
  (or (= own its)
      (and own-map (= own-map its-map) (= 0 owner))))

(defn of-pids
  "What processes tell of the namespaces with the ids `nsids`, without the right to trace any: a namespace is
  trusted when each process in it has our own /proc/PID/uid_map, and the files below its /proc/PID/net belong
  to whom those of our own belong to, or to our root. No process, no word. Blocks: looks at all processes; not for an event
  loop. `rtnl`: to be asked; without, one is opened.

  Why both. The files belong to root of the user namespace that owns the network namespace, but to the real
  root when that one had no root yet as the network namespace was made, as with unshare(1) -Urn: then its
  processes have another uid_map. A process of root's that entered a user's namespace has our uid_map: then
  the files belong to that user, or the user's own processes tell.

  What is left open: a namespace made by unshare -Urn in which no process of its maker is left, only one that
  root sent there, passes for ours. Who made it may have left aliases on its links, and (if something
  of theirs still holds it) may change them. The other way round, one process in a sandbox of its own
  (a user namespace) takes the trust from a namespace of ours that is known in no better way."
  ([nsids] (with-open [rtnl (Rtnl/open)] (of-pids rtnl nsids)))
  ([^Rtnl rtnl nsids]
   (let [wanted (set nsids)
         in?    (fn [pids] (map vector pids (.nsidsOfPids rtnl (int-array pids))))
         own    (marks "thread-self")
         seen   (into [] (keep (fn [[pid nsid]] (when (wanted nsid) [pid nsid (marks pid)]))) (in? (Procs/all)))
         ;; those that went, or went elsewhere, while they were looked at have said nothing
         still  (into {} (in? (mapv first seen)))
         said   (for [[pid nsid marks] seen :when (= nsid (still pid))] [nsid (like-ours? own marks)])]
     (mapv (fn [[nsid votes]] (known nsid (every? second votes) nil nil))
           (sort-by key (group-by first said))))))

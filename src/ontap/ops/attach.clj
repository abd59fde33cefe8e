;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.attach
  "`ontap -t TYPE PORT -- PROG`: takes a link from ontapd and becomes PROG with it: same
  pid, same session, no JVM left."
  (:require [clojure.string :as str]
            [ontap.alloc.client :as client]
            [ontap.model.network :as network]
            [ontap.model.workload :as workload]
            [ontap.ops.inherited :as inherited]
            [ontap.ops.note :as note]
            [ontap.run.granted :as granted]
            [ontap.run.paths :as paths]
            [ontap.run.resolv :as resolv])
  (:import (ontap.sys Errno Exec Executables Fd Io Namespaces NsThread SysException)))

(set! *warn-on-reflection* true)

(defn- exit [status text] (ex-info text {:kind :exit :status status}))

(defn socket
  "The path of the socket that `target` names: a path, or the name of a port."
  [env target]
  (if (str/includes? target "/")
    target
    (str (paths/daemon-dir env) "/port." target)))

;; --- the network namespace of PROG

(defn- unshare! []
  (try
    (Namespaces/unshare Namespaces/CLONE_NEWNET)
    (catch SysException e
      (throw (if (= Errno/EPERM (.errno e))
               (exit 111 (str "unable to make a network namespace: that takes root, or a user namespace of"
                              " one's own: unshare -Urn ontap …"))
               e)))))

(defn- open-namespace ^Fd [netns]
  (let [path (if (str/includes? netns "/") netns (str "/run/netns/" netns))]
    (try
      (Io/open path (bit-or Io/O_RDONLY Io/O_NONBLOCK) 0)
      (catch SysException e
        (throw (exit 111 (str "unable to open the network namespace " netns ": "
                              (if (= Errno/ENOENT (.errno e)) (str "there is no " path) (ex-message e)))))))))

(defn- enter! [netns]
  (with-open [fd  (open-namespace netns)
              own (Namespaces/ofThread "net")]
    (when-not (= (Namespaces/id fd) (Namespaces/id own))
      (try
        (Namespaces/setns fd Namespaces/CLONE_NEWNET)
        (catch SysException e
          (throw (condp = (.errno e)
                   Errno/EPERM  (exit 111 (str "no right to enter the network namespace " netns))
                   Errno/EINVAL (exit 100 (str netns " is no network namespace"))
                   e)))))))

;; --- PROG

(defn- program
  "The path of `prog`. Throws with the launcher's 127 or 126."
  [prog env]
  (or (Executables/find prog (get env "PATH" workload/default-path))
      (throw (if (and (str/includes? prog "/") (Io/stat prog))
               (exit 126 (str "unable to run " prog ": it is not executable"))
               (exit 127 (str "unable to run " prog ": "
                              (if (str/includes? prog "/") "no such file" (str "not found in PATH=" (get env "PATH")))))))))

(defn- run-in-place! [path argv env fds]
  (let [env (mapv (fn [[k v]] (str k "=" v)) env)]
    (Exec/prepare path argv env fds)
    (try
      (Exec/runInSession path argv env fds)
      (catch SysException e
        (throw (condp = (.errno e)
                 Errno/EACCES  (exit 126 (str "unable to run " (first argv) ": permission denied"))
                 Errno/ENOEXEC (exit 126 (str "unable to run " (first argv) ": it is no program, nor a script"
                                              " that begins with #!"))
                 Errno/ENOENT  (exit 127 (str "unable to run " (first argv) ": its interpreter is not there"))
                 e))))))

(defn- words-of
  "A request or a lease, shortly, for --verbosity=debug."
  [m]
  (str/join " " (for [[k v] (sort-by key m) :when (some? v)] (str (name k) " " (if (keyword? v) (name v) v)))))

(defn- ask! [path {:keys [request netns say]}]
  (let [tap? (network/tap-type? (:request/type request))]
    (when-not tap?
      (if netns (enter! netns) (unshare!)))
    (say (str "asks " path ": " (words-of request)))
    (let [{:grant/keys [lease queues] :as grant}
          (if tap?
            (client/attach! path request nil)
            (with-open [net (Namespaces/ofThread "net")]
              (client/attach! path request net)))]
      (say (str "got: " (words-of lease) (when (seq queues) (str ", " (count queues) " queues"))))
      grant)))

(defn attach!
  "Asks `target` (a port's name, or the path of its socket) for a link and becomes `argv`.
  `request` is that of doc/data.md; `netns` nil for a namespace of its own, a name of
  /run/netns, or a path; `verbosity` a level; `env` this process's environment. Blocks.
  Returns only by throwing, with :kind :exit."
  [{:keys [target argv env verbosity] :as asked}]
  (let [prog (program (first argv) env)
        kept (inherited/numbers)
        say  (if (= :debug verbosity) #(note/line! :debug nil %) (constantly nil))]
    (NsThread/call
     "ontap-attach"
     (fn []
       (let [grant (ask! (socket env target) (assoc asked :say say))
             {:keys [fds] vars :env} (granted/promised grant kept)]
         ;; whoever may not mount keeps the machine's own
         (resolv/cover! {:path (-> grant :grant/lease :lease/resolv-conf)} say)
         (say (str "runs " prog " with " (words-of (update-keys vars keyword))))
         (run-in-place! prog argv (merge env vars) (merge (inherited/fds kept) fds)))))))

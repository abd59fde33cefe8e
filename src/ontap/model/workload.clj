;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.workload
  "What a workload is given: identity, environment, command. Pure; what the
  machine knows (users, groups, folders) comes in as data.

  An identity: {:identity/uid :identity/gid :identity/groups [gid ..] or nil for
  \"as they are\", :identity/name :identity/home :identity/shell}."
  (:require [clojure.string :as str]))

(def default-path
  "PATH of a workload that declares none; Guix System's own profile comes first
  where there is one."
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")

(def guix-path
  "What comes before `default-path` on a Guix System."
  "/run/current-system/profile/bin:/run/current-system/profile/sbin")

(defn identity-of
  "The identity of `service`. `user` is {:uid :gid :name :home :shell} of the
  declared user, or of the caller when none is declared; `groups` are the gids of
  `:groups`, or of the user's own groups."
  [service {:keys [uid gid name home shell]} groups]
  {:identity/uid    uid
   :identity/gid    gid
   :identity/groups (when (:service/user service) (vec (distinct (cons gid groups))))
   :identity/name   name
   :identity/home   home
   :identity/shell  shell})

(defn environment
  "The environment of `service`, a map: PATH HOME USER LOGNAME SHELL ONTAP_NAME,
  `extra` (what the supervisor promises: NOTIFY_SOCKET, `link-variables`), and what
  is declared, which wins. `guix?`: the machine is a Guix System."
  [service {:identity/keys [name home shell]} {:keys [guix? extra]}]
  (merge {"PATH"       (if guix? (str guix-path ":" default-path) default-path)
          "HOME"       home
          "USER"       name
          "LOGNAME"    name
          "SHELL"      shell
          "ONTAP_NAME" (:service/name service)}
         extra
         (:service/env service)))

(defn descriptors
  "The numbers, from 3 up, of the descriptors that a workload gets with a link of
  `queues` queues (0 or nil: none): {:tap [n ..] :lease n}. The numbers `taken` are left
  to what has them."
  [queues taken]
  (let [free (remove (set taken) (iterate inc 3))
        queues (or queues 0)]
    {:tap (vec (take queues free)) :lease (nth free queues)}))

(defn link-variables
  "What tells a workload of its link: ONTAP_IFNAME ONTAP_HWADDR ONTAP_MTU, for each
  queue ONTAP_FD0 and so on, and ONTAP_LEASE_FD. `tap` holds the numbers of the
  descriptors of the queues, `lease-fd` the one of the lease, nil when there is none."
  [{:lease/keys [link hwaddr mtu]} tap lease-fd]
  (cond-> (into {} (map-indexed (fn [i n] [(str "ONTAP_FD" i) (str n)])) tap)
    link     (assoc "ONTAP_IFNAME" link)
    hwaddr   (assoc "ONTAP_HWADDR" hwaddr)
    mtu      (assoc "ONTAP_MTU" (str mtu))
    lease-fd (assoc "ONTAP_LEASE_FD" (str lease-fd))))

(defn- cap-list [caps]
  (str/join "," (cons "-all" (map #(str "+" %) caps))))

(defn- limit-text [n] (if (= -1 n) "unlimited" (str n)))

(defn limits-argv
  "The command in front that sets the limits, [] when none is declared. `prlimit`:
  the path of prlimit(1)."
  [{:service/keys [limits]} prlimit]
  (if (empty? limits)
    []
    (-> [prlimit]
        (into (map (fn [[k {:keys [soft hard]}]]
                     (str "--" k "=" (limit-text soft) ":" (limit-text hard))))
              (sort limits))
        (conj "--"))))

(defn identity-argv
  "The command in front that takes the identity. `setpriv`: the path of setpriv(1).
  Without a declared user uid and gid stay as they are: in a namespace with one
  mapped user there is no other, and asking is refused."
  [{:service/keys [caps user]} {:identity/keys [uid gid groups]} setpriv]
  (-> [setpriv]
      (into (when user
              [(str "--reuid=" uid) (str "--regid=" gid)
               (if (seq groups)
                 (str "--groups=" (str/join "," groups))
                 "--clear-groups")]))
      (into [(str "--inh-caps=" (cap-list caps))
             (str "--ambient-caps=" (cap-list caps))
             (str "--bounding-set=" (cap-list caps))
             "--no-new-privs" "--"])))

(defn argv
  "The whole command a supervisor spawns for `service`. `tools`: {:prlimit path
  :setpriv path}."
  [service identity {:keys [prlimit setpriv]}]
  (-> (limits-argv service prlimit)
      (into (identity-argv service identity setpriv))
      (into (:service/exec service))))

(defn joining-argv
  "The command `argv` with one in front that puts itself into a control group first:
  `procs` is the cgroup.procs to write to. A shell adds to the environment, so it is
  given again: `env` is a list of K=V. `tools`: {:sh path :env path}."
  [argv procs env {:keys [sh] env-tool :env}]
  (-> [sh "-c" "echo 0 >\"$0\" && exec \"$@\"" procs env-tool "-i" "--"]
      (into env)
      (into argv)))

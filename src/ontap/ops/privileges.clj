;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.privileges
  "What ontapd may do, and no more. Capabilities belong to threads, and a JVM has threads
  that one cannot reach: so the program executes itself again, through setpriv(1), with
  a smaller bounding set and no_new_privs, before it has opened anything."
  (:require [ontap.ops.inherited :as inherited]
            [ontap.run.launch :as launch])
  (:import (ontap.sys Caps Exec)))

(set! *warn-on-reflection* true)

(def of-ontapd
  "capability -> why ontapd has it."
  [["net_admin" "links, addresses and their settings"]
   ["net_raw" "the packet sockets that speak DHCP and ARP on ports, and see a guest's addresses"]
   ["net_broadcast" "to hear of every network namespace (NETLINK_LISTEN_ALL_NSID)"]
   ["sys_admin" "to enter a caller's network namespace, and to pin its own"]
   ["sys_ptrace" "to find the namespace of another user's workload again when its IPv4 address changes"]
   ["mknod" "the device nodes of ipvtap and macvtap"]
   ["chown" "to give a port's socket to its group"]])

(defn- bits [names]
  (reduce (fn [bits n] (bit-or bits (bit-shift-left 1 (Caps/number n)))) 0 names))

(defn dropped?
  "Has this process no capability beyond those of ontapd, nor a way to get one?"
  []
  (zero? (bit-and-not (Caps/bounding) (bits (map first of-ontapd)))))

(defn drop!
  "Executes this program again with `words`, in place, with the capabilities of ontapd
  alone; `env` as it is, and the descriptors `numbers` open. Returns only by throwing."
  [words env numbers]
  (let [allowed (apply str "-all" (map #(str ",+" (first %)) of-ontapd))
        setpriv (launch/tool "setpriv")
        argv    (into [setpriv (str "--bounding-set=" allowed) "--inh-caps=-all"
                       "--ambient-caps=-all" "--no-new-privs" "--"
                       (System/getProperty "ontap.launcher")]
                      words)
        env     (mapv (fn [[k v]] (str k "=" v)) env)
        fds     (inherited/fds numbers)]
    (Exec/prepare setpriv argv env fds)
    (Exec/runInSession setpriv argv env fds)))

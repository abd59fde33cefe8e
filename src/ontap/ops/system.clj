;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.system
  "`ontap up`: the rooms wired together. `ontap exec` is the same without a supervisor."
  (:require [clojure.string :as str]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.alloc.nameservers :as nameservers]
            [ontap.kernel.events :as events]
            [ontap.kernel.links :as links]
            [ontap.model.world :as world]
            [ontap.ops.answers :as answers]
            [ontap.ops.control :as control]
            [ontap.ops.ipv4 :as ipv4]
            [ontap.ops.lending :as lending]
            [ontap.ops.note :as note]
            [ontap.ops.process :as process]
            [ontap.ops.provider :as provider]
            [ontap.ops.secret :as secret]
            [ontap.ops.zone-child :as zone-child]
            [ontap.ops.zone-link :as zone-link]
            [ontap.run.adopt :as adopt]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.record :as record]
            [ontap.run.resolv-watch :as resolv-watch]
            [ontap.run.supervisor :as supervisor]
            [ontap.run.work :as work])
  (:import (java.nio.file Files Path)
           (ontap.rtnl RtnlMonitor)
           (ontap.sys EventLoop Fd Inotify Inotify$Event Procs)))

(set! *warn-on-reflection* true)

;; --- a life

(def ^:private crew-size "Namespaces that are entered at once." 4)

(defn- lock! [paths]
  (or (record/lock! paths)
      (throw (process/exit 111 (str "unable to run: another `ontap up` runs in " (:paths/dir paths)
                            "; `ontap status` shows it, ONTAP_RUNTIME_DIR=DIR gives this one a folder of its own")))))

(defn- hear!
  "Takes in all that the kernel has said up to now. Does not block."
  [sup ^RtnlMonitor monitor]
  (loop [n 0]
    (when-let [said (and (< n process/at-once) (seq (events/receive monitor)))]
      (if (some #(= :event/overflow (:event/type %)) said)
        (let [is (events/snapshot (supervisor/nsids sup))]
          (supervisor/kernel-is! sup is)
          (dhcp/kernel-said! (:ipv4 sup) is)
          (lending/hear! sup nil))
        (do (supervisor/kernel-said! sup said)
            (nameservers/kernel-said! (:nameservers sup) said)
            (dhcp/kernel-said! (:ipv4 sup) said)
            (lending/hear! sup said)))
      (recur (inc n)))))

(defn- shut-down! [sup]
  (let [{:keys [leaving?]} sup]
    (if @leaving?
      (do (parts/note! sup :info nil "killing what has not stopped")
          (supervisor/hurry! sup))
      (do
        (vreset! leaving? true)
        (when-not (world/rest? @(:world sup))
          (parts/note! sup :info nil "stopping all; asked again, it kills what has not stopped"))
        (supervisor/leave! sup (keys (:world/services @(:world sup))) {:leave? true})
        (supervisor/await! sup world/rest?
                           #(zone-child/end! (:zone sup) (fn [] (.stop ^EventLoop (:loop sup)))))))))

(defn- hang-up!
  "What SIGHUP asks for."
  [sup]
  (answers/answer! sup {:command :reload}
                   (fn [{:keys [ok? message]}]
                     (when-not ok?
                       (parts/note! sup :error nil (str "not reloaded:\n" message))))))

(defn- listen-to-ontapd!
  "Ports of an ontapd come and go with their sockets. A folder that is not there yet, or
  not ours to read, is not watched."
  [{:keys [env watches ^Inotify inotify] :as sup}]
  (let [dir (paths/daemon-dir env)]
    (when (Files/isReadable (Path/of dir (make-array String 0)))
      (vswap! watches assoc
              (.watch inotify dir (bit-or Inotify/IN_CREATE Inotify/IN_DELETE Inotify/IN_MOVED_TO))
              (fn [^Inotify$Event e]
                (when (some-> (.name e) (str/starts-with? "port.")) (supervisor/ports-changed! sup)))))))

(defn- told!
  "What the service `name` hears of its IPv4 address; the rest is for `status` to show. A link of the zone has neither
  a workload nor a declaration here."
  [{:keys [nameservers] :as sup} name kind {:keys [says] :as data}]
  (when-not (zone-link/key? name)
    (case kind
      :terms   (nameservers/terms! nameservers name data)
      :refused (when (= :static (-> (parts/service sup name) :service :service/ipv4 :method))
                 (parts/tell! sup name :address-refused {:reason says :noted? true}))
      nil)))

(defn- begin-ipv4! [sup key {:service/keys [name] :as service} {:attachment/keys [nsid index] :as attachment} pid]
  (nameservers/at! (:nameservers sup) name nsid index)
  (ipv4/begin-service! (:ipv4 sup) key service attachment pid))

(defn- end-ipv4! [sup {:service/keys [name release]}]
  (dhcp/end! (:ipv4 sup) name release)
  (nameservers/gone! (:nameservers sup) name))

(defn- kernel
  "The functions of the kernel for a supervisor; `sup` (fn []) gives it."
  [env alloc sup]
  (let [key (delay (secret/host-key (paths/state-dir env (paths/caller))))]
    {:begin-ipv4   #(begin-ipv4! (sup) @key %1 %2 %3)
     :end-ipv4     #(end-ipv4! (sup) %)
     :refusal      provider/refusal
     :resolv-facts #(nameservers/facts (:nameservers (sup)) (:service/name %))
     :attach       #(provider/attach! env %1 %2 alloc)
     :remove       #(provider/remove! alloc %)
     :remove-stale links/remove-stale!
     :find         #(provider/find-attachment env alloc %1 %2)
     :of-name      #(secret/of-name @key %)}))

(defn up!
  "Runs the declared services until SIGTERM or SIGINT; blocks; returns the exit
  status. `declared` (fn []) gives {:services [..]} or {:mistakes text}, and is asked
  again at each reload; `file` is the path it comes from, for the zone, if it declares one; `env` a
  map of strings; `ready!` (optional) is called once
  questions are answered. Throws with :kind :exit."
  [{:keys [declared file env ready!]}]
  (let [{:keys [services zone mistakes]} (declared)
        _       (when mistakes (throw (process/exit 102 mistakes)))
        paths   (paths/layout (paths/runtime-dir env (paths/caller)))
        _       (paths/make-layout! paths)
        ^Fd lock (lock! paths)
        boot-id (Procs/bootId)]
    (with-open [lock    lock
                monitor (process/open-monitor
                         "unable to make namespaces and links: this takes root; an ordinary user can have a network of their own: unshare -Urn ontap up FILE")
                signals (process/signals)
                clock   (process/clock-change)
                loop    (process/event-loop env)]
      (let [lender (volatile! nil)
            self   (volatile! nil)
            sup (assoc (supervisor/make {:loop loop :paths paths :boot-id boot-id
                                         :note note/line! :base (cgroup/base)
                                         :crew-size crew-size
                                         :kernel (kernel env (fn [] @lender) (fn [] @self))
                                         :more-ports #(provider/ports-elsewhere env %)})
                       :lender   lender
                       :env      env
                       :declared declared
                       :hear     (fn [sup] (hear! sup monitor))
                       :leaving? (volatile! false))
            sup (assoc sup
                       :nameservers (nameservers/nameservers {:loop loop :changed #(resolv-watch/told! @self %)})
                       :ipv4 (ipv4/engine {:loop loop :env env :note note/line!
                                           :submit (partial work/submit! (:crew sup))
                                           :told #(told! @self %1 %2 %3)})
                       :zone (zone-child/child {:loop loop :env env :file file :note note/line! :engine #(:ipv4 @self)
                                                :submit (partial work/submit! (:crew sup))}))
            {:keys [records unreadable]} (record/read-all paths boot-id)]
        (vreset! self sup)
        (vreset! (:self sup) sup)
        ;; a socket that cannot be had is said before anything is touched
        (let [end-control! (control/serve! loop (:paths/control paths) #(answers/answer! sup %1 %2))]
          (doseq [{:keys [why] path :unreadable} unreadable]
            (note/line! :warning nil (str "unable to use " path ": " why)))
          (supervisor/kernel-is! sup (events/snapshot []))
          (lending/lend! sup (concat services (map :record/service records)))
          (adopt/adopt! sup records)
          (when (seq records)
            (supervisor/kernel-is! sup (events/snapshot (supervisor/nsids sup)))
            ;; the machine's own file may have been replaced while nobody looked
            (resolv-watch/mend-all! sup))
          (process/on-kernel! loop monitor #(hear! sup monitor))
          (process/on-resume! loop clock #(dhcp/resumed! (:ipv4 sup)))
          (resolv-watch/watch! sup)
          (process/on-signals! loop signals #(hang-up! sup) #(shut-down! sup))
          (listen-to-ontapd! sup)
          (supervisor/reload! sup services)
          (zone-child/want! (:zone sup) zone)
          (when ready! (ready!))
          (process/tidy-later! loop)
          (.run loop)
          (end-control!)
          (dhcp/close! (:ipv4 sup))
          (some-> @lender lending/close!)
          (supervisor/close! sup)
          0)))))

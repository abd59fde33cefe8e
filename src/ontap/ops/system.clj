;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.system
  "`ontap up`: the rooms wired together, and what can be asked of the running whole.
  `ontap exec` is the same without a supervisor."
  (:require [clojure.string :as str]
            [ontap.kernel.events :as events]
            [ontap.kernel.links :as links]
            [ontap.model.addressing :as addressing]
            [ontap.model.supervision :as supervision]
            [ontap.model.world :as world]
            [ontap.ops.control :as control]
            [ontap.ops.lending :as lending]
            [ontap.ops.note :as note]
            [ontap.ops.process :as process]
            [ontap.ops.provider :as provider]
            [ontap.ops.secret :as secret]
            [ontap.run.adopt :as adopt]
            [ontap.run.cgroup :as cgroup]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.record :as record]
            [ontap.run.supervisor :as supervisor])
  (:import (java.nio.file Files Path)
           (ontap.rtnl RtnlMonitor)
           (ontap.sys EventLoop Fd Inotify Inotify$Event Procs)))

(set! *warn-on-reflection* true)

;; --- what is asked

(defn status
  "A map per service, in the order of names: :name :state :since-ms (in that state)
  :pid :user :link :port :type :addresses :reason :restarts :exit :log :requires
  :ready :adopted?."
  [sup]
  (let [now   (parts/now-ms)
        world @(:world sup)]
    (vec
     (for [[name {:keys [service] :as s}] (sort-by key (:world/services world))
           :let [running? (supervision/running? (:sup/state s))]]
       {:name      name
        :state     (:sup/state s)
        :since-ms  (- now (:sup/since s))
        :pid       (when running? (:sup/pid s))
        :user      (or (:service/user service) (System/getProperty "user.name"))
        :link      (:service/link service)
        :port      (:service/port service)
        :type      (:service/type service)
        :addresses (addressing/shown (supervisor/addresses sup name))
        :reason    (or (world/waits-for world name) (:sup/reason s))
        :restarts  (:sup/restarts s)
        :exit      (:sup/exit s)
        :log       (paths/log-file (:paths sup) service)
        :requires  (:service/requires service)
        :ready     (:service/ready service)
        :adopted?  (boolean (:sup/adopted? s))}))))

(defn- unknown-names [sup names]
  (let [known (set (keys (:world/services @(:world sup))))]
    (seq (remove known names))))

(defn- settled-up? [names]
  (fn [world] (every? #(world/idle? world %) names)))

(defn- settled-down? [names]
  (fn [world]
    (every? #(let [s (get-in world [:world/services %])]
               (or (nil? s) (supervision/at-rest? (:sup/state s))))
            names)))

(defn- rows [sup names]
  (filterv (comp (set names) :name) (status sup)))

(defn- state-words [state]
  (if (= :backoff state) "in back-off" (name state)))

(defn- answer-up [sup names reply!]
  (supervisor/await! sup (settled-up? names)
                     (fn []
                       (let [rows (rows sup names)
                             bad  (remove #(contains? #{:ready :done} (:state %)) rows)]
                         (if (seq bad)
                           (reply! {:ok? false :status 1
                                    :message (str/join "; " (map #(str (:name %) " is " (state-words (:state %))
                                                                       (when (:reason %) (str ": " (:reason %))))
                                                                 bad))})
                           (reply! {:ok? true :result rows}))))))

(defn start!
  "Starts `names` and what they require; replies once they are ready, or are not
  going to be for now."
  [sup names reply!]
  (let [all (world/requirements @(:world sup) names)]
    (supervisor/dispatch-all! sup (map #(vector % :start nil) all))
    (answer-up sup names reply!)))

(defn stop!
  "Stops `names`, after everything that requires them; replies once they are down."
  [sup names reply!]
  (let [all (world/with-dependents @(:world sup) names)]
    (supervisor/leave! sup all nil)
    (supervisor/await! sup (settled-down? all)
                       #(reply! {:ok? true :result (rows sup all)}))))

(defn restart!
  "Restarts `names`, and them alone; replies once they are ready again."
  [sup names reply!]
  (supervisor/dispatch-all! sup (map #(vector % :restart nil) names))
  (answer-up sup names reply!))

(defn reload!
  "Reads and checks the file again; then stops what is gone or changed, starts what
  is new, and leaves the rest alone. A file with mistakes changes nothing."
  [sup reply!]
  (let [{:keys [services mistakes]} (try ((:declared sup))
                                         (catch clojure.lang.ExceptionInfo e
                                           {:mistakes (ex-message e)}))]
    (if mistakes
      (reply! {:ok? false :status 102 :message mistakes})
      (let [_ (lending/lend! sup services)
            {:keys [gone changed new same]} (supervisor/reload! sup services)
            summary {:stopped gone
                     :changed (mapv :service/name changed)
                     :started (mapv :service/name new)
                     :same    same}]
        (parts/note! sup :info nil (str "reloaded: " (count new) " new, " (count changed)
                                        " changed, " (count gone) " gone, "
                                        (count same) " left alone"))
        (reply! {:ok? true :result summary})))))

(defn- handle [sup {:keys [command names]} reply!]
  (cond
    (unknown-names sup names)
    (reply! {:ok? false :status 1
             :message (str "there is no service " (str/join ", " (unknown-names sup names))
                           "; there are: "
                           (str/join ", " (sort (keys (:world/services @(:world sup))))))})

    (and @(:leaving? sup) (#{:start :restart :reload} command))
    (reply! {:ok? false :status 1 :message "the running ontap is stopping all its services"})

    :else
    (case command
      :status  (reply! {:ok? true :result (if (seq names) (rows sup names) (status sup))})
      :start   (start! sup names reply!)
      :stop    (stop! sup names reply!)
      :restart (restart! sup names reply!)
      :reload  (reload! sup reply!)
      (reply! {:ok? false :message (str "unknown command " (pr-str command))}))))

;; --- a life

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
        (do (supervisor/kernel-is! sup (events/snapshot (supervisor/nsids sup)))
            (lending/hear! sup nil))
        (do (supervisor/kernel-said! sup said)
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
        (supervisor/await! sup world/rest? #(.stop ^EventLoop (:loop sup)))))))

(defn- hang-up!
  "What SIGHUP asks for."
  [sup]
  (handle sup {:command :reload}
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

(defn- kernel [env alloc]
  (let [key (delay (secret/host-key (paths/state-dir env (paths/caller))))]
    {:attach       #(provider/attach! env %1 %2 alloc)
     :remove       #(provider/remove! alloc %)
     :remove-stale links/remove-stale!
     :find         #(provider/find-attachment env alloc %1 %2)
     :secret       #(secret/stable-secret @key %)}))

(defn up!
  "Runs the declared services until SIGTERM or SIGINT; blocks; returns the exit
  status. `declared` (fn []) gives {:services [..]} or {:mistakes text}, and is asked
  again at each reload; `env` a map of strings; `ready!` (optional) is called once
  questions are answered. Throws with :kind :exit."
  [{:keys [declared env ready!]}]
  (let [{:keys [services mistakes]} (declared)
        _       (when mistakes (throw (process/exit 102 mistakes)))
        paths   (paths/layout (paths/runtime-dir env (paths/caller)))
        _       (paths/make-layout! paths)
        ^Fd lock (lock! paths)
        boot-id (Procs/bootId)]
    (with-open [lock    lock
                monitor (process/open-monitor
                         "unable to make namespaces and links: this takes root; an ordinary user can have a network of their own: unshare -Urn ontap up FILE")
                signals (process/signals)
                loop    (process/event-loop env)]
      (let [lender (volatile! nil)
            sup (assoc (supervisor/make {:loop loop :paths paths :boot-id boot-id
                                         :note note/line! :base (cgroup/base)
                                         :crew-size 4 :kernel (kernel env (fn [] @lender))
                                         :more-ports #(provider/ports-elsewhere env %)})
                       :lender   lender
                       :env      env
                       :declared declared
                       :hear     (fn [sup] (hear! sup monitor))
                       :leaving? (volatile! false))
            {:keys [records unreadable]} (record/read-all paths boot-id)]
        (vreset! (:self sup) sup)
        ;; a socket that cannot be had is said before anything is touched
        (let [end-control! (control/serve! loop (:paths/control paths) #(handle sup %1 %2))]
          (doseq [{:keys [why] path :unreadable} unreadable]
            (note/line! :warning nil (str "unable to use " path ": " why)))
          (supervisor/kernel-is! sup (events/snapshot []))
          (lending/lend! sup (concat services (map :record/service records)))
          (adopt/adopt! sup records)
          (when (seq records)
            (supervisor/kernel-is! sup (events/snapshot (supervisor/nsids sup))))
          (process/on-kernel! loop monitor #(hear! sup monitor))
          (process/on-signals! loop signals #(hang-up! sup) #(shut-down! sup))
          (listen-to-ontapd! sup)
          (supervisor/reload! sup services)
          (when ready! (ready!))
          (process/tidy-later! loop)
          (.run loop)
          (end-control!)
          (some-> @lender lending/close!)
          (supervisor/close! sup)
          0)))))

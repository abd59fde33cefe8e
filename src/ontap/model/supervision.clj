;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.supervision
  "What happens to one supervised service: a table, state x event -> action.

  Pure: an action takes the service's record, the event's data and the time, and
  gives the new record with the effects to carry out, which are data too. The
  shell (`ontap.run.supervisor`) carries them out and turns what the kernel says
  into the next event. Times are CLOCK_BOOTTIME in milliseconds.

  A record:
    :service         the normalised declaration (`ontap.model.service`)
    :sup/state       see `states`
    :sup/since       when it got there, ms
    :sup/want        :up or :down
    :sup/generation  number of attempts; late news of an older attempt is ignored
    :sup/pid         of the workload, while there is one
    :sup/runs        times, ms, of the runs that ended inside the window
    :sup/delay-ms    the next back-off
    :sup/exit        how the last run ended: {:code n} {:signal n} {:unknown true}
    :sup/reason      why it is where it is, a phrase for a person, or nil
    :sup/notified?   it said that it is ready while it was being launched
    :sup/again?      start again once stopped (restart, changed declaration)
    :sup/next        the declaration that replaces this one once it is stopped
    :sup/leave?      forget the service once it is stopped

  Effects: [:attach] [:launch] [:signal NAME] [:kill] [:sweep] [:timer KEY AT-MS]
  [:cancel KEY] [:record] [:forget] [:note LEVEL TEXT]. Every attempt that made a
  link ends through :cleaning, whose [:sweep] is answered by :gone."
  (:require [ontap.model.addressing :as addressing]))

(def states
  "Every state, in the order of a life, with what it means for a person."
  (array-map
   :down       "not running, not wanted"
   :waiting    "waits for its port or for services it requires"
   :attaching  "its namespace and link are being made"
   :addressing "its link waits for a usable address"
   :launching  "its workload is being started"
   :up         "runs, has not said that it is ready"
   :ready      "runs, and is ready"
   :stopping   "was asked to stop"
   :killing    "did not stop in time and is being killed"
   :cleaning   "ended; what it left behind is being ended"
   :backoff    "ended and will be started again"
   :done       "ended, and is not to be started again"
   :failed     "ended too often; `ontap start` tries again"))

(def events
  "Every event, with the shape of its data."
  (array-map
   :start         nil
   :stop          {:leave? 'boolean}
   :restart       {:service 'declaration}
   :go            nil
   :attached      {:usable? 'boolean}
   :attach-failed {:reason 'string :wait? 'boolean :later? 'boolean}
   :addressed     nil
   :address-late  nil
   :address-refused {:reason 'string :noted? "was a person told already?"}
   :launched      {:pid 'int}
   :launch-failed {:reason 'string}
   :notified      nil
   :exited        {:exit 'map}
   :gone          nil
   :stop-late     nil
   :retry         nil
   :link-lost     {:reason 'string}))

(def at-rest?
  "States in which nothing of the service exists or is about to."
  #{:down :done :failed})

(def running?
  "States in which the workload's process exists."
  #{:up :ready :stopping :killing})

;; --- building blocks: each returns the record

(defn- effect [s & fx] (update s :sup/effects (fnil into []) fx))

(defn- enter [s state now]
  (assoc s :sup/state state :sup/since now))

(defn- rest-down
  "Nothing is left of the last run: take the next declaration, forget the
  service, or stay down."
  [s now]
  (cond
    (:sup/leave? s) (-> s (enter :down now) (effect [:forget]))
    (or (:sup/next s) (:sup/again? s))
    (-> s
        (assoc :service (or (:sup/next s) (:service s)))
        (dissoc :sup/next :sup/again?)
        (enter (if (= :up (:sup/want s)) :waiting :down) now)
        (effect [:record]))
    :else (-> s (enter :down now) (effect [:record]))))

(defn- launch [s now] (-> s (enter :launching now) (effect [:launch])))

(defn- clean [s now] (-> s (enter :cleaning now) (effect [:sweep])))

(defn- begin-stop [s now]
  (let [{:keys [signal timeout-ms]} (-> s :service :service/stop)]
    (-> s
        (enter :stopping now)
        (effect [:record] [:signal signal] [:timer :stop (+ now timeout-ms)]))))

(defn- forget-failures [s]
  (dissoc s :sup/runs :sup/delay-ms))

(defn- ended
  "The workload ended by itself, or could not be started: back-off, done or
  failed, as `:restart` of the declaration says. A run that lasted longer than
  the window starts the count afresh."
  [s now]
  (let [{:keys [policy delay-ms max-delay-ms limit window-ms]}
        (-> s :service :service/restart)
        clean?  (= {:code 0} (:sup/exit s))
        runs    (->> (conj (vec (:sup/runs s)) now)
                     (filterv #(> % (- now window-ms))))
        calm?   (= 1 (count runs))
        wait-ms (if calm? delay-ms (or (:sup/delay-ms s) delay-ms))]
    (cond
      (or (= :never policy) (and (= :on-failure policy) clean?))
      (-> s (enter (if clean? :done :failed) now) (effect [:record]))

      (> (count runs) limit)
      (let [reason (str "ended " (count runs) " times within " (quot window-ms 1000)
                        " s; last: " (:sup/reason s))]
        (-> s
            (assoc :sup/runs runs :sup/reason reason)
            (enter :failed now)
            (effect [:record] [:note :error (str "failed: " reason)])))

      :else
      (-> s
          (assoc :sup/runs runs
                 :sup/delay-ms (min max-delay-ms (* 2 wait-ms))
                 :sup/wait-ms wait-ms)
          (enter :backoff now)
          (effect [:record] [:timer :retry (+ now wait-ms)])))))

(defn- exit-phrase [{:keys [code signal]}]
  (cond code   (str "exited with " code)
        signal (str "was ended by signal " signal)
        :else  "ended while nobody watched; the kernel does not tell how"))

;; --- actions: (record data now) -> record

(defn- ignore [s _ _] s)

(defn- written?
  "Has anything of the service to be written down before its first workload is about
  to be spawned? Only a link that would outlive us."
  [s]
  (or (pos? (:sup/generation s)) (not (true? (-> s :service :service/netns)))))

(defn- want-up [s _ now]
  (cond-> (-> s (assoc :sup/want :up) (dissoc :sup/reason) forget-failures
              (enter :waiting now) (effect [:cancel :retry]))
    (written? s) (effect [:record])))

(defn- want-up-after [s _ _]
  (-> s (assoc :sup/want :up :sup/again? true) (dissoc :sup/leave?)
      (effect [:record])))

(defn- want-up-still [s _ _]
  (-> s (assoc :sup/want :up) (dissoc :sup/leave?)))

(defn- want-down [s {:keys [leave?]}]
  (cond-> (-> s (assoc :sup/want :down) (dissoc :sup/again?))
    leave? (assoc :sup/leave? true)))

(defn- stop-now [s data now]
  (-> (want-down s data) (effect [:cancel :retry]) (rest-down now)))

(defn- stop-later [s data _]
  (-> (want-down s data) (effect [:record])))

(defn- stop-launching
  "Nothing is written down here: the launch itself is writing."
  [s data _]
  (want-down s data))

(defn- stop-addressing [s data now]
  (-> (want-down s data) (effect [:cancel :address]) (clean now)))

(defn- stop-running [s data now] (-> (want-down s data) (begin-stop now)))

(defn- again [s {:keys [service]}]
  (cond-> (-> s (assoc :sup/want :up :sup/again? true) (dissoc :sup/leave?)
              forget-failures)
    service (assoc :sup/next service)))

(defn- restart-now [s data now]
  (-> (again s data) (dissoc :sup/reason)
      (effect [:cancel :retry]) (rest-down now)))

(defn- restart-later [s data _] (again s data))

(defn- restart-addressing [s data now]
  (-> (again s data) (effect [:cancel :address]) (clean now)))

(defn- restart-running [s data now] (-> (again s data) (begin-stop now)))

(defn- attach [s _ now]
  (-> s (update :sup/generation (fnil inc 0)) (dissoc :sup/exit :sup/notified?)
      (enter :attaching now) (effect [:attach])))

(defn- unwanted? [s] (or (= :down (:sup/want s)) (:sup/again? s)))

(defn- attached [s {:keys [usable?]} now]
  (cond
    (unwanted? s) (clean s now)
    usable?       (launch s now)
    :else         (-> s (enter :addressing now)
                      (effect [:timer :address
                               (+ now (-> s :service :service/address-timeout-ms))]))))

(def ^:private later-ms "When ontapd is asked again." 1000)

(defn- attach-failed [s {:keys [reason wait? later?]} now]
  (let [s (assoc s :sup/reason reason)]
    (cond
      (unwanted? s) (rest-down s now)
      wait?         (enter s :waiting now)
      ;; whoever hands links out cannot now: no failure of the service
      later?        (-> s (enter :backoff now) (effect [:timer :retry (+ now later-ms)]))
      :else         (-> s (effect [:note :warning reason]) (ended now)))))

(defn- addressed [s _ now] (-> s (effect [:cancel :address]) (launch now)))

(defn- address-late [s _ now]
  (-> s
      (effect [:note :warning (addressing/missed-words (:service s))])
      (launch now)))

(defn- address-refused [s {:keys [reason noted?]} now]
  (cond-> (assoc s :sup/reason reason)
    true         (effect [:cancel :address])
    (not noted?) (effect [:note :warning reason])
    true         (clean now)))

(defn- ready [s _ now]
  (-> s (enter :ready now) (effect [:record] [:note :info "ready"])))

(defn- ready-soon
  "A workload may say that it is ready before its pid has come back to us."
  [s _ _]
  (assoc s :sup/notified? true))

(defn- launched
  "The launch itself has written the process down."
  [before {:keys [pid]} now]
  (let [s (-> before (assoc :sup/pid pid) (dissoc :sup/reason :sup/notified?)
              (effect [:note :info (str "started, pid " pid)]))]
    (cond
      (unwanted? s)                           (begin-stop s now)
      (nil? (-> s :service :service/ready))   (enter s :ready now)
      (:sup/notified? before)                 (ready s nil now)
      :else                                   (enter s :up now))))

(defn- launch-failed [s {:keys [reason]} now]
  (-> s (assoc :sup/reason reason) (effect [:note :warning reason]) (clean now)))

(defn- exited [s {:keys [exit]} now]
  (let [phrase (exit-phrase exit)]
    (-> s
        (assoc :sup/exit exit :sup/reason phrase)
        (dissoc :sup/pid)
        (effect [:cancel :stop]
                [:note (if (= {:code 0} exit) :info :warning) phrase])
        (clean now))))

(defn- exited-on-request [s data now]
  (update (exited s data now) :sup/effects
          (partial mapv (fn [[k level text :as fx]]
                          (if (= :note k) [:note :info (str "stopped: " text)] fx)))))

(defn- gone [s _ now]
  (if (or (:sup/leave? s) (unwanted? s))
    (rest-down s now)
    (ended s now)))

(defn- kill [s _ now]
  (-> s (enter :killing now)
      (effect [:kill] [:note :warning "did not stop in time: killed"])))

(defn- retry [s _ now]
  (-> s (update :sup/restarts (fnil inc 0)) (enter :waiting now)))

(defn- link-lost [s {:keys [reason]} now]
  (-> s (assoc :sup/again? true :sup/reason reason)
      (effect [:note :warning reason]) (begin-stop now)))

(defn- link-lost-early [s {:keys [reason]} now]
  (-> s (assoc :sup/again? true :sup/reason reason)
      (effect [:cancel :address]) (clean now)))

(defn- link-lost-later
  "Its process is about to exist: it is stopped as soon as it does."
  [s {:keys [reason]} _]
  (-> s (assoc :sup/again? true :sup/reason reason)
      (effect [:note :warning reason])))

(def table
  "state -> event -> action. Every cell is there: what is `ignore`d is ignored on
  purpose (news of an attempt that is over, a wish that is already fulfilled)."
  (let [ignored (zipmap (keys events) (repeat ignore))
        row     (fn [& kvs] (merge ignored (apply hash-map kvs)))]
    {:down       (row :start want-up, :stop stop-now, :restart restart-now)
     :waiting    (row :start want-up-still, :stop stop-now, :restart restart-now, :go attach)
     :attaching  (row :start want-up-still, :stop stop-later, :restart restart-later
                      :attached attached, :attach-failed attach-failed)
     :addressing (row :start want-up-still, :stop stop-addressing, :restart restart-addressing
                      :addressed addressed, :address-late address-late
                      :address-refused address-refused
                      :link-lost link-lost-early)
     :launching  (row :start want-up-still, :stop stop-launching, :restart restart-later
                      :launched launched, :launch-failed launch-failed
                      :notified ready-soon, :link-lost link-lost-later)
     :up         (row :start want-up-still, :stop stop-running, :restart restart-running
                      :notified ready, :exited exited, :link-lost link-lost)
     :ready      (row :start want-up-still, :stop stop-running, :restart restart-running
                      :exited exited, :link-lost link-lost)
     :stopping   (row :start want-up-after, :stop stop-later, :restart restart-later
                      :exited exited-on-request, :stop-late kill)
     :killing    (row :start want-up-after, :stop stop-later, :restart restart-later
                      :exited exited-on-request)
     :cleaning   (row :start want-up-after, :stop stop-later, :restart restart-later
                      :gone gone)
     :backoff    (row :start want-up, :stop stop-now, :restart restart-now, :retry retry)
     :done       (row :start want-up, :stop stop-now, :restart restart-now)
     :failed     (row :start want-up, :stop stop-now, :restart restart-now)}))

(defn record
  "The record of a service that was never started."
  [service now]
  {:service service :sup/state :down :sup/since now :sup/want :down
   :sup/generation 0 :sup/restarts 0})

(defn step
  "[record' effects] after `event` with `data` (see `events`) at `now`, ms."
  [s event data now]
  (let [s' ((get-in table [(:sup/state s) event]) s data now)]
    [(dissoc s' :sup/effects) (:sup/effects s' [])]))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.supervisor
  "The shell around `ontap.model.supervision` and `ontap.model.world`: carries out
  their effects and turns what the kernel says into their events.

  One thread, that of the event loop, owns everything here; what has to enter a
  namespace goes to a crew of threads that die (`ontap.run.work`). Nothing is
  polled. The kernel's side of a link comes in as functions (`:kernel`), so that
  this room knows no netlink."
  (:require [ontap.model.addressing :as addressing]
            [ontap.model.inventory :as inventory]
            [ontap.model.supervision :as supervision]
            [ontap.model.world :as world]
            [ontap.run.attempt :as attempt]
            [ontap.run.ending :as ending]
            [ontap.run.halt :as halt]
            [ontap.run.log-watch :as log-watch]
            [ontap.run.parts :as parts]
            [ontap.run.record :as record]
            [ontap.run.watches :as watches]
            [ontap.run.work :as work])
  (:import (clojure.lang PersistentQueue)
           (ontap.sys Clock Errno EventLoop Fd Inotify PidFd Signals SysException)))

(set! *warn-on-reflection* true)

;; --- effects

(def ^:private timer-events {:stop :stop-late, :retry :retry})

(defn- address-late!
  "No address came in time. A link that ontapd gave may have none because another host has
  the declared one: it is asked."
  [sup name]
  (let [{:keys [attachment]} (parts/handle sup name)
        {:keys [service]} (parts/service sup name)]
    (if (and (:attachment/grant attachment) (= :static (-> service :service/ipv4 :method)))
      (work/submit! (:crew sup) (str "ask-" name)
                    #((-> sup :kernel :refusal) attachment)
                    (fn [{:keys [value]}]
                      (if value
                        (parts/tell! sup name :address-refused {:reason value})
                        (parts/tell! sup name :address-late))))
      (parts/tell! sup name :address-late))))

(defn- timer! [sup name key at-ms]
  (let [timer (.at ^EventLoop (:loop sup) (* 1000000 (long at-ms))
                   (fn []
                     (vswap! (:handles sup) update-in [name :timers] dissoc key)
                     (if (= :address key)
                       (address-late! sup name)
                       (parts/tell! sup name (timer-events key)))))]
    (vswap! (:handles sup) assoc-in [name :timers key] timer)))

(defn- cancel! [sup name key]
  (when-let [timer (get-in (parts/handle sup name) [:timers key])]
    (.cancel ^EventLoop (:loop sup) timer)
    (vswap! (:handles sup) update-in [name :timers] dissoc key)))

(defn- signal! [sup name signal]
  (when-let [^Fd fd (:pidfd (parts/handle sup name))]
    (try (PidFd/signal fd (Signals/number signal))
         (catch SysException e
           ;; it has ended, and that will be heard
           (when-not (= Errno/ESRCH (.errno e)) (throw e)))))
  (halt/point! "half-stopped" name))

(defn- forget! [sup name]
  (log-watch/unwatch! sup name)
  (record/remove! (:paths sup) name)
  (vswap! (:handles sup) dissoc name)
  (vswap! (:world sup) update :world/services dissoc name))

(defn- perform! [sup name [effect a b]]
  (case effect
    :attach (attempt/attach! sup name)
    :launch (attempt/launch! sup name)
    :signal (signal! sup name a)
    :kill   (ending/kill! sup name)
    :sweep  (ending/sweep! sup name)
    :timer  (timer! sup name a b)
    :cancel (cancel! sup name a)
    :record (parts/record! sup (parts/service sup name))
    :forget (forget! sup name)
    :note   (parts/note! sup a name b)))

(declare try!)

(def ^:private again-ns "When what was left behind is looked at again." 1000000000)

(defn- failed!
  "An effect could not be carried out: says so, and sees to it that the service does
  not wait for ever for the answer."
  [sup name [effect] ^Throwable t]
  (let [{:keys [reason] :as failure} (attempt/failure t)]
    (case effect
      :attach (parts/tell! sup name :attach-failed failure)
      :launch (parts/tell! sup name :launch-failed failure)
      (parts/note! sup :error name (str "unable to " (clojure.core/name effect) ": " reason)))
    (when (= :sweep effect)
      (.at ^EventLoop (:loop sup) (+ (Clock/boottimeNanos) (long again-ns))
           #(when (= :cleaning (:sup/state (parts/service sup name)))
              (try! sup name [:sweep]))))))

(defn- try! [sup name effect]
  (try (perform! sup name effect)
       (catch Throwable t (failed! sup name effect t))))

;; --- events

(defn- give! [sup [name event data]]
  (when (#{:stop :start :restart} event) (vswap! (:world sup) world/left name))
  (when-let [s (parts/service sup name)]
    (let [[s' effects] (supervision/step s event data (parts/now-ms))]
      (vswap! (:world sup) assoc-in [:world/services name] s')
      (run! #(try! sup name %) effects))))

(defn- call-watchers! [sup]
  (doseq [{:keys [when? then] :as w} @(:watchers sup)
          :when (and (contains? @(:watchers sup) w) (when? @(:world sup)))]
    (vswap! (:watchers sup) disj w)
    (then)))

(defn- drain!
  "Gives every event that waits; then what the state of all allows, until nothing
  is left to give."
  [{:keys [inbox world] :as sup}]
  (loop []
    (if-let [e (peek @inbox)]
      (do (vswap! inbox pop)
          (give! sup e)
          (recur))
      (when-let [events (seq (world/settle @world))]
        (vswap! inbox into events)
        (recur)))))

(defn dispatch-all!
  "Gives events [name event data] (see `supervision/events`), then all that follows
  from them for every service. Events that come up meanwhile wait their turn."
  [sup events]
  (let [{:keys [inbox draining]} sup]
    (vswap! inbox into events)
    (when-not @draining
      (vreset! draining true)
      (try
        (drain! sup)
        (finally (vreset! draining false)))
      (call-watchers! sup))))

(defn dispatch!
  "Gives one event; see `dispatch-all!`."
  [sup name event data]
  (dispatch-all! sup [[name event data]]))

(defn settled!
  "Looks again at what may start or stop, after the world itself was changed."
  [sup]
  (dispatch-all! sup []))

(defn await!
  "Calls `then` once, in the loop's thread, as soon as `when?` holds of the world."
  [sup when? then]
  (if (when? @(:world sup))
    (then)
    (vswap! (:watchers sup) conj {:when? when? :then then})))

;; --- what the kernel says

(defn addresses
  "The addresses of the link of `name` that the kernel has told of."
  [sup name]
  (when-let [{:attachment/keys [nsid index]} (:attachment (parts/handle sup name))]
    (inventory/addresses @(:inventory sup) nsid index)))

(defn- look!
  "Are the addresses of `name` good enough to start it?"
  [sup name]
  (let [{:keys [service] :as s} (parts/service sup name)]
    (when (= :addressing (:sup/state s))
      (let [state (addressing/state service (addresses sup name))]
        (cond
          (= :usable state) (parts/tell! sup name :addressed)
          (map? state)      (parts/tell! sup name :address-refused
                                         {:reason (str "address " (:refused state)
                                                       " is in use by another host on port "
                                                       (:service/port service))}))))))

(defn- owner-of [sup nsid index]
  (some (fn [[name {:keys [attachment]}]]
          (when (and attachment
                     (= nsid (:attachment/nsid attachment))
                     (= index (:attachment/index attachment)))
            name))
        @(:handles sup)))

(defn- link-lost! [sup name]
  (parts/tell! sup name :link-lost
               {:reason (str "its link went away (port "
                             (:service/port (:service (parts/service sup name))) ")")}))

(defn- heard! [sup {:event/keys [type] :as event}]
  (case type
    (:addr/new :addr/gone)
    (some->> (owner-of sup (:ns/id event) (:link/index event)) (look! sup))

    :link/gone
    (some->> (owner-of sup (:ns/id event) (:link/index event)) (link-lost! sup))

    :ns/gone (ending/namespace-ended! sup (:ns/id event))
    nil))

(defn ports-changed!
  "Looks again at which ports there are."
  [sup]
  (let [own    (inventory/link-names @(:inventory sup))
        wanted (map (comp :service/port :service) (vals (:world/services @(:world sup))))
        names  (into own ((:more-ports sup) (into #{} (remove own) wanted)))]
    (when-not (= names (:world/ports @(:world sup)))
      (vswap! (:world sup) assoc :world/ports names)
      (settled! sup))))

(defn kernel-said!
  "Takes events of `ontap.kernel.events` in."
  [sup events]
  (vswap! (:inventory sup) #(reduce inventory/fold % events))
  (run! #(heard! sup %) events)
  (ports-changed! sup))

(defn- miss-links!
  "Tells the services whose link is not in the inventory, though others of its
  namespace are."
  [sup]
  (let [links  (:inv/links @(:inventory sup))
        asked (into #{} (map first) (keys links))]
    (doseq [[name {{:attachment/keys [nsid index]} :attachment}] @(:handles sup)
            :when (and index (contains? asked nsid) (not (contains? links [nsid index])))]
      (link-lost! sup name))))

(defn kernel-is!
  "Takes a whole snapshot in, in place of what was known (events were lost)."
  [sup events]
  (vreset! (:inventory sup) (reduce inventory/fold inventory/empty-inventory events))
  (ports-changed! sup)
  (miss-links! sup)
  (run! #(look! sup %) (keys @(:handles sup))))

(defn nsids
  "The namespace ids of the links that are attached."
  [sup]
  (into #{} (keep #(-> % :attachment :attachment/nsid)) (vals @(:handles sup))))

;; --- making one, and what is asked of it

(defn make
  "A supervisor that runs nothing yet. Takes :more-ports (fn [names]: those of the ports
  `names`, which are no links of our own namespace, that there are all the same), :loop, :paths, :boot-id, :note (fn
  [level name text]), :base (the control group to make groups in, or nil),
  :crew-size, :hear (fn [sup]: takes in what the kernel has said up to now) and
  :kernel {:attach (fn [service of-name]) -> attachment, blocking, in the service's
  namespaces afterwards; :remove (fn [attachment]); :find (fn [pid service]) ->
  attachment or nil; :of-name (fn [name]) -> what goes with it; :begin-ipv4 (fn [service attachment pid])
  and :end-ipv4 (fn [service]): from when to when its link has an IPv4 address of ours
  (`pid`: of a workload that runs already, or nil); :resolv-facts (fn [service]) -> what is
  known of its nameservers; :refusal (fn [attachment]) -> what ontapd says against a declared
  address, or nil; blocks}."
  [{:keys [^EventLoop loop crew-size] :as given}]
  (let [inotify (Inotify.)
        watches (volatile! {})
        made    (merge {:more-ports (constantly #{})} given
                       {:world     (volatile! {:world/services {} :world/ports #{}
                                               :world/leaving {}})
                        :handles   (volatile! {})
                        :inventory (volatile! inventory/empty-inventory)
                        :inbox     (volatile! PersistentQueue/EMPTY)
                        :draining  (volatile! false)
                        :watchers  (volatile! #{})
                        :inotify   inotify
                        :watches   watches
                        :crew      (work/crew loop crew-size)
                        :self      (volatile! nil)})
        sup     (assoc made
                       :tell (fn [name event data]
                               (dispatch! @(:self made) name event data))
                       :look (fn [name] (look! @(:self made) name)))]
    (vreset! (:self made) sup)
    (watches/on! loop inotify watches)
    sup))

(defn add!
  "Adds `service`, wanted down."
  [sup service]
  (vswap! (:world sup) assoc-in [:world/services (:service/name service)]
          (supervision/record service (parts/now-ms))))

(defn leave!
  "Stops services `names`, each after what requires it. `data`: nil, or {:leave?
  true} to forget them too."
  [sup names data]
  (vswap! (:world sup) world/leave names data)
  (settled! sup))

(defn- tell-missing-ports! [sup]
  (let [{:world/keys [services ports]} @(:world sup)]
    (doseq [[name {:keys [service] :as s}] (sort-by key services)
            :let [port (:service/port service)]
            :when (and (= :waiting (:sup/state s)) (not (contains? ports port)))]
      (parts/note! sup :info name (str "waits for port " port ", which is not there yet")))))

(defn reload!
  "Makes `services` what is declared: stops what is gone, restarts what changed,
  starts what is new, leaves the rest alone. Returns `world/difference`."
  [sup services]
  (let [{:keys [gone changed new] :as difference} (world/difference @(:world sup) services)]
    (leave! sup gone {:leave? true})
    (run! #(add! sup %) new)
    ;; their ports may be of those that are no links of ours
    (ports-changed! sup)
    (dispatch-all! sup (concat (for [s changed] [(:service/name s) :restart {:service s}])
                               (for [s new] [(:service/name s) :start nil])))
    (when (or (seq changed) (seq new)) (tell-missing-ports! sup))
    difference))

(defn hurry!
  "Kills at once what is being asked to stop."
  [sup]
  (doseq [[name s] (:world/services @(:world sup))
          :when (= :stopping (:sup/state s))]
    (cancel! sup name :stop)
    (dispatch! sup name :stop-late nil)))

(defn close!
  "Lets go of what the supervisor itself holds; for one that runs nothing any more."
  [sup]
  (.remove ^EventLoop (:loop sup) (.fd ^Inotify (:inotify sup)))
  (.close ^Inotify (:inotify sup)))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.answers
  "What can be asked of a running `ontap up`, and what it answers. In the loop's thread."
  (:require [clojure.string :as str]
            [ontap.alloc.client :as client]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.model.addressing :as addressing]
            [ontap.model.supervision :as supervision]
            [ontap.model.world :as world]
            [ontap.ops.lending :as lending]
            [ontap.ops.zone-child :as zone-child]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.supervisor :as supervisor]
            [ontap.run.work :as work]))

(set! *warn-on-reflection* true)

(defn status
  "A map per service, in the order of names: :name :state :since-ms (in that state)
  :pid :user :link :port :type :addresses :reason :restarts :exit :log :requires
  :ready :adopted? :dhcp (see `dhcp/row`; nil for a link without an IPv4 address of ours)."
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
        :adopted?  (boolean (:sup/adopted? s))
        :dhcp      (dhcp/row (:ipv4 sup) name)}))))

(defn leases
  "The links that this `ontap up` has made by itself, in the shape of ontapd's leases."
  [sup]
  (vec
   (for [[name {:keys [service] :as s}] (sort-by key (:world/services @(:world sup)))
         :let [{:keys [attachment pid since-epoch-ms]} (parts/handle sup name)
               {:attachment/keys [grant index hwaddr]} attachment]
         :when (and index (nil? grant))]
     (merge {:lease/id nil :lease/name name :lease/type (:service/type service)
             :lease/port (:service/port service) :lease/link (:service/link service) :lease/index index
             :lease/state :held :lease/uid (paths/caller) :lease/pid pid :lease/since-epoch-ms since-epoch-ms
             :lease/hwaddr hwaddr
             :lease/addresses (addressing/shown (supervisor/addresses sup name))}
            (dhcp/row (:ipv4 sup) name)))))

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
  (let [{:keys [services zone mistakes]} (try ((:declared sup))
                                              (catch clojure.lang.ExceptionInfo e
                                                {:mistakes (ex-message e)}))]
    (if mistakes
      (reply! {:ok? false :status 102 :message mistakes})
      (let [_ (lending/lend! sup services)
            _ (zone-child/want! (:zone sup) zone)
            {:keys [gone changed new same]} (supervisor/reload! sup services)
            summary {:stopped gone
                     :changed (mapv :service/name changed)
                     :started (mapv :service/name new)
                     :same    same}]
        (parts/note! sup :info nil (str "reloaded: " (count new) " new, " (count changed)
                                        " changed, " (count gone) " gone, "
                                        (count same) " left alone"))
        (reply! {:ok? true :result summary})))))

(defn- sockets-of
  "The sockets of the ontapds that handed out links of `names` (nil: of all)."
  [sup names]
  (into #{}
        (keep (fn [[name {:keys [attachment]}]]
                (when (or (nil? names) (contains? names name))
                  (-> attachment :attachment/grant :grant/from :path))))
        @(:handles sup)))

(defn- with-lent
  "`rows` with what ontapd says of the IPv4 addresses of links that it handed out: `leases`."
  [rows leases]
  (let [by-name (into {} (map (juxt :lease/name identity)) leases)]
    (mapv (fn [{:keys [name dhcp] :as row}]
            (let [lease (by-name name)]
              (cond-> row
                (and (nil? dhcp) (:dhcp/state lease))
                (assoc :dhcp (select-keys lease [:dhcp/method :dhcp/state :dhcp/ip :dhcp/prefix :dhcp/server
                                                 :dhcp/left-s :dhcp/says])))))
          rows)))

(defn- answer-status! [sup names reply!]
  (let [answer  (fn [leases]
                  (reply! {:ok? true :result (with-lent (if (seq names) (rows sup names) (status sup)) leases)}))
        sockets (sockets-of sup (some-> (seq names) set))]
    (if (empty? sockets)
      (answer nil)
      (work/submit! (:crew sup) "ask-ontapd"
                    (fn [] (into [] (mapcat #(try (client/leases %) (catch clojure.lang.ExceptionInfo _ nil))) sockets))
                    (fn [{:keys [value]}] (answer value))))))

(defn answer!
  "Answers a question of the control socket: `command` and the `names` of services; `reply!`
  is called once, perhaps later, with {:ok? true :result data} or {:ok? false :message text
  :status exit}."
  [sup {:keys [command names]} reply!]
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
      :leases  (reply! {:ok? true :result (leases sup)})
      :status  (answer-status! sup names reply!)
      :start   (start! sup names reply!)
      :stop    (stop! sup names reply!)
      :restart (restart! sup names reply!)
      :reload  (reload! sup reply!)
      (reply! {:ok? false :message (str "unknown command " (pr-str command))}))))

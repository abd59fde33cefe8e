;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.world
  "All services together: who may start, who may stop, and what a changed file
  means. Pure.

  A world:
    :world/services  name -> record (`ontap.model.supervision`)
    :world/ports     set of names of the links that are there
    :world/leaving   name -> data of its :stop event: services to be stopped as
                     soon as nothing that requires them runs any more"
  (:require [ontap.model.supervision :as supervision]))

(defn- state [world name] (get-in world [:world/services name :sup/state]))

(defn dependents
  "Names of the services that require `name`, directly."
  [world name]
  (for [[n s] (:world/services world)
        :when (some #{name} (-> s :service :service/requires))]
    n))

(defn closure
  "`names` and all that is reached from them by `next-of` (name -> names)."
  [next-of names]
  (loop [seen #{} queue (seq names)]
    (if-let [n (first queue)]
      (recur (conj seen n) (concat (rest queue) (remove seen (next-of n))))
      seen)))

(defn requirements
  "`names` and everything they require."
  [world names]
  (closure #(get-in world [:world/services % :service :service/requires]) names))

(defn with-dependents
  "`names` and everything that requires them."
  [world names]
  (closure #(dependents world %) names))

(defn- met?
  "Is the service `name` as those that require it need it: ready, or, a task rather
  than a server, ended well?"
  [world name]
  (contains? #{:ready :done} (state world name)))

(defn- may-go? [world {:keys [service] :as s}]
  (and (= :waiting (:sup/state s))
       (contains? (:world/ports world) (:service/port service))
       (every? #(met? world %) (:service/requires service))))

(defn- may-stop? [world name]
  (every? #(supervision/at-rest? (state world %) )
          (remove #{name} (dependents world name))))

(defn settle
  "What the state of all allows now: a vector of [name event data]."
  [world]
  (into (reduce-kv (fn [events n s] (if (may-go? world s) (conj events [n :go nil]) events))
                   [] (:world/services world))
        (for [[n data] (:world/leaving world) :when (may-stop? world n)]
          [n :stop data])))

(defn waits-for
  "Why a waiting service waits: a phrase, or nil."
  [world name]
  (let [{:keys [service] :as s} (get-in world [:world/services name])]
    (when (= :waiting (:sup/state s))
      (if-not (contains? (:world/ports world) (:service/port service))
        (str "port " (:service/port service) " is not there yet")
        (when-let [open (seq (remove #(met? world %)
                                     (:service/requires service)))]
          (str "requires " (apply str (interpose ", " open))))))))

(defn idle?
  "Does nothing more come of service `name` before something else happens: a port
  appears, somebody starts what it requires, a back-off is over?"
  [world name]
  (let [{:keys [service] :as s} (get-in world [:world/services name])]
    (case (:sup/state s)
      (nil :ready :down :failed :done :backoff) true
      :waiting (or (not (contains? (:world/ports world) (:service/port service)))
                   (boolean (some #(and (not (met? world %)) (idle? world %))
                                  (:service/requires service))))
      false)))

(defn leave
  "`names` are to be stopped, dependents first. `data`: that of the :stop event."
  [world names data]
  (update world :world/leaving merge (zipmap names (repeat data))))

(defn left
  "The :stop of `name` was given, or is not wanted any more."
  [world name]
  (update world :world/leaving dissoc name))

(defn rest?
  "Nothing runs, nothing is about to."
  [world]
  (and (empty? (:world/leaving world))
       (every? (comp supervision/at-rest? :sup/state) (vals (:world/services world)))))

(defn difference
  "What a new list of declarations means: {:gone names :changed services
  :new services :same names}. One that is about to be forgotten, and is declared
  again, counts as changed. What it offers (:service/srv) is the zone's business:
  no workload is restarted for it."
  [world services]
  (let [run  #(dissoc % :service/srv)
        now  (into {} (map (juxt :service/name identity)) services)
        going? #(or (get-in world [:world/services % :sup/leave?])
                    (get-in world [:world/leaving % :leave?]))
        old  (into {} (map (fn [[n s]] [n (if (going? n)
                                            {:service/name n}
                                            (or (:sup/next s) (:service s)))]))
                   (:world/services world))]
    {:gone    (vec (sort (remove now (keys old))))
     :changed (filterv #(and (old (:service/name %)) (not= (run %) (run (old (:service/name %)))))
                       services)
     :new     (filterv #(not (old (:service/name %))) services)
     :same    (vec (sort (filter #(= (run (old %)) (run (now %))) (filter now (keys old)))))}))

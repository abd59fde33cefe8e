;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-wanted
  "What a link's machine does when other names are wanted: hosts that come are probed for, those that go are taken back at once,
  those that change tell it. In the terms of `ontap.model.mdns-units`. Pure."
  (:require [ontap.model.mdns-announce :as announce]
            [ontap.model.mdns-follow :as follow]
            [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-probe :as probe]
            [ontap.model.mdns-units :as units]))

(set! *warn-on-reflection* true)

(defn- changed
  "{label host-or-nil} of what is other in `after` than in `before`. A host without addresses is none. What is the same object is not
  looked at."
  [before after]
  (let [is (reduce-kv (fn [m label host]
                        (let [was (get before label)]
                          (if (or (identical? was host) (= was host)) m (assoc m label host))))
                      (sorted-map) after)
        new (count (remove #(contains? before %) (keys is)))]
    (if (= (count after) (+ (count before) new))
      is
      (into is (comp (remove #(contains? after %)) (map (fn [label] [label nil]))) (keys before)))))

(defn- told [host] (when (seq (:host/addresses host)) host))

(defn- unit-ids [host] (filterv #(hosts/unit-name % (hosts/wish %)) (hosts/ids host)))

;; --- who has an address

(defn- with-addresses [by-ip label ips]
  (reduce (fn [m ip] (update m ip (fnil conj (sorted-set)) label)) by-ip ips))

(defn- without-addresses [by-ip label ips]
  (reduce (fn [m ip] (let [left (disj (get m ip (sorted-set)) label)] (if (seq left) (assoc m ip left) (dissoc m ip)))) by-ip ips))

(defn- moved-addresses
  "[state' labels]: the addresses of `changes` are noted; `labels` have one of them, too."
  [{:keys [wanted by-ip] :as state} changes]
  (let [before (fn [label] (:host/addresses (get wanted label)))
        after  (reduce-kv (fn [m label host]
                            (-> m (without-addresses label (before label)) (with-addresses label (:host/addresses (told host)))))
                          by-ip changes)
        others (into (sorted-set)
                     (comp (mapcat (fn [[label host]] (concat (before label) (:host/addresses (told host)))))
                           (mapcat #(concat (get by-ip %) (get after %)))
                           (remove #(contains? changes %)))
                     changes)]
    [(assoc state :by-ip after) others]))

;; --- units

(defn- let-go [state id now]
  (let [{:keys [folded probe]} (units/unit state id)]
    (-> (announce/withdraw state id now)
        (units/no-timers id)
        (follow/end id)
        (units/release id folded)
        (cond-> probe (units/release id (:folded probe)))
        (follow/released folded now)
        (update :units dissoc id))))

(defn- displace
  "Another unit that goes by the name `folded`, for want of a better one, gives it to the host that is called so."
  [state id folded now]
  (let [holder (get (:holders state) folded)]
    (if (and holder (not= holder id) (hosts/host? id))
      (-> (announce/withdraw state holder now)
          (probe/rename holder (:by (units/unit state holder)) now))
      state)))

(defn- number-of
  "How often the unit `id` was renamed when it goes by `text`."
  [id text]
  (or (some #(when (= text (hosts/renamed id %)) %) (range 1 100)) 1))

(defn- create [{:keys [saved wanted] :as state} id now]
  (let [wish   (hosts/wish id)
        folded #(some-> (hosts/unit-name id %) mdns-name/fold)
        kept   (when (hosts/host? id) (get saved wish))
        kept   (when (and kept (folded kept) (not (contains? (:holders state) (folded kept)))
                          (or (= kept wish) (not (contains? wanted kept))))
                 kept)
        state  (if kept state (displace state id (folded wish) now))
        [text n] (cond
                   kept                                           [kept (number-of id kept)]
                   (contains? (:holders state) (folded wish))     (hosts/next-text id 1 #(contains? (:holders state) %))
                   :else                                          [wish 1])]
    (-> state
        (assoc-in [:units id] {:id id :text text :name (hosts/unit-name id text) :folded (folded text) :number n
                               :claimed? false :said [] :listed [] :since now :told (or kept wish)})
        (units/hold id (folded text))
        (probe/renew id now))))

(defn- without-units [state changes now]
  (reduce (fn [state id] (let-go state id now))
          state
          (for [[label host] changes
                :let [ids (set (unit-ids (told host)))]
                id (unit-ids (get (:wanted state) label))
                :when (and (contains? (:units state) id) (not (contains? ids id)))]
            id)))

(defn want
  "The hosts `wanted`, {label host}, are to be told from `now` on, instead of those before."
  [{before :wanted :as state} wanted now]
  (let [changes (changed before wanted)]
    (if (empty? changes)
      (assoc state :wanted wanted)
      (let [state (without-units state changes now)
            [state others] (moved-addresses state changes)
            state (assoc state :wanted wanted)
            ids (into [] (mapcat (comp unit-ids told)) (vals changes))
            {old true, new false} (group-by #(contains? (:units state) %) ids)
            state (reduce #(probe/renew %1 %2 now) state old)
            state (reduce #(probe/renew %1 %2 now) state (filter #(contains? (:units state) %) (map vector others)))
            state (reduce #(create %1 %2 now) state new)]
        (if (seq new)
          (probe/start-all state new now)
          state)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.guests
  "The addresses of the guests behind ipvtap links: unicast reaches a guest only at
  addresses that its link has, so what a guest is seen to use is given to its link, and
  taken away when it is stale (`ontap.model.mirror`).

  The kernel comes in as functions, `:guests` of an allocator: :open (fn [lease]) -> an
  Fd that becomes readable when there is something to see on its link, :open-port (fn
  [lease]) -> one for what its parent sees of DHCP; :receive and :receive-port (fn [Fd]) ->
  {:events of `ontap.model.mirror`, :more? may there be more}; :addresses (fn [lease]) ->
  [[ip prefix] ..] the link has; :add and :remove (fn [lease ip prefix]), nil or why not;
  :refused (fn []) -> addresses that are not for guests. They do not block. All of it
  belongs to the loop's thread."
  (:require [ontap.alloc.listening :as listening]
            [ontap.model.mirror :as mirror])
  (:import (ontap.sys Clock EventLoop)))

(set! *warn-on-reflection* true)

(defn- now-ms [] (quot (Clock/boottimeNanos) 1000000))

(defn addresses
  "The mirrored addresses of lease `id`, or nil when it is not followed."
  [{:keys [followed]} id]
  (some-> (get-in @followed [id :state]) mirror/addresses))

(defn holder
  "The title of the lease whose guest has address `ip` on `port`, or nil."
  [{:keys [followed]} port ip]
  (some (fn [[id {:keys [lease state]}]]
          (when (and (= port (:lease/port lease)) (some #{ip} (mirror/addresses state)))
            (or (:lease/name lease) (str "lease " id))))
        @followed))

(declare give!)

(defn- timer! [{:keys [^EventLoop loop followed] :as alloc} id at-ms]
  (some->> (get-in @followed [id :timer]) (.cancel loop))
  (vswap! followed assoc-in [id :timer]
          (when at-ms
            (.at loop (* 1000000 (long at-ms)) #(give! alloc id {:seen/kind :tick}))))
  nil)

(defn- perform!
  "Carries out one effect; an event when it could not be."
  [{:keys [guests note] :as alloc} {:lease/keys [id name] :as lease} [effect a b]]
  (case effect
    :add    (when-let [why ((:add guests) lease a b)]
              {:seen/kind :lost :seen/ip a :seen/reason why})
    :remove (do ((:remove guests) lease a (if (.contains ^String a ":") 128 32)) nil)
    :note   (do (note a (or name (str "lease " id)) b) nil)
    :timer  (timer! alloc id a)))

(defn- give!
  "Gives an event to the mirror of lease `id`, and carries out what follows."
  [{:keys [followed] :as alloc} id event]
  (when-let [{:keys [lease state]} (get @followed id)]
    (let [[state effects] (mirror/step state event (now-ms))]
      (vswap! followed assoc-in [id :state] state)
      ;; all of them first: the last word on the timer counts
      (run! #(give! alloc id %) (into [] (keep #(perform! alloc lease %)) effects)))))

;; --- what is seen: on the link itself, and on the parent what misses the link

(defn- followers [{:keys [followed]} port]
  (for [[id {:keys [lease]}] @followed :when (= port (:lease/port lease))] id))

(defn- watch-port!
  "One socket on the parent serves all guests of `port`."
  [{:keys [guests ports] :as alloc} {:lease/keys [port] :as lease}]
  (when-not (contains? @ports port)
    (let [fd ((:open-port guests) lease)]
      (vswap! ports assoc port fd)
      (listening/listen! (:loop alloc) fd (:receive-port guests) (fn [event] (run! #(give! alloc % event) (followers alloc port)))))))

(defn- leave-port! [{:keys [ports] :as alloc} port]
  (when-let [fd (and (empty? (followers alloc port)) (get @ports port))]
    (vswap! ports dissoc port)
    (listening/close! (:loop alloc) fd)))

(defn follow!
  "Mirrors the addresses of the guest of `lease` from now on; nothing for links that
  need no mirror."
  [{:keys [guests followed note] :as alloc} {:lease/keys [id type] :as lease}]
  (when (and (= "ipvtap" type) (not (contains? @followed id)))
    (try
      (let [fd ((:open guests) lease)]
        (vswap! followed assoc id
                {:fd fd :lease lease
                 :state (mirror/mirror (:lease/hwaddr lease) ((:refused guests))
                                       (map first ((:addresses guests) lease)))})
        (listening/listen! (:loop alloc) fd (:receive guests) #(give! alloc id %))
        (watch-port! alloc lease)
        ;; what is on the link from an earlier life may be refused by now
        (give! alloc id {:seen/kind :refuse :seen/ips ((:refused guests))}))
      (catch Exception e
        (note :error nil (str "unable to follow the guest of lease " id ": " (ex-message e)))))))

(defn refuse-again!
  "This machine has other addresses or gateways now, which are not for guests."
  [{:keys [followed guests] :as alloc}]
  (when (seq @followed)
    (let [ips ((:refused guests))]
      (run! #(give! alloc % {:seen/kind :refuse :seen/ips ips}) (keys @followed)))))

(defn unfollow!
  "Lets go of the mirror of lease `id`. `clear?`: its link stays without a guest, and
  must not speak for it: its addresses go."
  [{:keys [followed guests] :as alloc} id clear?]
  (when-let [{:keys [fd lease]} (get @followed id)]
    (timer! alloc id nil)
    (listening/close! (:loop alloc) fd)
    (when clear?
      (doseq [[ip prefix] ((:addresses guests) lease)] ((:remove guests) lease ip prefix)))
    (vswap! followed dissoc id)
    (leave-port! alloc (:lease/port lease))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.allocator
  "The shell around `ontap.model.allocation`: carries out its effects and turns what is
  heard into its events. In ontapd, and inside an `ontap up` that has no ontapd.

  One thread, that of the event loop, owns it; what waits for the kernel goes through
  `:submit` to threads of its own. The kernel comes in as functions (`:kernel`)."
  (:require [ontap.alloc.addresses :as addresses]
            [ontap.alloc.book :as book]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.alloc.found :as found]
            [ontap.alloc.guests :as guests]
            [ontap.alloc.public-names :as public-names]
            [ontap.alloc.strangers :as strangers]
            [ontap.model.allocation :as allocation]
            [ontap.model.link-lease :as link-lease]
            [ontap.model.policy :as policy])
  (:import (ontap.sys Clock EventLoop EventLoop$Handler Fd SysException)))

(set! *warn-on-reflection* true)

(defn- now-ms [] (quot (Clock/boottimeNanos) 1000000))

(declare dispatch!)

;; --- what is held of a lease: :net (the namespace that was passed), :fds (queues, until
;; --- they are handed over), :holder (our end of its FIFO), :asker (a pidfd), :waiting

(defn- held [{:keys [handles]} id] (get @handles id))

(defn- hold! [{:keys [handles]} id & kvs] (vswap! handles update id #(apply assoc % kvs)))

(defn- close-held!
  "Closes the descriptor `k` that is held of lease `id`, out of the loop first."
  [{:keys [^EventLoop loop] :as alloc} id k]
  (when-let [^Fd fd (get (held alloc id) k)]
    (.remove loop fd)
    (.close fd)
    (hold! alloc id k nil)))

(defn- on-ready [f] (reify EventLoop$Handler (ready [_ _] (f))))

(defn- failure
  "The refusal that throwable `t` stands for."
  [^Throwable t]
  (let [{:keys [rule wait?]} (ex-data t)]
    (cond
      rule (cond-> (link-lease/refusal rule (ex-message t)) wait? (assoc :refusal/wait? true))
      (instance? SysException t) (link-lease/refusal :kernel (ex-message t))
      :else (link-lease/refusal :kernel (str "a bug of ontap: " t)))))

(defn- off-loop!
  "Runs `task` in a thread of its own; then `done` with its value, or gives `failed` the
  refusal."
  [{:keys [submit]} label task done failed]
  (submit label task
          (fn [{:keys [value error]}]
            (if error (failed (failure error)) (done value)))))

;; --- effects

(defn- look! [{:keys [kernel state] :as alloc} id]
  (let [{:keys [net]} (held alloc id)
        {:lease/keys [port type uid]} (allocation/lease @state id)
        config (get-in @state [:alloc/ports port])]
    (off-loop! alloc (str "look-" id)
               #((:look kernel) net (fn [facts] (link-lease/authority config facts type {:peer/uid uid})))
               #(dispatch! alloc [:looked id %])
               #(dispatch! alloc [:not-looked id %]))))

(defn- facts-now
  "Facts of a lease that has just been made."
  [facts]
  (assoc facts :lease/since-epoch-ms (System/currentTimeMillis)))

(defn- close-net!
  "The namespace that was passed for `lease` is let go: it may not be one."
  [alloc {:lease/keys [id uid]}]
  (when-let [net (:net (held alloc id))]
    (hold! alloc id :net nil)
    (strangers/close! (:strangers alloc) uid [net])))

(defn- verify!
  "Asks whether the link of `lease` is still there."
  [{:keys [kernel] :as alloc} {:lease/keys [id nsid index] :as lease}]
  (off-loop! alloc (str "verify-" id) #((:there? kernel) lease)
             #(when-not % (dispatch! alloc [:link-gone nsid index]))
             identity))

(defn- making? [{:keys [state]}]
  (some #(= :making (:lease/state %)) (vals (:alloc/leases @state))))

(defn- settle-gone!
  "Was something heard, while `lease` was being made, that may mean its link? The id of a
  namespace is given again, so only a look can tell."
  [{:keys [gone] :as alloc} {:lease/keys [nsid index] :as lease}]
  (when (some @gone [[nsid index] [nsid nil]])
    (verify! alloc lease))
  (when-not (making? alloc) (vreset! gone #{})))

(defn- close-queues!
  "Closing the last copy of a queue takes the kernel 10 ms: off the loop."
  [alloc fds]
  (when (seq fds)
    (off-loop! alloc "close" (fn [] (run! #(.close ^Fd %) fds)) identity identity)))

(defn- make! [{:keys [kernel hear halt] :as alloc} id]
  (let [lease (allocation/lease @(:state alloc) id)
        {:keys [^Fd net]} (held alloc id)
        way-in (addresses/way-in alloc lease net)]
    (off-loop! alloc (str "make-" id)
               (fn []
                 (try ((:make kernel) lease net)
                      (finally (when net (.close net)))))
               (fn [{:keys [facts fds]}]
                 (halt "lease-made" nil)
                 (hold! alloc id :fds fds :net nil)
                 ;; what went away meanwhile was heard of before the lease was known
                 (hear)
                 (dispatch! alloc [:made id (merge (facts-now facts) (addresses/resolv-conf alloc lease))])
                 (addresses/made! alloc (allocation/lease @(:state alloc) id) way-in)
                 (settle-gone! alloc (merge lease facts)))
               (fn [refusal]
                 (hold! alloc id :net nil)
                 (some-> way-in .close)
                 (dispatch! alloc [:not-made id refusal])
                 ;; one that was kept is kept on, if it is still there
                 (settle-gone! alloc lease)))))

(defn- watch-holder! [{:keys [^EventLoop loop] :as alloc} id ^Fd fd]
  (hold! alloc id :holder fd)
  ;; hang-ups are always told; what a holder writes never wakes anybody
  (.add loop fd 0
        (on-ready (fn []
                    (close-held! alloc id :holder)
                    ;; without a guest the link's own kernel would answer in its place
                    (guests/unfollow! alloc id true)
                    (dispatch! alloc [:hung-up id])))))

(defn- watch-asker! [{:keys [^EventLoop loop] :as alloc} id ^Fd pidfd]
  ;; a link that was kept is asked for again, perhaps while who asked first still lives
  (close-held! alloc id :asker)
  (hold! alloc id :asker pidfd)
  (.add loop pidfd EventLoop/EPOLLIN
        (on-ready (fn []
                    (close-held! alloc id :asker)
                    (addresses/asker-gone! alloc id)
                    (dispatch! alloc [:asker-gone id])))))

(defn- take-reply!
  "The function that answers whoever asked by `token`."
  [{:keys [replies]} token]
  (let [reply! (get @replies token)]
    (vswap! replies dissoc token)
    reply!))

(defn- answer!
  "Tells whoever asked, and lets go of what is theirs now."
  [{:keys [book halt] :as alloc} id]
  (let [{:lease/keys [token] kind :lease/held :as lease} (allocation/lease @(:state alloc) id)
        {:keys [fds]} (held alloc id)
        reply! (take-reply! alloc token)
        holder (when (= :holder kind)
                 (let [[ours theirs] (try (book/holder-ends book id)
                                          (catch Throwable t
                                            (when reply! (reply! {:refused (failure t)}))
                                            (throw t)))]
                   (watch-holder! alloc id ours)
                   theirs))]
    (try
      (halt "lease-written" nil)
      (when-not (and reply! (reply! {:grant/lease lease :grant/queues fds :grant/holder holder}))
        (dispatch! alloc [:unanswered id]))
      (halt "lease-answered" nil)
      (finally
        (hold! alloc id :fds nil)
        (some-> ^Fd holder .close)
        (close-queues! alloc fds)))
    (guests/follow! alloc lease)))

(defn- delete! [{:keys [kernel ^EventLoop loop note] :as alloc} id]
  (let [lease (allocation/lease @(:state alloc) id)]
    (off-loop! alloc (str "delete-" id) #((:delete kernel) lease)
               (fn [_] (dispatch! alloc [:deleted id]))
               (fn [refusal]
                 (note :error nil (str "unable to delete the link of " (link-lease/title lease) ": "
                                       (:refusal/says refusal) "; trying again"))
                 (.at loop (+ (Clock/boottimeNanos) 1000000000)
                      #(when (allocation/lease @(:state alloc) id) (delete! alloc id)))))))

(defn- forget! [{:keys [book handles] :as alloc} {:lease/keys [id] :as lease}]
  (guests/unfollow! alloc id false)
  (addresses/over! alloc lease)
  (run! #(close-held! alloc id %) [:holder :asker])
  (close-net! alloc lease)
  (close-queues! alloc (:fds (held alloc id)))
  (vswap! handles dissoc id)
  (book/forget! book id))

(defn- record! [{:keys [book boot-id lines state public]}]
  (book/write! book boot-id lines @state link-lease/written)
  (public-names/write! (:path public) (:written public) boot-id (:netns public) (vals (:alloc/leases @state))))

(defn- perform! [{:keys [^EventLoop loop note] :as alloc} [effect a b]]
  (case effect
    :look     (look! alloc a)
    :make     (make! alloc a)
    :answer   (answer! alloc a)
    :refuse   (when-let [reply! (take-reply! alloc a)] (reply! {:refused b}))
    :released (when-let [reply! (take-reply! alloc a)] (reply! {:released b}))
    :delete   (delete! alloc a)
    :forget   (forget! alloc a)
    :record   (record! alloc)
    :timer    (.at loop (* 1000000 (long a)) #(dispatch! alloc [:tick]))
    :note     (note a nil b)))

(defn- attempt! [{:keys [note] :as alloc} [kind id :as effect]]
  (try
    (perform! alloc effect)
    (catch Throwable t
      (note :error nil (str "unable to " (name kind) ": " (:refusal/says (failure t))))
      (when (= :answer kind) (dispatch! alloc [:unanswered id])))))

;; --- events

(defn- associate!
  "Gives a lease that has just begun what came with its request."
  [alloc before]
  (doseq [[id {:lease/keys [token]}] (when (seq @(:came-with alloc)) (:alloc/leases @(:state alloc)))
          :when (and token (not= token (get-in before [:alloc/leases id :lease/token])))
          :let [{:keys [net asker]} (get @(:came-with alloc) token)]]
    (vswap! (:came-with alloc) dissoc token)
    (hold! alloc id :net net)
    (when asker (watch-asker! alloc id asker))))

(defn- drop-came-with!
  "What came with a request that was refused goes."
  [{:keys [came-with strangers]} token]
  (when-let [{:keys [net ^Fd asker uid]} (get @came-with token)]
    (vswap! came-with dissoc token)
    (when asker (.close asker))
    (when net (strangers/close! strangers uid [net]))))

(defn dispatch!
  "Gives the event (`ontap.model.allocation/events`), and carries out what follows."
  [{:keys [state] :as alloc} event]
  (let [before @state
        [after effects] (allocation/step before event (now-ms))]
    (vreset! state after)
    (associate! alloc before)
    (doseq [[kind token :as effect] effects]
      (attempt! alloc effect)
      (when (= :refuse kind) (drop-came-with! alloc token)))))

(defn ask!
  "Asks for a link: `peer` and `request` as data, `port` its name, `net` an Fd of the
  namespace it is for (or nil), `asker` a pidfd of who asked (or nil); both become the
  allocator's. `reply!` is called once, in the loop's thread, with a grant,
  {:grant/lease :grant/queues [Fd ..] :grant/holder Fd-or-nil}, whose Fds stay the
  allocator's and are closed when it returns, or {:refused refusal}; it returns false when nobody is there to be told."
  [{:keys [replies came-with] :as alloc} {:keys [port peer request net asker]} reply!]
  (let [token (vswap! (:tokens alloc) inc)]
    (vswap! replies assoc token reply!)
    (vswap! came-with assoc token {:net net :asker asker :uid (:peer/uid peer)})
    (dispatch! alloc [:asked token {:ask/port port :ask/peer peer :ask/request request}])
    token))

(defn release!
  "Ends lease `id` for `peer`; `reply!` as in `ask!`, with {:released id} once its link
  is gone."
  [{:keys [replies] :as alloc} peer id reply!]
  (let [token (vswap! (:tokens alloc) inc)]
    (vswap! replies assoc token reply!)
    (dispatch! alloc [:release token peer id])))

(defn leases
  "The leases that `peer` may see, in the order of their ids, with the guests' addresses and
  what is known of their own (:dhcp/.. of `ontap.model.lease`)."
  [{:keys [state] :as alloc} peer]
  (for [[id lease] (:alloc/leases @state)
        :when (and (policy/may-see? peer lease) (not= :looking (:lease/state lease)))]
    (merge (assoc lease :lease/addresses (or (guests/addresses alloc id) []))
           (addresses/row alloc id))))

(defn lease-named
  "The lease called `name`, or nil."
  [{:keys [state]} name]
  (some #(when (= name (:lease/name %)) %) (vals (:alloc/leases @state))))

(defn- moved-away!
  "Links that were carried to where nobody hears of them have no address of ours."
  [{:keys [state] :as alloc}]
  (run! #(addresses/over! alloc %)
        (filter #(= :moved (:lease/state %)) (vals (:alloc/leases @state)))))

(defn kernel-said!
  "Takes events of `ontap.kernel.events` in; `there` are the names of the links of our
  own namespace now."
  [{:keys [state gone] :as alloc} events there]
  (doseq [{:event/keys [type] :as event} events
          :when (and (= :link/new type) (:link/up? event))]
    (addresses/up! alloc (:ns/id event) (:link/index event) #(allocation/lease @state %)))
  (doseq [{:event/keys [type] nsid :ns/id index :link/index :as event} events
          :when (contains? #{:link/gone :ns/gone} type)]
    (when (making? alloc)
      (vswap! gone conj [nsid (when (= :link/gone type) index)]))
    (dispatch! alloc (cond (= :ns/gone type)   [:ns-gone nsid]
                           (:link/moved? event) [:link-moved nsid index]
                           :else                [:link-gone nsid index]))
    (when (:link/moved? event) (moved-away! alloc)))
  (addresses/kernel-said! alloc events)
  (when-not (= there (:alloc/there @state))
    (dispatch! alloc [:there there])))

(defn resumed!
  "The machine was asleep."
  [{:keys [dhcp]}]
  (some-> dhcp dhcp/resumed!))

(defn renew-resolv!
  "The machine's own nameservers may be others: writes the files of all leases anew."
  [{:keys [dhcp state] :as alloc}]
  (when dhcp (run! #(addresses/resolv-changed! alloc %) (vals (:alloc/leases @state)))))

(defn look-again!
  "Events were lost: asks of every lease whether its link is still there."
  [{:keys [state] :as alloc}]
  (addresses/all-up! alloc #(allocation/lease @state %))
  (doseq [lease (vals (:alloc/leases @state))
          :when (contains? #{:held :kept} (:lease/state lease))]
    (verify! alloc lease)))

;; --- taking up what an earlier one left

(defn take-up!
  "Takes up the leases that were written down. In the loop's thread, before it runs;
  blocks for the kernel."
  [{:keys [book boot-id note] :as alloc}]
  (let [{:keys [unreadable] :as written} (book/read-book book boot-id)]
    (if unreadable
      (do (vswap! (:state alloc) assoc :alloc/next (:alloc/next written))
          (note :error nil (str unreadable "; the links it tells of are left alone")))
      (let [found (into {} (map (fn [[id lease]] [id (found/find-again alloc lease)])) (:alloc/leases written))
            [state effects] (allocation/taken-up written (update-vals found :found)
                                                          :prefix (:alloc/prefix @(:state alloc)))]
        (vreset! (:state alloc) state)
        (doseq [[id {:keys [^Fd holder ^Fd asker found]}] found]
          (if (allocation/lease state id)
            (do (if (:held? found) (watch-holder! alloc id holder) (some-> holder .close))
                (when asker (watch-asker! alloc id asker))
                (when (:held? found) (guests/follow! alloc (allocation/lease state id)))
                (addresses/taken-up! alloc (allocation/lease state id)))
            (run! #(.close ^Fd %) (filter some? [holder asker]))))
        (run! #(attempt! alloc %) effects)))))

(defn allocator
  "An allocator that has handed nothing out yet. Takes :loop, :prefix (begins the names of
  links with descriptors), :note (fn [level nil text]), :book (`ontap.alloc.book/layout`),
  :boot-id, :public {:path :netns :written} (see `ontap.alloc.public-names/write!`), :hear (fn []: takes in what the kernel has said up to now), :halt (fn [point
  nil]), :submit (fn [label task done]), :guests (see `ontap.alloc.guests`), :dhcp with what
  belongs to it (see `ontap.alloc.addresses`; left out where links have no IPv4 address of ours) and :kernel,
  functions that block for the kernel, called in fresh threads: :look (fn [Fd refuse]),
  :make (fn [lease Fd-or-nil]), :delete and :there? (fn [lease]), see
  `ontap.kernel.leases`."
  [given]
  (merge given
         {:strangers (strangers/strangers (:loop given))
          :state     (volatile! (assoc allocation/empty-state :alloc/prefix (:prefix given "ontap")))
          :handles   (volatile! {})
          :replies   (volatile! {})
          :came-with (volatile! {})
          :tokens    (volatile! 0)
          :lines     (volatile! {})
          :gone      (volatile! #{})
          :followed  (volatile! {})
          :awaiting-up (volatile! {})
          :ports     (volatile! {})}))

(defn close!
  "Lets go of what is held; links and leases live on."
  [{:keys [handles dhcp] :as alloc}]
  (some-> dhcp dhcp/close!)
  (doseq [id (keys @handles)]
    (guests/unfollow! alloc id false)
    (run! #(close-held! alloc id %) [:holder :asker])))

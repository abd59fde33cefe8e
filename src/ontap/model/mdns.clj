;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns
  "The multicast DNS responder of one link, both families (RFC 6762, and RFC 6763 for services): a pure machine. It probes for the
  names that are wanted, announces and defends them, answers for them, goes by another name where one is somebody else's, and takes
  it back when it is free.

    (step state event now seed) -> {:mdns/state state' :mdns/effects [effect]}

  `now`: whole ms of a clock that goes on while the machine sleeps; `seed`: a fresh random long. Events:
    {:event/type :link :link/families #{:ipv4 :ipv6}}  there is an address of these families to speak from; empty: down.
                                                :link/unicast? false: what is sent to this host alone does not come by it
    {:event/type :again}                        the machine slept, or the link has moved: all is probed for anew
    {:event/type :wanted :mdns/wanted {label host}}    {:host/label :host/addresses [text] :host/services [{:service/type
                                                :service/port :service/txt :service/subtypes :service/instance}]}
    {:event/type :packet :packet/message m :packet/ip text :packet/port n :packet/family f :packet/multicast? b
     :packet/on-link? b :packet/own? b :packet/elsewhere #{identity}}  somebody, it may be us, sent m. elsewhere: what we
                                                say on other links, if the packet may be from there; or nil
    {:event/type :time}                         it is what `due` said, or later
    {:event/type :stop}                         goodbye; nothing is sent after it
  Effects:
    {:effect/type :send :send/to :multicast :send/families #{f} :send/message m}, or :send/to {:ip text :port n}
    {:effect/type :renamed :host/label label :host/name text :host/by ip-or-nil}
    {:effect/type :note :note/level :warning :note/text text}

  What is equal in name, type, class and data is never a conflict, whoever says it: our own packets come back, by the kernel, by
  a reflector (sections 8.2.1 and 9). So :packet/own? decides nothing here. Nor is a goodbye one, nor what we say elsewhere: that
  only has ours told again (section 14).

  How it remembers is told in `ontap.model.mdns-units`; it does not grow with what others send."
  (:require [clojure.string :as str]
            [ontap.model.mdns-announce :as announce]
            [ontap.model.mdns-answer :as mdns-answer]
            [ontap.model.mdns-follow :as follow]
            [ontap.model.mdns-heard :as heard]
            [ontap.model.mdns-hosts :as hosts]
            [ontap.model.mdns-out :as out]
            [ontap.model.mdns-probe :as probe]
            [ontap.model.mdns-units :as units]
            [ontap.model.mdns-wanted :as wanted]))

(set! *warn-on-reflection* true)

(defn machine
  "A machine whose link is down and of which nothing is wanted. `saved`: what `saved` gave of an earlier one, or nil. `unicast?` (true):
  answers to probes may be sent to this host alone; not so when another program has port 5353, too, which would get
  them (RFC 6762 section 15.1)."
  [{:machine/keys [saved unicast?] :or {unicast? true}}]
  (assoc (units/state saved) :unicast? unicast? :reached? true))

(defn hosts
  "{label {:host/name text :host/state s :host/by ip-or-nil :host/since-ms n}}: what each host is called, since when it is in its
  state, and who has the name it wants. :probing: it is not known to be free; :announcing, :established."
  [{:keys [units]}]
  (into {}
        (keep (fn [[id {:keys [text claimed? by since timers]}]]
                (when (hosts/host? id)
                  [(hosts/label id)
                   {:host/name     text
                    :host/state    (cond (not claimed?) :probing, (:announce timers) :announcing, :else :established)
                    :host/by       by
                    :host/since-ms since}])))
        units))

(defn saved
  "{label text} of the hosts that go by another name than they want: for the next machine of this link."
  [state]
  (:saved state))

(defn names
  "The folded names of which packets concern the machine; the same object while it is the same set."
  [state]
  (:names state))

(defn identities
  "What is told on this link, `ontap.model.mdns-record/identity-of` each: a set, the same object while it is the same."
  [state]
  (:identities state))

(defn due
  "The ms at which {:event/type :time} is wanted, or nil."
  [{:keys [agenda answering]}]
  (let [a (ffirst agenda), b (mdns-answer/due answering)]
    (cond (nil? a) b, (nil? b) a, :else (min (long a) (long b)))))

;; --- events: (state event now) -> state, or [state effects] of what is answered

(defn- all-again
  "Every name is probed for, whatever was known of it."
  [{units :units :as state} now]
  (let [ids (sort (keys units))]
    (-> (reduce #(-> %1 (units/change %2 dissoc :trying) (follow/forget %2 now)) state ids)
        (probe/start-all ids now))))

(defn- down [{units :units :as state} now]
  (reduce (fn [state id]
            (-> state (probe/start id 0 now) (units/no-timers id) (units/change id assoc :said [])))
          (assoc state :families #{}) (keys units)))

(defn- link [{before :families :as state} {:link/keys [families]} now]
  (cond
    (= before families)      state
    (empty? families)        (down state now)
    (every? before families) (assoc state :families families)
    :else                    (all-again (assoc state :families families) now)))

(defn- stop [{units :units :as state} now]
  (reduce #(announce/withdraw %1 %2 now) state (keys units)))

(defn- due-now [state now]
  (loop [state state]
    (let [[at id kind :as entry] (first (:agenda state))]
      (if (or (nil? entry) (< (long now) (long at)))
        state
        (recur
         (let [state (units/timer state id kind nil)]
           (case kind
             :probe    (probe/due state id at now)
             :announce (announce/announce state id now)
             :update   (announce/refresh state id now)
             :follow   (let [[state free?] (follow/due state id now)]
                         (cond-> state free? (probe/try-again id now))))))))))

(defn- sent [{:keys [unicast? reached?] :as state} now]
  (out/flush-out state now (and unicast? reached?)))

(defn- speakable?
  "Is the family of the effect spoken? What waited may be of one that went."
  [families {:send/keys [to] asked :send/families}]
  (if (= :multicast to)
    (some families asked)
    (contains? families (if (str/includes? (:ip to) ":") :ipv6 :ipv4))))

(defn- answering
  "[state' effects'] when (f answering catalog) gave [answering' more]."
  [[{:keys [catalog families] :as state} effects] f]
  (let [[answering more] (f (:answering state) catalog)]
    [(assoc state :answering answering) (into effects (filter #(speakable? families %)) more)]))

(defn- packet [{:keys [families] :as state} {:packet/keys [message family] :as event} now]
  (let [what (when (contains? families family) (heard/kind event))]
    (case what
      :response (-> (heard/response state event now)
                    (sent now)
                    (answering #(mdns-answer/answered %1 %2 event now)))
      :query    (let [state (heard/query state event now)
                      event (assoc event :packet/tie? (heard/tie? state message))]
                  (-> (sent state now)
                      (answering #(mdns-answer/asked %1 %2 event now (:seed state)))))
      [state []])))

(defn step
  "What becomes of the machine, and what is to be done, in this order."
  [state event now seed]
  (if (:stopped? state)
    {:mdns/state state :mdns/effects []}
    (let [state (assoc state :seed seed :wait nil)
          [state effects]
          (case (:event/type event)
            :link   (sent (link (assoc state :reached? (not (false? (:link/unicast? event)))) event now) now)
            :again  (sent (cond-> state (seq (:families state)) (all-again now)) now)
            :wanted (sent (wanted/want state (:mdns/wanted event) now) now)
            :packet (packet state event now)
            :time   (-> (sent (due-now state now) now)
                        (answering #(mdns-answer/time %1 %2 now)))
            :stop   (let [[_ effects] (sent (stop state now) now)]
                      [(assoc (units/state (:saved state)) :stopped? true) effects]))]
      {:mdns/state state :mdns/effects (out/merged effects)})))

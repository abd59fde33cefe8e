;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.mdns-stage
  "Links of the calling process's own network namespace on which a command speaks multicast DNS: found, followed as they change,
  and a machine for each (a map of :begin (fn [alone?] state), :step, :due). In the loop's thread."
  (:require [clojure.string :as str]
            [ontap.kernel.events :as events]
            [ontap.kernel.udp :as udp]
            [ontap.model.inventory :as inventory]
            [ontap.model.mdns-presence :as presence]
            [ontap.ops.mdns-io :as mdns-io]
            [ontap.ops.process :as process])
  (:import (java.util SplittableRandom)
           (ontap.rtnl Rtnl RtnlMonitor)))

(set! *warn-on-reflection* true)

(def ^:private mdns-port 5353)

(defn- links-of [inventory]
  (sort-by :link/index (vals (:inv/links inventory))))

(defn- speaks?
  "Is it a link that has neighbours who may speak, too?"
  [inventory {:link/keys [name]}]
  (and (not= "lo" name)
       (seq (:presence/families (presence/presence inventory {:place/link name})))))

(defn- chosen
  "The names of the links that are meant. Throws with :kind :exit."
  [inventory names]
  (let [there (map :link/name (links-of inventory))]
    (if (seq names)
      (do (when (some #{"lo"} names)
            (throw (process/exit 100 "lo has nobody who could be asked; --link is for a link such as eth0")))
          (when-let [missing (first (remove (set there) names))]
            (throw (process/exit 111 (str "there is no link " missing "; there are: " (str/join ", " (remove #{"lo"} there))))))
          (vec (distinct names)))
      (or (not-empty (mapv :link/name (filter #(speaks? inventory %) (links-of inventory))))
          (throw (process/exit 111 "no link here is up and has an address; say which by --link"))))))

(defn step!
  "Gives `event` to the machine of `speaker`: its effects are done, sends by its sockets, others by :perform of the stage."
  [{:keys [loop machine perform ^SplittableRandom random] :as stage} {:keys [state sockets timer] :as speaker} event]
  (let [{:mdns/keys [effects] after :mdns/state} ((:step machine) @state event (mdns-io/now-ms) (.nextLong random))]
    (vreset! state after)
    (doseq [effect effects]
      (if (= :send (:effect/type effect))
        (mdns-io/send! @sockets effect)
        (perform stage speaker effect)))
    (mdns-io/arm! loop timer ((:due machine) after) #(step! stage speaker {:event/type :time}))
    ((:stepped stage) stage speaker)))

(defn- follow! [{:keys [loop known interest] :as stage} {:keys [place seen sockets senders] :as speaker}]
  (let [before @seen, after (presence/presence @known place)]
    (when (not= (:presence/at before) (:presence/at after))
      (mdns-io/close! loop @sockets)
      (vreset! sockets (if after (mdns-io/open (second (:presence/at after)) [:ipv4 :ipv6] "ask by its own commands") {}))
      (mdns-io/listen! loop @sockets
                       (fn [datagram]
                         (when-let [event (mdns-io/packet datagram interest senders
                                                          (get-in @known [:inv/addresses (:presence/at @seen)]))]
                           (step! stage speaker event)))))
    (vreset! seen after)
    (run! #(step! stage speaker %) (remove #(= :again (:event/type %)) (presence/events before after)))))

(defn- hear! [{:keys [known speakers rtnl] :as stage} ^RtnlMonitor monitor]
  (let [said (events/receive monitor)]
    (vreset! known
             (if (some #(= :event/overflow (:event/type %)) said)
               (reduce #(inventory/fold %1 %2 {}) inventory/empty-inventory (events/read-namespace rtnl nil))
               (reduce #(inventory/fold %1 %2 {}) @known said)))
    (run! #(follow! stage %) speakers)))

(defn run!!
  "Runs a stage until `end!` is called, or SIGINT or SIGTERM comes; blocks; what `end!` was given, or 0. `links`: names, none: all
  that are up and have an address; `machine` {:begin :step :due}, `alone?` when no other program has the port; `begin` (fn
  [stage]) is called once all is ready, `stepped` (fn [stage speaker]) after each step, `perform` (fn [stage speaker effect])
  for each effect but :send. Throws with :kind :exit."
  [{:keys [links machine begin stepped perform env]}]
  (with-open [monitor (RtnlMonitor/open false)
              rtnl    (Rtnl/open)
              signals (process/signals)
              loop    (process/event-loop env)]
    (let [known  (volatile! (reduce #(inventory/fold %1 %2 {}) inventory/empty-inventory (events/read-namespace rtnl nil)))
          result (volatile! 0)
          end!   (fn [status] (vreset! result status) (.stop loop))
          ;; of two that share it one gets what is sent to this machine alone, and what comes from this very machine
          ;; neither (RFC 6762 section 15.1)
          alone? (zero? (long (udp/sockets mdns-port)))
          places (mapv (fn [name] {:place/name name :place/link name}) (chosen @known links))
          stage  {:loop loop :known known :rtnl rtnl :machine machine :random (SplittableRandom.) :end! end!
                  :stepped (or stepped (fn [_ _])) :perform (or perform (fn [_ _ _]))
                  :speakers (mapv (fn [place] {:place place :state (volatile! ((:begin machine) alone?)) :seen (volatile! nil)
                                               :sockets (volatile! {}) :timer (volatile! nil)
                                               :senders (mdns-io/senders)})
                                  places)}]
      (process/on-signals! loop signals (fn []) #(end! 0))
      (process/on-kernel! loop monitor #(hear! stage monitor))
      (try
        (run! #(follow! stage %) (:speakers stage))
        (begin stage)
        (.run loop)
        (finally
          (doseq [{:keys [sockets]} (:speakers stage)] (mdns-io/close! loop @sockets))))
      @result)))

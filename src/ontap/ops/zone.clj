;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone
  "`ontap zone` while it serves: what the kernel says flows through the river into answers.

  One thread, that of the event loop, owns everything here. The threads of the DNS server read
  a snapshot that is swapped. What takes its time (looking through /proc, files) goes to a crew."
  (:require [clojure.string :as str]
            [ontap.kernel.census :as census]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.model.mdns-presence :as presence]
            [ontap.model.river :as river]
            [ontap.ops.control :as control]
            [ontap.ops.lease-names :as lease-names]
            [ontap.ops.note :as note]
            [ontap.ops.notify :as notify]
            [ontap.ops.process :as process]
            [ontap.ops.zone-answers :as answers]
            [ontap.ops.zone-files :as files]
            [ontap.ops.zone-mdns :as mdns]
            [ontap.ops.zone-memory :as memory]
            [ontap.publish.dns-server :as dns]
            [ontap.run.work :as work])
  (:import (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Clock ClockChange EventLoop EventLoop$Handler Fd Inotify)))

(set! *warn-on-reflection* true)

(def ^:private crew-size 2)

(defn times
  "The times of now that a step of the river wants."
  []
  {:now-ms  (quot (Clock/boottimeNanos) 1000000)
   :mono-ms (quot (Clock/monotonicNanos) 1000000)
   :epoch-s (quot (System/currentTimeMillis) 1000)})

;; --- the river

(defn- other! [{:keys [state watchers]}]
  (vswap! state update :version inc)
  (doseq [tell (vals @watchers)] (tell)))

(defn- flow!
  "Gives `events` to the river and its changes to all publishers."
  [{:keys [state dns files memory mdns] :as zone} events]
  (when (seq events)
    (let [before (:river @state)
          {:keys [river changes askers notes serial]} (river/step before events (times))]
      (vswap! state merge {:river river} (when askers {:askers askers}))
      (when (or (seq changes) askers)
        (dns/publish! dns changes askers)
        (memory/grown! memory serial)
        (files/changed! files state (:zone/domain (:zone zone)))
        (other! zone))
      (some-> @mdns mdns/flowed!)
      (when-not (identical? (:claims river) (:claims before))
        (memory/changed! memory))
      (doseq [{:keys [level name text]} notes]
        (note/line! level name text))
      zone)))

(defn- end! [{:keys [^EventLoop loop]}] (.stop loop))

(defn- begin-again!
  "A port has come on which there is to be a link of the zone's own, for multicast DNS: making it takes root. Whoever starts a
  zone again makes the link first."
  [{:keys [zone state restarted?] :as it} before]
  (when-let [ports (and restarted? (:started? before)
                        (seq (presence/came (map :port/name (:mdns/ports (:zone/mdns zone)))
                                            (:inventory before) (:inventory (:river @state)))))]
    (note/line! :info nil (str "port " (str/join ", " ports) " is there: beginning again, to speak multicast DNS on it"))
    (end! it)))

(declare explain-strangers!)

(defn- hear!
  "Takes in `events` of the census, what the kernel has said up to now, and sees to it that what
  could not be read now is read later."
  [{:keys [^EventLoop loop census due state] :as zone} events]
  (let [before (:river @state)]
    (flow! zone events)
    (begin-again! zone before))
  (.cancel loop @due)
  (vreset! due (when-let [at (census/due census)]
                 (.at loop (long at) #(hear! zone (census/receive! census)))))
  (explain-strangers! zone))

(defn- explain-strangers!
  "Namespaces of which nobody knows whose they are, are looked for among the processes: off the
  loop, one search at a time."
  [{:keys [census crew searching?] :as zone}]
  (when-let [nsids (and (not @searching?) (seq (census/unexplained census)))]
    (vreset! searching? true)
    (work/submit! crew "of-pids" #(namespaces/of-pids nsids)
                  (fn [{:keys [value]}]
                    (vreset! searching? false)
                    (hear! zone (census/explained census nsids value))))))

;; --- a life

(defn- watch-mounts!
  "Namespaces that appear under /run/netns later."
  [{:keys [^EventLoop loop census] :as zone} ^Fd mountinfo]
  (.add loop mountinfo EventLoop/EPOLLPRI
        (reify EventLoop$Handler
          (ready [_ _] (hear! zone (census/look-again! census))))))

(defn- watch-life!
  "Ends the zone's being somebody's when whoever started it has gone: it serves on, until the
  next one takes over."
  [{:keys [^EventLoop loop orphan?]} ^Fd life]
  (.add loop life EventLoop/EPOLLIN
        (reify EventLoop$Handler
          (ready [_ _]
            (vreset! orphan? true)
            (.remove loop life)
            (.close life)))))

(defn- speak!
  "Speaks multicast DNS, where the configuration says so."
  [{:keys [state memory loop] :as it} {:keys [zone places]} saved changes]
  (when-let [mdns (mdns/speak! {:loop loop :zone zone :places places :saved (:saved/mdns saved)
                                :river #(:river @state)
                                :note #(note/line! %1 nil %2)
                                :changed! (fn [] (memory/changed! memory) (other! it))})]
    (vreset! (:mdns it) mdns)
    (process/on-resume! loop changes #(mdns/again! mdns))))

(defn serve!
  "Serves `zone` with what is given (see `ontap.ops.zone-start/handed`) until SIGTERM or SIGINT;
  `ready` (fn []) is called once it does. Blocks; the exit status."
  [{:keys [zone fds sockets state-dir known user] :as handed} env ready]
  (with-open [monitor (RtnlMonitor/adopt (:monitor fds))
              rtnl    (Rtnl/open)
              signals (process/signals)
              inotify (Inotify.)
              mounts  (namespaces/open-mountinfo)
              ^ClockChange sleeps (process/clock-change)
              loop    (process/event-loop env)]
    (let [crew   (work/crew loop crew-size)
          submit (partial work/submit! crew)
          memory (memory/memory {:loop loop :dir state-dir :submit submit})
          saved  (memory/read! memory)
          state  (volatile! {:river (river/river zone saved) :version 0})
          dns    (dns/server {:loop loop :fds sockets :zone zone :note #(note/line! %1 nil %2)})
          it     {:loop loop :crew crew :zone zone :state state :dns dns :memory memory
                  :census (census/census {:monitor monitor :rtnl rtnl :all? (:zone/all-namespaces? zone) :known known})
                  :files (files/publisher {:loop loop :zone zone :submit submit})
                  :restarted? (some? (:life fds))
                  :searching? (volatile! false) :due (volatile! nil) :orphan? (volatile! false)
                  :watchers (volatile! {}) :mdns (volatile! nil) :since-ms (System/currentTimeMillis) :user user}
          memory-of #(cond-> (river/saved (:river @state))
                       @(:mdns it) (assoc :saved/mdns (mdns/saved @(:mdns it))))]
      (memory/remembers! memory memory-of)
      (flow! it (census/start (:census it)))
      (dns/start! dns)
      (lease-names/follow! {:loop loop :inotify inotify :env env :tell #(flow! it [%])})
      (process/on-kernel! loop monitor #(hear! it (census/receive! (:census it))))
      (watch-mounts! it mounts)
      (some->> (:life fds) (watch-life! it))
      (speak! it handed saved sleeps)
      (process/on-signals! loop signals
                           #(note/line! :info nil "a zone reads its configuration when it starts: stop it and start it again")
                           #(end! it))
      (let [end-control! (control/serve-on! loop (:control fds)
                                            #(answers/answer! it (fn [] (end! it)) %1 %2))]
        (explain-strangers! it)
        ;; what the start left is collected before anybody waits for an answer
        (System/gc)
        (ready)
        (note/line! :info nil (str "serves " (:zone/domain zone) (when (seq sockets) (str " on " (str/join ", " (dns/places dns))))
                                   (when user (str " as " user))))
        (.run loop)
        (end-control!)
        (some-> @(:mdns it) mdns/stop!)
        (dns/close! dns)
        (files/close! (:files it))
        (memory/save-now! memory)
        0))))

(defn serve-handed!
  "The second life of `ontap zone`: serves until SIGTERM or SIGINT with what it was `handed` (see
  `ontap.ops.zone-start/handed`); `env` of this process. Blocks; the exit status."
  [{:keys [fds zone user] :as handed} env]
  (files/check! zone user)
  (serve! handed env
          (fn []
            (notify/ready! {:out (:ready fds) :pid-out (:pid-file fds)} env))))

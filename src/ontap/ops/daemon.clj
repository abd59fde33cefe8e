;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.daemon
  "`ontapd`: hands out links on the ports of this machine, through a socket for each."
  (:require [clojure.string :as str]
            [ontap.alloc.allocator :as allocator]
            [ontap.alloc.daemon :as daemon]
            [ontap.alloc.guests :as guests]
            [ontap.kernel.events :as events]
            [ontap.model.inventory :as inventory]
            [ontap.ops.lending :as lending]
            [ontap.ops.note :as note]
            [ontap.ops.notify :as notify]
            [ontap.ops.process :as process]
            [ontap.ops.privileges :as privileges]
            [ontap.run.paths :as paths]
            [ontap.run.resolv :as resolv]
            [ontap.run.watches :as watches])
  (:import (ontap.rtnl RtnlMonitor)
           (ontap.sys Inotify Io Limits Limits$Limit)))

(set! *warn-on-reflection* true)

;; --- what the kernel says

(defn- links-only
  "The inventory is read for the names of the machine's own links."
  [events]
  (filter #(and (nil? (:ns/id %)) (contains? #{:link/new :link/gone} (:event/type %))) events))

(defn- hear!
  "Takes in all that the kernel has said up to now. Does not block, unless events were
  lost."
  [{:keys [^RtnlMonitor monitor inventory alloc]}]
  (loop [n 0]
    (when-let [said (and (< n process/at-once) (seq (events/receive monitor)))]
      (if (some #(= :event/overflow (:event/type %)) said)
        (let [links (links-only (events/snapshot []))]
          (vreset! inventory (reduce inventory/fold inventory/empty-inventory links))
          (allocator/kernel-said! alloc links (inventory/link-names @inventory))
          (allocator/look-again! alloc))
        (do (vswap! inventory #(reduce inventory/fold % (links-only said)))
            (allocator/kernel-said! alloc said (inventory/link-names @inventory))
            (when (some lending/own-address? said) (guests/refuse-again! alloc))))
      (recur (inc n)))))

;; --- the configuration

(defn- port-words [ports] (str/join ", " (sort (keys ports))))

(defn- configure!
  "Makes `ports` what is served; a port that is not there yet is said."
  [{:keys [daemon alloc inventory]} ports given]
  (allocator/dispatch! alloc [:ports ports])
  (daemon/serve-ports! daemon ports given)
  (doseq [name (sort (keys ports))
          :when (not (contains? (inventory/link-names @inventory) name))]
    (note/line! :warning nil (str "port " name " is not there yet"))))

(defn- reload! [{:keys [configured] :as it}]
  (let [{:keys [ports mistakes]} (try (configured)
                                      (catch clojure.lang.ExceptionInfo e {:mistakes (ex-message e)}))]
    (if mistakes
      (note/line! :error nil (str "not reloaded:\n" mistakes))
      (do (configure! it ports {})
          (note/line! :info nil (str "reloaded: ports " (port-words ports)))))))

;; --- a life

(defn- noted
  "Notes from `least` on: :debug :info :warning :error."
  [least]
  (let [order (zipmap [:debug :info :warning :error] (range))]
    (fn [level name text]
      (when (<= (order least) (order level)) (note/line! level name text)))))

(def ^:private most-files
  "Descriptors that are enough: three for each lease."
  65536)

(defn- raise-limit!
  "As many descriptors as the hard limit allows: nothing is started from here that would
  inherit it."
  []
  (let [nofile (int (get Limits/NAMES "nofile"))
        hard   (.hard (Limits/get nofile))]
    (Limits/set nofile (Limits$Limit. (if (= -1 hard) most-files (min hard (long most-files))) hard))))

(defn- serve-until-told!
  [{:keys [configured env ready! verbosity numbers]} dir]
  (let [{:keys [ports mistakes]} (configured)
        _     (when mistakes (throw (process/exit 102 mistakes)))
        given (notify/given-sockets numbers (sort (keys ports)))
        note  (noted verbosity)]
    (with-open [monitor (process/open-monitor "unable to hand out links: this takes root")
                signals (process/signals)
                clock   (process/clock-change)
                inotify (Inotify.)
                loop    (process/event-loop env)]
      (let [self  (volatile! nil)
            alloc (or (lending/open! {:loop loop :dir dir :env env :note note :ipv4? true :names (str dir "/names.edn")
                                      :hear #(some-> @self hear!)})
                      (throw (process/exit 111 (str "unable to run: another ontapd runs in " dir
                                            "; ONTAP_RUNTIME_DIR=DIR gives this one a folder of its own"))))
            it    {:loop loop :monitor monitor :signals signals :alloc alloc :configured configured
                   :inventory (volatile! inventory/empty-inventory)
                   :daemon (daemon/daemon {:loop loop :alloc alloc :dir dir :note note})}]
        (vreset! self it)
        (vswap! (:inventory it) #(reduce inventory/fold % (links-only (events/snapshot []))))
        ;; what is wanted first: a host's link that was taken up is not ended for want of a port
        (configure! it ports given)
        (allocator/kernel-said! alloc [] (inventory/link-names @(:inventory it)))
        (process/on-kernel! loop monitor #(hear! it))
        (process/on-resume! loop clock #(allocator/resumed! alloc))
        (let [watches (volatile! {})]
          (watches/on! loop inotify watches)
          (resolv/follow-host! inotify watches #(allocator/renew-resolv! alloc)))
        (process/on-signals! loop signals #(reload! it) #(.stop loop))
        (ready!)
        (note :info nil (str "hands out links of " (port-words ports)))
        (process/tidy-later! loop)
        (.run loop)
        (daemon/close! (:daemon it))
        (lending/close! alloc)
        0))))

(defn serve-as-is!
  "`serve!` by this very process, with what it may do; `ready!` (fn []) is called once it
  serves, `numbers` are those of the listening sockets it was given."
  [{:keys [env] :as options}]
  (let [dir (paths/runtime-dir env (paths/caller))]
    (paths/make-layout! (paths/layout dir))
    (serve-until-told! options dir)))

(defn serve!
  "Serves ports until SIGTERM or SIGINT; blocks; returns the exit status. Links live on.
  `configured` (fn []) gives {:ports {name port}} or {:mistakes text}, and is asked again
  at SIGHUP; `env` a map of strings; `ready` {:fd :pid-file}; `verbosity` a level;
  `words` the command line, for executing it again with fewer capabilities. Throws with
  :kind :exit."
  [{:keys [env ready words] :as options}]
  (when-not (zero? (Io/geteuid))
    (throw (process/exit 111 "unable to hand out links: this takes root")))
  (let [numbers (notify/listen-fds env (Io/getpid))
        kept    (cond-> (vec numbers) (:fd ready) (conj (:fd ready)))]
    (when-let [closed (first (remove notify/open? kept))]
      (throw (process/exit 100 (str "descriptor " closed " is not open"))))
    (when (and (zero? (Io/geteuid)) (not (privileges/dropped?)))
      (privileges/drop! words env kept))
    (raise-limit!)
    (serve-as-is! (assoc options :numbers numbers :ready! #(notify/ready! ready env)))))

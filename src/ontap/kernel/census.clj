;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.census
  "Everything that has an address here, in our own network namespace and in each that has an id: read once,
  then followed by what the kernel says, as events for `ontap.model.inventory`. No thread, no timer, no event
  loop of its own: whoever has one calls `receive!` when the monitor is readable, `look-again!` when a mount
  came or went (`namespaces/open-mountinfo`), and asks `due` and `unexplained` after each.

  Nothing is guessed. The monitor listens before anything is read, and what it heard meanwhile is told after
  what was read. When events were lost, all is read anew; ids may have been used again meanwhile, so
  what is known of the namespaces is found anew, too. The events that one call gives belong together: on the
  way to the last one an id may stand for a namespace that has ended.

  All calls from one thread. They block for the kernel, a few milliseconds for a hundred namespaces."
  (:require [ontap.kernel.events :as events]
            [ontap.kernel.mounted :as mounted]
            [ontap.kernel.namespaces :as namespaces])
  (:import (ontap.netlink NetlinkException)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Clock Errno Namespaces SysException)))

(set! *warn-on-reflection* true)

(def ^:private parts "How many parts of a long queue are read in one turn." 1024)
(def ^:private looks "How often the mounts are looked at in one turn, while namespaces come and go." 8)
(def ^:private tries "How often everything is read at the start, while it changes." 10)
(def ^:private questions
  "How often it is asked who lives in a namespace that nobody explains, unless something happens there." 8)
(def ^:private first-pause "Until it is asked for the second time, in nanoseconds; then twice as long each time." 50000000)
(def ^:private longest-pause "Between two readings of everything, in nanoseconds." 1000000000)

(defn census
  "A census that has read nothing yet. `monitor`: an RtnlMonitor of all namespaces that hears Routers/ROUTES;
  `rtnl`: an Rtnl of the same namespace; both stay the caller's. `all?`: namespaces below /run/netns get an id.
  `known`: what `namespaces/find-all!` gave after the monitor was opened. The calling thread is in the monitor's
  network namespace."
  [{:keys [monitor rtnl all? known]}]
  {:monitor monitor
   :rtnl    rtnl
   :all?    (boolean all?)
   ;; :own       our own namespace's id in its own table, which is not asked
   ;; :nsids     those in use, without it
   ;; :lives     nsid -> how many namespaces had it, as far as we know
   ;; :facts     nsid -> its :ns/known
   ;; :asked     nsid -> how often `unexplained` named it, in this life
   ;; :ask       nsids that `unexplained` is to name
   ;; :again     nsid -> when `unexplained` is to name it again, CLOCK_BOOTTIME ns
   ;; :meant     nsid -> its life when `unexplained` named it last
   ;; :look?     mounts have to be looked at
   ;; :lost?     events were lost
   ;; :not-before  when everything may be read again, CLOCK_BOOTTIME ns
   ;; :unread    nsid -> when to try again to read it, CLOCK_BOOTTIME ns: it changed too fast
   :state   (volatile! {:own nil, :unread {}, :nsids #{}, :lives {}, :asked {}, :ask #{}, :again {}, :meant {}, :look? true, :lost? false, :not-before 0
                        :facts (into {} (map (juxt :ns/id identity)) known)})})

;; --- which namespaces there are

(defn- own-nsid [^Rtnl rtnl]
  (with-open [own (Namespaces/ofThread "net")] (.nsid rtnl own)))

(defn- born [state nsid]
  (-> state
      (update :nsids conj nsid)
      (update-in [:lives nsid] (fnil inc 0))
      (update :asked dissoc nsid)
      (update :again dissoc nsid)
      (cond-> (not (get-in state [:facts nsid]))
        (-> (assoc :look? true) (update :ask conj nsid)))))

(defn- ended [state nsid]
  (-> state
      (update :nsids disj nsid)
      (update :ask disj nsid)
      (update :facts dissoc nsid)
      (update :asked dissoc nsid)
      (update :again dissoc nsid)
      (update :unread dissoc nsid)
      (update-in [:lives nsid] (fnil inc 0))))

(defn- later
  "`nsid` is to be named again, later the more often it was."
  [{:keys [asked] :as state} nsid]
  (let [pause (bit-shift-left (long first-pause) (int (min (dec (long questions)) (max 0 (dec (long (get asked nsid 1)))))))]
    (assoc-in state [:again nsid] (+ (Clock/boottimeNanos) pause))))

(defn- now-again
  "Those that were to be named later and for which it is time are to be named."
  [{:keys [again] :as state}]
  (if-let [due (when (seq again) (seq (let [now (Clock/boottimeNanos)] (for [[n at] again :when (<= (long at) now)] n))))]
    (-> state (update :again #(reduce dissoc % due)) (update :ask into due))
    state))

(defn- stirred
  "Something happened in a namespace that nobody explains: perhaps now somebody lives there."
  [{:keys [nsids facts ask again] :as state} nsid]
  (cond-> state
    (and (nsids nsid) (not (facts nsid)) (not (ask nsid)) (not (again nsid))) (later nsid)))

(defn- there?
  "Has a namespace the id? Each has a link 1, lo."
  [^Rtnl rtnl nsid]
  (try (.linkOf rtnl (int nsid) 1) true
       (catch SysException e (not= Errno/EINVAL (.errno e)))))

;; --- what the kernel says

(defn- changing?
  "Could it not be read because it changed too fast, or the answer was lost?"
  [e]
  (and (instance? NetlinkException e)
       (contains? #{Errno/EINTR Errno/ENOBUFS} (.errno ^NetlinkException e))))

(defn- contents
  "A :ns/read in a vector; none when the namespace has ended, or changes too fast: then it is put off, and nobody else waits
  for it. Any user may have one that changes all the time."
  [{:keys [rtnl state]} nsid]
  (try (if-let [read (events/read-namespace rtnl nsid)]
         [{:event/type :ns/read :ns/id nsid :snapshot/events read}]
         [])
       (catch NetlinkException e
         (when-not (changing? e) (throw e))
         (vswap! state assoc-in [:unread nsid] (+ (Clock/boottimeNanos) (long longest-pause)))
         [])))

(defn- put-off
  "What was put off and is due, read now."
  [{:keys [state] :as census}]
  (if (empty? (:unread @state))
    []
    (let [now (Clock/boottimeNanos)
          due (for [[nsid at] (:unread @state) :when (<= (long at) now)] nsid)]
      (vswap! state update :unread #(reduce dissoc % due))
      (into [] (mapcat #(contents census %)) due))))

(defn- begun [{:keys [rtnl state] :as census} {nsid :ns/id :as event}]
  (when (nil? (:own @state)) (vswap! state assoc :own (own-nsid rtnl)))
  (cond
    (= nsid (:own @state)) []
    (:lost? @state)        (do (vswap! state born nsid) [event])
    :else                  (do (vswap! state born nsid)
                               (into [event] (contents census nsid)))))

(defn- over [{:keys [rtnl state] :as census} {nsid :ns/id :as event}]
  (vswap! state ended nsid)
  ;; The kernel frees the id before it tells: the news of the next one may have come first.
  (if (and (not (:lost? @state)) (there? rtnl nsid))
    (into [event] (begun census {:event/type :ns/new :ns/id nsid}))
    [event]))

(defn- told [{:keys [state] :as census} {nsid :ns/id :as event}]
  (case (:event/type event)
    :ns/new         (begun census event)
    :ns/gone        (over census event)
    :event/overflow (do (vswap! state assoc :lost? true) [])
    (do (when (and nsid (not (get-in @state [:facts nsid]))) (vswap! state stirred nsid))
        [event])))

(defn- drained
  "What has queued, in a vector, with what was to be read for it."
  [{:keys [monitor] :as census}]
  (loop [out [], n 0]
    (let [said (when (< n (long parts)) (seq (events/receive monitor)))]
      (if said
        (recur (into out (mapcat #(told census %)) said) (inc n))
        out))))

;; --- what is known of namespaces

(defn- explain
  "Takes in `facts`, and gives them, without those that say nothing new."
  [{:keys [state]} facts]
  (let [fresh (remove #(= % (get-in @state [:facts (:ns/id %)])) facts)]
    (vswap! state (fn [s] (reduce #(-> %1 (assoc-in [:facts (:ns/id %2)] %2) (update :ask disj (:ns/id %2)) (update :again dissoc (:ns/id %2))) s fresh)))
    (vec fresh)))

(defn- explained?
  "Is the namespace with this inode, mounted at `path`, known, and by the name it has there?"
  [known [inode path]]
  (when-let [fact (known inode)]
    (= (:ns/netns fact) (mounted/netns-name path))))

(defn- by-mounts
  "What the mounts tell that is not known; a name that is no longer there is taken back."
  [{:keys [rtnl all? state]}]
  (let [places  (namespaces/places (mounted/there))
        facts   (vals (:facts @state))
        known   (into {} (map (juxt :ns/inode identity)) facts)
        gone    (for [{:ns/keys [netns inode] :as fact} facts
                      :when (and netns (not (contains? places inode)))]
                  (assoc fact :ns/netns nil))]
    (into (namespaces/of-mounts rtnl (into {} (remove #(explained? known %)) places) all?) gone)))

(defn- still
  "Those of `facts` whose namespace is the one that had the id when `lives` were so."
  [{:keys [state]} lives facts]
  (let [now (:lives @state)]
    (filter #(= (get lives (:ns/id %)) (get now (:ns/id %))) facts)))

(defn- looked
  "Looks at the mounts. What an id meant then may have ended by now: all that queued meanwhile comes first,
  and what it touched is looked at again."
  [{:keys [state] :as census}]
  (let [lives (:lives (vswap! state assoc :look? false))
        facts (by-mounts census)
        said  (drained census)
        good  (still census lives facts)]
    (when-not (= (count good) (count facts)) (vswap! state assoc :look? true))
    (into said (explain census good))))

;; --- everything anew

(defn- facts-anew
  "What can be found out at once: by the mounts, and for those that were known in another way, by their
  processes."
  [{:keys [rtnl all? state]} nsids]
  (let [mounted (namespaces/of-mounts rtnl (namespaces/places (mounted/there)) all?)
        missing (remove (into #{} (map :ns/id) mounted) (filter nsids (keys (:facts @state))))]
    (into mounted (when (seq missing) (namespaces/of-pids rtnl missing)))))

(defn- everything
  "Reads all: an :event/snapshot. `facts-of`: a function of the ids that gives facts."
  [{:keys [^Rtnl rtnl state] :as census} facts-of]
  (vswap! state assoc :unread {})
  (let [there #(let [all (set (.nsids rtnl))] (disj all (own-nsid rtnl))) ; in this order
        facts (facts-of (there))
        nsids (there) ; again: some have been given theirs
        own   (own-nsid rtnl)
        facts (filterv #(nsids (:ns/id %)) facts)
        known (into #{} (map :ns/id) facts)
        read  (into (vec (events/read-namespace rtnl nil))
                    (comp (mapcat #(contents census %)) (mapcat :snapshot/events)) nsids)]
    (vswap! state (fn [s]
                    (-> s
                        (assoc :own own :nsids nsids :lost? false :look? false :asked {} :again {}
                               :facts (into {} (map (juxt :ns/id identity)) facts)
                               :ask (into #{} (remove known) nsids))
                        (update :lives #(reduce (fn [m n] (update m n (fnil inc 0))) % (into nsids (keys %)))))))
    {:event/type :event/snapshot
     :snapshot/events (-> (mapv (fn [n] {:event/type :ns/new :ns/id n}) nsids) (into facts) (into read))}))

(defn- resync!
  "Everything anew, in a vector; none when it changes too fast: then `due` says when to try again."
  [{:keys [state] :as census}]
  (let [begin (Clock/boottimeNanos)
        all   (try [(everything census #(facts-anew census %))]
                   (catch NetlinkException e
                     (when-not (changing? e) (throw e))
                     []))
        end   (Clock/boottimeNanos)]
    ;; At most half of the time goes to reading.
    (vswap! state assoc :not-before (+ end (min (long longest-pause) (- end begin))))
    all))

(defn- resync-now? [{:keys [state]}]
  (let [{:keys [lost? not-before]} @state]
    (and lost? (<= (long not-before) (Clock/boottimeNanos)))))

;; --- the calls

(defn receive!
  "The events that have come. What was lost is one :event/snapshot: after it, nothing from before counts. After
  each :ns/new stands a :ns/read of that namespace, unless it has ended. Does not wait for news."
  [{:keys [state] :as census}]
  (vswap! state now-again)
  (loop [out [], n 0]
    (let [out (-> out (into (drained census)) (into (put-off census)))]
      (cond
        (resync-now? census)
        (let [all (resync! census)] (recur (if (seq all) all out) n))

        (and (:look? @state) (not (:lost? @state)) (< n (long looks)))
        (recur (into out (looked census)) (inc n))

        :else out))))

(defn start
  "Reads everything for the first time: an :event/snapshot and what has come since. The monitor listens already."
  [{:keys [rtnl all? state] :as census}]
  (let [given (vals (:facts @state))
        facts (fn [nsids]
                (let [given  (filter #(nsids (:ns/id %)) given)
                      inodes (into #{} (keep :ns/inode) given)]
                  (into (vec given)
                        (namespaces/of-mounts rtnl (into {} (remove (comp inodes key)) (namespaces/places (mounted/there)))
                                              all?))))
        all   (loop [n 1]
                (or (try (everything census facts)
                         (catch NetlinkException e
                           (when (or (= n tries) (not (changing? e))) (throw e))))
                    (recur (inc n))))]
    (into [all] (receive! census))))

(defn due
  "When `receive!` is to be called although nothing comes, as nanoseconds of CLOCK_BOOTTIME; nil when not: the
  usual answer. Events were lost again right after everything had been read, a namespace changes too fast to be
  read, or it is not known yet who lives in one: most often it is made, and its links, before somebody moves in,
  of which no event tells."
  [{:keys [state]}]
  (let [{:keys [lost? not-before again unread]} @state]
    (some->> (cond->> (concat (vals again) (vals unread)) lost? (cons not-before)) seq (apply min))))

(defn look-again!
  "The events that have come, and what the mounts tell: to be called when one came or went."
  [{:keys [state] :as census}]
  (vswap! state assoc :look? true)
  (receive! census))

(defn unexplained
  "The ids of namespaces of which nothing is known, for `namespaces/of-pids` off the event loop, whose answer goes
  to `explained`; nil when there are none. Each is named again after a while (see `due`), some times, and
  once whenever something happens there."
  [{:keys [state]}]
  (let [{:keys [ask lives]} @state]
    (when (seq ask)
      (vswap! state (fn [s] (-> (reduce #(update-in %1 [:asked %2] (fnil inc 0)) s ask)
                                (assoc :ask #{})
                                (update :meant into (select-keys lives ask)))))
      (vec ask))))

(defn explained
  "The events that have come, and after them those of `facts`, what `of-pids` told of the `nsids` that `unexplained`
  named; without those of namespaces that have ended meanwhile."
  [{:keys [state] :as census} nsids facts]
  (let [said  (receive! census)
        meant (select-keys (:meant @state) nsids)]
    (vswap! state update :meant #(reduce dissoc % nsids))
    (let [found (explain census (remove #(get-in @state [:facts (:ns/id %)]) (still census meant facts)))]
      (vswap! state (fn [{:keys [lives nsids facts asked] :as s}]
                      (reduce later s (for [[n life] meant
                                            :when (and (nsids n) (not (facts n)) (= life (lives n)) (< (long (asked n 0)) (long questions)))]
                                        n))))
      (into said found))))

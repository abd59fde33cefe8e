;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.supervision-test
  "The table of one service's life: it is whole, scripted lives end as told, and no
  order of events whatever breaks what must always hold."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.supervision :as supervision]))

(def ^:private service
  {:service/name "web" :service/port "eth0" :service/netns true :service/ready {:fd 3}
   :service/restart {:policy :always :delay-ms 200 :max-delay-ms 1000 :limit 4 :window-ms 60000}
   :service/stop {:signal "TERM" :timeout-ms 500}
   :service/address-timeout-ms 3000})

(defn- with-restart [& kvs]
  (update service :service/restart #(apply assoc % kvs)))

;; --- the table

(deftest the-table-is-whole
  (is (= (set (keys supervision/states)) (set (keys supervision/table)))
      "Every state has a row, and no row is without a state.")
  (doseq [[state row] supervision/table]
    (is (= (set (keys supervision/events)) (set (keys row)))
        (str "The row of " state " has a cell for every event, and no other.")))
  (is (empty? (set/intersection supervision/at-rest? supervision/running?))
      "What is at rest does not run.")
  (is (set/subset? (set/union supervision/at-rest? supervision/running?)
                   (set (keys supervision/states)))
      "Both sets are of states."))

;; --- scripts: a life as a table of [event data ms-later expected-state effects]

(defn- play
  "Steps through `script` from the record of `service`; gives the last record, and
  checks the state, and the effects but for notes, after each event."
  [service script]
  (loop [s (supervision/record service 0), now 0, [[event data later state effects] & more] script]
    (if-not event
      s
      (let [now     (+ now later)
            [s' fx] (supervision/step s event data now)]
        (is (= state (:sup/state s')) (str event " at " now " ms leads to " state "."))
        (is (= effects (vec (remove #(= :note (first %)) fx)))
            (str event " at " now " ms has its effects."))
        (recur s' now more)))))

(def ^:private to-up
  [[:start nil 0 :waiting [[:cancel :retry]]]
   [:go nil 0 :attaching [[:attach]]]
   [:attached {:usable? true} 0 :launching [[:launch]]]
   [:launched {:pid 7} 0 :up []]])

(def ^:private to-stopping
  (conj to-up [:stop nil 1000 :stopping [[:record] [:signal "TERM"] [:timer :stop 1500]]]))

(def ^:private end [:cancel :stop])

(deftest lives
  (doseq [[what script]
          {"it starts, is ready, is stopped"
           (into to-up [[:notified nil 10 :ready [[:record]]]
                        [:notified nil 10 :ready []]
                        [:stop nil 10 :stopping [[:record] [:signal "TERM"] [:timer :stop 530]]]
                        [:exited {:exit {:signal "TERM"}} 10 :cleaning [end [:sweep]]]
                        [:gone nil 10 :down [[:record]]]])
           "it waits for an address, which comes"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attached {:usable? false} 5 :addressing [[:timer :address 3005]]]
            [:addressed nil 5 :launching [[:cancel :address] [:launch]]]
            [:address-late nil 5000 :launching []]
            [:launched {:pid 7} 5 :up []]]
           "it waits for an address in vain, and starts all the same"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attached {:usable? false} 0 :addressing [[:timer :address 3000]]]
            [:address-late nil 3000 :launching [[:launch]]]]
           "its address is another host's: back-off"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attached {:usable? false} 0 :addressing [[:timer :address 3000]]]
            [:address-refused {:reason "taken"} 10 :cleaning [[:cancel :address] [:sweep]]]
            [:gone nil 10 :backoff [[:record] [:timer :retry 220]]]]
           "its port goes away between the look and the attempt: it waits again"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attach-failed {:reason "port eth0 is not there yet" :wait? true} 5 :waiting []]
            [:go nil 5 :attaching [[:attach]]]]
           "it is ready before the news of its start"
           (into (vec (take 3 to-up))
                 [[:notified nil 1 :launching []]
                  [:launched {:pid 7} 1 :ready [[:record]]]])
           "its program is not found: back-off"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attached {:usable? true} 0 :launching [[:launch]]]
            [:launch-failed {:reason "no such file"} 0 :cleaning [[:sweep]]]
            [:gone nil 0 :backoff [[:record] [:timer :retry 200]]]
            [:retry nil 200 :waiting []]]
           "it does not stop in time"
           (into to-stopping [[:stop-late nil 500 :killing [[:kill]]]
                              [:exited {:exit {:signal "KILL"}} 1 :cleaning [end [:sweep]]]
                              [:gone nil 1 :down [[:record]]]])
           "it is stopped while it is being launched"
           (into (vec (take 3 to-up))
                 [[:stop nil 5 :launching []]
                  [:launched {:pid 7} 5 :stopping [[:record] [:signal "TERM"] [:timer :stop 510]]]])
           "it is stopped while its link is being made"
           (into (vec (take 2 to-up))
                 [[:stop nil 5 :attaching [[:record]]]
                  [:attached {:usable? true} 5 :cleaning [[:sweep]]]
                  [:gone nil 5 :down [[:record]]]])
           "it is started again while it stops"
           (into to-stopping [[:start nil 5 :stopping [[:record]]]
                              [:exited {:exit {:code 0}} 5 :cleaning [end [:sweep]]]
                              [:gone nil 5 :waiting [[:record]]]])
           "its link is lost: stopped, and started again"
           (into to-up [[:link-lost {:reason "gone"} 5 :stopping
                         [[:record] [:signal "TERM"] [:timer :stop 505]]]
                        [:exited {:exit {:signal "TERM"}} 5 :cleaning [end [:sweep]]]
                        [:gone nil 5 :waiting [[:record]]]])
           "its link is lost before it was started"
           [[:start nil 0 :waiting [[:cancel :retry]]]
            [:go nil 0 :attaching [[:attach]]]
            [:attached {:usable? false} 0 :addressing [[:timer :address 3000]]]
            [:link-lost {:reason "gone"} 5 :cleaning [[:cancel :address] [:sweep]]]
            [:gone nil 5 :waiting [[:record]]]]
           "its link is lost while it is being started"
           (into (vec (take 3 to-up))
                 [[:link-lost {:reason "gone"} 5 :launching []]
                  [:launched {:pid 7} 5 :stopping [[:record] [:signal "TERM"] [:timer :stop 510]]]])
           "it is forgotten once it has stopped"
           (into to-up [[:stop {:leave? true} 5 :stopping
                         [[:record] [:signal "TERM"] [:timer :stop 505]]]
                        [:exited {:exit {:code 0}} 5 :cleaning [end [:sweep]]]
                        [:gone nil 5 :down [[:forget]]]])
           "it is forgotten while it waits for its next attempt"
           (into to-up [[:exited {:exit {:code 1}} 0 :cleaning [end [:sweep]]]
                        [:gone nil 0 :backoff [[:record] [:timer :retry 200]]]
                        [:stop {:leave? true} 0 :down [[:cancel :retry] [:forget]]]])
           "it is wanted again before it could be forgotten"
           (into to-up [[:stop {:leave? true} 5 :stopping
                         [[:record] [:signal "TERM"] [:timer :stop 505]]]
                        [:start nil 0 :stopping [[:record]]]
                        [:exited {:exit {:code 0}} 5 :cleaning [end [:sweep]]]
                        [:gone nil 5 :waiting [[:record]]]])
           "a stopped one stays as it is when it is told to stop"
           [[:stop nil 0 :down [[:cancel :retry] [:record]]]]}]
    (testing what (play service script))))

(deftest what-is-written-down-before-the-first-launch
  (doseq [[netns effects] {true   [[:cancel :retry]]
                           :host  [[:cancel :retry] [:record]]
                           "blue" [[:cancel :retry] [:record]]}
          :let [s (supervision/record (assoc service :service/netns netns) 0)]]
    (is (= effects (second (supervision/step s :start nil 0)))
        (str "A link that could outlive us is announced, one with :netns " netns "."))))

(deftest late-news-changes-nothing
  (let [news [:attached :attach-failed :addressed :address-late :address-refused :launched
              :launch-failed :notified :exited :gone :stop-late :retry :link-lost :go]]
    (doseq [state [:down :done :failed], event news]
      (let [s (assoc (supervision/record service 0) :sup/state state)]
        (is (= [s []] (supervision/step s event {:reason "late" :exit {:code 0} :pid 9} 5))
            (str event " means nothing to a service that is " (name state) "."))))))

(deftest readiness
  (let [s (play (dissoc service :service/ready)
                (assoc-in to-up [3 3] :ready))]
    (is (= 7 (:sup/pid s)) "Without :ready it is ready as soon as it runs.")))

(deftest a-changed-declaration-replaces-the-old-one
  (let [other (assoc service :service/exec ["other"])]
    (doseq [[what script]
            {"while it runs"
             (into to-up [[:restart {:service other} 5 :stopping
                           [[:record] [:signal "TERM"] [:timer :stop 505]]]
                          [:exited {:exit {:code 0}} 5 :cleaning [end [:sweep]]]
                          [:gone nil 5 :waiting [[:record]]]])
             "while its link is being made"
             (into (vec (take 2 to-up)) [[:restart {:service other} 5 :attaching []]
                                         [:attached {:usable? true} 5 :cleaning [[:sweep]]]
                                         [:gone nil 5 :waiting [[:record]]]])
             "while its link could not be made"
             (into (vec (take 2 to-up)) [[:restart {:service other} 5 :attaching []]
                                         [:attach-failed {:reason "no"} 5 :waiting [[:record]]]])
             "while it is down"
             [[:restart {:service other} 5 :waiting [[:cancel :retry] [:record]]]]}]
      (testing what
        (is (= other (:service (play service script)))
            "The new declaration is in force.")))))

;; --- how often it is started again

(defn- one-run
  "The record after a run that ends `later` ms after the last with `exit`, up to
  where it goes on by itself, and that time."
  [s now later exit]
  (let [drive (fn [s now events]
                (reduce (fn [s [e d]] (first (supervision/step s e d now))) s events))
        s     (drive s now [[:go nil] [:attached {:usable? true}] [:launched {:pid 7}]])
        end   (+ now later)]
    [(drive s end [[:exited {:exit exit}] [:gone nil]]) end]))

(defn- runs
  "[state back-off] after each of `laters` (ms that a run lasts), all ending in 1."
  [service laters]
  (loop [s (first (supervision/step (supervision/record service 0) :start nil 0)), now 0
         [later & more] laters, out []]
    (if-not later
      out
      (let [[s end] (one-run s now later {:code 1})
            wait    (:sup/wait-ms s)
            out     (conj out [(:sup/state s) (when (= :backoff (:sup/state s)) wait)])]
        (if (= :backoff (:sup/state s))
          (recur (first (supervision/step s :retry nil (+ end wait))) (+ end wait) more out)
          out)))))

(deftest back-off
  (is (= [[:backoff 200] [:backoff 400] [:backoff 800] [:backoff 1000] [:failed nil]]
         (runs service (repeat 9 10)))
      "It doubles up to the maximum; past the limit the service has failed.")
  (is (= [[:backoff 200] [:backoff 400] [:backoff 200] [:backoff 400]]
         (runs service [10 10 70000 10]))
      "A run longer than the window starts the count afresh.")
  (is (= (repeat 20 [:backoff 200]) (runs service (repeat 20 70000)))
      "What ends once in a while never fails.")
  (is (= [[:failed nil]] (runs (with-restart :policy :never) [10 10]))
      ":never means never."))

(deftest policies
  (doseq [[policy exit state] [[:always     {:code 0} :backoff]
                               [:always     {:code 1} :backoff]
                               [:on-failure {:code 0} :done]
                               [:on-failure {:code 1} :backoff]
                               [:on-failure {:signal "SEGV"} :backoff]
                               [:on-failure {:unknown true} :backoff]
                               [:never      {:code 0} :done]
                               [:never      {:code 1} :failed]
                               [:never      {:unknown true} :failed]]]
    (let [s (first (supervision/step (supervision/record (with-restart :policy policy) 0) :start nil 0))]
      (is (= state (:sup/state (first (one-run s 0 10 exit))))
          (str policy " after " exit " is " state ".")))))

(deftest failed-is-cleared-by-start
  (let [s (loop [[s now] [(first (supervision/step (supervision/record service 0) :start nil 0)) 0]]
            (let [[s now] (one-run s now 1 {:code 1})]
              (if (= :failed (:sup/state s)) s (recur [(first (supervision/step s :retry nil now)) now]))))]
    (is (= 4 (:sup/restarts s)) "Four restarts before it failed.")
    (is (str/includes? (:sup/reason s) "exited with 1") "It says how the last run ended.")
    (let [[s _] (supervision/step s :start nil 1000)]
      (is (= [:waiting nil nil] ((juxt :sup/state :sup/reason :sup/runs) s))
          "It starts with a clean slate."))))

;; --- whatever happens

(def ^:private wishes
  "What people ask, at any time."
  [[:start nil] [:stop nil] [:stop {:leave? true}] [:restart nil]
   [:restart {:service (assoc service :service/exec ["other"])}]])

(defn- answers
  "What the kernel may say to record `s`, and when there are timers, what they say:
  [event data ms-later]. Only what the shell can really tell."
  [s timers]
  (concat
   (case (:sup/state s)
     :waiting    [[:go nil 1]]
     :attaching  [[:attached {:usable? true} 2] [:attached {:usable? false} 2]
                  [:attach-failed {:reason "no"} 2] [:attach-failed {:reason "no" :wait? true} 2]]
     :addressing [[:addressed nil 3] [:address-refused {:reason "taken"} 3]
                  [:link-lost {:reason "lost"} 3]]
     :launching  [[:launched {:pid 7} 4] [:launch-failed {:reason "no"} 4]
                  [:notified nil 1] [:link-lost {:reason "lost"} 1]]
     (:up :ready) [[:notified nil 1] [:exited {:exit {:code 1}} 9] [:exited {:exit {:code 0}} 9]
                   [:exited {:exit {:code 1}} 70000] [:link-lost {:reason "lost"} 2]]
     (:stopping :killing) [[:exited {:exit {:signal "TERM"}} 5]]
     :cleaning   [[:gone nil 6]]
     nil)
   (for [[key at] timers]
     [({:address :address-late, :stop :stop-late, :retry :retry} key) nil :at at key])))

(defn- track
  "What the shell holds after `effects`: {:timers {key at-ms} :forgotten? :launches}."
  [held effects]
  (reduce (fn [held [effect a b]]
            (case effect
              :timer  (assoc-in held [:timers a] b)
              :cancel (update held :timers dissoc a)
              :forget (assoc held :forgotten? true)
              :launch (update held :launches inc)
              :attach (update held :attaches inc)
              held))
          held effects))

(defn- broken
  "What does not hold after a step from `s` to `s'` with `effects`, or nil."
  [s s' event effects now]
  (let [state (:sup/state s') kinds (frequencies (map first effects))]
    (cond
      (not (contains? supervision/states state)) "its state is a state"
      (> (get kinds :launch 0) (if (= :launching state) 1 0)) "it is launched only on the way to :launching"
      (and (= :launching state) (not= :launching (:sup/state s)) (not (kinds :launch))) "who enters :launching launches"
      (and (= :launching (:sup/state s) state) (kinds :record)) "nothing is written while the launch writes"
      (and (kinds :attach) (not= :attaching state)) "it is attached only on the way to :attaching"
      (and (kinds :sweep) (not= :cleaning state)) "it is swept only on the way to :cleaning"
      (and (= :cleaning state) (not= :cleaning (:sup/state s)) (not (kinds :sweep))) "who enters :cleaning is swept"
      (and (kinds :signal) (not= :stopping state)) "it is signalled only to stop"
      (and (= :stopping state) (not (:sup/pid s'))) "what stops has a process"
      (and (supervision/at-rest? state) (:sup/pid s')) "what is at rest has no process"
      (and (supervision/running? (:sup/state s))
           (not (or (supervision/running? state) (and (= :cleaning state) (= :exited event)))))
      "only the end of its process takes a service out of the running states"
      (and (= :cleaning (:sup/state s)) (not= :cleaning state) (not= :gone event))
      "only :gone ends :cleaning"
      (some (fn [[k _ at]] (and (= :timer k) (< at now))) effects) "no timer is set in the past"
      (> (or (:sup/delay-ms s') 0) 1000) "the back-off stays below its maximum"
      (and (not= (:sup/state s) state) (not= now (:sup/since s'))) "it knows since when it is where it is"
      (:sup/effects s') "the effects are not part of the record")))

(defn- live
  "Plays `choices` (numbers) against a service: each picks one of all that could
  happen at that moment. Gives {:s :held :now :trace :broken}."
  [choices]
  (loop [s (supervision/record service 0), now 0, held {:timers {} :launches 0 :attaches 0}
         trace [], [choice & more] choices]
    (if (or (nil? choice) (:forgotten? held))
      {:s s :held held :now now :trace trace}
      (let [could (vec (concat (map #(conj % 1) wishes) (answers s (:timers held))))
            [event data later at key] (nth could (mod choice (count could)))
            now   (if (= :at later) (max now at) (+ now later))
            held  (if key (update held :timers dissoc key) held)
            [s' effects] (supervision/step s event data now)
            trace (conj trace [(:sup/state s) event (:sup/state s')])]
        (if-let [b (broken s s' event effects now)]
          {:broken b :trace trace}
          (recur s' now (track held effects) trace more))))))

(defn- settle-down
  "Asks `lived` to stop and answers as a kernel does: the last state, or :endless."
  [{:keys [s held now]} data]
  (loop [[s effects] (supervision/step s :stop data now), held held, turns 0]
    (let [held (track held effects)]
      (cond
        (:forgotten? held) :forgotten
        (supervision/at-rest? (:sup/state s)) (:sup/state s)
        (< 20 turns) [:endless s]
        :else
        (let [[event data] (or (first (answers s {})) [:nothing])]
          (recur (supervision/step s event data now) held (inc turns)))))))

(def ^:private gen-life (gen/vector gen/nat 0 120))

(defspec what-must-always-hold 400
  (prop/for-all [choices gen-life]
    (let [{:keys [broken held s]} (live choices)]
      (and (nil? broken)
           (<= (:launches held) (:attaches held))
           (<= (:launches held) (or (:sup/generation s) 0))))))

(defspec whoever-is-stopped-ends-down 300
  (prop/for-all [choices gen-life]
    (let [{:keys [held] :as lived} (live choices)]
      (or (:forgotten? held)
          (contains? #{:down :forgotten} (settle-down lived nil))))))

(defspec whoever-leaves-is-forgotten 300
  (prop/for-all [choices gen-life]
    (let [{:keys [held] :as lived} (live choices)]
      (or (:forgotten? held)
          (= :forgotten (settle-down lived {:leave? true}))))))

(defspec nothing-is-stuck 300
  ;; a wanted service that is not at rest either waits for a named answer or for a timer
  (prop/for-all [choices gen-life]
    (let [{:keys [s held]} (live choices)]
      (or (:forgotten? held)
          (supervision/at-rest? (:sup/state s))
          (seq (answers s (:timers held)))))))

(defspec timers-belong-to-their-state 300
  (prop/for-all [choices gen-life]
    (let [{:keys [s held]} (live choices)
          owner {:address #{:addressing} :stop #{:stopping} :retry #{:backoff}}]
      (every? (fn [[key _]] (contains? (owner key) (:sup/state s))) (:timers held)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.supervisor-test
  "The supervisor with a kernel of paper: what it does when the machine refuses."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [deftest is]]
            [ontap.model.world :as world]
            [ontap.run.adopt :as adopt]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.supervisor :as supervisor]
            [ontap.testing :as testing])
  (:import (ontap.sys Clock EventLoop Io)))

(set! *warn-on-reflection* true)

(def ^:private service
  {:service/name "web" :service/port "eth0" :service/netns true :service/uts false
   :service/link "eth0" :service/type "macvlan" :service/ipv4 {:method :none}
   :service/ipv6 {:method :none} :service/exec ["true"] :service/dir "/" :service/umask 022
   :service/log {:file nil :max-bytes 4096} :service/ready nil :service/requires []
   :service/address-timeout-ms 1000
   :service/restart {:policy :always :delay-ms 1 :max-delay-ms 1 :limit 1 :window-ms 60000}
   :service/stop {:signal "TERM" :timeout-ms 1000}})

(defn- no [& _] (throw (ex-info "no such thing on paper" {:reason ::paper})))

(def ^:private paper
  {:attach (fn [_ _] {:attachment/nsid 1 :attachment/index 1 :attachment/usable? true})
   :remove (fn [_]) :remove-stale (fn [_]) :find (fn [_ _] nil) :of-name (fn [_]) :begin-ipv4 (fn [_ _ _]) :end-ipv4 (fn [_])})

(defn- run-until
  "Runs a supervisor in folder `dir`, begun by `begin!`, until `when?` holds of its
  world; gives the world, and what was noted. Throws after 20 s."
  [dir kernel begin! when?]
  (let [paths (paths/layout dir)
        notes (volatile! [])
        late? (volatile! false)]
    (paths/make-layout! paths)
    (with-open [loop (EventLoop. (fn [^Throwable t] (throw t)))]
      (let [sup (supervisor/make {:loop loop :paths paths :boot-id "boot" :base nil :crew-size 1
                                  :note (fn [level name text] (vswap! notes conj [level name text]))
                                  :hear (fn [_]) :kernel kernel})]
        (supervisor/kernel-is! sup [{:event/type :link/new :link/index 2 :link/name "eth0"}])
        (.at loop (+ (Clock/boottimeNanos) 20000000000) #(do (vreset! late? true) (.stop loop)))
        (begin! sup)
        (supervisor/await! sup when? #(.stop loop))
        (.run loop)
        (supervisor/close! sup)
        (when @late? (throw (ex-info "not within 20 s" {:world @(:world sup) :notes @notes})))
        {:world @(:world sup) :notes @notes}))))

(defmacro ^:private with-folder [[dir] & body]
  `(let [top# (testing/temp-dir)
         ~dir (str (io/file top# "run"))]
     (try ~@body (finally (testing/delete-tree top#)))))

(defn- state [w] (-> w :world/services (get "web") :sup/state))

(deftest a-refusal-leaves-no-service-waiting-for-ever
  (doseq [[what kernel dir-part service]
          [["the link is refused" (assoc paper :attach no) "" service]
           ;; sun_path has 107 bytes
           ["the notification socket has too long a path" paper (apply str "/" (repeat 90 "x"))
            (assoc service :service/ready :notify)]
           ["the program is not there" paper "" (assoc service :service/exec ["/no/such/program"])]]]
    (with-folder [dir]
      (let [{:keys [world notes]} (run-until (str dir dir-part) kernel
                                             #(supervisor/reload! % [service])
                                             #(= :failed (state %)))]
        (is (= :failed (state world)) (str "When " what ", it is tried again, and then failed."))
        (is (some (fn [[level name text]]
                    (and (= [:error "web"] [level name]) (re-find #"^failed: ended 2 times" text)))
                  notes) "That is said.")))))

(deftest a-record-that-cannot-be-written-stops-nothing
  (with-folder [dir]
    (let [{:keys [notes]} (run-until dir (assoc paper :attach no)
                                     (fn [sup]
                                       (testing/delete-tree (:paths/services (:paths sup)))
                                       (supervisor/reload! sup [service]))
                                     #(= :failed (state %)))]
      (is (some (fn [[level _ text]] (and (= :error level) (re-find #"unable to record" text))) notes)
          "It is said, and all else is done."))))

(deftest a-number-that-is-another-session's-by-now
  (with-folder [dir]
    (let [other (.start (ProcessBuilder. ["setsid" "sleep" "1000"]))
          pid   (.pid other)]
      (try
        (testing/wait-for "a session of its own"
                          #(= pid (.session (ontap.sys.Procs/stat (int pid)))))
        (run-until dir paper
                   (fn [sup]
                     (adopt/adopt! sup [{:record/name "web" :record/phase :running :record/want :down
                                         :record/state :ready :record/service service
                                         :record/pid pid :record/ticks 1}]))
                   #(= :down (state %)))
        (is (.isAlive other) "It is not killed for what had its number before.")
        (finally (.destroyForcibly other))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.testing.discovery
  "Finds the Clojure tests and makes each `deftest` a body that JUnit can run: it throws ClojureFailure
  with all its reports, or TestAbortedException when the test left with a reason.

  The tests of one namespace run one after the other in one thread of their own, inside the
  namespace's :once fixtures; each has a time limit, and one that overruns it is left behind. Those
  that say ^:apart have a thread each, and run two at a time."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :as test])
  (:import (java.io File)
           (java.util.concurrent Callable LinkedBlockingQueue)
           (java.util.function Predicate)
           (ontap.testing ClojureFailure Traces)
           (org.opentest4j TestAbortedException)))

(set! *warn-on-reflection* true)

(def ^:private limit-s "Seconds a test may take that says nothing else." 120)

;; -- what a test reports

(defn- root-cause [^Throwable t]
  (if-let [cause (.getCause t)] (recur cause) t))

(defn- leaving
  "The TestAbortedException behind a report, if the test left with a reason."
  [{:keys [type actual]}]
  (when (and (= :error type) (instance? Throwable actual) (instance? TestAbortedException (root-cause actual)))
    (root-cause actual)))

(defn- shown [value]
  (if (instance? Throwable value)
    (Traces/of value)
    (binding [*print-length* 200] (pr-str value))))

(defn- words
  "A failed assertion as text."
  [{:keys [type file line message expected actual]}]
  (str (if (= :fail type) "wrong" "thrown") " at " file ":" line
       (when (seq test/*testing-contexts*) (str "\n  " (test/testing-contexts-str)))
       (when message (str "\n  " message))
       (when (or (= :fail type) expected) (str "\n  expected: " (shown expected)))
       "\n    actual: " (str/trimr (shown actual))))

(defn- run-var
  "Run one test inside its namespace's :each fixtures; returns, or throws what JUnit understands."
  [v]
  (let [reports (atom [])
        left    (atom nil)
        report  (fn [{:keys [type] :as report}]
                  (when (#{:fail :error} type)
                    (if-let [reason (leaving report)]
                      (reset! left reason)
                      (swap! reports conj (words report)))))
        each    (test/join-fixtures (::test/each-fixtures (meta (:ns (meta v)))))]
    (binding [test/report report
              test/*report-counters* nil]
      (each #(test/test-var v)))
    (when (seq @reports)
      (throw (ClojureFailure. (str/join "\n" @reports))))
    (when @left
      (throw ^Throwable @left))))

;; -- a namespace's thread

(defn- start-namespace
  "Start the thread in which the tests of `ns` run. Returns {:jobs queue, :opened promise of nil or
  what the :once fixtures threw, :closed the same for their end, :thread the thread}."
  [ns]
  (let [jobs   (LinkedBlockingQueue.)
        opened (promise)
        closed (promise)
        once   (test/join-fixtures (::test/once-fixtures (meta ns)))
        serve  (fn []
                 (deliver opened nil)
                 (loop []
                   (let [job (.take jobs)]
                     (when-not (= ::end job)
                       (job)
                       (recur)))))
        thread (Thread. ^Runnable (fn []
                                    (try (once serve)
                                         (deliver opened nil) ; a fixture that never calls its tests
                                         (deliver closed nil)
                                         (catch Throwable t
                                           (deliver opened t)
                                           (deliver closed t))))
                        (str "tests of " (ns-name ns)))]
    (doto thread (.setDaemon true) .start)
    {:jobs jobs :opened opened :closed closed :thread thread}))

(defn- overran
  "Interrupt the thread, give it 5 s, and answer what to throw."
  [{:keys [^Thread thread]} result what limit]
  (let [dump (Traces/ofAllThreads)]
    (.interrupt thread)
    (let [stuck? (= ::late (deref result 5000 ::late))]
      [stuck? (ClojureFailure. (str what " took more than " limit " s" (when stuck? " and heeds no interrupt")
                                    "; the threads were:\n" dump))])))

(defn- call-in
  "Run `f` in the namespace's thread with a limit in seconds. Returns nil or what it threw; sets
  `current` to nil when the thread is lost."
  [current ns what limit f]
  (let [{:keys [^LinkedBlockingQueue jobs opened] :as room}
        (or @current (reset! current (start-namespace ns)))
        began (deref opened (* 1000 limit) ::late)]
    (cond
      (= ::late began)
      (do (reset! current nil)
          (second (overran room opened "the :once fixture" limit)))

      began began

      :else
      (let [result (promise)]
        (.put jobs (fn [] (deliver result (try (f) nil (catch Throwable t t)))))
        (let [thrown (deref result (* 1000 limit) ::late)]
          (if (= ::late thrown)
            (let [[stuck? failure] (overran room result what limit)]
              (when stuck? (reset! current nil))
              failure)
            thrown))))))

(defn- close
  "End the namespace's thread, and with it the :once fixtures. Returns nil or what they threw."
  [current]
  (when-let [{:keys [^LinkedBlockingQueue jobs closed] :as room} @current]
    (reset! current nil)
    (.put jobs ::end)
    (let [thrown (deref closed (* 1000 limit-s) ::late)]
      (if (= ::late thrown)
        (second (overran room closed "the end of the :once fixture" limit-s))
        thrown))))

;; -- two at a time

(def ^:private lanes 2)

(defn- side-by-side
  "The tests, arrays of name and Callable, so that they run beside one another: all of them begin
  when the first is called, as many at a time as there are lanes, and each call waits for its own."
  [tests]
  (let [queue   (LinkedBlockingQueue. ^java.util.Collection (range (count tests)))
        results (vec (repeatedly (count tests) promise))
        lane    (fn [] (loop []
                         (when-let [i (.poll queue)]
                           (deliver (results i) (try (.call ^Callable (aget ^objects (nth tests i) 1)) nil (catch Throwable t t)))
                           (recur))))
        started (delay (dotimes [n lanes] (doto (Thread. ^Runnable lane (str "lane " n)) (.setDaemon true) .start)))]
    (map-indexed (fn [i ^objects test]
                   (object-array [(aget test 0)
                                  (reify Callable (call [_] @started (some-> ^Throwable @(results i) throw)))]))
                 tests)))

;; -- finding

(defn- test-name [v]
  (let [{:keys [ns name]} (meta v)] (str (ns-name ns) "/" name)))

(defn- bodies
  "The tests of one namespace as JUnit sees them: arrays of name and Callable."
  [ns vars]
  (let [current (atom nil)
        left    (atom (count vars))]
    (for [v vars
          :let [{:keys [timeout]} (meta v)]]
      (object-array
        [(test-name v)
         (reify Callable
           (call [_]
             (let [thrown (call-in current ns (test-name v) (or timeout limit-s) #(run-var v))
                   ending (when (zero? (swap! left dec)) (close current))]
               (when-let [t (or thrown ending)] (throw ^Throwable t)))))]))))

(defn- source-files
  "The *_test.clj files on the class path, as [namespace symbol, file], sorted."
  []
  (sort-by first
    (for [root  (str/split (System/getProperty "java.class.path") #":")
          :let  [root (io/file root)]
          :when (.isDirectory root)
          ^File file (file-seq root)
          :let  [path (str (.relativize (.toPath root) (.toPath file)))]
          :when (str/ends-with? path "_test.clj")]
      [(symbol (-> path (str/replace #"\.clj$" "") (str/replace "/" ".") (str/replace "_" "-"))) file])))

(defn- may-hold?
  "May this namespace hold a wanted test? Asked before it is loaded, which takes time."
  [patterns [ns file]]
  (or (empty? patterns)
      (let [text (str/lower-case (str ns "/ " (slurp file)))]
        (some (fn [pattern]
                (every? #(str/includes? text %) (remove str/blank? (str/split (str/lower-case pattern) #"[/*]"))))
              patterns))))

(defn- load-tests
  "Load a test namespace. Returns {:ns ns} or {:error throwable}."
  [ns]
  (try (require ns)
       {:ns (the-ns ns)}
       (catch Throwable t {:error t})))

(defn- group
  "The tests of the namespace `name` that `runs?`: {:slow? b :tests [test] :apart [test]}."
  [runs? name]
  (let [{:keys [ns error]} (load-tests name)]
    (if error
      {:slow? false
       :tests [(object-array [(str name "/(loading)")
                              (reify Callable (call [_] (throw ^Throwable error)))])]}
      (let [vars  (->> (vals (ns-interns ns)) (filter runs?)
                       (sort-by (juxt (comp boolean :slow meta) (comp :line meta))))
            apart (filter (comp :apart meta) vars)]
        {:slow? (boolean (some (comp :slow meta) vars))
         :tests (bodies ns (remove (comp :apart meta) vars))
         :apart (mapcat #(bodies ns [%]) apart)}))))

(defn tests
  "All wanted Clojure tests, slow ones after the others and those that run beside one another last, as
  arrays of name and Callable, for ontap.testing.ClojureTests. `wanted` is a Predicate of a test's
  name, made from `patterns`. A namespace that cannot be loaded is a test that fails."
  [^Predicate wanted patterns long? floor?]
  (let [runs?  (fn [v]
                 (let [{:keys [test long jdk]} (meta v)]
                   (and test
                        (or long? (not long))
                        (or floor? (not= :floor jdk))
                        (.test wanted (test-name v)))))
        groups (mapv #(group runs? (first %)) (filter #(may-hold? patterns %) (source-files)))]
    (into (vec (mapcat :tests (sort-by :slow? groups)))
          (side-by-side (vec (mapcat :apart groups))))))

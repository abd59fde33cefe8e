;; SPDX-License-Identifier: Apache-2.0
(ns ontap.testing
  "What the Clojure tests share: leaving a test with a reason, waiting with a limit, scratch folders,
  running a program.

  A test says about itself by metadata: `^:long` (runs only with --long), `^:slow` (runs after the
  others), `^:apart` (has a kernel of its own, and runs last, beside another such), `^{:jdk :floor}`
  (runs only on the oldest JDK supported), `^{:timeout 300}` (seconds; 120 when it says nothing)."
  (:require [clojure.java.io :as io])
  (:import (java.nio.file Files FileVisitOption LinkOption Path)
           (java.nio.file.attribute FileAttribute)
           (java.util.concurrent Callable ExecutionException ExecutorService Executors Future TimeUnit)
           (ontap.testing Runner)
           (org.opentest4j TestAbortedException)))

(set! *warn-on-reflection* true)

(defn skip!
  "Leave the test: something it needs is missing here, which `reason` names. A skip is a failure when
  ONTAP_REQUIRE=all. Throws."
  [reason]
  (throw (TestAbortedException. (str reason))))

(defn not-applicable!
  "Leave the test: it has no meaning on this machine, which `reason` explains (no ipvlan in this
  kernel, no second JDK). Neither passed, failed nor skipped. Throws."
  [reason]
  (throw (TestAbortedException. (str "not applicable: " reason))))

(defn wait-for
  "Call `f` until it answers something true, and return that; blocks for `limit-ms` at most
  (10 s when not given), then throws, naming `what` and the last answer. For what has no event
  to wait for, such as another process's output; looks every 5 ms."
  ([what f] (wait-for what 10000 f))
  ([what limit-ms f]
   (let [end (+ (System/nanoTime) (* 1000000 (long limit-ms)))]
     (loop []
       (let [answer (f)]
         (cond answer answer
               (neg? (- (System/nanoTime) end))
               (do (Thread/sleep 5) (recur))
               :else
               (throw (ex-info (str "waited " limit-ms " ms for " what) {:what what :last answer}))))))))

(defn temp-dir
  "Make a scratch folder, readable by all users, and return it as a File."
  ^java.io.File []
  (let [dir (.toFile (Files/createTempDirectory "ontap-test-" (make-array FileAttribute 0)))]
    (.setReadable dir true false)
    (.setExecutable dir true false)
    dir))

(defn delete-tree
  "Delete a folder and all below it, following no link. A missing one is fine."
  [dir]
  (let [path (.toPath (io/file dir))]
    (when (Files/exists path (into-array [LinkOption/NOFOLLOW_LINKS]))
      (with-open [found (Files/walk path (make-array FileVisitOption 0))]
        (doseq [^Path each (reverse (vec (iterator-seq (.iterator found))))]
          (Files/deleteIfExists each))))))

(defmacro with-temp-dir
  "Run the body with `name` bound to a fresh scratch folder (a java.io.File), deleted at the end."
  [[name] & body]
  `(let [~name (temp-dir)]
     (try ~@body (finally (delete-tree ~name)))))

(defn run
  "Run a program to its end and return {:exit :out :err :pid}, the texts as UTF-8; its standard input is
  empty. Throws when it takes more than the limit, after ending it.
  Options: `:dir` folder to start in, `:env` map of variables to set (nil value: to unset),
  `:limit-s` (60)."
  [{:keys [dir env limit-s] :or {limit-s 60}} & words]
  (with-temp-dir [scratch]
    (let [out     (io/file scratch "out")
          err     (io/file scratch "err")
          builder (doto (ProcessBuilder. ^java.util.List (mapv str words))
                    (.redirectInput (io/file "/dev/null"))
                    (.redirectOutput out)
                    (.redirectError err))
          vars    (.environment builder)]
      (when dir (.directory builder (io/file dir)))
      (doseq [[k v] env] (if v (.put vars k (str v)) (.remove vars k)))
      (let [process (.start builder)]
        (when-not (.waitFor process (long limit-s) TimeUnit/SECONDS)
          (run! (fn [^java.lang.ProcessHandle child] (.destroyForcibly child)) (iterator-seq (.iterator (.descendants process))))
          (.destroyForcibly process)
          (throw (ex-info (str "took more than " limit-s " s: " (pr-str words)) {:out (slurp out) :err (slurp err)})))
        {:exit (.exitValue process) :out (slurp out) :err (slurp err) :pid (.pid process)}))))

(defn two-at-a-time
  "(f x) for each of `xs` in threads of their own, two at a time, with the caller's bindings; a vector
  in order. Blocks; throws what `f` threw."
  [f xs]
  (let [^ExecutorService two (Executors/newFixedThreadPool 2)]
    (try
      (mapv #(try (.get ^Future %) (catch ExecutionException e (throw (ex-cause e))))
            (.invokeAll two (mapv (fn [x] ^Callable (bound-fn [] (f x))) xs)))
      (finally (.shutdownNow two)))))

(defn -main
  "Run the tests on this JVM: `clojure -M:test [--long] [NAME-PATTERN…]`. Ends the JVM with 0 when all
  passed, with 1 when one failed or none ran."
  [& words]
  (Runner/main (into-array String words)))

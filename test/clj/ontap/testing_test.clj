;; SPDX-License-Identifier: Apache-2.0
(ns ontap.testing-test
  "The test runner itself: a sample of tests that pass, fail, leave and overrun, run by a runner of its own."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.testing :as t :refer [run with-temp-dir]]))

(def ^:private sample
  "(ns sample.a-test (:require [clojure.test :refer [deftest is testing use-fixtures]] [ontap.testing :as t]))
   (def ^:dynamic *room* nil)
   (use-fixtures :once (fn [f] (println \"opened\") (binding [*room* :here] (f)) (println \"closed\")))
   (use-fixtures :each (fn [f] (f)))
   (deftest sees-the-fixture (is (= :here *room*)))
   (deftest wrong (testing \"inner\" (is (= 1 2) \"One is two.\") (is (= 3 4))))
   (deftest throws (is (= 1 (throw (ex-info \"broken\" {:a 1})))))
   (deftest leaves (t/skip! \"no such thing\"))
   (deftest does-not-apply (is (t/not-applicable! \"no ipvlan\")))
   (deftest ^{:timeout 1} overruns (Thread/sleep 60000))
   (deftest ^:long soak (is true))
   (deftest ^{:jdk :floor} on-the-floor (is true))
   (deftest last-one (is (= :here *room*)))")

(defn- run-sample
  "Run the sample in a JVM of its own. Returns {:exit :out :lines :counts}."
  [env & options]
  (with-temp-dir [dir]
    (let [file (io/file dir "sample" "a_test.clj")]
      (io/make-parents file)
      (spit file sample)
      (spit (io/file dir "sample" "b_test.clj") "(ns sample.b-test (:require nowhere.at-all))")
      ;; each of two ends only once the other has begun
      (spit (io/file dir "sample" "c_test.clj")
            "(ns sample.c-test (:require [clojure.test :refer [deftest is]]))
             (def begun {:a (promise) :b (promise)})
             (defn- meet [me other] (deliver (begun me) true) (is (deref (begun other) 20000 false)))
             (deftest ^:apart one-lane (meet :a :b))
             (deftest ^:apart other-lane (meet :b :a))
             (deftest ^:apart third (is (= :red :blue)))")
      ;; the runner's classes and its Clojure half, without the project's own tests
      (.mkdirs (io/file dir "ontap" "testing"))
      (.mkdirs (io/file dir "classes" "ontap" "testing"))
      (doseq [name ["testing.clj" "testing/discovery.clj"]]
        (io/copy (io/file (io/resource (str "ontap/" name))) (io/file dir "ontap" name)))
      (doseq [class (.listFiles (.getParentFile (io/file (io/resource "ontap/testing/Runner.class"))))]
        (io/copy class (io/file dir "classes" "ontap" "testing" (.getName ^java.io.File class))))
      (let [jars   (filter #(re-find #"\.jar$|target/classes$" %) (str/split (System/getProperty "java.class.path") #":"))
            result (apply run {:env (merge {"ONTAP_REQUIRE" nil} env)}
                          (str (System/getProperty "java.home") "/bin/java") "-XX:TieredStopAtLevel=1"
                          "-cp" (str/join ":" (concat [dir (io/file dir "classes")] jars))
                          "ontap.testing.Runner" (str "--counts=" dir "/counts") options)]
        (assoc result
               :counts (str/trim (slurp (io/file dir "counts")))
               :lines  (mapv #(str/replace % #" +[0-9.]+ s " " ") (str/split-lines (:out result))))))))

(deftest tells-how-each-test-went
  (let [{:keys [exit out lines counts]} (run-sample {} "--floor")
        said? (set lines)]
    (is (= 1 exit))
    (is (= "5 5 1 1" counts) "Passed, failed, skipped, not applicable.")
    (doseq [line ["ok  sample.a-test/sees-the-fixture" "ok  sample.a-test/on-the-floor" "ok  sample.a-test/last-one"
                  "FAIL  sample.a-test/wrong" "FAIL  sample.a-test/throws" "FAIL  sample.a-test/overruns"
                  "FAIL  sample.b-test/(loading)"
                  "ok  sample.c-test/one-lane" "ok  sample.c-test/other-lane" "FAIL  sample.c-test/third"
                  "skip  sample.a-test/leaves: no such thing"
                  "n/a  sample.a-test/does-not-apply: not applicable: no ipvlan"]]
      (is (said? line) (str "The report has the line: " line)))
    (is (= 1 (count (filter #{"opened"} lines)) (count (filter #{"closed"} lines)))
        "The :once fixture is run once.")
    (is (not (str/includes? out "soak")) "A long test runs only when asked.")
    (doseq [detail ["One is two." "expected: (= 3 4)" "ExceptionInfo: broken" "took more than 1 s; the threads were"]]
      (is (= 2 (count (re-seq (re-pattern (java.util.regex.Pattern/quote detail)) out)))
          (str "Told at once and again at the end: " detail)))))

(deftest a-skip-fails-when-all-is-required
  (let [{:keys [counts out]} (run-sample {"ONTAP_REQUIRE" "all"} "leaves" "does-not" "a-test/last")]
    (is (= "1 1 0 1" counts))
    (is (str/includes? out "skipped, which ONTAP_REQUIRE=all does not allow: no such thing"))))

(deftest runs-what-is-asked-for
  (testing "nothing"
    (let [{:keys [exit counts]} (run-sample {} "no-such-test")]
      (is (= [1 "0 0 0 0"] [exit counts]) "A run of no test is not a success.")))
  (testing "by pattern, with the long ones"
    (is (= [0 "1 0 0 0"] ((juxt :exit :counts) (run-sample {} "--long" "A-test/so*k")))))
  (testing "not the floor's on another JDK; 17 always is the floor"
    (is (= (if (= 17 (.feature (Runtime/version))) "1 0 0 0" "0 0 0 0") (:counts (run-sample {} "on-the-floor"))))))

(deftest waits-with-a-limit
  (let [calls (atom 0)]
    (is (= 3 (t/wait-for "three" (fn [] (let [n (swap! calls inc)] (when (= 3 n) n))))))
    (is (thrown-with-msg? Exception #"waited 20 ms for nothing" (t/wait-for "nothing" 20 (fn [] nil))))))

(deftest scratch-folders-go
  (let [kept (atom nil)]
    (with-temp-dir [dir]
      (reset! kept dir)
      (io/make-parents (io/file dir "a" "b" "c"))
      (spit (io/file dir "a" "b" "c") "x")
      (is (.exists (io/file dir "a" "b" "c"))))
    (is (not (.exists ^java.io.File @kept)))))

(deftest ends-what-takes-too-long
  (is (thrown-with-msg? Exception #"took more than 1 s" (run {:limit-s 1} "sleep" "60"))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.build-test
  "bin/ontap, bin/clj, build.clj and deps.edn: the program starts quietly and becomes itself, is built when
  it has to be and only then, and says in one sentence what is missing. Reads the tree it runs in;
  what it changes are copies."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.testing :as t :refer [run with-temp-dir]])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(def ^:private root (System/getProperty "user.dir"))
(defn- path [& names] (str (apply io/file root names)))
(def ^:private ontap (path "bin" "ontap"))
(def ^:private as-nobody ["setpriv" "--reuid=65534" "--regid=65534" "--clear-groups" "--"])

(defn- root? [] (= "root" (System/getProperty "user.name")))

(defn- put!
  "Write a file of a scratch tree; executable when it begins with #!."
  [dir name text]
  (let [file (io/file dir name)]
    (io/make-parents file)
    (spit file text)
    (when (str/starts-with? text "#!") (.setExecutable file true false))))

(defn- copy! [dir & names]
  (doseq [name names]
    (io/make-parents (io/file dir name))
    (io/copy (io/file root name) (io/file dir name))
    (.setExecutable (io/file dir name) (.canExecute (io/file root name)) false)))

(defn- fake-jdk!
  "A JDK whose java says who it is and with what it was called. Returns its folder."
  [dir]
  (put! dir "jdk/bin/java" "#!/bin/sh\necho \"pid $$\"\nprintf '<%s>\\n' \"$@\"\ncat\necho told >&2\nexit 7\n")
  (put! dir "jdk/release" "JAVA_VERSION=\"17.0.1\"\n")
  (str (io/file dir "jdk")))

(defn- built-tree!
  "A tree that looks built, with bin/ontap and no real program."
  [dir]
  (copy! dir "bin/ontap" "deps.edn" "build.clj")
  (put! dir "src/a.clj" "")
  (put! dir "java-src/A.java" "")
  (put! dir "target/ontap/ontap.jar" "")
  (put! dir "target/ontap/built" "")
  (.setLastModified (io/file dir "target/ontap/built") (+ 5000 (System/currentTimeMillis)))
  (str (io/file dir "bin/ontap")))

(deftest starts-quietly
  (doseq [env [{} {"JAVA_TOOL_OPTIONS" "-Dx=y"} {"JDK_JAVA_OPTIONS" "-Dx=y" "_JAVA_OPTIONS" "-Dx=y"}]]
    (let [{:keys [exit out err]} (run {:env env} ontap "--version")]
      (is (= 0 exit) (str "The program says its version, with " env "."))
      (is (str/includes? out "ontap") "The version names the program.")
      (is (= "" err) "Nothing is said on standard error."))))

(deftest starts-through-a-link-from-anywhere
  (with-temp-dir [dir]
    (java.nio.file.Files/createSymbolicLink (.toPath (io/file dir "o")) (.toPath (io/file ontap))
                                            (make-array java.nio.file.attribute.FileAttribute 0))
    (is (= 0 (:exit (run {:dir dir} "./o" "--version"))))))

(deftest uses-the-archive-of-loaded-classes
  (let [{:keys [out]} (run {:env {"ONTAP_JAVA_OPTS" "-Xlog:class+load:stdout"}} ontap "--version")
        line (first (filter #(str/includes? % " clojure.core__init ") (str/split-lines out)))]
    (is (str/includes? (str line) "shared objects file") "Clojure itself comes from the archive.")))

(deftest a-start-takes-little-time
  (let [times (vec (sort (repeatedly 7 #(let [start (System/nanoTime)]
                                          (run {} ontap "--version")
                                          (/ (- (System/nanoTime) start) 1e6)))))]
    (println (format "bin/ontap --version on Java %s: best %.0f ms, median %.0f ms"
                     (System/getProperty "java.version") (first times) (times 3)))
    (is (< (first times) 700) "The best of seven starts is quick, on a busy machine too.")))

(deftest becomes-the-program
  (with-temp-dir [dir]
    (let [ontap (built-tree! dir)
          {:keys [exit out err pid]}
          (run {:env {"JAVA_HOME" (fake-jdk! dir) "ONTAP_JAVA_OPTS" "-Da=1 -Db=2"}} ontap "a b" "" "*" "--help")
          words (map #(subs % 1 (dec (count %))) (filter #(str/starts-with? % "<") (str/split-lines out)))
          [options [main & args]] (split-with #(not= "ontap.main" %) words)]
      (is (= 7 exit) "The exit status is the program's.")
      (is (= "told\n" err) "Only the program itself speaks.")
      (is (str/starts-with? out (str "pid " pid "\n")) "The process is the same one.")
      (is (= ["a b" "" "*" "--help"] args) "Arguments arrive as they were given.")
      (is (= "ontap.main" main))
      (is (= ["-Da=1" "-Db=2"] (take-last 2 options)) "ONTAP_JAVA_OPTS come last, so they win."))))

(deftest heeds-no-blanks-in-the-path
  (with-temp-dir [dir]
    (let [ontap (built-tree! (io/file dir "a tree"))
          {:keys [exit out]} (run {:env {"JAVA_HOME" (fake-jdk! (io/file dir "a jdk"))}} ontap)]
      (is (= 7 exit))
      (is (str/includes? out (str "<" dir "/a tree/target/ontap/ontap.jar>"))))))

(deftest says-what-is-missing
  (with-temp-dir [dir]
    (let [ontap (built-tree! dir)
          one-line (fn [{:keys [exit err]}] (is (= 111 exit)) (is (= 1 (count (str/split-lines err)))) err)]
      (testing "no java below JAVA_HOME"
        (is (str/starts-with? (one-line (run {:env {"JAVA_HOME" "/nowhere"}} ontap))
                              "ontap: fatal: unable to find java below JAVA_HOME (/nowhere): install a JDK")))
      (testing "no java at all"
        (is (str/starts-with? (one-line (run {:env {"JAVA_HOME" nil "PATH" "/nowhere"}} "/bin/sh" ontap))
                              "ontap: fatal: unable to find java: install a JDK")))
      (testing "a Java that is too old"
        (let [jdk (fake-jdk! dir)]
          (spit (io/file jdk "release") "IMPLEMENTOR=\"A\"\nJAVA_VERSION=\"11.0.2\"\n")
          (is (str/starts-with? (one-line (run {:env {"JAVA_HOME" jdk}} ontap))
                                "ontap: fatal: unable to run on Java 11.0.2 (")))))))

(deftest another-user-runs-what-its-owner-built
  (when-not (root?) (t/not-applicable! "only root can become another user"))
  (when-not (zero? (:exit (apply run {} (concat as-nobody ["test" "-x" ontap]))))
    (t/not-applicable! "other users cannot reach this folder"))
  (let [{:keys [exit err]} (apply run {} (concat as-nobody [ontap "--version"]))]
    (is (= [0 ""] [exit err]) "Another user runs it, quietly.")))

(deftest another-user-is-told-to-have-it-built
  (when-not (root?) (t/not-applicable! "only root can become another user"))
  (with-temp-dir [dir]
    (let [ontap (built-tree! dir)]
      (.setLastModified (io/file dir "src/a.clj") (+ 60000 (System/currentTimeMillis)))
      (let [{:keys [exit err]} (apply run {:env {"JAVA_HOME" (fake-jdk! dir)}} (concat as-nobody [ontap]))]
        (is (= 111 exit))
        (is (= (str "ontap: fatal: unable to build: " dir "/target is not yours to write; "
                    "its owner has to run " ontap " --version once\n")
               err))))))

(def ^:private small-main
  "(ns ontap.main (:gen-class) (:import (ontap.sys Small)))
   (defn -main [& args] (println (Small/text) (vec args)) (System/exit 0))")

(deftest ^{:slow true :jdk :floor :timeout 300} builds-when-it-has-to
  (with-temp-dir [dir]
    (copy! dir "bin/ontap" "bin/clj" "deps.edn" "build.clj")
    (put! dir "src/ontap/main.clj" small-main)
    (put! dir "java-src/ontap/sys/Small.java"
          "package ontap.sys; public final class Small { private Small() { } public static String text() { return \"one\"; } }")
    (let [ontap    (str (io/file dir "bin/ontap"))
          start    #(run {:limit-s 200} ontap "x")
          built?   #(str/includes? (:err %) "ontap: building")]
      (testing "two at once build once"
        (let [both [(future (start)) (future (start))]]
          (is (= ["one [x]\n" "one [x]\n"] (map (comp :out deref) both)))
          (is (= 1 (count (filter (comp built? deref) both))))))
      (testing "a second time there is nothing to build"
        (is (= {:exit 0 :out "one [x]\n" :err ""} (dissoc (start) :pid))))
      (testing "a changed source is built, a removed one noticed"
        (put! dir "src/ontap/main.clj" (str/replace small-main "vec args" "count args"))
        (let [{:keys [out] :as again} (start)]
          (is (built? again))
          (is (= "one 1\n" out))))
      (testing "a reflection warning about our own code is an error"
        (put! dir "src/ontap/main.clj" (str small-main "(defn f [x] (.length x))"))
        (let [{:keys [exit err]} (start)]
          (is (= 111 exit))
          (is (str/includes? err "Reflection warning, ontap/main.clj"))
          (is (str/includes? err "ontap: fatal: unable to build"))))
      (testing "Java that does not compile is named"
        (put! dir "src/ontap/main.clj" small-main)
        (put! dir "java-src/ontap/sys/Bad.java" "package ontap.sys; class Bad { int x = \"\"; }")
        (is (str/includes? (:err (start)) "Bad.java:1"))))))

(deftest ^{:slow true :jdk :floor :timeout 200} clj-answers-as-clojure-does
  (with-temp-dir [dir]
    (spit (io/file dir "deps.edn")
          (pr-str '{:paths ["s"] :deps {org.clojure/clojure {:mvn/version "1.12.5"}}
                    :aliases {:x {:extra-paths ["t u"] :jvm-opts ["-Dsaid=a b"] :main-opts ["-e" "(print (System/getProperty \"said\"))"]}
                              :y {:deps {} :ns-default tool}}}))
    (spit (io/file dir "tool.clj") "(ns tool) (defn tell [m] (prn (sort m)))")
    (let [clj (fn [& words] (apply run {:dir dir :limit-s 110} (path "bin" "clj") words))]
      (is (= "3" (:out (clj "-M" "-e" "(print (+ 1 2))"))))
      (is (= "a b" (:out (clj "-M:x"))) "Options of the JVM and of main are honoured, blanks and all.")
      (is (str/starts-with? (:out (clj "-Spath" "-A:x")) "t u:s:"))
      (is (= "([:a 1] [:b \"x\"])\n" (:out (clj "-T:y" "tell" ":a" "1" ":b" "\"x\"")))))))

(deftest the-aliases-say-how-they-are-run
  (let [text    (slurp (path "deps.edn"))
        aliases (:aliases (edn/read-string text))]
    (is (= #{:build :run :test :kaocha :dev} (set (keys aliases))))
    (doseq [alias (keys aliases)]
      (is (re-find (re-pattern (str ";; clojure -[MT]" alias)) text) (str alias " says how it is run.")))
    (testing "kaocha, which may be out of reach, is wanted by its own alias only"
      (is (= [:kaocha] (for [[k v] aliases :when (str/includes? (str v) "kaocha")] k))))))

(deftest no-address-of-a-registry-is-written-down
  (doseq [name ["deps.edn" "build.clj" "tests.edn" "bin/clj" "bin/ontap" "bin/test" ".ci/run"]
          :let [text (slurp (path name))]]
    (is (not (re-find #"https?://" text)) (str name " names no address."))
    (is (not (re-find #"/root/|/home/" text)) (str name " names nobody's home."))))

(deftest every-script-runs-in-a-plain-shell
  (doseq [^File file (.listFiles (io/file root "bin"))
          :when (str/starts-with? (slurp file) "#!/bin/sh")]
    (is (.canExecute file) (str (.getName file) " is executable."))
    (is (= {:exit 0 :err ""} (select-keys (run {} "/bin/sh" "-n" file) [:exit :err])))))

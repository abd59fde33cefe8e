;; SPDX-License-Identifier: Apache-2.0
(ns build
  "The build: `clojure -T:build NAME` (or bin/clj). Everything it writes is below target/."
  (:require [clojure.string :as str]
            [clojure.tools.build.api :as b]))

(def lib 'ontap/ontap)
(def version "0.1.0")
(def class-dir "target/classes")
(def test-class-dir "target/test-classes")
(def program-class-dir "target/program-classes")
(def program-dir "target/ontap")

;; A newer javac warns about more than there was to know when this was written: only 17's warnings are errors.
(def javac-opts
  (cond-> ["--release" "17" "-Xlint:all" "-parameters" "-proc:none" "-encoding" "UTF-8"
                 ;; concatenation without invokedynamic: 15 ms less at each start
                 "-XDstringConcat=inline"]
    (= 17 (.feature (Runtime/version))) (conj "-Werror")))

(def basis (delay (b/create-basis {:project "deps.edn" :user nil})))
(def test-basis (delay (b/create-basis {:project "deps.edn" :user nil :aliases [:test]})))

(defn clean
  "Remove everything that was built."
  [_]
  (b/delete {:path "target"}))

(defn compile-java
  "Compile java-src to target/classes. Options: `:to` another folder."
  [{:keys [to] :or {to class-dir}}]
  (b/delete {:path to})
  (b/javac {:src-dirs ["java-src"] :class-dir to :basis @basis :javac-opts javac-opts}))

(defn compile-test-java
  "Compile test/java to target/test-classes; compile-java has to come first."
  [_]
  (b/delete {:path test-class-dir})
  (let [class-path (str/join ":" (cons class-dir (mapcat :paths (vals (:libs @test-basis)))))]
    (b/javac {:src-dirs   ["test/java"]
              :class-dir  test-class-dir
              :basis      @test-basis
              :javac-opts (into ["-cp" class-path] javac-opts)})))

(defn- ours?
  "Is this line of the compiler's a warning about our own code?"
  [line]
  (re-find #"^(Reflection warning|Performance warning|WARNING).*\bontap[/.]" line))

(def ^:private refer-once
  "A form that the compiler's own process evaluates before it compiles; its value is true. `ns` expands to
  `(clojure.core/refer 'clojure.core)`: 700 names that only a compiler (`eval`, `resolve`) looks up, for 1 MB of
  garbage a namespace, and there are a hundred at each start. From now on it is done while `ns` is compiled and
  leaves nothing to do at run time: what is compiled names its vars in full."
  '(do (alter-meta! (var clojure.core/refer) assoc :inline
                    (fn [from & filters]
                      (if (= '(quote clojure.core) from)
                        (do (apply refer 'clojure.core (map eval filters)) nil)
                        `(apply refer ~from ~@filters nil))))
       true))

(defn- compiled
  "Compile src into `to`. Returns what the compiler said, as lines; throws with it when it failed."
  [to]
  (let [said (fn [{:keys [out err]}] (remove str/blank? (str/split-lines (str out "\n" err))))]
    (try
      (said (b/compile-clj {:src-dirs     ["src"]
                            :class-dir    to
                            :basis        @basis
                            :compile-opts {:direct-linking true}
                            ;; the compiler's process evaluates the values
                            :bindings     {#'clojure.core/*warn-on-reflection* refer-once}
                            :java-opts    ["-XX:+UseSerialGC" "-XX:TieredStopAtLevel=1" "-Dclojure.main.report=stderr"]
                            :out          :capture
                            :err          :capture}))
      (catch clojure.lang.ExceptionInfo e
        (when-let [[_ scratch] (re-find #"preserved: (\S+)" (ex-message e))]
          (b/delete {:path scratch}))
        (throw (ex-info (str "the Clojure compiler says:\n" (str/join "\n" (said (ex-data e)))) {}))))))

(defn compile-clj
  "Compile src and the libraries it requires ahead of time, with direct linking, to `:to`, where the
  Java classes already are. A reflection warning about our own code is an error."
  [{:keys [to] :or {to program-class-dir}}]
  (when-let [warnings (seq (filter ours? (compiled to)))]
    (throw (ex-info (str "the Clojure compiler warns:\n" (str/join "\n" warnings)) {}))))

(defn program
  "Build what bin/ontap runs into target/ontap: ontap.jar, which names the libraries beside it in
  its manifest, lib/ with these libraries, and native/ with JNA's own library, unpacked.
  Options: `:to` another folder."
  [{:keys [to] :or {to program-dir}}]
  (let [to   (str to)
        jars (sort (filter #(str/ends-with? % ".jar") (:classpath-roots @basis)))
        base #(.getName (java.io.File. (str %)))
        jna  (first (filter #(re-matches #"jna-[0-9.]+\.jar" (base %)) jars))
        arch (get {"amd64" "x86-64"} (System/getProperty "os.arch") (System/getProperty "os.arch"))
        dispatch (str "com/sun/jna/linux-" arch "/libjnidispatch.so")]
    (b/delete {:path to})
    (compile-java {:to program-class-dir})
    (compile-clj {:to program-class-dir})
    (b/copy-dir {:src-dirs ["src"] :target-dir program-class-dir :include "**.{edn,properties,txt}"})
    (doseq [jar jars]
      (b/copy-file {:src jar :target (str to "/lib/" (base jar))}))
    (b/unzip {:zip-file jna :target-dir "target/jna"})
    (b/copy-file {:src (str "target/jna/" dispatch) :target (str to "/native/libjnidispatch.so")})
    (b/delete {:path "target/jna"})
    (b/jar {:class-dir program-class-dir
            :jar-file  (str to "/ontap.jar")
            :main      'ontap.main
            :manifest  {"Class-Path"           (str/join " " (map #(str "lib/" (base %)) jars))
                        "Enable-Native-Access" "ALL-UNNAMED"}})))

(defn jar
  "Build target/ontap-VERSION.jar, for use as a library: Java classes and all sources."
  [_]
  (compile-java {})
  (let [dir "target/jar-classes"]
    (b/delete {:path dir})
    (b/copy-dir {:src-dirs ["src" "java-src" class-dir] :target-dir dir})
    (b/write-pom {:class-dir dir :lib lib :version version :basis @basis :src-dirs ["src"]})
    (b/jar {:class-dir dir :jar-file (format "target/ontap-%s.jar" version)})))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.architecture-test
  "The rules of the house, held to the sources themselves: who may know whom, what is said of each
  thing that others use, how long a file is, what is written nowhere. Nothing is loaded for it."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.sources :as sources]))

(set! *warn-on-reflection* true)

(def ^:private product (delay (sources/clojure-files "src")))
(def ^:private tests (delay (sources/clojure-files "test/clj")))
(def ^:private java (delay (sources/java-files "java-src")))

(defn- room
  "The room of a namespace or package: the second part of its name; the program itself has \"main\"."
  [n]
  (second (str/split (str n) #"\.")))

;; --- Clojure: who may know whom

(def ^:private rooms
  "room -> the rooms it may require, beside itself, and the Java rooms it may import from."
  {"model"   {:knows #{}                                         :java #{}}
   "kernel"  {:knows #{"model"}                                  :java #{"sys" "netlink" "rtnl" "ndp" "frames" "dhcp4"}}
   "publish" {:knows #{"model"}                                  :java #{"sys" "dns" "mdns"}}
   "alloc"   {:knows #{"model"}                                  :java #{"sys"}}
   "run"     {:knows #{"model"}                                  :java #{"sys"}}
   "ops"     {:knows #{"model" "kernel" "publish" "alloc" "run"} :java #{"sys" "netlink" "rtnl" "ndp" "frames" "dns"}}
   ;; run: only where a running `ontap up` is found
   "cli"     {:knows #{"model" "ops" "run"}                      :java #{"sys"}}
   "main"    {:knows #{"model" "cli"}                            :java #{"sys"}}})

(def ^:private besides
  "[namespace room]: who may know more, and why."
  {'[ontap.ops.rehearsal "cli"]  "rehearses the program as a person runs it"
   '[ontap.ops.rehearsal "main"] "the same"})

(deftest each-room-knows-only-its-own
  (doseq [{:keys [path ns uses]} @product]
    (is (contains? rooms (room ns)) (str path " is in a room of which `rooms` tells whom it may know."))
    (doseq [other uses :when (not= (room other) (room ns))]
      (is (or (contains? (get-in rooms [(room ns) :knows]) (room other))
              (contains? besides [ns (room other)]))
          (str path " does not know " other ".")))))

(deftest each-room-uses-only-its-java
  (doseq [{:keys [path ns imports]} @product
          class imports
          :when (str/starts-with? class "ontap.")]
    (is (contains? (get-in rooms [(room ns) :java]) (room class)) (str path " does not import " class "."))))

(def ^:private wired #{"kernel" "publish" "alloc" "run"})

(deftest only-ops-wires
  (doseq [{:keys [path ns uses]} @product
          :when (not= "ops" (room ns))]
    (is (>= 1 (count (filter wired (set (map room (conj uses ns))))))
        (str path " brings no two of " (str/join ", " (sort wired)) " together: that is for ops."))))

(deftest nobody-requires-a-circle-of-rooms
  (let [order ["model" "run" "kernel" "publish" "alloc" "ops" "cli" "main"]]
    (doseq [[r {:keys [knows]}] rooms, other knows]
      (is (< (.indexOf ^java.util.List order other) (.indexOf ^java.util.List order r))
          (str r " stands after " other ".")))))

;; --- the model does nothing

(def ^:private doing
  "Names that act, ask the machine or read a clock or chance."
  '#{slurp spit rand rand-int rand-nth random-sample random-uuid shuffle println print prn pr printf
     flush read-line eval load load-file load-string require requiring-resolve resolve time future agent send
     send-off promise atom ref locking tap> file-seq})

(def ^:private of-text
  "Classes of rooms that the model does not enter, but which work on a text."
  #{"java.io.StringReader" "java.io.StringWriter"})

(defn- machine?
  "Is it, the name of a class or of something in one, a matter of the machine?"
  [n]
  (and (re-find #"^(?:java\.(?:io|nio|net|time|util\.concurrent|util\.Random|util\.Date|lang\.Process)|ontap\.[a-z0-9]+\.[A-Z]|(?:java\.lang\.)?(?:System|Thread|Runtime|ProcessBuilder)(?:\.|/|$))" n)
       (not (of-text n))))

(defn- own-words
  "The names of clojure.core that a file's ns form excludes: there they are its own."
  [forms]
  (set (for [clause (first forms), :when (and (seq? clause) (= :refer-clojure (first clause)))
             :let [{:keys [exclude]} (apply hash-map (rest clause))], sym exclude]
         sym)))

(deftest the-model-is-pure
  (doseq [{:keys [path ns forms requires imports]} @product
          :when (= "model" (room ns))]
    (doseq [other requires]
      (is (re-find #"^(?:ontap\.model|clojure)\." (str other)) (str path " does not require " other "."))
      (is (not= 'clojure.java.io other) (str path " does no I/O.")))
    (doseq [class imports]
      (is (not (machine? class)) (str path " does not import " class ".")))
    (doseq [sym (set (filter symbol? (sources/parts (vec (rest forms)))))]
      (is (or (not (contains? doing sym)) (contains? (own-words forms) sym)) (str path " does not use " sym ": it gives the same answer each time and does nothing."))
      (is (not (machine? (str sym))) (str path " does not use " sym ".")))))

;; --- Java

(def ^:private java-rooms
  "Java room -> the Java rooms it may know."
  {"sys" #{}, "netlink" #{"sys"}, "rtnl" #{"netlink" "sys"},
   "ndp" #{"rtnl" "sys"}, "dhcp4" #{}, "dns" #{"sys"},
   "mdns" #{"sys"}, "bpf" #{"sys"}, "frames" #{"dhcp4" "sys"}
   ;; runs from one copied class file
   "demo" #{}})

(defn- mentions
  "The names a Java file imports or spells out that match `pattern`."
  [{:keys [imports code]} pattern]
  (concat (filter #(re-find pattern (str % ".")) imports)
          (set (re-seq pattern code))))

(deftest java-knows-no-clojure
  (doseq [{:keys [path] :as file} @java]
    (is (empty? (mentions file #"\bclojure\.(?:lang|core|java)\b")) (str path " knows no Clojure."))))

(deftest libraries-stay-in-their-rooms
  (doseq [{:keys [path package] :as file} @java]
    (when-not (= "ontap.sys" package)
      (is (empty? (mentions file #"\bcom\.sun\.jna\b")) (str path " knows no JNA: only sys does.")))
    (when-not (contains? #{"dns" "mdns"} (room package))
      (is (empty? (mentions file #"\borg\.xbill\b")) (str path " knows no dnsjava: only dns and mdns do."))))
  (doseq [{:keys [path ns forms imports]} @product
          n (into imports (comp (filter symbol?) (map str)) (sources/parts (vec forms)))]
    (is (not (str/starts-with? n "com.sun.jna")) (str path " knows no JNA: only java-src/ontap/sys does."))
    (when-not (= "publish" (room ns))
      (is (not (str/starts-with? n "org.xbill")) (str path " knows no dnsjava: only the publishers do.")))))

(deftest each-java-room-knows-only-its-own
  (doseq [{:keys [path package] :as file} @java
          :let [own (room package)]]
    (is (contains? java-rooms own) (str path " is in a room of which `java-rooms` tells whom it may know."))
    (doseq [other (map room (mentions file #"\bontap\.[a-z0-9]+(?=\.)"))
            :when (and (not= own other) (contains? java-rooms other))]
      (is (contains? (java-rooms own) other) (str path " does not know ontap." other ".")))))

(deftest every-package-tells-what-it-is
  (doseq [[package files] (group-by :package @java)
          :let [info (some #(when (str/ends-with? (:path %) "/package-info.java") %) files)]]
    (is info (str package " has a package-info.java."))
    (when info
      (is (str/includes? (slurp (:path info)) "/**") (str (:path info) " tells what the package is for.")))))

(deftest everything-public-in-java-has-javadoc
  (doseq [{:keys [path undocumented]} @java]
    (is (empty? undocumented) (str path ": each public class and method has Javadoc."))))

;; --- Clojure: what is said

(deftest every-namespace-tells-what-it-is
  (doseq [{:keys [path doc]} (concat @product @tests)]
    (is (not (str/blank? doc)) (str path " begins by telling what it is."))))

(deftest everything-public-has-a-docstring
  (doseq [{:keys [path] :as file} @product]
    (is (empty? (sources/undocumented file)) (str path ": each public name tells what it is."))))

(deftest only-main-exits
  (doseq [{:keys [path forms]} @product
          :when (not= "src/ontap/main.clj" path)]
    (is (empty? (filter '#{System/exit java.lang.System/exit} (sources/parts forms))) (str path " does not exit.")))
  ;; a class with a main of its own is a program, started as such
  (doseq [{:keys [path] :as file} @java
          :when (empty? (mentions file #"\bstatic void main\("))]
    (is (empty? (mentions file #"\bSystem\.exit\b|\bRuntime\.getRuntime\(\)\.(?:exit|halt)\b")) (str path " does not exit."))))

;; --- files

(defn- lines [file] (str/split-lines (slurp file)))

(deftest no-file-is-named-after-nothing
  (doseq [{:keys [path]} (sources/all-files)]
    (is (not (re-find #"(?i)(?:^|/|[_-])(?:utils?|misc|commons?|helpers?)(?:[._-][^/]*)?(?:$|/)" path))
        (str path " is named after what it is about."))))

(defn- source? [path]
  (and (re-find #"^(?:src|java-src|test|bin|guix|\.ci)/|^[^/]*\.(?:clj|edn)$" path)
       (not (str/starts-with? path "test/fixtures/"))
       ;; JSON has no comments; what npm reads has a key for it
       (not (str/ends-with? path ".json"))))

(deftest files-are-short
  (doseq [{:keys [path file]} (sources/all-files)
          :when (and (source? path) (re-find #"^(?:src|java-src|test)/" path))]
    (is (< (count (lines file)) 400) (str path " has one idea, so fewer than 400 lines: split it by noun."))))

(deftest every-source-names-its-licence
  (doseq [{:keys [path file]} (sources/all-files)
          :when (source? path)]
    (is (some #(str/includes? % "SPDX-License-Identifier: Apache-2.0") (take 2 (lines file)))
        (str path " names its licence on top."))))

(deftest no-machine-of-ours-is-written-down
  (doseq [{:keys [path file]} (sources/all-files)
          :let [found (fn [pattern] (filter #(re-find pattern %) (lines file)))]]
    (is (empty? (found #"(?:^|[^\w.~-])/(?:root|home|work|tmp/o)/\w")) (str path " names no home and no work folder."))
    (is (empty? (found #"(?i)repo[1]|maven[.]org|deb[.]debian|npm[j]s")) (str path " names no registry."))))

;; --- guix/manifest.scm

(deftest the-shell-has-what-the-tests-need
  (let [needs    (re-find #"(?s)\nneeds='\n(.*?)'" (slurp "bin/test"))
        packages (remove #{"none"} (map second (re-seq #"(?m)^[^:\n]+:[^:\n]+:(\S+)$" (second needs))))
        manifest (slurp "guix/manifest.scm")]
    (is (seq packages) "bin/test has its table of packages.")
    (doseq [package (set packages)]
      (is (str/includes? manifest (str \" package \")) (str "guix/manifest.scm has " package ", as bin/test has.")))))

;; --- doc/data.md

(def ^:private data-keys
  "The namespaces of the keys of what goes between rooms."
  #{"service" "mistake" "plan" "sup" "world" "event" "link" "addr" "ns" "inv" "attachment" "identity" "record" "paths"
    "port" "rule" "peer" "request" "refusal" "lease" "message" "grant" "alloc" "ask" "net" "book" "seen" "mirror" "dhcp" "option" "arp" "route" "resolv" "told" "place" "job" "nd" "kept"
    "zone" "listen" "view" "key" "transfer" "notify" "publish" "router" "snapshot"
    "name" "label" "rr" "claim" "explain" "saved" "names"})

(defn- told
  "The qualified keys of these namespaces that doc/data.md names."
  []
  (into #{} (comp (map second) (map keyword) (filter #(data-keys (namespace %)))
              ;; a key of its own (:zone/keys), but in the sources mostly the word that begins a destructuring form
              (remove #(= "keys" (name %))))
        (re-seq #":([a-z]+/[a-z0-9?!-]+)" (slurp "doc/data.md"))))

(defn- used
  "key -> the first file of the product that uses it."
  []
  (into {} (for [{:keys [path forms]} (reverse @product)
                 k (sources/keywords forms)
                 :when (and (data-keys (namespace k)) (not= "keys" (name k)))]
             [k path])))

(deftest the-data-is-written-down
  (let [told (told), used (used)]
    (doseq [[k path] (sort used)]
      (is (contains? told k) (str "doc/data.md tells what " k " is, which " path " uses.")))
    (doseq [k (sort told)]
      (is (contains? used k) (str k " of doc/data.md is used.")))))

(deftest the-version-is-one
  (is (= (second (re-find #"\(def version \"([^\"]+)\"\)" (slurp "build.clj")))
         (second (re-find #"\(def version \"[^\"]*\" \"([^\"]+)\"\)" (slurp "src/ontap/main.clj"))))
      "build.clj and ontap.main have the same version."))

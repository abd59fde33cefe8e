;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.sources
  "The sources of this tree as data, for tests of the house rules. Nothing is loaded or compiled:
  Clojure is read form by form, Java by the parser of the JDK.

  A Clojure file: {:path text, :ns symbol, :doc text or nil, :forms [form ..], :uses set of the
  namespaces of `ontap` it requires or names, :requires set of all it requires, :imports set of names
  of classes it imports, or spells out when they are ours}.
  A Java file: {:path text, :package text, :imports [name ..], :code its text without comments,
  :undocumented [text ..] of what is public and has no Javadoc}."
  (:require [clojure.java.io :as io]
            [clojure.string :as str])
  (:import (clojure.lang LispReader$Resolver)
           (com.sun.source.tree ClassTree CompilationUnitTree ImportTree MethodTree Tree Tree$Kind)
           (com.sun.source.util DocTrees JavacTask TreePath)
           (java.io File PushbackReader)
           (javax.lang.model.element Modifier)
           (javax.tools ToolProvider)))

(set! *warn-on-reflection* true)

(def ^:private root (io/file (System/getProperty "user.dir")))

(defn- relative [^File file] (str (.relativize (.toPath ^File root) (.toPath file))))

(defn- ignored
  "The names of the folders at the root that git is told to ignore, and git's own."
  []
  (into #{".git"} (keep #(second (re-matches #"/([^/]+)/" %))) (str/split-lines (slurp (io/file root ".gitignore")))))

(defn all-files
  "{:path :file} of every file of the tree that belongs to the project, in the order of paths."
  []
  (let [ignored (ignored)]
    (->> (.listFiles ^File root)
         (remove #(ignored (.getName ^File %)))
         (mapcat file-seq)
         (filter #(.isFile ^File %))
         (map (fn [f] {:path (relative f) :file f}))
         (sort-by :path))))

(defn files-below
  "{:path :file} of the files below `folder` whose name ends in `ending`."
  [folder ending]
  (->> (file-seq (io/file root folder))
       (filter #(and (.isFile ^File %) (str/ends-with? (.getName ^File %) ending)))
       (map (fn [f] {:path (relative f) :file f}))
       (sort-by :path)))

;; --- Clojure

(defn- read-forms
  "Every form of a file, with no namespace of it existing: an alias stands for itself."
  [file]
  (let [own      (volatile! 'user)
        resolver (reify LispReader$Resolver
                   (currentNS [_] @own)
                   (resolveClass [_ sym] sym)
                   (resolveAlias [_ sym] sym)
                   (resolveVar [_ sym] sym))]
    (with-open [in (PushbackReader. (io/reader file))]
      (binding [*reader-resolver* resolver, *read-eval* false]
        (loop [forms []]
          (let [form (read {:eof ::end} in)]
            (when (and (seq? form) (= 'ns (first form))) (vreset! own (second form)))
            (if (= ::end form) forms (recur (conj forms form)))))))))

(defn parts
  "Every part of `form`, at any depth, but for comments of the reader."
  [form]
  (tree-seq coll? seq form))

(defn keywords
  "The keywords of `form`, those that a destructuring spells as {:some/keys [name]} too."
  [form]
  (into (set (filter keyword? (parts form)))
        (for [m (filter map? (parts form)), [k v] m
              :when (and (keyword? k) (namespace k) (= "keys" (name k)) (vector? v)), s v]
          (keyword (namespace k) (name s)))))

(defn- clauses [ns-form kind] (mapcat rest (filter #(and (seq? %) (= kind (first %))) ns-form)))

(defn- imported [clause]
  (if (symbol? clause)
    [(str clause)]
    (map #(str (first clause) "." %) (rest clause))))

(defn- spelt-out
  "The namespaces and classes of `ontap` that forms outside `ns` name in full, as texts:
  'ontap.run.logs/open!, (ontap.sys.Io/getpid), (ontap.sys.EventLoop. f)."
  [forms]
  (into #{} (comp (mapcat parts) (filter symbol?) (map #(or (namespace %) (name %)))
                  (filter #(str/starts-with? % "ontap.")))
        forms))

(defn- class-name? [n] (re-find #"\.[A-Z][^.]*\.?$" n))

(defn- clojure-file [{:keys [path file]}]
  (let [[ns-form & more :as forms] (read-forms file)
        required (map #(if (vector? %) (first %) %) (clauses ns-form :require))
        spelt    (spelt-out more)]
    {:path    path
     :ns      (second ns-form)
     :doc     (first (filter string? (take 2 (drop 2 ns-form))))
     :forms   forms
     :requires (set required)
     :uses    (disj (into (set (map symbol (remove class-name? spelt))) (filter #(str/starts-with? (str %) "ontap.")) required) (second ns-form))
     :imports (into (set (filter class-name? spelt)) (mapcat imported) (clauses ns-form :import))}))

(defn clojure-files
  "The Clojure files below `folder`; each begins with its `ns` form."
  [folder]
  (mapv clojure-file (files-below folder ".clj")))

(defn- private? [form] (some #(:private (meta %)) (take 2 form)))

(defn- documented? [[kind sym & more]]
  (or (:doc (meta sym))
      (case kind
        def (and (string? (first more)) (next more))
        (string? (first more)))))

(defn undocumented
  "The names that a Clojure file defines for others without telling what they are."
  [{:keys [forms]}]
  (for [[kind sym :as form] (filter seq? forms)
        :when (and ('#{def defn defmacro defmulti defprotocol} kind)
                   (not (private? form))
                   (not= '-main sym)
                   (not (documented? form)))]
    sym))

;; --- Java

(defn- public? [modifiers] (contains? (set modifiers) Modifier/PUBLIC))

(defn- flags [tree]
  (if (instance? ClassTree tree)
    (.getFlags (.getModifiers ^ClassTree tree))
    (.getFlags (.getModifiers ^MethodTree tree))))

(defn- overrides? [^MethodTree m]
  (some #(= "Override" (str (.getAnnotationType ^com.sun.source.tree.AnnotationTree %)))
        (.getAnnotations (.getModifiers m))))

(defn- tree-name [tree]
  (if (instance? ClassTree tree) (str (.getSimpleName ^ClassTree tree)) (str (.getName ^MethodTree tree))))

(defn- silent
  "What is public in class `path` and has no Javadoc, as Class.method."
  [^DocTrees docs ^TreePath path]
  (let [^ClassTree class (.getLeaf path)
        interface?   (= Tree$Kind/INTERFACE (.getKind class))
        open?        #(or (public? (flags %))
                          (and interface? (not-any? #{Modifier/PRIVATE} (flags %))))
        silent?      #(str/blank? (.getDocComment docs %))]
    (concat
     (when (silent? path) [(tree-name class)])
     (mapcat (fn [member]
               (let [at (TreePath. path member)]
                 (cond
                   (instance? ClassTree member)
                   (when (open? member)
                     (map #(str (tree-name class) "." %) (silent docs at)))
                   (and (instance? MethodTree member)
                        (open? member)
                        (not= "<init>" (tree-name member))
                        (not (overrides? member))
                        (silent? at))
                   [(str (tree-name class) "." (tree-name member))])))
             (filter #(or (instance? ClassTree %) (instance? MethodTree %)) (.getMembers class))))))

(defn- java-file [docs [{:keys [path]} ^CompilationUnitTree unit]]
  (let [top (TreePath. unit)]
    {:path         path
     :package      (str (.getPackageName unit))
     :imports      (mapv #(str (.getQualifiedIdentifier ^ImportTree %)) (.getImports unit))
     :code         (str/join "\n" (map str (.getTypeDecls unit)))
     :undocumented (vec (mapcat #(when (public? (flags %)) (silent docs (TreePath. top %)))
                                (filter #(instance? ClassTree %) (.getTypeDecls unit))))}))

(defn java-files
  "The Java files below `folder`."
  [folder]
  (let [found    (files-below folder ".java")
        compiler (ToolProvider/getSystemJavaCompiler)
        manager  (.getStandardFileManager compiler nil nil nil)
        task     ^JavacTask (.getTask compiler nil manager nil ["-proc:none"] nil
                                      (.getJavaFileObjectsFromFiles manager (map :file found)))
        by-path  (into {} (map (fn [^CompilationUnitTree u]
                                 [(relative (File. (.toUri (.getSourceFile u)))) u]))
                       (.parse task))
        docs     (DocTrees/instance task)]
    (mapv #(java-file docs [% (by-path (:path %))]) found)))

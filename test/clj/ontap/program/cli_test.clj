;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.cli-test
  "The command line from outside: help, exit statuses, sentences on standard error, and
  nothing of the JVM in them."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.cli.table :as table]
            [ontap.harness.lan :as lan]
            [ontap.main :as main]
            [ontap.testing :as t])
  (:import (java.io ByteArrayOutputStream File PrintStream)
           (java.util.regex Pattern)))

(set! *warn-on-reflection* true)

(def ^:private ^:dynamic *dir* nil)

(defn- ontap
  "Runs the program with a run-time folder of its own: {:exit :out :err}."
  [& words]
  (apply t/run {:dir *dir* :env {"ONTAP_RUNTIME_DIR" (str *dir* "/run") "ONTAP_STATE_DIR" (str *dir* "/state")}}
         lan/program words))

(defmacro ^:private with-dir [& body]
  `(t/with-temp-dir [dir#]
     (binding [*dir* dir#] ~@body)))

(defn- answers
  "[x (f x)] for each of `xs`; blocks."
  [f xs]
  (map vector xs (t/two-at-a-time f xs)))

(defn- assert-clean
  "Nothing of the machinery is in what a person reads."
  [words {:keys [out err]}]
  (is (not (re-find #"\tat |\bat ontap|Exception|clojure\.|WARNING|SLF4J|OpenJDK|Picked up|ex-info|:kind"
                    (str out err)))
      (str words " says nothing of the JVM: " out err)))

(defn- put [name text] (spit (io/file *dir* name) text))

(deftest ^{:timeout 180} help-comes-from-the-table
  (with-dir
    (doseq [[{:keys [name args doc options] :as command} {:keys [exit out err] :as said}]
            (answers #(ontap (:name %) "--help") table/commands)]
      (testing name
        (is (= 0 exit) (str command))
        (is (= "" err) "help goes to standard output alone")
        (is (str/includes? (first (str/split-lines out)) (str "Usage: ontap " name)) out)
        (is (str/includes? (first (str/split-lines out)) args) out)
        (is (str/includes? (str/replace out #"\s+" " ") doc) "with what it does")
        (doseq [[short long] (conj (vec options) table/help-option)]
          (is (re-find (re-pattern (str "(?m)^  " (if short (str short ", ") "    ") (Pattern/quote long) "  +\\S")) out)
              (str "with option " short ", " long ", and what it does:\n" out)))
        (is (every? #(<= (count %) 80) (str/split-lines out)) "in lines of 80 characters")
        (assert-clean [name "--help"] said)))
    (doseq [[words {:keys [exit out] :as said}] (answers #(apply ontap %) [["--help"] ["-h"]])]
      (is (= 0 exit))
      (doseq [{:keys [name]} table/commands]
        (is (re-find (re-pattern (str "(?m)^  " name " ")) out) (str words " lists " name)))
      (doseq [[status meaning] table/exit-codes]
        (is (str/includes? out (str status)) (str words " tells of status " status ", " meaning)))
      (assert-clean words said))
    (is (re-matches #"ontap \d+\.\d+\.\d+\n" (:out (ontap "--version"))) "--version")))

(def ^:private refusals
  "[words status pattern of the one line on standard error]"
  [[[]                                100 #"usage: ontap COMMAND"]
   [["chekc" "x"]                     100 #"unknown command chekc; did you mean check\?"]
   [["zzzzzzzz"]                      100 #"unknown command zzzzzzzz; there are: up, exec"]
   [["--verson"]                      100 #"unknown option --verson; did you mean --version\?"]
   [["up"]                            100 #"`ontap up` needs FILE"]
   [["up" "a" "b"]                    100 #"`ontap up` does not take \"b\""]
   [["exec" "a"]                      100 #"`ontap exec` needs FILE NAME"]
   [["stop"]                          100 #"`ontap stop` needs NAME"]
   [["logs" "--folow" "x"]            100 #"unknown option --folow; did you mean --follow\?"]
   [["logs" "-n" "x" "y"]             100 #"\"-n x\": should be a number"]
   [["logs" "-n"]                     100 #"-n"]
   [["status" "--format" "json"]      100 #"should be text or edn"]
   [["status"]                        111 #"none listens on .*; `ontap up FILE` starts one"]
   [["stop" "web"]                    111 #"none listens on"]
   [["logs" "web"]                    111 #"none listens on"]
   [["reload"]                        111 #"none listens on"]
   [["-t" "ipvlan" "--ipv4" "10.0.0.5" "up0" "--" "true"] 100
    #"--ipv4 should be none, dhcp or an address such as 10.0.0.5/24, is \"10.0.0.5\"; did you mean 10.0.0.5/24\?"]
   [["-t" "ipvlan" "--gateway" "10.0.0.1" "up0" "--" "true"] 100 #"--gateway needs --ipv4 with an address"]
   [["-t" "tap" "--ipv4" "dhcp" "br0" "--" "true"] 100 #"--ipv4 is for ipvlan and macvlan, not for tap"]
   [["check" "absent.edn"]            102 #"unable to read absent.edn: no such file"]
   [["check" "/tmp"]                  102 #"unable to read /tmp: it is a folder"]
   [["check" "latin.edn"]             102 #"unable to read latin.edn: it is not text in UTF-8"]
   [["check" "empty.edn"]             102 #"empty.edn:1:1: unreadable EDN: there is nothing in it"]
   [["check" "half.edn"]              102 #"half.edn:2:3: unreadable EDN"]
   [["check" "deep.edn"]              102 #"deep.edn.*unreadable EDN"]
   [["check" "code.edn"]              102 #"code.edn:1:.*unreadable EDN"]
   [["up" "bad.edn"]                  102 #"unable to use bad.edn: 4 mistakes"]
   [["exec" "bad.edn" "web"]          102 #"unable to use bad.edn: 4 mistakes"]
   [["exec" "good.edn" "wbe"]         102 #"there is no service wbe in good.edn; did you mean web\?; there are: web"]])

(def ^:private good
  {:name "web" :port "eth0" :type "macvlan" :user "nobody" :exec ["sleep" "1"]})

(defn- put-files! []
  (put "good.edn" (pr-str [good]))
  (put "bad.edn" "[{:name \"web\" :prot \"eth0\" :user \"nobdy\" :caps \"+net_bind_servce\"\n :exec \"httpd -p 80\"}]")
  (put "empty.edn" "")
  (put "half.edn" "[{:name\n  \"web")
  (put "deep.edn" (apply str (repeat 100000 "[")))
  (put "code.edn" "[#=(java.lang.System/exit 3)]")
  (with-open [out (io/output-stream (io/file *dir* "latin.edn"))]
    (.write out (byte-array [0x22 0xe4 0x22]))))

(deftest ^{:timeout 180} refusals-are-a-sentence-and-a-status
  (with-dir
    (put-files!)
    (doseq [[[words status pattern] {:keys [exit out err] :as said}]
            (answers #(apply ontap (first %)) refusals)]
      (testing (str/join " " (cons "ontap" words))
        (is (= status exit) err)
        (is (re-find pattern err) err)
        (is (str/starts-with? err "ontap: fatal: ") err)
        (is (= "" out) "standard output is for answers")
        (assert-clean words said)))
    (is (not (.exists (io/file *dir* "run"))) "nothing of this made a run-time folder")))

(deftest ^{:timeout 60} check-of-a-file
  (with-dir
    (put-files!)
    (testing "a good one"
      (let [{:keys [exit out err] :as said} (ontap "check" "good.edn")]
        (is (= [0 ""] [exit err]))
        (doseq [words [#"^web:" #"macvlan \(bridge\) on eth0" #"user nobody" #"no capabilities" #"runs sleep 1"]]
          (is (re-find words out) out))
        (assert-clean "check" said))
      (let [{:keys [exit out]} (ontap "check" "--format" "edn" "good.edn")]
        (is (= 0 exit))
        (is (= "web" (:plan/service (first (edn/read-string out)))) "as data it is EDN")))
    (testing "a bad one"
      (let [{:keys [exit out err] :as said} (ontap "check" "bad.edn")]
        (is (= [102 ""] [exit out]))
        (doseq [words [#"web :prot: unknown key; did you mean :port\?"
                       #"web :user: .*did you mean \"nobody\"\?"
                       #"web :caps: .*did you mean net_bind_service\?"
                       #"web :exec: .*did you mean \[\"httpd\" \"-p\" \"80\"\]\?"]]
          (is (re-find words err) err))
        (assert-clean "check" said)))))

(deftest a-bug-is-101-and-a-sentence
  ;; no way to have one is known: what would be said of it
  (let [err (ByteArrayOutputStream.)
        was System/err]
    (System/setErr (PrintStream. err true))
    (try
      (is (= 101 (#'main/status-of (RuntimeException. "boom") {})))
      (finally (System/setErr was)))
    (is (re-find #"^ontap: fatal: bug: .*boom.*ONTAP_DEBUG=1 shows where\n$" (str err)))))

(deftest ^{:timeout 60} the-jvm-keeps-quiet
  (with-dir
    (put-files!)
    (let [{:keys [exit out err]}
          (t/run {:dir *dir* :env {"JAVA_TOOL_OPTIONS" "-Dontap.stray=1" "_JAVA_OPTIONS" "-Xmx300m"
                                   "LC_ALL" "C" "LANG" nil}}
            lan/program "check" "good.edn")]
      (is (= [0 ""] [exit err]) "options of other JVMs are not announced")
      (is (str/includes? out "runs sleep 1")))
    (let [{:keys [exit err]} (t/run {:dir *dir* :env {"PATH" "/nonexistent" "JAVA_HOME" "/nonexistent"}}
                               "/bin/sh" lan/program "--version")]
      (is (= 111 exit) "without a JDK it says so")
      (is (re-find #"ontap: fatal: unable to find java below JAVA_HOME \(/nonexistent\): install a JDK" err) err))))

(defn- declared [name more]
  (merge good {:name name :port "up0" :ipv6 :none :restart {:policy :never}} more))

(deftest ^{:slow true :timeout 180} programs-that-cannot-be-run
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [plain (doto ^File (io/file (:dir lan) "plain.sh") (spit "#!/bin/sh\n"))
          roots (doto ^File (io/file (:dir lan) "roots.sh") (spit "#!/bin/sh\n") (.setExecutable true true))
          text  (doto ^File (io/file (:dir lan) "text") (spit "hello\n") (.setExecutable true false))
          _     (t/run {} "chmod" "700" roots)
          cases [["missing" {:exec ["ontap-no-such-program"]} 127 #"unable to run ontap-no-such-program: not found in PATH="]
                 ["absent"  {:exec ["/no/such/program"]} 127 #"unable to run /no/such/program: no such file"]
                 ["plain"   {:exec [(.getPath plain)]} 126 #"unable to run .*plain.sh: it is not executable"]
                 ["folder"  {:exec ["/tmp"]} 126 #"unable to run /tmp: it is not executable"]
                 ["nowhere" {:dir "/no/such/folder"} 126 #"its folder /no/such/folder is not there"]]
          ;; what only execve finds out; supervised, setpriv(1) tells it to the log
          late  [["roots" {:exec [(.getPath roots)]} 126 #"unable to run .*roots.sh: permission denied"]
                 ["text"  {:exec [(.getPath text)]} 126 #"unable to run .*text: it is no program, nor a script"]]
          file  (lan/write-file lan (map-indexed (fn [i [name more]]
                                                   (declared name (assoc more :ipv4 (str "10.77.0." (+ 5 i) "/24") :acd false)))
                                                 (concat cases late)))]
      (doseq [[[name _ status pattern] {:keys [exit out err] :as said}]
              (answers #(lan/ontap lan "exec" file (first %)) (concat cases late))]
        (testing (str "exec " name)
          (is (= status exit) err)
          (is (re-find pattern err) err)
          (is (str/starts-with? err (str "ontap: fatal: unable to start " name ": ")) err)
          (is (= "" out))
          (assert-clean name said)))
      (let [up   (lan/up lan file)
            _    (lan/await-listening lan up)
            rows (t/wait-for "all to have failed" 60000
                             #(let [rows (lan/status lan)]
                                (when (every? (comp #{:failed :done} :state) (vals rows)) rows)))]
        (doseq [[name _ _ pattern] cases]
          (is (re-find pattern (str (:reason (rows name)))) (str "status of " name " says why"))
          (is (re-find pattern (lan/said up)) (str "`ontap up` says why " name " does not run")))
        (is (not= {:code 0} (:exit (rows "roots"))) "a script of root's is no success for nobody")
        (is (= 0 (lan/end! up "TERM")))
        (assert-clean "up" {:out (lan/said up)})))))

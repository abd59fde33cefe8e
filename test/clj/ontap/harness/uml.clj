;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.uml
  "Tests that run in a User Mode Linux kernel: test/harness/uml boots it, and a script of
  test/harness, run inside, prints a line for each check. And the programs of test/client,
  which are compiled here."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [is]]
            [ontap.testing :as testing])
  (:import (java.lang ProcessBuilder ProcessBuilder$Redirect)))

(set! *warn-on-reflection* true)

(defn- run
  "Runs `command` with no input and returns {:status :lines}, stdout and stderr as one; blocks."
  [command]
  (let [process (-> (ProcessBuilder. ^java.util.List command)
                    (.redirectErrorStream true)
                    (.redirectInput (ProcessBuilder$Redirect/from (io/file "/dev/null")))
                    (.start))]
    (try
      (let [lines (with-open [out (io/reader (.getInputStream process))]
                    (vec (line-seq out)))]
        {:status (.waitFor process) :lines lines})
      (finally
        ;; It has ended, but when the test is interrupted by its time limit. The harness ends its
        ;; kernel on SIGTERM.
        (.destroy process)))))

(defn build-program!
  "Builds the program when that is needed: inside the kernel it would take minutes, and be forgotten."
  []
  (let [{:keys [status lines]} (run ["bin/ontap" "--version"])]
    (is (= 0 status) (str "the program is built; it said:\n" (str/join "\n" lines)))))

(defn compile-clients!
  "Compiles test/client to `ontap-client` and `guest` in the folder `dir`. Leaves the test when there is
  no C compiler; a warning is a failure."
  [dir]
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v gcc")))
    (testing/skip! "gcc is not installed (Debian: gcc, libc6-dev)"))
  (doseq [[program parts] {"ontap-client" ["ontap-client" "protocol" "cycle"], "guest" ["guest" "dhcp" "frames"]}]
    (let [{:keys [exit err]} (apply testing/run {:dir "test/client"}
                                    "gcc" "-std=c11" "-O1" "-Wall" "-Wextra" "-Werror" "-o" (io/file dir program)
                                    (map #(str % ".c") parts))]
      (when-not (= 0 exit)
        (throw (ex-info (str "gcc does not like test/client: " err) {}))))))

(defn in-kernel
  "Runs a script of test/harness with `words` in a kernel of its own, for at most `seconds`, with its
  `modules` loaded. Returns {:status :lines}; blocks. Leaves the test when a part of the harness is
  missing (status 125)."
  [{:keys [seconds modules script]} & words]
  (let [result (run (into ["test/harness/uml" "--timeout" (str seconds) "--modules" modules
                           "--" (str "test/harness/" script)]
                          (map str words)))]
    (when (= 125 (:status result))
      (testing/skip! (or (last (:lines result)) "the UML harness lacks a part")))
    result))

(defn assert-passed
  "Every check passed, and those that `expected` names (beginnings of lines) were made."
  [{:keys [status lines]} expected]
  (let [output (str/join "\n" lines)]
    (is (empty? (filter #(str/starts-with? % "not ok") lines))
        (str "no check inside the kernel fails; it said:\n" output))
    (is (= 0 status) (str "the script inside the kernel exits 0; it said:\n" output))
    (doseq [line expected]
      (is (some #(str/starts-with? % (str "ok " line)) lines)
          (str "the script checks: " line)))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ipvlan-test
  "ipvlan for real, in a User Mode Linux kernel: test/harness/uml boots it, and
  test/harness/uml-ipvlan.sh, run inside, prints a line for each check."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.testing :refer [skip!]])
  (:import (java.lang ProcessBuilder ProcessBuilder$Redirect)))

(set! *warn-on-reflection* true)

(defn- run
  "Run `command` with no input and return {:status :lines}, stdout and stderr as one; blocks."
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

(defn- in-kernel
  "Run uml-ipvlan.sh with `words` in a kernel of its own, for at most `seconds`. Returns
  {:status :lines}; blocks. Skips the test when a part of the harness is missing (status 125)."
  [seconds & words]
  (let [command (into ["test/harness/uml" "--timeout" (str seconds) "--modules" "ipvlan macvlan veth"
                       "--" "test/harness/uml-ipvlan.sh"]
                      words)
        result  (run command)]
    (when (= 125 (:status result))
      (skip! (or (last (:lines result)) "the UML harness lacks a part")))
    result))

(defn- assert-passed
  "Every check passed, and those that `expected` names (beginnings of lines) were made."
  [{:keys [status lines]} expected]
  (let [output (str/join "\n" lines)]
    (is (empty? (filter #(str/starts-with? % "not ok") lines))
        (str "no check inside the kernel fails; it said:\n" output))
    (is (zero? status) (str "the script inside the kernel exits 0; it said:\n" output))
    (doseq [line expected]
      (is (some #(str/starts-with? % (str "ok " line)) lines)
          (str "the script checks: " line)))))

(deftest ^{:slow true :timeout 120 :jdk :floor} kernel-keeps-what-ontap-relies-on
  (testing "plain ipvlan links, made by iproute2"
    (assert-passed (in-kernel 90 "kernel")
                   ["one: an ipvlan link is created straight in another namespace"
                    "three: HTTP over IPv6 from the LAN"
                    "stable_secret: the address is the same on a link made anew"
                    "the links end with their namespaces"])))

(deftest ^{:slow true :timeout 300 :jdk :floor} three-services-on-ipvlan
  ;; A build inside that kernel would take minutes, and be forgotten.
  (let [{:keys [status lines]} (run ["bin/ontap" "--version"])]
    (is (zero? status) (str "the program is built; it said:\n" (str/join "\n" lines))))
  (testing "ontap up with :type \"ipvlan\", three services, seen from outside"
    (assert-passed (in-kernel 180 "ontap" "bin/ontap")
                   (into ["ontap status: three services are ready"
                          "SIGTERM: ontap up stops all and exits 0"
                          "SIGTERM: no ipvlan link is left on the port"]
                         (for [service ["alpha" "beta" "gamma"]
                               check   ["the link's kind and mode" "the link's alias" "IPv4 address"
                                        "an address by SLAAC" "HTTP over IPv4 from the LAN"
                                        "HTTP over IPv6 from the LAN" "hostname"]]
                           (str service ": " check))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.logs-test
  "Logs stand where a workload's user may put links and devices, and are written by
  whoever likes to write fast."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.run.logs :as logs]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.nio.file Files)
           (java.nio.file.attribute FileAttribute)
           (ontap.sys Fd Io)))

(set! *warn-on-reflection* true)

(def ^:private mine [(Io/geteuid) (Io/getgid)])

(defn- link! [^File from ^File to]
  (Files/createSymbolicLink (.toPath from) (.toPath to) (make-array FileAttribute 0)))

(defmacro ^:private with-folder [[dir] & body]
  `(let [~dir (testing/temp-dir)]
     (try ~@body (finally (testing/delete-tree ~dir)))))

(defn- refusal [f]
  (try (f) nil (catch Exception e (or (ex-message e) (str e)))))

(deftest what-is-opened
  (with-folder [dir]
    (let [open #(.close ^Fd (logs/open! (str (io/file dir %)) (mine 0) (mine 1)))]
      (testing "a file that is not there is made, readable by its user and group"
        (open "new.log")
        (is (= 0640 (bit-and 0777 (.mode (Io/stat (str (io/file dir "new.log"))))))
            "It has mode 0640."))
      (testing "a link is not followed"
        (spit (io/file dir "secret") "secret")
        (link! (io/file dir "linked.log") (io/file dir "secret"))
        (is (re-find #"ELOOP" (str (refusal #(open "linked.log")))) "It is refused."))
      (testing "a FIFO would block whoever opens it"
        (Io/mkfifo (str (io/file dir "fifo.log")) 0600)
        (is (re-find #"is no plain file" (str (refusal #(open "fifo.log")))) "It is refused."))
      (testing "/dev/null takes everything"
        (let [before (Io/stat "/dev/null")]
          (.close (logs/open! "/dev/null" 65534 65534))
          (is (= before (Io/stat "/dev/null")) "It is given to nobody."))))))

(deftest folders-of-the-workload's-user
  (when-not (= 0 (Io/geteuid)) (testing/skip! "root alone gives files away"))
  (with-folder [dir]
    (let [sub   (doto (io/file dir "theirs") (.mkdir))
          who   {:identity/uid 65534 :identity/gid 65534 :identity/groups [65534 7]}
          check #(refusal (fn [] (logs/check-folder! (str (io/file % "x.log")) who)))]
      (is (nil? (check dir)) "A folder of root's in /tmp is well.")
      (Io/chown (str sub) 65534 -1)
      (is (re-find #"is in a folder that its user can change \(.*theirs\)" (str (check sub)))
          "One of the workload's user is not.")
      (is (nil? (refusal #(logs/check-folder! (str (io/file sub "x.log"))
                                              {:identity/uid (Io/geteuid) :identity/gid 0})))
          "A workload of this process's own user has nothing to gain.")
      (Io/chown (str sub) 0 7)
      (Io/chmod (str sub) 0775)
      (is (re-find #"can change" (str (check sub))) "Nor is one that its group may change.")
      (Io/chown (str sub) 0 8)
      (is (nil? (check sub)) "Other groups are the machine's business.")
      (Io/chmod (str sub) 0777)
      (is (re-find #"can change" (str (check sub))) "Nor one that everybody may change.")
      (Io/chmod (str sub) 01777)
      (is (nil? (check sub)) "A sticky one is.")
      (link! (io/file sub "away") (io/file "/nowhere/at/all"))
      (is (re-find #"is not there" (str (check (io/file sub "away")))) "Links are looked through."))))

(deftest a-cut
  (with-folder [dir]
    (let [file (io/file dir "a.log")
          old  (io/file dir "a.log.1")
          path (str file)]
      (spit file "0123456789")
      (is (nil? (logs/cut! "a" path 10 "now")) "At its bound a log is left alone.")
      (spit (io/file dir "precious") "precious")
      (link! (io/file dir "a.log.1.new") (io/file dir "precious"))
      (is (= 10 (logs/cut! "a" path 9 "now")) "Past it, all is moved.")
      (is (= "precious" (slurp (io/file dir "precious"))) "A link in the way is not followed.")
      (is (= "" (slurp file)) "The log is empty.")
      (is (= "0123456789\nontap: now: the log was cut here, at its bound of 9 bytes\n" (slurp old))
          "What was there, and that it was cut."))))

(deftest a-writer-faster-than-the-copy
  (with-folder [dir]
    (let [file (io/file dir "a.log")
          big  (* 20 1024 1024)]
      (with-open [out (java.io.RandomAccessFile. file "rw")] (.setLength out big))
      (is (= (* 16 1024 1024) (logs/cut! "a" (str file) 4096 "now")) "The copy ends.")
      (is (= 0 (.length file)) "The log is empty.")
      (is (str/ends-with? (slurp (io/file dir "a.log.1"))
                          "; 4194304 bytes came too fast and were left out\n")
          "What is missing is stated."))))

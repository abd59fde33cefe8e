;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.paths-test
  "Whose folders run-time state is kept in, and what they have to be like."
  (:require [clojure.java.io :as io]
            [clojure.test :refer [are deftest is]]
            [ontap.run.paths :as paths]
            [ontap.testing :as testing])
  (:import (ontap.sys Io)))

(set! *warn-on-reflection* true)

(deftest who-is-who
  (are [uid uid-map expected] (= expected (paths/outside-uid uid uid-map))
    0    ["         0          0 4294967295"] 0
    1000 ["         0          0 4294967295"] 1000
    0    ["         0       1000          1"] 1000
    1000 ["      1000       1000          1"] 1000
    0    ["         0     100000      65536"] 0
    0    ["0 1000 1" "1 100000 65536"]        0))

(deftest which-folder
  (are [env uid expected] (= expected (paths/runtime-dir env uid))
    {}                                                         0    "/run/ontap"
    {"XDG_RUNTIME_DIR" "/run/user/1000"}                       1000 "/run/user/1000/ontap"
    {"XDG_RUNTIME_DIR" "/x" "ONTAP_RUNTIME_DIR" "/y"}          1000 "/y"
    {"XDG_RUNTIME_DIR" "/x" "ONTAP_RUNTIME_DIR" ""}            1000 "/x/ontap")
  (is (thrown-with-msg? clojure.lang.ExceptionInfo #"XDG_RUNTIME_DIR is not set"
                        (paths/runtime-dir {} 1000))
      "An ordinary user without one is told."))

(deftest folders-of-others-are-not-used
  (let [top  (testing/temp-dir)
        dir  (str (io/file top "run"))
        make #(paths/make-layout! (paths/layout dir))]
    (try
      (make)
      (is (= [0755 0700 0700] (mapv #(bit-and 0777 (.mode (Io/stat (str dir %)))) ["" "/services" "/log"]))
          "They are made for nobody else to look into, but that all see which sockets there are.")
      (is (nil? (make)) "What is there is used again.")
      (Io/chmod (str dir "/log") 0777)
      (is (thrown-with-msg? clojure.lang.ExceptionInfo #"run/log: others may change it" (make))
          "Nor for others to change.")
      (Io/chmod (str dir "/log") 0700)
      (when (= 0 (Io/geteuid))
        (Io/chown dir 65534 -1)
        (is (thrown-with-msg? clojure.lang.ExceptionInfo #"it belongs to another user" (make))
            "One that somebody else has made first is refused."))
      (finally (testing/delete-tree top)))))

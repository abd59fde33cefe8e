;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.public-names-test
  "The file that says whose link is whose: what stands in it, when it is written, and who may read it."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.test :refer [deftest is testing]]
            [ontap.alloc.public-names :as public-names]
            [ontap.testing :as t])
  (:import (java.nio.file Files LinkOption)
           (ontap.sys SysException)))

(set! *warn-on-reflection* true)

(defn- lease [nsid index name state]
  {:lease/name name :lease/nsid nsid :lease/index index :lease/state state})

(deftest which-leases-have-a-name
  (is (= {} (public-names/of [])))
  (is (= {[3 2] "web", [nil 7] "vm1"}
         (public-names/of [(lease 3 2 "web" :held)
                           (lease nil 7 "vm1" :kept)
                           (lease 4 2 nil :held)                ; nobody named it
                           (lease 5 nil "early" :held)          ; it has no link
                           (lease 6 2 "on-its-way" :wanted)]))))

(defn- attribute [f what] (Files/getAttribute (.toPath (io/file f)) (str "unix:" what) (make-array LinkOption 0)))

(deftest the-file
  (t/with-temp-dir [dir]
    (let [file   (str (io/file dir "names.edn"))
          last   (volatile! nil)
          asked  (volatile! 0)
          netns  (fn [] (vswap! asked inc) {:dev 4 :ino 99})
          write! #(public-names/write! file last "boot" netns %)
          inode  #(attribute file "ino")]
      (write! [(lease 3 2 "web" :held)])
      (is (= {:names/v 1 :names/boot-id "boot" :names/netns {:dev 4 :ino 99} :names/of {[3 2] "web"}}
             (edn/read-string (slurp file))))
      (is (= 0644 (bit-and 0777 (int (attribute file "mode")))) "It is for everybody to read.")
      (testing "what stands there is not written again"
        (let [before (inode)]
          (write! [(lease 3 2 "web" :kept) (lease 9 nil "other" :wanted)])
          (is (= before (inode)))
          (is (= 1 @asked))))
      (testing "what is new replaces the file"
        (with-open [reader (io/reader file)]
          (write! [(lease 3 2 "web" :held) (lease 4 2 "db" :held)])
          (is (= {[3 2] "web"} (:names/of (edn/read-string (slurp reader)))) "Who has it open reads the old one to its end.")
          (is (= {[3 2] "web", [4 2] "db"} (:names/of (edn/read-string (slurp file))))))
        (write! [])
        (is (= {} (:names/of (edn/read-string (slurp file))))))
      (is (= ["names.edn"] (vec (.list dir))))
      (testing "nowhere"
        (public-names/write! nil last "boot" netns [(lease 3 2 "web" :held)])
        (is (= ["names.edn"] (vec (.list dir)))))
      (testing "one that could not be written is written the next time"
        (let [fresh (volatile! nil), elsewhere (str (io/file dir "none" "names.edn"))
              web   [(lease 3 2 "web" :held)]]
          (is (thrown? SysException (public-names/write! elsewhere fresh "boot" netns web)))
          (.mkdir (io/file dir "none"))
          (public-names/write! elsewhere fresh "boot" netns web)
          (is (= {[3 2] "web"} (:names/of (edn/read-string (slurp elsewhere))))))))))

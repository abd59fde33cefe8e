;; SPDX-License-Identifier: Apache-2.0
(ns ontap.testing.java
  "The Java tests as one Clojure test, for kaocha (tests.edn). bin/test runs them by themselves."
  (:require [clojure.test :refer [deftest is]])
  (:import (ontap.testing Runner)))

(deftest java-tests
  (is (nil? (Runner/javaFailures System/out)) "The Java tests all pass."))

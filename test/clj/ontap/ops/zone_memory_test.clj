;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-memory-test
  "What a zone keeps for the next one: no serial number is used twice, whenever it ends, and names stay where they were."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.ops.zone-memory :as memory]
            [ontap.testing :as t])
  (:import (java.io StringWriter)))

(set! *warn-on-reflection* true)

(defn- world
  "A memory in `dir` whose writes wait in :later, [[work then] ..], until `done!`; :is is what there is to be kept."
  [dir]
  (let [later (volatile! []), is (volatile! {:saved/serial 100 :saved/claims [[nil 2 "web" 5]]})
        m     (memory/memory {:loop nil :dir (str dir) :submit (fn [_ work then] (vswap! later conj [work then]))})]
    (memory/remembers! m (fn [] @is))
    {:memory m :later later :is is}))

(defn- done!
  "Carries out what waits; how many."
  [{:keys [later]}]
  (let [jobs @later]
    (vreset! later [])
    (doseq [[work then] jobs] (then (try {:value (work)} (catch Throwable e {:error e}))))
    (count jobs)))

(defn- on-disk [dir]
  (some-> (io/file dir "zone.edn") (#(when (.exists ^java.io.File %) (slurp %))) edn/read-string))

(defn- use! [{:keys [memory is]} serial]
  (vswap! is assoc :saved/serial serial)
  (memory/grown! memory serial))

(deftest a-serial-is-on-disk-before-it-is-used
  (t/with-temp-dir [dir]
    (let [w (world dir)]
      (is (nil? (memory/read! (:memory w))))
      (use! w 100)
      (is (<= 100 (:saved/serial (on-disk dir))) "The first one waits for the disk.")
      (testing "from then on what stands there is always ahead, and most changes need no disk"
        (let [writes (volatile! 0)]
          (doseq [serial (range 101 5000)]
            (use! w serial)
            (when-not (<= serial (:saved/serial (on-disk dir))) (throw (ex-info "a serial in use is not on disk" {:serial serial})))
            (vswap! writes + (done! w)))
          (is (< 2 @writes 20))))
      (testing "also when the disk is slow"
        (doseq [serial (range 5000 9000)]
          (use! w serial)
          (when-not (<= serial (:saved/serial (on-disk dir))) (throw (ex-info "a serial in use is not on disk" {:serial serial}))))
        (is (= 1 (done! w)) "One write waits at most.")
        (done! w))
      (testing "what the next one reads"
        (let [next (:memory (world dir))]
          (is (= [[nil 2 "web" 5]] (:saved/claims (memory/read! next))))
          (is (< 9000 (:saved/serial (memory/read! next)))))))))

(defn- said [f] (let [w (StringWriter.)] [(binding [*err* w] (f)) (str w)]))

(deftest what-cannot-be-read
  (t/with-temp-dir [dir]
    (let [w (world dir), file (io/file dir "zone.edn")]
      (memory/save-now! (:memory w))
      (testing "of an earlier boot: the serial alone"
        (spit file (pr-str (assoc (on-disk dir) :saved/boot-id "another")))
        (is (= #{:saved/serial :saved/v :saved/boot-id} (set (keys (memory/read! (:memory w)))))))
      (doseq [text ["" "{" "nil" "{:saved/v 2}" "[1 2]"]]
        (spit file text)
        (let [[kept words] (said #(memory/read! (:memory w)))]
          (is (nil? kept) text)
          (is (= 1 (count (str/split-lines words))) text)
          (is (str/includes? words (str "unable to use " file)) text))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.files-test
  "Files that are published, and their commands: when, in which order, and what a person is told. The
  work and the commands are done when the test says so."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.publish.files :as files]
            [ontap.testing :as testing])
  (:import (java.io File)
           (java.util Random)
           (ontap.sys Io Io$Stat Namespaces NsThread)))

(set! *warn-on-reflection* true)

(defn- facts
  "Facts that differ by `n`."
  [n]
  {:domain "vanya" :askers []
   :views {2 [{:rr/name "vanya" :rr/type :soa :rr/ttl 60 :rr/data [["ns.vanya" "h.vanya" n 1 1 1 1]]}]}})

(defn- world
  "A publisher of `publish`, whose work and commands wait in :works and :commands until `work!` and `end!`."
  [publish]
  (let [works (atom []), commands (atom []), notes (atom [])]
    {:works works :commands commands :notes notes
     :publisher (files/publisher {:publish publish
                                  :submit  (fn [_ work done] (swap! works conj [work done]))
                                  :spawn   (fn [words folder done]
                                             (when (= "missing" (first words)) (throw (ex-info "No such file" {})))
                                             (swap! commands conj {:words words :folder folder :done done}))
                                  :note    (fn [level text] (swap! notes conj [level text]))})}))

(defn- publish! [{:keys [publisher]} n] (files/publish! publisher #(facts n)))

(defn- work!
  "Does the first work that waits."
  [{:keys [works]}]
  (let [[[work done]] @works]
    (swap! works subvec 1)
    (done (try {:value (work)} (catch Throwable t {:error t})))))

(defn- end!
  "Ends the first command, as `how` says."
  [{:keys [commands]} how]
  (let [[{:keys [done]}] @commands]
    (swap! commands subvec 1)
    (done how)))

(defn- notes! [{:keys [notes]}] (first (reset-vals! notes [])))

(defn- tinydns [dir & more]
  (merge {:publish/format :tinydns :publish/dialect :stock :publish/file (str dir "/data")} (apply hash-map more)))

(defn- serial [dir] (some-> (re-find #"Zvanya:ns.vanya:h.vanya:(\d+)" (slurp (io/file dir "data"))) second parse-long))

(defn- stat ^Io$Stat [dir & more] (Io/stat (str (apply io/file dir more))))

(deftest a-file-is-replaced-when-its-text-is-another
  (testing/with-temp-dir [dir]
    (let [{:keys [commands] :as w} (world [(tinydns dir)])]
      (publish! w 1) (work! w)
      (let [first-inode (.ino (stat dir "data"))]
        (is (= 1 (serial dir)))
        (is (= 0644 (bit-and 07777 (.mode (stat dir "data")))))
        (publish! w 1) (work! w)
        (is (= first-inode (.ino (stat dir "data"))) "The same text is not written again.")
        (publish! w 2) (work! w)
        (is (not= first-inode (.ino (stat dir "data"))) "Another text is another file: who reads the old one reads it to its end.")
        (is (= 2 (serial dir)))
        (is (= ["data"] (vec (.list ^File dir))) "Nothing lies beside it."))
      (is (empty? @commands))
      (is (empty? (notes! w))))))

(deftest everybody-may-read-it
  (testing/with-temp-dir [dir]
    (NsThread/call "test-umask" (fn []
                                  (Namespaces/unshare Namespaces/CLONE_FS)
                                  (Io/umask 0077)
                                  (let [w (world [(tinydns dir)])] (publish! w 1) (work! w))))
    (is (= 0644 (bit-and 07777 (.mode (stat dir "data")))))))

(deftest the-command-follows-the-file
  (testing/with-temp-dir [dir]
    (let [{:keys [commands publisher] :as w} (world [(tinydns dir :publish/command ["tinydns-data" "-x"])])]
      (publish! w 1)
      (is (files/busy? publisher))
      (is (empty? @commands) "Not before it is written.")
      (work! w)
      (is (= [[["tinydns-data" "-x"] (str dir)]] (map (juxt :words :folder) @commands)))
      (end! w {:exit 0})
      (is (not (files/busy? publisher)))
      (publish! w 1) (work! w)
      (is (empty? @commands) "The same text wants no command.")
      (publish! w 2) (work! w)
      (is (= 1 (count @commands)))
      (end! w {:exit 0})
      (is (empty? (notes! w))))))

(deftest what-comes-meanwhile-comes-once
  (testing/with-temp-dir [dir]
    (let [{:keys [works commands] :as w} (world [(tinydns dir :publish/command ["c"])])]
      (publish! w 1)
      (publish! w 2)
      (publish! w 3)
      (is (= 1 (count @works)) "One thing at a time.")
      (work! w)
      (is (= 1 (serial dir)))
      (publish! w 4)
      (is (= [0 1] [(count @works) (count @commands)]) "Not while the command runs.")
      (end! w {:exit 0})
      (work! w)
      (is (= 4 (serial dir)) "The last state, and no other.")
      (end! w {:exit 0})
      (is (= [0 0] [(count @works) (count @commands)])))))

(deftest a-new-process-runs-the-command-once
  (testing/with-temp-dir [dir]
    (let [a (world [(tinydns dir :publish/command ["c"])])]
      (publish! a 1) (work! a) (end! a {:exit 0}))
    (let [{:keys [commands] :as b} (world [(tinydns dir :publish/command ["c"])])
          inode (.ino (stat dir "data"))]
      (publish! b 1) (work! b)
      (is (= inode (.ino (stat dir "data"))))
      (is (= 1 (count @commands)) "Who knows whether it ran to its end.")
      (end! b {:exit 0})
      (publish! b 1) (work! b)
      (is (empty? @commands)))))

(deftest a-command-that-fails-runs-again
  (testing/with-temp-dir [dir]
    (let [{:keys [commands] :as w} (world [(tinydns dir :publish/command ["tinydns-data"])])
          again! (fn [n how] (publish! w n) (work! w) (is (= 1 (count @commands))) (end! w how) (notes! w))
          what (str "tinydns-data, which follows " dir "/data, ")]
      (is (= [[:warning (str what "ended with exit status 111")]] (again! 1 {:exit 111})))
      (is (= [] (again! 1 {:exit 111})) "With the next change, though the text is the same; said once.")
      (is (= [[:warning (str what "was ended by signal 9")]] (again! 2 {:signal 9})))
      (is (= [[:warning (str what "was not found")]] (again! 3 {:error "was not found"})))
      (is (= [[:info (str dir "/data is up to date again")]] (again! 3 {:exit 0})))
      (publish! w 3) (work! w)
      (is (empty? @commands)))))

(deftest a-command-that-does-not-start
  (testing/with-temp-dir [dir]
    (let [{:keys [publisher] :as w} (world [(tinydns dir :publish/command ["missing"])])]
      (publish! w 1) (work! w)
      (is (= [[:warning (str "missing, which follows " dir "/data, does not start: No such file")]] (notes! w)))
      (is (not (files/busy? publisher)))
      (publish! w 2) (work! w)
      (is (= 2 (serial dir))))))

(deftest a-file-that-cannot-be-written
  (testing/with-temp-dir [dir]
    (let [below (io/file dir "not" "there")
          {:keys [commands] :as w} (world [(tinydns below :publish/command ["c"]) (tinydns dir)])]
      (publish! w 1) (work! w) (work! w)
      (is (= 1 (serial dir)) "The others are.")
      (let [[[level text] & more] (notes! w)]
        (is (= :warning level))
        (is (re-find #"^unable to write .*/not/there/data: .*(?:No such file|ENOENT)" text))
        (is (nil? more)))
      (is (empty? @commands))
      (.mkdirs below)
      (publish! w 1) (work! w) (work! w)
      (is (= 1 (serial below)))
      (is (= 1 (count @commands)))
      (end! w {:exit 0})
      (is (= [[:info (str below "/data is up to date again")]] (notes! w))))))

(deftest facts-that-cannot-be-rendered
  (testing/with-temp-dir [dir]
    (let [{:keys [publisher] :as w} (world [(tinydns dir)])]
      (files/publish! publisher #(throw (ex-info "no facts" {})))
      (work! w)
      (is (= [[:warning (str "unable to write " dir "/data: no facts")]] (notes! w)))
      (publish! w 1) (work! w)
      (is (= 1 (serial dir))))))

(deftest a-folder-of-zones
  (testing/with-temp-dir [dir]
    (let [folder (str dir "/zones/")
          {:keys [publisher commands] :as w} (world [{:publish/format :zone :publish/file folder :publish/command ["reload"]}])
          soa    (fn [apex] {:rr/name apex :rr/type :soa :rr/ttl 60 :rr/data [["ns.vanya" "h.vanya" 1 1 1 1 1]]})
          put!   (fn [& apexes] (files/publish! publisher (fn [] {:domain "vanya" :views {0 (mapv soa apexes)}}))
                   (work! w)
                   (set (.list (io/file folder))))]
      (is (= #{"vanya.zone" "local.zone"} (put! "vanya" "local")))
      (is (= (str dir "/zones") (:folder (first @commands))))
      (end! w {:exit 0})
      (spit (io/file folder "mine.zone") "; by hand\n")
      (spit (io/file folder "notes") "; written by ontap")
      (is (= #{"vanya.zone" "2.0.192.in-addr.arpa.zone" "mine.zone" "notes"} (put! "vanya" "2.0.192.in-addr.arpa"))
          "A zone that ended goes, what others wrote stays.")
      (end! w {:exit 0})
      (is (= #{"vanya.zone" "mine.zone" "notes"} (put! "vanya")))
      (is (= 1 (count @commands)) "A zone that ended is a change.")
      (is (empty? (notes! w))))))

(deftest nothing-begins-after-the-end
  (testing/with-temp-dir [dir]
    (let [{:keys [publisher works commands] :as w} (world [(tinydns dir :publish/command ["c"])])]
      (publish! w 1)
      (files/close! publisher)
      (publish! w 2)
      (work! w)
      (is (= [0 0] [(count @works) (count @commands)]))
      (is (= 1 (serial dir)) "What has begun is written."))))

(deftest the-last-state-is-always-published
  (let [seed (System/nanoTime), r (Random. seed)]
    (testing/with-temp-dir [dir]
      (let [{:keys [works commands publisher] :as w} (world [(tinydns dir :publish/command ["c"])])
            seen (atom nil)                                  ; the serial when the last good command ended
            do! (fn [] (cond (seq @works) (work! w)
                             (seq @commands) (if (zero? (.nextInt r 4))
                                               (end! w {:exit 1})
                                               (let [s (serial dir)] (end! w {:exit 0}) (reset! seen s)))))]
        (dotimes [n 150]
          (publish! w n)
          (dotimes [_ (.nextInt r 4)] (do!))
          (is (>= 1 (+ (count @works) (count @commands))) (str "seed " seed)))
        (publish! w 1000)
        (loop [tries 0]
          (while (files/busy? publisher) (do!))
          ;; its last command may have failed: the next change, whatever it is, mends that
          (when-not (or (= 1000 @seen) (= 100 tries)) (publish! w 1000) (recur (inc tries))))
        (is (= 1000 (serial dir) @seen) (str "seed " seed))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-files-test
  "The files of `ontap zone`: written at each change, whole or not at all, and followed by a command that has none of the
  zone's rights."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(defn- folder!
  "A fresh folder in that of `lan`, which everybody may write into."
  ^File [{:keys [dir]} name]
  (doto (io/file dir name) (.mkdir) (.setWritable true false)))

(defn- text [f] (try (slurp f) (catch java.io.FileNotFoundException _ "")))

(defn- has? [f line] (boolean (some #(str/starts-with? % line) (str/split-lines (text f)))))

(defn- field [status name] (second (re-find (re-pattern (str "(?m)^" name ":\\s+(.*)$")) status)))

(def ^:private follower
  "A command: keeps its own status and where it is, and says how often it ran."
  "#!/bin/sh\ncat /proc/self/status > status\npwd > where\necho >> runs\n")

(deftest ^{:jdk :floor} files-and-their-commands
  (zone/with-lan [lan]
    (let [folder  (folder! lan "dns")
          data    (io/file folder "data")
          hosts   (io/file folder "hosts")
          command (doto (io/file folder "follow") (spit follower) (.setExecutable true false))
          ns      (zone/workload! lan "v0" "web" ["10.77.0.40/24"])
          file    (lan/write-file lan {:zone {:domain "vanya" :listen ["[::]:53"]
                                              :publish [{:format :tinydns :file (str data) :command [(str command)]}
                                                        {:format :hosts :file (str hosts) :command ["sh" "-c" "exit 7"]}]}})
          zone    (zone/start lan file)
          change! (fn [what n]
                    (netns/ip ns "addr" what (str "10.77.0." n "/24") "dev" "v0"))]
      (t/wait-for "the first files" #(and (has? data "+web.lan.vanya:10.77.0.40:60") (str/includes? (text hosts) "10.77.0.40")))
      (testing "the command"
        (let [status (t/wait-for "a command that ran" #(when (.exists (io/file folder "runs")) (text (io/file folder "status"))))]
          (is (= (repeat 5 "0000000000000000") (map #(field status %) ["CapInh" "CapPrm" "CapEff" "CapAmb" "CapEff"])))
          (is (= "1" (field status "NoNewPrivs")))
          (is (= (repeat 4 (str/trim (:out (t/run {} "id" "-u" "nobody")))) (str/split (field status "Uid") #"\s+")))
          (is (= (str folder) (str/trim (text (io/file folder "where")))))))
      (testing "each change, and at any time the file is whole"
        (let [over?  (atom false)
              ;; a reader of the file as tinydns-data is one
              reader (future (loop [n 0, odd nil]
                               (if @over?
                                 [n odd]
                                 (let [s (slurp data)]
                                   (recur (inc n) (or odd (when-not (and (re-find #"(?m)^Zvanya:" s) (str/ends-with? s "\n")) s)))))))]
          (try
            (doseq [n (range 50 58)]
              (change! "add" n)
              (t/wait-for "the new address" #(has? data (str "+web.lan.vanya:10.77.0." n ":60"))))
            (doseq [n (range 50 58)]
              (change! "del" n)
              (t/wait-for "no such address" #(not (has? data (str "+web.lan.vanya:10.77.0." n ":60")))))
            (finally (reset! over? true)))
          (let [[n odd] @reader]
            (is (< 10 n))
            (is (nil? odd))))
        (t/wait-for "the last command" #(<= 2 (count (text (io/file folder "runs")))))
        (is (<= (count (text (io/file folder "runs"))) 17) "At most once for each change.")
        (is (= #{"data" "hosts" "follow" "status" "where" "runs"} (set (.list folder))) "Nothing else is left there."))
      (testing "a command that fails is told of once"
        (let [said (lan/said zone)
              odd  (filter #(str/includes? % "follows") (str/split-lines said))]
          (is (= [(str "ontap: sh, which follows " hosts ", ended with exit status 7")]
                 (map #(str/replace % #"warning: " "") odd)) said)))
      (is (= 0 (lan/end! zone "TERM"))))))

(deftest ^{:jdk :floor} a-path-among-words
  (zone/with-lan [lan]
    (let [folder (folder! lan "here")
          data   (io/file folder "data")]
      (zone/workload! lan "v0" "web" ["10.77.0.40/24"])
      (zone/start-with lan {:dir folder} "--domain" "vanya" "--tinydns" "data")
      (t/wait-for "the file" #(has? data "+web.lan.vanya:10.77.0.40:60"))
      (is (= ["data"] (vec (.list folder)))))))

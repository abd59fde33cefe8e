;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-test
  "`ontap zone` as a person runs it, asked by dig(1) from the same LAN and from elsewhere."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t])
  (:import (java.io File)
           (java.nio.file Files)))

(set! *warn-on-reflection* true)

(def ^:private dns "2a02:a473:db:0:f9a0:ea48:aeab:96a2")
(def ^:private wan "2a02:a473:db:0:539b:fafb:34f3:4396")
(def ^:private ula "fd4e:3732:3232:0:a8b6:cc46:610f:ef3b")
(def ^:private on-link "2a02:a473:db::9")
(def ^:private private "fd4e:3732:3232::9")
(def ^:private foreign "2001:db8:f::9")

(defn- workload!
  "A namespace with a link of the host's port in it, its alias `alias`, and these addresses."
  [lan link alias addresses]
  (let [ns (netns/make)]
    (lan/sh! lan :host "ip" "link" "add" link "link" "up0" "type" "macvlan" "mode" "bridge")
    (lan/sh! lan :host "ip" "link" "set" link "alias" alias)
    (lan/sh! lan :host "ip" "link" "set" link "netns" (str (:pid ns)))
    (netns/ip ns "link" "set" link "up")
    (doseq [a addresses] (netns/ip ns "addr" "add" a "dev" link "nodad"))
    ns))

(defn- set-up! [lan]
  (lan/sh! lan :host "ip" "link" "set" "up0" "up")
  (lan/sh! lan :host "ip" "addr" "add" (str dns "/64") "dev" "up0" "nodad")
  (doseq [a [on-link private foreign]]
    (lan/sh! lan :peer "ip" "addr" "add" (str a "/64") "dev" "lan0" "nodad"))
  (lan/sh! lan :host "ip" "-6" "route" "add" "2001:db8:f::/64" "dev" "up0")
  (lan/sh! lan :host "ip" "-6" "route" "add" "fd4e:3732:3232::/64" "dev" "up0"))

(defmacro ^:private with-zone [[lan ns words] & body]
  `(do (lan/needs-root!)
       (lan/with-lan [~lan]
         (set-up! ~lan)
         (let [~ns (workload! ~lan "ipv0" "arroyocc" [(str wan "/64") (str ula "/64")])]
           (try
             (apply zone/start ~lan ~words)
             ~@body
             (finally (netns/end! ~ns)))))))

(def ^:private quick ["--domain" "vanya" "--listen" "[::]:53" "--listen" "0.0.0.0:53"])

(defn- answer-lines
  "As in the text that this project follows: dig +noall +ans of the three names."
  [lan from]
  (vec (for [n ["arroyocc.wan.vanya" "arroyocc.lan.vanya" "arroyocc.vanya"]]
         (str/replace (zone/dig lan :peer "-b" from "+noall" "+ans" n "AAAA" (str "@" dns)) #"\s+" " "))))

(deftest ^{:jdk :floor} the-seed-s-transcript
  (with-zone [lan ns quick]
    (let [line #(str %1 " 60 IN AAAA " %2)]
      (is (= [(line "arroyocc.wan.vanya." wan) (line "arroyocc.lan.vanya." ula) (line "arroyocc.vanya." wan)]
             (answer-lines lan on-link)))
      (is (= [(line "arroyocc.wan.vanya." wan) (line "arroyocc.lan.vanya." ula) (line "arroyocc.vanya." ula)]
             (answer-lines lan private)))
      (is (= [(line "arroyocc.wan.vanya." wan) "" (line "arroyocc.vanya." wan)]
             (answer-lines lan foreign)))
      (is (= "NXDOMAIN" (:status (zone/status lan :peer dns foreign "arroyocc.lan.vanya" "AAAA"))))
      (is (= {:status "NOERROR" :answer 0 :authority 1} (zone/status lan :peer dns private "lan.vanya" "AAAA"))
          "the name lan.vanya exists, and has nothing"))
    (testing "a name comes with its address, and goes with it"
      (netns/ip ns "addr" "add" "10.77.0.40/24" "dev" "ipv0")
      (zone/await-answer "the IPv4 address" #{"10.77.0.40"} #(zone/answers lan :peer dns private "arroyocc.vanya" "A"))
      (is (= #{"arroyocc.vanya."} (zone/answers lan :peer dns private "40.0.77.10.in-addr.arpa" "PTR")))
      (is (= #{} (zone/answers lan :peer dns foreign "arroyocc.vanya" "A")))
      (netns/ip ns "addr" "del" "10.77.0.40/24" "dev" "ipv0")
      (zone/await-answer "no IPv4 address" #{} #(zone/answers lan :peer dns private "arroyocc.vanya" "A")))
    (testing "a namespace that ends takes its names along"
      (netns/end! ns)
      (zone/await-answer "NXDOMAIN" "NXDOMAIN" #(:status (zone/status lan :peer dns private "arroyocc.vanya" "AAAA"))))))

(defn- thread-status
  "The lines of /proc/PID/task/*/status, as a map each."
  [pid]
  (for [^File task (.listFiles (io/file "/proc" (str pid) "task"))
        ;; a thread may end meanwhile
        :let [text (try (Files/readString (.toPath (io/file task "status"))) (catch java.io.IOException _ nil))]
        :when text]
    (into {} (map #(str/split % #":\s+" 2)) (str/split-lines text))))

(deftest ^{:jdk :floor} it-keeps-no-keys-of-the-house
  (with-zone [lan ns quick]
    (let [zone    (last @(:supervisors lan))
          ;; CAP_NET_BROADCAST is 11, CAP_NET_ADMIN 12
          both    "0000000000001800"
          uid     (str/trim (:out (t/run {} "id" "-u" "nobody")))
          threads (thread-status (:pid zone))]
      (is (< 5 (count threads)))
      (doseq [status threads]
        (is (= [uid uid uid uid] (str/split (get status "Uid") #"\s+")) (get status "Name"))
        (is (= [both both both both both] (map status ["CapInh" "CapPrm" "CapEff" "CapBnd" "CapAmb"])) (get status "Name"))
        (is (= "1" (get status "NoNewPrivs")))))
    (is (= [["arroyocc" #{wan ula}]]
           (for [{:keys [name addresses]} (zone/names lan)]
             [name (set (remove #(str/starts-with? % "fe80") (map :ip addresses)))])))))

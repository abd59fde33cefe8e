;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.leases-test
  "When a link that was lent goes: with a namespace, with the last holder of a descriptor,
  by `ontap release`; and `ontap leases`, which shows what there is. On macvlan and macvtap
  links of this machine's own kernel."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.testing :as testing-tools]))

(set! *warn-on-reflection* true)

(defn- ends [lan who & words]
  (let [{:keys [exit err]} (apply lan/sh lan :host (apply ontapd/as who lan/program words))]
    [exit (str/replace err #"^ontap: fatal: |\n$" "")]))

(def ^:private root {:uid 0 :gid 0})
(def ^:private alice {:uid 60123 :gid 60123 :groups [65534]})
(def ^:private bob {:uid 60124 :gid 60124 :groups [65534]})

(defn- holding
  "Starts `ontap WORDS… -- sh -c SCRIPT` on the host of `lan`, as `who`, once it has said
  \"here\"."
  [lan who words script]
  (let [p (apply lan/spawn {:env (:env lan)}
                 (apply lan/in (:host lan) (apply ontapd/as who lan/program (concat words ["--" "sh" "-c" script]))))]
    (let [here (lan/await-line p #"^here")]
      ;; while a process becomes another one, /proc tells nothing of it
      (testing-tools/wait-for "the last program" #(= ["sleep" "300"] (process/command (:pid p))))
      (assoc p :here here))))

(defn- leases
  "What `ontap leases` tells `who`, as data."
  [lan who]
  (edn/read-string (:out (apply lan/sh lan :host (ontapd/as who lan/program "leases" "--format" "edn")))))

(defn- links [path]
  (set (map second (re-seq #"(?m)^\d+: ([^:@]+)" (:out (testing-tools/run {} "nsenter" (str "--net=" path) "ip" "-o" "link"))))))

(defn- kill! [pid] (testing-tools/run {} "kill" "-KILL" pid))

;; --- a namespace that is there already

(deftest ^{:timeout 120} in-a-named-namespace
  (lan/needs-root!)
  (lan/with-lan [lan]
    (lan/with-named-namespace [path "ontap-leases"]
      (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "up0"]
        (doseq [[netns link] [["ontap-leases" "eth0"] [path "eth7"]]]
          (testing netns
            (let [held  (holding lan root ["-t" "macvlan" "up0" "--netns" netns "--link" link]
                                 "sleep 300 & echo here $!; exec sleep 300")
                  child (parse-long (subs (:here held) 5))
                  fd    (parse-long ((process/environment (:pid held)) "ONTAP_LEASE_FD"))]
              (is (= (str "net:[" (process/inode path) "]") (process/link (:pid held) "ns" "net")) "PROG is in that namespace.")
              (is (contains? (links path) link))
              (is (= (ontapd/path lan "leases" (str (key (first (ontapd/book lan))))) ((process/descriptors child) fd))
                  "Its child has the lease too.")
              (lan/end! held "KILL")
              (is (= [:held] (map :lease/state (leases lan root))) "It outlives PROG,")
              (is (contains? (links path) link))
              (kill! child)
              (is (= {} (ontapd/await-book lan "the lease to end" empty?)) "and ends with the last holder:")
              (is (= #{"lo"} (links path)) "the namespace is there, the link is not."))))
        (testing "a name that the namespace has already"
          (let [held (holding lan root ["-t" "macvlan" "up0" "--netns" "ontap-leases"] "echo here; exec sleep 300")]
            (is (= [111 "refused: a link eth0, or one with the number it should have, is already in that network namespace"]
                   (ends lan root "-t" "macvlan" "up0" "--netns" "ontap-leases" "--" "true")))
            (lan/end! held "KILL")))
        (testing "kept"
          (is (= [0 ""] (ends lan root "-t" "macvlan" "up0" "--netns" "ontap-leases" "--keep" "--name" "web" "--" "true")))
          (let [[{:lease/keys [id state]}] (testing-tools/wait-for "the lease to be kept"
                                             #(let [all (leases lan root)] (when (= [:kept] (map :lease/state all)) all)))]
            (is (= :kept state))
            (is (= #{"lo" "eth0"} (links path)))
            (is (= [0 ""] (ends lan root "release" id)))
            (is (= #{"lo"} (links path)))
            (is (= [111 (str "refused: you have no lease " id)] (ends lan root "release" id)))))))))

;; --- kept, shown, released

(deftest ^{:timeout 120} kept-and-released
  (ontapd/needs-users!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "--config"
                         (ontapd/config! lan {"up0" {:mode "0666" :allow [{:group "nogroup"} {:user "nobody"}]}})]
      (let [facts (juxt :lease/id :lease/index :lease/hwaddr :lease/link)]
        (is (= [0 "no leases\n"] ((juxt :exit :out) (lan/ontap lan "leases"))))
        (is (= [0 ""] (ends lan alice "-t" "macvtap" "up0" "--keep" "--name" "vm1" "--" "true")))
        (let [[kept] (testing-tools/wait-for "the lease to be kept"
                       #(let [all (leases lan alice)] (when (= [:kept] (map :lease/state all)) all)))
              id     (:lease/id kept)]
          (testing "who sees it"
            (is (= [kept] (leases lan root)))
            (is (= [] (leases lan bob))))
          (testing "the table"
            (let [[head row & more] (str/split-lines (:out (lan/ontap lan "leases")))]
              (is (= ["ID" "NAME" "TYPE" "PORT" "LINK" "STATE" "USER" "PID" "ADDRESSES" "SERVER" "DHCP" "LEFT"] (str/split head #"\s+")))
              (is (= [(str id) "vm1" "macvtap" "up0" (:lease/link kept) "kept" "60123"] (take 7 (str/split row #"\s+"))))
              (is (nil? more))))
          (testing "the name is alice's while it is kept"
            (is (= [111 "refused: the name vm1 is in use on this machine"] (ends lan bob "-t" "macvtap" "up0" "--name" "vm1" "--" "true")))
            (is (= [111 (str "refused: the name vm1 is in use by lease " id ", which was kept: `ontap release " id "` ends it")]
                   (ends lan root "-t" "macvtap" "up0" "--name" "vm1" "--" "true"))))
          (testing "and of her hands only"
            (is (= [111 (str "refused: you have no lease " id)] (ends lan bob "release" id))))
          (testing "taken up again by its name"
            (let [again (holding lan alice ["-t" "macvtap" "up0" "--keep" "--name" "vm1" "-m" "2"] "echo here; exec sleep 300")
                  env   (process/environment (:pid again))]
              (is (= [(:lease/link kept) (:lease/hwaddr kept)] (map env ["ONTAP_IFNAME" "ONTAP_HWADDR"])) "It is the same link.")
              (is (some? (env "ONTAP_FD1")) "with as many queues as are asked for now.")
              (is (= [[(facts kept) :held]] (map (juxt facts :lease/state) (leases lan alice))))
              (is (= [111 (str "refused: the name vm1 is in use by lease " id)]
                     (ends lan alice "-t" "macvtap" "up0" "--name" "vm1" "--" "true"))
                  "It is hers, but she has it already.")
              (lan/end! again "KILL")))
          (testing "over a restart of ontapd"
            (testing-tools/wait-for "the lease to be kept" #(= [:kept] (map :lease/state (leases lan alice))))
            (ontapd/stop! daemon)
            (ontapd/with-ontapd [next lan {:verbosity "warning"} "--config" (str (:dir lan) "/ontapd.edn")]
              (is (= [[(facts kept) :kept]] (map (juxt facts :lease/state) (leases lan alice))))
              (is (= [0 ""] (ends lan alice "release" id)))
              (is (= [] (leases lan root)))
              (is (not (str/includes? (ontapd/taps lan "ip" "link") (:lease/link kept)))))))))))

(deftest ^{:timeout 120} released-while-it-is-held
  (lan/needs-root!)
  (lan/with-lan [lan]
    (ontapd/with-ontapd [daemon lan {:verbosity "warning"} "up0"]
      (let [vm  (holding lan root ["-t" "macvtap" "up0"] "echo here; exec sleep 300")
            web (holding lan root ["-t" "macvlan" "up0" "--name" "web"] "echo here; exec sleep 300")]
        (try
          (doseq [{:lease/keys [id]} (leases lan root)]
            (is (= [0 ""] (ends lan root "release" id))))
          (is (= [] (leases lan root)))
          (is (= #{"lo"} (links (str "/proc/" (:pid web) "/ns/net"))))
          (is (every? #(process/alive? (:pid %)) [vm web]) "The programs are not touched.")
          (is (= [0 ""] (ends lan root "-t" "macvlan" "up0" "--name" "web" "--" "true")) "The name is free at once.")
          (finally (run! #(lan/end! % "KILL") [vm web])))))))

;; --- without ontapd

(deftest ^{:timeout 60} no-ontapd
  (lan/needs-root!)
  (lan/with-lan [lan]
    (let [none (ontapd/no-socket (ontapd/socket lan))]
      (are [words says] (= [111 says] (apply ends lan root words))
        ["-t" "macvlan" "up0" "--" "true"] none
        ["leases" "up0"]                   none
        ["leases"]    (str "no ontapd: there is no socket in " (ontapd/path lan) "; `ontapd PORT`, as root, makes one")
        ["release" "3"] (str "no ontapd: there is no socket in " (ontapd/path lan) "; `ontapd PORT`, as root, makes one"))
      (is (= [100 "`ontap release` needs the id of a lease, a number; is \"web\"; `ontap leases` shows them"]
             (ends lan root "release" "web")))
      (let [daemon (ontapd/start lan {} "up0")]
        (ontapd/clean! lan daemon)
        (is (= [111 (str "no ontapd: nobody listens on " (ontapd/socket lan) "; `ontapd PORT`, as root, does")]
               (ends lan root "-t" "macvlan" "up0" "--" "true"))
            "One that was killed leaves its socket.")))))

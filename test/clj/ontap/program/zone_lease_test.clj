;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-lease-test
  "Links in namespaces of other users: what stands there as an alias is believed by nobody, the name is that under which
  ontapd gave the link out, and goes with the lease."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private nobody
  ["setpriv" "--reuid=nobody" "--regid=nogroup" "--clear-groups" "--inh-caps=-all" "--ambient-caps=-all" "--"])

(defn- of-nobody!
  "A network namespace that the user nobody made, kept by a process of theirs."
  []
  (apply netns/keep! (conj nobody "unshare" "-Urn")))

(defn- lease!
  "Has ontapd give a macvlan called `name` into the namespace of process `pid`; who holds it."
  [lan pid name]
  (let [holder (apply lan/spawn {:env (:env lan)}
                      (apply lan/in (:host lan)
                             (ontapd/attach lan "macvlan" ["--name" name "--netns" (str "/proc/" pid "/ns/net")]
                                            "sh" "-c" "echo link $ONTAP_IFNAME; exec sleep 300")))]
    [holder (subs (lan/await-line holder #"^link ") 5)]))

(defn- inside!
  "Has ip(8) do `words` as who made the namespace of process `pid`."
  [pid & words]
  (let [{:keys [exit err]} (apply t/run {} (concat nobody ["nsenter" "--preserve-credentials" "-U" "-n" "-t" pid "ip"] words))]
    (when-not (= 0 exit) (throw (ex-info (str "ip " (str/join " " words) ": " err) {})))))

(defn- said-names [lan] (:names/of (edn/read-string (slurp (ontapd/path lan "names.edn")))))

(deftest ^{:jdk :floor :timeout 180} the-name-of-a-lease
  (ontapd/needs-users!)
  (zone/with-lan [lan]
    (let [theirs (of-nobody!), others (of-nobody!)]
      (try
        (ontapd/with-ontapd [_ lan {} "up0"]
          (let [[early link] (lease! lan (:pid theirs) "web")
                _            (netns/ip theirs "addr" "add" "10.77.0.40/24" "dev" link)
                ;; one that nobody gave: root put it there, and it says that it is the bank
                _            (zone/lend! lan (:pid others) "v0" "bank" ["10.77.0.66/24"])
                zone         (zone/start-plain lan)]
            (testing "a lease of before the zone"
              (zone/await-data lan "web.vanya" "A" #{"10.77.0.40"})
              (is (= ["web"] (vals (said-names lan))))
              (is (= "-rw-r--r--" (first (str/split (:out (t/run {} "ls" "-l" (ontapd/path lan "names.edn"))) #" ")))))
            (testing "its alias is not believed, whoever changes it"
              (inside! (:pid theirs) "link" "set" link "alias" "bank")
              (inside! (:pid theirs) "addr" "add" "10.77.0.42/24" "dev" link)
              (zone/await-data lan "web.vanya" "A" #{"10.77.0.40" "10.77.0.42"})
              (is (str/includes? (netns/ip theirs "link" "show" link) "alias bank"))
              (is (= "NXDOMAIN" (zone/rcode lan "bank.vanya" "A")))
              (is (= ["web"] (map :name (zone/rows lan))))
              (is (some #(re-find #"is called web, after its lease" %) (zone/why lan "web"))))
            (testing "without a lease: no name"
              (let [lines (zone/why lan "bank")]
                (is (some #(str/includes? % "v0 in ") lines))
                (is (some #(str/includes? % "its namespace is not known to be one of ours") lines))
                (is (some #(str/includes? % "10.77.0.66 is in order, but there is no name for it.") lines))))
            (testing "a lease of later"
              (let [[late link] (lease! lan (:pid others) "mail")]
                (netns/ip others "addr" "add" "10.77.0.41/24" "dev" link)
                (zone/await-data lan "mail.vanya" "A" #{"10.77.0.41"})
                (testing "that ends takes its name along"
                  (lan/end! late "KILL")
                  (zone/await-rcode lan "mail.vanya" "A" "NXDOMAIN")
                  (t/wait-for "one name less" #(= ["web"] (vals (said-names lan)))))))
            (lan/end! zone "TERM")
            (zone/start-plain lan)
            (zone/await-data lan "web.vanya" "A" #{"10.77.0.40" "10.77.0.42"})
            (is (= "NXDOMAIN" (zone/rcode lan "bank.vanya" "A")) "so it is after a restart.")
            (lan/end! early "KILL")
            (zone/await-rcode lan "web.vanya" "A" "NXDOMAIN")))
        (finally (run! netns/end! [theirs others]))))))

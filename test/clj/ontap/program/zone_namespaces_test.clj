;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-namespaces-test
  "`ontap zone --all-namespaces`: what ip-netns(8) names, with no link of ours, has names, too. With a /run/netns and processes
  of the test's own: other namespaces of this machine are none of its business."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- mounts!
  "A mount namespace with a /run/netns of its own, kept by a process."
  []
  (.mkdirs (java.io.File. "/run/netns"))
  (netns/keep! "unshare" "--mount" "--propagation" "private" "sh" "-c" "mount -t tmpfs none /run/netns && exec \"$@\"" "sh"))

(deftest ^{:jdk :floor} namespaces-of-others
  (zone/with-lan [lan]
    (let [mounts (mounts!)
          inside ["nsenter" (str "--mount=/proc/" (:pid mounts) "/ns/mnt") "--"]
          ip!    (fn [& words] (apply lan/sh! lan :host (concat inside ["ip"] words)))
          named! (fn [name address]
                   (ip! "netns" "add" name)
                   (ip! "-n" name "link" "add" "e0" "type" "veth" "peer" "name" "e1")
                   (ip! "-n" name "link" "set" "e0" "alias" name)
                   (ip! "-n" name "addr" "add" (str address "/24") "dev" "e0")
                   (ip! "-n" name "link" "set" "e0" "up"))
          alone  (conj inside "unshare" "--pid" "--fork" "--mount-proc" "--propagation" "unchanged")
          start! (fn [& words] (apply zone/start-with lan {:wrap alone} (concat zone/serving words)))
          stop!  (fn [] (run! #(zone/kill! % "TERM") (zone/zones lan)))]
      (try
        (ip! "link" "set" "up0" "alias" "host")
        (named! "before" "10.99.0.1")
        (testing "without it"
          (start!)
          (named! "later" "10.99.1.1")
          ;; what came after is heard of: so would this be
          (ip! "addr" "add" "10.77.0.9/24" "dev" "up0")
          (zone/await-data lan "host.vanya" "A" #{"10.77.0.2" "10.77.0.9"})
          (is (= ["host"] (map :name (zone/rows lan))))
          (stop!))
        (testing "with it"
          (start! "--all-namespaces")
          (zone/await-data lan "before.vanya" "A" #{"10.99.0.1"})
          (zone/await-data lan "later.vanya" "A" #{"10.99.1.1"})
          (named! "last" "10.99.2.1")
          (zone/await-data lan "last.vanya" "A" #{"10.99.2.1"})
          (is (= {"before" "before", "later" "later", "last" "last", "host" nil} (into {} (map (juxt :name :netns)) (zone/rows lan))))
          (doseq [name ["last" "before"]]
            (ip! "netns" "del" name)
            (zone/await-rcode lan (str name ".vanya") "A" "NXDOMAIN"))
          (t/wait-for "two names" #(= ["host" "later"] (sort (map :name (zone/rows lan))))))
        (finally
          (stop!)
          (netns/end! mounts))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-up-test
  "The :zone of a file that `ontap up` runs: its services have names, and the zone comes, changes and goes with the file, with
  `ontap up`, and with whoever kills the one or the other."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.harness.workloads :as workloads]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private the-zone {:domain "vanya" :listen ["[::]:53" "0.0.0.0:53"]})

(defn- write! [lan mark zone & {:as more}]
  (lan/write-file lan (cond-> {:services [(merge (workloads/declared mark "web" 40 :srv {"_http._tcp" 8080}) more)
                                          (workloads/declared mark "db" 41)]}
                        zone (assoc :zone zone))))

(defn- zone-of
  "The pid of the zone that is `up`'s child, once there is one that serves (and is not `before`)."
  [lan up before]
  (t/wait-for "a zone of its own" 30000
              #(let [[pid & more] (zone/zones lan)]
                 (when (and pid (nil? more) (not= pid before) (= (:pid up) (:ppid (process/stat pid)))
                            (zone/serial lan))
                   pid))))

(defn- pids [lan] (update-vals (workloads/status lan) :pid))

(defn- reload! [lan] (workloads/ask lan :reload))

(deftest ^{:timeout 300} a-zone-beside-its-services
  (zone/with-lan [lan]
    (let [mark (workloads/mark)
          web  (str "web-" mark ".vanya")
          file (write! lan mark the-zone)
          up   (workloads/up lan mark file)]
      (try
        (lan/await-ready lan (str "web-" mark) (str "db-" mark))
        (let [first-zone (zone-of lan up nil)]
          (testing "the names of services, and what they offer"
            (zone/await-data lan web "A" #{"10.77.0.40"})
            (zone/await-data lan (str "db-" mark ".lan.vanya") "A" #{"10.77.0.41"})
            (is (= #{(str "0 0 8080 " web ".")} (zone/data lan (str "_http._tcp." web) "SRV")))
            (is (= #{(str web ".")} (zone/data lan "40.0.77.10.in-addr.arpa" "PTR"))))
          (testing "stop and start"
            ;; a few times: in a new namespace at first there is no process by which one could tell whose it is
            (dotimes [_ 5]
              (workloads/ask lan :stop (str "web-" mark))
              (zone/await-rcode lan web "A" "NXDOMAIN")
              (is (= #{"10.77.0.41"} (zone/data lan (str "db-" mark ".vanya") "A")))
              (workloads/ask lan :start (str "web-" mark))
              (zone/await-data lan web "A" #{"10.77.0.40"}))
            (is (= #{(str "0 0 8080 " web ".")} (zone/data lan (str "_http._tcp." web) "SRV"))))
          (testing "a reload that leaves :zone as it is leaves the zone alone"
            (write! lan mark the-zone :restart {:policy :never})
            (reload! lan)
            (is (= [first-zone] (zone/zones lan))))
          (let [_      (workloads/await-settled lan up)
                before (pids lan)
                serial (zone/serial lan)
                _      (write! lan mark (assoc the-zone :ttl 30) :restart {:policy :never})
                _      (reload! lan)
                second-zone (zone-of lan up first-zone)]
            (testing "another :zone is another zone, and nothing else"
              (zone/await-data lan web "A" #{"10.77.0.40"})
              (is (= 30 (zone/ttl lan web "A")))
              (is (= before (pids lan)))
              (is (< serial (zone/serial lan))))
            (testing "kill -9 of the zone"
              (let [serial (zone/serial lan)]
                (zone/kill! second-zone "KILL")
                (let [third (zone-of lan up second-zone)]
                  (zone/await-data lan web "A" #{"10.77.0.40"})
                  (is (< serial (zone/serial lan)))
                  (testing "kill -9 of `ontap up`: it answers on"
                    (lan/end! up "KILL")
                    (is (= #{"10.77.0.40"} (zone/data lan web "A")))
                    (is (= [third] (zone/zones lan))))
                  (testing "the next `ontap up` takes over"
                    (let [serial (zone/serial lan)
                          up     (workloads/up lan mark file)
                          fourth (zone-of lan up third)]
                      (zone/await-data lan web "A" #{"10.77.0.40"})
                      (is (< serial (zone/serial lan)))
                      (is (= [fourth] (zone/zones lan)))
                      (is (= before (pids lan)))
                      (testing "a file without :zone ends it, and one with it brings it back"
                        (write! lan mark nil)
                        (reload! lan)
                        (t/wait-for "the end of the zone" #(empty? (zone/zones lan)))
                        (is (nil? (zone/serial lan)))
                        (write! lan mark the-zone)
                        (reload! lan)
                        (zone-of lan up nil)
                        (zone/await-data lan web "A" #{"10.77.0.40"}))
                      (testing "SIGTERM of `ontap up` ends all"
                        (is (= 0 (lan/end! up "TERM")))
                        (is (empty? (zone/zones lan)))
                        (is (empty? (workloads/living mark)))
                        (is (nil? (zone/serial lan)))))))))))
        (finally
          (workloads/kill-all! mark)
          (run! #(t/run {} "kill" "-KILL" %) (zone/zones lan)))))))

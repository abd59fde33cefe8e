;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.data-test
  "What the rooms hand one another when they really work conforms to the specs: what the kernel says, an
  attachment, a record on disk, a row of status. On links of a namespace the test makes."
  (:require [clojure.edn :as edn]
            [clojure.spec.alpha :as s]
            [clojure.test :refer [deftest is testing]]
            [ontap.kernel.events :as events]
            [ontap.kernel.links :as links]
            [ontap.model.inventory :as inventory]
            [ontap.model.service :as service]
            [ontap.model.spec-of-life :as spec]
            [ontap.model.supervision :as supervision]
            [ontap.ops.answers :as answers]
            [ontap.run.launch :as launch]
            [ontap.run.parts :as parts]
            [ontap.run.paths :as paths]
            [ontap.run.record :as record]
            [ontap.testing :as t])
  (:import (ontap.rtnl LinkSpec Rtnl)
           (ontap.rtnl.kind Veth)
           (ontap.sys Fd Io Namespaces NsThread)))

(set! *warn-on-reflection* true)

(defn- conforms [spec value]
  (is (s/valid? spec value) (s/explain-str spec value)))

(def ^:private web
  (:service (service/check {:name "web" :port "up0" :type "macvlan" :user "nobody" :exec ["true"]
                            :ipv4 "10.0.0.5/24" :ipv6 "fd00::5/64"}
                           {:root? true})))

(defn- lan! []
  (Namespaces/unshare Namespaces/CLONE_NEWNET)
  (with-open [rtnl (Rtnl/open)]
    (.createLink rtnl (.withUp (LinkSpec/of "up0" (Veth/to "lan0"))))
    (.setUp rtnl (.index (.link rtnl "lan0")))))

(defn- sup
  "As much of a supervisor as tells of one service that runs."
  [paths attachment inventory]
  {:ipv4      {:clients (volatile! {}) :declared (volatile! {})}
   :world     (volatile! {:world/services {"web" (assoc (supervision/record web (parts/now-ms))
                                                        :sup/state :ready :sup/pid 7)}
                          :world/ports #{"up0"} :world/leaving {}})
   :handles   (volatile! {"web" {:attachment attachment :pid 7 :ticks 70 :cgroup nil :since-epoch-ms 1}})
   :inventory (volatile! inventory)
   :paths     paths
   :boot-id   "this-boot"})

(deftest what-the-rooms-hand-over
  (when-not (zero? (Io/geteuid)) (t/skip! "only root can make links"))
  (t/with-temp-dir [dir]
    (let [paths (paths/layout (str dir))
          {:keys [news before attachment]}
          (NsThread/call
           "test-data"
           (fn []
             (lan!)
             (with-open [monitor (events/open-monitor)]
               (let [before     (events/snapshot [])
                     attachment (links/attach! web {:secret (byte-array 16)} nil)]
                 (run! #(some-> ^Fd % .close) ((juxt :attachment/net :attachment/uts) attachment))
                 {:news (events/receive monitor) :before before :attachment attachment}))))
          seen (reduce inventory/fold inventory/empty-inventory (concat before news))
          seen (inventory/seed seen (:attachment/nsid attachment) (:attachment/index attachment)
                               (:attachment/addresses attachment))
          sup  (sup paths attachment seen)]
      (testing "from the kernel"
        (is (seq before))
        (is (seq news))
        (run! #(conforms ::spec/kernel-event %) (concat before news))
        (conforms ::spec/inventory seen)
        (is (= ["fd00::5"] (map :addr/ip (filter #(= :global (:addr/scope %)) (:attachment/addresses attachment))))
            "The IPv4 address is not there yet: it is checked for conflicts first.")
        (conforms ::spec/attachment attachment))
      (testing "written down"
        (conforms ::spec/paths paths)
        (paths/make-layout! paths)
        (parts/record! sup (parts/service sup "web"))
        (conforms ::spec/record (edn/read-string (slurp (paths/record-file paths "web"))))
        (is (= web (:record/service (first (:records (record/read-all paths "this-boot")))))))
      (testing "told"
        (conforms ::spec/world @(:world sup))
        (conforms ::spec/identity (launch/identity! web))
        (run! #(conforms ::spec/row %) (answers/status sup))))))

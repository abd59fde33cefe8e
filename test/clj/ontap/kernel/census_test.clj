;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.census-test
  "A census in namespaces of the test's own: what it gives when namespaces come, go and change hands, when events
  are lost, and without root. That its inventory is the truth is `ontap.kernel.truth-test`'s matter."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :as test :refer [deftest is]]
            [ontap.harness.witness :as witness]
            [ontap.kernel.census :as census]
            [ontap.kernel.events :as events]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.model.inventory :as inventory]
            [ontap.model.spec-of-life :as spec]
            [ontap.testing :as testing])
  (:import (ontap.netlink NetlinkException)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Caps Clock Errno Fd Identity Io NsThread)))

(set! *warn-on-reflection* true)

(defn- fold! [{:keys [inventory]} events]
  (is (every? #(s/valid? ::spec/kernel-event %) events)
      (pr-str (some #(s/explain-data ::spec/kernel-event %) events)))
  (vswap! inventory #(reduce inventory/fold % events))
  events)

(defn- in-a-world
  "Calls `f` with {:monitor :rtnl :census :inventory :host :shell!} in namespaces of its own; `options` of the
  monitor and the census."
  [options f]
  (witness/alone
    (fn []
      (with-open [^RtnlMonitor monitor (events/open-monitor (assoc options :routes? true))
                  rtnl (Rtnl/open)]
        (let [shells (volatile! [])
              shell! (fn [& words]
                       (let [shell (apply witness/shell words)]
                         (vswap! shells conj shell)
                         (witness/say! shell "true")
                         shell))]
          (try (f {:monitor monitor :rtnl rtnl :shell! shell! :host (shell! "env") :inventory (volatile! inventory/empty-inventory)
                   :census (census/census (assoc options :monitor monitor :rtnl rtnl))})
               (finally (run! witness/end! @shells))))))))

(defn- until!
  "Takes in events until the inventory satisfies `right?`; gives the events."
  [{:keys [census ^RtnlMonitor monitor inventory] :as world} right?]
  (loop [out [], n 0]
    (cond (right? @inventory) out
          (= n 1000)          (throw (ex-info "it does not become so" {:events out}))
          :else (do (Io/await (.fd monitor) Io/POLLIN 10000)
                    (recur (into out (fold! world (census/receive! census))) (inc n))))))

(defn- gone? [nsid] (fn [inv] (not-any? #(contains? % nsid) [(:inv/namespaces inv) (:inv/places inv)])))

(defn- ended!
  "Waits until the namespace with the id has ended, and leaves the news of it in the queue."
  [{:keys [^Rtnl rtnl]} nsid]
  (testing/wait-for "the end of a namespace" #(not-any? #{nsid} (.nsids rtnl))))

(defn- line! [shell line] (is (= 0 (first (witness/say! shell line))) line))

(def ^:private types (partial map (juxt :event/type :ns/id)))

(defn- explain! [{:keys [census rtnl] :as world}]
  (when-let [nsids (census/unexplained census)]
    (fold! world (census/explained census nsids (namespaces/of-pids rtnl nsids)))))

(deftest each-new-one-is-read
  (in-a-world {:all? true}
    (fn [{:keys [census inventory host shell! ^Rtnl rtnl] :as world}]
      (is (= [:event/snapshot] (map :event/type (fold! world (census/start census)))))
      (let [room (shell! "unshare" "--net")]
        (line! room "ip link add v0 type veth peer name v1; ip addr add 10.0.0.1/24 dev v0; ip link set v0 alias web")
        (is (= [] (census/receive! census)) "Nobody has heard of it.")
        (let [nsid (.ensureNsid rtnl (int (:pid room)))]
          (is (= [[:ns/new nsid] [:ns/read nsid]] (types (fold! world (census/receive! census)))))
          (is (= ["web"] (keep :link/alias (vals (:inv/links @inventory)))))
          (is (not (inventory/trusted? @inventory nsid)))
          (is (= [[:ns/known nsid]] (types (explain! world))))
          (is (inventory/trusted? @inventory nsid))
          (is (nil? (census/unexplained census)) "It is asked once.")
          (test/testing "a name comes, and goes"
            (line! host (str "ip netns attach web " (:pid room)))
            (fold! world (census/look-again! census))
            (is (= "web" (get-in @inventory [:inv/namespaces nsid :ns/netns])))
            (is (= [] (census/look-again! census)) "What is known is not told again.")
            (line! host "ip netns del web")
            (fold! world (census/look-again! census))
            (is (= [nil true] ((juxt :ns/netns :ns/trusted?) (get-in @inventory [:inv/namespaces nsid])))))))
      (test/testing "one that is mounted"
        (line! host "ip netns add box")
        (let [[_ id :as new] (first (types (fold! world (census/look-again! census))))]
          (is (= [:ns/new id] new))
          (is (= {:ns/trusted? true :ns/netns "box"} (dissoc (get-in @inventory [:inv/namespaces id]) :ns/inode)))
          (line! host "ip netns del box")
          (until! world (gone? id)))))))

(deftest only-with-a-reason
  (in-a-world {:all? false}
    (fn [{:keys [census inventory host] :as world}]
      (fold! world (census/start census))
      (line! host "ip netns add box")
      (is (= [] (census/look-again! census)) "It has no id, and need not have one.")
      (line! host "ip link add v0 type veth peer name v1")
      (line! host "ip link set v1 netns box")
      (fold! world (census/receive! census))
      (let [[[nsid facts]] (seq (:inv/namespaces @inventory))]
        (is (= [true "box"] ((juxt :ns/trusted? :ns/netns) facts)) "The kernel gave it one with the link, the mount told the rest.")
        (is (nil? (census/unexplained census)))
        (is (some #(= [nsid "v1"] [(:ns/id %) (:link/name %)]) (vals (:inv/links @inventory))))))))

(deftest ids-change-hands
  (in-a-world {:all? false}
    (fn [{:keys [census inventory shell! ^Rtnl rtnl] :as world}]
      (fold! world (census/start census))
      (let [user  ["setpriv" "--reuid=23456" "--regid=23456" "--clear-groups" "unshare" "-Urn"]
            ours  (shell! "unshare" "--net")
            nsid  (.ensureNsid rtnl (int (:pid ours)))]
        (fold! world (census/receive! census))
        (explain! world)
        (is (inventory/trusted? @inventory nsid))
        (test/testing "one comes and ends before anybody looked"
          (let [short (shell! "unshare" "--net"), id (.ensureNsid rtnl (int (:pid short)))]
            (witness/end! short)
            (ended! world id)
            (let [news (fold! world (census/receive! census))]
              (is (= [:ns/new id] (first (types news))))
              (is (= [:ns/gone id] (last (types (filter #(= id (:ns/id %)) news))))))
            (is (nil? (census/unexplained census)))))
        (test/testing "the next one with the id is a user's"
          (witness/end! ours)
          (until! world (gone? nsid))
          (let [theirs (apply shell! user)]
            (is (= nsid (.ensureNsid rtnl (int (:pid theirs)))) "the id is used again")
            (line! theirs "ip link set lo up; ip link set lo alias root")
            (fold! world (census/receive! census))
            (is (not (inventory/trusted? @inventory nsid)))
            (let [asked (census/unexplained census)]
              (is (= [nsid] asked))
              (test/testing "and changes hands again while it is asked whose it is"
                (witness/end! theirs)
                (until! world (gone? nsid))
                (let [next (shell! "unshare" "--net")]
                  (is (= nsid (.ensureNsid rtnl (int (:pid next)))))
                  (let [stale {:event/type :ns/known :ns/id nsid :ns/trusted? true :ns/netns nil :ns/inode nil}]
                    (is (= [[:ns/new nsid] [:ns/read nsid]] (types (fold! world (census/explained census asked [stale]))))
                        "An answer about the one before is no answer.")
                    (is (not (inventory/trusted? @inventory nsid)))
                    (explain! world)
                    (is (inventory/trusted? @inventory nsid))))))))))))

(deftest what-was-known-before-the-start
  (in-a-world {:all? false}
    (fn [{:keys [inventory shell! monitor ^Rtnl rtnl] :as world}]
      (let [one   (shell! "unshare" "--net"), two (shell! "unshare" "--net")
            id    (.ensureNsid rtnl (int (:pid one))), other (.ensureNsid rtnl (int (:pid two)))
            known (namespaces/find-all! {:rtnl rtnl})]
        (is (= #{id other} (set (map :ns/id known))))
        (witness/end! two)
        (ended! world other)
        (let [third  (shell! "setpriv" "--reuid=23456" "--regid=23456" "--clear-groups" "unshare" "-Urn")
              _      (is (= other (.ensureNsid rtnl (int (:pid third)))))
              census (census/census {:monitor monitor :rtnl rtnl :known (read-string (pr-str known))})]
          (fold! world (census/start census))
          (is (inventory/trusted? @inventory id))
          (is (not (inventory/trusted? @inventory other)) "Its id is a stranger's by now: the monitor listened all the time.")
          (is (contains? (:inv/places @inventory) other) "who is there nonetheless"))))))

(deftest lost-events
  (in-a-world {:all? true :receive-buffer 4096}
    (fn [{:keys [census inventory host shell! ^Rtnl rtnl] :as world}]
      (fold! world (census/start census))
      (line! host "ip netns add box")
      (fold! world (census/look-again! census))
      (let [room (shell! "unshare" "--net")
            id   (.ensureNsid rtnl (int (:pid room)))
            box  (first (keys (filter #(= "box" (:ns/netns (val %))) (:inv/namespaces @inventory))))
            lose #(line! host "for i in $(seq 1 60); do ip addr add 10.0.1.$i/32 dev lo; ip addr del 10.0.1.$i/32 dev lo; done")]
        (fold! world (census/receive! census))
        (explain! world)
        (is (every? #(inventory/trusted? @inventory %) [id box]))
        (lose)
        (line! host "ip addr add 10.0.2.1/32 dev lo")
        (let [news (fold! world (census/receive! census))]
          (is (= [:event/snapshot] (map :event/type news)) "one for all")
          (is (every? #(inventory/trusted? @inventory %) [id box]) "Who was trusted was found again.")
          (is (= ["10.0.2.1"] (map :addr/ip (filter #(= :global (:addr/scope %)) (inventory/addresses @inventory nil 1)))))
          (is (nil? (census/due census)) "That is all."))
        (test/testing "again, too soon after the last reading"
          (vswap! (:state census) assoc :not-before Long/MAX_VALUE)
          (lose)
          (is (not-any? #{:event/snapshot} (map :event/type (fold! world (census/receive! census)))))
          (is (= Long/MAX_VALUE (census/due census)) "It says when.")
          (vswap! (:state census) assoc :not-before 0)
          (is (= [:event/snapshot] (map :event/type (fold! world (census/receive! census)))) "Then it reads, though nothing comes.")
          (is (nil? (census/due census))))
        (test/testing "while a namespace changes hands"
          (lose)
          (witness/end! room)
          (ended! world id)
          (let [theirs (shell! "setpriv" "--reuid=23456" "--regid=23456" "--clear-groups" "unshare" "-Urn")]
            (is (= id (.ensureNsid rtnl (int (:pid theirs)))))
            (is (= [:event/snapshot] (map :event/type (fold! world (census/receive! census)))))
            (is (not (inventory/trusted? @inventory id)) "The id alone is no proof.")
            (is (inventory/trusted? @inventory box))))))))

(deftest without-root
  (in-a-world {:all? true}
    (fn [{:keys [^RtnlMonitor monitor inventory host shell!] :as world}]
      (line! host "ip netns add box; ip netns exec box ip link set lo up")
      (let [theirs  (shell! "setpriv" "--reuid=23456" "--regid=23456" "--clear-groups" "unshare" "-Urn")
            ours    (shell! "unshare" "--net")
            caps    (reduce #(bit-or (long %1) (bit-shift-left 1 (Caps/number %2))) 0 ["net_admin" "net_broadcast"])
            through (fn []
                      (with-open [adopted (RtnlMonitor/adopt (.dup ^Fd (.fd monitor))), rtnl (Rtnl/open)]
                        (let [census (census/census {:monitor adopted :rtnl rtnl :all? true})
                              world  (assoc world :census census :rtnl rtnl)
                              ids    (do (fold! world (census/start census))
                                         (mapv #(.ensureNsid rtnl (int (:pid %))) [theirs ours]))]
                          (fold! world (census/receive! census))
                          (explain! world)
                          (line! theirs "ip addr add 10.0.9.1/32 dev lo")
                          (until! world #(get-in % [:inv/addresses [(first ids) 1] "10.0.9.1"]))
                          (line! theirs "ip addr del 10.0.9.1/32 dev lo")
                          ids)))
            check   (fn [[theirs ours]]
                      (is (= [false true] (map #(inventory/trusted? @inventory %) [theirs ours])))
                      (is (= ["box"] (keep :ns/netns (vals (:inv/namespaces @inventory))))))]
        (check (through)) ; loads what it needs
        (vreset! inventory inventory/empty-inventory)
        (Identity/prepare)
        (check (NsThread/call "test-zone" (bound-fn []
                                            (.take (Identity. 65534 65534 (int-array 0) (long caps) true))
                                            (through))))))))

(deftest one-that-never-rests-keeps-nobody-waiting
  (in-a-world {}
    (fn [{:keys [census inventory shell! ^Rtnl rtnl] :as world}]
      (let [[restless calm] (repeatedly 2 #(.ensureNsid rtnl (int (:pid (shell! "unshare" "--net")))))
            really events/read-namespace
            asked  (volatile! 0)
            fails? (volatile! true)]
        ;; what the kernel answers to a dump of a namespace in which somebody adds and removes addresses all the time
        (with-redefs [events/read-namespace
                      (fn [rtnl nsid]
                        (when (= restless nsid) (vswap! asked inc))
                        (if (and (= restless nsid) @fails?)
                          (throw (NetlinkException. "RTM_GETADDR" "" Errno/EINTR "the dump changed"))
                          (really rtnl nsid)))]
          (fold! world (census/start census))
          (is (not (contains? (:inv/places @inventory) restless)))
          (is (contains? (:inv/places @inventory) calm) "The others are read.")
          (let [at (census/due census), before @asked]
            (is (< 0 (- at (Clock/boottimeNanos)) 1000000001) "It is asked again, in a while,")
            (fold! world (census/receive! census))
            (is (= before @asked) "not before.")
            (vreset! fails? false)
            (testing/wait-for "that while" #(<= (long at) (Clock/boottimeNanos)))
            (is (= [[:ns/read restless]] (filter #(= :ns/read (first %)) (types (fold! world (census/receive! census))))))
            (is (contains? (:inv/places @inventory) restless))
            (is (= {} (:unread @(:state census))))))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.truth-test
  "The inventory, folded from a census, equals what ip(8) says in every namespace, whatever happens: after each of
  many random steps, with a receive buffer so small that events get lost all the time. The seed is printed."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.witness :as witness]
            [ontap.kernel.census :as census]
            [ontap.kernel.events :as events]
            [ontap.kernel.namespaces :as namespaces]
            [ontap.model.inventory :as inventory])
  (:import (java.util Random)
           (ontap.rtnl Rtnl RtnlMonitor)
           (ontap.sys Clock EventLoop EventLoop$Handler Fd)))

(set! *warn-on-reflection* true)

(def ^:private most "Namespaces beside the first." 11)

;; --- a world: a namespace that looks, and others

(defn- fold! [{:keys [inventory counts]} events]
  (vswap! counts update :snapshots + (count (filter #(= :event/snapshot (:event/type %)) events)))
  (vswap! inventory (fn [i] (reduce #(inventory/fold %1 %2 {:mono-ms (quot (System/nanoTime) 1000000)}) i events))))

(defn- in-a-world
  "Calls `f` with a world, in namespaces of its own."
  [receive-buffer f]
  (witness/alone
    (fn []
      (with-open [^RtnlMonitor monitor (events/open-monitor {:routes? true :receive-buffer receive-buffer})
                  rtnl       (Rtnl/open)
                  ^Fd mounts (namespaces/open-mountinfo)
                  loop       (EventLoop. (reify java.util.function.Consumer (accept [_ t] (throw ^Throwable t))))]
        (let [world {:rtnl rtnl :loop loop
                     :census    (census/census {:monitor monitor :rtnl rtnl :all? true})
                     :inventory (volatile! inventory/empty-inventory)
                     :counts    (volatile! {:snapshots 0 :looks 0})
                     :names     (volatile! 0)
                     :pairs     (volatile! [])
                     ;; name -> {:shell :named}
                     :rooms     (volatile! {})
                     :news?     (volatile! false)}
              woken (fn [f] (reify EventLoop$Handler
                              (ready [_ _] (fold! world (f)) (vreset! (:news? world) true) (.stop loop))))]
          (try
            (vswap! (:rooms world) assoc :host {:shell (witness/shell "env")})
            (fold! world (census/start (:census world)))
            (.add loop (.fd monitor) EventLoop/EPOLLIN (woken #(census/receive! (:census world))))
            (.add loop mounts EventLoop/EPOLLPRI (woken #(census/look-again! (:census world))))
            (f world)
            (finally (run! #(witness/end! (:shell %)) (vals @(:rooms world))))))))))

(defn- await-news!
  "Waits until the kernel has said something, and takes it in; false when nothing came until `deadline`,
  CLOCK_BOOTTIME ns."
  [{:keys [^EventLoop loop news? census] :as world} deadline]
  (vreset! news? false)
  (let [due    (census/due census)
        again  (when due (.at loop (long due) (fn []
                                                (fold! world (census/receive! census))
                                                (vreset! news? true)
                                                (.stop loop))))
        end    (.at loop (long deadline) #(.stop loop))]
    (.run loop)
    (.cancel loop again)
    (.cancel loop end)
    @news?))

;; --- both sides

(defn- nsids
  "room -> nsid, nil for the host; without those that have none."
  [{:keys [^Rtnl rtnl rooms]}]
  (let [others (dissoc @rooms :host)
        pids   (int-array (map #(get-in % [:shell :pid]) (vals others)))]
    (into {:host nil} (filter val) (zipmap (keys others) (.nsidsOfPids rtnl pids)))))

(defn- truth
  "room -> what ip(8) sees there."
  [{:keys [rooms counts]}]
  (vswap! counts update :looks inc)
  (let [all @rooms]
    (run! #(witness/ask! (:shell %) witness/look) (vals all))
    (into {} (map (fn [[room {:keys [shell]}]] [room (witness/seen (witness/answer! shell))])) all)))

(defn- difference
  "What the inventory has otherwise than ip(8), or nil. Gives what was seen to `remember`."
  [{:keys [inventory] :as world} remember]
  (let [ids  (nsids world)
        seen (truth world)
        inv  @inventory]
    (remember seen)
    (not-empty
      (into (if-let [ghosts (seq (remove #(contains? (set (vals ids)) %) (concat (keys (:inv/places inv)) (keys (:inv/namespaces inv)))))]
              {:ghosts ghosts}
              {})
            (for [[room nsid] ids
                  :let [held (witness/held inv nsid)]
                  :when (not= held (seen room))]
              [room {:held held :ip (seen room)}])))))

(defn- settle!
  "Takes in events until the inventory is the truth; gives the truth. Fails after `limit-s`."
  [{:keys [census] :as world} limit-s]
  (let [deadline (+ (Clock/boottimeNanos) (* 1000000000 (long limit-s)))
        seen     (volatile! nil)]
    (fold! world (census/look-again! census))
    (loop [again? true]
      (let [different (difference world #(vreset! seen %))]
        (cond
          (nil? different) @seen
          ;; perhaps ip looked before it happened
          again?           (do (fold! world (census/receive! census)) (recur false))
          (await-news! world deadline) (recur true)
          :else            (throw (ex-info "the inventory is not what ip says" different)))))))

;; --- steps

(defn- fresh! [{:keys [names]} prefix] (str prefix (vswap! names inc)))

(defn- one [^Random random xs] (nth xs (.nextInt random (count xs))))

(defn- make! [{:keys [rooms ^Rtnl rtnl] :as world} ^Random random]
  (let [room (fresh! world "n")]
    (if (.nextBoolean random)
      (do (witness/say! (:shell (:host @rooms)) (str "ip netns add " room))
          (vswap! rooms assoc room {:named room :shell (witness/shell "nsenter" (str "--net=/run/netns/" room))}))
      (let [shell (witness/shell "unshare" "--net")]
        (vswap! rooms assoc room {:shell shell})
        (witness/say! shell "ip link set lo up; ip addr add 127.0.0.2/8 dev lo")
        (when (.nextBoolean random) (.ensureNsid rtnl (int (:pid shell))))))
    room))

(defn- kill! [{:keys [rooms]} room]
  (let [{:keys [shell named]} (get @rooms room)]
    (vswap! rooms dissoc room)
    (witness/end! shell)
    (when named (witness/say! (:shell (:host @rooms)) (str "ip netns del " named)))))

(defn- an-address
  "[address/prefix, what else is said of it]; few enough to be met again."
  [^Random random]
  (let [n #(inc (.nextInt random (int %)))]
    (case (.nextInt random 5)
      (0 1) [(str "10.0.0." (n 6) "/" (one random [8 16 24 32])) ""]
      2     [(str "fd00::" (n 6) "/64") (one random ["" " nodad"])]
      3     [(str "2001:db8::" (n 6) "/64") " valid_lft 3 preferred_lft 1"]
      4     [(str "10.1.0." (n 6) "/24") " valid_lft 3 preferred_lft 1"])))

(defn- address-line [^Random random link add?]
  (let [[ip more] (an-address random)]
    (if add? (str "addr add " ip " dev " link more) (str "addr del " ip " dev " link))))

(defn- step!
  "Does something; `seen` is the truth before. Gives what was done."
  [{:keys [rooms pairs] :as world} ^Random random seen]
  (let [all    (vec (keys @rooms))
        linked (filterv #(seq (dissoc (seen %) 1)) all) ; 1 is lo
        room   (one random (if (seq linked) linked all))
        other  (one random all)
        pid    #(get-in @rooms [% :shell :pid])
        say    (fn [room line] (witness/say! (get-in @rooms [room :shell]) line) [room line])
        links  (fn [room] (into [] (comp (map :name) (remove #{"lo"})) (vals (seen room))))
        link   (one random (or (not-empty (links room)) ["none"]))
        parent (one random (or (not-empty (links :host)) ["none"]))
        crowd? (< 10 (count (links room)))]
    (case (.nextInt random 20)
      (0 1)   (if (< (count @rooms) (inc (long most))) [:make (make! world random)] [:full])
      2       (let [others (vec (remove #{:host} (keys @rooms)))]
                (when (< 4 (count others))
                  (let [room (one random others)] (kill! world room) [:kill room])))
      (3 4)   (if crowd?
                (say room (str "ip link del " link))
                (let [a (fresh! world "v"), b (fresh! world "v")]
                  (vswap! pairs conj [room a other b])
                  (say room (str "ip link add " a " type veth peer name " b " netns " (pid other)))))
      (5 6)   (when-not crowd?
                (say :host (str "ip link add link " parent " name " (fresh! world "m") " netns " (pid other)
                                " type macvlan mode bridge")))
      7       (say room (str "ip link set " link " netns " (pid other)))
      8       (say room (str "ip link set " link " name " (fresh! world "r")))
      9       (say room (str "ip link set " link " alias 'a " (.nextInt random 100) "'"))
      10      (say room (str "ip link del " link))
      (11 12) (say room (str "ip link set " link " up"))
      13      (say room (str "ip link set " link " down"))
      (14 15) (say room (str "ip " (address-line random link true)))
      16      (let [{:keys [addresses]} (first (filter #(= link (:name %)) (vals (seen room))))
                    [ip prefix] (when (seq addresses) (one random (vec addresses)))]
                (say room (str "ip addr del " ip "/" prefix " dev " link)))
      17      (when-let [[room a other b] (last @pairs)] ; the same address at both ends
                (let [ip (str "fd00:dad::" (.nextInt random 50) "/64")]
                  (doseq [[r l] [[room a] [other b]] :when (@rooms r)]
                    (say r (str "ip link set " l " up; ip addr add " ip " dev " l)))
                  [:dad room a other b]))
      (18 19) (let [n (inc (.nextInt random 200))]
                (say room (str "printf '"
                               (str/join "\\n" (repeatedly n #(if (zero? (.nextInt random 8))
                                                                (str "link set " link " alias b" (.nextInt random 100))
                                                                (address-line random link (.nextBoolean random)))))
                               "\\n' | ip -force -batch -"))
                [:burst room link n]))))

(defn- truth-holds [steps]
  (let [seed (System/nanoTime)]
    (println "truth_test: seed" seed)
    (in-a-world 4096
      (fn [{:keys [rooms counts] :as world}]
        (let [random (Random. seed)
              begin  (System/nanoTime)]
          (witness/say! (:shell (:host @rooms)) "ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up")
          (loop [n 0, seen (settle! world 10), done []]
            (when (< n (long steps))
              (let [did  (step! world random seen)
                    done (conj (if (< 8 (count done)) (subvec done 1) done) did)
                    seen (try (settle! world 10)
                              (catch clojure.lang.ExceptionInfo e
                                (is (nil? (ex-data e)) (str "step " n ", seed " seed ", after " (pr-str done)))))]
                (when seen (recur (inc n) seen done)))))
          (let [{:keys [snapshots looks]} @counts]
            (println "truth_test:" steps "steps," (quot (- (System/nanoTime) begin) 1000000) "ms," snapshots "snapshots,"
                     looks "looks")
            (is (< (quot (long steps) 20) (long snapshots)) "Events were lost, again and again.")))))))

(defn- burst [from to]
  (str "for i in $(seq " from " " to "); do a=10.$((i / 2500)).$((i / 50 % 50)).$((i % 50 + 1))/8; "
       "echo addr add $a dev v0; "
       "test $((i % 100)) = 0 || echo addr del $a dev v0; done | ip -force -batch -"))

(deftest ^{:jdk :floor} ten-thousand-changes-at-once
  (in-a-world 4096
    (fn [{:keys [rooms counts ^Rtnl rtnl] :as world}]
      (let [room (make! world (Random. 1))
            {:keys [shell]} (@rooms room)]
        (.ensureNsid rtnl (int (:pid shell)))
        (witness/say! shell "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up")
        (settle! world 10)
        ;; each of 5,000 comes, and all but every hundredth goes: first while nobody listens, then while somebody does
        (witness/say! shell (burst 0 2499))
        (witness/ask! shell (str (burst 2500 4999) "; ip addr add fd00::1/64 dev v0"))
        (while (not (.ready ^java.io.BufferedReader (:reader shell)))
          (await-news! world (+ (Clock/boottimeNanos) 20000000)))
        (witness/answer! shell)
        (let [seen (settle! world 20)]
          (is (<= 51 (count (mapcat :addresses (vals (seen room))))) "What is left is there,")
          (is (< 1 (long (:snapshots @counts))) "and it was read anew, as events were lost.")
          (loop [n 0] ; detection ends without anybody's doing
            (let [all (mapcat vals (vals (:inv/addresses @(:inventory world))))]
              (when (and (< n 500) (some #(contains? (:addr/flags %) :tentative) all))
                (is (await-news! world (+ (Clock/boottimeNanos) 5000000000)))
                (recur (inc n)))))
          (settle! world 10))))))

(deftest ^{:jdk :floor} a-few-steps (truth-holds 200))

(deftest ^{:long true :jdk :floor :timeout 900} many-steps (truth-holds 2000))

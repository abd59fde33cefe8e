;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.dhcp-test
  "The shell of the DHCP client on a real event loop, with a server and a kernel that are
  functions: who is given which answer, how many threads work, what stays behind."
  (:require [clojure.test :refer [deftest is testing]]
            [ontap.alloc.dhcp :as dhcp]
            [ontap.alloc.dhcp-book :as book]
            [ontap.run.work :as work]
            [ontap.testing :as t])
  (:import (java.util.concurrent ConcurrentLinkedQueue)
           (java.util.concurrent.atomic AtomicInteger)
           (ontap.sys Clock EventFd EventLoop)))

(set! *warn-on-reflection* true)

(def ^:private limit-ns 20000000000)

(defn- reply [type {:message/keys [xid hwaddr client-id]} ip]
  [:message {:message/type type :message/xid xid :message/hwaddr hwaddr :message/client-id client-id
             :message/client-ip nil :message/your-ip ip :message/server-id "10.0.0.1" :message/relay nil
             :message/from-hwaddr "02:00:00:00:00:01" :message/from-ip "10.0.0.1"
             :message/options {:option/prefix 16 :option/routers ["10.0.0.1"] :option/lease-s 3600}}])

(defn- serve
  "What a server says to `m`; `address` (fn [client-id]) -> ip."
  [{:message/keys [type client-id] :as m} address]
  (case type
    :discover (reply :offer m (address client-id))
    :request  (reply :ack m (address client-id))
    nil))

(defn- counted
  "An address of its own for each client identifier."
  []
  (let [known (volatile! {})]
    (fn [client-id]
      (or (@known client-id)
          (let [n (+ 10 (count @known)), ip (str "10.0." (quot n 200) "." (inc (rem n 200)))]
            (vswap! known assoc client-id ip)
            ip)))))

(defn- on-lan
  "Calls (f engine seen until) with an engine whose server gives addresses by `address`. `seen` is
  an atom: :sent messages, :applied [[place ip] ..], :told [[key kind data] ..], :open sockets,
  :most at once in carry-out. (until done?) runs the loop until `done?` of what was seen."
  [address f]
  (let [seen    (atom {:sent [] :applied [] :removed [] :told [] :open 0 :filter nil})
        waiting (ConcurrentLinkedQueue.)
        now     (AtomicInteger.)
        most    (AtomicInteger.)
        done?   (volatile! (constantly false))]
    (with-open [event-loop (EventLoop. (fn [^Throwable e] (.printStackTrace e)))
                bell       (EventFd/create)]
      (let [look!  #(when (@done? @seen) (.stop event-loop))
            note!  (fn [& args] (apply swap! seen args) (look!))
            crew   (work/crew event-loop 4)
            books  (t/temp-dir)
            engine (dhcp/engine
                    {:loop event-loop :note (fn [& _]) :book (str books) :boot-id "b"
                     :random (let [n (volatile! 0)] #(vswap! n inc))
                     :submit (partial work/submit! crew)
                     :told (fn [key kind data] (note! update :told conj [key kind data]))
                     :kernel {:open (fn [_] (note! update :open inc) {:fd (.fd bell) :running? true})
                              :refilter! (fn [_ ips] (note! assoc :filter ips))
                              :receive (fn [_]
                                         (.drain bell)
                                         {:events (into [] (take-while some?) (repeatedly #(.poll waiting))) :more? false})
                              :send! (fn [_ m]
                                       (note! update :sent conj m)
                                       (some->> (serve m address) (.add waiting))
                                       (.signal bell)
                                       true)
                              :arp! (fn [_ _] true)
                              :carry-out! (fn [jobs]
                                            (.accumulateAndGet most (.incrementAndGet now)
                                                               (reify java.util.function.IntBinaryOperator
                                                                 (applyAsInt [_ a b] (max a b))))
                                            (try
                                              (doall (for [{:job/keys [id place] [what a] :job/do} jobs]
                                                       (do (case what
                                                             :apply  (swap! seen update :applied conj [place (:dhcp/ip a)])
                                                             :remove (swap! seen update :removed conj [place a]))
                                                           {:job/id id :job/outcome :done})))
                                              (finally (.decrementAndGet now))))}})]
        (try
          (f engine seen (fn [enough?]
                           (vreset! done? enough?)
                           (let [late (.at event-loop (+ (Clock/boottimeNanos) (long limit-ns)) #(.stop event-loop))]
                             (.post event-loop look!)
                             (.run event-loop)
                             (.cancel event-loop late)
                             (vreset! done? (constantly false)))
                           (is (enough? @seen) "in time")
                           (swap! seen assoc :most (.get most))))
          (finally (t/delete-tree books)))))))

(defn- link [n]
  {:name (str "s" n) :book-name (str "s" n) :title (str "s" n) :port "up0" :link "eth0"
   :hwaddr "02:00:00:00:00:09" :client-id (format "ff%08x" n) :place {:place/index n} :nsid n
   :ipv4 {:method :dhcp} :acd? false :start-delay? false :configured nil})

(defn- of-kind [seen kind] (filter #(= kind (second %)) (:told seen)))

(deftest many-links
  (on-lan (counted)
    (fn [engine seen until]
      (doseq [n (range 300)] (dhcp/begin! engine n (link n)))
      (until #(= 300 (count (of-kind % :bound))))
      (is (= 300 (count (set (map second (:applied @seen))))) "Each has an address of its own.")
      (is (= 1 (:most @seen)) "One thread at a time works in the namespaces.")
      (is (= 1 (:open @seen)) "One socket serves the port.")
      (is (= #{"10.0.0.1"} (:filter @seen)) "Without ACD only the gateway's ARP is seen.")
      (testing "the same name asks for the same address again"
        (let [ip (:ip (last (first (filter #(= 7 (first %)) (of-kind @seen :bound)))))]
          (dhcp/end! engine 7 false)
          (dhcp/begin! engine 7 (link 7))
          (until #(= 301 (count (of-kind % :bound))))
          (let [m (last (:sent @seen))]
            (is (= [:request ip nil] ((juxt :message/type :message/requested-ip :message/server-id) m)) "INIT-REBOOT"))))
      (testing "and gives it back if it was told to"
        (dhcp/end! engine 7 true)
        (is (= :release (:message/type (last (:sent @seen))))))
      (run! #(dhcp/end! engine % false) (range 300))
      (is (nil? (dhcp/row engine 3))))))

(deftest a-server-that-ignores-client-identifiers
  (on-lan (constantly "10.0.0.7")
    (fn [engine seen until]
      (doseq [n (range 5)] (dhcp/begin! engine n (link n)))
      (until #(= 4 (count (of-kind % :refused))))
      (is (= 1 (count (:applied @seen))) "Nothing is configured twice.")
      (is (empty? (filter #{:decline :release} (map :message/type (:sent @seen)))) "The one who has it keeps it.")
      (is (every? #(re-find #"DHCP server 10\.0\.0\.1 gives every link of this port the same address \(10\.0\.0\.7, which s\d has\)"
                            (:says (last %)))
                  (of-kind @seen :refused))))))

(deftest a-declared-address-takes-nothing-from-who-has-it
  (on-lan (counted)
    (fn [engine seen until]
      (dhcp/begin! engine 3 (link 3))
      (dhcp/begin! engine 1 (link 1))
      (until #(= 2 (count (of-kind % :bound))))
      (let [ip  (:dhcp/ip (dhcp/row engine 1))
            has #(count (filter (comp #{ip} second) (:applied %)))]
        (dhcp/begin! engine 2 (assoc (link 2) :ipv4 {:method :static :ip ip :prefix 16}))
        (until #(seq (of-kind % :refused)))
        (is (= 1 (has @seen)) "It is on one link only, also where the kernel would take it twice.")
        (doseq [runs? [false true]]
          (dhcp/kernel-said! engine [{:event/type :link/new :ns/id nil :link/name "up0" :link/running? runs?}]))
        (until #(< 1 (has %)))
        (is (empty? (of-kind @seen :lost)) "The server's word counts for who has it, whoever else wants it.")
        (is (= [:bound ip] ((juxt :dhcp/state :dhcp/ip) (dhcp/row engine 1))))
        (testing "what is known from earlier is claimed, and its ARP seen"
          (dhcp/end! engine 2 false)
          (dhcp/begin! engine 1 (assoc (link 1) :acd? true :configured #{ip}))
          (is (= #{1} (get @(:claims engine) ["up0" ip])))
          (is (contains? (:filter @seen) ip)))))))

(deftest times-of-an-earlier-boot
  (let [written {:kept/boot-id "a" :kept/boot-ms 50000 :kept/epoch-ms 1000000}]
    (is (= 0 (book/moved-by written "a" 70000 1020000)) "the same boot")
    (is (= -640000 (book/moved-by written "b" 10000 1600000)) "ten minutes later")
    (is (= -40000 (book/moved-by written "b" 10000 0)) "A machine without a clock takes no time to have passed.")))

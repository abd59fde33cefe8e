;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.ontapd-fuzz-test
  "Mutated requests: through the codec, and to a running ontapd, with odd descriptors and
  disconnects. Each has an answer of its shape; ontapd goes on, serves others meanwhile,
  and holds afterwards what it held before."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.alloc.protocol :as protocol]
            [ontap.harness.borrowers :as borrowers]
            [ontap.harness.lan :as lan]
            [ontap.harness.mutants :as mutants]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.uml :as uml]
            [ontap.harness.wire :as wire]
            [ontap.testing :as testing-tools])
  (:import (java.nio.charset StandardCharsets)
           (java.util List Random)
           (ontap.sys Fd Io Namespaces NsThread PidFd SysException UnixSockets UnixSockets$Message)))

(set! *warn-on-reflection* true)

(defn- seed! [title]
  (let [seed (or (some-> (System/getenv "ONTAP_TEST_SEED") parse-long) (System/nanoTime))]
    (println (str "ontapd-fuzz-test, " title ": ONTAP_TEST_SEED=" seed))
    seed))

;; --- through the codec

(def ^:private rules-of-a-reader #{:version :size :request :descriptor :type :name :lease})

(defn- fault
  "What is wrong with what is made of the packet, or nil."
  [packet fds]
  (let [{:message/keys [word fields] unreadable :message/fault :as message} (protocol/decode packet)
        {:keys [request refused close?]} (protocol/request message fds)
        {:refusal/keys [rule says]} refused]
    (cond
      (not= (some? unreadable) (nil? word)) "neither a word nor a fault"
      (not= (some? unreadable) (nil? fields)) "neither fields nor a fault"
      (= (some? request) (some? refused)) "not one answer"
      (and refused (not (and (rules-of-a-reader rule) (string? says) (seq says) (not (re-find #"\p{Cntrl}" says))))) "a refusal of another shape"
      (not= (boolean close?) (some? unreadable)) "it closes when it should not"
      (and request (not (#{:attach :leases :release} (:request/verb request)))) "another verb")))

(deftest ^{:slow true :timeout 240 :jdk :floor} a-million-mutated-requests
  (let [seed   (seed! "requests")
        chance (Random. seed)
        counts (int-array 2)]
    (dotimes [k 1000000]
      (let [packet (mutants/packet chance), fds (mutants/one-of chance [0 0 1 1 1 2 3])
            wrong  (try (fault packet fds) (catch Throwable t (str t)))]
        (when wrong
          (is (nil? wrong) (str "seed " seed ", packet " k " with " fds " descriptors: " (pr-str (String. ^bytes packet "ISO-8859-1")))))
        (let [i (if (:request (protocol/request (protocol/decode packet) fds)) 0 1)] (aset counts i (inc (aget counts i))))))
    (is (every? #(< 20000 %) counts) (str "Requests and refusals were met: " (vec counts)))))

;; --- to a running ontapd

(defn- fresh-namespace
  "A network namespace that lives as long as its Fd, and the links in it."
  ^Fd []
  (NsThread/call "fresh" (fn [] (Namespaces/unshare Namespaces/CLONE_NEWNET) (Namespaces/ofThread "net"))))

(def ^:private descriptors
  "What may come with a packet: (fn [t] Fd), opened for it and closed after. Never the
  network namespace of this machine: links would be made there."
  {:namespace (fn [{:keys [^Fd net]}] (.dup net))
   :fresh     (fn [_] (fresh-namespace))
   :own       (fn [{:keys [lan]}] (wire/namespace-of (:host lan) "net"))
   :uts       (fn [_] (Namespaces/ofThread "uts"))
   :null      (fn [_] (wire/open "/dev/null"))
   :folder    (fn [_] (wire/open "/proc/self"))
   :file      (fn [_] (wire/open "/proc/self/status"))
   :pipe      (fn [_] (let [[^Fd a b] (Io/pipe false)] (.close a) b))
   :socket    (fn [_] (let [[^Fd a b] (UnixSockets/pairOfPackets)] (.close a) b))
   :process   (fn [_] (PidFd/open (Io/getpid)))
   :itself    (fn [{:keys [path]}] (wire/connect path))})

(defn- some-descriptors [t ^Random chance]
  (let [often [:namespace :namespace :namespace :fresh]]
    (mapv #((descriptors %) t)
          (repeatedly (mutants/one-of chance [0 0 0 1 1 1 1 2 3])
                      #(mutants/one-of chance (if (.nextBoolean chance) often (vec (keys descriptors))))))))

(defn- packet
  "[bytes descriptors]: one in five is a request as it should be."
  [t ^Random chance]
  (if (zero? (.nextInt chance 5))
    (let [^String text (mutants/one-of chance mutants/well-formed)]
      [(.getBytes text StandardCharsets/UTF_8)
       (if (re-find #"type (mac|ip)vlan" text) [((descriptors (mutants/one-of chance [:namespace :fresh])) t)] [])])
    [(mutants/packet chance) (some-descriptors t chance)]))

(defn- close-all! [fds] (run! #(.close ^Fd %) fds))

(defn- count! [{:keys [counts]} what] (swap! counts update what (fnil inc 0)))

(defn- hear!
  "Takes what is answered within 20 s: true, or nil when the connection has ended."
  [t fd]
  (if (zero? (Io/await fd Io/POLLIN 20000))
    (throw (ex-info "no answer in 20 s" {}))
    (let [^UnixSockets$Message packet (UnixSockets/receive fd 65536 253)
          [_ word] (re-find #"^ontap 1 ([a-z]+)\n" (String. (.data packet) StandardCharsets/UTF_8))]
      (close-all! (.fds packet))
      (count! t (cond (nil? word) :ended (= "refused" word) :refused (seq (.fds packet)) :descriptors :else :ok))
      (some? word))))

(defn- converse!
  "A connection with some packets, some answered before the next one, some never read."
  [{:keys [path] :as t} ^Random chance]
  (with-open [fd (wire/connect path)]
    (try
      (loop [left (inc (.nextInt chance 8))]
        (let [[bytes fds] (packet t chance)
              on? (try (UnixSockets/send fd ^bytes bytes ^List fds)
                       (count! t :sent)
                       (or (zero? (.nextInt chance 3)) (hear! t fd))
                       (finally (close-all! fds)))]
          (when (and on? (pos? left)) (recur (dec left)))))
      ;; ontapd has closed it, or the packet was one that no socket takes
      (catch SysException _ (count! t :ended))
      (catch IllegalArgumentException _ nil))))

(defn- conversations!
  "In this thread, until `packets` were sent, by all."
  [{:keys [counts] :as t} ^Random chance packets]
  (loop [net (fresh-namespace)]
    (if (< (:sent @counts 0) packets)
      (do (converse! (assoc t :net net) chance)
          (if (zero? (.nextInt chance 40))
            (do (.close ^Fd net) (recur (fresh-namespace)))
            (recur net)))
      (.close ^Fd net))))

(defn- well-served
  "Asks for the leases every 50 ms until `stop?`: the milliseconds that each answer took."
  [path stop?]
  (loop [took []]
    (if @stop?
      took
      (let [begin (System/nanoTime)]
        (with-open [fd (wire/connect path)]
          (wire/say fd "ontap 1 leases\n")
          (while (not= "ontap 1 ok" (let [answer (wire/hear fd)] (if (map? answer) (answer "") (throw (ex-info (str answer) {})))))))
        (let [ms (quot (- (System/nanoTime) begin) 1000000)]
          (Thread/sleep 50)
          (recur (conj took ms)))))))

(defn- kinds [pid] (frequencies (map #(str/replace % #"\[\d+\]" "") (vals (process/descriptors pid)))))

(defn- number [pid field] (parse-long (first ((process/status pid) field))))

(defn- release-all! [lan path]
  (doseq [[id _] (ontapd/book lan)]
    (wire/ask path nil (wire/message "release" "id" id))))

(defn- fuzz! [packets threads]
  (lan/needs-root!)
  (uml/build-program!)
  (let [seed (seed! "ontapd")]
    (lan/with-lan [lan]
      (let [before (borrowers/namespaces lan)]
        (ontapd/with-ontapd [daemon lan {:verbosity "info"} "up0"]
          (let [path   (ontapd/socket lan)
                pid    (:pid daemon)
                t      {:lan lan :path path :counts (atom {})}
                rest!  (fn []
                         (testing-tools/wait-for "the end of all leases" 60000
                           #(do (release-all! lan path) (empty? (ontapd/book lan))))
                         (testing-tools/wait-for "quiet" 20000 #(= [] (borrowers/untruths lan before []))))
                _      (conversations! t (Random. (dec (long seed))) 500)
                _      (rest!)
                held   (kinds pid)
                stop?  (atom false)
                served (future (well-served path stop?))
                senders (mapv (fn [i] (future (conversations! t (Random. (+ (long seed) (long i))) (+ 500 packets))))
                              (range threads))]
            (run! deref senders)
            (reset! stop? true)
            (let [took (sort @served)]
              (println "ontapd-fuzz-test:" (pr-str @(:counts t)))
              (println "ontapd-fuzz-test: others were answered" (count took) "times, median" (nth took (quot (count took) 2))
                       "ms, at most" (last took) "ms; peak" (quot (number pid "VmHWM") 1024) "MiB")
              (is (< (last took) 1000) "Others are answered within a second throughout."))
            (rest!)
            (is (= held (testing-tools/wait-for "its descriptors" 20000 #(let [now (kinds pid)] (when (= held now) now))))
                "It holds what it held before.")
            (is (< (number pid "VmHWM") (* 500 1024)) "Its memory is bounded.")
            (is (< (number pid "Threads") 60) "So are its threads.")
            (is (= 0 (ontapd/stop! daemon)) "SIGTERM ends it with 0.")
            (is (not (re-find #"bug|Exception|unable" (lan/said daemon))) (lan/said daemon))
            (is (= [] (borrowers/untruths lan before [])) "Nothing is left.")))))))

(deftest ^{:slow true :timeout 400 :jdk :floor} twenty-thousand-packets (fuzz! 20000 4))

(deftest ^{:long true :timeout 3000} two-hundred-thousand-packets (fuzz! 200000 4))

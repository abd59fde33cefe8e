;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.mutation-test
  "Messages that are cut at every length, and mutated by a generator with a seed: each has an answer of its shape, none throws."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.alloc.protocol :as protocol]
            [ontap.model.spec :as spec])
  (:import (java.io ByteArrayOutputStream)
           (java.util Arrays Random)))

(set! *warn-on-reflection* true)

(def ^:private lease
  #:lease{:id 17 :type "ipvtap" :port "wlp3s0" :name "vm1" :mode "l2" :link "ontap17" :index 1017 :parent 2 :nsid 3
          :netns {:dev 4 :ino 4026532281} :hwaddr "02:00:00:00:00:01" :mtu 1500 :queues 2 :held :holder :keep? false
          :state :held :uid 1000 :pid 4711 :since-epoch-ms 1732290000000 :addresses ["10.0.0.5" "fd00::5"]})

(def ^:private messages
  "One of each kind, as bytes."
  (mapv protocol/encode
        [;; requests first
         (protocol/attach-message #:request{:type "ipvlan" :name "web" :link "eth0" :mode "l2" :setup :slaac :lease :namespace})
         (protocol/attach-message #:request{:type "macvtap" :name "vm-1" :queues 4 :mode "bridge" :lease :holder :keep? true})
         (protocol/attach-message #:request{:type "tap"})
         (protocol/attach-message #:request{:type "ipvlan" :ipv4 {:method :dhcp} :release? true :acd? false :start-delay? false})
         (protocol/attach-message #:request{:type "macvlan" :ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway "10.0.0.1"}})
         protocol/leases-message
         (protocol/release-message 17)
         (protocol/answer-message lease [:tap :tap :lease])
         (protocol/lease-message (merge lease #:dhcp{:ip "10.0.0.5" :prefix 24 :method :dhcp :state :bound :server "10.0.0.1"
                                                     :left-s 3600 :says "no answer"}))
         (protocol/count-message 1)
         (protocol/released-message 17)
         (protocol/refusal-message #:refusal{:rule :policy :says "port é gives alice nothing" :wait? true})]))

;; s/valid? of each of many thousand answers would take most of the time of this test
(def ^:private valid-request? (memoize #(s/valid? ::spec/request %)))

(defn- one-line? [says] (and (string? says) (seq says) (not (re-find #"\p{Cntrl}" says))))

(defn- fault-of-answer
  "What is wrong with the answers to a message, or nil."
  [message fds {:keys [request refused close?]}]
  (cond
    (and request (not (valid-request? request))) "a request of another shape"
    (and request refused) "both a request and a refusal"
    (not (or request refused)) "no answer at all"
    (not= (boolean close?) (boolean (:message/fault message))) "it closes when it should not"
    (and refused (not (one-line? (:refusal/says refused)))) "a sentence that is no line"
    (and refused (not= refused (:refused (protocol/answer :attach (protocol/decode (protocol/encode (protocol/refusal-message refused))) 0))))
    "a refusal that does not come back"
    :else
    (some (fn [verb]
            (let [{:keys [fault] :as answer} (protocol/answer verb message fds)]
              (cond (not (map? answer)) "a client gets no answer"
                    (and (contains? answer :fault) (not (one-line? fault))) "a client's sentence is no line")))
          [:attach :leases :release])))

(defn- judged
  "[what is wrong with the answers to a packet, or nil; :requests, :refusals or :closed]."
  [^bytes packet fds]
  (let [message (protocol/decode packet)
        {:keys [request close?] :as answer} (protocol/request message fds)]
    [(fault-of-answer message fds answer) (cond request :requests close? :closed :else :refusals)]))

(deftest a-message-cut-anywhere-has-an-answer
  (doseq [^bytes whole messages
          n (range (inc (alength whole)))
          :let [cut (Arrays/copyOf whole (int n))]]
    (is (nil? (first (judged cut 0))) (pr-str (String. cut "UTF-8")))
    (when (and (pos? n) (< n (alength whole)) (not= 10 (aget whole (dec n))))
      (is (:message/fault (protocol/decode cut)) "What does not end at the end of a line cannot be read."))))

;; --- mutations

(def ^:private pieces
  "What is put into a message here and there."
  (mapv #(.getBytes ^String % "UTF-8")
        ["\n" " " "\n\n" "\u0000" "ontap 1 attach\n" "ontap 2 " "type tap\n" "type " "keep yes\n" "id 0\n" "fds tap\n" "*" "é" "😀"
         "99999999999999999999" "-" "\r\n" "\u009b" "name web\n" "lease holder\n" "queues 64\n" "mode l3s\n"]))

(def ^:private lines-of-requests
  "Lines of which some make a request, some spoil it."
  ["type ipvlan" "type macvlan" "type ipvtap" "type macvtap" "type tap" "type veth" "name web" "name -" "queues 1" "queues 64" "queues 65"
   "link eth0" "link lo" "link a/b" "mode l2" "mode bridge" "mode l4" "setup slaac" "setup none" "lease namespace" "lease holder"
   "keep yes" "keep no" "keep maybe" "id 1" "id 0" "nmae web" "port eth0"])

(defn- joined ^bytes [& parts]
  (let [out (ByteArrayOutputStream.)]
    (doseq [^bytes part parts] (.writeBytes out part))
    (.toByteArray out)))

(defn- another-line
  "The message with a line put in, replaced, doubled or left out."
  ^bytes [^Random random ^bytes bs]
  (let [lines (str/split-lines (String. bs "UTF-8"))
        i (inc (.nextInt random (max 1 (count lines))))
        line (nth lines-of-requests (.nextInt random (count lines-of-requests)))
        [before after] (split-at i lines)
        lines (case (.nextInt random 4)
                0 (concat before [line] after)
                1 (concat before [line] (rest after))
                2 (concat before (take 1 after) after)
                3 (concat before (rest after)))]
    (.getBytes ^String (apply str (map #(str % "\n") lines)) "UTF-8")))

(defn- part ^bytes [^bytes bs from to] (Arrays/copyOfRange bs (int from) (int to)))

(defn- mutated
  "`bs` with one thing about it changed, by `random`."
  ^bytes [^Random random ^bytes bs]
  (let [n (alength bs)
        i (.nextInt random (inc n))
        j (+ i (.nextInt random (inc (- n i))))]
    (case (.nextInt random 30)
      0 (let [copy (aclone bs)]
          (when (pos? n) (let [at (.nextInt random n)] (aset-byte copy at (unchecked-byte (bit-flip (aget copy at) (.nextInt random 8))))))
          copy)
      1 (let [copy (aclone bs)] (when (pos? n) (aset-byte copy (.nextInt random n) (unchecked-byte (.nextInt random 256)))) copy)
      2 (joined (part bs 0 i) (part bs j n))
      3 (joined (part bs 0 j) (part bs i n))
      4 (joined (part bs 0 i) (nth pieces (.nextInt random (count pieces))) (part bs i n))
      5 (let [^bytes other (nth messages (.nextInt random (count messages)))]
          (joined (part bs 0 i) (part other (.nextInt random (alength other)) (alength other))))
      6 (part bs 0 i)
      7 (joined bs (nth messages (.nextInt random (count messages))))
      8 (joined (part bs 0 i) (byte-array (.nextInt random 16) (unchecked-byte (.nextInt random 256))) (part bs i n))
      9 (joined (part bs 0 i) (byte-array (.nextInt random 4200) (byte 97)) (part bs i n))
      (another-line random bs))))

(defn- mutants
  "How many answers there were to `n` packets out of `seed`: {:requests :refusals :closed}; the first bad one is a failure."
  [seed n]
  (let [random (Random. seed)]
    (loop [k 0, counted {}]
      (if (= k n)
        counted
        (let [packet (loop [bs (nth messages (.nextInt random (if (.nextBoolean random) 5 (count messages))))
                                more (.nextInt random 3)]
                       (if (neg? more) bs (recur (mutated random bs) (dec more))))
              fds (if (zero? (.nextInt random 8)) 2 (.nextInt random 2))
              [fault kind] (try (judged packet fds) (catch Throwable t [(str t)]))]
          (if fault
            (is (nil? fault) (str "seed " seed ", packet " k " with " fds " descriptors: " (pr-str (String. ^bytes packet "ISO-8859-1"))))
            (recur (inc k) (update counted kind (fnil inc 0)))))))))

(deftest mutated-messages-have-an-answer
  (let [seed 20261122
        {:keys [requests refusals closed] :as counted} (mutants seed 100000)]
    (is (every? #(and % (< 1000 %)) [requests refusals closed])
        (str "All three kinds of answers were met: " counted))))

(deftest ^:long ^{:timeout 900} ten-times-as-many-mutated-messages
  (let [seed (System/nanoTime)]
    (is (map? (mutants seed 1000000)) (str "seed " seed))))

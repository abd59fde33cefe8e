;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mdns-world
  "A link with a clock of its own, on which machines of `ontap.model.mdns` hear one another, and a test hears them all: packets are
  lost, late and out of order as a seed has it.

  A world: {:now ms :seed long :machines {key {:state s :ip {family text}}} :net sorted-map of [at n] -> [key packet]
            :loss percent :late [low high] ms :log [{:at :by :family :to :message}] :effects [[at key effect]]}."
  (:require [clojure.test :as t]
            [ontap.model.chance :as chance]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]))

(set! *warn-on-reflection* true)

(defn world
  "Nobody is there yet."
  [seed]
  {:now 1000000 :seed seed :n 0 :machines {} :net (sorted-map) :loss 0 :late [0 0] :log [] :effects [] :wrong []})

(defn draw
  "[n world']"
  [w low high]
  (let [[n seed] (chance/between (:seed w) low high)] [n (assoc w :seed seed)]))

(defn- packet [ip family message multicast? own?]
  {:event/type :packet :packet/message message :packet/ip ip :packet/port 5353 :packet/family family
   :packet/multicast? multicast? :packet/on-link? true :packet/own? own?})

(defn carry
  "The packet event reaches the machine `key`, perhaps, some time."
  [{:keys [loss late now n] :as w} key event]
  (let [[lost w] (draw w 1 100)
        [ms w]   (draw w (first late) (second late))]
    (if (<= lost loss)
      w
      (-> w (update :n inc) (assoc-in [:net [(+ now ms) n]] [key event])))))

(defn- sent [w key {:send/keys [to families message]}]
  (let [from (get-in w [:machines key :ip])]
    (if (= :multicast to)
      (reduce (fn [w family]
                (reduce (fn [w other]
                          (carry w other (packet (get from family) family message true (= key other))))
                        (update w :log conj {:at (:now w) :by key :family family :to :multicast :message message})
                        (sort (keys (:machines w)))))
              w (sort families))
      (let [[other family] (first (for [[k {:keys [ip]}] (:machines w), [f text] ip :when (= text (:ip to))] [k f]))
            w (update w :log conj {:at (:now w) :by key :family family :to to :message message})]
        (if (and other (= 5353 (:port to)))
          (carry w other (packet (get from family) family message false false))
          w)))))

(defn give
  "The machine `key` gets the event."
  [w key event]
  (let [[seed w] (draw w 0 Integer/MAX_VALUE)
        now (:now w)
        {:mdns/keys [state effects]} (mdns/step (get-in w [:machines key :state]) event now seed)
        due (mdns/due state)
        w (cond-> (assoc-in w [:machines key :state] state)
            (and due (= :time (:event/type event)) (<= due now)) (update :wrong conj [now key :due-in-the-past due]))]
    (reduce (fn [w e]
              (let [w (update w :effects conj [now key e])]
                (if (= :send (:effect/type e)) (sent w key e) w)))
            w effects)))

(defn join
  "A machine comes, on a link that is down, of which nothing is wanted."
  ([w key] (join w key nil))
  ([w key saved]
   (let [n (+ 1 (count (:machines w)))]
     (assoc-in w [:machines key] {:state (mdns/machine {:machine/saved saved})
                                  :ip {:ipv4 (str "10.0.9." n) :ipv6 (str "fe80::9:" n)}}))))

(defn up [w key] (give w key {:event/type :link :link/families #{:ipv4 :ipv6}}))
(defn down [w key] (give w key {:event/type :link :link/families #{}}))
(defn want [w key wanted] (give w key {:event/type :wanted :mdns/wanted wanted}))

(defn- next-time [w]
  (reduce (fn [m t] (cond (nil? t) m (nil? m) t :else (min m t)))
          (ffirst (keys (:net w))) (map (comp mdns/due :state) (vals (:machines w)))))

(defn- once [w]
  (let [now (:now w)]
    (if-let [[[at :as k] [key event]] (first (:net w))]
      (if (<= at now)
        (give (update w :net dissoc k) key event)
        (reduce (fn [w key] (if (some-> (mdns/due (get-in w [:machines key :state])) (<= now)) (reduced (give w key {:event/type :time})) w))
                w (keys (:machines w))))
      (reduce (fn [w key] (if (some-> (mdns/due (get-in w [:machines key :state])) (<= now)) (reduced (give w key {:event/type :time})) w))
              w (keys (:machines w))))))

(defn advance
  "`ms` go by."
  [w ms]
  (let [end (+ (:now w) ms)]
    (loop [w w, n 0]
      (let [t (next-time w)]
        (cond
          (or (nil? t) (< end t)) (assoc w :now end)
          (< 1000000 n)           (update w :wrong conj [(:now w) :endless])
          :else                   (recur (once (update w :now max t)) (inc n)))))))

(defn say
  "A stranger at `ip` sends `message` to everybody; it reaches all now."
  [w ip message]
  (reduce (fn [w key] (give w key (packet ip :ipv4 message true false))) w (sort (keys (:machines w)))))

(defn hosts [w key] (mdns/hosts (get-in w [:machines key :state])))

(defn state [w key] (get-in w [:machines key :state]))

;; --- what was said, to read

(defn shown-record [{:mdns/keys [ttl flush?] :as r}]
  (str (record/shown r) (when (zero? ttl) " goodbye") (when flush? " flush")))

(defn shown
  "{:at ms since `from` :q|:r …} of a message in the log."
  [from {:keys [at by family to message]}]
  (let [{:message/keys [response? questions answers authorities additionals]} message]
    (cond-> {:at (- at from) :by by :family family}
      (not= :multicast to)  (assoc :to to)
      (seq questions)       (assoc :questions (mapv (fn [q] (str (mdns-name/text (:mdns/name q)) " " (:mdns/type q) (when (:mdns/unicast? q) " QU"))) questions))
      (seq answers)         (assoc :answers (mapv shown-record answers))
      (seq authorities)     (assoc :authorities (mapv shown-record authorities))
      (seq additionals)     (assoc :additionals (mapv shown-record additionals))
      response?             (assoc :response true))))

(defn heard
  "The log from `from` on, as texts, of one family."
  ([w] (heard w 1000000))
  ([w from] (into [] (comp (filter #(and (<= from (:at %)) (= :ipv4 (:family %)))) (map #(dissoc (shown from %) :family))) (:log w))))

(defn host
  "A host that is wanted: {label it}."
  [label addresses & services]
  {label {:host/label label :host/addresses (vec addresses) :host/services (vec services)}})

(defn service [type port instance & subtypes]
  {:service/type type :service/port port :service/txt ["path=/"] :service/subtypes (vec subtypes) :service/instance instance})

(defn response [& records] {:message/response? true :message/authoritative? true :message/answers (vec records)})

(defn right?
  "Nothing went wrong by itself."
  [w]
  (t/is (= [] (:wrong w))))

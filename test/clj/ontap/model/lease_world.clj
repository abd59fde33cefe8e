;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-world
  "A small world for leases, pure: one machine with links that share a hardware address, a
  LAN that loses, delays and doubles, DHCP servers good and bad, other hosts. It carries the
  effects of `ontap.model.lease` out as a shell and a kernel would, and writes down under
  :wrong what should not be.

  A world: :now (true time, ms), :skew (of the machine's clock), :awake? :carrier?, :seed,
  :loss (how many of a hundred frames are lost, and doubled; nil: none), :queue [at n] -> thing, :links name ->
  link, :servers id -> server, :others ip -> hwaddr, :cells set of [state event] and [state
  due what] that were used, :wrong.

  A link: :state, :on {ip prefix} what is on it, :disk, :acked ip -> when it ends in true time,
  :bound (the ip that was told), :discovered (its clock). A server: :up? :ids? (does it
  look at client identifiers?) :echo? :bold? (does it deny what it does not know?) :lease-s
  :leases client -> {:ip :until} :declined ip -> until."
  (:require [clojure.set :as set]
            [ontap.model.chance :as chance]
            [ontap.model.lease :as lease]))

(set! *warn-on-reflection* true)

(def mac "Of every link." "02:00:00:00:00:01")
(def gateway "Of the LAN." "10.0.0.1")
(def gateway-mac "Of the gateway." "02:00:00:00:00:77")
(def pool "What servers give." (mapv #(str "10.0.0." %) (range 100 124)))

(defn wrong [w & words] (update w :wrong conj (apply str (:now w) " ms: " words)))

(defn roll
  "[n world]: a number from 0 to `most`."
  [w most]
  (let [[n seed] (chance/between (:seed w) 0 most)] [n (assoc w :seed seed)]))

(defn- enqueue [w at thing] (-> w (assoc-in [:queue [at (:n w)]] thing) (update :n inc)))

(defn- over-the-lan
  "Has `thing` arrive, now and then twice or never."
  [w thing]
  (let [[luck w]  (roll w 99)
        [delay w] (roll w 700)
        lossy?    (:loss w)
        at        (+ (:now w) 1 (if lossy? delay (mod delay 5)))]
    (cond
      (and lossy? (< luck (:loss w)))       w
      (and lossy? (< luck (* 2 (:loss w)))) (-> w (enqueue at thing) (enqueue (+ at 50) thing))
      :else                                 (enqueue w at thing))))

(defn clock "The machine's." [w] (+ (:now w) (:skew w)))

(defn claims "name -> address." [w]
  (into {} (keep (fn [[n l]] (when-let [ip (some-> (:state l) lease/claim)] [n ip]))) (:links w)))

(defn- sibling [w name ip]
  (when ip (some (fn [[n claimed]] (when (and (= ip claimed) (not= n name)) n)) (claims w))))

;; --- servers

(defn- key-of [{:keys [ids?]} {:message/keys [client-id hwaddr]}] (if ids? client-id hwaddr))

(defn- free? [{:keys [leases declined]} now who ip]
  (and (not (some (fn [[k l]] (and (= ip (:ip l)) (not= k who) (< now (:until l)))) leases))
       (not (< now (get declined ip 0)))))

(defn- choose [{:keys [leases] :as server} now who wish]
  (or (let [ip (get-in leases [who :ip])] (when (and ip (free? server now who ip)) ip))
      (when (and wish (some #{wish} pool) (free? server now who wish)) wish)
      (first (filter #(free? server now who %) pool))))

(defn- reply [w id name m type ip]
  (let [{:keys [echo? lease-s]} (get-in w [:servers id])]
    (over-the-lan w [:message name
                     {:message/type type :message/xid (:message/xid m) :message/hwaddr (:message/hwaddr m)
                      :message/client-id (when echo? (:message/client-id m)) :message/your-ip (when (not= :nak type) ip)
                      :message/server-id id :message/from-hwaddr (str "02:00:00:00:01:" (subs id 7)) :message/from-ip id
                      :message/options (if (= :nak type)
                                         {}
                                         {:option/prefix 24 :option/routers [gateway] :option/lease-s lease-s})}
                     (when (= :ack type) (if (= :infinite lease-s) ##Inf (+ (:now w) (* 1000 lease-s))))])))

(defn- promise-lease [w id who ip]
  (let [s (get-in w [:servers id :lease-s])]
    (assoc-in w [:servers id :leases who] {:ip ip :until (if (= :infinite s) ##Inf (+ (:now w) (* 1000 s)))})))

(defn- serve [{:keys [now] :as w} id name {:message/keys [type requested-ip server-id client-ip] :as m}]
  (let [{:keys [up? leases bold?] :as server} (get-in w [:servers id])
        who   (key-of server m)
        has   (get-in leases [who :ip])
        ack   (fn [ip] (-> w (promise-lease id who ip) (reply id name m :ack ip)))
        deny  (fn [] (reply w id name m :nak nil))
        mine? (fn [ip] (and (= ip has) (free? server now who ip)))]
    (cond
      (not up?) w
      (= :discover type) (if-let [ip (choose server now who requested-ip)] (reply w id name m :offer ip) w)
      (= :decline type)  (if (= id server-id)
                           (-> w (assoc-in [:servers id :declined requested-ip] (+ now 300000))
                               (update-in [:servers id :leases] dissoc who))
                           w)
      (= :release type)  (if (= id server-id) (update-in w [:servers id :leases] dissoc who) w)
      server-id          (cond (not= id server-id) w
                               (and (some #{requested-ip} pool) (free? server now who requested-ip)) (ack requested-ip)
                               :else (deny))
      :else (let [ip (or requested-ip client-ip)]
              (cond (mine? ip)              (ack ip)
                    (or (some? has) bold?)  (deny)
                    :else                   w)))))

;; --- effects

(declare tell)

(defn- hears
  "ARP frame `a` reaches links other than its sender that watch its addresses."
  [w sender a]
  (reduce (fn [w [n l]]
            (if (and (not= n sender) (:state l)
                     (seq (set/intersection (lease/watched (:state l)) (hash-set (:arp/sender-ip a) (:arp/target-ip a)))))
              (over-the-lan w [:arp n a])
              w))
          w (:links w)))

(defn- frame [op ip hwaddr target outgoing?]
  {:arp/op op :arp/sender-ip ip :arp/sender-hwaddr hwaddr :arp/target-ip target :arp/outgoing? outgoing?})

(defn- arp-sent [w name {:arp/keys [sender-ip target-ip]}]
  (let [w (hears w name (frame :request sender-ip mac target-ip true))]
    (cond
      (not (:carrier? w))             w
      (get-in w [:others target-ip])  (over-the-lan w [:arp name (frame :reply target-ip (get-in w [:others target-ip]) nil false)])
      (= gateway target-ip)           (over-the-lan w [:arp name (frame :reply gateway gateway-mac sender-ip false)])
      :else w)))

(defn- sent [w name {:message/keys [type to requested-ip client-ip] :as m}]
  (let [ip  (or client-ip requested-ip)
        now (clock w)
        w   (cond-> w
              (and (#{:decline :release} type) (sibling w name ip))
              (wrong name " sends " type " of " ip ", which " (sibling w name ip) " has")
              (some-> (when (= :discover type) (get-in w [:links name :discovered])) (+ 1000) (> now))
              (wrong name " sends two DISCOVER within " (- now (get-in w [:links name :discovered])) " ms")
              (= :discover type) (assoc-in [:links name :discovered] now)
              (not= (get-in w [:links name :state :dhcp/hwaddr]) (:message/hwaddr m)) (wrong name " sends as another"))]
    (if (:carrier? w)
      (reduce #(over-the-lan %1 [:serve %2 name m]) w (if to (filter #{(:ip to)} (keys (:servers w))) (keys (:servers w))))
      w)))

(defn- set-address [w name {:dhcp/keys [ip prefix valid-until]}]
  (let [{:keys [acked disk static? gone?]} (get-in w [:links name])
        taken? (some (fn [[n l]] (and (not= n name) (contains? (:on l) ip))) (:links w))
        until  (get acked ip 0)
        [luck w] (roll w 99)
        [delay w] (roll w 1500)
        luck   (if (:failing? w) luck 50)
        luck   (if gone? 99 luck)
        news   (cond (= luck 99) [:not-applied ip :gone "the link is gone"]
                     taken?      [:not-applied ip :in-use "another link has it"]
                     (< luck 4)  [:not-applied ip :kernel "no memory"]
                     :else       [:applied ip])
        w (cond-> w
            (and (not static?) (< (+ until 1000) (:now w)))  (wrong name " uses " ip ", promised until " until)
            (and (not static?) (not= ip (:dhcp/ip disk)))    (wrong name " uses " ip " and has not written it down")
            (and valid-until (<= valid-until (clock w)))     (wrong name " sets an address that is over"))]
    (-> (cond (= :applied (first news)) (assoc-in w [:links name :on ip] prefix)
              (= :gone (nth news 2))    (update-in w [:links name] assoc :on {} :gone? true)
              :else                     w)
        (enqueue (+ (:now w) 1 delay) [:event name news (get-in w [:links name :life])]))))

(defn- happened [w name kind {:keys [ip says]}]
  (let [bound (get-in w [:links name :bound])
        w     (if (and (string? says) (seq says)) w (wrong name " " kind " says nothing"))]
    (case kind
      :bound (-> (if bound (wrong w name " is bound to " ip " and was to " bound) w) (assoc-in [:links name :bound] ip))
      :lost  (-> (if (= ip bound) w (wrong w name " lost " ip ", which it had not")) (assoc-in [:links name :bound] nil))
      (:changed :conflict :refused :unanswered) w
      (wrong w name " " kind " is no event"))))

(defn- carry-out [w name [kind a b :as effect]]
  (case kind
    :send   (sent w name a)
    :arp    (arp-sent w name a)
    :apply  (set-address w name a)
    :remove (let [there (get-in w [:links name :on a])]
              ;; one that could not be set is not there
              (cond-> (update-in w [:links name :on] dissoc a)
                (and there (not= there b)) (wrong name " removes " a "/" b ", which is /" there)))
    :save   (assoc-in w [:links name :disk] a)
    :unsave (assoc-in w [:links name :disk] nil)
    :note   (if (and (#{:info :warning :error} a) (string? b)) w (wrong w name " notes " effect))
    :event  (happened w name a b)
    (wrong w name " asks for " effect)))

;; --- steps

(defn- judge
  "What holds after every step."
  [w name fx]
  (let [{:keys [state on static?]} (get-in w [:links name])
        deadline (lease/deadline state)
        ours     (:dhcp/ip (:dhcp/applied state))
        twice    (keep (fn [[c n]] (when (< 1 n) c)) (frequencies (vals (claims (update w :links #(into {} (remove (comp :static? val)) %))))))]
    (cond-> w
      (and deadline (<= deadline (clock w)))                  (wrong name " has something due that was not done: " (:dhcp/due state))
      (and deadline (= :stopped (:dhcp/state state)))         (wrong name " is stopped and waits")
      (not= (count fx) (count (distinct fx)))                 (wrong name " has the same effect twice: " fx)
      (not (set/subset? (set (keys on)) (set [ours])))        (wrong name " left " (keys on) " on the link, uses " ours)
      (seq twice)                                             (wrong "two links claim " (first twice))
      (and (seq on) (not static?) (some-> (:dhcp/valid-until (:dhcp/lease state)) (<= (clock w))))
      (wrong name " has an address that is over")
      (and (seq on) (not (lease/claim state)) (not= :stopped (:dhcp/state state))) (wrong name " has an address that it does not claim"))))

(defn tell
  "The world after link `name` was told `event`. A machine that sleeps hears nothing."
  [w name event]
  (let [before (get-in w [:links name :state])]
    (if-not (and before (:awake? w))
      w
      (let [now     (clock w)
            [s fx]  (lease/step before event now)
            due     (for [[what at] (:dhcp/due before) :when (<= at now)] [(:dhcp/state before) :due what])]
        (-> (reduce #(carry-out %1 name %2)
                    (-> w (assoc-in [:links name :state] s)
                        (update :cells into due)
                        (update :cells conj [(:dhcp/state before) (first event)] [(:dhcp/state s)]))
                    fx)
            (judge name fx))))))

(defn- arrive [w [kind a b c]]
  (case kind
    :serve   (serve w a b c)
    :message (if-not (and (:awake? w) (:carrier? w) (get-in w [:links a :state]))
               w
               (let [other (sibling w a (:message/your-ip b))
                     w     (if (and c (= (:message/xid b) (lease/xid (get-in w [:links a :state]))))
                             (assoc-in w [:links a :acked (:message/your-ip b)] c)
                             w)]
                 (tell w a [:message (cond-> b other (assoc :message/sibling other))])))
    :arp     (if (or (:carrier? w) (:arp/outgoing? b))
               (let [other (sibling w a (:arp/sender-ip b))]
                 (tell w a [:arp (cond-> b other (assoc :arp/sibling other))]))
               w)
    ;; what the kernel has to say waits for the machine
    :event   (cond (not= c (get-in w [:links a :life])) w
                   (:awake? w) (tell w a b)
                   :else (enqueue w (+ (:now w) 1000) [kind a b c]))))

(defn- next-tick
  "[true-time name] of the first link that wants a tick, or nil."
  [w]
  (when (:awake? w)
    (reduce (fn [best [n {:keys [state]}]]
              (if-let [at (some-> state lease/deadline)]
                (let [at (max (:now w) (- at (:skew w)))]
                  (if (or (nil? best) (< at (long (first best)))) [at n] best))
                best))
            nil (:links w))))

(defn advance
  "The world at true time `until`, or when it is wrong."
  [w until]
  (loop [w w]
    (let [[at n] (next-tick w)
          [[due _ :as k] thing] (first (:queue w))]
      (cond
        (seq (:wrong w)) w
        (and due (<= due until) (or (nil? at) (<= due at))) (recur (-> w (assoc :now (max due (:now w))) (update :queue dissoc k) (arrive thing)))
        (and at (<= at until)) (recur (-> w (assoc :now at) (tell n [:tick])))
        :else (assoc w :now (max until (:now w)))))))

;; --- links come and go

(defn born
  "The world after link `name` began, on a daemon that knows only what is on disk and on the link."
  [w name]
  (let [{:keys [disk on given]} (get-in w [:links name])
        saved (when-not (sibling w name (:dhcp/ip disk)) disk)
        [seed w] (roll w 1000000000)
        state (lease/client (merge {:dhcp/name name :dhcp/hwaddr mac :dhcp/client-id (str "ff" name) :dhcp/seed seed
                                    :dhcp/saved saved :dhcp/configured (first (keys on))}
                                   given))]
    (-> w (update-in [:links name] assoc :state state :bound nil :discovered nil :gone? false)
        (update-in [:links name :life] (fnil inc 0))
        (cond-> (not (:carrier? w)) (tell name [:carrier false]))
        (tell name [:start]))))

(defn world
  "A world with `links`, name -> what `lease/client` is given beside the usual, and servers, id ->
  what is not usual with them."
  [seed links servers]
  {:now 1000000 :skew 0 :awake? true :carrier? true :seed seed :loss nil :n 0 :queue (sorted-map) :others {} :cells #{} :wrong []
   :links (into (sorted-map) (map (fn [[n given]] [n {:given given :static? (some? (:dhcp/static given)) :on {}}])) links)
   :servers (into (sorted-map) (map (fn [[id s]] [id (merge {:up? true :ids? true :echo? true :bold? true :lease-s 3600 :leases {} :declined {}} s)])) servers)})

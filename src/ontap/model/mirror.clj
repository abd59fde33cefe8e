;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mirror
  "Which addresses a guest has, from the frames seen on its ipvtap link. Pure.

  Such a link hands the guest only what is sent to an address configured on the link
  itself, so the guest's addresses are mirrored onto it. All guests of a port share one
  hardware address; the direction of a frame tells who sent it, and nothing else does.

  `step` takes the state, an event and the time (CLOCK_BOOTTIME, ms) and gives the next
  state and the effects. `events` lists the events. Effects, in order:
    [:add ip prefix why]   put the address on the link; answered by :lost if it cannot be
    [:remove ip why]       take it off
    [:note level text]     tell a person; the text has no subject but \"the guest\"
    [:timer at]            send :tick at that time (nil: never); the last word counts

  What is learnt: the sender of the guest's ARP that is no probe; the target of its
  duplicate address detection and of its advertisements, the source of its other
  solicitations; what a DHCP server gives for a transaction that the guest began.

  What is forgotten: the address not confirmed for longest, when there are more than
  `most`; one that was asked for three times over three seconds while the guest showed no
  sign of it; one whose DHCP lease ran out, or that the guest gave back or was denied; one
  that another host answers for while the guest still probes it. Being asked for an
  address that is not mirrored, the guest answers, and it is learnt again: a question for
  an unknown address is broadcast, and reaches every guest.

  Whose addresses are refused: those in :mirror/refused, and what is no unicast address.
  A guest that changes its mind all the time costs at most `changes-most` additions in
  `changes-ms`, and a few notes an hour. An unanswered question counts only when its
  asker is one that a guest would answer; a sibling can still send questions the guest
  has reasons of its own to ignore, and so take over an address that the guest holds but
  never speaks from."
  (:require [ontap.model.address :as address]))

(def events
  "Every event by its :seen/kind. From frames (:seen/from :guest or :lan), with
  :seen/hwaddr, whose the address is said to be:
    :arp-announce :arp-reply :na    :seen/ip, the address the sender says it has
    :arp-request :ns                the same, and :seen/target, the one it asks for
    :arp-probe :dad                 :seen/target
    :dhcp-discover                  :seen/xid, :seen/client when it tells one
    :dhcp-request                   the same, and :seen/ip when it wants that one
    :dhcp-release :dhcp-decline     the same, and :seen/ip
    :dhcp-offer :dhcp-ack           the same, and :seen/seconds (none: for ever),
                                    :seen/prefix when they are told
    :dhcp-nak                       :seen/xid, :seen/client
  From whoever carries out the effects:
    :tick                           the time that :timer asked for has come
    :lost                           :seen/ip is not on the link: it could not be added,
                                    or somebody took it off; :seen/reason, a phrase
    :refuse                         :seen/ips, the new :mirror/refused"
  #{:arp-announce :arp-reply :arp-request :arp-probe :ns :na :dad
    :dhcp-discover :dhcp-request :dhcp-release :dhcp-decline :dhcp-offer :dhcp-ack :dhcp-nak
    :tick :lost :refuse})

(def most "Addresses mirrored at most." 16)
(def changes-most "Additions, and removals that make room, in `changes-ms` at most." 20)
(def changes-ms "See `changes-most`." 10000)
(def silence-ms "How long an address is asked for, at least, before silence removes it." 3000)

(def ^:private questions "How many of them." 3)
(def ^:private answer-ms "What the guest has for its answer to the last one." 1000)
(def ^:private probing-ms "Duplicate address detection takes no longer (RFC 4862: 1 s a probe)." 3000)
(def ^:private offer-ms "How long an offer waits for the client's request." 30000)
(def ^:private offers-most "Offers taken up at one time, so that forged ones push nothing out." 2)
(def ^:private armed-ms "How long a server may take." 120000)
(def ^:private armed-most "Transactions at one time." 4)
(def ^:private lost-ms "When an address that could not be added may be tried again." 5000)
(def ^:private noted-ms "A note is not repeated for so long." 3600000)
(def ^:private noted-most "Different notes in that time." 8)

;; --- building blocks: each gives the state

(defn- effect [s & fx] (update s :mirror/effects into fx))

(defn- note
  "Tells `text`, once for `what` in an hour, and a few things only."
  [s what level text now]
  (let [noted (into {} (remove #(<= (+ (val %) noted-ms) now)) (:mirror/noted s))
        tell  (fn [what level text]
                (-> s (assoc :mirror/noted (assoc noted what now)) (effect [:note level text])))]
    (cond
      (contains? noted what)       s
      (< (count noted) noted-most) (tell what level text)
      (contains? noted :more)      s
      :else (tell :more :warning "the guest gives more reason for such notes; no more of them for an hour"))))

(defn- changed [s now]
  (update s :mirror/changes #(conj (into [] (remove (fn [at] (<= (+ at changes-ms) now))) %) now)))

(defn- forget
  "Takes `ip` off the link, if it is there, or out of those that wait."
  [s ip why now]
  (if (get-in s [:mirror/held ip])
    (-> s (update :mirror/held dissoc ip) (changed now) (effect [:remove ip why]))
    (update s :mirror/waiting dissoc ip)))

(defn- refused
  "Why `ip` is not to be mirrored, words after \"is\", or nil."
  [s ip prefix]
  (cond
    (contains? (:mirror/refused s) ip) "the gateway's, this machine's or another lease's"
    (nil? (address/family ip))         "no address"
    :else (or (address/host-fault ip (if (= 4 (address/family ip)) 32 128))
              (when prefix (address/host-fault ip prefix)))))

(defn- refuse [s ip why now]
  (note s ip :warning (str "the guest claims " ip ", which is " why
                           ": it will not get what is sent there") now))

(defn- claim
  "The guest has `ip`: a sign of life of an address that is known, or one more that
  waits to be added (`admit`). `more`: keys for it, nil values of which are dropped."
  [s ip more why now]
  (let [s    (update s :mirror/signs inc)
        more (assoc more :sign (:mirror/signs s))
        with (fn [e] (into {} (remove (comp nil? val))
                           (merge (dissoc e :asked :asked-at :doubt) more)))]
    (cond
      (get-in s [:mirror/held ip])    (update-in s [:mirror/held ip] with)
      (get-in s [:mirror/waiting ip]) (update-in s [:mirror/waiting ip] with)
      :else (if-let [fault (refused s ip (:prefix more))]
              (refuse s ip fault now)
              (assoc-in s [:mirror/waiting ip] (with {:why why}))))))

(defn- foreign?
  "Does the guest speak with another hardware address than its link's?"
  [s {:seen/keys [hwaddr]}]
  (and (:mirror/hwaddr s) hwaddr (not= hwaddr (:mirror/hwaddr s))))

(defn- oldest [entries] (key (apply min-key (comp :sign val) entries)))

;; --- DHCP: an answer counts for a transaction the guest began, whoever shares its MAC

(defn- arm [s {:seen/keys [xid client ip]} now]
  (let [armed (into {} (filter #(< now (:until (val %)))) (:mirror/armed s))
        armed (if (and (<= armed-most (count armed)) (not (armed xid)))
                (dissoc armed (key (apply min-key (comp :until val) armed)))
                armed)]
    (assoc s :mirror/armed (assoc armed xid {:until (+ now armed-ms) :client client :ip ip}))))

(defn- armed
  "What the guest asked in the transaction that `event` answers, or nil."
  [s {:seen/keys [xid client]} now]
  (when-let [asked (get-in s [:mirror/armed xid])]
    (when (and (< now (:until asked))
               ;; a server need not repeat the client's identifier (RFC 6842 is young)
               (or (nil? client) (nil? (:client asked)) (= client (:client asked))))
      asked)))

(defn- requested
  "The client has chosen: what others offered is not for it."
  [s {:seen/keys [ip] :as event} now]
  (let [s (arm s event now)]
    (reduce (fn [s [other e]]
              (if (and (:offered e) ip (not= ip other)) (forget s other "the guest did not take the offer" now) s))
            s (concat (:mirror/held s) (:mirror/waiting s)))))

(defn- acknowledged [s {:seen/keys [xid ip prefix seconds]} now]
  (-> (update s :mirror/armed dissoc xid)
      (claim ip {:expires (when seconds (+ now (* 1000 seconds))) :prefix prefix :offered nil} "given by DHCP" now)))

(defn- offered
  "Taken up before the client asks for it: a server may send its offer, and then the
  acknowledgement, to the address it gives, which only a mirrored one receives."
  [s {:seen/keys [ip prefix]} now]
  (if (or (get-in s [:mirror/held ip]) (get-in s [:mirror/waiting ip])
          (<= offers-most (count (filter (comp :offered val) (concat (:mirror/held s) (:mirror/waiting s))))))
    s
    (claim s ip {:offered (+ now offer-ms) :prefix prefix} "offered by DHCP" now)))

(defn- denied [s {:seen/keys [xid]} asked now]
  (cond-> (update s :mirror/armed dissoc xid)
    (:ip asked) (forget (:ip asked) "denied by DHCP" now)))

;; --- what a frame means

(defn- from-guest [s {:seen/keys [kind ip target] :as event} now]
  (if (foreign? s event)
    (note s :hwaddr :warning
          (str "the guest sends as " (:seen/hwaddr event) " and not as " (:mirror/hwaddr s)
               ", its link's hardware address: answers to that do not arrive") now)
    (case kind
      (:arp-announce :arp-reply :arp-request) (claim s ip {:offered nil} "the guest's ARP" now)
      :dad           (claim s target {:offered nil :probing (+ now probing-ms)} "the guest probes it" now)
      (:na :ns)      (claim s ip {:offered nil :probing nil} "the guest's neighbour discovery" now)
      :dhcp-discover (arm s event now)
      :dhcp-request  (requested s event now)
      :dhcp-release  (forget s ip "the guest released it" now)
      :dhcp-decline  (forget s ip "the guest declined it" now)
      s)))

(defn- asks?
  "Does a guest that has `ip` answer this one? A probe or a solicitation it does, and a
  question from a host that can have the address it says, which is not the guest's."
  [s ip {asker :seen/ip}]
  (or (nil? asker)
      (and (not (get-in s [:mirror/held asker]))
           (let [prefix (get-in s [:mirror/held ip :prefix])]
             (not (or (address/host-fault asker (if (= 4 (address/family asker)) 32 128))
                      (when prefix (or (address/host-fault asker prefix)
                                       (not (address/same-network? asker ip prefix))))))))))

(defn- asked [s ip now]
  (update-in s [:mirror/held ip]
             (fn [{:keys [asked asked-at doubt] :or {asked 0 asked-at now} :as e}]
               (cond-> (assoc e :asked (inc asked) :asked-at asked-at)
                 (and (nil? doubt) (<= questions (inc asked)))
                 (assoc :doubt (max (+ asked-at silence-ms) (+ now answer-ms)))))))

(defn- defended
  "Another host has `ip`. A guest that is past its own detection keeps it, by RFC 4862."
  [s ip now]
  (let [until (some #(get-in s [% ip :probing]) [:mirror/held :mirror/waiting])]
    (if (and until (< now until))
      (-> (forget s ip "another host answers for it" now)
          (note ip :warning (str "the guest wants " ip ", for which another host answers; guests of one port need "
                                 "other interface identifiers than those made of their common hardware address")
                now))
      s)))

(defn- from-lan [s {:seen/keys [kind ip target hwaddr] :as event} now]
  (let [given? (and (or (nil? (:mirror/hwaddr s)) (= hwaddr (:mirror/hwaddr s))) (armed s event now))]
    (case kind
      (:arp-request :arp-probe :ns :dad)
      (cond-> s (and (get-in s [:mirror/held target]) (asks? s target event)) (asked target now))
      :na         (defended s ip now)
      :dhcp-offer (if given? (offered s event now) s)
      :dhcp-ack   (if given? (acknowledged s event now) s)
      :dhcp-nak   (if given? (denied s event given? now) s)
      s)))

(defn- lost [s {:seen/keys [ip reason]} now]
  (if (get-in s [:mirror/held ip])
    (-> s
        (update :mirror/held dissoc ip)
        (assoc-in [:mirror/lost ip] (+ now lost-ms))
        (note ip :warning (str "the guest will not get what is sent to " ip (when reason (str ": " reason))) now))
    s))

(defn- act [s {:seen/keys [from kind] :as event} now]
  (case kind
    :lost   (lost s event now)
    :refuse (assoc s :mirror/refused (set (:seen/ips event)))
    :tick   s
    (case from
      :guest (from-guest s event now)
      :lan   (from-lan s event now)
      s)))

;; --- time

(defn- over
  "Why the time of an entry is over at `now`, or nil."
  [{:keys [expires offered doubt]} now]
  (cond
    (and expires (<= expires now)) "its DHCP lease ran out"
    (and offered (<= offered now)) "the guest did not take the offer"
    (and doubt (<= doubt now))     "asked for, and the guest does not answer"))

(defn- expire [s now]
  (reduce (fn [s [ip e]]
            (if (contains? (:mirror/refused s) ip)
              (-> (forget s ip "not for a guest" now) (refuse ip (refused s ip nil) now))
              (if-let [why (over e now)] (forget s ip why now) s)))
          (update s :mirror/lost #(into {} (remove (fn [[_ until]] (<= until now))) %))
          (concat (:mirror/held s) (:mirror/waiting s))))

(defn- opens
  "When one more address may be added as far as the number of changes goes."
  [s now]
  (let [room (- changes-most (if (< (count (:mirror/held s)) most) 1 2))
        past (filterv #(< now (+ % changes-ms)) (:mirror/changes s))]
    (if (<= (count past) room)
      now
      (+ changes-ms (nth past (- (count past) room 1))))))

(defn- room
  "The state with room for one more address."
  [s now]
  (if (< (count (:mirror/held s)) most)
    s
    (recur (-> (forget s (oldest (:mirror/held s)) "makes room for another" now)
               (note :most :info (str "the guest has more than " most
                                      " addresses; those it used longest ago do not receive") now))
           now)))

(defn- add [s ip now]
  (let [e (get-in s [:mirror/waiting ip])]
    (-> (room s now)
        (update :mirror/waiting dissoc ip)
        (assoc-in [:mirror/held ip] (dissoc e :why))
        (changed now)
        (effect [:add ip (if (= 4 (address/family ip)) 32 128) (:why e)]))))

(defn- admit
  "Adds what waits, the longest first, as far as it may be added now."
  [s now]
  (reduce (fn [s [ip _]]
            (cond
              (get-in s [:mirror/lost ip]) s
              (<= (opens s now) now)       (add s ip now)
              :else (reduced (note s :changes :warning
                                   (str "the guest changes its addresses more than " changes-most
                                        " times in " (quot changes-ms 1000) " s: some have to wait") now))))
          s (sort-by (comp :sign val) (:mirror/waiting s))))

(defn- bounded [s]
  (if (< most (count (:mirror/waiting s)))
    (recur (update s :mirror/waiting dissoc (oldest (:mirror/waiting s))))
    s))

(defn- next-time
  "When time alone changes something, or nil."
  [{:mirror/keys [held waiting lost] :as s} now]
  (let [times (concat (for [[_ e] (concat held waiting), t [(:expires e) (:offered e) (:doubt e)] :when t] t)
                      (when (seq waiting)
                        (let [open (opens s now)] (map #(max open (get lost % 0)) (keys waiting)))))]
    (when (seq times) (reduce min times))))

(defn- timed [s now]
  (let [at (next-time s now)]
    (if (= at (:mirror/timer s)) s (-> s (assoc :mirror/timer at) (effect [:timer at])))))

;; ---

(defn step
  "[state' effects] after `event` (see `events`) at `now`, ms. Any other event, and one
  of nobody knows where from, changes nothing."
  [state event now]
  (let [s (-> (assoc state :mirror/effects [])
              (act event now) (expire now) (admit now) bounded (timed now))]
    [(dissoc s :mirror/effects) (:mirror/effects s)]))

(defn mirror
  "The state of a new lease whose link has hardware address `hwaddr` and shall not get
  the addresses of the set `refused`. `addresses`: those that are on the link already,
  from an earlier life."
  [hwaddr refused addresses]
  {:mirror/hwaddr  hwaddr
   :mirror/refused (set refused)
   :mirror/held    (into {} (map (fn [ip] [ip {:sign 0}])) addresses)
   :mirror/waiting {}
   :mirror/lost    {}
   :mirror/armed   {}
   :mirror/noted   {}
   :mirror/changes []
   :mirror/signs   0
   :mirror/timer   nil})

(defn addresses
  "The addresses that are mirrored, a sorted set of texts."
  [state]
  (into (sorted-set) (keys (:mirror/held state))))

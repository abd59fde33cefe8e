;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-record
  "The state of one link's IPv4 address, a record, and what is done with it in many places.
  `ontap.model.lease` says what happens when. Pure; each function that changes the record
  gives the record. Times are CLOCK_BOOTTIME in ms.

  What it was given: :dhcp/name :dhcp/hwaddr :dhcp/client-id :dhcp/start-delay? :dhcp/acd?,
  and :dhcp/static (the lease of an address that a person gave, or nil). Further:
    :dhcp/state      see `ontap.model.lease/states`
    :dhcp/now        the last time it was told
    :dhcp/random     seed of its next random number
    :dhcp/due        what is to be done by time alone: a name to when
    :dhcp/started?   was it told to start?
    :dhcp/carrier?   does the port have a carrier?
    :dhcp/lease      the lease that it has, or had and may ask for again (`ontap.model.terms`)
    :dhcp/applied    the terms that are on the link, or are about to be; nil: none are
    :dhcp/offered    {:ip :server} that it asked for
    :dhcp/xid        of the transaction under way
    :dhcp/began      when the transaction began
    :dhcp/secs       what the last DISCOVER said of that, which its REQUEST repeats
    :dhcp/sent-at    when the last REQUEST went out, from which a lease counts
    :dhcp/tries      how often the message was sent
    :dhcp/last       :discover :reboot :apply :complaint to when that was done last
    :dhcp/wish       the address that a DISCOVER asks for, or nil
    :dhcp/let-go     {:ip :at} of an address that it gave up by itself
    :dhcp/shared     {:server :ip :sibling :times}: an address that a sibling has was offered
    :dhcp/setbacks, :dhcp/refusals, :dhcp/conflicts   in a row, without an address
    :dhcp/probes     sent for the candidate; :dhcp/announcements are still to be sent
    :dhcp/conflict-at, :dhcp/defended-at   when the address was last disputed, defended
    :dhcp/asked      the gateway whose hardware address it asked for
    :dhcp/told       the address that the last :bound event told of
    :dhcp/says       what is wrong, a sentence, or nil
    :dhcp/effects    only while a step is under way"
  (:require [ontap.model.acd :as acd]
            [ontap.model.chance :as chance]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(defn effect "Asks for effects." [s & fx] (update s :dhcp/effects (fnil into []) fx))

;; --- time

(def ^:private network-due
  "What is of no use without a carrier."
  #{:resend :verdict :probe :announce :gateway})

(defn wake
  "Has `what` done at `at`; what needs the network, only while there is a carrier."
  [s what at]
  (if (and (network-due what) (not (:dhcp/carrier? s))) s (assoc-in s [:dhcp/due what] at)))

(defn wake-in "As `wake`, `ms` from now." [s what ms] (wake s what (+ (:dhcp/now s) ms)))

(defn forget-due "None of `whats` is to be done." [s & whats] (update s :dhcp/due #(apply dissoc % whats)))

(defn quiet "Without a carrier." [s] (-> (apply forget-due s network-due) (assoc :dhcp/carrier? false)))

(defn wake-by-chance
  "As `wake-in`, between `low` and `high` ms from now."
  [s what low high]
  (let [[ms seed] (chance/between (:dhcp/random s) low high)]
    (-> s (assoc :dhcp/random seed) (wake-in what ms))))

(defn enter
  "The record in another state. What is due is forgotten, but for `kept`."
  [s state & kept]
  (-> s (assoc :dhcp/state state) (update :dhcp/due select-keys kept)))

(defn since-last
  "When `what` may be done again, if at least `ms` have to pass."
  [s what ms]
  (let [last-at (get-in s [:dhcp/last what])]
    (if last-at (max (:dhcp/now s) (+ last-at ms)) (:dhcp/now s))))

(defn done-now "Remembers that `what` was done now." [s what] (assoc-in s [:dhcp/last what] (:dhcp/now s)))

(defn- moved [s delta]
  (let [move #(some-> % (+ delta))]
    (cond-> (-> s
                (update :dhcp/due update-vals move)
                (update :dhcp/last update-vals move))
      (:dhcp/lease s)   (update :dhcp/lease terms/rebase delta)
      (:dhcp/applied s) (update :dhcp/applied terms/rebase delta)
      (:dhcp/let-go s)  (update-in [:dhcp/let-go :at] move)
      true (as-> s (reduce #(cond-> %1 (%2 %1) (update %2 move))
                           s [:dhcp/began :dhcp/sent-at :dhcp/conflict-at :dhcp/defended-at])))))

(def ^:private disorder-ms "Two events may be told in the wrong order by so much." 1000)

(defn at
  "The record at `now`. A clock that goes back has been set, no time has passed: all that is
  kept moves along, so a lease does not last longer for it."
  [s now]
  (let [before (:dhcp/now s)]
    (cond
      (or (nil? before) (<= before now))  (assoc s :dhcp/now now)
      (< (- before now) disorder-ms)      s
      :else (let [s (-> (moved s (- now before)) (assoc :dhcp/now now))]
              (cond-> s
                (and (:dhcp/lease s) (not (:dhcp/static s))) (effect [:save (:dhcp/lease s)]))))))

;; --- what a person is told

(defn note "Tells `text`, which is true of no more than this moment." [s level text] (effect s [:note level text]))

(defn complain
  "Says `text` of the state it is in: a note, and the event `kind` when there is one, but only
  if it is not what was said last."
  [s kind ip text]
  (if (= text (:dhcp/says s))
    s
    (cond-> (-> s (assoc :dhcp/says text) (note :warning text))
      kind (effect [:event kind {:ip ip :says text}]))))

(defn whom "The link in a person's words." [s] (or (:dhcp/name s) "this link"))

(defn server-words "The server of a lease in a person's words." [{:dhcp/keys [server]}]
  (if server (str "DHCP server " server) "the DHCP server"))

;; --- the address on the link

(defn applied-ip "The address that is on the link, or is about to be." [s] (get-in s [:dhcp/applied :dhcp/ip]))

(defn in-use? "Is the address of the lease on the link?" [s]
  (let [ip (applied-ip s)] (and (some? ip) (= ip (get-in s [:dhcp/lease :dhcp/ip])))))

(defn take-off
  "Takes the address off the link, if it is there."
  [s]
  (if-let [{:dhcp/keys [ip prefix]} (:dhcp/applied s)]
    (-> s (effect [:remove ip prefix]) (dissoc :dhcp/applied))
    s))

(defn set-terms
  "Has the terms of the lease set on the link. Another prefix is another address to the kernel."
  [s]
  (let [{:dhcp/keys [ip prefix] :as lease} (:dhcp/lease s)
        was (:dhcp/applied s)
        s   (cond-> s (and was (not= [ip prefix] [(:dhcp/ip was) (:dhcp/prefix was)])) take-off)]
    (-> s (effect [:apply (terms/terms lease)]) (assoc :dhcp/applied (terms/terms lease)) (done-now :apply))))

(defn put-on
  "As `set-terms`, after writing the lease down: a crash in between leaves a lease that is known
  and not used, never the other way round."
  [s]
  (set-terms (cond-> s (not (:dhcp/static s)) (effect [:save (:dhcp/lease s)]))))

(defn tell-lost
  "Tells that the address is lost, `why` in words, if it was told of before."
  [s why]
  (if-let [ip (:dhcp/told s)]
    (let [text (str ip " is lost: " why)]
      (-> s (dissoc :dhcp/told) (assoc :dhcp/says text)
          (effect [:note :warning text] [:event :lost {:ip ip :says text}])))
    s))

(defn tell-bound
  "Tells that the link has its address, if it was not told yet."
  [s]
  (let [{:dhcp/keys [ip prefix] :as lease} (:dhcp/lease s)
        text (str ip "/" prefix (if (:dhcp/static s) "" (str " from " (server-words lease))))]
    (cond-> (assoc s :dhcp/says nil)
      (not= ip (:dhcp/told s)) (-> (assoc :dhcp/told ip)
                                   (effect [:note :info text] [:event :bound {:ip ip :says text}])))))

(defn drop-lease
  "Without a lease, on disk neither (`unsave?`)."
  [s unsave?]
  (cond-> (dissoc s :dhcp/lease :dhcp/offered)
    (and unsave? (:dhcp/lease s)) (effect [:unsave])))

;; --- ARP

(defn announce
  "Tells everybody who has the address, now and, if more are to come, again."
  [{:dhcp/keys [hwaddr announcements] :as s}]
  (if (and (:dhcp/carrier? s) (pos? (or announcements 0)))
    (cond-> (-> (effect s (acd/announcement (applied-ip s) hwaddr))
                (update :dhcp/announcements dec))
      (< 1 announcements) (wake-in :announce acd/announce-interval-ms))
    s))

(defn ask-gateway
  "Asks once for the hardware address of the lease's gateway, so that the network can be
  recognised by it (RFC 4436)."
  [s]
  (if-let [via (and (:dhcp/carrier? s) (not (:dhcp/static s)) (terms/gateway (:dhcp/lease s)))]
    (-> s (assoc :dhcp/asked via)
        (effect (acd/question (applied-ip s) (:dhcp/hwaddr s) via nil))
        (wake-in :gateway 5000))
    s))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease
  "The IPv4 address of one link: a DHCPv4 client (RFC 2131) with detection of conflicts (RFC
  5227), or an address that a person gave, with detection of conflicts alone. Pure: a table,
  state x event -> action, and a second one, state x what is due -> action. The record that
  goes through it is told of in `ontap.model.lease-record`, messages in `ontap.model.exchange`,
  terms in `ontap.model.terms`; doc/data.md has the shapes.

  `client` begins, `step` gives the next state and the effects, in this order to be carried
  out; `deadline` tells when [:tick] is wanted. Effects: [:send message] [:arp arp] [:apply
  terms] (answered by :applied or :not-applied) [:remove ip prefix] [:save saved] [:unsave]
  [:note level text] [:event kind {:ip :says}], kind one of :bound :changed :lost :conflict
  :refused :unanswered.

  A lease that was promised is written down before it is used, and its address taken off
  the link before anything else is tried. What a sibling has (:message/sibling) is neither
  requested, used, declined nor given back: that would be the sibling's loss."
  (:require [ontap.model.acd :as acd]
            [ontap.model.address :as address]
            [ontap.model.exchange :as exchange]
            [ontap.model.lease-asking :as asking]
            [ontap.model.lease-course :as course]
            [ontap.model.lease-record :as record]
            [ontap.model.lease-states :as lease-states]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(def states "Every state, with what it means for a person." lease-states/states)

(def events
  "Every event, with its arguments."
  (array-map
   :start        nil
   :tick         nil
   :message      '[message]
   :arp          '[arp]
   :applied      '[ip]
   :not-applied  '[ip kind why "kind: :in-use :gone :kernel"]
   :address-lost '[ip]
   :carrier      '[up?]
   :resumed      nil
   :hwaddr       '[hwaddr]
   :stop         '[{:release? boolean}]))

(def ^:private confirm-ms "What a server has to say, once the gateway was recognised, it says in this time." 1000)
(def ^:private reapply-ms "An address is not set again sooner." 10000)

;; --- actions: (record arguments) -> record

(defn- ignore [s _] s)

(defn- start [s _]
  (let [{:dhcp/keys [lease now start-delay?] :as s} (assoc s :dhcp/started? true)
        s (cond-> s (and lease (terms/over? lease now)) course/give-up-expired)
        s (cond-> s (not (record/in-use? s)) record/take-off)]
    (if (and start-delay? (not (:dhcp/static s)) (not (record/in-use? s)))
      (-> s course/with-expiry (record/wake-by-chance :start 1000 10000))
      (course/begin-life s))))

(defn- start-once [s args] (if (:dhcp/started? s) s (start s args)))

(defn- applied [s [ip]]
  (if (= ip (record/applied-ip s))
    (-> s (record/enter :bound :reapply) course/with-times
        (assoc :dhcp/setbacks 0 :dhcp/refusals 0 :dhcp/conflicts 0 :dhcp/wish nil
               :dhcp/announcements (if (:dhcp/acd? s) acd/announcements 1))
        (dissoc :dhcp/let-go)
        record/tell-bound record/announce record/ask-gateway)
    s))

(defn- applied-again [s [ip]] (cond-> s (= ip (record/applied-ip s)) (assoc :dhcp/says nil)))

(defn- link-gone [s why]
  (-> s exchange/end (dissoc :dhcp/applied) (record/note :info why) (record/enter :gone) course/with-expiry))

(defn- not-set [s why]
  (-> s (record/complain nil nil (str "unable to set " (record/applied-ip s) ": " why)) (record/wake-in :reapply reapply-ms)))

(defn- in-use-here [s]
  (let [{:dhcp/keys [ip server]} (:dhcp/lease s), s (dissoc s :dhcp/applied)]
    (if (:dhcp/static s)
      (-> s (record/complain :refused ip (str ip " is in use by another link of the same port")) course/pause-conflicted)
      (course/refuse (course/shared s ip server nil)))))

(defn- about-applied
  "An action for what became of an address, if that is the one on the link."
  [by-kind]
  (fn [s [ip kind why]] (if (= ip (record/applied-ip s)) ((by-kind kind not-set) s why) s)))

(def ^:private not-applied (about-applied {:gone link-gone, :in-use (fn [s _] (in-use-here s))}))
(def ^:private not-applied-again (about-applied {:gone link-gone}))
(def ^:private not-applied-before
  ;; an earlier one may still be on the link when the kernel had no memory for this one
  (about-applied {:gone link-gone, :in-use (fn [s _] (dissoc s :dhcp/applied)), :kernel (fn [s _] s)}))

(defn- address-lost [s [ip]]
  (if (= ip (record/applied-ip s))
    (let [at (record/since-last s :apply reapply-ms)
          s  (record/note s :warning (str ip " was taken off the link; it is set again"))]
      (record/wake s :reapply at))
    s))

(defn- lost-meanwhile
  "It went while what became of it was under way: that news may be older. Or it is the end of
  an earlier one."
  [s [ip]]
  (cond-> s (= ip (record/applied-ip s)) (record/wake :reapply (record/since-last s :apply reapply-ms))))

(defn- lost-before [s [ip]] (if (= ip (record/applied-ip s)) (dissoc s :dhcp/applied) s))

(defn- heard-probing [s [arp]]
  (if-let [conflict (acd/conflict-while-probing (course/lease-ip s) (:dhcp/hwaddr s) arp)] (course/conflicted s conflict) s))

(defn- dispute [s arp]
  (if-let [conflict (when (and (:dhcp/acd? s) (record/in-use? s)) (acd/conflict-in-use (course/lease-ip s) (:dhcp/hwaddr s) arp))]
    (course/disputed s conflict)
    s))

(defn- gateway-known [s {:arp/keys [sender-hwaddr]}]
  (let [s (-> s (dissoc :dhcp/asked) (record/forget-due :gateway))]
    (if (= sender-hwaddr (get-in s [:dhcp/lease :dhcp/gateway-hwaddr]))
      s
      (let [s (assoc-in s [:dhcp/lease :dhcp/gateway-hwaddr] sender-hwaddr)]
        (record/effect s [:save (:dhcp/lease s)])))))

(defn- heard-in-use [s [arp]]
  (if (acd/answer-of? (:dhcp/asked s) arp) (gateway-known s arp) (dispute s arp)))

(defn- heard-rebooting [s [arp]]
  (let [{:dhcp/keys [gateway-hwaddr] :as lease} (:dhcp/lease s)]
    (if (and gateway-hwaddr (= gateway-hwaddr (:arp/sender-hwaddr arp)) (acd/answer-of? (terms/gateway lease) arp)
             (< 0 (:dhcp/tries s) asking/reboot-tries))
      ;; it is the network that we know (RFC 4436): a server may still deny the address
      (-> s (assoc :dhcp/tries asking/reboot-tries) (record/wake-in :resend confirm-ms))
      (dispute s arp))))

(defn- stop [s [{:keys [release?]}]]
  (let [{:dhcp/keys [lease now static]} s
        ours? (boolean (and lease (not static) (not (terms/over? lease now))))
        back? (and ours? release?)
        used? (record/in-use? s)
        s     (cond-> s (and ours? used?) (assoc-in [:dhcp/lease :dhcp/let-go-at] now))]
    (-> (cond-> s
          (and ours? used? (not back?)) (record/effect [:save (:dhcp/lease s)])
          ;; over: it is kept for the moment that it was let go, and is nobody's lease
          (and static used?)            (record/effect [:save (assoc static :dhcp/let-go-at now :dhcp/valid-until now)]))
        record/take-off
        (cond-> (and back? (:dhcp/server lease)) exchange/release
                back? (record/drop-lease true))
        exchange/end (dissoc :dhcp/offered) (record/enter :stopped))))

;; --- what time brings: record -> record

(defn- probe-on [{:dhcp/keys [probes hwaddr] :as s}]
  (if (< probes acd/probes)
    (let [s (-> s (record/effect (acd/probe (course/lease-ip s) hwaddr)) (update :dhcp/probes inc))]
      (if (= acd/probes (:dhcp/probes s))
        (record/wake-in s :probe acd/announce-wait-ms)
        (record/wake-by-chance s :probe acd/probe-min-ms acd/probe-max-ms)))
    (course/apply-now s)))

(defn- expire [s] (course/discover (course/give-up-expired s)))

;; --- the tables

(defn- again-when
  "The cells of what makes a link ask again: a carrier after none, a sleep that is over, another
  hardware address. `again` is a function of the record, or nil."
  [again]
  (let [again  (or again identity)
        carrier (fn [{had? :dhcp/carrier? :as s} [up?]]
                  (cond (and up? (not had?)) (again (assoc s :dhcp/carrier? true))
                        (and had? (not up?)) (record/quiet s)
                        :else s))
        hwaddr (fn [s [hwaddr]]
                 (if (= hwaddr (:dhcp/hwaddr s))
                   s
                   (again (cond-> (assoc s :dhcp/hwaddr hwaddr)
                            (and (record/in-use? s) (not (:dhcp/static s)))
                            (record/effect (acd/announcement (course/lease-ip s) hwaddr))))))]
    {:carrier carrier, :resumed (fn [s _] (again s)), :hwaddr hwaddr}))

(defn- look-again [s] (if (:dhcp/static s) (course/probe s) (course/reboot s)))

(defn- ask-again
  "The address stays on the link while it is asked for."
  [s]
  (if (:dhcp/static s)
    (record/announce (assoc s :dhcp/announcements acd/announcements))
    (course/reboot s)))

(defn- unless-static [again] (fn [s] (if (:dhcp/static s) s (again s))))

(def table
  "state -> event -> action. Every cell is there: what is `ignore`d is ignored on purpose (an
  answer to what is not asked any more, news of an address that is not ours)."
  (let [ignored (zipmap (keys events) (repeat ignore))
        row     (fn [again & kvs] (merge ignored {:stop stop} (again-when again) (apply hash-map kvs)))
        in-use  {:arp heard-in-use, :applied applied-again, :not-applied not-applied-again, :address-lost address-lost}
        held    (fn [& kvs] (apply row ask-again (concat (mapcat identity in-use) kvs)))]
    {:init       (row nil :start start-once)
     :selecting  (row course/discover :message asking/answered-discover)
     :requesting (row course/discover :message asking/answered-offer)
     :rebooting  (row course/reboot :message asking/answered-reboot, :arp heard-rebooting
                      :not-applied not-applied-before, :address-lost lost-before)
     :probing    (row look-again :arp heard-probing)
     :applying   (row (unless-static course/reboot) :arp heard-in-use, :applied applied, :not-applied not-applied,
                      :address-lost lost-meanwhile)
     :bound      (held)
     :renewing   (held :message asking/answered-renew)
     :rebinding  (held :message asking/answered-rebind)
     :conflicted (row nil)
     :refused    (row course/discover)
     :gone       (merge ignored {:stop stop})
     :stopped    ignored}))

(def timely
  "state -> what is due -> action (record -> record). What is not here is never due there."
  (let [in-use {:expiry expire, :announce record/announce, :reapply record/set-terms
                :gateway #(dissoc % :dhcp/asked)}]
    {:init       {:start course/begin-life, :expiry course/give-up-expired}
     :selecting  {:resend asking/ask-for-offers, :verdict asking/judge-offers}
     :requesting {:resend asking/ask-for-offered}
     :rebooting  {:resend asking/ask-for-ours, :expiry expire}
     :probing    {:probe probe-on, :expiry expire}
     :applying   {:reapply record/set-terms, :expiry expire}
     :bound      (merge in-use {:t1 asking/renew, :t2 asking/rebind})
     :renewing   (merge in-use {:resend #(exchange/request-renewal % false), :t2 asking/rebind})
     :rebinding  (merge in-use {:resend #(exchange/request-renewal % true)})
     :conflicted {:start course/begin-again}
     :refused    {:start course/begin-again}
     :gone       {:expiry course/give-up-expired}
     :stopped    {}}))

(def ^:private urgency
  "What is done first, when several things are due: the end of a lease, then whatever asks most
  widely."
  [:expiry :t2 :t1 :start :verdict :resend :probe :reapply :announce :gateway])

(defn- do-due [s what]
  ((get-in timely [(:dhcp/state s) what]) (record/forget-due s what)))

(defn- due? [s what]
  (when-let [at (get-in s [:dhcp/due what])] (<= at (:dhcp/now s))))

(defn- do-all-due [s]
  (if-let [what (first (filter #(due? s %) urgency))] (recur (do-due s what)) s))

;; --- outside

(defn client
  "The state of a link's IPv4 address before its :start. Given:
    :dhcp/name         goes out as hostname, or nil
    :dhcp/hwaddr       the link's
    :dhcp/client-id    hex, see `ontap.model.client-id`
    :dhcp/seed         a number, of its random numbers
    :dhcp/start-delay? wait 1 to 10 s by chance before asking?
    :dhcp/acd?         look for conflicts?
    :dhcp/static       {:ip :prefix :gateway} or nil: with it no DHCP is spoken
    :dhcp/saved        what `saved` gave in an earlier life, or nil; nil too when its address is
                       what another link of the port claims by now
    :dhcp/configured   the address of those that the link has already, or nil"
  [{:dhcp/keys [name hwaddr client-id seed start-delay? acd? static saved configured]}]
  (let [static (some-> static terms/static)
        ;; it comes from a file
        saved  (when (and (= 4 (address/family (:dhcp/ip saved))) (nat-int? (:dhcp/prefix saved))) saved)
        lease  (or static saved)]
    {:dhcp/state :init, :dhcp/name name, :dhcp/hwaddr hwaddr, :dhcp/client-id client-id, :dhcp/random seed
     :dhcp/start-delay? (boolean start-delay?), :dhcp/acd? (boolean acd?), :dhcp/static static
     :dhcp/lease lease
     :dhcp/applied (cond (nil? configured) nil
                         (= configured (:dhcp/ip lease)) (terms/terms lease)
                         :else {:dhcp/ip configured :dhcp/prefix nil})
     :dhcp/let-go (when-let [at (:dhcp/let-go-at saved)] {:ip (:dhcp/ip saved) :at at})
     :dhcp/carrier? true, :dhcp/due {}, :dhcp/last {}, :dhcp/setbacks 0, :dhcp/refusals 0, :dhcp/conflicts 0}))

(defn step
  "[state' effects] after event [kind & arguments] (see `events`) at `now`, ms. What is due is
  done too, whatever the event; a lease that is over is given up before the event counts.
  Any other event than those changes nothing but the time."
  [state [kind & args] now]
  (let [s (record/at state now)
        s (if (due? s :expiry) (do-due s :expiry) s)
        s (do-all-due ((get-in table [(:dhcp/state s) kind] ignore) s (vec args)))]
    [(dissoc s :dhcp/effects) (:dhcp/effects s [])]))

(defn deadline
  "When [:tick] is wanted, ms, or nil."
  [{:dhcp/keys [due]}]
  (when (seq due) (reduce min (vals due))))

(defn xid "Of the transaction under way, or nil." [state] (:dhcp/xid state))

(defn claim
  "The address that the link uses, is about to use or may still give back, or nil: no sibling
  may have it."
  [{:dhcp/keys [state lease offered]}]
  (when-not (= :stopped state)
    (or (:ip offered) (:dhcp/ip lease))))

(defn in-use
  "The address that is on the link, or is about to be, or nil."
  [state]
  (when (record/in-use? state) (record/applied-ip state)))

(defn watched
  "The addresses whose ARP is to be seen."
  [{:dhcp/keys [state acd? lease due asked] :as s}]
  (cond-> #{}
    (= :probing state)                             (conj (:dhcp/ip lease))
    (and acd? (record/in-use? s))                  (conj (:dhcp/ip lease))
    (:gateway due)                                 (conj asked)
    (and (= :rebooting state) (:dhcp/gateway-hwaddr lease)) (conj (terms/gateway lease))))

(defn saved
  "What is kept of the lease for another life, or nil; a static address needs none."
  [{:dhcp/keys [static lease]}]
  (when-not static lease))

(defn rebase
  "`saved` with all its times moved by `delta` ms, as for a clock that began anew."
  [saved delta]
  (terms/rebase saved delta))

(defn summary
  "What a person may want to know at `now`. :dhcp/ip is the address of `claim`; :dhcp/left-s
  how long the lease lasts, :infinite, or nil without one."
  [{:dhcp/keys [state static lease says] :as s} now]
  (let [lease (when (claim s) lease)
        until (:dhcp/valid-until lease)]
    {:dhcp/state  state
     :dhcp/ip     (claim s)
     :dhcp/prefix (:dhcp/prefix lease)
     :dhcp/server (or (:dhcp/server lease) (get-in s [:dhcp/offered :server]))
     :dhcp/left-s (cond (nil? lease) nil
                        until        (quot (max 0 (- until now)) 1000)
                        :else        :infinite)
     :dhcp/method (if static :static :dhcp)
     :dhcp/says   says}))

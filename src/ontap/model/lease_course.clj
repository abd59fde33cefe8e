;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-course
  "The turns that the course of a lease takes: it begins, is used, is denied, runs out, is
  disputed. Pure: each takes the record of `ontap.model.lease-record` and gives it, in the
  state where it goes on; `ontap.model.lease` says when."
  (:require [ontap.model.acd :as acd]
            [ontap.model.exchange :as exchange]
            [ontap.model.lease-record :as record]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(def ^:private storm-ms "No two DISCOVER, and no two REQUEST of INIT-REBOOT, come closer." 1000)
(def ^:private fresh-ms "An address that was let go so shortly ago needs no probe." 60000)
(def ^:private calm-ms "After so long a conflict is a new one." 60000)

(defn lease-ip "The address of the lease." [s] (get-in s [:dhcp/lease :dhcp/ip]))

(defn with-expiry "Wakes when the lease ends." [s]
  (if-let [at (get-in s [:dhcp/lease :dhcp/valid-until])] (record/wake s :expiry at) s))

(defn with-times "Wakes when the lease is to be renewed, and when it ends." [s]
  (let [{:dhcp/keys [t1-at t2-at]} (:dhcp/lease s)]
    (cond-> (with-expiry s)
      t1-at (record/wake :t1 t1-at)
      t2-at (record/wake :t2 t2-at))))

(defn discover "Looks for a server (INIT)." [s]
  (let [s (-> s exchange/begin (dissoc :dhcp/offered :dhcp/shared) (record/enter :selecting))]
    (record/wake s :resend (record/since-last s :discover storm-ms))))

(defn reboot "Asks whether the lease still holds (INIT-REBOOT)." [s]
  (let [s (-> s exchange/begin (record/enter :rebooting) with-expiry)]
    (record/wake s :resend (record/since-last s :reboot storm-ms))))

(defn probe "Looks whether anybody else has the address." [s]
  (-> s (record/enter :probing) with-expiry (assoc :dhcp/probes 0)
      (record/wake-by-chance :probe 0 acd/probe-wait-ms)))

(defn apply-now "Has the address set." [s] (-> s record/put-on (record/enter :applying) with-expiry))

(defn- just-let-go? [s]
  (let [{:keys [ip at]} (:dhcp/let-go s)]
    (and at (= ip (lease-ip s)) (<= 0 (- (:dhcp/now s) at) fresh-ms))))

(defn use-lease
  "Goes on to use the lease, which the server said is ours (`confirmed?`) or should be."
  [s confirmed?]
  (let [s (-> s exchange/end (assoc-in [:dhcp/lease :dhcp/let-go-at] nil))]
    (if (or (record/in-use? s) (not (:dhcp/acd? s)) (and (or confirmed? (:dhcp/static s)) (just-let-go? s)))
      (apply-now s)
      (probe s))))

(defn begin-life "Begins with what it has." [s]
  (cond (:dhcp/static s) (use-lease s false)
        (:dhcp/lease s)  (reboot s)
        :else            (discover s)))

(defn begin-again "Begins after a pause." [s] (if (:dhcp/static s) (probe s) (discover s)))

(defn setback
  "Begins afresh: the first time at once, then after 1, 2, 4 .. 64 s."
  [s]
  (let [n (:dhcp/setbacks s), s (update s :dhcp/setbacks inc)]
    (if (zero? n)
      (discover s)
      (-> s (record/enter :init) (record/wake-in :start (* 1000 (bit-shift-left 1 (min 6 (dec n)))))))))

(defn give-up-expired
  "Without the lease, whose time is over. Its file stays: the address is asked for again."
  [s]
  (let [ip (lease-ip s), at (:dhcp/now s)]
    (-> (cond-> s (record/in-use? s) (assoc :dhcp/let-go {:ip ip :at at}))
        exchange/end record/take-off
        (record/tell-lost "its lease ran out, and no DHCP server renewed it")
        (assoc :dhcp/wish ip) (record/drop-lease false))))

(defn denied "The server has denied the address: it goes at once." [s {:message/keys [server-id options]}]
  (let [words (str "DHCP server " server-id " denied it"
                   (when-let [text (:option/message options)] (str ": " text)))
        ip    (or (lease-ip s) (get-in s [:dhcp/offered :ip]))]
    (-> (if (:dhcp/told s) s (record/note s :info (str ip " is not to be had: " words)))
        exchange/end record/take-off (record/tell-lost words)
        (dissoc :dhcp/wish :dhcp/let-go) (record/drop-lease true) setback)))

;; --- conflicts

(defn refuse
  "Pauses: the only address there is, that of :dhcp/shared, is a sibling's."
  [s]
  (let [{:keys [server ip sibling]} (:dhcp/shared s)
        text (str (record/server-words {:dhcp/server server}) " gives every link of this port the same address ("
                  ip ", which " (or sibling "another link") " has): it ignores client identifiers; let it use them, or give "
                  (record/whom s) " a static address")]
    (-> s exchange/end record/take-off (record/tell-lost (str (or sibling "another link") " has it too"))
        (record/drop-lease true) (dissoc :dhcp/shared :dhcp/wish :dhcp/let-go)
        (record/complain :refused ip text)
        (update :dhcp/refusals inc) (record/enter :refused)
        (record/wake-in :start (min 600000 (* 64000 (bit-shift-left 1 (min 4 (:dhcp/refusals s)))))))))

(defn shared "`server` gave an address that `sibling` (nil: some other link) has." [s ip server sibling] (assoc s :dhcp/shared {:ip ip :server server :sibling sibling}))

(defn pause-conflicted "Pauses after one more conflict." [s]
  (let [s (update s :dhcp/conflicts inc)]
    (-> s (record/enter :conflicted) (record/wake-in :start (acd/pause-ms (:dhcp/conflicts s))))))

(defn conflicted
  "The address that was about to be used is `who`'s, or link `sibling`'s."
  [s {:keys [who sibling]}]
  (let [{:dhcp/keys [ip server]} (:dhcp/lease s)
        text (str ip " is in use by " (if sibling (str sibling ", a link of the same port") (str who " on this LAN")))]
    (cond
      (:dhcp/static s) (-> s (record/complain :refused ip text) pause-conflicted)
      sibling          (refuse (shared s ip server sibling))
      :else            (-> s (exchange/decline text) (record/tell-lost (str who " uses it"))
                           (dissoc :dhcp/wish :dhcp/let-go) (record/drop-lease true) (record/complain :conflict ip text) pause-conflicted))))

(defn- yield
  "Gives up an address that another uses too."
  [s {:keys [who sibling]} text]
  (if sibling
    (refuse (shared s (lease-ip s) (get-in s [:dhcp/lease :dhcp/server]) sibling))
    (-> s exchange/end record/take-off (exchange/decline text)
        (record/tell-lost (str who " uses it too"))
        (dissoc :dhcp/wish :dhcp/let-go) (record/drop-lease true) pause-conflicted)))

(defn disputed
  "Somebody else uses the address that is on the link."
  [s {:keys [who sibling] :as conflict}]
  (let [{:dhcp/keys [now conflict-at defended-at]} s
        ip   (lease-ip s)
        text (str ip " is used by " (or sibling who) " too")
        s    (cond-> (assoc s :dhcp/conflict-at now)
               (not (and conflict-at (< (- now conflict-at) calm-ms)))
               (-> (record/note :warning text) (record/effect [:event :conflict {:ip ip :says text}])))]
    (case (acd/defence conflict-at defended-at (some? (:dhcp/static s)) now)
      :wait   s
      :defend (-> s (assoc :dhcp/defended-at now) (record/effect (acd/announcement ip (:dhcp/hwaddr s))))
      :yield  (yield s conflict text))))

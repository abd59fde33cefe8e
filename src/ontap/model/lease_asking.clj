;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.lease-asking
  "What a link asks of DHCP servers, and what it makes of their answers (RFC 2131, 4.4).
  Pure: functions of the record of `ontap.model.lease-record` that give it; those named
  answered-.. take the arguments of a :message too, and leave the record as it is when the
  message is none for them."
  (:require [ontap.model.acd :as acd]
            [ontap.model.exchange :as exchange]
            [ontap.model.lease-course :as course]
            [ontap.model.lease-record :as record]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(def ^:private verdict-ms
  "For so long, by chance, other offers may come after one of a sibling's address." [500 2500])
(def ^:private sibling-offers
  "A server offers a sibling's address so often before it is said to mean it. Many a server
  reserves nothing by an offer, and offers the same to all that ask at the same time with the
  same hardware address: once the sibling has its lease, it offers another."
  3)
(def ^:private offer-tries "A server that made an offer is asked so often." 4)
(def reboot-tries "Whether the address is still ours is asked so often." 2)

;; --- asking

(def ^:private unanswered "no DHCP server has answered yet; it goes on asking")

(defn ask-for-offers "Sends a DISCOVER." [s]
  (cond-> (exchange/discover s)
    (= 2 (:dhcp/tries s)) (record/complain :unanswered nil unanswered)))

(defn ask-for-offered "Sends the REQUEST for what was offered, or gives that server up." [s]
  (if (< (:dhcp/tries s) offer-tries) (exchange/request-offered s) (course/discover s)))

(defn ask-for-ours
  "Asks whether the address is still ours, its gateway whether this is the network it was (RFC
  4436); without an answer, what is left of the lease may be used."
  [{:dhcp/keys [tries hwaddr] :as s}]
  (let [{:dhcp/keys [ip gateway-hwaddr] :as lease} (:dhcp/lease s)
        via (terms/gateway lease)]
    (if (<= reboot-tries tries)
      (course/use-lease s false)
      (cond-> (exchange/request-again s)
        (and (zero? tries) via gateway-hwaddr) (record/effect (acd/question ip hwaddr via gateway-hwaddr))))))

(defn renew "Asks its server for more time." [s]
  (-> s exchange/begin (record/enter :renewing :t2 :expiry :announce :gateway :reapply) (exchange/request-renewal false)))

(defn rebind "Asks any server for more time." [s]
  (-> s exchange/begin (record/enter :rebinding :expiry :announce :gateway :reapply) (exchange/request-renewal true)))

;; --- answers

(defn- offered-siblings
  "A sibling's address was offered; how often in a row?"
  [s {:message/keys [your-ip server-id sibling]}]
  (let [{:keys [ip times] was :sibling} (:dhcp/shared s)
        again? (and (= ip your-ip) (= was sibling))
        [low high] verdict-ms]
    (-> (course/shared s your-ip server-id sibling)
        (assoc-in [:dhcp/shared :times] (if again? (inc times) 1))
        (record/wake-by-chance :verdict low high))))

(defn judge-offers
  "No other offer came than that of a sibling's address."
  [{:dhcp/keys [shared] :as s}]
  (if (< (:times shared) sibling-offers)
    (assoc (course/discover s) :dhcp/shared shared)
    (course/refuse s)))

(def ^:private complaint-ms "Anybody on the LAN can send offers, as many as they like." 10000)

(defn- complain-at-times [s text]
  (if (< (:dhcp/now s) (record/since-last s :complaint complaint-ms))
    s
    (-> s (record/done-now :complaint) (record/complain nil nil text))))

(defn answered-discover "The first offer that can be used is taken." [s [{:message/keys [your-ip server-id sibling] :as m}]]
  (let [fault (when (exchange/offer? s m) (terms/fault m nil))]
    (cond
      (not (exchange/offer? s m)) s
      sibling (if (get-in s [:dhcp/due :verdict]) s (offered-siblings s m))
      fault   (complain-at-times s (str "DHCP server " server-id " offers " your-ip ", which is " fault))
      :else   (-> s (assoc :dhcp/offered {:ip your-ip :server server-id} :dhcp/tries 0) (dissoc :dhcp/shared)
                  (update :dhcp/says #(when-not (= unanswered %) %))
                  (record/enter :requesting) exchange/request-offered))))

(defn answered-offer "Of the server whose offer was taken." [s [{:message/keys [sibling] :as m}]]
  (let [{:keys [ip server]} (:dhcp/offered s)
        lease (exchange/acknowledgement s m ip server nil)]
    (cond
      (and lease sibling)           (course/refuse (course/shared s ip server sibling))
      lease                         (-> s (assoc :dhcp/lease lease) (dissoc :dhcp/offered) (course/use-lease true))
      (exchange/denial? s m server) (course/denied s m)
      :else s)))

(defn- tell-changes [s before]
  (let [changes (terms/changes before (:dhcp/lease s)), ip (course/lease-ip s)]
    (if (and (seq changes) (= ip (:dhcp/told s)))
      (let [text (str (record/server-words (:dhcp/lease s)) " changed what goes with " ip ": " (apply str (interpose ", " changes)))]
        (record/effect s [:note :info text] [:event :changed {:ip ip :says text}]))
      s)))

(defn answered-reboot "Of any server." [s [{:message/keys [sibling] :as m}]]
  (let [before (:dhcp/lease s)
        lease  (exchange/acknowledgement s m (:dhcp/ip before) nil before)]
    (cond
      (and lease sibling)        (-> s record/take-off (record/tell-lost (str sibling " has it too"))
                                     (dissoc :dhcp/let-go) (record/drop-lease true) course/discover)
      lease                      (-> s (assoc :dhcp/lease lease) (tell-changes before) (course/use-lease true))
      (exchange/denial? s m nil) (course/denied s m)
      :else s)))

(defn- renewed [s lease]
  (let [before (:dhcp/lease s)]
    (-> s exchange/end (assoc :dhcp/lease lease) record/put-on (tell-changes before)
        (record/enter :bound :announce :gateway) course/with-times)))

(defn- answered-renewal [s [{:message/keys [sibling] :as m}] server]
  (let [before (:dhcp/lease s)
        lease  (exchange/acknowledgement s m (:dhcp/ip before) nil before)]
    (cond
      (and lease sibling)           s
      lease                         (renewed s lease)
      (exchange/denial? s m server) (course/denied s m)
      :else s)))

(defn answered-renew "Of any server; only its own may deny." [s args] (answered-renewal s args (get-in s [:dhcp/lease :dhcp/server])))
(defn answered-rebind "Of any server." [s args] (answered-renewal s args nil))

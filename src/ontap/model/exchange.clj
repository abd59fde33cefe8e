;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.exchange
  "What a DHCPv4 client sends, when it sends it again, and which messages are answers to it
  (RFC 2131, sections 4.1 and 4.4). Pure; works on the record of `ontap.model.lease-record`.

  Every message that is broadcast asks for broadcast answers: a link that has no address
  yet, and shares its hardware address with others, hears no other. A transaction has one
  xid, also when its message is sent again, so that a slow answer counts."
  (:require [ontap.model.address :as address]
            [ontap.model.chance :as chance]
            [ontap.model.lease-record :as record]
            [ontap.model.terms :as terms]))

(set! *warn-on-reflection* true)

(def ^:private most-secs 65535)

(defn begin
  "Begins a transaction."
  [s]
  (let [[xid seed] (chance/between (:dhcp/random s) 1 0xffffffff)]
    (assoc s :dhcp/xid xid :dhcp/random seed :dhcp/began (:dhcp/now s) :dhcp/tries 0 :dhcp/secs 0)))

(defn end "No transaction is under way." [s] (dissoc s :dhcp/xid))

(defn- secs [s] (min most-secs (quot (max 0 (- (:dhcp/now s) (:dhcp/began s))) 1000)))

(defn- send-message [s type more]
  (record/effect s [:send (merge {:message/type type
                                  :message/xid (:dhcp/xid s)
                                  :message/secs (:dhcp/secs s)
                                  :message/broadcast? (nil? (:message/to more))
                                  :message/hwaddr (:dhcp/hwaddr s)
                                  :message/client-id (:dhcp/client-id s)
                                  :message/client-ip nil :message/requested-ip nil :message/server-id nil
                                  :message/hostname (:dhcp/name s) :message/text nil :message/to nil :message/from nil}
                                 more)]))

(defn- again
  "Has it sent again: after 4, 8, 16, 32, 64 and again 64 s, each a second more or less."
  [{:dhcp/keys [tries] :as s}]
  (let [ms (* 1000 (bit-shift-left 4 (min 4 tries)))]
    (-> s (update :dhcp/tries inc) (record/wake-by-chance :resend (- ms 1000) (+ ms 1000)))))

(defn- requested [s] (assoc s :dhcp/sent-at (:dhcp/now s)))

(defn discover "Sends a DISCOVER, and has it sent again." [s]
  (let [s (assoc s :dhcp/secs (secs s))]
    (-> s (send-message :discover {:message/requested-ip (:dhcp/wish s)})
        (record/done-now :discover) again)))

(defn request-offered
  "Sends the REQUEST for what was offered, and has it sent again. Its xid and secs are those
  of the DISCOVER, by which relays send it to the same servers."
  [s]
  (let [{:keys [ip server]} (:dhcp/offered s)]
    (-> s (send-message :request {:message/requested-ip ip :message/server-id server}) requested again)))

(defn request-again
  "Sends the REQUEST of a client that begins with a lease it has (INIT-REBOOT), and has it
  sent again."
  [s]
  (let [s (assoc s :dhcp/secs (secs s))]
    (-> s (send-message :request {:message/requested-ip (get-in s [:dhcp/lease :dhcp/ip])})
        requested (record/done-now :reboot) again)))

(defn- to-server [{:dhcp/keys [server server-hwaddr]}]
  (when (and server server-hwaddr) {:ip server :hwaddr server-hwaddr}))

(defn- half-of-the-rest
  "Has it sent again after half of what remains until `end`, at least 60 s. Where there is no
  room for that, at least 1 s. Not when `end` would come first."
  [s from end]
  (let [now   (:dhcp/now s)
        least (if (< (- end from) 60000) 1000 60000)
        at    (+ now (max least (quot (- end now) 2)))]
    (cond-> s (< at end) (record/wake :resend at))))

(defn request-renewal
  "Sends the REQUEST of a client that renews its lease at its server; without the server's
  hardware address, at any. `rebind?` sends it to any."
  [s rebind?]
  (let [{:dhcp/keys [ip t1-at t2-at valid-until] :as lease} (:dhcp/lease s)
        to (when-not rebind? (to-server lease))
        s  (assoc s :dhcp/secs (secs s))]
    (-> s (send-message :request {:message/client-ip ip :message/from ip :message/to to})
        requested
        (half-of-the-rest (if rebind? t2-at t1-at) (if rebind? valid-until t2-at)))))

(defn decline
  "Tells the server that its address is in use by another; `text` says it for a person."
  [s text]
  (let [{:dhcp/keys [ip server]} (:dhcp/lease s)]
    (-> (begin s)
        (send-message :decline {:message/requested-ip ip :message/server-id server :message/hostname nil :message/text text})
        end)))

(defn release "Gives the lease back." [s]
  (let [{:dhcp/keys [ip server] :as lease} (:dhcp/lease s)]
    (-> (begin s)
        (send-message :release {:message/client-ip ip :message/server-id server :message/hostname nil
                                :message/to (to-server lease) :message/from ip})
        end)))

;; --- what comes in

(defn answer?
  "Is a message one to us? It has our xid and hardware address. A server that repeats the client
  identifier repeats ours (RFC 6842); not every one does."
  [s {:message/keys [xid hwaddr client-id]}]
  (boolean (and xid (= xid (:dhcp/xid s))
                (= hwaddr (:dhcp/hwaddr s))
                (or (nil? client-id) (= client-id (:dhcp/client-id s))))))

(defn offer? "Is `m` an offer to us, from a server that says who it is?" [s m]
  (and (= :offer (:message/type m)) (answer? s m)
       (= 4 (address/family (:message/server-id m))) (= 4 (address/family (:message/your-ip m)))))

(defn acknowledgement
  "The lease that `m` gives, if it acknowledges address `ip`, asked of `server` (nil: of any),
  and can be used; nil when it is anything else. `before` is the lease that it renews."
  [s m ip server before]
  (when (and (= :ack (:message/type m)) (answer? s m)
             (= ip (:message/your-ip m))
             (or (nil? server) (= server (:message/server-id m)))
             (nil? (terms/fault m before)))
    (let [lease (terms/lease m (:dhcp/sent-at s) before)]
      (when-not (terms/over? lease (:dhcp/now s)) lease))))

(defn denial?
  "Does `m` deny what was asked of `server` (nil: of any)?"
  [s m server]
  (boolean (and (= :nak (:message/type m)) (answer? s m)
                (:message/server-id m)
                (or (nil? server) (= server (:message/server-id m))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.acd
  "Detection of address conflicts (RFC 5227): its times, its frames, and whether what was
  heard is a conflict. Pure.

  The usual rule, that a frame with one's own hardware address is one's own, does not hold
  here: all ipvlan links of a port have the same. Whose an address is, the table of who
  has which tells; an ARP frame whose sender's address another link of ours has comes with
  :arp/sibling, that link's name.")

(set! *warn-on-reflection* true)

(def probe-wait-ms "The first probe waits for at most this." 1000)
(def probes "How many." 3)
(def probe-min-ms "Between two, at least." 1000)
(def probe-max-ms "Between two, at most." 2000)
(def announce-wait-ms "From the last probe to the use of the address." 2000)
(def announcements "How many." 2)
(def announce-interval-ms "Between two." 2000)
(def max-conflicts "After so many, `rate-limit-ms` passes before the next try." 10)
(def rate-limit-ms "See `max-conflicts`." 60000)
(def defend-interval-ms "An address is defended once in this time." 10000)

(def decline-wait-ms
  "After a conflict nothing is tried for so long (RFC 2131, 3.1, step 5)."
  10000)

(defn pause-ms
  "How long to wait after the `n`th conflict in a row."
  [n]
  (if (< n max-conflicts) decline-wait-ms rate-limit-ms))

;; --- frames

(defn probe "The effect that asks whether anybody has `ip`." [ip hwaddr]
  [:arp {:arp/kind :probe :arp/sender-ip nil :arp/target-ip ip :arp/hwaddr hwaddr :arp/to nil}])

(defn announcement "The effect that tells everybody who has `ip`." [ip hwaddr]
  [:arp {:arp/kind :announce :arp/sender-ip ip :arp/target-ip ip :arp/hwaddr hwaddr :arp/to nil}])

(defn question
  "The effect that asks for the hardware address of `target`, as `ip`; only its owner at
  hardware address `to`, or everybody (nil)."
  [ip hwaddr target to]
  [:arp {:arp/kind :request :arp/sender-ip ip :arp/target-ip target :arp/hwaddr hwaddr :arp/to to}])

;; --- conflicts: {:who text-or-nil, the other's hardware address; :sibling name-or-nil}

(defn- by [{:arp/keys [sender-hwaddr sibling]}] {:who sender-hwaddr :sibling sibling})

(defn conflict-while-probing
  "Who wants or has `ip`, which a link with hardware address `own` probes, going by an ARP
  frame; nil when that frame tells nothing. One that a local link sent (:arp/outgoing?) is not
  from us, who do not use the address yet."
  [ip own {:arp/keys [sender-ip sender-hwaddr target-ip outgoing? sibling] :as arp}]
  (cond
    (= ip sender-ip)
    (when (or sibling outgoing? (not= own sender-hwaddr)) (by arp))

    ;; somebody else probes it at the same time
    (and (nil? sender-ip) (= ip target-ip) sender-hwaddr (not= own sender-hwaddr))
    (by (dissoc arp :arp/sibling))))

(defn conflict-in-use
  "Who else has `ip`, which a link with hardware address `own` uses; nil for nobody. What a
  local link sends is our own workload's, or a sibling's."
  [ip own {:arp/keys [sender-ip sender-hwaddr outgoing? sibling] :as arp}]
  (when (and (= ip sender-ip)
             (or sibling (and (not outgoing?) (not= own sender-hwaddr))))
    (by arp)))

(defn- within? [at now span] (boolean (and at (< (- now at) span))))

(defn defence
  "What follows from a conflict about an address in use: :yield :defend or :wait. `seen` is when
  the last conflict was seen, `defended` when it was defended last (ms or nil); `keep?` is it
  kept whatever happens (RFC 5227, 2.4 b and c)?"
  [seen defended keep? now]
  (cond
    keep?                                  (if (within? defended now defend-interval-ms) :wait :defend)
    (within? seen now defend-interval-ms)  :yield
    :else                                  :defend))

(defn answer-of?
  "Is an ARP frame the word of host `ip` on the LAN?"
  [ip {:arp/keys [sender-ip sender-hwaddr outgoing?]}]
  (boolean (and ip (= ip sender-ip) sender-hwaddr (not outgoing?))))

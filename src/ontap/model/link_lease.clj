;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.link-lease
  "One lease of a link (doc/data.md, Lease): made of a request, called by its name, judged
  by itself. Pure. What follows for all of them is `ontap.model.allocation`."
  (:require [ontap.model.network :as network]))

(set! *warn-on-reflection* true)

(defn refusal
  "The data of a refusal: a rule of doc/protocol.md and a sentence."
  [rule says & {:as more}]
  (merge {:refusal/rule rule :refusal/says says} more))

(defn title
  "A lease in a person's words: \"lease 3 (vm1, ipvtap on wlp3s0)\"."
  [{:lease/keys [id name type port]}]
  (str "lease " id " (" (when name (str name ", ")) type " on " port ")"))

;; --- a new one

(def ^:private first-index
  "The kernel numbers links from 1: a link with an index that was chosen beforehand can
  be told from every other after a crash."
  1000)

(defn- of-ipv4 [{:request/keys [ipv4 acd? release? start-delay?]}]
  {:lease/ipv4 ipv4 :lease/acd? (boolean acd?) :lease/release? (boolean release?)
   :lease/start-delay? (boolean start-delay?)})

(defn of-request
  "A new lease `id` for what `peer` asks of `port`; `prefix` begins the names of links
  with descriptors."
  [id port request peer prefix]
  (let [{:request/keys [type name mode queues link keep?] kind :request/lease} request
        taps? (network/tap-type? type)]
    (cond-> {:lease/id     id
             :lease/port   port
             :lease/type   type
             :lease/mode   mode
             :lease/name   name
             :lease/uid    (:peer/uid peer)
             :lease/pid    (:peer/pid peer)
             :lease/ticks  (:peer/ticks peer)
             :lease/held   (if taps? :holder (or kind :namespace))
             :lease/keep?  (boolean keep?)
             :lease/setup  (:request/setup request)
             :lease/queues (when taps? (or queues 1))
             :lease/link   (if taps? (str prefix id) link)
             :lease/index  (when-not (= "tap" type) (+ first-index id))
             :lease/state  (if taps? :making :looking)}
      ;; the guest behind a tap gets its addresses by itself
      (not taps?) (merge (of-ipv4 request)))))

(defn of-host
  "A new lease `id` of the host's own link on a port."
  [id {:port/keys [name host-link]}]
  {:lease/id id, :lease/port name, :lease/type (:type host-link), :lease/mode nil, :lease/name nil
   :lease/uid 0, :lease/pid nil, :lease/held :host, :lease/keep? true, :lease/setup :slaac
   :lease/queues nil, :lease/link (:link host-link), :lease/index (+ first-index id)
   :lease/nsid nil, :lease/netns nil, :lease/state :making
   :lease/ipv4 (:ipv4 host-link), :lease/acd? true, :lease/release? false, :lease/start-delay? true})

;; --- what is true of one

(defn active?
  "Is its link there, as far as is known?"
  [{:lease/keys [state]}] (contains? #{:held :kept} state))

(defn was-kept?
  "Was the link of `lease` there before it is made now?"
  [{:lease/keys [state mtu]}]
  (and (= :making state) (some? mtu)))

(defn at-link?
  "Is it the lease of the link `index` in namespace `nsid`?"
  [nsid index lease]
  (and (= nsid (:lease/nsid lease)) (= index (:lease/index lease))
       (not (contains? #{:looking :making} (:lease/state lease)))))

(defn freed-soon?
  "Is the name of `holder` about to be free: its process is gone, or its link is?"
  [holder {:peer/keys [uid]}]
  (and (= uid (:lease/uid holder))
       (or (= :ending (:lease/state holder)) (:lease/asker-gone? holder))
       (not= :kept (:lease/state holder))))

(defn resumable?
  "May `request` of `peer` take the kept link of `lease` again?"
  [lease port {:request/keys [type]} {:peer/keys [uid]}]
  (and (= :kept (:lease/state lease)) (network/tap-type? type)
       (= [type port uid] ((juxt :lease/type :lease/port :lease/uid) lease))))

(defn written
  "What of `lease` is written down; nil before anything was begun for it."
  [{:lease/keys [state] :as lease}]
  (when-not (= :looking state) (dissoc lease :lease/token :lease/waiters :lease/asker-gone? :lease/resumed?)))

;; --- refusals

(defn name-taken
  "The refusal of a name that another lease has."
  [{:lease/keys [id name uid state]} peer]
  (refusal :name
           (if (or (= 0 (:peer/uid peer)) (= uid (:peer/uid peer)))
             (str "the name " name " is in use by lease " id
                  (when (= :kept state) (str ", which was kept: `ontap release " id "` ends it")))
             (str "the name " name " is in use on this machine"))))

(defn authority
  "The refusal of a link of `type` in the namespace of facts `net` for `peer`, or nil
  (DESIGN.md, decision 5: root, or the owner of its user namespace, and ipvlan only)."
  [port-config {:net/keys [own? owner]} type {:peer/keys [uid]}]
  (cond
    (and own? (not (:port/own-netns? port-config)))
    (refusal :namespace
             (str "that is ontapd's own network namespace, and port " (:port/name port-config)
                  " puts no links there; :own-netns true in its configuration would allow it"))
    (zero? (long uid)) nil
    (not= owner uid)
    (refusal :authority
             (str "that network namespace is not yours: a link goes to a namespace of root's for"
                  " root only, and to one that you made yourself (unshare -Urn) for you"))
    (not= "ipvlan" type)
    (refusal :authority (str "only ipvlan links go to an ordinary user's namespace: on a " type
                             " one could stack more without limit"))))

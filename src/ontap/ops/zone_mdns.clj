;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-mdns
  "Multicast DNS of a running zone: what the river says goes into a machine for each link
  (`ontap.model.mdns`), and what a machine wants goes out by the sockets of its namespace. In
  the loop's thread."
  (:require [ontap.kernel.udp :as udp]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-link :as mdns-link]
            [ontap.model.mdns-place :as mdns-place]
            [ontap.model.mdns-presence :as presence]
            [ontap.ops.mdns-io :as mdns-io]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.publish.mdns-wire :as mdns-wire])
  (:import (java.util SplittableRandom)))

(set! *warn-on-reflection* true)

;; --- out

(declare step!)

(defn- renamed-text [{:place/keys [name]} {:host/keys [label by] host :host/name}]
  (if (= label host)
    (str label ".local is ours again on " name)
    (str label ".local is " host ".local on " name ": " (if by (str by " has ") "somebody has ") label ".local")))

(defn- perform!
  [{:keys [note changed!] :as it} {:keys [place] :as speaker} effect]
  (case (:effect/type effect)
    :send    (mdns-io/send! @(:sockets speaker) effect)
    :renamed (do (note (if (= (:host/label effect) (:host/name effect)) :info :warning) (renamed-text place effect))
                 (changed!))
    :note    (note (:note/level effect) (str (:note/text effect) " on " (:place/name place)))))

(defn- step! [{:keys [loop ^SplittableRandom random] :as it} {:keys [machine timer] :as speaker} event]
  (let [{:mdns/keys [state effects]} (mdns/step @machine event (mdns-io/now-ms) (.nextLong random))]
    (vreset! machine state)
    (run! #(perform! it speaker %) effects)
    (mdns-io/arm! loop timer (mdns/due state) #(step! it speaker {:event/type :time}))))

;; --- in

(defn- interest-of
  "What matters to `speaker` now."
  [{:keys [machine interest]}]
  (let [names (mdns/names @machine)]
    (when-not (identical? names (first @interest))
      (vreset! interest [names (mdns-wire/interest names)]))
    (second @interest)))

(defn- elsewhere
  "What other machines of ours publish, when a packet is from one of our own addresses: links may be bridged."
  [{:keys [speakers]} speaker inventory ip]
  (when (and (next speakers) (some #(mdns-place/own? (get-in inventory [:inv/addresses (:presence/at @(:presence %))]) ip) speakers))
    (into #{} (mapcat #(when-not (identical? speaker %) (mdns/identities @(:machine %)))) speakers)))

(defn- heard! [{:keys [river] :as it} {:keys [presence senders] :as speaker} datagram]
  (let [inventory (:inventory (river))
        addresses (get-in inventory [:inv/addresses (:presence/at @presence)])]
    (when-let [{:packet/keys [ip] :as event} (mdns-io/packet datagram (interest-of speaker) senders addresses)]
      (step! it speaker (assoc event :packet/elsewhere (elsewhere it speaker inventory ip))))))

(defn- listen! [{:keys [loop] :as it} {:keys [sockets] :as speaker}]
  (mdns-io/listen! loop @sockets #(heard! it speaker %)))

;; --- the river

(defn- close! [{:keys [loop]} {:keys [sockets]}]
  (mdns-io/close! loop @sockets)
  (vreset! sockets {}))

(defn- had
  "Sockets on the link `index`. Where it is the start of the zone that fails, that ends; one that runs says why it has none, and goes
  on with all else."
  [{:keys [note running?]} {:keys [place]} index families]
  (try
    (mdns-io/open index families "leave :mdns out")
    (catch Exception e
      (when-not @running? (throw e))
      (note :warning (str "no multicast DNS on " (:place/name place) ": " (ex-message e)))
      {})))

(defn- open!
  "Sockets for the link as it is `after`. Those of a link with a number of its own were handed over."
  [it {:keys [place presence sockets tried] :as speaker} after]
  (when (and (:place/link place) (not= (:presence/at @presence) (:presence/at after)))
    (close! it speaker)
    (when after
      (vreset! tried #{})
      (vreset! sockets (had it speaker (second (:presence/at after)) [:ipv4 :ipv6]))
      (listen! it speaker))))

(defn- alone?
  "Are all sockets of port 5353 in this process's namespace ours? Who shares the port may get what is sent to this host alone (RFC
  6762 section 15.1)."
  [{:keys [speakers]}]
  (= (udp/sockets 5353)
     (transduce (map #(if (:place/link (:place %)) (count @(:sockets %)) 0)) + 0 speakers)))

(defn- unicast?
  "May the link `found` be answered by unicast? Asked of the kernel."
  [it {:keys [place]} {:presence/keys [unicast?]}]
  (and unicast? (or (nil? (:place/link place)) (alone? it))))

(defn- more-sockets!
  "Sockets for families that the link has now, and had not when it was opened: once, for as long as it has them."
  [{:keys [loop] :as it} {:keys [place sockets tried] :as speaker} {:presence/keys [at families]}]
  (let [missing (into #{} (remove @sockets) families)]
    (when (and (:place/link place) (seq (remove @tried missing)))
      (let [more (had it speaker (second at) missing)]
        (vswap! sockets merge more)
        (mdns-io/listen! loop more #(heard! it speaker %))))
    (vreset! tried missing)))

(defn- spoken
  "The presence `found` as it is with the sockets that are there."
  [it {:keys [sockets] :as speaker} before {:presence/keys [families] :as found}]
  (when found
    (more-sockets! it speaker found)
    (let [families (into #{} (filter @sockets) families)
          new      (remove (:presence/families before #{}) families)]
      (doseq [family new] (mdns-socket/join-again! (get @sockets family)))
      (assoc found
             :presence/families families
             :presence/unicast? (if (and (empty? new) before)
                                  (:presence/unicast? before)
                                  (unicast? it speaker found))))))

(defn- before-probing!
  "Names will be probed for: who shares the port may have come since the last time."
  [it {:keys [place presence] :as speaker} inventory]
  (let [{:presence/keys [families] :as now} @presence
        may? (unicast? it speaker (presence/presence inventory place))]
    (when (and (seq families) (not= may? (:presence/unicast? now)))
      (vswap! presence assoc :presence/unicast? may?)
      (step! it speaker {:event/type :link :link/families families :link/unicast? may?}))))

(defn- follow!
  "What the river says now of one link and of its names."
  [{:keys [river] :as it} {:keys [place presence wanted] :as speaker}]
  (let [{:keys [inventory] :as now} (river)
        before @presence
        found  (presence/presence inventory place)]
    (when-not (= before found)
      (open! it speaker found)
      (let [after (spoken it speaker before found)]
        (vreset! presence after)
        (run! #(step! it speaker %) (presence/events before after))))
    (let [names (when-let [at (:presence/at @presence)] (mdns-link/wanted now at @wanted))]
      (when-not (identical? names @wanted)
        (when (some #(not (contains? @wanted (key %))) names) (before-probing! it speaker inventory))
        (vreset! wanted names)
        (step! it speaker {:event/type :wanted :mdns/wanted (or names {})})))))

(defn flowed!
  "The river has moved."
  [{:keys [speakers] :as it}]
  (run! #(follow! it %) speakers))

;; --- a life

(defn- speaker [saved {:place/keys [name sockets] :as place}]
  {:place    place
   :machine  (volatile! (mdns/machine {:machine/saved (get saved name)}))
   :presence (volatile! nil)
   :sockets  (volatile! (or sockets {}))
   :tried    (volatile! #{})
   :wanted   (volatile! nil)
   :interest (volatile! nil)
   :senders  (mdns-io/senders)
   :timer    (volatile! nil)})

(defn speak!
  "Speaks multicast DNS from now on, on the links that `zone` names and at `places`, those in other namespaces:
  {:place/name :place/at [nsid index] :place/sockets {family socket}}. `saved` is what `saved` gave of an earlier one; `river`
  (fn []) the river now; `note` (fn [level text]); `changed!` (fn []) is called when a name is another on the link. nil when there
  is nowhere to speak. Throws with :kind :exit when port 5353 cannot be had."
  [{:keys [loop zone places saved river note changed!]}]
  (let [all (concat (for [link (:mdns/links (:zone/mdns zone))] {:place/name link :place/link link}) places)]
    (when (seq all)
      (let [it {:loop loop :river river :note note :changed! changed!
                :random (SplittableRandom.) :running? (volatile! false) :speakers (mapv #(speaker saved %) all)}]
        (run! #(listen! it %) (:speakers it))
        (flowed! it)
        (vreset! (:running? it) true)
        (doseq [{:keys [place presence]} (:speakers it) :when (nil? @presence)]
          (note :warning (str "no multicast DNS on " (:place/name place) ": there is no such link yet; it begins when there is")))
        it))))

(defn again!
  "The machine was asleep: names are looked for anew (RFC 6762 section 8)."
  [{:keys [speakers] :as it}]
  (run! #(step! it % {:event/type :again}) speakers))

(defn hosts
  "Link -> what `ontap.model.mdns/hosts` says of its names."
  [{:keys [speakers]}]
  (into {} (map (fn [{:keys [place machine]}] [(:place/name place) (mdns/hosts @machine)])) speakers))

(defn saved
  "Link -> {label name}: what has to be kept on disk."
  [{:keys [speakers]}]
  (into {} (keep (fn [{:keys [place machine]}] (when-let [s (not-empty (mdns/saved @machine))] [(:place/name place) s]))) speakers))

(defn stop!
  "Says goodbye, and closes the sockets."
  [{:keys [speakers] :as it}]
  (run! #(step! it % {:event/type :stop}) speakers)
  (run! #(close! it %) speakers))

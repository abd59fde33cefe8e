;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mdns-peer
  "A virtual link with one machine of multicast DNS (`ontap.model.mdns`) and a scripted peer: time
  moves only when it is told to, and what the machine sends is kept with its moment and family.

  A world is a value:
    :now     ms since the world began
    :state   the machine's
    :sent    [{:at ms :family :ipv4 :to :multicast or {:ip :port} :kind :probe|:query|:response :message m}],
             one for each family that a message went out by
    :effects [[ms effect]], all that are none of :send

  A record for people is a fact: [name type data], such as [\"web.local\" :a \"10.0.0.5\"],
  [\"web._http._tcp.local\" :srv [80 \"web.local\"]], [... :txt [\"path=/\"]], [\"web.local\" :nsec #{:a}]."
  (:require [clojure.string :as str]
            [ontap.model.chance :as chance]
            [ontap.model.mdns :as mdns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as mdns-record]))

(set! *warn-on-reflection* true)

(def began "What the clock shows when a world begins, ms: a machine of some days." 345678901)

;; --- facts and records

(def ^:private types
  {:a 1 :ns 2 :cname 5 :soa 6 :ptr 12 :hinfo 13 :txt 16 :aaaa 28 :srv 33 :opt 41 :rrsig 46 :nsec 47 :axfr 252 :any 255})

(def ^:private type-words (into {} (map (fn [[k v]] [v k])) types))

(defn type-of "The number of a type that is a word or a number." [type] (types type type))

(defn name-of "The name that a text writes, \".\" the root's; throws when it is none." [text]
  (or (if (= "." text) mdns-name/root (mdns-name/of-text text)) (throw (ex-info (str "no name: " text) {}))))

(defn reverse-name "The text of the name where the PTR of an address is." [ip]
  (mdns-name/text (mdns-record/reverse-name ip)))

(defn- shared? [name type] (and (= 12 type) (not (str/ends-with? (str/lower-case name) ".arpa"))))

(defn record
  "The record of a fact, as its owner would say it (RFC 6762 sections 10 and 10.2), or with another
  :ttl, :flush? or :class."
  [[name type data] & {:keys [ttl flush? class]}]
  (let [n (name-of name), t (type-of type)
        made (case type
               (:a :aaaa)    (mdns-record/address-record n data)
               (:ptr :cname) (assoc (mdns-record/ptr-record n (name-of data) (if (shared? name t) 4500 120) true) :mdns/type t)
               :srv          (mdns-record/srv-record n (first data) (name-of (second data)))
               :txt          (mdns-record/txt-record n data)
               :nsec         (mdns-record/nsec-record n (map type-of data) 120)
               (mdns-record/record n t 4500 data true))]
    (assoc made :mdns/ttl (or ttl (:mdns/ttl made)) :mdns/class (or class 1)
           :mdns/flush? (if (some? flush?) flush? (not (shared? name t))))))

(defn fact
  "The fact that a record tells."
  [{:mdns/keys [name type rdata] :as record}]
  [(mdns-name/text name) (type-words type type)
   (case (int type)
     (1 28) (mdns-record/ip record)
     (5 12) (mdns-name/text rdata)
     33     (let [{:srv/keys [port target]} (mdns-record/srv-data record)] [port (mdns-name/text target)])
     16     (mdns-record/txt-strings record)
     47     (into #{} (map #(type-words % %)) (mdns-record/nsec-types record))
     rdata)])

;; --- messages

(defn question
  "[name type], and :qu (a unicast answer is fine) or a class."
  [[name type & more]]
  {:mdns/name     (name-of name)
   :mdns/type     (type-of type)
   :mdns/class    (or (first (filter number? more)) 1)
   :mdns/unicast? (boolean (some #{:qu} more))})

(defn query
  "A query: questions as `question` has them; :known and :proposed are records."
  [questions & {:keys [known proposed tc? id opcode rcode] :or {id 0 opcode 0 rcode 0}}]
  {:message/id id :message/response? false :message/opcode opcode :message/rcode rcode
   :message/authoritative? false :message/truncated? (boolean tc?)
   :message/questions (mapv question questions) :message/answers (vec known)
   :message/authorities (vec proposed) :message/additionals []})

(defn response
  "A response that says `records`, and :more in the additional section."
  [records & {:keys [more id opcode rcode questions] :or {id 0 opcode 0 rcode 0}}]
  {:message/id id :message/response? true :message/opcode opcode :message/rcode rcode
   :message/authoritative? true :message/truncated? false
   :message/questions (mapv question questions) :message/answers (vec records)
   :message/authorities [] :message/additionals (vec more)})

(defn probe
  "A probe for the names of `facts` (RFC 6762 section 8.1)."
  [facts & {:keys [qm?]}]
  (query (for [n (distinct (map first facts))] (cond-> [n :any] (not qm?) (conj :qu)))
         :proposed (map #(record % :flush? false) facts)))

;; --- a world

(defn world
  "A link without a family yet; :saved and :unicast? as in `ontap.model.mdns/machine`."
  [& {:keys [saved seed unicast?] :or {saved {} seed 1 unicast? true}}]
  {:now 0 :seed (long seed) :sent [] :effects []
   :state (mdns/machine {:machine/saved saved :machine/unicast? unicast?})})

(defn world-of
  "A world of another machine that steps as `ontap.model.mdns` does: its first state, its `step` and its `due`."
  [state step due seed]
  {:now 0 :seed (long seed) :sent [] :effects [] :state state :step step :due due})

(defn- kind [{:message/keys [response? authorities]}]
  (cond response? :response, (seq authorities) :probe, :else :query))

(defn- family [ip] (if (str/includes? ip ":") :ipv6 :ipv4))

(defn- sendings [now {:send/keys [to families message]}]
  (for [f (if (= :multicast to) (sort families) [(family (:ip to))])]
    {:at now :family f :to to :kind (kind message) :message message}))

(defn give
  "Gives an event now."
  [{:keys [state now seed step] :or {step mdns/step} :as w} event]
  (let [[n seed] (chance/between seed 0 (bit-shift-left 1 62))
        {:mdns/keys [state effects]} (step state event (+ (long began) (long now)) n)
        {sends true others false} (group-by #(= :send (:effect/type %)) effects)]
    (-> (assoc w :state state :seed seed)
        (update :sent into (mapcat #(sendings now %)) sends)
        (update :effects into (map #(vector now %)) others))))

(defn due "When the machine wants to be called, ms; nil: never." [{:keys [state due] :or {due mdns/due}}]
  (when-let [at (due state)] (- (long at) (long began))))

(defn until
  "Lets time pass until `end`. Throws when the machine's timer does not move on."
  [w end]
  (loop [w w, stuck 0]
    (let [at (due w)]
      (cond
        (or (nil? at) (< (long end) (long at))) (assoc w :now (max (long end) (long (:now w))))
        (< 50 stuck) (throw (ex-info (str "the timer stays at " at) {:now (:now w)}))
        :else (let [now (max (long at) (long (:now w)))]
                (recur (give (assoc w :now now) {:event/type :time})
                       (if (= now (:now w)) (inc stuck) 0)))))))

(defn later "Lets `ms` pass." [w ms] (until w (+ (long (:now w)) (long ms))))

(defn host
  "{label host} as the river wants it."
  [label addresses & services]
  {label {:host/label label :host/addresses (vec (sort addresses)) :host/services (vec services)}})

(defn service
  "A service of a host: \"_http._tcp\" on a port, of the instance \"web\"."
  [type port instance & {:keys [txt subtypes]}]
  {:service/type type :service/port port :service/instance instance
   :service/txt (vec txt) :service/subtypes (vec subtypes)})

(defn link "The families that the link has." [w & families]
  (give w {:event/type :link :link/families (set families)}))

(defn want "Wants these hosts, maps of `host`." [w & hosts]
  (give w {:event/type :wanted :mdns/wanted (into {} hosts)}))

(defn up "A new world with both families that wants `hosts`." [seed & hosts]
  (-> (world :seed seed) (link :ipv4 :ipv6) (as-> w (apply want w hosts))))

(def quiet "ms after which a machine that nobody disturbs has said all." 600000)

(defn settled "A world whose hosts are established and announced long ago." [seed & hosts]
  (later (apply up seed hosts) quiet))

(defn hear
  "A packet comes in: from the peer 10.0.0.9 on the link to the group, if nothing else is said."
  [w message & {:keys [ip port multicast? on-link? own? elsewhere]
                :or   {ip "10.0.0.9" port 5353 multicast? true on-link? true own? false}}]
  (give w {:event/type :packet :packet/message message :packet/ip ip :packet/port port :packet/family (family ip)
           :packet/multicast? multicast? :packet/on-link? on-link? :packet/own? own?
           ;; what we say on other links, if the packet is from an address of ours
           :packet/elsewhere elsewhere}))

(defn stop "The program ends." [w] (give w {:event/type :stop}))

(defn again "The machine was asleep." [w] (give w {:event/type :again}))

;; --- a peer that reacts

(defn play
  "Lets time pass until `end`, and `(react sending)` answers each thing that is sent from now on by
  IPv4, at once: nil, or a message (from the peer, as `hear` has it), or [message & opts]."
  [w end react]
  (loop [w w, seen (count (:sent w)), steps 0]
    (when (< 100000 steps) (throw (ex-info "the machine does not come to rest" {:now (:now w)})))
    (if-let [s (get (:sent w) seen)]
      (let [said (when (= :ipv4 (:family s)) (react s))]
        (recur (cond (nil? said) w, (map? said) (hear w said), :else (apply hear w said)) (inc seen) (inc steps)))
      (let [at (due w)]
        (if (or (nil? at) (< (long end) (long at)))
          (assoc w :now (max (long end) (long (:now w))))
          (recur (give (assoc w :now (max (long at) (long (:now w)))) {:event/type :time}) seen (inc steps)))))))

(declare asked)

(defn defender
  "A reaction: the peer has `facts`, and answers each probe for their names with all of them."
  [& facts]
  (fn [{:keys [kind] :as sending}]
    (when (and (= :probe kind) (some (set (map first facts)) (asked sending)))
      (response (map record facts)))))

(defn until-probe
  "Lets time pass until the `n`th probe for `name` from now on has just been sent; throws when there is none in 60 s."
  [w name n]
  (let [seen (count (:sent w)), end (+ 60000 (long (:now w)))]
    (loop [w w]
      (let [got (count (filter #(and (= :probe (:kind %)) (= :ipv4 (:family %)) (some #{name} (asked %))) (subvec (:sent w) seen)))
            at  (due w)]
        (cond (<= (long n) got) w
              (or (nil? at) (< end (long at))) (throw (ex-info (str "no probe " n " for " name) {:now (:now w) :due at}))
              :else (recur (give (assoc w :now (max (long at) (long (:now w)))) {:event/type :time})))))))

;; --- what came out

(defn since "What was sent from the moment `at` on." [{:keys [sent]} at]
  (filterv #(<= (long at) (long (:at %))) sent))

(defn after "What `after` has sent that `before`, an earlier state of the same world, had not." [before after]
  (subvec (:sent after) (count (:sent before))))

(defn of
  "Those of `sendings` that are of a kind, a family, and to :multicast or :unicast."
  [sendings & {:keys [kind family to]}]
  (filterv #(and (or (nil? kind) (= kind (:kind %)))
                 (or (nil? family) (= family (:family %)))
                 (or (nil? to) (= (= :multicast to) (= :multicast (:to %)))))
           sendings))

(defn records
  "All records of a sending, or of its :answers, :additionals, :authorities."
  ([{:keys [message]}]
   (mapcat #(% message) [:message/answers :message/authorities :message/additionals]))
  ([{:keys [message]} section]
   ((keyword "message" (name section)) message)))

(defn facts
  "The facts in sendings, as a set; of one section when it is told, but goodbyes."
  ([sendings] (into #{} (comp (mapcat records) (remove #(zero? (long (:mdns/ttl %)))) (map fact)) sendings))
  ([sendings section]
   (into #{} (comp (mapcat #(records % section)) (remove #(zero? (long (:mdns/ttl %)))) (map fact)) sendings)))

(defn goodbyes "The facts that sendings take back, as a set." [sendings]
  (into #{} (comp (mapcat records) (filter #(zero? (long (:mdns/ttl %)))) (map fact)) sendings))

(defn saying "Those of `sendings` whose answers or additionals have the fact (not taken back)." [sendings f]
  (filterv #(contains? (facts [%]) f) (of sendings :kind :response)))

(defn asked "The names a sending has questions for, as texts." [{:keys [message]}]
  (mapv (comp mdns-name/text :mdns/name) (:message/questions message)))

(defn probing "Those of `sendings` that are probes for the name, by one family." [sendings name & {:keys [family] :or {family :ipv4}}]
  (filterv #(some #{name} (asked %)) (of sendings :kind :probe :family family)))

(defn times "The moments of sendings." [sendings] (mapv :at sendings))

(defn gaps "Milliseconds between moments." [moments] (mapv - (rest moments) moments))

(defn effects "The effects of a type, with their moments." [w type]
  (filterv #(= type (:effect/type (second %))) (:effects w)))

(defn state-of "What `ontap.model.mdns/hosts` says of a label." [w label] (get (mdns/hosts (:state w)) label))

(defn called "The name that the machine has for a label now." [w label] (:host/name (state-of w label)))

(defn established? [w label] (= :established (:host/state (state-of w label))))

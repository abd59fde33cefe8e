;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.protocol
  "What ontapd and its clients say to one another: the bytes of one packet to data, and back. Pure; doc/protocol.md tells it
  to those who write a client. Nothing here throws, whatever the bytes are, but `encode`, which is for messages of our own.

  A message to be sent is {:message/word :attach :message/lines [[\"type\" \"ipvlan\"] ...]}, one that was read
  {:message/word :attach :message/fields {\"type\" \"ipvlan\"}}. A refusal is {:refusal/rule kw :refusal/says sentence
  :refusal/wait? true-or-absent}; its sentence goes on after \"refused: \", which whoever shows it puts before it."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network])
  (:import (java.nio ByteBuffer)
           (java.nio.charset CharacterCodingException StandardCharsets)))

(set! *warn-on-reflection* true)

(def max-bytes "A packet is no longer than this." 4096)

(def rules
  "Why something is refused, in the order of doc/protocol.md."
  [:version :size :request :descriptor :type :policy :name :limit :rate :port :namespace :authority :lease :kernel :busy])

;; --- bytes

(def ^:private word-form #"[a-z][a-z0-9-]{0,31}")

(defn- text-of
  "The text of bytes that are UTF-8, or nil."
  [^bytes bs]
  (try (str (.decode (.newDecoder StandardCharsets/UTF_8) (ByteBuffer/wrap bs)))
       (catch CharacterCodingException _ nil)))

(defn- other-version
  "The version that the first line of a packet names, when it is another than ours. Looks at the first bytes only, so that
  nothing which a later version may do differently is in the way."
  [^bytes bs]
  (let [head (String. bs 0 (int (min 32 (alength bs))) StandardCharsets/ISO_8859_1)
        [_ n] (re-find #"^ontap (\d{1,20})(?:[ \n]|$)" head)]
    (when (not= "1" n) n)))

(defn- fault [rule & says] {:message/fault {:rule rule :says (apply str says)}})

(defn- read-lines [lines]
  (reduce (fn [fields line]
            (let [[_ k v] (re-matches #"(?s)([a-z][a-z0-9-]{0,31}) (.+)" line)]
              (cond (nil? k) (reduced (fault :request "each line should be KEY VALUE, with one space between; one is "
                                             (mistake/shown line)))
                    (contains? fields k) (reduced (fault :request "each key should stand once; " k " is repeated"))
                    :else (assoc fields k v))))
          {} lines))

(defn decode
  "The message in the bytes of one packet: {:message/word kw :message/fields {text text}}, or {:message/fault {:rule :version,
  :size or :request, :says sentence}}: after a fault nothing on that connection can be relied on, and ontapd closes it."
  [^bytes bs]
  (let [version (other-version bs)
        text (when (and (not version) (<= (alength bs) (long max-bytes))) (text-of bs))
        first-line (when text (first (str/split text #"\n" 2)))
        [_ word] (when first-line (re-matches #"ontap 1 ([a-z][a-z0-9-]{0,31})" first-line))]
    (cond
      version (fault :version "this program speaks version 1 of the protocol, not version " version)
      (< (long max-bytes) (alength bs)) (fault :size "a message should be at most " max-bytes " bytes long")
      (zero? (alength bs)) (fault :request "the message is empty")
      (nil? text) (fault :request "a message should be text in UTF-8")
      (not (str/ends-with? text "\n")) (fault :request "each line should end with a newline, the last one too")
      (re-find #"[\p{Cc}&&[^\n]]" text) (fault :request "a message should hold no control character but newline")
      (nil? word) (fault :request "a message should begin with a line such as \"ontap 1 attach\"; this one begins with "
                         (mistake/shown first-line))
      :else
      (let [fields (read-lines (butlast (rest (str/split text #"\n" -1))))]
        (if (:message/fault fields) fields {:message/word (keyword word) :message/fields fields})))))

(defn encode
  "The bytes of a message {:message/word kw :message/lines [[key value] ...]}. Throws ex-info with :reason ::unwritable for
  one that no peer could read."
  ^bytes [{:message/keys [word lines]}]
  (let [unwritable (fn [why] (throw (ex-info (str "unable to write a message: " why) {:reason ::unwritable :word word :lines lines})))
        text (str "ontap 1 " (name word) "\n" (apply str (map (fn [[k v]] (str k " " v "\n")) lines)))
        bs (.getBytes text StandardCharsets/UTF_8)]
    (cond (not (re-matches word-form (name word))) (unwritable "its word is none")
          (not-every? (fn [[k v]] (and (string? k) (re-matches word-form k) (string? v) (seq v))) lines)
          (unwritable "each line needs a key and a value")
          (not (or (empty? lines) (apply distinct? (map first lines)))) (unwritable "a key is repeated")
          (not-any? (fn [[_ v]] (re-find #"[\p{Cc}\p{Cs}]" v)) lines)
          (if (< (long max-bytes) (alength bs)) (unwritable "it is too long") bs)
          :else (unwritable "a value holds a control character"))))

;; --- requests

(defn- no
  "The answer of a reader of requests that refuses."
  [rule & says]
  {:refused {:refusal/rule rule :refusal/says (apply str says)}})

(defn- shown-or-missing [v] (if (nil? v) "is missing" (str "is " (mistake/shown v))))

(defn- number
  "The number of a text from `low` to `high`, or nil."
  [v low high]
  (when (and v (re-matches #"0|[1-9]\d{0,17}" v))
    (let [n (parse-long v)] (when (<= low n high) n))))

(defn- or-words [words] (mistake/and-list "or" words))

(defn- did-you-mean [v words] (when-let [near (mistake/nearest v words)] (str "; did you mean " near "?")))

(defn- descriptor-fault [type fds]
  (cond (and (network/tap-type? type) (pos? fds))
        (no :descriptor "a request for " type " takes no descriptor; " fds " came with it")
        (and (not (network/tap-type? type)) (zero? fds))
        (no :descriptor "a link of type " type " is made in a network namespace, whose descriptor should come with the request")))

(def ^:private yes-or-no {"yes" true, "no" false})

(def ^:private ipv4-keys ["ipv4" "gateway" "release" "acd" "start-delay"])

(defn- ipv4-value
  "What the text of ipv4 says, in the shape of :service/ipv4; nil when it says nothing."
  [text gateway]
  (case text
    (nil "none") {:method :none}
    "dhcp" {:method :dhcp}
    (let [{:keys [family ip prefix]} (address/prefixed text)]
      (when (= 4 family) {:method :static :ip ip :prefix prefix :gateway gateway}))))

(defn- ipv4-fault [mode {:strs [ipv4 gateway] :as fields}]
  (let [{:keys [method ip prefix] :as value} (ipv4-value ipv4 nil)
        fault (when ip (address/host-fault ip prefix))
        l3? (contains? #{"l3" "l3s"} mode)
        of-no-use (fn [k needs] (no :request k " is about " needs "; with ipv4 " (or ipv4 "none") " it should be left out"))]
    (cond
      (nil? value) (no :request "ipv4 should be none, dhcp or an address such as 10.0.0.5/24, " (shown-or-missing ipv4))
      fault (no :request "ipv4 should be an address a link can have; " ipv4 " is " fault)
      (and l3? (= :dhcp method))
      (no :request "no broadcast, and so no DHCP, reaches an ipvlan link of mode " mode "; ipv4 should be none or an address")
      (and gateway (not ip)) (of-no-use "gateway" "an address of one's own")
      (and gateway (not (and (= :ordinary (when (= 4 (address/family gateway)) (address/kind gateway)))
                             (not= ip gateway) (address/same-network? ip gateway prefix))))
      (no :request "gateway should be another address of " (address/network ip prefix) ", " (shown-or-missing gateway))
      :else
      (first
       (for [[k methods needs] [["release" #{:dhcp} "the lease of a DHCP server"]
                                ["start-delay" #{:dhcp} "the wait before DHCP begins"]
                                ["acd" #{:dhcp :static} "an IPv4 address"]]
             :let [v (get fields k)
                   fault (cond (nil? v) nil
                               (not (contains? yes-or-no v)) (no :request k " should be yes or no, " (shown-or-missing v))
                               (not (methods method)) (of-no-use k needs)
                               (and l3? (= ["acd" "yes"] [k v]))
                               (no :request "an ipvlan link of mode " mode " speaks no ARP; acd should be no or left out"))]
             :when fault]
         fault)))))

(defn- tap-fault [type {:strs [link setup lease] :as fields}]
  (cond (some fields ipv4-keys)
        (no :request "the guest gets the addresses of a link of type " type " by itself; " (some #(when (fields %) %) ipv4-keys)
            " should be left out")
        link (no :request "a link of type " type " stays with ontapd; link should be left out")
        (not (contains? #{nil "none"} setup))
        (no :request "the guest sets up the addresses of a link of type " type "; setup should be none or left out")
        (not (contains? #{nil "holder"} lease))
        (no :lease "a lease of type " type " ends with its descriptors; lease should be holder or left out")))

(defn- in-namespace-fault [type {:strs [link queues mode setup lease keep] :as fields}]
  (cond queues (no :request "a link of type " type " has no queues to hand over; queues is for "
                   (mistake/and-list "and" network/tap-types))
        (= "lo" link) (no :request "lo is there already; link should be another name, such as eth0")
        (not (or (nil? link) (and (network/interface-name? link) (= link (mistake/printable link)))))
        (no :request "link should be " network/interface-words ", " (shown-or-missing link))
        (not (contains? #{nil "slaac" "none"} setup)) (no :request "setup should be slaac or none, " (shown-or-missing setup))
        (not (contains? #{nil "namespace" "holder"} lease))
        (no :request "lease should be namespace or holder, " (shown-or-missing lease))
        (and (= "yes" keep) (= "namespace" lease))
        (no :lease "a lease that ends with its network namespace cannot be kept; keep yes needs lease holder")
        :else (ipv4-fault mode fields)))

(defn- attach-fault [{:strs [type name queues mode keep] :as fields} fds]
  (let [modes (network/modes type)]
    (cond
      (nil? type) (no :request "attach needs a type: " (or-words network/types))
      (nil? modes) (no :type "there is no type " (mistake/shown type)
                       (or (did-you-mean type network/types) (str "; it should be " (or-words network/types))))
      (not (or (nil? name) (network/label? name))) (no :name "name should be " network/label-words ", " (shown-or-missing name))
      (and mode (empty? modes)) (no :request "a tap has no mode; mode should be left out")
      (not (or (nil? mode) (some #(= mode %) modes)))
      (no :request "mode should be " (or-words modes) " for " type ", " (shown-or-missing mode))
      (not (contains? #{nil "yes" "no"} keep)) (no :request "keep should be yes or no, " (shown-or-missing keep))
      (not (network/tap-type? type)) (or (in-namespace-fault type fields) (descriptor-fault type fds))
      (not (or (nil? queues) (number queues 1 network/most-queues)))
      (no :request "queues should be a whole number from 1 to " network/most-queues ", " (shown-or-missing queues))
      :else (or (tap-fault type fields) (descriptor-fault type fds)))))

(defn- attach-request [{:strs [type name queues link mode setup ipv4 gateway release acd start-delay lease keep] :as fields} fds]
  (or (attach-fault fields fds)
      (let [tap? (network/tap-type? type), keep? (= "yes" keep)
            {:keys [method] :as ipv4} (ipv4-value ipv4 gateway)]
        {:request {:request/verb   :attach
                   :request/type   type
                   :request/name   name
                   :request/queues (if queues (parse-long queues) 1)
                   :request/link   (when-not tap? (or link "eth0"))
                   :request/mode   mode
                   :request/setup  (if (or tap? (= "none" setup)) :none :slaac)
                   :request/ipv4   ipv4
                   :request/release? (= "yes" release)
                   :request/acd?   (and (not= :none method) (not (contains? #{"l3" "l3s"} mode)) (not= "no" acd))
                   :request/start-delay? (and (= :dhcp method) (not= "no" start-delay))
                   ;; what is kept cannot end with its namespace
                   :request/lease  (if (or tap? keep? (= "holder" lease)) :holder :namespace)
                   :request/keep?  keep?}})))

(defn- plain
  "A reader of a request that carries no descriptor."
  [verb read]
  (fn [fields fds]
    (if (pos? fds) (no :descriptor "a request for " verb " takes no descriptor; " fds " came with it") (read fields))))

(defn- release-request [{:strs [id]}]
  (if-let [n (number id 1 Long/MAX_VALUE)]
    {:request {:request/verb :release :request/id n}}
    (no :request "release needs the id of a lease, a whole number from 1; it " (shown-or-missing id))))

(def ^:private verbs
  "verb -> its keys, and its reader: (fn [fields fds])."
  {:attach  {:keys (into ["type" "name" "queues" "link" "mode" "setup"] (concat ipv4-keys ["lease" "keep"])) :read attach-request}
   :leases  {:keys [] :read (plain "leases" (fn [_] {:request {:request/verb :leases}}))}
   :release {:keys ["id"] :read (plain "release" release-request)}})

(defn request
  "What the message `message` that came with `fds` descriptors asks for: {:request {:request/verb ...}}, every key there and
  every default filled in (see doc/data.md), or {:refused refusal}. A message that could not be read is refused as well, with
  :close? true beside it."
  [{:message/keys [word fields] unreadable :message/fault} fds]
  (let [{:keys [read] known :keys} (get verbs word)
        strange (when read (first (sort (remove (set known) (keys fields)))))]
    (cond
      unreadable (assoc (no (:rule unreadable) (:says unreadable)) :close? true)
      (< 1 fds) (no :descriptor "a request carries at most one descriptor; " fds " came with this one")
      (nil? read) (no :request "there is no request " (name word)
                      (or (did-you-mean (name word) (map name (keys verbs))) "; there are attach, leases and release"))
      strange (no :request (name word) " knows no key " strange
                  (or (did-you-mean strange known)
                      (if (seq known) (str "; its keys are " (mistake/and-list "and" known)) "; it takes none")))
      :else (read fields fds))))

(defn- message [word & lines]
  {:message/word word
   :message/lines (into [] (keep (fn [[k v]] (when (some? v) [k (if (keyword? v) (name v) (str v))]))) lines)})

(defn attach-message
  "The message that asks for what `request` says. Keys that are absent or nil are left to their defaults."
  [{:request/keys [type queues link mode setup ipv4 release? acd? start-delay? lease keep?] label :request/name}]
  (let [tap? (network/tap-type? type)
        {:keys [method ip prefix gateway]} ipv4
        off (fn [v methods] (when (and (false? v) (methods method)) "no"))]
    ;; of IPv4 nothing is said that an earlier ontapd means anyway: it would not know the words
    (message :attach ["type" type] ["name" label] ["queues" (when tap? queues)] ["link" (when-not tap? link)] ["mode" mode]
             ["setup" (when-not tap? setup)] ["ipv4" (case method (nil :none) nil :static (str ip "/" prefix) method)]
             ["gateway" gateway] ["release" (when release? "yes")] ["acd" (off acd? #{:dhcp :static})]
             ["start-delay" (off start-delay? #{:dhcp})] ["lease" lease] ["keep" (when keep? "yes")])))

(def leases-message "The message that asks for all leases one may see." (message :leases))

(defn release-message "The message that asks for the end of the lease `id`." [id] (message :release ["id" id]))

;; --- answers

(def ^:private lease-lines
  "[key on the wire, key of a lease (or the keys of what stands together), how the value is written], in the order of an answer."
  [["id" :lease/id :number] ["type" :lease/type :text] ["port" :lease/port :text] ["name" :lease/name :text]
   ["mode" :lease/mode :text] ["link" :lease/link :text] ["index" :lease/index :number] ["parent" :lease/parent :number]
   ["nsid" :lease/nsid :number] ["netns" :lease/netns :namespace] ["hwaddr" :lease/hwaddr :text] ["mtu" :lease/mtu :number]
   ["queues" :lease/queues :number] ["held" :lease/held :word] ["keep" :lease/keep? :flag] ["state" :lease/state :word]
   ["uid" :lease/uid :number] ["pid" :lease/pid :number] ["since" :lease/since-epoch-ms :number]
   ["addresses" :lease/addresses :texts] ["ipv4" [:dhcp/ip :dhcp/prefix] :prefixed] ["method" :dhcp/method :word]
   ["dhcp" :dhcp/state :word] ["server" :dhcp/server :text] ["left" :dhcp/left-s :left] ["says" :dhcp/says :sentence]])

(def ^:private granted-lines
  "Those that the answer to attach has."
  (conj (filterv (comp #{"id" "type" "port" "name" "link" "index" "nsid" "hwaddr" "mtu"} first) lease-lines)
        ["resolv-conf" :lease/resolv-conf :text]))

(def ^:private longest-sentence 1000)

(defn- one-line
  "The text `s` as one line of bounded length, with nothing in it that moves a cursor."
  [s]
  (let [^String s (mistake/printable s)
        end (dec (long longest-sentence))]
    (cond (str/blank? s) "no reason was given"
          (<= (count s) (inc end)) s
          :else (str (subs s 0 (if (Character/isHighSurrogate (.charAt s (dec end))) (dec end) end)) "\u2026"))))

(defn- written [form v]
  (case form
    :flag (if v "yes" "no")
    :texts (when (seq v) (str/join " " v))
    :namespace (str (:dev v) ":" (:ino v))
    :prefixed (str/join "/" v)
    :left (if (= :infinite v) "forever" v)
    :sentence (one-line v)
    v))

(defn- read-value
  "The value of the text `v`, nil when it is of another form."
  [form v]
  (case form
    :number (number v 0 Long/MAX_VALUE)
    :text v
    :word (when (re-matches word-form v) (keyword v))
    :flag (get yes-or-no v)
    :sentence v
    :left (if (= "forever" v) :infinite (number v 0 Long/MAX_VALUE))
    :prefixed (let [{:keys [family ip prefix]} (address/prefixed v)] (when (= 4 family) [ip prefix]))
    :texts (str/split v #" +")
    :namespace (let [[_ dev ino] (re-matches #"(\d{1,18}):(\d{1,18})" v)]
                 (when dev {:dev (parse-long dev) :ino (parse-long ino)}))))

(defn- lines-of [lease lines]
  (for [[k lease-key form] lines
        :let [v (if (vector? lease-key) (mapv lease lease-key) (get lease lease-key))]
        :when (if (vector? v) (every? some? v) (some? v))]
    [k (written form v)]))

(defn answer-message
  "The answer to attach, for `lease` and the words of the descriptors that come with it, in their order: [:tap :tap :lease]."
  [lease fds]
  (apply message :ok (concat (lines-of lease granted-lines)
                             (when (seq fds) [["fds" (str/join " " (map name fds))]]))))

(defn lease-message "One lease of the answer to leases." [lease] (apply message :lease (lines-of lease lease-lines)))

(defn count-message "The end of the answer to leases: how many there were." [n] (message :ok ["count" n]))

(defn released-message "The answer to release, once the link of the lease `id` is gone." [id] (message :ok ["id" id]))

(defn refusal-message
  "The answer that refuses."
  [{:refusal/keys [rule says wait?]}]
  (message :refused ["rule" rule] ["message" (one-line (str says))] ["wait" (when wait? "yes")]))

(defn- unread [& says] {:fault (apply str "ontapd gave an answer that cannot be read: " says)})

(defn- read-lease
  "{:lease lease} of the fields of an answer, or a fault; every key of `lines` is there, nil when it was not said."
  [fields lines required]
  (let [read (for [[k lease-key form] lines, :let [v (get fields k)]] [k v lease-key (when v (read-value form v))])]
    (if-let [[k v] (first (filter (fn [[k v _ x]] (or (and v (nil? x)) (and (nil? v) (required k)))) read))]
      (unread k " " (shown-or-missing v))
      {:lease (into {} (mapcat (fn [[_ _ lease-key x]]
                                 (if (vector? lease-key) (map vector lease-key (or x (repeat nil))) [[lease-key x]])))
                    read)})))

(defn- granted [{:strs [fds] :as fields} n]
  (let [words (if fds (str/split fds #" ") [])
        {:keys [fault] :as answer} (read-lease fields granted-lines #{"id" "type" "port" "link" "index" "hwaddr" "mtu"})]
    (cond fault answer
          (not-every? #{"tap" "lease"} words) (unread "fds " (shown-or-missing fds))
          (not= n (count words)) (unread "it names " (count words) " descriptors, and " n " came")
          :else (assoc answer :fds (mapv keyword words)))))

(defn- listed [fields]
  (let [{:keys [lease] :as answer} (read-lease fields lease-lines #{"id" "type" "port" "state"})]
    (if lease (update-in answer [:lease :lease/addresses] vec) answer)))

(defn- counted [fields k as]
  (if-let [n (number (get fields k) 0 Long/MAX_VALUE)] {as n} (unread k " " (shown-or-missing (get fields k)))))

(defn answer
  "What ontapd's message means to a client that asked for `verb`, where `fds` descriptors came with it:
  attach   {:lease lease-as-far-as-told :fds [:tap :lease]}
  leases   {:lease lease}, any number of times, then {:count n}
  release  {:id n}
  any      {:refused refusal} or {:fault sentence}. Keys that are not known are not looked at."
  [verb {:message/keys [word fields] unreadable :message/fault} fds]
  (cond
    unreadable (unread (:says unreadable))
    (= :refused word) {:refused (cond-> {:refusal/rule (or (read-value :word (get fields "rule" "")) :request)
                                         :refusal/says (one-line (get fields "message" ""))}
                                  (= "yes" (get fields "wait")) (assoc :refusal/wait? true))}
    (and (= :lease word) (= :leases verb)) (listed fields)
    (not= :ok word) (unread "there is no word " (name word) " in answer to " (name verb))
    :else (case verb
            :attach (granted fields fds)
            :leases (counted fields "count" :count)
            :release (counted fields "id" :id))))

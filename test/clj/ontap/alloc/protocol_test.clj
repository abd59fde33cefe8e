;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.protocol-test
  "The messages between ontapd and its clients, in both directions: what they mean, and each refusal with its sentence.
  Messages that are cut and mutated are in `ontap.alloc.mutation-test`."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.alloc.protocol :as protocol]
            [ontap.model.network :as network]
            [ontap.model.spec :as spec])
  (:import (clojure.lang ExceptionInfo)))

(set! *warn-on-reflection* true)

(defn- utf8 ^bytes [^String s] (.getBytes s "UTF-8"))
(defn- text [^bytes bs] (String. bs "UTF-8"))

(defn- asked
  "What the packet of these lines asks for, with `fds` descriptors."
  [fds & lines]
  (protocol/request (protocol/decode (utf8 (apply str (map #(str % "\n") lines)))) fds))

(def ^:private usual
  #:request{:verb :attach :type "ipvlan" :name nil :queues 1 :link "eth0" :mode nil :setup :slaac :lease :namespace :keep? false
            :ipv4 {:method :none} :release? false :acd? false :start-delay? false})

(def ^:private usual-tap (merge usual #:request{:type "ipvtap" :link nil :setup :none :lease :holder}))

(deftest requests
  (are [fds lines request] (= {:request (merge usual request)} (apply asked fds "ontap 1 attach" lines))
    1 ["type ipvlan"]                          {}
    1 ["type macvlan" "mode vepa"]             #:request{:type "macvlan" :mode "vepa"}
    1 ["name web" "type ipvlan"]               #:request{:name "web"}
    1 ["type ipvlan" "link net0"]              #:request{:link "net0"}
    1 ["type ipvlan" "link é"]                 #:request{:link "é"}
    1 ["type ipvlan" "mode l3s" "setup none"]  #:request{:mode "l3s" :setup :none}
    1 ["type ipvlan" "setup slaac" "keep no"]  {}
    1 ["type ipvlan" "lease namespace"]        {}
    1 ["type ipvlan" "lease holder"]           #:request{:lease :holder}
    1 ["type ipvlan" "keep yes"]               #:request{:keep? true :lease :holder})
  (are [lines request] (= {:request (merge usual-tap request)} (apply asked 0 "ontap 1 attach" lines))
    ["type ipvtap"]                            {}
    ["type macvtap" "queues 64"]               #:request{:type "macvtap" :queues 64}
    ["type tap" "queues 1" "name vm-1"]        #:request{:type "tap" :name "vm-1"}
    ["type ipvtap" "mode l2"]                  #:request{:mode "l2"}
    ["type ipvtap" "setup none"]               {}
    ["type ipvtap" "lease holder" "keep yes"]  #:request{:keep? true})
  (is (= {:request {:request/verb :leases}} (asked 0 "ontap 1 leases")))
  (is (= {:request {:request/verb :release :request/id 17}} (asked 0 "ontap 1 release" "id 17")))
  (is (= {:request {:request/verb :release :request/id 999999999999999999}} (asked 0 "ontap 1 release" "id 999999999999999999"))))

(def ^:private label (str "name should be " network/label-words ", is "))
(def ^:private interface (str "link should be " network/interface-words ", is "))

(deftest requests-that-are-refused
  (are [fds lines rule says] (= {:refused #:refusal{:rule rule :says says}} (apply asked fds lines))
    0 ["ontap 1 atach"] :request "there is no request atach; did you mean attach?"
    0 ["ontap 1 ok"] :request "there is no request ok; there are attach, leases and release"
    2 ["ontap 1 attach" "type ipvlan"] :descriptor "a request carries at most one descriptor; 2 came with this one"
    1 ["ontap 1 attach" "type ipvlan" "queue 3"] :request "attach knows no key queue; did you mean queues?"
    1 ["ontap 1 attach" "port eth0"] :request
    (str "attach knows no key port; its keys are type, name, queues, link, mode, setup, ipv4, gateway, release, acd, "
         "start-delay, lease and keep")
    1 ["ontap 1 attach"] :request "attach needs a type: ipvlan, ipvtap, macvlan, macvtap or tap"
    1 ["ontap 1 attach" "type ipvlna"] :type "there is no type \"ipvlna\"; did you mean ipvlan?"
    1 ["ontap 1 attach" "type veth"] :type "there is no type \"veth\"; it should be ipvlan, ipvtap, macvlan, macvtap or tap"
    1 ["ontap 1 attach" "type ipvlan "] :type "there is no type \"ipvlan \"; did you mean ipvlan?"
    1 ["ontap 1 attach" "type ipvlan" "name Web"] :name (str label "\"Web\"")
    0 ["ontap 1 attach" "type tap" "name a*"] :name (str label "\"a*\"")
    0 ["ontap 1 attach" "type ipvlan"] :descriptor
    "a link of type ipvlan is made in a network namespace, whose descriptor should come with the request"
    0 ["ontap 1 attach" "type macvlan"] :descriptor
    "a link of type macvlan is made in a network namespace, whose descriptor should come with the request"
    1 ["ontap 1 attach" "type ipvtap"] :descriptor "a request for ipvtap takes no descriptor; 1 came with it"
    1 ["ontap 1 attach" "type ipvlan" "mode bridge"] :request "mode should be l2, l3 or l3s for ipvlan, is \"bridge\""
    0 ["ontap 1 attach" "type macvtap" "mode l2"] :request
    "mode should be bridge, private or vepa for macvtap, is \"l2\""
    0 ["ontap 1 attach" "type tap" "mode bridge"] :request "a tap has no mode; mode should be left out"
    1 ["ontap 1 attach" "type ipvlan" "keep true"] :request "keep should be yes or no, is \"true\""
    1 ["ontap 1 attach" "type ipvlan" "queues 1"] :request
    "a link of type ipvlan has no queues to hand over; queues is for ipvtap, macvtap and tap"
    0 ["ontap 1 attach" "type ipvtap" "queues 0"] :request "queues should be a whole number from 1 to 64, is \"0\""
    0 ["ontap 1 attach" "type ipvtap" "queues 65"] :request "queues should be a whole number from 1 to 64, is \"65\""
    0 ["ontap 1 attach" "type ipvtap" "queues 01"] :request "queues should be a whole number from 1 to 64, is \"01\""
    0 ["ontap 1 attach" "type ipvtap" "queues 99999999999999999999"] :request
    "queues should be a whole number from 1 to 64, is \"99999999999999999999\""
    1 ["ontap 1 attach" "type ipvlan" "link a/b"] :request (str interface "\"a/b\"")
    1 ["ontap 1 attach" "type ipvlan" "link a-name-of-16-ch."] :request (str interface "\"a-name-of-16-ch.\"")
    1 ["ontap 1 attach" "type ipvlan" "link a\u202eb"] :request (str interface "\"a\\u202eb\"")
    1 ["ontap 1 attach" "type ipvlan" "link lo"] :request "lo is there already; link should be another name, such as eth0"
    0 ["ontap 1 attach" "type tap" "link eth0"] :request "a link of type tap stays with ontapd; link should be left out"
    1 ["ontap 1 attach" "type ipvlan" "setup dhcp"] :request "setup should be slaac or none, is \"dhcp\""
    0 ["ontap 1 attach" "type ipvtap" "setup slaac"] :request
    "the guest sets up the addresses of a link of type ipvtap; setup should be none or left out"
    1 ["ontap 1 attach" "type ipvlan" "lease 3600"] :request "lease should be namespace or holder, is \"3600\""
    1 ["ontap 1 attach" "type ipvlan" "keep yes" "lease namespace"] :lease
    "a lease that ends with its network namespace cannot be kept; keep yes needs lease holder"
    0 ["ontap 1 attach" "type tap" "lease namespace"] :lease
    "a lease of type tap ends with its descriptors; lease should be holder or left out"
    0 ["ontap 1 leases" "id 3"] :request "leases knows no key id; it takes none"
    1 ["ontap 1 leases"] :descriptor "a request for leases takes no descriptor; 1 came with it"
    1 ["ontap 1 release" "id 3"] :descriptor "a request for release takes no descriptor; 1 came with it"
    0 ["ontap 1 release"] :request "release needs the id of a lease, a whole number from 1; it is missing"
    0 ["ontap 1 release" "id 0"] :request "release needs the id of a lease, a whole number from 1; it is \"0\""
    0 ["ontap 1 release" "id -1"] :request "release needs the id of a lease, a whole number from 1; it is \"-1\""
    0 ["ontap 1 release" "name web"] :request "release knows no key name; its keys are id"))

(deftest packets-that-cannot-be-read
  (are [bs rule says] (let [message (protocol/decode bs)]
                        (and (= {:message/fault {:rule rule :says says}} message)
                             (= {:refused #:refusal{:rule rule :says says} :close? true} (protocol/request message 0))))
    (utf8 "") :request "the message is empty"
    (utf8 "ontap 2 attach\n") :version "this program speaks version 1 of the protocol, not version 2"
    (utf8 "ontap 2") :version "this program speaks version 1 of the protocol, not version 2"
    (utf8 "ontap 0 attach\n") :version "this program speaks version 1 of the protocol, not version 0"
    (byte-array (concat (utf8 "ontap 12 x\n") [0 -1 -2])) :version
    "this program speaks version 1 of the protocol, not version 12"
    (utf8 (str "ontap 2 x\n" (apply str (repeat 5000 "a")))) :version
    "this program speaks version 1 of the protocol, not version 2"
    (byte-array 4097) :size "a message should be at most 4096 bytes long"
    (utf8 (str "ontap 1 attach\nname " (apply str (repeat 4076 "a")) "\n")) :size "a message should be at most 4096 bytes long"
    (byte-array (concat (utf8 "ontap 1 attach\nname ") [-61 10])) :request "a message should be text in UTF-8"
    (byte-array (map unchecked-byte [0xed 0xa0 0x80 10])) :request "a message should be text in UTF-8"
    (utf8 "ontap 1 leases") :request "each line should end with a newline, the last one too"
    (utf8 "ontap 1 leases\r\n") :request "a message should hold no control character but newline"
    (utf8 "ontap 1 leases\u0000\n") :request "a message should hold no control character but newline"
    (utf8 "ontap 1 attach\nname \u009b2J\n") :request "a message should hold no control character but newline"
    (utf8 "\n") :request "a message should begin with a line such as \"ontap 1 attach\"; this one begins with \"\""
    (utf8 "GET / HTTP/1.1\n") :request
    "a message should begin with a line such as \"ontap 1 attach\"; this one begins with \"GET / HTTP/1.1\""
    (utf8 "ontap 1\n") :request "a message should begin with a line such as \"ontap 1 attach\"; this one begins with \"ontap 1\""
    (utf8 "ontap 1 Attach\n") :request
    "a message should begin with a line such as \"ontap 1 attach\"; this one begins with \"ontap 1 Attach\""
    (utf8 "ontap 1 attach\ntype\n") :request "each line should be KEY VALUE, with one space between; one is \"type\""
    (utf8 "ontap 1 attach\ntype \n") :request "each line should be KEY VALUE, with one space between; one is \"type \""
    (utf8 "ontap 1 attach\n\n") :request "each line should be KEY VALUE, with one space between; one is \"\""
    (utf8 "ontap 1 attach\nTYPE tap\n") :request "each line should be KEY VALUE, with one space between; one is \"TYPE tap\""
    (utf8 "ontap 1 attach\ntype tap\ntype tap\n") :request "each key should stand once; type is repeated"))

(deftest the-longest-packet
  (let [packet (utf8 (str "ontap 1 attach\nname " (apply str (repeat 4075 "a")) "\n"))]
    (is (= 4096 (alength packet)))
    (is (= :attach (:message/word (protocol/decode packet))))))

;; --- what is sent

(deftest what-clients-send
  (are [request packet] (= packet (text (protocol/encode (protocol/attach-message request))))
    #:request{:type "tap"} "ontap 1 attach\ntype tap\n"
    #:request{:type "ipvtap" :queues 4 :name "vm1" :keep? true}
    "ontap 1 attach\ntype ipvtap\nname vm1\nqueues 4\nkeep yes\n"
    #:request{:type "ipvlan" :queues nil :link "eth0" :mode "l2" :setup :none :lease :holder :keep? false}
    "ontap 1 attach\ntype ipvlan\nlink eth0\nmode l2\nsetup none\nlease holder\n")
  (is (= "ontap 1 leases\n" (text (protocol/encode protocol/leases-message))))
  (is (= "ontap 1 release\nid 3\n" (text (protocol/encode (protocol/release-message 3))))))

(def ^:private lease
  #:lease{:id 17 :type "ipvtap" :port "wlp3s0" :name "vm1" :mode "l2" :link "ontap17" :index 1017 :parent 2 :nsid 3
          :netns {:dev 4 :ino 4026532281} :hwaddr "02:00:00:00:00:01" :mtu 1500 :queues 2 :held :holder :keep? false
          :state :held :uid 1000 :pid 4711 :since-epoch-ms 1732290000000 :addresses ["10.0.0.5" "fd00::5"]})

(def ^:private told
  "The lease, as a client that lists it knows it: with keys for what was not said."
  (merge lease #:dhcp{:ip nil :prefix nil :method nil :state nil :server nil :left-s nil :says nil}))

(deftest what-ontapd-sends
  (is (s/valid? ::spec/lease lease) (s/explain-str ::spec/lease lease))
  (is (= (str "ontap 1 ok\nid 17\ntype ipvtap\nport wlp3s0\nname vm1\nlink ontap17\nindex 1017\nnsid 3\nhwaddr 02:00:00:00:00:01\n"
              "mtu 1500\nfds tap tap lease\n")
         (text (protocol/encode (protocol/answer-message lease [:tap :tap :lease])))))
  (is (= "ontap 1 ok\nid 17\ntype ipvlan\nport wlp3s0\nlink eth0\nindex 2\nhwaddr 02:00:00:00:00:01\nmtu 1500\n"
         (text (protocol/encode (protocol/answer-message (assoc lease :lease/type "ipvlan" :lease/name nil :lease/nsid nil
                                                                :lease/link "eth0" :lease/index 2) []))))
      "What there is not is not said.")
  (is (= (str "ontap 1 lease\nid 17\ntype ipvtap\nport wlp3s0\nname vm1\nmode l2\nlink ontap17\nindex 1017\nparent 2\nnsid 3\n"
              "netns 4:4026532281\nhwaddr 02:00:00:00:00:01\nmtu 1500\nqueues 2\nheld holder\nkeep no\nstate held\nuid 1000\n"
              "pid 4711\nsince 1732290000000\naddresses 10.0.0.5 fd00::5\n")
         (text (protocol/encode (protocol/lease-message lease)))))
  (is (= "ontap 1 ok\ncount 2\n" (text (protocol/encode (protocol/count-message 2)))))
  (is (= "ontap 1 ok\nid 17\n" (text (protocol/encode (protocol/released-message 17)))))
  (is (= "ontap 1 refused\nrule port\nmessage port eth0 is not there yet\nwait yes\n"
         (text (protocol/encode (protocol/refusal-message #:refusal{:rule :port :says "port eth0 is not there yet" :wait? true})))))
  (is (= "ontap 1 refused\nrule kernel\nmessage a\\u000ab\\u001b[2J\n"
         (text (protocol/encode (protocol/refusal-message #:refusal{:rule :kernel :says "a\nb\u001b[2J"}))))
      "A sentence is one line, and moves no cursor.")
  (is (= "ontap 1 refused\nrule busy\nmessage no reason was given\n"
         (text (protocol/encode (protocol/refusal-message #:refusal{:rule :busy :says " "})))))
  (doseq [long-one ["é" "😀" "\n" "a😀"]
          :let [bs (protocol/encode (protocol/refusal-message #:refusal{:rule :kernel :says (apply str (repeat 3000 long-one))}))]]
    (is (str/ends-with? (text bs) "…\n") "A sentence without end is cut.")
    (is (s/valid? ::spec/refusal (:refused (protocol/answer :attach (protocol/decode bs) 0))))))

(deftest every-rule-is-told
  (doseq [rule protocol/rules]
    (is (s/valid? :refusal/rule rule)))
  (is (= (count protocol/rules) (count (set protocol/rules)) (count (s/form :refusal/rule)))
      "The spec and the protocol have the same rules.")
  (let [page (slurp "doc/protocol.md")]
    (doseq [word (concat (map name protocol/rules) network/types (mapcat val network/modes)
                         ["attach" "leases" "release" "lease" "ok" "refused" "name" "queues" "link" "mode" "setup" "keep" "id" "port"
                          "index" "parent" "nsid" "netns" "hwaddr" "mtu" "held" "state" "uid" "pid" "since" "addresses" "fds" "count"
                          "rule" "message" "wait" "slaac" "none" "namespace" "holder" "host" "ipv4" "gateway" "release" "acd" "start-delay"
                          "resolv-conf" "method" "dhcp" "server" "left" "says" "forever" "static" "yes" "no"])]
      (is (str/includes? page (str "`" word "`")) (str "doc/protocol.md tells what " word " is.")))))

(defn- transcript
  "[[direction packet] ...] of the transcript in doc/protocol.md: what stands in brackets is not part of it."
  []
  (let [[_ text] (re-find #"(?s)## A transcript.*?```\n(.*?)```" (slurp "doc/protocol.md"))]
    (for [block (str/split text #"\n\n")
          :let [lines (filter #(re-find #"^[<>] " %) (str/split-lines block))]]
      [(subs (first lines) 0 1) (apply str (map #(str (str/replace (subs % 2) #" {2,}\[.*\]$" "") "\n") lines))])))

(deftest the-transcript-is-true
  (let [packets (transcript)]
    (is (= 9 (count packets)) "Every packet of the transcript is looked at.")
    (reduce
     (fn [verb [direction packet]]
       (testing packet
         (let [message (protocol/decode (utf8 packet))
               {:keys [request]} (protocol/request message (if (str/includes? packet "type ipvlan") 1 0))
               {:keys [lease fault] :as answer} (when verb (protocol/answer verb message (if (str/includes? packet "fds") 3 0)))]
           (if (= ">" direction)
             (is (s/valid? ::spec/request request))
             (is (nil? fault)))
           (when (and (= [:leases "<"] [verb direction]) (not (:count answer)))
             (is (s/valid? ::spec/lease lease) (s/explain-str ::spec/lease lease)))
           (if (= ">" direction) (:request/verb request) verb))))
     nil packets)))

(deftest what-no-peer-could-read-is-not-written
  (doseq [message [{:message/word :Attach} {:message/word :attach :message/lines [["type" ""]]}
                   {:message/word :attach :message/lines [["type" nil]]} {:message/word :attach :message/lines [["a b" "c"]]}
                   {:message/word :attach :message/lines [["type" "a\nb"]]} {:message/word :attach :message/lines [["type" "\ud800"]]}
                   {:message/word :attach :message/lines [["type" "tap"] ["type" "tap"]]}
                   {:message/word :attach :message/lines [["name" (apply str (repeat 4096 "a"))]]}]]
    (is (= ::protocol/unwritable
           (try (protocol/encode message) (catch ExceptionInfo e (:reason (ex-data e)))))
        (pr-str message))))

;; --- what a client understands

(defn- understood [verb fds & lines]
  (protocol/answer verb (protocol/decode (utf8 (apply str (map #(str % "\n") lines)))) fds))

(def ^:private granted
  ["ontap 1 ok" "id 3" "type tap" "port br0" "link tap0" "index 9" "hwaddr 02:00:00:00:00:01" "mtu 1500"])

(deftest answers
  (is (= {:lease #:lease{:id 3 :type "tap" :port "br0" :name nil :link "tap0" :index 9 :nsid nil :hwaddr "02:00:00:00:00:01" :mtu 1500
                  :resolv-conf nil}
          :fds [:tap :lease]}
         (apply understood :attach 2 (conj granted "fds tap lease"))
         (apply understood :attach 2 (conj granted "colour red" "fds tap lease")))
      "A key of a later ontapd is not looked at.")
  (is (= [] (:fds (apply understood :attach 0 granted))))
  (is (= told (:lease (protocol/answer :leases (protocol/decode (protocol/encode (protocol/lease-message lease))) 0))))
  (is (= {:count 0} (understood :leases 0 "ontap 1 ok" "count 0")))
  (is (= {:id 3} (understood :release 0 "ontap 1 ok" "id 3")))
  (is (= {:refused #:refusal{:rule :busy :says "later" :wait? true}}
         (understood :release 0 "ontap 1 refused" "rule busy" "message later" "wait yes")))
  (is (= {:refused #:refusal{:rule :moon :says "it is full"}}
         (understood :attach 0 "ontap 1 refused" "rule moon" "message it is full"))
      "A rule of a later ontapd is told as it is.")
  (is (= {:refused #:refusal{:rule :request :says "no reason was given"}} (understood :attach 0 "ontap 1 refused"))))

(deftest answers-that-cannot-be-read
  (are [verb fds lines says] (= {:fault (str "ontapd gave an answer that cannot be read: " says)} (apply understood verb fds lines))
    :attach 0 (remove #{"id 3"} granted) "id is missing"
    :attach 0 (conj (vec (remove #{"index 9"} granted)) "index nine") "index is \"nine\""
    :attach 0 (conj granted "fds tap lease") "it names 2 descriptors, and 0 came"
    :attach 1 granted "it names 0 descriptors, and 1 came"
    :attach 2 (conj granted "fds tap  lease") "fds is \"tap  lease\""
    :attach 1 (conj granted "fds netns") "fds is \"netns\""
    :attach 0 ["ontap 1 lease" "id 3"] "there is no word lease in answer to attach"
    :leases 0 ["ontap 1 lease" "type tap" "port br0" "state held"] "id is missing"
    :leases 0 ["ontap 1 lease" "id 1" "type tap" "port br0" "state held" "netns 4026531840"] "netns is \"4026531840\""
    :leases 0 ["ontap 1 ok"] "count is missing"
    :release 0 ["ontap 1 ok" "id x"] "id is \"x\""
    :release 0 ["ontap 1 attach"] "there is no word attach in answer to release"
    :attach 0 ["ontap 2 ok"] "this program speaks version 1 of the protocol, not version 2"))

;; --- there and back

(def ^:private gen-label (gen/fmap (fn [[a b]] (str "a" a b)) (gen/tuple (gen/elements ["" "-" "0-"]) gen/nat)))

(def ^:private gen-request
  (gen/let [type (gen/elements network/types)
            tap? (gen/return (network/tap-type? type))
            keep? gen/boolean]
    (gen/hash-map :request/verb (gen/return :attach) :request/type (gen/return type)
                  :request/name (gen/one-of [(gen/return nil) gen-label])
                  :request/queues (if tap? (gen/choose 1 64) (gen/return 1))
                  :request/link (if tap? (gen/return nil) (gen/elements ["eth0" "net0" "ü" "x.y"]))
                  :request/mode (gen/elements (into [nil] (network/modes type)))
                  :request/setup (if tap? (gen/return :none) (gen/elements [:slaac :none]))
                  :request/ipv4 (gen/return {:method :none}) :request/release? (gen/return false)
                  :request/acd? (gen/return false) :request/start-delay? (gen/return false)
                  :request/lease (if (or tap? keep?) (gen/return :holder) (gen/elements [:namespace :holder]))
                  :request/keep? (gen/return keep?))))

(defspec a-request-is-understood-as-it-was-meant 500
  (prop/for-all [request gen-request]
    (and (s/valid? ::spec/request request)
         (= {:request request}
            (protocol/request (protocol/decode (protocol/encode (protocol/attach-message request)))
                              (if (network/tap-type? (:request/type request)) 0 1))))))

(def ^:private gen-lease
  (gen/fmap #(merge told %)
            (gen/hash-map :lease/id (gen/large-integer* {:min 1 :max 999999999999999999}) :lease/name (gen/one-of [(gen/return nil) gen-label])
                          :lease/nsid (gen/one-of [(gen/return nil) gen/nat]) :lease/mode (gen/elements [nil "l2"])
                          :lease/queues (gen/elements [nil 1 64]) :lease/netns (gen/elements [nil {:dev 0 :ino 1}])
                          :lease/held (gen/elements [:namespace :holder :host]) :lease/keep? gen/boolean
                          :lease/state (gen/elements [:making :held :kept :ending]) :lease/pid (gen/elements [nil 1])
                          :lease/addresses (gen/vector (gen/elements ["10.0.0.5" "fd00::5" "fe80::1"]) 0 16))))

(defspec a-lease-is-told-as-it-is 300
  (prop/for-all [lease gen-lease]
    (= {:lease lease} (protocol/answer :leases (protocol/decode (protocol/encode (protocol/lease-message lease))) 0))))

(defspec any-message-comes-back 300
  (prop/for-all [word (gen/elements [:attach :ok :a-1])
                 lines (gen/vector-distinct-by
                        first (gen/tuple (gen/fmap #(str "k" %) gen/nat)
                                         (gen/fmap (fn [s] (str "v" (apply str (remove #(Character/isISOControl (char %)) s)))) gen/string))
                        {:max-elements 8})]
    (= {:message/word word :message/fields (into {} lines)}
       (protocol/decode (protocol/encode {:message/word word :message/lines lines})))))

(deftest refusals-come-back
  (testing "every rule"
    (doseq [rule protocol/rules, wait? [true nil]
            :let [refusal (cond-> #:refusal{:rule rule :says "é: \"so\" it is"} wait? (assoc :refusal/wait? true))]]
      (is (= {:refused refusal} (protocol/answer :attach (protocol/decode (protocol/encode (protocol/refusal-message refusal))) 0))))))

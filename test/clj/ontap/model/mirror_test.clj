;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.mirror-test
  "Which addresses of a guest are mirrored onto its link: each rule, by a script and a clock."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.model.mirror :as mirror]))

(def ^:private mac "02:00:00:00:00:01")

(def ^:private fresh (mirror/mirror mac #{"10.9.0.1" "10.9.0.2" "fe80::1"} []))

(defn- guest [kind & kvs] (apply assoc {:seen/from :guest :seen/kind kind :seen/hwaddr mac} kvs))
(defn- lan [kind & kvs] (apply assoc (guest kind :seen/from :lan) kvs))
(defn- announce [ip] (guest :arp-announce :seen/ip ip))
(defn- asks [asker ip] (lan :arp-request :seen/ip asker :seen/target ip))
(defn- solicits [ip] (lan :ns :seen/ip "fe80::9" :seen/target ip))
(def ^:private tick {:seen/kind :tick})

(defn- bare [effects]
  (into [] (comp (remove #(= :note (first %))) (map #(if (= :timer (first %)) % (subvec % 0 2)))) effects))

(defn- notes [effects] (keep (fn [[effect _ text]] (when (= :note effect) text)) effects))

(defn- play
  "Steps `state` through rows [ms-later event effects]; the effects are looked at without notes, prefixes and
  reasons. Gives the last state."
  [state script]
  (loop [s state, now 0, [[later event effects] & more] script]
    (if-not event
      s
      (let [now    (+ now (long later))
            [s fx] (mirror/step s event now)]
        (is (= effects (bare fx)) (str (:seen/kind event) " of " (:seen/from event) " at " now " ms has its effects."))
        (recur s now more)))))

(defn- after
  "[state effects] after `events`, one each ms."
  [state & events]
  (loop [s state, fx [], now 0, [event & more] events]
    (if event
      (let [[s more-fx] (mirror/step s event now)] (recur s (into fx more-fx) (inc now) more))
      [s fx])))

;; --- what is learnt

(deftest what-the-guest-says-of-itself-is-learnt
  (are [event effect] (= [effect] (second (mirror/step fresh event 0)))
    (announce "10.9.0.5")                                        [:add "10.9.0.5" 32 "the guest's ARP"]
    (guest :arp-reply :seen/ip "10.9.0.5")                       [:add "10.9.0.5" 32 "the guest's ARP"]
    (guest :arp-request :seen/ip "10.9.0.5" :seen/target "10.9.0.1") [:add "10.9.0.5" 32 "the guest's ARP"]
    (announce "169.254.7.7")                                     [:add "169.254.7.7" 32 "the guest's ARP"]
    (guest :dad :seen/target "fd00::5")                          [:add "fd00::5" 128 "the guest probes it"]
    (guest :na :seen/ip "fe80::5")                               [:add "fe80::5" 128 "the guest's neighbour discovery"]
    (guest :ns :seen/ip "fd00::5" :seen/target "fd00::1")        [:add "fd00::5" 128 "the guest's neighbour discovery"]))

(deftest what-tells-of-no-address-of-the-guest-is-not-learnt
  (doseq [event [(guest :arp-probe :seen/target "10.9.0.5")
                 (guest :dhcp-discover :seen/xid 1)
                 (guest :dhcp-request :seen/xid 1 :seen/ip "10.9.0.5")
                 (guest :dhcp-release :seen/xid 1 :seen/ip "10.9.0.5")
                 (guest :dhcp-ack :seen/xid 1 :seen/ip "10.9.0.5")
                 (lan :arp-announce :seen/ip "10.9.0.5")
                 (lan :arp-reply :seen/ip "10.9.0.5")
                 (asks "10.9.0.5" "10.9.0.6")
                 (lan :na :seen/ip "fd00::5")
                 (lan :dad :seen/target "fd00::5")
                 (lan :ns :seen/ip "fd00::5" :seen/target "fd00::6")
                 (assoc (announce "10.9.0.5") :seen/from :elsewhere)
                 {:seen/kind :nothing-known}
                 tick]]
    (let [[s fx] (mirror/step fresh event 0)]
      (is (= [] fx) (str event " has no effect."))
      (is (= #{} (mirror/addresses s)) (str event " tells of no address.")))))

(deftest learnt-once
  (let [[s fx] (after fresh (announce "10.9.0.5") (announce "10.9.0.5") (guest :arp-reply :seen/ip "10.9.0.5"))]
    (is (= [[:add "10.9.0.5"]] (bare fx)) "A rebooted guest comes with the same addresses again.")
    (is (= #{"10.9.0.5"} (mirror/addresses s)))))

(deftest a-guest-with-another-hardware-address
  (let [[s fx] (after fresh
                      (guest :arp-announce :seen/ip "10.9.0.5" :seen/hwaddr "52:54:00:12:34:56")
                      (guest :dad :seen/target "fd00::5" :seen/hwaddr "52:54:00:12:34:56"))]
    (is (= #{} (mirror/addresses s)) "Nothing for it arrives on this link.")
    (is (= 1 (count fx)) "It is told once.")
    (is (str/includes? (first (notes fx)) "52:54:00:12:34:56") "The note names the address.")))

;; --- what is refused

(deftest what-is-not-for-a-guest
  (are [ip words] (let [[s fx] (after fresh (announce ip) (announce ip))]
                    (and (= #{} (mirror/addresses s))
                         (= 1 (count fx))
                         (= [:note :warning] (subvec (first fx) 0 2))
                         (str/includes? (first (notes fx)) (str ip ", which is " words))))
    "10.9.0.1"           "the gateway's, this machine's or another lease's"
    "127.0.0.1"          "a loopback address"
    "0.0.0.7"            "the unspecified address"
    "224.0.0.251"        "a multicast address"
    "255.255.255.255"    "a reserved address"
    "fe80::1"            "the gateway's, this machine's or another lease's"
    "::1"                "a loopback address"
    "ff02::1"            "a multicast address"
    "::ffff:10.9.0.5"    "an IPv4 address written as IPv6"
    "no address"         "no address"))

(deftest the-network-a-server-tells-of-has-addresses-for-nobody
  (doseq [ip ["10.9.0.0" "10.9.0.255"]]
    (let [[s _] (after fresh (guest :dhcp-request :seen/xid 7)
                       (lan :dhcp-ack :seen/xid 7 :seen/ip ip :seen/prefix 24))]
      (is (= #{} (mirror/addresses s)) ip))))

(deftest refused-later
  (let [[s _]  (after fresh (announce "10.9.0.5") (announce "10.9.0.6"))
        [s fx] (mirror/step s {:seen/kind :refuse :seen/ips #{"10.9.0.6" "10.9.0.7"}} 10)]
    (is (= [[:remove "10.9.0.6"]] (bare fx)) "The machine got that one.")
    (is (= #{"10.9.0.5"} (mirror/addresses s)))
    (is (= [[:add "10.9.0.1"]] (bare (second (after s (announce "10.9.0.7") (announce "10.9.0.1")))))
        "The new set is in force, the old one is not.")))

(deftest notes-are-few
  (let [ips      (map #(str "127.0.0." %) (range 1 200))
        [s fx]   (apply after fresh (map announce ips))
        [_ more] (mirror/step s (announce "127.9.9.9") 3700000)]
    (is (= 9 (count fx)) "Eight, and that there are more.")
    (is (str/includes? (last (notes fx)) "no more of them"))
    (is (= 1 (count (notes more))) "An hour later it may be told again.")))

;; --- when there are too many

(deftest the-least-recently-confirmed-goes
  (let [ip     #(str "fd00::" (Long/toHexString (+ 16 %)))
        [s _]  (apply after fresh (map #(guest :dad :seen/target (ip %)) (range 16)))
        s      (first (mirror/step s (guest :na :seen/ip (ip 0)) 20000))
        [s fx] (mirror/step s (guest :dad :seen/target "fd00::5") 20001)]
    (is (= [[:remove (ip 1)] [:add "fd00::5"]] (bare fx)) "The first is confirmed, the second is the oldest.")
    (is (= 16 (count (mirror/addresses s))))
    (is (= 1 (count (notes fx))) "A person is told.")))

(deftest an-earlier-life-left-too-many
  (let [left   (map #(str "10.9.1." %) (range 1 21))
        [s fx] (mirror/step (mirror/mirror mac #{"10.9.1.3"} left) tick 0)]
    (is (= [[:remove "10.9.1.3"]] (bare fx)) "What is refused by now goes at once.")
    (is (= 16 (count (mirror/addresses (first (mirror/step s (announce "10.9.0.5") 1))))) "The rest when there is need.")))

(deftest a-guest-that-changes-its-mind-all-the-time-waits
  (let [flip     (mapcat #(vector (announce (str "10.9.2." %)) (guest :dhcp-release :seen/ip (str "10.9.2." %)))
                         (range 1 100))
        [s fx]   (apply after fresh flip)
        adds     #(count (filter (comp #{:add} first) %))
        [s' fx'] (mirror/step s (announce "10.9.3.1") 300)
        at       (last (keep (fn [[effect at]] (when (= :timer effect) at)) fx'))]
    (is (= 10 (adds fx)) "Ten came and went; the rest had not yet come when it went.")
    (is (= 1 (count (notes fx))) "A person is told once.")
    (is (= 0 (adds fx')) "One more has to wait.")
    (is (= 10000 at) "Until the first change is ten seconds old.")
    (is (= [[:add "10.9.3.1"] [:timer nil]] (bare (second (mirror/step s' tick at)))) "Then it is added.")
    (is (= [[:timer nil]] (bare (second (mirror/step s' (guest :dhcp-release :seen/ip "10.9.3.1") at))))
        "Unless it is gone meanwhile.")
    (let [[s fx] (apply after s' (map #(announce (str "10.9.4." %)) (range 1 100)))]
      (is (= 0 (adds fx)))
      (is (= 16 (count (:mirror/waiting s))) "No more wait than may be there."))))

;; --- what goes stale

(deftest silence-removes
  (testing "three questions over three seconds"
    (play fresh
          [[0    (announce "10.9.0.5")          [[:add "10.9.0.5"]]]
           [100  (asks "10.9.0.1" "10.9.0.5")   []]
           [1000 (asks "10.9.0.1" "10.9.0.5")   []]
           [1000 (lan :arp-probe :seen/target "10.9.0.5") [[:timer 3100]]]
           [500  tick                           []]
           [500  tick                           [[:remove "10.9.0.5"] [:timer nil]]]]))
  (testing "the last of them has a second to be answered"
    (play fresh
          [[0    (guest :dad :seen/target "fd00::5") [[:add "fd00::5"]]]
           [0    (solicits "fd00::5")           []]
           [9000 (lan :dad :seen/target "fd00::5") []]
           [9000 (solicits "fd00::5")           [[:timer 19000]]]
           [999  (guest :na :seen/ip "fd00::5") [[:timer nil]]]
           [1    tick                           []]
           [0    (solicits "fd00::5")           []]
           [0    (solicits "fd00::5")           []]]))
  (testing "a quick burst is not silence"
    (play fresh
          [[0    (announce "10.9.0.5")          [[:add "10.9.0.5"]]]
           [0    (asks "10.9.0.1" "10.9.0.5")   []]
           [1    (asks "10.9.0.1" "10.9.0.5")   []]
           [1    (asks "10.9.0.1" "10.9.0.5")   [[:timer 3000]]]
           [1    (guest :arp-reply :seen/ip "10.9.0.5") [[:timer nil]]]]))
  (testing "a sign of another address is none of this one"
    (play fresh
          [[0    (announce "10.9.0.5")          [[:add "10.9.0.5"]]]
           [0    (announce "10.9.0.6")          [[:add "10.9.0.6"]]]
           [0    (asks "10.9.0.1" "10.9.0.5")   []]
           [1500 (asks "10.9.0.1" "10.9.0.5")   []]
           [1500 (asks "10.9.0.1" "10.9.0.5")   [[:timer 4000]]]
           [900  (announce "10.9.0.6")          []]
           [100  tick                           [[:remove "10.9.0.5"] [:timer nil]]]
           [5000 (guest :arp-reply :seen/ip "10.9.0.5") [[:add "10.9.0.5"]]]])))

(deftest questions-that-a-guest-would-not-answer-do-not-count
  (let [[s _] (after fresh (announce "10.9.0.5") (announce "10.9.0.6") (guest :dhcp-request :seen/xid 1)
                     (lan :dhcp-ack :seen/xid 1 :seen/ip "10.9.0.7" :seen/prefix 24))]
    (are [event] (= [] (second (apply after s (repeat 9 event))))
      (asks "10.9.0.6" "10.9.0.5")      ; from its own other address
      (asks "127.0.0.1" "10.9.0.5")
      (asks "224.0.0.1" "10.9.0.5")
      (asks "255.255.255.255" "10.9.0.5")
      (asks "10.8.0.1" "10.9.0.7")      ; not of its network, as the server told it
      (asks "10.9.0.255" "10.9.0.7")    ; that one's broadcast address
      (lan :arp-announce :seen/ip "10.9.0.5")
      (lan :arp-reply :seen/ip "10.9.0.5")
      (asks "10.9.0.1" "10.9.0.8"))))   ; not there

(deftest a-guest-asks-itself-nothing
  (let [[s _] (after fresh (announce "10.9.0.5"))]
    (is (= [] (second (apply after s (repeat 9 (guest :arp-request :seen/ip "10.9.0.5" :seen/target "10.9.0.5"))))))))

(deftest another-host-has-it
  (testing "while the guest still probes"
    (play fresh
          [[0    (guest :dad :seen/target "fd00::5") [[:add "fd00::5"]]]
           [500  (lan :na :seen/ip "fd00::6")        []]
           [500  (lan :na :seen/ip "fd00::5")        [[:remove "fd00::5"]]]
           [0    (lan :na :seen/ip "fd00::5")        []]]))
  (testing "too late, or the guest is past its probing"
    (play fresh
          [[0    (guest :dad :seen/target "fd00::5") [[:add "fd00::5"]]]
           [0    (guest :dad :seen/target "fd00::6") [[:add "fd00::6"]]]
           [1000 (guest :na :seen/ip "fd00::5")      []]
           [1    (lan :na :seen/ip "fd00::5")        []]
           [2000 (lan :na :seen/ip "fd00::6")        []]]))
  (is (str/includes? (first (notes (second (after fresh (guest :dad :seen/target "fe80::5") (lan :na :seen/ip "fe80::5")))))
                     "another host answers")
      "A person is told, for guests of one port make the same address of their hardware address."))

(deftest not-on-the-link
  (let [lost {:seen/kind :lost :seen/ip "10.9.0.5" :seen/reason "another link of the port has it"}]
    (play fresh
          [[0    (announce "10.9.0.5") [[:add "10.9.0.5"]]]
           [0    lost                  []]
           [2000 (announce "10.9.0.5") [[:timer 5000]]]
           [3000 tick                  [[:add "10.9.0.5"] [:timer nil]]]
           [0    lost                  []]
           [9000 (announce "10.9.0.5") [[:add "10.9.0.5"]]]])
    (let [[_ fx] (after fresh (announce "10.9.0.5") lost (announce "10.9.0.5") lost)]
      (is (= ["the guest will not get what is sent to 10.9.0.5: another link of the port has it"] (notes fx))))
    (is (= [] (second (after fresh lost))) "Nothing is lost that was not there.")))

(deftest what-the-file-says-is-known
  (doseq [kind mirror/events]
    (is (vector? (mirror/step fresh {:seen/kind kind :seen/from :lan} 0)) (str kind " without its keys does no harm."))
    (is (vector? (mirror/step fresh {:seen/kind kind :seen/from :guest} 0)) (str kind " without its keys does no harm."))))

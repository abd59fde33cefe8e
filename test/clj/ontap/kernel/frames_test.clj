;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.frames-test
  "The event that each kind of frame is, by who sent it."
  (:require [clojure.test :refer [are deftest is]]
            [ontap.kernel.frames :as frames]
            [ontap.model.address :as address]
            [ontap.model.mirror :as mirror])
  (:import (java.net Inet6Address InetAddress)
           (java.nio ByteBuffer)
           (java.util HexFormat)
           (ontap.dhcp4 DhcpMessage DhcpOptions)
           (ontap.frames GuestFrame GuestFrame$Advertisement GuestFrame$Arp GuestFrame$Dhcp GuestFrame$Solicitation)))

(set! *warn-on-reflection* true)

(def ^:private mac "02:00:00:00:00:01")

(defn- ip ^InetAddress [text]
  (let [bytes (address/to-bytes text)]
    (if (= 16 (alength bytes)) (Inet6Address/getByAddress nil bytes -1) (InetAddress/getByAddress bytes))))

(defn- arp [reply? sender target] (GuestFrame$Arp. reply? mac (ip sender) (ip target)))
(defn- solicitation [sender target] (GuestFrame$Solicitation. mac (ip sender) (ip target)))
(defn- advertisement [target] (GuestFrame$Advertisement. mac (ip "fe80::5") (ip target) false true))

(defn- number [n] (.array (.putInt (ByteBuffer/allocate 4) (unchecked-int n))))

(defn- dhcp [type & {:keys [client your requested prefix seconds id] :or {client "0.0.0.0" your "0.0.0.0"}}]
  (let [options (cond-> {(int DhcpOptions/TYPE) (byte-array [type])}
                  requested (assoc (int DhcpOptions/REQUESTED) (address/to-bytes requested))
                  prefix    (assoc (int DhcpOptions/MASK) (number (bit-shift-left -1 (- 32 prefix))))
                  seconds   (assoc (int DhcpOptions/LEASE) (number seconds))
                  id        (assoc (int DhcpOptions/CLIENT_ID) (.parseHex (HexFormat/of) id)))]
    (GuestFrame$Dhcp. mac (ip "10.9.0.1")
                      (DhcpMessage. (DhcpMessage/fromServer (int type)) (int -2) (int 0) false (ip client) (ip your)
                                    (ip "0.0.0.0") mac (DhcpOptions/of options)))))

(defn- bare [event] (dissoc event :seen/from :seen/hwaddr))

(deftest a-frame-is-an-event
  (are [frame event] (= event (bare (frames/seen frame true)))
    (arp false "10.9.0.5" "10.9.0.1")  {:seen/kind :arp-request :seen/ip "10.9.0.5" :seen/target "10.9.0.1"}
    (arp true "10.9.0.5" "10.9.0.1")   {:seen/kind :arp-reply :seen/ip "10.9.0.5"}
    (arp false "10.9.0.5" "10.9.0.5")  {:seen/kind :arp-announce :seen/ip "10.9.0.5"}
    (arp true "10.9.0.5" "10.9.0.5")   {:seen/kind :arp-announce :seen/ip "10.9.0.5"}
    (arp false "0.0.0.0" "10.9.0.5")   {:seen/kind :arp-probe :seen/target "10.9.0.5"}
    (solicitation "::" "fd00::5")      {:seen/kind :dad :seen/target "fd00::5"}
    (solicitation "fd00::5" "fd00::1") {:seen/kind :ns :seen/ip "fd00::5" :seen/target "fd00::1"}
    (advertisement "fd00::0:0:5")      {:seen/kind :na :seen/ip "fd00::5"}
    (advertisement "::ffff:10.9.0.5")  {:seen/kind :na :seen/ip "::ffff:10.9.0.5"}
    (dhcp 1)                           {:seen/kind :dhcp-discover :seen/xid 4294967294}
    (dhcp 1 :id "01aa")                {:seen/kind :dhcp-discover :seen/xid 4294967294 :seen/client "01aa"}
    (dhcp 3 :requested "10.9.0.5")     {:seen/kind :dhcp-request :seen/xid 4294967294 :seen/ip "10.9.0.5"}
    (dhcp 3 :client "10.9.0.5")        {:seen/kind :dhcp-request :seen/xid 4294967294 :seen/ip "10.9.0.5"}
    (dhcp 3)                           {:seen/kind :dhcp-request :seen/xid 4294967294}
    (dhcp 4 :requested "10.9.0.5")     {:seen/kind :dhcp-decline :seen/xid 4294967294 :seen/ip "10.9.0.5"}
    (dhcp 7 :client "10.9.0.5")        {:seen/kind :dhcp-release :seen/xid 4294967294 :seen/ip "10.9.0.5"})
  (are [frame event] (= event (bare (frames/seen frame false)))
    (dhcp 2 :your "10.9.0.5" :prefix 24 :seconds 3600)
    {:seen/kind :dhcp-offer :seen/xid 4294967294 :seen/ip "10.9.0.5" :seen/prefix 24 :seen/seconds 3600}
    (dhcp 5 :your "10.9.0.5" :seconds DhcpMessage/INFINITY :id "01aa")
    {:seen/kind :dhcp-ack :seen/xid 4294967294 :seen/ip "10.9.0.5" :seen/client "01aa"}
    (dhcp 5 :your "10.9.0.5")          {:seen/kind :dhcp-ack :seen/xid 4294967294 :seen/ip "10.9.0.5"}
    (dhcp 6)                           {:seen/kind :dhcp-nak :seen/xid 4294967294}))

(deftest who-sent-it
  (doseq [[outgoing? from] [[true :guest] [false :lan]]
          frame [(arp false "10.9.0.5" "10.9.0.1") (solicitation "::" "fd00::5") (advertisement "fd00::5")]]
    (is (= {:seen/from from :seen/hwaddr mac} (select-keys (frames/seen frame outgoing?) [:seen/from :seen/hwaddr]))))
  (doseq [type [1 3 4 7]
          :let [frame (dhcp type :client "10.9.0.5" :requested "10.9.0.5")]]
    (is (= :guest (:seen/from (frames/seen frame true))))
    (is (nil? (frames/seen frame false)) "What other clients say is nothing to this guest."))
  (doseq [type [2 5 6]
          :let [frame (dhcp type :your "10.9.0.5")]]
    (is (= :lan (:seen/from (frames/seen frame false))))
    (is (nil? (frames/seen frame true)) "A guest that serves others gets no address by that.")))

(deftest of-no-interest
  (are [frame outgoing?] (nil? (frames/seen frame outgoing?))
    nil                            true
    (arp false "10.9.0.5" "0.0.0.0") true
    (solicitation "fe80::5" "::")  true
    (advertisement "::")           true
    (dhcp 4)                       true
    (dhcp 7)                       true
    (dhcp 2)                       false
    (dhcp 5 :seconds 3600)         false))

(deftest every-kind-is-known
  (is (= (disj mirror/events :tick :lost :refuse)
         (into #{} (map :seen/kind)
               (concat (map #(frames/seen % true)
                            [(arp false "10.9.0.5" "10.9.0.1") (arp true "10.9.0.5" "10.9.0.1")
                             (arp false "10.9.0.5" "10.9.0.5") (arp false "0.0.0.0" "10.9.0.5")
                             (solicitation "::" "fd00::5") (solicitation "fd00::5" "fd00::1") (advertisement "fd00::5")
                             (dhcp 1) (dhcp 3) (dhcp 4 :requested "10.9.0.5") (dhcp 7 :client "10.9.0.5")])
                       (map #(frames/seen % false)
                            [(dhcp 2 :your "10.9.0.5") (dhcp 5 :your "10.9.0.5") (dhcp 6)]))))))

(deftest from-bytes-to-the-link
  (let [announcement (str "ffffffffffff" "020000000001" "0806" "0001080006040001" "020000000001" "0a090005"
                          "000000000000" "0a090005")
        bytes        (.parseHex (HexFormat/of) announcement)
        [s effects]  (mirror/step (mirror/mirror mac #{} []) (frames/seen (GuestFrame/parse bytes (alength bytes)) true) 0)]
    (is (= [[:add "10.9.0.5" 32 "the guest's ARP"]] effects))
    (is (= #{"10.9.0.5"} (mirror/addresses s)))))

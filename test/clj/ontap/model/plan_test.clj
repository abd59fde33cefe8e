;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.plan-test
  "The plan of services, as data and in words."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [deftest is]]
            [ontap.model.check :as check]
            [ontap.model.plan :as plan]
            [ontap.model.spec :as spec]))

(defn- plan-of [form] (plan/of (:services (check/check form {:root? true}))))

(def ^:private web
  {:name "web" :port "wlp3s0" :user "www" :caps "+net_bind_service" :requires ["db"]
   :exec ["darkhttpd" "/www" "--default-mimetype" "text/html" "a b" ""]})

(def ^:private db
  {:name "db" :port "wlp3s0" :netns "blue" :user "root" :groups [] :ipv6 "fd00::5/64" :ipv4 "10.0.0.5/24" :gateway "10.0.0.1"
   :caps "+all" :exec ["db"] :restart {:policy :never} :log {:file "/var/log/db" :max-size 5000} :limits {:nofile 1024 :core [0 :infinity]}
   :umask "077" :dir "/srv" :env {:LANG "secret"} :ready {:fd 3} :stop {:signal "KILL"}})

(deftest the-plan-as-data
  (let [plan (plan-of [web db])]
    (is (s/valid? ::spec/plan plan) (s/explain-str ::spec/plan plan))
    (is (= ["db" "web"] (map :plan/service plan)) "A service comes after those it requires.")
    (is (= [[:after "db"]
            [:port "wlp3s0"]
            [:namespace {:net true :uts true}]
            [:hostname "web"]
            [:loopback :up]
            [:link {:name "eth0" :type "ipvlan" :mode "l2" :port "wlp3s0"}]
            [:alias "web"]
            [:secret {:stable-for "web"}]
            [:address {:family 4 :method :dhcp :acd true :start-delay true :release false}]
            [:address {:family 6 :method :slaac}]
            [:wait {:for :address :timeout-ms 30000}]
            [:resolv-conf true]
            [:identity {:user "www" :groups nil :caps ["net_bind_service"] :no-new-privs true}]
            [:process {:env {} :dir "/" :umask 18 :limits {}}]
            [:log {:file nil :max-bytes 4194304}]
            [:exec ["darkhttpd" "/www" "--default-mimetype" "text/html" "a b" ""]]
            [:restart {:policy :always :delay-ms 200 :max-delay-ms 30000 :limit 10 :window-ms 60000}]
            [:stop {:signal "TERM" :timeout-ms 10000}]]
           (:plan/steps (second plan))))))

(deftest the-plan-in-words
  (is (= ["db:"
          "  the network namespace blue, a hostname namespace of its own; hostname db"
          "  link eth0, ipvlan (l2) on wlp3s0, alias db"
          "  IPv6 fd00::5/64, no gateway; IPv4 10.0.0.5/24 by way of 10.0.0.1, checked for conflicts"
          "  waits for an address, 30 s at most"
          "  a resolv.conf of its own"
          "  user root, no further groups; all 41 capabilities; no_new_privs"
          "  in /srv; umask 077; limits core 0 (at most infinity), nofile 1024; variables LANG"
          "  runs db"
          "  ready at a newline on descriptor 3"
          "  is not restarted"
          "  stops by KILL"
          "  log /var/log/db, cut at 5000 bytes"
          "web:"
          "  after db"
          "  a network and a hostname namespace of its own; hostname web"
          "  link eth0, ipvlan (l2) on wlp3s0, alias web"
          "  IPv6 by router advertisement with a stable address; IPv4 by DHCP, checked for conflicts"
          "  waits for an address, 30 s at most"
          "  a resolv.conf of its own"
          "  user www, groups of www; capability net_bind_service; no_new_privs"
          "  runs darkhttpd /www --default-mimetype text/html \"a b\" \"\""
          "  restarts with back-off 0.2 s to 30 s, failed after 10 in 60 s"
          "  stops by TERM, by KILL after 10 s"
          "  a log of its own, cut at 4 MiB"]
         (plan/words (plan-of [web db])))))

(def ^:private vm
  {:name "vm" :port "eth0" :type "macvtap" :queues 2 :user "www" :groups ["kvm"] :exec ["qemu-system-x86_64"]})

(deftest the-plan-of-a-guest
  (let [plan (plan-of vm)]
    (is (s/valid? ::spec/plan plan) (s/explain-str ::spec/plan plan))
    (is (= [:port :namespace :hostname :loopback :link :alias :identity :process :log :exec :restart :stop]
           (map first (:plan/steps (first plan))))
        "No secret, no address, and nothing is waited for.")
    (is (= {:type "macvtap" :mode "bridge" :queues 2 :port "eth0"} (:link (into {} (:plan/steps (first plan)))))))
  (is (= ["vm:"
          "  a network and a hostname namespace of its own; hostname vm"
          "  a macvtap link with 2 queues on eth0 (bridge), alias vm; its descriptors in ONTAP_FD0 and ONTAP_FD1"
          "  user www, group kvm; no capabilities; no_new_privs"
          "  runs qemu-system-x86_64"
          "  restarts with back-off 0.2 s to 30 s, failed after 10 in 60 s"
          "  stops by TERM, by KILL after 10 s"
          "  a log of its own, cut at 4 MiB"
          "  note: the guest gets its addresses by itself; the workload starts without waiting for them"]
         (plan/words (plan-of vm))))
  (is (= ["  a tap link with 1 queue on br0, alias vm; its descriptor in ONTAP_FD0"
          "  an ipvtap link with 64 queues on eth0 (l2), alias vm; its descriptors in ONTAP_FD0 to ONTAP_FD63"]
         (map #(nth (plan/words (plan-of (merge vm %))) 2)
              [{:type "tap" :queues 1 :port "br0"} {:type "ipvtap" :queues 64}]))))

(deftest addresses-and-nameservers-in-words
  (doseq [[more & expected]
          [[{:release true :start-delay false :acd false}
            "  IPv6 by router advertisement with a stable address; IPv4 by DHCP without a start delay, given back at the stop"]
           [{:release true}
            "  IPv6 by router advertisement with a stable address; IPv4 by DHCP, checked for conflicts, given back at the stop"]
           [{:ipv4 "10.0.0.5/24" :acd false :ipv6 :none} "  no IPv6; IPv4 10.0.0.5/24, no gateway"]
           [{:ipv4 :none} "  IPv6 by router advertisement with a stable address; no IPv4"]
           [{:resolv-conf "/srv/r.conf"} "  resolv.conf from /srv/r.conf"]
           [{:resolv-conf {:nameservers ["10.0.0.1"]}} "  a resolv.conf of its own: nameserver 10.0.0.1"]
           [{:resolv-conf {:nameservers ["10.0.0.1" "fd00::1"]}} "  a resolv.conf of its own: nameservers 10.0.0.1 and fd00::1"]]
          :let [lines (set (plan/words (plan-of (merge (dissoc web :requires) more))))]
          line expected]
    (is (contains? lines line)))
  (is (not-any? #(re-find #"resolv" %) (plan/words (plan-of (assoc (dissoc web :requires) :resolv-conf false))))))

(deftest what-a-person-might-not-expect
  (is (= [] (:plan/notes (first (plan-of (dissoc web :requires))))) "That the default is DHCP needs no note.")
  (is (= [] (:plan/notes (first (plan-of (assoc (dissoc web :requires) :mode "l3" :ipv4 :none :ipv6 "fd00::5/64")))))
      "An :ipv4 that the file states needs no note.")
  (is (= ["no broadcast, and so no DHCP, reaches an ipvlan link of mode l3; :ipv4 is :none unless it is said"]
         (:plan/notes (first (plan-of (assoc (dissoc web :requires) :mode "l3" :ipv6 "fd00::5/64"))))))
  (is (= ["it gets no address, and starts without one"]
         (:plan/notes (first (plan-of (assoc (dissoc web :requires) :ipv4 :none :ipv6 :none)))))))

(deftest no-word-moves-the-cursor
  (is (not-any? #(re-find #"\p{Cntrl}" %)
                (plan/words (plan-of (assoc (dissoc web :requires) :exec ["a\u001b[2J" "b\nc"] :dir "/\u001b" :log "/\r")))))
  (is (some #{"  runs \"a\\u001b[2J\" \"b\\nc\""}
            (plan/words (plan-of (assoc (dissoc web :requires) :exec ["a\u001b[2J" "b\nc"]))))))

(deftest other-words
  (let [lines (plan/words (plan-of (assoc (dissoc web :requires) :netns :host :uts false :type "macvlan" :caps [:net_raw :net_admin]
                                          :groups ["kvm" "video"] :restart {:policy :on-failure} :ready :notify :ipv6 :none
                                          :ipv4 "10.0.0.5/24")))]
    (is (= ["the machine's own network, the machine's hostname"
            "link web, macvlan (bridge) on wlp3s0, alias web"
            "no IPv6; IPv4 10.0.0.5/24, no gateway, checked for conflicts"
            "user www, groups kvm and video; capabilities net_admin and net_raw; no_new_privs"
            "ready when it says so by sd_notify"
            "restarts on failure with back-off 0.2 s to 30 s, failed after 10 in 60 s"]
           (map #(subs % 2) (map (vec lines) [1 2 3 5 7 8]))))))

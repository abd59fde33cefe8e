;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.vm-test
  "Virtual machines of QEMU, emulated, on links that ontap hands out: by bin/runvm and as supervised services. Each is
  a Linux (test/harness/vm/guest) with an address from dnsmasq, on a LAN in namespaces of ours. Witnesses: what dnsmasq
  wrote down, ping and curl on another host of the LAN, ip(8)."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.process :as process]
            [ontap.harness.uml :as uml]
            [ontap.testing :as t])
  (:import (java.io File)))

(set! *warn-on-reflection* true)

(defn- needs! [& programs]
  (doseq [program programs]
    (when-not (= 0 (:exit (t/run {} "sh" "-c" (str "command -v " program))))
      (t/skip! (str "there is no " program " here; bin/test says which package has it")))))

;; --- runvm, without ontap and QEMU

(def ^:private runvm-of-the-seed
  "The text that runvm goes back to, as it was written down."
  (str "#!/usr/bin/env -S execlineb -s1\n"
       "# Usage: runvm wlp3s0 <qemu-args ...>\n\n"
       "ontap -t ipvtap -m 1 /run/ontap/port.${1} --verbosity=debug --\n"
       "importas -ui HWADDR ONTAP_HWADDR\n"
       "importas -ui FD0 ONTAP_FD0\n\n"
       "qemu-system_x86_64\n"
       "\t-net nic,model=virtio,macaddr=${HWADDR}\n"
       "\t-net tap,id=net0,fd=${FD0}\n"
       "\t$@\n"))

(def ^:private stand-in-ontap
  "Says with what it was called, and becomes the program after `--` with a link that is not there."
  (str "#!/bin/sh\nprintf 'ontap'; while [ \"$1\" != -- ]; do printf ' %s' \"$1\"; shift; done; echo; shift\n"
       "export ONTAP_HWADDR=02:00:00:00:00:07 ONTAP_FD0=7\nexec \"$@\"\n"))

(def ^:private stand-in-qemu
  "#!/bin/sh\nprintf '<%s>' \"${0##*/}\" \"$@\"; echo; env | grep -E '^ONTAP_(HWADDR|FD0|TYPE)'; exit 7\n")

(defn- script! [dir name text]
  (let [f (io/file dir name)]
    (spit f text)
    (.setExecutable f true false)
    (.getPath f)))

(deftest runvm-says-what-the-seed-said
  (needs! "execlineb")
  (t/with-temp-dir [dir]
    (script! dir "ontap" stand-in-ontap)
    (script! dir "qemu-system-x86_64" stand-in-qemu)
    (script! dir "qemu-system_x86_64" stand-in-qemu)
    (let [env     {"PATH" (str dir ":" (System/getenv "PATH")) "ONTAP_TYPE" nil}
          run     (fn [env & words] (update (apply t/run {:env env} words) :out str/split-lines))
          network "<-net><nic,model=virtio,macaddr=02:00:00:00:00:07><-net><tap,id=net0,fd=7>"]
      (testing "the seed's text, as it stands there"
        (is (= {:exit 7 :err ""
                :out  ["ontap -t ipvtap -m 1 /run/ontap/port.wlp3s0 --verbosity=debug"
                       (str "<qemu-system_x86_64>" network "<-m><256><-append><a b>")]}
               (dissoc (run env (script! dir "seed" runvm-of-the-seed) "wlp3s0" "-m" "256" "-append" "a b") :pid))))
      (testing "bin/runvm"
        (is (= {:exit 7 :err ""
                :out  ["ontap -t ipvtap -m 1 wlp3s0 --verbosity=debug"
                       (str "<qemu-system-x86_64>" network "<-m><256><-append><a b><>")]}
               (dissoc (run env "bin/runvm" "wlp3s0" "-m" "256" "-append" "a b" "") :pid))
            "what it was for stays out of QEMU's environment")
        (is (= "ontap -t macvtap -m 1 /x/port.eth0 --verbosity=debug"
               (first (:out (run (assoc env "ONTAP_TYPE" "macvtap") "bin/runvm" "/x/port.eth0")))))))))

;; --- the LAN, its DHCP server, the guest

(defn- needs-vm! []
  (lan/needs-root!)
  (needs! "qemu-system-x86_64" "execlineb" "dnsmasq" "busybox" "curl"))

(defn- guest!
  "Makes the guest in a folder of `lan`'s, where every user can read it. Returns the folder."
  ^File [lan]
  (let [dir (doto (io/file (:dir lan) "vm-guest") .mkdir)
        {:keys [exit err]} (t/run {:limit-s 120} "test/harness/vm/guest" dir)]
    (when (= 125 exit) (t/skip! (str/trim err)))
    (when-not (= 0 exit) (throw (ex-info (str "test/harness/vm/guest: " err) {:exit exit})))
    dir))

(defn- qemu-words
  "What QEMU is told beside its network: a machine without a screen whose serial line is its standard output."
  [^File guest name]
  ["-accel" "tcg" "-cpu" "max" "-machine" "q35" "-m" "256" "-no-reboot" "-display" "none" "-serial" "stdio"
   "-kernel" (str guest "/kernel") "-initrd" (str guest "/initrd")
   "-append" (str "console=ttyS0 quiet panic=-1 name=" name)])

(defn- dnsmasq
  "Starts a DHCP server at the peer of `lan`; see `lan/spawn`."
  [{:keys [dir peer]}]
  (let [server (apply lan/spawn {}
                      (lan/in peer "dnsmasq" "--keep-in-foreground" "--conf-file=/dev/null" "--log-facility=-"
                              "--pid-file=" "--user=root" "--port=0" "--interface=lan0" "--no-ping" "--log-dhcp"
                              "--dhcp-authoritative" "--dhcp-range=10.77.0.100,10.77.0.150,255.255.255.0,1h"
                              (str "--dhcp-leasefile=" dir "/dnsmasq.leases")))]
    (lan/await-line server #"DHCP, IP range")
    server))

(defmacro ^:private with-servers
  "Runs the body on a LAN with a DHCP server: `lan` of ontap.harness.lan, `server` of `lan/spawn`, `guest` the folder
  of the guest."
  [[lan server guest] & body]
  `(lan/with-lan [~lan]
     (let [~guest  (guest! ~lan)
           ~server (dnsmasq ~lan)]
       (try ~@body (finally (lan/end! ~server "TERM"))))))

(defn- leases
  "What dnsmasq wrote down: address -> {:hwaddr :name :id}."
  [{:keys [dir]}]
  (let [f (io/file dir "dnsmasq.leases")]
    (into {} (for [line (when (.exists f) (str/split-lines (slurp f)))
                   :let [[_ hwaddr ip name id] (str/split line #" ")]
                   :when ip]
               [ip {:hwaddr hwaddr :name name :id id}]))))

(defn- fetch [lan ip path]
  (lan/sh! lan :peer "curl" "-gsS" "--max-time" "10" (str "http://" ip path)))

(defn- pings? [lan ip]
  (= 0 (:exit (lan/sh lan :peer "busybox" "ping" "-c" "2" "-W" "5" ip))))

(defn- of-guest
  "What follows `word` in a line of the guest's."
  [word line]
  (second (re-find (re-pattern (str "guest: " word " (\\S+)")) line)))

(defn- namespaces
  "Files of the network namespaces in which the daemon's links may be: the host's, and those that it keeps below the
  folder of `lan`."
  [{:keys [host dir]}]
  (cons (str "/proc/" host "/ns/net")
        (filter #(str/starts-with? % (str dir "/"))
                (str/split-lines (:out (t/run {} "findmnt" "-rno" "TARGET" "-t" "nsfs"))))))

(defn- links
  "The hardware addresses of the links of `kind` that ip(8) shows in `namespaces`, a set."
  [lan kind]
  (set (for [path  (namespaces lan)
             :let  [{:keys [out]} (t/run {} "nsenter" (str "--net=" path) "ip" "-d" "-o" "link" "show" "type" kind)]
             hwaddr (map second (re-seq #"link/ether (\S+)" out))]
         hwaddr)))

(defn- check-on-the-lan
  "What the LAN knows of the guest `name`, which says that its network card is `hwaddr` and its address `ip`."
  [lan server name hwaddr ip]
  (testing (str name " on the LAN:")
    (is (re-matches #"10\.77\.0\.1\d\d" (str ip)) "its address is of dnsmasq's range")
    (is (= {:hwaddr hwaddr :name name} (dissoc ((leases lan) ip) :id)) "dnsmasq wrote down that it has it")
    (is (lan/await-line server (re-pattern (str "DHCPACK\\(lan0\\) " ip " " hwaddr " " name))))
    (is (pings? lan ip) "another host pings it")
    (is (= (str "this is " name "\n") (fetch lan ip "/")) "and gets a page from it")
    (is (str/includes? (lan/sh! lan :peer "ip" "neigh" "show" ip "dev" "lan0") hwaddr) "its frames come from that address")
    (let [own (t/wait-for "its link-local address" 20000
                          #(second (re-find #"inet6 (fe80\S+)/64" (fetch lan ip "/cgi-bin/addresses"))))]
      (is (t/wait-for "it to answer over IPv6" 20000 #(pings? lan (str own "%lan0")))))))

;; --- by runvm

(defn- runvm
  "Starts `bin/runvm up0 …` for guest `name` on the host of `lan`, as an ordinary user; see `lan/spawn`."
  [{:keys [dir host env]} guest name]
  (let [bin (doto (io/file dir "bin") .mkdir)]
    (script! bin "ontap" (str "#!/bin/sh\nexec " lan/program " \"$@\"\n"))
    (apply lan/spawn {:env (assoc env "ONTAP_TYPE" "macvtap" "PATH" (str bin ":" (System/getenv "PATH")))}
           (apply lan/in host (apply ontapd/as {:uid 65534 :gid 65534} "bin/runvm" "up0" (qemu-words guest name))))))

(defn- bound
  "The address that the guest of `vm` has got, once it has."
  [vm]
  (str/replace (of-guest "bound" (lan/await-line vm #"guest: bound" 120)) "/24" ""))

(defn- await-no-link [lan] (t/wait-for "the link to go" 20000 #(empty? (links lan "macvtap"))))

(deftest ^{:slow true :timeout 300 :jdk :floor} a-vm-by-runvm
  (needs-vm!)
  (with-servers [lan server guest]
    (let [config (ontapd/config! lan {"up0" {:group "nogroup" :allow [{:user "nobody" :types ["macvtap"] :limit 1}]}})]
      (ontapd/with-ontapd [daemon lan {} "--config" config]
        (let [began  (System/nanoTime)
              vm     (runvm lan guest "vm1")
              again  (atom nil)]
          (try
            (let [hwaddr (of-guest "hwaddr" (lan/await-line vm #"guest: hwaddr" 120))
                  ip     (bound vm)]
              (println (format "a VM by bin/runvm: an address by DHCP %.1f s after the command, emulated"
                               (/ (- (System/nanoTime) began) 1e9)))
              (is (= "qemu-system-x86_64" (first (process/command (:pid vm)))) "runvm became QEMU: same pid")
              (is (= ["65534" "65534" "65534" "65534"] (get (process/status (:pid vm)) "Uid")) "of an ordinary user")
              (is (some #{(str "nic,model=virtio,macaddr=" hwaddr)} (process/command (:pid vm))))
              (is (= #{hwaddr} (links lan "macvtap")) "the guest's hardware address is that of the link")
              (check-on-the-lan lan server "vm1" hwaddr ip)
              (let [second-one (runvm lan guest "vm3")]
                (lan/await-line second-one #"refused: .*nobody" 60)
                (is (not= 0 (lan/await-end second-one 60)) "one is all that this user may have"))
              (testing "ontapd killed:"
                (ontapd/stop! daemon "KILL")
                (is (pings? lan ip) "the VM goes on")
                (reset! again (ontapd/start lan {} "--config" config))
                (is (pings? lan ip) "and still does once there is an ontapd again")
                (is (= #{hwaddr} (links lan "macvtap"))))
              (testing "killed"
                (lan/end! vm "KILL")
                (is (await-no-link lan))
                (is (not (pings? lan ip)) "nobody answers")))
            (testing "the next one switches itself off"
              (let [vm (runvm lan guest "vm2")]
                (try
                  (let [ip (bound vm)]
                    (is (= 1 (count (links lan "macvtap"))))
                    (fetch lan ip "/cgi-bin/off")
                    (is (= 0 (lan/await-end vm 60)))
                    (is (await-no-link lan))
                    (is (not (contains? (leases lan) ip)) "it gave its address back"))
                  (finally (lan/end! vm "KILL")))))
            (finally
              (lan/end! vm "KILL")
              (some->> @again (ontapd/clean! lan)))))))))

;; --- as services

(defn- service
  "A declaration of a VM with `queues`, whose guest is `name`."
  [guest name queues]
  {:name name :port "up0" :type "macvtap" :queues queues :user "nobody"
   :restart {:delay "100ms"}
   :exec (into ["sh" "-c"
                (if (= 1 queues)
                  "exec \"$@\" -netdev tap,id=net0,fd=$ONTAP_FD0 -device virtio-net-pci,netdev=net0,mac=$ONTAP_HWADDR"
                  (str "exec \"$@\" -smp " queues
                       " -netdev tap,id=net0,fds=" (str/join ":" (map #(str "$ONTAP_FD" %) (range queues)))
                       " -device virtio-net-pci,netdev=net0,mq=on,vectors=" (+ 2 (* 2 queues)) ",mac=$ONTAP_HWADDR"))
                "vm" "qemu-system-x86_64"]
               (qemu-words guest name))})

(defn- await-guest
  "Blocks until the guest of service `name` has an address, for the `n`th time: {:pid :log :hwaddr :ip :queues}."
  [lan name n]
  (let [{:keys [log]} (t/wait-for (str name " to run") 60000 #(let [row ((lan/status lan) name)] (when (:pid row) row)))
        bound   (t/wait-for (str name " to get an address") 120000
                            #(let [f     (io/file log)
                                   bound (when (.exists f) (re-seq #"guest: bound ([0-9.]+)/24" (slurp f)))]
                               (when (<= n (count bound)) (last bound))))
        of-log  #(second (last (re-seq (re-pattern (str "guest: " % " (\\S+)")) (slurp log))))]
    {:pid (:pid ((lan/status lan) name)) :log log :ip (second bound)
     :hwaddr (of-log "hwaddr") :queues (parse-long (of-log "queues"))}))

(defn- environment-says [pid hwaddr]
  (let [{:strs [ONTAP_HWADDR ONTAP_MTU ONTAP_IFNAME ONTAP_LEASE_FD] :as env} (process/environment pid)]
    (is (= hwaddr ONTAP_HWADDR) "the workload was told the guest's hardware address")
    (is (= "1500" ONTAP_MTU))
    (is (not (str/blank? ONTAP_IFNAME)))
    (doseq [[k fd] env :when (re-matches #"ONTAP_FD\d+" k)]
      (is (str/includes? (get (process/descriptors pid) (parse-long fd) "") "tap") (str k " leads to a tap")))
    (is (contains? (process/descriptors pid) (parse-long ONTAP_LEASE_FD)) "it holds its lease")))

(defn- services!
  "Two VMs as services on `lan`, one with two queues: they run, speak, are started again, and end. `look!` is called
  while both run."
  [lan server guest look!]
  (let [up (lan/up lan (lan/write-file lan [(service guest "vm1" 1) (service guest "vm2" 2)]))]
    (try
      (lan/await-listening lan up)
      (let [one (await-guest lan "vm1" 1)
            two (await-guest lan "vm2" 1)]
        (is (= [1 2] (map :queues [one two])))
        (is (= #{(:hwaddr one) (:hwaddr two)} (links lan "macvtap")))
        (doseq [[name {:keys [pid hwaddr ip]}] {"vm1" one "vm2" two}]
          (check-on-the-lan lan server name hwaddr ip)
          (testing name
            (environment-says pid hwaddr)
            (is (= "lo" (str/join " " (re-seq #"(?<=\d: )[^:@]+" (:out (t/run {} "nsenter" (str "--net=/proc/" pid "/ns/net") "ip" "-o" "link")))))
                "QEMU itself has no network but that of its guest")))
        (is (re-find #" 0% packet loss" (fetch lan (:ip one) (str "/cgi-bin/ping?" (:ip two)))) "one pings the other")
        (look!)
        (testing "killed, it is started again on a link of its own"
          (t/run {} "kill" "-KILL" (:pid one))
          (let [again (await-guest lan "vm1" 2)]
            (is (not= (:pid one) (:pid again)))
            (is (pings? lan (:ip again)))
            (is (= #{(:hwaddr again) (:hwaddr two)} (links lan "macvtap")) "the link before is gone")))
        (testing "the other did not notice"
          (is (= (:pid two) (:pid ((lan/status lan) "vm2"))))
          (is (pings? lan (:ip two)))))
      (is (= 0 (lan/end! up "TERM")))
      (is (await-no-link lan))
      (is (not (re-find #"bug" (lan/said up))) (lan/said up))
      (finally (lan/end! up "KILL")))))

(deftest ^{:slow true :timeout 300 :jdk :floor} vms-as-services
  (needs-vm!)
  (with-servers [lan server guest]
    (services! lan server guest #(is (not (.exists (io/file (ontapd/path lan "port.up0")))) "there is no ontapd"))))

(deftest ^{:slow true :timeout 300 :jdk :floor} vms-as-services-by-ontapd
  (needs-vm!)
  (with-servers [lan server guest]
    (ontapd/with-ontapd [daemon lan {} "up0"]
      (services! lan server guest
                 #(is (= [["macvtap" "vm1" 1] ["macvtap" "vm2" 2]]
                         (sort (map (juxt :lease/type :lease/name :lease/queues) (vals (ontapd/book lan)))))
                      "ontapd wrote down that it lent both")))))

;; --- ipvtap, in a kernel that has it

(deftest ^{:long true :timeout 420 :jdk :floor} vms-on-ipvtap
  (needs! "qemu-system-x86_64" "execlineb" "dnsmasq" "curl")
  (t/with-temp-dir [dir]
    (uml/compile-clients! dir)
    (uml/build-program!)
    (uml/assert-passed
     (uml/in-kernel {:seconds 330 :modules "ipvlan ipvtap macvlan veth af_packet" :script "vm/uml-ipvtap.sh"}
                    "bin" dir (guest! {:dir dir}) (script! dir "runvm-of-the-seed" runvm-of-the-seed))
     (concat (for [name ["one" "two"]
                   check ["an address by DHCP" "the server has given it" "its hardware address is the port's"
                          "the address is on its link" "ping from the LAN" "HTTP from the LAN"
                          "its link-local address is on its link" "ping from the LAN over IPv6" "ping to the LAN"]]
               (str name ": " check))
             ["one pings its sibling" "one: its link ends with it" "two: its link ends when it is killed"
              "no lease is left" "no ipvtap link is left on the port"]))))

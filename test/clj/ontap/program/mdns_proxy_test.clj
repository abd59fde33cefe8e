;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.mdns-proxy-test
  "`ontap mdns-proxy` before the real tinydns: programs on another host of the LAN reach http://arroyocc.local/ through
  libnss-mdns and avahi, as in the seed."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.mdns :as mdns]
            [ontap.harness.netns :as netns]
            [ontap.harness.tinydns :as tinydns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private data
  "What tinydns knows; an AAAA is a record of any type with the bytes in octal."
  (str ".vanya:127.0.0.1:ns.vanya:60\n"
       "+arroyocc.vanya:10.77.0.40:1\n"
       ":arroyocc.vanya:28:\\375w" (str/join (repeat 13 "\\000")) "\\100:1\n"
       "+old.vanya:10.77.0.41:60\n"
       ".77.10.in-addr.arpa:127.0.0.1:ns.vanya:60\n"
       "^40.0.77.10.in-addr.arpa:arroyocc.vanya:60\n"))

(defn- serve-names!
  "Starts tinydns on 127.0.0.1 of the host of `lan`."
  [lan]
  (let [dir (io/file (:dir lan) "tinydns")]
    (.mkdirs dir)
    (.setExecutable dir true false)
    (is (= "" (tinydns/compile! dir data)))
    (let [server (netns/in {:pid (:host lan)} #(tinydns/start! dir "127.0.0.1"))]
      (swap! (:supervisors lan) conj server)
      server)))

(defn- serve-page!
  "Starts a web server in a namespace of `lan`."
  [lan {:keys [pid]} name]
  (let [server (apply lan/spawn {:env {"ONTAP_NAME" name}}
                      (lan/in pid (str (System/getProperty "java.home") "/bin/java") "-XX:TieredStopAtLevel=1" "-Xshare:auto"
                              "-cp" (System/getProperty "java.class.path") "ontap.demo.Page" "80"))]
    (swap! (:supervisors lan) conj server)
    (lan/await-line server #"^ready$")))

(defn- proxy!
  "Starts the proxy on the host of `lan`; returns once it answers."
  [lan & words]
  (let [p (apply lan/spawn {:env (:env lan)} (apply lan/in (:host lan) lan/program "mdns-proxy" words))]
    (swap! (:supervisors lan) conj p)
    (lan/await-line p #"^ontap: answers for NAME\.local on host0 with what " 60)
    p))

(defn- page
  "What a program on the host of `peer`, which asks libnss-mdns, says of `url`: {:exit :out :err}."
  [peer & words]
  (apply t/run {:limit-s 30} (apply mdns/through-nss peer words)))

(defn- legacy
  "{:status :answers [[name ttl type data]]} that an ordinary resolver at the peer of `lan` gets from port 5353 of the host, for a
  second; {} without an answer."
  [lan name type]
  (let [{:keys [exit out]} (lan/sh lan :peer "dig" "+tries=1" "+time=1" "+noall" "+comments" "+answer" "@10.77.0.2" "-p" "5353" name type)]
    (if (= 0 exit)
      {:status  (second (re-find #"status: ([A-Z]+)" out))
       :answers (into [] (comp (remove #(or (str/blank? %) (str/starts-with? % ";")))
                               (map #(let [[n ttl _ type data] (str/split % #"\s+")] [n (parse-long ttl) type data])))
                      (str/split-lines out))}
      {})))

(deftest ^{:jdk :floor :timeout 180} a-browser-elsewhere-finds-what-tinydns-knows
  (mdns/needs! :avahi)
  (tinydns/needs!)
  (tinydns/needs-dig!)
  (mdns/needs-command! "w3m" "w3m")
  (mdns/needs-command! "curl" "curl")
  (mdns/with-lan [lan]
    ;; else its port says to have the address of host0, too, and dig's queries may come in there
    (zone/sysctl! {:pid (:host lan)} "net.ipv4.conf.all.arp_ignore=1")
    (let [web   (mdns/workload! lan "v0" "arroyocc" 40)
          names (serve-names! lan)
          avahi (mdns/spawn-peer! lan 11 :avahi {:name "laptop"})]
      (serve-page! lan web "arroyocc")
      (let [proxy (proxy! lan "--to" "127.0.0.1" "--domain" "vanya" "--link" "host0")]
        (mdns/await-peer avahi)
        (testing "w3m, of either family"
          (let [{:keys [exit out err]} (page avahi "w3m" "-dump" "http://arroyocc.local/")]
            (is (= 0 exit) err)
            (is (re-find #"^This is arroyocc at (10\.77\.0\.40|fd77:\S*40), port 80\." out) (pr-str out err))))
        (doseq [[option ip] {"-4" "10\\.77\\.0\\.40" "-6" "fd77:\\S*:40"}]
          (let [{:keys [out err]} (page avahi "curl" "-sS" option "http://Arroyocc.local/")]
            (is (re-find (re-pattern (str "^This is arroyocc at " ip)) out) (pr-str option out err))))
        (testing "the way back"
          (is (= "10.77.0.40\tarroyocc.local" (str/trim (:out (mdns/asked avahi "avahi-resolve" "-a" "10.77.0.40"))))))
        (testing "an ordinary resolver"
          (is (= {:status "NOERROR" :answers [["old.local." 10 "A" "10.77.0.41"]]} (legacy lan "old.local" "A"))))
        (testing "what tinydns does not know is nobody's word"
          (is (= {} (legacy lan "nosuch.local" "A"))))
        (testing "who is off-link is not answered"
          (lan/sh! lan :peer "ip" "addr" "add" "192.0.2.1/32" "dev" "lo")
          (lan/sh! lan :host "ip" "route" "add" "192.0.2.1/32" "via" "10.77.0.1" "dev" "host0")
          (is (= 9 (:exit (lan/sh lan :peer "dig" "+tries=1" "+time=1" "-b" "192.0.2.1" "@10.77.0.2" "-p" "5353" "old.local" "A"))))
          (is (= "NOERROR" (:status (legacy lan "old.local" "A")))))
        (testing "a server that is silent is told of once, and when it answers again"
          (lan/end! names "TERM")
          (is (= {} (legacy lan "new.local" "A")))
          (is (= {} (legacy lan "newer.local" "A")))
          (lan/await-line proxy #"^ontap: warning: the DNS server does not answer" 20)
          (is (= "NOERROR" (:status (legacy lan "old.local" "A"))) "What is known is still told.")
          (serve-names! lan)
          (is (= [["arroyocc.local." 1 "A" "10.77.0.40"]] (:answers (legacy lan "arroyocc.local" "A"))))
          (lan/await-line proxy #"^ontap: the DNS server answers again" 5))
        (is (= 0 (lan/end! proxy "TERM")))
        (is (= 1 (count (re-seq #"does not answer" (lan/said proxy)))))))))

(deftest ^{:jdk :floor} mistakes-of-a-proxy
  (lan/needs-root!)
  (lan/with-lan [lan]
    (doseq [[words status sentence] [[["--domain" "vanya"] 100 "needs --to"]
                                     [["--to" "[::1]:53"] 100 "needs --domain"]
                                     [["--to" "dns" "--domain" "vanya"] 100 "is no address of a server"]
                                     [["--to" "[fe80::1]:53" "--domain" "vanya"] 100 "needs its link"]
                                     [["--to" "10.99.0.1" "--domain" "vanya"] 111 "unable to reach the DNS server 10.99.0.1"]
                                     [["--to" "[::1]:53" "--domain" "vanya" "--link" "nosuch"] 111 "there is no link nosuch"]]
            :let [{:keys [exit out err]} (apply lan/ontap lan "mdns-proxy" words)]]
      (is (= status exit) (pr-str words err))
      (is (= "" out))
      (is (= 1 (count (str/split-lines err))) err)
      (is (str/includes? err sentence) err))))

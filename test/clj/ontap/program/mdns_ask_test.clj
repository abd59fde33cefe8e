;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.mdns-ask-test
  "`ontap resolve` and `ontap browse` on a LAN, as an ordinary user, with `ontap zone` and avahi as those who answer."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.mdns :as mdns]
            [ontap.harness.netns :as netns]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.publish.mdns-socket :as mdns-socket]
            [ontap.publish.mdns-wire :as mdns-wire]
            [ontap.testing :as t])
  (:import (java.util.concurrent.locks LockSupport)
           (ontap.rtnl Rtnl)))

(set! *warn-on-reflection* true)

(def ^:private nobody ["setpriv" "--reuid=65534" "--regid=65534" "--clear-groups" "--bounding-set=-all" "--"])

(defn- words [{:keys [pid]} more] (apply lan/in pid (concat nobody [lan/program] more)))

(defn- ask
  "[exit status, lines, what it said] of `ontap WORDS…`, run by nobody on the host `at`."
  [at & more]
  (let [{:keys [exit out err]} (apply t/run {:limit-s 60} (words at more))]
    [exit (str/split-lines out) err]))

(defn- data
  "[exit status, data] of `ontap WORDS… -f edn`."
  [at & more]
  (let [[exit lines] (apply ask at (concat more ["-f" "edn"]))]
    [exit (edn/read-string (str/join "\n" lines))]))

(def ^:private wiki
  {"web" {"_http._tcp" {:port 80 :txt ["path=/x"] :instance "Anna's wiki"} "_ssh._tcp" 22}})

(deftest ^{:jdk :floor :timeout 180} asked-and-answered
  (mdns/needs! :avahi)
  (mdns/with-lan [lan]
    (let [web   (mdns/workload! lan "v0" "web" 40)
          avahi (mdns/spawn-peer! lan 11 :avahi {:name "laptop" :services [{:type "_ipp._tcp" :port 631 :instance "Printer" :text "q=1"}]})
          _     (mdns/zone! lan wiki)
          here  (mdns/host! lan 12)
          _     (mdns/await-peer avahi)
          link-local (second (re-find #"inet6 (fe80::\S+)/64" (netns/ip web "-o" "addr" "show" "dev" "v0")))]
      (testing "a name"
        (t/wait-for "web.local to be known" 15000 #(= 0 (first (ask here "resolve" "web" "--timeout" "1"))))
        (let [[exit lines err] (ask here "resolve" "Web.local")]
          (is (= [0 ""] [exit err]))
          (is (= #{"10.77.0.40" "fd77::40" (str link-local "%eth0")} (set lines))))
        (is (= [0 ["10.77.0.11" "fd77::11"]] (update (data here "resolve" "laptop.local" "-l" "eth0") 1
                                                    (fn [ips] (filterv #(not (str/starts-with? % "fe80:")) ips))))))
      (testing "addresses, and what nobody has"
        (let [expected {["10.77.0.40"] [0 ["web.local"] ""]
                        ["fd77::11"] [0 ["laptop.local"] ""]
                        [(str link-local "%eth0")] [0 ["web.local"] ""]
                        ["nosuch.local" "--timeout" "0.4"] [1 ["nobody here answers for nosuch.local"] ""]
                        ["10.77.0.99" "--timeout" "0.4" "-f" "edn"] [1 ["[]"] ""]}]
          (is (= expected (zipmap (keys expected) (t/two-at-a-time #(apply ask here "resolve" %) (keys expected)))))))
      (testing "on the machine that has it, where its answers to one asker go elsewhere"
        (let [[exit lines] (ask {:pid (:host lan)} "resolve" "web.local" "-l" "host0")]
          (is (= 0 exit))
          (is (contains? (set lines) "10.77.0.40"))))
      (testing "services"
        (let [[exit [head & rows]] (ask here "browse" "--timeout" "4")
              rows (mapv #(str/replace % #" +" " ") rows)]
          (is (= 0 exit))
          (is (= "TYPE NAME HOST PORT LINK ADDRESSES TEXT" (str/replace head #" +" " ")))
          (is (= 3 (count rows)) (pr-str rows))
          (is (some #(re-matches #"_http\._tcp Anna's wiki web\.local 80 eth0 10\.77\.0\.40 .*fd77::40.* path=/x" %) rows) (pr-str rows))
          (is (some #(re-find #"^_ipp\._tcp Printer laptop\.local 631 eth0 10\.77\.0\.11 " %) rows) (pr-str rows)))
        (let [[exit [row & more]] (data here "browse" "http" "--timeout" "3")]
          (is (= 0 exit))
          (is (nil? more))
          (is (= {:service/type "_http._tcp" :service/instance "Anna's wiki" :service/host "web.local" :service/port 80
                  :service/txt ["path=/x"] :mdns/link "eth0"}
                 (dissoc row :host/addresses))))
        (is (= [1 ["nobody here offers that"] ""] (ask here "browse" "_scanner._tcp" "--timeout" "0.4"))))
      (testing "what comes and goes"
        (let [watch (apply lan/spawn {} (words here ["browse" "_http._tcp" "--watch"]))]
          (is (str/starts-with? (lan/await-line watch #"^\+ ") "+ _http._tcp  Anna's wiki  web.local  80  eth0  10.77.0.40 "))
          (netns/end! web)
          (is (= "- Anna's wiki  _http._tcp  eth0" (lan/await-line watch #"^- ")))
          (is (= 0 (lan/end! watch "TERM"))))))))

;; --- somebody means harm

(defn- chatter!
  "Says `records` on eth0 of `at`, ten times a second, until the function that this gives is called."
  [at records]
  (let [socket (netns/in at #(with-open [rtnl (Rtnl/open)] (mdns-socket/open :ipv4 (.index (.link rtnl "eth0")))))
        bytes  (first (mdns-wire/packets {:message/response? true :message/authoritative? true :message/answers records} 1400))
        go?    (atom true)
        thread (Thread. ^Runnable (fn [] (while @go? (mdns-socket/send! socket :multicast bytes) (LockSupport/parkNanos 100000000))))]
    (.start thread)
    (fn [] (reset! go? false) (.join thread) (mdns-socket/close! socket))))

(deftest ^{:jdk :floor} what-others-say-moves-no-cursor
  (mdns/with-lan [lan]
    (let [here  (mdns/host! lan 12)
          type  (mdns-name/of-text "_http._tcp.local")
          bad   (mdns-name/child "\u001b[2J\u009b1mx" type)
          host  (mdns-name/of-text "evil\u0007.local")
          stop! (chatter! (mdns/host! lan 13)
                          [(record/ptr-record type bad 4500 false) (record/srv-record bad 80 host) (record/txt-record bad ["a=\u001b]0;x\u0007\nb"])
                           (record/address-record host "10.77.0.13")])]
      (try
        (let [[exit lines] (ask here "browse" "_http._tcp" "--timeout" "1")]
          (is (= 0 exit))
          (is (= 2 (count lines)))
          (is (str/includes? (second lines) "\\u001b[2J\\u009b1mx") (pr-str lines))
          (is (not-any? #(re-find #"\p{Cc}" %) lines) (pr-str lines)))
        (let [[_ lines] (ask here "browse" "_http._tcp" "--timeout" "1" "-f" "edn")]
          (is (not-any? #(re-find #"\p{Cc}" %) lines) (pr-str lines))
          (is (= ["\u001b[2J\u009b1mx"] (map :service/instance (edn/read-string (first lines)))) "Nothing is lost."))
        (finally (stop!))))))

;; --- mistakes

(deftest ^{:jdk :floor} mistakes-are-one-sentence
  (mdns/with-lan [lan]
    (doseq [:let [expected {["resolve" "www.example.org"]       [100 "multicast DNS knows names below local"]
                            ["resolve" "a..b"]                  [100 "is no name"]
                            ["resolve" "web" "--link" "nosuch"] [111 "there is no link nosuch; there are: lan0"]
                            ["browse" "_http._sctp"]            [100 "is no type of services"]
                            ["browse" "--timeout" "soon"]       [100 "--timeout"]}
                  said (zipmap (keys expected) (t/two-at-a-time #(apply ask {:pid (:peer lan)} %) (keys expected)))]
            [words [status sentence]] expected
            :let [[exit out err] (get said words)]]
      (testing words
        (is (= status exit))
        (is (= [""] out))
        (is (str/includes? err sentence) err)
        (is (= 1 (count (str/split-lines err))) err)))
    (testing "no link to ask on"
      (netns/with-netns [alone]
        (is (= [111 [""] "ontap: fatal: no link here is up and has an address; say which by --link\n"] (ask alone "resolve" "web")))))
    (testing "a port that somebody keeps"
      (let [taken (apply lan/spawn {:input? true}
                         (lan/in (:peer lan) "python3" "-c"
                                 "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',5353))\nprint('taken',flush=True)\nsys.stdin.read()"))]
        (try
          (lan/await-line taken #"^taken$")
          (let [[exit _ err] (ask {:pid (:peer lan)} "resolve" "web")]
            (is (= 111 exit))
            (is (str/includes? err "another program keeps port 5353 to itself") err))
          (finally (lan/end! taken "KILL")))))))

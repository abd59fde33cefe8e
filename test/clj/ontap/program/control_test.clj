;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.control-test
  "The control socket of a running `ontap up`: its owner is answered, another user is
  not, and nothing that is written to it does harm."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.testing :as t])
  (:import (java.io IOException)
           (java.net StandardProtocolFamily UnixDomainSocketAddress)
           (java.nio ByteBuffer)
           (java.nio.channels Channels SocketChannel)
           (java.nio.charset StandardCharsets)))

(set! *warn-on-reflection* true)

(def ^:private services
  [{:name "web" :port "up0" :type "macvlan" :ipv6 :none :ipv4 "10.77.0.5/24" :acd false
    :user "nobody" :exec ["sleep" "1000"]}])

(defmacro ^:private with-up
  "Runs the body with `lan` and `up`, which runs `services`."
  [[lan up] & body]
  `(do
     (lan/needs-root!)
     (lan/with-lan [~lan]
       (let [~up (lan/up ~lan (lan/write-file ~lan services))]
         (lan/await-listening ~lan ~up)
         (lan/await-ready ~lan "web")
         ~@body
         (is (= 0 (lan/end! ~up "TERM")) "SIGTERM still ends it with 0")
         (is (not (str/includes? (lan/said ~up) "bug")) (str "it met no bug: " (lan/said ~up)))))))

(defn- connect ^SocketChannel [{:keys [dir]}]
  (doto (SocketChannel/open StandardProtocolFamily/UNIX)
    (.connect (UnixDomainSocketAddress/of (.getPath (io/file dir "run" "control.sock"))))))

(defn- send! [^SocketChannel c ^String text]
  (let [b (ByteBuffer/wrap (.getBytes text StandardCharsets/UTF_8))]
    (while (.hasRemaining b) (.write c b))))

(defn- ask
  "What comes back for `text`, up to the end of the connection; nil when it was broken."
  [lan text]
  (with-open [c (connect lan)]
    (try
      (send! c text)
      (slurp (Channels/newInputStream c))
      (catch IOException _ nil))))

(defn- answers? [lan]
  (= :ready (:state ((lan/status lan) "web"))))

(deftest ^{:timeout 120} only-the-owner-is-answered
  (with-up [lan up]
    (is (= 0600 (bit-and 0777 (java.nio.file.Files/getAttribute
                               (.toPath (io/file (:dir lan) "run" "control.sock")) "unix:mode"
                               (make-array java.nio.file.LinkOption 0))))
        "the socket is its owner's alone")
    (testing "another user"
      (let [as-nobody ["setpriv" "--reuid=nobody" "--regid=nogroup" "--clear-groups" "--"]]
        (doseq [words [["status"] ["stop" "web"] ["logs" "web"] ["reload"]]
                :let [{:keys [exit out err]} (apply lan/sh lan :host (concat as-nobody [lan/program] words))]]
          (is (= 111 exit) (str words ": the system refuses"))
          (is (= "" out) (str words ": nothing is answered"))
          (is (re-find #"unable to ask the running ontap: .* belongs to another user" err)
              (str words " says why: " err)))
        (doseq [dir ["services" "log" "ready"]]
          (is (not= 0 (:exit (apply lan/sh lan :host (concat as-nobody ["ls" (str (:dir lan) "/run/" dir)]))))
              (str "the folder " dir " is not for another user to read")))))
    (is (answers? lan) "the owner is answered all the same")))

(def ^:private bad-requests
  "What is written -> what the message says, or nil when the connection just ends."
  {"\n"                                          #"request"
   "hello\n"                                     #"should be a map"
   "(((((\n"                                     #"unreadable request"
   "{:ontap/v\n"                                 #"unreadable request"
   "{:ontap/v 2 :command :status}\n"             #"should have :ontap/v 1, has 2"
   "{:command :status}\n"                        #"should have :ontap/v 1, has nil"
   "{:ontap/v 1}\n"                              #"unknown command nil"
   "{:ontap/v 1 :command :halt}\n"               #"unknown command :halt"
   "{:ontap/v 1 :command \"status\"}\n"          #"unknown command \"status\""
   "{:ontap/v 1 :command :status :names [\"wbe\"]}\n" #"there is no service wbe; there are: web"
   "{:ontap/v 1 :command :stop :names [nil 7]}\n" #"there is no service"
   "{:ontap/v 1 :command :stop :names 7}\n"      #"."
   "#=(java.lang.System/exit 3)\n"               #"unreadable request"
   "#ontap/what {}\n"                            #"should have :ontap/v 1"
   "\u0000\u0001\u0002\n"                        #"."})

(deftest ^{:timeout 120} bad-requests-get-a-message-each
  (with-up [lan up]
    (doseq [[text pattern] bad-requests
            :let [reply (ask lan text)]]
      (testing (pr-str text)
        (is (re-find pattern (str (:message (edn/read-string reply)))) reply)
        (is (false? (:ok? (edn/read-string reply))))
        (is (not (re-find #"Exception|\tat " reply)) "without a stack trace")))
    (is (answers? lan))))

(deftest ^{:timeout 120} big-broken-and-idle-clients-do-no-harm
  (with-up [lan up]
    (let [before (count (process/descriptors (:pid up)))]
      (testing "deep, huge, endless"
        (is (re-find #"unreadable request" (str (ask lan (str (apply str (repeat 60000 "[")) "\n"))))
            "60000 brackets are a request that cannot be read")
        (is (str/blank? (ask lan (apply str (repeat 1000000 "x"))))
            "a megabyte without an end is not listened to")
        (is (answers? lan)))
      (testing "cut off"
        (dotimes [n 50]
          (with-open [c (connect lan)]
            (send! c (subs "{:ontap/v 1 :command :status :names []}\n" 0 (rem n 40)))))
        (with-open [c (connect lan)]
          (send! c "{:ontap/v 1 :command :restart :names [\"web\"]}\n"))
        (is (answers? lan) "those who went away before the answer are forgotten"))
      (testing "100 that say nothing"
        (let [idle (vec (repeatedly 100 #(connect lan)))]
          (try
            (is (answers? lan) "one that asks is answered meanwhile")
            (is (re-find #":ok\? true" (ask lan "{:ontap/v 1 :command :status :names []}\n")))
            (finally (run! #(.close ^SocketChannel %) idle)))))
      (testing "byte by byte"
        (with-open [c (connect lan)]
          (doseq [ch "{:ontap/v 1 :command :status :names []}\n"] (send! c (str ch)))
          (is (re-find #":ok\? true" (slurp (Channels/newInputStream c))))))
      (t/wait-for "all connections to be closed" 20000
                  #(= before (count (process/descriptors (:pid up))))))))

(deftest ^{:timeout 120} one-supervisor-for-a-folder
  (with-up [lan up]
    (let [{:keys [exit out err]} (lan/ontap lan "up" (str (:dir lan) "/services.edn"))]
      (is (= 111 exit) "a second `ontap up` in the same folder is refused")
      (is (= "" out))
      (is (re-find #"another `ontap up` runs in .*; `ontap status` shows it, ONTAP_RUNTIME_DIR=DIR" err)
          (str "with the way out: " err)))
    (is (answers? lan) "and the first goes on")
    (is (= 1 (:exit (lan/ontap lan "status" "wbe"))) "a name that is not there: the answer is no")
    (testing "`ontap leases` shows its links, without an ontapd"
      (let [{:keys [exit out]} (lan/ontap lan "leases")
            [head row & more] (map #(str/split % #"\s+") (str/split-lines out))]
        (is (= [0 nil] [exit more]) out)
        (is (= ["-" "web" "macvlan" "up0" "eth0" "held" "root" (str (:pid ((lan/status lan) "web")))
                "10.77.0.5" "-" "static" "-"]
               ;; behind the address of its own that the link has
               (remove #(str/starts-with? % "fe80:") row)))
        (is (= (count head) 12)))
      (is (= {:lease/id nil :lease/name "web" :dhcp/ip "10.77.0.5" :dhcp/prefix 24 :dhcp/method :static :dhcp/state :bound}
             (select-keys (first (edn/read-string (:out (lan/ontap lan "leases" "--format" "edn" "up0"))))
                          [:lease/id :lease/name :dhcp/ip :dhcp/prefix :dhcp/method :dhcp/state])))
      (is (= "no leases\n" (:out (lan/ontap lan "leases" "up1"))) "On that port there is none."))))

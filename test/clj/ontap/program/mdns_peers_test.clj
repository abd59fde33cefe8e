;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.mdns-peers-test
  "`ontap zone` speaks multicast DNS on a LAN with avahi, systemd-resolved, npm's bonjour-service and JmDNS: they find its
  names and services and see them vanish, and a name that two want has the right winner, whoever came first."
  (:require [clojure.set :as set]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.mdns :as mdns]
            [ontap.harness.netns :as netns]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(def ^:private http "_http._tcp")

(defn- http-of
  "What a web server offers, of each of `labels`, on port 80."
  [& labels]
  (into {} (map #(vector % {http {:port 80 :txt ["path=/"]}})) labels))

(defn- await-name
  "Blocks until `ontap explain` has a line with `text` about `label`."
  [lan label text]
  (let [seen (volatile! nil)]
    (try (t/wait-for text 20000 (fn [] (some #(str/includes? % text) (vreset! seen (zone/why lan label)))))
         (catch clojure.lang.ExceptionInfo e
           (throw (ex-info (str (ex-message e) "; explain says: " (pr-str @seen)) {}))))))

(defn- all-at-once
  "(f peer) of each peer, two at a time; a vector."
  [f peers]
  (t/two-at-a-time f peers))

;; --- found, and seen to vanish

(defn- finds [peer]
  (let [ips   #{"10.77.0.40" "fd77::40"}
        found (mdns/await-service peer http "web" ips)]
    (is (= ["web.local" 80] ((juxt :host :port) found)) (str (:kind peer)))
    (is (contains? (:texts found) "path=/") (str (:kind peer)))
    (when-not (= :jmdns (:kind peer))
      (let [addresses (mdns/addresses peer "web.local")]
        (is (contains? addresses "10.77.0.40") (str (:kind peer)))
        (is (some #(str/includes? % ":") addresses) (str (:kind peer)))
        (is (set/subset? (set (remove #(str/starts-with? % "fe80:") addresses)) ips) (str (:kind peer)))))
    (when (= :avahi (:kind peer))
      (is (= "web.local" (second (str/split (str/trim (:out (mdns/asked peer "avahi-resolve" "-a" "10.77.0.40"))) #"\t")))
          "The way back.")
      (is (str/includes? (:out (mdns/asked peer "avahi-browse" "-tpk" "_services._dns-sd._udp")) ";_http;_tcp;local")
          "The type is told too."))))

(defn- loses [peer instance]
  (is (mdns/await-no-service peer http instance) (str (:kind peer)))
  (when (#{:npm :resolved} (:kind peer))
    (is (= #{} (mdns/knows peer (str instance ".local"))) (str (:kind peer)))))

(deftest ^{:jdk :floor :timeout 180} peers-find-what-is-here-and-see-it-vanish
  (mdns/needs! :avahi :resolved :npm :jmdns)
  (mdns/with-lan [lan]
    (let [web   (mdns/workload! lan "v0" "web" 40)
          _     (mdns/workload! lan "v1" "db" 41)
          peers (mapv #(mdns/spawn-peer! lan (+ 11 %1) %2 {:name (str "peer" %1)}) (range) [:avahi :resolved :npm :jmdns])
          up    (mdns/zone! lan (http-of "web" "db"))]
      (run! mdns/await-peer peers)
      (testing "found"
        (all-at-once finds peers))
      (testing "a workload ends"
        (netns/end! web)
        (all-at-once #(loses % "web") peers)
        (is (every? #(mdns/service % http "db") (remove #(= :resolved (:kind %)) peers)) "The other is there still."))
      (testing "the zone ends"
        (is (= 0 (lan/end! up "TERM")))
        (all-at-once #(loses % "db") peers)))))

;; --- two want one name

(defn- service [instance] [{:type http :port 8080 :instance instance :text "path=/theirs"}])

(def ^:private theirs
  "kind -> what each peer wants to be called. Of :npm and :jmdns it is a service: npm looks for nothing else, and JmDNS, asked
  by a probe for its host's name, does not answer, but looks for another one."
  {:avahi    {:name "web"}
   :resolved {:name "mail"}
   :jmdns    {:name "jmhost" :services (service "scan")}
   :npm      {:name "npmhost" :services (service "print")}})

(def ^:private number {:avahi 11 :resolved 12 :jmdns 13 :npm 14})

(defn- peers-of [lan kinds]
  (into {} (map (fn [kind] [kind (mdns/spawn-peer! lan (number kind) kind (theirs kind))])) kinds))

(defn- workloads!
  "Those who want to be called the same: 10.77.0.40 and so on."
  [lan]
  (dorun (map-indexed (fn [i label] (mdns/workload! lan (str "v" i) label (+ 40 i))) ["web" "mail" "scan" "print"])))

(defn- told-by
  "The addresses 10.… that the npm peer `asker` is told for `label`.local."
  [asker label]
  (set (filter #(str/starts-with? % "10.") (mdns/addresses asker (str label ".local")))))

(defn- await-told [asker label ip]
  (t/wait-for (str label " to be " ip) 20000 #(= #{ip} (told-by asker label))))

(deftest ^{:jdk :floor :timeout 180} who-was-there-first-keeps-its-name
  (mdns/needs! :avahi :resolved :npm :jmdns)
  (mdns/with-lan [lan]
    (let [{:keys [avahi resolved jmdns npm] :as peers} (peers-of lan (keys theirs))]
      (run! mdns/await-peer (vals peers))
      (t/wait-for "npm to publish" 15000 #(= #{"print"} (mdns/published npm)))
      (await-told npm "web" "10.77.0.11")
      (await-told npm "mail" "10.77.0.12")
      (mdns/await-service npm http "scan" #{"10.77.0.13"})
      (workloads! lan)
      (mdns/zone! lan (http-of "print" "scan"))
      (testing "ours come second: they are called otherwise, and say so"
        (await-name lan "web" "web.local is web-2.local on host0")
        (await-name lan "mail" "mail.local is mail-2.local on host0")
        (doseq [[label n] {"web" 11 "mail" 12}]
          (is (some #(re-find (re-pattern (str "(10\\.77\\.0\\." n "|fd77::" n "|fe80:\\S+) has " label "\\.local")) %) (zone/why lan label))
              (str "It says who has " label ": " (zone/why lan label))))
        (is (= ["web" "mail"] (mapv mdns/host-name [avahi resolved])) "Theirs are what they were,")
        (is (= [#{"print"} #{"scan"}] (mapv mdns/published [npm jmdns])))
        (is (= [#{"10.77.0.11"} #{"10.77.0.12"}] (mapv #(told-by npm %) ["web" "mail"])) "and told by them alone.")
        (is (= [#{"10.77.0.40"} #{"10.77.0.41"}] (mapv #(told-by npm %) ["web-2" "mail-2"])))
        (doseq [[label n] {"scan" 42 "print" 43}
                :let [found (mdns/await-service avahi http (str label " (2)") #{(str "10.77.0." n) (str "fd77::" n)})]]
          (is (= (str label ".local") (:host found)) "The host's name is another matter than its service's.")))
      (testing "the name becomes free: ours again"
        (mdns/end-peer! avahi)
        (await-told npm "web" "10.77.0.40")
        (is (= "mail" (mdns/host-name resolved)))))))

(deftest ^{:jdk :floor :timeout 180} who-comes-later-gets-another-name
  (mdns/needs! :avahi :resolved :npm :jmdns)
  (mdns/with-lan [lan]
    (workloads! lan)
    (mdns/zone! lan (http-of "print" "scan"))
    (let [asker (mdns/peer! lan 15 :npm {:name "asker"})
          ours? (fn [] (= [#{"10.77.0.40"} #{"10.77.0.41"} #{"10.77.0.42"} #{"10.77.0.43"}]
                          (mapv #(told-by asker %) ["web" "mail" "scan" "print"])))]
      (t/wait-for "ours to be there" 20000 ours?)
      (doseq [label ["scan" "print"]] (mdns/await-service asker http label #{}))
      (let [{:keys [avahi resolved jmdns]} (peers-of lan [:avahi :resolved :jmdns])]
        (lan/await-line jmdns #"^ready$" 60)
        (t/wait-for "avahi to be web-2" 15000 #(= "web-2" (mdns/host-name avahi)))
        (t/wait-for "resolved to be mail and a number" 15000 #(re-matches #"mail\d+" (mdns/host-name resolved)))
        (t/wait-for "jmdns to publish scan (2)" 15000 #(= #{"scan (2)"} (mdns/published jmdns)))
        ;; Its probes propose nothing, so they are answered as any query: not within a second of the last answer, which it did not
        ;; hear. Nor does it look for services, which would bring one.
        (mdns/await-quiet asker 1500)
        (let [npm (mdns/spawn-peer! lan (number :npm) :npm (assoc (theirs :npm) :looks-for "-"))]
          (lan/await-line npm #"^ready$" 60)
          (lan/await-line npm #"Service name is already in use on the network" 15)
          (is (= #{} (mdns/published npm)) "npm gives up."))
        (testing "ours are what they were, and are told by us alone"
          (is (ours?))
          (doseq [label ["web" "mail"]]
            (is (not-any? #(str/includes? % "-2.local") (zone/why lan label)) label))
          (is (= #{"scan.local" "print.local"}
                 (into #{} (comp (filter (comp #{"scan" "print"} :instance)) (map :host)) (mdns/services avahi http)))))))))

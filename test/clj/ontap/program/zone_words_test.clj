;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-words-test
  "What a person reads: `ontap names`, `ontap names -w`, `ontap explain`, help, and one sentence for each mistake."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.ontapd :as ontapd]
            [ontap.harness.zone :as zone]
            [ontap.testing :as t]))

(set! *warn-on-reflection* true)

(defn- run
  "[exit status, standard output, what it said] of `ontap WORDS…`, with runs of blanks as one."
  [lan & words]
  (let [{:keys [exit out err]} (apply lan/ontap lan words)]
    [exit (str/replace (str/trim out) #" +" " ") (str/replace err #"^ontap: fatal: |\n$" "")]))

(defn- says?
  "Does `ontap explain NAME` say a line with `text`?"
  [lan name text]
  (let [lines (zone/why lan name)]
    (boolean (some #(str/includes? % text) lines))))

(deftest what-it-tells-of-its-names
  (zone/with-lan [lan]
    (let [web   (zone/workload! lan "v0" "web" ["10.77.0.40/24" "2001:db8:a::40/64"])
          other (do (zone/start-plain lan)
                    (zone/await-data lan "web.vanya" "A" #{"10.77.0.40"})
                    (zone/workload! lan "v1" "Web" ["10.77.0.41/24"]))
          _     (zone/await-data lan "web-2.vanya" "A" #{"10.77.0.41"})
          link-local #(second (re-find #"inet6 (fe80::\S+)/64" (netns/ip % "-o" "addr" "show")))]
      (netns/ip web "addr" "flush" "dev" "v0" "scope" "link")
      (netns/ip other "addr" "flush" "dev" "v1" "scope" "link")
      (is (= [nil nil] (map link-local [web other])))
      (t/wait-for "two rows" #(= [["10.77.0.40" "2001:db8:a::40"] ["10.77.0.41"]]
                                 (map (fn [row] (map :ip (:addresses row))) (zone/rows lan))))
      (testing "names"
        (let [[exit out _] (run lan "names")
              [head & lines] (str/split-lines out)]
          (is (= 0 exit))
          (is (= "NAME NAMESPACE LINK SINCE ADDRESSES" head))
          (is (= 2 (count lines)))
          (is (re-matches #"web nsid \d+ v0 \d+ s 10\.77\.0\.40 \(lan\) 2001:db8:a::40 \(wan\)" (first lines)))
          (is (re-matches #"web-2 nsid \d+ v1 \d+ s 10\.77\.0\.41 \(lan\)" (second lines))))
        (are [words ends] (let [[exit out _] (apply run lan "names" words)]
                            (and (= 0 exit) (= ends (map #(second (re-find #"\d s (.*)" %)) (rest (str/split-lines out))))))
          ["--view" "private" "web"]    ["10.77.0.40 2001:db8:a::40"]
          ["--view" "on-link" "web"]    ["2001:db8:a::40"]
          ["--view" "foreign"]          ["2001:db8:a::40" "-"])
        (is (= [1 "no name mail" ""] (run lan "names" "mail")))
        (let [[row & more] (zone/names lan "web")]
          (is (nil? more))
          (is (= {:name "web" :netns nil :links ["v0"]
                  :addresses [{:ip "10.77.0.40" :kind :lan} {:ip "2001:db8:a::40" :kind :global}]
                  :views {:private ["10.77.0.40" "2001:db8:a::40"] :on-link ["2001:db8:a::40"] :foreign ["2001:db8:a::40"]}}
                 (dissoc row :nsid :since-ms)))
          (is (< (- (System/currentTimeMillis) 600000) (:since-ms row) (System/currentTimeMillis)))))
      (testing "names -w"
        (let [watch (apply lan/spawn {:env (:env lan)} (lan/in (:host lan) lan/program "names" "-w"))]
          (lan/await-line watch #"^web-2 ")
          (netns/ip web "addr" "add" "10.77.0.42/24" "dev" "v0")
          (is (= "+ web 10.77.0.42" (lan/await-line watch #"^[-+]")))
          (netns/end! other)
          (is (= "- web-2 10.77.0.41" (lan/await-line watch #"^[-+]")))
          (lan/end! watch "TERM"))
        (netns/ip web "addr" "del" "10.77.0.42/24" "dev" "v0"))
      (testing "explain"
        (zone/lend! lan (:pid web) "v2" nil [])
        (zone/lend! lan (:pid web) "v3" "naïve" [])
        (zone/lend! lan (:pid web) "v4" "local" [])
        (zone/lend! lan (:pid web) "v5" "Data Base" [])
        (let [nobody (netns/keep! "setpriv" "--reuid=nobody" "--regid=nogroup" "--clear-groups" "--" "unshare" "-Urn")]
          (try
            (zone/lend! lan (:pid nobody) "v6" "bank" [])
            (lan/sh! lan :peer "ip" "addr" "add" "fd77::99/64" "dev" "lan0" "nodad")
            (netns/ip web "addr" "add" "fd77::99/64" "dev" "v0")
            (t/wait-for "links that were heard of" #(and (says? lan "bank" "v6 in ") (says? lan "v5" "data-base")))
            (t/wait-for "a duplicate" #(str/includes? (netns/ip web "addr" "show" "dev" "v0") "dadfailed"))
            (let [younger (zone/workload! lan "v7" "web" ["10.77.0.47/24"])]
              (zone/await-data lan "web-2.vanya" "A" #{"10.77.0.47"})
              (are [name text] (says? lan name text)
                "web"        "v0 in namespace "
                "web"        "is called web, after its alias."
                "web"        "fd77::99 is not published: another machine has it (duplicate address detection failed)."
                "web"        "10.77.0.40 is published: web.lan.vanya for private and on-link askers; web.vanya for private askers."
                "web.vanya"  "2001:db8:a::40 is published: web.vanya for all; web.wan.vanya for all."
                "web"        "is called web-2: another namespace asked for web first"
                "v2"         "has no name: it has no alias, and no lease names it."
                "naïve"      "is none, for a name has printable ASCII characters only."
                "local"      "is none, for the zone needs this word itself."
                "data-base"  "is called data-base, after its alias \"Data Base\", which is no name as it stands."
                "bank"       "has no name: its namespace is not known to be one of ours"
                "lo"         "has no name")
              (netns/end! younger))
            (finally (netns/end! nobody))))
        (let [[exit out err] (run lan "explain" "web")]
          (is (= [0 ""] [exit err]))
          (is (= out (str/join "\n" (zone/why lan "web")))))
        (is (= [1 "Nothing is known of mail: no link has this name or alias in a namespace that has an nsid." ""]
               (run lan "explain" "mail")))))))

;; --- mistakes

(def ^:private no-file "`ontap zone` needs --domain NAME, or a FILE with :zone; usage: ontap zone [options] [FILE]")

(deftest ^{:jdk :floor :timeout 240} mistakes
  (ontapd/needs-users!)
  (zone/with-lan [lan]
    (let [file     (lan/write-file lan {:name "web" :port "up0" :user "root" :exec ["true"]})
          with     (lan/write-file lan "zone.edn" {:zone {:domain "vanya" :listen ["[::]:53"]}})
          closed   (str (:dir lan) "/closed")
          nobody   ["setpriv" "--reuid=nobody" "--regid=nogroup" "--clear-groups" "--inh-caps=-all" "--ambient-caps=-all" "--"
                    "env" "-u" "ONTAP_RUNTIME_DIR" "-u" "ONTAP_STATE_DIR"
                    (str "XDG_RUNTIME_DIR=" (:dir lan) "/nobody") (str "XDG_STATE_HOME=" (:dir lan) "/nobody")]
          serving  zone/serving]
      (.mkdir (io/file closed))
      (t/run {} "install" "-d" "-o" "nobody" (str (:dir lan) "/nobody"))
      (zone/start-plain lan)
      (let [elsewhere (fn [n] ["env" (str "ONTAP_RUNTIME_DIR=" (:dir lan) "/run" n) (str "ONTAP_STATE_DIR=" (:dir lan) "/state" n)])
            cases
            [[{} [] [100 no-file]]
             [{} [file] [102 (str "unable to use " file ": it has no :zone; `ontap zone --domain NAME --listen '[::]:53'` needs no file")]]
             [{} [with "--domain" "vanya"] [100 "FILE says what the zone is; --domain should be left out"]]
             [{} ["--listen" "[::]:53"] [100 no-file]]
             [{} ["--domain" "vanya"] [100 "nobody would see the names: say --listen ADDRESS:PORT, --mdns LINK, --tinydns FILE, or --once"]]
             [{} ["--domain" "vanya" "--listen" "nonsense"] #"^--listen: should be an address and a port such as .*, is \"nonsense\"$" 100]
             [{} ["--domain" "vanya" "--mdns" "up0" "--mdns" "lo"] [100 "--mdns: lo has nobody who could ask; should be a link such as \"host0\""]]
             [{} [with "--mdns" "up0"] [100 "FILE says what the zone is; --mdns should be left out"]]
             [{} ["--domain" "-vanya-" "--listen" "[::]:53"] #"^--domain: should be .*\"-vanya-\"" 100]
             [{} (conj serving "--user" "nosuchuser") #"nosuchuser" 100]
             [{:wrap (elsewhere 2)} ["--domain" "vanya" "--tinydns" (str closed "/data") "--user" "nobody"]
              [111 (str "unable to write " closed "/data: the zone runs as nobody, who may not write into " closed
                        "; give it that folder (chown nobody " closed "), or name another user by --user")]]
             [{} serving [111 (str "unable to run: another `ontap zone` runs in " (:dir lan) "/run/zone"
                                   "; ONTAP_RUNTIME_DIR=DIR gives this one a folder of its own")]]
             [{:wrap (elsewhere 3)} serving
              #"^unable to listen: .*; another server is there \(`ss -lunp` shows who\): listen on single addresses, or on another port$" 111]
             [{:wrap nobody} ["--domain" "vanya" "--listen" "[::]:53"] #"^unable to .* root" 111]
             [{:wrap nobody} ["--domain" "vanya" "--listen" "[::]:5353"]
              [111 "unable to hear of network namespaces: this takes root; an ordinary user can have a network of their own: unshare -Urn ontap zone …"]]
             [{:wrap nobody} ["--domain" "vanya" "--listen" "[::]:5353" "--user" "games"]
              [111 "unable to run as games: that takes root; leave the user out"]]]]
        (doseq [[[_ words expected status] [exit said]]
                (map vector cases (t/two-at-a-time (fn [[options words]] (apply zone/fails lan options words)) cases))]
          (if (vector? expected)
            (is (= expected [exit said]) words)
            (do (is (= status exit) words)
                (is (re-find expected said) words)
                (is (not (str/includes? said "\n")) words)))))
      (testing "help"
        (doseq [[[command words] {:keys [exit out]}]
                (let [cases [["zone" ["--domain" "--listen" "--mdns" "--tinydns" "--once" "Usage: ontap zone [OPTIONS] [FILE]"]]
                             ["names" ["--watch" "--view" "Usage: ontap names [OPTIONS] [NAME…]"]]
                             ["explain" ["Say why NAME" "Usage: ontap explain [OPTIONS] NAME"]]]]
                  (map vector cases (t/two-at-a-time (fn [[command]] (lan/ontap lan command "--help")) cases)))]
          (is (= 0 exit))
          (doseq [w words] (is (str/includes? out w) [command w])))))
    (testing "nobody to be asked"
      (lan/end! (last @(:supervisors lan)) "TERM")
      (is (= [111 "" (str "unable to ask a running ontap: none listens on " (:dir lan) "/run/zone/control.sock; `ontap zone` starts one")]
             (run lan "names"))))))

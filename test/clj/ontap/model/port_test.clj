;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.port-test
  "Good configurations of ports: defaults, full keys, and what the machine decides."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is]]
            [ontap.model.check :as check]
            [ontap.model.port :as port]
            [ontap.model.spec :as spec]))

(def ^:private env {:user? #{"root" "alice"} :group? #{"root" "kvm"}})

(defn- eth0
  ([form] (eth0 form env))
  ([form env] (get-in (check/check-ports {:ports {"eth0" form}} env) [:ports "eth0"])))

(def ^:private usual-rule
  #:rule{:user nil :group "kvm" :types #{"ipvlan" "ipvtap" "macvtap" "tap"} :limit 16 :names ["*"]})

(def ^:private usual
  #:port{:name "eth0" :host-link nil :owner "root" :group "kvm" :mode 0660 :own-netns? false :allow [usual-rule]})

(deftest a-port-of-which-nothing-is-told
  (is (= usual (eth0 {})))
  (is (= {:value usual} (port/of "eth0" env)) "A name on the command line means the same.")
  (is (= [[:ports "lo"]] (map :mistake/path (:mistakes (port/of "lo" env)))))
  (is (= [[:ports "a/b"]] (map :mistake/path (:mistakes (port/of "a/b" env))))))

(deftest a-machine-without-kvm
  (doseq [env [{} nil {:group? (constantly false)} {:group? #{"root"}}]]
    (is (= [{:port/group "root"} "root"]
           ((juxt #(select-keys % [:port/group]) (comp :rule/group first :port/allow)) (eth0 {} env)))
        "Where there is no group kvm, the socket is root's.")))

(deftest one-key-at-a-time
  (are [more expected] (let [p (eth0 more)]
                         (and (s/valid? ::spec/port p) (= (merge usual expected) p)))
    {:host-link "host0"}                             #:port{:host-link {:link "host0" :type "ipvlan" :ipv4 {:method :dhcp}}}
    {:host-link {:link "host0"}}                     #:port{:host-link {:link "host0" :type "ipvlan" :ipv4 {:method :dhcp}}}
    {:host-link {:link "host0" :type "macvlan"}}     #:port{:host-link {:link "host0" :type "macvlan" :ipv4 {:method :dhcp}}}
    {:host-link {:link "host0" :ipv4 :none}}         #:port{:host-link {:link "host0" :type "ipvlan" :ipv4 {:method :none}}}
    {:host-link {:link "host0" :ipv4 :dhcp}}         #:port{:host-link {:link "host0" :type "ipvlan" :ipv4 {:method :dhcp}}}
    {:owner "alice"}                                 #:port{:owner "alice"}
    {:group "root"}                                  #:port{:group "root" :allow [(assoc usual-rule :rule/group "root")]}
    {:mode "0600"}                                   #:port{:mode 0600}
    {:mode "666"}                                    #:port{:mode 0666}
    {:mode 0640}                                     #:port{:mode 0640}
    {:own-netns true}                                #:port{:own-netns? true}
    {:allow []}                                      #:port{:allow []}
    {:allow [{:group "kvm"}]}                        {}
    {:allow [{:user "alice"}]}                       #:port{:allow [(assoc usual-rule :rule/user "alice" :rule/group nil)]}
    {:allow [{:user "alice" :group "kvm"}]}          #:port{:allow [(assoc usual-rule :rule/user "alice")]}
    {:allow [{:group "kvm" :types ["tap" "tap"]}]}   #:port{:allow [(assoc usual-rule :rule/types #{"tap"})]}
    {:allow [{:group "kvm" :limit 1}]}               #:port{:allow [(assoc usual-rule :rule/limit 1)]}
    {:allow [{:group "kvm" :names []}]}              #:port{:allow [(assoc usual-rule :rule/names [])]}
    {:allow [{:group "kvm" :names ["a" "b-*" "a"]}]} #:port{:allow [(assoc usual-rule :rule/names ["a" "b-*"])]}))

(deftest the-configuration-of-the-readme
  (let [form {"wlp3s0" {:host-link "host0" :owner "root" :group "kvm" :mode "0660" :own-netns false
                        :allow [{:group "kvm" :types ["ipvtap" "macvtap" "tap" "ipvlan"] :limit 16 :names ["*"]}
                                {:user "alice" :types ["ipvlan"] :limit 4 :names ["alice-*" "web"]}]}}
        {:keys [ports mistakes]} (check/check-ports {:ports form} env)]
    (is (nil? mistakes))
    (is (= [usual-rule #:rule{:user "alice" :group nil :types #{"ipvlan"} :limit 4 :names ["alice-*" "web"]}]
           (:port/allow (ports "wlp3s0"))))))

(deftest ports-beside-services
  (let [web {:name "web" :port "eth0" :user "root" :exec ["httpd"]}
        ok? (fn [host-link & more]
              (:ports (check/check {:ports {"eth0" {:host-link host-link}} :services [(apply assoc web more)]} {})))]
    (is (ok? "host0" :type "ipvtap"))
    (is (ok? {:link "host0" :type "macvlan"} :type "macvtap" :mode "private"))
    (is (ok? "host0" :netns :host))
    (is (ok? "host0" :port "eth1" :type "macvlan") "The family of a port is no matter of another's.")))

(deftest a-port-in-words
  (doseq [[form words] [["host0" "  the host's own link host0, ipvlan, IPv4 by DHCP"]
                        [{:link "host0" :type "macvlan" :ipv4 :none} "  the host's own link host0, macvlan, no IPv4 of ours"]]]
    (is (some #{words} (port/words {"eth0" (eth0 {:host-link form})})))))

(deftest every-key-has-words
  (doseq [{:keys [key expected read] :as field} port/fields]
    (is (and (string? expected) (ifn? read) (contains? field :default)) (str key " says what it should be, and has a default."))))

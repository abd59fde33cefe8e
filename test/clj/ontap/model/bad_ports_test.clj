;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-ports-test
  "The table of bad configurations of ports: what a person writes, and exactly what they read. No mistake has another one's
  words."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.model.check :as check]
            [ontap.model.declaration :as declaration]
            [ontap.model.mistake :as mistake]
            [ontap.model.spec :as spec]))

(def ^:private env
  {:root? true
   :user? #{"root" "alice" "www"} :users ["root" "alice" "www"]
   :group? #{"root" "kvm"} :groups ["root" "kvm"]})

(defn- eth0
  "A file with one port, of which this is told."
  [& {:as more}]
  {:ports {"eth0" (or more {})}})

(defn- allow
  "A file with one port that has one rule: that of the group kvm, with some keys changed."
  [& {:as more}]
  (eth0 :allow [(merge {:group "kvm"} more)]))

(def ^:private no-port
  "ontap.edn: there is no port in it; ontapd needs :ports, such as {:ports {\"eth0\" {}}}")

(def ^:private daemon-table
  "[text-or-form line ...] of files as ontapd reads them."
  [["{:ports {\"eth0\" {}}"
    "ontap.edn:1:1: unreadable EDN: \"{\" is never closed"]
   ["#ontap/v2 {:ports {\"eth0\" {}}}"
    "ontap.edn:1:1: unknown version #ontap/v2; this program reads #ontap/v1"]
   [{:ports {}} no-port]
   [{:port {"eth0" {}}} no-port]
   [{:services []} no-port]
   [[] no-port]
   [{:name "web" :port "eth0"} no-port]
   [{:ports {"eth0" {}} :portz {}}
    "ontap.edn: :portz: unknown key; did you mean :ports?"]
   [{:zone {:domain "vanya"}} no-port]
   [{:ports ["eth0"]}
    "ontap.edn: :ports: should be a map of ports, such as {\"eth0\" {}}, is [\"eth0\"]"]
   [{:ports {"eth0" true}}
    "ontap.edn: :ports \"eth0\": should be a port (a map), is true"]
   [{:ports {:eth0 {}}}
    "ontap.edn: :ports :eth0: should be the name of a network interface (1 to 15 bytes, without space, / and :), is :eth0"]
   [{:ports {"lo" {}}}
    "ontap.edn: :ports \"lo\": lo carries no links; should be an interface of the machine, such as \"eth0\""]
   [{:ports {"an-interface-too-long" {}}}
    "ontap.edn: :ports \"an-interface-too-long\": should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"an-interface-too-long\""]
   [(eth0 :hostlink "host0")
    "ontap.edn: :ports \"eth0\" :hostlink: unknown key; did you mean :host-link?"]
   [(eth0 :services [])
    "ontap.edn: :ports \"eth0\" :services: belongs to the file, beside :ports"]
   [(eth0 :mtu 1500)
    "ontap.edn: :ports \"eth0\" :mtu: unknown key; the keys of a port are :host-link, :owner, :group, :mode, :own-netns and :allow"]
   ;; the host's own link
   [(eth0 :host-link true)
    "ontap.edn: :ports \"eth0\" :host-link: should be the name of the host's own link, or a map such as {:link \"host0\" :type \"macvlan\"}, is true"]
   [(eth0 :host-link "host 0")
    "ontap.edn: :ports \"eth0\" :host-link: should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"host 0\""]
   [(eth0 :host-link "lo")
    "ontap.edn: :ports \"eth0\" :host-link: lo is there already; should be another name, such as \"eth0\""]
   [(eth0 :host-link "eth0")
    "ontap.edn: :ports \"eth0\" :host-link: should be another name than the port's; both are \"eth0\""]
   [(eth0 :host-link {:type "macvlan"})
    "ontap.edn: :ports \"eth0\" :host-link :link: is missing; should be the name of a network interface (1 to 15 bytes, without space, / and :)"]
   [(eth0 :host-link {:link "host0" :type "ipvtap"})
    "ontap.edn: :ports \"eth0\" :host-link :type: should be \"ipvlan\" or \"macvlan\", is \"ipvtap\"; did you mean \"ipvlan\"?"]
   [(eth0 :host-link {:link "host0" :typ "ipvlan"})
    "ontap.edn: :ports \"eth0\" :host-link :typ: unknown key; did you mean :type?"]
   [(eth0 :host-link {:link "host0" :ipv4 :dhpc})
    "ontap.edn: :ports \"eth0\" :host-link :ipv4: should be :dhcp or :none, is :dhpc; did you mean :dhcp?"]
   [(eth0 :host-link {:link "host0" :ipv4 "10.0.0.5/24"})
    "ontap.edn: :ports \"eth0\" :host-link :ipv4: should be :dhcp or :none, is \"10.0.0.5/24\"; with :none the host's own tools can give it that address"]
   [(eth0 :host-link {:link "host0" :ipv4 true})
    "ontap.edn: :ports \"eth0\" :host-link :ipv4: should be :dhcp or :none, is true"]
   [(eth0 :host-link {:link "host0" :acd false})
    "ontap.edn: :ports \"eth0\" :host-link :acd: unknown key; the keys of :host-link are :link, :type and :ipv4"]
   [{:ports {"eth0" {:host-link "host0"} "eth1" {:host-link "host0"}}}
    "ontap.edn: :ports \"eth1\" :host-link: should be a name of its own; \"host0\" is the host's link on eth0 already"]
   [{:ports {"eth0" {:host-link "eth1"} "eth1" {}}}
    "ontap.edn: :ports \"eth0\" :host-link: should not be the name of a port; \"eth1\" is one of this file"]
   ;; the socket
   [(eth0 :owner "alcie")
    "ontap.edn: :ports \"eth0\" :owner: there is no user \"alcie\" on this machine; did you mean \"alice\"?"]
   [(eth0 :owner 0)
    "ontap.edn: :ports \"eth0\" :owner: should be the name of a user, is 0"]
   [(eth0 :group "kmv")
    "ontap.edn: :ports \"eth0\" :group: there is no group \"kmv\" on this machine; did you mean \"kvm\"?"]
   [(eth0 :group "libvirt")
    "ontap.edn: :ports \"eth0\" :group: there is no group \"libvirt\" on this machine"]
   [(eth0 :mode "0680")
    "ontap.edn: :ports \"eth0\" :mode: should be the mode of a file, from \"0000\" to \"0777\", such as \"0660\", is \"0680\""]
   [(eth0 :mode "rw-rw----")
    "ontap.edn: :ports \"eth0\" :mode: should be the mode of a file, from \"0000\" to \"0777\", such as \"0660\", is \"rw-rw----\""]
   [(eth0 :own-netns "yes")
    "ontap.edn: :ports \"eth0\" :own-netns: should be true or false, is \"yes\""]
   [(eth0 :own-netsn true)
    "ontap.edn: :ports \"eth0\" :own-netsn: unknown key; did you mean :own-netns?"]
   ;; the rules
   [(eth0 :allow {:group "kvm"})
    "ontap.edn: :ports \"eth0\" :allow: should be a vector of rules, is {:group \"kvm\"}; did you mean [{...}]?"]
   [(eth0 :allow "kvm")
    "ontap.edn: :ports \"eth0\" :allow: should be a vector of rules, such as [{:group \"kvm\" :types [\"ipvtap\"] :limit 4}], is \"kvm\""]
   [(eth0 :allow ["kvm"])
    "ontap.edn: :ports \"eth0\" :allow[0]: should be a rule (a map) such as {:group \"kvm\" :types [\"ipvtap\"] :limit 4}, is \"kvm\""]
   [(eth0 :allow [{:types ["tap"]}])
    "ontap.edn: :ports \"eth0\" :allow[0]: should say whom it allows, by :user or :group, or both: that user while in that group"]
   [(eth0 :allow [{:group "kvm"} {:uesr "alice"}])
    "ontap.edn: :ports \"eth0\" :allow[1] :uesr: unknown key; did you mean :user?"]
   [(allow :type ["tap"])
    "ontap.edn: :ports \"eth0\" :allow[0] :type: unknown key; did you mean :types?"]
   [(allow :comment "VMs")
    "ontap.edn: :ports \"eth0\" :allow[0] :comment: unknown key; the keys of a rule are :user, :group, :types, :limit and :names"]
   [(allow :user "bob")
    "ontap.edn: :ports \"eth0\" :allow[0] :user: there is no user \"bob\" on this machine"]
   [(allow :user 1000)
    "ontap.edn: :ports \"eth0\" :allow[0] :user: should be the name of a user, is 1000"]
   [(allow :group "kmv")
    "ontap.edn: :ports \"eth0\" :allow[0] :group: there is no group \"kmv\" on this machine; did you mean \"kvm\"?"]
   [(allow :types "tap")
    "ontap.edn: :ports \"eth0\" :allow[0] :types: should be a vector of types, such as [\"ipvlan\" \"ipvtap\"], is \"tap\""]
   [(allow :types [])
    "ontap.edn: :ports \"eth0\" :allow[0] :types: should be a vector of types, such as [\"ipvlan\" \"ipvtap\"], is []"]
   [(allow :types ["tap" "ipvtpa"])
    "ontap.edn: :ports \"eth0\" :allow[0] :types[1]: should be \"ipvlan\", \"ipvtap\", \"macvtap\" or \"tap\", is \"ipvtpa\"; did you mean \"ipvtap\"?"]
   [(allow :types [:ipvtap])
    "ontap.edn: :ports \"eth0\" :allow[0] :types[0]: should be \"ipvlan\", \"ipvtap\", \"macvtap\" or \"tap\", is :ipvtap; did you mean \"ipvtap\"?"]
   [(allow :types ["macvlan"])
    "ontap.edn: :ports \"eth0\" :allow[0] :types[0]: macvlan is for root only, who needs no rule: in a namespace of their own a user could stack more on it without limit; should be left out"]
   [(allow :limit 0)
    "ontap.edn: :ports \"eth0\" :allow[0] :limit: should be a whole number from 1 to 65534, is 0"]
   [(allow :limit "16")
    "ontap.edn: :ports \"eth0\" :allow[0] :limit: should be a whole number from 1 to 65534, is \"16\""]
   [(allow :names "*")
    "ontap.edn: :ports \"eth0\" :allow[0] :names: should be a vector of names, such as [\"web\" \"alice-*\"], is \"*\""]
   [(allow :names ["Alice_*"])
    "ontap.edn: :ports \"eth0\" :allow[0] :names[0]: should be a name or a pattern such as \"alice-*\", of a to z, 0 to 9, - and *, is \"Alice_*\"; did you mean \"alice-*\"?"]
   [(allow :names ["web" "vm[0-9]"])
    "ontap.edn: :ports \"eth0\" :allow[0] :names[1]: should be a name or a pattern such as \"alice-*\", of a to z, 0 to 9, - and *, is \"vm[0-9]\"; did you mean \"vm-0-9\"?"]
   [(allow :names [3])
    "ontap.edn: :ports \"eth0\" :allow[0] :names[0]: should be a name or a pattern such as \"alice-*\", of a to z, 0 to 9, - and *, is 3"]
   [(eth0 :mode 3333 :ownr "root" :allow [{:user "alcie" :limit -1}])
    "ontap.edn: :ports \"eth0\" :ownr: unknown key; did you mean :owner?"
    "ontap.edn: :ports \"eth0\" :mode: should be the mode of a file, from \"0000\" to \"0777\", such as \"0660\", is 3333"
    "ontap.edn: :ports \"eth0\" :allow[0] :user: there is no user \"alcie\" on this machine; did you mean \"alice\"?"
    "ontap.edn: :ports \"eth0\" :allow[0] :limit: should be a whole number from 1 to 65534, is -1"]])

(defn- with-host-link [host-link & services]
  {:ports {"eth0" {:host-link host-link}}
   :services (mapv #(merge {:name "web" :port "eth0" :user "www" :exec ["httpd"]} %) services)})

(def ^:private services-table
  "[form line ...] of files as `ontap up` and `ontap check` read them."
  [[{:ports {"eth0" {}}}
    "ontap.edn: :services: is missing; should be a vector of services; a file of :ports alone is for ontapd"]
   [(with-host-link "host0" {:type "macvlan"})
    "ontap.edn: web :type: eth0 carries ipvlan and ipvtap, or macvlan and macvtap, or tap; \"macvlan\" here, \"ipvlan\" for the :host-link of eth0"]
   [(with-host-link {:link "host0" :type "macvlan"} {:type "ipvtap"})
    "ontap.edn: web :type: eth0 carries ipvlan and ipvtap, or macvlan and macvtap, or tap; \"ipvtap\" here, \"macvlan\" for the :host-link of eth0"]
   [(with-host-link "host0" {:mode "l3" :ipv6 :none})
    "ontap.edn: web :mode: all ipvlan and ipvtap links of eth0 have one mode; \"l3\" here, \"l2\" for the :host-link of eth0"]
   [(with-host-link "host0" {:netns :host :link "host0"})
    "ontap.edn: web :link: should be a name of its own in :netns :host; the :host-link of eth0 has the link \"host0\" there already"]
   [(with-host-link "web" {:netns :host})
    "ontap.edn: web :link: should be a name of its own in :netns :host; the :host-link of eth0 has the link \"web\" there already"]])

(defn- words-of [check given]
  (let [text (if (string? given) given (pr-str given))
        {:keys [form mistakes]} (declaration/read-text text)
        mistakes (or mistakes (:mistakes (check form env)))]
    (is (s/valid? ::spec/mistakes mistakes) (s/explain-str ::spec/mistakes mistakes))
    (str/split-lines (mistake/render mistakes "ontap.edn" form))))

(deftest every-bad-configuration-has-its-words
  (doseq [[check table] [[check/check-ports daemon-table] [check/check services-table]]
          [given & expected] table]
    (testing (pr-str given)
      (is (= (vec expected) (words-of check given))
          "The words of a bad configuration are those of the table."))))

(deftest a-port-is-the-same-mistake-to-all
  (doseq [[given & expected] daemon-table
          :when (and (map? given) (seq (:ports given)))]
    (testing (pr-str given)
      (is (every? (set (words-of check/check (assoc given :services [{:name "web" :port "eth7" :user "www" :exec ["w"]}])))
                  expected)
          "`ontap check` says of a port what ontapd says."))))

(deftest the-table-is-large-and-its-lines-distinct
  (let [lines (remove #{[no-port]} (map rest (concat daemon-table services-table)))]
    (is (<= 50 (count lines)) "The table promises at least 50 bad configurations.")
    (is (apply distinct? lines) "No two bad configurations have the same words.")))

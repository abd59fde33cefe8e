;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-declarations-test
  "The table of bad declarations: what a person writes, and exactly what they read. No mistake has another one's words."
  (:require [clojure.spec.alpha :as s]
            [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.model.caps :as caps]
            [ontap.model.check :as check]
            [ontap.model.declaration :as declaration]
            [ontap.model.mistake :as mistake]
            [ontap.model.spec :as spec]
            [ontap.model.zone :as zone]))

(def ^:private env
  {:root? true :read-zone zone/reader
   :user? #{"root" "www" "git"} :users ["root" "www" "git"]
   :group? #{"kvm" "www"} :groups ["kvm" "www"]
   :bounding (disj (set caps/names) "sys_module")})

(defn web
  "A good service with some keys changed."
  [& {:as more}]
  (merge {:name "web" :port "eth0" :user "www" :exec ["httpd"]} more))

(def table
  "[text-or-form line ...]: a text is read as it stands, a form is printed first."
  [["; nothing here\n"
   "services.edn:1:1: unreadable EDN: there is nothing in it"]
  ["[{:name \"web\""
   "services.edn:1:2: unreadable EDN: \"{\" is never closed"]
  ["[{:name \"web\"\n  :port \"eth0\")"
   "services.edn:2:15: unreadable EDN: \")\" should be \"}\", for \"{\" was opened at 1:2"]
  ["{:name \"web}"
   "services.edn:1:8: unreadable EDN: this text is never closed"]
  ["}"
   "services.edn:1:1: unreadable EDN: \"}\" closes nothing"]
  ["{:name}"
   "services.edn:1:8: unreadable EDN: map literal must contain an even number of forms"]
  ["{:name \"web\" :name \"web2\"}"
   "services.edn:1:27: unreadable EDN: duplicate key: :name"]
  ["[{:name \"web\" :umask 08x}]"
   "services.edn:1:25: unreadable EDN: invalid number: 08x"]
  ["{:a \\nosuchchar}"
   "services.edn:1:16: unreadable EDN: unsupported character: \\nosuchchar"]
  ["{:a \"\\q\"}"
   "services.edn:1:8: unreadable EDN: unsupported escape character: \\q"]
  ["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
   "services.edn:1:65: unreadable EDN: more than 64 brackets are open here"]
  ["{:name \"a\"} {:name \"b\"}"
   "services.edn:1:12: unreadable EDN: a second form follows the first; several services should stand in one vector, [{...} {...}]"]
  ["#ontap/v2 {}"
   "services.edn:1:1: unknown version #ontap/v2; this program reads #ontap/v1"]
  ["{:name #env WEB}"
   "services.edn:1:8: unknown tag #env; the only tag is #ontap/v1, around the whole file"]
  ["{:at #inst \"2020\"}"
   "services.edn:1:6: unknown tag #inst; the only tag is #ontap/v1, around the whole file"]
  ["[#ontap/v1 {}]"
   "services.edn:1:2: #ontap/v1 should stand once, before the whole file"]
  ["{:a #=(+ 1 2)}"
   "services.edn:1:7: unreadable EDN: no dispatch macro for: ="]
  [42
   "services.edn: should be a service (a map), a vector of services, or {:services [...]}, is 42"]
  ['[]
   "services.edn: there is no service in it"]
  ['{:services {:name "web"}}
   "services.edn: :services: should be a vector of services, is {:name \"web\"}; did you mean [{...}]?"]
  ['{:servces []}
   "services.edn: :servces: unknown key; did you mean :services?"]
  ['{:services [{:name "web" :port "eth0" :user "www" :exec ["httpd"]}] :zone "vanya"}
   "services.edn: :zone: should be a zone (a map) such as {:domain \"vanya\" :listen [\"[::]:53\" \"0.0.0.0:53\"]}"]
  ['{:services [{:name "web" :port "eth0" :user "www" :exec ["httpd"]}] :ports {"eth0" {:mtu 1} "a b" {}}}
   "services.edn: :ports \"a b\": should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"a b\""
   "services.edn: :ports \"eth0\" :mtu: unknown key; the keys of a port are :host-link, :owner, :group, :mode, :own-netns and :allow"]
  ['{:services [{:name "web" :port "eth0" :user "www" :exec ["httpd"]}] :name "web"}
   "services.edn: :name: is a key of a service; should stand in a map in :services"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"]} "db"]
   "services.edn: service 2: should be a service (a map), is \"db\""]
  ['{:name "web"}
   "services.edn: web :port: is missing; should be the name of a network interface (1 to 15 bytes, without space, / and :)"
   "services.edn: web :user: :user is required when root runs it; \"root\" has to be said"
   "services.edn: web :exec: is missing; should be a vector of texts such as [\"httpd\" \"-p\" \"80\"]"]
  ['{:name "web" :prot "eth0" :user "www" :exec ["httpd"]}
   "services.edn: web :prot: unknown key; did you mean :port?"]
  [(web :colour :red)
   "services.edn: web :colour: unknown key; the keys of a service are :name, :port, :type, :mode, :queues, :link, :netns, :uts, :hostname, :ipv4, :ipv6, :gateway, :release, :acd, :start-delay, :resolv-conf, :address-timeout, :user, :groups, :caps, :exec, :env, :dir, :umask, :limits, :requires, :ready, :srv, :restart, :stop and :log"]
  [(web "caps" "+net_raw")
   "services.edn: web \"caps\": unknown key; did you mean :caps?"]
  [(web :zone "lan")
   "services.edn: web :zone: belongs to the file, beside :services"]
  ['{:name "web" :port "eth0" :exec ["httpd"]}
   "services.edn: web :user: :user is required when root runs it; \"root\" has to be said"]
  ['{:name "Web_1" :port "eth0" :user "www" :exec ["httpd"]}
   "services.edn: Web_1 :name: should be a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end), is \"Web_1\"; did you mean \"web-1\"?"]
  ['{:name "-" :port "eth0" :user "www" :exec ["httpd"]}
   "services.edn: service 1 :name: should be a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end), is \"-\""]
  ['{:name web :port "eth0" :user "www" :exec ["httpd"]}
   "services.edn: service 1 :name: should be a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end), is web"]
  ['{:name "web" :port "a-port-of-16-char" :user "www" :exec ["httpd"]}
   "services.edn: web :port: should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"a-port-of-16-char\""]
  ['{:name "web" :port "lo" :user "www" :exec ["httpd"]}
   "services.edn: web :port: lo carries no links; should be an interface of the machine, such as \"eth0\""]
  [(web :type "ipvlna")
   "services.edn: web :type: should be \"ipvlan\", \"ipvtap\", \"macvlan\", \"macvtap\" or \"tap\", is \"ipvlna\"; did you mean \"ipvlan\"?"]
  [(web :type "mactap" :queues 2)
   "services.edn: web :type: should be \"ipvlan\", \"ipvtap\", \"macvlan\", \"macvtap\" or \"tap\", is \"mactap\"; did you mean \"macvtap\"?"]
  [(web :type :macvlan)
   "services.edn: web :type: should be \"ipvlan\", \"ipvtap\", \"macvlan\", \"macvtap\" or \"tap\", is :macvlan; did you mean \"macvlan\"?"]
  [(web :mode "bridge")
   "services.edn: web :mode: should be \"l2\", \"l3\" or \"l3s\" for ipvlan; \"bridge\" is a mode of macvlan and macvtap"]
  [(web :type "macvtap" :mode "l2")
   "services.edn: web :mode: should be \"bridge\", \"private\" or \"vepa\" for macvtap; \"l2\" is a mode of ipvlan and ipvtap"]
  [(web :type "tap" :mode "bridge")
   "services.edn: web :mode: a tap has no mode; should be left out"]
  [(web :queues 2)
   "services.edn: web :queues: is for ipvtap, macvtap and tap, and :type is ipvlan; should be left out"]
  [(web :type "macvlan" :queues 1)
   "services.edn: web :queues: is for ipvtap, macvtap and tap, and :type is macvlan; should be left out"]
  [(web :type "ipvtap" :queues 0)
   "services.edn: web :queues: should be a whole number from 1 to 64, is 0"]
  [(web :type "tap" :queues 65)
   "services.edn: web :queues: should be a whole number from 1 to 64, is 65"]
  [(web :type "macvtap" :queues "2")
   "services.edn: web :queues: should be a whole number from 1 to 64, is \"2\""]
  [(web :type "ipvtap" :link "eth0")
   "services.edn: web :link: the link stays with ontapd, and the guest names its own; should be left out for ipvtap"]
  [(web :type "ipvtap" :ipv4 "10.0.0.5/24" :gateway "10.0.0.1")
   "services.edn: web :ipv4: the guest gets its addresses by itself; should be left out for ipvtap"
   "services.edn: web :gateway: the guest gets its addresses by itself; should be left out for ipvtap"]
  [(web :type "macvtap" :ipv6 :slaac)
   "services.edn: web :ipv6: the guest gets its addresses by itself; should be left out for macvtap"]
  [(web :type "tap" :address-timeout 3)
   "services.edn: web :address-timeout: the guest gets its addresses by itself, and the service waits for none; should be left out for tap"]
  [(web :mode "l4")
   "services.edn: web :mode: should be \"l2\", \"l3\" or \"l3s\" for ipvlan, is \"l4\"; did you mean \"l2\"?"]
  [(web :mode "l3")
   "services.edn: web :mode: no router advertisement reaches an ipvlan link of mode l3; :ipv6 should be :none or an address such as \"fd00::5/64\""]
  [(web :mode "l3s" :ipv6 :slaac)
   "services.edn: web :ipv6: no router advertisement reaches an ipvlan link of mode l3s; :ipv6 should be :none or an address such as \"fd00::5/64\""]
  [(web :link "eth/0")
   "services.edn: web :link: should be the name of a network interface (1 to 15 bytes, without space, / and :), is \"eth/0\""]
  [(web :link "lo")
   "services.edn: web :link: lo is there already; should be another name, such as \"eth0\""]
  [(web :netns false)
   "services.edn: web :netns: should be true (a namespace of its own), the name of one in /run/netns, or :host, is false; did you mean :host?"]
  [(web :netns "../etc")
   "services.edn: web :netns: should be true (a namespace of its own), the name of one in /run/netns, or :host, is \"../etc\""]
  [(web :netns :hots)
   "services.edn: web :netns: should be true (a namespace of its own), the name of one in /run/netns, or :host, is :hots; did you mean :host?"]
  [(web :netns :host :link "eth0")
   "services.edn: web :link: should differ from the port in :netns :host; both are \"eth0\""]
  [(web :uts "yes")
   "services.edn: web :uts: should be true or false, is \"yes\""]
  [(web :uts false :hostname "w")
   "services.edn: web :hostname: a hostname needs a hostname namespace; with :uts false it should be left out"]
  [(web :hostname "a_b")
   "services.edn: web :hostname: should be a host name (labels of letters, digits and -, at most 64 bytes), is \"a_b\""]
  [(web :ipv4 :dchp)
   "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is :dchp; did you mean :dhcp?"]
  [(web :ipv4 "10.0.0.5")
   "services.edn: web :ipv4: should be an IPv4 address with its prefix length, is \"10.0.0.5\"; did you mean \"10.0.0.5/24\"?"]
  [(web :ipv4 "10.0.0.256/24")
   "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is \"10.0.0.256/24\""]
  [(web :ipv4 "fd00::5/64")
   "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\"; \"fd00::5/64\" is an IPv6 address and belongs in :ipv6"]
  [(web :ipv4 "10.0.0.0/24")
   "services.edn: web :ipv4: should be an address a link can have; \"10.0.0.0/24\" is the address of the network itself"]
  [(web :ipv4 "10.0.0.255/24")
   "services.edn: web :ipv4: should be an address a link can have; \"10.0.0.255/24\" is the broadcast address of its network"]
  [(web :ipv4 "127.0.0.1/8")
   "services.edn: web :ipv4: should be an address a link can have; \"127.0.0.1/8\" is a loopback address"]
  [(web :ipv4 "10.0.0.5/33")
   "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\", is \"10.0.0.5/33\""]
  [(web :ipv6 :slac)
   "services.edn: web :ipv6: should be :slaac, :none or an address such as \"fd00::5/64\", is :slac; did you mean :slaac?"]
  [(web :ipv6 "10.0.0.5/24")
   "services.edn: web :ipv6: should be :slaac, :none or an address such as \"fd00::5/64\"; \"10.0.0.5/24\" is an IPv4 address and belongs in :ipv4"]
  [(web :ipv6 "fd00::5")
   "services.edn: web :ipv6: should be an IPv6 address with its prefix length, is \"fd00::5\"; did you mean \"fd00::5/64\"?"]
  [(web :ipv6 "fd00::/64")
   "services.edn: web :ipv6: should be an address a link can have; \"fd00::/64\" is the address of the network itself (the routers' anycast address)"]
  [(web :ipv6 "fe80::1%eth0/64")
   "services.edn: web :ipv6: should be :slaac, :none or an address such as \"fd00::5/64\", is \"fe80::1%eth0/64\""]
  [(web :ipv6 :dhcp)
   "services.edn: web :ipv6: should be :slaac, :none or an address such as \"fd00::5/64\"; :dhcp is not for IPv6 here"]
  [(web :ipv4 :none :gateway "10.0.0.1")
   "services.edn: web :gateway: an IPv4 gateway needs an address in :ipv4, such as \"10.0.0.5/24\""]
  [(web :ipv4 "10.0.0.5/24" :gateway "10.0.1.1")
   "services.edn: web :gateway: should be in the network of :ipv4, 10.0.0.0/24; is 10.0.1.1"]
  [(web :ipv4 "10.0.0.5/24" :gateway "10.0.0.5")
   "services.edn: web :gateway: 10.0.0.5 is the service's own address"]
  [(web :ipv4 "10.0.0.5/24" :gateway ["10.0.0.1" "10.0.0.2"])
   "services.edn: web :gateway: should be one address of each family; both of [\"10.0.0.1\" \"10.0.0.2\"] are IPv4"]
  [(web :gateway "router")
   "services.edn: web :gateway: should be an address such as \"10.0.0.1\", or a vector of one IPv4 and one IPv6 address, is \"router\""]
  [(web :address-timeout "10 s")
   "services.edn: web :address-timeout: should be a duration such as 10, \"500ms\", \"10s\", \"2m\" or \"1h\", is \"10 s\""]
  ['{:name "web" :port "eth0" :user "wwww" :exec ["httpd"]}
   "services.edn: web :user: there is no user \"wwww\" on this machine; did you mean \"www\"?"]
  ['{:name "web" :port "eth0" :user "nobodyhere" :exec ["httpd"]}
   "services.edn: web :user: there is no user \"nobodyhere\" on this machine"]
  ['{:name "web" :port "eth0" :user 33 :exec ["httpd"]}
   "services.edn: web :user: should be the name of a user, is 33"]
  [(web :groups "kvm")
   "services.edn: web :groups: should be a vector of names of groups, such as [\"kvm\"], is \"kvm\""]
  [(web :groups ["kmv"])
   "services.edn: web :groups[0]: there is no group \"kmv\" on this machine; did you mean \"kvm\"?"]
  [(web :caps "+net_bind_servic")
   "services.edn: web :caps: should be a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\"; \"+net_bind_servic\" is no capability; did you mean net_bind_service?"]
  [(web :caps "net_raw")
   "services.edn: web :caps: \"net_raw\" should begin with + or -; did you mean +net_raw?"]
  [(web :caps "+CAP_NET_RAW")
   "services.edn: web :caps: should be a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\"; \"+CAP_NET_RAW\" is no capability; did you mean net_raw?"]
  [(web :caps "+sys_module")
   "services.edn: web :caps: sys_module cannot be given: the bounding set of this process does not hold it"]
  [(web :caps 3)
   "services.edn: web :caps: should be a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\", or a vector such as [:net_bind_service], is 3"]
  [(web :caps [:net_raw :fly])
   "services.edn: web :caps[1]: should be a capability such as :net_bind_service; \"fly\" is no capability"]
  [(web :caps "+net_raw,")
   "services.edn: web :caps: should be a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\"; an item is empty"]
  ['{:name "web" :port "eth0" :user "www" :exec "httpd -p 80"}
   "services.edn: web :exec: should be a vector of texts such as [\"httpd\" \"-p\" \"80\"], is \"httpd -p 80\"; did you mean [\"httpd\" \"-p\" \"80\"]?"]
  ['{:name "web" :port "eth0" :user "www" :exec []}
   "services.edn: web :exec: should be a vector of texts such as [\"httpd\" \"-p\" \"80\"], is []"]
  ['{:name "web" :port "eth0" :user "www" :exec ["httpd" 80]}
   "services.edn: web :exec[1]: should be a text without NUL, is 80"]
  ['{:name "web" :port "eth0" :user "www" :exec [""]}
   "services.edn: web :exec[0]: should be the program, a name or a path, is \"\""]
  ["{:name \"web\" :port \"eth0\" :user \"www\" :exec [\"a\\u0000b\"]}"
   "services.edn: web :exec[0]: should be a text without NUL, is \"a\\u0000b\""]
  [(web :env ["A=1"])
   "services.edn: web :env: should be a map of variables, such as {\"LANG\" \"C.UTF-8\"}, is [\"A=1\"]"]
  [(web :env {"A=B" "1"})
   "services.edn: web :env \"A=B\": should be the name of a variable, without =, is \"A=B\""]
  [(web :env {:PORT 80})
   "services.edn: web :env :PORT: should be a text, is 80; did you mean \"80\"?"]
  [(web :env {:A "1" "A" "2"})
   "services.edn: web :env: should be a map that names each variable once, is {:A \"1\", \"A\" \"2\"}"]
  [(web :env {:ONTAP_NAME "x"})
   "services.edn: web :env :ONTAP_NAME: is set by ontap itself; should be left out"]
  [(web :env {"ONTAP_FD0" "3" "ONTAP_FD12" "3" "ONTAP_HWADDR" "" "ONTAP_IFNAME" "" "ONTAP_LEASE_FD" "" "ONTAP_MTU" "" "NOTIFY_SOCKET" "@x"})
   "services.edn: web :env \"NOTIFY_SOCKET\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_FD0\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_FD12\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_HWADDR\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_IFNAME\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_LEASE_FD\": is set by ontap itself; should be left out"
   "services.edn: web :env \"ONTAP_MTU\": is set by ontap itself; should be left out"]
  [(web :dir "www")
   "services.edn: web :dir: should be an absolute path, is \"www\""]
  [(web :umask "099")
   "services.edn: web :umask: should be an octal mask from \"000\" to \"777\", such as \"022\", is \"099\""]
  [(web :umask 512)
   "services.edn: web :umask: should be an octal mask from \"000\" to \"777\", such as \"022\", is 512"]
  [(web :limits {:nofiles 10})
   "services.edn: web :limits :nofiles: unknown limit; did you mean :nofile?"]
  [(web :limits {:colour 10})
   "services.edn: web :limits :colour: unknown limit; the limits are :as, :core, :cpu, :data, :fsize, :locks, :memlock, :msgqueue, :nice, :nofile, :nproc, :rss, :rtprio, :rttime, :sigpending and :stack"]
  [(web :limits {:nofile [20 10]})
   "services.edn: web :limits :nofile: should be [soft hard] with soft not above hard, is [20 10]"]
  [(web :limits {:core :unlimited})
   "services.edn: web :limits :core: should be a whole number, :infinity, or [soft hard], is :unlimited; did you mean :infinity?"]
  [(web :limits 10)
   "services.edn: web :limits: should be a map of limits, such as {:nofile 1024 :core [0 :infinity]}, is 10"]
  [(web :requires "db")
   "services.edn: web :requires: should be a vector of names of services, such as [\"db\"], is \"db\""]
  [(web :requires ["wbe"])
   "services.edn: web :requires: should name services of this file; there is no \"wbe\"; did you mean \"web\"?"]
  [(web :requires ["web"])
   "services.edn: web :requires: should not name the service itself"]
  [(web :ready {:fd 2})
   "services.edn: web :ready :fd: should be a whole number from 3 to 63, is 2"]
  [(web :ready {})
   "services.edn: web :ready :fd: is missing; should be a whole number from 3 to 63"]
  [(web :ready true)
   "services.edn: web :ready: should be {:fd 3} or :notify, is true"]
  [(web :ready :notfy)
   "services.edn: web :ready: should be {:fd 3} or :notify, is :notfy; did you mean :notify?"]
  [(web :srv ["_http._tcp" 80])
   "services.edn: web :srv: should be a map from what is offered to its port, such as {\"_http._tcp\" 80}, is [\"_http._tcp\" 80]"]
  [(web :srv {"http" 80})
   "services.edn: web :srv \"http\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"http\"; did you mean \"_http._tcp\"?"]
  [(web :srv {"_sip._sctp" 5060 "_a-service-too-long._tcp" 1 "_80._udp" 80 "_-a._tcp" 1 "_http._tcp.web" 80})
   "services.edn: web :srv \"_-a._tcp\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"_-a._tcp\""
   "services.edn: web :srv \"_80._udp\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"_80._udp\""
   "services.edn: web :srv \"_a-service-too-long._tcp\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"_a-service-too-long._tcp\""
   "services.edn: web :srv \"_http._tcp.web\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"_http._tcp.web\""
   "services.edn: web :srv \"_sip._sctp\": should be what is offered and by which protocol, such as \"_http._tcp\" or \"_dns._udp\", is \"_sip._sctp\"; did you mean \"_sip._tcp\"?"]
  [(web :srv {:_http._tcp "80" "_dns._udp" 0})
   "services.edn: web :srv \"_dns._udp\": should be a whole number from 1 to 65535, is 0"
   "services.edn: web :srv :_http._tcp: should be a whole number from 1 to 65535, is \"80\""]
  [(web :srv {"_http._tcp" 80 "_HTTP._tcp" 81})
   "services.edn: web :srv: should be a map that names each once, is {\"_http._tcp\" 80, \"_HTTP._tcp\" 81}"]
  [(web :restart :never)
   "services.edn: web :restart: should be a map such as {:policy :on-failure :delay \"1s\"}, is :never; did you mean {:policy :never}?"]
  [(web :restart {:policy :allways})
   "services.edn: web :restart :policy: should be :always, :on-failure or :never, is :allways; did you mean :always?"]
  [(web :restart {:delay -1})
   "services.edn: web :restart :delay: should be a duration such as 10, \"500ms\", \"10s\", \"2m\" or \"1h\", is -1"]
  [(web :restart {:delay 40 :max-delay "30s"})
   "services.edn: web :restart :max-delay: should be at least :delay, 40 s; is 30 s"]
  [(web :restart {:limit 0})
   "services.edn: web :restart :limit: should be a whole number from 1 to 1000000, is 0"]
  [(web :restart {:windw 3})
   "services.edn: web :restart :windw: unknown key; did you mean :window?"]
  [(web :stop {:signal "TREM"})
   "services.edn: web :stop :signal: should be the name of a signal, such as \"TERM\" or \"INT\", is \"TREM\"; did you mean \"TERM\"?"]
  [(web :stop {:timeout ##NaN})
   "services.edn: web :stop :timeout: should be a duration such as 10, \"500ms\", \"10s\", \"2m\" or \"1h\", is ##NaN"]
  [(web :stop 10)
   "services.edn: web :stop: should be a map such as {:signal \"TERM\" :timeout \"10s\"}, is 10"]
  [(web :log "web.log")
   "services.edn: web :log: should be an absolute path, or a map such as {:file \"/var/log/web.log\" :max-size \"4M\"}, is \"web.log\""]
  [(web :log {:max-size "4X"})
   "services.edn: web :log :max-size: should be a size such as 1048576, \"64K\" or \"4M\", at least 4096 bytes, is \"4X\""]
  [(web :log {:file "/l" :max-size 10})
   "services.edn: web :log :max-size: should be a size such as 1048576, \"64K\" or \"4M\", at least 4096 bytes, is 10"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"]} {:name "web" :port "eth0" :user "www" :exec ["httpd"]}]
   "services.edn: web :name: should be a name of its own; \"web\" is the name of service 1 already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :ipv4 "10.0.0.5/24"} {:name "db" :port "eth0" :user "www" :exec ["d"] :ipv4 "10.0.0.5/16"}]
   "services.edn: db :ipv4: should be an address of its own; 10.0.0.5 on eth0 is \"web\"'s already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :ipv6 "fd00::5/64"} {:name "db" :port "eth0" :user "www" :exec ["d"] :ipv6 "FD00:0::5/64"}]
   "services.edn: db :ipv6: should be an address of its own; fd00::5 on eth0 is \"web\"'s already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :netns "blue"} {:name "db" :port "eth0" :user "www" :exec ["d"] :netns "blue"}]
   "services.edn: db :link: should be a name of its own in :netns \"blue\"; \"web\" has the link \"eth0\" there already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :netns :host :link "w0"} {:name "db" :port "eth0" :user "www" :exec ["d"] :netns :host :link "w0"}]
   "services.edn: db :link: should be a name of its own in :netns :host; \"web\" has the link \"w0\" there already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :netns :host :link "eth1"} {:name "db" :port "eth1" :user "www" :exec ["d"]}]
   "services.edn: web :link: should not be the name of a port in :netns :host; \"eth1\" is the port of \"db\""]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"]} {:name "db" :port "eth0" :user "www" :exec ["d"] :type "macvlan"}]
   "services.edn: db :type: eth0 carries ipvlan and ipvtap, or macvlan and macvtap, or tap; \"macvlan\" here, \"ipvlan\" for \"web\""]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"]} {:name "db" :port "eth0" :user "www" :exec ["d"] :mode "l3" :ipv6 :none}]
   "services.edn: db :mode: all ipvlan and ipvtap links of eth0 have one mode; \"l3\" here, \"l2\" for \"web\""]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :type "ipvtap"} {:name "db" :port "eth0" :user "www" :exec ["d"] :type "macvtap"}]
   "services.edn: db :type: eth0 carries ipvlan and ipvtap, or macvlan and macvtap, or tap; \"macvtap\" here, \"ipvtap\" for \"web\""]
  ['[{:name "web" :port "br0" :user "www" :exec ["httpd"] :type "tap"} {:name "db" :port "br0" :user "www" :exec ["d"]}]
   "services.edn: db :type: br0 carries ipvlan and ipvtap, or macvlan and macvtap, or tap; \"ipvlan\" here, \"tap\" for \"web\""]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :type "ipvtap" :mode "l3s"} {:name "db" :port "eth0" :user "www" :exec ["d"]}]
   "services.edn: db :mode: all ipvlan and ipvtap links of eth0 have one mode; \"l2\" here, \"l3s\" for \"web\""]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :log "/l"} {:name "db" :port "eth0" :user "www" :exec ["d"] :log "/l"}]
   "services.edn: db :log: should be a file of its own; \"/l\" is the log of \"web\" already"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :requires ["db"]} {:name "db" :port "eth0" :user "www" :exec ["d"] :requires ["api"]} {:name "api" :port "eth0" :user "www" :exec ["d"] :requires ["web"]}]
   "services.edn: web :requires: should make no cycle; web requires db, which requires api, which requires web"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :requires ["bd"]} {:name "db" :port "eth0" :user "www" :exec ["d"]}]
   "services.edn: web :requires: should name services of this file; there is no \"bd\"; did you mean \"db\"?"]
  ['[{:name "web" :port "eth0" :user "www" :exec ["httpd"] :dri "/" :caps "+fly" :ipv4 :slaac} {:name "Db" :port 3}]
   "services.edn: web :dri: unknown key; did you mean :dir?"
   "services.edn: web :ipv4: should be :dhcp, :none or an address such as \"10.0.0.5/24\"; :slaac is for IPv6 only"
   "services.edn: web :caps: should be a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\"; \"+fly\" is no capability"
   "services.edn: Db :name: should be a DNS label (a to z, 0 to 9 and -, at most 63 characters, no - at either end), is \"Db\"; did you mean \"db\"?"
   "services.edn: Db :port: should be the name of a network interface (1 to 15 bytes, without space, / and :), is 3"
   "services.edn: Db :user: :user is required when root runs it; \"root\" has to be said"
   "services.edn: Db :exec: is missing; should be a vector of texts such as [\"httpd\" \"-p\" \"80\"]"]
  ["{:name \"web\" :port \"eth0\" :user \"www\" :exec [\"httpd\"] :dir \"\\u001b[2J\\u001b]0;x\"}"
   "services.edn: web :dir: should be an absolute path, is \"\\u001b[2J\\u001b]0;x\""]
  ["{:name \"web\" :port \"eth0\" :user \"www\" :exec [\"httpd\"] :dir \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"
   "services.edn: web :dir: should be an absolute path, is \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."]])

(defn- mistakes-of [text]
  (let [{:keys [form mistakes]} (declaration/read-text text)]
    [form (or mistakes (:mistakes (check/check form env)))]))

(defn each-has-its-words
  "Holds every row of `table` against what is read, and every mistake against its spec."
  [table]
  (doseq [[given & expected] table
          :let [text (if (string? given) given (pr-str given))
                [form mistakes] (mistakes-of text)]]
    (testing text
      (is (= (vec expected) (str/split-lines (mistake/render mistakes "services.edn" form)))
          "The words of a bad declaration are those of the table.")
      (is (s/valid? ::spec/mistakes mistakes)
          (str "Every mistake has the shape of one: " (s/explain-str ::spec/mistakes mistakes))))))

(deftest every-bad-declaration-has-its-words
  (each-has-its-words table))

(deftest the-table-is-large-and-its-lines-distinct
  (is (<= 45 (count table)) "The table promises at least 45 bad declarations.")
  (is (apply distinct? (map rest table)) "No two bad declarations have the same words."))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.service-test
  "Good declarations: defaults, full keys, and the way back from a normalised service."
  (:require [clojure.spec.alpha :as s]
            [clojure.test :refer [are deftest is testing]]
            [clojure.test.check.clojure-test :refer [defspec]]
            [clojure.test.check.generators :as gen]
            [clojure.test.check.properties :as prop]
            [ontap.model.caps :as caps]
            [ontap.model.declaration :as declaration]
            [ontap.model.quantity :as quantity]
            [ontap.model.service :as service]
            [ontap.model.spec :as spec]
            [ontap.model.zone-world :refer [offer]]))

(def ^:private least {:name "web" :port "eth0" :user "www" :exec ["httpd"]})

(defn- normal [form] (:service (service/check form {:root? true})))

(deftest the-record-of-the-seed
  (let [{:keys [form]} (declaration/read-text
                        "{:name \"arroyocc\" :port \"wlp3s0\" :type \"ipvlan\"
                          :user \"www\" :caps \"+net_bind_service\"          ; binds to port 80
                          :exec [\"darkhttpd\" \"/www\" \"--default-mimetype\" \"text/html\"]}")]
    (is (= #:service{:name "arroyocc" :port "wlp3s0" :type "ipvlan" :mode "l2" :queues nil :link "eth0" :netns true :uts true
                     :hostname "arroyocc" :ipv4 {:method :dhcp} :ipv6 {:method :slaac} :release false :acd true
                     :start-delay true :resolv-conf true :address-timeout-ms 30000 :user "www" :groups nil :caps ["net_bind_service"]
                     :exec ["darkhttpd" "/www" "--default-mimetype" "text/html"] :env {} :dir "/" :umask 18 :limits {}
                     :requires [] :ready nil :srv {}
                     :restart {:policy :always :delay-ms 200 :max-delay-ms 30000 :limit 10 :window-ms 60000}
                     :stop {:signal "TERM" :timeout-ms 10000} :log {:file nil :max-bytes 4194304}}
           (normal form)))
    (is (= #{:name :port :type :user :caps :exec} (:service/given (meta (normal form))))
        "What the file stated is known, though equality does not see it.")))

(deftest one-key-at-a-time
  (are [more expected] (let [s (normal (merge least more))]
                         (and (= expected (select-keys s (keys expected)))
                              (s/valid? ::spec/service s)))
    {:type "macvlan"}                  #:service{:type "macvlan" :mode "bridge"}
    {:type "macvlan" :mode "vepa"}     #:service{:mode "vepa"}
    {:mode "l3" :ipv6 :none}           #:service{:mode "l3" :ipv4 {:method :none} :acd false :start-delay false}
    {:mode "l3s" :ipv6 "fd00::5/64"}   #:service{:mode "l3s" :ipv4 {:method :none} :resolv-conf true}
    {:mode "l3" :ipv6 :none :ipv4 "10.0.0.5/24"} #:service{:acd false :ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway nil}}
    {:mode "l3" :ipv6 :none :ipv4 "10.0.0.5/24" :acd false} #:service{:acd false}
    {:type "macvlan" :mode "private"}  #:service{:ipv6 {:method :slaac}}
    {:type "ipvtap"}                   #:service{:type "ipvtap" :mode "l2" :queues 1 :link nil :netns true :hostname "web"
                                                 :ipv4 {:method :none} :ipv6 {:method :none} :address-timeout-ms 30000
                                                 :release false :acd false :start-delay false :resolv-conf false}
    {:type "ipvtap" :mode "l3"}        #:service{:mode "l3" :queues 1}
    {:type "macvtap" :queues 4}        #:service{:type "macvtap" :mode "bridge" :queues 4 :link nil}
    {:type "tap" :queues 64}           #:service{:type "tap" :mode nil :queues 64 :link nil}
    {:type "tap" :netns :host}         #:service{:netns :host :link nil}
    {:link "net0"}                     #:service{:link "net0"}
    {:netns "blue"}                    #:service{:netns "blue" :link "eth0"}
    {:netns :host}                     #:service{:netns :host :link "web"}
    {:netns :host :name "a-name-of-len-fifteen"} #:service{:link "a-name-of-len-f"}
    {:netns :host :name "a-name-of-1234-5"} #:service{:link "a-name-of-1234"}
    {:uts false}                       #:service{:uts false :hostname nil}
    {:hostname "www.example.org"}      #:service{:hostname "www.example.org"}
    {:ipv4 :none}                      #:service{:ipv4 {:method :none} :release false :acd false :start-delay false :resolv-conf true}
    {:ipv4 :dhcp}                      #:service{:ipv4 {:method :dhcp} :release false :acd true :start-delay true}
    {:release true}                    #:service{:ipv4 {:method :dhcp} :release true :acd true :start-delay true}
    {:acd false}                       #:service{:ipv4 {:method :dhcp} :acd false :start-delay true}
    {:start-delay false}               #:service{:acd true :start-delay false}
    {:netns :host}                     #:service{:ipv4 {:method :dhcp} :resolv-conf false}
    {:netns :host :resolv-conf "/r"}   #:service{:resolv-conf "/r"}
    {:netns "blue"}                    #:service{:resolv-conf true}
    {:resolv-conf false}               #:service{:resolv-conf false}
    {:resolv-conf "/srv/www/resolv.conf"} #:service{:resolv-conf "/srv/www/resolv.conf"}
    {:resolv-conf {:nameservers ["10.0.0.1"]}} #:service{:resolv-conf {:nameservers ["10.0.0.1"] :search [] :options []}}
    {:resolv-conf {:nameservers ["FD00::0:1" "fe80::1%eth0" "127.0.0.1"] :search ["home.arpa" "."] :options ["ndots:2" "a-new-one"]}}
    #:service{:resolv-conf {:nameservers ["fd00::1" "fe80::1%eth0" "127.0.0.1"] :search ["home.arpa" "."]
                            :options ["ndots:2" "a-new-one"]}}
    {:ipv4 "10.0.0.5/24"}              #:service{:ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway nil}
                                                 :acd true :release false :start-delay false}
    {:ipv4 "10.0.0.5/24" :acd false}   #:service{:acd false}
    {:ipv4 "10.0.0.5/24" :gateway "10.0.0.1"} #:service{:ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway "10.0.0.1"}}
    {:ipv6 "FD00::0:5/64" :gateway "FE80::1"} #:service{:ipv6 {:method :static :ip "fd00::5" :prefix 64 :gateway "fe80::1"}}
    {:ipv4 "10.0.0.5/24" :ipv6 "fd00::5/64" :gateway ["fd00::1" "10.0.0.1"]}
    #:service{:ipv4 {:method :static :ip "10.0.0.5" :prefix 24 :gateway "10.0.0.1"}
              :ipv6 {:method :static :ip "fd00::5" :prefix 64 :gateway "fd00::1"}}
    {:ipv4 :none :ipv6 :none}          #:service{:ipv6 {:method :none}}
    {:address-timeout "500ms"}         #:service{:address-timeout-ms 500}
    {:user "root"}                     #:service{:user "root"}
    {:groups []}                       #:service{:groups []}
    {:groups ["kvm" "kvm"]}            #:service{:groups ["kvm"]}
    {:caps [:net_raw]}                 #:service{:caps ["net_raw"]}
    {:env {:LANG "C" "A_b" ""}}        #:service{:env {"LANG" "C" "A_b" ""}}
    {:dir "/srv/www"}                  #:service{:dir "/srv/www"}
    {:umask "077"}                     #:service{:umask 63}
    {:limits {:nofile [1024 :infinity]}} #:service{:limits {"nofile" {:soft 1024 :hard -1}}}
    {:requires ["db" "db"]}            #:service{:requires ["db"]}
    {:ready {:fd 3}}                   #:service{:ready {:fd 3}}
    {:ready :notify}                   #:service{:ready :notify}
    {:srv {"_http._tcp" 80 "_DNS-x._udp" 53}} #:service{:srv {"_dns-x._udp" (offer 53) "_http._tcp" (offer 80)}}
    {:type "ipvtap" :srv {:_ssh._tcp 22}} #:service{:srv {"_ssh._tcp" (offer 22)}}
    {:srv {"_http._tcp" {:port 80}}}   #:service{:srv {"_http._tcp" (offer 80)}}
    {:srv {"_ipp._tcp" {:port 631 :txt ["rp=q" "Color" "TxtVers=1" "x==="] :subtypes ["_printer" "_x"] :instance "Anna's drücker."}}}
    #:service{:srv {"_ipp._tcp" (offer 631 :srv/txt ["TxtVers=1" "rp=q" "Color" "x==="] :srv/subtypes ["_printer" "_x"]
                                       :srv/instance "Anna's drücker.")}}
    {:srv {"_x._tcp" {:port 1 :txt {"path" "/" :b "" "B 2" "ü=\n" "txtvers" "1"}}}}
    #:service{:srv {"_x._tcp" (offer 1 :srv/txt ["txtvers=1" "b=" "B 2=ü=\n" "path=/"])}}
    {:restart {:policy :never}}        #:service{:restart {:policy :never :delay-ms 200 :max-delay-ms 30000 :limit 10 :window-ms 60000}}
    {:restart {:delay 40}}             #:service{:restart {:policy :always :delay-ms 40000 :max-delay-ms 40000 :limit 10 :window-ms 60000}}
    {:stop {:signal :sigint :timeout 0.5}} #:service{:stop {:signal "INT" :timeout-ms 500}}
    {:log "/var/log/web"}              #:service{:log {:file "/var/log/web" :max-bytes 4194304}}
    {:log {:max-size "64K"}}           #:service{:log {:file nil :max-bytes 65536}}))

(deftest who-runs-it-decides-on-the-user
  (let [form (dissoc least :user)]
    (is (= [[:user]] (map :mistake/path (:mistakes (service/check form {:root? true})))))
    (is (nil? (:service/user (:service (service/check form {:root? false})))))
    (is (= "www" (:service/user (:service (service/check least {:root? false})))))))

(deftest the-machine-is-asked-about-names
  (let [asked (atom [])
        env {:root? true :user? (fn [n] (swap! asked conj n) (= "www" n)) :group? #{"kvm"}}]
    (is (:service (service/check (assoc least :groups ["kvm"]) env)))
    (is (= ["www"] @asked) "A user is asked for once, by name.")
    (is (= [[:user] [:groups 0]]
           (map :mistake/path (:mistakes (service/check (assoc least :user "git" :groups ["video"]) env)))))))

(deftest variables-beside-those-of-ontap
  (is (= {"ONTAP_FD" "a" "ONTAP_FDX" "b" "ONTAP_STATE_DIR" "/s"}
         (:service/env (normal (assoc least :env {"ONTAP_FD" "a" "ONTAP_FDX" "b" "ONTAP_STATE_DIR" "/s"}))))
      "Only the names that ontap itself sets are refused."))

(deftest every-key-has-words
  (doseq [{:keys [key expected read] :as field} service/fields]
    (testing key
      (is (and (string? expected) (ifn? read) (or (:required? field) (contains? field :default)))
          "A key says what it should be, how it is read and what it is when left out."))))

;; --- a generator of good declarations

(def ^:private gen-name (gen/fmap #(str "s" %) gen/nat))
(def ^:private gen-text (gen/such-that #(not (re-find #"\u0000" %)) gen/string))
(def ^:private gen-duration (gen/one-of [(gen/choose 0 1000) (gen/fmap #(str % "ms") (gen/choose 0 100000)) (gen/return "2m")]))
(def ^:private gen-limit (gen/one-of [(gen/choose 0 9999) (gen/return :infinity)
                                      (gen/fmap (comp vec sort) (gen/vector (gen/choose 0 99) 2))
                                      (gen/fmap #(vector % :infinity) gen/nat)]))
(def ^:private gen-v4 (gen/fmap (fn [[a b]] (str "10." a ".7." b "/24")) (gen/tuple (gen/choose 0 255) (gen/choose 1 254))))

(def ^:private gen-good
  (gen/let [base (gen/hash-map :name gen-name :port (gen/elements ["eth0" "wlp3s0"]) :user (gen/elements ["www" "root"])
                               :exec (gen/fmap #(into ["httpd"] %) (gen/vector gen-text 0 4)))
            more (gen/hash-map
                  :link (gen/elements ["net0" "net1"]) :netns (gen/elements [true "blue" :host]) :hostname (gen/elements ["a" "b.c"])
                  :ipv4 (gen/one-of [(gen/elements [:none :dhcp]) gen-v4])
                  :resolv-conf (gen/elements [false "/etc/r.conf" {:nameservers ["10.0.0.1" "FE80::1%eth0"] :search ["a.b"]}])
                  :acd gen/boolean :ipv6 (gen/elements [:slaac :none "FD00::5/64"])
                  :groups (gen/vector (gen/elements ["kvm" "video"]) 0 3) :address-timeout gen-duration
                  :caps (gen/one-of [(gen/vector (gen/elements caps/names) 0 5) (gen/elements ["" "+all" "+all,-bpf"])])
                  :env (gen/map (gen/elements ["A" :B "C_D"]) gen-text) :dir (gen/elements ["/" "/srv"])
                  :umask (gen/elements ["022" 0 "0777"])
                  :limits (gen/map (gen/fmap keyword (gen/elements quantity/limit-names)) gen-limit)
                  :requires (gen/vector gen-name 0 3) :ready (gen/elements [{:fd 3} :notify])
                  :srv (gen/map (gen/elements ["_http._tcp" "_Dns._udp" "_a-1._tcp"])
                                (gen/one-of [(gen/choose 1 65535)
                                             (gen/hash-map :port (gen/choose 1 65535) :txt (gen/elements [[] ["a=b" "c"] {"a" "b" :txtvers "1"}])
                                                           :subtypes (gen/elements [[] ["_a" "_b"]]) :instance (gen/elements ["x" "Ü. \\"]))]))
                  :restart (gen/hash-map :policy (gen/elements [:always :never :on-failure]) :delay gen-duration :limit (gen/choose 1 9)
                                         :window (gen/choose 1 99))
                  :stop (gen/hash-map :signal (gen/elements quantity/signals) :timeout gen-duration)
                  :log (gen/elements ["/l" {:file "/l" :max-size "1M"} {}]))
            kept (gen/set (gen/elements (keys more)))
            dhcp (gen/elements [{} {:release true} {:start-delay false :release false}])
            tap (gen/hash-map :type (gen/elements ["ipvtap" "macvtap" "tap"]) :queues (gen/choose 1 64))
            tap? (gen/elements [false false true])]
    (let [form (merge base (select-keys more kept))]
      (cond-> form
        (= :none (:ipv4 form)) (dissoc :acd)
        (contains? #{nil :dhcp} (:ipv4 form)) (merge dhcp)
        tap? (-> (dissoc :link :ipv4 :ipv6 :acd :release :start-delay :resolv-conf :address-timeout) (merge tap))))))

(defspec a-good-declaration-gives-a-service-of-the-right-shape 200
  (prop/for-all [form gen-good]
    (let [{:keys [service mistakes]} (service/check form {:root? true})]
      (and (nil? mistakes) (s/valid? ::spec/service service)))))

(defspec a-service-written-down-and-read-again-is-the-same 200
  (prop/for-all [form gen-good]
    (let [service (normal form)
          again (:form (declaration/read-text (pr-str (service/declaration service))))]
      (= service (normal again)))))

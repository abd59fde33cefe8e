;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.service
  "One service: the table of its keys (what each should be, its default, its reader), the check of a declaration and the way
  back. Pure. Facts of the machine come in as `env`:
    :root?     will root run it? then :user is required
    :user?     (fn [name]) does this user exist? nil = not asked;  :group? likewise
    :users :groups  known names, for the nearest one, may be nil
    :bounding  the set of capability names that can be given, nil = all"
  (:require [clojure.string :as str]
            [ontap.model.caps :as caps]
            [ontap.model.mistake :as mistake]
            [ontap.model.nameservers :as nameservers]
            [ontap.model.network :as network]
            [ontap.model.quantity :as quantity]
            [ontap.model.shape :as shape]
            [ontap.model.zone-srv :as zone-srv]))

(set! *warn-on-reflection* true)

(defn- label [ctx v]
  (if (network/label? v)
    (shape/ok v)
    (let [near (when (and (string? v) (<= 1 (count v) 63))
                 (-> v str/lower-case (str/replace #"[^a-z0-9]+" "-") (str/replace #"^-+|-+$" "")))]
      (shape/wrong ctx v network/label-words {:nearest (when (network/label? near) (pr-str near))}))))

(defn- absolute? [v] (and (str/starts-with? v "/") (< (count v) 4096)))

(defn account
  "A reader of the name of a user or group (`noun`). `known?-key` and `names-key` are keys of the environment."
  [noun known?-key names-key]
  (fn [{:keys [env] :as ctx} v]
    (let [known? (get env known?-key), expected (str "the name of a " noun)]
      (cond (not (and (shape/text? v) (re-matches #"[^:/\s\p{Cntrl}-][^:/\s\p{Cntrl}]{0,63}" v))) (shape/wrong ctx v expected)
            (and known? (not (known? v)))
            (let [near (mistake/nearest v (get env names-key))]
              (shape/wrong ctx v (str expected " of this machine")
                           {:nearest (some-> near pr-str)
                            :says (str "there is no " noun " " (pr-str v) " on this machine"
                                       (when near (str "; did you mean " (pr-str near) "?")))}))
            :else (shape/ok v)))))

(def ^:private set-by-ontap #"ONTAP_(?:NAME|IFNAME|HWADDR|MTU|FD\d+|LEASE_FD)|NOTIFY_SOCKET")

(defn- env-entry [ctx k v]
  (let [n (shape/name-text k), ctx (shape/below ctx k)]
    (cond (not (and (shape/text? n) (seq n) (not (str/includes? n "="))))
          (shape/wrong ctx k "the name of a variable, without =")
          (re-matches set-by-ontap n) (shape/wrong ctx v "left out" {:says "is set by ontap itself; should be left out"})
          (not (shape/text? v))
          (shape/wrong ctx v "a text" {:nearest (when (or (number? v) (boolean? v) (keyword? v))
                                                  (pr-str (if (keyword? v) (name v) (str v))))})
          :else (shape/ok v))))

(defn- variables [ctx v]
  (if-not (map? v)
    (shape/wrong ctx v "a map of variables, such as {\"LANG\" \"C.UTF-8\"}")
    (let [a (shape/gather (for [[k x] (sort-by (comp mistake/shown key) v)] [(shape/name-text k) (env-entry ctx k x)]))]
      (cond (:mistakes a) a
            (not= (count v) (count (into {} (:value a)))) (shape/wrong ctx v "a map that names each variable once")
            :else (shape/ok (into (sorted-map) (:value a)))))))

(def ^:private restart-words "a map such as {:policy :on-failure :delay \"1s\"}")

(def ^:private restart
  (shape/map-of
   {:noun ":restart"
    :expected restart-words
    :fields [{:key :policy :read (shape/choice [:always :on-failure :never]) :default :always}
             {:key :delay :read (quantity/duration 0) :default 200}
             {:key :max-delay :read (quantity/duration 0) :default nil}
             {:key :limit :read (shape/whole 1 1000000) :default 10}
             {:key :window :read (quantity/duration 1) :default 60000}]}
   (fn [ctx {:keys [policy delay max-delay limit window]}]
     ;; the default bound gives way to a longer delay, a stated one does not
     (let [bound (or max-delay (max delay 30000))]
       (if (< bound delay)
         (shape/wrong (shape/below ctx :max-delay) max-delay "at least :delay"
                      {:says (str "should be at least :delay, " (quantity/seconds-words delay) "; is " (quantity/seconds-words bound))})
         (shape/ok {:policy policy :delay-ms delay :max-delay-ms bound :limit limit :window-ms window}))))))

(defn- restart-value [ctx v]
  (if (keyword? v)
    (shape/wrong ctx v restart-words
                 {:nearest (str "{:policy " (or (mistake/nearest v [:always :on-failure :never]) :always) "}")})
    (restart ctx v)))

(def ^:private stop
  (shape/map-of
   {:noun ":stop"
    :expected "a map such as {:signal \"TERM\" :timeout \"10s\"}"
    :fields [{:key :signal :read quantity/signal :default "TERM"}
             {:key :timeout :read (quantity/duration 0) :default 10000}]}
   (fn [_ {:keys [signal timeout]}] (shape/ok {:signal signal :timeout-ms timeout}))))

(def ^:private ready-fd
  (shape/map-of {:noun ":ready"
                 :fields [{:key :fd :read (shape/whole 3 63) :required? true :expected "a whole number from 3 to 63"}]}))

(defn- ready [ctx v]
  (cond (= :notify v) (shape/ok v)
        (map? v) (ready-fd ctx v)
        :else (shape/wrong ctx v "{:fd 3} or :notify" {:nearest (when (mistake/nearest v [:notify]) ":notify")})))

(def ^:private log-bytes 4194304)
(def ^:private log-file (shape/text absolute? "an absolute path"))

(def ^:private log-map
  (shape/map-of {:noun ":log"
                 :fields [{:key :file :read log-file :default nil}
                          {:key :max-size :read (quantity/size 4096) :default log-bytes}]}
                (fn [_ {:keys [file max-size]}] (shape/ok {:file file :max-bytes max-size}))))

(defn- log [ctx v]
  (cond (map? v) (log-map ctx v)
        (and (shape/text? v) (absolute? v)) (shape/ok {:file v :max-bytes log-bytes})
        :else (shape/wrong ctx v "an absolute path, or a map such as {:file \"/var/log/web.log\" :max-size \"4M\"}")))

(defn- hostname [ctx v]
  (if (and (string? v) (<= (count v) 64)
           (re-matches #"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*" v))
    (shape/ok v)
    (shape/wrong ctx v "a host name (labels of letters, digits and -, at most 64 bytes)")))

(def ^:private exec-words "a vector of texts such as [\"httpd\" \"-p\" \"80\"]")

(def ^:private arguments (shape/many (shape/text any? "a text without NUL") exec-words 1))

(defn- exec [ctx v]
  (let [a (arguments ctx v)]
    (cond (= "" (first (:value a))) (shape/wrong (shape/below ctx 0) "" "the program, a name or a path")
          ;; no shell will split a command line, but a person who hoped so sees how
          (and (shape/text? v) (re-matches #"[^\s\\'\"$|&;<>*?(){}]+(?: [^\s\\'\"$|&;<>*?(){}]+)*" v))
          (shape/wrong ctx v exec-words {:nearest (mistake/shown (str/split v #" "))})
          :else a)))

(def fields
  "The keys of a service in the order of its pages: what each should be, its default, its reader.
  Defaults that other keys decide (:mode :queues :link :hostname :ipv4 and what goes with it) are nil here and filled in by
  `examine`."
  [{:key :name :expected network/label-words :read label :required? true}
   {:key :port :expected network/interface-words :read network/port :required? true}
   {:key :type :expected "the type of a link" :read network/link-type :default "ipvlan"}
   {:key :mode :expected "a mode of the link's type" :read network/mode :default nil}
   {:key :queues :expected "a whole number" :read network/queues :default nil}
   {:key :link :expected network/interface-words :read network/link :default nil}
   {:key :netns :expected "true, the name of a namespace, or :host" :read network/netns :default true}
   {:key :uts :expected "true or false" :read shape/flag :default true}
   {:key :hostname :expected "a host name" :read hostname :default nil}
   {:key :ipv4 :expected ":dhcp, :none or an address such as \"10.0.0.5/24\"" :read network/ipv4 :default nil}
   {:key :ipv6 :expected ":slaac, :none or an address such as \"fd00::5/64\"" :read network/ipv6 :default {:method :slaac}}
   {:key :gateway :expected "an address, or a vector of one of each family" :read network/gateway :default nil}
   {:key :release :expected "true or false" :read shape/flag :default nil}
   {:key :acd :expected "true or false" :read shape/flag :default nil}
   {:key :start-delay :expected "true or false" :read shape/flag :default nil}
   {:key :resolv-conf :expected nameservers/expected :read nameservers/resolv-conf :default nil}
   {:key :address-timeout :expected "a duration" :read (quantity/duration 0) :default 30000}
   {:key :user :expected "the name of a user" :read (account "user" :user? :users) :default nil
    :missing ":user is required when root runs it; \"root\" has to be said"}
   {:key :groups :expected "a vector of names of groups" :default nil
    :read (shape/many (account "group" :group? :groups) "a vector of names of groups, such as [\"kvm\"]")}
   {:key :caps :expected caps/expected :read caps/read-caps :default []}
   {:key :exec :expected exec-words :read exec :required? true}
   {:key :env :expected "a map of variables" :read variables :default {}}
   {:key :dir :expected "an absolute path" :read (shape/text absolute? "an absolute path") :default "/"}
   {:key :umask :expected "an octal mask" :read quantity/umask :default 18}
   {:key :limits :expected "a map of limits" :read quantity/limits :default {}}
   {:key :requires :expected "a vector of names of services" :default []
    :read (shape/many (shape/text any? "the name of a service") "a vector of names of services, such as [\"db\"]")}
   {:key :ready :expected "{:fd 3} or :notify" :read ready :default nil}
   {:key :srv :expected zone-srv/expected :read zone-srv/srv :default {}}
   {:key :restart :expected "a map" :read restart-value
    :default {:policy :always :delay-ms 200 :max-delay-ms 30000 :limit 10 :window-ms 60000}}
   {:key :stop :expected "a map" :read stop :default {:signal "TERM" :timeout-ms 10000}}
   {:key :log :expected "an absolute path or a map" :read log :default {:file nil :max-bytes log-bytes}}])

(def keys-of-service "The keys a service may have, in the order of its pages." (mapv :key fields))

(def ^:private root-fields
  (mapv #(if (= :user (:key %)) (assoc % :required? true) %) fields))

(def ^:private refused
  {:zone "belongs to the file, beside :services"
   :ports "belongs to the file, beside :services"
   :services "belongs to the file, not to a service"})

(defn- uts-fault [path {:keys [uts]} given]
  (when (and (false? uts) (given :hostname))
    (mistake/of (conj path :hostname)
                {:expected "left out with :uts false"
                 :says "a hostname needs a hostname namespace; with :uts false it should be left out"})))

(defn- normal
  "The normalised service of values that are all well."
  [{:keys [type netns uts hostname ipv6 gateway release acd start-delay resolv-conf requires] n :name :as v} given]
  (with-meta
    {:service/name n
     :service/port (:port v)
     :service/type type
     :service/mode (network/mode-of v)
     :service/queues (when (network/tap-type? type) (or (:queues v) 1))
     :service/link (network/link-of v)
     :service/netns netns
     :service/uts uts
     :service/hostname (when uts (or hostname n))
     :service/ipv4 (network/with-gateway (network/ipv4-of v) 4 gateway)
     ;; the guest behind a tap gets its addresses by itself
     :service/ipv6 (if (network/tap-type? type) {:method :none} (network/with-gateway ipv6 6 gateway))
     :service/release (boolean release)
     :service/acd (and (network/conflicts-detected? v) (not (false? acd)))
     :service/start-delay (and (network/dhcp? v) (not (false? start-delay)))
     :service/resolv-conf (if (nil? resolv-conf) (not (or (= :host netns) (network/tap-type? type))) resolv-conf)
     :service/address-timeout-ms (:address-timeout v)
     :service/user (:user v)
     :service/groups (some-> (:groups v) distinct vec)
     :service/caps (:caps v)
     :service/exec (:exec v)
     :service/env (:env v)
     :service/dir (:dir v)
     :service/umask (:umask v)
     :service/limits (:limits v)
     :service/requires (vec (distinct requires))
     :service/ready (:ready v)
     :service/srv (:srv v)
     :service/restart (:restart v)
     :service/stop (:stop v)
     :service/log (:log v)}
    {:service/given given}))

(defn examine
  "Reads one declaration at `path`: {:values {key value} of the keys that are well, :mistakes [...], :service when all are}.
  Never throws."
  [form env path]
  (let [shape {:noun "a service" :fields (if (:root? env) root-fields fields) :refused refused}
        {:keys [value mistakes given]} (shape/record {:path path :env env} form shape)
        faults (concat (network/faults path value given)
                       (some-> (uts-fault path value given) vector))
        mistakes (into mistakes faults)]
    (cond-> {:values value :mistakes mistakes}
      (empty? mistakes) (assoc :service (normal value given)))))

(defn check
  "{:service normalised} of one declaration, or {:mistakes [...]} with all of them. The metadata key :service/given of the
  service holds the set of keys that the file stated; equality does not see it."
  [form env]
  (let [{:keys [service mistakes]} (examine form env [])]
    (if service {:service service} {:mistakes mistakes})))

(defn- address-form [{:keys [method ip prefix]}]
  (if (= :static method) (str ip "/" prefix) method))

(defn- ms [n] (str n "ms"))

(defn declaration
  "The declaration, with every key stated, of a normalised service. Checking it in the same environment gives the service again."
  [{:service/keys [ipv4 ipv6 restart stop log limits] :as s}]
  (let [gateways (vec (keep :gateway [ipv4 ipv6]))
        tap? (network/tap-type? (:service/type s))
        method (:method ipv4)
        plain (into {} (keep (fn [k] (let [v (get s (keyword "service" (name k)))]
                                       (when (some? v) [k v]))))
                    [:name :port :type :mode :queues :link :netns :uts :hostname :user :groups :caps :exec :env :dir :requires :ready])]
    (cond-> (assoc plain
                   :srv (zone-srv/form (:service/srv s))
                   :umask (quantity/umask-text (:service/umask s))
                   :limits (update-vals limits quantity/limit-form)
                   :restart {:policy (:policy restart) :delay (ms (:delay-ms restart)) :max-delay (ms (:max-delay-ms restart))
                             :limit (:limit restart) :window (ms (:window-ms restart))}
                   :stop {:signal (:signal stop) :timeout (ms (:timeout-ms stop))}
                   :log (cond-> {:max-size (:max-bytes log)} (:file log) (assoc :file (:file log))))
      (not tap?) (assoc :ipv4 (address-form ipv4) :ipv6 (address-form ipv6) :resolv-conf (:service/resolv-conf s)
                        :address-timeout (ms (:service/address-timeout-ms s)))
      (not= :none method) (assoc :acd (:service/acd s))
      (= :dhcp method) (assoc :release (:service/release s) :start-delay (:service/start-delay s))
      (seq gateways) (assoc :gateway gateways))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.plan
  "What will be made for each service, as data and in words.
  Pure; `ontap check` prints it, nobody carries it out from here. Takes normalised services (see `ontap.model.service`)."
  (:require [clojure.string :as str]
            [ontap.model.caps :as caps]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.order :as order]
            [ontap.model.quantity :as quantity]))

(set! *warn-on-reflection* true)

;; --- data

(defn- ipv4-steps [{:service/keys [ipv4 acd release start-delay]}]
  (let [{:keys [method ip prefix gateway]} ipv4]
    (case method
      :none nil
      :dhcp [[:address {:family 4 :method :dhcp :acd acd :start-delay start-delay :release release}]]
      :static (cond-> [[:address {:family 4 :method :static :ip ip :prefix prefix :acd acd}]]
                gateway (conj [:route {:family 4 :gateway gateway}])))))

(defn- ipv6-steps [{{:keys [method ip prefix gateway]} :service/ipv6}]
  (case method
    :none nil
    :slaac [[:address {:family 6 :method :slaac}]]
    :static (cond-> [[:address {:family 6 :method :static :ip ip :prefix prefix}]]
              gateway (conj [:route {:family 6 :gateway gateway}]))))

(defn- notes [{:service/keys [type mode ipv4 ipv6] :as s}]
  (let [given (:service/given (meta s)), tap? (network/tap-type? type)]
    (cond-> []
      tap? (conj "the guest gets its addresses by itself; the workload starts without waiting for them")
      (and (not tap?) given (not (given :ipv4)) (= :none (:method ipv4)))
      (conj (str "no broadcast, and so no DHCP, reaches an ipvlan link of mode " mode "; :ipv4 is :none unless it is said"))
      (and (not tap?) (= [:none :none] [(:method ipv4) (:method ipv6)])) (conj "it gets no address, and starts without one"))))

(defn- steps
  [{:service/keys [port type mode queues link netns uts hostname ipv6 resolv-conf address-timeout-ms user groups caps exec env dir
                   umask limits requires ready restart stop log] n :service/name :as s}]
  (let [addresses (concat (ipv4-steps s) (ipv6-steps s))]
    (-> []
        (into (map (fn [r] [:after r])) requires)
        (conj [:port port]
              [:namespace {:net netns :uts uts}])
        (cond-> uts (conj [:hostname hostname])
                (not= :host netns) (conj [:loopback :up]))
        (conj [:link (if queues
                       {:type type :mode mode :queues queues :port port}
                       {:name link :type type :mode mode :port port})]
              [:alias n])
        (cond-> (= :slaac (:method ipv6)) (conj [:secret {:stable-for n}]))
        (into addresses)
        (cond-> (seq addresses) (conj [:wait {:for :address :timeout-ms address-timeout-ms}]))
        (cond-> resolv-conf (conj [:resolv-conf resolv-conf]))
        (conj [:identity {:user user :groups groups :caps caps :no-new-privs true}]
              [:process {:env env :dir dir :umask umask :limits limits}]
              [:log log]
              [:exec exec])
        (cond-> ready (conj [:ready ready]))
        (conj [:restart restart]
              [:stop stop]))))

(defn of
  "The plan of `services` (normalised): a vector, in the order of starting, of
  {:plan/service name, :plan/steps [[:port \"eth0\"] [:namespace {...}] ... [:exec [...]] ...], :plan/notes [text ...]}."
  [services]
  (mapv (fn [s] {:plan/service (:service/name s) :plan/steps (steps s) :plan/notes (notes s)})
        (order/start-order services)))

;; --- words

(def ^:private and-words (partial mistake/and-list "and"))

(defn- argument
  "An argument as a person would type it."
  [^String s]
  (if (re-matches #"[A-Za-z0-9_./:=@%+,-]+" s) s (mistake/printable (pr-str s))))

(defn- namespace-words [{:keys [net uts]}]
  (let [uts-words (if uts "" ", the machine's hostname")]
    (cond (and (true? net) uts) "a network and a hostname namespace of its own"
          (true? net) (str "a network namespace of its own" uts-words)
          (= :host net) (str "the machine's own network" (if uts ", a hostname namespace of its own" uts-words))
          :else (str "the network namespace " net (if uts ", a hostname namespace of its own" uts-words)))))

(defn- address-words [plan-steps family]
  (let [facts (fn [kind] (some (fn [[k v]] (when (and (= kind k) (= family (:family v))) v)) plan-steps))
        {:keys [method ip prefix acd start-delay release]} (facts :address)
        label (str "IPv" family)]
    (str (case method
           nil (str "no " label)
           :slaac (str label " by router advertisement with a stable address")
           :dhcp (str label " by DHCP" (when-not start-delay " without a start delay"))
           :static (str label " " ip "/" prefix
                        (if-let [gateway (:gateway (facts :route))] (str " by way of " gateway) ", no gateway")))
         (when acd ", checked for conflicts")
         (when release ", given back at the stop"))))

(defn- resolv-conf-words [v]
  (cond (true? v) "a resolv.conf of its own"
        (string? v) (str "resolv.conf from " (argument v))
        v (str "a resolv.conf of its own: " (if (next (:nameservers v)) "nameservers " "nameserver ") (and-words (:nameservers v)))))

(defn- identity-words [{:keys [user groups caps]}]
  (str (if user (str "user " user) "the user who runs ontap")
       (cond (nil? groups) (if user (str ", groups of " user) "")
             (empty? groups) ", no further groups"
             :else (str ", " (if (next groups) "groups " "group ") (and-words groups)))
       "; "
       (cond (empty? caps) "no capabilities"
             (= (count caps) (count caps/names)) (str "all " (count caps) " capabilities")
             (next caps) (str "capabilities " (and-words caps))
             :else (str "capability " (first caps)))
       "; no_new_privs"))

(defn- limit-words [[n {:keys [soft hard]}]]
  (let [word #(if (= -1 %) "infinity" (str %))]
    (str n " " (word soft) (when (not= soft hard) (str " (at most " (word hard) ")")))))

(defn- process-words [{:keys [env dir umask limits]}]
  (let [parts (cond-> []
                (not= "/" dir) (conj (str "in " (argument dir)))
                (not= 18 umask) (conj (str "umask " (quantity/umask-text umask)))
                (seq limits) (conj (str "limits " (str/join ", " (map limit-words limits))))
                ;; names only: a value may be a secret
                (seq env) (conj (str "variables " (and-words (map argument (keys env))))))]
    (when (seq parts) (str/join "; " parts))))

(defn- ready-words [r]
  (cond (= :notify r) "ready when it says so by sd_notify"
        r (str "ready at a newline on descriptor " (:fd r))))

(defn- restart-words [{:keys [policy delay-ms max-delay-ms limit window-ms]}]
  (if (= :never policy)
    "is not restarted"
    (str "restarts " (when (= :on-failure policy) "on failure ") "with back-off "
         (quantity/seconds-words delay-ms) " to " (quantity/seconds-words max-delay-ms)
         ", failed after " limit " in " (quantity/seconds-words window-ms))))

(defn- stop-words [{:keys [signal timeout-ms]}]
  (str "stops by " signal (when (not= "KILL" signal) (str ", by KILL after " (quantity/seconds-words timeout-ms)))))

(defn- log-words [{:keys [file max-bytes]}]
  (str (if file (str "log " (argument file)) "a log of its own") ", cut at " (quantity/size-words max-bytes)))

(defn- descriptor-words [queues]
  (case (long queues)
    1 "its descriptor in ONTAP_FD0"
    2 "its descriptors in ONTAP_FD0 and ONTAP_FD1"
    (str "its descriptors in ONTAP_FD0 to ONTAP_FD" (dec queues))))

(defn- link-words [{:keys [name type mode port queues]} alias]
  (if queues
    (str (if (= "ipvtap" type) "an " "a ") type " link with " queues (if (= 1 queues) " queue" " queues") " on " port (when mode (str " (" mode ")"))
         ", alias " alias "; " (descriptor-words queues))
    (str "link " name ", " type " (" mode ") on " port ", alias " alias)))

(defn- service-lines [{:plan/keys [service steps notes]}]
  (let [fact (into {} steps)
        after (for [[k v] steps :when (= :after k)] v)
        {:keys [queues] :as link} (:link fact)
        body [(when (seq after) (str "after " (and-words after)))
              (str (namespace-words (:namespace fact)) (when-let [h (:hostname fact)] (str "; hostname " h)))
              (link-words link (:alias fact))
              (when-not queues (str (address-words steps 6) "; " (address-words steps 4)))
              (when-let [{:keys [timeout-ms]} (:wait fact)]
                (str "waits for an address, " (quantity/seconds-words timeout-ms) " at most"))
              (resolv-conf-words (:resolv-conf fact))
              (identity-words (:identity fact))
              (process-words (:process fact))
              (str "runs " (str/join " " (map argument (:exec fact))))
              (ready-words (:ready fact))
              (restart-words (:restart fact))
              (stop-words (:stop fact))
              (log-words (:log fact))]]
    (-> [(str service ":")]
        (into (comp (remove nil?) (map #(str "  " %))) body)
        (into (map #(str "  note: " %)) notes))))

(defn words
  "The lines of text of a plan: for each service its name, then what will be made, one thing a line, indented by two spaces;
  lines that begin with \"note:\" say what a person might not expect."
  [plan]
  (into [] (mapcat service-lines) plan))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.lend
  "The commands of ontapd and its clients, once their words are parsed; see
  `ontap.cli.run`. A client has no file to read: each loads what it needs."
  (:require [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]))

(set! *warn-on-reflection* true)

(defn- usage-error [text] (ex-info text {:kind :exit :status 100}))

(defn- ipv4
  "The value of :request/ipv4 that the options make. What is wrong with an address, ontapd says."
  [{:keys [type mode gateway] text :ipv4}]
  (let [{:keys [family ip prefix]} (address/prefixed text)]
    (cond
      (and gateway (not ip)) (throw (usage-error "--gateway needs --ipv4 with an address such as 10.0.0.5/24"))
      (= 4 family)    {:method :static :ip ip :prefix prefix :gateway gateway}
      (nil? text)     (network/ipv4-of {:type type :mode mode})
      (= "none" text) {:method :none}
      (= "dhcp" text) {:method :dhcp}
      :else (throw (usage-error (str "--ipv4 should be none, dhcp or an address such as 10.0.0.5/24, is " (pr-str text)
                                     (when-let [near (if (= 4 (address/family text))
                                                       (str text "/24")
                                                       (mistake/nearest text ["dhcp" "none"]))]
                                       (str "; did you mean " near "?"))))))))

(defn- request
  "The request that the options of `attach` make."
  [{:keys [type queues name link mode netns keep no-acd] :as options}]
  (let [tap? (network/tap-type? type)
        only (fn [option text] (usage-error (str "--" option " is for " text ", not for " type)))]
    (cond
      (nil? type) (throw (usage-error (str "`ontap attach` needs -t TYPE: " (mistake/and-list "or" network/types))))
      (not-any? #{type} network/types)
      (throw (usage-error (str "there is no type " type "; it should be " (mistake/and-list "or" network/types)
                               (when-let [near (mistake/nearest type network/types)] (str "; did you mean " near "?")))))
      (and queues (not tap?)) (throw (only "queues" "ipvtap, macvtap and tap"))
      (and link tap?)         (throw (only "link" "ipvlan and macvlan"))
      (and netns tap?)        (throw (only "netns" "ipvlan and macvlan"))
      (and tap? (:ipv4 options)) (throw (only "ipv4" "ipvlan and macvlan"))
      (and tap? (or no-acd (:gateway options))) (throw (only (if no-acd "no-acd" "gateway") "ipvlan and macvlan"))
      (and keep (not tap?) (not netns))
      (throw (usage-error "--keep needs --netns for ipvlan and macvlan: a link goes with PROG's own namespace")))
    {:request/type type :request/name name :request/queues queues :request/link link
     :request/mode mode :request/setup :slaac :request/ipv4 (ipv4 options)
     :request/acd? (if no-acd false nil) :request/keep? (boolean keep)
     :request/lease (when-not tap? (if netns :holder :namespace))}))

(defn attach
  "Takes a link and becomes a program: returns only by throwing."
  [{:keys [options arguments env] argv :rest}]
  (when (= "" (first arguments))
    (throw (usage-error "`ontap attach` needs the name of a port, or the path of its socket; it is empty")))
  ((requiring-resolve 'ontap.ops.attach/attach!)
   {:target    (first arguments)
    :argv      argv
    :env       env
    :netns     (:netns options)
    :verbosity (keyword (:verbosity options "info"))
    :request   (request options)}))

(defn daemon
  "Hands out links until it is told to stop. Blocks."
  [{:keys [options arguments env words]}]
  (let [{:keys [config ready-fd pid-file verbosity]} options]
    (cond
      (and config (seq arguments))
      (throw (usage-error (str "--config " config " names the ports; " (first arguments) " should be left out")))
      (not (or config (seq arguments)))
      (throw (usage-error "`ontap daemon` needs the names of ports, or --config FILE")))
    ((requiring-resolve 'ontap.ops.daemon/serve!)
     {:configured #(if config
                     ((requiring-resolve 'ontap.cli.declared/read-ports) config)
                     ((requiring-resolve 'ontap.cli.declared/ports-named) arguments))
      :env        env
      :ready      {:fd ready-fd :pid-file pid-file}
      :verbosity  (keyword (or verbosity "info"))
      :words      words})))

(defn leases
  "Prints the leases that the caller may see, and the links of their `ontap up`."
  [{:keys [options arguments env]}]
  (let [all ((requiring-resolve 'ontap.ops.leases/all) env (first arguments))]
    (cond
      (= "edn" (:format options)) (prn (vec all))
      (empty? all)                (println "no leases")
      :else (run! println ((requiring-resolve 'ontap.ops.leases/table) all)))
    0))

(defn release
  "Ends a lease. Blocks until its link is gone."
  [{:keys [arguments env]}]
  (let [id (parse-long (first arguments))]
    (when-not id
      (throw (usage-error (str "`ontap release` needs the id of a lease, a number; is " (pr-str (first arguments))
                               "; `ontap leases` shows them"))))
    ((requiring-resolve 'ontap.ops.leases/release!) env id)
    0))

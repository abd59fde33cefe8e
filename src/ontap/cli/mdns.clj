;; SPDX-License-Identifier: Apache-2.0
(ns ontap.cli.mdns
  "The commands of multicast DNS, once their words are parsed; see `ontap.cli.run`."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mdns-name :as mdns-name]
            [ontap.model.mdns-record :as record]
            [ontap.model.mistake :as mistake]
            [ontap.ops.status :as status]))

(set! *warn-on-reflection* true)

(defn- usage-error [text] (ex-info text {:kind :exit :status 100}))

(defn- ms [seconds] (when seconds (long (* 1000 (double seconds)))))

(defn- printable
  "What somebody on the link said, so that it cannot upset a terminal."
  [text]
  (mistake/printable text))

(defn- put-edn!
  "Prints `data`; a control character in one of its texts as EDN's \\uXXXX."
  [data]
  (println (printable (pr-str data)))
  (flush))

;; --- resolve

(defn- meant
  "[name reverse? link] of the word a person typed; a link (or nil) is in it. Throws with :kind :exit."
  [word]
  (let [[_ scoped link] (re-matches #"(?i)(fe[89ab][0-9a-f]:.*)%(.+)" word)
        word (if (and scoped (address/octets scoped)) scoped word)
        ip (address/octets word)
        n  (if ip (record/reverse-name word) (mdns-name/of-text word))]
    (cond
      (nil? n) (throw (usage-error (str (mistake/shown word) " is no name; `ontap resolve wiki.local` asks for one, "
                                        "`ontap resolve 10.0.0.5` for the name of an address")))
      ip       [n true link]
      (mdns-name/below? n mdns-name/local) [n false]
      (= 1 (count (mdns-name/labels n)))   [(mdns-name/of-labels (conj (mdns-name/labels n) "local")) false]
      :else (throw (usage-error (str "multicast DNS knows names below local, and " (printable word) " is none; ask a DNS server"))))))

(defn resolve-name
  "Prints what the links answer for a name or an address; 1 when nobody does. Blocks."
  [{:keys [options arguments env]}]
  (let [{:keys [link timeout format]} options
        [n reverse? scope] (meant (first arguments))
        answers ((requiring-resolve 'ontap.ops.mdns-ask/resolve!)
                 {:name n :reverse? reverse? :links (if scope [scope] link) :timeout-ms (ms timeout) :env env})]
    (cond
      (= "edn" format) (put-edn! answers)
      (empty? answers) (println (str "nobody here answers for " (printable (first arguments))))
      :else            (run! (comp println printable) answers))
    (if (seq answers) 0 1)))

;; --- browse

(defn- type-name
  "The folded name of the type of services that a person typed, or nil. Throws with :kind :exit."
  [word]
  (when word
    (let [words (str/split (str/replace (str/lower-case word) #"\.?(?:local)?\.?$" "") #"\.")
          [service protocol & more] words
          service (cond-> service (not (str/starts-with? service "_")) (->> (str "_")))]
      (if (and (nil? more) (contains? #{nil "_tcp" "_udp"} protocol) (mdns-name/of-labels [service (or protocol "_tcp") "local"]))
        (mdns-name/of-labels [service (or protocol "_tcp") "local"])
        (throw (usage-error (str (mistake/shown word) " is no type of services; it should be such as _http._tcp")))))))

(def ^:private columns
  [["TYPE"      #(printable (:service/type %))]
   ["NAME"      #(printable (:service/instance %))]
   ["HOST"      #(printable (or (:service/host %) "-"))]
   ["PORT"      #(str (or (:service/port %) "-"))]
   ["LINK"      :mdns/link]
   ["ADDRESSES" #(if (seq (:host/addresses %)) (str/join " " (:host/addresses %)) "-")]
   ["TEXT"      #(printable (str/join " " (:service/txt %)))]])

(defn- whole? [row] (and (:service/port row) (seq (:host/addresses row))))

(defn- told!
  "Says what is new among `rows`, or gone, when there was `before`."
  [before rows]
  (let [kept (set before), now (set rows)
        key  (juxt :mdns/link :service/type :service/instance)
        there (into #{} (map key) rows)]
    (doseq [row rows :when (and (whole? row) (not (kept row)))]
      (println (str "+ " (str/join "  " (map (fn [[_ f]] (f row)) columns)))))
    (doseq [row before :when (and (whole? row) (not (now row)) (not (there (key row))))]
      (println (str "- " (printable (:service/instance row)) "  " (printable (:service/type row)) "  " (:mdns/link row))))
    (flush)))

(defn browse
  "Prints the services that are heard; with --watch each as it comes and goes, until it is ended. Blocks."
  [{:keys [options arguments env]}]
  (let [{:keys [link timeout format watch]} options
        type (type-name (first arguments))
        all  (volatile! [])]
    ((requiring-resolve 'ontap.ops.mdns-ask/browse!)
     {:type type :links link :env env :timeout-ms (when-not watch (ms timeout))
      :told (fn [rows]
              (when watch (if (= "edn" format) (put-edn! rows) (told! @all rows)))
              (vreset! all rows))})
    (cond
      watch            0
      (= "edn" format) (do (put-edn! @all) 0)
      (empty? @all)    (do (println (if (first arguments) "nobody here offers that" "nobody here offers anything")) 1)
      :else            (do (run! println (status/lines columns @all)) 0))))

;; --- the proxy

(defn- server
  "{:ip :port} of --to. Throws with :kind :exit."
  [word]
  (let [[_ six port6] (re-matches #"\[([^\]]+)\](?::(\d+))?" (or word ""))
        [_ four port4] (re-matches #"([0-9.]+)(?::(\d+))?" (or word ""))
        ip   (or six four (when (address/octets word) word))
        port (or (some-> (or port6 port4) parse-long) 53)]
    (if (and ip (address/octets (first (str/split ip #"%"))) (<= 1 port 65535))
      {:ip ip :port port}
      (throw (usage-error (if word
                            (str "--to " (mistake/shown word) " is no address of a server; it should be such as [::1]:53 or 10.0.0.1")
                            "`ontap mdns-proxy` needs --to ADDRESS:PORT, the DNS server to ask"))))))

(defn mdns-proxy
  "Serves until it is told to stop. Blocks."
  [{:keys [options env]}]
  (let [{:keys [to domain link ready-fd pid-file]} options
        d (mdns-name/of-text (or domain ""))]
    (cond
      (nil? domain) (throw (usage-error "`ontap mdns-proxy` needs --domain NAME, in which the server knows the names"))
      (nil? d)      (throw (usage-error (str "--domain " (mistake/shown domain) " is no name of a domain")))
      (mdns-name/below? d mdns-name/local)
      (throw (usage-error "--domain is what the DNS server calls the domain; local is what the link calls it")))
    (let [server (server to)]
      ((requiring-resolve 'ontap.ops.mdns-proxy/serve!)
       {:to server :domain d :links link :env env
        :words (str to " says of NAME." domain)
        :ready #((requiring-resolve 'ontap.ops.notify/ready!) {:fd ready-fd :pid-file pid-file} env)}))))

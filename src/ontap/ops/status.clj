;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.status
  "What is true of each service now: as data, and as a table for a person. Pure."
  (:require [clojure.string :as str]
            [ontap.model.lease-states :as lease-states]))

(defn duration-text
  "Milliseconds in words: 4 s, 3 min, 2 h 5 min, 3 d."
  [ms]
  (let [s (quot ms 1000) m (quot s 60) h (quot m 60) d (quot h 24)]
    (cond (< s 60)  (str s " s")
          (< m 60)  (str m " min")
          (< h 24)  (str h " h" (when (pos? (rem m 60)) (str " " (rem m 60) " min")))
          :else     (str d " d" (when (pos? (rem h 24)) (str " " (rem h 24) " h"))))))

(defn- event-text
  "What is wrong with the IPv4 address of a row, or what happened to it within `within-ms`
  (nil: ever) that a person may have missed; or nil."
  [{:dhcp/keys [says event]} within-ms]
  (or says
      (let [{:keys [kind says ago-ms]} event]
        ;; that it has one is no news
        (when (and says (not= :bound kind) (or (nil? within-ms) (< ago-ms within-ms)))
          (str says " (" (duration-text ago-ms) " ago)")))))

(def ^:private news-ms "What happened longer ago is not in the table." 3600000)

(defn- waits-text
  "What the IPv4 address is waited for, in words, until there is one; or nil."
  [{:dhcp/keys [state]}]
  (when (contains? #{:init :selecting :requesting :rebooting :probing :applying} state) (lease-states/states state)))

(defn- waits-note [{:keys [state dhcp]}]
  (when (= :addressing state) (some->> (waits-text dhcp) (str "IPv4: "))))

(defn- elsewhere-text
  "How the name of a row is called by multicast DNS, when it is not its own; or nil."
  [{:keys [name mdns]}]
  (when (seq mdns)
    (str/join "; " (for [{:mdns/keys [link] other :host/name by :host/by} mdns]
                     (str name ".local is " other ".local on " link ": " (or by "somebody") " has " name ".local")))))

(def columns
  "[heading key-or-fn] of the table."
  [["NAME"      :name]
   ["STATE"     (comp name :state)]
   ["SINCE"     #(duration-text (:since-ms %))]
   ["PID"       #(str (or (:pid %) "-"))]
   ["USER"      #(or (:user %) "-")]
   ["LINK"      #(or (:link %) (:type %))]
   ["ADDRESSES" #(if (seq (:addresses %)) (str/join " " (:addresses %)) "-")]
   ["NOTE"      #(or (:reason %) (event-text (:dhcp %) news-ms) (waits-note %) (elsewhere-text %) "")]])

(defn- pad [s width] (str s (apply str (repeat (- width (count s)) " "))))

(defn lines
  "Lines of a table with `columns`, [heading key-or-fn] each, and a line for each of
  `rows`."
  [columns rows]
  (let [cells  (into [(mapv first columns)]
                     (map (fn [row] (mapv #((second %) row) columns)))
                     rows)
        widths (apply mapv (fn [& col] (apply max (map count col))) cells)]
    (mapv (fn [line] (str/trimr (str/join "  " (map pad line widths)))) cells)))

(defn table
  "Lines of text for `rows`, as `ontap.ops.answers/status` gives them; with :mdns, rows of
  `ontap.ops.names/renamed` about the service, where it has any."
  [rows]
  (lines columns rows))

(defn- ipv4-text
  "The IPv4 address of a row in words, as far as we have to do with it, or nil."
  [{:dhcp/keys [state ip prefix method server left-s] :as dhcp}]
  (when state
    (let [static? (= :static method)]
      (str (if ip (str ip (when prefix (str "/" prefix))) "none yet")
           (if static? ", as declared" (str (if ip " by DHCP" ", by DHCP") (when server (str " from " server))))
           ", " (clojure.core/name state)
           (when-not static?
             (cond (= :infinite left-s) ", for ever"
                   left-s (str ", " (duration-text (* 1000 left-s)) " left")))
           (some->> (waits-text dhcp) (str ": "))))))

(defn details
  "Lines of text about one row: a fact a line."
  [{:keys [name state since-ms pid user link port type addresses reason restarts log
           adopted? ready requires dhcp] :as row}]
  (let [fact (fn [k v] (when v (str "  " (pad k 11) v)))]
    (into [(str name ": " (clojure.core/name state) " for " (duration-text since-ms)
                (when reason (str " (" reason ")")))]
          (remove nil?)
          [(fact "pid" (when pid (str pid (when adopted? ", taken up from an earlier supervisor"))))
           (fact "user" user)
           (fact "link" (str (when link (str link ", ")) type " on " port))
           (fact "addresses" (if (seq addresses) (str/join " " addresses) "none"))
           (fact "ipv4" (ipv4-text dhcp))
           (fact "" (event-text dhcp nil))
           (fact "mdns" (elsewhere-text row))
           (fact "requires" (when (seq requires) (str/join ", " requires)))
           (fact "ready" (when ready (if (= :notify ready) "by sd_notify" (str "by a newline on descriptor " (:fd ready)))))
           (fact "restarts" (str restarts))
           (fact "log" log)])))

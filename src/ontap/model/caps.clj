;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.caps
  "Capabilities: their names and the algebra of a :caps list.
  Pure; the table is data (capabilities(7), linux/capability.h), what this machine allows comes in as a set of names."
  (:require [clojure.string :as str]
            [ontap.model.mistake :as mistake]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def names
  "The capabilities by number, 0 to 40, in lower case and without CAP_."
  ["chown" "dac_override" "dac_read_search" "fowner" "fsetid" "kill" "setgid" "setuid" "setpcap" "linux_immutable"
   "net_bind_service" "net_broadcast" "net_admin" "net_raw" "ipc_lock" "ipc_owner" "sys_module" "sys_rawio" "sys_chroot"
   "sys_ptrace" "sys_pacct" "sys_admin" "sys_boot" "sys_nice" "sys_resource" "sys_time" "sys_tty_config" "mknod" "lease"
   "audit_write" "audit_control" "setfcap" "mac_override" "mac_admin" "syslog" "wake_alarm" "block_suspend" "audit_read"
   "perfmon" "bpf" "checkpoint_restore"])

(def numbers
  "Capability name -> number."
  (into {} (map-indexed (fn [i n] [n i])) names))

(def expected
  "What :caps should be, in words."
  "a list such as \"+net_bind_service,+net_raw\" or \"+all,-sys_admin\"")

(defn- item-of
  "{:op :add|:remove, :name \"net_raw\"} of one item's text; :op is nil when it has no sign."
  [^String t]
  (let [sign (first t)]
    {:op (case sign \+ :add \- :remove nil)
     :name (str/lower-case (if (#{\+ \-} sign) (subs t 1) t))
     :text t}))

(defn- item-fault
  "The mistake of one item, or nil. In a text each item has a sign; in a vector a name alone means +."
  [path {:keys [op text] n :name} sign-needed?]
  (let [expected (if sign-needed? expected "a capability such as :net_bind_service")
        known? (or (numbers n) (= "all" n))]
    (cond
      (and known? op) nil
      known?
      (when sign-needed?
        (mistake/of path {:expected expected :found text :nearest (str "+" n)
                          :says (str (mistake/shown text) " should begin with + or -; did you mean +" n "?")}))
      :else
      (let [bare (str/replace n #"^cap_" "")
            near (if (and (not= bare n) (numbers bare)) bare (mistake/nearest bare (conj names "all")))]
       (mistake/of path {:expected expected :found text :nearest near
                        :says (str "should be " expected "; "
                                   (if (= "" text) "an item is empty" (str (mistake/shown text) " is no capability"))
                                   (when near (str "; did you mean " near "?")))})))))

(defn resolve-items
  "The set of names that items [{:op :add|:remove :name}] give, applied from left to right to the empty set;
  \"all\" stands for the set `all`."
  [items all]
  (reduce (fn [held {:keys [op] n :name}]
            (let [them (if (= "all" n) all #{n})]
              (if (= :remove op) (reduce disj held them) (into held them))))
          #{} items))

(defn sorted
  "Names in the order of their numbers, a vector."
  [held]
  (vec (sort-by numbers held)))

(defn- unheld-fault [path held bounding]
  (let [missing (sorted (remove bounding held))]
    (mistake/of path {:expected "capabilities that the bounding set of this process holds"
                      :found missing
                      :says (str (mistake/and-list "and" missing) " cannot be given: the bounding set of this process does not hold "
                                 (if (next missing) "them" "it"))})))

(defn- items-of
  "[[path item] ...] of a :caps value, or nil when it is no list at all."
  [path v]
  (cond (shape/text? v) (if (str/blank? v) [] (mapv (fn [t] [path (item-of t)]) (shape/words (str/trim v) #"\s*,\s*|\s+")))
        (sequential? v) (let [texts (map shape/name-text v)]
                          (when (every? some? texts)
                            (vec (map-indexed (fn [i t] [(conj path i) (item-of t)]) texts))))))

(defn read-caps
  "A reader of :caps: a text (\"+net_raw,-all\") or a vector of keywords or texts ([:net_raw]); gives names sorted by
  number. `:bounding` of the environment (a set of names; nil = all) is what \"all\" means and what can be given."
  [{:keys [path env] :as ctx} v]
  (if-let [items (items-of path v)]
    (let [text? (string? v)
          faults (into [] (keep (fn [[p item]] (item-fault p item text?))) items)
          bounding (set (or (:bounding env) names))
          held (resolve-items (map second items) bounding)]
      (cond (seq faults) {:mistakes faults}
            (every? bounding held) (shape/ok (sorted held))
            :else {:mistakes [(unheld-fault path held bounding)]}))
    (shape/wrong ctx v (str expected ", or a vector such as [:net_bind_service]"))))

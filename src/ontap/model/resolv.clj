;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.resolv
  "What stands in a workload's /etc/resolv.conf (resolv.conf(5)), which of them it gets,
  and what routers have told of DNS servers (RFC 8106). Pure.

  The host's own file will not do: the resolver on 127.0.0.53 that it often names is not
  there in another network namespace."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.network :as network]))

(set! *warn-on-reflection* true)

;; --- what may stand in a line

(defn- server
  "The address `text` as a resolver on `link` needs it, or nil when nobody can be asked
  there from a namespace of its own."
  [link text]
  (when-let [ip (address/canonical text)]
    (case (address/kind ip)
      :ordinary   ip
      :link-local (if (= 4 (address/family ip)) ip (when link (str ip "%" link)))
      nil)))

(def ^:private label #"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

(defn- domain
  "The name `text` of letters, digits and hyphens (RFC 1035, RFC 1123) in lower case,
  without a dot at its end; nil when it is none: it came from the network."
  [text]
  (when (and (string? text) (<= 1 (count text) 254))
    (let [name (str/lower-case (str/replace text #"\.$" ""))]
      (when (and (<= (count name) 253)
                 (every? #(re-matches label %) (str/split name #"\." -1)))
        name))))

(def ^:private most-servers "MAXNS of glibc and musl." 3)

(def ^:private most-domains "What each resolver takes: glibc before 2.26 no more than these." 6)

(def ^:private most-line
  "musl passes over a line that is longer, glibc before 2.26 over what is beyond."
  255)

(defn- fitting
  "The first of `words` that make a line of `keyword` that each resolver reads."
  [keyword words]
  (loop [line keyword, [w & more] (take most-domains words), kept []]
    (let [longer (str line " " w)]
      (if (and w (<= (count longer) most-line))
        (recur longer more (conj kept w))
        kept))))

;; --- who told what

(defn- of-dhcp
  "Option 15 holds several names where a server has no other way to give a search list."
  [{:dhcp/keys [dns domain search]}]
  {:servers dns :search (or (seq search) (some-> domain str/trim not-empty (str/split #"\s+")))})

(defn- words-of [text keyword]
  (keep (fn [line] (second (re-matches (re-pattern (str keyword "\\s+(\\S+).*")) line)))
        (str/split-lines (or text ""))))

(defn host-servers
  "The nameservers of this machine that can be asked from elsewhere: those of the text of
  its /etc/resolv.conf, or if that has none but a stub, those that systemd-resolved asks,
  of the text of its file. A text is nil where there is no file."
  [etc resolved]
  (let [of (fn [text] (into [] (comp (keep #(server nil %)) (distinct)) (words-of text "nameserver")))]
    (or (not-empty (of etc)) (of resolved))))

(defn- learnt
  "{:servers :search :sources} of what the network told, the DHCP server first, without doubles;
  nil when nobody told of a server."
  [{:resolv/keys [terms router host link]}]
  (let [told    [[(str "DHCP" (some->> (:dhcp/server terms) address/canonical (str " server "))) (of-dhcp terms)]
                 ["the router" router]]
        pick    (fn [k f] (into [] (comp (mapcat (comp k second)) (keep f) (distinct)) told))
        servers (pick :servers #(server link %))
        search  (pick :search domain)]
    (if (seq servers)
      {:servers servers :search search
       :sources (for [[who {:keys [servers search]}] told :when (or (seq servers) (seq search))] who)}
      {:servers host :search search
       :sources (when (seq host) ["this machine's own, for neither DHCP nor a router told of any"])})))

;; --- the text

(defn- header [name link]
  [(str "# The resolv.conf(5) of " (or name "a link of ontapd") (when link (str " on " link))
        ", written by ontap and kept up to date.")
   "# What is changed here does not last; :resolv-conf in the declaration does."])

(defn- server-lines [servers]
  (let [[used more] (split-at most-servers servers)]
    (concat (map #(str "nameserver " %) used)
            (when (seq more)
              [(str "# A resolver asks no more than three; told of as well: " (str/join " " (take most-servers more)))]))))

(defn content
  "The text of the file from its facts (doc/data.md). What is declared replaces what was
  told."
  [{:resolv/keys [name link declared] :as facts}]
  (let [{:keys [nameservers options]} declared
        {:keys [servers search sources]} (if (seq nameservers)
                                           {:servers nameservers :sources ["its declaration"]}
                                           (learnt facts))
        search (if (or (seq nameservers) (contains? declared :search)) (:search declared) search)
        lines  (concat (header name link)
                       (if (seq servers)
                         (cons (str "# The nameservers are from " (str/join " and " sources) ".") (server-lines servers))
                         [(str "# There is no nameserver: neither DHCP nor a router told of one, and this machine's")
                          "# own are none but a stub on loopback, which is not there in this namespace."])
                       (when-let [names (seq (fitting "search" search))] [(str "search " (str/join " " names))])
                       (when (seq options) [(str "options " (str/join " " options))]))]
    (str (str/join "\n" lines) "\n")))

;; --- which file

(defn choice
  "Which file covers the /etc/resolv.conf of `service`: nil for none, [:there path] for
  one of the administrator's, [:ours declared-or-nil] for one of our own, [:granted path]
  for that of ontapd (`granted`, nil where it has none)."
  [{:service/keys [resolv-conf netns type] :or {resolv-conf true}} granted]
  (cond
    (string? resolv-conf) [:there resolv-conf]
    (map? resolv-conf)    [:ours resolv-conf]
    ;; there the machine's own will do, or there is no link to ask on
    (or (false? resolv-conf) (= :host netns) (network/tap-type? type)) nil
    granted               [:granted granted]
    :else                 [:ours nil]))

;; --- what routers told

(def ^:private for-ever "A lifetime that does not end (RFC 8106, section 5)." 0xffffffff)

(def ^:private most-told "A router that tells of more is heard no further." 8)

(defn- living [told now] (filterv (fn [[_ until]] (or (nil? until) (< now until))) told))

(defn- soonest
  "Where in `told` the entry is that ends first."
  [told]
  (apply min-key #(or (second (told %)) Long/MAX_VALUE) (range (count told))))

(defn- hear-one
  "One that is known keeps its place, so that who comes later does not take the first."
  [told text until gone?]
  (let [at (first (keep-indexed (fn [i [t]] (when (= t text) i)) told))]
    (cond
      gone?                      (into [] (remove #(= text (first %))) told)
      at                         (assoc told at [text until])
      (< (count told) most-told) (conj told [text until])
      :else
      (let [i (soonest told), end (second (told i))]
        (if (and end (or (nil? until) (< end until)))
          (conj (into (subvec told 0 i) (subvec told (inc i))) [text until])
          told)))))

(defn heard
  "What routers told up to now (`state`; nil: nothing) and `event`, a kernel event of that
  link, or nil for the time alone. Whatever has expired is gone."
  [state {:nd/keys [servers search lifetime-s] type :event/type} now]
  (let [until (when (and lifetime-s (not= for-ever lifetime-s)) (+ now (* 1000 lifetime-s)))
        hear  (fn [told texts] (reduce #(hear-one %1 %2 until (= 0 lifetime-s)) (living (or told []) now) texts))
        mine? (and (= :nd/dns type) lifetime-s)]
    {:told/servers (hear (:told/servers state) (when mine? (keep address/canonical servers)))
     :told/search  (hear (:told/search state) (when mine? (keep domain search)))}))

(defn deadline
  "When the first of what was told expires, a time; nil when nothing does."
  [{:told/keys [servers search]}]
  (when-let [ends (seq (keep second (concat servers search)))]
    (apply min ends)))

(defn of-router
  "`:resolv/router` of what was heard."
  [{:told/keys [servers search]}]
  {:servers (mapv first servers) :search (mapv first search)})

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.label
  "What people call things, as DNS labels. Pure.

  The rule. Capital letters become small. What is a label then (RFC 1123 section 2.1: letters, digits and
  \"-\", none at the ends, at most 63) stays as it is. Else each blank, \"_\", \".\" and other printable
  ASCII character becomes \"-\", a run of \"-\" becomes one, and there is none at the ends. Refused is what
  has other characters than printable ASCII, of which nothing is left, which is longer than 63, and the words
  that would break the zone: wan, lan, local, localhost, the zone's own nameservers, and names that the
  configuration makes an alias (CNAME)."
  (:require [clojure.string :as str]))

(set! *warn-on-reflection* true)

(def longest "Characters of a label (RFC 1035 section 2.3.4)." 63)

(def ^:private words #{"wan" "lan" "local" "localhost"})

(defn- label? [s] (re-matches #"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?" s))

(defn- lower
  "ASCII only, so that no language of the machine changes it."
  [^String s]
  (.toLowerCase s java.util.Locale/ROOT))

(defn- below
  "The label of which `name` is NAME.DOMAIN, NAME.wan.DOMAIN or NAME.lan.DOMAIN; nil for none of them."
  [domain name]
  (when (str/ends-with? name (str "." domain))
    (let [labels (str/split (subs name 0 (- (count name) (count domain) 1)) #"\.")]
      (when (or (= 1 (count labels)) (and (= 2 (count labels)) (#{"wan" "lan"} (second labels))))
        (first labels)))))

(defn reserved
  "Label -> why no link can have it (:word, :nameserver or :alias), for the zone of a checked configuration."
  [{:zone/keys [domain ns records]}]
  (let [labels (fn [names why] (into {} (keep #(when-let [l (below domain (lower %))] [l why])) names))]
    (merge (labels (map :rr/name (filter #(= :cname (:rr/type %)) records)) :alias)
           (labels (map :ns/host ns) :nameserver)
           (zipmap words (repeat :word)))))

(def ^:private meaning
  "Names that programs of a LAN ask for by themselves, and do as they are told: a proxy, a tunnel." #{"wpad" "isatap"})

(defn declared
  "The labels that only links of our own namespaces may have: those of the configuration's records and of services
  that offer something (:srv), and those that mean something to others."
  [{:zone/keys [domain records srv]}]
  (-> meaning
      (into (keep #(below domain (lower (:rr/name %)))) records)
      (into (keys srv))))

(defn of
  "The label of `text`, given what is `reserved`: {:label/of text :label/text label :label/mended? bool}, or
  {:label/of text :label/refused reason} with :characters, :empty, :long, :word, :nameserver or :alias."
  [text reserved]
  (let [small  (lower text)
        label  (if (label? small)
                 small
                 (str/replace (str/replace small #"[^a-z0-9]+" "-") #"^-|-$" ""))
        reason (cond (not (re-matches #"[\x20-\x7e]*" text)) :characters
                     (= "" label)                            :empty
                     (< (long longest) (count label))        :long
                     :else                                   (reserved label))]
    (if reason
      {:label/of text :label/refused reason}
      {:label/of text :label/text label :label/mended? (not= text label)})))

(defn numbered
  "What the `n`th of those who want `label` is called; nil when there is no room for the number."
  [label n]
  (let [s (str label "-" n)]
    (when (<= (count s) (long longest)) s)))

(defn unnumbered
  "The label that `numbered` made `label` of, if it did; nil when it can not have."
  [label]
  (second (re-matches #"(.+)-(?:[2-9]|[1-9][0-9]+)" label)))

(def reasons
  "Why a text was refused, in words that follow \"is no name\"."
  {:characters "a name has printable ASCII characters only"
   :empty      "it has neither a letter nor a digit"
   :long       "a name has at most 63 characters"
   :word       "the zone needs this word itself"
   :nameserver "a nameserver of the zone is called so"
   :alias      "the configuration makes this name an alias (CNAME)"
   :declared   "it is declared, or means something to others, and its namespace is somebody else's"})

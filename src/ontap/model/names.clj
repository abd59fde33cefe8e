;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.names
  "Which links have which name. Pure.

  A link asks for a name: by its alias, or by its own name with :name-from :link (never lo). Both are whatever somebody in the
  link's namespace has written there, so they are heard in trusted namespaces only, our own and those that our user namespace
  owns. Elsewhere, and where a link has no alias, the name of its lease counts.

  Links of one namespace that ask for the same label share it. Of several namespaces a trusted one has it before one that is not,
  then the one that asked first, and each next one is label-2, label-3 and so on, leaving out what others ask for. Whoever is
  older goes: the next has the label.
  Who asked when is kept as claims, over restarts too.

  A claim: {:claim/label label :claim/since-ms epoch ms :claim/inode inode of its namespace or nil}; claims: [nsid index] ->
  claim. Wants, the same seen from the label: label -> {nsid {[nsid index] since-ms}}."
  (:require [clojure.string :as str]
            [ontap.model.label :as label]))

(set! *warn-on-reflection* true)

;; --- what a link asks for

(defn trusted?
  "May the links of namespace `nsid` say themselves what they are called?"
  [inventory nsid]
  (or (nil? nsid) (true? (get-in inventory [:inv/namespaces nsid :ns/trusted?]))))

(defn- text [s] (when-not (str/blank? s) s))

(defn- said
  "[text, where it comes from], or [nil why not]."
  [zone inventory [nsid _ :as at]]
  (let [{:link/keys [name alias]} (get-in inventory [:inv/links at])
        lease (text (get-in inventory [:inv/leases at]))
        own?  (trusted? inventory nsid)]
    (cond (and own? (= :link (:zone/name-from zone)) (not= "lo" name)) [name :link]
          (and own? (not= :link (:zone/name-from zone)) (text alias))  [alias :alias]
          lease                                                        [lease :lease]
          (not own?)                                                   [nil :untrusted]
          (= :link (:zone/name-from zone))                             [nil :loopback]
          :else                                                        [nil :no-alias])))

(defn asked
  "What the link `at` ([nsid index]) asks for: what `ontap.model.label/of` gives, with :label/from :alias, :link or :lease; or
  {:label/none why} with :untrusted, :loopback or :no-alias; or nil when there is no such link. What is declared is not for
  the lease of a namespace that is not trusted: any user may ask ontapd for a link of any name."
  [zone reserved inventory at]
  (when (contains? (:inv/links inventory) at)
    (let [[s from] (said zone inventory at)
          l        (when s (label/of s reserved))]
      (cond
        (nil? s) {:label/none from}
        (and (not (trusted? inventory (first at))) (contains? (label/declared zone) (:label/text l)))
        {:label/of s :label/refused :declared :label/from from}
        :else (assoc l :label/from from)))))

(defn- few
  "Of `addresses`, sorted, as many as are published: more of them than fit in an answer are of use to nobody, and a user may
  give a link of theirs thousands. Half of them of each family."
  [inventory nsid addresses]
  (let [half (if (trusted? inventory nsid) 128 16)]
    (if (<= (count addresses) half)
      addresses
      (vec (sort-by :addr/ip (mapcat #(take half %) (vals (group-by :addr/family addresses))))))))

;; --- who asked when

(defn claimed
  "The claim of a link that asks for `label` now, which may be nil: the one it had, unless it asked for another or its namespace is
  another under the same nsid. `since-ms`: when a new one began."
  [before label inode since-ms]
  (when label
    (let [was (:claim/inode before)]
      (if (and (= label (:claim/label before)) (or (nil? was) (nil? inode) (= was inode)))
        (cond-> before (and inode (not= was inode)) (assoc :claim/inode inode))
        {:claim/label label :claim/since-ms since-ms :claim/inode inode}))))

(defn wanting
  "`wants` after the claim of `at` changed from `old` to `new` (each may be nil)."
  [wants [nsid _ :as at] old new]
  (let [less (fn [wants l]
               (let [links  (dissoc (get-in wants [l nsid]) at)
                     spaces (if (empty? links) (dissoc (get wants l) nsid) (assoc (get wants l) nsid links))]
                 (if (empty? spaces) (dissoc wants l) (assoc wants l spaces))))]
    (cond-> wants
      (and old (not= (:claim/label old) (:claim/label new))) (less (:claim/label old))
      new (assoc-in [(:claim/label new) nsid at] (:claim/since-ms new)))))

(defn bearing-on
  "The labels whose order may be another when links ask for `label` or cease to: itself, and the one that may have numbered it."
  [label]
  (cons label (some-> (label/unnumbered label) list)))

;; --- who has what

(defn- before
  "What namespaces that want one label are ordered by. A lease waits for no name that ours had: a service that restarts would
  lose it to whoever asked ontapd for a link of that name meanwhile."
  [inventory [nsid links]]
  [(if (trusted? inventory nsid) 0 1) (reduce min (vals links)) (or nsid -1)])

(defn ordered
  "Those who want `label` as [name nsid] pairs: trusted namespaces first, of these the oldest first (of equals that with the lower
  nsid, our own before all), then the others. The name of one is nil when there is no room left for its number."
  [inventory wants reserved label]
  (let [[[first-nsid _] & others] (sort-by #(before inventory %) (get wants label))
        free? #(not (or (contains? wants %) (contains? reserved %)))]
    (loop [given [[label first-nsid]], others others, n 2]
      (if (empty? others)
        (if (contains? wants label) given [])
        (let [candidate (label/numbered label n)]
          (cond (nil? candidate)  (into given (map (fn [[nsid _]] [nil nsid])) others)
                (free? candidate) (recur (conj given [candidate (ffirst others)]) (rest others) (inc n))
                :else             (recur given others (inc n))))))))

(defn together
  "The published addresses of several links as one sorted vector. One that two of them have lives as long as the longer."
  [of-links]
  (let [longer (fn [a b] (cond (nil? (:name/until-ms a)) a
                               (nil? (:name/until-ms b)) b
                               (< (long (:name/until-ms a)) (long (:name/until-ms b))) b
                               :else a))
        one    (if (next of-links) (apply merge-with longer of-links) (first of-links))]
    (mapv val (sort-by key one))))

(defn host
  "What is called `name` because links of namespace `nsid` ask for `wanted`: {:name/label :name/wanted :ns/id :name/links
  :name/since-ms :name/addresses}. `seen`: [nsid index] -> what `ontap.model.published/of-link` gave."
  [inventory seen wants wanted name nsid]
  (let [links (get-in wants [wanted nsid])]
    {:name/label     name
     :name/wanted    wanted
     :ns/id          nsid
     :name/links     (mapv #(select-keys (get-in inventory [:inv/links %]) [:link/index :link/name]) (sort-by second (keys links)))
     :name/since-ms  (reduce min (vals links))
     :name/addresses (few inventory nsid (together (map seen (keys links))))}))

(defn hosts-of
  "name -> host for all that want `label`."
  [inventory seen wants reserved label]
  (into {}
        (for [[name nsid] (ordered inventory wants reserved label) :when name]
          [name (host inventory seen wants label name nsid)])))

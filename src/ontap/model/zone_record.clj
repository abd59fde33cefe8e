;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-record
  "The further records of a zone, as :records of its :zone writes them: [[\"@\" :mx 10 \"mail\"] [\"www\" :cname \"web\"] …]. Pure.

  A row is a name, a type, the data of one record, and perhaps {:ttl 300}. `rows` reads each by itself, `faults` tells what
  only all rows together show, `rrsets` makes the records of them. A row that was read: {:index i :name absolute :type type
  :ttl seconds-or-nil :datum datum}, with a datum as in the records of doc/data.md."
  (:require [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.quantity :as quantity]
            [ontap.model.shape :as shape]
            [ontap.model.zone-name :as zone-name]))

(set! *warn-on-reflection* true)

(def longest-ttl
  "A week, in seconds: what a resolver keeps at most (RFC 8767 section 4)."
  604800)

(defn seconds
  "A reader of a duration of whole seconds from 1 to `most`; gives seconds."
  [most]
  (fn [ctx v]
    (let [ms (quantity/duration-ms v)]
      (if (and ms (zero? (rem ms 1000)) (<= 1000 ms (* 1000 most)))
        (shape/ok (quot ms 1000))
        (shape/wrong ctx v (str "a duration of whole seconds from 1 to " most ", such as 60, \"60s\" or \"5m\""))))))

;; --- the data of each type

(defn- address-of [family]
  (fn [ctx v]
    (let [expected (str "an IPv" family " address"), found (address/family v)]
      (cond (nil? found) (shape/wrong ctx v expected
                                      {:says (when (address/prefixed v)
                                               (str "should be " expected " without a prefix length, is " (mistake/shown v)))})
            (not= family found) (shape/wrong ctx v expected {:says (str "should be " expected "; " (mistake/shown v) " is for "
                                                                       (if (= 4 found) ":a" ":aaaa"))})
            (not= :ordinary (address/kind v))
            (shape/wrong ctx v expected {:says (str "should be an address that others can reach; " (mistake/shown v) " is "
                                                    (case (address/kind v)
                                                      :unspecified "the unspecified address"
                                                      :loopback "a loopback address"
                                                      :multicast "a multicast address"
                                                      :broadcast "a reserved address"
                                                      :link-local "good on one link only"
                                                      :mapped "an IPv4 address written as IPv6"))})
            :else (shape/ok (address/canonical v))))))

(def ^:private number (shape/whole 0 65535))

(defn- string [ctx v]
  (cond (not (shape/text? v)) (shape/wrong ctx v "a text without NUL")
        (< 255 (shape/utf8-length v))
        (shape/wrong ctx v "a text of at most 255 bytes"
                     {:says (str "should be a text of at most 255 bytes, has " (shape/utf8-length v)
                                 "; several texts can stand in one record")})
        :else (shape/ok v)))

(def ^:private kinds
  "type -> :data, the readers of its data in order; :datum, what they become; :example. :more? when the last may be repeated."
  {:a     {:data [(address-of 4)] :datum first :example ["old" :a "10.0.0.9"]}
   :aaaa  {:data [(address-of 6)] :datum first :example ["old" :aaaa "2001:db8::9"]}
   :cname {:data [zone-name/target] :datum first :example ["www" :cname "web"]}
   :mx    {:data [number zone-name/target] :datum vec :example ["@" :mx 10 "mail"]}
   :ptr   {:data [zone-name/target] :datum first :example ["_http._tcp" :ptr "web._http._tcp"]}
   :srv   {:data [number number number zone-name/target] :datum vec :example ["_sip._udp" :srv 0 0 5060 "pbx"]}
   :txt   {:data [string] :more? true :datum vec :example ["@" :txt "v=spf1 -all"]}})

(def types "The types that a row can have." [:a :aaaa :cname :mx :ptr :srv :txt])

(defn- type-of [ctx v]
  (case v
    :ns  (shape/wrong ctx v "another type" {:says "the name servers stand in :ns of the zone, and it gives no part of itself to others; should be left out"})
    :soa (shape/wrong ctx v "another type" {:says "what the SOA says stands in :soa and :contact of the zone; should be left out"})
    ((shape/choice types) ctx v)))

(def ^:private options
  (shape/map-of {:noun "the end of a record"
                 :fields [{:key :ttl :read (seconds longest-ttl) :default nil}]}))

(defn- data-of [ctx type data]
  (let [{:keys [more? datum example] readers :data} (kinds type)
        wanted (count readers)]
    (if (or (= wanted (count data)) (and more? (< wanted (count data))))
      (let [a (shape/gather (map-indexed (fn [i [read x]] [i (read (shape/below ctx (+ 2 i)) x)])
                                         (map vector (concat readers (repeat (peek readers))) data)))]
        (if (:mistakes a) a (shape/ok (datum (mapv second (:value a))))))
      (mistake/bad (:path ctx)
                   {:expected (str "a record such as " (pr-str example))
                    :says (str "should be a record such as " (pr-str example) "; this one has "
                               (case (count data) 0 "no data" 1 "one datum" (str (count data) " data")))}))))

(def ^:private row-words "a record such as [\"@\" :mx 10 \"mail\"] or [\"www\" :cname \"web\"]")

(defn- row [ctx v]
  (if-not (and (sequential? v) (<= 2 (count v)))
    (shape/wrong ctx v row-words)
    (let [v      (vec v)
          last?  (map? (peek v))
          [n t & data] (if last? (pop v) v)
          name   (zone-name/owner (shape/below ctx 0) n)
          type   (type-of (shape/below ctx 1) t)
          more   (if last? (options (shape/below ctx (dec (count v))) (peek v)) (shape/ok nil))
          datum  (if (:mistakes type) type (data-of ctx t data))
          all    (mapcat :mistakes [name type (when-not (:mistakes type) datum) more])]
      (if (seq all)
        {:mistakes (vec all)}
        (shape/ok {:index (peek (:path ctx)) :name (:value name) :type t :ttl (:ttl (:value more)) :datum (:value datum)})))))

(def rows
  "A reader of :records; gives the rows."
  (shape/many row "a vector of records, such as [[\"@\" :mx 10 \"mail\"] [\"www\" :cname \"web\"]]"))

;; --- all rows together

(defn- at [path {:keys [index]} facts] (mistake/of (conj path index) facts))

(defn- same-row [path rows]
  (for [group (vals (group-by (juxt :name :type :datum) rows))
        later (rest group)]
    (at path later {:expected "a record of its own"
                    :says (str "should be a record of its own; record " (inc (:index (first group))) " is the same")})))

(defn- not-alone
  "A CNAME stands alone at its name (RFC 2181 section 10.1)."
  [path rows]
  (for [[n group] (group-by :name rows)
        :let [cname (first (filter #(= :cname (:type %)) group))
              other (first (remove #(= (:datum cname) (:datum %)) (remove #(= cname %) group)))]
        :when (and cname other)
        :let [later (if (< (:index cname) (:index other)) other cname)]]
    (at path later {:expected "a :cname alone at its name"
                    :says (str "should not stand beside a :cname, which is alone at its name; record "
                               (inc (:index (if (= later cname) other cname))) " is at " n " too")})))

(defn- of-the-domain [path rows domain]
  (for [{:keys [type] n :name :as r} rows
        :when (and (= :cname type) (= n domain))]
    (at path r {:expected "another type" :says (str domain " itself can be no :cname: its SOA and NS stand there")})))

(defn- of-the-addresses [path rows domain]
  (for [{:keys [type] n :name :as r} rows
        :when (and domain (= :cname type) (some #(zone-name/inside? (str % "." domain) n) ["wan" "lan"]))]
    (at path r {:expected "another type" :says "names in wan and lan are made of the addresses; none should be a :cname"})))

(defn- uneven-ttls
  "An RRset has one TTL (RFC 2181 section 5.2)."
  [path rows]
  (for [group (vals (group-by (juxt :name :type) rows))
        :let [stated (filter :ttl group), a (first stated)]
        b (rest stated)
        :when (not= (:ttl a) (:ttl b))]
    (at path b {:expected "one TTL" :found (:ttl b)
                :says (str "records of one name and type have one TTL; " (:ttl b) " here, " (:ttl a) " in record " (inc (:index a)))})))

(defn- to-a-cname
  "MX, SRV and NS do not point to a CNAME (RFC 2181 section 10.3)."
  [path cnames rows]
  (for [{:keys [type datum] :as r} rows
        :let [to (when (#{:mx :srv} type) (peek datum))]
        :when (cnames to)]
    (at path r {:expected "a name with addresses" :found to
                :says (str "should point to a name with addresses; " to " is a :cname")})))

(defn- circles [path cnames]
  (for [[n {:keys [datum] :as r}] cnames
        :let [way (take 32 (take-while some? (iterate #(:datum (cnames %)) datum)))]
        :when (some #{n} way)]
    (at path r {:expected "no circle" :says (str "should make no circle; " n " leads back to itself")})))

(defn- of-name-servers [path hosts rows]
  (for [{:keys [type] n :name :as r} rows
        :when (and (hosts n) (#{:a :aaaa :cname} type))]
    (at path r {:expected "left out" :says (if (= :cname type)
                                             (str n " is a name server, and has addresses; should not be a :cname")
                                             (str "the addresses of " n " stand in :ns; should be left out"))})))

(defn faults
  "The mistakes at `path` (that of :records) that only all `rows` show, of the zone `domain` with the set `hosts` of the names
  of its name servers. In the order of the rows."
  [path rows domain hosts]
  (let [cnames (into {} (map (juxt :name identity)) (reverse (filter #(= :cname (:type %)) rows)))]
    (sort-by (comp peek :mistake/path)
             (concat (same-row path rows)
                     (not-alone path rows)
                     (of-the-domain path rows domain)
                     (of-the-addresses path rows domain)
                     (uneven-ttls path rows)
                     (to-a-cname path cnames rows)
                     (circles path cnames)
                     (of-name-servers path hosts rows)))))

(defn rrsets
  "The records of `rows`, one for each name and type, sorted; those that say no TTL have `ttl` seconds."
  [rows ttl]
  (vec (for [[[n type] group] (sort-by key (group-by (juxt :name :type) rows))]
         {:rr/name n :rr/type type :rr/ttl (or (some :ttl group) ttl) :rr/data (vec (sort (distinct (map :datum group))))})))

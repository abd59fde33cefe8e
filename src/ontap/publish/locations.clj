;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.locations
  "Which client of a tinydns is of which location: the `%` lines of each dialect.

  A location is two characters, one for each view. Every client gets one, the rest of the world too:
  a server that shows what is meant for a location to clients that have none (shibari does) would
  show everything to everybody.

  stock: tinydns-data(8) of djbdns 1.05: IPv4 only, whole octets; 172.16.0.0/12 is sixteen lines.
  fefe: Felix von Leitner's IPv6 patch: IPv6 by hexadecimal digits (`%lo:sfd`), looked up from sixteen
  of them (a /64) down to one, so there is no line for all of IPv6: sixteen are.
  curve6: djbdnscurve6, as its present manual says: `%lo|address/length` for both families.

  Pure: texts from askers, a vector of [\"10.0.0.0/8\" view-number]; the longest prefix counts."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]))

(set! *warn-on-reflection* true)

(def ^:private places {0 "pr" 1 "on" 2 "fo"})

(defn place
  "The two characters of view 0, 1 or 2."
  [view]
  (places view))

(def ^:private foreign 2)

(defn- digits
  "Octets as a vector of numbers of `bits` bits: themselves for 8, halves for 4."
  [octets bits]
  (if (= 8 bits) octets (into [] (mapcat (fn [o] [(quot o 16) (rem o 16)])) octets)))

(defn- cover
  "The sequences of whole digits that together are the first `n` bits of `ds`."
  [ds bits n]
  (let [whole (quot n bits), over (rem n bits), head (subvec ds 0 whole)]
    (if (zero? over)
      [head]
      (let [size (bit-shift-left 1 (- bits over))
            from (bit-and (nth ds whole) (bit-not (dec size)))]
        (mapv #(conj head %) (range from (+ from size)))))))

(defn- longest [table ds]
  (or (some #(table (subvec ds 0 %)) (range (count ds) -1 -1)) foreign))

(defn- add
  "Puts prefix `ds`/`n` into the table of what has at most `most` digits. A finer one cannot be said: its surroundings
  become what sees less of the two, and nothing else does."
  [table {:keys [ds n view]} bits most]
  (if (<= n (* bits most))
    (reduce #(assoc %1 %2 view) table (cover ds bits n))
    (let [ds (subvec ds 0 most), old (longest table ds)]
      (cond-> table (< old view) (assoc ds view)))))

(defn- table
  "Digits -> view, of askers of one family; `start` is what counts for all others."
  [askers family bits most start]
  (->> (for [[prefix view] askers
             :let [{:keys [ip] n :prefix f :family} (address/prefixed prefix)]
             :when (= family f)]
         {:ds (digits (address/octets ip) bits) :n n :view view})
       ;; the longer ones later, over the shorter; of equals the one that sees less
       (sort-by (juxt :n :view :ds))
       (reduce #(add %1 %2 bits most) start)))

(defn- octet-table [askers] (table askers 4 8 4 {[] foreign}))
(defn- nibble-table [askers] (table askers 6 4 16 (into {} (map #(vector [%] foreign)) (range 16))))

(defn- lines [table text]
  (for [[ds view] (sort-by (fn [[ds _]] [(count ds) ds]) table)]
    (str "%" (place view) ":" (text ds))))

(defn- octet-lines [table] (lines table #(str/join "." %)))
(defn- nibble-lines [table] (lines table #(apply str "s" (map (fn [d] (Long/toHexString d)) %))))

(defn- too-fine
  "A comment for each prefix that a table of /64 cannot tell."
  [askers]
  (for [[prefix] (sort askers)
        :let [{n :prefix f :family} (address/prefixed prefix)]
        :when (and (= 6 f) (< 64 n))]
    (str "# " prefix ": tinydns knows no location smaller than a /64")))

(defn- networks
  "[prefix view] of all askers, each prefix once, shorter ones first."
  [askers]
  (->> (for [[prefix view] askers] [(address/prefixed prefix) view])
       (reduce (fn [m [k view]] (update m k (fnil max 0) view)) {})
       (sort-by (fn [[{:keys [family prefix ip]} _]] [family prefix ip]))
       (map (fn [[{:keys [ip prefix]} view]] [(address/network ip prefix) view]))))

(def ^:private halves
  ;; "all" as a manual would have it, and as two halves of each family, which no reading of a length 0 can spoil
  ["%fo" "%fo|0.0.0.0/1" "%fo|128.0.0.0/1" "%fo|::/1" "%fo|8000::/1"])

(defn locations
  "What a dialect (:stock, :fefe, :curve6) can say of askers: {:lines [text] :views #{view}}; the views are those that a
  client can be of then."
  [dialect askers]
  (case dialect
    :stock  (let [octets (octet-table askers)]
              {:lines (vec (octet-lines octets))
               :views (into #{foreign} (vals octets))})
    :fefe   (let [octets (octet-table askers), nibbles (nibble-table askers)]
              {:lines (vec (concat (too-fine askers) (octet-lines octets) (nibble-lines nibbles)))
               :views (into #{foreign} (concat (vals octets) (vals nibbles)))})
    :curve6 (let [all (networks askers)]
              {:lines (into halves (map (fn [[network view]] (str "%" (place view) "|" network))) all)
               :views (into #{foreign} (map second) all)})))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.tinydns-test
  "The lines of tinydns data, octet by octet, in each dialect: what is written here was read in
  tinydns-data.c of djbdns 1.05, of the IPv6 patch, and in the manual of djbdnscurve6. The real
  tinydns-data reads them in `ontap.publish.tinydns-answers-test`."
  (:require [clojure.string :as str]
            [clojure.test :refer [are deftest is]]
            [ontap.publish.existence :as existence]
            [ontap.publish.generated :as generated]
            [ontap.publish.locations :as locations]
            [ontap.publish.tinydns :as tinydns]))

(set! *warn-on-reflection* true)

(defn- rrset [name type & data] {:rr/name name :rr/type type :rr/ttl 60 :rr/data (vec data)})

(def ^:private soa (rrset "vanya" :soa ["ns.vanya" "hostmaster.vanya" 17 600 120 86400 10]))

(defn- lines [dialect facts] (str/split-lines (tinydns/text dialect facts)))

(defn- record-lines
  "The lines of records that are the same in all views, without the locations."
  [dialect & records]
  (remove #(str/starts-with? % "%") (lines dialect {:views (zipmap [0 1 2] (repeat records)) :askers [["10.0.0.0/8" 0]]})))

(defn- data-lines
  "The same without what keeps names above."
  [dialect & records]
  (remove #(re-find #"65534" %) (apply record-lines dialect records)))

(defn- alone [dialect record]
  (first ((if (= :none (:rr/type record)) record-lines data-lines) dialect record)))

(deftest the-lines-of-each-type
  (are [record stock fefe curve6] (= [stock fefe curve6] (map #(alone % record) [:stock :fefe :curve6]))
    (rrset "web.vanya" :a "10.0.0.1")
    "+web.vanya:10.0.0.1:60" "+web.vanya:10.0.0.1:60" "+web.vanya|10.0.0.1|60"

    (rrset "web.vanya" :aaaa "2001:db8::17")
    ":web.vanya:28:\\040\\001\\015\\270\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\027:60"
    "3web.vanya:20010db8000000000000000000000017:60"
    "~web.vanya|2001:db8::17|60"

    (rrset "1.0.0.10.in-addr.arpa" :ptr "web.vanya")
    "^1.0.0.10.in-addr.arpa:web.vanya:60" "^1.0.0.10.in-addr.arpa:web.vanya:60" "^1.0.0.10.in-addr.arpa|web.vanya|60"

    (rrset "www.vanya" :cname "web.vanya")
    "Cwww.vanya:web.vanya:60" "Cwww.vanya:web.vanya:60" "Cwww.vanya|web.vanya|60"

    (rrset "vanya" :ns "ns.vanya")
    "&vanya::ns.vanya:60" "&vanya::ns.vanya:60" "&vanya||ns.vanya|60"

    ;; a name without a dot would be completed
    (rrset "vanya" :mx [10 "mail"])
    "@vanya::mail.:10:60" "@vanya::mail.:10:60" "@vanya||mail.|10|60"

    (rrset "vanya" :mx [10 "mail.vanya"])
    "@vanya::mail.vanya:10:60" "@vanya::mail.vanya:10:60" "@vanya||mail.vanya|10|60"

    ;; RFC 7505: no mail
    (rrset "vanya" :mx [0 ""])
    "@vanya::.:0:60" "@vanya::.:0:60" "@vanya||.|0|60"

    ;; the smaller of TTL and minimum
    soa
    "Zvanya:ns.vanya:hostmaster.vanya:17:600:120:86400:10:10" "Zvanya:ns.vanya:hostmaster.vanya:17:600:120:86400:10:10"
    "Zvanya|ns.vanya|hostmaster.vanya|17|600|120|86400|10|10"

    (rrset "_a._tcp.vanya" :srv [1 256 65535 "h1.vanya"])
    ":_a._tcp.vanya:33:\\000\\001\\001\\000\\377\\377\\002\\150\\061\\005\\166\\141\\156\\171\\141\\000:60"
    ":_a._tcp.vanya:33:\\000\\001\\001\\000\\377\\377\\002\\150\\061\\005\\166\\141\\156\\171\\141\\000:60"
    "O_a._tcp.vanya|33|\\000\\001\\001\\000\\377\\377\\002\\150\\061\\005\\166\\141\\156\\171\\141\\000|60"

    ;; what people read: \DDD is \ooo here
    (rrset "_a._tcp.vanya" :ptr "Anna\\039s\\032w\\195\\188ki\\046._a._tcp.vanya")
    "^_a._tcp.vanya:Anna\\047s\\040w\\303\\274ki\\056._a._tcp.vanya:60" "^_a._tcp.vanya:Anna\\047s\\040w\\303\\274ki\\056._a._tcp.vanya:60"
    "^_a._tcp.vanya|Anna\\047s\\040w\\303\\274ki\\056._a._tcp.vanya|60"

    (rrset "\\058\\042.vanya" :srv [0 0 1 "\\046.x"])
    ":\\072\\052.vanya:33:\\000\\000\\000\\000\\000\\001\\001\\056\\001\\170\\000:60" ":\\072\\052.vanya:33:\\000\\000\\000\\000\\000\\001\\001\\056\\001\\170\\000:60"
    "O\\072\\052.vanya|33|\\000\\000\\000\\000\\000\\001\\001\\056\\001\\170\\000|60"

    ;; RFC 2782: no such service
    (rrset "_a._tcp.vanya" :srv [0 0 0 ""])
    ":_a._tcp.vanya:33:\\000\\000\\000\\000\\000\\000\\000:60" ":_a._tcp.vanya:33:\\000\\000\\000\\000\\000\\000\\000:60"
    "O_a._tcp.vanya|33|\\000\\000\\000\\000\\000\\000\\000|60"

    ;; a colon would end the field, a backslash is an escape, blanks at the end of a line go
    (rrset "t.vanya" :txt ["a:b\\c \"d\" "])
    "'t.vanya:a\\072b\\134c\\040\\042d\\042\\040:60" "'t.vanya:a\\072b\\134c\\040\\042d\\042\\040:60"
    "Ot.vanya|16|\\012\\141\\072\\142\\134\\143\\040\\042\\144\\042\\040|60"

    (rrset "t.vanya" :txt ["ü"])
    "'t.vanya:\\303\\274:60" "'t.vanya:\\303\\274:60" "Ot.vanya|16|\\002\\303\\274|60"

    ;; an empty one would have no string at all, two would become one
    (rrset "t.vanya" :txt [""])
    ":t.vanya:16:\\000:60" ":t.vanya:16:\\000:60" "Ot.vanya|16|\\000|60"
    (rrset "t.vanya" :txt ["a" "b"])
    ":t.vanya:16:\\001\\141\\001\\142:60" ":t.vanya:16:\\001\\141\\001\\142:60" "Ot.vanya|16|\\001\\141\\001\\142|60"

    (rrset "nothing.vanya" :none)
    ":nothing.vanya:65534::0" ":nothing.vanya:65534::0" "Onothing.vanya|65534||0"

    (rrset "*.w.vanya" :a "10.0.0.1")
    "+*.w.vanya:10.0.0.1:60" "+*.w.vanya:10.0.0.1:60" "+*.w.vanya|10.0.0.1|60"

    ;; whatever a name has, it stays one field of one line
    (rrset "a:b\n|c.vanya" :ptr "d:e f.vanya")
    "^a\\072b\\012\\174c.vanya:d\\072e\\040f.vanya:60" "^a\\072b\\012\\174c.vanya:d\\072e\\040f.vanya:60"
    "^a\\072b\\012\\174c.vanya|d\\072e\\040f.vanya|60"))

(deftest long-texts
  (is (= (str "'t.vanya:" (str/join (repeat 127 "x")) ":60") (alone :stock (rrset "t.vanya" :txt (vec [(str/join (repeat 127 "x"))])))))
  (is (= (str ":t.vanya:16:\\200" (str/join (repeat 128 "\\170")) ":60")
         (alone :stock (rrset "t.vanya" :txt (vec [(str/join (repeat 128 "x"))]))))
      "tinydns-data would cut it after 127."))

(deftest a-line-for-each-datum
  (is (= ["+a.vanya:10.0.0.1:60" "+a.vanya:10.0.0.2:60"] (data-lines :stock (rrset "a.vanya" :a "10.0.0.2" "10.0.0.1")))))

(deftest views-that-differ-are-located
  (let [at (fn [view & more] (into [soa (rrset "same.vanya" :a "192.0.2.1")] more))
        views {0 (at 0 (rrset "a.vanya" :a "10.0.0.1") (rrset "b.vanya" :a "192.0.2.2"))
               1 (at 1 (rrset "a.vanya" :a "192.0.2.3") (rrset "b.vanya" :a "192.0.2.2"))
               2 (at 2 (rrset "a.vanya" :none))}
        records #(remove (fn [l] (str/starts-with? l "%")) %)]
    (is (= ["+a.vanya:10.0.0.1:60::pr" "+a.vanya:192.0.2.3:60::on" "+b.vanya:192.0.2.2:60::pr" "+b.vanya:192.0.2.2:60::on"
            "+same.vanya:192.0.2.1:60" ":a.vanya:65534::0::fo"
            "Zvanya:ns.vanya:hostmaster.vanya:17:600:120:86400:10:10"]
           (records (lines :stock {:views views :askers [["10.0.0.0/8" 0] ["203.0.113.0/24" 1]]}))))
    (is (= ["+a.vanya:10.0.0.1:60::pr" "+b.vanya:192.0.2.2:60::pr" "+same.vanya:192.0.2.1:60" ":a.vanya:65534::0::fo"
            "Zvanya:ns.vanya:hostmaster.vanya:17:600:120:86400:10:10"]
           (records (lines :stock {:views views :askers [["10.0.0.0/8" 0] ["2001:db8::/64" 1]]})))
        "A view that no client of this dialect can have is not written.")
    (is (some #{"~same.vanya|fd00::1|60||on"}
              (lines :curve6 {:views (update views 1 conj (rrset "same.vanya" :aaaa "fd00::1"))
                              :askers [["2001:db8::/64" 1]]})))))

;; --- locations

(defn- located [dialect & askers] (:lines (locations/locations dialect askers)))

(deftest locations-of-stock
  (are [askers expected] (= expected (apply located :stock askers))
    []                                              ["%fo:"]
    [["10.0.0.0/8" 0]]                              ["%fo:" "%pr:10"]
    [["fd00::/8" 0]]                                ["%fo:"]
    [["192.0.2.7/32" 1] ["192.0.2.0/24" 0]]         ["%fo:" "%pr:192.0.2" "%on:192.0.2.7"]
    [["172.16.0.0/14" 0]]                           ["%fo:" "%pr:172.16" "%pr:172.17" "%pr:172.18" "%pr:172.19"]
    ;; the longer prefix counts, also where both need as many octets
    [["10.0.0.0/14" 1] ["10.2.0.0/15" 0]]           ["%fo:" "%on:10.0" "%on:10.1" "%pr:10.2" "%pr:10.3"]
    [["10.2.0.0/15" 0] ["10.0.0.0/14" 1]]           ["%fo:" "%on:10.0" "%on:10.1" "%pr:10.2" "%pr:10.3"]
    ;; of the same prefix twice, the view that sees less
    [["10.0.0.0/8" 2] ["10.0.0.0/8" 0]]             ["%fo:" "%fo:10"]
    [["0.0.0.0/0" 1]]                               ["%on:"]
    [["203.0.113.254/31" 1]]                        ["%fo:" "%on:203.0.113.254" "%on:203.0.113.255"]))

(deftest shared-address-space-is-sixty-four-lines
  (is (= (into ["%fo:"] (map #(str "%pr:100." %)) (range 64 128)) (located :stock ["100.64.0.0/10" 0]))))

(def ^:private nibbles (mapv #(str "%fo:s" (Long/toHexString %)) (range 16)))

(deftest locations-of-fefe
  (are [askers expected] (= expected (apply located :fefe askers))
    []                                         (into ["%fo:"] nibbles)
    [["10.0.0.0/8" 0] ["fd00::/8" 0]]          (-> ["%fo:" "%pr:10"] (into nibbles) (conj "%pr:sfd"))
    [["fe80::/10" 0]]                          (-> ["%fo:"] (into nibbles) (into ["%pr:sfe8" "%pr:sfe9" "%pr:sfea" "%pr:sfeb"]))
    [["2000::/3" 1]]                           (-> ["%fo:"] (into (assoc nibbles 2 "%on:s2" 3 "%on:s3")))
    [["2001:db8:0:a1::/64" 1]]                 (-> ["%fo:"] (into nibbles) (conj "%on:s20010db8000000a1"))
    ;; finer than a /64: what sees less holds for all of it, what sees more for none
    [["fd00::5/128" 0]]                        (-> ["# fd00::5/128: tinydns knows no location smaller than a /64" "%fo:"] (into nibbles))
    [["fd00::/8" 0] ["fd00::5/128" 2]]         (-> ["# fd00::5/128: tinydns knows no location smaller than a /64" "%fo:"] (into nibbles)
                                                   (into ["%pr:sfd" "%fo:sfd00000000000000"]))))

(deftest locations-of-curve6
  (is (= ["%fo" "%fo|0.0.0.0/1" "%fo|128.0.0.0/1" "%fo|::/1" "%fo|8000::/1" "%pr|10.0.0.0/8" "%on|203.0.113.0/25"
          "%pr|fd00::/8" "%fo|fd00::5/128"]
         (located :curve6 ["fd00::/8" 0] ["203.0.113.0/25" 1] ["10.0.0.0/8" 0] ["fd00::5/128" 2]))))

(defn- stock-view
  "The view of an IPv4 client by the lines, as tdlookup.c finds it: the longest of four to no octets."
  [lines ip]
  (let [table (into {} (map #(let [[_ lo prefix] (re-matches #"%(..):(.*)" %)] [prefix lo])) lines)
        octets (str/split ip #"\.")]
    (some #(table (str/join "." (take % octets))) [4 3 2 1 0])))

(defn- prefix-view
  "The same by the prefixes themselves: the longest that holds the client."
  [askers ip]
  (let [number (fn [ip] (reduce #(+ (* 256 %1) (parse-long %2)) 0 (str/split ip #"\.")))
        holding (for [[prefix view] askers
                      :let [[a n] (str/split prefix #"/"), shift (- 32 (parse-long n))]
                      :when (= (bit-shift-right (number a) shift) (bit-shift-right (number ip) shift))]
                  [(parse-long n) view])]
    (locations/place (if (seq holding) (second (last (sort holding))) 2))))

(deftest every-client-is-where-its-prefix-says
  (let [seed (System/nanoTime), r (java.util.Random. seed)
        ip (fn [] (str/join "." (repeatedly 4 #(let [n (.nextInt r 12)] (nth [0 1 2 10 10 11 64 127 128 172 254 255] n)))))]
    (dotimes [_ 40]
      (let [askers (vec (repeatedly (.nextInt r 8) #(vector (str (ip) "/" (.nextInt r 33)) (.nextInt r 3))))
            lines (apply located :stock askers)]
        (dotimes [_ 40]
          (let [client (ip)]
            (is (= (prefix-view askers client) (stock-view lines client)) (str "seed " seed ", " client " of " askers))))))))

;; --- names without data

(deftest names-that-exist-without-data
  (let [zone [soa (rrset "vanya" :ns "ns.vanya")]
        of (fn [& records] (set (existence/empty-names (into zone records))))]
    (are [records expected] (= expected (apply of records))
      []                                                         #{}
      [(rrset "a.vanya" :a "10.0.0.1")]                          #{}
      [(rrset "a.vanya" :none)]                                  #{"a.vanya"}
      [(rrset "a.wan.vanya" :a "10.0.0.1")]                      #{"wan.vanya"}
      [(rrset "a.b.c.vanya" :a "10.0.0.1") (rrset "c.vanya" :txt ["x"])] #{"b.c.vanya"}
      [(rrset "*.w.vanya" :a "10.0.0.1")]                        #{"w.vanya"}
      ;; below a name that exists, a wildcard above it says nothing
      [(rrset "*.vanya" :a "10.0.0.1") (rrset "a.vanya" :a "10.0.0.2")] #{"*.a.vanya"}
      [(rrset "*.vanya" :a "10.0.0.1") (rrset "b.a.vanya" :a "10.0.0.2")] #{"a.vanya" "*.a.vanya" "*.b.a.vanya"}
      [(rrset "*.vanya" :a "10.0.0.1") (rrset "*.a.vanya" :a "10.0.0.2")] #{"a.vanya"})))

(deftest equal-facts-give-equal-texts
  (let [facts (generated/facts 5 30)
        shuffled (update facts :views update-vals shuffle)]
    (doseq [dialect [:stock :fefe :curve6]]
      (is (= (tinydns/text dialect facts) (tinydns/text dialect (update shuffled :askers shuffle)))))))

(deftest nothing-private-is-for-everybody
  (let [facts (generated/facts 6 80)]
    (doseq [dialect [:stock :fefe :curve6]
            line (lines dialect facts)
            :when (and (re-find #"^[+^3~:O]" line) (not (re-find #"(?:pr|on)$" line)))]
      (is (not (re-find #"(?:^\+[^:|]*[:|](?:10\.1\.|100\.64\.|169\.254\.))|\\375\\000\\000\\000\\000\\000\\000\\007|^3[^:]*:f[de]|^~[^|]*\|f[de]|\.lan\.|\.local" line))
          line))))

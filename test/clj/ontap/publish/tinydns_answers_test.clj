;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.tinydns-answers-test
  "What the real tinydns answers out of our data, read by the real tinydns-data, for each kind of
  client: what our own server answers out of the same records, and what the RFCs say. dig is the
  witness."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is]]
            [ontap.harness.lan :as lan]
            [ontap.harness.netns :as netns]
            [ontap.harness.tinydns :as server]
            [ontap.publish.dns :as dns]
            [ontap.publish.generated :as generated]
            [ontap.publish.tinydns :as tinydns]
            [ontap.testing :as testing])
  (:import (java.util.function Consumer Supplier)
           (ontap.dns Catalog Responder Responder$Options Snapshot UdpServer)
           (ontap.sys InetSockets)))

(set! *warn-on-reflection* true)

(def ^:private clients
  "An address of a client, its view, and which part of the queries it makes."
  {"10.77.0.9" [0 1], "203.0.113.200" [1 1], "198.51.100.200" [2 1], "10.99.127.9" [2 10]})

(def ^:private tinydns-address "10.77.0.53")
(def ^:private our-address "10.77.0.54")

(def ^:private wiki "Anna's wüki.: (2)" "anna\\039s\\032w\\195\\188ki\\046\\058\\032\\0402\\041")

(def ^:private around
  "What else to ask: each type, and names near those that are there."
  [["vanya" "SOA"] ["vanya" "NS"] ["vanya" "MX"] ["vanya" "TXT"] ["vanya" "A"] ["umlaut.vanya" "TXT"] ["empty.vanya" "TXT"]
   ["www.vanya" "CNAME"] ["www.vanya" "A"] ["_http._tcp.h1.vanya" "SRV"] ["_tcp.h1.vanya" "SRV"] ["wan.vanya" "A"] ["lan.vanya" "A"]
   ["down.below.vanya" "A"] ["below.vanya" "TXT"] ["up.deep.down.below.vanya" "A"]
   ["_http._tcp.vanya" "PTR"] ["_printer._sub._http._tcp.vanya" "PTR"] ["_sub._http._tcp.vanya" "PTR"] ["_services._dns-sd._udp.vanya" "PTR"]
   [(str wiki "._http._tcp.vanya") "SRV"] [(str wiki "._http._tcp.vanya") "TXT"] [(str wiki "._http._tcp.vanya") "A"]
   ["h1._http._tcp.vanya" "TXT"] ["b._dns-sd._udp.vanya" "PTR"]
   ["\\092\\034\\064\\000._x._udp.vanya" "TXT"] ["\\000._x._udp.vanya" "TXT"] ["_udp.vanya" "A"]
   ["nobody.vanya" "A"] ["nobody.lan.vanya" "AAAA"] ["h1.nobody.vanya" "TXT"] ["a.wild.vanya" "A"] ["b.a.wild.vanya" "TXT"]
   ["wild.vanya" "A"] ["real.wild.vanya" "A"] ["c.wild.vanya" "MX"]])

(defn- queries
  "Each NAME.DOMAIN by both families, a part of what is below DOMAIN and of the reverse zones, what is above and below those,
  and `around`."
  [facts]
  (let [names (into #{} (comp (mapcat #(map :rr/name %)) (remove #(str/starts-with? % "*"))) (vals (:views facts)))
        {reverse true, forward false} (group-by #(str/ends-with? % ".arpa") names)
        {own true, below false} (group-by #(boolean (re-matches #"h\d+\.vanya" %)) forward)
        some-reverse (take-nth 5 (sort reverse))]
    (-> (into #{} (mapcat #(vector [% "A"] [% "AAAA"])) own)
        (into (map #(vector % (if (even? (hash %)) "A" "AAAA"))) (take-nth 2 (sort below)))
        (into (map #(vector % "PTR")) some-reverse)
        (into (mapcat #(vector [(str/replace % #"^[^.]+\." "") "PTR"] [(str "x." %) "PTR"])) (take-nth 31 some-reverse))
        (into around))))

(defn- above [name] (take-while some? (iterate #(second (str/split % #"\." 2)) name)))

;; --- what the records say, by the RFCs

(defn- as-dig
  "The data of a record as dig writes them."
  [type d]
  (let [absolute #(str % ".")
        quoted (fn [s] (str \" (apply str (map #(let [c (bit-and 0xff %)]
                                                 (cond (contains? #{34 92} c) (str "\\" (char c))
                                                       (<= 32 c 126) (char c)
                                                       :else (format "\\%03d" c)))
                                              (.getBytes ^String s "UTF-8"))) \"))]
    (case type
      (:a :aaaa) d
      (:ptr :ns :cname) (absolute d)
      :mx (str (first d) " " (absolute (second d)))
      :txt (str/join " " (map quoted d))
      :srv (str (str/join " " (butlast d)) " " (absolute (last d)))
      :soa (let [[m r & more] d] (str/join " " (concat [(absolute m) (absolute r)] more))))))

(defn- knowledge
  "Of the records of a view: {:sets {[name type] rrset} :nodes #{name} :apexes {name soa}}."
  [records]
  {:sets   (into {} (map (juxt #(vector (:rr/name %) (:rr/type %)) identity)) records)
   :nodes  (into #{} (mapcat #(above (:rr/name %))) records)
   :apexes (into {} (keep #(when (= :soa (:rr/type %)) [(:rr/name %) %])) records)})

(defn- rrs [owner {:rr/keys [type ttl data]}]
  (into #{} (map #(vector owner ttl (str/upper-case (name type)) (as-dig type %))) data))

(defn- by-rfc
  "The answer to [name type] (RFC 1034 section 4.3.2, RFC 4592): {:rcode :answer #{} :authority #{}}, nil out of all zones."
  [{:keys [sets nodes apexes]} [name type]]
  (when-let [apex (some apexes (above name))]
    (let [encloser (some nodes (above name))
          source   (if (= encloser name) name (str "*." encloser))
          there?   (or (= encloser name) (contains? nodes source))
          found    (some #(sets [source %]) [(keyword (str/lower-case type)) :cname])
          negative (update apex :rr/ttl min (last (first (:rr/data apex))))]
      {:rcode     (if there? "NOERROR" "NXDOMAIN")
       :answer    (if found (rrs name found) #{})
       :authority (if found #{} (rrs (:rr/name apex) negative))})))

(defn- in-our-way
  "The replies of `server/ask`, names in them as ours are written."
  [replies]
  (let [record (fn [[name ttl type data]]
                 [(generated/our-way name) ttl type (case type
                                            "PTR" (generated/our-way data)
                                            "SRV" (str/replace data #"\S+$" generated/our-way)
                                            data)])]
    (into {} (for [[[name type] reply] replies]
               [[(generated/our-way name) type] (-> reply (update :answer #(mapv record %)) (update :authority #(mapv record %)))]))))

(defn- comparable
  "Of an answer, what is the same of both: the one of ours follows aliases, that of tinydns does not, has no TTL of its own
  for its SOA, and names the servers of the zone with each answer."
  [[name type] {:keys [rcode answer authority]}]
  (let [answer (into #{} (filter #(= name (first %))) answer)]
    {:rcode rcode
     :answer (if (= "SOA" type) (into #{} (map #(assoc % 1 10)) answer) answer)
     :authority (if (seq answer) #{} (set authority))}))

;; --- the test

(defn- serve
  "Our own server of `facts`, where the calling thread is."
  ^UdpServer [{:keys [views askers]}]
  (let [snapshot (dns/after (Snapshot. (Catalog/empty) (dns/askers []))
                            (dns/changes (update-vals views (fn [records] {:put records :gone []})))
                            askers)]
    (UdpServer/start [(InetSockets/udp (InetSockets/endpoint our-address 53))]
                     (Responder. (reify Supplier (get [_] snapshot)) (Responder$Options. nil))
                     (reify Consumer (accept [_ t] (println t))))))

(defn- with-servers
  "Calls `f` with a network namespace where both serve `facts`, and which has the addresses of the clients."
  [facts f]
  (server/needs!)
  (server/needs-dig!)
  (netns/with-netns [ns]
    (testing/with-temp-dir [dir]
      (netns/ip ns "link" "set" "lo" "up")
      (doseq [ip (into [tinydns-address our-address] (keys clients))] (netns/ip ns "addr" "add" (str ip "/32") "dev" "lo"))
      (is (= "" (server/compile! dir (tinydns/text :stock facts))))
      (let [tinydns (netns/in ns #(server/start! dir tinydns-address))]
        (try
          (with-open [_ ^UdpServer (netns/in ns #(serve facts))] (f ns))
          (finally (lan/end! tinydns "TERM")))))))

(deftest ^{:jdk :floor :timeout 180} a-thousand-names
  (let [seed  (System/nanoTime)
        facts (generated/facts seed 1000)
        all   (queries facts)]
    (with-servers facts
      (fn [ns]
        (doseq [[client [view part]] clients
                :let [known   (knowledge (get-in facts [:views view]))
                      ;; out of all zones tinydns says nothing
                      asked   (filterv #(by-rfc known %) (take-nth part all))
                      ask     (fn [server] (in-our-way (netns/in ns #(server/ask server client asked))))
                      tinydns (ask tinydns-address), ours (ask our-address)
                      both    (for [q asked
                                    :let [a (comparable q (tinydns q)), b (comparable q (ours q)), c (comparable q (by-rfc known q))]
                                    :when (not (= a b c))]
                                {:query q :tinydns a :ours b :rfc c})]]
          (is (< (quot 2500 part) (count asked)))
          (is (empty? (take 3 both)) (str (count both) " of " (count asked) " differ for " client ", seed " seed)))
        (is (= [{:rcode "NOERROR" :answer #{}} {:rcode "NXDOMAIN" :answer #{}}]
               (for [server [tinydns-address our-address]
                     :let [q ["below.real.wild.vanya" "A"]]]
                 (dissoc (comparable q (get (netns/in ns #(server/ask server "10.77.0.9" [q])) q)) :authority)))
            "The difference that tinydns cannot be talked out of: below a name that exists, under a wildcard.")))))

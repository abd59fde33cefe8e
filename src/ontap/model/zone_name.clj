;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.zone-name
  "Names as the :zone of a file writes them: the domain, names in it and beyond it, mailboxes. Pure readers (see
  `ontap.model.shape`).

  As in a master file (RFC 1035 section 5.1) a name is relative to the domain, \"@\" is the domain itself, and a dot at the
  end makes a name absolute. Inside, all names are absolute, in lower case, without that dot. The readers know the domain
  from :domain of their environment; it is nil while the domain is not known, and then every name is taken to be in it."
  (:require [clojure.string :as str]
            [ontap.model.address :as address]
            [ontap.model.mistake :as mistake]
            [ontap.model.network :as network]
            [ontap.model.shape :as shape]))

(set! *warn-on-reflection* true)

(def ^:private longest
  "The most characters of a name: 255 bytes on the wire (RFC 1035 section 3.1)."
  253)

(def ^:private longest-domain
  "A service's SRV record, a label before the domain, and the labels wan or lan have to find room in a name."
  160)

(defn inside?
  "Is the absolute `name` the domain or in it? True while there is no domain."
  [domain ^String name]
  (or (nil? domain) (= name domain) (str/ends-with? name (str "." domain))))

(defn- label? [^String s] (boolean (re-matches #"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?" s)))

(defn- labels? [s] (and (<= 1 (count s) longest) (every? label? (shape/words s #"\."))))

(defn absolute
  "The absolute name of a text as a person writes it, or nil when it is none. A `wildcard?` may begin with \"*.\" or be \"*\"."
  ([domain v] (absolute domain v false))
  ([domain v wildcard?]
   (when (shape/text? v)
     (let [s     (str/lower-case v)
           whole (cond (= "@" s) (or domain "domain")
                       (str/ends-with? s ".") (subs s 0 (dec (count s)))
                       :else (str s "." (or domain "domain")))
           fixed (if (and wildcard? (str/starts-with? whole "*.")) (subs whole 2) whole)]
       (when (and (labels? fixed) (<= (count whole) longest)) whole)))))

;; --- the domain

(def domain-words "What a domain should be." "a domain such as \"vanya\" or \"home.example.org\"")

(defn- domain-labels? [s] (every? network/label? (shape/words s #"\.")))

(defn- taken
  "Why nobody but somebody else answers for the domain `s`, or nil."
  [s]
  (let [in? #(inside? % s)]
    (cond (in? "local") "local is for mDNS (RFC 6762), and has NAME.local of its own accord"
          (in? "localhost") "localhost is every machine's own (RFC 6761)"
          (some in? ["in-addr.arpa" "ip6.arpa"]) "reverse zones are made of the addresses")))

(defn domain
  "A reader of :domain."
  [ctx v]
  (let [near (when (shape/text? v) (-> v str/lower-case (str/replace #"\.+$" "")))]
    (cond
      ;; an address is made of labels too
      (and (shape/text? v) (domain-labels? v) (not (address/family v)))
      (let [why (taken v)]
        (cond why (shape/wrong ctx v domain-words {:says (str "should be another domain; " why)})
              (< longest-domain (count v))
              (shape/wrong ctx v domain-words
                           {:says (str "should have at most " longest-domain " characters, so that names find room; has " (count v))})
              :else (shape/ok v)))
      :else (shape/wrong ctx v domain-words {:nearest (when (and near (not= near v) (domain-labels? near)) (pr-str near))}))))

;; --- names in it and beyond

(defn- forgotten-dot
  "The nearest name of one that has the domain's name in it, and no dot at its end: it would be NAME.DOMAIN.DOMAIN."
  [domain v]
  (when (and domain (string? v) (not (str/ends-with? v ".")) (inside? domain (str/lower-case v)))
    (str v ".")))

(defn- name-in [ctx v {:keys [wildcard? words]}]
  (let [domain (-> ctx :env :domain), name (absolute domain v wildcard?), dotted (forgotten-dot domain v)]
    (cond
      dotted
      (shape/wrong ctx v words
                   {:nearest (pr-str dotted)
                    :says (str "would be " (mistake/shown (str v "." domain)) " without a dot at its end; did you mean " (pr-str dotted) "?")})
      (and (string? v) (address/family v))
      (shape/wrong ctx v words {:says (str "should be a name; " (mistake/shown v) " is an address, and belongs in a record of its own")})
      name (shape/ok name)
      :else (shape/wrong ctx v words))))

(def ^:private owner-words "a name such as \"www\", \"_sip._udp\", \"*\" or \"@\" (the domain itself), with a dot at its end if it is absolute")
(def ^:private target-words "a name such as \"mail\", or \"mail.example.org.\" with a dot at its end")

(defn owner
  "A reader of the name of a record: in the domain, may begin with a wildcard."
  [ctx v]
  (let [a (name-in ctx v {:wildcard? true :words owner-words}), domain (-> ctx :env :domain)]
    (if (or (:mistakes a) (inside? domain (:value a)))
      a
      (shape/wrong ctx v owner-words {:says (str "should be a name in " domain "; " (mistake/shown v) " is beyond it")}))))

(defn target "A reader of a name that a record points to." [ctx v] (name-in ctx v {:words target-words}))

(defn host
  "A reader of the name of a name server: a host name below the domain, but not below its wan and lan, or beyond it."
  [ctx v]
  (let [domain (-> ctx :env :domain)
        words  "the name of a host, such as \"ns1\", or \"ns.example.org.\" with a dot at its end"
        {:keys [value mistakes] :as a} (name-in ctx v {:words words})]
    (cond mistakes a
          (not (domain-labels? value)) (shape/wrong ctx v words)
          (nil? domain) a
          (= domain value) (shape/wrong ctx v words {:says "should be a name below the domain, such as \"ns1\""})
          (some #(inside? (str % "." domain) value) ["wan" "lan"])
          (shape/wrong ctx v words {:says "should not be below wan or lan, whose names are made of the addresses"})
          :else a)))

(defn contact
  "A reader of :contact, a mail address; gives it as a name (RFC 1035 section 3.3.13)."
  [ctx v]
  (let [words "a mail address such as \"hostmaster@example.org\", with a to z, 0 to 9, - and _ before the @"
        s     (when (shape/text? v) (str/lower-case v))
        named (some-> s (str/replace-first "@" "."))]
    (if (and s (re-matches #"[^@.]+@[^@]+" s) (labels? named))
      (shape/ok named)
      (shape/wrong ctx v words
                   {:nearest (when (and s (not (str/includes? s "@")) (labels? s) (str/includes? s "."))
                               (pr-str (str/replace-first s "." "@")))}))))

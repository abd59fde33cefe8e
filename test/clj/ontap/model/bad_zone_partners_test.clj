;; SPDX-License-Identifier: Apache-2.0
(ns ontap.model.bad-zone-partners-test
  "The table of bad zones, as to whom they are shared with: views, keys, other name servers, files; and that no mistake shows
  a secret."
  (:require [clojure.string :as str]
            [clojure.test :refer [deftest is testing]]
            [ontap.model.bad-zone-test :as bad-zone :refer [zone]]
            [ontap.model.check :as check]
            [ontap.model.text :as text]
            [ontap.model.zone :as model-zone]))

(def ^:private table
  "[form line ...]"
  [;; who asks
   [(zone :views [["10.8.0.0/16" :private]])
    "ontap.edn: :zone :views: should be a map from prefixes to views, such as {\"10.8.0.0/16\" :private}, is [[\"10.8.0.0/16\" :private]]"]
   [(zone :views {"10.8.0.0" :private})
    "ontap.edn: :zone :views \"10.8.0.0\": should be a prefix such as \"10.8.0.0/16\" or \"fd00:8::/32\", is \"10.8.0.0\"; did you mean \"10.8.0.0/32\"?"]
   [(zone :views {"10.8.0.1/16" :private})
    "ontap.edn: :zone :views \"10.8.0.1/16\": should be a prefix such as \"10.8.0.0/16\" or \"fd00:8::/32\", is \"10.8.0.1/16\"; did you mean \"10.8.0.0/16\"?"]
   [(zone :views {"fd00::/129" :private})
    "ontap.edn: :zone :views \"fd00::/129\": should be a prefix such as \"10.8.0.0/16\" or \"fd00:8::/32\", is \"fd00::/129\""]
   [(zone :views {"::ffff:10.0.0.0/104" :private})
    "ontap.edn: :zone :views \"::ffff:10.0.0.0/104\": \"::ffff:10.0.0.0/104\" is of IPv4, written as IPv6"]
   [(zone :views {"10.8.0.0/16" :privat})
    "ontap.edn: :zone :views \"10.8.0.0/16\": should be :private, :on-link or :foreign, is :privat; did you mean :private?"]
   [(zone :views {"10.8.0.0/16" "private"})
    "ontap.edn: :zone :views \"10.8.0.0/16\": should be :private, :on-link or :foreign, is \"private\"; did you mean :private?"]
   [(zone :views {"fd00::/8" :private "FD00::/8" :foreign})
    "ontap.edn: :zone :views: should be a map that names each prefix once, is {\"fd00::/8\" :private, \"FD00::/8\" :foreign}"]
   ;; keys: no line shows a secret
   [(zone :keys {:secret "AAAAAAAAAAAAAAAAAAAAAA=="})
    "ontap.edn: :zone :keys :secret: should be the name of a key, such as \"xfer\", is :secret; did you mean \"secret\"?"]
   [(zone :keys ["xfer" "AAAAAAAAAAAAAAAAAAAAAA=="])
    "ontap.edn: :zone :keys: should be a map of keys, such as {\"xfer\" {:file \"/etc/ontap/xfer.key\"}}"]
   [(zone :keys {"xfer" "AAAAAAAAAAAAAAAAAAAAAA=="})
    "ontap.edn: :zone :keys \"xfer\": should be a key (a map), {:secret \"…\"} or {:file \"/etc/ontap/xfer.key\"}, and perhaps :algorithm"]
   [(zone :keys {"Xfer" {:secret "AAAAAAAAAAAAAAAAAAAAAA=="}})
    "ontap.edn: :zone :keys \"Xfer\": should be the name of a key, such as \"xfer\", is \"Xfer\"; did you mean \"xfer\"?"]
   [(zone :keys {"xfer" {}})
    "ontap.edn: :zone :keys \"xfer\": should have a :secret, or a :file that has it"]
   [(zone :keys {"xfer" {:secret "AAAAAAAAAAAAAAAAAAAAAA==" :file "/k"}})
    "ontap.edn: :zone :keys \"xfer\": should have :secret or :file, not both"]
   [(zone :keys {"xfer" {:secret "AAAAAAAAAAAAAAAAAAAAAA"}})
    "ontap.edn: :zone :keys \"xfer\" :secret: should be base64 of at least 16 bytes, such as `openssl rand -base64 32` prints"]
   [(zone :keys {"xfer" {:secret "AAAAAAAAAAAAAAAAAAAA"}})
    "ontap.edn: :zone :keys \"xfer\" :secret: should be base64 of at least 16 bytes; this is of 15 bytes"]
   [(zone :keys {"xfer" {:file "xfer.key"}})
    "ontap.edn: :zone :keys \"xfer\" :file: should be an absolute path, is \"xfer.key\""]
   [(zone :keys {"xfer" {:sercet "AAAAAAAAAAAAAAAAAAAAAA=="}})
    "ontap.edn: :zone :keys \"xfer\" :sercet: unknown key; did you mean :secret?"]
   [(zone :keys {"xfer" {:algorithm :hmac-md5 :file "/k"}})
    "ontap.edn: :zone :keys \"xfer\" :algorithm: should be :hmac-sha256, :hmac-sha224, :hmac-sha384 or :hmac-sha512, is :hmac-md5"]
   [(zone :keys {"xfer" {:algorithm "hmac-sha256" :file "/k"}})
    "ontap.edn: :zone :keys \"xfer\" :algorithm: should be :hmac-sha256, :hmac-sha224, :hmac-sha384 or :hmac-sha512, is \"hmac-sha256\"; did you mean :hmac-sha256?"]
   ;; who is given the zone
   [(zone :transfer {:to "10.0.0.2"})
    "ontap.edn: :zone :transfer: should be a vector of transfers, such as [{:to \"10.0.0.2\" :key \"xfer\" :view :private}], is {:to \"10.0.0.2\"}"]
   [(zone :transfer ["10.0.0.2"])
    "ontap.edn: :zone :transfer[0]: should be a transfer (a map) such as {:to \"10.0.0.2\" :key \"xfer\" :view :private}, is \"10.0.0.2\""]
   [(zone :transfer [{:view :private}])
    "ontap.edn: :zone :transfer[0]: should say who may have the zone, by :to or :key, or both"]
   [(zone :transfer [{:to "10.0.0.2:53"}])
    "ontap.edn: :zone :transfer[0] :to: should be an address or a prefix, such as \"10.0.0.2\" or \"fd00::/64\", is \"10.0.0.2:53\""]
   [(zone :transfer [{:to "10.0.0.2/24"}])
    "ontap.edn: :zone :transfer[0] :to: should be an address or a prefix, such as \"10.0.0.2\" or \"fd00::/64\", is \"10.0.0.2/24\"; did you mean \"10.0.0.0/24\"?"]
   [(zone :keys {"xfer" {:file "/k"}} :transfer [{:key "xfre"}])
    "ontap.edn: :zone :transfer[0] :key: should be the name of a key in :keys; there is no \"xfre\"; did you mean \"xfer\"?"]
   [(zone :transfer [{:key :xfer}])
    "ontap.edn: :zone :transfer[0] :key: should be the name of a key in :keys; there is no :xfer"]
   [(zone :transfer [{:to "10.0.0.2" :view :all}])
    "ontap.edn: :zone :transfer[0] :view: should be :private, :on-link or :foreign, is :all"]
   [(zone :transfer [{:to "10.0.0.2"} {:to "10.0.0.2/32" :view :private}])
    "ontap.edn: :zone :transfer[1]: should allow somebody else; transfer 1 is for the same"]
   [(zone :notify "10.0.0.2")
    "ontap.edn: :zone :notify: should be a vector of addresses, such as [\"10.0.0.2\" {:to \"[fd00::2]:53\" :key \"xfer\"}], is \"10.0.0.2\""]
   [(zone :notify [2])
    "ontap.edn: :zone :notify[0]: should be an address such as \"10.0.0.2\", or a map such as {:to \"10.0.0.2:53\" :key \"xfer\" :view :private}, is 2"]
   [(zone :notify ["ns2"])
    "ontap.edn: :zone :notify[0]: should be an address such as \"10.0.0.2\", \"10.0.0.2:5353\" or \"[fd00::2]:53\", is \"ns2\""]
   [(zone :notify ["fd00::2"])
    "ontap.edn: :zone :notify[0]: should be an address such as \"10.0.0.2\", \"10.0.0.2:5353\" or \"[fd00::2]:53\", is \"fd00::2\"; did you mean \"[fd00::2]:53\"?"]
   [(zone :notify ["0.0.0.0"])
    "ontap.edn: :zone :notify[0]: \"0.0.0.0\" is no address of anybody"]
   [(zone :notify [{:key "xfer"}])
    "ontap.edn: :zone :notify[0] :to: is missing; should be an address"
    "ontap.edn: :zone :notify[0] :key: should be the name of a key in :keys; there is no \"xfer\""]
   [(zone :notify [{:to "10.0.0.2" :port 53}])
    "ontap.edn: :zone :notify[0] :port: unknown key; the keys of a notification are :to, :key and :view"]
   [(zone :notify [{:to "10.0.0.2" :key "xfer"}])
    "ontap.edn: :zone :notify[0] :key: should be the name of a key in :keys; there is no \"xfer\""]
   [(zone :notify ["10.0.0.2" {:to "10.0.0.2:53" :view :foreign}])
    "ontap.edn: :zone :notify[1]: should be told to somebody else; notification 1 is for the same"]
   ;; files
   [(zone :publish {:format :tinydns :file "/data"})
    "ontap.edn: :zone :publish: should be a vector of files, such as [{:format :tinydns :file \"/service/tinydns/root/data\"}], is {:format :tinydns, :file \"/data\"}"]
   [(zone :publish ["/data"])
    "ontap.edn: :zone :publish[0]: should be a file to publish (a map) such as {:format :tinydns :file \"/service/tinydns/root/data\" :command [\"tinydns-data\"]}, is \"/data\""]
   [(zone :publish [{:format :tinydsn :file "/data"}])
    "ontap.edn: :zone :publish[0] :format: should be :tinydns, :hosts, :zone, :edn or :json, is :tinydsn; did you mean :tinydns?"]
   [(zone :publish [{:file "/data"}])
    "ontap.edn: :zone :publish[0] :format: is missing; should be :tinydns, :hosts, :zone, :edn or :json"]
   [(zone :publish [{:format :tinydns}])
    "ontap.edn: :zone :publish[0] :file: is missing; should be an absolute path"]
   [(zone :publish [{:format :tinydns :file "data"}])
    "ontap.edn: :zone :publish[0] :file: should be an absolute path, is \"data\""]
   [(zone :publish [{:format :hosts :file "/etc/"}])
    "ontap.edn: :zone :publish[0] :file: should be a file; only for :format :zone it can be a folder, with a file for each zone"]
   [(zone :publish [{:format :tinydns :file "/data" :dialect :djbdns}])
    "ontap.edn: :zone :publish[0] :dialect: should be :stock, :fefe or :curve6, is :djbdns"]
   [(zone :publish [{:format :hosts :file "/hosts" :dialect :stock}])
    "ontap.edn: :zone :publish[0] :dialect: is about :format :tinydns; should be left out"]
   [(zone :publish [{:format :tinydns :file "/data" :view :private}])
    "ontap.edn: :zone :publish[0] :view: tinydns data has all views; should be left out"]
   [(zone :publish [{:format :hosts :file "/hosts" :view :lan}])
    "ontap.edn: :zone :publish[0] :view: should be :private, :on-link or :foreign, is :lan"]
   [(zone :publish [{:format :tinydns :file "/data" :command "tinydns-data"}])
    "ontap.edn: :zone :publish[0] :command: should be a vector of texts such as [\"tinydns-data\"], is \"tinydns-data\"; did you mean [\"tinydns-data\"]?"]
   [(zone :publish [{:format :tinydns :file "/data" :command []}])
    "ontap.edn: :zone :publish[0] :command: should be a vector of texts such as [\"tinydns-data\"], is []"]
   [(zone :publish [{:format :tinydns :file "/data" :command ["" "x"]}])
    "ontap.edn: :zone :publish[0] :command[0]: should be the program, a name or a path, is \"\""]
   [(zone :publish [{:format :hosts :file "/f"} {:format :json :file "/f"}])
    "ontap.edn: :zone :publish[1] :file: should be a file of its own; \"/f\" is file 1 already"]])

(deftest every-bad-partner-has-its-words
  (bad-zone/each-has-its-words table))

(deftest no-mistake-shows-a-secret
  (let [secret "c2VjcmV0c2VjcmV0c2VjcmV0"]
    (doseq [form [{:zone secret}
                  {:zone [{:domain "vanya" :keys {"xfer" {:secret secret}}}]}
                  (zone :keys secret)
                  (zone :keys [secret])
                  (zone :keys {"xfer" secret})
                  (zone :keys {"xfer" [secret]})
                  (zone :keys {"xfer" {:sercet secret}})
                  (zone :keys {"xfer" {:secret secret :file "/k"}})
                  (zone :keys {"xfer" {:secret [secret]}})
                  (zone :keys {"xfer" {:secret (str secret "=")}})
                  (zone :keys {"xfer" {:secret secret :algorithm :md5}})
                  (zone :keys {"XFER" {:secret secret}})
                  (zone :kyes {"xfer" {:secret secret}})]
            :let [{:keys [mistakes]} (check/check form {:read-zone model-zone/reader})]]
      (testing (pr-str form)
        (is (seq mistakes))
        (is (not (str/includes? (text/edn (map #(update % :mistake/found pr-str) mistakes)) "c2VjcmV0"))
            "Neither its words nor its data hold the secret.")))))

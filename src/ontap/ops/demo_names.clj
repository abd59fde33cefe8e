;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.demo-names
  "What the zone of the demonstration tells of its services, to the LAN and to others."
  (:require [clojure.string :as str]
            [ontap.ops.demo-file :as file]
            [ontap.ops.demo-lan :as lan]
            [ontap.ops.demo-up :as up]
            [ontap.ops.status :as status])
  (:import (ontap.sys SysException)))

(set! *warn-on-reflection* true)

(defn of
  "The name of a service; \"wan\" or \"lan\" is a part of it."
  ([service] (str service "." file/domain))
  ([service part] (str service "." part "." file/domain)))

(defn- ask [place asker name]
  (try (lan/addresses-of place asker name)
       (catch SysException e
         (throw (up/failure (str "unable to ask for " name ": " (ex-message e)))))
       (catch clojure.lang.ExceptionInfo e
         (throw (up/failure (str "unable to ask for " name ": " (ex-message e)))))))

(def ^:private limit-s "For a name, once its service is ready and the zone serves." 15)

(defn await-addresses!
  "Blocks until the LAN is told addresses of `name` that are `good?` (default: any), asking again and again.
  The addresses. Throws a `failure` after a while, and whenever `ontap.ops.demo-up/await!` does."
  ([given name] (await-addresses! given name seq))
  ([{:keys [watch place say]} name good?]
   (up/await! watch say (str name " to have the addresses of its service") limit-s
              #(let [addresses (ask place :lan name)]
                 (when (good? addresses) addresses)))))

(defn- in-words [addresses]
  (cond (nil? addresses)   "no such name"
        (empty? addresses) "no address"
        :else              (str/join " " addresses)))

(defn- heading [who asker] (str who ", " (get-in lan/askers [asker :from])))

(defn await-zone!
  "Blocks until the zone serves."
  [{:keys [watch say]}]
  (up/await-line! watch say "the zone" #"^ontap: serves " #"^ontap: error: (?:the zone ended|unable to start the zone)"))

(defn await-all!
  "Blocks until the zone, which serves, has the names of all services, which are ready."
  [given]
  (await-addresses! given (of "db") #(= 2 (count %)))
  ;; of each prefix that the router advertises
  (await-addresses! given (of "wiki" "lan"))
  (await-addresses! given (of "wiki" "wan")))

(defn table
  "Lines: names, and what two who ask are told of them. Blocks."
  [place]
  (status/lines [["NAME" :name]
                 [(heading "ASKED FROM THE LAN" :lan) #(in-words (ask place :lan (:name %)))]
                 [(heading "ASKED FROM THE INTERNET" :internet) #(in-words (ask place :internet (:name %)))]]
                (map #(array-map :name %) [(of "wiki") (of "wiki" "lan") (of "wiki" "wan") (of "db")])))

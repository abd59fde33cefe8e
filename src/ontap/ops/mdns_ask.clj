;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.mdns-ask
  "`ontap resolve` and `ontap browse`: asks the links by multicast DNS, and tells what is heard."
  (:require [clojure.string :as str]
            [ontap.model.mdns-browse :as browse]
            [ontap.model.mdns-querier :as querier]
            [ontap.model.published :as published]
            [ontap.ops.mdns-io :as mdns-io]
            [ontap.ops.mdns-stage :as stage])
  (:import (ontap.sys EventLoop)))

(set! *warn-on-reflection* true)

(def ^:private machine {:begin (fn [alone?] (querier/querier alone?)) :step querier/step :due querier/due})

(defn- heard [{:keys [state]}]
  (querier/heard @state (mdns-io/now-ms)))

(defn- in-ms! [{:keys [^EventLoop loop]} ms f]
  (.at loop (* 1000000 (+ (long (mdns-io/now-ms)) (long ms))) f))

(defn- ask!
  "Has each link asked for what `wanted` (fn [cache]) gives, when that is something else than before."
  [stage {:keys [state] :as speaker} wanted]
  (let [questions (wanted (heard speaker))]
    (when (not= questions (set (keys (:querier/asked @state))))
      (stage/step! stage speaker {:event/type :ask :ask/questions questions}))))

;; --- resolve

(def ^:private more-ms "So long more is waited for once something was answered: the other family, other links." 300)

(defn- scoped
  "An address as a program wants it: link-local ones with their link."
  [ip link]
  (if (= :link-local (published/kind ip)) (if (str/includes? ip ":") (str ip "%" link) ip) ip))

(defn- found [speakers name reverse?]
  (into [] (comp (mapcat (fn [{:keys [place] :as speaker}]
                           (map #(if reverse? % (scoped % (:place/name place)))
                                (:resolve/answers (browse/answered (heard speaker) name reverse?)))))
                 (distinct))
        speakers))

(defn resolve!
  "What the links answer for `name` (`ontap.model.mdns-name`): addresses, of a `reverse?` one names; link-local IPv6 addresses with
  %LINK. `links` (none: all), `timeout-ms`. Blocks until all is known, or for the time; [] when nobody answered."
  [{:keys [name reverse? links timeout-ms env]}]
  (let [answers (volatile! [])
        end!    (fn [{:keys [speakers end!]}] (vreset! answers (found speakers name reverse?)) (end! 0))
        some?   (volatile! false)]
    (stage/run!!
     {:links links :env env :machine machine
      :begin   (fn [{:keys [speakers] :as it}]
                 (run! #(ask! it % (fn [_] (browse/host-questions name reverse?))) speakers)
                 (in-ms! it timeout-ms #(end! it)))
      :stepped (fn [{:keys [speakers] :as it} _]
                 (let [all (map #(browse/answered (heard %) name reverse?) speakers)]
                   (cond
                     (every? :resolve/whole? all) (end! it)
                     (and (not @some?) (some (comp seq :resolve/answers) all))
                     (do (vreset! some? true) (in-ms! it more-ms #(end! it))))))})
    @answers))

;; --- browse

(defn- rows [{:keys [place] :as speaker} type]
  (mapv #(assoc % :mdns/link (:place/name place)) (browse/rows (heard speaker) type)))

(defn browse!
  "Asks for the services of `type` (a folded name, nil: all) and calls `told` (fn [rows]) each time they are others than before;
  rows are those of `ontap.model.mdns-browse` with :mdns/link. `links` (none: all); for `timeout-ms`, nil: until it is ended.
  Blocks; 0."
  [{:keys [type links timeout-ms env told]}]
  (let [last   (volatile! [])
        wanted #(browse/questions % type)]
    (stage/run!!
     {:links links :env env :machine machine
      :begin   (fn [{:keys [speakers] :as it}]
                 (run! #(ask! it % wanted) speakers)
                 (when timeout-ms (in-ms! it timeout-ms #((:end! it) 0))))
      :stepped (fn [{:keys [speakers] :as it} speaker]
                 (ask! it speaker wanted)
                 (let [now (vec (mapcat #(rows % type) speakers))]
                   (when (not= now @last)
                     (vreset! last now)
                     (told now))))})))

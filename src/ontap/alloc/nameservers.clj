;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.nameservers
  "Which nameservers the networks of links tell of: DHCP with an address, routers in their
  advertisements (RFC 8106). Belongs to the loop's thread.

  What a router says may be heard before it is known whose link it is: it is kept by the
  link's namespace and index."
  (:require [ontap.model.resolv :as resolv])
  (:import (ontap.sys Clock EventLoop)))

(set! *warn-on-reflection* true)

(defn- now-ms [] (quot (Clock/boottimeNanos) 1000000))

(defn nameservers
  "Knows of none yet. Takes :loop and :changed (fn [key]), called when what is known for the
  link `key` is something else."
  [given]
  (merge given
         {:told   (volatile! {})     ; [nsid index] -> what routers told (`ontap.model.resolv/heard`)
          :timers (volatile! {})     ; [nsid index] -> timer
          :terms  (volatile! {})     ; key -> terms of DHCP
          :places (volatile! {})}))  ; key -> [nsid index]

(defn facts
  "What is known for the link `key`: :resolv/terms and :resolv/router (doc/data.md)."
  [{:keys [terms told places]} key]
  {:resolv/terms  (get @terms key)
   :resolv/router (some-> (get @told (get @places key)) resolv/of-router)})

(defn- tell! [{:keys [places changed]} at]
  (doseq [[key place] @places :when (= at place)] (changed key)))

(declare hear!)

(defn- timer! [{:keys [^EventLoop loop timers told] :as it} at]
  (some->> (get @timers at) (.cancel loop))
  (vswap! timers dissoc at)
  (when-let [due (some-> (get @told at) resolv/deadline)]
    (vswap! timers assoc at (.at loop (* 1000000 (long due)) #(hear! it at nil)))))

(defn- hear! [{:keys [told] :as it} at event]
  (let [before (get @told at)
        after  (resolv/heard before event (now-ms))]
    (vswap! told assoc at after)
    (timer! it at)
    (when (not= (some-> before resolv/of-router) (resolv/of-router after)) (tell! it at))))

(defn- forget! [{:keys [told] :as it} gone?]
  (doseq [at (filterv gone? (keys @told))]
    (vswap! told dissoc at)
    (timer! it at)))

(defn kernel-said!
  "Takes events of `ontap.kernel.events` in."
  [it events]
  (doseq [{:event/keys [type] nsid :ns/id index :link/index :as event} events]
    (case type
      :nd/dns    (hear! it [nsid index] event)
      :link/gone (forget! it #{[nsid index]})
      :ns/gone   (forget! it #(= nsid (first %)))
      nil)))

(defn at!
  "The link `key` is the one with `index` in namespace `nsid`."
  [{:keys [places]} key nsid index]
  (vswap! places assoc key [nsid index]))

(defn gone!
  "There is no link `key` any more."
  [{:keys [places terms]} key]
  (vswap! places dissoc key)
  (vswap! terms dissoc key))

(defn terms!
  "The link `key` has an address on these terms (nil: it has none)."
  [{:keys [terms changed]} key now]
  (when (not= now (get @terms key))
    (vswap! terms assoc key now)
    (changed key)))

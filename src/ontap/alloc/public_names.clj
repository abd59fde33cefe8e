;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.public-names
  "Which link has which name, for whoever publishes names: a small file that everybody may read,
  replaced atomically when it changes. In the namespaces of others an alias proves nothing, and
  the name that a lease was asked for under is the one that counts.

  EDN: {:names/v 1 :names/boot-id text :names/netns {:dev :ino} :names/of {[nsid index] name}}.
  nsids count as they do in the network namespace :names/netns, the allocator's own."
  (:require [ontap.model.text :as text])
  (:import (java.nio.charset StandardCharsets)
           (ontap.sys Io)))

(set! *warn-on-reflection* true)

(defn of
  "{[nsid index] name} of `leases`, those that have a link and a name."
  [leases]
  (into {} (for [{:lease/keys [name nsid index state]} leases
                 :when (and name index (contains? #{:held :kept} state))]
             [[nsid index] name])))

(defn write!
  "Writes what `leases` say to `path` (nil: nowhere), unless that stands there by what `last`, a
  volatile, remembers. `netns` (fn []) gives {:dev :ino}. Throws SysException."
  [path last boot-id netns leases]
  (let [names (of leases)]
    (when (and path (not= names @last))
      (Io/replace path
                  (.getBytes (text/edn {:names/v 1 :names/boot-id boot-id :names/netns (netns) :names/of names})
                             StandardCharsets/UTF_8)
                  0644)
      (vreset! last names))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.alloc.dhcp-book
  "What is kept of the IPv4 leases of names, so that the same name asks for the same
  address after a restart and on the next day: a file of EDN for each, replaced atomically.

  A file: {:kept/v 1 :kept/boot-id :kept/boot-ms (CLOCK_BOOTTIME) :kept/epoch-ms (both when
  it was written) :kept/lease (`saved` of `ontap.model.lease`)}. Times inside are of
  CLOCK_BOOTTIME: those of an earlier boot are moved by the clock of the day."
  (:require [clojure.edn :as edn]
            [ontap.model.lease :as machine]
            [ontap.model.text :as text])
  (:import (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files)
           (ontap.sys Io)))

(set! *warn-on-reflection* true)

(defn- path
  "The file of `entry`, which has no / in it."
  ^String [dir entry]
  (str dir "/" entry ".edn"))

(defn moved-by
  "How far times of `written` are moved in the boot `boot-id`, whose CLOCK_BOOTTIME is
  `boot-ms` when the day's is `epoch-ms`. Pure."
  [{:kept/keys [boot-id] was-boot :kept/boot-ms, was-epoch :kept/epoch-ms} now-id boot-ms epoch-ms]
  (if (= boot-id now-id)
    0
    ;; what was written a while ago is as long ago for the new clock; a day's clock that is behind
    ;; (none runs while the machine is off) makes no lease last longer
    (- boot-ms was-boot (max 0 (- epoch-ms was-epoch)))))

(defn read!
  "What was saved under `entry` in folder `dir`, its times moved to this boot's clock; nil when
  there is nothing that can be used. `clock`: {:boot-id :boot-ms :epoch-ms} of now."
  [dir entry {:keys [boot-id boot-ms epoch-ms]}]
  (try
    (let [{:kept/keys [v lease] :as written} (edn/read-string (Files/readString (.toPath (File. (path dir entry)))))]
      (when (and (= 1 v) (map? lease))
        (machine/rebase lease (moved-by written boot-id boot-ms epoch-ms))))
    ;; not there, or damaged: the server will tell again
    (catch Exception _ nil)))

(defn write!
  "Keeps `saved` under `entry` in folder `dir`, which is there. Throws SysException."
  [dir entry saved {:keys [boot-id boot-ms epoch-ms]}]
  (Io/replace (path dir entry)
              (.getBytes (str (text/edn {:kept/v 1 :kept/boot-id boot-id :kept/boot-ms boot-ms
                                         :kept/epoch-ms epoch-ms :kept/lease saved})
                              "\n")
                         StandardCharsets/UTF_8)
              0600))

(defn forget!
  "Nothing is kept under `entry` any more."
  [dir entry]
  (Io/unlink (path dir entry)))

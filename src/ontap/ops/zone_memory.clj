;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-memory
  "What a zone keeps on disk, for the next one: who has which name, and a serial number that no
  zone has used yet. Used from the loop's thread only.

  The number on disk is ahead of the one in use, so that not each change has to wait for a disk;
  after a crash some numbers are left out, none is used twice."
  (:require [clojure.edn :as edn]
            [ontap.model.text :as text]
            [ontap.ops.note :as note])
  (:import (java.io File)
           (java.nio.charset StandardCharsets)
           (java.nio.file Files)
           (ontap.sys Clock EventLoop Io Procs)))

(set! *warn-on-reflection* true)

(def ^:private ahead "How many serial numbers are taken at once." 1000)

(def ^:private rest-ns "How long a change of names may wait for the disk." 1000000000)

(defn memory
  "A memory in the folder `dir`; `submit` (fn [label work then]) runs what waits for a disk off
  the `loop`."
  [{:keys [loop dir submit]}]
  {:loop loop :path (str dir "/zone.edn") :submit submit :boot-id (Procs/bootId)
   :ceiling (volatile! 0) :saved (volatile! nil) :timer (volatile! nil) :writing? (volatile! false)
   :again? (volatile! false) :trouble (volatile! nil)})

(defn read!
  "What the zone before kept, {:saved/serial :saved/claims :saved/mdns}, or nil; of an earlier boot
  without the claims: namespaces were numbered anew. A file that cannot be read is said, and is not used."
  [{:keys [^String path boot-id]}]
  (let [file (File. path)]
    (when (.exists file)
      (try
        (let [{:saved/keys [v] :as saved} (edn/read-string (Files/readString (.toPath file)))]
          (cond
            (not= 1 v)                          (throw (ex-info "it is of another version" {}))
            (= boot-id (:saved/boot-id saved)) saved
            :else                               (dissoc saved :saved/claims)))
        (catch Exception e
          (note/line! :warning nil (str "unable to use " path ": " (ex-message e)
                                        "; names that two links want may go to the other one"))
          nil)))))

(defn- content [{:keys [saved boot-id]}]
  (let [now (@saved)]
    (-> now (assoc :saved/v 1 :saved/boot-id boot-id) (update :saved/serial + ahead))))

(defn- write!
  "One at a time: at the end of the zone the crew may be at it still."
  [{:keys [path ceiling]} content]
  (locking ceiling
    (Io/replace path (.getBytes (text/edn content) StandardCharsets/UTF_8) 0600)))

(defn- told!
  "Says why it cannot be kept, once while that stays the same; nil: it is kept."
  [{:keys [path trouble]} ^Throwable t]
  (let [why (some-> t ex-message)]
    (when (and why (not= why @trouble))
      (note/line! :error nil (str "unable to keep names and serial in " path ": " why
                                  "; after a restart two links that want one name may change places")))
    (vreset! trouble why)))

(defn save-now!
  "Writes; blocks for the disk."
  [{:keys [ceiling] :as memory}]
  (let [{:saved/keys [serial] :as content} (content memory)]
    (try (write! memory content) (vreset! ceiling serial) (told! memory nil)
         (catch Throwable t (told! memory t)))))

(defn- save-later! [{:keys [submit ceiling writing? again?] :as memory}]
  (if @writing?
    (vreset! again? true)
    (let [{:saved/keys [serial] :as content} (content memory)]
      (vreset! writing? true)
      (submit "zone-memory" #(write! memory content)
              (fn [{:keys [error]}]
                (vreset! writing? false)
                (told! memory error)
                (when-not error (vreset! ceiling serial))
                (when @again?
                  (vreset! again? false)
                  (save-later! memory)))))))

(defn remembers!
  "From now on what `saved` (fn []) gives is kept."
  [memory saved]
  (vreset! (:saved memory) saved))

(defn grown!
  "`serial` is in use now; the first one is written when this returns."
  [{:keys [ceiling] :as memory} serial]
  (let [left (- (long @ceiling) (long serial))]
    (cond (neg? left)                      (save-now! memory)
          (< left (quot (long ahead) 2)) (save-later! memory))))

(defn changed!
  "Names came or went: it is written within a second."
  [{:keys [^EventLoop loop timer] :as memory}]
  (when-not @timer
    (vreset! timer (.at loop (+ (Clock/boottimeNanos) (long rest-ns))
                        (fn [] (vreset! timer nil) (save-later! memory))))))

;; SPDX-License-Identifier: Apache-2.0
(ns ontap.run.halt
  "Named points at which a test ends this process, as `kill -9` would.

  `ONTAP_HALT_AT=POINT` or `POINT:NAME` (only for the service NAME) in the
  environment. Points: link-made intent-written spawned pid-written log-cut
  half-stopped; of an allocator: lease-made lease-written lease-answered. Without the
  variable a point costs one comparison."
  (:import (ontap.sys Io)))

(set! *warn-on-reflection* true)

(def points
  "Every point there is."
  #{"link-made" "intent-written" "spawned" "pid-written" "log-cut" "half-stopped"
    "lease-made" "lease-written" "lease-answered"})

(def ^:private asked (delay (System/getenv "ONTAP_HALT_AT")))

(defn point!
  "Ends this process at once if `point`, for the service `name`, was asked for."
  [point name]
  (when-let [at @asked]
    (when (or (= at point) (= at (str point ":" name)))
      (Io/kill (Io/getpid) 9))))

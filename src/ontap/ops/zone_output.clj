;; SPDX-License-Identifier: Apache-2.0
(ns ontap.ops.zone-output
  "Standard output and error, to be handed on to a child. They are copied, not opened by /proc/self/fd: a pipe of another
  user's cannot be opened (EACCES), nor can a socket (ENXIO), such as the journal's."
  (:import (ontap.sys Fd)))

(set! *warn-on-reflection* true)

(defn copy
  "A copy of descriptor 1 or 2 as an Fd, which the caller closes. Throws SysException."
  ^Fd [number]
  (let [it (Fd/own (int number) (if (= 1 number) "standard output" "standard error"))]
    (try (.dup it)
         (finally (.disown it)))))

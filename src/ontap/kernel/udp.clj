;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.udp
  "Which UDP ports somebody on this machine listens on."
  (:require [clojure.string :as str])
  (:import (java.io IOException)
           (java.nio.file Files Path)
           (ontap.sys Io)))

(set! *warn-on-reflection* true)

(defn local-ports
  "The local ports of the sockets in `text`, that of /proc/net/udp or udp6 (proc(5)): how many have each. Pure."
  [text]
  (frequencies
   (keep (fn [line]
           (when-let [[_ port] (re-find #"^\s*\d+: [0-9A-F]{8,32}:([0-9A-F]{4}) " line)]
             (Long/parseLong port 16)))
         (str/split-lines text))))

(defn- ports-of [file]
  (try (local-ports (String. (Files/readAllBytes (Path/of (str "/proc/" (Io/getpid) "/net/" file) (make-array String 0)))))
       (catch IOException _ {})))

(defn listening?
  "Does a socket of IPv4 in the network namespace of this process have local port `port`?"
  [port]
  (contains? (ports-of "udp") port))

(defn sockets
  "How many sockets of IPv4 and IPv6 in the network namespace of this process have local port `port`."
  [port]
  (+ (long (get (ports-of "udp") port 0)) (long (get (ports-of "udp6") port 0))))

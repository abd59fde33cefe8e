;; SPDX-License-Identifier: Apache-2.0
(ns ontap.harness.mdns-told
  "What the kernel tells of addresses and namespaces, and what multicast DNS says on the host's port of a LAN
  (`ontap.harness.lan`), as it happens and with the time of each, by test/harness/mdns/told.py: neither has passed through
  the program."
  (:require [clojure.string :as str]
            [ontap.harness.lan :as lan]
            [ontap.testing :as testing])
  (:import (java.util ArrayList)
           (java.util.concurrent LinkedBlockingQueue)
           (java.util.regex Pattern)))

(set! *warn-on-reflection* true)

(defn needs!
  "Leaves the test unless python3 is here."
  []
  (when-not (= 0 (:exit (testing/run {} "sh" "-c" "command -v python3")))
    (testing/skip! "python3 is not installed (Debian: python3)")))

(defn listener
  "Starts to listen on the host of `lan`, for `seconds`; returns once it does. Ended with the LAN."
  [lan seconds]
  (let [it (apply lan/spawn {} (lan/in (:host lan) "test/harness/mdns/told.py" "up0" seconds))]
    (swap! (:supervisors lan) conj it)
    (lan/await-line it #"^listens$")
    it))

(defn told
  "The lines up to now, [ms text]; see told.py."
  [{:keys [^LinkedBlockingQueue lines seen]}]
  (let [more (ArrayList.)]
    (.drainTo lines more)
    (mapv #(let [[at text] (str/split % #" " 2)] [(parse-double at) text])
          (remove #(= "listens" %) (swap! seen into (filter string?) more)))))

(defn at
  "Blocks until there is a line later than `since` (ms) that matches `pattern`, for 20 s at most; its time. Throws with what
  was told when there is none."
  [listener since pattern]
  (try
    (testing/wait-for (str pattern) 20000
                      (fn [] (some (fn [[at text]] (when (and (< (double since) (double at)) (re-find pattern text)) at))
                                   (told listener))))
    (catch clojure.lang.ExceptionInfo e
      (throw (ex-info (str (ex-message e) " later than " since "; told was:\n"
                           (str/join "\n" (map #(str/join " " %) (take-last 60 (told listener)))))
                      {})))))

(defn now
  "Milliseconds, as the listener counts them."
  []
  (double (System/currentTimeMillis)))

(defn word
  "The pattern of a line that has `parts` with one blank between; a text stands for itself, nil for any word."
  [& parts]
  (re-pattern (str "^" (str/join " " (map #(if % (Pattern/quote (str %)) "\\S+") parts)) "( |$)")))

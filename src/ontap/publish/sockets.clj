;; SPDX-License-Identifier: Apache-2.0
(ns ontap.publish.sockets
  "The sockets of the DNS server: bound by whoever may bind them, served by another life of the
  program."
  (:import (java.util List)
           (ontap.dns DnsSockets DnsSockets$Strange)
           (ontap.sys Endpoint Errno Fd InetSockets InetSockets$Handed SysException)))

(set! *warn-on-reflection* true)

(defn- exit [status text] (ex-info text {:kind :exit :status status}))

(defn- place
  "As a person writes it: [::]:53, 10.0.0.1:53."
  [ip port]
  (if (.contains ^String ip ":") (str "[" ip "]:" port) (str ip ":" port)))

(defn- refused
  "What to tell a person about an address that cannot be had."
  [^SysException e]
  (let [n (.errno e)]
    (cond
      (= n Errno/EADDRINUSE)
      (exit 111 (str "unable to listen: " (ex-message e) "; another server is there (`ss -lunp` shows who): "
                     "listen on single addresses, or on another port"))
      (contains? #{Errno/EACCES Errno/EPERM} n)
      (exit 111 (str "unable to listen: " (ex-message e) "; a port below 1024 takes root"))
      :else e)))

(defn- endpoint ^Endpoint [{:listen/keys [ip port]}]
  (try (InetSockets/endpoint ip (int port))
       (catch IllegalArgumentException e
         (throw (exit 102 (str "unable to listen on " (place ip port) ": " (ex-message e)))))))

(defn bind-all!
  "Sockets for UDP and TCP on each of `listen`, {:listen/ip :listen/port}: a vector of Fds in the
  order in which they are handed over. All or none. Throws with :kind :exit."
  [listen]
  (try
    (vec (.all (DnsSockets/open ^List (mapv endpoint listen))))
    (catch SysException e (throw (refused e)))))

(defn handed
  "The sockets that were handed over. Throws with :kind :exit for one that is something else."
  ^DnsSockets [fds]
  (try (DnsSockets/handed ^List fds)
       (catch DnsSockets$Strange e (throw (exit 100 (ex-message e))))))

(defn places
  "Where `sockets` listen, each place once, in words."
  [^DnsSockets sockets]
  (into [] (comp (map (fn [^Fd fd] (.at ^InetSockets$Handed (InetSockets/handed fd))))
                 (map str)
                 (distinct))
        (.all sockets)))

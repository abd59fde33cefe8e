;; SPDX-License-Identifier: Apache-2.0
(ns ontap.kernel.udp-test
  "The sockets of /proc/net/udp, as the kernel writes them."
  (:require [clojure.test :refer [deftest is]]
            [ontap.kernel.udp :as udp])
  (:import (java.net InetSocketAddress StandardProtocolFamily)
           (java.nio.channels DatagramChannel)))

(set! *warn-on-reflection* true)

(deftest the-text-of-the-kernel
  (is (= {67 1, 53 1, 68 1, 5353 2}
         (udp/local-ports (str "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
                               "   11: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0\n"
                               "  115: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0\n"
                               "29134: 0500000A:0044 0100000A:0043 01 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0\n"
                               ;; of /proc/net/udp6
                               " 5353: 00000000000000000000000000000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0\n"
                               " 5353: 00000000000000000000000000000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3 2 0000000000000000 0\n")))
      "Local ports alone: the peer of a client is no server here.")
  (is (= {} (udp/local-ports ""))))

(deftest a-real-socket
  (with-open [socket (DatagramChannel/open StandardProtocolFamily/INET)]
    (.bind socket (InetSocketAddress. "127.0.0.1" 0))
    (let [port (.getPort ^InetSocketAddress (.getLocalAddress socket))]
      (is (udp/listening? port))
      (.close socket)
      (is (not (udp/listening? port))))))

(deftest of-both-families
  (with-open [four (DatagramChannel/open StandardProtocolFamily/INET)
              six  (DatagramChannel/open StandardProtocolFamily/INET6)]
    (.bind four (InetSocketAddress. "127.0.0.1" 0))
    (let [port (.getPort ^InetSocketAddress (.getLocalAddress four))]
      (is (= 1 (udp/sockets port)))
      (.bind six (InetSocketAddress. "::1" (int port)))
      (is (= 2 (udp/sockets port)))
      (.close four)
      (is (not (udp/listening? port)) "Of IPv4."))))

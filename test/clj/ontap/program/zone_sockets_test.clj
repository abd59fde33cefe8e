;; SPDX-License-Identifier: Apache-2.0
(ns ontap.program.zone-sockets-test
  "Where `ontap zone` answers from, by UDP and TCP; sockets that it is given; how it says that it is ready."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [clojure.test :refer [are deftest is testing]]
            [ontap.harness.lan :as lan]
            [ontap.harness.process :as process]
            [ontap.harness.zone :as zone])
  (:import (java.nio.charset StandardCharsets)
           (ontap.sys UnixSockets UnixSockets$Message)))

(set! *warn-on-reflection* true)

(defn- told
  "What dig(1) at the peer says of web's private address of `type` when it asks `server`, with `words`; it takes no answer from
  anybody else."
  [lan server type & words]
  (let [{:keys [exit out]} (apply lan/sh lan :peer "dig" "+tries=1" "+time=3" "+short" (str "@" server) "web.lan.vanya" type words)]
    [exit (str/trim out)]))

(def ^:private servers ["fd77::2" "fd77::3" "2001:db8:a::2" "10.77.0.2" "10.77.0.3"])

(deftest from-the-address-that-was-asked
  (zone/with-lan [lan]
    (zone/workload! lan "v0" "web" ["10.77.0.40/24" "fd77::40/64"])
    (lan/sh! lan :host "ip" "addr" "add" "fd77::3/64" "dev" "up0" "nodad")
    (lan/sh! lan :host "ip" "addr" "add" "10.77.0.3/24" "dev" "up0")
    (zone/start-plain lan)
    (doseq [server servers, words [[] ["+tcp"]]]
      (is (= [0 "10.77.0.40"] (apply told lan server "A" words)) [server words]))
    (testing "an address that comes later"
      (lan/sh! lan :host "ip" "addr" "add" "10.77.0.4/24" "dev" "up0")
      (is (= [0 "fd77::40"] (told lan "10.77.0.4" "AAAA" "-b" "10.77.0.1")))
      (is (= [0 "fd77::40"] (told lan "10.77.0.4" "AAAA" "-b" "10.77.0.1" "+tcp"))))
    (testing "transfers are for those who were named"
      (doseq [from [zone/private zone/on-link]]
        (let [out (zone/dig lan :peer "-b" from "@fd77::2" "vanya" "AXFR")]
          (is (str/includes? out "Transfer failed.") from)
          (is (not (str/includes? out "10.77.0.40")) from))))))

;; --- sockets of others

(def ^:private activator
  "Becomes the words that follow with a UDP and a TCP socket on port 53 as descriptors 3 and 4, which they find by
  LISTEN_FDS, as systemd-socket-activate(1) does; KIND odd: with a Unix socket instead."
  (str "use Socket qw(:all); $^F = 99; my ($kind, $fds, @next) = @ARGV; "
       "sub at { my ($type) = @_; socket(my $s, $kind eq 'odd' ? AF_UNIX : AF_INET6, $type, 0) or die $!; "
       "if ($kind ne 'odd') { setsockopt($s, IPPROTO_IPV6, IPV6_V6ONLY, pack('i', 1)) or die; "
       "setsockopt($s, SOL_SOCKET, SO_REUSEADDR, pack('i', 1)) or die; bind($s, pack_sockaddr_in6(53, IN6ADDR_ANY)) or die $! } "
       "listen($s, 9) if $type == SOCK_STREAM and $kind ne 'odd'; $s } "
       "our $u = at(SOCK_DGRAM); our $t = at(SOCK_STREAM); fileno($u) == 3 && fileno($t) == 4 or die; "
       "$ENV{LISTEN_FDS} = $fds; $ENV{LISTEN_PID} = $$; exec @next or die"))

(defn- file-when-there [f] (when (.exists (io/file f)) (slurp f)))

(deftest ^{:jdk :floor} sockets-that-it-is-given
  (zone/with-lan [lan]
    (zone/workload! lan "v0" "web" ["10.77.0.40/24"])
    (let [dir    (:dir lan)
          ready  (io/file dir "ready")
          pid    (io/file dir "zone.pid")
          notify (str dir "/notify.sock")]
      ;; the zone is its own user when it says so
      (with-open [notified (UnixSockets/datagram notify 0666)]
        (let [zone (zone/start-with lan {:env {"NOTIFY_SOCKET" notify}
                                         :wrap ["perl" "-e" activator "good" "2" "sh" "-c" (str "exec 7>" ready "; exec \"$@\"") "sh"]}
                                    "--domain" "vanya" "--ready-fd" "7" "--pid-file" pid)]
          (is (= "\n" (file-when-there ready)) "a newline on --ready-fd")
          (is (= "READY=1\n" (some-> ^UnixSockets$Message (UnixSockets/receive notified 100 0)
                                     .data (String. StandardCharsets/UTF_8)))
              "READY=1 at NOTIFY_SOCKET")
          (is (= (str (:pid zone) "\n") (file-when-there pid)))
          (is (not-any? #{(str ready)} (vals (process/descriptors (:pid zone)))) "--ready-fd is closed then.")
          (is (= [0 "10.77.0.40"] (told lan "fd77::2" "A")))
          (is (= [0 "10.77.0.40"] (told lan "2001:db8:a::2" "A" "+tcp")) "from the address asked, too")
          (is (= 0 (lan/end! zone "TERM"))))
        (testing "those that cannot be used"
          (are [kind fds answer] (= answer (zone/fails lan {:wrap ["perl" "-e" activator kind fds]} "--domain" "vanya"))
            "good" "3" [100 "descriptor 5 of LISTEN_FDS is not open"]
            "odd"  "2" [100 "neither a bound UDP socket nor a listening TCP socket: fd 3 (of LISTEN_FDS)"]))))))

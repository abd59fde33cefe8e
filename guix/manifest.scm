;;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:
;;;
;;; A shell in which bin/test finds all it needs and installs nothing:
;;;
;;;   guix shell -m guix/manifest.scm -- bin/test
;;;
;;; As root more is tested: links and namespaces.  With --pure it is this and nothing else of the
;;; machine.  Libraries come by way of Maven and npm, which want a network the first time.  There is
;;; no package of a user-mode Linux, nor one of systemd-resolved alone: the tests that want these are
;;; skipped, and say so; so are those of VMs, unless VM_KERNEL and VM_MODULES name a kernel
;;; (test/harness/vm/guest).
;;;
;;; One JDK only, the oldest supported: two would have their programs under the same names.  A newer
;;; one whose folder JAVA_HOME names is tested as well.
;;;
;;; Code:

(specifications->manifest
 '(;; To build.
   "openjdk@17:jdk"
   "maven"
   "gcc-toolchain"                      ;clients of the tests

   ;; To make networks and workloads, and to watch them.
   "iproute2"
   "util-linux"
   "libcap"
   "strace"
   "tcpdump"
   "curl"
   "procps"
   "jq"
   "perl"
   "kmod"
   "python"
   "dnsmasq"
   "qemu-minimal"
   "execline"                           ;bin/runvm
   "bind"                               ;named-checkzone
   "bind:utils"                         ;dig, delv
   "knot:tools"                         ;kdig
   "dnsperf"
   "wireshark"                          ;tshark
   "w3m"
   "node"
   "avahi"                              ;avahi-daemon, avahi-resolve, avahi-browse
   "dbus"
   "nss-mdns"

   ;; What the scripts are written in.
   "bash-minimal"
   "coreutils"
   "findutils"
   "gawk"
   "grep"
   "sed"

   ;; Last: many of its programs have the names of programs above, and the first one wins.
   "busybox"))

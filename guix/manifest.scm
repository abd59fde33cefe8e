;;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:
;;;
;;; A shell in which bin/test finds all it needs and installs nothing:
;;;
;;;   guix shell -m guix/manifest.scm -- bin/test
;;;
;;; As root more is tested: links and namespaces.  With --pure it is this and nothing else of the
;;; machine.  Libraries come by way of Maven, which wants a network the first time.  There is no
;;; package of a user-mode Linux: the tests that boot one are skipped, and say so; so are those of VMs,
;;; unless VM_KERNEL and VM_MODULES name a kernel (test/harness/vm/guest).
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

   ;; What the scripts are written in.
   "bash-minimal"
   "coreutils"
   "findutils"
   "gawk"
   "grep"
   "sed"

   ;; Last: many of its programs have the names of programs above, and the first one wins.
   "busybox"))

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Addresses of ipvlan links, what a router says in another namespace, and a clock that is set, run inside a
# test kernel:
#   test/harness/uml --modules "ipvlan macvlan veth af_packet" --timeout 120 -- test/harness/uml-ipv4.sh JAVA CLASSPATH
# The checks are those of ontap.harness.ipv4-in-kernel. Prints `ok …` or `not ok …` for each, `# …` for what
# was seen; exit 1 if any failed.

[ "${UML:-}" = 1 ] && [ -d /run/uml/out ] || { echo 'only inside test/harness/uml' >&2; exit 100; }
exec "${1:?java}" -Xshare:auto -XX:TieredStopAtLevel=1 -XX:-UsePerfData --enable-native-access=ALL-UNNAMED \
  -cp "${2:?a class path}" clojure.main -m ontap.harness.ipv4-in-kernel

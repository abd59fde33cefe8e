# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What uml-taps.sh and uml-cycles.sh share: checks, a LAN, and ontapd on its port. Read by bash inside a
# test kernel, with the folder of the programs (bin) and that of the compiled test/client as $1 and $2.
#
#   this kernel (the host)             namespace "lan" (a host, the router and the DHCP server)
#   up0 10.9.0.2/24  ---- veth ----    lan0 10.9.0.1/24 fd09::1/64
#    └ a link for each lease

[ "${UML:-}" = 1 ] && [ -d /run/uml/out ] || { echo 'only inside test/harness/uml' >&2; exit 100; }

for tool in ip jq busybox java nsenter unshare pgrep sysctl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed (Debian: iproute2 jq busybox openjdk-17-jre-headless util-linux procps)"; exit 125; }
done

bin=$(realpath -e -- "${1:?the folder of ontap and ontapd}") clients=$(realpath -e -- "${2:?the folder of the compiled clients}") || exit 100
export ONTAP_RUNTIME_DIR=/run/ontap ONTAP_STATE_DIR=/run/ontap-state
socket=$ONTAP_RUNTIME_DIR/port.up0
client() { "$clients/ontap-client" "$socket" "$@"; }

failed=0
ok() { echo "ok $*"; }
not_ok() { echo "not ok $*"; failed=1; }
note() { echo "# $*"; }
# check SENTENCE COMMAND…: the command's success is the answer.
check() { local what=$1; shift; if "$@" >/run/check.out 2>&1; then ok "$what"; else not_ok "$what"; sed 's/^/#   /' /run/check.out; fi; }
same() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: expected $2, found ${3:-nothing}"; fi; }
# within SECONDS COMMAND…: asks again until it succeeds.
within() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.1; done; }
# soon SENTENCE SECONDS COMMAND…: it succeeds in that time.
soon() { local what=$1 limit=$2; shift 2; if within "$limit" "$@"; then ok "$what"; else not_ok "$what (within $limit s)"; "$@" 2>&1 | sed 's/^/#   /'; fi; }
ms() { echo $(($(date +%s%N) / 1000000)); }
lan() { ip netns exec lan "$@"; }
# Only in the namespace where the daemon keeps its taps.
taps() { nsenter --net="$ONTAP_RUNTIME_DIR/netns" "$@"; }

make_lan() {
  ip netns add lan
  ip link add up0 type veth peer name lan0 netns lan
  sysctl -qw net.ipv6.conf.up0.accept_ra=0
  lan sysctl -qw net.ipv6.conf.lan0.accept_dad=0
  lan ip link set lo up
  lan ip addr add 10.9.0.1/24 dev lan0
  lan ip addr add fd09::1/64 dev lan0
  lan ip link set lan0 up
  lan ip route add 224.0.0.0/4 dev lan0
  ip addr add 10.9.0.2/24 dev up0
  ip link set up0 up
  ip route add default via 10.9.0.1
}

daemon_log=/run/ontapd.log
start_daemon() {
  local begin
  begin=$(ms)
  "$bin/ontapd" up0 >"$daemon_log" 2>&1 & daemon=$!
  within 60 eval '[ -S "$socket" ] || ! kill -0 "$daemon"'
  if within 20 client leases; then ok 'ontapd answers on the socket of its port'; else
    not_ok 'ontapd answers on the socket of its port'; sed 's/^/# ontapd: /' "$daemon_log"; return 1
  fi
  note "ontapd answered $(($(ms) - begin)) ms after its start"
}
# SIGTERM, and at most 25 s.
stop_daemon() {
  local watch status
  kill -TERM "$daemon"
  (sleep 25; kill -KILL "$daemon") >/dev/null 2>&1 & watch=$!
  wait "$daemon"; status=$?
  kill "$watch" 2>/dev/null
  same 'SIGTERM ends ontapd with 0' 0 "$status"
}

no_leases() { client leases | grep -q . && return 1; ! grep -q ':lease/id' "$ONTAP_RUNTIME_DIR/leases.edn"; }
links_of() { "$@" ip -j link | jq -r '[.[].ifname] | sort | join(" ")'; }
no_taps() { [ "$(links_of taps)" = lo ]; }
# An ipvlan port lasts as long as one of its links in any namespace; then another kind may have its receive handler.
port_free() { ip link add link up0 name probe0 type macvlan mode bridge && ip link del probe0; }

finish() {
  [ "$failed" = 0 ] || sed 's/^/# ontapd: /' "$daemon_log"
  check 'the kernel has complained of nothing' sh -c '! dmesg | grep -E "BUG|WARNING|Oops|refcount|unregister_netdevice"'
  note "ended after $SECONDS s"
  exit "$failed"
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Guests on ipvtap, run inside a test kernel:
#   test/harness/uml --modules "ipvlan ipvtap macvlan veth af_packet" --timeout 240 -- test/harness/uml-taps.sh bin CLIENTS
# Two guests (test/client/guest.c) hold tap descriptors of ontapd and speak raw Ethernet through them to one
# another and to the LAN. What their links hold is read by ip(8) in the daemon's namespace.
# Prints `ok …` or `not ok …` for each check, `# …` for what was seen; exit 1 if any failed.

. "$(dirname "$0")/uml-daemon.sh"
command -v dnsmasq >/dev/null || { echo 'dnsmasq is not installed (Debian: dnsmasq-base)'; exit 125; }

# ---- guests: a FIFO for commands, a file of events

declare -A pid_of link_of
# guest NAME COMMAND…: COMMAND becomes the guest (it is given "$guest" NAME); its link is the name in its environment.
guest() {
  local name=$1 in=/run/$1.in; shift
  mkfifo "$in"
  exec {hold}<>"$in" # so that a command to a guest that has ended does not block
  "$@" "$clients/guest" "$name" <>"$in" {hold}>&- >"/run/$name.out" 2>"/run/$name.err" & pid_of[$name]=$!
  soon "$name: runs with a tap" 60 grep -q '^guest ' "/run/$name.out"
  [ -s "/run/$name.out" ] || { sed 's/^/#   /' "/run/$name.err"; return; }
  link_of[$name]=$(tr '\0' '\n' <"/proc/${pid_of[$name]}/environ" | sed -n 's/^ONTAP_IFNAME=//p')
  note "$name: link ${link_of[$name]}, $(head -n1 "/run/$name.out")"
}
# Descriptor 0 of the guest is the FIFO, open for both directions: it sees no end between two commands.
tell() { local name=$1; shift; echo "$*" >"/run/$name.in"; }
# The lines of a guest that match, since `mark`.
declare -A seen
mark() { seen[$1]=$(wc -l <"/run/$1.out"); }
said() { tail -n "+$((${seen[$1]:-0} + 1))" "/run/$1.out" | grep -E "$2"; }
# asked NAME COMMAND PATTERN SECONDS: the guest is told something and says something.
says() { mark "$1"; tell "$1" "$2"; within "$4" said "$1" "$3"; }
mirrored() { taps ip -j addr show dev "${link_of[$1]}" | jq -r '[.[].addr_info[]? | "\(.local)/\(.prefixlen)"] | sort | join(" ")'; }
has() { mirrored "$1" | tr ' ' '\n' | grep -qxF "$2"; }
has_not() { ! has "$1" "$2"; }
from_lan() { lan busybox ping -c 1 -W 2 "$1"; }
from_lan6() { lan busybox ping6 -c 1 -W 2 "$1"; }

pings() { # NAME ADDRESS [QUEUE]
  if says "$1" "ping $2 ${3:-}" "^(pong|silent) $2" 8 && said "$1" "^pong $2" >/dev/null; then ok "$1: ping $2${3:+ through queue $3}"
  else not_ok "$1: ping $2${3:+ through queue $3}"; said "$1" .; fi
}

# ---- the checks

addresses_by_dhcp() {
  local name how
  lan dnsmasq --keep-in-foreground --port=0 --interface=lan0 --bind-interfaces --dhcp-authoritative --no-ping \
    --dhcp-range=10.9.0.100,10.9.0.120,255.255.255.0,10m --dhcp-option=3,10.9.0.1 --log-dhcp \
    --conf-file=/dev/null --dhcp-leasefile=/run/dhcp.leases --pid-file= --user=root >/run/dnsmasq.log 2>&1 & dnsmasq=$!
  within 5 grep -q 'DHCP, IP range' /run/dnsmasq.log
  # Two asks by broadcast; most clients leave that flag out, and the answer comes to an address that nobody has yet.
  for name in one two; do
    how=; [ "$name" = one ] || how=unicast
    if says "$name" "dhcp $how" '^dhcp ' 20; then ok "$name: an address by DHCP"; else not_ok "$name: an address by DHCP"; continue; fi
    address=$(said "$name" '^dhcp ' | sed -n 's,^dhcp \([0-9.]*\)/.*,\1,p')
    note "$name: $(said "$name" '^dhcp ')"
    check "$name: the server has given it" grep -qw "$address" /run/dhcp.leases
    soon "$name: the address from DHCP is on its link" 5 has "$name" "$address/32"
    soon "$name: ping from the LAN to it" 5 from_lan "$address"
    eval "dhcp_$name=$address"
  done
  check 'the two have different addresses' [ "${dhcp_one:-}" != "${dhcp_two:-}" ]
}

both_ways() {
  pings one 10.9.0.1
  pings two 10.9.0.1
  pings one "$dhcp_two"
  pings two "$dhcp_one"
  for name in one two; do
    local last=$([ "$name" = one ] && echo a || echo b)
    says "$name" "addr fe80::$last" "^have fe80::$last" 5
    says "$name" "addr fd09::$last" "^have fd09::$last" 5
    soon "$name: its IPv6 addresses are on its link" 5 eval "has $name fe80::$last/128 && has $name fd09::$last/128"
    soon "$name: ping from the LAN over IPv6" 5 from_lan6 "fd09::$last"
    soon "$name: ping from the LAN to its link-local address" 5 from_lan6 "fe80::$last%lan0"
    pings "$name" fd09::1
  done
  pings one fd09::b
  pings two fe80::a
}

as_they_change() {
  says one 'addr 10.9.0.7' '^have 10.9.0.7' 5
  soon 'one: an address it announced is on its link' 5 has one 10.9.0.7/32
  soon 'one: ping from the LAN to it' 5 from_lan 10.9.0.7
  says one 'addr 10.9.0.8' '^have 10.9.0.8' 5
  soon 'one: a second one too' 5 has one 10.9.0.8/32
  tell one 'drop 10.9.0.7'
  tell one 'drop fd09::a'
  lan ip neigh flush dev lan0
  local begin=$(ms)
  soon 'one: an address that no longer answers is removed' 30 eval 'from_lan 10.9.0.7; has_not one 10.9.0.7/32'
  note "removed $(($(ms) - begin)) ms after it was dropped, asked for once a second or so"
  soon 'one: the same over IPv6' 30 eval 'from_lan6 fd09::a; has_not one fd09::a/128'
  soon 'one: ping from the LAN to the one that stayed' 5 from_lan 10.9.0.8
  soon 'one: the one that stayed is on its link' 5 has one 10.9.0.8/32

  # A sibling may not take what another one has; nor the host's or the gateway's.
  says two 'addr 10.9.0.8' '^(have|conflict) 10.9.0.8' 5
  check "two: a sibling's address is not on its link" has_not two 10.9.0.8/32
  soon "one: still has it" 5 from_lan 10.9.0.8
  tell two 'drop 10.9.0.8'
  says one 'addr 10.9.0.1' '^(have|conflict) 10.9.0.1' 5
  says two 'addr 10.9.0.2' '^(have|conflict) 10.9.0.2' 5
  # what comes after it in the same queue has been seen
  says one 'addr 10.9.0.9' '^have 10.9.0.9' 5; within 5 has one 10.9.0.9/32
  says two 'addr 10.9.0.10' '^have 10.9.0.10' 5; within 5 has two 10.9.0.10/32
  check "one: the gateway's address is refused" has_not one 10.9.0.1/32
  check "two: the host's own address is refused" has_not two 10.9.0.2/32
  check 'ontapd names the refused addresses' eval 'grep -qF 10.9.0.1 "$daemon_log" && grep -qF 10.9.0.2 "$daemon_log"'
  lan ip neigh flush dev lan0
  tell one 'drop 10.9.0.1'; tell two 'drop 10.9.0.2'
  soon 'the LAN reaches the host as before' 10 from_lan 10.9.0.2

  tell one release
  soon 'one: an address given back to the DHCP server is removed' 10 has_not one "$dhcp_one/32"
  says two counts '^counts' 5
  lan bash -c 'echo hello >/dev/udp/224.0.0.251/5353'
  soon 'two: multicast of the LAN is heard' 5 eval 'says two counts ^counts 5; said two "^counts.* [1-9]"'
}

four_queues() {
  local q
  soon 'two: has four queues' 1 grep -q '^guest two queues 4 ' /run/two.out
  for q in 0 1 2 3; do pings two 10.9.0.1 "$q"; done
  from_lan "$dhcp_two" >/dev/null # the neighbour is known from here on
  says two counts '^counts' 5
  lan bash -c "for port in {2000..2063}; do echo x >/dev/udp/$dhcp_two/\$port; done"
  sums=(0 0 0 0)
  soon 'two: flows from the LAN come through every queue' 10 arrived
  note "two: frames of 64 flows by queue: ${sums[*]}"
}
# Adds up what has come since; true when each queue has had some, and nothing is missing.
arrived() {
  local q counts all=0
  says two counts '^counts' 5
  read -r -a counts <<<"$(said two '^counts' | sed 's/counts//')"
  for q in 0 1 2 3; do sums[q]=$((sums[q] + ${counts[q]:-0})); all=$((all + sums[q])); [ "${sums[q]}" -gt 0 ] || return 1; done
  [ "$all" -ge 64 ]
}

ends() {
  tell one quit
  wait "${pid_of[one]}"
  soon 'one: its link ends with it' 10 eval '! taps ip link show dev "${link_of[one]}"'
  pings two 10.9.0.1
  kill -KILL "${pid_of[two]}"; wait "${pid_of[two]}" 2>/dev/null
  soon 'two: its link ends when it is killed' 10 no_taps
  soon 'no lease is left' 5 no_leases
  check 'no ipvtap link is left on the port' port_free
}

make_lan
if start_daemon; then
  guest one "$clients/ontap-client" "$socket" attach type=ipvtap --
  guest two "$bin/ontap" -t ipvtap -m 4 up0 --
  if [ "$failed" = 0 ]; then
    addresses_by_dhcp
    both_ways
    as_they_change
    four_queues
    ends
  fi
  stop_daemon
  [ "$failed" = 0 ] || for name in one two; do tail -n 40 "/run/$name.out" "/run/$name.err" | sed "s/^/# $name: /"; done
  [ -z "${dnsmasq:-}" ] || kill "$dnsmasq"
fi
finish

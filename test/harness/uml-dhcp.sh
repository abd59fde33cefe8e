#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# DHCP for ipvlan links, whose siblings all have their port's MAC, run inside a test kernel:
#   test/harness/uml --modules "ipvlan macvlan veth" --timeout 330 -- test/harness/uml-dhcp.sh bin CLIENTS
# Each of dnsmasq, Kea and ISC dhcpd has a port of its own, and one more has the scripted server; ontapd
# serves all four at the same time. The witnesses are ip(8) in the links' namespaces, what is on the wire
# (test/harness/dhcp/scripted.py) and the servers' lease files. Prints `ok …` or `not ok …` for each check,
# `# …` for what was seen; exit 1 if any failed.
#
#   this kernel (the host)        namespace "p1" (server)             namespace "s1" (another server)
#   up1  -------- veth --------   lan1 10.77.1.1/24  -- macvlan --    lan1 10.77.1.2/24
#    └ eth0 of each link          … and the same with 2, 3 and 4
# Leases are of 10 s, later of 60 s; dnsmasq gives none shorter than 120 s, and has T1 and T2 as for 10.

. "$(dirname "$0")/uml-daemon.sh"
tools=$(cd "$(dirname "$0")/dhcp" && pwd)
command -v python3 >/dev/null || { echo 'python3 is not installed (Debian: python3)'; exit 125; }

# The system's own, where another is found by a slow script; without site-packages: half a second less.
python=python3; [ ! -x /usr/bin/python3 ] || python=/usr/bin/python3

kinds=([1]=dnsmasq [2]=kea [3]=dhcpd)
for n in 1 2 3; do "$tools/server" has "${kinds[n]}" || exit 125; done
declare -A pid ip client_id # of the link NAME on network N: [N.NAME]
declare -a server from network

peer() { ip netns exec "p$1" "${@:2}"; }
second() { ip netns exec "s$1" "${@:2}"; }
inside() { nsenter --net="/proc/$1/ns/net" "${@:2}"; }

make_network() { # N
  network[$1]=10.77.$1
  ip netns add "p$1"; ip netns add "s$1"
  ip link add "up$1" type veth peer name "lan$1" netns "p$1"
  ip link set "up$1" up
  peer "$1" ip link set lo up
  peer "$1" ip addr add "10.77.$1.1/24" dev "lan$1"
  peer "$1" ip link set "lan$1" up
  peer "$1" ip link add link "lan$1" name x type macvlan mode bridge
  peer "$1" ip link set x netns "s$1"
  second "$1" ip link set x name "lan$1"
  second "$1" ip addr add "10.77.$1.2/24" dev "lan$1"
  second "$1" ip link set "lan$1" up
}

# ---- the wire

watch() { # N BEHAVIOUR KEY=VALUE…: what is on the wire, in /run/wire.N
  ip netns exec "p$1" "$python" -BSE "$tools/scripted.py" "lan$1" "${@:2}" >"/run/wire.$1" 2>&1 <"/run/tell.$1" &
}
mark() { local n; for n; do from[n]=$(wc -l <"/run/wire.$n"); done; } # N…: looks at what comes from now on
seen() { # N CONDITION
  local found; found=$(tail -n "+$((from[$1] + 1))" "/run/wire.$1" | jq -c "select($2)")
  [ -n "$found" ] && printf '%s\n' "$found"
}
count() { seen "$1" "$2" | wc -l; }
tell() { # N LINE
  local before; before=$(grep -c '"done"' "/run/wire.$1")
  echo "$2" >"/run/tell.$1"
  within 5 eval '[ "$(grep -c "\"done\"" /run/wire.'"$1"')" -gt '"$before"' ]' || not_ok "the scripted server hears: $2"
}

# ---- servers

serving='sockets bound exclusively|DHCP4_STARTED |^Server starting service'
serve() { # N PLACE FIRST LAST LEASE
  local kind=${kinds[$1]} net=${network[$1]} lease=$5 more=
  [ "$kind" != dnsmasq ] || { lease=120 more="t1=$(($5 / 2)) t2=$(($5 * 4 / 5))"; }
  # shellcheck disable=SC2086  # words; ip itself is the job, so that it can be stopped
  ip netns exec "${2:0:1}$1" "$tools/server" run "$kind" "lan$1" "/run/$kind.$2" "$net.$3" "$net.$4" "$lease" $more >"/run/$kind.log" &
  server[$1]=$!
}
serves() { # N…: waits until they do
  local n kind
  for n; do
    kind=${kinds[n]}
    within 20 grep -qE "$serving" "/run/$kind.log" || { not_ok "$kind serves"; sed 's/^/#   /' "/run/$kind.log"; }
  done
}
stop_server() { local n; for n; do kill "${server[n]}"; wait "${server[n]}"; done; }
given() { "$tools/server" leases "${kinds[$1]}" "/run/${kinds[$1]}.$2"; } # N PLACE

# ---- links

attach() { # N NAME KEY=VALUE…: an ipvlan link with DHCP in a namespace of its own
  "$clients/ontap-client" "$ONTAP_RUNTIME_DIR/port.up$1" attach type=ipvlan "name=$2-$1" ipv4=dhcp start-delay=no "${@:3}" \
    --unshare -- sleep 1000 >"/run/attach.$1.$2" 2>&1 & pid[$1.$2]=$!
}
ipv4() { # N.NAME: its addresses, a line each
  local found a
  found=$(inside "${pid[$1]}" ip -br -4 addr show dev eth0)
  for a in $found; do case $a in *.*/*) echo "${a%/*}" ;; esac; done
}
has() { ip[$1]=$(ipv4 "$1"); [ -n "${ip[$1]}" ]; }
has_in() { has "$1" && [ "${ip[$1]%.*}" = "${network[${1%%.*}]}" ] && [ "${ip[$1]##*.}" -ge "$2" ] && [ "${ip[$1]##*.}" -le "$3" ]; } # N.NAME FIRST LAST
lost() { [ -z "$(ipv4 "$1")" ]; }
default_route() { inside "${pid[$1]}" ip -j -4 route show default | jq -r '.[].gateway'; }
valid() { inside "${pid[$1]}" ip -j -4 addr show dev eth0 | jq -r '.[].addr_info[]?.valid_life_time'; }
client_is() { echo ".client == \"${client_id[$1]}\""; }

# ---- what befalls a lease, on the three at once

bind() {
  local n k
  mark 1 2 3
  for n in 1 2 3; do attach "$n" www acd=no; done
  for n in 1 2 3; do
    k=${kinds[n]}
    soon "$k: bind: an address of its pool" 20 has_in "$n.www" 100 199
    same "$k: bind: the route" "10.77.$n.1" "$(default_route "$n.www")"
    check "$k: bind: the address has the lifetime of its lease" [ "$(valid "$n.www")" -le 120 ]
    client_id[$n.www]=$(seen "$n" '.type == "discover"' | head -n1 | jq -r .client)
    check "$k: bind: the DISCOVER has the broadcast flag and an RFC 4361 identifier" seen "$n" \
      '.type == "discover" and .broadcast and (.client | test("^ff[0-9a-f]{8}0004[0-9a-f]{32}$"))'
    soon "$k: bind: the server's lease file agrees" 5 sh -c "'$tools/server' leases $k /run/$k.peer | grep -q '^${ip[$n.www]} .* www-$n\$'"
  done
}

siblings() {
  local n i k
  for n in 1 2 3; do for i in 1 2 3 4 5 6 7 8 9; do attach "$n" "s$i" acd=no; done; done
  for n in 1 2 3; do
    k=${kinds[n]}
    for i in 1 2 3 4 5 6 7 8 9; do within 60 has "$n.s$i" || not_ok "$k: s$i has an address"; done
    same "$k: ten siblings have ten addresses" 10 "$(for i in www s1 s2 s3 s4 s5 s6 s7 s8 s9; do ipv4 "$n.$i"; done | sort -u | wc -l)"
    soon "$k: the server knows ten, of one MAC" 5 eval '[ "$(given '"$n"' peer | wc -l)" = 10 ] && [ "$(given '"$n"' peer | cut -d" " -f2 | sort -u | wc -l)" = 1 ]'
  done
  # the rest is about www; these would only keep the machine busy
  for n in 1 2 3; do for i in 1 2 3 4 5 6 7 8 9; do kill "${pid[$n.s$i]}"; wait "${pid[$n.s$i]}"; done; done 2>/dev/null
}

renew() {
  local n k
  mark 1 2 3
  for n in 1 2 3; do
    k=${kinds[n]}
    soon "$k: renew: a unicast REQUEST from the address, to the server" 15 seen "$n" \
      ".type == \"request\" and .ciaddr == \"${ip[$n.www]}\" and .ip_src == .ciaddr and .ip_dst == \"10.77.$n.1\" and .eth_dst != \"ff:ff:ff:ff:ff:ff\" and (.broadcast | not)"
    soon "$k: renew: an ACK" 5 seen "$n" ".type == \"ack\" and .yiaddr == \"${ip[$n.www]}\""
    same "$k: renew: the address stays" "${ip[$n.www]}" "$(ipv4 "$n.www")"
  done
}

reboot() {
  local n k
  mark 1 2 3
  kill -KILL "$daemon"; wait "$daemon" 2>/dev/null
  for n in 1 2 3; do same "${kinds[n]}: kill -9: the link keeps its address" "${ip[$n.www]}" "$(ipv4 "$n.www")"; done
  start
  for n in 1 2 3; do
    k=${kinds[n]}
    soon "$k: kill -9: INIT-REBOOT" 15 seen "$n" \
      ".type == \"request\" and $(client_is "$n.www") and .ciaddr == \"0.0.0.0\" and .requested == \"${ip[$n.www]}\" and (has(\"server\") | not)"
    soon "$k: kill -9: an ACK" 5 seen "$n" ".type == \"ack\" and .yiaddr == \"${ip[$n.www]}\""
    same "$k: kill -9: the same address" "${ip[$n.www]}" "$(ipv4 "$n.www")"
    same "$k: kill -9: it looks for no other" 0 "$(count "$n" ".type == \"discover\" and $(client_is "$n.www")")"
  done
}

forget() { # while the daemon is not there: Kea and dhcpd answer a client that asks again, not one that renews
  local n k
  mark 1 2 3
  kill -KILL "$daemon"; wait "$daemon" 2>/dev/null
  stop_server 1 2 3
  # dhcpd, which is silent about an address that it knows nothing of, has another network now
  network[3]=10.87.3
  peer 3 ip addr flush dev lan3; peer 3 ip addr add 10.87.3.1/24 dev lan3
  for n in 1 2 3; do "$tools/server" forget "${kinds[n]}" "/run/${kinds[n]}.peer"; serve "$n" peer 200 249 60; done
  serves 1 2 3
  start
  for n in 1 2 3; do
    k=${kinds[n]}
    soon "$k: forgotten: an address of the new pool" 40 has_in "$n.www" 200 249
    check "$k: forgotten: the server refused the old one" seen "$n" '.type == "nak"'
    same "$k: forgotten: it has one address" 1 "$(ipv4 "$n.www" | wc -l)"
  done
}

rebind() {
  local n k
  mark 1 2 3
  stop_server 1 2 3
  for n in 1 2 3; do
    k=${kinds[n]}
    mkdir -p "/run/$k.second"; cp "/run/$k.peer/leases" "/run/$k.second/leases"
    serve "$n" second 100 199 10
  done
  serves 1 2 3
  for n in 1 2 3; do
    k=${kinds[n]}
    soon "$k: rebind: a broadcast REQUEST" 15 seen "$n" \
      ".type == \"request\" and $(client_is "$n.www") and .ciaddr == \"${ip[$n.www]}\" and .ip_dst == \"255.255.255.255\" and .broadcast"
    soon "$k: rebind: the other server's ACK" 5 seen "$n" ".type == \"ack\" and .yiaddr == \"${ip[$n.www]}\" and .server == \"10.77.$n.2\""
    same "$k: rebind: the same address" "${ip[$n.www]}" "$(ipv4 "$n.www")"
  done
}

expire() {
  local n k
  stop_server 1 2 3
  for n in 2 3; do
    k=${kinds[n]}
    soon "$k: expiry: the address goes" 15 lost "$n.www"
    same "$k: expiry: its route goes" '' "$(default_route "$n.www")"
  done
}

again() { # from here on leases of 60 s: the daemon takes its time in here
  local n
  for n in 1 2 3; do serve "$n" peer 100 199 60; done
  serves 1 2 3
  for n in 1 2 3; do soon "${kinds[n]}: there again: an address" 40 has_in "$n.www" 100 199; done
}

# ---- what the scripted server does

scripted_begin() { # three that look for conflicts, which takes its time: beside the others
  local name
  mark 4
  for name in one two three; do attach 4 "$name" acd=yes; done
}
scripted() {
  local name
  for name in one two three; do soon "conflict: an address of $name" 40 has 4.$name; done
  same 'conflict: three addresses, none of them that of the other host' 3 \
    "$(for name in one two three; do ipv4 4.$name; done | grep -vx 10.77.4.100 | sort -u | wc -l)"
  same 'conflict: DECLINE, once, and siblings that share the MAC are no conflict' 10.77.4.100 \
    "$(seen 4 '.type == "decline"' | jq -r .requested)"
  same 'conflict: nothing was announced for the first' 0 \
    "$(count 4 '.kind == "arp" and .sender_ip == "10.77.4.100" and .sender_mac != "02:00:5e:00:53:aa"')"
  mark 4
  tell 4 "unicast $scripted"
  attach 4 unicast acd=no
  soon 'unicast OFFER and ACK: an address' 15 has 4.unicast
  same 'unicast OFFER and ACK: one DISCOVER' 1 "$(count 4 '.type == "discover"')"
}

# ---- all of it

start() {
  "$bin/ontapd" up1 up2 up3 up4 >>"$daemon_log" 2>&1 & daemon=$!
  within 60 eval 'client leases || ! kill -0 "$daemon"'
  client leases >/dev/null || { not_ok 'ontapd answers'; sed 's/^/# ontapd: /' "$daemon_log"; exit 1; }
}
socket=$ONTAP_RUNTIME_DIR/port.up1
scripted="server=10.77.4.1 pool=10.77.4.100 arp=10.77.4.100"

for n in 1 2 3 4; do make_network "$n"; mkfifo "/run/tell.$n"; exec {keep}<>"/run/tell.$n"; done
for n in 1 2 3; do watch "$n" watch; serve "$n" peer 100 199 10; done
# shellcheck disable=SC2086
watch 4 normal $scripted
for n in 1 2 3 4; do within 20 grep -q '"ready"' "/run/wire.$n" || { not_ok "the witness of $n"; cat "/run/wire.$n"; }; done
serves 1 2 3
start
note "servers, witnesses and ontapd answer after $SECONDS s"
scripted_begin
for phase in bind siblings renew rebind expire again reboot forget scripted; do
  begin=$SECONDS
  "$phase"
  note "$phase: $((SECONDS - begin)) s"
done
stop_daemon
finish

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Links that come and go, run inside a test kernel:
#   test/harness/uml --modules "ipvlan ipvtap macvlan veth" --timeout 300 -- test/harness/uml-cycles.sh bin CLIENTS [N [SEED]]
# N (200) clients after one another take an ipvlan link and N an ipvtap one, by doc/protocol.md; half of them are
# killed at a random moment. Then six times the real `ontap`. Afterwards nothing is left, by ip(8), /proc and
# the state file. Prints `ok …` or `not ok …` for each check, `# …` for what was seen; exit 1 if any failed.

. "$(dirname "$0")/uml-daemon.sh"
count=${3:-200} seed=${4:-$((RANDOM * 32768 + RANDOM))}

# What there is now: one line for each thing that a link or lease could leave behind.
held() {
  ip -j link | jq -r '.[] | "link \(.ifname)"'
  lan ip -j link | jq -r '.[] | "link \(.ifname) in lan"'
  taps ip -j link | jq -r '.[] | "link \(.ifname) in taps"'
  taps ip -j addr | jq -r '.[].addr_info[] | "address \(.local) in taps"'
  ip netns list-id | sed 's/ (.*//'
  taps ip netns list-id | sed 's/ (.*//; s/$/ of taps/'
  # numbers of descriptors, pipes and sockets differ from time to time
  ls -l "/proc/$daemon/fd" | sed -n 's/.* -> //; s/\[[0-9]*\]//; T; p' | sed 's/^/descriptor /'
  lsns -n -t net -o NS | wc -l | sed 's/^/network namespaces: /'
  find "$ONTAP_RUNTIME_DIR" -mindepth 1 | sed 's/^/file /'
  ls /dev | sed 's/^/device node /'
  cut -d' ' -f5 /proc/self/mountinfo | sed 's/^/mount /'
}
held_now() { held | LC_ALL=C sort >"$1"; }
as_before() { held_now /run/after; cmp -s /run/before /run/after; }
nothing_left() { # AFTER-WHAT
  soon "$1: no lease is left" 20 no_leases
  if within 20 as_before; then ok "$1: no link, address, descriptor, namespace or file is left"
  else not_ok "$1: no link, address, descriptor, namespace or file is left"; diff /run/before /run/after | sed -n 's/^[<>]/#   &/p'; fi
  soon "$1: no ipvlan link is left on the port, in whatever namespace" 5 port_free
}

cycles() { # TYPE
  local begin=$SECONDS
  client cycle "$count" "$1" --kill-half "$seed" >/run/cycle.out 2>&1
  same "$1: $count cycles, half of them killed" 'cycle: passed' "$(tail -n1 /run/cycle.out)"
  sed 's/^/# /' /run/cycle.out
  note "$1: $((SECONDS - begin)) s"
  nothing_left "$count cycles of $1"
}

# One that ends by itself, or is killed while it has its link: what the program that `ontap` became has seen.
real() { # TYPE ends|killed
  local link pid
  : >/run/real.out
  unshare --net "$bin/ontap" -t "$1" up0 -- \
    sh -c 'ip -j link >/run/real.links; echo "$ONTAP_IFNAME" >/run/real.out; read go </run/real.go' 2>/run/real.err & pid=$!
  within 40 eval '[ -s /run/real.out ] || ! kill -0 '"$pid"
  read -r link </run/real.out
  if [ -z "$link" ]; then not_ok "ontap -t $1: runs a program with a link"; sed 's/^/#   /' /run/real.err; kill -KILL "$pid"; return; fi
  if [ "$1" = ipvlan ]; then check "ontap -t $1: the link is in its namespace" jq -e "any(.ifname == \"$link\")" /run/real.links
  else check "ontap -t $1: the link is in the daemon's namespace" taps ip link show dev "$link"; fi
  check "ontap -t $1: the lease is in the state file" grep -q ':lease/id' "$ONTAP_RUNTIME_DIR/leases.edn"
  if [ "$2" = ends ]; then echo >/run/real.go; else kill -KILL "$pid"; fi
  wait "$pid" 2>/dev/null; local status=$?
  [ "$2" = killed ] || same "ontap -t $1: ends as its program does" 0 "$status"
}
# One that is killed at a random moment of its start, which takes 2 to 5 s in here.
killed_early() { # TYPE
  local pid moment=$((RANDOM % 5000))
  unshare --net "$bin/ontap" -t "$1" up0 -- sleep 300 >/dev/null 2>&1 & pid=$!
  sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
  kill -KILL "$pid"; wait "$pid" 2>/dev/null
  note "ontap -t $1 killed after $moment ms"
}

make_lan
note "seed $seed"
if start_daemon; then
  # once each, so that everything has been used
  client cycle 4 ipvlan >/dev/null; client cycle 4 ipvtap >/dev/null; client cycle 1 ipvlan lease=holder >/dev/null
  soon 'the daemon is at rest' 20 no_leases
  within 10 no_taps
  # a JVM closes what it has dropped when it likes: twice the same, two seconds apart
  settled() { held_now /run/before; sleep 2; held_now /run/again; cmp -s /run/before /run/again; }
  within 30 settled
  note "the daemon holds $(grep -c '^descriptor' /run/before) descriptors"
  cycles ipvlan
  cycles ipvtap
  RANDOM=$((seed % 32768))
  mkfifo /run/real.go
  for type in ipvlan ipvtap; do real "$type" ends; real "$type" killed; killed_early "$type"; done
  nothing_left 'ontap, six times'
  stop_daemon
fi
finish

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What an ordinary user may have of ontapd, run inside a test kernel:
#   test/harness/uml --modules "ipvlan ipvtap macvlan veth af_packet" --timeout 300 -- test/harness/uml-authority.sh bin CLIENTS
# A user of the group of the port takes ipvlan links into namespaces of their own, and an ipvtap.
# Prints `ok …` or `not ok …` for each check, `# …` for what was seen; exit 1 if any failed.

. "$(dirname "$0")/uml-daemon.sh"

group=$(getent group games | cut -d: -f3)
[ -n "$group" ] || { echo 'there is no group games here'; exit 125; }
as_member() { setpriv --reuid=60123 --regid=60123 --groups="$group" --inh-caps=-all --ambient-caps=-all -- "$@"; }
as_outsider() { setpriv --reuid=60999 --regid=60999 --clear-groups --inh-caps=-all --ambient-caps=-all -- "$@"; }
said() { # SENTENCE FILE TEXT
  if grep -qF -- "$3" "$2"; then ok "$1"; else not_ok "$1: expected $3"; sed 's/^/#   /' "$2"; fi
}

# In place of the one of uml-daemon.sh: the port is for a group that ordinary users are in.
start_daemon() { # [MORE OF THE PORT [COMMAND…]]
  echo "{:ports {\"up0\" {:group \"games\" ${1:-}}}}" >/run/ontap.edn
  "${@:2}" "$bin/ontapd" --config /run/ontap.edn --verbosity debug >"$daemon_log" 2>&1 & daemon=$!
  soon 'ontapd answers on the socket of its port' 60 client leases
}

# Runs in the member's namespace, as its root: settles an address and tries the LAN.
cat >/run/inside.sh <<'INSIDE'
ip -j -d link show dev "$ONTAP_IFNAME"
echo "index $(cat "/sys/class/net/$ONTAP_IFNAME/ifindex" 2>/dev/null)"
ip addr add 10.9.0.60/24 dev "$ONTAP_IFNAME"
for try in 1 2 3 4 5; do busybox ping -c 1 -W 2 10.9.0.1 && echo reached && break; done
ip -br addr show dev "$ONTAP_IFNAME"
INSIDE

own_namespace() {
  as_member unshare -Urn "$bin/ontap" -t ipvlan up0 --name web -- bash /run/inside.sh >/run/own 2>&1
  same "a member's ipvlan: ontap becomes the program" 0 $?
  said "a member's ipvlan: it is an ipvlan link" /run/own '"info_kind":"ipvlan"'
  said "a member's ipvlan: it has their name" /run/own '"ifalias":"web"'
  said "a member's ipvlan: it is up" /run/own '"LOWER_UP"'
  said "a member's ipvlan: it reaches the LAN" /run/own reached
  soon "a member's ipvlan: it ends with their namespace" 10 no_leases
  soon "a member's ipvlan: the port is free afterwards" 10 port_free
}

# A namespace that lives on: what is lent to it ends with the holder of the lease.
lasting_namespace() {
  local held
  as_member unshare -Urn sh -c 'echo $$ >/run/lasting/held; exec sleep 200' & disown
  within 10 test -s /run/lasting/held
  held=$(cat /run/lasting/held)
  as_member nsenter --user --preserve-credentials --target "$held" "$bin/ontap" -t ipvlan up0 \
    --netns "/proc/$held/ns/net" --link lent0 -- bash /run/inside.sh >/run/lent 2>&1
  same "a member's ipvlan in a namespace of theirs that lives on: ontap becomes the program" 0 $?
  said "a member's ipvlan in a namespace of theirs that lives on: it reaches the LAN" /run/lent reached
  soon "a member's ipvlan in a namespace of theirs that lives on: it ends with its holder" 10 no_leases
  check "a member's ipvlan in a namespace of theirs that lives on: no link is left in it" \
    sh -c "! nsenter --net=/proc/$held/ns/net ip link show dev lent0"
  kill "$held"
}

taps_of_a_member() {
  as_member "$bin/ontap" -t ipvtap up0 --name vm1 -m 2 -- sh -c \
    'test -c "/proc/self/fd/$ONTAP_FD0" && test -c "/proc/self/fd/$ONTAP_FD1" && test -p "/proc/self/fd/$ONTAP_LEASE_FD" && echo "queues of $ONTAP_IFNAME"' \
    >/run/vm1 2>&1
  said "a member's ipvtap: its queues come as descriptors" /run/vm1 'queues of ontap'
  soon "a member's ipvtap: it ends with its holder" 10 no_taps
}

refusals() {
  as_member unshare -Urn "$bin/ontap" -t macvlan up0 -- true >/run/no 2>&1
  said 'a member is refused: macvlan' /run/no 'refused: port up0 gives macvlan to root only, for a user could stack more on it without limit; take ipvlan, or macvtap'
  as_member "$bin/ontap" -t ipvlan up0 --netns lan -- true >/run/no 2>&1
  said "a member is refused: root's namespace, by the kernel when they want to enter it" /run/no 'no right to enter the network namespace lan'
  # Somebody has brought them into root's namespace; they pass it as if it were theirs.
  lan setpriv --reuid=60123 --regid=60123 --groups="$group" --inh-caps=-all --ambient-caps=-all -- \
    "$clients/ontap-client" "$socket" attach type=ipvlan -- true >/run/no 2>&1
  said "a member is refused: root's namespace" /run/no 'that network namespace is not yours'
  as_outsider "$bin/ontap" -t ipvtap up0 -- true >/run/no 2>&1
  said 'an outsider cannot connect' /run/no "no right to ask ontapd: $socket is for its owner and its group"
}

# A user namespace with one user in it, a file of services, and no right of root's anywhere.
up_of_a_member() {
  local up
  mkdir -m 700 /run/lasting/up /run/lasting/state
  chown 60123:60123 /run/lasting/up /run/lasting/state
  echo '{:name "mine" :port "up0" :ipv4 "10.9.0.61/24" :acd false :ipv6 :none :exec ["sleep" "1000"]}' >/run/lasting/mine.edn
  # shellcheck disable=SC2016  # for that shell
  as_member env ONTAP_RUNTIME_DIR=/run/lasting/up ONTAP_STATE_DIR=/run/lasting/state ONTAP_DAEMON_DIR=/run/ontap \
    sh -c 'echo $$ >/run/lasting/up.pid; exec unshare -Urn "$1" up /run/lasting/mine.edn' - "$bin/ontap" >/run/lasting/up.log 2>&1 & up=$!
  soon "a member's own ontap up: its service is reached from the LAN" 60 lan busybox ping -c 1 -W 2 10.9.0.61
  check "a member's own ontap up: the lease is theirs" sh -c "client='$clients/ontap-client'; \"\$client\" '$socket' leases | grep -q mine"
  kill -TERM "$(cat /run/lasting/up.pid)"; wait "$up"
  same "a member's own ontap up: SIGTERM ends it with 0" 0 $?
}

# The host's own link is an ipvlan link too: the host and its services reach one another by it.
index_of() { ip -j link show dev "$1" | jq -r '.[0].ifindex'; }
host_link() {
  local before
  start_daemon ':host-link "host0"' || return
  soon "the host's own link: it is there" 10 ip link show dev host0
  same "the host's own link: its kind" ipvlan "$(ip -j -d link show dev host0 | jq -r '.[0].linkinfo.info_kind')"
  ip addr add 10.9.0.3/24 dev host0
  rm -f /run/lasting/held
  as_member unshare -Urn "$bin/ontap" -t ipvlan up0 --name web -- sh -c \
    'ip addr add 10.9.0.60/24 dev eth0; echo $$ >/run/lasting/held; exec sleep 200' & disown
  within 60 test -s /run/lasting/held
  soon "the host's own link: a service is reached by it" 10 busybox ping -c 1 -W 2 -I host0 10.9.0.60
  before=$(index_of host0)
  stop_daemon
  same "the host's own link: it is there without ontapd" "$before" "$(index_of host0)"
  start_daemon ':host-link "host0"' || return
  same "the host's own link: the next ontapd takes it up" "$before" "$(index_of host0)"
  check "the host's own link: a service is reached by it again" busybox ping -c 1 -W 2 -I host0 10.9.0.60
  kill "$(cat /run/lasting/held)"
  echo '{:ports {"up0" {:group "games"}}}' >/run/ontap.edn
  kill -HUP "$daemon"
  soon "the host's own link: it goes when it is wanted no more" 10 sh -c '! ip link show dev host0'
  stop_daemon
}

# CAP_NET_RAW is for the guests of ipvtap, whose frames tell their addresses.
without_net_raw() {
  start_daemon '' setpriv --bounding-set=-net_raw -- || return
  as_member unshare -Urn "$bin/ontap" -t ipvlan up0 -- true >/run/raw 2>&1
  same 'without CAP_NET_RAW: an ipvlan link is had' 0 $?
  as_member "$bin/ontap" -t ipvtap up0 -- true >/run/raw 2>&1
  soon 'without CAP_NET_RAW: the guest of an ipvtap is not heard' 10 grep -q 'unable to follow the guest .*EPERM' "$daemon_log"
  stop_daemon
}

mkdir -m 1777 /run/lasting
make_lan
start_daemon && {
  own_namespace
  lasting_namespace
  up_of_a_member
  taps_of_a_member
  refusals
  stop_daemon
}
host_link
without_net_raw
finish

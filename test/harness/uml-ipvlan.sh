#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# ipvlan on a LAN, run inside a test kernel:
#   test/harness/uml --modules "ipvlan macvlan veth" -- test/harness/uml-ipvlan.sh kernel
#   test/harness/uml --modules "ipvlan macvlan veth" --timeout 120 -- test/harness/uml-ipvlan.sh both bin/ontap
# `kernel` asks the kernel alone, by iproute2, for what ontap relies on;
# `ontap` has `ontap up` make three services and looks at them from outside;
# `both` does one after the other on the same LAN.
# Prints `ok …` or `not ok …` for each check, `# …` for what was seen; exit 1 if
# any failed. It makes links in the first network namespace, so it refuses to
# run anywhere but in the test kernel.
#
#   this kernel (the host)             namespace "lan" (a host and its router)
#   up0 10.77.0.2/24  ---- veth ----   lan0 10.77.0.1/24 fd77::1/64, sends RA
#    └ eth0 of each service: 10.77.0.11-13/24 and an address by SLAAC

[ "${UML:-}" = 1 ] && [ -d /run/uml/out ] || { echo 'only inside test/harness/uml' >&2; exit 100; }

for tool in ip jq curl busybox java setpriv nsenter pgrep sysctl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed (Debian: iproute2 jq curl busybox openjdk-17-jre-headless util-linux procps)"; exit 125; }
done

failed=0
ok() { echo "ok $*"; }
not_ok() { echo "not ok $*"; failed=1; }
note() { echo "# $*"; }
# check SENTENCE COMMAND…: the command's success is the answer.
check() { local what=$1; shift; if "$@" >/run/check.out 2>&1; then ok "$what"; else not_ok "$what"; sed 's/^/#   /' /run/check.out; fi; }
same() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: expected $2, found ${3:-nothing}"; fi; }
# within SECONDS COMMAND…: asks again until it succeeds.
within() { local end=$((SECONDS + $1)); shift; until "$@" >/dev/null 2>&1; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.1; done; }
ms() { echo $(($(date +%s%N) / 1000000)); }
lan() { ip netns exec lan "$@"; }
inside() { local pid=$1; shift; nsenter --net="/proc/$pid/ns/net" "$@"; }

# The global addresses of eth0 in the namespace of PID that are in use.
usable() { # PID inet|inet6
  inside "$1" ip -j addr show dev eth0 |
    jq -r --arg f "$2" '.[].addr_info[]? | select(.family == $f and .scope == "global" and (.tentative or .dadfailed | not)) | "\(.local)/\(.prefixlen)"'
}
slaac() { usable "$1" inet6 | grep -q '^fd77:.*/64$'; }
fetch() { lan curl -gsS --max-time 5 "http://$1:8080/"; }

# The router's advertisements, by the project's own sender.
root=$(cd "$(dirname "$0")/../.." && pwd)
app=$root/target/ontap
[ -e "$app/ontap.jar" ] || { echo "$app/ontap.jar is not built: bin/ontap --version builds it"; exit 125; }
advertise() {
  lan java -Xshare:auto -Xlog:disable -XX:TieredStopAtLevel=1 -XX:-UsePerfData --enable-native-access=ALL-UNNAMED \
    "-Djna.boot.library.path=$app/native" -Djna.nosys=true -Djna.nounpack=true \
    -cp "$app/ontap.jar" ontap.ndp.RouterAdvertiser lan0 fd77::/64 >/run/router.log 2>&1 & router=$!
  within 20 grep -q '^advertising' /run/router.log || { not_ok 'the router advertises'; sed 's/^/#   /' /run/router.log; }
}

make_lan() {
  ip netns add lan
  ip link add up0 type veth peer name lan0 netns lan
  sysctl -qw net.ipv6.conf.up0.accept_ra=0
  lan sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.lan0.accept_dad=0
  lan ip link set lo up
  lan ip addr add 10.77.0.1/24 dev lan0
  lan ip addr add fd77::1/64 dev lan0
  lan ip link set lan0 up
  ip addr add 10.77.0.2/24 dev up0
  ip link set up0 up
  advertise
  check 'the LAN stands: the host reaches its router by IPv4' ping_from_host
}
ping_from_host() { busybox ping -c 1 -W 3 10.77.0.1; }

# up0 is free again when another kind of link may take its receive handler:
# ipvlan's port lasts as long as any slave in any namespace.
port_free() { ip link add link up0 name probe0 type macvlan mode bridge && ip link del probe0; }

# ---------------------------------------------------------------- kernel
hold() { # NAME: a process with namespaces of its own; sets pid
  unshare --net --uts sh -c "busybox hostname $1; ip link set lo up; : >/run/held.$1; exec sleep 300" &
  pid=$!
  within 5 test -e "/run/held.$1"
}
serve() { # PID NAME
  mkdir -p "/run/www/$2"; echo "this is $2" >"/run/www/$2/index.html"
  nsenter --net="/proc/$1/ns/net" --uts="/proc/$1/ns/uts" setpriv --reuid nobody --regid nogroup --clear-groups \
    busybox httpd -f -p 8080 -h "/run/www/$2" & server=$!
}
alias_of() { inside "$1" ip -j -d link show dev eth0 | jq -r '.[0].ifalias // ""'; }

kernel() {
  local pids=() ups=() servers=() n=0 name pid v6 first=''
  check 'there is a link kind ipvlan' sh -c 'ip link add link up0 name x0 type ipvlan mode l2 && ip link del x0'
  note "fact: addrgenmode given at creation: $(ip link add link up0 name x0 addrgenmode none type ipvlan mode l2 2>&1 || true)"
  port_free && ok 'the port is free after its last ipvlan link' || not_ok 'the port is free after its last ipvlan link'

  for name in one two three; do
    [ "$failed" = 0 ] || return
    n=$((n + 1)); hold "$name"; pids+=("$pid")
    touch "/run/ns.$name"; mount --bind "/proc/$pid/ns/net" "/run/ns.$name"
    mkdir -p /run/netns; touch "/run/netns/$name"; mount --bind "/proc/$pid/ns/net" "/run/netns/$name"
    # netns NAME is IFLA_NET_NS_FD in the request: made there, never seen here.
    check "$name: an ipvlan link is created straight in another namespace, by descriptor" \
      ip link add link up0 name eth0 alias "$name" netns "$name" type ipvlan mode l2
    same "$name: kind and mode" 'ipvlan l2' \
      "$(inside "$pid" ip -j -d link show dev eth0 | jq -r '.[0].linkinfo | .info_kind + " " + .info_data.mode')"
    if [ "$n" = 1 ]; then
      note "fact: alias given at creation is $([ "$(alias_of "$pid")" = "$name" ] && echo kept || echo ignored)"
      note "fact: link as seen inside: $(inside "$pid" ip -j -d link show dev eth0 | jq -c '.[0] | {ifindex, link, link_index, link_netnsid, address, mtu, operstate, flags}')"
    fi
    inside "$pid" ip link set dev eth0 alias "$name"
    same "$name: alias set after creation" "$name" "$(alias_of "$pid")"
    inside "$pid" sysctl -qw "net.ipv6.conf.eth0.stable_secret=fd00::$n"
    inside "$pid" ip addr add "10.77.0.1$n/24" dev eth0
    ups+=("$(ms)")
    inside "$pid" ip link set eth0 up
    if [ "$n" = 1 ]; then
      note "fact: addr_gen_mode after stable_secret is written: $(inside "$pid" cat /proc/sys/net/ipv6/conf/eth0/addr_gen_mode)"
      within 10 sh -c "nsenter --net=/proc/$pid/ns/net ip -j -6 addr show dev eth0 | jq -e '.[].addr_info[]? | select(.scope == \"link\" and (.tentative | not))'"
      note "fact: link-local address usable $(($(ms) - ups[0])) ms after the link came up"
    fi
  done
  for n in 1 2 3; do
    name=$(echo one two three | cut -d' ' -f$n) pid=${pids[n-1]}
    within 15 slaac "$pid" && ok "$name: an address by SLAAC" || not_ok "$name: an address by SLAAC"
    note "fact: $name: SLAAC address usable at most $(($(ms) - ups[n-1])) ms after the link came up"
    same "$name: IPv4 address" "10.77.0.1$n/24" "$(usable "$pid" inet)"
    serve "$pid" "$name"; servers+=("$server")
  done
  for n in 1 2 3; do
    name=$(echo one two three | cut -d' ' -f$n) pid=${pids[n-1]}
    v6=$(usable "$pid" inet6 | head -n1)
    within 5 fetch "10.77.0.1$n"
    same "$name: HTTP over IPv4 from the LAN" "this is $name" "$(fetch "10.77.0.1$n")"
    same "$name: HTTP over IPv6 from the LAN" "this is $name" "$(fetch "[${v6%/*}]")"
    check "$name: ping over IPv4 from the LAN" lan busybox ping -c 1 -W 3 "10.77.0.1$n"
    same "$name: hostname" "$name" "$(nsenter --uts="/proc/$pid/ns/uts" busybox hostname)"
    [ -z "$first" ] && first=$v6
  done
  check 'siblings reach one another' inside "${pids[0]}" busybox ping -c 1 -W 3 10.77.0.12
  if busybox ping -c 1 -W 1 10.77.0.11 >/dev/null 2>&1; then note 'fact: the host reaches its own services'; else note 'fact: the host does not reach its own services through the port'; fi

  # A second link with the same secret on the same port has the same address.
  inside "${pids[0]}" ip link del eth0
  ip link add link up0 name eth0 netns one type ipvlan mode l2
  inside "${pids[0]}" sysctl -qw net.ipv6.conf.eth0.stable_secret=fd00::1
  inside "${pids[0]}" ip link set eth0 up
  within 15 slaac "${pids[0]}"
  same 'stable_secret: the address is the same on a link made anew' "$first" "$(usable "${pids[0]}" inet6 | head -n1)"
  note "fact: duplicate IPv4 on one port: $(inside "${pids[0]}" ip addr add 10.77.0.12/24 dev eth0 2>&1 || true)"
  ip link add link up0 name x1 type ipvlan mode l3
  note "fact: a link of mode l3 on the port: accepted, and a slave made before is now $(inside "${pids[1]}" ip -j -d link show dev eth0 | jq -r '.[0].linkinfo.info_data.mode')"
  ip link del x1 2>/dev/null
  note "fact: macvlan on the port meanwhile: $(ip link add link up0 name x2 type macvlan 2>&1)"
  note "fact: creation with a name that is taken in the target: $(ip link add link up0 name lo netns two type ipvlan mode l2 2>&1)"

  local gone=$(ms)
  kill "${servers[@]}" "${pids[@]}"; wait "${servers[@]}" "${pids[@]}" 2>/dev/null
  for name in one two three; do umount "/run/ns.$name" "/run/netns/$name"; rm "/run/netns/$name"; done
  within 10 port_free && ok 'the links end with their namespaces' || not_ok 'the links end with their namespaces'
  note "fact: the port was free $(($(ms) - gone)) ms after the last process of the namespaces was ended"
}

# ----------------------------------------------------------------- ontap
# The workload says that it is ready on descriptor 3, then becomes the server.
declaration() { # NAME LAST-BYTE
  cat <<EDN
 {:name "$1" :port "up0" :type "ipvlan" :user "nobody"
  :ipv4 "10.77.0.$2/24" :acd false :ipv6 :slaac :ready {:fd 3}
  :exec ["/bin/sh" "-c" "echo >&3; exec 3>&-; exec busybox httpd -f -p 8080 -h /run/www/$1"]}
EDN
}
pid_of() { pgrep -u nobody -f "^busybox httpd .*/run/www/$1\$"; }
has_pid() { [ "$(pid_of "$1" | wc -l)" = 1 ]; }
count_up() { local n; for n in alpha beta gamma; do has_pid "$n" || return 1; done; }
# status as data: each service once, ready, with the pid seen from outside.
all_ready() {
  timeout 40 "$program" status --format edn >/run/status.edn 2>/run/status.err || return
  local n
  for n in alpha beta gamma; do
    grep -q "\"$n\"" /run/status.edn && grep -qw "$(pid_of "$n")" /run/status.edn || return
  done
  [ "$(grep -oE ':state +:ready' /run/status.edn | wc -l)" = 3 ]
}

ontap() { # PROGRAM
  program=$1
  export ONTAP_RUNTIME_DIR=/run/ontap
  local name n=10 started=$(ms) pid v6 status up
  for name in alpha beta gamma; do mkdir -p "/run/www/$name"; echo "this is $name" >"/run/www/$name/index.html"; done
  { echo '['; for name in alpha beta gamma; do n=$((n + 1)); declaration "$name" "$n"; done; echo ']'; } >/run/services.edn
  "$program" up /run/services.edn >/run/up.log 2>&1 & up=$!
  show() { sed 's/^/# up: /' /run/up.log; [ ! -s /run/status.edn ] || sed 's/^/# status: /' /run/status.edn /run/status.err; }

  within 60 eval 'count_up || ! kill -0 "$up"'
  if count_up; then ok 'ontap up: one workload of each service runs as nobody'
  else not_ok 'ontap up: one workload of each service runs as nobody'; show; kill "$up" 2>/dev/null; return; fi
  note "three workloads $(($(ms) - started)) ms after the command"
  # A JVM's start is slow in here: the state is asked for when it can be expected.
  if all_ready || all_ready; then ok 'ontap status: three services are ready, with their pids'
  else not_ok 'ontap status: three services are ready, with their pids'; show; fi

  n=10
  for name in alpha beta gamma; do
    n=$((n + 1)); pid=$(pid_of "$name")
    same "$name: the link's kind and mode" 'ipvlan l2' \
      "$(inside "$pid" ip -j -d link show dev eth0 | jq -r '.[0].linkinfo | .info_kind + " " + .info_data.mode')"
    same "$name: the link's alias" "$name" "$(alias_of "$pid")"
    same "$name: the links inside" 'eth0 lo' "$(inside "$pid" ip -j link | jq -r '[.[].ifname] | sort | join(" ")')"
    same "$name: lo is up" 'true' "$(inside "$pid" ip -j link show dev lo | jq '.[0].flags | contains(["UP"])')"
    same "$name: IPv4 address" "10.77.0.$n/24" "$(usable "$pid" inet)"
    within 10 slaac "$pid" && ok "$name: an address by SLAAC" || not_ok "$name: an address by SLAAC"
    v6=$(usable "$pid" inet6 | head -n1)
    note "$name: pid $pid, $(usable "$pid" inet), $v6"
    check "$name: ontap status names both addresses" sh -c "grep -qF '10.77.0.$n' /run/status.edn && grep -qF '${v6%/*}' /run/status.edn"
    check "$name: ping over IPv4 from the LAN" lan busybox ping -c 1 -W 3 "10.77.0.$n"
    check "$name: ping over IPv6 from the LAN" lan busybox ping -c 1 -W 3 "${v6%/*}"
    same "$name: HTTP over IPv4 from the LAN" "this is $name" "$(fetch "10.77.0.$n" 2>&1)"
    same "$name: HTTP over IPv6 from the LAN" "this is $name" "$(fetch "[${v6%/*}]" 2>&1)"
    same "$name: hostname" "$name" "$(nsenter --uts="/proc/$pid/ns/uts" busybox hostname)"
    same "$name: no capabilities, no new privileges" 'CapInh:0 CapPrm:0 CapEff:0 CapBnd:0 CapAmb:0 NoNewPrivs:1' \
      "$(sed -nE 's/^(Cap[A-Za-z]*|NoNewPrivs):\t0*([0-9a-f])/\1:\2/p' "/proc/$pid/status" | xargs)"
  done

  kill -TERM "$up"
  (sleep 25; kill -KILL "$up") & n=$!
  wait "$up"; status=$?
  kill "$n" 2>/dev/null
  same 'SIGTERM: ontap up stops all and exits 0' 0 "$status"
  [ "$status" = 0 ] || show
  check 'SIGTERM: no workload is left' sh -c '! pgrep -u nobody -a'
  within 10 port_free && ok 'SIGTERM: no ipvlan link is left on the port' || not_ok 'SIGTERM: no ipvlan link is left on the port'
  same 'SIGTERM: no link of ours on the host' 'lo up0' "$(ip -j link | jq -r '[.[].ifname] | sort | join(" ")')"
  same 'SIGTERM: no namespace but the LAN under /run/netns' lan "$(ls /run/netns | xargs)"
}

part=${1:-}; program=$(realpath -e -- "${2:-bin/ontap}" 2>/dev/null)
case $part in
  kernel) make_lan; kernel ;;
  ontap|both)
    [ -x "$program" ] || { echo "not ok there is no program ${2:-bin/ontap}"; exit 1; }
    make_lan
    [ "$part" = ontap ] || kernel
    # a kernel that fails leaves its links behind, and the program would only fail for that
    [ "$part" = both ] && [ "$failed" = 1 ] || ontap "$program" ;;
  *) echo 'usage: uml-ipvlan.sh kernel | ontap PROGRAM | both PROGRAM' >&2; exit 100 ;;
esac
kill "$router" 2>/dev/null
check 'the kernel has complained of nothing' sh -c '! dmesg | grep -E "BUG|WARNING|Oops|refcount|unregister_netdevice"'
note "ended after $SECONDS s"
exit "$failed"

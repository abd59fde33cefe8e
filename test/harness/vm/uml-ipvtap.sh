#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Virtual machines of QEMU on ipvtap, run inside a test kernel:
#   test/harness/uml --modules "ipvlan ipvtap macvlan veth af_packet" --timeout 240 -- \
#     test/harness/vm/uml-ipvtap.sh bin CLIENTS GUEST RUNVM
# GUEST is a folder made by ./guest. RUNVM, a runvm of somebody else's, runs the first of two guests, and
# bin/runvm the second, both on links that ontapd hands out.
# Prints `ok …` or `not ok …` for each check, `# …` for what was seen; exit 1 if any failed.

. "$(dirname "$0")/../uml-daemon.sh"
for tool in qemu-system-x86_64 execlineb dnsmasq curl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed (Debian: qemu-system-x86 execline dnsmasq-base curl)"; exit 125; }
done
guest=$(realpath -e -- "${3:?the folder of a guest}") other=$(realpath -e -- "${4:?a runvm}") || exit 100
# The name that the other runvm may have for it.
mkdir -p /run/path && ln -s "$(command -v qemu-system-x86_64)" /run/path/qemu-system_x86_64
export PATH=/run/path:$bin:$PATH
unset ONTAP_TYPE

declare -A pid_of address_of
console() { sed 's/\r$//' "/run/$1.console"; }
bound() { console "$1" | sed -n 's,^guest: bound \([0-9.]*\)/.*,\1,p' | tail -n1 | grep .; }
fetch() { lan curl -gsS --max-time 20 "http://$1$2"; }
link_of() { tr '\0' '\n' <"/proc/${pid_of[$1]}/environ" | sed -n 's/^ONTAP_IFNAME=//p'; }
on_its_link() { taps ip -o addr show dev "$(link_of "$1")" | grep -qF " $2 "; }
gone() { ! kill -0 "${pid_of[$1]}"; }

start() { # NAME RUNVM OPTIONS-OF-THE-KERNEL
  "$2" up0 -accel tcg,tb-size=64 -cpu max -machine q35 -m 128 -no-reboot -display none -serial stdio \
    -kernel "$guest/kernel" -initrd "$guest/initrd" -append "console=ttyS0 quiet panic=-1 name=$1 $3" \
    >"/run/$1.console" 2>&1 & pid_of[$1]=$!
}

look() { # NAME
  local name=$1 address own
  if within 120 bound "$name"; then ok "$name: an address by DHCP"
  else not_ok "$name: an address by DHCP"; console "$name" | sed 's/^/#   /'; return; fi
  address=$(bound "$name") address_of[$name]=$address
  note "$name: $address, $(($(ms) - began)) ms after the first command"
  same "$name: the server has given it" "$address $name" "$(awk -v ip="$address" '$3 == ip { print $3, $4 }' /run/dhcp.leases)"
  same "$name: its hardware address is the port's" "$(cat /sys/class/net/up0/address)" "$(console "$name" | sed -n 's/^guest: hwaddr //p')"
  soon "$name: the address is on its link" 10 on_its_link "$name" "$address/32"
  soon "$name: ping from the LAN" 20 lan busybox ping -c 1 -W 5 "$address"
  same "$name: HTTP from the LAN" "this is $name" "$(fetch "$address" / 2>&1)"
  within 30 eval "fetch $address /cgi-bin/addresses | grep -q fe80:"
  own=$(fetch "$address" /cgi-bin/addresses | sed -n 's,.*inet6 \(fe80[^/]*\)/.*,\1,p')
  soon "$name: its link-local address is on its link" 20 on_its_link "$name" "$own/128"
  soon "$name: ping from the LAN over IPv6" 20 lan busybox ping6 -c 1 -W 5 "$own%lan0"
  check "$name: ping to the LAN" eval "fetch $address '/cgi-bin/ping?10.9.0.1' | grep -q ' 0% packet loss'"
}

make_lan
lan dnsmasq --keep-in-foreground --port=0 --interface=lan0 --bind-interfaces --dhcp-authoritative --no-ping \
  --dhcp-range=10.9.0.100,10.9.0.120,255.255.255.0,10m --log-dhcp \
  --conf-file=/dev/null --dhcp-leasefile=/run/dhcp.leases --pid-file= --user=root >/run/dnsmasq.log 2>&1 & dnsmasq=$!
start_daemon || finish
began=$(ms)
# The first asks for unicast answers, as most do; the second for broadcast.
start one "$other"
start two "$bin/runvm" dhcp=-B
look one
look two
check 'one pings its sibling' eval "fetch ${address_of[one]} '/cgi-bin/ping?${address_of[two]}' | grep -q ' 0% packet loss'"

fetch "${address_of[one]}" /cgi-bin/off >/dev/null
soon 'one: switches itself off' 30 gone one
check 'one: gave its address back' sh -c "! grep -qF ' ${address_of[one]} ' /run/dhcp.leases"
soon 'one: its link ends with it' 10 eval '[ "$(taps ip -o link show type ipvtap | wc -l)" = 1 ]'
kill -KILL "${pid_of[two]}"; wait "${pid_of[two]}" 2>/dev/null
soon 'two: its link ends when it is killed' 10 no_taps
soon 'no lease is left' 10 no_leases
stop_daemon
soon 'no ipvtap link is left on the port' 10 port_free
kill "$dnsmasq"
finish

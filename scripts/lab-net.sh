# shellcheck shell=bash
# The lab's namespaces, wires and addresses. Part of lab.sh.

# lab_network: every host's eth0 is a veth whose other end is a port of a bridge
# in namespace lan. The gateway's devices get no address: the daemon's twin does.
#
#   one-arm   client, gw, rs1, rs2 in one network
#   two-arm   client ── front ── gw eth0 ═ gw eth1 ── back ── rs1, rs2
#             and, for replies that bypass the gateway, rs1, rs2 eth1 ── front
lab_network() {
	local host bridge
	local -a bridges=(lan)
	[[ $(lab_variant) == one-arm ]] || bridges=(front back)
	for host in "${LAB_HOSTS[@]}"; do
		ip netns add "$(lab_ns "$host")"
		lab_quiet "$host"
		ip -n "$(lab_ns "$host")" link set lo up
	done
	for bridge in "${bridges[@]}"; do
		ip -n "$(lab_ns lan)" link add "$bridge" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
		ip -n "$(lab_ns lan)" link set "$bridge" up
	done
	lab_wire client eth0 "${bridges[0]}"
	lab_wire gw eth0 "${bridges[0]}"
	[[ ${#bridges[@]} == 1 ]] || lab_wire gw eth1 back
	lab_wire rs1 eth0 "${bridges[-1]}"
	lab_wire rs2 eth0 "${bridges[-1]}"
	for host in client rs1 rs2; do lab_address "$host"; done
	for host in rs1 rs2; do
		lab_loopback_vip "$host" dr
		[[ ${#bridges[@]} == 1 ]] || lab_second_leg "$host"
	done
}

# lab_quiet: no packets and no opinions of the kernel's own. The bridge's
# namespace only switches.
lab_quiet() { # host
	local -a set=()
	local scope
	for scope in all default; do
		set+=("net.ipv4.conf.$scope.rp_filter=0" "net.ipv6.conf.$scope.accept_ra=0"
			"net.ipv6.conf.$scope.accept_dad=0" "net.ipv6.conf.$scope.dad_transmits=0"
			"net.ipv6.conf.$scope.router_solicitations=0")
		[[ $1 != lan ]] || set+=("net.ipv6.conf.$scope.disable_ipv6=1")
	done
	# br_netfilter drops what is no good IP, trims padding and reassembles
	# fragments; a switch does not.
	[[ $1 != lan || ! -d /proc/sys/net/bridge ]] ||
		set+=(net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
			net.bridge.bridge-nf-call-arptables=0)
	lab_exec "$1" sysctl -q -w "${set[@]}"
}

# lab_wire joins DEVICE of HOST to a bridge. Offloads are off at both ends:
# DPDK must see what a wire would carry, whole checksums in frames of wire size.
lab_wire() { # host device bridge
	local port=$1-$2 ns lan
	ns=$(lab_ns "$1") lan=$(lab_ns lan)
	ip link add name "$port" netns "$lan" type veth peer name "$2" address "$(lab_mac "$1" "$2")" netns "$ns"
	lab_exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null
	lab_exec lan ethtool -K "$port" tx off rx off tso off gso off gro off >/dev/null
	ip -n "$lan" link set "$port" master "$3" up
	ip -n "$ns" link set "$2" up
}

# lab_address: the gateway is everybody's default route; only nat needs it.
lab_address() { # host
	local ns gw=gw
	ns=$(lab_ns "$1")
	[[ $1 != rs? || $(lab_variant) == one-arm ]] || gw="gw-back"
	ip -n "$ns" addr add "$(lab_addr "$1")/24" dev eth0
	ip -n "$ns" addr add "$(lab_addr "$1" 6)/64" dev eth0 nodad
	ip -n "$ns" route add default via "$(lab_addr "$gw")"
	ip -n "$ns" -6 route add default via "$(lab_addr "$gw" 6)"
}

# lab_loopback_vip lets a server take packets to a mode's virtual address without
# ever claiming it by ARP. (NDP never answers for another device's address.)
lab_loopback_vip() { # host mode
	local ns
	ns=$(lab_ns "$1")
	lab_exec "$1" sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	ip -n "$ns" addr add "$(lab_addr "vip-$2")/32" dev lo
	ip -n "$ns" addr add "$(lab_addr "vip-$2" 6)/128" dev lo nodad
}

# lab_second_leg: a server that answers clients past the gateway (dr, tun) has a
# way of its own to them, for replies from virtual addresses only. All else, as
# nat's replies, goes through the gateway.
lab_second_leg() { # host
	local ns vip family
	ns=$(lab_ns "$1")
	lab_wire "$1" eth1 front
	for family in 4 6; do
		ip -n "$ns" addr add "$(lab_addr "$1-front" "$family")/$(lab_bits "$family")" dev eth1 noprefixroute
		ip -n "$ns" "-$family" route add "$(lab_addr front-net "$family")/$(lab_bits "$family")" dev eth1 table 51
	done
	for vip in dr tun mixed; do
		[[ $vip == dr ]] || lab_loopback_vip "$1" "$vip"
		ip -n "$ns" rule add from "$(lab_addr "vip-$vip")" lookup 51
		ip -n "$ns" -6 rule add from "$(lab_addr "vip-$vip" 6)" lookup 51
	done
}

# lab_cores prints the main core and the worker's: the first two we may use.
lab_cores() {
	local list part cores=()
	list=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
	for part in ${list//,/ }; do
		mapfile -t -O "${#cores[@]}" cores < <(seq "${part%-*}" "${part#*-}")
	done
	((${#cores[@]} > 1)) || die "cores: ${cores[*]}: the lab needs two, one for the daemon's worker"
	echo "${cores[0]} ${cores[1]}"
}

# lab_port prints one entry of the configuration's ports.
lab_port() { # name device address-name
	cat <<-END
		  - name: $1
		    device: net_af_packet${2#eth},iface=$2
		    twin: sl-$1
		    mtu: 1500
		    addresses: [$(lab_addr "$3")/24, "$(lab_addr "$3" 6)/64"]
	END
}

# lab_config prints the daemon's configuration; its words are explained in
# deploy/sluice.yaml.
lab_config() {
	local main worker
	read -r main worker < <(lab_cores)
	cat <<-END
		# Written by scripts/lab.sh for lab $LAB_ID.
		run_dir: $LAB_DIR/run
		control: { socket: $LAB_DIR/control.sock, mode: "0660" }
		metrics: { listen: "127.0.0.1:9105" }
		eal: { hugepages: false, memory_mb: 256, main_core: $main, prefix: sl-$LAB_ID }
		workers: { cores: [$worker], idle: sleep, flows: 65536 }
		ports:
	END
	if [[ $(lab_variant) == one-arm ]]; then
		lab_port lan eth0 gw
	else
		lab_port front eth0 gw
		lab_port back eth1 gw-back
	fi
	echo "log: { level: info, format: text }"
}

# shellcheck shell=bash
# One case of the demo: a service of its own, 100 exchanges, and what four
# independent witnesses say about them: the client's answers, the real servers'
# logs, the daemon's counters, and counters in the client's kernel. Part of demo.sh.

EXCHANGES=100
FIRST_PORT=10000 # of a row's clients; below those that the kernel chooses

# mode and address family: two rows of the demo each, for TCP and UDP. The last
# two are tunnels whose inside (clients, service) is of another family than the
# outside (gateway to server): INNERinOUTER.
# shellcheck disable=SC2034 # used by the scripts that source this one
DEMO_CASES=(
	"dr ipv4" "dr ipv6"
	"nat ipv4" "nat ipv6"
	"fullnat ipv4" "fullnat ipv6"
	"tun ipv4" "tun ipv6"
	"tun 4in6" "tun 6in4"
)

# proof_setup counts, in the client's kernel and by Ethernet source, TCP and UDP
# packets: from the gateway, or from a server's second leg. All are services'.
# ("ip6 nexthdr", because "meta l4proto" and "udp sport" of netdev chains miss
# some IPv6 packets that come from packet sockets, seen on Linux 6.18.)
proof_setup() {
	local who device match
	{
		echo "table netdev proof {"
		for who in gw rs1 rs2; do echo "counter $who {}"; done
		echo "chain in { type filter hook ingress device eth0 priority 0;"
		for who in gw rs1 rs2; do
			device=eth1
			[[ $who != gw ]] || device=eth0
			for match in "ip protocol tcp" "ip protocol udp" "ip6 nexthdr tcp" "ip6 nexthdr udp"; do
				echo "ether saddr $(lab_mac "$who" $device) $match counter name $who"
			done
		done
		printf '}\n}\n'
	} | lab_exec client nft -f -
}

# proof_packets prints how many have come so far, as NAME=NUMBER.
proof_packets() {
	lab_exec client nft -j list counters | jq -r '.nftables[] | .counter? // empty | "\(.name)=\(.packets)"'
}

# families prints those of clients and service, and of servers, for a row.
families() {
	case $1 in
	ipv4) echo 4 4 ;; ipv6) echo 6 6 ;; 4in6) echo 4 6 ;; 6in4) echo 6 4 ;;
	esac
}

# virtual is the name of a row's virtual address.
virtual() { if [[ $2 == ?in? ]]; then echo vip-mixed; else echo "vip-$1"; fi; } # mode family

# bypasses: replies of these modes go from server to client directly.
bypasses() { [[ $1 == dr || $1 == tun ]]; }

# host_port joins an address and a port as URLs and the CLI write them.
host_port() { if [[ $1 == *:* ]]; then echo "[$1]:$2"; else echo "$1:$2"; fi; }

# add_service makes the case's service with both backends.
add_service() { # mode servers'-family service port
	local rs local=()
	[[ $1 != fullnat && $1 != tun ]] || local=(--local "$(lab_addr local "$2")")
	lab_ctl service add "$3" --mode "$1" --scheduler rr "${local[@]}" >/dev/null
	for rs in rs1 rs2; do
		lab_ctl backend add "$3" "$(host_port "$(lab_addr "$rs" "$2")" "$4")" --weight 1 >/dev/null
	done
}

# ask_http and ask_udp print "GOT rs1=N rs2=N retries=N", as the client saw it.
# Three failures in a row are no accident: the rest is not waited for. Each connection
# has a port of its own in all rows: the kernel may choose one again that was closed a
# moment ago, and who sees the client's packets alone (dr, tun) takes that for the same
# flow, as Linux IPVS does.
ask_http() { # host:port mark first-port
	# shellcheck disable=SC2016 # expands in the client's shell
	lab_exec client bash -c 'for ((i = 0, bad = 0; i < $1 && bad < 3; i++)); do
			if curl -s -m 10 --noproxy "*" --local-port $(($4 + i)) "http://$2/$3?i=$i"; then bad=0; else bad=$((bad + 1)); fi
		done' ask "$EXCHANGES" "$1" "$2" "$3" |
		awk '{ n[$1]++ } END { printf "%d rs1=%d rs2=%d retries=0\n", n["rs1"] + n["rs2"], n["rs1"], n["rs2"] }'
}
ask_udp() { # host:port mark
	{ lab_exec client "$BUILD/echo" ask --count "$EXCHANGES" --mark "$2" "$1" 2>/dev/null || true; } | sed 's|/[0-9]*||'
}

# cli_flows prints how many flows the daemon has created for a service and backend.
cli_flows() { # counters-json service-filter backend-address
	jq --arg rs "$3" "$2"' | [.backends[] | select(.address == $rs) | .flows] | add // 0' <<<"$1"
}

# run_case runs one row; every witness must tell the same story.
run_case() { # mode family protocol
	local mode=$1 proto=$3 mark="$1-$2-$3" log=http port=80 vip family server_family
	local before answers reasons=() row why
	read -r family server_family < <(families "$2")
	[[ $proto == tcp ]] || log=udp port=7
	vip=$(lab_addr "$(virtual "$1" "$2")" "$family")
	before=$(proof_packets)
	add_service "$mode" "$server_family" "$proto:$(host_port "$vip" "$port")" "$port" || reasons+=("service not added")
	answers=$("ask_$log" "$(host_port "$vip" "$port")" "$mark" $FIRST_PORT)
	FIRST_PORT=$((FIRST_PORT + EXCHANGES))

	check_answers
	check_logs
	check_cli
	check_path
	row="$mode $2 $proto ${answers%% *}/$EXCHANGES rs1=$(logged rs1) rs2=$(logged rs2)"
	[[ $answers == *retries=0 ]] || row+=" (${answers##* })"
	if ((${#reasons[@]} == 0)); then
		echo "PASS $row"
	else
		why=$(printf '; %s' "${reasons[@]}")
		failed "$row: ${why:2}"
	fi
}

# The checks below share run_case's variables and add to its reasons.

check_answers() {
	[[ ${answers%% *} == "$EXCHANGES" ]] || reasons+=("client got ${answers:-nothing}")
}

# logged counts a server's log lines of the case, those with an extended regular
# expression as their beginning if given.
logged() { # server [beginning]
	local slash=/
	[[ $proto != udp ]] || slash=
	lab_count "$1" "$log" "^${2:-.*} ${slash}${mark}[?-]"
}

# check_logs: round robin means halves; servers see the client's address, or the
# gateway's local one with fullnat, and are asked on theirs, or the virtual one.
check_logs() {
	local rs seen asked n strange
	seen=$(lab_addr client "$family")
	[[ $mode != fullnat ]] || seen=$(lab_addr local "$family")
	for rs in rs1 rs2; do
		asked=$(lab_addr "$rs" "$family")
		! bypasses "$mode" || asked=$vip
		n=$(logged "$rs")
		strange=$((n - $(logged "$rs" "${seen//./\\.} ${asked//./\\.}")))
		((n == EXCHANGES / 2)) || reasons+=("$rs logged $n instead of $((EXCHANGES / 2))")
		((strange == 0)) || reasons+=("$rs logged $strange exchanges not from $seen to $asked")
	done
}

# check_cli: the daemon has created as many flows per backend as the servers
# have logged exchanges. Its counters are published in batches: wait for one.
check_cli() {
	local i rs1 rs2 json find
	find="(.services? // .)[] | select(.protocol == \"$proto\" and .address == \"$vip\" and .port == $port)"
	for ((i = 0; i < 30; i++)); do
		json=$(lab_ctl counters -o json) || break
		rs1=$(cli_flows "$json" "$find" "$(lab_addr rs1 "$server_family")")
		rs2=$(cli_flows "$json" "$find" "$(lab_addr rs2 "$server_family")")
		[[ "$rs1 $rs2" != "$(logged rs1) $(logged rs2)" ]] || break
		sleep 0.1
	done
	[[ "${rs1:-} ${rs2:-}" == "$(logged rs1) $(logged rs2)" ]] ||
		reasons+=("sluicectl counts rs1=${rs1:-?} rs2=${rs2:-?} flows")
	OUT_PACKETS=$(jq "$find | .out_packets" <<<"$json")
}

# check_path: replies pass the gateway or bypass it, as the mode says; first by
# the daemon's word, then by the client's kernel.
check_path() {
	local who n from=gw after
	if ! bypasses "$mode"; then
		((${OUT_PACKETS:-0} > 0)) || reasons+=("sluicectl counts no replies through the gateway")
	else
		from=rs
		[[ ${OUT_PACKETS:-} == 0 ]] || reasons+=("sluicectl counts ${OUT_PACKETS:-no number of} replies through the gateway")
	fi
	after=$(proof_packets)
	for who in gw rs1 rs2; do
		n=$(($(sed -n "s/^$who=//p" <<<"$after") - $(sed -n "s/^$who=//p" <<<"$before")))
		if [[ $who == "$from"* ]]; then
			((n > 0)) || reasons+=("client received no frame of the service from $who")
		else
			((n == 0)) || reasons+=("client received $n frames of the service from $who")
		fi
	done
}

#!/usr/bin/env bash
# Writes the tables of docs/modes.md from a capture: two exchanges of every UDP
# case of the demo, with tcpdump at the client, both ports of the gateway and both
# legs of server rs1; test/modesdoc reads what they saw. The gateway's ports are
# watched from the other end of their wires, at the switch: frames that DPDK sends
# pass the taps of the gateway's kernel by.
#
#   modes-doc.sh          write docs/modes.md
#   modes-doc.sh --check  fail, and show what differs, if that would change it
# shellcheck source=scripts/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# shellcheck source=scripts/demo-case.sh
source "$ROOT/scripts/demo-case.sh"

DOCUMENT=$ROOT/docs/modes.md
POINTS=("client eth0" "lan gw-eth0" "lan gw-eth1" "rs1 eth0" "rs1 eth1") # host, device
EXCHANGES=2 # one with each server; test/modesdoc shows rs1's

failed() { die "FAIL $*"; }

cleanup() {
	trap - EXIT
	trap '' INT TERM
	[[ -z ${LAB_CLAIMED:-} ]] || lab_down
}

# start_capture returns when all dumps listen.
start_capture() {
	local host device name i
	mkdir "$LAB_DIR/captures"
	while read -r host device; do
		name=$host-$device name=${name#lan-}
		lab_spawn "dump-$name" "$host" "$LAB_DIR/captures/$name.log" tcpdump -Z root --immediate-mode -Uni "$device" \
			-w "$LAB_DIR/captures/$name.pcap" "udp or ip proto 4 or ip proto 41 or ip6 proto 4 or ip6 proto 41"
		for ((i = 0; i < 200; i++)); do
			! grep -q "listening on" "$LAB_DIR/captures/$name.log" 2>/dev/null || continue 2
			sleep 0.05
		done
		die "tcpdump on $name: does not listen after 10 s: $(cat "$LAB_DIR/captures/$name.log")"
	done < <(printf '%s\n' "${POINTS[@]}")
}

stop_capture() {
	local point
	for point in "${POINTS[@]}"; do
		point=${point/ /-}
		lab_end "dump-${point#lan-}" 5 || die "tcpdump on $point: does not end"
	done
}

# names says how the document calls addresses that the lab makes.
names() {
	echo "$(lab_mac client eth0) client"
	echo "$(lab_mac gw eth0) gw front"
	echo "$(lab_mac gw eth1) gw back"
	echo "$(lab_mac rs1 eth0) rs1"
	echo "$(lab_mac rs1 eth1) rs1 second leg"
	local name
	for name in client local; do
		echo "$(lab_addr $name) $name"
		echo "$(lab_addr $name 6) $name"
	done
}

main() {
	local case
	need_root "make docs"
	lab_use "docs$$"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	lab_up two-arm $$
	lab_daemon_start
	proof_setup
	start_capture
	for case in "${DEMO_CASES[@]}"; do
		# shellcheck disable=SC2086 # mode, family
		run_case $case udp
	done
	stop_capture
	lab_daemon_stop || die "sluiced: did not end well"
	names >"$LAB_DIR/captures/names"
	cd "$ROOT"
	go run ./test/modesdoc "$LAB_DIR/captures" "$DOCUMENT" >"$LAB_DIR/modes.md"
	if [[ ${1:-} == --check ]]; then
		diff "$DOCUMENT" "$LAB_DIR/modes.md" || die "docs/modes.md: is not what a capture shows: type: make docs"
	else
		cp "$LAB_DIR/modes.md" "$DOCUMENT"
		say "written: docs/modes.md"
	fi
}

main "$@"

#!/usr/bin/env bash
# The demo: a client, the gateway and two real servers in namespaces, the real
# daemon between them. One line per case; then the CLI's tables; then that the
# daemon leaves nothing behind. Exit status 1 when any of that is wrong.
#
#   demo.sh         run and clean up       KEEP=1 demo.sh   leave it running
#   demo.sh stop    end what KEEP=1 left
# shellcheck source=scripts/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# shellcheck source=scripts/demo-case.sh
source "$ROOT/scripts/demo-case.sh"

FAILED=0
failed() {
	FAILED=1
	printf 'FAIL %s\n' "$*"
}

cleanup() {
	trap - EXIT
	trap '' INT TERM # what follows takes a second, and is not to be cut short
	[[ -z ${LAB_CLAIMED:-} || -n ${KEPT:-} ]] || lab_down
}

# check_workers: received + generated = transmitted + to the kernel + handed over +
# dropped, per worker. Workers publish their counters in batches: wait for one.
check_workers() {
	local i wrong=
	for ((i = 0; i < 30; i++)); do
		wrong=$(lab_ctl workers -o json | jq -c '(.workers? // .)[]
			| select(.received + .generated != .transmitted + .to_kernel + .handed_over + .dropped)')
		[[ -n $wrong ]] || return 0
		sleep 0.1
	done
	failed "packets lost count of: received + generated is not transmitted + to_kernel + handed_over + dropped: $wrong"
}

show_tables() {
	local table
	for table in status "service list" counters verdicts workers ports; do
		printf '\n$ sluicectl %s\n' "$table"
		# shellcheck disable=SC2086 # the command's words
		lab_ctl $table || failed "sluicectl $table"
	done
	echo
}

print_next() {
	cat <<-END
		The demo goes on running as lab $LAB_ID. What to type next:

		  export SLUICE_SOCKET=$LAB_DIR/control.sock
		  build/sluicectl service list
		  build/sluicectl flows
		  scripts/lab.sh exec $LAB_ID client curl http://$(lab_addr vip-fullnat)/
		  scripts/lab.sh exec $LAB_ID client curl http://[$(lab_addr vip-tun 6)]/
		  scripts/lab.sh exec $LAB_ID client ping $(lab_addr vip-dr)
		  build/sluicectl backend remove tcp:$(lab_addr vip-fullnat):80 $(lab_addr rs1):80
		  scripts/lab.sh exec $LAB_ID gw curl -s http://127.0.0.1:9105/metrics
		  scripts/lab.sh exec $LAB_ID rs1 tcpdump -ni eth0
		  tail -f $LAB_DIR/sluiced.log

		To end it: make demo-stop
	END
}

stop_kept() {
	local id n=0
	for id in $(lab_ids); do
		[[ -e $LAB_RUN/$id/kept && $id == demo* ]] || continue
		say "ending $id"
		lab_use "$id"
		lab_down
		n=$((n + 1))
	done
	say "demos ended: $n"
}

main() {
	local fingerprint case proto
	need_root "make demo"
	if [[ ${1:-} == stop ]]; then
		stop_kept
		return
	fi
	lab_use "demo$$"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	say "making lab $LAB_ID: client, gateway with a port in front and one behind, two real servers"
	lab_up two-arm $$
	fingerprint=$(lab_fingerprint)
	say "starting sluiced"
	lab_daemon_start
	say "$EXCHANGES exchanges per case, each a flow of its own"
	proof_setup
	for case in "${DEMO_CASES[@]}"; do
		for proto in tcp udp; do
			# shellcheck disable=SC2086 # mode, family
			run_case $case $proto
		done
	done
	show_tables
	check_workers
	if [[ ${KEEP:-} == 1 ]]; then
		touch "$LAB_DIR/kept"
		KEPT=yes
		print_next
	else
		say "stopping sluiced, looking for what it left behind"
		lab_daemon_leave "$fingerprint" || failed "end of sluiced"
		((FAILED)) || say "all $((2 * ${#DEMO_CASES[@]})) cases passed, nothing left behind"
	fi
	exit $FAILED
}

main "$@"

#!/usr/bin/env bash
# The soak: mixed traffic, changes and hostile frames through the real daemon in
# a lab for MINUTES, then a comparison of what it holds with what it held before:
# see test/soak. WORKERS=2: two workers, two queues a port. SEED: of its random
# choices, as printed. Exit status 1 when anything failed or leaked.
# shellcheck source=scripts/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

cleanup() {
	trap - EXIT
	trap '' INT TERM # what follows takes a second, and is not to be cut short
	[[ -z ${LAB_CLAIMED:-} ]] || lab_down
}

main() {
	local fingerprint host status=0
	local -a args=(-root "$ROOT" -minutes "${MINUTES:-3}")
	[[ -z ${SEED:-} ]] || args+=(-seed "$SEED")
	need_root "make soak"
	lab_use "soak$$"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	say "building the soak"
	(cd "$ROOT" && CGO_ENABLED=0 go build -buildvcs=false -o "$BUILD/soak" ./test/soak)
	say "making lab $LAB_ID, ${WORKERS:-1} worker(s)"
	lab_up two-arm $$
	for host in rs1 rs2; do
		# Answers to the connections of a flood are not repeated for a minute, but
		# for 15 s: until then a server has to remember that a client opens a
		# connection whose packets a link that went down has swallowed. Linux repeats
		# the first data behind a repeated SYN after 3 s (RFC 6298, 5.7); a server
		# that has forgotten by then resets it.
		lab_exec "$host" sysctl -q -w net.ipv4.tcp_synack_retries=3
		# A second echo server, for services that change.
		lab_spawn "$host-echo2" "$host" "$LAB_DIR/$host/echo2.out" \
			"$BUILD/echo" serve --name "$host" --port 9001
		lab_wait_listening "$host" "$host-echo2" -u 9001 echo2.out
	done
	fingerprint=$(lab_fingerprint)
	"$BUILD/soak" -lab "$LAB_ID" -root "$ROOT" -configure "${WORKERS:-1}"
	# The live heap is what a collection finds: at sluiced's own setting too few come.
	GOGC=100 lab_daemon_start
	lab_exec client "$BUILD/soak" -lab "$LAB_ID" "${args[@]}" || status=$?
	say "stopping sluiced, looking for what it left behind"
	lab_daemon_leave "$fingerprint" || status=1
	((status)) || say "soaked: nothing failed, nothing leaked, nothing left behind"
	return "$status"
}

main "$@"

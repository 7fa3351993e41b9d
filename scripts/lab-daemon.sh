# shellcheck shell=bash
# The daemon in the lab's gateway. Part of lab.sh.

lab_ctl() { "$BUILD/sluicectl" --socket "$LAB_DIR/control.sock" "$@"; }

# lab_daemon_start starts sluiced with the lab's configuration and waits until
# it answers on its control socket.
lab_daemon_start() {
	local i
	[[ -x $BUILD/sluiced && -x $BUILD/sluicectl ]] || die "build/sluiced or build/sluicectl: not built: type: make build"
	lab_spawn sluiced gw "$LAB_DIR/sluiced.log" "$BUILD/sluiced" --config "$LAB_DIR/sluice.yaml"
	LAB_DAEMON=$!
	for ((i = 0; i < 400; i++)); do
		! lab_ctl status >/dev/null 2>&1 || return 0
		! lab_ended sluiced || break
		sleep 0.05
	done
	tail -n 30 "$LAB_DIR/sluiced.log" >&2
	die "lab $LAB_ID: sluiced: has ended, or is not ready after 20 s: its log is above"
}

# lab_daemon_stop ends a daemon that this shell started; it fails, and says how,
# when that took force or ended with an error.
lab_daemon_stop() {
	local status=0
	lab_end sluiced 10 || {
		warn "sluiced: did not end within 10 s of SIGTERM: killed"
		return 1
	}
	wait "$LAB_DAEMON" || status=$?
	((status == 0)) || {
		tail -n 10 "$LAB_DIR/sluiced.log" >&2
		warn "sluiced: ended with status $status: its last words are above"
		return 1
	}
}

# lab_daemon_leave ends the daemon and fails, saying why, if it leaves anything
# behind that was not in a fingerprint of before its start.
lab_daemon_leave() { # fingerprint
	local diff status=0
	lab_daemon_stop || status=1
	diff=$(diff <(printf '%s\n' "$1") <(lab_fingerprint)) || {
		printf '%s\n' "$diff"
		warn "sluiced left something behind: lines with > above"
		status=1
	}
	return $status
}

# lab_fingerprint prints everything that a daemon may change in the gateway or
# leave on the host. The same before its start and after its end: no residue.
lab_fingerprint() {
	echo "links:"
	# Another lab's tunnel may load a module, which puts its own device everywhere.
	lab_exec gw ip -o link | awk -F ': ' '$2 !~ /^(tunl0|sit0|ip6tnl0)@/ { print $2 }'
	echo "addresses and routes:"
	lab_exec gw ip -o -4 addr | awk '{ print $2, $4 }'
	lab_exec gw ip route show table all | grep -v '^fe80\|^multicast ff00\|^local fe80' || true
	echo "rules of nftables:"
	lab_exec gw nft list ruleset
	echo "settings:"
	lab_exec gw sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.(conf|neigh)\.(all|default|eth[0-9])\.|^net\.ipv4\.ip_forward ' |
		grep -vE '\.stable_secret|^sysctl:' || true
	echo "files:"
	find "$LAB_DIR/run" "$LAB_DIR/control.sock" ! -type d 2>/dev/null || true
	find /run/dpdk /dev/hugepages -path "*sl-$LAB_ID*" 2>/dev/null || true
}

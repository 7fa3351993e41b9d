#!/usr/bin/env bash
# The lab: network namespaces for a client, the gateway and two real servers
# around a switch, used by the demo (which sources this file) and by the
# end-to-end tests (which run it):
#
#   lab.sh up ID [one-arm|two-arm]  make lab ID; it goes when the caller does
#                                   (or process SLUICE_LAB_OWNER)
#   lab.sh keep ID                  ... or only by "down", from now on
#   lab.sh down ID                  end its processes, remove it
#   lab.sh list                     labs that exist
#   lab.sh sweep                    remove labs whose owner is dead
#   lab.sh exec ID HOST COMMAND...  run a command on client, gw, rs1, rs2 or lan
#   lab.sh config ID                print the daemon's configuration for it
#   lab.sh fingerprint ID           print what a daemon could leave behind
#   lab.sh addr ID NAME [4|6]       print an address: client gw rs1 rs2 local
#                                   vip-dr vip-fullnat vip-nat vip-tun vip-mixed
#
# A lab's names are its own: namespaces sl-ID-HOST, everything else in
# /run/sluice-lab/ID: pids/ (processes that we started), rs1/ and rs2/
# (servers' logs), sluice.yaml, control.sock. A keeper process holds the lab's
# lock; it watches the owner and removes the lab when that ends, however it
# ends. When the keeper was killed too, the next start sweeps.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

LAB_RUN=/run/sluice-lab
LAB_HOSTS=(client gw rs1 rs2 lan)

# lab_use makes ID the lab that all functions below are about.
lab_use() {
	[[ $1 =~ ^[a-z0-9]{1,16}$ ]] || die "lab ID: $1: not a name: use 1 to 16 of a-z and 0-9"
	LAB_ID=$1
	LAB_DIR=$LAB_RUN/$1
}

lab_ns() { echo "sl-$LAB_ID-$1"; }
lab_exec() { ip netns exec "$(lab_ns "$1")" "${@:2}"; }
lab_variant() { cat "$LAB_DIR/variant"; }

# ---- addresses

# lab_addr prints an address. One arm: all hosts in one network. Two arms:
# client and virtual addresses in front of the gateway, servers behind it.
lab_addr() { # name [4|6]
	local -A last=([client]=10 [gw]=1 [gw-back]=1 [rs1]=11 [rs2]=12 [local]=2
		[rs1-front]=11 [rs2-front]=12 [front-net]=0
		[vip-fullnat]=100 [vip-dr]=101 [vip-nat]=102 [vip-tun]=103 [vip-mixed]=104)
	local net=0
	[[ -n ${last[$1]:-} ]] || die "lab address: $1: no such name: use one of ${!last[*]}"
	if [[ $(lab_variant) == two-arm ]]; then
		case $1 in rs? | local | gw-back) net=2 ;; *) net=1 ;; esac
	fi
	if [[ ${2:-4} == 4 ]]; then
		echo "10.$net.0.${last[$1]}"
	elif ((net == 0)); then
		echo "fd00:51::${last[$1]}"
	else
		echo "fd00:51:$net::${last[$1]}"
	fi
}

# lab_bits is the length of every network's prefix.
lab_bits() { if [[ $1 == 4 ]]; then echo 24; else echo 64; fi; }

# lab_mac is a locally administered address: the same in every lab, and readable.
# 02:51:00:00:e1:11 is eth1 of the host whose addresses end in 11.
lab_mac() { # host device
	local last device=${2/eth/e}
	last=$(lab_addr "$1")
	printf '02:51:00:00:%s:%02d\n' "${device/vm/f}" "${last##*.}"
}

# ---- processes: ended by recorded pid only, and only while it is the same process

# proc_start prints when a process started (clock ticks since boot), which
# together with the pid names it for good. It fails for the dead and zombies.
proc_start() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	read -ra stat <<<"${stat##*) }"
	[[ ${stat[0]:-X} != [ZX] ]] && echo "${stat[19]}"
}

recorded_alive() { # file
	local pid start
	{ read -r pid start <"$1"; } 2>/dev/null || return 1
	[[ $(proc_start "$pid") == "$start" ]]
}

# lab_spawn starts a command on a host in a session of its own, its output in
# LOG. The process records itself before it becomes the command, and does not
# become it if the lab's end has begun, which may have missed the record.
lab_spawn() { # name host log command...
	local name=$1 ns log=$3 pid
	ns=$(lab_ns "$2")
	(
		trap - EXIT INT TERM
		pid=$BASHPID # not inside $(), which is another process
		echo "$pid $(proc_start "$pid")" >"$LAB_DIR/pids.new.$name"
		mv "$LAB_DIR/pids.new.$name" "$LAB_DIR/pids/$name"
		[[ ! -e $LAB_DIR/ending ]] || exit 1
		exec setsid ip netns exec "$ns" "${@:4}"
	) </dev/null >>"$log" 2>&1 &
}

# lab_ended is true once a spawned process has gone; before it has recorded
# itself, it has not.
lab_ended() { [[ -e $LAB_DIR/pids/$1 ]] && ! recorded_alive "$LAB_DIR/pids/$1"; }

# lab_end ends a recorded process, politely for SECONDS, then with its whole
# session; it returns 1 when that was needed.
lab_end() { # name seconds
	local file=$LAB_DIR/pids/$1 pid i
	if ! recorded_alive "$file"; then
		rm -f "$file"
		return 0
	fi
	read -r pid _ <"$file"
	kill -TERM "$pid" 2>/dev/null || true
	for ((i = 0; i < $2 * 20; i++)); do
		recorded_alive "$file" || break
		sleep 0.05
	done
	if recorded_alive "$file"; then
		kill -KILL -- "-$pid" 2>/dev/null || true
		rm -f "$file"
		return 1
	fi
	rm -f "$file"
}

# ---- life and death

# One lab is made or removed at a time. A trap may come here from a function that
# has the lock: it keeps it then.
lab_lock_all() {
	[[ -z ${LAB_LOCKED:-} ]] || return 0
	mkdir -p "$LAB_RUN"
	exec {lab_all}>"$LAB_RUN/.lock"
	flock -w 120 "$lab_all" || die "labs: $LAB_RUN/.lock: taken for two minutes: end its holders: fuser -v $LAB_RUN/.lock"
	LAB_LOCKED=yes
}
lab_unlock_all() {
	LAB_LOCKED=
	exec {lab_all}>&-
}

# lab_claim creates the state folder and the keeper that owns it for process
# OWNER; from here on an interruption at any point is cleaned up.
lab_claim() { # variant owner
	local lock
	lab_lock_all
	lab_sweep_locked
	mkdir "$LAB_DIR" 2>/dev/null || die "lab $LAB_ID: exists already: type: $0 down $LAB_ID"
	LAB_CLAIMED=yes
	mkdir "$LAB_DIR/pids"
	echo "$1" >"$LAB_DIR/variant"
	echo "$2 $(proc_start "$2")" >"$LAB_DIR/owner"
	exec {lock}>"$LAB_DIR/lock"
	flock -n "$lock"
	setsid bash "$ROOT/scripts/lab.sh" keeper "$LAB_ID" {lab_all}>&- </dev/null >/dev/null 2>&1 &
	echo "$! $(proc_start $!)" >"$LAB_DIR/pids/keeper"
	exec {lock}>&-
	lab_unlock_all
}

# lab_keeper inherits the lab's lock and outlives everybody who could be killed.
lab_keeper() {
	while [[ -e $LAB_DIR/kept ]] || recorded_alive "$LAB_DIR/owner"; do sleep 0.3; done
	lab_down
}

# lab_down_locked removes what lab LAB_ID made; it may be called at any stage of
# its life, and twice. The keeper goes last: until then it would try again.
lab_down_locked() {
	local file space
	[[ -d $LAB_DIR ]] || return 0
	touch "$LAB_DIR/ending"
	for file in "$LAB_DIR"/pids/*; do
		[[ $file == */keeper || $file == */\* ]] || lab_end "${file##*/}" 10 || true
	done
	for space in /run/netns/"$(lab_ns "")"*; do # tests add hosts
		[[ ! -e $space ]] || ip netns del "${space##*/}" || true
	done
	local keeper=
	read -r keeper _ <"$LAB_DIR/pids/keeper" || true
	[[ $keeper == "$$" ]] || lab_end keeper 1 || true
	rm -rf "$LAB_DIR" "/run/dpdk/sl-$LAB_ID" /run/dpdk/*"-of-$LAB_ID" # the latter when daemons were killed
}

lab_down() {
	lab_lock_all
	lab_down_locked
	lab_unlock_all
}

lab_ids() { find "$LAB_RUN" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort || true; }

lab_sweep_locked() {
	local id mine=${LAB_ID:-}
	for id in $(lab_ids); do
		flock -n "$LAB_RUN/$id/lock" true || continue # its keeper lives
		warn "removing lab $id, whose owner is gone"
		lab_use "$id"
		lab_down_locked
	done
	[[ -z $mine ]] || lab_use "$mine"
}

lab_sweep() {
	lab_lock_all
	lab_sweep_locked
	lab_unlock_all
}

# lab_up makes the whole lab for process OWNER.
lab_up() { # variant owner
	[[ $1 == one-arm || $1 == two-arm ]] || die "lab variant: $1: unknown: use one-arm or two-arm"
	lab_claim "$@"
	lab_network
	lab_servers
	lab_config >"$LAB_DIR/sluice.yaml"
}

# shellcheck source=scripts/lab-net.sh
source "$ROOT/scripts/lab-net.sh"
# shellcheck source=scripts/lab-servers.sh
source "$ROOT/scripts/lab-servers.sh"
# shellcheck source=scripts/lab-daemon.sh
source "$ROOT/scripts/lab-daemon.sh"

lab_main() {
	local usage="usage: $0 up|keep|down|list|sweep|exec|config|fingerprint|addr ...: see the head of $0"
	local command=${1:-}
	need_root "$0 $*"
	case $command in
	up | keep | keeper | down | exec | config | fingerprint | addr) lab_use "${2:?$usage}" ;;
	list | sweep) ;;
	*) die "$usage" ;;
	esac
	case $command in up | keeper | down | list | sweep) ;; *)
		[[ -d $LAB_DIR ]] || die "lab $LAB_ID: no such lab: type: $0 up $LAB_ID"
		;;
	esac
	case $command in
	up)
		trap '[[ -z ${LAB_CLAIMED:-} ]] || lab_down' EXIT
		lab_up "${3:-one-arm}" "${SLUICE_LAB_OWNER:-$PPID}"
		trap - EXIT
		;;
	keep) touch "$LAB_DIR/kept" ;;
	keeper) lab_keeper ;;
	down) lab_down ;;
	list) lab_ids ;;
	sweep) lab_sweep ;;
	exec) exec ip netns exec "$(lab_ns "${3:?$usage}")" "${@:4}" ;;
	config) lab_config ;;
	fingerprint) lab_fingerprint ;;
	addr) lab_addr "${3:?$usage}" "${4:-4}" ;;
	esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	lab_main "$@"
fi

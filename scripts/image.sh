#!/usr/bin/env bash
# Replays the Dockerfile's steps in plain Debian trees made by debootstrap, then
# forwards real traffic with the result: a Dockerfile that nobody can build here
# (it needs a Docker engine) is tested all the same.
#
#   image.sh          replay, forward traffic, remove the trees
#
# A stage is a tree. FROM names a Debian release's image: the tree is that
# release; an image with Go gets this machine's. RUN runs in the tree, COPY
# copies, USER, ENV, WORKDIR, ENTRYPOINT and CMD are remembered; any other
# instruction is an error, so that a new one is not passed over.
# shellcheck source=scripts/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

RELEASE=bookworm
MIRROR=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||
	awk '/^deb / { print $2; exit }' /etc/apt/sources.list)
declare -A ENVIRONMENT=()
TREES='' STAGE='' TREE='' DIR=/ AS=root COMMAND=()

cleanup() {
	trap - EXIT
	[[ -z ${LAB_CLAIMED:-} ]] || lab_down
	fell "$TREES"
}

# fell removes a run's trees, after what is mounted into them.
fell() { # folder
	local mounted
	while read -r mounted; do umount -l "$mounted"; done < <(awk -v t="$1/" 'index($2, t) == 1 { print $2 }' /proc/mounts | sort -r)
	rm -rf --one-file-system "$1"
}

# sweep_trees removes what killed runs have left.
sweep_trees() {
	local old
	for old in /var/tmp/sluice-image.*; do
		[[ ! -e $old/owner ]] || recorded_alive "$old/owner" || fell "$old"
	done
}

# bootstrap makes a tree, from the first one if there is one.
bootstrap() { # tree
	if [[ -d $TREES/base ]]; then
		cp -a "$TREES/base" "$1"
		return
	fi
	say "debootstrap $RELEASE (a minute)"
	debootstrap --variant=minbase --include=ca-certificates "$RELEASE" "$TREES/base" "$MIRROR" >"$TREES/debootstrap.log" 2>&1 ||
		die "debootstrap: $(tail -n 3 "$TREES/debootstrap.log")"
	rm -rf "$TREES"/base/etc/apt/{sources.list,sources.list.d,apt.conf.d}
	cp -a /etc/apt/{sources.list.d,apt.conf.d} "$TREES/base/etc/apt/"
	[[ ! -f /etc/apt/sources.list ]] || cp -a /etc/apt/sources.list "$TREES/base/etc/apt/"
	cp -a "$TREES/base" "$1"
}

# enter runs a command in the tree of the present stage.
enter() {
	local variables=(PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp GOPATH=/go) name
	for name in "${!ENVIRONMENT[@]}"; do variables+=("$name=${ENVIRONMENT[$name]}"); done
	for name in GOPROXY GOFLAGS GONOSUMDB http_proxy https_proxy; do
		[[ -z ${!name:-} ]] || variables+=("$name=${!name}")
	done
	env -i "${variables[@]}" chroot "$TREE" "$@"
}

step_FROM() { # image AS stage
	[[ $1 =~ ^(golang:.*|debian:)$RELEASE(-slim)?$ ]] || die "Dockerfile: FROM $1: not an image of Debian $RELEASE: teach image.sh"
	STAGE=${3:-final} TREE=$TREES/${3:-final} DIR=/ AS=root ENVIRONMENT=()
	bootstrap "$TREE"
	cp /etc/resolv.conf "$TREE/etc/resolv.conf"
	mount --bind /proc "$TREE/proc"
	mount --bind /dev "$TREE/dev"
	mount --bind /sys "$TREE/sys"
	[[ $1 != golang:* ]] || share_go
}

# share_go is what a golang image has beside Debian; the module cache only saves time.
share_go() {
	local cache
	cache=$(go env GOMODCACHE)
	mkdir -p "$TREE/usr/local/go" "$TREE/go/pkg/mod" "$cache"
	mount --bind "$(go env GOROOT)" "$TREE/usr/local/go"
	mount --bind "$cache" "$TREE/go/pkg/mod"
}

step_RUN() { enter sh -ec "cd $DIR && $*" </dev/null >"$TREES/run.log" 2>&1 || die "Dockerfile: RUN $*: $(tail -n 20 "$TREES/run.log")"; }
step_WORKDIR() { DIR=$1 && mkdir -p "$TREE$1"; }
step_USER() { AS=$1; }
step_ENV() { ENVIRONMENT[${1%%=*}]=${1#*=}; }
step_HEALTHCHECK() { [[ $1 == CMD ]]; }
step_ENTRYPOINT() { mapfile -t COMMAND < <(jq -r '.[]' <<<"$*"); }
step_CMD() { mapfile -t -O "${#COMMAND[@]}" COMMAND < <(jq -r '.[]' <<<"$*"); }

step_COPY() { # [--from=stage] source destination
	local from=$ROOT
	if [[ $1 == --from=* ]]; then
		from=$TREES/${1#--from=}
		shift
	fi
	local to=$TREE/${2#/}
	[[ $2 == /* ]] || to=$TREE$DIR/${2#./}
	if [[ $from/$1 == "$ROOT/." ]]; then
		git -C "$ROOT" ls-files -z --cached --others --exclude-standard | tar -C "$ROOT" --null --files-from=- -c | tar -x -C "$to"
	elif [[ -d $from/$1 ]]; then
		cp -a "$from/${1#/}/." "$to"
	else
		install -D -m 0644 "$from/$1" "$to"
	fi
}

# replay reads the Dockerfile, joining continued lines.
replay() {
	local line word rest
	while IFS= read -r line; do
		read -r word rest <<<"$line"
		[[ $(type -t "step_$word") == function ]] || die "Dockerfile: $word: unknown instruction: teach image.sh"
		say "${STAGE:+$STAGE: }$line"
		case $word in
		RUN | ENTRYPOINT | CMD) "step_$word" "$rest" ;;
		*)
			# shellcheck disable=SC2086 # words, as Docker splits them
			"step_$word" $rest
			;;
		esac
	done < <(sed -e '/^#/d' -e '/^$/d' "$ROOT/Dockerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n */ /;ba' -e '}')
}

# forward runs what the image would run, as its user, in a lab's gateway.
forward() {
	local config=$TREE/etc/sluice/lab.yaml
	enter sluiced check "${COMMAND[-1]}"
	lab_use "image$$"
	lab_up one-arm $$
	lab_config | sed "s#$LAB_DIR/#/run/sluice/#" >"$config"
	say "the image's sluiced, as user $AS, forwards in lab $LAB_ID"
	ip netns exec "$(lab_ns gw)" env XDG_RUNTIME_DIR="${ENVIRONMENT[XDG_RUNTIME_DIR]}" \
		chroot "$TREE" setpriv --reuid="$AS" --regid="$AS" --init-groups \
		--bounding-set=-all,+net_admin,+net_raw,+ipc_lock \
		"${COMMAND[0]}" --config /etc/sluice/lab.yaml >"$TREES/sluiced.log" 2>&1 &
	local daemon=$! i vip got=0
	vip=$(lab_addr vip-fullnat)
	for ((i = 0; i < 100; i++)); do
		! enter sluicectl status >/dev/null 2>&1 || break
		sleep 0.1
	done
	enter sluicectl service add "tcp:$vip:80" --mode fullnat --scheduler rr --local "$(lab_addr local)" ||
		die "the image's daemon: $(cat "$TREES/sluiced.log")"
	enter sluicectl backend add "tcp:$vip:80" "$(lab_addr rs1):80"
	enter sluicectl backend add "tcp:$vip:80" "$(lab_addr rs2):80"
	for ((i = 0; i < 20; i++)); do
		! lab_exec client curl -sS -m 5 -o /dev/null "http://$vip/" || got=$((got + 1))
	done
	kill -TERM "$daemon"
	wait "$daemon" || die "the image's daemon ended with status $?: $(cat "$TREES/sluiced.log")"
	((got == 20)) || die "FAIL image: $got of 20 requests answered: $(cat "$TREES/sluiced.log")"
	echo "PASS image: 20/20 requests through the image's sluiced, as user $AS"
}

need_root "make test-image"
sweep_trees
TREES=$(mktemp -d /var/tmp/sluice-image.XXXXXX)
trap cleanup EXIT
trap 'exit 130' INT TERM
echo "$$ $(proc_start $$)" >"$TREES/owner"
replay
forward

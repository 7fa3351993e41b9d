#!/usr/bin/env bash
# Makes a Debian 12 machine with Go fit to build, test and demonstrate Sluice:
# installs the Debian packages that are missing, and nothing else.
#
# nginx and others are only programs of the lab. Their packages would start a web
# server or an SSH server on this host, so that is prevented while they are
# installed, and undone afterwards; packages that are already there are left as
# they are.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGES=(
	gcc libc6-dev pkg-config libdpdk-dev dpdk             # build
	iproute2 nftables ethtool procps util-linux           # lab
	nginx-light curl iputils-ping jq tcpdump              # lab: servers, clients, looking
	keepalived bird2 openssh-server openssh-client        # lab: what runs on a gateway, through its twins
	debootstrap                                           # the Dockerfile's steps, replayed
	ca-certificates git                                   # Go modules, version
	shellcheck                                            # lint
)
SERVICES=(nginx dpdk keepalived bird ssh) # what these packages would start

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK="# temporary: written by Sluice's scripts/setup.sh, removed at its end"
HELD=/run/sluice-setup.held # services we keep from starting, so that a killed run can be undone

missing_packages() {
	local pkg
	for pkg in "${PACKAGES[@]}"; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null) == installed ]] || echo "$pkg"
	done
}

# forbid_start keeps SERVICES from being started by their packages: by a mask
# that lives under /run where systemd runs, by a policy-rc.d elsewhere.
forbid_start() {
	local svc
	for svc in "${SERVICES[@]}"; do
		# There before us: not ours to touch.
		[[ -e /lib/systemd/system/$svc.service || -e /etc/systemd/system/$svc.service || -e /etc/init.d/$svc ]] && continue
		echo "$svc" >>$HELD
		[[ ! -d /run/systemd/system ]] || systemctl --quiet mask --runtime "$svc.service"
	done
	[[ -s $HELD && ! -d /run/systemd/system && ! -e $POLICY ]] || return 0
	# shellcheck disable=SC2016 # $1 is the policy script's own
	printf '#!/bin/sh\n%s\ncase "$1" in %s) exit 101 ;; esac\nexit 0\n' "$POLICY_MARK" \
		"$(sed 's/.*/&|&.service/' $HELD | paste -sd '|')" >$POLICY
	chmod 755 $POLICY
}

# allow_start undoes forbid_start, this run's or a killed one's. What we kept
# from starting must not start at the next boot either.
allow_start() {
	local svc
	if [[ -e $POLICY ]] && grep -qF "$POLICY_MARK" $POLICY; then
		rm -f $POLICY
	fi
	[[ -e $HELD ]] || return 0
	while read -r svc; do
		[[ ! -d /run/systemd/system ]] || systemctl --quiet unmask --runtime "$svc.service" ||
			warn "unmasking $svc failed: type: systemctl unmask --runtime $svc"
		systemctl --quiet disable "$svc.service" >/dev/null 2>&1 || true # fails when its package did not get installed
	done <$HELD
	rm -f $HELD
}

apt_get() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

lists_know() { # packages...
	local pkg
	for pkg in "$@"; do
		apt-cache show --no-all-versions "$pkg" >/dev/null 2>&1 || return 1
	done
}

install_packages() { # packages...
	say "installing Debian packages: $*"
	local log
	log=$(mktemp)
	if ! lists_know "$@"; then
		say "updating apt's package lists"
		apt_get update >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed: see above: is the network up?"; }
	fi
	if ! apt_get install --no-install-recommends "$@" >"$log" 2>&1; then
		say "that failed, perhaps with old package lists: updating them and trying again"
		apt_get update >"$log" 2>&1 || true
		apt_get install --no-install-recommends "$@" >"$log" 2>&1 || {
			cat "$log" >&2
			die "apt-get install failed: see above: is this Debian 12 with its package sources?"
		}
	fi
	rm -f "$log"
}

debian_packages() {
	local -a missing
	mapfile -t missing < <(missing_packages)
	if ((${#missing[@]} == 0)) && [[ ! -e $HELD ]]; then
		say "Debian packages: all ${#PACKAGES[@]} present"
		return
	fi
	command -v apt-get >/dev/null || die "missing: ${missing[*]}: this machine has no apt-get: Sluice is set up on Debian 12"
	((EUID == 0)) || die "missing Debian packages: ${missing[*]}: type: sudo make setup"

	exec {lock}>/run/lock/sluice-setup.lock
	flock -n $lock || { say "another set-up is running: waiting for it"; flock $lock; }
	trap allow_start EXIT
	allow_start
	mapfile -t missing < <(missing_packages)
	if ((${#missing[@]} > 0)); then
		forbid_start
		install_packages "${missing[@]}"
	fi
	allow_start
	trap - EXIT
	exec {lock}>&-
}

# Inside the module `go` is the toolchain that go.mod selects, or an error.
go_toolchain() {
	local want have
	want=$(awk '$1 == "go" { print $2 }' "$ROOT/go.mod")
	command -v go >/dev/null ||
		die "Go: not found in PATH nor in /usr/local/go/bin: install Go $want or newer (Debian 12's golang is too old)"
	if ! have=$(cd "$ROOT" && go env GOVERSION 2>&1) ||
		[[ $(printf '%s\n' "$want" "${have#go}" | sort -V | head -n 1) != "$want" ]]; then
		die "Go: $(GOTOOLCHAIN=local go version 2>&1 | head -n 1): too old: install Go $want or newer"
	fi
	say "Go: $have"
}

if [[ ${1:-} == --root ]]; then
	need_root "${2:-make setup}"
	shift 2
fi
PACKAGES+=("$@") # what only some targets need
debian_packages
go_toolchain
pkg-config --exists libdpdk || die "DPDK: pkg-config does not find libdpdk: type: apt-get install --reinstall libdpdk-dev"
say "DPDK: $(pkg-config --modversion libdpdk)"

# shellcheck shell=bash
# What every script here starts with: strict mode, the checkout's folder, and
# how they talk. Sourced, never run.
set -euo pipefail
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BUILD=$ROOT/build

# Go is often unpacked there and missing from root's PATH.
command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin

# say prints a progress line; warn and die go to standard error.
say() { printf '%s\n' "== $*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
	warn "$*"
	exit 1
}

need_root() { # what-to-type
	((EUID == 0)) && return
	die "needs root: network namespaces, packages and DPDK do: type: sudo $1"
}

#!/usr/bin/env bash
# Builds the daemon, the CLI and the lab's own programs into build/. Two of these
# may run at once, and programs of an older build may be running: each
# program is replaced in one step, and only when it has changed.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build() { # name package cgo
	say "building $1"
	# No VCS stamp from go itself: git refuses it when root builds a user's checkout.
	CGO_ENABLED=$3 go build -buildvcs=false -ldflags "-X main.version=$version" -o "$BUILD/.new/$1" "$2"
	if cmp -s "$BUILD/.new/$1" "$BUILD/$1"; then
		return
	fi
	mv -f "$BUILD/.new/$1" "$BUILD/$1"
}

cd "$ROOT"
mkdir -p "$BUILD/.new"
exec {lock}>"$BUILD/.lock"
flock -n "$lock" || { say "another build is running: waiting for it"; flock "$lock"; }
version=$(git -c safe.directory="$ROOT" describe --always --dirty 2>/dev/null || echo unknown)
say "fetching Go modules"
go mod download
build sluicectl ./cmd/sluicectl 0
build echo ./test/echo 0
build decap ./test/decap 0
build sluiced ./cmd/sluiced 1

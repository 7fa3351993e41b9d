#!/usr/bin/env bash
# Runs every fuzz target of every package, FUZZTIME each. A finding is written
# by go to the package's testdata/fuzz, where `make test` runs it from then on.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

for pkg in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
		say "fuzzing $pkg $target for ${FUZZTIME:=60s}"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$pkg"
	done
done

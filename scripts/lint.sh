#!/usr/bin/env bash
# Formatting and static checks; everything found is printed, and fails.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

say "gofmt"
unformatted=$(gofmt -l -s .)
[[ -z $unformatted ]] || die "gofmt: not formatted: type: gofmt -s -w" "$unformatted"
say "go vet"
go vet ./...
say "staticcheck (its first run builds it: about a minute)"
go tool staticcheck ./...
if command -v shellcheck >/dev/null; then
	say "shellcheck"
	shellcheck -x scripts/*.sh .ci/run
else
	say "shellcheck: not installed, left out: make setup installs it"
fi

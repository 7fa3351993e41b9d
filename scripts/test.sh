#!/usr/bin/env bash
# The whole test: lint, then three passes of go test over packages that name
# themselves, so that nothing is left out silently:
#   1. all packages but the end-to-end tests
#   2. packages without cgo again under the race detector (DPDK's memory is
#      invisible to it)
#   3. the end-to-end tests, against the programs in build/
# and last what the Dockerfile makes, replayed in a plain Debian tree.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

MODULE=$(go list -m)

# uses_dpdk lists packages that link DPDK, through their tests at least.
uses_dpdk() {
	go list -test -f '{{.ImportPath}} {{.ForTest}} {{join .Deps " "}}' ./... |
		awk -v dpdk="$MODULE/dpdk" '
			{ name = $1; sub(/\.test$|_test$/, "", name)
			  if (name == dpdk) print name
			  for (i = 2; i <= NF; i++) if ($i == dpdk) print name }' | sort -u
}

main() {
	local started=$SECONDS
	local -a all e2e pure
	mapfile -t e2e < <(go list ./... | grep "^$MODULE/test/e2e" || true)
	mapfile -t all < <(go list ./... | grep -v "^$MODULE/test/e2e")
	mapfile -t pure < <(printf '%s\n' "${all[@]}" | grep -vxF -f <(uses_dpdk; echo none))

	scripts/lint.sh
	say "unit and property tests: ${#all[@]} packages"
	go test -timeout 5m "${all[@]}"
	say "race detector: the ${#pure[@]} of them without DPDK"
	go test -race -timeout 5m "${pure[@]}"
	if ((${#e2e[@]} > 0)); then
		say "end-to-end tests: real daemon, real clients and servers in namespaces"
		scripts/lab.sh sweep
		go test -count=1 -timeout 8m "${e2e[@]}"
	fi
	scripts/image.sh
	say "all tests passed in $((SECONDS - started)) s"
}

main

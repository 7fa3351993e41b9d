#!/usr/bin/env bash
# Measures the worker beside dpdk-testpmd: see docs/performance.md. QUICK=1: under
# four minutes. ONLY=regexp: those cases alone, and no pages. Hugepages are
# asked for and given back; HUGEPAGES=0 does without.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

# Pages of 2 MB: testpmd's and our buffers, a file of half a million frames in the
# memory of both, tables up to a million flows; in full one of ten million, too.
WANTED=512
[[ -n ${QUICK:-}${ONLY:-} ]] || WANTED=1408
SYSCTL=/proc/sys/vm/nr_hugepages
before=$(cat $SYSCTL)
restore() {
	echo "$before" >$SYSCTL
	rm -rf /run/dpdk/sluice-testpmd /run/dpdk/sluice-testpmd-pcap # which testpmd leaves behind
}
get_hugepages() {
	[[ ${HUGEPAGES:-1} != 0 ]] || return 1
	((before >= WANTED)) || echo $WANTED >$SYSCTL || return 1
	(($(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo) >= 384)) # what DPDK takes
}

say "building the benchmark"
go build -buildvcs=false -o "$BUILD/bench" ./test/bench
args=(-json "$BUILD/bench.json" -commit "$(git -c safe.directory="$ROOT" describe --always --dirty 2>/dev/null || echo unknown)")
[[ -z ${QUICK:-} ]] || args+=(-quick)
if [[ -n ${ONLY:-} ]]; then
	args+=(-only "$ONLY")
else
	args+=(-docs docs)
fi
trap restore EXIT
if ! get_hugepages; then
	say "no hugepages: measuring without, which is slower, testpmd too"
	args+=(-hugepages=false)
fi
"$BUILD/bench" "${args[@]}"

#!/usr/bin/env bash
# Instructions per packet of the worker's poll, counted by callgrind: packets of
# 1,024 flows that are there, and packets that each open one (new).
# Counts hardly depend on the machine or its load and repeat to 0.1%, so they
# are what changes are held to. CASE=mode/family: functions of that case, too.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

BURSTS=1000
OUT=$BUILD/callgrind.out
LINES=$BUILD/instructions.json

count() { # case
	# Preemption by signals would switch stacks, which callgrind takes for calls.
	GODEBUG=asyncpreemptoff=1 valgrind -q --tool=callgrind --toggle-collect=main.counted \
		--callgrind-out-file="$OUT" "$BUILD/instructions" -case "$1" -bursts $BURSTS
	awk '/^summary:|^totals:/ { print $2; exit }' "$OUT"
}

CGO_ENABLED=0 go build -buildvcs=false -o "$BUILD/instructions" ./test/bench/instructions
if [[ -n ${CASE:-} ]]; then
	count "$CASE" >/dev/null
	callgrind_annotate "$OUT" | sed -n '/file:function/,$p' | head -60
fi
: >"$LINES"
for case in {dr,nat,fullnat,tun}/{ipv4,ipv6} {nat,fullnat}/{ipv4,ipv6}/reply {dr,nat,fullnat}/{ipv4,ipv6}/new; do
	total=$(count "$case")
	awk -v c="$case" -v t="$total" -v n=$((BURSTS * 64)) 'BEGIN {
		printf "{\"case\":\"instructions/%s\",\"instructions\":%.1f}\n", c, t / n }' | tee -a "$LINES" |
		sed 's/.*instructions\/\(.*\)","instructions":\(.*\)}/\1 \2/' | awk '{ printf "%-24s %8.1f instructions a packet\n", $1, $2 }'
done
say "in $LINES"

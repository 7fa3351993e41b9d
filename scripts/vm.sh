#!/usr/bin/env bash
# The VM test: sluiced in a virtual machine, on a PCI device with several queues.
# A real client and two real servers in namespaces of the host, the lab's; in
# place of the lab's gateway a guest with Debian's kernel, whose virtio network
# card belongs to DPDK (uio_pci_generic), one queue and one worker per core.
#
# Nothing is needed of the host's processor: qemu emulates (slowly: two to three
# minutes in all). Needs root, apt and 2 GB of memory, qemu-system-x86 and busybox-static
# (`make test-vm` installs them);
# downloads, without installing it, Debian's kernel package into build/vm.
#
# The card does RSS in the first half, and none in the second.
# shellcheck source=scripts/lab.sh
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# shellcheck source=scripts/vm-image.sh
source "$ROOT/scripts/vm-image.sh"
# shellcheck source=scripts/vm-guest.sh
source "$ROOT/scripts/vm-guest.sh"

REQUESTS=${REQUESTS:-200}
VM_PCI=0000:00:05.0 # where vm_start puts the card

FAILED=0
# check prints PASS or FAIL for a question and what was seen, by whether an
# arithmetic expression holds.
check() { # expression question seen
	if (($1)); then
		printf 'PASS %s: %s\n' "$2" "$3"
	else
		FAILED=1
		printf 'FAIL %s: %s\n' "$2" "$3"
	fi
}

# refuses starts the daemon, which must end with a message that has WORDS in it.
refuses() { # question words
	local out
	out=$(vm_run 'sluiced --config /sluice.yaml 2>&1' || true)
	if [[ $out == *"$2"* ]]; then
		check 1 "$1" "$(tail -n 1 <<<"$out")"
	else
		check 0 "$1" "not refused for that reason but:"$'\n'"$(head -n 30 <<<"$out")"
	fi
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	trap - EXIT
	trap '' INT TERM
	[[ -z ${LAB_CLAIMED:-} ]] || lab_down
}

# start_failures: what the daemon says of a machine that is not ready, while it
# is made ready: no hugepages, then the card still the kernel's, then nobody's.
start_failures() {
	refuses "without hugepages the daemon says what to do" "vm.nr_hugepages"
	vm_run 'echo 192 >/proc/sys/vm/nr_hugepages'
	refuses "on a card that the kernel has, too" "virtio-pci has it"
	vm_run "echo $VM_PCI >/sys/bus/pci/drivers/virtio-pci/unbind"
	refuses "on a card that nobody has, too" "bound to no driver"
}

# bind_card gives the card to DPDK, whoever has it.
bind_card() {
	vm_run "echo 192 >/proc/sys/vm/nr_hugepages; cd /sys/bus/pci/devices/$VM_PCI
		[ ! -e driver ] || echo $VM_PCI >driver/unbind
		load_uio && echo uio_pci_generic >driver_override && echo $VM_PCI >/sys/bus/pci/drivers_probe"
}

start_daemon() {
	# shellcheck disable=SC2016 # the guest's
	vm_run 'sluiced --config /sluice.yaml >/dev/ttyS0 2>&1 & echo $! >/run/sluiced.pid'
	# shellcheck disable=SC2016 # the guest's
	vm_run 'i=0; while ! sluicectl status >/dev/null 2>&1; do
		[ $i -lt 60 ] && kill -0 $(cat /run/sluiced.pid) || exit 1; i=$((i + 1)); sleep 1; done' || {
		tail -n 20 "$VM_DIR/console.log" >&2
		die "VM: sluiced: does not answer in the guest: its last words are above"
	}
}

# traffic: every request is a flow of its own, so that the workers share them.
traffic() { # path
	local i ok=0 rs1 rs2
	for ((i = 1; i <= REQUESTS; i++)); do
		! lab_exec client curl -sf -o /dev/null --max-time 30 "http://$(lab_addr vip-fullnat)/$1$i" || ok=$((ok + 1))
		((i % 50)) || say "$i requests, $ok answered"
	done
	rs1=$(lab_count rs1 http "/$1[0-9]+ 200") rs2=$(lab_count rs2 http "/$1[0-9]+ 200")
	check "$ok == REQUESTS && $rs1 + $rs2 == REQUESTS && $rs1 > 0 && $rs2 > 0" \
		"traffic forwarded, fullnat ipv4 tcp through $VM_PCI" "$ok/$REQUESTS rs1=$rs1 rs2=$rs2"
	lab_exec client curl -sf -o "$VM_DIR/1m.bin" --max-time 120 "http://$(lab_addr vip-fullnat)/1m.bin" || true
	check "$(cmp -s "$VM_DIR/1m.bin" "$LAB_FILES/1m.bin" && echo 1 || echo 0)" "1 MB arrives unharmed" \
		"$(md5sum <"$LAB_FILES/1m.bin" | cut -c 1-12)"
}

# spread: both queues, both workers. Without RSS in the card the frames arrive
# anywhere, and the workers hand them over to each other.
spread() { # on|off workers
	local queues seen received handed
	queues=$(vm_run 'sluicectl ports -o json' | jq '(.ports? // .)[0].queues')
	seen=$(jq 'map(select(.received > 100 and .flows_created > 10)) | length' <<<"$2")
	check "$queues == 2 && $seen == 2" "both queues and workers used" "$(jq -r \
		'map("worker \(.id) received \(.received), \(.flows_created) flows") | join("; ")' <<<"$2")"
	received=$(jq 'map(.received) | add' <<<"$2")
	handed=$(jq 'map(.handed_over) | add' <<<"$2")
	if [[ $1 == on ]]; then
		check "$handed * 50 < $received" "the card's RSS has our key and table" "$handed of $received packets handed over"
	else
		check "$handed * 20 > $received" "without RSS in the card the workers hand over" "$handed of $received packets"
	fi
}

invariant() { # workers
	local wrong
	wrong=$(jq -c '.[] | select(.received + .generated != .transmitted + .to_kernel + .handed_over + .dropped)' <<<"$1")
	check "$([[ -z $wrong ]] && echo 1 || echo 0)" \
		"received + generated = transmitted + to kernel + handed over + dropped" "${wrong:-in both workers}"
}

stop_daemon() {
	local left ended=1
	# shellcheck disable=SC2016 # the guest's
	vm_run 'kill -TERM $(cat /run/sluiced.pid); i=0
		while kill -0 $(cat /run/sluiced.pid) 2>/dev/null; do [ $i -lt 30 ] || exit 1; i=$((i + 1)); sleep 1; done' || ended=0
	check "$ended" "SIGTERM ends the daemon" "within 30 s"
	left=$(vm_run 'ls -d /run/sluice /run/dpdk /sys/class/net/sl-* 2>/dev/null; true')
	check "$([[ -z $left ]] && echo 1 || echo 0)" "nothing left behind in the guest" "${left:-none}"
}

# drive boots a guest whose card has RSS or has not, and goes through it all.
drive() { # on|off
	local workers
	say "a card with rss=$1"
	vm_start "$1"
	[[ $1 == off ]] || start_failures
	bind_card
	start_daemon
	say "sluiced runs in the guest: $REQUESTS requests"
	traffic "rss-$1-"
	sleep 2 # workers publish their counters in batches
	workers=$(vm_run 'sluicectl workers -o json' | jq -c '.workers? // .')
	spread "$1" "$workers"
	invariant "$workers"
	stop_daemon
	vm_stop
}

main() {
	need_root "make test-vm"
	vm_kernel
	lab_use "vm$$"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	say "making lab $LAB_ID: client, two real servers, and a virtual machine as gateway"
	lab_up one-arm $$
	drive on
	drive off
	((FAILED)) || say "all passed in $SECONDS s"
	exit $FAILED
}

main "$@"

# shellcheck shell=bash
# The virtual machine and the line to it. Part of vm.sh.

VM_BOOT=300    # seconds that the guest may take until it takes commands
VM_COMMAND=180 # seconds that a command in it may take

# vm_start boots the guest in the switch's namespace, its card on the switch,
# and waits until it takes commands.
#
# The card: two queue pairs, so "vectors" interrupts: one each, one for the
# configuration, one for control. With rss=on qemu spreads received frames by the
# key and table that the driver gives; that needs qemu's own back end (vhost=off).
vm_start() { # on|off
	local started=$SECONDS
	VM_DIR=$LAB_DIR/vm
	mkdir "$VM_DIR"
	say "making the guest's file system"
	vm_image
	ip -n "$(lab_ns lan)" tuntap add dev vm0 mode tap multi_queue
	ip -n "$(lab_ns lan)" link set vm0 master lan up
	mkfifo "$VM_DIR/line.in" "$VM_DIR/line.out"
	# Read and write, so that opening does not wait for qemu.
	exec {VM_IN}<>"$VM_DIR/line.in" {VM_OUT}<>"$VM_DIR/line.out"
	say "booting the guest (up to $VM_BOOT s)"
	lab_spawn qemu lan "$LAB_DIR/qemu.log" nice qemu-system-x86_64 \
		-machine pc -accel tcg,thread=multi -cpu max -smp 3 -m 1024 -nodefaults -display none -no-reboot \
		-kernel "$(echo "$VM_CACHE"/boot/vmlinuz-*)" -initrd "$VM_DIR/initrd" \
		-append "console=ttyS0 panic=-1 quiet" \
		-serial "file:$VM_DIR/console.log" -chardev "pipe,id=line,path=$VM_DIR/line" -serial chardev:line \
		-netdev tap,id=net,ifname=vm0,queues=2,script=no,downscript=no,vhost=off \
		-device "virtio-net-pci,netdev=net,addr=${VM_PCI:8:2},mac=$(lab_mac gw vm0),mq=on,vectors=6,rss=$1,disable-legacy=on,romfile="
	vm_until "=ready" "$VM_BOOT" || {
		tail -n 20 "$VM_DIR/console.log" "$LAB_DIR/qemu.log" >&2
		die "VM: does not take commands after $VM_BOOT s: its console and qemu's words are above"
	}
	say "the guest takes commands after $((SECONDS - started)) s"
}

# vm_stop ends the guest and takes its folder and its wire away.
vm_stop() {
	exec {VM_IN}>&- {VM_OUT}>&-
	lab_end qemu 10 || die "VM: qemu: did not end within 10 s of SIGTERM: killed"
	ip -n "$(lab_ns lan)" link del vm0
	rm -rf "$VM_DIR"
}

# vm_until copies the guest's lines to standard output up to one that starts
# with MARK, which it leaves in VM_LINE; it fails after SECONDS without a line.
vm_until() { # mark seconds
	while read -r -t "$2" -u "$VM_OUT" VM_LINE; do
		VM_LINE=${VM_LINE%$'\r'}
		[[ $VM_LINE != "$1"* ]] || return 0
		printf '%s\n' "$VM_LINE"
	done
	return 1
}

# vm_run runs a command in the guest; output and status are the command's.
vm_run() { # command
	base64 -w 0 <<<"$1" >&"$VM_IN"
	echo >&"$VM_IN"
	vm_until "=end" "$VM_COMMAND" || die "VM: no answer within $VM_COMMAND s to: $1"
	return "${VM_LINE#=end }"
}

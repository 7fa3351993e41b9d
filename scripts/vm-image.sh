# shellcheck shell=bash
# The guest's kernel and its file system in memory. Part of vm.sh.

VM_CACHE=$BUILD/vm # Debian's kernel, unpacked; `make clean` removes it
VM_PMDS=$(pkg-config --variable=driverdir libdpdk 2>/dev/null || true)

# Modules in the order in which they must be loaded.
VM_MODULES_KERNEL=(virtio/virtio_ring.ko virtio/virtio.ko virtio/virtio_pci_legacy_dev.ko
	virtio/virtio_pci_modern_dev.ko virtio/virtio_pci.ko net/tun.ko)
VM_MODULES_UIO=(uio/uio.ko uio/uio_pci_generic.ko)

# vm_kernel downloads and unpacks Debian's kernel package, once; nothing is
# installed on this host.
vm_kernel() {
	local pkg new=$VM_CACHE.$$
	if [[ -e $VM_CACHE/ready ]]; then
		say "kernel: $(cat "$VM_CACHE/ready")"
		return
	fi
	pkg=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')
	[[ -n $pkg ]] || die "linux-image-amd64: apt does not know it: type: apt-get update"
	say "kernel: downloading Debian's $pkg (70 MB)"
	rm -rf "$new"
	mkdir -p "$new/deb"
	(cd "$new/deb" && apt-get -q download "$pkg" >../log 2>&1) || {
		cat "$new/log" >&2
		rm -rf "$new"
		die "apt-get download $pkg: failed: see above: try apt-get update"
	}
	dpkg-deb --fsys-tarfile "$new"/deb/*.deb | tar -C "$new" -x --wildcards './boot/vmlinuz-*' \
		'./lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/drivers/uio/*' './lib/modules/*/kernel/drivers/net/tun.ko'
	rm -rf "$new/deb"
	echo "$pkg" >"$new/ready"
	rm -rf "$VM_CACHE"
	mv "$new" "$VM_CACHE"
}

# vm_put copies files into the image under their own paths, with the shared
# libraries that they need.
vm_put() { # files...
	local file lib
	for file in "$@"; do
		vm_put_one "$file"
		while read -r lib; do vm_put_one "$lib"; done < <(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+')
	done
}

# vm_put_one keeps links links: DPDK's drivers are in two folders, and the loader
# takes two files for two libraries, which register themselves twice.
vm_put_one() { # file
	local real
	real=$(readlink -f "$1")
	[[ -e $VM_DIR/root$real ]] || install -D "$real" "$VM_DIR/root$real"
	[[ $real == "$1" || -e $VM_DIR/root$1 ]] || {
		mkdir -p "$(dirname "$VM_DIR/root$1")"
		ln -s "$real" "$VM_DIR/root$1"
	}
}

# vm_image makes the initramfs: busybox, our two programs, DPDK's drivers.
vm_image() {
	local root=$VM_DIR/root module pmd
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,modules}
	cp /bin/busybox "$root/bin/busybox"
	[[ -n $VM_PMDS ]] || VM_PMDS=$(find /usr/lib -maxdepth 3 -type d -path '*/dpdk/pmds-*' | head -n 1)
	for pmd in bus_pci bus_vdev mempool_ring net_virtio; do
		vm_put "$VM_PMDS"/librte_$pmd.so.*.*
	done
	vm_put "$BUILD/sluiced" "$BUILD/sluicectl"
	ln -s "$BUILD/sluiced" "$BUILD/sluicectl" "$root/bin/"
	for module in "${VM_MODULES_KERNEL[@]}" "${VM_MODULES_UIO[@]}"; do
		cp "$VM_CACHE"/lib/modules/*/kernel/drivers/"$module" "$root/modules/"
	done
	vm_init >"$root/init"
	chmod 755 "$root/init"
	vm_config >"$root/sluice.yaml"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$VM_DIR/initrd"
	rm -rf "$root"
}

# vm_config prints the daemon's configuration in the guest; its words are
# explained in deploy/sluice.yaml.
vm_config() {
	cat <<-END
		eal: { hugepages: true, main_core: 0, mbufs: 16384 }
		workers: { cores: [1, 2], idle: sleep, flows: 65536 }
		ports:
		  - name: lan
		    device: "$VM_PCI"
		    addresses: [$(lab_addr gw)/24]
		services:
		  - protocol: tcp
		    address: $(lab_addr vip-fullnat)
		    port: 80
		    mode: fullnat
		    scheduler: rr
		    local_addresses: [$(lab_addr local)]
		    backends:
		      - { address: $(lab_addr rs1), port: 80, weight: 1 }
		      - { address: $(lab_addr rs2), port: 80, weight: 1 }
	END
}

# vm_init prints the guest's first process: it mounts what is to be mounted,
# loads modules and runs the commands that come in on the second serial line.
vm_init() {
	cat <<-END
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin HOME=/
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs dev /dev
		load() { for m in \$*; do insmod /modules/\${m##*/} || return 1; done; }
		load_uio() { load ${VM_MODULES_UIO[*]}; }
		load ${VM_MODULES_KERNEL[*]}
		ip link set lo up
		stty -F /dev/ttyS1 raw -echo
		exec </dev/ttyS1 >/dev/ttyS1
		echo "=ready"
		while read -r line; do
			(eval "\$(echo "\$line" | base64 -d)")
			echo "=end \$?"
		done
		poweroff -f
	END
}

# Sluice: what can be done with this checkout. `make` alone lists it.
#
# On a fresh Debian 12 machine with Go, as root, `make demo` and `make test` need
# nothing else: each does its own set-up through scripts/setup.sh.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build demo demo-stop test test-vm test-image soak bench bench-instructions docs lint fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## curl and UDP through the gateway in every mode, in namespaces (KEEP=1: leave it running)
	@scripts/setup.sh --root "make demo"
	@scripts/build.sh
	@KEEP=$(KEEP) scripts/demo.sh

demo-stop: ## end demos that were left running with KEEP=1
	@scripts/demo.sh stop

test: ## lint, unit and property tests, race detector, end-to-end tests, the Dockerfile's steps
	@scripts/setup.sh --root "make test"
	@scripts/build.sh
	@scripts/test.sh

test-vm: ## sluiced in a virtual machine, on a PCI card with two queues (minutes; downloads a kernel)
	@scripts/setup.sh --root "make test-vm" qemu-system-x86 busybox-static
	@scripts/build.sh
	@scripts/vm.sh

test-image: ## replay the Dockerfile in a plain Debian tree and forward traffic with the result (minutes)
	@scripts/setup.sh --root "make test-image"
	@scripts/build.sh
	@scripts/image.sh

soak: ## everything at once for MINUTES (default 3; WORKERS=2, SEED=n), then nothing may be lost
	@scripts/setup.sh --root "make soak"
	@scripts/build.sh
	@MINUTES=$(MINUTES) WORKERS=$(WORKERS) SEED=$(SEED) scripts/soak.sh

bench: ## the worker beside dpdk-testpmd: build/bench.json, docs/performance.md (QUICK=1: under 4 minutes)
	@scripts/setup.sh --root "make bench" dpdk-dev
	@scripts/bench.sh

bench-instructions: ## instructions a packet, by callgrind (CASE=fullnat/ipv4: by function, too)
	@scripts/setup.sh --root "make bench-instructions" valgrind
	@scripts/bench-instructions.sh

docs: ## write the tables of docs/modes.md from a capture of the demo
	@scripts/setup.sh --root "make docs"
	@scripts/build.sh
	@scripts/modes-doc.sh

lint: ## gofmt, go vet, staticcheck, shellcheck
	@scripts/lint.sh

build: ## build/sluiced and build/sluicectl
	@scripts/setup.sh
	@scripts/build.sh

fuzz: ## every fuzz target for FUZZTIME each (default 60s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

setup: ## install the Debian packages that are missing, check Go and DPDK
	@scripts/setup.sh

clean: ## remove what was built, and labs whose owner is gone
	@[[ $$EUID != 0 ]] || scripts/lab.sh sweep
	rm -rf build

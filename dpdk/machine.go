package dpdk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// checkCore says why a CPU cannot be used: it does not exist, is offline, or is
// outside of what the process may use.
func checkCore(core int) error {
	const what = "CPU core"
	online, err := readCPUList("/sys/devices/system/cpu/online")
	if err != nil {
		return failure(what, core, err, "mount /sys")
	}
	possible := fmt.Sprintf("choose one of %s (see lscpu -e)", online.text)
	if core < 0 || !online.has(core) {
		if _, err := os.Stat(fmt.Sprintf("/sys/devices/system/cpu/cpu%d", core)); core >= 0 && err == nil {
			return failure(what, core, because("offline"),
				fmt.Sprintf("echo 1 > /sys/devices/system/cpu/cpu%d/online, or %s", core, possible))
		}
		return failure(what, core, because("this machine has none of that number"), possible)
	}
	if err := tryCore(core); err != nil {
		return failure(what, core, err, "allow it in the service's cgroup cpuset (AllowedCPUs=, docker --cpuset-cpus)")
	}
	return nil
}

// tryCore moves a thread there and throws the thread away.
func tryCore(core int) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var set unix.CPUSet
		set.Set(core)
		done <- unix.SchedSetaffinity(0, &set)
	}()
	return <-done
}

// cpuList is the kernel's list format, e.g. "0-3,8".
type cpuList struct {
	text string
	cpus map[int]bool
}

func (l cpuList) has(cpu int) bool { return l.cpus[cpu] }

func readCPUList(path string) (cpuList, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return cpuList{}, err
	}
	return parseCPUList(strings.TrimSpace(string(raw)))
}

func parseCPUList(text string) (cpuList, error) {
	l := cpuList{text: text, cpus: map[int]bool{}}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil {
			return l, because("CPU list %q: not numbers", text)
		}
		for cpu := from; cpu <= to; cpu++ {
			l.cpus[cpu] = true
		}
	}
	return l, nil
}

// FreeHugepagesMB is how many MiB of hugepages, of all sizes, nobody uses.
func FreeHugepagesMB() int {
	dirs, _ := filepath.Glob("/sys/kernel/mm/hugepages/hugepages-*kB")
	total := 0
	for _, dir := range dirs {
		var kb int
		if _, err := fmt.Sscanf(filepath.Base(dir), "hugepages-%dkB", &kb); err != nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "free_hugepages"))
		if n, convErr := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && convErr == nil {
			total += n * kb / 1024
		}
	}
	return total
}

// availableMB is the kernel's estimate of memory that can be had without
// swapping, in MiB (proc(5), MemAvailable).
func availableMB() (int, error) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		var kb int
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kb); n == 1 {
			return kb / 1024, nil
		}
	}
	return 0, because("no MemAvailable in /proc/meminfo")
}

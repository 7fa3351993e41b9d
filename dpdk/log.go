package dpdk

// #include "shim.h"
import "C"

import (
	"strings"
	"sync"
)

// captured guards the one capture buffer.
var captured sync.Mutex

// withLog runs fn and returns the lines that DPDK logged meanwhile; they do not
// appear on stderr. Calls do not nest.
func withLog(fn func()) []string {
	captured.Lock()
	defer captured.Unlock()
	C.sluice_log_capture()
	fn()
	var text [4096]C.char
	n := C.sluice_log_release(&text[0], C.int(len(text)))
	return logLines(C.GoStringN(&text[0], n))
}

// logLines splits a log into its lines, without empty ones and repetitions.
func logLines(text string) (lines []string) {
	seen := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return lines
}

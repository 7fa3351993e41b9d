package flow

import "bytes"

// readSaved is OpenSaved of a file in memory.
func readSaved(file []byte) (*Saved, error) {
	s := &Saved{path: "memory", reader: bytes.NewReader(file), now: bootTime}
	return s, s.read(int64(len(file)), bootID())
}

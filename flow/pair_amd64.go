package flow

import "unsafe"

// prefetchPair starts to load two cache lines.
//
//go:noescape
func prefetchPair(a, b unsafe.Pointer)

//go:build !amd64

package thread

import "unsafe"

// Call calls a C function of one pointer and returns what it returns.
//
//go:noescape
//go:linkname Call runtime.cgocall
func Call(fn, arg unsafe.Pointer) int32

package thread

import "unsafe"

// Call calls a C function of one pointer on the thread's system stack, as cgo does,
// and returns what it returns. It is in runtime.asmcgocall's hands. arg must stay
// where it is: not on a stack that Go code could grow meanwhile, which none can.
//
//go:noescape
func Call(fn, arg unsafe.Pointer) int32

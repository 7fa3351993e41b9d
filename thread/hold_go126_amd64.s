//go:build go1.26 && !go1.27

#include "textflag.h"

// Where Go 1.26 has gcwaiting in its schedt (runtime/runtime2.go): TestStopping.
#define gcwaiting 264

// func stopping() bool
TEXT ·stopping(SB), NOSPLIT, $0-1
	MOVBLZX runtime·sched+gcwaiting(SB), AX
	MOVB AX, ret+0(FP)
	RET

// func marking() bool
TEXT ·marking(SB), NOSPLIT, $0-1
	MOVBLZX runtime·writeBarrier(SB), AX
	MOVB AX, ret+0(FP)
	RET

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

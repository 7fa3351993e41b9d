#include "textflag.h"
#include "go_asm.h"

// func prefetchFrames(in *packet.Burst, from, to int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVQ in+0(FP), SI
	MOVQ from+8(FP), BX
	MOVQ to+16(FP), CX
	JMP  test
loop:
	MOVQ (SI)(BX*8), AX
	PREFETCHT0 (AX)
	PREFETCHT0 const_frameAt(AX)
	INCQ BX
test:
	CMPQ BX, CX; JLT loop
	RET

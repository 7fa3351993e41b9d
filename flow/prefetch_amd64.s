#include "textflag.h"

// A prefetch does not wait and cannot fault, which no Go statement can say.
// The sizes 64, 128 and 40 are checked in table.go.

// func prefetchBuckets(buckets unsafe.Pointer, homes uint64, hashes *[64]uint64, n int)
TEXT ·prefetchBuckets(SB), NOSPLIT, $0-32
	MOVQ buckets+0(FP), BX
	MOVQ homes+8(FP), SI
	MOVQ hashes+16(FP), DI
	MOVQ n+24(FP), CX
	LEAQ (DI)(CX*8), CX    // end of hashes
	JMP  test
loop:
	MOVQ (DI), AX
	MULQ SI                // DX = index.home(hash)
	SHLQ $6, DX            // 64 bytes a bucket
	PREFETCHT0 (BX)(DX*1)
	ADDQ $8, DI
test:
	CMPQ DI, CX
	JLT  loop
	RET

// func prefetchEntries(arrays *[4]unsafe.Pointer, refs *[64]Ref, n int)
//
// Without a branch: which family comes next cannot be predicted.
TEXT ·prefetchEntries(SB), NOSPLIT, $0-24
	MOVQ arrays+0(FP), AX
	MOVQ refs+8(FP), DI
	MOVQ n+16(FP), CX
	LEAQ (DI)(CX*4), CX    // end of refs
	MOVQ 0(AX), R8         // hot4
	MOVQ 8(AX), R9         // cold4
	MOVQ 16(AX), R10       // hot6
	MOVQ 24(AX), R11       // cold6
	JMP  test
loop:
	MOVL (DI), AX
	MOVL AX, DX
	ANDL $0x7fffffff, AX
	SHRL $1, AX            // Index.position
	LEAQ (AX)(AX*4), R12   // cold part: 5 times the position, of 8 bytes
	SHLQ $6, AX            // IPv4: 64 bytes a hot part
	LEAQ (AX)(AX*1), R13   // IPv6: 128
	MOVQ R8, BX
	MOVQ R9, SI
	TESTL DX, DX           // the sign is the family
	CMOVQMI R10, BX
	CMOVQMI R11, SI
	CMOVQMI R13, AX
	SHRL $31, DX
	SHLL $6, DX            // 64 for IPv6: the second line; 0 for IPv4: the first again
	ADDQ AX, BX
	PREFETCHT0 (BX)
	PREFETCHT0 (BX)(DX*1)
	PREFETCHT0 (SI)(R12*8)
	ADDQ $4, DI
test:
	CMPQ DI, CX
	JLT  loop
	RET

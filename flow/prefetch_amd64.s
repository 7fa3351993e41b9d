#include "textflag.h"

// A prefetch does not wait and cannot fault, which no Go statement can say.
// The sizes 64 and 128 are checked in table.go.

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

// func prefetchEntries(hot4, hot6 unsafe.Pointer, refs *[64]Ref, n int)
//
// Without a branch: which family comes next cannot be predicted.
TEXT ·prefetchEntries(SB), NOSPLIT, $0-32
	MOVQ hot4+0(FP), R8
	MOVQ hot6+8(FP), R9
	MOVQ refs+16(FP), DI
	MOVQ n+24(FP), CX
	LEAQ (DI)(CX*4), CX    // end of refs
	JMP  test
loop:
	MOVL (DI), AX
	MOVL AX, DX
	ANDL $0x7ffffffe, AX   // Index.position, times 2
	SHLQ $5, AX            // IPv4: 64 bytes an entry
	LEAQ (AX)(AX*1), R13   // IPv6: 128
	MOVQ R8, BX
	TESTL DX, DX           // the sign is the family
	CMOVQMI R9, BX
	CMOVQMI R13, AX
	SHRL $31, DX
	SHLL $6, DX            // 64 for IPv6: the second line; 0 for IPv4: the first again
	ADDQ AX, BX
	PREFETCHT0 (BX)
	PREFETCHT0 (BX)(DX*1)
	ADDQ $4, DI
test:
	CMPQ DI, CX
	JLT  loop
	RET

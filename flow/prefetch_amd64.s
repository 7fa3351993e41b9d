#include "textflag.h"

// A prefetch does not wait and cannot fault, which no Go statement can say.
// The sizes 64 and 40 are checked in table.go.

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

// func prefetchEntries(hot, cold unsafe.Pointer, refs *[64]Ref, n int)
TEXT ·prefetchEntries(SB), NOSPLIT, $0-32
	MOVQ hot+0(FP), BX
	MOVQ cold+8(FP), SI
	MOVQ refs+16(FP), DI
	MOVQ n+24(FP), CX
	LEAQ (DI)(CX*4), CX    // end of refs
	JMP  test
loop:
	MOVL (DI), AX
	SHRQ $1, AX            // Ref.Index
	LEAQ (AX)(AX*4), DX    // 5 times the index
	SHLQ $6, AX            // 64 bytes a hot part
	PREFETCHT0 (BX)(AX*1)
	PREFETCHT0 (SI)(DX*8)  // 40 bytes a cold part
	ADDQ $4, DI
test:
	CMPQ DI, CX
	JLT  loop
	RET

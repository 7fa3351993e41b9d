#include "textflag.h"
#include "go_asm.h"

// A prefetch does not wait and cannot fault, which no Go statement can say.
// The sizes 64 and 128 and the layout of a bucket are checked in table.go.

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

// func prefetch(line unsafe.Pointer)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVQ line+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func prefetchPair(a, b unsafe.Pointer)
TEXT ·prefetchPair(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), AX
	MOVQ b+8(FP), BX
	PREFETCHT0 (AX)
	PREFETCHT0 (BX)
	RET

// func candidates(t *batchTable, hashes *[64]uint64, refs *[64]Ref, entries *[64]unsafe.Pointer, n int)
//
// What index.candidate does, for a batch, and the prefetch of what it finds.
// Without a branch: neither the slot nor the family can be predicted.
TEXT ·candidates(SB), NOSPLIT, $0-40
	MOVQ t+0(FP), AX
	MOVQ hashes+8(FP), DI
	MOVQ refs+16(FP), R10
	MOVQ entries+24(FP), R15
	MOVQ n+32(FP), CX
	MOVQ 0(AX), BX         // buckets
	MOVQ 8(AX), SI         // homes
	MOVQ 16(AX), R8        // hot4
	MOVQ 24(AX), R9        // hot6
	LEAQ (DI)(CX*8), CX    // end of hashes
	JMP  test
loop:
	MOVQ (DI), AX
	MOVQ AX, R11
	ORQ  $1, R11           // tagOf, in the low 16 bits
	MULQ SI
	SHLQ $6, DX
	ADDQ BX, DX            // the home bucket
	MOVQ R11, X0
	PSHUFLW $0, X0, X0
	PUNPCKLQDQ X0, X0      // the tag, eight times
	MOVOU (DX), X1         // bucket.tags
	PCMPEQW X1, X0
	PMOVMSKB X0, AX        // two bits a slot
	ORL  $0x10000, AX      // slot 8, bucket.none, when there is none
	BSFL AX, AX
	MOVL 16(DX)(AX*2), AX  // bucket.refs
	MOVL AX, (R10)
	MOVL AX, DX
	ANDL $0x7ffffffe, AX   // Index.position, times 2
	SHLQ $5, AX            // IPv4: 64 bytes an entry
	LEAQ (AX)(AX*1), R13   // IPv6: 128
	MOVQ R8, R12
	TESTL DX, DX           // the sign is the family
	CMOVQMI R9, R12
	CMOVQMI R13, AX
	SHRL $31, DX
	SHLL $6, DX            // 64 for IPv6: the second line; 0 for IPv4: the first again
	ADDQ AX, R12
	PREFETCHT0 (R12)
	PREFETCHT0 (R12)(DX*1)
	MOVQ R12, (R15)
	ADDQ $8, R15
	ADDQ $4, R10
	ADDQ $8, DI
test:
	CMPQ DI, CX
	JLT  loop
	RET

// func prefetchOwned(found *Found, n int, o *Owned)
TEXT ·prefetchOwned(SB), NOSPLIT, $0-24
	MOVQ found+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ o+16(FP), AX
	MOVQ Owned_Loads(AX), R8
	MOVQ Owned_Outers(AX), R9
	MOVQ Owned_Hops(AX), R10
	XORL BX, BX
	JMP  test
loop:
	MOVQ Found_entries(SI)(BX*8), AX
	MOVL Found_Refs(SI)(BX*4), DX
	MOVL DX, R11
	SARL $31, R11              // all ones for IPv6
	ANDL $(Entry6_Common-Entry4_Common), R11
	ADDQ R11, AX
	ANDL $1, DX
	SHLL $4, DX                // Side__size
	MOVL (Entry4_Common+Common_Backend)(AX), R11
	MOVL (Entry4_Common+Side_Hop)(AX)(DX*1), DX
	SHLQ $6, R11
	SHLQ $5, DX
	PREFETCHT0 (R8)(R11*1)
	PREFETCHT0 (R9)(R11*1)
	PREFETCHT0 (R10)(DX*1)
	INCQ BX
test:
	CMPQ BX, CX
	JLT  loop
	RET

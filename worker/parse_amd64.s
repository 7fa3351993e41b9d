#include "textflag.h"
#include "go_asm.h"
// func parsePlain4(in *packet.Burst, n, port int, mac uint64, numbers *[9]uint64, hashes *[64]uint64) (taken uint64)
// packet.Parse for plain IPv4, step by step, but for packet.Unusual, and flow.Table.Hash.
// PTEST is of SSE4.1; DPDK does not run on less than 4.2.
TEXT ·parsePlain4(SB), NOSPLIT, $0-56
	MOVQ in+0(FP), SI; MOVQ n+8(FP), CX; MOVQ port+16(FP), R8
	MOVQ numbers+32(FP), R12
	MOVQ hashes+40(FP), R9
	XORL R13, R13; XORL BX, BX    // taken, which packet
	MOVQ mac+24(FP), X1           // bytes 0 to 5: destination
	MOVQ $0x0045000800000000, AX  // 12 to 14: IPv4, 20 bytes of header
	MOVQ AX, X3; PUNPCKLQDQ X3, X1
	MOVQ $0x0000ffffffffffff, AX; MOVQ AX, X2
	MOVQ $0x00ffffff00000000, AX; MOVQ AX, X3; PUNPCKLQDQ X3, X2
	JMP  test
loop:
	LEAQ const_ahead(BX), R10; CMPQ R10, CX; JGE close
	MOVQ const_ahead*8(SI)(BX*8), R10
	PREFETCHT0 (R10)
	PREFETCHT0 const_frameAt(R10)
close:
	MOVQ (SI)(BX*8), R10
	TESTQ R8, R8; JMI segments
	MOVW R8, const_bufPort(R10)
segments:
	CMPW const_bufSegs(R10), $1; JNE next
	MOVWLZX const_bufLen(R10), DX
	CMPL DX, $const_plainLen; JLT next
	MOVWLZX const_bufOff(R10), AX; ADDQ const_bufAddr(R10), AX // the frame
	MOVQ 48(R12), R10; PREFETCHT0 (AX)(R10*1) // the headroom, for tunnels
	MOVOU (AX), X0
	PXOR X1, X0
	PTEST X2, X0; JNE next
	MOVWLZX 20(AX), R10
	TESTL $0xff3f, R10; JNE next    // a fragment
	MOVWLZX 16(AX), R10
	ROLW $8, R10                  // total length
	LEAL 14(R10), R11             // end
	CMPL R11, DX; JHI next
	MOVQ 26(AX), R14              // addresses
	MOVQ 14(AX), R15
	MOVL 22(AX), DX
	ADDQ DX, R15                  // checksum
	ADCQ R14, R15
	ADCQ $0, R15
	IMULQ 32(R12), R15            // as packet.allOnes16
	CMPQ R15, 40(R12); JHI next
	MOVBLZX 23(AX), DX            // protocol
	CMPL DX, $const_udp; JNE tcp
	MOVWLZX 38(AX), R15
	ROLW $8, R15                  // UDP's length
	CMPL R15, $8; JLT next
	ADDL $20, R15
	CMPL R15, R10; JHI next
	JMP  store
tcp:
	CMPL DX, $const_tcp; JNE next
	MOVBLZX 46(AX), R15
	ANDL $0xf0, R15
	SHRL $2, R15                  // TCP's header length
	CMPL R15, $20; JLT next
	ADDL $20, R15
	CMPL R15, R10; JHI next
store:
	MOVL 34(AX), R10              // ports
	SHLQ $8, R10
	ORQ  DX, R10
	XORQ 8(R12), R10
	MOVQ R14, AX
	XORQ 0(R12), AX
	MULQ R10
	XORQ DX, AX
	XORQ 16(R12), AX
	MULQ 24(R12)
	XORQ DX, AX
	MOVQ AX, (R9)(BX*8)
	BTSQ BX, R13
	MULQ 56(R12)
	SHLQ $6, DX
	ADDQ 64(R12), DX
	PREFETCHT0 (DX)               // flow.Table.PrefetchBuckets
next:
	INCQ BX
test:
	CMPQ BX, CX; JLT loop
	MOVQ R13, taken+48(FP)
	RET

package packet

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plainFrame is a good frame of 80 bytes for the gate's address.
func plainFrame(ipv6, tcp bool, mac MAC) []byte {
	b := make([]byte, 80)
	copy(b, mac[:])
	proto, l4 := byte(ProtoUDP), 34
	if tcp {
		proto = ProtoTCP
	}
	if ipv6 {
		l4 = 54
		b[12], b[13], b[14], b[19], b[20] = 0x86, 0xdd, 0x60, byte(len(b)-l4), proto
		b[22], b[38] = 0x20, 0x26
	} else {
		b[12], b[13], b[14], b[17], b[23] = 8, 0, 0x45, byte(len(b)-EthernetLen), proto
		b[26], b[30] = 10, 11
	}
	if tcp {
		b[l4+12], b[l4+13] = 5<<4, ACK
	} else {
		b[l4+5] = byte(len(b) - l4)
	}
	return b
}

func seal(b []byte) {
	b[24], b[25] = 0, 0
	binary.LittleEndian.PutUint16(b[24:], Checksum(Sum(b[14:34])))
}

// Parse, which tries plain IPv4 first, is the complete parser, whatever bits
// of a good frame are turned and wherever it is cut.
func TestPlainAgrees(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		g := Gate{MAC: MAC{2, 0, 0, 0, 0, 7}.Raw()}
		frame := plainFrame(rapid.Bool().Draw(t, "ipv6"), rapid.Bool().Draw(t, "tcp"), MAC{2, 0, 0, 0, 0, 7})
		for _, bit := range rapid.SliceOfN(rapid.IntRange(0, 80*8-1), 0, 3).Draw(t, "bits") {
			frame[bit/8] ^= 1 << (bit % 8)
		}
		if frame[12] == 8 && rapid.IntRange(0, 9).Draw(t, "seal") > 0 {
			seal(frame)
		}
		frame = frame[:rapid.IntRange(0, 80).Draw(t, "length")]
		if rapid.Bool().Draw(t, "whole") {
			frame = frame[:80]
		}
		fast, full := Parsed{VLAN: 9, Error: true, QuotedL4: 3, Class: ClassRouting}, Parsed{}
		verdict := full.parse(frame, &g)
		require.Equal(t, verdict, Parse(frame, &g, &fast))
		if fast.Plain != 0 {
			taken++
			require.Equal(t, Pending, verdict)
			require.False(t, fast.Fragment || fast.Error)
			require.Equal(t, map[bool]uint8{false: 4, true: 6}[fast.IPv6], fast.Plain)
			require.Equal(t, map[bool]uint16{false: 34, true: 54}[fast.IPv6], fast.L4)
			full.Plain = fast.Plain // it marks IPv6 alone
		}
		require.Equal(t, full, fast)
	})
	require.NotZero(t, taken)
}

func TestPlainTakesThePlain(t *testing.T) {
	g := Gate{MAC: MAC{2, 0, 0, 0, 0, 7}.Raw()}
	for _, tcp := range []bool{false, true} {
		frame := plainFrame(false, tcp, MAC{2, 0, 0, 0, 0, 7})
		seal(frame)
		for _, frame := range [][]byte{frame, plainFrame(true, tcp, MAC{2, 0, 0, 0, 0, 7})} {
			var p Parsed
			require.Equal(t, Pending, Parse(frame, &g, &p))
			require.NotZero(t, p.Plain)
		}
	}
}

func TestAllOnes16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sum := rapid.Uint64Range(1, 1<<64-1).Draw(t, "sum")
		if rapid.Bool().Draw(t, "multiple") {
			sum -= sum % 65535
			sum = max(sum, 65535)
		}
		require.Equal(t, Fold(sum) == 0xffff, allOnes16(sum))
	})
}

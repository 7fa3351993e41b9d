package packet_test

import (
	"encoding/binary"
	"math/bits"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// swap converts between the sums of packet, little-endian, and big-endian ones.
func swap(sum uint16) uint16 { return bits.ReverseBytes16(sum) }

// same says whether two one's complement sums are equal: 0 and 0xffff are.
func same(a, b uint16) bool { return a%0xffff == b%0xffff }

func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
		assert.Equal(t, frame.Sum(b, 0), swap(packet.Sum(b)))
		assert.Equal(t, gopacket.FoldChecksum(gopacket.ComputeChecksum(b, 0)), swap(packet.Checksum(packet.Sum(b))))
	})
}

func TestSumExtremes(t *testing.T) {
	for n := range 70 {
		ones := make([]byte, n)
		assert.Zero(t, packet.Sum(ones), n)
		for i := range ones {
			ones[i] = 0xff
		}
		assert.Equal(t, frame.Sum(ones, 0), swap(packet.Sum(ones)), n)
	}
}

func TestFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sum := rapid.Uint64().Draw(t, "sum")
		folded := packet.Fold(sum)
		assert.EqualValues(t, sum%0xffff, uint64(folded)%0xffff)
		assert.Equal(t, sum == 0, folded == 0, "only nothing sums up to 0")
	})
	for _, sum := range []uint64{0, 1, 0xffff, 0x10000, 0xffffffff, 0x1_0000_0000, 1<<64 - 1, 1<<64 - 2, 0xffff_fffe_ffff_ffff} {
		assert.EqualValues(t, sum%0xffff, uint64(packet.Fold(sum))%0xffff, "%#x", sum)
	}
}

// TestDelta: whatever a checksum was before, right or wrong by some amount, it is
// by the same amount after eight bytes were replaced.
func TestDelta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 8, 80).Draw(t, "data")
		old, to := binary.LittleEndian.Uint64(data), rapid.Uint64().Draw(t, "new")
		err := rapid.Uint16().Draw(t, "error")
		before := packet.Checksum(packet.Sum(data)) + err
		wrong := func(c uint16) uint16 { return packet.Fold(uint64(c) + uint64(packet.Sum(data))) }
		was := wrong(before)
		binary.LittleEndian.PutUint64(data, to)
		delta := packet.Delta(old, to)
		after := packet.AddDelta(before, delta)
		assert.True(t, same(was, wrong(after)), "wrong by %#x, then by %#x", was, wrong(after))

		back := packet.AddDelta(after, ^delta)
		assert.True(t, same(before, back), "%#x there and back is %#x", before, back)
		assert.True(t, same(^delta, packet.Delta(to, old)), "reverse is complement")
	})
}

func TestDeltaOfNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word, c := rapid.Uint64().Draw(t, "word"), rapid.Uint16Range(0, 0xfffe).Draw(t, "checksum")
		delta := packet.Delta(word, word)
		assert.Equal(t, c, packet.AddDelta(c, delta))
		assert.Equal(t, c, packet.AddDelta(c, ^delta))
	})
}

func TestAddDeltaUDP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, delta := rapid.Uint16().Draw(t, "checksum"), rapid.Uint16().Draw(t, "delta")
		got := packet.AddDeltaUDP(c, delta)
		switch want := packet.AddDelta(c, delta); {
		case c == 0:
			assert.Zero(t, got, "none stays none")
		case want == 0:
			assert.EqualValues(t, 0xffff, got, "computed 0")
		default:
			assert.Equal(t, want, got)
		}
	})
	for c := 1; c < 1<<16; c++ { // for each checksum the one delta that leads to 0
		assert.EqualValues(t, 0xffff, packet.AddDeltaUDP(uint16(c), uint16(c)))
	}
	assert.Zero(t, packet.AddDeltaUDP(0, 0x1234))
}

// TestDecrementTTL: every header stays as right as it was, all TTLs.
func TestDecrementTTL(t *testing.T) {
	for ttl := 2; ttl < 256; ttl++ {
		f := with(udpPacket(), func(p *frame.Packet) { p.TTL = uint8(ttl) }).Bytes()
		want := with(udpPacket(), func(p *frame.Packet) { p.TTL = uint8(ttl - 1) }).Bytes()
		packet.IPv4At(f, 14).DecrementTTL()
		assert.Equal(t, want, f)
	}
}

// TestDecrementTTLOfAnyChecksum: right or wrong, it is updated as any other word's
// change would, and nothing beside it changes.
func TestDecrementTTLOfAnyChecksum(t *testing.T) {
	for c := range 1 << 16 {
		ip := packet.IPv4{0x45, 7: 9, 8: byte(1 + c%255), 9: byte(c >> 3), 12: 1}
		binary.LittleEndian.PutUint16(ip[10:], uint16(c))
		want := ip
		want[8]--
		binary.LittleEndian.PutUint16(want[10:], packet.AddDelta(uint16(c), packet.TTLDelta))
		if ip.DecrementTTL(); ip != want {
			t.Fatalf("checksum %#04x: %x, not %x", c, ip, want)
		}
	}
}

// TestForward: new addresses and TTL at once leave the header's checksum right.
func TestForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := with(udpPacket(), func(p *frame.Packet) { p.ID = rapid.Uint16().Draw(t, "id") })
		addrs := rapid.Uint64().Draw(t, "addresses")
		f := p.Bytes()
		ip := packet.IPv4At(f, 14)
		ip.Forward(addrs, packet.Delta(ip.AddrsRaw(), addrs))
		assert.Equal(t, addrs, ip.AddrsRaw())
		assert.EqualValues(t, 63, ip.TTL())
		assert.Equal(t, uint16(0xffff), frame.Sum(f[14:34], 0))
	})
}

package modes_test

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

func address(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// tunnels are the ends of the outer header, by family.
var tunnels = [2][2]netip.Addr{
	{netip.MustParseAddr("10.0.0.200"), netip.MustParseAddr("10.0.0.1")},
	{netip.MustParseAddr("fd00::200"), netip.MustParseAddr("fd00::1")},
}

// FuzzTun: gopacket takes the outer header off again, and finds the packet as it
// came, one hop older, and what the outer header must have from it.
func FuzzTun(f *testing.F) {
	seeds(func(b []byte) {
		f.Add(b, false, uint16(7), uint8(40))
		f.Add(b, true, uint16(0xffff), uint8(40))
		f.Add(b, true, uint16(0), uint8(39))
	})
	f.Fuzz(func(t *testing.T, data []byte, outer6 bool, id uint16, headroom uint8) {
		in, p, ok := pending(data)
		if ttl, _ := hops(in, &p); !ok || p.Fragment || ttl < 2 {
			return
		}
		ends, size := tunnels[0], 20
		if outer6 {
			ends, size = tunnels[1], 40
		}
		o := packet.NewOuter(ends[0], ends[1])
		raw := bits.ReverseBytes16(id)
		b := packet.NewBuf(4096, int(headroom))
		b.SetLen(len(in))
		copy(b.Bytes(), in)
		q := p
		require.Equal(t, int(headroom) >= size, modes.Tun(b, &q, &o, raw))
		if int(headroom) < size {
			require.Equal(t, in, b.Bytes(), "changed without room")
			require.Equal(t, p, q)
			return
		}
		require.EqualValues(t, int(p.End)+size, q.End)
		require.Equal(t, int(q.End), b.Len(), "padding")
		want := append([]byte(nil), in[p.L3:p.End]...)
		if p.IPv6 {
			want[7]--
		} else {
			packet.IPv4At(want, 0).DecrementTTL()
		}
		out := b.Bytes()
		require.Equal(t, want, decapsulated(t, out[p.L3-2:], want, ends, id))
	})
}

// TestTunPlainAgrees: TunPlain does what Tun does, for both families in both, any
// TOS, TTL, length and padding, with DF and without; if it fits into MTU and headroom.
func TestTunPlainAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	done, left := [2][2]int{}, 0 // by families
	for range 20000 {
		f, p, ok := pending(tunnelled(random))
		require.True(t, ok && p.Plain != 0, "%x", f)
		inner, outer := int(p.Plain/2-2), random.IntN(2)
		o, id := packet.NewOuter(tunnels[outer][0], tunnels[outer][1]), uint16(random.Uint32())
		headroom, mtu := 20+20*outer+random.IntN(30)-2, p.Len()+20+20*outer+random.IntN(30)-2
		b, want := packet.NewBuf(4096, headroom), packet.NewBuf(4096, headroom)
		for _, b := range []*packet.Buf{b, want} {
			b.SetLen(len(f))
			copy(b.Bytes(), f)
		}
		r := p
		h := modes.TunPlain(b, uint16(p.Len()), p.Plain == 6, &o, uint16(mtu), id)
		if fits := p.Len()+int(o.Size()) <= mtu; !fits || !modes.Tun(want, &r, &o, id) {
			require.Nil(t, h)
			left++
		} else {
			require.Equal(t, b.Head(), h)
			require.True(t, &b.Bytes()[0] == &h[0], "where the frame begins")
			done[inner][outer]++
		}
		require.Equal(t, want.Headroom(), b.Headroom())
		require.Equal(t, want.Bytes()[packet.EthernetLen-2:], b.Bytes()[packet.EthernetLen-2:], "%x", f)
	}
	for _, n := range []int{done[0][0], done[0][1], done[1][0], done[1][1], left} {
		require.Greater(t, n, 1000)
	}
}

// tunnelled is a plain frame whose header has anything that an outer one may take
// over, and what it may not: a flow label, an identification.
func tunnelled(random *rand.Rand) []byte {
	p := datagram()
	p.TOS, p.TTL, p.ID, p.DF = byte(random.Uint32()), 2+byte(random.IntN(254)), uint16(random.Uint32()), random.IntN(2) == 0
	if random.IntN(2) == 0 {
		p.Src, p.Dst = "2001:db8::7", "2001:db8:2::10"
	}
	if random.IntN(2) == 0 {
		p.Proto, p.Flags = frame.TCP, frame.ACK
	}
	p.Padding, p.Payload = random.IntN(30), make([]byte, 12+random.IntN(1400))
	b := p.Bytes()
	if p.IsIPv6() {
		b[15] |= byte(random.IntN(16))
		binary.BigEndian.PutUint16(b[16:], uint16(random.Uint32()))
	}
	return b
}

// decapsulated checks the outer header, behind its EtherType, against the inner
// packet and returns the inner one.
func decapsulated(t *testing.T, out, inner []byte, ends [2]netip.Addr, id uint16) []byte {
	tos, ttl, proto := inner[1], inner[8], layers.IPProtocolIPv4
	df := inner[0]>>4 == 4 && inner[6]&0x40 != 0
	if inner[0]>>4 == 6 {
		tos, ttl, proto = inner[0]<<4|inner[1]>>4, inner[7], layers.IPProtocolIPv6
	}
	kind := layers.EthernetType(binary.BigEndian.Uint16(out))
	if ends[0].Is6() {
		var h layers.IPv6
		require.Equal(t, layers.EthernetTypeIPv6, kind)
		require.NoError(t, h.DecodeFromBytes(out[2:], gopacket.NilDecodeFeedback))
		require.Equal(t, layers.IPv6{
			BaseLayer: h.BaseLayer, Version: 6, TrafficClass: tos, Length: uint16(len(inner)), NextHeader: proto, HopLimit: ttl,
			SrcIP: ends[0].AsSlice(), DstIP: ends[1].AsSlice(),
		}, h)
		return h.Payload
	}
	var h layers.IPv4
	require.Equal(t, layers.EthernetTypeIPv4, kind)
	require.NoError(t, h.DecodeFromBytes(out[2:], gopacket.NilDecodeFeedback))
	err, sum := h.VerifyChecksum()
	require.NoError(t, err)
	require.True(t, sum.Valid)
	want := layers.IPv4{
		BaseLayer: h.BaseLayer, Version: 4, IHL: 5, TOS: tos, Length: uint16(20 + len(inner)), Id: id, TTL: ttl, Protocol: proto,
		Checksum: h.Checksum, SrcIP: ends[0].AsSlice(), DstIP: ends[1].AsSlice(),
	}
	if df {
		want.Flags, want.Id = layers.IPv4DontFragment, 0
	}
	require.Equal(t, want, h)
	return h.Payload
}

package modes_test

import (
	"encoding/binary"
	"math/bits"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
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

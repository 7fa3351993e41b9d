package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// tunneled is a packet in a tunnel, and what a router says of it.
type tunneled struct {
	local, backend, client, vip netip.Addr
	mtu                         uint16
	flags                       layers.IPv4Flag // of the packet inside
	payload                     int             // of its UDP datagram, bytes
}

func tunnels(local, backend, client, vip string) tunneled {
	return tunneled{netip.MustParseAddr(local), netip.MustParseAddr(backend), netip.MustParseAddr(client), netip.MustParseAddr(vip),
		1400, layers.IPv4DontFragment, 1400}
}

var kinds = map[string]tunneled{
	"4in4": tunnels("10.2.0.2", "10.2.0.11", "10.1.0.10", "10.1.0.103"),
	"6in4": tunnels("10.2.0.2", "10.2.0.11", "2001:db8::10", "2001:db8::103"),
	"4in6": tunnels("fd00::2", "fd00::11", "10.1.0.10", "10.1.0.103"),
	"6in6": tunnels("fd00::2", "fd00::11", "2001:db8::10", "2001:db8::103"),
}

// header is an IP header of the addresses' family.
func header(src, dst netip.Addr, next layers.IPProtocol, flags layers.IPv4Flag) gopacket.SerializableLayer {
	if src.Is4() {
		return &layers.IPv4{Version: 4, TTL: 63, Protocol: next, Flags: flags, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(dst.AsSlice())}
	}
	return &layers.IPv6{Version: 6, HopLimit: 63, NextHeader: next, SrcIP: net.IP(src.AsSlice()), DstIP: net.IP(dst.AsSlice())}
}

// packets are the packet inside, and that in the tunnel.
func (p tunneled) packets(t *testing.T) (inner, outer []byte) {
	t.Helper()
	next := layers.IPProtocolIPv6
	if p.vip.Is4() {
		next = layers.IPProtocolIPv4
	}
	write := func(all ...gopacket.SerializableLayer) []byte {
		b := gopacket.NewSerializeBuffer()
		require.NoError(t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
		return b.Bytes()
	}
	ip := header(p.client, p.vip, layers.IPProtocolUDP, p.flags)
	udp := &layers.UDP{SrcPort: 5555, DstPort: 7}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ip.(gopacket.NetworkLayer)))
	inner = write(ip, udp, gopacket.Payload(make([]byte, p.payload)))
	return inner, write(header(p.local, p.backend, next, layers.IPv4DontFragment), gopacket.Payload(inner))
}

// message is the router's, which quotes at most so many bytes.
func (p tunneled) message(t *testing.T, quote int) []byte {
	_, outer := p.packets(t)
	icmp := append(make([]byte, 8), outer[:min(quote, len(outer))]...)
	icmp[0] = 2
	if p.local.Is4() {
		icmp[0], icmp[1] = 3, 4
	}
	binary.BigEndian.PutUint16(icmp[6:8], p.mtu) // low half of IPv6's
	binary.LittleEndian.PutUint16(icmp[2:4], packet.Checksum(packet.Sum(icmp)))
	return icmp
}

// answer is what becomes of a message.
func (p tunneled) answer(icmp []byte) ([]byte, netip.Addr, relayed) {
	read := tunnelError6
	if p.local.Is4() {
		read = tunnelError4
	}
	e, ok := read(icmp)
	if !ok {
		return nil, netip.Addr{}, relayNotOurs
	}
	return e.forClient(p.isOurs)
}

func (p tunneled) isOurs(local, backend netip.Addr, key service.Key) bool {
	return local == p.local && backend == p.backend && key == service.Key{Proto: service.UDP, Addr: p.vip, Port: 7}
}

// The client hears of it from the virtual address, about its own packet, and what
// fits less the outer header.
func TestTunnelError(t *testing.T) {
	for name, p := range kinds {
		t.Run(name, func(t *testing.T) {
			said, client, end := p.answer(p.message(t, 500))
			require.Equal(t, relayPassed, end)
			require.Equal(t, p.client, client)
			inner, _ := p.packets(t)
			overhead := map[bool]int{true: 20, false: 40}[p.local.Is4()]
			if p.vip.Is4() {
				binary.BigEndian.PutUint16(said[2:4], uint16(len(said))) // as the kernel does
				got := gopacket.NewPacket(said, layers.LayerTypeIPv4, gopacket.Default)
				ip := got.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
				icmp := got.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
				assert.Equal(t, []net.IP{p.vip.AsSlice(), p.client.AsSlice()}, []net.IP{ip.SrcIP, ip.DstIP})
				assert.Equal(t, layers.CreateICMPv4TypeCode(3, 4), icmp.TypeCode)
				assert.Equal(t, 1400-overhead, int(icmp.Seq), "MTU")
				assert.Equal(t, inner[:500-overhead], icmp.Payload)
				assert.EqualValues(t, 0xffff, packet.Sum(said[20:]), "checksum")
				return
			}
			got := gopacket.NewPacket(said, layers.LayerTypeIPv6, gopacket.Default)
			ip := got.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
			assert.Equal(t, []net.IP{p.vip.AsSlice(), p.client.AsSlice()}, []net.IP{ip.SrcIP, ip.DstIP})
			icmp := got.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
			assert.Equal(t, layers.CreateICMPv6TypeCode(2, 0), icmp.TypeCode)
			assert.Equal(t, 1400-overhead, int(binary.BigEndian.Uint32(icmp.Payload[:4])), "MTU")
			assert.Equal(t, inner[:500-overhead], icmp.Payload[4:])
			fresh := gopacket.NewSerializeBuffer()
			require.NoError(t, icmp.SetNetworkLayerForChecksum(ip))
			sum := icmp.Checksum
			require.NoError(t, gopacket.SerializeLayers(fresh, gopacket.SerializeOptions{ComputeChecksums: true}, icmp, gopacket.Payload(icmp.Payload)))
			assert.Equal(t, binary.BigEndian.Uint16(fresh.Bytes()[2:4]), sum, "checksum")
		})
	}
}

// What is about no tunnel of ours, or can help no client, is told to nobody.
func TestTunnelErrorsThatAreNotPassedOn(t *testing.T) {
	for name, p := range kinds {
		refused := func(want relayed, why string, icmp []byte) {
			t.Helper()
			_, _, end := p.answer(icmp)
			assert.Equal(t, relayedNames[want], relayedNames[end], "%s: %s", name, why)
		}
		spoil := func(change func(q *tunneled)) []byte {
			q := p
			change(&q)
			return q.message(t, 500)
		}
		refused(relayNothing, "it fits", spoil(func(q *tunneled) { q.payload = 100 }))
		refused(relayNothing, "less than anybody can", spoil(func(q *tunneled) { q.mtu = 80 }))
		refused(relayNothing, "no MTU", spoil(func(q *tunneled) { q.mtu = 0 }))
		refused(relayNotOurs, "another's tunnel", spoil(func(q *tunneled) { q.backend = q.local }))
		refused(relayNotOurs, "another's service", spoil(func(q *tunneled) { q.vip = q.client }))
		if p.vip.Is4() {
			refused(relayNothing, "may be fragmented", spoil(func(q *tunneled) { q.flags = 0 }))
		}
		whole := p.message(t, 500)
		for n := range whole[:8+40+40+8] {
			if least := 8 + map[bool]int{true: 20, false: 40}[p.local.Is4()] + map[bool]int{true: 20, false: 40}[p.vip.Is4()] + 8; n < least {
				short := append([]byte(nil), whole[:n]...)
				if n >= 8 {
					short[2], short[3] = 0, 0
					binary.LittleEndian.PutUint16(short[2:4], packet.Checksum(packet.Sum(short)))
				}
				_, _, end := p.answer(short)
				assert.NotEqual(t, relayPassed, end, "%s: cut short: %d", name, n)
			}
		}
		other := append([]byte(nil), whole...)
		other[0] = 1
		refused(relayNotOurs, "another error", other)
	}
	bad := kinds["4in4"].message(t, 500)
	bad[100]++
	_, _, end := kinds["4in4"].answer(bad)
	assert.Equal(t, relayNotOurs, end, "bad checksum")
}

func FuzzTunnelError(f *testing.F) {
	for _, p := range kinds {
		f.Add(p.message(&testing.T{}, 500))
	}
	f.Fuzz(func(t *testing.T, icmp []byte) {
		for _, read := range []func([]byte) (tunnelError, bool){tunnelError4, tunnelError6} {
			if e, ok := read(icmp); ok {
				said, client, end := e.forClient(func(netip.Addr, netip.Addr, service.Key) bool { return true })
				require.False(t, end == relayPassed && (len(said) > 1280 || !client.IsValid()))
			}
		}
	})
}

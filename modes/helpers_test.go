package modes_test

import (
	"encoding/binary"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// seeds gives every frame of the conformance table that reaches the gateway, once.
// Of large ones there are enough among the small.
func seeds(add func(frame []byte)) {
	seen := map[string]bool{}
	locals := conformance.Locals{0, 40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009}
	for _, c := range conformance.Cases() {
		for _, s := range c.Steps {
			for _, f := range s.In {
				if b := f.Bytes(&locals); !seen[string(b)] && len(b) < 400 {
					seen[string(b)] = true
					add(b)
				}
			}
		}
	}
}

// parsed is a frame as far as the worker gives it to a mode: Pending, a whole
// packet with TTL above 1, its IP checksum made right first. ok is false otherwise.
func parsed(data []byte) (f []byte, p packet.Parsed, ok bool) {
	f = append([]byte(nil), data...)
	if len(f) > 2000 || len(f) < 34 {
		return nil, p, false
	}
	if hl := int(f[14]&0xf) * 4; hl >= 20 && 14+hl <= len(f) {
		f[24], f[25] = 0, 0
		binary.BigEndian.PutUint16(f[24:], ^frame.Sum(f[14:14+hl], 0))
	}
	for port := range 2 {
		gate := packet.Gate{MAC: world.PortMAC(port).Raw()}
		if packet.Parse(f, &gate, &p) == packet.Pending {
			return f, p, !p.IPv6 && !p.Error && p.VLAN == 0 && p.L3 == packet.EthernetLen
		}
	}
	return nil, p, false
}

// forwardable is parsed for packets that a mode may rewrite.
func forwardable(data []byte) (f []byte, p packet.Parsed, ok bool) {
	f, p, ok = parsed(data)
	return f, p, ok && !p.Fragment && packet.IPv4At(f, p.L3).TTL() > 1
}

// entry is the flow of a request: to RIP and from LIP as the raw words say.
func entry(p *packet.Parsed, repAddrs uint64, repPorts uint32) *flow.Entry4 {
	var e flow.Entry4
	e.Proto, e.Mode = p.Proto, service.ModeFullNAT
	e.SetTuple(flow.Request, flow.Tuple4{Addrs: p.Addrs, Ports: p.Ports})
	e.SetTuple(flow.Reply, flow.Tuple4{Addrs: repAddrs, Ports: repPorts})
	modes.Prepare4(&e)
	return &e
}

// wrongBy is by how much a frame's TCP or UDP checksum is wrong, in one's
// complement arithmetic; none is true when it has none.
func wrongBy(f []byte, p *packet.Parsed) (amount uint16, none bool) {
	sum, ok := frame.L4Sum(f[p.L3:p.End])
	return sum % 0xffff, !ok
}

// checkSums has gopacket verify the checksums of a frame: the IP header's is
// right, and TCP's, UDP's or ICMP's is if right says so.
func checkSums(t *testing.T, f []byte, right bool) {
	t.Helper()
	p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			err, result := l.VerifyChecksum()
			require.NoError(t, err)
			require.True(t, result.Valid, "IPv4 checksum")
		case *layers.TCP, *layers.UDP, *layers.ICMPv4:
			if c, ok := l.(interface {
				SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
			}); ok {
				require.NoError(t, c.SetNetworkLayerForChecksum(p.NetworkLayer()))
			}
			err, result := l.(gopacket.LayerWithChecksum).VerifyChecksum()
			require.NoError(t, err)
			require.Equal(t, right, result.Valid, "%v checksum", l.LayerType())
		}
	}
}

// checkHeader sums the IP header.
func checkHeader(t *testing.T, f []byte) {
	t.Helper()
	require.Equal(t, uint16(0xffff), frame.Sum(f[14:14+int(f[14]&0xf)*4], 0), "IPv4 header")
}

// masked is a frame with the bytes at [from, to) blanked.
func masked(f []byte, ranges ...[2]int) []byte {
	f = append([]byte(nil), f...)
	for _, r := range ranges {
		clear(f[r[0]:r[1]])
	}
	return f
}

// checksumAt is where the TCP or UDP checksum lies.
func checksumAt(p *packet.Parsed) int {
	if p.Proto == packet.ProtoTCP {
		return int(p.L4) + 16
	}
	return int(p.L4) + 6
}

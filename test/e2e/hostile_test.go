package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// datagram is a UDP datagram to a service in an Ethernet frame, whole and good
// until a case spoils it.
type datagram struct {
	src, dst net.HardwareAddr
	ip       layers.IPv4
	udp      layers.UDP
}

func (l *lab) datagram(to netip.Addr, port uint16) datagram {
	return datagram{src: l.mac("client"), dst: l.mac("gw"),
		ip: layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP,
			SrcIP: l.addr("client").AsSlice(), DstIP: to.AsSlice()},
		udp: layers.UDP{SrcPort: 4000, DstPort: layers.UDPPort(port)}}
}

// frame serializes it, checksums and lengths computed.
func (d datagram) frame(t *testing.T) []byte {
	t.Helper()
	require.NoError(t, d.udp.SetNetworkLayerForChecksum(&d.ip))
	buf := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	ethernet := &layers.Ethernet{SrcMAC: d.src, DstMAC: d.dst, EthernetType: layers.EthernetTypeIPv4}
	require.NoError(t, gopacket.SerializeLayers(buf, options, ethernet, &d.ip, &d.udp, gopacket.Payload("0123456789")))
	return buf.Bytes()
}

// resum makes the IPv4 header's checksum right again (RFC 1071).
func resum(frame []byte) []byte {
	header := frame[14 : 14+4*int(frame[14]&15)]
	header[10], header[11] = 0, 0
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
	return frame
}

// hostile is what strangers may send, by the verdict that it has to get. Not
// among it are fragments: net_af_packet has the kernel reassemble them first
// (PACKET_FANOUT_FLAG_DEFRAG).
func (l *lab) hostile(t *testing.T, vip netip.Addr) map[string][][]byte {
	good := func(change func(*datagram)) []byte {
		d := l.datagram(vip, 7)
		change(&d)
		return d.frame(t)
	}
	same := func(*datagram) {}
	edit := func(change func(frame []byte)) []byte {
		frame := good(same)
		change(frame)
		return frame
	}
	whole := good(same)
	whole = whole[:14+int(binary.BigEndian.Uint16(whole[16:]))] // without padding
	return map[string][][]byte{
		"truncated": {whole[:14], whole[:20], whole[:33], whole[:len(whole)-1]},
		"foreign-mac": {
			good(func(d *datagram) { d.dst = net.HardwareAddr{2, 0, 0, 0, 0, 9} }),
			good(func(d *datagram) { d.dst = layers.EthernetBroadcast }),
		},
		"unknown-vlan": {append(append(append([]byte(nil), whole[:12]...), 0x81, 0, 0, 42), whole[12:]...)},
		"bad-ip-header": {
			resum(edit(func(f []byte) { f[14] = 0x65 })),                           // version 6
			edit(func(f []byte) { f[14] = 0x44 }),                                  // header of 16 bytes
			resum(edit(func(f []byte) { binary.BigEndian.PutUint16(f[16:], 19) })), // total length
		},
		"bad-ip-checksum": {edit(func(f []byte) { f[24]++ }), edit(func(f []byte) { f[22]-- })},
		"source-route": {good(func(d *datagram) {
			d.ip.Options = []layers.IPv4Option{{OptionType: 131, OptionLength: 7, OptionData: []byte{4, 10, 0, 0, 11}}}
		})},
		"martian-source": {
			good(func(d *datagram) { d.ip.SrcIP = net.IP{127, 0, 0, 1} }),
			good(func(d *datagram) { d.ip.SrcIP = net.IP{0, 0, 0, 0} }),
			good(func(d *datagram) { d.ip.SrcIP = net.IP{224, 0, 0, 1} }),
			good(func(d *datagram) { d.ip.SrcIP = net.IP{255, 255, 255, 255} }),
			good(func(d *datagram) { d.ip.SrcIP = d.ip.DstIP }),
		},
		"own-source": {good(func(d *datagram) { d.ip.SrcIP = l.addr("local").AsSlice() })},
		"bad-l4-header": {
			edit(func(f []byte) { binary.BigEndian.PutUint16(f[38:], 7) }),   // UDP shorter than its header
			edit(func(f []byte) { binary.BigEndian.PutUint16(f[38:], 999) }), // and longer than the packet
			good(func(d *datagram) { d.ip.Protocol = layers.IPProtocolTCP }), // 18 bytes are no TCP header
		},
		"no-flow":             {good(func(d *datagram) { d.ip.DstIP, d.udp.DstPort = l.addr("local").AsSlice(), 40000 })},
		"answered-no-backend": {good(func(d *datagram) { d.udp.DstPort = 8 })},
		"answered-ttl":        {good(func(d *datagram) { d.ip.TTL = 1 })},
	}
}

func TestHostileFramesAreCountedByName(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("fullnat", "udp", "rs1")
	empty := l.service("fullnat", "udp")
	empty.Port = 8
	_, err := d.PutService(ctx, empty, nil)
	require.NoError(t, err)

	w := l.wire("client", func(gopacket.Packet) bool { return false })
	start, before := d.count()
	want, sent := map[string]uint64{}, uint64(0)
	for name, frames := range l.hostile(t, key.Address) {
		for range 10 {
			for _, frame := range frames {
				w.send(frame)
				want[name]++
				sent++
			}
		}
	}
	eventually(t, "all frames are in", func() bool { return d.quiet()[0].Received >= start[0].Received+sent })
	end, after := d.count()
	got := map[string]uint64{}
	for name, n := range after {
		if n -= before[name]; n > 0 && name != "kernel" && name != "from-kernel" {
			got[name] = n
		}
	}
	assert.Equal(t, want, got, "every frame under its name, and nothing else but the kernel's own")
	received := end[0].Received - start[0].Received
	assert.Equal(t, sent, received-(after["kernel"]-before["kernel"]), "nothing else was received but for the kernel")
	assert.Equal(t, "rs1", l.ask(l.dialUDP(key), "still alive"))
	d.stop()
}

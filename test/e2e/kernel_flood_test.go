package e2e

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ethernet serializes a frame with checksums.
func ethernet(t *testing.T, from, to net.HardwareAddr, kind layers.EthernetType, inner ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	all := append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: kind}}, inner...)
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	return buf.Bytes()
}

// strangers are frames that only the kernel could want: ARP requests, pings and
// connections to a closed port.
func (l *lab) strangers(t *testing.T) (frames [][]byte) {
	from, to := l.mac("client"), l.mac("gw")
	gw := l.addr("gw").AsSlice()
	for i := range 64 {
		src := netip.AddrFrom4([4]byte{10, 0, 0, byte(180 + i)}).AsSlice()
		ip := func(p layers.IPProtocol) *layers.IPv4 {
			return &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: src, DstIP: gw}
		}
		tcp, under := &layers.TCP{SrcPort: layers.TCPPort(2000 + i), DstPort: 81, SYN: true, Window: 1000}, ip(layers.IPProtocolTCP)
		require.NoError(t, tcp.SetNetworkLayerForChecksum(under))
		frames = append(frames,
			ethernet(t, from, layers.EthernetBroadcast, layers.EthernetTypeARP, &layers.ARP{
				AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
				SourceHwAddress: from, SourceProtAddress: src, DstHwAddress: make([]byte, 6), DstProtAddress: gw}),
			ethernet(t, from, to, layers.EthernetTypeIPv4, ip(layers.IPProtocolICMPv4),
				&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: 1, Seq: uint16(i)}),
			ethernet(t, from, to, layers.EthernetTypeIPv4, under, tcp))
	}
	return frames
}

// flood sends frames from the client, thousands a second, until the result is
// called, which returns how many.
func (l *lab) flood(frames [][]byte) (stop func() int) {
	l.t.Helper()
	w := l.wire("client", func(gopacket.Packet) bool { return false })
	var end atomic.Bool
	sent := make(chan int, 1)
	go func() {
		n := 0
		for !end.Load() {
			for range 90 {
				if _, err := unix.Write(w.fd, frames[n%len(frames)]); err == nil {
					n++
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		sent <- n
	}()
	return func() int { end.Store(true); return <-sent }
}

// A flood of what only the kernel could want is cut off, class by class: routing
// protocols lose nothing, connections through the gateway go on, and every packet
// is accounted for.
func TestFloodOfStrangers(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Config: map[string]any{"limits.kernel_neighbour": 200, "limits.kernel_other": 300}})
	key := d.add("fullnat", "tcp", "rs1", "rs2")
	l.echo("gw", 179)
	heard, from, to := l.listenVRRP("gw"), l.mac("client"), net.HardwareAddr{1, 0, 0x5e, 0, 0, 18}
	vrrp := ethernet(t, from, to, layers.EthernetTypeIPv4, &layers.IPv4{Version: 4, TTL: 255, Protocol: layers.IPProtocolVRRP,
		SrcIP: l.addr("client").AsSlice(), DstIP: net.IPv4(224, 0, 0, 18)}, gopacket.Payload("an advertisement, 20 b"))
	w := l.wire("client", func(gopacket.Packet) bool { return false })
	require.Equal(t, map[string]int{"rs1": 1, "rs2": 1}, l.getMany(2, key, "before"))
	before, passed := d.verdict("kernel-limit"), d.verdict("kernel")

	stop := l.flood(l.strangers(t))
	eventually(t, "the limits are reached", func() bool { return d.verdict("kernel-limit") > before+1000 })
	for i := range 10 {
		w.send(vrrp)
		require.NoError(t, l.connect(netip.AddrPortFrom(l.addr("gw"), 179)), "BGP connection %d", i)
		require.Equal(t, map[string]int{"rs1": 1, "rs2": 1}, l.getMany(2, key, "flood"))
	}
	sent := stop()
	eventually(t, "all VRRP packets arrive", func() bool { return heard.Load() == 10 })
	d.quiet()
	limited, through := d.verdict("kernel-limit")-before, d.verdict("kernel")-passed
	assert.Greater(t, limited, uint64(sent)/2, "of %d", sent)
	assert.NotZero(t, through)
	assert.GreaterOrEqual(t, limited+through, uint64(sent), "no packet of the flood ended otherwise")
	d.stop()
}

// listenVRRP counts what VRRP's protocol number brings to a host.
func (l *lab) listenVRRP(host string) *atomic.Int32 {
	l.t.Helper()
	var conn *net.IPConn
	l.in(host, func() (err error) {
		link, err := net.InterfaceByName("sl-lan")
		if err != nil {
			return err
		}
		if conn, err = net.ListenIP("ip4:112", nil); err != nil {
			return err
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		err = raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: [4]byte{224, 0, 0, 18}, Ifindex: int32(link.Index)})
		})
		if err == nil {
			err = failed
		}
		return err
	})
	l.t.Cleanup(func() { conn.Close() })
	heard := new(atomic.Int32)
	go func() {
		for buffer := make([]byte, 2048); ; heard.Add(1) {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
		}
	}()
	return heard
}

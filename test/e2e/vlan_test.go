package e2e

import (
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tagged puts 802.1Q tags in front of what an Ethernet header announces.
func tagged(t *testing.T, src net.HardwareAddr, vlan uint16, what layers.EthernetType, inner ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	all := append([]gopacket.SerializableLayer{
		&layers.Ethernet{SrcMAC: src, DstMAC: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EthernetType: layers.EthernetTypeDot1Q},
		&layers.Dot1Q{VLANIdentifier: vlan, Type: what}}, inner...)
	require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, all...))
	return buf.Bytes()
}

// answerTo waits for an ARP reply about an address and returns the VLAN it came
// in: the kernel takes the tag out of the frame and tells it beside it.
func answerTo(t *testing.T, fd int, address netip.Addr) uint16 {
	t.Helper()
	frame, aside := make([]byte, 2048), make([]byte, 256)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		n, aux, _, _, err := unix.Recvmsg(fd, frame, aside, 0)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		arp, ok := gopacket.NewPacket(frame[:n], layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeARP).(*layers.ARP)
		if !ok || arp.Operation != layers.ARPReply || netip.AddrFrom4([4]byte(arp.SourceProtAddress)) != address {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(aside[:aux])
		require.NoError(t, err)
		for _, m := range messages {
			if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA {
				return (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0])).Vlan_tci & 0xfff
			}
		}
	}
	t.Fatalf("no answer for %s", address)
	return 0
}

// A configured VLAN reaches its own twin and answers come back in it; frames of
// others are dropped by name.
func TestVLANsHaveTwins(t *testing.T) {
	l := newLab(t)
	config := port("vlans", []any{
		map[string]any{"id": 100, "addresses": []string{"10.0.100.1/24"}},
		map[string]any{"id": 200, "twin": "guests", "addresses": []string{"10.0.200.1/24"}}})
	d := l.start(setup{Config: config})
	assert.Contains(t, l.run("gw", "ip", "-o", "-4", "address", "show", "dev", "sl-lan.100"), "10.0.100.1/24")
	assert.Contains(t, l.run("gw", "ip", "-o", "-4", "address", "show", "dev", "guests"), "10.0.200.1/24")

	w := l.wire("client", func(gopacket.Packet) bool { return false })
	var fd int
	l.in("client", func() (err error) { fd, err = openWire(); return err })
	defer unix.Close(fd)
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1))
	mac := l.mac("client")
	ask := func(vlan uint16, who, whom string) []byte {
		return tagged(t, mac, vlan, layers.EthernetTypeARP, &layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: mac, SourceProtAddress: netip.MustParseAddr(who).AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: netip.MustParseAddr(whom).AsSlice()})
	}
	before := d.verdict("unknown-vlan")
	for vlan, net := range map[uint16]string{100: "10.0.100.", 200: "10.0.200."} {
		w.send(ask(vlan, net+"9", net+"1"))
		assert.Equal(t, vlan, answerTo(t, fd, netip.MustParseAddr(net+"1")))
	}
	w.send(ask(101, "10.0.100.9", "10.0.100.1"))
	eventually(t, "a foreign VLAN is dropped by name", func() bool { return d.verdict("unknown-vlan") == before+1 })
	ports, err := d.Ports(ctx)
	require.NoError(t, err)
	require.Len(t, ports[0].Twins, 3)
	assert.Equal(t, "sl-lan", ports[0].Twin)
	assert.EqualValues(t, 100, ports[0].Twins[1].VLAN)
	assert.NotZero(t, ports[0].Twins[1].ToKernel)
	assert.NotZero(t, ports[0].Twins[1].FromKernel)
	d.stop()
}

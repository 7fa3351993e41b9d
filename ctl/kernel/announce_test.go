package kernel

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// believes makes a host think that somebody else has an address.
func (h *host) believes(addr, mac string) {
	h.t.Helper()
	hw, err := net.ParseMAC(mac)
	require.NoError(h.t, err)
	h.do(func() error {
		link, err := netlink.LinkByName("far")
		if err != nil {
			return err
		}
		ip := netip.MustParseAddr(addr)
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, Family: familyOf(ip), IP: ip.AsSlice(),
			HardwareAddr: hw, State: unix.NUD_REACHABLE})
	})
}

// believed is the link address by which a host would send to addr.
func (h *host) believed(addr string) (mac string) {
	ip := netip.MustParseAddr(addr)
	h.do(func() error {
		list, err := netlink.NeighList(0, familyOf(ip))
		for _, n := range list {
			if found, _ := netip.AddrFromSlice(n.IP); found.Unmap() == ip {
				mac = n.HardwareAddr.String()
			}
		}
		return err
	})
	return mac
}

// Who sent to another gateway until now sends to us as soon as we have an
// address: when it is added, at start, and when the link comes back.
func TestNeighboursLearnAtOnce(t *testing.T) {
	needNamespace(t)
	h := newHost(t, "lan0", "10.1.0.2/24", "fd01::2/64")
	vips := []string{"10.1.0.100", "fd01::100", "10.1.0.1", "fd01::1"}
	for _, vip := range vips {
		h.believes(vip, macB)
	}
	spec := portTo(t, "lan0", "10.1.0.1/24", "fd01::1/64")
	p := startPath(t, Config{}, spec)
	forward(t, p, 0, "lan0")
	learned := func(when string, vips ...string) {
		for _, vip := range vips {
			eventually(t, func() bool { return h.believed(vip) == macOfSpec(spec) }, "%s learned %s", vip, when)
		}
	}
	learned("at start", "10.1.0.1", "fd01::1")
	require.Equal(t, macB, h.believed("10.1.0.100"), "it is not ours yet")
	require.NoError(t, p.SetAddresses(addrs("10.1.0.100", "fd01::100")))
	learned("when added", vips...)

	require.NoError(t, p.LinkChanged(0, false))
	for _, vip := range vips {
		h.believes(vip, macB)
	}
	require.NoError(t, p.LinkChanged(0, true))
	learned("with the link", vips...)
}

// An announcement in a VLAN carries its tag.
func TestAnnouncementIsTagged(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), vlanNumber(100, "10.0.100.1/24"))
	p.receive(0, func(frame []byte) bool {
		return tagged(frame) && frame[15] == 100 && slices.Equal(frame[:6], []byte{255, 255, 255, 255, 255, 255}) &&
			netip.AddrFrom4([4]byte(frame[32:36])) == netip.MustParseAddr("10.0.100.1")
	})
}

// Thousands of addresses do not make a flood, each is announced twice, and none
// that has been removed.
func TestAnnouncementsAreLimited(t *testing.T) {
	a, sent := newAnnouncer(), map[netip.Addr]int{}
	port, total := &twin{name: "none"}, 0
	a.transmit = func(_ *twin, frame []byte) {
		ip := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeARP).(*layers.ARP)
		addr, _ := netip.AddrFromSlice(ip.SourceProtAddress)
		sent[addr]++
		total++
	}
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	const n = 3000
	for i := range n {
		a.announce(port, addr(i))
		a.announce(port, addr(i)) // as it waits already, no more for that
	}
	now := time.Now()
	for tick := 0; len(a.left) > 0; tick++ {
		if tick == 100 {
			for i := range n / 2 {
				a.forget(port, addr(i))
			}
		}
		before := total
		a.burst(now)
		require.LessOrEqual(t, total-before, announceBurst)
		now = now.Add(announceTick)
	}
	for i := range n {
		want := announceTimes
		if i < 100*announceBurst {
			want = 1
		} else if i < n/2 {
			want = 0
		}
		require.Equal(t, want, sent[addr(i)], "address %d", i)
	}
	late := addr(n)
	a.announce(port, addr(n+1))
	a.burst(now)
	a.announce(port, late)
	a.burst(now)
	require.Equal(t, 1, sent[late], "a new one does not wait for the repetition of others")
}

// What is announced, as another decoder reads it.
func TestAnnouncementFrames(t *testing.T) {
	spec := portNumber(0)
	arp := gopacket.NewPacket(gratuitousARP(spec.MAC, netip.MustParseAddr("10.0.0.9")), layers.LayerTypeEthernet, gopacket.Default)
	require.Nil(t, arp.ErrorLayer())
	require.Equal(t, "ff:ff:ff:ff:ff:ff", arp.LinkLayer().LinkFlow().Dst().String())
	a := arp.Layer(layers.LayerTypeARP).(*layers.ARP)
	require.EqualValues(t, layers.ARPRequest, a.Operation)
	require.Equal(t, spec.MAC[:], a.SourceHwAddress)
	require.Equal(t, []byte{10, 0, 0, 9}, a.SourceProtAddress)
	require.Equal(t, []byte{10, 0, 0, 9}, a.DstProtAddress)

	for _, router := range []bool{false, true} {
		frame := unsolicitedNA(spec.MAC, netip.MustParseAddr("2001:db8::9"), router)
		require.Equal(t, recomputed(t, frame), frame, "checksum")
		na := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		require.Nil(t, na.ErrorLayer())
		require.Equal(t, "33:33:00:00:00:01", na.LinkLayer().LinkFlow().Dst().String())
		ip := na.NetworkLayer().(*layers.IPv6)
		require.EqualValues(t, 255, ip.HopLimit)
		require.Equal(t, "ff02::1", ip.DstIP.String())
		require.EqualValues(t, 32, ip.Length)
		n := na.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
		require.Equal(t, router, n.Router())
		require.True(t, n.Override())
		require.False(t, n.Solicited())
		require.Equal(t, "2001:db8::9", n.TargetAddress.String())
		require.EqualValues(t, layers.ICMPv6OptTargetAddress, n.Options[0].Type)
		require.Equal(t, spec.MAC[:], n.Options[0].Data)
	}
}

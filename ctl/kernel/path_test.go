package kernel

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

func linkNames(t *testing.T) []string {
	t.Helper()
	list, err := netlink.LinkList()
	require.NoError(t, err)
	var names []string
	for _, l := range list {
		names = append(names, l.Attrs().Name)
	}
	return names
}

func TestOpenAndCloseLeaveNothing(t *testing.T) {
	needNamespace(t)
	defer goleak.VerifyNone(t)
	soundHost(t)
	before, links := takePicture(t, "lan0"), linkNames(t)
	dir := t.TempDir()
	files := 0
	for i := range 20 {
		p := openPath(t, Config{StateFile: filepath.Join(dir, "state")}, portTo(t, "lan0", "10.1.0.1/24"), portNumber(1))
		require.NoError(t, p.SetAddresses(addrs("192.0.2.1", "10.1.0.7")))
		require.NoError(t, p.Start())
		require.Contains(t, linkNames(t), "sl-lan0")
		p.close()
		samePicture(t, before, "lan0")
		require.Equal(t, links, linkNames(t))
		if i == 0 {
			files = openFiles(t)
		}
	}
	require.Equal(t, files, openFiles(t))
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFailedOpenUndoesWhatItDid(t *testing.T) {
	needNamespace(t)
	defer goleak.VerifyNone(t)
	soundHost(t)
	before, links, files := takePicture(t, "lan0"), linkNames(t), openFiles(t)
	good := portTo(t, "lan0", "10.1.0.1/24")
	badRoute, badDevice, badName := portNumber(1), portNumber(1), portNumber(1)
	badRoute.Routes = []RouteSpec{{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParseAddr("198.51.100.1")}}
	badDevice.Devices = []string{"nosuch0"}
	badName.TwinName = "much-too-long-a-name"
	for _, bad := range []PortSpec{badRoute, badDevice, badName} {
		rings := []*packet.KernelRings{packet.NewKernelRings(2, 8)}
		state := filepath.Join(t.TempDir(), "state")
		_, err := Open(Config{StateFile: state}, []PortSpec{good, bad}, newPool(), rings, new(service.NextHops), nil, quiet)
		require.Error(t, err)
		samePicture(t, before, "lan0")
		require.Equal(t, links, linkNames(t))
		require.NoFileExists(t, state)
	}
	require.Equal(t, files, openFiles(t))
}

// A killed daemon's twins vanish with its descriptors; the rest is in the file.
func TestOpenAfterKill(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	before := takePicture(t, "lan0")
	p := openPath(t, Config{}, portTo(t, "lan0", "10.1.0.1/24"))
	for _, twin := range p.twins {
		require.NoError(t, twin.file.Close())
	}
	require.NoError(t, p.mirror.close())

	next := openPath(t, Config{StateFile: p.state}, portTo(t, "lan0", "10.1.0.1/24"))
	require.Empty(t, addressList(t, "lan0"))
	next.close()
	samePicture(t, before, "lan0")
}

func TestTakeOver(t *testing.T) {
	needNamespace(t)
	h := soundHost(t)
	before := takePicture(t, "lan0")
	p := startPath(t, Config{TakeOver: true}, portTo(t, "lan0"))
	f := forward(t, p, 0, "lan0")
	require.ElementsMatch(t, before.Addresses, addressList(t, "sl-lan0"))
	require.Equal(t, 1, h.ping("10.1.0.9", long))
	routes, err := routesOf(p.twins[0].index, func(r *netlink.Route) bool { return r.Gw != nil })
	require.NoError(t, err)
	require.Len(t, routes, 3)
	f.close()
	p.close()
	samePicture(t, before, "lan0")
}

func TestManagedAddresses(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), portNumber(1))
	first, second := []string{"10.0.0.1/24", "fd00::1/64"}, []string{"10.1.0.1/24", "fd01::1/64"}
	require.NoError(t, addAddr("sl-w1", "10.1.0.50/32")) // keepalived's, say

	for range 2 { // twice the same is the same
		require.NoError(t, p.SetAddresses(addrs("192.0.2.1", "10.1.0.7", "fd01::7", "2001:db8::1", "10.0.0.1")))
		require.ElementsMatch(t, append(first, "192.0.2.1/32", "2001:db8::1/128"), addressList(t, "sl-w0"))
		require.ElementsMatch(t, append(second, "10.1.0.7/32", "fd01::7/128", "10.1.0.50/32"), addressList(t, "sl-w1"))
	}
	routes, err := routesOf(p.twins[0].index, func(r *netlink.Route) bool { return destination(r).IsSingleIP() })
	require.NoError(t, err)
	require.Empty(t, routes, "a virtual address is no destination of ours")
	require.NoError(t, p.SetAddresses(addrs("10.1.0.7")))
	require.ElementsMatch(t, first, addressList(t, "sl-w0"))
	require.ElementsMatch(t, append(second, "10.1.0.7/32", "10.1.0.50/32"), addressList(t, "sl-w1"))
	require.NoError(t, p.SetAddresses(nil))
	require.ElementsMatch(t, append(second, "10.1.0.50/32"), addressList(t, "sl-w1"))
}

// The gateway's own packets never carry a virtual address as source.
func TestVirtualAddressIsNoSource(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	require.NoError(t, p.SetAddresses(addrs("fd00::8", "10.0.0.8")))
	for to, want := range map[string]string{"fd00::9": "fd00::1", "10.0.0.9": "10.0.0.1"} {
		routes, err := netlink.RouteGet(netip.MustParseAddr(to).AsSlice())
		require.NoError(t, err)
		require.Equal(t, want, routes[0].Src.String())
	}
}

func TestKeptTwinIsAdopted(t *testing.T) {
	needNamespace(t)
	spec := portNumber(0)
	spec.Routes = []RouteSpec{{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParseAddr("10.0.0.254")}}
	file := filepath.Join(t.TempDir(), "state")
	p := openPath(t, Config{Keep: true, StateFile: file}, spec)
	require.NoError(t, p.Start())
	require.NoError(t, p.SetAddresses(addrs("192.0.2.1")))
	index := p.twins[0].index
	p.stop()
	require.Contains(t, linkNames(t), "sl-w0")
	require.ElementsMatch(t, []string{"10.0.0.1/24", "fd00::1/64"}, addressList(t, "sl-w0"), "virtual addresses go")

	spec.Addresses = prefixes("10.0.0.1/24", "10.0.5.1/24")
	spec.Routes = []RouteSpec{{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParseAddr("10.0.0.254")}}
	p = openPath(t, Config{StateFile: file}, spec)
	require.Equal(t, index, p.twins[0].index)
	require.NoError(t, p.SetAddresses(nil))
	require.ElementsMatch(t, []string{"10.0.0.1/24", "10.0.5.1/24"}, addressList(t, "sl-w0"))
	routes, err := ownRoutes(index)
	require.NoError(t, err)
	require.Equal(t, map[RouteSpec]bool{spec.Routes[0]: true}, routes)
	p.close()
	require.NotContains(t, linkNames(t), "sl-w0")
}

func TestCarrierFollowsLink(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	running := func() bool {
		link, err := netlink.LinkByName("sl-w0")
		require.NoError(t, err)
		return link.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	}
	require.True(t, running())
	require.NoError(t, p.LinkChanged(0, false))
	eventually(t, func() bool { return !running() }, "carrier off")
	require.NoError(t, p.LinkChanged(0, true))
	eventually(t, running, "carrier on")
	require.ErrorContains(t, p.LinkChanged(3, true), "port 3")
}

func TestTwinLooksLikePort(t *testing.T) {
	needNamespace(t)
	spec := portNumber(0)
	spec.MTU = 1400
	startPath(t, Config{}, spec)
	link, err := netlink.LinkByName("sl-w0")
	require.NoError(t, err)
	require.Equal(t, spec.MAC[:], []byte(link.Attrs().HardwareAddr))
	require.Equal(t, 1400, link.Attrs().MTU)
	for file, want := range map[string]string{
		redirects: "0", "ipv4/conf/sl-w0/send_redirects": "0", "ipv4/conf/sl-w0/rp_filter": "2",
		"ipv4/conf/sl-w0/arp_ignore": "1", "ipv6/conf/sl-w0/accept_dad": "0",
	} {
		got, err := readSysctl(file)
		require.NoError(t, err)
		require.Equal(t, want, got, file)
	}
}

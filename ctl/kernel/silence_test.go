package kernel

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const short = 400 * time.Millisecond // long enough for an answer over a veth
const long = 5 * time.Second

// soundHost is a host and a device towards it with addresses and routes.
func soundHost(t *testing.T) *host {
	t.Helper()
	require.NoError(t, writeSysctl(redirects, "1")) // whatever an earlier test has left
	h := newHost(t, "lan0", "10.1.0.2/24", "fd01::2/64")
	for _, a := range []string{"10.1.0.1/24", "10.1.0.9/24", "10.7.0.1/32", "fd01::1/64"} {
		require.NoError(t, addAddr("lan0", a))
	}
	link, err := netlink.LinkByName("lan0")
	require.NoError(t, err)
	for to, via := range map[string]string{"10.50.0.0/16": "10.1.0.2", "fd50::/32": "fd01::2", "0.0.0.0/0": "10.1.0.2"} {
		p := netip.MustParsePrefix(to)
		require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(via), Priority: 77,
			MTU: 1400, Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}))
	}
	_, ecmp, err := net.ParseCIDR("10.60.0.0/16")
	require.NoError(t, err)
	require.NoError(t, netlink.RouteAdd(&netlink.Route{Dst: ecmp, MultiPath: []*netlink.NexthopInfo{
		{LinkIndex: link.Attrs().Index, Gw: net.ParseIP("10.1.0.2"), Hops: 2},
		{LinkIndex: link.Attrs().Index, Gw: net.ParseIP("10.1.0.3")}}}))
	return h
}

// picture is all that silencing may change, for comparison.
type picture struct {
	Addresses, Routes []string
	IPv6, Redirects   string
	Tables            []string
}

func takePicture(t *testing.T, device string) picture {
	t.Helper()
	var p picture
	p.Addresses = addressList(t, device)
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		list, err := listRoutes(family)
		require.NoError(t, err)
		for _, r := range list {
			p.Routes = append(p.Routes, r.String())
		}
	}
	var err error
	p.IPv6, err = readSysctl(disableIPv6File(device))
	require.NoError(t, err)
	p.Redirects, err = readSysctl(redirects)
	require.NoError(t, err)
	p.Tables = tables(t)
	return p
}

func tables(t *testing.T) []string {
	t.Helper()
	c, err := nftables.New()
	require.NoError(t, err)
	list, err := c.ListTables()
	require.NoError(t, err)
	names := []string{}
	for _, table := range list {
		names = append(names, table.Name)
	}
	return names
}

// samePicture allows for IPv6 routes coming back a moment later.
func samePicture(t *testing.T, want picture, device string) {
	t.Helper()
	var got picture
	defer func() {
		if t.Failed() {
			require.Equal(t, want, got)
		}
	}()
	eventually(t, func() bool {
		got = takePicture(t, device)
		return equalAsSets(want.Routes, got.Routes) && equalAsSets(want.Addresses, got.Addresses) &&
			want.IPv6 == got.IPv6 && want.Redirects == got.Redirects && equalAsSets(want.Tables, got.Tables)
	}, "everything as before")
}

func equalAsSets(a, b []string) bool {
	count := map[string]int{}
	for _, s := range a {
		count[s]++
	}
	for _, s := range b {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func newState(t *testing.T) *state {
	return &state{path: filepath.Join(t.TempDir(), "state.json"), log: quiet}
}

func TestSilencedDeviceAnswersNothingAndIsRestored(t *testing.T) {
	needNamespace(t)
	defer goleak.VerifyNone(t)
	h := soundHost(t)
	before := takePicture(t, "lan0")
	require.Len(t, before.Addresses, 4)
	require.Equal(t, 1, h.ping("10.1.0.1", long))
	require.ErrorIs(t, h.dial("10.1.0.1:81", long), unix.ECONNREFUSED)

	s := newState(t)
	fd := packetSocket(t, "lan0")
	saved, err := s.silence("lan0")
	require.NoError(t, err)
	require.Len(t, saved.Routes, 4)

	info, err := os.Stat(s.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Empty(t, addressList(t, "lan0"))
	require.Contains(t, tables(t), "sluice-lan0")
	drain(fd)
	require.Zero(t, h.ping("10.1.0.1", short))
	require.NotErrorIs(t, h.dial("10.1.0.1:81", short), unix.ECONNREFUSED)
	require.NotZero(t, drain(fd), "packet socket sees nothing")

	require.NoError(t, s.undo())
	samePicture(t, before, "lan0")
	require.Equal(t, 1, h.ping("10.1.0.1", long))
	require.ErrorIs(t, h.dial("10.1.0.1:81", long), unix.ECONNREFUSED)
	require.NoFileExists(t, s.path)
}

// An address that comes back by itself is still not answered for.
func TestSilencedDeviceWithAddressStaysSilent(t *testing.T) {
	needNamespace(t)
	h := soundHost(t)
	s := newState(t)
	_, err := s.silence("lan0")
	require.NoError(t, err)
	defer s.undo()
	require.NoError(t, addAddr("lan0", "10.1.0.1/24"))
	require.Zero(t, h.ping("10.1.0.1", short))
	require.NotErrorIs(t, h.dial("10.1.0.1:81", short), unix.ECONNREFUSED)
}

// drain counts and discards the frames waiting on a packet socket.
func drain(fd int) int {
	buffer := make([]byte, 1<<16)
	for n := 0; ; n++ {
		if _, _, err := unix.Recvfrom(fd, buffer, 0); err != nil {
			return n
		}
	}
}

func TestRecoverAfterKill(t *testing.T) {
	needNamespace(t)
	h := soundHost(t)
	before := takePicture(t, "lan0")
	s := newState(t)
	require.NoError(t, s.setSysctl(redirects, "0"))
	_, err := s.silence("lan0")
	require.NoError(t, err)

	text, err := os.ReadFile(s.path)
	require.NoError(t, err)
	require.NoError(t, Recover(s.path, quiet))
	samePicture(t, before, "lan0")
	require.Equal(t, 1, h.ping("10.1.0.1", long))

	require.NoError(t, os.WriteFile(s.path, text, 0o600))
	require.NoError(t, Recover(s.path, quiet), "second time")
	samePicture(t, before, "lan0")
	require.NoError(t, Recover(s.path, quiet), "without a file")
}

// Killed between writing the file and any of the changes.
func TestRecoverAfterKillHalfWay(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	before := takePicture(t, "lan0")
	s := newState(t)
	saved, err := inspect("lan0")
	require.NoError(t, err)
	s.Devices = append(s.Devices, saved)
	require.NoError(t, s.save())
	require.NoError(t, Recover(s.path, quiet))
	samePicture(t, before, "lan0")

	require.NoError(t, s.save())
	require.NoError(t, dropIngress("lan0"))
	require.NoError(t, Recover(s.path, quiet))
	samePicture(t, before, "lan0")
}

func TestRecoverWhenDeviceIsGone(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	s := newState(t)
	_, err := s.silence("lan0")
	require.NoError(t, err)
	link, err := netlink.LinkByName("lan0")
	require.NoError(t, err)
	require.NoError(t, netlink.LinkDel(link))
	require.NoError(t, Recover(s.path, quiet))
	require.Empty(t, tables(t))

	// Another one of the same name is none of our business.
	newHost(t, "lan0")
	require.NoError(t, s.save())
	require.NoError(t, Recover(s.path, quiet))
	require.Empty(t, addressList(t, "lan0"))
}

func TestRecoverRefusesGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	require.ErrorContains(t, Recover(path, quiet), path)
	require.FileExists(t, path)
}

func TestSilenceUnknownDevice(t *testing.T) {
	needNamespace(t)
	s := newState(t)
	_, err := s.silence("nosuch0")
	require.Error(t, err)
	_, notFound := errors.AsType[netlink.LinkNotFoundError](err)
	require.True(t, notFound)
	require.NoFileExists(t, s.path)
}

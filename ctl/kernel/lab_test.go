package kernel

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// host is another machine: a namespace at the far end of a veth.
type host struct {
	t  *testing.T
	ns netns.NsHandle
}

// newHost makes a veth whose near end, device, stays here and whose far end
// "far" gets the addresses in a new namespace. Checksum offload is off at both
// ends, as on a wire.
func newHost(t *testing.T, device string, far ...string) *host {
	t.Helper()
	h := &host{t: t}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its namespace
		ns, err := netns.New()
		h.ns = ns
		ready <- err
	}()
	require.NoError(t, <-ready)
	t.Cleanup(func() { h.ns.Close() })
	attrs := netlink.NewLinkAttrs()
	attrs.Name = device
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "far", PeerNamespace: netlink.NsFd(h.ns)}))
	t.Cleanup(func() {
		if link, err := netlink.LinkByName(device); err == nil {
			netlink.LinkDel(link)
		}
	})
	require.NoError(t, linkUp(device))
	h.do(func() error {
		if err := checksumOff("far"); err != nil {
			return err
		}
		if err := loopbackUp(); err != nil {
			return err
		}
		for _, a := range far {
			if err := addAddr("far", a); err != nil {
				return err
			}
		}
		return linkUp("far")
	})
	require.NoError(t, checksumOff(device))
	return h
}

// do runs f inside the host.
func (h *host) do(f func() error) {
	h.t.Helper()
	require.NoError(h.t, h.try(f))
}

func (h *host) try(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := netns.Set(h.ns)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func addAddr(device, prefix string) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	addr.Flags = unix.IFA_F_NODAD
	return netlink.AddrAdd(link, addr)
}

// checksumOff is `ethtool -K device tx off`, and with it segmentation offload.
func checksumOff(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := [2]uint32{unix.ETHTOOL_STXCSUM, 0}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:], device)
	request.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("turn off checksum offload: %s: %w", device, errno)
	}
	return nil
}

// ping sends one echo request and returns how many replies come: it waits for
// the first for up to wait, then a little for duplicates.
func (h *host) ping(to string, wait time.Duration) (replies int) {
	h.t.Helper()
	h.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		dst := &unix.SockaddrInet4{Addr: netip.MustParseAddr(to).As4()}
		if err := unix.Sendto(fd, echoRequest(), 0, dst); err != nil {
			return err
		}
		replies = countReplies(fd, wait)
		return nil
	})
	return replies
}

var pingID atomic.Uint32

func echoRequest() []byte {
	m := []byte{8, 0, 0, 0, 0x51, 0x1c, 0, 0}
	binary.BigEndian.PutUint16(m[6:], uint16(pingID.Add(1)))
	sum := uint32(8<<8) + 0x511c + uint32(binary.BigEndian.Uint16(m[6:]))
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum+sum>>16))
	return m
}

func countReplies(fd int, wait time.Duration) int {
	count, buffer := 0, make([]byte, 2048)
	for {
		timeout := unix.NsecToTimeval(int64(wait))
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			return count
		}
		if n >= 28 && buffer[20] == 0 && buffer[24] == 0x51 && buffer[25] == 0x1c &&
			uint32(binary.BigEndian.Uint16(buffer[26:])) == pingID.Load()&0xffff {
			count++
			wait = 200 * time.Millisecond
		}
	}
}

// dial opens a TCP connection and returns why that failed, nil if it did not.
func (h *host) dial(to string, wait time.Duration) (result error) {
	h.t.Helper()
	h.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		timeout := unix.NsecToTimeval(int64(wait))
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
			return err
		}
		dst := netip.MustParseAddrPort(to)
		result = unix.Connect(fd, &unix.SockaddrInet4{Addr: dst.Addr().As4(), Port: int(dst.Port())})
		return nil
	})
	return result
}

// mac is the link address of the host's end.
func (h *host) mac() (mac packet.MAC) {
	h.do(func() error {
		link, err := netlink.LinkByName("far")
		if err == nil {
			copy(mac[:], link.Attrs().HardwareAddr)
		}
		return err
	})
	return mac
}

func macOf(t *testing.T, device string) (mac packet.MAC) {
	link, err := netlink.LinkByName(device)
	require.NoError(t, err)
	copy(mac[:], link.Attrs().HardwareAddr)
	return mac
}

// packetSocket receives every frame of the device, as net_af_packet does.
func packetSocket(t *testing.T, device string) int {
	t.Helper()
	link, err := net.InterfaceByName(device)
	require.NoError(t, err)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	all := uint16(unix.ETH_P_ALL)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all<<8 | all>>8, Ifindex: link.Index}))
	return fd
}

// eventually polls until ok says true, five seconds at most.
func eventually(t *testing.T, ok func() bool, what string, args ...any) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			require.FailNowf(t, "not in five seconds", what, args...)
		}
	}
}

var quiet = slog.New(slog.DiscardHandler)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// addressList is what is on an interface, without IPv6 link-local.
func addressList(t *testing.T, device string) []string {
	t.Helper()
	link, err := netlink.LinkByName(device)
	require.NoError(t, err)
	list, err := addressesOf(link.Attrs().Index)
	require.NoError(t, err)
	out := []string{}
	for _, a := range list {
		if !a.prefix.Addr().IsLinkLocalUnicast() {
			out = append(out, a.prefix.String())
		}
	}
	return out
}

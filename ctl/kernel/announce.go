package kernel

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// What we announce, and how fast: another gateway may have had the address until
// now, and its neighbours would go on sending there until their entries expire.
const (
	announceTimes = 2                     // frames per address: the first may be lost while a switch learns
	announceAgain = time.Second           // between them
	announceTick  = 10 * time.Millisecond // between two bursts
	announceBurst = 10                    // frames: 1,000 a second
)

// announcer tells the hosts around us that addresses are here now: by gratuitous
// ARP (RFC 5227 section 3) and unsolicited neighbour advertisements (RFC 4861
// section 7.2.6). The frames do not go through the twin, whose queue in the kernel
// may stay closed for a second after its carrier came, but join its others behind
// it.
type announcer struct {
	transmit func(*twin, []byte)
	stop     chan struct{}
	done     sync.WaitGroup

	mu    sync.Mutex
	left  map[announcement]int // frames still to be sent
	fresh []announcement       // whose first frame is due
	again []turn               // others, in order of time
}

type announcement struct {
	twin *twin
	addr netip.Addr
}

type turn struct {
	announcement
	due time.Time
}

func newAnnouncer() *announcer {
	return &announcer{stop: make(chan struct{}), left: map[announcement]int{}}
}

// start lets frames out through transmit.
func (a *announcer) start(transmit func(*twin, []byte)) {
	a.transmit = transmit
	a.done.Go(a.run)
}

func (a *announcer) close() {
	close(a.stop)
	a.done.Wait()
}

// announce queues an address, anew if it is waiting.
func (a *announcer) announce(t *twin, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := announcement{t, addr}
	if a.left[key] < announceTimes {
		a.left[key] = announceTimes
		a.fresh = append(a.fresh, key)
	}
}

// forget makes sure that nothing is announced any more of an address that is to
// be removed.
func (a *announcer) forget(t *twin, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.left, announcement{t, addr})
}

func (a *announcer) run() {
	tick := time.NewTicker(announceTick)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case now := <-tick.C:
			a.burst(now)
		}
	}
}

// burst sends what is due, announceBurst at most.
func (a *announcer) burst(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range announceBurst {
		switch {
		case len(a.fresh) > 0:
			next := a.fresh[0]
			a.fresh = a.fresh[1:]
			a.send(next, now)
		case len(a.again) > 0 && !a.again[0].due.After(now):
			next := a.again[0]
			a.again = a.again[1:]
			a.send(next.announcement, now)
		default:
			return
		}
	}
}

func (a *announcer) send(next announcement, now time.Time) {
	left := a.left[next]
	if left == 0 {
		return // removed meanwhile
	}
	a.transmit(next.twin, next.twin.announcement(next.addr))
	if left == 1 {
		delete(a.left, next)
		return
	}
	a.left[next] = left - 1
	a.again = append(a.again, turn{next, now.Add(announceAgain)})
}

// announcement is the frame that claims an address for the twin.
func (t *twin) announcement(addr netip.Addr) []byte {
	if addr.Is4() {
		return gratuitousARP(t.mac, addr)
	}
	forwarding, err := readSysctl("ipv6/conf/" + t.name + "/forwarding")
	return unsolicitedNA(t.mac, addr, err == nil && forwarding != "0")
}

// gratuitousARP is a request for the address by whoever has it.
func gratuitousARP(mac packet.MAC, addr netip.Addr) []byte {
	ip := addr.As4()
	f := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	f = append(f, mac[:]...)
	f = append(f, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1) // Ethernet, IPv4, request
	f = append(append(f, mac[:]...), ip[:]...)
	f = append(f, 0, 0, 0, 0, 0, 0)
	return append(f, ip[:]...)
}

// Flags of a neighbour advertisement, RFC 4861 section 4.4.
const (
	naRouter   = 0x80
	naOverride = 0x20
)

// unsolicitedNA tells all nodes the link address of addr. The router flag has to
// be what the kernel's own say: without it hosts take us off their default routes.
func unsolicitedNA(mac packet.MAC, addr netip.Addr, router bool) []byte {
	ip, all := addr.As16(), netip.MustParseAddr("ff02::1").As16()
	flags := byte(naOverride)
	if router {
		flags |= naRouter
	}
	f := append([]byte{0x33, 0x33, 0, 0, 0, 1}, mac[:]...)
	f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, unix.IPPROTO_ICMPV6, 255) // length 32, hop limit 255
	f = append(append(f, ip[:]...), all[:]...)
	icmp := len(f)
	f = append(f, 136, 0, 0, 0, flags, 0, 0, 0)
	f = append(f, ip[:]...)
	f = append(append(f, 2, 1), mac[:]...) // option: target link-layer address
	pseudo := append(append(ip[:], all[:]...), 0, 0, 0, 32, 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.LittleEndian.PutUint16(f[icmp+2:], packet.Checksum(packet.Sum(append(pseudo, f[icmp:]...))))
	return f
}

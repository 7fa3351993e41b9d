package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/service"
)

// Tunnels says whether packets to the service key are sent from local to backend
// in a tunnel of ours. It is called from other goroutines than Open's.
type Tunnels func(local, backend netip.Addr, key service.Key) bool

// relay passes on what routers behind us say about tunnels: that the outer packet was
// too big. The kernel takes such an error as meant for itself and knows nobody to
// tell, while the client, whose packets vanish, has to send smaller ones. Linux IPVS
// does the same. One goroutine a family reads a raw socket, which gets only
// these errors, and only those that came to one of our addresses.
type relay struct {
	ours    Tunnels
	log     *slog.Logger
	limit   perSecond
	readers [2]*net.IPConn // IPv4, IPv6
	senders [2]*net.IPConn // take whole packets, which the kernel routes
	count   [numRelayed]atomic.Uint64
	done    sync.WaitGroup
}

// openRelay opens the sockets; nothing is read before start. limit bounds
// what both families send, in packets a second.
func openRelay(ours Tunnels, limit int, log *slog.Logger) (*relay, error) {
	r := &relay{ours: ours, log: log, limit: perSecond{most: limit}}
	var err error
	open := func(network string) *net.IPConn {
		conn, failed := net.ListenIP(network, nil)
		if errors.Is(failed, unix.EAFNOSUPPORT) {
			return nil // a kernel without IPv6 has no such tunnels
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("open raw socket: %s: %w: CAP_NET_RAW is needed", network, failed))
			return nil
		}
		return conn
	}
	r.readers = [2]*net.IPConn{open("ip4:icmp"), open("ip6:ipv6-icmp")}
	r.senders = [2]*net.IPConn{open(fmt.Sprint("ip4:", unix.IPPROTO_RAW)), open(fmt.Sprint("ip6:", unix.IPPROTO_RAW))}
	if err == nil {
		err = errors.Join(filter(r.readers[0], only4), filter(r.readers[1], only6))
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// only4 lets a socket have errors "destination unreachable" alone, of which "too big"
// is one. (ICMP_FILTER is 1: linux/icmp.h.)
func only4(fd int) error {
	const icmpFilter = 1
	return unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, ^(1 << unreachable4))
}

// only6 lets it have "packet too big" alone.
func only6(fd int) error {
	none := unix.ICMPv6Filter{}
	for i := range none.Data {
		none.Data[i] = 0xffffffff
	}
	none.Data[0] &^= 1 << tooBig6
	return unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &none)
}

func filter(conn *net.IPConn, set func(fd int) error) error {
	if conn == nil {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (r *relay) start() {
	for i, read := range [2]func([]byte) (tunnelError, bool){tunnelError4, tunnelError6} {
		if conn := r.readers[i]; conn != nil {
			r.done.Go(func() { r.run(conn, read) })
		}
	}
}

func (r *relay) close() error {
	var failed []error
	for _, c := range [...]*net.IPConn{r.readers[0], r.readers[1], r.senders[0], r.senders[1]} {
		if c != nil {
			failed = append(failed, c.Close())
		}
	}
	r.done.Wait()
	return errors.Join(failed...)
}

// run reads errors until the socket is closed.
func (r *relay) run(conn *net.IPConn, read func(icmp []byte) (tunnelError, bool)) {
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFromIP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of one read, such as too little memory
		}
		end := relayNotOurs
		if e, ok := read(buf[:n]); ok {
			end = r.pass(e)
		}
		r.count[end].Add(1)
	}
}

// pass tells the client, if it is about a tunnel of ours.
func (r *relay) pass(e tunnelError) relayed {
	said, client, end := e.forClient(r.ours)
	if end != relayPassed {
		return end
	}
	if !r.limit.take(time.Now()) {
		return relayLimit
	}
	sender := r.senders[0]
	if client.Is6() {
		sender = r.senders[1]
	}
	if sender == nil {
		return relayFailed
	}
	if _, err := sender.WriteToIP(said, &net.IPAddr{IP: client.AsSlice()}); err != nil {
		r.log.Debug("path MTU of a tunnel is not told to the client", "client", client, "error", err)
		return relayFailed
	}
	return relayPassed
}

// counters are what has become of all that was read, by name.
func (r *relay) counters() map[string]uint64 {
	out := map[string]uint64{}
	for i, name := range relayedNames {
		out[name] = r.count[i].Load()
	}
	return out
}

// perSecond counts what happens in a second, up to most.
type perSecond struct {
	most int

	mu     sync.Mutex
	second int64
	taken  int
}

func (p *perSecond) take(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := now.Unix(); s != p.second {
		p.second, p.taken = s, 0
	}
	p.taken++
	return p.taken <= p.most
}

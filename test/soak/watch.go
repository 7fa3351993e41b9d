package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// watch remembers TCP segments that passed interfaces of the lab's hosts, so that
// a connection that failed can be told: see story.go. It sees every segment with SYN,
// FIN or RST, and of the others those up to short bytes: handshakes, requests and
// small answers, but not the bulk of downloads.
type watch struct {
	mu    sync.Mutex
	ring  []sight // the last of all hosts
	next  int
	hosts map[string]int // packet sockets
	notes []note
}

// note is something else that went on: a change of the network, a flood.
type note struct {
	at   time.Time
	what string
}

// note remembers what begins now.
func (w *watch) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, note{time.Now(), what})
}

// sight is one segment that passed one interface.
type sight struct {
	at           time.Time
	host, device string
	out          bool // sent by the host
	src, dst     netip.AddrPort
	hops, flags  uint8 // TTL or hop limit; byte 13 of the TCP header
	seq, ack     uint32
	bytes        int // of payload
}

const (
	remembered = 1 << 18 // half a minute and more
	short      = 300     // bytes, of IP packets
	headers    = 128     // bytes that are kept of each: IPv6, TCP, options
)

var watched = []string{"client", "gw", "rs1", "rs2"}

// openWatch begins to watch all hosts, until the process ends.
func openWatch(l *lab) (*watch, error) {
	w := &watch{ring: make([]sight, remembered), hosts: map[string]int{}}
	for _, host := range watched {
		if err := l.in(host, func() error { return w.open(host) }); err != nil {
			return nil, fmt.Errorf("watch on %s: %w", host, err)
		}
	}
	return w, nil
}

// open begins to watch all interfaces of the namespace that we are in.
func (w *watch) open(host string) error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	names := map[int]string{}
	for _, link := range links {
		names[link.Index] = link.Name
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	program := unix.SockFprog{Len: uint16(len(wanted)), Filter: &wanted[0]}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all})) // of all interfaces
	w.hosts[host] = fd
	if err == nil {
		go w.read(fd, host, names)
	}
	return err
}

// wanted is the filter (classic BPF) of what is remembered. Packets begin with the
// IP header. A number of instructions to skip is counted from the next one.
var wanted = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},                    // 0: version
	{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 4},                   // 1
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 6, Jt: 10},           // 2: to 13
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 4, Jf: 17},           // 3: to 21
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},                    // 4: protocol
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: frame.TCP, Jf: 15},   // 5: to 21
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 6},                    // 6: fragment offset
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x1fff, Jt: 13},     // 7: to 21
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},                   // 8: header length
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 13},                   // 9: TCP flags
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: opensOrEnds, Jt: 9}, // 10: to 20
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 2},                    // 11: length
	{Code: unix.BPF_JMP | unix.BPF_JA, K: 6},                                 // 12: to 19
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 6},                    // 13: next header
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: frame.TCP, Jf: 6},    // 14: to 21
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 40 + 13},              // 15: TCP flags
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: opensOrEnds, Jt: 3}, // 16: to 20
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4},                    // 17: length
	{Code: unix.BPF_JMP | unix.BPF_JA, K: 0},                                 // 18: to 19
	{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: short, Jt: 1},        // 19: to 21
	{Code: unix.BPF_RET | unix.BPF_K, K: headers},                            // 20: wanted
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},                                  // 21: not
}

const opensOrEnds = frame.SYN | frame.FIN | frame.RST

// read remembers what a packet socket sees.
func (w *watch) read(fd int, host string, names map[int]string) {
	for buf, oob := make([]byte, headers), make([]byte, 64); ; {
		n, extra, _, from, err := unix.Recvmsg(fd, buf, oob, 0)
		if err != nil {
			continue // a link went down
		}
		s, ok := parseSight(buf[:n])
		if !ok {
			continue
		}
		link := from.(*unix.SockaddrLinklayer)
		s.at, s.host, s.device, s.out = stamp(oob[:extra]), host, names[link.Ifindex], link.Pkttype == unix.PACKET_OUTGOING
		w.add(s)
	}
}

// add remembers a segment, in the place of the oldest.
func (w *watch) add(s sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ring[w.next%len(w.ring)] = s
	w.next++
}

// stamp is when the kernel saw the packet.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 || len(messages[0].Data) < 16 {
		return time.Now()
	}
	data := messages[0].Data // struct timespec
	return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
}

// parseSight reads a packet that passed the filter.
func parseSight(b []byte) (s sight, ok bool) {
	var tcp []byte
	var length int
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && len(b) >= 4*int(b[0]&15)+20:
		tcp, s.hops = b[4*int(b[0]&15):], b[8]
		length = int(binary.BigEndian.Uint16(b[2:])) - 4*int(b[0]&15)
		s.src, s.dst = ends(b[12:16], b[16:20], tcp)
	case len(b) >= 60 && b[0]>>4 == 6:
		tcp, s.hops = b[40:], b[7]
		length = int(binary.BigEndian.Uint16(b[4:]))
		s.src, s.dst = ends(b[8:24], b[24:40], tcp)
	default:
		return s, false
	}
	s.seq, s.ack, s.flags = binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13]
	s.bytes = length - int(tcp[12]>>4)*4
	return s, true
}

func ends(src, dst, tcp []byte) (from, to netip.AddrPort) {
	a, _ := netip.AddrFromSlice(src)
	b, _ := netip.AddrFromSlice(dst)
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(tcp)), netip.AddrPortFrom(b, binary.BigEndian.Uint16(tcp[2:]))
}

// missed is how many packets the sockets had no room for since last asked.
func (w *watch) missed() (n uint32) {
	for _, fd := range w.hosts {
		if stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			n += stats.Drops
		}
	}
	return n
}

// since are the segments remembered from a moment on that match, the oldest first.
func (w *watch) since(from time.Time, match func(*sight) bool) (out []sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := max(0, w.next-len(w.ring)); i < w.next; i++ {
		if s := &w.ring[i%len(w.ring)]; !s.at.Before(from) && match(s) {
			out = append(out, *s)
		}
	}
	return out
}

// noted is what else has begun since a moment.
func (w *watch) noted(from time.Time) (out []note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.notes {
		if n.at.After(from) {
			out = append(out, n)
		}
	}
	return out
}

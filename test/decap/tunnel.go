package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// tunnel receives the outer packets of one kind.
type tunnel struct {
	fd      int
	outer4  bool // packets come with their outer IPv4 header; IPv6 sockets strip theirs
	version byte // of the inner packet
}

// open makes the raw socket of a tunnel, named INNERinOUTER.
func open(name string) (*tunnel, error) {
	t := map[string]tunnel{
		"4in4": {outer4: true, version: 4}, "6in4": {outer4: true, version: 6},
		"4in6": {version: 4}, "6in6": {version: 6},
	}[name]
	family, protocol := unix.AF_INET6, unix.IPPROTO_IPIP
	if t.outer4 {
		family = unix.AF_INET
	}
	switch t.version {
	case 0:
		return nil, fmt.Errorf("tunnel: %s: unknown: use 4in4, 6in4, 4in6 or 6in6", name)
	case 6:
		protocol = unix.IPPROTO_IPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("raw socket for %s: %w", name, err)
	}
	// An upload comes in bursts, as fast as the wire.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		return nil, fmt.Errorf("receive buffer for %s: %w", name, err)
	}
	t.fd = fd
	return &t, nil
}

// serve passes inner packets to the tun device until a socket fails. What the
// kernel does not take is lost, as on any wire.
func (t *tunnel) serve(tun int) error {
	for buf := make([]byte, 1<<16); ; {
		n, _, err := unix.Recvfrom(t.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if inner := t.inner(buf[:n]); inner != nil {
			_, _ = unix.Write(tun, inner)
		}
	}
}

// inner is what a received packet carries; nil when it is no packet of the
// version that the tunnel is for.
func (t *tunnel) inner(packet []byte) []byte {
	if t.outer4 {
		if len(packet) == 0 || len(packet) < int(packet[0]&15)*4 {
			return nil
		}
		packet = packet[int(packet[0]&15)*4:]
	}
	if len(packet) == 0 || packet[0]>>4 != t.version {
		return nil
	}
	return packet
}

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// server answers datagrams of one address family.
type server struct {
	conn *net.UDPConn
	name string
	log  io.Writer
}

// listen opens the family's wildcard socket and asks the kernel to say of each
// datagram which address it was sent to.
func listen(family string, port int, name string, log io.Writer) (*server, error) {
	conn, err := net.ListenUDP(family, &net.UDPAddr{Port: port})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		if family == "udp4" {
			setErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		} else {
			setErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	if err := errors.Join(err, setErr); err != nil {
		return nil, err
	}
	return &server{conn, name, log}, nil
}

// serve answers until the socket fails.
func (s *server) serve() error {
	question, oob := make([]byte, 65535), make([]byte, 256)
	for {
		n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(question, oob)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		asked, source, err := answerFrom(oob[:oobn])
		if err != nil {
			return err
		}
		fmt.Fprintf(s.log, "%s %s %s\n", from.Addr().Unmap(), asked, question[:n])
		answer := append([]byte(s.name+" "), question[:n]...)
		// An answer that cannot be sent is a lost packet, which the client notices.
		_, _, _ = s.conn.WriteMsgUDPAddrPort(answer, source, from)
	}
}

// answerFrom turns a received packet-info message into the address asked and
// the message that makes the answer leave from it, by whatever device.
func answerFrom(oob []byte) (netip.Addr, []byte, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}, nil, fmt.Errorf("control message: %w", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 12:
			asked := [4]byte(m.Data[8:12]) // struct in_pktinfo: ifindex, spec_dst, addr
			return netip.AddrFrom4(asked), unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: asked}), nil
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			asked := [16]byte(m.Data[:16]) // struct in6_pktinfo: addr, ifindex
			return netip.AddrFrom16(asked), unix.PktInfo6(&unix.Inet6Pktinfo{Addr: asked}), nil
		}
	}
	return netip.Addr{}, nil, errors.New("control message: no packet info in it")
}

package packet_test

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// us is the port of all tests in this package.
var (
	us   = packet.MAC{2, 0, 0, 0, 0, 1}
	them = packet.MAC{2, 0, 0, 0, 0, 9}
	gate = packet.Gate{MAC: us.Raw()}
)

// tcpPacket is an ordinary TCP segment for us, udpPacket a datagram.
func tcpPacket() frame.Packet {
	return frame.Packet{
		SrcMAC: them, DstMAC: us, Src: "203.0.113.7", Dst: "192.0.2.10",
		Proto: frame.TCP, SrcPort: 40001, DstPort: 80, Flags: frame.SYN, Payload: []byte("hello"),
	}
}

func udpPacket() frame.Packet {
	p := tcpPacket()
	p.Proto, p.Flags, p.DstPort = frame.UDP, 0, 53
	return p
}

// other is an IPv4 packet of another protocol.
func other(proto uint8) frame.Packet {
	p := tcpPacket()
	p.Proto, p.Payload = proto, make([]byte, 30)
	return p
}

// with returns what change makes of a packet.
func with(p frame.Packet, change func(*frame.Packet)) frame.Packet {
	change(&p)
	return p
}

// patch returns the packet's frame with bytes replaced from at on and the IP
// header's checksum made right.
func patch(p frame.Packet, at int, bytes ...byte) []byte {
	b := p.Bytes()
	copy(b[at:], bytes)
	return sealed(b)
}

// sealed makes the IP header's checksum right, as far as there is a header.
func sealed(b []byte) []byte {
	if hl := int(b[14]&0xf) * 4; hl >= 20 && 14+hl <= len(b) {
		b[24], b[25] = 0, 0
		binary.BigEndian.PutUint16(b[24:], ^frame.Sum(b[14:14+hl], 0))
	}
	return b
}

// ethernet is a frame of that type with n bytes 0 behind its header.
func ethernet(dst packet.MAC, kind uint16, n int) []byte {
	b := append(append([]byte{}, dst[:]...), them[:]...)
	b = binary.BigEndian.AppendUint16(b, kind)
	return append(b, make([]byte, n)...)
}

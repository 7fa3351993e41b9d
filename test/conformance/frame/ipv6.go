package frame

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Extension is an IPv6 extension header.
type Extension struct {
	Kind uint8  // the next header value that announces it
	Data []byte // the header from its second byte on
}

// The kinds of RFC 8200.
const (
	HopByHop    = 0
	Routing     = 43
	Fragment    = 44
	NoNext      = 59
	Destination = 60
)

// Options is a hop-by-hop or destination options header of size bytes, a
// multiple of 8: padding.
func Options(kind uint8, size int) Extension {
	data := make([]byte, size-1)
	data[0], data[1], data[2] = byte(size/8-1), 1, byte(min(size-4, 255)) // PadN
	return Extension{kind, data}
}

// RoutingHeader is a routing header without addresses.
func RoutingHeader(kind, segmentsLeft uint8) Extension {
	return Extension{Routing, []byte{0, kind, segmentsLeft, 0, 0, 0, 0}}
}

// FragmentHeader is a fragment header; the offset is in units of 8 bytes.
func FragmentHeader(offset uint16, more bool, id uint32) Extension {
	data := binary.BigEndian.AppendUint16([]byte{0}, offset<<3)
	if more {
		data[2] |= 1
	}
	return Extension{Fragment, binary.BigEndian.AppendUint32(data, id)}
}

// ipv6 is the IPv6 packet.
func (p Packet) ipv6() []byte {
	chain := p.Extensions
	if p.MF || p.Offset != 0 {
		chain = append(chain[:len(chain):len(chain)], FragmentHeader(p.Offset, p.MF, uint32(p.ID)))
	}
	next := layers.IPProtocol(p.Proto)
	var extensions []byte
	for i := len(chain) - 1; i >= 0; i-- {
		extensions = append(append([]byte{byte(next)}, chain[i].Data...), extensions...)
		next = layers.IPProtocol(chain[i].Kind)
	}
	ip := &layers.IPv6{
		Version: 6, TrafficClass: p.TOS, NextHeader: next, HopLimit: p.ttl(), SrcIP: IP(p.Src), DstIP: IP(p.Dst),
	}
	// Apart: gopacket would read a jumbo payload out of a hop-by-hop header.
	body := Serialize(append(p.transport(ip), gopacket.Payload(p.Payload))...)
	p.spoil(body)
	return Serialize(ip, gopacket.Payload(append(extensions, body...)))
}

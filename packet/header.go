package packet

import "encoding/binary"

// Header views: an array pointer over the bytes of a frame costs one bounds
// check and no copy. Getters return host byte order unless the name says Raw:
// raw words are loaded little-endian from network order, for comparing,
// storing back and checksum sums.

// EthernetLen is the length of an Ethernet header without tag, VLANLen of a tag.
const (
	EthernetLen = 14
	VLANLen     = 4
	IPv4Len     = 20 // without options
	IPv6Len     = 40 // without extension headers
	TCPLen      = 20 // without options
	UDPLen      = 8
	ICMPLen     = 8
)

// EtherTypes, as in the header (big-endian value).
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeARP  = 0x0806
	EtherTypeVLAN = 0x8100
	EtherTypeQinQ = 0x88a8
	EtherTypeIPv6 = 0x86dd
	EtherTypeSlow = 0x8809 // LACP
)

// Ethernet is an Ethernet II header.
type Ethernet [EthernetLen]byte

// EthernetAt views the first bytes of frame, which must have EthernetLen.
func EthernetAt(frame []byte) *Ethernet { return (*Ethernet)(frame) }

// DstRaw and SrcRaw are the addresses in the low 48 bits.
func (h *Ethernet) DstRaw() uint64 { return binary.LittleEndian.Uint64(h[0:8]) & mac48 }

// SrcRaw is the source address in the low 48 bits.
func (h *Ethernet) SrcRaw() uint64 { return binary.LittleEndian.Uint64(h[4:12]) >> 16 }

// Type is the EtherType.
func (h *Ethernet) Type() uint16 { return binary.BigEndian.Uint16(h[12:14]) }

// SetAddresses stores the first 12 bytes: both addresses, as service.Hop has them.
func (h *Ethernet) SetAddresses(dstSrc uint64, src uint32) {
	binary.LittleEndian.PutUint64(h[0:8], dstSrc)
	binary.LittleEndian.PutUint32(h[8:12], src)
}

// SetTag writes an 802.1Q tag behind the addresses of frame; the EtherType of the
// payload is behind it already.
func SetTag(frame []byte, vlan uint16) {
	binary.BigEndian.PutUint16(frame[12:14], EtherTypeVLAN)
	binary.BigEndian.PutUint16(frame[14:16], vlan)
}

const mac48 = 1<<48 - 1

// Raw is the address in the low 48 bits, in the order of the wire.
func (m MAC) Raw() uint64 {
	return uint64(m[0]) | uint64(m[1])<<8 | uint64(m[2])<<16 | uint64(m[3])<<24 | uint64(m[4])<<32 | uint64(m[5])<<40
}

// IPv4 is an IPv4 header without options.
type IPv4 [IPv4Len]byte

// IPv4At views the header at off.
func IPv4At(frame []byte, off uint8) *IPv4 { return (*IPv4)(frame[off:]) }

// HeaderLen is the header's length in bytes, options included.
func (h *IPv4) HeaderLen() int { return int(h[0]&0x0f) * 4 }

// Version is 4 in a valid header.
func (h *IPv4) Version() uint8 { return h[0] >> 4 }

// TotalLen is the length of header and payload in bytes.
func (h *IPv4) TotalLen() int { return int(binary.BigEndian.Uint16(h[2:4])) }

// Fragment reports whether the packet is a fragment: offset or more-fragments set.
func (h *IPv4) Fragment() bool { return binary.BigEndian.Uint16(h[6:8])&0x3fff != 0 }

// LaterFragment reports whether the packet is a fragment other than the first.
func (h *IPv4) LaterFragment() bool { return binary.BigEndian.Uint16(h[6:8])&0x1fff != 0 }

// DontFragment is the DF bit.
func (h *IPv4) DontFragment() bool { return h[6]&0x40 != 0 }

// TOS is the type of service: DSCP and ECN.
func (h *IPv4) TOS() uint8 { return h[1] }

// TTL is the time to live.
func (h *IPv4) TTL() uint8 { return h[8] }

// Proto is the protocol of the payload.
func (h *IPv4) Proto() uint8 { return h[9] }

// AddrsRaw is source (low half) and destination (high half).
func (h *IPv4) AddrsRaw() uint64 { return binary.LittleEndian.Uint64(h[12:20]) }

// Forward decrements the TTL, stores the addresses and adds delta, which
// describes the change of the addresses alone, to the checksum: after it the
// checksum is as right or wrong as before.
func (h *IPv4) Forward(addrs uint64, delta uint16) {
	h[8]--
	binary.LittleEndian.PutUint64(h[12:20], addrs)
	sum := uint32(delta) + TTLDelta
	c := h[10:12]
	binary.LittleEndian.PutUint16(c, AddDelta(binary.LittleEndian.Uint16(c), uint16(sum+sum>>16)))
}

// Readdress stores the addresses and adds delta to the checksum; the TTL stays.
func (h *IPv4) Readdress(addrs uint64, delta uint16) {
	binary.LittleEndian.PutUint64(h[12:20], addrs)
	c := h[10:12]
	binary.LittleEndian.PutUint16(c, AddDelta(binary.LittleEndian.Uint16(c), delta))
}

// DecrementTTL decrements the TTL and updates the checksum.
func (h *IPv4) DecrementTTL() {
	h[8]--
	sum := uint32(binary.LittleEndian.Uint16(h[10:12])) // AddDelta with TTLDelta adds 1
	binary.LittleEndian.PutUint16(h[10:12], uint16(sum+1+(sum+2)>>16))
}

// checksumOK verifies the header's checksum, options included; opts are the
// bytes behind the first 20.
func (h *IPv4) checksumOK(opts []byte) bool {
	sum := uint64(binary.LittleEndian.Uint32(h[0:4])) + uint64(binary.LittleEndian.Uint32(h[4:8])) +
		uint64(binary.LittleEndian.Uint32(h[8:12])) + uint64(binary.LittleEndian.Uint32(h[12:16])) +
		uint64(binary.LittleEndian.Uint32(h[16:20]))
	if len(opts) > 0 {
		sum += uint64(Sum(opts))
	}
	return Fold(sum) == 0xffff
}

// TCP is a TCP header without options.
type TCP [TCPLen]byte

// TCPAt views the header at off.
func TCPAt(frame []byte, off uint16) *TCP { return (*TCP)(frame[off:]) }

// HeaderLen is the header's length in bytes, options included.
func (h *TCP) HeaderLen() int { return int(h[12]>>4) * 4 }

// TCP flags.
const (
	FIN = 1 << 0
	SYN = 1 << 1
	RST = 1 << 2
	ACK = 1 << 4
)

// Flags are the low eight control bits.
func (h *TCP) Flags() uint8 { return h[13] }

// Rewrite stores the ports (raw, source in the low half) and adds delta, which
// covers them and the pseudo header, to the checksum.
func (h *TCP) Rewrite(ports uint32, delta uint16) {
	binary.LittleEndian.PutUint32(h[0:4], ports)
	c := h[16:18]
	binary.LittleEndian.PutUint16(c, AddDelta(binary.LittleEndian.Uint16(c), delta))
}

// UDP is a UDP header.
type UDP [UDPLen]byte

// UDPAt views the header at off.
func UDPAt(frame []byte, off uint16) *UDP { return (*UDP)(frame[off:]) }

// Len is the length of header and payload in bytes.
func (h *UDP) Len() int { return int(binary.BigEndian.Uint16(h[4:6])) }

// Rewrite is TCP's, with UDP's rules for a checksum of 0.
func (h *UDP) Rewrite(ports uint32, delta uint16) {
	binary.LittleEndian.PutUint32(h[0:4], ports)
	c := h[6:8]
	binary.LittleEndian.PutUint16(c, AddDeltaUDP(binary.LittleEndian.Uint16(c), delta))
}

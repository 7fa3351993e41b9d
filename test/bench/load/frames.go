package load

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// MinFrame is the length of a frame in bytes that needs no more; IPv6 with TCP
// does: 74.
const MinFrame = 64

// Frames writes the frames of a gateway's flows.
type Frames struct {
	g        *Gateway
	virtuals [][]byte  // addresses in network order
	request  [128]byte // without addresses and ports
	length   int
	l4       int
	header   uint64 // sum of what is there of the IPv4 header
	payload  uint64 // of what follows it and of the pseudo header
}

// Frames of the gateway's clients and backends.
func (g *Gateway) Frames() *Frames {
	f := &Frames{g: g}
	for i := range g.Services {
		f.virtuals = append(f.virtuals, g.virtual(i).AsSlice())
	}
	b := f.request[:]
	copy(b[0:6], g.MAC[:])
	copy(b[6:12], RouterMAC[:])
	proto, size := byte(packet.ProtoUDP), packet.UDPLen
	if g.TCP {
		proto, size = packet.ProtoTCP, packet.TCPLen
	}
	f.l4 = packet.EthernetLen + packet.IPv4Len
	if g.IPv6 {
		f.l4 = packet.EthernetLen + packet.IPv6Len
	}
	f.length = max(MinFrame, f.l4+size)
	payload := f.length - f.l4
	if g.IPv6 {
		binary.BigEndian.PutUint16(b[12:14], packet.EtherTypeIPv6)
		b[14], b[20], b[21] = 0x60, proto, 64
		binary.BigEndian.PutUint16(b[18:20], uint16(payload))
	} else {
		binary.BigEndian.PutUint16(b[12:14], packet.EtherTypeIPv4)
		b[14], b[22], b[23] = 0x45, 64, proto
		binary.BigEndian.PutUint16(b[16:18], uint16(packet.IPv4Len+payload))
		b[20] = 0x40 // DF
	}
	if g.TCP {
		b[f.l4+12] = packet.TCPLen / 4 << 4
	} else {
		binary.BigEndian.PutUint16(b[f.l4+4:], uint16(payload))
	}
	f.header = uint64(packet.Sum(b[packet.EthernetLen:f.l4]))
	f.payload = uint64(packet.Sum(b[f.l4:f.length])) + uint64(payload)<<8 + uint64(proto)<<8
	return f
}

// Len is the length of every frame in bytes.
func (f *Frames) Len() int { return f.length }

// Request writes a frame of flow i from its client to its service. flags are
// those of TCP.
func (f *Frames) Request(frame []byte, i int, flags byte) {
	copy(frame, f.request[:f.length])
	vip := f.virtuals[i%len(f.virtuals)]
	port := uint16(1024 + i%16*4001)
	if f.g.IPv6 {
		binary.BigEndian.PutUint64(frame[22:], 0x20010db8_000c0000)
		binary.BigEndian.PutUint64(frame[30:], uint64(i/16))
		copy(frame[38:54], vip)
	} else {
		binary.BigEndian.PutUint32(frame[26:], 11<<24+uint32(i/16))
		copy(frame[30:34], vip)
	}
	binary.BigEndian.PutUint16(frame[f.l4:], port)
	binary.BigEndian.PutUint16(frame[f.l4+2:], VirtualPort)
	f.finish(frame, flags)
}

// Reply writes a frame from a backend to the gateway: the tuple is that of
// replies as they arrive.
func (f *Frames) Reply(frame []byte, t *Tuple, flags byte) {
	copy(frame, f.request[:f.length])
	if f.g.IPv6 {
		for i, word := range t.Addrs {
			binary.LittleEndian.PutUint64(frame[22+8*i:], word)
		}
	} else {
		binary.LittleEndian.PutUint64(frame[26:], t.Addrs[0])
	}
	binary.LittleEndian.PutUint32(frame[f.l4:], t.Ports)
	f.finish(frame, flags)
}

// finish writes the flags and the checksums: millions of frames wait for it, so that
// it adds what differs to sums that are there.
func (f *Frames) finish(frame []byte, flags byte) {
	var addrs uint64
	if f.g.IPv6 {
		addrs = halves(frame[22:]) + halves(frame[30:]) + halves(frame[38:]) + halves(frame[46:])
	} else {
		addrs = halves(frame[26:])
		binary.LittleEndian.PutUint16(frame[24:], packet.Checksum(packet.Fold(f.header+addrs)))
	}
	l4 := frame[f.l4:f.length]
	sum, at := f.payload+addrs+uint64(binary.LittleEndian.Uint32(l4)), 6
	if f.g.TCP {
		l4[13] = flags
		sum, at = sum+uint64(flags)<<8, 16
	}
	binary.LittleEndian.PutUint16(l4[at:], packet.Checksum(packet.Fold(sum)))
}

// halves is the sum of eight bytes in words of four.
func halves(b []byte) uint64 {
	word := binary.LittleEndian.Uint64(b)
	return word>>32 + word&0xffffffff
}

// Answer makes a request as it arrived at a backend the backend's answer: it
// swaps the ends and sets TCP's flags. The checksum of TCP, which forwarding
// only updates, is left as it is.
func (f *Frames) Answer(frame []byte, flags byte) {
	copy(frame[0:6], f.g.MAC[:])
	copy(frame[6:12], RouterMAC[:])
	at, size := 26, 4
	if f.g.IPv6 {
		at, size = 22, 16
	}
	var src [16]byte
	copy(src[:], frame[at:at+size])
	copy(frame[at:at+size], frame[at+size:at+2*size])
	copy(frame[at+size:at+2*size], src[:size])
	ports := binary.LittleEndian.Uint32(frame[f.l4:])
	binary.LittleEndian.PutUint32(frame[f.l4:], ports<<16|ports>>16)
	if f.g.TCP {
		frame[f.l4+13] = flags
	}
}

// Tuple is where a frame comes from and goes to, as in flow.Tuple6; of IPv4 the
// first word alone has both addresses.
type Tuple struct {
	Addrs [4]uint64
	Ports uint32
}

// Replies are the tuples of all flows in a table that replies of theirs arrive
// with.
func Replies(t *flow.Table) []Tuple {
	out := make([]Tuple, 0, t.Len())
	visit := func(i flow.Index) {
		if i.IPv6() {
			e := t.At6(i)
			out = append(out, Tuple{e.Addrs[flow.Reply], e.Sides[flow.Reply].Ports})
			return
		}
		e := t.At(i)
		out = append(out, Tuple{[4]uint64{e.Addrs[flow.Reply]}, e.Sides[flow.Reply].Ports})
	}
	for i := t.Scan(0, 1<<16, visit); i != 0; i = t.Scan(i, 1<<16, visit) {
	}
	return out
}

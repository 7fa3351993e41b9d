package load

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// MinFrame is the length of a frame in bytes that needs no more; IPv6 with TCP
// does: 74.
const MinFrame = 64

// Frames writes the frames of a gateway's flows.
type Frames struct {
	g        *Gateway
	virtuals []netip.Addr
	request  [128]byte // of flow 0
	length   int
	l4       int
}

// Frames of the gateway's clients and backends.
func (g *Gateway) Frames() *Frames {
	f := &Frames{g: g}
	for i := range g.Services {
		f.virtuals = append(f.virtuals, g.virtual(i))
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
		a := vip.As16()
		copy(frame[38:54], a[:])
	} else {
		binary.BigEndian.PutUint32(frame[26:], 11<<24+uint32(i/16))
		a := vip.As4()
		copy(frame[30:34], a[:])
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

// finish writes the flags and the checksums.
func (f *Frames) finish(frame []byte, flags byte) {
	addrs := frame[22:54]
	if !f.g.IPv6 {
		addrs = frame[26:34]
		ip := frame[14:34]
		binary.LittleEndian.PutUint16(ip[10:], packet.Checksum(packet.Sum(ip)))
	}
	l4 := frame[f.l4:f.length]
	proto, at := packet.ProtoUDP, 6
	if f.g.TCP {
		l4[13] = flags
		proto, at = packet.ProtoTCP, 16
	}
	pseudo := uint64(packet.Sum(addrs)) + uint64(len(l4))<<8 + uint64(proto)<<8 + uint64(packet.Sum(l4))
	binary.LittleEndian.PutUint16(l4[at:], packet.Checksum(packet.Fold(pseudo)))
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

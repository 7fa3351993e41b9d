package kernel

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/packet"
)

// Twins stand for one network each, so frames there carry no tag: the kernel
// needs no 802.1Q of its own. A priority that came in a tag is lost.

// networkOf is where a frame belongs that a port has received: by its 802.1Q tag,
// if any. A tag with VLAN 0 has a priority alone.
func networkOf(b *packet.Buf) network {
	n := network{port: b.Port}
	if frame := b.Bytes(); tagged(frame) {
		n.vlan = binary.BigEndian.Uint16(frame[14:16]) & 0xfff
	}
	return n
}

func tagged(frame []byte) bool {
	return len(frame) >= packet.EthernetLen+packet.VLANLen &&
		binary.BigEndian.Uint16(frame[12:14]) == packet.EtherTypeVLAN
}

// untag takes the tag away, if any.
func untag(b *packet.Buf) {
	if frame := b.Bytes(); tagged(frame) {
		copy(frame[packet.VLANLen:], frame[:12])
		b.Cut(packet.VLANLen)
	}
}

// tagLen is how many bytes a port's frames have more than the twin's.
func (t *twin) tagLen() int {
	if t.vlan == 0 {
		return 0
	}
	return packet.VLANLen
}

// tag writes the tag of the twin's network into a frame that begins tagLen bytes
// into the slice, and lets it begin at the start.
func (t *twin) tag(frame []byte) {
	if t.vlan != 0 {
		copy(frame[:12], frame[packet.VLANLen:])
		packet.SetTag(frame, t.vlan)
	}
}

package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ownProto marks addresses (IFA_PROTO) and routes (rtm_protocol) on a twin as
// put there by us: `ip address` shows "proto 0x53". A kept twin thus knows,
// without a file, what to take away when the configuration has changed.
const ownProto = 0x53

// Attributes of linux/if_addr.h that x/sys does not name.
const ifaProto = 11

// rawDump lists kernel objects as messages without their netlink header, to be
// given back with rawSend later. A dump that was interrupted by a change is
// taken again.
func rawDump(request, answer uint16, family int) ([][]byte, error) {
	var messages [][]byte
	err := retryDump(func() (err error) {
		req := nl.NewNetlinkRequest(int(request), unix.NLM_F_DUMP)
		req.AddData(nl.NewIfInfomsg(family))
		messages, err = req.Execute(unix.NETLINK_ROUTE, answer)
		return err
	})
	return messages, err
}

// retryDump calls dump until it saw one consistent state, a few times at most.
func retryDump(dump func() error) error {
	var err error
	for range 10 {
		if err = dump(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return err
}

// rawSend sends a message of rawDump as a request.
func rawSend(request uint16, flags int, message []byte) error {
	req := nl.NewNetlinkRequest(int(request), flags|unix.NLM_F_ACK)
	req.AddRawData(message)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// attribute is one rtattr of a message; value aliases the message.
type attribute struct {
	kind  uint16
	value []byte
}

// attributes parses what follows the header of a message.
func attributes(message []byte, header int) []attribute {
	var list []attribute
	for rest := message[min(header, len(message)):]; len(rest) >= 4; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < 4 || size > len(rest) {
			break
		}
		list = append(list, attribute{binary.NativeEndian.Uint16(rest[2:]) &^ unix.NLA_F_NESTED, rest[4:size]})
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return list
}

// find returns the value of the attribute kind, nil when there is none.
func find(list []attribute, kind uint16) []byte {
	for _, a := range list {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

// appendAttribute appends an rtattr, padded.
func appendAttribute(message []byte, kind uint16, value []byte) []byte {
	message = binary.NativeEndian.AppendUint16(message, uint16(4+len(value)))
	message = binary.NativeEndian.AppendUint16(message, kind)
	message = append(message, value...)
	return append(message, make([]byte, -len(value)&3)...)
}

func u32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func u32Bytes(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func familyOf(addr netip.Addr) int {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

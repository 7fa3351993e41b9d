package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// routeFlags is the part of rtm_flags and rtnh_flags that may be asked for; the
// rest is what the kernel found out.
const routeFlags = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE

// Offsets in struct rtmsg and struct rtnexthop of linux/rtnetlink.h.
const (
	rtmTable    = 4
	rtmProtocol = 5
	rtmType     = 7
	rtmFlags    = 8
	rtnhFlags   = 2
	rtnhIndex   = 4
)

// rtaNHID is RTA_NH_ID of linux/rtnetlink.h, which x/sys does not name.
const rtaNHID = 30

// routeMessages are the RTM_NEWROUTE messages of all routes that vanish when
// the interface loses its addresses and that nobody brings back: not the
// kernel's own and not those from router advertisements.
func routeMessages(index int) ([][]byte, error) {
	var list [][]byte
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		all, err := rawDump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, family)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		for _, m := range all {
			if worthSaving(m, index) {
				list = append(list, askable(m))
			}
		}
	}
	return list, nil
}

func worthSaving(m []byte, index int) bool {
	if len(m) < unix.SizeofRtMsg || u32(m[rtmFlags:])&unix.RTM_F_CLONED != 0 || m[rtmTable] == unix.RT_TABLE_LOCAL {
		return false
	}
	switch m[rtmProtocol] {
	case unix.RTPROT_KERNEL, unix.RTPROT_RA, unix.RTPROT_REDIRECT:
		return false
	}
	attrs := attributes(m, unix.SizeofRtMsg)
	if int(u32(find(attrs, unix.RTA_OIF))) == index {
		return true
	}
	found := false
	eachNexthop(find(attrs, unix.RTA_MULTIPATH), func(hop []byte) {
		found = found || int(u32(hop[rtnhIndex:])) == index
	})
	return found
}

// askable makes of a listed route one that the kernel accepts: without what it
// only reports. A nexthop object is replaced by what it stands for, which the
// kernel lists beside its id, as the object may be gone by then.
func askable(m []byte) []byte {
	out := slices.Clone(m[:unix.SizeofRtMsg])
	binary.NativeEndian.PutUint32(out[rtmFlags:], u32(out[rtmFlags:])&routeFlags)
	for _, a := range attributes(m, unix.SizeofRtMsg) {
		value := slices.Clone(a.value)
		switch a.kind {
		case unix.RTA_CACHEINFO, rtaNHID:
			continue
		case unix.RTA_MULTIPATH:
			eachNexthop(value, func(hop []byte) { hop[rtnhFlags] &= routeFlags })
		}
		out = appendAttribute(out, a.kind, value)
	}
	return out
}

// eachNexthop calls f with every struct rtnexthop of an RTA_MULTIPATH.
func eachNexthop(list []byte, f func(hop []byte)) {
	for len(list) >= unix.SizeofRtNexthop {
		size := int(binary.NativeEndian.Uint16(list))
		if size < unix.SizeofRtNexthop || size > len(list) {
			return
		}
		f(list[:size])
		list = list[min((size+3)&^3, len(list)):]
	}
}

func describeRoute(m []byte) string {
	attrs := attributes(m, unix.SizeofRtMsg)
	to := "default"
	if dst, ok := netip.AddrFromSlice(find(attrs, unix.RTA_DST)); ok {
		to = netip.PrefixFrom(dst, int(m[1])).String()
	}
	if via, ok := netip.AddrFromSlice(find(attrs, unix.RTA_GATEWAY)); ok {
		to += " via " + via.String()
	}
	return to
}

// plainRoutes are the saved routes that a twin can take over: unicast, in the
// main table, over one path, without more than a destination and a gateway.
func (d *savedDevice) plainRoutes() []RouteSpec {
	var list []RouteSpec
	for _, m := range d.Routes {
		attrs := attributes(m, unix.SizeofRtMsg)
		if m[rtmTable] != unix.RT_TABLE_MAIN || m[rtmType] != unix.RTN_UNICAST ||
			find(attrs, unix.RTA_OIF) == nil || find(attrs, unix.RTA_VIA) != nil {
			continue
		}
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if m[0] == unix.AF_INET6 {
			to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if dst, ok := netip.AddrFromSlice(find(attrs, unix.RTA_DST)); ok {
			to = netip.PrefixFrom(dst, int(m[1]))
		}
		via, _ := netip.AddrFromSlice(find(attrs, unix.RTA_GATEWAY))
		list = append(list, RouteSpec{to, via})
	}
	return list
}

package service

import (
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
)

// ID names a service within this process's life; 0 names none. It indexes
// Snapshot.Services. An id is reused only after every worker has reported no
// flow on it.
type ID uint32

// BackendID names a backend of a service; 0 names none. It is kept for
// (service, address, port): a backend that is removed and added again is the
// same object, with the same id.
type BackendID uint32

// NextHopID indexes NextHops; 0 names none.
type NextHopID uint32

// Key identifies a service on the wire.
type Key struct {
	Proto uint8 // IP protocol: 6 TCP, 17 UDP
	Addr  netip.Addr
	Port  uint16 // host byte order
}

// Mode is how a packet reaches its backend.
type Mode uint8

// The working modes of Linux Virtual Server, and DPVS's fullnat.
const (
	ModeNone Mode = iota
	ModeDR
	ModeNAT
	ModeFullNAT
	ModeTun
)

var modeNames = [...]string{"none", "dr", "nat", "fullnat", "tun"}

// String is the mode's name in configuration and output.
func (m Mode) String() string { return modeNames[m] }

// ParseMode is the reverse of String; ok is false for an unknown name.
func ParseMode(s string) (m Mode, ok bool) {
	for i, name := range modeNames[1:] {
		if s == name {
			return Mode(i + 1), true
		}
	}
	return ModeNone, false
}

// Backend is a real server as workers see it.
type Backend struct {
	ID      BackendID
	Service ID
	Addr    netip.Addr
	Port    uint16 // host byte order; for dr and tun the service's port
	Weight  uint32
	Present bool // false: removed, kept because flows may still name it

	// Outer is the tunnel to the backend, from the service's local address of its
	// family; valid iff the service's mode is tun, or was while the backend was there.
	Outer packet.Outer
}

// TunnelFrom sets the outer header from a local address of the backend's family.
func (b *Backend) TunnelFrom(local netip.Addr) { b.Outer = packet.NewOuter(local, b.Addr) }

// Service is a virtual service as workers see it.
type Service struct {
	ID       ID
	Key      Key
	Mode     Mode
	Present  bool         // false: removed, kept because flows may still name it
	Locals   []netip.Addr // fullnat and tun: local addresses (LIP)
	Former   []netip.Addr // fullnat: local addresses of before, that flows still use
	WasNAT   bool         // flows from when the mode was nat go on
	Sched    string
	Plan     Picker      // chooses among the backends; nil when there are none
	Backends []BackendID // newest first, the order IPVS considers them in
}

// Protocol numbers, for readability at the call sites.
const (
	TCP = packet.ProtoTCP
	UDP = packet.ProtoUDP
)

package modes

import "github.com/sluice-lb/sluice/packet"

// DR4 prepares an IPv4 packet for direct routing: only the TTL changes, as in
// Linux IPVS; the backend owns the VIP. The Ethernet header is the caller's.
func DR4(frame []byte, p *packet.Parsed) {
	packet.IPv4At(frame, p.L3).DecrementTTL()
}

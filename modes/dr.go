package modes

import "github.com/sluice-lb/sluice/packet"

// DR prepares a packet for direct routing: only the TTL (hop limit) changes, as
// in Linux IPVS; the backend owns the VIP. The Ethernet header is the caller's.
func DR(frame []byte, p *packet.Parsed) {
	if p.IPv6 {
		packet.IPv6At(frame, p.L3).DecrementHopLimit()
		return
	}
	packet.IPv4At(frame, p.L3).DecrementTTL()
}

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Hostile frames: almost a thousand a second, more in bursts, so that real traffic
// still has room on a machine with two cores.
const (
	batch      = 10
	batchEvery = 20 * time.Millisecond
	burst      = 60 // batches of ofBurst, one after the other
	ofBurst    = 80
	burstEvery = 7 * time.Second
)

// hostile sends frames that nobody should from the client, and fewer from a
// server.
func (s *soak) hostile(p *phase) error {
	for side, host := range []string{"client", "rs1"} {
		own, fd, err := s.openWire(host)
		if err != nil {
			return fmt.Errorf("packet socket on %s: %w", host, err)
		}
		f := newForge(s.lab, side, own, s.macs[side])
		p.running.Go(func() {
			<-p.ctx.Done()
			time.Sleep(time.Second) // the last batch
			_ = unix.Close(fd)
		})
		p.loop(batchEvery*time.Duration(1+2*side), func(r *rand.Rand) { s.throw(fd, f, r, batch, "") })
		p.loop(burstEvery, func(r *rand.Rand) { s.flood(p, fd, f, r) })
	}
	return nil
}

// flood sends thousands of frames within a second, from as many ports: more flows
// than the table has room for.
func (s *soak) flood(p *phase, fd int, f *forge, r *rand.Rand) {
	kind := []string{"SYN flood", "UDP flood"}[r.IntN(2)]
	s.watch.note(kind)
	for range burst {
		s.throw(fd, f, r, ofBurst, kind)
		p.sleep(15 * time.Millisecond)
	}
}

// throw sends n frames of a kind, "" for any. What the device refuses, because it
// is too long for it or the link is down, does not count.
func (s *soak) throw(fd int, f *forge, r *rand.Rand, n int, kind string) {
	sent := map[string]uint64{}
	for range n {
		name, frame := f.frame(r, kind)
		if _, err := unix.Write(fd, frame); err == nil {
			sent[name]++
		}
	}
	for name, n := range sent {
		s.tally.add("hostile "+name, n)
	}
}

// openWire opens a packet socket on a host's eth0 that sends frames as they are
// and receives none.
func (s *soak) openWire(host string) (own [6]byte, fd int, err error) {
	err = s.lab.in(host, func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		own = [6]byte(link.HardwareAddr)
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
	return own, fd, err
}

// portMACs asks the daemon for the addresses of its ports.
func (s *soak) portMACs() error {
	ports, err := s.api.Ports(ctx)
	if err != nil {
		return err
	}
	if len(ports) != len(s.macs) {
		return fmt.Errorf("%d ports: want two: make the lab with two-arm", len(ports))
	}
	for i, p := range ports {
		mac, err := net.ParseMAC(p.MAC)
		if err != nil || len(mac) != 6 {
			return errors.Join(err, fmt.Errorf("port %s: %s: not an Ethernet address", p.Name, p.MAC))
		}
		s.macs[i] = [6]byte(mac)
	}
	return nil
}

// mutate changes some bytes, cuts or lengthens a frame. Half of the time its IPv4
// header sums up again, so that what is wrong behind it is looked at.
func mutate(r *rand.Rand, frame []byte) []byte {
	out := append([]byte(nil), frame...)
	for range 1 + r.IntN(8) {
		// Mostly behind the Ethernet addresses, and near the front, where headers are.
		i := 12 + r.IntN(max(1, min(len(out), 120)-12))
		if r.IntN(20) == 0 {
			i = r.IntN(len(out))
		}
		if i < len(out) {
			out[i] = byte(r.Uint32())
		}
	}
	switch r.IntN(6) {
	case 0:
		out = out[:14+r.IntN(max(1, len(out)-13))]
	case 1:
		out = append(out, make([]byte, r.IntN(100))...)
	}
	if r.IntN(2) == 0 {
		resum(out)
	}
	return out
}

// resum makes an IPv4 header's checksum right (RFC 1071), if there is a header.
func resum(frame []byte) {
	if len(frame) < 34 || frame[14]>>4 != 4 {
		return
	}
	end := 14 + 4*int(frame[14]&15)
	if end < 34 || end > len(frame) {
		return
	}
	var sum uint32
	frame[24], frame[25] = 0, 0
	for i := 14; i < end; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(frame[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(frame[24:], ^uint16(sum))
}

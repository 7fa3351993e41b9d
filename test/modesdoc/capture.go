package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// points are where frames were captured: HOST-DEVICE.
var points = []string{"client-eth0", "gw-eth0", "gw-eth1", "rs1-eth0", "rs1-eth1"}

// capture is everything that was captured, and how addresses are called.
type capture struct {
	frames map[string][]gopacket.Packet // by point
	names  map[string]string            // by address, of Ethernet and IP
}

func read(folder string) (*capture, error) {
	c := &capture{frames: map[string][]gopacket.Packet{}, names: map[string]string{}}
	for _, point := range points {
		frames, err := readFrames(filepath.Join(folder, point+".pcap"))
		if err != nil {
			return nil, err
		}
		c.frames[point] = frames
	}
	file, err := os.Open(filepath.Join(folder, "names"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		address, name, _ := strings.Cut(lines.Text(), " ")
		c.names[address] = name
	}
	return c, nil
}

func readFrames(name string) ([]gopacket.Packet, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader, err := pcapgo.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for out := []gopacket.Packet(nil); ; {
		data, _, err := reader.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, gopacket.NewPacket(data, reader.LinkType(), gopacket.Default))
	}
}

// payload is what the innermost UDP datagram of a frame carries.
func payload(p gopacket.Packet) string {
	if udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
		return string(udp.Payload)
	}
	return ""
}

// question finds one that server rs1 was asked, by how it begins.
func (c *capture) question(mark string) (string, error) {
	for _, p := range c.frames["rs1-eth0"] {
		if text := payload(p); strings.HasPrefix(text, mark) {
			return text, nil
		}
	}
	return "", fmt.Errorf("no question %s... in what was captured at rs1", mark)
}

// at is the one frame at a point that carries a text, nil if there is none.
func (c *capture) at(point, text string) gopacket.Packet {
	for _, p := range c.frames[point] {
		if payload(p) == text {
			return p
		}
	}
	return nil
}

// same makes sure that a frame is the same at both ends of a wire, and returns it.
func (c *capture) same(from, to, text string) (gopacket.Packet, error) {
	sent, received := c.at(from, text), c.at(to, text)
	switch {
	case sent == nil:
		return nil, fmt.Errorf("%q: not captured at %s", text, from)
	case received == nil:
		return nil, fmt.Errorf("%q: not captured at %s", text, to)
	case !bytes.Equal(sent.Data(), received.Data()):
		return nil, fmt.Errorf("%q: differs between %s and %s", text, from, to)
	}
	return sent, nil
}

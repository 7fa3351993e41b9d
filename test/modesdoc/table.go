package main

import (
	"fmt"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// row is a frame as the table shows it; ports that kernels or the gateway choose
// freely are named, so that the table is the same for every capture.
type row struct {
	wire             string
	ethernet         string
	outer, outerTTL  string // of a tunnel's outer header
	ip, ports, inner string // inner: TTL
	bytes            int    // of the IP packet
}

const arrow = " → "

// hop is a wire that a frame goes over, named by its ends.
type hop struct{ wire, from, to string }

var (
	toGateway   = hop{"client → gateway", "client-eth0", "gw-eth0"}
	toServer    = hop{"gateway → server", "gw-eth1", "rs1-eth0"}
	fromServer  = hop{"server → gateway", "rs1-eth0", "gw-eth1"}
	fromGateway = hop{"gateway → client", "gw-eth0", "client-eth0"}
	direct      = hop{"server → client", "rs1-eth1", "client-eth0"}
)

// table shows one exchange of a case, "MODE FAMILY": the request on its two
// wires, then the reply on the one or two that it takes.
func (c *capture) table(name string) (string, error) {
	question, err := c.question(strings.ReplaceAll(name, " ", "-") + "-udp-")
	if err != nil {
		return "", err
	}
	request, err := c.rows(question, toGateway, toServer)
	if err != nil {
		return "", err
	}
	answer, hops := "rs1 "+question, []hop{fromServer, fromGateway}
	if c.at("gw-eth0", answer) == nil {
		hops = []hop{direct}
	}
	reply, err := c.rows(answer, hops...)
	if err != nil {
		return "", err
	}
	return render(request, reply), nil
}

func (c *capture) rows(text string, hops ...hop) (out []row, err error) {
	for _, h := range hops {
		p, err := c.same(h.from, h.to, text)
		if err != nil {
			return nil, err
		}
		out = append(out, c.row(h.wire, p))
	}
	return out, nil
}

// row reads a frame's headers.
func (c *capture) row(wire string, p gopacket.Packet) row {
	r := row{wire: wire}
	var ips [][3]string // source, destination, TTL
	for _, layer := range p.Layers() {
		switch h := layer.(type) {
		case *layers.Ethernet:
			r.ethernet = c.name(h.SrcMAC.String()) + arrow + c.name(h.DstMAC.String())
		case *layers.IPv4:
			ips = append(ips, [3]string{h.SrcIP.String(), h.DstIP.String(), fmt.Sprint(h.TTL)})
			r.bytes = max(r.bytes, int(h.Length)) // the outer one's is larger
		case *layers.IPv6:
			ips = append(ips, [3]string{h.SrcIP.String(), h.DstIP.String(), fmt.Sprint(h.HopLimit)})
			r.bytes = max(r.bytes, 40+int(h.Length))
		case *layers.UDP:
			r.ports = c.port(ips, 0, uint16(h.SrcPort)) + arrow + c.port(ips, 1, uint16(h.DstPort))
		}
	}
	if len(ips) > 1 {
		r.outer, r.outerTTL = ips[0][0]+arrow+ips[0][1], ips[0][2]
	}
	last := ips[len(ips)-1]
	r.ip, r.inner = last[0]+arrow+last[1], last[2]
	return r
}

// name is how the document calls an Ethernet address.
func (c *capture) name(address string) string {
	if name, ok := c.names[address]; ok {
		return name
	}
	return address
}

// port is a port of the side (0 source, 1 destination) of the innermost header.
func (c *capture) port(ips [][3]string, side int, port uint16) string {
	switch c.names[ips[len(ips)-1][side]] {
	case "client":
		return "cport"
	case "local":
		return "lport"
	}
	return fmt.Sprint(port)
}

// render writes the rows; what the gateway has changed is bold.
func render(request, reply []row) string {
	var b strings.Builder
	tunnel := request[1].outer != ""
	b.WriteString("\n| | wire | Ethernet | ")
	if tunnel {
		b.WriteString("outer IP | its TTL | ")
	}
	b.WriteString("IP | UDP ports | TTL | bytes |\n|---|---|---|")
	if tunnel {
		b.WriteString("---|---|")
	}
	b.WriteString("---|---|---|---|\n")
	for _, part := range []struct {
		name string
		rows []row
	}{{"request", request}, {"reply", reply}} {
		before := part.rows[0]
		for i, r := range part.rows {
			fmt.Fprintf(&b, "| %s | %s |", part.name, r.wire)
			cell(&b, r.ethernet, before.ethernet, i)
			if tunnel {
				cell(&b, r.outer, before.outer, i)
				cell(&b, r.outerTTL, before.outerTTL, i)
			}
			cell(&b, r.ip, before.ip, i)
			cell(&b, r.ports, before.ports, i)
			cell(&b, r.inner, before.inner, i)
			cell(&b, fmt.Sprint(r.bytes), fmt.Sprint(before.bytes), i)
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// cell writes "SOURCE → DESTINATION" or a single value, each side of it bold if
// row i, after the first, has another there than the row before it.
func cell(b *strings.Builder, value, before string, i int) {
	sides, old := strings.Split(value, arrow), strings.Split(before, arrow)
	for n, side := range sides {
		if i > 0 && (len(old) != len(sides) || side != old[n]) {
			sides[n] = "**" + side + "**"
		}
	}
	fmt.Fprintf(b, " %s |", strings.Join(sides, arrow))
}

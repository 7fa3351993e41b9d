package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/sluice-lb/sluice/dpdk"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

// Cases on net_pcap with infinite_rx: the device reads a file once and then hands
// out copies of its frames for ever. It has no transmit side here: what is
// transmitted, it frees. So nothing has to be loaded or collected; the device's
// copying and freeing is in the time, the worker's and testpmd's alike.

const (
	pcapRoom  = 128       // bytes of data: half a million buffers at a time
	pcapSpare = 1<<14 - 1 // buffers besides those that the device keeps
	pcapMTU   = 110       // what fits into the room with an Ethernet header and a tag
)

type pcapCase struct {
	name  string
	setup load.Setup
	flows int
}

func pcapCases(quick bool) (out []pcapCase) {
	add := func(mode service.Mode, ipv6 bool, flows ...int) {
		for _, n := range flows {
			family := "ipv4"
			if ipv6 {
				family = "ipv6"
			}
			name := fmt.Sprintf("pcap/%s/%s/%s", mode, family, flowNames[n])
			out = append(out, pcapCase{name, load.Setup{Mode: mode, IPv6: ipv6}, n})
		}
	}
	if quick {
		add(service.ModeFullNAT, false, 1e3, 1e5)
		return out
	}
	for _, mode := range allModes {
		add(mode, false, 1e3, 1e5, 5e5)
	}
	add(service.ModeFullNAT, true, 1e3, 1e5, 5e5)
	return out
}

// pcap runs rounds of a case in turn with rounds of a testpmd on the same file.
func (b *bench) pcap(c pcapCase) (err error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := load.NewGateway(packet.MAC{2, 0, 0, 0, 0, 1}, c.setup)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "frames.pcap")
	device := "net_pcap0,rx_pcap=" + file + ",infinite_rx=1"
	if err := writeFrames(file, g.Frames(), c.flows); err != nil {
		return fmt.Errorf("%s: write %s: %w: free space there, or set TMPDIR", c.name, file, err)
	}
	o := b.options
	theirs, err := startTestpmd(testpmdConfig{name: "sluice-testpmd-pcap", mainCore: o.mainCore, core: o.core, hugepages: o.hugepages,
		devices: []string{device}, mbufs: c.flows + pcapSpare, mbuf: headroom + pcapRoom})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.close()) }()
	r, err := b.machine.openPcap(g, device, c.flows)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return b.pcapRounds(c, r, theirs)
}

func (b *bench) pcapRounds(c pcapCase, r *pcapRig, theirs *testpmd) error {
	if err := r.onCore(r.fill); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	var t turns
	for range b.rounds {
		macswap, err := theirs.measure(b.round)
		if err != nil {
			return err
		}
		var ns float64
		if err := r.onCore(func() (err error) { ns, err = r.round(b.round); return err }); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		t.add(ns, macswap)
	}
	b.report(t.result(c.name))
	return nil
}

// writeFrames writes a frame of each flow, in an order that says nothing.
func writeFrames(path string, frames *load.Frames, flows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		return err
	}
	frame := make([]byte, frames.Len())
	info := gopacket.CaptureInfo{Timestamp: time.Unix(0, 0), CaptureLength: len(frame), Length: len(frame)}
	for _, i := range rand.New(rand.NewPCG(4, uint64(flows))).Perm(flows) {
		frames.Request(frame, i, packet.ACK)
		if err := w.WritePacket(info, frame); err != nil {
			return err
		}
	}
	return f.Close()
}

// pcapRig is a worker on a net_pcap port, with a pool of their own.
type pcapRig struct {
	*rig
	flows int
	file  *dpdk.Port
}

// addressed is a port under another address: net_pcap's differs from start to
// start, and the frames are written before.
type addressed struct {
	*dpdk.Port
	mac packet.MAC
}

func (p addressed) Info() packet.PortInfo {
	info := p.Port.Info()
	info.MAC = p.mac
	return info
}

func (m *machine) openPcap(g *load.Gateway, device string, flows int) (r *pcapRig, err error) {
	own := *m
	r = &pcapRig{flows: flows}
	if own.pool, err = dpdk.NewPool("pcap", flows+pcapSpare, pcapRoom, cache, m.eal.Socket(m.lcore)); err != nil {
		return nil, err
	}
	if r.file, err = dpdk.Attach(dpdk.PortConfig{Name: "pcap", Device: device, Pool: own.pool, MTU: pcapMTU}); err != nil {
		return nil, errors.Join(err, own.pool.Close())
	}
	r.rig, err = own.rigOf(g, flows, flow.Timeouts{}, worker.Config{Ports: []packet.Port{addressed{r.file, g.MAC}}})
	if err != nil {
		return nil, errors.Join(err, r.file.Close(), own.pool.Close())
	}
	return r, nil
}

func (r *pcapRig) close() error {
	return errors.Join(r.table.Close(), r.file.Close(), r.pool.Close())
}

// fill opens the flows: all of the file comes by.
func (r *pcapRig) fill() error {
	for range r.flows/packet.BurstSize + 1 {
		r.worker.Poll()
	}
	if n := r.table.Len(); n != r.flows {
		return fmt.Errorf("open flows: %d: %d in the table, %s: a bug in Sluice or its benchmark, report it", r.flows, n, r.lost())
	}
	return nil
}

// round polls for a time; it returns ns a packet.
func (r *pcapRig) round(long time.Duration) (float64, error) {
	const between = 256 // polls from one look at the clock to the next
	packets := 0
	start := time.Now()
	took := time.Duration(0)
	for ; took < long; took = time.Since(start) {
		for range between {
			packets += r.worker.Poll()
		}
	}
	if lost := r.lost(); lost != "" {
		return 0, fmt.Errorf("packets not forwarded: %s: a bug in Sluice or its benchmark, report it", lost)
	}
	return float64(took) / float64(packets), nil
}

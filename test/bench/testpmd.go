package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// testpmd is a dpdk-testpmd with a net_ring and a net_null port that waits for
// its turn: between two measurements its forwarding core sleeps.
type testpmd struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	port int // what measure uses: ringPort or nullPort
}

// mbufHeader is what DPDK puts in front of an mbuf's data and headroom, in bytes.
const mbufHeader = 192

// The ports of testpmd, in the order of its command line.
const (
	ringPort = 0
	nullPort = 1
)

// testpmdConfig says where and on what.
type testpmdConfig struct {
	name           string // its files', among others'
	mainCore, core int    // of its command line, of forwarding
	hugepages      bool
	devices        []string
	mbufs, mbuf    int // how many, of how many bytes with their headroom; 0: 16,384 of its default
}

// startTestpmd starts one that has the devices.
func startTestpmd(c testpmdConfig) (*testpmd, error) {
	if c.mbufs == 0 {
		c.mbufs, c.mbuf = 16384, 2048+headroom
	}
	memory := []string{"--in-memory"}
	if !c.hugepages {
		memory = []string{"--no-huge", "--no-shconf", "-m", strconv.Itoa(128 + c.mbufs*(c.mbuf+mbufHeader)>>20)}
	}
	args := append([]string{"-oL", "dpdk-testpmd", "--lcores", fmt.Sprintf("0@%d,1@%d", c.mainCore, c.core), "--main-lcore", "0",
		"--file-prefix", c.name, "--no-pci", "--iova-mode=va", "--no-telemetry", "--log-level=error"}, memory...)
	for _, d := range c.devices {
		args = append(args, "--vdev", d)
	}
	args = append(args, "--", "-i", "--forward-mode=macswap", "--burst=64", "--nb-cores=1",
		fmt.Sprintf("--total-num-mbufs=%d", c.mbufs), fmt.Sprintf("--mbuf-size=%d", c.mbuf))
	t := &testpmd{cmd: exec.Command("stdbuf", args...)}
	t.cmd.Stderr = os.Stderr
	var err error
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewReader(out)
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start dpdk-testpmd: %w: install Debian's dpdk-dev", err)
	}
	_, err = t.ask("show port summary all")
	return t, err
}

// ask gives a command and returns what is printed until a marker that it has
// testpmd print afterwards.
func (t *testpmd) ask(commands ...string) (string, error) {
	// An unknown word makes testpmd print "Command not found": the marker.
	if _, err := fmt.Fprintf(t.in, "%s\nmarker\n", strings.Join(commands, "\n")); err != nil {
		return "", fmt.Errorf("command dpdk-testpmd: %v: %w: see its messages above", commands, err)
	}
	var all strings.Builder
	for {
		line, err := t.out.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return "", fmt.Errorf("read from dpdk-testpmd: %w: it printed:\n%s", err, all.String())
		}
		if strings.Contains(line, "Command not found") {
			return all.String(), nil
		}
	}
}

// measure forwards for a time and returns ns a packet, by testpmd's own clock.
func (t *testpmd) measure(long time.Duration) (float64, error) {
	show := fmt.Sprintf("show port stats %d", t.port)
	if _, err := t.ask(fmt.Sprintf("set portlist %d", t.port), "start tx_first 8"); err != nil {
		return 0, err
	}
	time.Sleep(long / 4)
	if _, err := t.ask(show); err != nil {
		return 0, err
	}
	time.Sleep(long)
	text, err := t.ask(show)
	if err != nil {
		return 0, err
	}
	if _, err := t.ask("stop"); err != nil {
		return 0, err
	}
	pps, err := field(text, "Rx-pps:")
	if err != nil || pps == 0 {
		return 0, fmt.Errorf("measure dpdk-testpmd: %v packets a second: %w: it printed:\n%s", pps, err, text)
	}
	return 1e9 / pps, nil
}

// field is the number behind a word.
func field(text, word string) (float64, error) {
	_, rest, _ := strings.Cut(text, word)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0, fmt.Errorf("no %q", word)
	}
	return strconv.ParseFloat(words[0], 64)
}

// close ends it.
func (t *testpmd) close() error {
	fmt.Fprintln(t.in, "quit")
	t.in.Close()
	_, _ = io.Copy(io.Discard, t.out)
	return t.cmd.Wait()
}

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sort"
	"strings"
	"time"
)

// answer is how one exchange ended: who answered, "" for nobody, and how often
// it had to be asked again.
type answer struct {
	from    string
	retries int
	err     error
}

// exchanges has count exchanges one after the other. All sockets stay open until
// the end: the kernel gives a closed one's port to another, and two exchanges
// from one port would be one flow.
func exchanges(to netip.AddrPort, count int, mark string, wait time.Duration, tries int) *tally {
	sum := newTally(count)
	for i := range count {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			sum.add(answer{err: err})
			continue
		}
		defer conn.Close()
		sum.add(exchange(conn, fmt.Sprintf("%s-%d", mark, i), wait, tries))
	}
	return sum
}

// exchange asks until the answer to exactly this question has come back.
func exchange(conn *net.UDPConn, question string, wait time.Duration, tries int) answer {
	var last error
	for try := range tries {
		name, err := askOnce(conn, question, wait)
		if err == nil {
			return answer{from: name, retries: try}
		}
		last = err
	}
	return answer{retries: tries - 1, err: last}
}

// askOnce sends the question and waits for its answer. An ICMP error counts as
// no answer, as a time-out does.
func askOnce(conn *net.UDPConn, question string, wait time.Duration) (string, error) {
	if _, err := conn.Write([]byte(question)); err != nil {
		return "", err
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	buf := make([]byte, 65535)
	n, err := conn.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("no answer within %v", wait)
	}
	if err != nil {
		return "", err
	}
	name, echoed, _ := strings.Cut(string(buf[:n]), " ")
	if echoed != question {
		return "", fmt.Errorf("asked %q, answered %q", question, buf[:n])
	}
	return name, nil
}

// tally sums up the exchanges of a run.
type tally struct {
	want, got, retries int
	from               map[string]int
	last               error
}

func newTally(want int) *tally { return &tally{want: want, from: map[string]int{}} }

func (t *tally) add(a answer) {
	t.retries += a.retries
	if a.err != nil {
		t.last = a.err
		return
	}
	t.got++
	t.from[a.from]++
}

// String is "100/100 rs1=50 rs2=50 retries=0", servers in order of their names.
func (t *tally) String() string {
	var parts []string
	for name, n := range t.from {
		parts = append(parts, fmt.Sprintf("%s=%d", name, n))
	}
	sort.Strings(parts)
	parts = append(parts, fmt.Sprintf("retries=%d", t.retries))
	return fmt.Sprintf("%d/%d %s", t.got, t.want, strings.Join(parts, " "))
}

func (t *tally) verdict() error {
	if t.got == t.want {
		return nil
	}
	return fmt.Errorf("ask: %d of %d exchanges without an answer, the last: %w", t.want-t.got, t.want, t.last)
}

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// exchange starts all UDP traffic.
func (s *soak) exchange(p *phase) error {
	for _, echo := range on(s.steady, "udp", echoPort) {
		p.loop(100*time.Millisecond, func(r *rand.Rand) { s.ask("udp", echo, r) })
	}
	for _, rough := range on(s.rough, "udp", modePort) {
		p.loop(200*time.Millisecond, func(r *rand.Rand) { s.ask("udp rough", rough, r) })
	}
	return nil
}

// ask sends a question from a new port until it is answered: links go down, and
// UDP does not repeat.
func (s *soak) ask(kind string, to *site, r *rand.Rand) {
	began, question := time.Now(), strings.Repeat(fmt.Sprintf("%016x", r.Uint64()), 1+r.IntN(80))
	conn, err := net.Dial("udp", to.to().String())
	if err == nil {
		for range 4 {
			if err = askOnce(conn, question); err == nil {
				break
			}
		}
		conn.Close()
	}
	s.tally.record(kind, to, began, uint64(len(question)), err)
}

func askOnce(conn net.Conn, question string) error {
	end := time.Now().Add(time.Second)
	if _, err := conn.Write([]byte(question)); err != nil {
		time.Sleep(time.Until(end)) // an ICMP error of earlier
		return err
	}
	_ = conn.SetReadDeadline(end)
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		time.Sleep(time.Until(end))
		return err
	}
	if _, echoed, _ := strings.Cut(string(answer[:n]), " "); echoed != question {
		return errors.New("other data came back")
	}
	return nil
}

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	patience = 40 * time.Second // of everything that has to succeed, on a busy machine
	rush     = 8 * time.Second  // of connections that may be cut off
)

// connect starts all TCP traffic.
func (s *soak) connect(p *phase) error {
	for _, web := range on(s.steady, "tcp", webPort) {
		p.loop(200*time.Millisecond, func(*rand.Rand) { s.fetch("tcp short", web, "/") })
		p.loop(2*time.Second, func(*rand.Rand) { s.fetch("tcp 1 MB down", web, "/1m.bin") })
		p.loop(4*time.Second, func(r *rand.Rand) { s.upload(web, r) })
		p.loop(2*time.Second, func(*rand.Rand) { s.reset(web) })
	}
	webs := on(s.steady, "tcp", webPort)
	p.loop(time.Second, func(r *rand.Rand) { s.fetch("tcp 64 MB down", webs[r.IntN(len(webs))], "/64m.bin") })
	p.loop(time.Second, func(r *rand.Rand) { s.fetch("tcp slow", webs[r.IntN(len(webs))], "/slow/1m.bin") })
	for _, echo := range on(s.steady, "tcp", longPort) {
		p.loop(time.Second, func(r *rand.Rand) { s.talk(p, "tcp whole phase", echo, r, time.Hour, patience) })
		p.loop(time.Second, func(r *rand.Rand) {
			s.talk(p, "tcp long", echo, r, time.Duration(1+r.IntN(15))*time.Second, patience)
		})
		p.loop(3*time.Second, func(*rand.Rand) { s.silent(p, echo) })
	}
	for _, rough := range s.rough {
		if rough.key.Protocol == "tcp" {
			p.loop(300*time.Millisecond, func(r *rand.Rand) {
				s.talk(p, "tcp rough", rough, r, time.Duration(r.IntN(1000))*time.Millisecond, rush)
			})
		}
	}
	return nil
}

func dial(to *site, wait time.Duration) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: wait, KeepAlive: -1}
	conn, err := dialer.Dial("tcp", to.to().String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), conn.SetDeadline(time.Now().Add(wait))
}

// fetch is one GET on a connection of its own; what comes has to be the file, or
// the server's name.
func (s *soak) fetch(kind string, to *site, path string) {
	began := time.Now()
	n, err := s.get(to, path)
	s.tally.record(kind, to, began, uint64(n), err)
}

func (s *soak) get(to *site, path string) (int64, error) {
	sum := sha256.New()
	n, err := request(to, "GET", path, nil, sum)
	if err != nil {
		return n, fmt.Errorf("GET %s after %d bytes: %w", path, n, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.Contains(s.sums[filepath.Base(path)], got) {
		return n, fmt.Errorf("GET %s: %d bytes with SHA-256 %s, want %s", path, n, got, s.sums[filepath.Base(path)])
	}
	return n, nil
}

// request has one HTTP exchange and writes the answer's body to body.
func request(to *site, method, path string, data []byte, body io.Writer) (int64, error) {
	conn, err := dial(to, patience)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: soak\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", method, path, len(data)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(data); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return 0, fmt.Errorf("status %s", res.Status)
	}
	return io.Copy(body, res.Body)
}

// sums are the SHA-256 of what GET yields, by the last part of the path.
func sums(root string) (map[string]string, error) {
	of := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	all := map[string]string{"/": of([]byte("rs1\n")) + " or " + of([]byte("rs2\n"))}
	for _, name := range []string{"1m.bin", "64m.bin"} {
		data, err := os.ReadFile(filepath.Join(root, "build/lab", name))
		if err != nil {
			return nil, err
		}
		all[name] = of(data)
	}
	return all, nil
}

// upload PUTs random bytes and compares what has arrived at the server.
func (s *soak) upload(to *site, r *rand.Rand) {
	began, data, name := time.Now(), make([]byte, 1+r.IntN(1<<20)), fmt.Sprintf("%x", r.Uint64())
	_, _ = rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%032x", r.Uint64())))).Read(data) // never fails
	_, err := request(to, "PUT", "/upload/"+name, data, io.Discard)
	if err == nil {
		err = s.arrived(name, data)
	}
	s.tally.record("tcp up", to, began, uint64(len(data)), err)
}

func (s *soak) arrived(name string, want []byte) error {
	for _, server := range []string{"rs1", "rs2"} {
		file := filepath.Join(s.lab.dir, server, "upload", name)
		got, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s: %d bytes are not the %d that were sent", file, len(got), len(want))
		}
		return os.Remove(file)
	}
	return fmt.Errorf("upload/%s: on neither server", name)
}

// reset ends a connection in the middle of an answer.
func (s *soak) reset(to *site) {
	began := time.Now()
	conn, err := dial(to, patience)
	if err == nil {
		_, err = conn.Write([]byte("GET /1m.bin HTTP/1.0\r\n\r\n"))
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 1000))
		}
		_ = conn.SetLinger(0) // close sends a reset
		conn.Close()
	}
	s.tally.record("tcp reset", to, began, 1000, err)
}

// talk sends data of changing length over one connection for as long as it may
// live, each time comparing what comes back.
func (s *soak) talk(p *phase, kind string, to *site, r *rand.Rand, life, wait time.Duration) {
	began := time.Now()
	conn, err := dial(to, wait)
	var bytes uint64
	if err == nil {
		for end := began.Add(life); err == nil && time.Now().Before(end) && p.ctx.Err() == nil; {
			var n int
			n, err = echo(conn, r, wait)
			bytes += uint64(n)
			p.sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		}
		if err == nil {
			err = goodbye(conn, wait)
		}
		conn.Close()
	}
	s.tally.record(kind, to, began, bytes, err)
}

func echo(conn *net.TCPConn, r *rand.Rand, wait time.Duration) (int, error) {
	out := make([]byte, 1+r.IntN(16<<10))
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	in := make([]byte, len(out))
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(out); err != nil {
		return 0, err
	}
	if n, err := io.ReadFull(conn, in); err != nil {
		return n, err
	}
	if !bytes.Equal(in, out) {
		return len(in), fmt.Errorf("other data came back than the %d bytes that were sent", len(out))
	}
	return len(in), nil
}

// goodbye ends a connection in order: our FIN is answered by the server's.
func goodbye(conn *net.TCPConn, wait time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(wait))
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("end of connection: %d bytes, %v instead of EOF", n, err)
	}
	return nil
}

// silent says nothing until its flow has timed out, then leaves.
func (s *soak) silent(p *phase, to *site) {
	began := time.Now()
	conn, err := dial(to, patience)
	if err == nil {
		p.sleep(establishedTimeout + 5*time.Second)
		conn.Close()
	}
	s.tally.record("tcp silent", to, began, 0, err)
}

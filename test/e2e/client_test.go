package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// modes are those that forward; the tests of forwarding go over them.
var modes = []string{"fullnat", "dr"}

// service is one of a mode with servers behind it, each with weight 1: HTTP for
// TCP, the echo server for UDP.
func (l *lab) service(mode, protocol string, servers ...string) api.Service {
	l.t.Helper()
	s := api.Service{Protocol: protocol, Address: l.addr("vip-" + mode).String(), Port: 80, Mode: mode, Scheduler: "rr",
		Backends: []api.Backend{}}
	if protocol == "udp" {
		s.Port = 7
	}
	if mode == "fullnat" {
		s.LocalAddresses = []string{l.addr("local").String()}
	}
	for _, server := range servers {
		s.Backends = append(s.Backends, api.Backend{Address: l.addr(server).String(), Port: s.Port})
	}
	return s
}

// add makes such a service in the daemon.
func (d *daemon) add(mode, protocol string, servers ...string) api.Key {
	d.t.Helper()
	s := d.lab.service(mode, protocol, servers...)
	_, err := d.PutService(ctx, s, nil)
	require.NoError(d.t, err)
	key, err := s.Key()
	require.NoError(d.t, err)
	return key
}

// backend is a server of a service.
func (d *daemon) backend(key api.Key, server string) netip.AddrPort {
	return netip.AddrPortFrom(d.lab.addr(server), key.Port)
}

// putBackend adds a server or changes its weight.
func (d *daemon) putBackend(key api.Key, b netip.AddrPort, weight uint32) {
	d.t.Helper()
	_, err := d.PutBackend(ctx, key, api.Backend{Address: b.Addr().String(), Port: b.Port(), Weight: &weight}, nil)
	require.NoError(d.t, err)
}

func (d *daemon) deleteBackend(key api.Key, b netip.AddrPort) {
	d.t.Helper()
	_, err := d.DeleteBackend(ctx, key, b, nil)
	require.NoError(d.t, err)
}

// url is where a service serves a path.
func url(key api.Key, path string) string {
	return fmt.Sprintf("http://%s/%s", netip.AddrPortFrom(key.Address, key.Port), path)
}

var curl = []string{"curl", "-sS", "--noproxy", "*", "--max-time", "60"}

// get is a GET by curl on the client.
func (l *lab) get(key api.Key, path string) (string, error) {
	out, err := l.command("client", append(curl, url(key, path))...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// firstPort is below those that the kernel chooses for clients.
const firstPort = 10000

// getMany makes n requests, each a connection of its own, and returns how often
// each server answered. Each has a port of its own: the kernel may choose one again
// that was closed a moment ago, and whoever sees the client's packets alone (dr, tun)
// takes that for the same flow, as Linux IPVS does.
func (l *lab) getMany(n int, key api.Key, mark string) map[string]int {
	l.t.Helper()
	loop := fmt.Sprintf(`for ((i = 0; i < %d; i++)); do %s --local-port $((%d + i)) '%s?'$i || exit; done`,
		n, strings.Replace(strings.Join(curl, " "), "*", "'*'", 1), firstPort+l.port, url(key, mark))
	l.port += n
	answers := map[string]int{}
	for _, name := range strings.Fields(l.run("client", "bash", "-c", loop)) {
		answers[name]++
	}
	return answers
}

// transfer fetches a file of the servers; the result says whether all of it
// came, and nothing else.
func (l *lab) transfer(key api.Key, path string) <-chan error {
	result := make(chan error, 1)
	sum, cmd := sha256.New(), l.command("client", append(curl, "--fail", url(key, path))...)
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = sum, &stderr
	go func() {
		err := cmd.Run()
		if got, want := hex.EncodeToString(sum.Sum(nil)), fileSum(filepath.Base(path)); err != nil {
			err = fmt.Errorf("%s: %w: %s", url(key, path), err, &stderr)
		} else if got != want {
			err = fmt.Errorf("%s: SHA-256 %s, want %s", url(key, path), got, want)
		}
		result <- err
	}()
	return result
}

// transfers starts n of them.
func (l *lab) transfers(n int, key api.Key, path string) (all []<-chan error) {
	for range n {
		all = append(all, l.transfer(key, path))
	}
	return all
}

// finish waits for transfers, all of which have to succeed.
func (l *lab) finish(all []<-chan error) {
	l.t.Helper()
	for _, one := range all {
		require.NoError(l.t, <-one)
	}
}

var sums sync.Map

// fileSum is the SHA-256 of a file that the servers serve.
func fileSum(name string) string {
	if sum, ok := sums.Load(name); ok {
		return sum.(string)
	}
	data, err := os.ReadFile(filepath.Join(root, "build/lab", name))
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(data)
	text := hex.EncodeToString(sum[:])
	sums.Store(name, text)
	return text
}

// logged is the lines of a server's log (http or udp) that contain a mark.
func (l *lab) logged(server, log, mark string) (out []string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, server, log+".log"))
	require.NoError(l.t, err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, mark) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// dialTCP opens a connection of the client, in the middle of a request.
func (l *lab) dialTCP(key api.Key) (conn *net.TCPConn) {
	l.t.Helper()
	l.in("client", func() (err error) {
		conn, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(key.Address, key.Port)))
		return err
	})
	l.t.Cleanup(func() { conn.Close() })
	_, err := conn.Write([]byte("GET /1m.bin HTTP/1.0\r\n"))
	require.NoError(l.t, err)
	return conn
}

// talk ends the request that dialTCP has begun, and waits for the answer.
func talk(conn *net.TCPConn) error {
	if _, err := conn.Write([]byte("\r\n")); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.ReadAll(conn)
	return err
}

// dialUDP opens a connected socket of the client, on a port of its own.
func (l *lab) dialUDP(key api.Key) (conn *net.UDPConn) {
	l.t.Helper()
	l.in("client", func() (err error) {
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(key.Address, key.Port)))
		return err
	})
	l.t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a question and returns the name of the server that answers it.
func (l *lab) ask(conn *net.UDPConn, question string) string {
	l.t.Helper()
	_, err := conn.Write([]byte(question))
	require.NoError(l.t, err)
	require.NoError(l.t, conn.SetReadDeadline(time.Now().Add(patience)))
	answer := make([]byte, 2048)
	n, err := conn.Read(answer)
	require.NoError(l.t, err, "question %s", question)
	server, echoed, _ := strings.Cut(string(answer[:n]), " ")
	require.Equal(l.t, question, echoed)
	return server
}

// closedPort is a port of a service's address that is no service's.
func closedPort(key api.Key) netip.AddrPort { return netip.AddrPortFrom(key.Address, 81) }

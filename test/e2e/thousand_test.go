package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

const (
	connections = 1000
	changes     = 200
	echoPort    = 9000
)

// TestThousandConnectionsSurviveChanges: backends beside theirs come, go and
// change weight, theirs change weight, and no connection loses or alters a byte.
func TestThousandConnectionsSurviveChanges(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	s := l.service("fullnat", "tcp", "rs1", "rs2")
	s.Port, s.Backends[0].Port, s.Backends[1].Port = echoPort, echoPort, echoPort
	for _, server := range []string{"rs1", "rs2"} {
		l.echo(server, echoPort)
	}
	_, err := d.PutService(ctx, s, nil)
	require.NoError(t, err)
	key, err := s.Key()
	require.NoError(t, err)

	talkers := l.talkers(key, connections)
	for change := range changes {
		d.change(key, change)
		if change%20 == 0 {
			talkers.roundTrip(t)
		}
	}
	talkers.roundTrip(t)
	assert.Equal(t, connections, d.established(netip.AddrPort{}))
	talkers.end(t)
	assert.GreaterOrEqual(t, d.status().Revision, uint64(changes))
	d.stop()
}

// change is one change of backends that carry no connection, or of the weight of
// those that do.
func (d *daemon) change(key api.Key, n int) {
	d.t.Helper()
	other := netip.AddrPortFrom(d.lab.addr("rs2"), echoPort+1+uint16(n/4%10))
	switch n % 4 {
	case 0:
		d.putBackend(key, other, 1)
	case 1:
		d.putBackend(key, d.backend(key, "rs1"), uint32(n/4%3)) // 0 among them: no new flows, old ones go on
	case 2:
		d.putBackend(key, other, uint32(2+n))
	case 3:
		d.deleteBackend(key, other)
	}
}

// talkers are connections that exchange data all the time.
type talkers struct {
	conns   []net.Conn
	rounds  []atomic.Uint64 // exchanges that each has completed
	stop    atomic.Bool
	failed  chan error
	running sync.WaitGroup
}

func (l *lab) talkers(key api.Key, n int) *talkers {
	l.t.Helper()
	ts := &talkers{conns: make([]net.Conn, n), rounds: make([]atomic.Uint64, n), failed: make(chan error, n)}
	l.in("client", func() (err error) {
		for i := range ts.conns {
			if ts.conns[i], err = net.DialTimeout("tcp", netip.AddrPortFrom(key.Address, key.Port).String(), patience); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range ts.conns {
		ts.running.Go(func() { ts.talk(i) })
	}
	return ts
}

// talk sends data of its own and compares checksums of what was sent and what
// came back, from the first byte on.
func (ts *talkers) talk(i int) {
	conn, sent, back := ts.conns[i], sha256.New(), sha256.New()
	defer conn.Close()
	out, in := make([]byte, 700), make([]byte, 700)
	source := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
	for !ts.stop.Load() {
		_, _ = source.Read(out) // never fails
		sent.Write(out)
		_ = conn.SetDeadline(time.Now().Add(3 * patience))
		if _, err := conn.Write(out); err != nil {
			ts.failed <- fmt.Errorf("connection %d, exchange %d: %w", i, ts.rounds[i].Load(), err)
			return
		}
		if _, err := io.ReadFull(conn, in); err != nil {
			ts.failed <- fmt.Errorf("connection %d, exchange %d: %w", i, ts.rounds[i].Load(), err)
			return
		}
		back.Write(in)
		if !bytes.Equal(sent.Sum(nil), back.Sum(nil)) {
			ts.failed <- fmt.Errorf("connection %d, exchange %d: other data came back", i, ts.rounds[i].Load())
			return
		}
		ts.rounds[i].Add(1)
		time.Sleep(100 * time.Millisecond) // a thousand of them share two cores with the gateway
	}
}

// roundTrip waits until every connection has begun and completed an exchange.
func (ts *talkers) roundTrip(t *testing.T) {
	t.Helper()
	before := make([]uint64, len(ts.conns))
	for i := range before {
		before[i] = ts.rounds[i].Load()
	}
	for i := range ts.conns {
		for end := time.Now().Add(3 * patience); ts.rounds[i].Load() < before[i]+2; time.Sleep(time.Millisecond) {
			select {
			case err := <-ts.failed:
				require.NoError(t, err)
			default:
				require.True(t, time.Now().Before(end), "connection %d stands still", i)
			}
		}
	}
}

func (ts *talkers) end(t *testing.T) {
	t.Helper()
	ts.stop.Store(true)
	ts.running.Wait()
	close(ts.failed)
	for err := range ts.failed {
		assert.NoError(t, err)
	}
}

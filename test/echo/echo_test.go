package main

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever asks 127.0.0.2 hears from 127.0.0.2, or a connected socket would not
// hear it; for IPv6 there is only one loopback address.
func TestAnswersFromAddressAsked(t *testing.T) {
	for _, c := range []struct{ family, asked string }{{"udp4", "127.0.0.2"}, {"udp6", "::1"}} {
		t.Run(c.family, func(t *testing.T) {
			var log bytes.Buffer
			s, err := listen(c.family, 0, "rs1", &log)
			require.NoError(t, err)
			done := make(chan error)
			go func() { done <- s.serve() }()

			port := uint16(s.conn.LocalAddr().(*net.UDPAddr).Port)
			to := netip.AddrPortFrom(netip.MustParseAddr(c.asked), port)
			sum := exchanges(to, 3, "hello", 5*time.Second, 1)
			s.conn.Close()
			<-done
			assert.NoError(t, sum.verdict())
			assert.Equal(t, "3/3 rs1=3 retries=0", sum.String())
			assert.Equal(t, 3, bytes.Count(log.Bytes(), []byte(c.asked+" hello-")))
		})
	}
}

func TestAskWithoutServer(t *testing.T) {
	unused, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	to := unused.LocalAddr().(*net.UDPAddr).AddrPort()
	unused.Close()

	sum := exchanges(to, 1, "hello", 50*time.Millisecond, 2)
	assert.Error(t, sum.verdict())
	assert.Equal(t, "0/1 retries=1", sum.String())
}

// A thousand exchanges come from a thousand ports: each is a flow of its own.
func TestEveryExchangeFromNewPort(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer server.Close()
	seen := map[uint16]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for len(seen) < 1000 {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil || seen[from.Port()] {
				return
			}
			seen[from.Port()] = true
			_, _ = server.WriteToUDPAddrPort(append([]byte("rs "), buf[:n]...), from)
		}
	}()
	sum := exchanges(server.LocalAddr().(*net.UDPAddr).AddrPort(), 1000, "hello", 5*time.Second, 1)
	assert.NoError(t, sum.verdict())
	server.Close()
	<-done
	assert.Len(t, seen, 1000)
}

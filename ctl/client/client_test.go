package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/client"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func connect(t *testing.T, engine *servertest.Engine) *client.Client {
	c := &client.Client{Socket: servertest.Start(t, engine, server.Options{})}
	t.Cleanup(c.Close)
	return c
}

func key(t *testing.T, s string) api.Key {
	k, err := api.ParseKey(s)
	require.NoError(t, err)
	return k
}

func web() api.Service {
	weight := uint32(3)
	return api.Service{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "fullnat", LocalAddresses: []string{"10.0.1.1"},
		Backends: []api.Backend{{Address: "10.0.1.11"}, {Address: "10.0.1.12", Port: 8080, Weight: &weight}}}
}

func TestServices(t *testing.T) {
	c := connect(t, &servertest.Engine{})
	revision, err := c.PutService(ctx, web(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, revision)

	want, err := web().Canonical()
	require.NoError(t, err)
	k := key(t, "tcp:10.0.0.100:80")
	got, revision, err := c.Service(ctx, k)
	require.NoError(t, err)
	require.EqualValues(t, 1, revision)
	require.Equal(t, want, got)

	without := want
	without.Backends, without.Scheduler = nil, "rr"
	_, err = c.PutService(ctx, without, nil)
	require.NoError(t, err)
	got, _, err = c.Service(ctx, k)
	require.NoError(t, err)
	require.Equal(t, "rr", got.Scheduler)
	require.Equal(t, want.Backends, got.Backends)

	_, err = c.PutBackend(ctx, k, api.Backend{Address: "10.0.1.13", Port: 80}, nil)
	require.NoError(t, err)
	_, err = c.DeleteBackend(ctx, k, netip.MustParseAddrPort("10.0.1.11:80"), nil)
	require.NoError(t, err)
	list, err := c.Services(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, list.Revision)
	require.Len(t, list.Services[0].Backends, 2)

	_, err = c.DeleteService(ctx, k, nil)
	require.NoError(t, err)
	revision, err = c.ReplaceServices(ctx, []api.Service{web()}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 6, revision)
	_, err = c.ReplaceServices(ctx, nil, &revision)
	require.NoError(t, err)
	list, err = c.Services(ctx)
	require.NoError(t, err)
	require.Empty(t, list.Services)
}

func TestErrorsArriveWhole(t *testing.T) {
	c := connect(t, &servertest.Engine{})
	_, _, err := c.Service(ctx, key(t, "tcp:10.0.0.100:80"))
	require.True(t, api.IsKind(err, api.NotFound))
	require.EqualError(t, err, "service: tcp:10.0.0.100:80: no such service: list them with: sluicectl service list")

	bad := web()
	bad.Scheduler, bad.Mode = "fastest", "nat"
	_, err = c.PutService(ctx, bad, nil)
	var one *api.Error
	require.ErrorAs(t, err, &one)
	require.Equal(t, &api.Error{Kind: api.Invalid, Field: "local_addresses", Value: "10.0.1.1",
		Why: "mode nat has no local addresses", Remedy: "leave them out, or use mode fullnat or tun"}, one)

	bad.Backends[0].Address, bad.Backends[1].Address = "x", "y"
	_, err = c.PutService(ctx, bad, nil)
	var many api.Errors
	require.ErrorAs(t, err, &many)
	require.Len(t, many, 3)

	_, err = c.ReplaceServices(ctx, nil, new(uint64(7)))
	require.True(t, api.IsKind(err, api.Stale))
}

// TestConcurrentWriters: each adds its own backends to a list that it has read.
// Without the condition some would overwrite others' additions.
func TestConcurrentWriters(t *testing.T) {
	engine := &servertest.Engine{}
	c := connect(t, engine)
	_, err := c.PutService(ctx, api.Service{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "fullnat"}, nil)
	require.NoError(t, err)
	k := key(t, "tcp:10.0.0.100:80")
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for i := range 10 {
				if err := addByReplacing(c, k, fmt.Sprintf("10.0.%d.%d", writer+1, i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	list := engine.Services()
	require.Len(t, list.Services[0].Backends, 80)
	require.EqualValues(t, 81, list.Revision)
}

func addByReplacing(c *client.Client, k api.Key, address string) error {
	for {
		s, revision, err := c.Service(ctx, k)
		if err != nil {
			return err
		}
		s.Backends = append(s.Backends, api.Backend{Address: address})
		if _, err := c.PutService(ctx, s, &revision); !api.IsKind(err, api.Stale) {
			return err
		}
	}
}

func TestState(t *testing.T) {
	engine := &servertest.Engine{
		State: api.Status{Version: "1.2.3", Flows: 1 << 60}, PortList: []api.Port{{Name: "wan", RxPackets: 1<<64 - 1}},
		Loops: []api.Worker{{ID: 1, Busy: 0.5}}, Ends: []api.Verdict{{Name: "forwarded", Workers: []uint64{1, 2}}},
		Traffic: []api.ServiceCounters{
			{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Traffic: api.Traffic{Flows: 9}, Backends: []api.BackendCounters{}},
			{Protocol: "udp", Address: "2001:db8::1", Port: 53, Backends: []api.BackendCounters{}}},
	}
	c := connect(t, engine)
	status, err := c.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, engine.State, status)
	ports, err := c.Ports(ctx)
	require.NoError(t, err)
	require.Equal(t, engine.PortList, ports)
	workers, err := c.Workers(ctx)
	require.NoError(t, err)
	require.Equal(t, engine.Loops, workers)
	verdicts, err := c.Verdicts(ctx)
	require.NoError(t, err)
	require.Equal(t, engine.Ends, verdicts)
	counters, err := c.Counters(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, engine.Traffic, counters)
	k := key(t, "udp:[2001:db8::1]:53")
	counters, err = c.Counters(ctx, &k)
	require.NoError(t, err)
	require.Equal(t, engine.Traffic[1:], counters)
}

func flows() (out []api.Flow) {
	for i := range 100 {
		out = append(out, api.Flow{Protocol: "tcp", Client: fmt.Sprintf("192.0.2.%d:1024", i%10+1), Virtual: "10.0.0.100:80",
			Backend: fmt.Sprintf("10.0.1.%d:%d", i%2+11, 80+i%4/2)})
	}
	return append(out, api.Flow{Protocol: "udp", Client: "[2001:db8::7]:5", Virtual: "[2001:db8::1]:53", Backend: "[2001:db8::11]:53"})
}

func TestFlows(t *testing.T) {
	c := connect(t, &servertest.Engine{FlowList: flows()})
	web, dns := key(t, "tcp:10.0.0.100:80"), key(t, "udp:[2001:db8::1]:53")
	for want, filter := range map[int]api.FlowFilter{
		101: {},
		100: {Service: &web},
		1:   {Service: &dns, Client: netip.MustParseAddr("2001:db8::7"), Backend: netip.MustParseAddrPort("[2001:db8::11]:53")},
		10:  {Client: netip.MustParseAddr("192.0.2.3")},
		50:  {Backend: netip.AddrPortFrom(netip.MustParseAddr("10.0.1.11"), 0)},
		25:  {Backend: netip.MustParseAddrPort("10.0.1.11:81")},
		7:   {Limit: 7},
	} {
		n := 0
		require.NoError(t, c.Flows(ctx, filter, func(api.Flow) error { n++; return nil }))
		require.Equal(t, want, n, "%+v", filter)
	}
}

func TestFlowsEmitStops(t *testing.T) {
	engine := &servertest.Engine{FlowList: slices.Repeat(flows(), 1000), FlowsEnded: make(chan error, 1)}
	c := connect(t, engine)
	enough := errors.New("enough")
	require.Equal(t, enough, c.Flows(ctx, api.FlowFilter{}, func(api.Flow) error { return enough }))
	require.Error(t, <-engine.FlowsEnded, "the server must notice")
}

func TestFlowsCutShort(t *testing.T) {
	engine := &servertest.Engine{FlowList: slices.Repeat(flows(), 50), FlowsFail: errors.New("boom")}
	err := connect(t, engine).Flows(ctx, api.FlowFilter{}, func(api.Flow) error { return nil })
	require.ErrorContains(t, err, "cut short")
}

func TestZeroValue(t *testing.T) {
	t.Setenv(client.SocketEnv, "")
	require.Equal(t, api.DefaultSocket, new(client.Client).Path())
	t.Setenv(client.SocketEnv, servertest.Start(t, &servertest.Engine{State: api.Status{Version: "9"}}, server.Options{}))
	var c client.Client
	defer c.Close()
	status, err := c.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, "9", status.Version)
}

func TestDial(t *testing.T) {
	socket := servertest.Start(t, &servertest.Engine{}, server.Options{})
	dialed := 0
	c := &client.Client{Socket: "/nowhere", Dial: func(ctx context.Context) (net.Conn, error) {
		dialed++
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer c.Close()
	for range 3 {
		_, err := c.Services(ctx)
		require.NoError(t, err)
	}
	require.Equal(t, 1, dialed, "connections are used again")
}

func TestConnectErrorsTeach(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "control.sock")
	_, err := (&client.Client{Socket: missing}).Status(ctx)
	require.ErrorContains(t, err, "cannot reach sluiced: "+missing+": no such file: is it running?")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, 1, strings.Count(err.Error(), missing), "said once")

	dead, err := net.Listen("unix", missing)
	require.NoError(t, err)
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	_, err = (&client.Client{Socket: missing}).Status(ctx)
	require.ErrorContains(t, err, "nobody listens")
}

func TestStranger(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	stranger := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.NotFoundHandler()}}
	stranger.Start()
	defer stranger.Close()
	c := client.Client{Socket: ln.Addr().String()}
	defer c.Close()
	_, err = c.Status(ctx)
	require.ErrorContains(t, err, "404 Not Found: no problem document")
}

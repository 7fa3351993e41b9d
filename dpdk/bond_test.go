package dpdk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

const bondOf01 = "member=(net_af_packet0,iface=dpdk0),member=(net_af_packet1,iface=dpdk1)"

// Active-backup: frames go out of the member that has a carrier, the configured
// primary if it has one.
func TestBondFailsOver(t *testing.T) {
	for _, c := range []struct {
		name, args string
		primary    bool
	}{{"first come", "", false}, {"primary", ",primary=net_af_packet0", true}} {
		t.Run(c.name, func(t *testing.T) {
			namespace(t)
			addVeth(t, "0", 1)
			addVeth(t, "1", 1)
			pool := newPool(t, 4095)
			p := attach(t, PortConfig{Name: "wan", Device: "net_bonding0,mode=1," + bondOf01 + c.args, Pool: pool})
			assert.Equal(t, packet.MAC{2, 0, 0, 0, 0, 1}, p.Info().MAC, "the first member's")
			assert.True(t, p.LinkUp())
			hasLimit(t, p, "members do not know their carrier")
			peers := [2]int{rawSocket(t, "peer0"), rawSocket(t, "peer1")}

			goesTo(t, p, peers, 0)
			exchangeOne(t, p, peers[0])
			setLink(t, "peer0", false)
			goesTo(t, p, peers, 1)
			exchangeOne(t, p, peers[1])
			setLink(t, "peer0", true)
			if c.primary {
				goesTo(t, p, peers, 0)
			} else {
				goesTo(t, p, peers, 1)
			}
			setLink(t, "peer0", false)
			goesTo(t, p, peers, 1)
			setLink(t, "peer1", false)
			require.Eventually(t, func() bool { return !p.LinkUp() }, 10*time.Second, time.Millisecond)
			setLink(t, "peer1", true)
			require.Eventually(t, p.LinkUp, 10*time.Second, time.Millisecond)
			goesTo(t, p, peers, 1)
		})
	}
}

// goesTo waits until what the port transmits comes out at one peer, and then at
// no other.
func goesTo(t *testing.T, p *Port, peers [2]int, want int) {
	t.Helper()
	require.Eventually(t, func() bool {
		pending(peers[0])
		pending(peers[1])
		transmit(t, p, testFrame(1))
		return pending(peers[want]) > 0 && pending(peers[1-want]) == 0
	}, 20*time.Second, time.Millisecond)
}

// exchangeOne sends a frame to the port and back; members may still have frames
// of before an outage in their rings.
func exchangeOne(t *testing.T, p *Port, peer int) {
	t.Helper()
	pending(peer)
	want := testFrame(5)
	sendRaw(t, peer, want)
	require.Equal(t, want, receive(t, p))
	want[14] = 99
	transmit(t, p, want)
	require.Equal(t, want, readIncoming(t, peer, make([]byte, 2048)))
}

// LACP against another bond of DPDK's: this kernel may have none. Each side is
// polled as a worker polls it.
func TestBondLACP(t *testing.T) {
	namespace(t)
	addVeth(t, "0", 1)
	addVeth(t, "1", 1)
	pool := newPool(t, 8191)
	near := attach(t, PortConfig{Name: "near", Device: "net_bonding0,mode=4,xmit_policy=l34," + bondOf01, Pool: pool})
	far := attach(t, PortConfig{Name: "far", Device: "net_bonding1,mode=4,xmit_policy=l34," +
		"member=(net_af_packet2,iface=peer0),member=(net_af_packet3,iface=peer1)", Pool: pool})
	hasLimit(t, near, "LACP notices a dead one after 90 s")
	reaches(t, near, far)
	reaches(t, far, near)
	s, err := near.Stats()
	require.NoError(t, err)
	assert.NotZero(t, s.RxPackets)
	assert.True(t, near.LinkUp())
	setLink(t, "peer0", false)
	assert.True(t, near.LinkUp(), "one has a carrier")
	setLink(t, "peer1", false)
	require.Eventually(t, func() bool { return !near.LinkUp() }, 10*time.Second, time.Millisecond)
}

// reaches wants frames of 16 flows in a row to arrive, until they do.
func reaches(t *testing.T, from, to *Port) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		arrived := 0
		for flow := range uint16(16) {
			frame := udpFrame(flow)
			copy(frame, to.info.MAC[:])
			copy(frame[6:], from.info.MAC[:])
			transmit(t, from, frame)
			arrived += count(to)
			count(from)
		}
		if arrived == 16 {
			return
		}
	}
	t.Fatal("no way through within 60 s")
}

// count polls a port for a while and tells how many UDP frames there were.
func count(p *Port) (n int) {
	var burst packet.Burst
	for range 20 {
		k := p.Rx(0, &burst)
		for _, b := range burst[:k] {
			if b.Bytes()[12] == 0x08 {
				n++
			}
		}
		p.pool.Free(&burst, k)
		time.Sleep(50 * time.Microsecond)
	}
	return n
}

func TestBondErrors(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	for device, want := range map[string][]string{
		"net_bonding0,mode=1":                                                                   {"without members", "member=("},
		"net_bonding0,member=(net_af_packet0,iface=dpdk0)":                                      {"no mode", "mode=1"},
		"net_bonding0,mode=1,member=(net_af_packet0,iface=dpdk0":                                {"brackets"},
		"net_bonding0,mode=1,member=((net_af_packet0))":                                         {"brackets"},
		"net_bonding0,mode=1,member=(net_af_packet0,iface=nosuch0)":                             {"member of", "nosuch0", "ip link"},
		"net_bonding0,mode=1,member=(net_af_packet0,iface=dpdk0),member=0000:ff:1f.7":           {"member of", "lspci"},
		"net_bonding0,mode=1,member=(net_af_packet0,iface=dpdk0),member=(net_null0,nonsense=1)": {"member of", "net_null0"},
	} {
		_, err := Attach(PortConfig{Name: "wan", Device: device, Pool: pool})
		require.Error(t, err, device)
		t.Log(err)
		for _, text := range want {
			assert.ErrorContains(t, err, text)
		}
	}
	_, err := Attach(PortConfig{Name: "wan", Device: "net_bonding0,mode=1,member=(net_af_packet0,iface=dpdk0)", Queues: 2,
		RSSKey: make([]byte, 40), Pool: pool})
	assert.ErrorContains(t, err, "add qpairs=2 to each member")
	before := fds(t)
	for range 5 {
		p, err := Attach(PortConfig{Name: "wan", Device: "net_bonding0,mode=1,member=(net_af_packet0,iface=dpdk0)", Pool: pool})
		require.NoError(t, err, "the failures have left nothing")
		require.NoError(t, p.Close())
	}
	assert.Equal(t, before, fds(t))
}

package kernel

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// stop ends a path as a daemon does that keeps its twins.
func (p *testPath) stop() {
	require.NoError(p.t, p.Path.Close())
	require.Zero(p.t, p.pool.InUse(), "buffers lost")
	require.FileExists(p.t, p.state)
}

// A connection of the gateway's own kernel lives through restarts: the device
// stays silent all the while, so that nobody answers in the twin's place, and
// Recover brings everything back.
func TestConnectionSurvivesRestart(t *testing.T) {
	needNamespace(t)
	h := soundHost(t)
	before, links := takePicture(t, "lan0"), linkNames(t)
	cfg := Config{Keep: true, TakeOver: true, StateFile: filepath.Join(t.TempDir(), "state")}
	p := openPath(t, cfg, portTo(t, "lan0"))
	require.NoError(t, p.Start())
	f := forward(t, p, 0, "lan0")
	listener, err := net.Listen("tcp4", "10.1.0.1:179")
	require.NoError(t, err)
	defer listener.Close()
	var far net.Conn
	h.do(func() (err error) { far, err = net.Dial("tcp4", "10.1.0.1:179"); return err })
	defer far.Close()
	near, err := listener.Accept()
	require.NoError(t, err)
	defer near.Close()
	index := p.twins[0].index

	for _, end := range []string{"stopped", "killed"} {
		f.close()
		if end == "stopped" {
			p.stop()
		} else {
			require.NoError(t, p.mirror.close())
			p.news.close()
			require.NoError(t, p.pump.close())
			require.NoError(t, p.twins[0].file.Close())
		}
		require.Empty(t, addressList(t, "lan0"), "the device stays silenced")
		require.Contains(t, tables(t), "sluice-lan0")
		require.ElementsMatch(t, before.Addresses, addressList(t, "sl-lan0"))
		_, err = far.Write([]byte("while nobody is there"))
		require.NoError(t, err)

		p = openPath(t, cfg, portTo(t, "lan0"))
		require.Equal(t, index, p.twins[0].index)
		require.NoError(t, p.Start())
		f = forward(t, p, 0, "lan0")
		require.ElementsMatch(t, before.Addresses, addressList(t, "sl-lan0"))
		received := make([]byte, 64)
		n, err := near.Read(received)
		require.NoError(t, err)
		require.Equal(t, "while nobody is there", string(received[:n]))
		_, err = near.Write([]byte("thanks"))
		require.NoError(t, err)
		n, err = far.Read(received)
		require.NoError(t, err)
		require.Equal(t, "thanks", string(received[:n]))
	}
	f.close()
	p.stop()
	require.NoError(t, Recover(cfg.StateFile, quiet))
	samePicture(t, before, "lan0")
	require.Equal(t, links, linkNames(t))
	require.NoFileExists(t, cfg.StateFile)
	require.Equal(t, 1, h.ping("10.1.0.1", long))
}

// A daemon that does not keep ends what earlier ones have kept.
func TestLastOneTidiesUp(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	before, links := takePicture(t, "lan0"), linkNames(t)
	cfg := Config{Keep: true, StateFile: filepath.Join(t.TempDir(), "state")}
	old := portNumber(1)
	old.TwinName = "old-name"
	p := openPath(t, cfg, portTo(t, "lan0", "10.1.0.1/24"), old)
	p.stop()
	require.NoError(t, addAddr("lan0", "10.1.0.77/24")) // by hand, while nobody is there
	before.Addresses = append(before.Addresses, "10.1.0.77/24")

	cfg.Keep = false
	p = openPath(t, cfg, portTo(t, "lan0", "10.1.0.1/24"), portNumber(1))
	require.Empty(t, addressList(t, "lan0"))
	require.NotContains(t, linkNames(t), "old-name", "the configuration calls it otherwise now")
	p.close()
	samePicture(t, before, "lan0")
	require.Equal(t, links, linkNames(t))
}

// A port that is not configured any more gets its device back at once.
func TestDeviceThatIsNotNeeded(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	before := takePicture(t, "lan0")
	cfg := Config{Keep: true, StateFile: filepath.Join(t.TempDir(), "state")}
	openPath(t, cfg, portTo(t, "lan0", "10.1.0.1/24")).stop()
	p := openPath(t, Config{StateFile: cfg.StateFile}, portNumber(0))
	require.ElementsMatch(t, before.Addresses, addressList(t, "lan0"))
	require.Empty(t, tables(t))
	require.NotContains(t, linkNames(t), "sl-lan0")
	p.close()
	redirected, err := readSysctl(redirects)
	require.NoError(t, err)
	require.Equal(t, "1", redirected)
}

// A start that fails changes nothing: neither what runs have kept, nor what none
// has touched.
func TestFailedStartKeepsWhatWasKept(t *testing.T) {
	needNamespace(t)
	soundHost(t)
	cfg := Config{Keep: true, StateFile: filepath.Join(t.TempDir(), "state")}
	fail := func() {
		bad := portNumber(1)
		bad.Devices = []string{"nosuch0"}
		rings := []*packet.KernelRings{packet.NewKernelRings(2, 8)}
		_, err := Open(cfg, []PortSpec{portTo(t, "lan0", "10.1.0.1/24"), bad}, newPool(), rings, new(service.NextHops), nil, quiet)
		require.ErrorContains(t, err, "nosuch0")
	}
	before, links := takePicture(t, "lan0"), linkNames(t)
	fail()
	samePicture(t, before, "lan0")
	require.Equal(t, links, linkNames(t))
	require.NoFileExists(t, cfg.StateFile)

	openPath(t, cfg, portTo(t, "lan0", "10.1.0.1/24")).stop()
	kept, links := takePicture(t, "lan0"), linkNames(t)
	fail()
	samePicture(t, kept, "lan0")
	require.Equal(t, links, linkNames(t))
	require.Equal(t, []string{"10.1.0.1/24"}, addressList(t, "sl-lan0"))
	link, err := netlink.LinkByName("sl-lan0")
	require.NoError(t, err)
	require.NotZero(t, link.Attrs().RawFlags&unix.IFF_UP)
	require.NoError(t, Recover(cfg.StateFile, quiet))
	samePicture(t, before, "lan0")
}

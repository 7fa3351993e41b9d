package dpdk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeviceStrings(t *testing.T) {
	for _, c := range []struct {
		text, driver, dpdk string
		mtu                uint16
		interfaces         []string
	}{
		{"net_null0", null, "net_null0", 1500, nil},
		{"net_nosuch0,a=b,c=d", "", "net_nosuch0,a=b,c=d", 1500, nil},
		{"03:00.0", pci, "03:00.0", 9000, nil},
		{"net_af_packet7,iface=eth0", afPacket, "net_af_packet7,iface=eth0", 1500, []string{"eth0"}},
		{"net_af_packet7,iface=eth0", afPacket, "net_af_packet7,iface=eth0,framesz=9088,blocksz=290816,framecnt=512", 9000, []string{"eth0"}},
		{"net_af_xdp0,iface=eth0", afXDP, "net_af_xdp0,iface=eth0", 1500, []string{"eth0"}},
		{"net_tap0,iface=t0", tap, "net_tap0,iface=t0", 1500, nil},
		{"net_bonding0,mode=1,member=(net_af_packet0,iface=a,qpairs=2),slave=0000:03:00.0,primary=net_af_packet0", bonding,
			"net_bonding0,mode=1,primary=net_af_packet0,slave=net_af_packet0,slave=0000:03:00.0", 9000, []string{"a"}},
	} {
		d, err := parseDevice(c.text)
		require.NoError(t, err)
		assert.Equal(t, c.driver, d.driver)
		assert.Equal(t, c.dpdk, d.dpdk(c.mtu))
		assert.Equal(t, c.interfaces, Interfaces(c.text))
	}
}

func TestOnlyOurPCIDevicesAreTaken(t *testing.T) {
	c := testConfig("pci")
	assert.Subset(t, c.args(), []string{"--no-pci", "--iova-mode=va"})
	c.Devices = []string{"net_null0", "0000:03:00.0,arg=1", "net_bonding0,mode=4,member=04:00.0,member=04:00.1"}
	assert.Subset(t, c.args(), []string{"--allow=0000:03:00.0,arg=1", "--allow=04:00.0", "--allow=04:00.1"})
	assert.NotContains(t, c.args(), "--no-pci")
	c.PCI = true
	assert.NotContains(t, c.args(), "--allow=04:00.0")
	assert.NotContains(t, c.args(), "--no-pci")
}

// A ring frame holds headers, tags and packet; whatever the MTU, the buffer that
// fits the MTU satisfies the driver, and a block is whole frames and pages.
func TestRingFrames(t *testing.T) {
	for mtu := 68; mtu <= 9500; mtu++ {
		frame := ringFrame(uint16(mtu))
		require.GreaterOrEqual(t, frame, mtu+ringHeader)
		if frame == defaultRingFrame {
			continue
		}
		require.LessOrEqual(t, frame-32, mtu+linkOverhead+ringSlack)
		require.Zero(t, frame%16, "TPACKET_ALIGNMENT")
	}
}

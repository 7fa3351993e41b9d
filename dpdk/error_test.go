package dpdk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttachErrorsSayWhatToDo(t *testing.T) {
	pool := newPool(t, 511)
	attach(t, PortConfig{Name: "there", Device: "net_null20", Pool: pool})
	cases := []struct {
		name string
		c    PortConfig
		want []string
	}{
		{"missing interface", PortConfig{Device: "net_af_packet0,iface=nosuch0", Pool: pool}, []string{"nosuch0", "ip link"}},
		{"no interface", PortConfig{Device: "net_af_packet0", Pool: pool}, []string{"iface=NAME"}},
		{"no device", PortConfig{Pool: pool}, []string{"empty"}},
		{"wrong driver", PortConfig{Device: "net_nosuch0", Pool: pool}, []string{"net_nosuch0", "check driver name"}},
		{"wrong argument", PortConfig{Device: "net_null21,bogus=1", Pool: pool}, []string{"bogus", "arguments"}},
		{"missing file", PortConfig{Device: "net_pcap9,rx_pcap=/nosuch.pcap", Pool: pool}, []string{"/nosuch.pcap"}},
		{"attached already", PortConfig{Device: "net_null20", Pool: pool}, []string{"net_null20", "another number"}},
		{"too many queues", PortConfig{Device: "net_ring9", Queues: 200, RSSKey: make([]byte, 40), Pool: pool}, []string{"200", "workers"}},
		{"queues without key", PortConfig{Device: "net_null21", Queues: 2, Pool: pool}, []string{"RSS key", "40 bytes"}},
		{"MTU above data room", PortConfig{Device: "net_null21", MTU: 2040, Pool: pool}, []string{"2040", "2030"}},
		{"MTU too small", PortConfig{Device: "net_null21", MTU: 20, Pool: pool}, []string{"20", "in between"}},
		{"memif without folder", PortConfig{Device: "net_memif9,socket-abstract=no,socket=/nosuch/m", Pool: pool}, []string{"no directory /nosuch", "mkdir -p /nosuch"}},
		{"vhost without folder", PortConfig{Device: "net_vhost9,iface=/nosuch/v", Pool: pool}, []string{"mkdir -p /nosuch"}},
		{"vhost without socket", PortConfig{Device: "net_vhost9", Pool: pool}, []string{"iface=/path"}},
		{"vhost with few queues", PortConfig{Device: "net_vhost9,client=1,iface=/tmp/none", Queues: 2, RSSKey: make([]byte, 40), Pool: pool}, []string{"queues=2"}},
		{"nobody at vhost", PortConfig{Device: "net_virtio_user9,path=/nosuch", Pool: pool}, []string{"no /nosuch", "server=1"}},
		{"no path", PortConfig{Device: "net_virtio_user9", Pool: pool}, []string{"path=/path"}},
		{"tap name taken", PortConfig{Device: "net_tap9,iface=lo", Pool: pool}, []string{"there already", "net_af_packet0,iface=lo"}},
		{"no pool", PortConfig{Device: "net_null21"}, []string{"NewPool"}},
		{"PCI address", PortConfig{Device: "ffff:ff:1f.7", Pool: pool}, []string{"lspci"}},
		{"ring size", PortConfig{Device: "net_null21", RxRing: 1 << 20, Pool: pool}, []string{"32768"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.c.Name = "wan"
			_, err := Attach(c.c)
			require.Error(t, err)
			t.Log(err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	assert.Len(t, process.ports, 1+countNil(process.ports), "a failed attachment keeps no index")
}

// A made-up sysfs: this machine has no NIC to bind.
func TestPCIDeviceOfTheKernel(t *testing.T) {
	devices := t.TempDir()
	for address, driver := range map[string]string{"0000:03:00.0": "ixgbe", "0000:03:00.1": "", "0000:03:00.2": "vfio-pci"} {
		require.NoError(t, os.Mkdir(filepath.Join(devices, address), 0o755))
		if driver != "" {
			require.NoError(t, os.Symlink("../../drivers/"+driver, filepath.Join(devices, address, "driver")))
		}
	}
	assert.ErrorContains(t, checkPCI(devices, device{name: "03:00.0"}.pciAddress()), "ixgbe has it: take it off the kernel: dpdk-devbind.py --bind=vfio-pci 0000:03:00.0")
	assert.ErrorContains(t, checkPCI(devices, "0000:03:00.1"), "bound to no driver")
	assert.ErrorContains(t, checkPCI(devices, "0000:03:00.2"), "EALConfig.Devices")
	assert.ErrorContains(t, checkPCI(devices, "0000:03:00.3"), "none of that address")
}

func countNil(ports []*Port) (n int) {
	for _, p := range ports {
		if p == nil {
			n++
		}
	}
	return n
}

func TestConfigErrorsSayWhatToDo(t *testing.T) {
	cases := []struct {
		name   string
		change func(*EALConfig)
		want   []string
	}{
		{"no prefix", func(c *EALConfig) { c.Prefix = "" }, []string{"EAL prefix", "letters"}},
		{"path as prefix", func(c *EALConfig) { c.Prefix = "../x" }, []string{`"../x"`}},
		{"dots as prefix", func(c *EALConfig) { c.Prefix = ".." }, []string{`".."`}},
		{"missing core", func(c *EALConfig) { c.WorkerCores = []int{1000} }, []string{"1000", "choose one of"}},
		{"missing main core", func(c *EALConfig) { c.MainCore = -1 }, []string{"-1", "choose one of"}},
		{"no workers", func(c *EALConfig) { c.WorkerCores = nil }, []string{"1 to 127"}},
		{"much memory", func(c *EALConfig) { c.MemoryMB = 1 << 30 }, []string{"available"}},
		{"negative memory", func(c *EALConfig) { c.MemoryMB = -1 }, []string{"negative"}},
		{"many hugepages", func(c *EALConfig) { c.Hugepages, c.MemoryMB = true, 1<<30 }, []string{"vm.nr_hugepages"}},
		{"help", func(c *EALConfig) { c.Extra = []string{"--help"} }, []string{"--help"}},
		{"second prefix", func(c *EALConfig) { c.Extra = []string{"--file-prefix=x"} }, []string{"--file-prefix=x"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig("bad")
			c.change(&config)
			err := config.check()
			require.Error(t, err)
			t.Log(err)
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	require.NoError(t, testConfig("good").check())
}

func TestCPUList(t *testing.T) {
	l, err := parseCPUList("0-2,8,10-11")
	require.NoError(t, err)
	assert.Equal(t, map[int]bool{0: true, 1: true, 2: true, 8: true, 10: true, 11: true}, l.cpus)
	_, err = parseCPUList("a-b")
	assert.Error(t, err)
}

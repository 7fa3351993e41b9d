package dpdk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

func writePcap(t *testing.T, path string, frames [][]byte) {
	f, err := os.Create(path)
	require.NoError(t, err)
	w := pcapgo.NewWriter(f)
	require.NoError(t, w.WriteFileHeader(65535, layers.LinkTypeEthernet))
	for _, frame := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(frame), Length: len(frame)}
		require.NoError(t, w.WritePacket(info, frame))
	}
	require.NoError(t, f.Close())
}

func readPcap(t *testing.T, path string) (frames [][]byte) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	require.NoError(t, err)
	for data, _, err := r.ReadPacketData(); err == nil; data, _, err = r.ReadPacketData() {
		frames = append(frames, bytes.Clone(data))
	}
	return frames
}

// An independent implementation writes the frames, and reads what we sent.
func TestPcapInAndOut(t *testing.T) {
	pool := newPool(t, 511)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "out.pcap")
	var want [][]byte
	for size := 60; size <= 1514; size += 11 {
		frame := bytes.Repeat([]byte{byte(size)}, size)
		frame[0] = 2
		want = append(want, frame)
	}
	writePcap(t, in, want)
	p, err := Attach(PortConfig{Name: "pcap", Device: "net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out, Pool: pool})
	require.NoError(t, err)
	var burst packet.Burst
	seen := 0
	for n := p.Rx(0, &burst); n > 0; n = p.Rx(0, &burst) {
		for _, b := range burst[:n] {
			assert.Equal(t, want[seen], b.Bytes())
			seen++
		}
		assert.Equal(t, n, p.Tx(0, &burst, n))
	}
	assert.Len(t, want, seen)
	require.NoError(t, p.Close())
	assert.Equal(t, want, readPcap(t, out))
	assert.Zero(t, pool.InUse())
}

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestInnerIsWhatTheTunnelIsFor(t *testing.T) {
	ip4, ip6 := []byte("\x45 an IPv4 packet"), []byte("\x60 an IPv6 packet")
	plain := append([]byte{0x45, 19: 0}, ip4...)
	options := append([]byte{0x46, 23: 0}, ip6...)
	for name, c := range map[string]struct {
		tunnel       tunnel
		packet, want []byte
	}{
		"4in4":                {tunnel{outer4: true, version: 4}, plain, ip4},
		"6in4 with options":   {tunnel{outer4: true, version: 6}, options, ip6},
		"4in6":                {tunnel{version: 4}, ip4, ip4},
		"6in6":                {tunnel{version: 6}, ip6, ip6},
		"other version":       {tunnel{outer4: true, version: 6}, plain, nil},
		"nothing inside":      {tunnel{outer4: true, version: 4}, plain[:20], nil},
		"shorter than header": {tunnel{outer4: true, version: 4}, plain[:19], nil},
		"empty":               {tunnel{version: 4}, nil, nil},
	} {
		assert.Equal(t, c.want, c.tunnel.inner(c.packet), name)
	}
}

func TestUnknownTunnel(t *testing.T) {
	_, err := open("4in5")
	assert.ErrorContains(t, err, "4in5: unknown: use 4in4, 6in4, 4in6 or 6in6")
}

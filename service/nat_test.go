package service

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Replies of nat flows come for any address, as long as flows remember a service
// of that mode: also a removed one.
func TestHasNATUntilTheServiceIsForgotten(t *testing.T) {
	snap := NewStore(1, new(NextHops)).Load()
	key := Key{Proto: TCP, Addr: netip.MustParseAddr("10.0.0.100"), Port: 80}
	with := func(s Service) *Snapshot {
		return snap.WithServices(Vec[Service]{}.Set(1, s), Vec[Backend]{})
	}
	require.False(t, with(Service{ID: 1, Key: key, Mode: ModeFullNAT, Present: true}).HasNAT)
	require.True(t, with(Service{ID: 1, Key: key, Mode: ModeNAT, Present: true}).HasNAT)
	require.True(t, with(Service{ID: 1, Key: key, Mode: ModeNAT}).HasNAT, "removed")
	require.True(t, with(Service{ID: 1, Key: key, Mode: ModeDR, WasNAT: true, Present: true}).HasNAT)
	require.False(t, with(Service{}).HasNAT, "forgotten")
}

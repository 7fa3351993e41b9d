package service

import (
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func vip(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }

func TestSnapshotAnswersForServicesPresent(t *testing.T) {
	web := Service{ID: 1, Key: Key{TCP, vip(1), 80}, Present: true, Mode: ModeFullNAT, Locals: []netip.Addr{vip(9), vip(2)}}
	dns := Service{ID: 2, Key: Key{UDP, vip(2), 53}, Present: true, Mode: ModeDR}
	gone := Service{ID: 3, Key: Key{TCP, vip(3), 80}}
	empty := NewStore(1, nil).Load()
	snap := empty.WithServices(Vec[Service]{}.Set(1, web).Set(2, dns).Set(3, gone), Vec[Backend]{})

	assert.EqualValues(t, 1, snap.Revision)
	assert.Equal(t, web, *snap.Lookup(web.Key))
	assert.Equal(t, dns, *snap.Lookup(dns.Key))
	assert.Nil(t, snap.Lookup(gone.Key))
	assert.Nil(t, snap.Lookup(Key{UDP, vip(1), 80}))
	assert.Equal(t, RoleVIP, snap.Role(vip(1)))
	assert.Equal(t, RoleVIP|RoleLocal, snap.Role(vip(2)))
	assert.Equal(t, RoleLocal, snap.Role(vip(9)))
	assert.Zero(t, snap.Role(vip(3)))
	assert.Nil(t, empty.Lookup(web.Key), "the old snapshot is as it was")

	dns.Mode = ModeFullNAT
	next := snap.WithBackends(snap.Services.Set(2, dns), snap.Backends.Set(1, Backend{ID: 1}))
	assert.EqualValues(t, 2, next.Revision)
	assert.Equal(t, ModeFullNAT, next.Lookup(dns.Key).Mode)
	assert.Equal(t, ModeDR, snap.Lookup(dns.Key).Mode)

	swept := next.WithoutRemoved(next.Services.Set(3, Service{}), next.Backends)
	assert.EqualValues(t, 2, swept.Revision, "no change of configuration")
	assert.Equal(t, web, *swept.Lookup(web.Key))

	net := NewNet(2, nil, nil, nil)
	moved := swept.WithNet(net)
	assert.Same(t, net, moved.Net)
	assert.EqualValues(t, 2, moved.Revision)
	assert.Equal(t, web, *moved.Lookup(web.Key))
}

func TestStoreUpdate(t *testing.T) {
	store := NewStore(1, nil)
	before := store.Load()
	refusal := errors.New("no")
	assert.ErrorIs(t, store.Update(func(s *Snapshot) (*Snapshot, error) { return s.WithNet(nil), refusal }), refusal)
	assert.NoError(t, store.Update(func(*Snapshot) (*Snapshot, error) { return nil, nil }))
	assert.Same(t, before, store.Load())
	next := before.WithBackends(before.Services, before.Backends)
	assert.NoError(t, store.Update(func(s *Snapshot) (*Snapshot, error) { assert.Same(t, before, s); return next, nil }))
	assert.Same(t, next, store.Load())
}

// Writers from several goroutines lose no update.
func TestStoreUpdatesAreSerialized(t *testing.T) {
	store := NewStore(0, nil)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 500 {
				_ = store.Update(func(s *Snapshot) (*Snapshot, error) { return s.WithBackends(s.Services, s.Backends), nil })
			}
		})
	}
	writers.Wait()
	assert.EqualValues(t, 2000, store.Load().Revision)
	assert.True(t, store.Passed(2000), "no workers, nobody to wait for")
}

// Passed is true exactly when the slowest worker has entered the revision.
func TestPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.IntRange(1, 4).Draw(t, "workers")
		store, seen := NewStore(workers, nil), make([]uint64, workers)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "update") {
				_ = store.Update(func(s *Snapshot) (*Snapshot, error) { return s.WithBackends(s.Services, s.Backends), nil })
			} else {
				w := rapid.IntRange(0, workers-1).Draw(t, "worker")
				require.Same(t, store.Load(), store.Enter(w))
				seen[w] = store.Load().Revision
			}
			slowest := seen[0]
			for _, s := range seen {
				slowest = min(slowest, s)
			}
			for r := range store.Load().Revision + 2 {
				require.Equal(t, r <= slowest, store.Passed(r))
			}
		}
	})
}

// What a worker still uses is never older than what Passed says: the use of a
// snapshot ends before the next Enter.
func TestPassedWhileWorkersRun(t *testing.T) {
	const workers, last = 3, 2000
	store := NewStore(workers, nil)
	var using [workers]struct {
		sync.Mutex
		revision uint64
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for revision := uint64(0); revision < last; {
				using[w].Lock()
				revision = store.Enter(w).Revision
				using[w].revision = revision
				using[w].Unlock()
			}
		})
	}
	for revision := uint64(1); revision <= last; revision++ {
		_ = store.Update(func(s *Snapshot) (*Snapshot, error) { return s.WithBackends(s.Services, s.Backends), nil })
		if !store.Passed(revision) {
			continue
		}
		for w := range using {
			using[w].Lock()
			if using[w].revision < revision {
				t.Errorf("worker %d uses %d, %d is said to be passed", w, using[w].revision, revision)
			}
			using[w].Unlock()
		}
	}
	all.Wait()
	assert.True(t, store.Passed(last))
}

func TestModeNames(t *testing.T) {
	for m := ModeDR; m <= ModeTun; m++ {
		got, ok := ParseMode(m.String())
		assert.True(t, ok)
		assert.Equal(t, m, got)
	}
	for _, name := range []string{"", "none", "DR", "fnat"} {
		_, ok := ParseMode(name)
		assert.False(t, ok, name)
	}
}

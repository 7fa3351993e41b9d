package build

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

// Workers look up and choose while the configuration changes under them: what
// they get is always one of the snapshot's own backends, present and weighted.
func TestWorkersReadWhileChanged(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	done := make(chan struct{})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() { work(t, l, w, done) })
	}
	for i := range 300 {
		host := fmt.Sprintf("10.1.0.%d", 2+i%5)
		switch i % 4 {
		case 0, 1:
			_, err := l.PutBackend(mustKey(web), backend(fmt.Sprintf("%s*%d", host, i%3)), nil)
			require.NoError(t, err)
		case 2:
			l.put(svc("dr " + web + " 10.1.0.1 " + host))
		case 3:
			l.put(svc(fmt.Sprintf("dr tcp:10.0.1.%d:80 10.1.0.1", i%50)))
			l.Collect()
		}
	}
	close(done)
	all.Wait()
}

func work(t *testing.T, l *lab, w int, done chan struct{}) {
	var cursors [256]service.Cursor
	for {
		select {
		case <-done:
			return
		default:
		}
		snap := l.store.Enter(w)
		s := snap.Lookup(wireKey(mustKey(web)))
		b := snap.Backends.At(uint32(s.Plan.Pick(&cursors[s.ID], nil, service.FlowKey{})))
		if b.ID == 0 || !b.Present || b.Weight == 0 || b.Service != s.ID {
			t.Errorf("chose %+v", *b)
			return
		}
	}
}

// Of writers that expect the same revision exactly one gets through.
func TestCompareAndSet(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web))
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for w := range 4 {
		all.Go(func() {
			for i := range 50 {
				revision := l.Services().Revision
				_, err := l.PutBackend(mustKey(web), backend(fmt.Sprintf("10.1.%d.%d", w, i+1)), &revision)
				if err != nil && !api.IsKind(err, api.Stale) {
					t.Errorf("%v", err)
				}
				if err == nil {
					mu.Lock()
					done++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	_, at := l.lookup(web)
	assert.Len(t, at, done)
	assert.EqualValues(t, 1+done, l.revision())
}

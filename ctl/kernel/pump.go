package kernel

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// How long the pump sleeps after an empty round: twice as long each time.
const (
	minSleep = 50 * time.Microsecond
	maxSleep = time.Millisecond
)

// maxFrame is more than any MTU that a port can have, tags included.
const maxFrame = 1<<16 + 64

// readerPause keeps a twin that cannot be read (removed by somebody) from
// burning a core.
const readerPause = 100 * time.Millisecond

// pump exchanges frames between workers and twins.
type pump struct {
	pool   packet.Pool
	rings  []*packet.KernelRings // one per worker
	twins  []*twin
	byName map[network]*twin
	locks  map[uint16]*sync.Mutex // by port: its twins' readers share a ring with one producer
	log    *slog.Logger
	burst  packet.Burst // of the writer
	noTwin atomic.Uint64
	stop   chan struct{}
	done   sync.WaitGroup
}

func newPump(pool packet.Pool, rings []*packet.KernelRings, twins []*twin, log *slog.Logger) *pump {
	p := &pump{pool: pool, rings: rings, twins: twins, log: log, stop: make(chan struct{}),
		byName: map[network]*twin{}, locks: map[uint16]*sync.Mutex{}}
	for _, t := range twins {
		p.byName[t.network] = t
		p.locks[t.port] = new(sync.Mutex)
	}
	return p
}

func (p *pump) start() {
	p.done.Go(p.write)
	for _, t := range p.twins {
		p.done.Go(func() { p.read(t) })
	}
}

// close stops the goroutines and frees what is in the rings. The workers have
// stopped before: it takes their side of the From rings.
func (p *pump) close() error {
	close(p.stop)
	var failed []error
	for _, t := range p.twins {
		failed = append(failed, t.file.SetReadDeadline(time.Unix(1, 0)))
	}
	p.done.Wait()
	p.drain()
	return errors.Join(failed...)
}

// write is the goroutine from workers to twins.
func (p *pump) write() {
	sleep := minSleep
	for !p.stopping() {
		if p.round() > 0 {
			sleep = minSleep
			continue
		}
		time.Sleep(sleep)
		sleep = min(2*sleep, maxSleep)
	}
}

// round writes up to one burst of each class of each worker, routing first, and
// says how many frames that were. So a frame of the first class waits for one
// round at most, whatever floods the others.
func (p *pump) round() int {
	total := 0
	for class := range packet.NumKernelClasses {
		for _, r := range p.rings {
			n := r.To[class].Pop(&p.burst, packet.BurstSize)
			for _, b := range p.burst[:n] {
				p.toKernel(b)
			}
			p.free(n)
			total += n
		}
	}
	return total
}

func (p *pump) toKernel(b *packet.Buf) {
	t := p.byName[networkOf(b)]
	if t == nil {
		p.noTwin.Add(1)
		return
	}
	untag(b)
	_, err := t.file.Write(b.Bytes())
	switch {
	case err == nil:
		t.count.toKernel.Add(1)
	case errors.Is(err, unix.EIO):
		t.count.lost[lossDown].Add(1)
	default:
		t.count.lost[lossWrite].Add(1)
	}
}

// read is the goroutine from one twin to worker 0.
func (p *pump) read(t *twin) {
	frame := make([]byte, maxFrame)
	bare := frame[t.tagLen():]
	complained := false
	for !p.stopping() {
		n, err := t.file.Read(bare)
		switch {
		case err == nil:
			t.tag(frame)
			p.fromKernel(t, frame[:t.tagLen()+n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			if !complained {
				p.log.Error("read twin failed: was it removed? restart to get it back", "twin", t.name, "error", err)
				complained = true
			}
			time.Sleep(readerPause)
		}
	}
}

func (p *pump) fromKernel(t *twin, frame []byte) {
	b := p.pool.Alloc()
	if b == nil {
		t.count.lost[lossNoBuffer].Add(1)
		return
	}
	if !b.SetLen(len(frame)) {
		t.count.lost[lossTooLong].Add(1)
		p.freeOne(b)
		return
	}
	copy(b.Bytes(), frame)
	b.Port = t.port
	if !p.push(b) {
		t.count.lost[lossRing].Add(1)
		p.freeOne(b)
		return
	}
	t.count.fromKernel.Add(1)
}

// originate sends a frame out of a twin as if the kernel had.
func (p *pump) originate(t *twin, frame []byte) {
	whole := append(make([]byte, t.tagLen()), frame...)
	t.tag(whole)
	p.fromKernel(t, whole)
}

func (p *pump) push(b *packet.Buf) bool {
	lock := p.locks[b.Port]
	lock.Lock()
	defer lock.Unlock()
	return p.rings[0].From[b.Port].Push(b)
}

// drain frees what nobody will fetch any more.
func (p *pump) drain() {
	for _, r := range p.rings {
		for _, ring := range r.To {
			p.drainRing(ring)
		}
		for _, ring := range r.From {
			p.drainRing(ring)
		}
	}
}

func (p *pump) drainRing(ring *packet.Ring) {
	for {
		n := ring.Pop(&p.burst, packet.BurstSize)
		if n == 0 {
			return
		}
		for _, b := range p.burst[:n] {
			if t := p.byName[networkOf(b)]; t != nil {
				t.count.lost[lossStopped].Add(1)
			} else {
				p.noTwin.Add(1)
			}
		}
		p.free(n)
	}
}

// free gives back burst[:n]. It is the writer's burst.
func (p *pump) free(n int) {
	if n > 0 {
		p.pool.Free(&p.burst, n)
	}
	clear(p.burst[:n])
}

func (p *pump) freeOne(b *packet.Buf) {
	var one packet.Burst
	one[0] = b
	p.pool.Free(&one, 1)
}

func (p *pump) stopping() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

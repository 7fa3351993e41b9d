package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// udp inserts one-way UDP flows of 300 seconds.
func udp(t *testing.T, table *Table, n int) {
	t.Helper()
	for i := range n {
		_, ok := table.Insert(Entry4{Addrs: [2]uint64{uint64(table.Now())<<32 | uint64(i)}, Common: Common{Proto: 17, State: StateUDP}})
		require.True(t, ok)
	}
}

func ignore(Index, *Common) {}

func TestExpiresInItsTick(t *testing.T) {
	table := newTable(t, Config{Flows: 1})
	table.Advance(0)
	udp(t, table, 1)
	table.Advance(300 * time.Second)
	require.Zero(t, table.Expire(1<<20, ignore), "not before it was silent for 300 seconds of all of its tick")
	table.Advance(300*time.Second + Tick - 1)
	require.Zero(t, table.Expire(1<<20, ignore))
	table.Advance(300*time.Second + Tick)
	require.Equal(t, 1, table.Expire(1<<20, ignore))
	require.Zero(t, table.Len())
}

// A time-out that is no multiple of a tick, of a flow seen at a tick's end.
func TestExpiresNotEarly(t *testing.T) {
	var timeouts Timeouts
	timeouts[StateUDP] = 333 * time.Millisecond // between 2 and 3 ticks
	table := newTable(t, Config{Flows: 1, Timeouts: timeouts})
	table.Advance(0)
	table.Advance(Tick - 1)
	udp(t, table, 1)
	table.Advance(3 * Tick)
	require.Zero(t, table.Expire(1<<20, ignore), "silent for 250 ms")
	table.Advance(4 * Tick)
	require.Equal(t, 1, table.Expire(1<<20, ignore), "silent for 375 ms")
}

// A packet one tick later is one tick more of life.
func TestTouchExtends(t *testing.T) {
	table := newTable(t, Config{Flows: 1})
	table.Advance(0)
	udp(t, table, 1)
	table.Advance(Tick)
	table.pass(1, Request, 1)
	table.Advance(300*time.Second + Tick)
	require.Zero(t, table.Expire(1<<20, ignore))
	table.Advance(300*time.Second + 2*Tick)
	require.Equal(t, 1, table.Expire(1<<20, ignore))
}

// A long life waits in the farthest slot and is looked at again.
func TestBeyondTheHorizon(t *testing.T) {
	var timeouts Timeouts
	timeouts[StateUDP] = 5 * time.Hour
	table := newTable(t, Config{Flows: 1, Timeouts: timeouts})
	table.Advance(0)
	udp(t, table, 1)
	for clock := time.Duration(0); clock <= 5*time.Hour; clock += time.Minute {
		table.Advance(clock)
		require.Zero(t, table.Expire(1<<20, ignore), clock)
	}
	table.Advance(5*time.Hour + Tick)
	require.Equal(t, 1, table.Expire(1<<20, ignore))
}

// Work per call is bounded, and what is left is done by the next calls.
func TestBudget(t *testing.T) {
	table := newTable(t, Config{Flows: 1000})
	table.Advance(0)
	udp(t, table, 1000)
	table.Advance(time.Hour) // a stall: the wheel went around more than three times
	ended, calls := 0, 0
	for table.Len() > 0 {
		n := table.Expire(10, ignore)
		require.LessOrEqual(t, n, 10)
		ended += n
		calls++
		require.LessOrEqual(t, calls, (wheelSlots+1000)/10+1, "once around and every flow once")
	}
	require.Equal(t, 1000, ended)

	table.Advance(1000 * time.Hour)
	table.Expire(wheelSlots, ignore)
	_, behind := table.wheel.due(table.Now())
	require.False(t, behind, "once around is enough, however long the stall")
}

func TestClockJumps(t *testing.T) {
	table := newTable(t, Config{Flows: 100})
	table.Advance(20 * time.Hour) // the origin
	require.Zero(t, table.Now())
	udp(t, table, 10)
	table.Advance(time.Hour)
	require.Zero(t, table.Now(), "back: time stands")
	table.Advance(time.Hour + 200*time.Second)
	require.Equal(t, uint32(1600), table.Now(), "and goes on from there")
	require.Zero(t, table.Expire(1<<20, ignore))
	udp(t, table, 10)
	table.Advance(time.Hour + 301*time.Second)
	require.Equal(t, 10, table.Expire(1<<20, ignore))
	table.Advance(1000 * time.Hour)
	require.Equal(t, 10, table.Expire(1<<20, ignore))
	require.NoError(t, table.verify(0))
}

// Both families are in one wheel: they end in the order of their deadlines.
func TestExpiresBothFamilies(t *testing.T) {
	const flows = 20
	table := newTable(t, Config{Flows: flows, Flows6: flows})
	table.Advance(0)
	want := map[Index]uint32{}
	for n := range flows {
		for f := range numFamilies {
			e := either(f, n)
			e.State = StateUDP
			i, ok := e.insert(table)
			require.True(t, ok)
			want[i] = table.Now() + 300*8 + 1
		}
		table.Advance(time.Duration(n+1) * Tick)
	}
	require.Equal(t, 300*time.Second, table.TimeLeft(table.Common(MakeIndex(IPv6, flows))))
	for clock := 299 * time.Second; table.Len() > 0; clock += Tick {
		table.Advance(clock)
		table.Expire(1<<20, func(i Index, c *Common) {
			require.Equal(t, want[i], table.Now(), "%#x", i)
			require.Same(t, table.Common(i), c)
			delete(want, i)
		})
	}
	require.Empty(t, want)
	require.NoError(t, table.verify(0))
}

// Ticks wrap after 17 years; nothing depends on their size.
func TestTicksWrap(t *testing.T) {
	table := newTable(t, Config{Flows: 100})
	table.Advance(0)
	const almost = (1<<32 - 1000) * Tick
	for clock := time.Duration(0); clock <= almost; clock += almost / 4 {
		table.Advance(clock)
		table.Expire(1<<20, ignore)
	}
	udp(t, table, 10)
	table.SetState(1, StateClose) // looked at before the wrap, due behind it
	table.SetState(1, StateUDP)
	table.Advance(almost + 20*time.Second)
	require.Zero(t, table.Expire(1<<20, ignore))
	table.Advance(almost + 200*time.Second)
	require.Zero(t, table.Expire(1<<20, ignore))
	require.Equal(t, uint32(600), table.Now(), "wrapped")
	require.Equal(t, 100*time.Second+Tick, table.TimeLeft(table.Common(1)))
	udp(t, table, 10)
	table.Advance(almost + 301*time.Second)
	require.Equal(t, 10, table.Expire(1<<20, ignore))
	require.NoError(t, table.verify(10))
}

// A shorter life counts at once, a longer one when the wheel comes by.
func TestStateChangesLife(t *testing.T) {
	table := newTable(t, Config{Flows: 2})
	table.Advance(0)
	a, _ := table.Insert(twoWay(1))
	b, _ := table.Insert(twoWay(2))
	table.SetState(a, StateClose)
	table.SetState(b, StateClose)
	table.SetState(b, StateEstablished)
	table.Advance(10*time.Second + Tick)
	var ended []Index
	table.Expire(1<<20, func(i Index, _ *Common) { ended = append(ended, i) })
	require.Equal(t, []Index{a}, ended)
	require.Equal(t, 890*time.Second, table.TimeLeft(table.Common(b)))
	table.Advance(900*time.Second + Tick)
	require.Equal(t, 1, table.Expire(1<<20, ignore))
}

package kernel

import (
	"log/slog"
	"weak"

	"github.com/sluice-lb/sluice/service"
)

// hopIDs gives hosts next-hop ids, and takes them back.
//
// Who may still use the id of a host that is gone? A worker in the middle of a
// burst, or whoever else holds a view of the network that knows the host; and
// flows. A flow looks at its id only when it was resolved in the very view that
// its worker holds (NetEpoch), so it is no danger once nobody holds a view with
// the host. That is the case when those views are garbage: an id is given to
// another host after the collector has taken every view before the first one
// without the old host. Nothing else has to be counted, and nothing awaited.
type hopIDs struct {
	log    *slog.Logger
	ids    map[service.Neighbour]service.NextHopID
	last   service.NextHopID // greatest so far
	free   []service.NextHopID
	gone   []retired
	views  []view // that were published and may be in use, oldest first
	number uint64 // of the next view

	exhausted bool
}

// retired is an id that no view from a certain number on has.
type retired struct {
	id    service.NextHopID
	since uint64
}

type view struct {
	number uint64
	net    weak.Pointer[service.Net]
}

func newHopIDs(log *slog.Logger) *hopIDs {
	return &hopIDs{log: log, ids: map[service.Neighbour]service.NextHopID{}}
}

// of is the id of a host on a link, 0 when it has none.
func (h *hopIDs) of(key service.Neighbour) service.NextHopID { return h.ids[key] }

// allocate is of, but a host that has none gets one; 0 when all are taken.
func (h *hopIDs) allocate(key service.Neighbour) service.NextHopID {
	if id := h.ids[key]; id != 0 {
		return id
	}
	id := h.next()
	if id == 0 {
		if !h.exhausted {
			h.log.Error("next-hop ids are used up: hosts seen from now on are not forwarded to until others go", "ids", len(h.ids))
		}
		h.exhausted = true
		return 0
	}
	h.exhausted = false
	h.ids[key] = id
	return id
}

// next prefers ids that were never used: for most daemons there is no other kind.
func (h *hopIDs) next() service.NextHopID {
	if h.last < service.MaxNextHops-1 {
		h.last++
		return h.last
	}
	if len(h.free) == 0 {
		h.reclaim()
	}
	if len(h.free) == 0 {
		return 0
	}
	id := h.free[len(h.free)-1]
	h.free = h.free[:len(h.free)-1]
	return id
}

// reclaim frees the ids that only views had which are garbage by now.
func (h *hopIDs) reclaim() {
	for len(h.views) > 0 && h.views[0].net.Value() == nil {
		h.views = h.views[1:]
	}
	oldest := h.number
	if len(h.views) > 0 {
		oldest = h.views[0].number
	}
	for len(h.gone) > 0 && h.gone[0].since <= oldest {
		h.free = append(h.free, h.gone[0].id)
		h.gone = h.gone[1:]
	}
}

// publish notes the next view, and takes the ids of hosts that it does not have.
func (h *hopIDs) publish(net *service.Net, has func(service.Neighbour) bool) {
	for key, id := range h.ids {
		if !has(key) {
			delete(h.ids, key)
			h.gone = append(h.gone, retired{id, h.number})
		}
	}
	h.reclaim()
	h.views = append(h.views, view{h.number, weak.Make(net)})
	h.number++
}

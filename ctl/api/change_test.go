package api

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestChanges compares any sequence of edits with a map, and checks what holds
// for every edit: it is idempotent, leaves the old list alone, and counts
// revisions exactly when something changed.
func TestChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, model := ServiceList{}, map[Key]map[netip.AddrPort]uint32{}
		for range rapid.IntRange(1, 30).Draw(t, "edits") {
			edit := drawEdit(t)
			before, _ := json.Marshal(list)
			next, err := Change{Edit: edit}.Apply(list)
			if after, _ := json.Marshal(list); string(before) != string(after) {
				t.Fatalf("%s wrote to the old list", edit)
			}
			if fail := applyToModel(model, edit); fail != (err != nil) {
				t.Fatalf("%s: %v", edit, err)
			}
			if err != nil {
				continue
			}
			same, _ := json.Marshal(next.Services)
			old, _ := json.Marshal(list.Services)
			if changed := string(same) != string(old) && len(next.Services)+len(list.Services) > 0; changed != (next.Revision == list.Revision+1) {
				t.Fatalf("%s: revision %d after %d, changed %v", edit, next.Revision, list.Revision, changed)
			}
			if again, err := (Change{Edit: edit}).Apply(next); err == nil && again.Revision != next.Revision {
				t.Fatalf("%s is not idempotent", edit)
			}
			list = next
			compare(t, list, model)
		}
	})
}

func drawEdit(t *rapid.T) Edit {
	n := rapid.IntRange(1, 3).Draw(t, "service")
	s := Service{Protocol: "tcp", Address: fmt.Sprintf("10.0.0.%d", n), Port: 80, Mode: "fullnat"}
	key, _ := s.Key()
	weight := rapid.Uint32Range(0, 3).Draw(t, "weight")
	b := Backend{Address: fmt.Sprintf("10.1.0.%d", rapid.IntRange(1, 3).Draw(t, "backend")), Weight: &weight}
	ep := netip.AddrPortFrom(netip.MustParseAddr(b.Address), 80)
	switch rapid.IntRange(0, 5).Draw(t, "edit") {
	case 0:
		return PutService{s}
	case 1:
		s.Backends = []Backend{b}
		return PutService{s}
	case 2:
		return DeleteService{key}
	case 3:
		return DeleteBackend{key, ep}
	case 4:
		s.Backends = []Backend{b}
		return ReplaceServices{[]Service{s}}
	}
	return PutBackend{key, b}
}

// applyToModel returns whether the edit has to fail.
func applyToModel(model map[Key]map[netip.AddrPort]uint32, edit Edit) (fail bool) {
	backends := func(s Service) map[netip.AddrPort]uint32 {
		out := map[netip.AddrPort]uint32{}
		for _, b := range s.Backends {
			out[netip.AddrPortFrom(netip.MustParseAddr(b.Address), 80)] = *b.Weight
		}
		return out
	}
	switch e := edit.(type) {
	case PutService:
		key, _ := e.Service.Key()
		if model[key] == nil || e.Service.Backends != nil {
			model[key] = backends(e.Service)
		}
	case ReplaceServices:
		clear(model)
		key, _ := e.Services[0].Key()
		model[key] = backends(e.Services[0])
	case DeleteService:
		fail = model[e.Service] == nil
		delete(model, e.Service)
	case PutBackend:
		if fail = model[e.Service] == nil; !fail {
			model[e.Service][netip.AddrPortFrom(netip.MustParseAddr(e.Backend.Address), 80)] = *e.Backend.Weight
		}
	case DeleteBackend:
		_, found := model[e.Service][e.Backend]
		fail = !found
		delete(model[e.Service], e.Backend)
	}
	return fail
}

func compare(t *rapid.T, list ServiceList, model map[Key]map[netip.AddrPort]uint32) {
	if len(list.Services) != len(model) {
		t.Fatalf("%d services, not %d", len(list.Services), len(model))
	}
	for key, backends := range model {
		s, err := list.Find(key)
		if err != nil || len(s.Backends) != len(backends) {
			t.Fatalf("%s: %v, %v, want %v", key, s, err, backends)
		}
		for ep, weight := range backends {
			if b, ok := s.FindBackend(ep); !ok || *b.Weight != weight {
				t.Fatalf("%s %s: %v, want weight %d", key, ep, b, weight)
			}
		}
	}
}

func TestChangeStale(t *testing.T) {
	list := ServiceList{Revision: 4}
	edit := PutService{service(func(*Service) {})}
	_, err := Change{If: new(uint64(3)), Edit: edit}.Apply(list)
	require.True(t, IsKind(err, Stale))
	require.ErrorContains(t, err, "If-Match: 3: the configuration is at revision 4")
	next, err := Change{If: new(uint64(4)), Edit: edit}.Apply(list)
	require.NoError(t, err)
	require.EqualValues(t, 5, next.Revision)
	require.True(t, strings.HasPrefix(edit.String(), "put service tcp:"))
}

package build

import (
	"fmt"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Apply makes a change in the form in which the control socket has it. It does
// what Change.Apply describes, without walking the whole list.
func (b *Builder) Apply(c api.Change) (uint64, error) {
	switch edit := c.Edit.(type) {
	case api.PutService:
		return b.PutService(edit.Service, c.If)
	case api.DeleteService:
		return b.DeleteService(edit.Service, c.If)
	case api.PutBackend:
		return b.PutBackend(edit.Service, edit.Backend, c.If)
	case api.DeleteBackend:
		return b.DeleteBackend(edit.Service, edit.Backend, c.If)
	case api.ReplaceServices:
		return b.ReplaceAll(edit.Services, c.If)
	}
	return 0, &api.Error{Kind: api.Internal, Why: fmt.Sprintf("unknown edit %T", c.Edit)}
}

package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
)

// Close stops and detaches the device and frees the buffers in its rings. No
// worker may use the port any more. A second Close does nothing.
func (p *Port) Close() error {
	process.Lock()
	defer process.Unlock()
	return p.close()
}

// close undoes as much as there is of open and setUp.
func (p *Port) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	process.ports[p.index] = nil
	if p.done != nil {
		close(p.done)
		p.watch.Wait()
	}
	var errs []error
	lines := withLog(func() {
		if p.probed {
			p.reclaim()
			errs = append(errs, p.detach())
		}
		for _, m := range p.members { // only now: they were the bond's
			errs = append(errs, result(C.sluice_detach(m.id, 0)))
		}
	})
	for _, l := range p.links {
		errs = append(errs, l.close())
	}
	if err := errors.Join(errs...); err != nil {
		return failure("detach port", p.info.Name, explain(err, lines), "restart the process to release "+p.info.Device)
	}
	return nil
}

// detach stops the device and has DPDK forget it.
func (p *Port) detach() error {
	if p.device.driver == memif {
		process.keepMemory = process.keepMemory || p.device.memifServer() != ""
		if err := p.deafen(); err != nil {
			return err
		}
		return result(C.sluice_detach(p.id, 1)) // stops it, too, on the thread where that is safe
	}
	return errors.Join(result(C.sluice_stop(p.id)), result(C.sluice_detach(p.id, 0)))
}

// detachStray detaches a device that did not become a Port.
func detachStray(id C.uint16_t) error {
	var err error
	lines := withLog(func() { err = result(C.sluice_detach(id, 0)) })
	return explain(err, lines)
}

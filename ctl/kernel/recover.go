package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
)

// loadState reads what an earlier run has left; without a file that is nothing.
func loadState(path string, log *slog.Logger) (*state, error) {
	s := &state{path: path, log: log}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state of the last run: %w", err)
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read state of the last run: %s: %w: restore the interfaces by hand and remove the file", path, err)
	}
	for i := range s.Sysctls {
		s.Sysctls[i].found = true
	}
	for i := range s.Devices {
		s.Devices[i].found = true
	}
	for i := range s.Twins {
		s.Twins[i].found = true
	}
	return s, nil
}

// adopt goes on where an earlier run ended, killed or keeping its twins: what
// these ports need stays as it is, all else is undone.
func (s *state) adopt(ports []PortSpec) error {
	if s.empty() {
		return nil
	}
	needed := rest{settings: true}
	needed.device = func(d savedDevice) bool {
		return slices.ContainsFunc(ports, func(p PortSpec) bool { return slices.Contains(p.Devices, d.Name) && p.VLAN == 0 }) && d.isThere()
	}
	needed.twin = func(t savedTwin) bool {
		return slices.ContainsFunc(ports, func(p PortSpec) bool { return p.twinName() == t.Name })
	}
	if err := s.undoBut(needed); err != nil {
		return fmt.Errorf("undo the last run: %w: mend it, or remove %s to give it up", err, s.path)
	}
	s.log.Info("went on from the last run", "state", s.path, "devices", len(s.Devices), "twins", len(s.Twins))
	return nil
}

// empty says whether there is nothing to undo.
func (s *state) empty() bool { return len(s.Twins)+len(s.Devices)+len(s.Sysctls) == 0 }

// hasFound says whether a kept twin was there before us.
func (s *state) hasFound(twin string) bool {
	return slices.ContainsFunc(s.Twins, func(t savedTwin) bool { return t.found && t.Name == twin })
}

// Recover undoes what the state file says that an earlier run has changed:
// addresses, routes, sysctls and packet filters of silenced devices; and it
// removes twins that were kept. Without a file there is nothing to do; devices
// that are gone are passed over. A route that the kernel refuses now is logged
// and given up. After an error the file holds what remains, for the next attempt.
// The caller makes sure that no daemon is using the file. log may be nil.
func Recover(path string, log *slog.Logger) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := loadState(path, orDefault(log))
	if err != nil {
		return err
	}
	if err := s.undo(); err != nil {
		return fmt.Errorf("undo the last run: %w: mend it, or remove %s to give it up", err, path)
	}
	s.log.Info("undid what the last run had left", "state", path)
	return nil
}

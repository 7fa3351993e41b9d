package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
)

// state is everything that has to be undone at the end, as it was before. It is
// in its file before anything is changed, so that the next start can undo what
// a killed daemon could not, or what one that keeps its twins did not.
type state struct {
	Sysctls []savedSysctl `json:"sysctls,omitempty"`
	Devices []savedDevice `json:"devices,omitempty"`
	Twins   []savedTwin   `json:"twins,omitempty"` // that are kept

	path string
	log  *slog.Logger
}

// savedSysctl is a value of the namespace, not of one device.
type savedSysctl struct {
	File  string `json:"file"` // below /proc/sys/net
	Value string `json:"value"`

	found bool // an earlier run has left it so
}

// savedTwin is a tap that outlives us.
type savedTwin struct {
	Name  string `json:"name"`
	Index int    `json:"index"` // tells it from another of the same name

	found bool
}

// setSysctl remembers the value of a sysctl and changes it.
func (s *state) setSysctl(file, value string) error {
	old, err := readSysctl(file)
	if err != nil || old == value {
		return err
	}
	s.Sysctls = append(s.Sysctls, savedSysctl{File: file, Value: old})
	if err := s.save(); err != nil {
		return err
	}
	return writeSysctl(file, value)
}

// save replaces the state file in one step.
func (s *state) save() error {
	if err := s.write(); err != nil {
		return fmt.Errorf("write state: %s: %w: the directory must exist and be writable", s.path, err)
	}
	return nil
}

func (s *state) write() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), s.path)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// undo restores everything and removes the file. What fails stays in the file.
func (s *state) undo() error { return s.undoBut(rest{}) }

// undoNew is undo of what this run alone has changed.
func (s *state) undoNew() error {
	return s.undoBut(rest{
		device:   func(d savedDevice) bool { return d.found },
		twin:     func(t savedTwin) bool { return t.found },
		settings: true,
	})
}

// rest says what stays as it is, of what an earlier run has left.
type rest struct {
	device   func(savedDevice) bool // nil: none
	twin     func(savedTwin) bool   // nil: none
	settings bool
}

// undoBut restores all but the rest. Twins go first: devices get back addresses
// and routes that twins may have.
func (s *state) undoBut(r rest) error {
	var failed []error
	done := func(err error) bool {
		failed = append(failed, err)
		return err == nil
	}
	s.Twins = slices.DeleteFunc(s.Twins, func(t savedTwin) bool {
		return !(r.twin != nil && r.twin(t)) && done(t.remove())
	})
	s.Devices = slices.DeleteFunc(s.Devices, func(d savedDevice) bool {
		return !(r.device != nil && r.device(d)) && done(d.restore(s.log))
	})
	s.Sysctls = slices.DeleteFunc(s.Sysctls, func(v savedSysctl) bool {
		return !(r.settings && v.found) && done(writeSysctl(v.File, v.Value))
	})
	err := errors.Join(failed...)
	if !s.empty() {
		return errors.Join(err, s.save())
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// keepTwin notes that a tap is to stay.
func (s *state) keepTwin(name string, index int) error {
	if slices.ContainsFunc(s.Twins, func(t savedTwin) bool { return t.Name == name && t.Index == index }) {
		return nil
	}
	s.Twins = append(s.Twins, savedTwin{Name: name, Index: index})
	return s.save()
}

// remove takes a kept twin away, unless it is gone.
func (t *savedTwin) remove() error {
	link, err := netlink.LinkByName(t.Name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone || err == nil && link.Attrs().Index != t.Index {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove kept twin: %s: %w", t.Name, err)
	}
	return nil
}

func orDefault(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}

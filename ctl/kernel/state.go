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
)

// state is everything that has to be undone at the end, as it was before. It is
// in its file before anything is changed, so that the next start can undo what
// a killed daemon could not.
type state struct {
	Sysctls []savedSysctl `json:"sysctls,omitempty"`
	Devices []savedDevice `json:"devices,omitempty"`

	path string
	log  *slog.Logger
}

// savedSysctl is a value of the namespace, not of one device.
type savedSysctl struct {
	File  string `json:"file"` // below /proc/sys/net
	Value string `json:"value"`
}

// setSysctl remembers the value of a sysctl and changes it.
func (s *state) setSysctl(file, value string) error {
	old, err := readSysctl(file)
	if err != nil || old == value {
		return err
	}
	s.Sysctls = append(s.Sysctls, savedSysctl{file, old})
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
func (s *state) undo() error {
	var failed []error
	keep := func(err error) bool {
		failed = append(failed, err)
		return err == nil
	}
	s.Devices = slices.DeleteFunc(s.Devices, func(d savedDevice) bool { return keep(d.restore(s.log)) })
	s.Sysctls = slices.DeleteFunc(s.Sysctls, func(v savedSysctl) bool { return keep(writeSysctl(v.File, v.Value)) })
	err := errors.Join(failed...)
	if err != nil {
		return errors.Join(err, s.save())
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// Recover undoes what the state file says that an earlier run has changed:
// addresses, routes, sysctls and packet filters of silenced devices. Without a
// file there is nothing to do; devices that are gone are passed over. A route
// that the kernel refuses now is logged and given up. After an error the file
// holds what remains, for the next attempt. The caller makes sure that no other
// daemon is using the file. log may be nil.
func Recover(path string, log *slog.Logger) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state of the last run: %w", err)
	}
	s := &state{path: path, log: orDefault(log)}
	if err := json.Unmarshal(text, s); err != nil {
		return fmt.Errorf("read state of the last run: %s: %w: restore the interfaces by hand and remove the file", path, err)
	}
	if err := s.undo(); err != nil {
		return fmt.Errorf("undo the last run: %w: mend it, or remove %s to give it up", err, path)
	}
	s.log.Info("undid what the last run had left", "state", path)
	return nil
}

func orDefault(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}

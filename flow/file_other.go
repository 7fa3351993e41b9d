//go:build !linux

package flow

import (
	"errors"
	"os"
)

var errNoFile = errors.New("tables in files need Linux: leave Config.File empty")

func createFile(string, int) (*file, error) { return nil, errNoFile }

func openLocked(string) (*os.File, error) { return nil, errNoFile }

func (f *file) close() error { return nil }

func bootTime() int64 { return 0 }

func bootID() [16]byte { return [16]byte{} }

package client

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// ConnectError says that sluiced cannot be reached.
type ConnectError struct {
	Socket string
	Err    error
}

// Error reads `cannot reach sluiced: socket: why: what to do`.
func (e *ConnectError) Error() string {
	why, remedy := e.Err.Error(), "check the path of the socket"
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		why, remedy = "no such file", "is it running? start it with: systemctl start sluiced; or pass --socket"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		why, remedy = "nobody listens", "it has ended without cleaning up: start it again, see its log for the reason"
	case errors.Is(e.Err, fs.ErrPermission):
		why, remedy = "permission denied", "run as root, or join the socket's group (ls -l shows it)"
	}
	return fmt.Sprintf("cannot reach sluiced: %s: %s: %s", e.Socket, why, remedy)
}

// Unwrap returns the dialer's error.
func (e *ConnectError) Unwrap() error { return e.Err }

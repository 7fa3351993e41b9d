package dpdk

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// DPDK 22.11 forgets a memif server's listening socket when the port is closed:
// it goes on listening, with memory behind it that has been freed, and EAL's
// interrupt thread still reads that memory while rte_eal_cleanup unmaps it.

// memifServer is the socket on which a memif device listens: a path, "@name" when
// it is abstract, "" for a client.
func (d device) memifServer() string {
	if d.driver != memif || d.value("role") != "server" && d.value("role") != "master" {
		return ""
	}
	socket := d.value("socket")
	if socket == "" {
		socket = "/run/memif.sock"
	}
	if d.value("socket-abstract") != "no" {
		return "@" + socket
	}
	return socket
}

// deafen puts something that never has news in the place of the listening
// socket, unless another port uses it, too. The interrupt thread keeps a number
// that means a file, and no connection comes any more.
func (p *Port) deafen() error {
	socket := p.device.memifServer()
	if socket == "" {
		return nil
	}
	for _, other := range process.ports {
		if other != nil && other != p && other.device.memifServer() == socket {
			return nil
		}
	}
	fd := listener(socket)
	if fd < 0 {
		return nil
	}
	quiet, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(quiet)
	return unix.Dup3(quiet, fd, unix.O_CLOEXEC)
}

// listener is the process's file descriptor that listens on a Unix socket; -1:
// there is none.
func listener(socket string) int {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, path := range fds {
		fd, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if link, err := os.Readlink(path); err != nil || len(link) < 7 || link[:7] != "socket:" {
			continue
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			continue
		}
		at, ok := name.(*unix.SockaddrUnix)
		if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); ok && err == nil && listens == 1 && at.Name == socket {
			return fd
		}
	}
	return -1
}

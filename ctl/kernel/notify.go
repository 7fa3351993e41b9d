package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// event is what the mirror has to know of a kernel notification: either what
// became of one neighbour, or that routes have to be read again, or everything.
type event struct {
	neighbour *netlink.Neigh // nil: anything else
	gone      bool           // the neighbour was removed
	overrun   bool           // notifications were lost
}

// notifier reads the kernel's notifications. It starts to listen when it is
// made, so that nothing is missed between a listing that follows and start.
type notifier struct {
	file   *os.File
	events chan event
	stop   chan struct{}
	done   sync.WaitGroup
}

// receiveBuffer is room for some ten thousand notifications, in bytes; beyond
// it the kernel reports an overrun and we read everything again.
const receiveBuffer = 4 << 20

var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH,
	unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
}

func newNotifier() (*notifier, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	address := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for _, g := range groups {
		address.Groups |= 1 << (g - 1)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer),
		unix.Bind(fd, address))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen to netlink: %w: CAP_NET_ADMIN is needed", err)
	}
	return &notifier{
		file:   os.NewFile(uintptr(fd), "netlink"),
		events: make(chan event, 256),
		stop:   make(chan struct{}),
	}, nil
}

func (n *notifier) start() { n.done.Go(n.run) }

// close ends the goroutine. The mirror may have stopped fetching before.
func (n *notifier) close() error {
	close(n.stop)
	err := n.file.Close()
	n.done.Wait()
	return err
}

func (n *notifier) run() {
	buffer := make([]byte, 1<<16)
	for {
		size, err := n.file.Read(buffer)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			if !errors.Is(err, unix.ENOBUFS) {
				time.Sleep(readerPause) // not an overrun; it may be there to stay
			}
			if !n.send(event{overrun: true}) {
				return
			}
		case !n.parse(buffer[:size]):
			return
		}
	}
}

// parse reports false when the notifier is stopping.
func (n *notifier) parse(datagram []byte) bool {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return n.send(event{overrun: true})
	}
	for _, m := range messages {
		if !n.send(toEvent(m)) {
			return false
		}
	}
	return true
}

func toEvent(m syscall.NetlinkMessage) event {
	gone := m.Header.Type == unix.RTM_DELNEIGH
	if !gone && m.Header.Type != unix.RTM_NEWNEIGH {
		return event{}
	}
	// A copy: the result points into it, and the next datagram overwrites ours.
	neighbour, err := netlink.NeighDeserialize(slices.Clone(m.Data))
	if err != nil {
		return event{overrun: true}
	}
	return event{neighbour: neighbour, gone: gone}
}

func (n *notifier) send(e event) bool {
	select {
	case n.events <- e:
		return true
	case <-n.stop:
		return false
	}
}

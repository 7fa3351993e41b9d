// Command decap ends IP tunnels on the lab's real servers, where the kernel has
// no tunnel device of its own:
//
//	decap --device decap 4in4 6in4 4in6 6in6
//
// A raw socket for each tunnel named receives outer packets, reassembled by the
// kernel; what is inside goes to the kernel through a tun device, as if it had
// come in there. The device has to exist and be up. Nothing goes the other way:
// servers answer clients directly. The inner packet stays as it is: ECN marks of
// the outer header (RFC 6040) are lost.
//
// Runs on: real servers of a lab. Touches: /dev/net/tun. Imports nothing of
// Sluice: a decapsulator that knew our packets would prove nothing.
package main

import (
	"flag"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "decap:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("decap", flag.ExitOnError)
	device := flags.String("device", "decap", "tun device that gets the inner packets")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("no tunnel: name some of 4in4, 6in4, 4in6, 6in6")
	}
	var tunnels []*tunnel
	for _, name := range flags.Args() {
		t, err := open(name)
		if err != nil {
			return err
		}
		tunnels = append(tunnels, t)
	}
	// Last: the device's carrier says that we are ready.
	tun, err := attach(*device)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, t := range tunnels {
		go func() { failed <- t.serve(tun) }()
	}
	return <-failed
}

// attach opens the kernel's side of a tun device for packets without a header
// before them.
func attach(device string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(device)
	if err != nil {
		return -1, fmt.Errorf("device: %s: %w", device, err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return -1, fmt.Errorf("attach to %s: %w", device, err)
	}
	return fd, nil
}

// Command soak lets a daemon in a lab of scripts/lab.sh work under everything at
// once, then looks for what it has lost: connections, packet buffers, flows,
// memory, goroutines, file descriptors, kernel state. scripts/soak.sh starts it.
//
//	main.go      the course: warm up, settle, note the state, soak, settle, compare
//	soak.go      phases and the loops in them
//	sites.go     the services: steady ones, where nothing may fail, and rough ones
//	tcp.go       connections: short, long, large, silent, reset
//	udp.go       exchanges over UDP
//	churn.go     changes of configuration, scrapes, listings, reloads
//	rough.go     changes that may cost connections, and when they were under way
//	network.go   neighbors, routes, links of the gateway change
//	hostile.go   frames that nobody should send; frames.go builds them
//	watch.go     segments that passed the hosts; story.go tells what they say of a
//	             connection that was reset
//	configure.go the daemon's configuration for it
//	state.go     what the daemon holds, process.go its process; judge.go compares
//
// Runs on: the lab's client, as root; servers of its own on the lab's real
// servers. Traffic is real: kernel TCP and UDP through the real daemon.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("soak", flag.ExitOnError)
	id := flags.String("lab", "", "the lab, made by scripts/lab.sh with two arms")
	root := flags.String("root", ".", "the checkout")
	minutes := flags.Float64("minutes", 3, "how long, after the warm-up")
	warm := flags.Duration("warmup", 20*time.Second, "how long before the state is first noted")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "of all random choices")
	workers := flags.Int("configure", 0, "only complete the lab's configuration, with so many workers")
	_ = flags.Parse(args) // ends the process itself
	l, err := openLab(*id, *root)
	if err != nil {
		return err
	}
	s := newSoak(l, *seed)
	if *workers > 0 {
		return s.configure(*workers)
	}
	return s.course(ctx, *warm, time.Duration(*minutes*float64(time.Minute)))
}

// course is the whole test.
func (s *soak) course(ctx context.Context, warm, long time.Duration) error {
	if err := s.prepare(); err != nil {
		return err
	}
	say("seed %d; warming up for %v", s.seed, warm)
	if err := s.phase(ctx, warm, 0); err != nil {
		return err
	}
	begin, err := s.settle(ctx)
	if err != nil {
		return err
	}
	say("soaking for %v", long)
	if err := s.phase(ctx, long, 1); err != nil {
		return err
	}
	end, err := s.settle(ctx)
	if err != nil {
		return err
	}
	fmt.Print(s.tally.report())
	if n := s.watch.missed(); n > 0 {
		say("%d segments passed unseen: what is told of resets may lack some", n)
	}
	rows := compare(begin, end)
	fmt.Print(table(rows))
	return errors.Join(s.tally.verdict(), leaks(rows), s.daemonErrors())
}

func say(format string, args ...any) { fmt.Printf("== "+format+"\n", args...) }

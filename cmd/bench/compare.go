package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/queuerun/queuerun/socket"
)

// config is how much of what is measured.
type config struct {
	users, messages, rate, rated, idle, history, rounds int

	settle   time.Duration
	protocol string
	presence bool
	peer     string
	load     string
	only     string
	profile  string

	profileFor time.Duration
}

// quickly are the flags that -quick sets, those that are given excepted.
var quickly = map[string]string{
	"users": "200", "messages": "4000", "rate": "500", "rated": "250", "idle": "500",
	"rounds": "1", "settle": "100ms", "profile-for": "1s",
}

const aboutCompare = `Measures the sockets of queuerun, beside a peer when it is given one.
The processes are modes of this command as well: bench serve, bench publish and
bench load, each with -h. See the documentation of the command for what is
measured, and how.`

func parseCompare(args []string, stderr io.Writer) (config, error) {
	var c config
	fs := newFlags("bench", aboutCompare, stderr)
	fs.IntVar(&c.users, "users", 5000, "users, each with one connection")
	fs.IntVar(&c.messages, "messages", 200_000, "deliveries of each workload that goes as fast as possible")
	fs.IntVar(&c.rate, "rate", 2000, "messages a second of the workload with a fixed rate")
	fs.IntVar(&c.rated, "rated", 20_000, "messages of the workload with a fixed rate")
	fs.IntVar(&c.idle, "idle", 15_000, "idle connections whose memory is measured")
	fs.IntVar(&c.history, "history", 100, "messages kept for each user, for a minute")
	fs.IntVar(&c.rounds, "rounds", 3, "how often each side has its turn")
	fs.DurationVar(&c.settle, "settle", 2*time.Second, "how long a server is left alone after its connections were opened")
	fs.StringVar(&c.protocol, "protocol", defaultProtocol, "subprotocol of our clients, such as "+protocolV1+"; empty is plain messages")
	fs.BoolVar(&c.presence, "presence", false, "let our server push presence jobs")
	fs.StringVar(&c.peer, "peer", "", "`directory` of the peer's programs")
	fs.StringVar(&c.load, "load", "", "`program` that generates the load of both sides instead of \"bench load\", with the same flags and output")
	fs.StringVar(&c.only, "only", "", "workloads, separated by commas; empty is all: "+workloadNames())
	fs.StringVar(&c.profile, "profile", "", "`directory` for CPU profiles of our server and publisher, which are made in a run of their own after the others")
	fs.DurationVar(&c.profileFor, "profile-for", 5*time.Second, "how long those profiles are taken, in whole seconds")
	quick := fs.Bool("quick", false, "take some seconds only: not to measure, but to see that everything works")
	if err := parse(fs, args); err != nil {
		return c, err
	}
	if *quick {
		setUnlessGiven(fs, quickly)
	}
	return c, c.check()
}

func setUnlessGiven(fs *flag.FlagSet, values map[string]string) {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range values {
		if !given[name] {
			_ = fs.Set(name, value) // these values are good
		}
	}
}

func (c config) check() error {
	if c.users < socket.MaxRecipients {
		return fmt.Errorf("-users %d: at least %d are needed", c.users, socket.MaxRecipients)
	}
	if min(c.messages, c.rate, c.rated, c.idle, c.history, c.rounds) < 1 {
		return errors.New("-messages, -rate, -rated, -idle, -history and -rounds are at least 1")
	}
	if c.profileFor < time.Second {
		return errors.New("-profile-for is at least 1s")
	}
	return checkOpenFiles(max(c.users, c.idle))
}

// generator is the command line of the load generator.
func (c config) generator(ours side) []string {
	if c.load != "" {
		return []string{c.load}
	}
	return []string{ours.program, "load"}
}

// compare runs all workloads and reports.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseCompare(args, stderr)
	if err != nil {
		return err
	}
	some, err := chosen(c.only)
	if err != nil {
		return err
	}
	own, err := ours(c)
	if err != nil {
		return err
	}
	sides := []side{own}
	if c.peer != "" {
		other, err := peer(c.peer, c)
		if err != nil {
			return err
		}
		sides = append(sides, other)
	}
	outcomes, err := measureAll(ctx, c, some, sides, stderr)
	if err != nil {
		return err
	}
	if err := report(stdout, c, sides, outcomes); err != nil {
		return err
	}
	if c.profile == "" {
		return nil
	}
	if err := os.MkdirAll(c.profile, 0o755); err != nil {
		return fmt.Errorf("make the directory for profiles: %w", err)
	}
	return profile(ctx, c, own, stderr)
}

// measureAll lets the sides take turns, and each be the first in turn, so that
// the noise of the machine hits all of them.
func measureAll(ctx context.Context, c config, some []workload, sides []side, progress io.Writer) ([]outcome, error) {
	var outcomes []outcome
	for _, w := range some {
		o := outcome{workload: w, rounds: make([][]figures, len(sides))}
		for round := range c.rounds {
			for turn := range sides {
				i := (turn + round) % len(sides)
				f, err := runOnce(ctx, c, w, sides[i], c.generator(sides[0]))
				if err != nil {
					return nil, fmt.Errorf("workload %q of %s: %w", w.name, sides[i].name, err)
				}
				o.rounds[i] = append(o.rounds[i], f)
				fmt.Fprintf(progress, "%s, round %d of %d, %s: %s\n", w.name, round+1, c.rounds, sides[i].name, inOneLine(w, f))
			}
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

// runOnce runs a workload on a stage of its own.
func runOnce(ctx context.Context, c config, w workload, s side, generator []string) (figures, error) {
	st, err := raise(ctx, s, generator)
	if err != nil {
		return figures{}, err
	}
	defer st.strike()
	return w.run(ctx, st, c)
}

func inOneLine(w workload, f figures) string {
	var words []string
	for _, m := range w.measures {
		words = append(words, m.name+" "+m.format(f.of[m]))
	}
	if f.note != "" {
		words = append(words, f.note)
	}
	return strings.Join(words, "; ")
}

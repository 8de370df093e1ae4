package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/queuerun/queuerun/socket"
)

// workload is something to do that both sides are measured by.
type workload struct {
	name     string
	title    string
	conns    func(config) int
	run      func(ctx context.Context, st *stage, c config) (figures, error)
	measures []*measure
}

// burst is a number of messages to send.
type burst struct {
	to         string // an audience
	messages   int
	deliveries int // in all; every user has one connection
	rate       int // messages a second, 0 is as fast as possible
}

func users(c config) int { return c.users }

var speed = []*measure{delivered, lost, closed, serverCPU, redisCPU, publisherCPU, loadCPU}

var workloads = []workload{
	{"user", "one user a message, as fast as possible", users, func(ctx context.Context, st *stage, c config) (figures, error) {
		return st.deliver(ctx, c, toUsersAtOnce(toUser, 1, c.messages))
	}, speed},
	{"to", "To(100): a hundred users a message (a peer: one by one)", users, func(ctx context.Context, st *stage, c config) (figures, error) {
		return st.deliver(ctx, c, toUsersAtOnce(toSome, socket.MaxRecipients, c.messages))
	}, speed},
	{"broadcast", "all users a message, with To(100) in batches (a peer: one by one)", users, func(ctx context.Context, st *stage, c config) (figures, error) {
		return st.deliver(ctx, c, toUsersAtOnce(toUsers, c.users, c.messages))
	}, speed},
	{"rate", "one user a message, at a fixed rate", users, func(ctx context.Context, st *stage, c config) (figures, error) {
		b := toUsersAtOnce(toUser, 1, c.rated)
		b.rate = c.rate
		return st.deliver(ctx, c, b)
	}, []*measure{p50, p99, longest, lost, closed, serverCPU, redisCPU, publisherCPU, loadCPU}},
	{"idle", "idle connections", func(c config) int { return c.idle }, func(ctx context.Context, st *stage, c config) (figures, error) {
		return st.idle(ctx, c)
	}, []*measure{memory}},
}

// toUsersAtOnce is about so many deliveries to an audience of a size: at least
// one message.
func toUsersAtOnce(to string, audience, deliveries int) burst {
	messages := max(1, deliveries/audience)
	return burst{to: to, messages: messages, deliveries: messages * audience}
}

// chosen returns the workloads of a list of names separated by commas, or all.
func chosen(names string) ([]workload, error) {
	if names == "" {
		return workloads, nil
	}
	var some []workload
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown workload %q: there are %s", name, workloadNames())
		}
		some = append(some, workloads[i])
	}
	return some, nil
}

func workloadNames() string {
	var all []string
	for _, w := range workloads {
		all = append(all, w.name)
	}
	return strings.Join(all, ",")
}

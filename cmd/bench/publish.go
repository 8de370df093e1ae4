package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// historyAge is how long the history of a user is kept, by either side.
const historyAge = time.Minute

// message is what is sent: the time, in Unix nanoseconds, and something to fill
// it up with.
type message struct {
	TS  int64  `json:"ts"`
	Pad string `json:"pad"`
}

// publisher sends messages from a process that has no connections, as a worker
// would.
type publisher struct {
	users   []string
	pad     string
	send    sending
	n       int
	rate    int
	workers int
}

// publish sends messages to the users 0 to N-1 and prints how fast that went.
func publish(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("bench publish", "Sends messages to users, and says how fast that went.", stderr)
	redisAddr := fs.String("redis", "127.0.0.1:6379", "`address` of Redis")
	users := fs.Int("users", 1000, "users there are, named from 0 on")
	n := fs.Int("n", 100_000, "messages")
	rate := fs.Int("rate", 0, "messages a second, 0 is as fast as possible")
	workers := fs.Int("workers", 64, "concurrent senders")
	history := fs.Int("history", 100, "messages kept for each user, for a minute")
	size := fs.Int("size", 100, "bytes of padding in a message")
	to := fs.String("to", toUser, "whom a message is for: "+strings.Join(audiences(), ", "))
	pprof := fs.String("pprof", "", "`address` to serve profiles on, at /debug/pprof/")
	if err := parse(fs, args); err != nil {
		return err
	}
	send, ok := sendings[*to]
	if !ok {
		return fmt.Errorf("-to %s: want one of %s", *to, strings.Join(audiences(), ", "))
	}
	if least := send.recipients(*users); *users < max(1, least) {
		return fmt.Errorf("-to %s needs at least %d users, and there are %d", *to, max(1, least), *users)
	}
	rdb := redis.NewClient(&redis.Options{Addr: *redisAddr})
	defer rdb.Close()
	sender := socket.NewSender(rdb)
	sender.RetainMessages, sender.RetainFor = *history, historyAge
	p := publisher{users: names(*users), pad: strings.Repeat("x", *size), send: send, n: *n, rate: *rate, workers: *workers}
	return withPprof(sender.Context(ctx), *pprof, func(ctx context.Context) error {
		began := time.Now()
		if err := p.run(ctx); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		_, err := fmt.Fprintf(stdout, "published %d in %.2fs = %.0f/s\n", *n, took, float64(*n)/took)
		return err
	})
}

func names(n int) []string {
	users := make([]string, n)
	for i := range users {
		users[i] = strconv.Itoa(i)
	}
	return users
}

// run hands out turns, at the rate if there is one, to the senders.
func (p publisher) run(ctx context.Context) error {
	turns := make(chan struct{}, 1024)
	group, ctx := errgroup.WithContext(ctx)
	for range p.workers {
		// Every sender shuffles users of its own.
		users := slices.Clone(p.users)
		group.Go(func() error {
			for range turns {
				if err := p.send.do(ctx, users, message{time.Now().UnixNano(), p.pad}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(turns)
		began := time.Now()
		for i := range p.n {
			if p.rate > 0 {
				due := began.Add(time.Duration(i) * time.Second / time.Duration(p.rate))
				time.Sleep(time.Until(due))
			}
			select {
			case turns <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return group.Wait()
}

// The audiences of a message.
const (
	toUser  = "user"  // one random user
	toSome  = "some"  // socket.MaxRecipients random users
	toUsers = "users" // every user
)

// sending is how a message is sent to an audience. A topic's is one more of them.
type sending struct {
	recipients func(users int) int
	do         func(ctx context.Context, users []string, m message) error
}

var sendings = map[string]sending{
	toUser:  {func(int) int { return 1 }, sendToUser},
	toSome:  {func(int) int { return socket.MaxRecipients }, sendToSome},
	toUsers: {func(users int) int { return users }, sendToUsers},
}

func audiences() []string { return []string{toUser, toSome, toUsers} }

func sendToUser(ctx context.Context, users []string, m message) error {
	return socket.To(users[rand.IntN(len(users))]).Send(ctx, m)
}

func sendToSome(ctx context.Context, users []string, m message) error {
	for i := range socket.MaxRecipients {
		j := i + rand.IntN(len(users)-i)
		users[i], users[j] = users[j], users[i]
	}
	return socket.To(users[:socket.MaxRecipients]...).Send(ctx, m)
}

func sendToUsers(ctx context.Context, users []string, m message) error {
	for some := range slices.Chunk(users, socket.MaxRecipients) {
		if err := socket.To(some...).Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

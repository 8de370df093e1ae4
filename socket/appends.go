package socket

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

//go:embed lua/append.lua
var appendSource string

var appendScript = newScript(appendSource)

// stateRetention is how long the state of a channel without connections outlives
// its log. A message after that starts a new chain.
const stateRetention = 24 * time.Hour

// stepTargets is how many channels are appended to in one step, for the time of
// which Redis does nothing else. On a cluster, where a step has to stay in one
// slot, it is one channel.
const stepTargets = 100

// appends is the first trip of a batch: it writes the messages into the logs of
// their channels and reads which servers to tell, or tells them, when all keys are
// in one Redis.
type appends struct {
	steps []*appendStep
	one   bool // all keys are in one Redis
	again bool // some step failed only because Redis did not have the script: that is no attempt
}

// appendStep is one atomic step, in all its attempts.
type appendStep struct {
	targets []*target // that are pending
	cmd     *redis.Cmd
	inline  bool // Redis does not have the script: send its source
}

// oneRedis tells whether all keys are in one Redis.
func oneRedis(rdb redis.UniversalClient) bool {
	_, one := rdb.(*redis.Client)
	return one
}

func (s *Sender) newAppends(b *batch) *appends {
	a := &appends{}
	if b == nil {
		return a
	}
	size := 1
	if a.one = oneRedis(s.redis); a.one {
		size = stepTargets
	}
	targets := make([]*target, 0, len(b.sends))
	for _, d := range b.sends {
		for i := range d.targets {
			targets = append(targets, &d.targets[i])
		}
	}
	for some := range slices.Chunk(targets, size) {
		a.steps = append(a.steps, &appendStep{targets: some})
	}
	return a
}

// commands makes an attempt of everything that is pending.
func (a *appends) commands(ctx context.Context, k keyspace) []redis.Cmder {
	before, behind := "", ""
	if a.one {
		before, behind = k.inboxParts()
	}
	cmds := make([]redis.Cmder, len(a.steps))
	for i, step := range a.steps {
		step.cmd = step.command(ctx, before, behind)
		cmds[i] = step.cmd
	}
	return cmds
}

func (s *appendStep) command(ctx context.Context, before, behind string) *redis.Cmd {
	n := len(s.targets)
	words := make([]any, n+4, n+4+2*n)
	words[n], words[n+1], words[n+2], words[n+3] = stateRetention.Milliseconds(), before, behind, inboxLimit
	var last sending
	var text *string // of last
	for i := 0; i < n; {
		d, of := s.targets[i].dispatch, sending{}
		for ; i < n && s.targets[i].dispatch == d; i++ { // they follow one another
			words[i] = &s.targets[i].state // a pointer takes no room besides the word
			of.channels++
			of.again = of.again || s.targets[i].unsure
		}
		of.keep, of.age, of.ephemeral, of.key = d.keep, d.age, d.ephemeral, d.key
		if of != last {
			last, text = of, new(of.text())
		}
		words = append(words, text, &d.stored)
	}
	return appendScript.commandOf(ctx, s.inline, n, words)
}

// sending is what append.lua has to know of a message. Many have the same.
type sending struct {
	channels         int
	keep             int
	age              time.Duration
	ephemeral, again bool
	key              string
}

func (s sending) text() string {
	b := appendNumber(nil, uint64(s.channels))
	b = appendNumber(b, uint64(s.keep))
	b = appendNumber(b, uint64(s.age.Milliseconds()))
	b = appendFlag(b, s.ephemeral)
	b = appendFlag(b, s.again)
	return string(append(b, s.key...))
}

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, "1 "...)
	}
	return append(b, "0 "...)
}

// written reads the replies of an attempt and tells whether no further one is
// needed. After the last one none is made.
func (a *appends) written(last bool) bool {
	a.again = false
	a.steps = slices.DeleteFunc(a.steps, func(s *appendStep) bool {
		sent := s.inline
		done := s.read(last)
		a.again = a.again || s.inline && !sent
		return done
	})
	return len(a.steps) == 0
}

func (s *appendStep) read(last bool) (done bool) {
	reply, err := s.cmd.Result()
	replies, _ := reply.([]any)
	switch {
	case err == nil && reply == int64(1):
		for _, t := range s.targets {
			t.appended = true
		}
		return true
	case err == nil && len(replies) == len(s.targets):
		for i, t := range s.targets {
			t.read(replies[i])
		}
		return true
	case err == nil:
		err = fmt.Errorf("unexpected reply %v", reply)
		last = true
	case redis.HasErrorPrefix(err, "NOSCRIPT") && !s.inline:
		s.inline = true // at once, and also after the last attempt
		last = false
	case redisstep.Answered(err): // so Redis did nothing
		last = last || !redisstep.Passing(err)
	case !neverSent(err):
		for _, t := range s.targets {
			t.unsure = true
		}
	}
	s.targets = slices.DeleteFunc(slices.Clone(s.targets), func(t *target) bool {
		t.retry(err, last)
		return !t.pending()
	})
	return len(s.targets) == 0
}

// retry ends a target after a failed attempt when it was the last one, or when
// its sender has stopped waiting.
func (t *target) retry(err error, last bool) {
	switch {
	case t.ctx.Err() != nil:
		t.fail(fmt.Errorf("%w: %w", err, context.Cause(t.ctx)))
	case last:
		t.fail(err)
	}
}

// redisAnswer is an error with which Redis refused a command in the step.
type redisAnswer string

func (r redisAnswer) Error() string { return string(r) }
func (redisAnswer) RedisError()     {}

// read takes what the step replied for the target.
func (t *target) read(reply any) {
	if reply == int64(1) { // and the servers were told
		t.appended = true
		return
	}
	text := texts(reply)
	switch {
	case len(text) == 1:
		t.unsure = true
		t.fail(errors.New("the log no longer tells"))
		return
	case len(text) == 2:
		t.fail(redisAnswer(text[1]))
		return
	case len(text) < 3:
		t.fail(fmt.Errorf("unexpected reply %v", reply))
		return
	}
	for i, to := range []*uint64{&t.at.seq, &t.at.previous, &t.at.logged} {
		n, err := parseSequence(text[i])
		if err != nil {
			t.fail(err)
			return
		}
		*to = n
	}
	t.servers, t.appended = text[3:], true
}

// neverSent tells whether a command did not even reach the network.
func neverSent(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial" || errors.Is(err, redis.ErrPoolTimeout)
}
